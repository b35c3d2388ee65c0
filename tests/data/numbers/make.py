#!/usr/bin/env python3
"""Writes repr.tsv: bits of a double (hex), then Python's repr of it. Run it with any Python 3; the file is committed."""
import pathlib
import random
import struct


def double_of(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def float_of(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def values():
    random.seed(20200707)
    yield from (0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), 0.1, 0.0001, 0.00001)
    yield from (1e15, 1e16, 1e17, 123456789012345680.0)
    yield from (5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 9007199254740993.0, 0.9994778037071228)
    yield from (0.000522176269441843, 9.620963747902778e-12, 9999999999999998.0, 0.00009999999999999999)
    for exponent in range(255):  # every exponent of a float32, 0 being the denormal ones
        for _ in range(3):
            yield float_of(random.getrandbits(1) << 31 | exponent << 23 | random.getrandbits(23))
        yield float_of(exponent << 23)
    for shift in range(23):
        yield float_of(1 << shift)
    for power in range(-30, 31):
        yield float(f"1e{power}")
        yield float(random.randrange(10 ** 6)) * float(f"1e{power}")
    for bits in range(0, 54, 2):
        yield float(2 ** bits - 1)
    for exponent in range(0, 2047, 5):
        yield double_of(exponent << 52 | random.getrandbits(52))


def main():
    lines = [f"{struct.unpack('<Q', struct.pack('<d', v))[0]:016x}\t{v!r}\n" for v in values()]
    (pathlib.Path(__file__).parent / "repr.tsv").write_text("".join(lines))


main()
