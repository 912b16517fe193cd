"""Headless Chromium, for tests that look at pages. A test that includes this is skipped where there is none."""
import shutil
import struct
import subprocess
import sys
import time
import zlib

from mho import folder

chromium = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
if not chromium:
    print('there is no Chromium here: apt-get install chromium')
    sys.exit(77)


def browse(*words):
    """Chromium on a page; returns what it printed and how long it took."""
    start = time.monotonic()
    p = subprocess.run([chromium, '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--enable-logging=stderr', '--v=0',
                        '--no-first-run', f'--user-data-dir={folder}/profile', '--disable-dev-shm-usage', *words],
                       capture_output=True, text=True, timeout=120)
    complaints = [x for x in p.stderr.splitlines() if ':CONSOLE' in x]
    assert not complaints, complaints
    assert p.returncode == 0, p.stderr[-500:]
    return p.stdout, time.monotonic() - start


def pixels(path):
    """Width, height and rows of RGB(A) bytes of a PNG as Chromium writes it (8 bits, not interlaced)."""
    with open(path, 'rb') as f:
        data = f.read()
    at, packed = 8, b''
    while at < len(data):
        n, kind = struct.unpack('>I4s', data[at:at + 8])
        if kind == b'IHDR':
            width, height, bits, color = struct.unpack('>IIBB', data[at + 8:at + 18])
        elif kind == b'IDAT':
            packed += data[at + 8:at + 8 + n]
        at += 12 + n
    each = {2: 3, 6: 4}[color]
    raw, size, previous, rows = zlib.decompress(packed), width * each, bytes(width * each), []
    for y in range(height):
        kind, line = raw[y * (size + 1)], bytearray(raw[y * (size + 1) + 1:(y + 1) * (size + 1)])
        for i in range(size):  # the filters of the PNG specification, section 9
            a, b = line[i - each] if i >= each else 0, previous[i]
            c = previous[i - each] if i >= each else 0
            if kind == 4:
                p = a + b - c
                near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[i] = (line[i] + (0, a, b, (a + b) // 2, near if kind == 4 else 0)[kind]) & 255
        previous = bytes(line)
        rows.append(previous)
    return width, height, each, rows
