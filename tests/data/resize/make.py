#!/usr/bin/env python3
"""Writes resize.tsv: what Pillow's BILINEAR makes of pseudo-random pictures. Needs Pillow 12; the file is committed.

A line: mode, width, height, new width, new height, seed, FNV-1a hash of the resized bytes. The picture's bytes come
from a generator that the test has too.
"""
import pathlib
import random

from PIL import Image

CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}


def noise(seed, count):
    state, out = seed, bytearray()
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(state >> 24)
    return bytes(out)


def fnv(data):
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def main():
    random.seed(7)
    lines = []
    for index in range(160):
        mode = random.choice(list(CHANNELS))
        width, height = random.randint(1, 40), random.randint(1, 40)
        to = random.randint(1, 50), random.randint(1, 50)
        if index % 8 == 0:
            to = (width, to[1])
        elif index % 8 == 1:
            to = (to[0], height)
        elif index % 16 == 2:
            width, height = random.randint(1, 2), random.randint(201, 260)
        picture = Image.frombytes(mode, (width, height), noise(index, width * height * CHANNELS[mode]))
        resized = picture.resize(to, Image.Resampling.BILINEAR)
        lines.append(f"{mode}\t{width}\t{height}\t{to[0]}\t{to[1]}\t{index}\t{fnv(resized.tobytes()):08x}\n")
    (pathlib.Path(__file__).parent / "resize.tsv").write_text("".join(lines))


main()
