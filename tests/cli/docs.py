"""README and manual say what is true: every block of code in them runs, every link leads somewhere.

A page's blocks run in their order, in a folder that looks like the top of a fresh tree. ```console holds commands behind
`$ ` and what they print, where numbers may differ and `...` stands for any lines; ```yaml is a config, study or card that
mho takes; ```c is a program that compiles; ```python is run by one interpreter a page, with the names of the blocks before;
```text is nobody's. A comment before a block says what is special:

    <!-- docs: file NAME -->       the block is written to that file first, for the blocks behind it
    <!-- docs: exit 2 -->          the exit code of its last command
    <!-- docs: with WORDS -->      words behind each `mho` command, which make it short
    <!-- docs: needs mnist -->     is passed over where MNIST is not there, or a module of Python of that name
    <!-- docs: slow -->            takes long: MHO_TEST_SLOW alone runs it
    <!-- docs: not run: WHY -->    what it names must exist, no more
    <!-- docs: quote FILE -->      C that stands in that file, `...` and comments aside
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

from mho import MHO, folder, main, run, write

TOP = os.environ['MHO_SOURCE']
SLOW = bool(os.environ.get('MHO_TEST_SLOW'))
SANITIZED = os.environ.get('MHO_SANITIZE', 'none') != 'none'  # a sanitized library wants an interpreter like it
ELSEWHERE = {'docs/schema.md': 'tests/cli/schema.py runs its queries'}
README_LINES, README_BYTES = 120, 9000
MARKER = re.compile(r'^\s*<!-- docs: (file|exit|with|needs|slow|not run|quote):?\s*(.*?)\s*-->$')
LANGUAGES = ('console', 'yaml', 'c', 'python', 'text')


def text(path):
    with open(os.path.join(TOP, path), encoding='utf-8') as f:
        return f.read()


def pages(*patterns):
    return sorted(os.path.relpath(p, TOP) for pattern in patterns for p in glob.glob(os.path.join(TOP, pattern)))


# ---------------------------------------------------------------- blocks

class Block:
    def __init__(self, page, line, language, marks):
        self.place, self.language, self.marks, self.lines = f'{page}:{line}', language, marks, []

    def body(self):
        return '\n'.join(self.lines) + '\n'


def blocks_of(page, content):
    """The fenced blocks of a page, with the marks that stand right above them."""
    blocks, marks, block, indent = [], {}, None, ''
    for number, line in enumerate(content.split('\n'), 1):
        fence = re.match(r'^(\s*)```(\w*)\s*$', line)
        mark = MARKER.match(line)
        if block is None and fence:
            indent = fence[1]
            block = Block(page, number, fence[2], marks)
        elif block is not None and fence:
            blocks.append(block)
            block, marks = None, {}
        elif block is not None:
            block.lines.append(line[len(indent):] if line.startswith(indent) else line)
        elif mark:
            marks = {**marks, mark[1]: mark[2]}
        else:
            assert '<!-- docs:' not in line, f'{page}:{number}: not a mark that is known: {line.strip()}'
            assert not marks or not line.strip(), f'{page}:{number}: a mark without a block'
    assert block is None, f'{page}: a block has no end'
    return blocks


def commands_of(block):
    """(command, lines it is said to print) one after another; a command goes on behind a backslash."""
    found = []
    for line in block.lines:
        if found and found[-1][0].endswith('\\') and not found[-1][1]:
            found[-1][0] += '\n' + line
        elif line.startswith('$ '):
            found.append([line[2:], []])
        else:
            assert found, f'{block.place}: output before a command: {line}'
            found[-1][1].append(line)
    return found


# ---------------------------------------------------------------- what is printed

def pattern(line):
    """A line with its runs, numbers and blanks made alike."""
    line = re.sub(r'\b3[0-9a-z]{11}\b', 'RUN', line)
    line = re.sub(r'[-+]?\d[\d.]*(e[-+]?\d+)?', '#', line)
    return ' '.join(line.split())


def is_like(wanted, line):
    """Whether a line is what was wanted, of which `...` at the end leaves the rest open."""
    if wanted.endswith(' ...'):
        return line.startswith(pattern(wanted[:-3]))
    return line == pattern(wanted)


def prints(said, expected):
    """The first of the expected lines that is not printed in its place; None: all are. Lines between two `...` follow each
    other, and those before the first one begin what is printed."""
    lines = [pattern(x) for x in said.splitlines() if x.strip()]
    at, anywhere = 0, False
    for group in re.split(r'^\s*\.\.\.\s*$', '\n'.join(expected), flags=re.M):
        wanted = [x for x in group.split('\n') if x.strip()]
        places = range(at, len(lines) - len(wanted) + 1) if anywhere else range(at, at + 1)
        alike = [[is_like(w, x) for w, x in zip(wanted, lines[i:])] for i in places]
        found = [i for i, same in zip(places, alike) if len(same) == len(wanted) and all(same)]
        if not found:
            best = max((same.index(False) if False in same else len(same) for same in alike), default=0)
            return wanted[min(best, len(wanted) - 1)]
        at, anywhere = found[0] + len(wanted), True
    return None


# ---------------------------------------------------------------- running

def like_a_tree(where):
    """A folder that looks like the top of the tree after a build, in which nothing harms the tree."""
    os.makedirs(where)
    for name in ('examples', 'results', 'tools'):
        shutil.copytree(os.path.join(TOP, name), os.path.join(where, name), symlinks=True,
                        ignore=shutil.ignore_patterns('*.db', '*.db-*', '*.html'))
    for name in ('models', 'netlists', 'docs', 'src', 'include', 'tests', 'quickstart', 'check'):
        os.symlink(os.path.join(TOP, name), os.path.join(where, name))
    os.symlink(os.path.dirname(os.path.abspath(MHO)), os.path.join(where, 'build'))
    return where


def shell(command, where):
    # a page's python3 is the one whose modules its marks need
    path = os.pathsep.join([os.path.dirname(os.path.abspath(MHO)), os.path.dirname(PYTHON), os.environ['PATH']])
    return subprocess.run(['bash', '-c', 'set -o pipefail\n' + command], cwd=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=1500, env={**os.environ, 'PATH': path})


def run_console(block, where):
    commands = commands_of(block)
    assert commands, f'{block.place}: no command'
    for i, (command, expected) in enumerate(commands):
        if 'with' in block.marks:
            command = re.sub(r'^(mho \w+[^#|>\n]*)', lambda m: f'{m[1].rstrip()} {block.marks["with"]} ', command)
        code = int(block.marks.get('exit', 0)) if i == len(commands) - 1 else 0
        start = time.monotonic()
        p = shell(command, where)
        if time.monotonic() - start > 2:
            print(f'      {block.place}: {time.monotonic() - start:.1f} s: {command}')
        assert p.returncode == code, f'{block.place}: exit {p.returncode}, expected {code}: {command}\n{p.stdout[-2000:]}'
        missing = prints(p.stdout, expected)
        assert missing is None, f'{block.place}: {command}\ndoes not print (there)\n{missing}\nbut\n{p.stdout[:3000]}'


def run_yaml(block, where):
    path = os.path.join(where, block.marks.get('file', 'block.yaml'))
    with open(path, 'w', encoding='utf-8') as f:
        f.write(block.body())
    top = re.findall(r'^(\w+):', block.body(), re.M)
    if 'study' in top:
        words = ('sweep', path, '--plan', '--db', 'plan.db')
    elif 'card' in top:
        words = ('device', 'show', path)
    else:
        words = ('train', path, '--print-config')
    p = run(*words, code=None, cwd=where)
    assert p.returncode == 0, f'{block.place}: mho {" ".join(words)}: {p.stderr}'


def bare(code):
    """C without comments and blanks."""
    return re.sub(r'\s+', '', re.sub(r'/\*.*?\*/|//[^\n]*', '', code, flags=re.S))


def run_c(block, where):
    if 'quote' in block.marks:
        source, at = bare(text(block.marks['quote'])), 0
        for piece in re.split(r'\.\.\.', re.sub(r'/\*.*?\*/', '', block.body(), flags=re.S)):
            found = source.find(bare(piece), at)
            assert found >= 0, f'{block.place}: not in {block.marks["quote"]}, or not there:\n{piece}'
            at = found + len(bare(piece))
        return
    path = os.path.join(where, 'block.c')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(block.body())
    p = subprocess.run(['cc', '-std=gnu17', '-fsyntax-only', '-I', os.path.join(TOP, 'include'), path], capture_output=True, text=True)
    assert p.returncode == 0, f'{block.place}: {p.stderr}'


# What the interpreter of a page's Python blocks runs: a block a line, as JSON; how it went is a line, too.
INTERPRETER = '''
import contextlib, io, json, sys, traceback, warnings
warnings.simplefilter('error')
names, answers = {'__name__': '__main__'}, sys.stdout
for line in sys.stdin:
    said, failed = io.StringIO(), None
    try:
        with contextlib.redirect_stdout(said):
            exec(compile(json.loads(line), 'block', 'exec'), names)
    except BaseException:
        failed = traceback.format_exc()
    print(json.dumps([said.getvalue(), failed]), file=answers, flush=True)
'''
interpreters = {}  # by the folder of their page
PYTHON = '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else sys.executable  # the one with Debian's numpy


def interpreter_of(where):
    if where not in interpreters:
        env = {**os.environ, 'PYTHONPATH': os.path.join(TOP, 'python'), 'PYTHONDONTWRITEBYTECODE': '1',
               'MHO_LIBRARY': os.path.join(os.path.dirname(os.path.abspath(MHO)), 'libmho.so')}
        interpreters[where] = subprocess.Popen([PYTHON, '-c', INTERPRETER], cwd=where, env=env, text=True,
                                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return interpreters[where]


def run_python(block, where):
    interpreter = interpreter_of(where)
    print(json.dumps(block.body()), file=interpreter.stdin, flush=True)
    said, failed = json.loads(interpreter.stdout.readline())
    assert failed is None, f'{block.place}: {failed}'


def end_interpreter(where):
    if where in interpreters:
        interpreters[where].communicate()
        del interpreters[where]


VERBS = set(re.findall(r'^  (\w+) ', run('--help').stdout, re.M))


def named_things(block):
    """Of a block that is not run: verbs that there are, and scripts and files of the tree that are there."""
    for command, _ in commands_of(block) if block.language == 'console' else []:
        for word in re.findall(r'\bmho (\w+)', command):
            assert word in VERBS, f'{block.place}: there is no verb {word}: {command}'
        for word in re.findall(r'(?:\./|\b)(?:results|examples|tests|tools|netlists)/[\w./-]+', command):
            word = re.sub(r'^\./', '', word)
            made = word.startswith('results/') and word.count('/') == 1 or '.slurm/' in word
            assert made or os.path.exists(os.path.join(TOP, word)), f'{block.place}: there is no {word}'


def has_mnist():
    places = [os.path.join(os.environ.get('MHO_DATA', '/nowhere'), 'mnist'), os.path.expanduser('~/.cache/mho/mnist')]
    return any(os.path.isdir(p) for p in places)


def has(name):
    """Whether MNIST, or a module of Python, is here."""
    if name == 'mnist':
        return has_mnist()
    return subprocess.run([PYTHON, '-c', f'import {name}'], capture_output=True).returncode == 0


def run_block(block, where):
    """Run a block as its marks say; whether it was run."""
    assert block.language in LANGUAGES, f'{block.place}: a block of language {block.language!r}: expected one of {LANGUAGES}'
    marks = block.marks
    if 'not run' in marks:
        assert marks['not run'], f'{block.place}: why is it not run?'
        named_things(block)
        return False
    if 'needs' in marks:
        if not has(marks['needs']):
            print(f'      {block.place}: {marks["needs"]} is not here')
            return False
    if 'slow' in marks and not SLOW:
        return False
    if block.language == 'python' and SANITIZED:
        print(f'      {block.place}: Python does not take a sanitized library')
        return False
    if 'file' in marks and block.language == 'text':
        with open(os.path.join(where, marks['file']), 'w', encoding='utf-8') as f:
            f.write(block.body())
    if block.language == 'text':
        return False
    {'console': run_console, 'yaml': run_yaml, 'c': run_c, 'python': run_python}[block.language](block, where)
    return True


def run_page(page, content):
    blocks = blocks_of(page, content)
    where = like_a_tree(os.path.join(folder, page.replace('/', '-')))
    start = time.monotonic()
    try:
        ran = sum([run_block(b, where) for b in blocks])
    finally:
        end_interpreter(where)
    print(f'      {page}: {ran} of {len(blocks)} blocks in {time.monotonic() - start:.1f} s')
    shutil.rmtree(where)
    return ran


def test_blocks():
    ran = sum(run_page(page, text(page)) for page in pages('README.md', 'CONTRIBUTING.md', 'docs/*.md') if page not in ELSEWHERE)
    assert ran > 30, ran


def fails(content, says):
    try:
        run_page('broken.md', content)
    except AssertionError as e:
        shutil.rmtree(os.path.join(folder, 'broken.md'), ignore_errors=True)
        assert says in str(e), (says, str(e))
    else:
        raise AssertionError(f'nobody minds: {content}')


def test_what_is_wrong_is_seen():
    fails('```console\n$ mho train --no-db --set train.epochs=0.5\n```\n', 'exit 2')
    fails('```console\n$ mho device lits\n```\n', 'exit 2')
    fails('```console\n$ echo one\ntwo\n```\n', 'does not print')
    fails('```console\n$ echo 1 2\n1 2 3\n```\n', 'does not print')
    fails('```yaml\nnetwork: {hiden: [3]}\n```\n', 'hiden')
    fails('```yaml\nstudy: s\nvary: {device.step: [1]}\n```\n', 'device.step')
    if not SANITIZED:
        fails('```python\nimport mho\n```\n\n```python\nmho.train({"train": {"epoch": 3}}, db=None)\n```\n', 'did you mean train.epochs')
        fails('```python\nnothing\n```\n', 'NameError')
    fails('```c\nint main(void) { return x; }\n```\n', 'undeclared')
    fails('<!-- docs: quote examples/device.c -->\n```c\ndouble no_such_thing;\n```\n', 'not in examples/device.c')
    fails('<!-- docs: not run: too long -->\n```console\n$ mho trian\n```\n', 'no verb')
    fails('<!-- docs: not run: too long -->\n```console\n$ results/nothing/run.sh\n```\n', 'there is no results/nothing')
    fails('```\nmho train\n```\n', 'language')
    run_page('sound.md', '<!-- docs: exit 3 -->\n```console\n$ echo 5; exit 3\n7\n```\n')


# ---------------------------------------------------------------- links

def anchors(content):
    """What a heading is called in a link, as GitHub has it, and what a page names by <a id>."""
    found = set(re.findall(r'<a id="([^"]+)">', content))
    for heading in re.findall(r'^#{1,6} (.*?)\s*$', re.sub(r'^```.*?^```', '', content, flags=re.S | re.M), re.M):
        heading = re.sub(r'\[([^]]*)\]\([^)]*\)|<[^>]*>', r'\1', heading).replace('`', '')
        slug = re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
        while slug in found:
            slug += '-1'
        found.add(slug)
    return found


def dead_links(page, content):
    content = re.sub(r'^\s*```.*?^\s*```', '', content, flags=re.S | re.M)
    content = re.sub(r'`[^`\n]*`', lambda m: 'x' * len(m[0]), content)
    for target in re.findall(r'\]\(([^)\s]+)\)', content):
        if re.match(r'[a-z]+:', target):
            continue
        path, _, anchor = target.partition('#')
        there = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        if not os.path.exists(os.path.join(TOP, there)):
            yield f'{page}: {target}: there is no {there}'
        elif anchor and anchor not in anchors(text(there)):
            yield f'{page}: {target}: no heading of {there} is called that'


def test_links():
    everything = pages('*.md', 'docs/*.md', 'results/*/*.md', 'netlists/*.md', 'tests/bench/*.md')
    dead = [x for page in everything for x in dead_links(page, text(page))]
    assert not dead, '\n' + '\n'.join(dead)
    assert len(everything) > 20
    assert list(dead_links('docs/guide.md', '[a](nowhere.md) [b](#nothing-of-this) [c](../README.md)')) != []


def test_readme_is_short():
    readme = text('README.md')
    assert readme.count('\n') <= README_LINES and len(readme.encode()) <= README_BYTES, (readme.count('\n'), len(readme.encode()))
    for page in pages('docs/*.md'):
        assert f'({page})' in readme, f'README.md does not lead to {page}'


if __name__ == '__main__':
    main([test_links, test_readme_is_short, test_what_is_wrong_is_seen, test_blocks])
