"""How the code is laid out: what clang-format says, and what it cannot say.

C files and headers are as .clang-format leaves them (checked where version 14 is there, as in Debian 12), no
line of src/, include/ and tests/ is above 100 columns, no statement of src/ and include/ nests `?:`,
no condition holds an assignment, no function is above 80 lines, and no two files of src/ share a
name unless both are registered things.
"""
import collections
import os
import re
import subprocess
import sys

SOURCE = os.environ['MHO_SOURCE']
WIDTH, LENGTH, VERSION = 100, 80, 14


def files(*folders):
    for folder in folders:
        for home, _, names in sorted(os.walk(os.path.join(SOURCE, folder))):
            for name in sorted(names):
                if name.endswith(('.c', '.h')):
                    path = os.path.join(home, name)
                    with open(path, encoding='utf-8') as f:
                        yield os.path.relpath(path, SOURCE), f.read()


def code_of(text):
    """The text with comments, strings and characters emptied, line by line as before."""
    def emptied(m):
        return '\n' * m.group().count('\n') if m.group().startswith('/') else '""'
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\])+\'', emptied, text, flags=re.S)


def clang_format():
    """The formatter's complaints; none where its version is another, because versions differ."""
    try:
        said = subprocess.run(['clang-format', '--version'], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        said = ''
    found = re.search(r'version (\d+)', said)
    if not found or int(found.group(1)) != VERSION:
        print(f'the layout is not compared: that needs clang-format {VERSION}, here is {said.strip() or "none"}')
        return []
    paths = [os.path.join(SOURCE, path) for path, _ in files('src', 'include', 'tests')]
    p = subprocess.run(['clang-format', '--dry-run', *paths], capture_output=True, text=True)
    places = sorted(set(re.findall(r'^(\S+?):(\d+):', p.stderr, re.M)))
    return [f'{os.path.relpath(path, SOURCE)}:{line} is not as clang-format -i leaves it' for path, line in places]


def wide(path, text):
    for i, line in enumerate(text.split('\n'), 1):
        if len(line) > WIDTH:
            yield f'{path}:{i} has {len(line)} columns: {WIDTH} are allowed'


def nested(path, code):
    """Statements in which one `?:` is within another."""
    for m in re.finditer(r'[^;{}]*', code):
        depth = most = 0
        open_at = []
        for c in m.group():
            if c in '([':
                open_at.append(depth)
            elif c in ')]' and open_at:
                depth = open_at.pop()
            elif c == '?':
                depth += 1
                most = max(most, depth)
            elif c == ',':
                depth = open_at[-1] if open_at else 0
        if most > 1:
            line = code.count('\n', 0, m.end()) + 1
            yield f'{path}:{line} nests ?: within ?:; give the choice a function or an if'


def assignments(path, code):
    for m in re.finditer(r'\b(if|while) \(', code):
        depth, at = 1, m.end()
        while depth and at < len(code):
            depth += {'(': 1, ')': -1}.get(code[at], 0)
            at += 1
        if re.search(r'[^=!<>+\-*/|&^]=[^=]', code[m.end():at]):
            yield f'{path}:{code.count(chr(10), 0, m.start()) + 1} assigns within a condition'


def long_functions(path, text):
    lines = text.split('\n')
    start = None
    for i, line in enumerate(lines):
        if re.match(r'^[A-Za-z_ ].*\)? \{$|^\{$', line) and not re.match(r'^(struct|enum|union|typedef|static const|extern)', line):
            start = i
        elif line.startswith('}') and start is not None:
            if i - start - 1 > LENGTH:
                yield f'{path}:{start + 1} is a function of {i - start - 1} lines: {LENGTH} are allowed'
            start = None


def shared_names(paths):
    """Two files of one name are allowed where both are registered: they are called by their ids."""
    home = collections.defaultdict(list)
    for path in paths:
        home[os.path.basename(path)].append(path)
    registered = set()
    for folder, _, names in os.walk(os.path.join(SOURCE, 'src')):
        if 'meson.build' in names:
            with open(os.path.join(folder, 'meson.build'), encoding='utf-8') as f:
                kinds = re.findall(r"registered \+= \{'\w+': \['([^']*)', \[(.*?)\], '([^']*)'\]\}", f.read(), re.S)
            registered |= {f'src/{start}{i}{end}' for start, ids, end in kinds for i in re.findall(r"'(\w+)'", ids)}
    for name, where in sorted(home.items()):
        if len(where) > 1 and not set(where) <= registered:
            yield f'{" and ".join(where)} have one name: a name says its subject without its folder'


def main():
    bad = clang_format()
    code = list(files('src', 'include'))
    for path, text in code + list(files('tests')):
        bad += wide(path, text)
    for path, text in code:
        bare = code_of(text)
        bad += [*nested(path, bare), *assignments(path, bare), *long_functions(path, text)]
    bad += shared_names([path for path, _ in code if path.startswith('src')])
    print('\n'.join(bad) or f'{len(code)} files are laid out as they should')
    return bool(bad) or len(code) < 100


if __name__ == '__main__':
    sys.exit(main())
