"""Hostile pictures and sounds: small files that promise much.

Each entry of FILES: name -> (type, bytes). They are for inputs of one 8 x 8 picture, or of 50 samples.
"""

import struct
import zlib

MOST = 0xFFFFFFFF


def png_chunk(kind, data, length=None):
    size = len(data) if length is None else length
    return struct.pack(">I", size) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth=8, colour=0, interlace=0, pixels=b"", before=b"", end=True):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + before
        + png_chunk(b"IDAT", pixels)
        + (png_chunk(b"IEND", b"") if end else b"")
    )


def packed_zeros(mebibytes):
    return zlib.compress(bytes(mebibytes << 20), 9)


def png_with_profile():
    """A sound picture with a colour profile of 300 MiB of zeros."""
    return png(8, 8, before=png_chunk(b"iCCP", b"x\0\0" + packed_zeros(300)), pixels=zlib.compress(bytes(72)))


def tiff(entries, more=b"", next_at=0):
    """One directory of (tag, type, count, value)."""
    body = struct.pack("<H", len(entries))
    for tag, kind, count, value in sorted(entries):
        body += struct.pack("<HHII", tag, kind, count, value)
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", next_at) + more


def tiff_picture(width, height, compression=1, samples=1, strip_bytes=64, rows=None, strip=b"", bits=8):
    more_at = 8 + 2 + 9 * 12 + 4
    return tiff(
        [
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, 1, bits),
            (259, 3, 1, compression),
            (262, 3, 1, 1),
            (273, 4, 1, more_at),
            (277, 3, 1, samples),
            (278, 4, 1, height if rows is None else rows),
            (279, 4, 1, strip_bytes),
        ],
        strip,
    )


def gif(width, height, frames=1, frame_width=None):
    image = b"," + struct.pack("<HHHHB", 0, 0, width if frame_width is None else frame_width, height, 0)
    image += b"\x02\x02\x4c\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + image * frames + b";"


def bmp(width, height, bits=24, compression=0, offset=54, data=bytes(64), colours=0):
    head = struct.pack("<2sIHHI", b"BM", 54 + len(data), 0, 0, offset)
    return (
        head
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, colours, 0)
        + data
    )


def jpeg(width, height, scans=0):
    frame = struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)
    tables = b"\xff\xdb" + struct.pack(">H", 67) + b"\0" + bytes([1] * 64)
    huffman = b"".join(
        b"\xff\xc4" + struct.pack(">H", 20) + kind + b"\1" + bytes(15) + b"\0" for kind in (b"\0", b"\x10")
    )
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0x10) + b"\0"
    return (
        b"\xff\xd8"
        + tables
        + b"\xff\xc2"
        + struct.pack(">H", 2 + len(frame))
        + frame
        + huffman
        + scan * scans
        + b"\xff\xd9"
    )


def element(group, tag, kind, value, length=None):
    size = len(value) if length is None else length
    if kind in (b"OB", b"OW", b"SQ", b"UN"):
        return struct.pack("<HH2sHI", group, tag, kind, 0, size) + value
    return struct.pack("<HH2sH", group, tag, kind, size) + value


def dicom(
    rows,
    columns,
    frames=None,
    syntax=b"1.2.840.10008.1.2.1\0",
    pixels=bytes(64),
    pixel_length=None,
    more=b"",
    deflate=False,
    bits=8,
):
    meta = element(2, 0x10, b"UI", syntax)
    head = b"" if frames is None else element(0x28, 8, b"IS", frames)
    data = more + element(0x28, 2, b"US", b"\1\0") + element(0x28, 4, b"CS", b"MONOCHROME2 ") + head
    data += element(0x28, 0x10, b"US", struct.pack("<H", rows)) + element(
        0x28, 0x11, b"US", struct.pack("<H", columns)
    )
    data += element(0x28, 0x100, b"US", struct.pack("<H", bits)) + element(
        0x28, 0x101, b"US", struct.pack("<H", bits)
    )
    data += element(0x28, 0x102, b"US", struct.pack("<H", bits - 1)) + element(0x28, 0x103, b"US", b"\0\0")
    data += element(0x7FE0, 0x10, b"OB", pixels, pixel_length)
    if deflate:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = packer.compress(data) + packer.flush()
    return bytes(128) + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + data


def sequences(depth):
    """Sequences of undefined length, each in the item of the one before."""
    return (
        struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, MOST) + struct.pack("<HHI", 0xFFFE, 0xE000, MOST)
    ) * depth


def rle_frame():
    """A run of nothing: every byte says "repeat 128 times"."""
    head = struct.pack("<I", 1) + struct.pack("<I", 64) + bytes(56)
    return (
        struct.pack("<HHI", 0xFFFE, 0xE000, 0)
        + struct.pack("<HHI", 0xFFFE, 0xE000, 64 + 20_000)
        + head
        + b"\x81\0" * 10_000
        + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    )


def wav(
    channels=1,
    rate=8000,
    bits=16,
    data=bytes(100),
    data_size=None,
    riff_size=None,
    block=None,
    code=1,
    before=b"",
):
    align = channels * bits // 8 & 0xFFFF if block is None else block
    form = struct.pack("<HHIIHH", code, channels, rate, rate * align & MOST, align, bits)
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", 16) + form + b"data"
    body += struct.pack("<I", len(data) if data_size is None else data_size) + data
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


