"""Hostile .nnp archives, written byte by byte: Python's own zip writer would refuse to make them.

Each entry of ARCHIVES: name -> (the file's bytes, a regular expression that the one sentence must match).
"""

import functools
import struct
import zlib

NETWORK = b"""network { name: "Main" batch_size: 1
variable { name: "x" type: "Buffer" shape { dim: -1 dim: 1 } }
variable { name: "y" type: "Buffer" shape { dim: -1 dim: 1 } }
function { name: "f" type: "ReLU" input: "x" output: "y" } }
executor { name: "Executor" network_name: "Main"
data_variable { variable_name: "x" data_name: "x" } output_variable { variable_name: "y" data_name: "y" } }
"""


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


@functools.cache
def zeros(mebibytes):
    """Deflated zeros, and their checksum."""
    packer, crc, block = zlib.compressobj(9, zlib.DEFLATED, -15), 0, bytes(1 << 20)
    packed = bytearray()
    for _ in range(mebibytes):
        packed += packer.compress(block)
        crc = zlib.crc32(block, crc)
    return bytes(packed + packer.flush()), crc


class Member:
    """One member. Whatever is given overrides what is true."""

    def __init__(
        self,
        name,
        data=b"",
        method=0,
        packed=None,
        size=None,
        crc=None,
        flags=0,
        attributes=0,
        extra=b"",
        offset=None,
        stored_size=None,
    ):
        self.name = name if isinstance(name, bytes) else name.encode()
        self.packed = packed if packed is not None else deflated(data) if method == 8 else data
        self.method, self.flags, self.attributes, self.extra = method, flags, attributes, extra
        self.size = len(data) if size is None else size
        self.crc = zlib.crc32(data) if crc is None else crc
        self.stored_size = len(self.packed) if stored_size is None else stored_size
        self.offset = offset

    def local(self):
        return (
            struct.pack(
                "<4sHHHHHIIIHH",
                b"PK\3\4",
                20,
                self.flags,
                self.method,
                0,
                0x21,
                self.crc,
                self.stored_size,
                self.size,
                len(self.name),
                0,
            )
            + self.name
            + self.packed
        )

    def central(self, offset):
        return (
            struct.pack(
                "<4sHHHHHHIIIHHHHHII",
                b"PK\1\2",
                0x314,
                20,
                self.flags,
                self.method,
                0,
                0x21,
                self.crc,
                self.stored_size,
                self.size,
                len(self.name),
                len(self.extra),
                0,
                0,
                0,
                self.attributes,
                offset if self.offset is None else self.offset,
            )
            + self.name
            + self.extra
        )


def archive(*members, count=None, directory_size=None, directory_offset=None, comment=b"", before_end=b""):
    body, directory = b"", b""
    for member in members:
        directory += member.central(len(body))
        body += member.local()
    total = len(members) if count is None else count
    end = struct.pack(
        "<4sHHHHIIH",
        b"PK\5\6",
        0,
        0,
        total & 0xFFFF,
        total & 0xFFFF,
        len(directory) if directory_size is None else directory_size,
        len(body) if directory_offset is None else directory_offset,
        len(comment),
    )
    return body + directory + before_end + end + comment


def network(**options):
    return Member("network.nntxt", NETWORK, **options)


def parameters(data=b"", **options):
    return Member("parameter.protobuf", data, **options)


def bomb(name, mebibytes, **options):
    packed, crc = zeros(mebibytes)
    given = {"size": mebibytes << 20, "crc": crc, **options}
    return Member(name, b"", 8, packed, **given)


def nested(levels):
    """A zip in a zip in a zip: nobody looks into it."""
    inner = archive(bomb("bomb", 256))
    for level in range(levels):
        inner = archive(Member(f"{level}.zip", inner, 8))
    return archive(network(), parameters(), Member("inner.nnp", inner))


def overlapping():
    """Many members that all mean the same bytes."""
    first = bomb("network.nntxt", 30)
    return archive(first, *(bomb(f"{i}.nntxt", 30, offset=0) for i in range(1000)))


def quoted(levels):
    """Members that lie in each other, each stored around the next one's header."""
    kernel = bomb("parameter.protobuf", 64)
    members = [kernel]
    for level in range(levels):
        members.append(Member(f"{level}", members[-1].local()))
    return archive(network(), parameters(), *members)


