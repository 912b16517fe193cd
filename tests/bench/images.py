"""Random images as four IDX files, for a dataset 'idx': the same bytes on every machine."""
import os
import random
import struct

PIXELS, CLASSES = 5, 3  # a side; classes


def write(folder, train=20, test=8):
    os.makedirs(folder)
    source = random.Random(7)
    for part, n in (('train', train), ('t10k', test)):
        image = bytes(source.randrange(256) for _ in range(n * PIXELS * PIXELS))
        label = bytes(i % CLASSES for i in range(n))
        for kind, shape, data in (('images-idx3', (n, PIXELS, PIXELS), image), ('labels-idx1', (n,), label)):
            with open(os.path.join(folder, f'{part}-{kind}-ubyte'), 'wb') as f:
                f.write(struct.pack('>BBBB', 0, 0, 8, len(shape)) + struct.pack(f'>{len(shape)}I', *shape) + data)
