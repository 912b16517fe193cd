"""Test images that a network gets wrong are kept with its run, and shown in its report: held against images that this test has made."""
import os
import random
import re
import struct

from mho import folder, lines, main, run, write
from png import decoded

N, HEIGHT, WIDTH = 1100, 4, 5  # more than the network answers at a time
draw = random.Random(5)


def idx(name, shape, data):
    write(f'{name}', struct.pack(f'>I{len(shape)}I', 0x0800 + len(shape), *shape) + bytes(data), 'wb')


def make(home, channels):
    """A dataset whose labels nobody can learn; returns its test images and labels."""
    shape = [HEIGHT, WIDTH] if channels == 1 else [channels, HEIGHT, WIDTH]
    size = channels * HEIGHT * WIDTH
    for part in ('train', 't10k'):
        images = [[draw.randrange(256) for _ in range(size)] for _ in range(N)]
        labels = [draw.randrange(3) for _ in range(N)]
        idx(f'{home}/{part}-images-idx3-ubyte', [N, *shape], [v for image in images for v in image])
        idx(f'{home}/{part}-labels-idx1-ubyte', [N], labels)
    return images, labels


def kept(name):
    """The images that a run got wrong, as the database has them, and their number."""
    row, = lines('query', f"SELECT CAST(data AS TEXT) AS text, final_test_acc AS acc FROM artifact JOIN run ON run.id = run_id "
                 f"WHERE artifact.kind = 'mistakes' AND run.name = '{name}'", '--json')
    head, *rest = row['text'].splitlines()
    images, wrong, *size = map(int, head.split())
    assert images == N and wrong == round(N * (1 - row['acc'])) > 0, (head, row['acc'])
    found = [line.split() for line in rest]
    assert len(found) == min(wrong, 16)
    return [(int(a), int(b), int(c), bytes.fromhex(d)) for a, b, c, d in found], size


def check(name, images, labels, channels):
    shown, size = kept(name)
    assert size == [WIDTH, HEIGHT, channels]
    samples = [s for s, *_ in shown]
    assert samples == sorted(set(samples))
    for sample, label, answer, pixels in shown:
        assert label == labels[sample] != answer < 3 and pixels == bytes(images[sample]), sample
    run('report', name, '-o', f'{name}.html')
    with open(os.path.join(folder, f'{name}.html'), encoding='utf-8') as f:
        page = f.read()
    pictures = re.findall(r'href="data:image/png;base64,([^"]*)"/></svg>(\d+), taken for (\d+)<', page)
    assert len(pictures) == len(shown) and f' of {N} test images' in page
    for (text, label, answer), (_, own, given, pixels) in zip(pictures, shown):
        assert (int(label), int(answer)) == (own, given) and decoded(text, WIDTH, HEIGHT, channels) == pixels


def train(name, home, *more):
    run('train', '--name', name, *[w for s in ('dataset.name=idx', f'dataset.path={folder}/{home}', 'network.hidden=[6]', 'train.epochs=3',
                                               'train.batch=7', *more) for w in ('--set', s)])


def test_gray():
    images, labels = make('gray-images', 1)
    train('gray', 'gray-images')
    check('gray', images, labels, 1)
    # another device with other answers
    run('program', 'gray', '--set', 'device=linear', '--set', 'device.levels=2', '--name', 'chip')
    check('chip', images, labels, 1)


def test_colour():
    images, labels = make('colour-images', 3)
    train('colour', 'colour-images')
    check('colour', images, labels, 3)


def test_nothing_to_show():
    """Without a checkpoint, and of values."""
    train('bare', 'gray-images', 'checkpoint.every=0')
    write('table.csv', '\n'.join(f'{i},{2 * i}' for i in range(30)))
    run('train', '--name', 'values', '--set', 'dataset.name=table', '--set', f'dataset.path={folder}/table.csv', '--set', 'train.epochs=1', '--set', 'train.batch=5')
    for name in ('bare', 'values'):
        assert lines('query', f"SELECT 1 FROM artifact JOIN run ON run.id = run_id WHERE run.name = '{name}'", '--json') == []
        run('report', name, '-o', 'page.html')
        with open(os.path.join(folder, 'page.html'), encoding='utf-8') as f:
            assert 'What it gets wrong' not in f.read()


def test_no_mistake():
    """A network that gets all right says so, and shows no list."""
    same = [i % 3 for i in range(N)]
    for part in ('train', 't10k'):
        idx(f'easy-images/{part}-images-idx3-ubyte', [N, HEIGHT, WIDTH],
            [255 if k % 3 == label else 0 for label in same for k in range(HEIGHT * WIDTH)])
        idx(f'easy-images/{part}-labels-idx1-ubyte', [N], same)
    train('easy', 'easy-images', 'update.rate=0.01')
    row, = lines('query', "SELECT CAST(data AS TEXT) AS text, final_test_acc AS acc FROM artifact JOIN run ON run.id = run_id WHERE "
                 "run.name = 'easy'", '--json')
    assert row == {'text': f'{N} 0 {WIDTH} {HEIGHT} 1\n', 'acc': 1}, row
    run('report', 'easy', '-o', 'easy.html')
    with open(os.path.join(folder, 'easy.html'), encoding='utf-8') as f:
        page = f.read()
    assert f'0 of {N} test images in the end (0 %).' in page.replace('\xa0', ' ') and 'class="mistakes"' not in page


main([test_gray, test_colour, test_nothing_to_show, test_no_mistake])
