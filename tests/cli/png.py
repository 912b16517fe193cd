"""Pictures within pages, read back."""
import base64
import struct
import zlib


def decoded(text, width, height, channels):
    """Pixels of a PNG without filters, given in base64, plane after plane."""
    data = base64.b64decode(text, validate=True)
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    at, packed = 8, b''
    while at < len(data):
        n, name = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        assert struct.unpack('>I', data[at + 8 + n:at + 12 + n])[0] == zlib.crc32(name + body)
        if name == b'IHDR':
            assert struct.unpack('>IIBBBBB', body) == (width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
        packed += body if name == b'IDAT' else b''
        at += 12 + n
    raw, stride = zlib.decompress(packed), width * channels + 1
    assert len(raw) == stride * height and all(raw[y * stride] == 0 for y in range(height))
    return bytes(raw[y * stride + 1 + x * channels + c] for c in range(channels) for y in range(height) for x in range(width))
