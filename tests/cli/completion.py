"""What Tab makes of a command line in bash, zsh and fish, each under a pseudo-terminal of its own.

A line is typed up to a Tab, then its start becomes a printf, which shows the words that the shell has: what Tab completed.
"""
import os
import pty
import re
import select
import shutil
import sys
import time

from mho import MHO, folder, main, refused, run

LIMIT_S = 20
os.makedirs(os.path.join(folder, 'bin'))
os.symlink(os.path.abspath(MHO), os.path.join(folder, 'bin', 'mho'))


class Shell:
    """A shell that reads what is typed."""

    def __init__(self, *words, start=()):
        self.said = ''
        env = {**os.environ, 'PATH': f'{folder}/bin:{os.environ["PATH"]}', 'TERM': 'xterm', 'HOME': folder, 'LC_ALL': 'C.UTF-8',
               'XDG_CONFIG_HOME': f'{folder}/config', 'XDG_DATA_HOME': f'{folder}/data', 'PS1': '% ', 'ZDOTDIR': folder}
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, env)
        self.pid = pid
        for line in start:
            self.type(line + '\r')
        self.type("printf 'rea''dy\\n'\r")
        self.wait('ready')

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                self.said += os.read(self.fd, 65536).decode(errors='replace')
            except OSError:  # the shell has ended
                pass
            if '\x1b[c' in self.said or '\x1b[0c' in self.said:  # fish asks what terminal this is
                self.said = self.said.replace('\x1b[c', '').replace('\x1b[0c', '')
                self.type('\x1b[?1;0c')

    def wait(self, for_what):
        """All that is said up to some words."""
        end = time.monotonic() + LIMIT_S
        while for_what not in self.said:
            assert time.monotonic() < end, f'no {for_what!r} in {self.said[-2000:]!r}'
            self.read(0.1)
        text, self.said = self.said.split(for_what, 1)
        return text

    def settle(self):
        """Until nothing more is said."""
        before = None
        while before != self.said:
            before = self.said
            self.read(0.3)

    def words(self, typed, tabs=1):
        """The words of the line after Tab."""
        self.said = ''
        self.type(typed)
        for _ in range(tabs):
            self.type('\t')
            self.settle()
        self.shown = plain(self.said)
        self.said = ''
        self.type("\x01printf '<%s>' \x05; printf 'en''d\\n'\r")
        return re.findall(r'<([^<>]*)>', plain(self.wait('end\r')).rsplit('\n', 1)[-1])

    def close(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def plain(text):
    """Without the sequences that move the cursor and colour."""
    return re.sub(r'\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[\[(][0-9;?=<>]*[A-Za-z]|\x1b[=>]|[\x0e\x0f\x08]', '', text)


SHELLS = {
    'bash': (['bash', '--noprofile', '--norc', '-i'], ['source <(mho completion bash)', 'bind "set bell-style none"']),
    'zsh': (['zsh', '-f', '-i'], ['autoload -Uz compinit; compinit -D', 'unsetopt beep prompt_sp', 'source <(mho completion zsh)']),
    'fish': (['fish', '--no-config', '-i'], ['set -g fish_greeting', 'mho completion fish | source', 'function fish_prompt; echo "% "; end']),
}

CASES = [  # what is typed, and the words that it becomes
    ('mho netl', ['mho', 'netlist']),
    ('mho train --print-c', ['mho', 'train', '--print-config']),
    ('mho train --set device.mod', ['mho', 'train', '--set', 'device.model=']),
    ('mho train --set device.model=nl', ['mho', 'train', '--set', 'device.model=nl_pulse']),
    ('mho train --set rule.error=hel', ['mho', 'train', '--set', 'rule.error=held']),
    ('mho train --set device.card=ecram_', ['mho', 'train', '--set', 'device.card=ecram_mo']),
    ('mho train --set rul', ['mho', 'train', '--set', 'rule']),
    ('mho show thefir', ['mho', 'show', 'thefirst']),
    ('mho eval --part val', ['mho', 'eval', '--part', 'validation']),
    ('mho list dev', ['mho', 'list', 'devices']),
    ('mho list devices soft', ['mho', 'list', 'devices', 'soft_bounds']),
    ('mho device cur', ['mho', 'device', 'curve']),
    ('mho device curve vte', ['mho', 'device', 'curve', 'vteam']),
    ('mho report thestu', ['mho', 'report', 'thestudy']),
    ('mho runs --study thestu', ['mho', 'runs', '--study', 'thestudy']),
    ('mho query sensi', ['mho', 'query', 'sensitivity']),
    ('mho data fetch fash', ['mho', 'data', 'fetch', 'fashion_mnist']),
    ('mho init circ', ['mho', 'init', 'circuit']),
    ('mho train my_con', ['mho', 'train', 'my_config.yaml']),
    ('mho completion fi', ['mho', 'completion', 'fish']),
]


def in_shell(name):
    words, start = SHELLS[name]
    shell = Shell(*words, start=start)
    try:
        for typed, expected in CASES:
            got = shell.words(typed)
            if expected[-1] == 'rule':  # "rule." and "rule=" go on
                got = [w.rstrip('.=') for w in got]
            assert got == expected, f'{name}: {typed!r} became {got}, expected {expected}'
        shell.words('mho ', tabs=2)
        assert 'cosim' in shell.shown and 'train' in shell.shown, (name, shell.shown)
    finally:
        shell.close()


def test_bash():
    in_shell('bash')


def test_zsh():
    in_shell('zsh')


def test_fish():
    in_shell('fish')


def completions(*words):
    return [line.split('\t')[0] for line in run('--complete', *words).stdout.splitlines()]


def test_offers():
    """What the shells are told, whatever they make of it."""
    helped = re.findall(r'^  (\w+) ', run('--help').stdout.split('\n\n')[1], re.M)
    assert completions('') == helped
    for verb in helped:
        options = set(re.findall(r'^ {2,6}(?:-\S, )?--([a-z][\w-]*)', run(verb, '--help').stdout, re.M)) - {'usage'}
        offered = {w.strip('-=') for w in completions(verb, '--')}
        assert options <= offered, (verb, options - offered)
    keys = {w for w in completions('train', '--set', 'array.')}
    assert {'array.model=', 'array.read_noise=', 'array.wire.r_word='} <= keys and len(keys) == len(completions('train', '--set', 'array.'))
    assert {'device.', 'device=', 'train.'} <= set(completions('sweep', '--set', ''))
    assert completions('train', '--set', 'settle.method=s') == ['settle.method=' + w for w in ('synchronous', 'sweep', 'steps', 'spice')
                                                               if 'settle.method=' + w in completions('train', '--set', 'settle.method=')]
    assert completions('train', '--set=device=lin') == ['--set=device=linear', '--set=device=linear_ion']
    assert completions('show', 'the') == ['thefirst'] and completions('show', 'las') == ['last']
    assert completions('show', '--db', 'nowhere.db', 'the') == [] and completions('nonsense', '') == []
    assert completions('solve', '--method', 'it') == ['iterative'] and completions('train', 'thefirst', 'x') == []
    assert completions('db', 'che') == ['check'] and completions('db', 'check', '') == ['<files>']
    refused('completion', says='bash, zsh or fish')
    refused('completion', 'tcsh', says=["'tcsh'", 'bash, zsh or fish'])
    assert completions('export', '--weights', '') == ['<folders>', '<files>'] and completions('train', '') == ['<files .yaml>']


run('train', '--set', 'train.epochs=1', '--set', 'network.hidden=[4]', '--name', 'thefirst')
with open(os.path.join(folder, 'my_config.yaml'), 'w', encoding='utf-8') as f:
    f.write('train: {epochs: 1}\n')
with open(os.path.join(folder, 'study.yaml'), 'w', encoding='utf-8') as f:
    f.write('study: thestudy\nbase: {network: {hidden: [4]}, train: {epochs: 1}}\nseeds: 1\n')
run('sweep', 'study.yaml')
there = [name for name in SHELLS if shutil.which(name)]
for name in SHELLS:
    if name not in there:
        print(f'there is no {name} here: apt-get install {name}')
if len(there) < len(SHELLS):
    test_offers()
    for name in there:
        in_shell(name)
    sys.exit(77)
main([test_offers, test_bash, test_zsh, test_fish])
