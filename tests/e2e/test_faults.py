"""Things that go wrong while a server is under load: processes die, models hang or take all memory, callers
vanish or never finish, the disk is full. After each of them the counts are exact, nothing is left behind, and
the server goes on.
"""
import errno
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time

import models
from conftest import Server, eventually
from test_errors import IRIS, call
from test_life import ask, workers_of

CALLERS_COUNT = 8


class Load:
    """Callers that ask without a pause, one connection a request; counts what they got."""

    def __init__(self, server, *apis, body=None, callers_count=CALLERS_COUNT):
        self.server, self.apis, self.body = server, apis, body
        self.statuses = {api["id"]: [] for api in apis}
        self.unanswered = {api["id"]: 0 for api in apis}
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(apis[i % len(apis)],))
                        for i in range(callers_count)]

    def run(self, api):
        while not self.stopping.is_set():
            try:
                status = call(self.server, api["url"], api["key"], self.body)[0]
            except OSError:  # the server was killed before it answered
                self.unanswered[api["id"]] += 1
                time.sleep(0.01)
                continue
            self.statuses[api["id"]].append(status)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *failure):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def answers_count(self):
        return sum(len(each) for each in self.statuses.values())

    def await_more(self, count):
        wanted = self.answers_count() + count
        eventually(lambda: self.answers_count() >= wanted, "the callers get no answers any more")

    def goods_count(self, api):
        return self.statuses[api["id"]].count(200)


def successes(server, api):
    return server.cli("show", api["id"], "--json")["successes"]


