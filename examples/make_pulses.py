"""What pulses.csv is: not measured, but four devices whose steps shrink towards their bounds (soft bounds), 5 to 60 uS, with
15 % spread of the steps from device to device, 20 % noise of a pulse and .3 % of the range of a reading. Two cycles of 60 SET
and 60 RESET pulses each.

    python3 examples/make_pulses.py > examples/pulses.csv
"""
import random

G_MIN, G_MAX = 5, 60  # uS
STEP_UP, STEP_DOWN = 0.05, 0.06  # of the range, at the far bound
SPREAD, PULSE_NOISE, READ_NOISE = 0.15, 0.2, 0.003

draw = random.Random(29)


def reading(g):
    return f'{G_MIN + (G_MAX - G_MIN) * (g + READ_NOISE * draw.gauss(0, 1)):.4f}'


print('device,cycle,pulse,direction,g')
for device in 'ABCD':
    factor = 1 + SPREAD * draw.gauss(0, 1)
    g = 0.04
    for cycle in (1, 2):
        for direction in ('up', 'down'):
            print(device, cycle, 0, direction, reading(g), sep=',')
            for pulse in range(1, 61):
                step = factor * (1 + PULSE_NOISE * draw.gauss(0, 1))
                g += step * STEP_UP * (1 - g) if direction == 'up' else -step * STEP_DOWN * g
                print(device, cycle, pulse, direction, reading(g), sep=',')