DEFLATED_SYNTAX = b"1.2.840.10008.1.2.1.99"
RLE_SYNTAX = b"1.2.840.10008.1.2.5\0"
JPEG2000_SYNTAX = b"1.2.840.10008.1.2.4.90"

FILES = {
    "png_of_2_31_pixels_a_side": lambda: ("png", png(0x7FFFFFFF, 0x7FFFFFFF)),
    "png_bomb": lambda: ("png", png(32_768, 32_768, pixels=packed_zeros(200))),
    "png_bomb_of_one_bit": lambda: ("png", png(32_768, 32_768, 1, pixels=packed_zeros(130))),
    "png_bomb_of_16_bits_interlaced": lambda: ("png", png(8_000, 8_000, 16, 6, 1, packed_zeros(200))),
    "png_bomb_in_a_text": lambda: (
        "png",
        png(8, 8, before=png_chunk(b"zTXt", b"x\0\0" + packed_zeros(300)) * 20, pixels=b""),
    ),
    "png_of_many_chunks": lambda: (
        "png",
        png(8, 8, before=png_chunk(b"tEXt", b"a\0b") * 100_000, pixels=b""),
    ),
    "png_length_past_the_end": lambda: ("png", png(8, 8, before=png_chunk(b"tEXt", b"", 0x7FFFFFFF))),
    "gif_of_65535_pixels_a_side": lambda: ("gif", gif(65_535, 65_535)),
    "gif_frame_larger_than_its_screen": lambda: ("gif", gif(8, 8, frame_width=60_000)),
    "gif_of_many_frames": lambda: ("gif", gif(5_000, 5_000, frames=5_000)),
    "bmp_of_2_31_pixels_a_side": lambda: ("bmp", bmp(0x7FFFFFFF, 0x7FFFFFFF)),
    "bmp_height_of_int_min": lambda: ("bmp", bmp(8, -0x80000000)),
    "bmp_of_runs": lambda: ("bmp", bmp(32_000, 32_000, 8, 1, 54 + 1024, bytes(1024) + b"\xff\1" * 1000)),
    "bmp_of_2_32_colours": lambda: ("bmp", bmp(8, 8, 8, 0, colours=MOST)),
    "jpeg_of_65500_pixels_a_side": lambda: ("jpg", jpeg(65_500, 65_500)),
    "jpeg_of_many_scans": lambda: ("jpg", jpeg(4_000, 4_000, scans=50_000)),
    "tiff_of_2_32_pixels_a_side": lambda: ("tiff", tiff_picture(MOST, MOST)),
    "tiff_bomb": lambda: (
        "tiff",
        tiff_picture(32_000, 32_000, 8, strip_bytes=200_000, strip=packed_zeros(100)),
    ),
    "tiff_of_65535_samples": lambda: ("tiff", tiff_picture(8_000, 8_000, samples=65_535)),
    "tiff_of_many_strips": lambda: ("tiff", tiff_picture(8, 30_000, rows=1)),
    "tiff_strip_past_the_end": lambda: ("tiff", tiff_picture(8, 8, strip_bytes=MOST)),
    "tiff_directory_of_itself": lambda: ("tiff", tiff([(256, 4, 1, 8)], next_at=8)),
    "tiff_field_of_2_32_values": lambda: ("tiff", tiff([(256, 4, 1, 8), (257, 4, 1, 8), (273, 4, MOST, 8)])),
    "tiff_packed_bits": lambda: (
        "tiff",
        tiff_picture(30_000, 30_000, 32773, strip_bytes=2_000, strip=b"\x81\0" * 1000),
    ),
    "dicom_of_65535_pixels_a_side": lambda: ("dcm", dicom(65_535, 65_535)),
    "dicom_of_2_31_frames": lambda: ("dcm", dicom(1_000, 1_000, b"2147483647 ")),
    "dicom_length_past_the_end": lambda: ("dcm", dicom(8, 8, pixel_length=MOST - 1)),
    "dicom_sequences_nested": lambda: ("dcm", dicom(8, 8, more=sequences(100_000))),
    "dicom_bomb": lambda: (
        "dcm",
        dicom(8_000, 8_000, syntax=DEFLATED_SYNTAX, pixels=bytes(300 << 20), deflate=True),
    ),
    "dicom_of_runs": lambda: (
        "dcm",
        dicom(60_000, 60_000, syntax=RLE_SYNTAX, pixels=rle_frame(), pixel_length=MOST),
    ),
    "dicom_jpeg2000_of_nothing": lambda: (
        "dcm",
        dicom(60_000, 60_000, syntax=JPEG2000_SYNTAX, pixels=rle_frame(), pixel_length=MOST),
    ),
    "empty_png": lambda: ("png", b""),
    "a_model_as_png": lambda: ("png", b"PK\3\4" + bytes(1000)),
}

SOUNDS = {
    "wav_of_65535_channels": lambda: wav(channels=65_535),
    "wav_of_no_channel": lambda: wav(channels=0),
    "wav_of_no_bits": lambda: wav(bits=0),
    "wav_of_2_32_bytes": lambda: wav(data_size=MOST, riff_size=MOST),
    "wav_block_of_nothing": lambda: wav(block=0),
    "wav_of_unknown_code": lambda: wav(code=0x55),
    "wav_of_many_chunks": lambda: wav(before=(b"junk" + bytes(4)) * 200_000),
    "wav_chunk_past_the_end": lambda: wav(before=b"LIST" + struct.pack("<I", MOST - 7)),
    "wav_without_data": lambda: wav(data=b"")[:-8],
}
