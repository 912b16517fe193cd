"""Device curves and fits."""
import csv
import io
import json

import numpy as np

from support import Case, main

import mho


class Devices(Case):
    def test_a_curve_is_that_of_the_command(self):
        for name, words, set in (('ecram', [], None), ('model:pcm', [], None),
                                 ('soft_bounds', ['--set', 'device.step_up=0.02', '--set', 'device.start=0.3'],
                                  {'device.step_up': 0.02, 'device.start': 0.3})):
            said = self.command('device', 'curve', name, '--cells', '50', '--cycles', '2', '--seed', '4', *words).stdout
            rows = list(csv.DictReader(io.StringIO(said)))
            curve = mho.Device(name, set).curve(cells=50, cycles=2, seed=4)
            self.assertEqual(len(curve), len(rows))
            for column in ('cycle', 'pulse', 'mean', 'q05', 'q95'):
                np.testing.assert_allclose(getattr(curve, column), [float(r[column]) for r in rows], rtol=1e-8)
            self.assertEqual(curve.direction.tolist(), [1 if r['direction'] == 'up' else -1 for r in rows])

    def test_a_linear_device_steps_evenly(self):
        curve = mho.Device('linear', {'device.step_up': 0.01, 'device.cycle_to_cycle': 0, 'device.g_min': '1 uS',
                                      'device.g_max': '101 uS'}).curve(cells=3, pulses=10, reset_pulses=0)
        np.testing.assert_allclose(np.diff(curve.mean), 1e-6, rtol=1e-5)
        self.assertAlmostEqual(curve.mean[0], 1e-6, places=11)
        self.assertEqual(len(curve.frame()), 11)

    def test_what_is_no_device_is_refused(self):
        with self.refused("there is no device model or card 'nothing'"):
            mho.Device('nothing')
        with self.refused('there must be some'):
            mho.Device('linear').curve(cells=0)

    def test_a_fit_finds_the_parameters(self):
        device = mho.Device('soft_bounds', {'device.step_up': 0.02, 'device.step_down': 0.03, 'device.cycle_to_cycle': 0})
        curve = device.curve(cells=1, pulses=80, reset_pulses=80, cycles=2)
        with open('pulses.csv', 'w', encoding='utf-8') as f:
            f.write('direction,pulse,cycle,g\n')
            noise = np.random.default_rng(1).normal(0, 2e-8, len(curve))
            for i in range(len(curve)):
                f.write(f'{"up" if curve.direction[i] > 0 else "down"},{curve.pulse[i]},{curve.cycle[i]},{curve.mean[i] + noise[i]:.9g}\n')

        found = mho.fit('pulses.csv', 'soft_bounds')
        self.assertAlmostEqual(found.parameters['step_up'], 0.02, delta=0.001)
        self.assertAlmostEqual(found.parameters['step_down'], 0.03, delta=0.0015)
        said = json.loads(self.command('device', 'fit', 'pulses.csv', '--model', 'soft_bounds', '--json').stdout)
        for name, p in said['parameters'].items():
            self.assertAlmostEqual(found.parameters[name] / p['value'], 1, places=8)

        found.save('mine.yaml')
        mho.Device('mine.yaml').curve(cells=10)
        every = mho.fit('pulses.csv')
        self.assertEqual({m['model'] for m in every.found['models']}, {m['model'] for m in json.loads(
            self.command('device', 'fit', 'pulses.csv', '--json').stdout)['models']})
        fixed = mho.fit('pulses.csv', 'soft_bounds', fixed=['step_up'], set={'device.step_up': 0.02})
        self.assertNotIn('step_up', fixed.parameters)
        with self.refused("'nothing' is no parameter that a fit of 'soft_bounds' finds"):
            mho.fit('pulses.csv', 'soft_bounds', fixed='nothing')
        with self.refused('missing.csv'):
            mho.fit('missing.csv')


if __name__ == '__main__':
    main()
