"""Checkpoints that others wrote: cut, garbled or made up, each number of theirs is refused with a sentence when it cannot
be, with and without the checksum that would have told; checkpoints without one, as earlier releases wrote, open."""
import os
import sqlite3
import struct
import zlib

from mho import folder, lines, main, refused, run

KEYS = ['--set', 'network.hidden=[4]', '--set', 'dataset.train=200', '--set', 'dataset.test=50', '--set', 'train.epochs=3',
        '--set', 'train.batch=20']
DEVICES = [*KEYS, '--set', 'device=soft_bounds', '--set', 'device.endurance.pulses=1000', '--set', 'device.write_noise=0.01',
           '--set', 'update.scheme=accumulate', '--set', 'update.optimizer=momentum', '--set', 'array=periphery', '--set',
           'array.adc_bits=8', '--set', 'rule=perturb', '--set', 'rule.law=gain']
CHECKSUM = 1 << 26
SUMS, CLOCK, COUNTS, HEADER = 48, 112, 120, 144  # places: sums, the one of them that is no result, counts, numbers
NAN, INF = float('nan'), float('inf')


def stored(db):
    with sqlite3.connect(os.path.join(folder, db)) as c:
        return c.execute("SELECT data FROM checkpoint WHERE kind = 'last'").fetchone()[0]


def store(db, blob, status='interrupted'):
    with sqlite3.connect(os.path.join(folder, db)) as c:
        c.execute("UPDATE checkpoint SET data = ? WHERE kind = 'last'", (blob,))
        c.execute('UPDATE run SET status = ?', (status,))
    c.close()


def put(blob, form, at, value):
    """The checkpoint with another value, and with a checksum that is right or with none."""
    out = bytearray(blob)
    struct.pack_into(form, out, at, value)
    summed = out[:CLOCK] + bytes(8) + out[CLOCK + 8:-8]
    right = out[:-8] + struct.pack('<Q', zlib.crc32(summed))
    none = out[:-8]
    struct.pack_into('<I', none, 8, struct.unpack_from('<I', none, 8)[0] & ~CHECKSUM)
    struct.pack_into('<Q', none, 16, len(none))
    return bytes(out), bytes(right), bytes(none)


def is_refused(db, blob, says):
    store(db, blob)
    refused('eval', 'last', '--db', db, says=says)
    refused('train', '--resume', 'last', '--db', db, says=says)


def test_header():
    run('train', '--db', 'a.db', *KEYS)
    blob = stored('a.db')
    cases = [('<q', 24, v, 'epoch') for v in (-1, -1 << 63, 1 << 40)] + [('<q', 32, v, 'batch') for v in (-1 << 30, -1, 1 << 62)]
    cases += [('<q', 40, v, 'updates') for v in (-1, 1 << 41)]
    cases += [('<d', SUMS + 8 * i, v, 'sums') for i in range(9) for v in (NAN, -INF, -1.0)]
    cases += [('<q', COUNTS, -1, 'sums'), ('<q', COUNTS + 8, -1, 'correct'), ('<q', COUNTS + 8, 1 << 50, 'correct'), ('<q', COUNTS + 16, -7, 'sums')]
    for form, at, value, says in cases[::4] + cases[-3:]:
        garbled, right, none = put(blob, form, at, value)
        if at != CLOCK:
            is_refused('a.db', garbled, 'checksum')
        is_refused('a.db', right, says)
        is_refused('a.db', none, says)
    for form, at, value, says in cases:
        store('a.db', put(blob, form, at, value)[2])
        refused('eval', 'last', '--db', 'a.db', says=says)

    # a bit of the version that nobody knows, and each length but its own
    is_refused('a.db', put(blob, '<I', 8, 2 | CHECKSUM | 1 << 15)[1], 'not one that this mho reads')
    for n in (0, 7, 143, len(blob) // 2, len(blob) - 1):
        is_refused('a.db', blob[:n], 'checkpoint')
    is_refused('a.db', blob + b'\0', 'belongs to another config')


def test_places():
    """A place that the run or its epochs do not have: no network is harmed, so it can be evaluated, but not go on."""
    run('train', '--db', 'p.db', *KEYS)
    blob = stored('p.db')
    for form, at, value, says in (('<q', 32, 10, 'batch 10 of an epoch that has 10'), ('<q', 24, 5, 'stands after epoch 5')):
        store('p.db', put(blob, form, at, value)[1])
        with sqlite3.connect(os.path.join(folder, 'p.db')) as c:
            c.execute("UPDATE run SET config = json_set(config, '$.train.epochs', 9)")
        c.close()
        run('eval', 'last', '--db', 'p.db')
        refused('train', '--resume', 'last', '--db', 'p.db', says=says)


def test_numbers():
    """Every array of a checkpoint of a device with all that it can have."""
    run('train', '--db', 'b.db', *DEVICES)
    blob = stored('b.db')
    said = set()
    for at in [*range(HEADER, len(blob) - 16, (len(blob) // 60) & ~3), *range(len(blob) - 32, len(blob) - 8, 8)]:
        for value in (b'\xff' * 8, b'\0\0\x80\x7f\0\0\xf0\x7f'):  # not a number, infinite: as a double or as two floats
            garbled = put(blob, '<8s', at, value)
            store('b.db', garbled[1])
            p = run('eval', 'last', '--db', 'b.db', code=None)
            if p.returncode == 0:  # counts of wear, of which any holds
                assert 'accuracy' in p.stdout
                continue
            assert p.returncode == 2 and len(p.stderr.splitlines()) == 1 and 'checkpoint' in p.stderr, p.stderr
            said.add(p.stderr)
    for what in ('connection 1', 'connection 2', 'full scales', 'variables of the rule'):
        assert any(what in s for s in said), (what, said)


def test_without_checksum():
    """As earlier releases wrote them."""
    run('train', '--db', 'c.db', *DEVICES, '--name', 'run')
    with_one, without = stored('c.db'), put(stored('c.db'), '<d', CLOCK, 0.0)[2]
    losses = []
    for blob in (with_one, without):
        store('c.db', blob)
        losses.append(lines('eval', 'run', '--db', 'c.db', '--json')[-1]['loss'])
    assert len(without) == len(with_one) - 8 and losses[0] == losses[1], losses


main([test_header, test_places, test_numbers, test_without_checksum])
