"""Writes docs/config.md and docs/models.md: every config key and everything registered, as the command knows them.

  python3 tools/reference.py config > docs/config.md
  python3 tools/reference.py models > docs/models.md

MHO names the command (default build/mho). When a key has no effect is asked of `mho train --print-config`: of the defaults,
and with each registered thing chosen, on ideal devices and on real ones.
"""
import concurrent.futures
import json
import os
import re
import subprocess
import sys

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
mho = os.environ.get('MHO', os.path.join(top, 'build', 'mho'))

INTRO = {
    'datasets': 'What is learned: `dataset.name`. `mho data list` says where they lie, `mho data fetch NAME` fetches one.',
    'topologies': 'Which layers there are and how they are joined: `network.topology`.',
    'neurons': 'What a hidden neuron makes of its input a: `network.neuron`. z is the activity.',
    'dynamics': 'What neurons make of what comes in, over steps or time: `dynamics.name`.',
    'settlers': 'How a network comes to rest: `settle.method`.',
    'rules': 'How two states, or a loss, become gradients: `rule.name`.',
    'optimizers': 'How a gradient g becomes a wanted change dW: `update.optimizer`.',
    'schemes': 'How wanted changes dW become writes: `update.scheme`.',
    'devices': 'How a conductance answers a pulse: `device.model`. g is the conductance within the range, 0 to 1; G in siemens.',
    'mappings': 'How a signed weight lies on cells: `device.mapping`.',
    'arrays': 'How a crossbar is read: `array.model`.',
    'reports': 'Pages that `mho report` writes.',
}
# Laws that every device shares are choices of keys; their equations are the heads of these files.
LAWS = [('Current of a read', 'src/device/iv.c', ['device.iv.']),
        ('Drift, read noise, leak and write errors', 'src/device/retention.c',
         ['device.drift.', 'device.read_noise.', 'device.leak.', 'device.write_error.']),
        ('Noise of a pulse', 'src/device/noise.h', [])]
REAL = ['device=linear', 'update.scheme=accumulate', 'array.model=periphery']


def said(*words):
    return subprocess.run([mho, *words], capture_output=True, text=True, check=True).stdout


def objects(*words):
    return [json.loads(line) for line in said(*words, '--json').splitlines()]


def cell(text):
    """A text within a table of Markdown: what would end the cell or begin markup is escaped."""
    return re.sub(r'([|*\[\]])', r'\\\1', str(text).strip().replace('<', '&lt;').replace('>', '&gt;'))


def code(text):
    return f'`{text}`' if text not in ('', None) else ''


def range_of(k):
    """What a key may be: words of a choice as code, numbers with their unit as they are."""
    text = k['range']
    if k.get('chooses'):
        return f'[{k["chooses"]}](models.md#{k["chooses"]})'
    if '|' in text:
        return ', '.join(code(w) for w in text.split('|'))
    return cell(text)


def table(head, rows):
    return ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head), *('| ' + ' | '.join(r) + ' |' for r in rows), '']


# ---------------------------------------------------------------- when a key has no effect

def probe(words):
    """{key: why it has no effect} of a config, and its {key: value}; none where it is refused."""
    p = subprocess.run([mho, 'train', '--print-config', *[w for a in words for w in ('--set', a)]], capture_output=True, text=True)
    found, values, section, group = {}, {}, '', ''
    for line in p.stdout.splitlines() if p.returncode == 0 else []:
        if m := re.match(r'(\w+):', line):
            section, group = m[1], ''
        elif m := re.match(r'  (\w+):$', line):
            group = m[1] + '.'
        elif m := re.match(r'( +)(\w+): (\S*).*?(?: \[no effect: (.*)\])?$', line):
            group = group if len(m[1]) > 2 else ''
            values[f'{section}.{group}{m[2]}'] = m[3]
            if m[4]:
                found[f'{section}.{group}{m[2]}'] = m[4]
    return found, values


