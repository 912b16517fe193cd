"""Spikes that put waveforms on the lines of crossbars: devices move in ngspice as in the core, and by the integral of what is
beyond their threshold; cells that one line alone is at do not move at all.
"""
import os
import re

from circuit import events, expected, folder, need_ngspice, netlist, printed, program, times, write
from mho import main, refused, run

VTEAM = '{model: vteam, mapping: single, k_set: 10, k_reset: 8, alpha_set: 1, alpha_reset: 1, window: none, width: 1 ms}'
BASE = ('dynamics: spiking\nrule: {name: stdp, window: waveform, row: "%s", column: "%s"}\nnetwork: {hidden: %s}\ndevice: %s\n'
        'settle: {steps: 60, dt: 1 ms%s}\nneuron: {inhibit: line, inhibit_time: 5 ms, threshold: {value: %s, law: fixed}}\n'
        'train: {epochs: 1, batch: 1}\n')
PULSE = '-0.4 V for 1 ms, 0.7 V for 1 ms'


def rate_of(text, cells):
    """The netlist with the largest |dx/dt| of cells printed, too."""
    save = ''.join(f'.save v(x{c}.r)\n' for c in cells)
    show = ''.join(f'let r_{c}=vecmax(abs(v(x{c}.r)))\nprint r_{c}\n' for c in cells)
    return text.replace('\n.control\n', f'\n{save}\n.control\n').replace('\nquit\n', f'\n{show}quit\n')


def test_widths():
    """One row, 0.4 V for 20 ms, and a column at -0.45 V for w: with each of its spikes a cell of that row moves by
    k (0.85 V/0.5 V - 1) w, and no other by anything."""
    for width in 0.2, 0.5, 1, 2, 4:
        name = f'width_{width}'.replace('.', '_')
        write(f'{name}.yaml', events(BASE % ('0.4 V for 20 ms', f'-0.45 V for {width} ms', '[2]', VTEAM, '', 0.6),
                                     ((0.004, 0), (0.0302, 1))))
        text, values = netlist(name, f'{name}.yaml')
        cells = times(values, 'dg_x_')
        each = 10 * 0.7 * width * 1e-3
        range_of = float(re.search(r'g_max=(\S+)', text)[1]) - float(re.search(r'g_min=(\S+)', text)[1])
        moved = {k: v / range_of / each for k, (v, _) in cells.items() if v}
        assert moved and all(abs(n - round(n)) < 1e-4 and round(n) >= 1 for n in moved.values()), (name, moved)
        still = [k.removeprefix('dg_') for k in cells if k not in moved]
        assert still, cells  # the column that never fires, at rows that do
        if not program:
            continue
        write(f'{name}.cir', rate_of(text, [k.removeprefix('dg_') for k in cells]))
        got = printed(name)
        assert all(abs(got[k] / range_of / each / round(n) - 1) < 1e-3 for k, n in moved.items()), (name, got)
        assert all(got[f'r_{c}'] == 0 for c in still) and all(got[f'r_{k[3:]}'] > 0 for k in moved), (name, got)


CASES = {
    # waveforms that overlap their own, two layers: one line is a column and a row
    'layers': ('0.3 V for 20 ms', PULSE, '[4, 3]', VTEAM, '', 0.5),
    # of a chip on which a second lasts a microsecond; ramps and exponentials; laws of resistance
    'fast': ('0.4 V tau 20 ns for 60 ns', '-0.5 V to -0.3 V in 2 ns, 0.7 V for 1 ns', '[3]',
             '{model: vteam, mapping: single, k_set: 4e7, k_reset: 4e7, width: 1 ns, resistance: r_linear, g_min: 1 uS}',
             ', time_scale: 1e-6', 0.5),
    'yakopcic': ('0.3 V tau 8 ms for 20 ms', '-0.35 V for 1 ms, 0.4 V to 0.2 V in 2 ms', '[3]',
                 '{model: yakopcic, mapping: single, a_p: 200, a_n: 150, v_p: 0.5 V, v_n: 0.5 V, v_set: 0.8 V, v_reset: -0.8 V, '
                 'width: 1 ms}', '', 0.5),
    # without a threshold every cell of a line moves
    'film': ('0.4 V to -0.2 V in 15 ms', '0.3 V for 2 ms', '[3]',
             '{model: linear_ion, mapping: single, speed: 3, width: 10 ms, g_min: 1 uS}', '', 0.5),
}


def test_devices():
    for name, case in CASES.items():
        write(f'{name}.yaml', events(BASE % case))
        text, values = netlist(name, f'{name}.yaml')
        changes = {k: v for k, (v, _) in times(values, 'dg_').items()}
        assert max(changes.values()) > 0 or min(changes.values()) < 0, changes
        assert name != 'layers' or any(v for k, v in changes.items() if k.startswith('dg_h1_h2')), changes
        assert name != 'film' or all(changes.values()), changes
    _, few = netlist('few', 'layers.yaml', '--neurons', '1')
    assert {k for k in few if k.startswith('dg_h1_h2')} == {f'dg_h1_h2_{i}_0' for i in range(4)} & set(few)


def test_another_wave_fails():
    """The same netlist with a waveform a hundredth higher."""
    with open(os.path.join(folder, 'width_2.cir'), encoding='utf-8') as f:
        text = f.read()
    assert ' ? -0.45+' in text
    write('other.cir', text.replace(' ? -0.45+', ' ? -0.4545+'))
    assert run('netlist', '--check', 'other.cir', code=None).returncode != 0


def test_refused():
    def bad(says, *sets):
        refused('netlist', 'layers.yaml', '--spikes', *[w for s in sets for w in ('--set', s)], says=says)

    bad('rule.normalize', 'rule.normalize=2')
    bad('device.variation', 'device.variation.step=0.1')
    bad('device.levels', 'device.levels=16')
    bad('rule.window: waveforms are on lines for steps', 'settle.method=events', 'settle.time=60ms')
    refused('netlist', 'layers.yaml', '--spikes', '--neurons', '9', says='layer h2 has only 3')
    refused('netlist', 'layers.yaml', '--spikes', '--sample', '9', says='no sample 9')
    write('pulses.yaml', events(BASE % ('1.2 V for 20 ms', '-1.2 V for 1 ms', '[2]', '{model: soft_bounds, mapping: single}', '', 0.6)))
    refused('netlist', 'pulses.yaml', '--spikes', says="device.model: 'soft_bounds' answers pulses")


need_ngspice()
main([test_widths, test_devices, test_another_wave_fails, test_refused])