def descriptors_count(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def resident_bytes(server):
    for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the server is gone")


def children_of(pid):
    return [int(each) for each in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def expect_counted(server, api, good):
    """Once the last answer is counted, it stays so."""
    eventually(lambda: successes(server, api) == good, f"{good} were answered")
    time.sleep(1.2)  # one more pass of the housekeeping
    assert successes(server, api) == good


def test_workers_and_zygote_die_at_random(start_server, samples):
    server = start_server()
    apis = [server.publish(samples / "iris.nnp", "--type", kind) for kind in ("per-request", "dedicated")]
    chance = random.Random(7)
    for api in apis:
        assert ask(server, api) == 200
    before = descriptors_count(server)
    with Load(server, *apis) as load:
        for turn in range(12):
            load.await_more(50)
            zygotes = children_of(server.process.pid)
            victims = zygotes if turn % 4 == 3 else [w for z in zygotes for w in children_of(z)]
            if victims:
                kill(chance.choice(victims))
        load.await_more(50)
    for api in apis:
        # 503: a dedicated instance starts again; 500: what a dead worker held twice.
        assert set(load.statuses[api["id"]]) <= {200, 500, 503}
        eventually(lambda api=api: ask(server, api) == 200)
        expect_counted(server, api, load.goods_count(api) + 2)  # one before the load, one after it
    eventually(lambda: descriptors_count(server) <= before + 4, "descriptors were left open")
    assert set(load.unanswered.values()) == {0}


def test_kill_9_under_load_loses_no_answer_and_invents_none(start_server, samples):
    server = start_server()
    api = server.publish(samples / "iris.nnp")
    for _ in range(3):
        with Load(server, api) as load:
            load.await_more(100)
            counted_before = 0
            server.process.kill()
            server.process.wait()
        good = load.goods_count(api)
        server.start()
        api["url"] = server.cli("show", api["id"], "--json")["url"]
        eventually(lambda: successes(server, api) >= good)
        total = successes(server, api)
        # What was answered is counted; what was on its way to a caller may be counted, and nothing else.
        assert good <= total - counted_before <= good + CALLERS_COUNT
        server.cli("delete", api["id"], "--yes")
        api = server.publish(samples / "iris.nnp")


def test_a_model_that_hangs_stops_nobody_else(start_server, samples, tmp_path):
    server = start_server("--deadline", "700ms")
    iris = server.publish(samples / "iris.nnp")
    slow = server.publish(models.slow(tmp_path / "slow.nnp", 4_000))
    one = json.dumps({"inputs": [{"name": "x", "type": "vector", "data": [1]}]})
    with Load(server, iris, callers_count=2) as load:
        for _ in range(3):
            started = time.monotonic()
            status, answer = call(server, slow["url"], slow["key"], one)
            assert status == 504 and json.loads(answer)["code"] == "5041020101"
            assert time.monotonic() - started < 10
        load.await_more(20)
    assert set(load.statuses[iris["id"]]) == {200}
    eventually(lambda: len(workers_of(server)) <= 3, "the model that hung still runs")
    assert successes(server, slow) == 0
    expect_counted(server, iris, load.goods_count(iris))


def greedy(path):
    """256 MiB of numbers between an input of one number and an output of one."""
    wide = (16, 1024, 1024)
    return models.write_nnp(
        path, {"x": (1, 1, 1), "b": wide, "e": wide, "c": (64, 1024, 1024), "y": ()},
        [models.function("Broadcast", ["x"], "b", models.block("broadcast_param", models.shape((1, *wide)))),
         models.function("Exp", ["b"], "e", ""),
         models.function("Concatenate", ["e"] * 4, "c", models.block("concatenate_param", "axis: 1\n")),
         models.function("Mean", ["c"], "y",
                         models.block("mean_param", "axes: 1\naxes: 2\naxes: 3\nkeep_dims: false\n"))],
        ["x"], ["y"])


def test_a_model_that_takes_all_memory_fails_alone(start_server, samples, tmp_path):
    server = start_server()
    iris = server.publish(samples / "iris.nnp")
    large = server.publish(greedy(tmp_path / "greedy.nnp"))
    one = json.dumps({"inputs": [{"name": "x", "type": "vector", "data": [1]}]})
    assert call(server, large["url"], large["key"], one)[0] == 200
    assert server.stop() == 0
    server.options = ("--model-memory", "96MiB")
    server.start()
    for api in (iris, large):
        api["url"] = server.cli("show", api["id"], "--json")["url"]
    assert ask(server, iris) == 200
    memory_before = resident_bytes(server)
    with Load(server, iris, callers_count=2) as load:
        for _ in range(3):
            status, answer = call(server, large["url"], large["key"], one)
            assert status == 500 and "memory" not in answer
        load.await_more(20)
    assert set(load.statuses[iris["id"]]) == {200}
    assert "more memory than its limit allows" in server.log()
    assert resident_bytes(server) - memory_before < 8 << 20
    expect_counted(server, large, 1)
    expect_counted(server, iris, load.goods_count(iris) + 1)
    refused = server.publish_refused(tmp_path / "greedy.nnp")
    assert "memory" in refused and "internal" not in refused


def test_half_closed_and_vanishing_callers(start_server, samples, tmp_path):
    server = start_server()
    iris = server.publish(samples / "iris.nnp")
    slow = server.publish(models.slow(tmp_path / "slow.nnp", 4_000))
    host, port = server.url.removeprefix("http://").split(":")
    assert ask(server, iris) == 200
    before = descriptors_count(server)

    def send(api, body):
        body = json.dumps(body).encode()
        path = api["url"].removeprefix(server.url)
        connection = socket.create_connection((host, int(port)), 20)
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {api['key']}\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return connection

    # Who closes the sending side still gets the answer.
    connection = send(iris, {"inputs": IRIS})
    connection.shutdown(socket.SHUT_WR)
    assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 200")
    connection.close()
    # Who is gone frees the slot: the model would be busy for minutes otherwise.
    for _ in range(60):
        gone = send(slow, {"inputs": [{"name": "x", "type": "vector", "data": [1]}]})
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        gone.close()
    started = time.monotonic()
    one = json.dumps({"inputs": [{"name": "x", "type": "vector", "data": [1]}]})
    assert call(server, slow["url"], slow["key"], one)[0] == 200
    assert time.monotonic() - started < 25
    eventually(lambda: descriptors_count(server) <= before + 4, "descriptors were left open")
    assert ask(server, iris) == 200
    expect_counted(server, iris, 3)


def test_slow_senders_and_idle_connections(start_server, samples):
    """10,000 connections that say nothing, and 200 that send a head byte by byte."""
    server = start_server()
    api = server.publish(samples / "iris.nnp")
    assert ask(server, api) == 200
    before, memory_before = descriptors_count(server), resident_bytes(server)
    holder = subprocess.Popen(
        ["/usr/bin/python3", pathlib.Path(__file__).parent / "idle_connections.py",
         server.url.removeprefix("http://"), "10000", "200"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline().strip() == "10000 idle, 200 slow", "the connections are not there"
        eventually(lambda: descriptors_count(server) >= before + 10_000)
        for _ in range(50):
            started = time.monotonic()
            assert ask(server, api) == 200
            assert time.monotonic() - started < 5
        # An idle connection is cheap.
        assert resident_bytes(server) - memory_before < 10_200 * 8 * 1024
        # A head that takes longer than its limit ends the connection, whatever trickles in.
        assert holder.stdout.readline().strip() == "slow ones closed"
    finally:
        holder.stdin.close()
        holder.wait(30)
    eventually(lambda: descriptors_count(server) <= before + 4, "descriptors were left open")
    expect_counted(server, api, 51)


class SmallDiskServer(Server):
    """A server whose data folder has a disk of its own, in a mount namespace that ends with it."""

    MIB = 24

    def command(self):
        mount = f'mount -t tmpfs -o size={self.MIB}m,mode=700 small "$0" && exec "$@"'
        unshare = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
        self.data.mkdir()
        return [*unshare, "sh", "-c", mount, self.data, *super().command()]

    def is_ready(self):
        """The folder as the server sees it: the disk is mounted for nobody else."""
        self.data = pathlib.Path(f"/proc/{self.process.pid}/root{self.folder / 'data'}")
        return super().is_ready()

    def fill(self):
        with open(self.data / "ballast", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as full:
                assert full.errno == errno.ENOSPC


def test_a_full_disk_stops_changes_and_no_request(samples, tmp_path):
    server = SmallDiskServer(tmp_path).start()
    try:
        api = server.publish(samples / "iris.nnp")
        off = server.publish(samples / "iris.nnp")
        assert ask(server, api) == 200
        server.fill()
        refused = server.publish_refused(samples / "digits.nnp")
        assert "no space is left" in refused and "internal" not in refused
        said = server.cli("off", off["id"], expect=11)
        assert "data folder is full" in said
        assert server.cli("show", off["id"], "--json")["enabled"] is True
        with Load(server, api) as load:
            load.await_more(200)
        assert set(load.statuses[api["id"]]) == {200}
        assert server.request("GET", "/healthz")[0] == 200
        (server.data / "ballast").unlink()
        eventually(lambda: successes(server, api) == load.goods_count(api) + 1)
        digits = server.publish(samples / "digits.nnp")
        assert server.cli("show", digits["id"], "--json")["state"] == "running"
        server.cli("off", off["id"])
    finally:
        server.stop()