def reasons(keys):
    """{(key, whose it is): the different reasons}, the most frequent first."""
    selector = {k['chooses']: k['key'] for k in keys if k['chooses']}
    chosen = [f'{k["key"]}={e["id"]}' for k in keys if k['chooses'] for e in objects('list', k['chooses'])]
    probes = [[], REAL] + [[*base, c] for base in ([], REAL) for c in chosen]
    count = {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for found, values in pool.map(probe, probes):
            for k in keys:
                why = found.get(k['key'])
                if why and (not k['of'] or values[selector[k['kind']]] == k['of']):
                    of_key = count.setdefault((k['key'], k['of']), {})
                    of_key[why] = of_key.get(why, 0) + 1
    return {key: sorted(whys, key=lambda w: (-whys[w], w)) for key, whys in count.items()}


# ---------------------------------------------------------------- config.md

def key_rows(keys, idle):
    return [[code(k['key']), code(k['default']), range_of(k), cell(k['doc']),
             '; '.join(cell(w) for w in idle.get((k['key'], k['of']), []))] for k in keys]


def config():
    keys = objects('list', 'keys')
    idle = reasons(keys)
    out = ['# Config keys', '', '<!-- written by: python3 tools/reference.py config > docs/config.md -->', '',
           f'All {len({k["key"] for k in keys})} keys that a config may have, section by section. A config is YAML, `section: {{key: '
           'value}`; keys with dots are nested, or written as they are here after `--set`. Physical quantities take a unit '
           '(`50 uS`, `100 ns`, `1 kohm`). A section whose word chooses a registered thing may be that word alone: `device: '
           'ideal` is `device: {model: ideal}`. `mho train --print-config` prints a config with every default filled in.', '',
           'Defaults are the general ones: a method or a card may bring others, which [models.md](models.md) names and '
           '`--print-config` shows. The last column says where a key has no effect, as the command says it when such a key is '
           'set; `--strict` refuses it there.', '']
    sections = list(dict.fromkeys(k['section'] for k in keys))
    out += ['Sections: ' + ', '.join(f'[{s}](#{s})' for s in sections) + '.', '']
    head = ['key', 'default', 'range', 'meaning', 'no effect']
    for section in sections:
        mine = [k for k in keys if k['section'] == section]
        out += [f'## {section}', '']
        out += table(head, key_rows([k for k in mine if not k['of']], idle))
        owners = list(dict.fromkeys((k['kind'], k['of']) for k in mine if k['of']))
        for kind, owner in owners:
            selector = next(k['key'] for k in mine if k['chooses'] == kind)
            out += [f'### {section}: {owner}', '', f'With `{selector}: {owner}` ([what it is](models.md#{anchor(kind, owner)})).', '']
            out += table(head, key_rows([k for k in mine if (k['kind'], k['of']) == (kind, owner)], idle))
    print('\n'.join(out).rstrip())


# ---------------------------------------------------------------- models.md

def anchor(kind, name):
    return f'{kind}-{name}'


def titled(text):
    return text[0].upper() + text[1:]


def entry(kind, e):
    out = [f'### <a id="{anchor(kind, e["id"])}"></a>{e["id"]}', '', titled(e['title']) + '.', '']
    if e.get('equation'):
        out += ['```text', e.get('equation'), '```', '']
    if e.get('source'):
        out += [f'Source: {cell(e["source"])}.', '']
    if e['defaults']:
        out += ['Brings the defaults ' + ', '.join(code(f'{k}: {v}') for k, v in e['defaults'].items()) + '.', '']
    if e['parameters']:
        out += table(['key', 'default', 'range', 'meaning'],
                     [[code(p['key']), code(p['default']), range_of(p), cell(p['doc'])] for p in e['parameters']])
    return out


def head_comment(path):
    """The comment at the head of a source file, without its name and license, as lines."""
    with open(os.path.join(top, path), encoding='utf-8') as f:
        comment = f.read().split('*/')[0]
    lines = [re.sub(r'^ ?\* ?', '', line) for line in comment.removeprefix('/*').split('\n')]
    text = '\n'.join(line for line in lines if 'SPDX' not in line)
    return re.sub(r'^ *\S+\.[ch] - ', '', text).rstrip().split('\n')


def laws(keys):
    out = ['## Laws of any device', '',
           'What devices of every model may have: noise, drift, a bent current. Keys choose the law; the equations are those of the '
           'source files named.', '']
    for title, path, starts in LAWS:
        mine = [k for k in keys if k['key'].startswith(tuple(starts))] if starts else []
        out += [f'### {title}', '', f'`{path}`:', '', '```text', *head_comment(path), '```', '']
        out += table(['key', 'default', 'range', 'meaning'],
                     [[code(k['key']), code(k['default']), range_of(k), cell(k['doc'])] for k in mine]) if mine else []
    return out


def card_text(name):
    """What `mho device show` says of a card, its title, source, ..., and the keys in its file."""
    lines = said('device', 'show', f'card:{name}').split('\n\n', 1)[0].split('\n')
    facts = dict(re.match(r'  (\w+) +(.*)', line).groups() for line in lines[1:])
    with open(os.path.join(top, 'models', f'{name}.yaml'), encoding='utf-8') as f:
        keys = f.read().split('\ndevice:\n')[1]
    return lines[0].split(' - ', 1)[1], facts, 'device:\n' + keys


def cards():
    names = [line.split()[0] for line in said('device', 'list').splitlines() if re.match(r'\S+ +card ', line)]
    out = ['## Cards', '', 'Published devices: `device: {card: NAME}`. A card is a file `models/NAME.yaml` of defaults for the keys '
           'of the device section; `mho device fit` writes one from measured pulses.', '']
    for name in names:
        title, facts, yaml = card_text(name)
        out += [f'### <a id="cards-{name}"></a>{name}', '', f'{cell(title)}; model [{facts["model"].split(":")[0]}]'
                f'(#{anchor("devices", facts["model"].split(":")[0])}).', '', f'Source: {cell(facts["source"])}.', '']
        out += [f'Valid for {cell(facts["valid"])}.', ''] if 'valid' in facts else []
        out += [cell(facts['note']), ''] if 'note' in facts else []
        out += ['```yaml', *yaml.rstrip().split('\n'), '```', '']
    return out


def models():
    kinds = list(dict.fromkeys(line.split(':')[0] for line in said('list').splitlines() if re.match(r'\w+: ', line)))
    kinds = [k for k in kinds if k != 'keys']
    out = ['# Models', '', '<!-- written by: python3 tools/reference.py models > docs/models.md -->', '',
           'Everything that a config can choose, with its equation, its source and its own keys; `mho list KIND` prints the same. '
           'Keys that all of a kind share are in [config.md](config.md), which also says where a key has no effect.', '',
           'Kinds: ' + ', '.join(f'[{k}](#{k})' for k in kinds) + '; [cards](#cards), [laws of any device](#laws-of-any-device).', '']
    for kind in kinds:
        out += [f'## {titled(kind)}', '', INTRO[kind], '']
        for e in objects('list', kind):
            out += entry(kind, e)
        if kind == 'devices':
            out += laws(objects('list', 'keys')) + cards()
    print('\n'.join(out).rstrip())


if __name__ == '__main__':
    {'config': config, 'models': models}[sys.argv[1]]()
