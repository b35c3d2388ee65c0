"""Imports take turns, and nobody works for who has hung up: the place in the line is free again, or the
worker dies, and nothing of the import stays.
"""
import os
import pathlib
import select
import signal
import socket
import urllib.parse
import zipfile

import hostile_onnx
import models
import pytest
from conftest import eventually
from hostile import children_of, zygote_of

RUNNING_COUNT, WAITING_COUNT = 2, 16  # of one account
AT_WORK_S = 0.3  # of a core: more than an import of a small model takes
SOON_S = 15      # a small part of what the slow ones take


def post(server, path, body):
    """Sends a request of the management API, and waits for nothing."""
    address = urllib.parse.urlsplit(server.url)
    caller = socket.create_connection((address.hostname, address.port), timeout=60)
    caller.sendall(f"POST /v1/management/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                   f"{server.token}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return caller


def core_time_s(pid):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def at_work(server):
    """The workers that are at it for long."""
    return [pid for pid in children_of(zygote_of(server)) if core_time_s(pid) > AT_WORK_S]


def blobs(server):
    return [path for path in (server.data / "blobs").rglob("*") if path.is_file()]


def refused_of(callers, wait_s=0.0):
    """Those that were told to come later."""
    answered = select.select(callers, [], [], wait_s)[0]
    return [caller for caller in answered if b" 429 " in caller.recv(100, socket.MSG_PEEK)]


def test_who_hangs_up_leaves_the_line(start_server):
    server = start_server()
    workers_host = zygote_of(server)
    os.kill(workers_host, signal.SIGSTOP)  # no import ends
    try:
        callers = [post(server, "jobs?file_name=a.nnp", b"x") for _ in range(40)]
        eventually(lambda: len(refused_of(callers)) == 40 - RUNNING_COUNT - WAITING_COUNT)
        assert b"too many of your imports are waiting" in refused_of(callers)[0].recv(4096)
        for caller in callers:
            caller.close()
        last = []

        def waits():
            last[:] = [post(server, "jobs?file_name=a.nnp", b"x")]
            return refused_of(last, wait_s=1) == []
        eventually(waits, "there is no room for one more")
    finally:
        os.kill(workers_host, signal.SIGCONT)
    with last[0] as caller:
        assert b" 400 " in caller.recv(100)


def test_a_large_file_of_a_stranger_is_refused_unsent(server):
    address = urllib.parse.urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as caller:
        caller.sendall(b"POST /v1/management/jobs?file_name=a.nnp HTTP/1.1\r\nHost: x\r\n"
                       b"Authorization: Bearer wrong\r\nContent-Length: 1000000000\r\n\r\n")
        caller.settimeout(10)
        assert b" 401 " in caller.recv(100)


@pytest.mark.parametrize("path", ["jobs?file_name=endless.onnx", "imports?file_name=endless.onnx"])
def test_who_hangs_up_ends_the_work(start_server, samples, path):
    server = start_server()
    callers = [post(server, path, hostile_onnx.endless()) for _ in range(RUNNING_COUNT)]
    eventually(lambda: len(at_work(server)) == RUNNING_COUNT, "they are not imported")
    for caller in callers:
        caller.close()
    eventually(lambda: at_work(server) == [], "somebody works for nobody", SOON_S)
    assert server.ask("GET", "jobs")["jobs"] == [] and blobs(server) == []
    api = server.publish(samples / "iris.nnp")  # there are turns again
    server.cli("delete", api["id"], "--yes")
    eventually(lambda: blobs(server) == [], "an import is not ended")
    assert " error " not in server.log(), "it is no fault of the server's"


def test_who_hangs_up_between_two_models_leaves_none(start_server, tmp_path):
    server = start_server()
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(models.doubling(tmp_path / "quick.nnp", (4,)), "p.files/1/results.nnp")
        archive.writestr("p.files/2/results.onnx", hostile_onnx.endless())
    with post(server, "imports?file_name=p.zip", (tmp_path / "p.zip").read_bytes()):
        eventually(lambda: at_work(server), "the second model is not imported")
        assert blobs(server), "the first one was not kept"
    eventually(lambda: at_work(server) == [], "somebody works for nobody", SOON_S)
    eventually(lambda: blobs(server) == [], "something stays in the store")
    assert server.ask("GET", "jobs")["jobs"] == []


def test_who_hangs_up_while_a_version_is_tried_keeps_the_old_one(start_server, tmp_path):
    server = start_server()
    api = server.publish(models.slow(tmp_path / "one.nnp", 1), "--type", "dedicated")
    server.wait_until_running(api["id"])
    slow = models.slow(tmp_path / "slow.nnp", 10_000, values=1_000_000)  # a minute of work
    job = server.cli("import", slow, "--json")["job"]
    inputs = [{"name": "x", "type": "vector", "data": [1]}]
    assert server.infer(api, inputs)[0] == 200
    with post(server, f"apis/{api['id']}/versions", f'{{"job":"{job}"}}'.encode()):
        eventually(lambda: at_work(server), "it is not tried")
    eventually(lambda: at_work(server) == [], "somebody works for nobody", SOON_S)
    assert [each["serves"] for each in server.cli("versions", api["id"], "--json")["versions"]] == [True]
    assert server.infer(api, inputs)[0] == 200
    other = server.cli("publish", models.slow(tmp_path / "two.nnp", 2), "--replace", api["id"], "--json")
    assert other["replaced"] == api["version"], "nothing is in the way of another one"
