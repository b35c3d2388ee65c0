"""What the hostile tests share: whose memory, which processes."""

import contextlib
import pathlib

from conftest import eventually

KEPT_KIB = 8 * 1024  # what an allocator may keep for itself


def memory_kib(pid):
    """Resident memory that no file stands behind."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise AssertionError("no RssAnon")


def children_of(pid):
    try:
        return [int(each) for each in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def zygote_of(server):
    return children_of(server.process.pid)[0]


def workers_of(server):
    """The processes that hold a model or read a file: the children of the server's zygote that stay."""
    found = []

    def is_steady():
        nonlocal found
        before, found = found, sorted(children_of(zygote_of(server)))
        return found == before

    eventually(is_steady)
    return found


@contextlib.contextmanager
def server_memory_is_kept(server):
    before = memory_kib(server.process.pid)
    yield
    eventually(
        lambda: memory_kib(server.process.pid) < before + KEPT_KIB,
        f"the server has {memory_kib(server.process.pid)} KiB, it had {before}",
        5,
    )
    assert server.request("GET", "/readyz")[0] == 200
