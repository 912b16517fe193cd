"""docs/config.md and docs/models.md are what the command knows."""
import os
import re
import subprocess
import sys

from mho import MHO, lines, main, run

TOP = os.environ['MHO_SOURCE']


def text(name):
    with open(os.path.join(TOP, 'docs', name), encoding='utf-8') as f:
        return f.read()


def check(what):
    if 'ngspice          yes' not in run('--version', '-v').stdout:
        print('the pages are not compared: a build without ngspice does not say what is idle where ngspice settles')
        return
    made = subprocess.run([sys.executable, os.path.join(TOP, 'tools', 'reference.py'), what], capture_output=True, text=True,
                          check=True, env={**os.environ, 'MHO': MHO}).stdout
    assert made == text(f'{what}.md'), f'docs/{what}.md is stale: python3 tools/reference.py {what} > docs/{what}.md'


def test_config_up_to_date():
    check('config')


def test_models_up_to_date():
    check('models')


def test_every_key():
    """Keys as a config with all of them is printed, which is another way to them than `list keys`."""
    page = text('config.md')
    for base in ([], ['device=nl_pulse', 'update.scheme=stochastic', 'array.model=periphery', 'settle.method=ode']):
        section = group = ''
        for line in run('train', '--print-config', *[w for a in base for w in ('--set', a)]).stdout.splitlines():
            if m := re.match(r'(\w+):', line):
                section, group = m[1], ''
            elif m := re.match(r'  (\w+):$', line):
                group = m[1] + '.'
            elif m := re.match(r'( +)(\w+):', line):
                group = group if len(m[1]) > 2 else ''
                assert f'| `{section}.{group}{m[2]}` |' in page, f'{section}.{group}{m[2]}'


def test_every_thing():
    page = text('models.md')
    for kind in re.findall(r'^(\w+):', run('list').stdout, re.M):
        for e in lines('list', kind, '--json') if kind != 'keys' else []:
            part = page[page.index(f'<a id="{kind}-{e["id"]}">'):].split('\n### ')[0]
            assert e.get('equation') is None or e['equation'] in part, (kind, e['id'])
            for p in e['parameters']:
                assert f'| `{p["key"]}` |' in part, (kind, e['id'], p['key'])
    for card in os.listdir(os.path.join(TOP, 'models')):
        if card.endswith('.yaml'):
            assert f'<a id="cards-{card.removesuffix(".yaml")}">' in page, card


def test_links():
    """Within and between the two pages."""
    pages = {name: text(name) for name in ('config.md', 'models.md')}
    ids = {name: {*re.findall(r'<a id="([^"]+)">', page),
                  *(re.sub(r'[^\w -]', '', re.sub(r'<.*?>', '', h)).strip().lower().replace(' ', '-')
                    for h in re.findall(r'^#+ (.*)$', page, re.M))} for name, page in pages.items()}
    for name, page in pages.items():
        for to, place in re.findall(r'\]\(([\w.]*)(?:#([^)]+))?\)', page):
            to = to or name
            assert to in pages and (not place or place in ids[to]), f'{name}: a dead link to {to}#{place}'


main([test_config_up_to_date, test_models_up_to_date, test_every_key, test_every_thing, test_links])