def zip64(members_count, record_offset=None):
    body = network().local()
    record = struct.pack(
        "<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, members_count, members_count, 1 << 62, len(body)
    )
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(body) if record_offset is None else record_offset, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return body + record + locator + end


def huge_by_extra():
    """A member whose zip64 field says that it holds 16 EiB."""
    extra = struct.pack("<HHQQ", 1, 16, (1 << 64) - 1, (1 << 64) - 1)
    return archive(network(), parameters(extra=extra, size=0xFFFFFFFF, stored_size=0xFFFFFFFF))


ANY = r"archive|zip|member|network|parameter|file"
LINK = 0o120777 << 16

ARCHIVES = {
    "zip_bomb_in_the_network": lambda: (
        archive(bomb("network.nntxt", 600), parameters()),
        r"network\.nntxt.*(32 MiB|more than)",
    ),
    "zip_bomb_in_the_parameters": lambda: (archive(network(), bomb("parameter.protobuf", 1500)), "parameter"),
    "zip_bomb_declared_small": lambda: (
        archive(bomb("network.nntxt", 600, size=1000), parameters()),
        r"network\.nntxt",
    ),
    "zip_bomb_declared_huge": lambda: (archive(network(size=0xFFFFFFF0), parameters()), r"network\.nntxt"),
    "zip_members_too_many": lambda: (
        archive(network(), *(Member(str(i)) for i in range(10_001))),
        "10000 members",
    ),
    "zip_members_declared_too_many": lambda: (archive(network(), count=0xFFFE), "members"),
    "zip_members_overlapping": lambda: (overlapping(), ANY),
    "zip_members_quoted": lambda: (quoted(400), ANY),
    "zip_member_twice": lambda: (archive(network(), network(), parameters()), "network.nntxt.*|two members"),
    "zip64_members_without_end": lambda: (zip64(1 << 62), "members"),
    "zip64_record_outside": lambda: (zip64(1, (1 << 64) - 8), ANY),
    "zip64_size_without_end": lambda: (huge_by_extra(), ANY),
    "zip_directory_outside": lambda: (archive(network(), directory_offset=0xFFFFFFF0), ANY),
    "zip_directory_size_wrong": lambda: (archive(network(), directory_size=0xFFFFFFF0), ANY),
    "zip_offset_outside": lambda: (archive(network(offset=0x7FFFFFF0), parameters()), ANY),
    "zip_stored_with_other_size": lambda: (archive(network(stored_size=0x7FFFFFFF), parameters()), ANY),
    "zip_wrong_checksum": lambda: (archive(network(crc=1), parameters()), r"network\.nntxt.*checksum"),
    "zip_unusual_method": lambda: (archive(network(method=97, packed=NETWORK), parameters()), "method"),
    "zip_encrypted": lambda: (archive(network(flags=1), parameters()), "encrypted"),
    "zip_path_upwards": lambda: (archive(network(), Member("../../etc/passwd", b"x")), r"\.\./\.\./etc"),
    "zip_path_upwards_windows": lambda: (archive(network(), Member("a\\..\\..\\x", b"x")), "leaves"),
    "zip_path_absolute": lambda: (archive(network(), Member("/etc/passwd", b"x")), "/etc/passwd"),
    "zip_path_drive": lambda: (archive(network(), Member("c:\\x", b"x")), "absolute"),
    "zip_name_with_zero": lambda: (archive(network(), Member(b"network\0.nntxt", b"x")), ANY),
    "zip_name_too_long": lambda: (archive(network(), Member("n" * 60_000, b"x")), "too long"),
    "zip_link_as_network": lambda: (
        archive(Member("network.nntxt", b"/etc/passwd", attributes=LINK), parameters()),
        r"network\.nntxt.*line 1",
    ),
    "nothing_but_an_end": lambda: (b"PK\5\6" + bytes(18), "archive"),
}

# What is odd and still a model: nobody looks into members that are not asked for.
HARMLESS = {
    "zip_in_zip_in_zip": lambda: nested(50),
    "zip_link_beside_the_network": lambda: archive(
        network(), parameters(), Member("link", b"/etc/passwd", attributes=LINK)
    ),
    "zip_comment_with_another_end": lambda: archive(
        network(), parameters(), comment=archive(Member("../x", b"x"))
    ),
    "zip_bomb_that_nobody_reads": lambda: archive(network(), parameters(), bomb("readme.txt", 1500)),
}
