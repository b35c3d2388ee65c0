"""Load with faults for a long time. Afterwards every answer is counted once, and memory stands still.

Faults, one every second or so: a worker killed, an API switched off and on, the model behind a URL replaced,
callers that hang up in the middle of a body or before their answer.
"""
import http.client
import os
import pathlib
import random
import signal
import socket
import threading
import time

from machine import Failed, family, resident_kib
from noren import Noren

CALLERS = 8
HANG_UPS_EACH = 5
STORED_S = 3  # usage reaches the store once a second
# Memory at the end against memory after the first third: what a server that loses nothing keeps to.
GROWTH_SHARE, GROWTH_KIB = 0.02, 4 * 1024


class Caller(threading.Thread):
    """Calls one API over and over, and counts its whole answers by status."""

    def __init__(self, noren, name, until):
        super().__init__()
        self.noren, self.name_of_api, self.until = noren, name, until
        self.counts = {}

    def run(self):
        connection = self.noren.connection()
        while time.monotonic() < self.until:
            try:
                status, _, _ = self.noren.call(self.name_of_api, connection)
            except (OSError, http.client.HTTPException):
                status = "broken"
                connection.close()
            self.counts[status] = self.counts.get(status, 0) + 1
            if status != 200:
                time.sleep(0.02)
        connection.close()


class Faults:
    def __init__(self, noren):
        self.noren, self.random, self.done = noren, random.Random(5), {}

    def kill_worker(self):
        """Not the zygote, which the server starts again, and not the server."""
        zygotes = [pid for pid in family(self.noren.process.pid)[1:]
                   if os.path.exists(f"/proc/{pid}") and parent_of(pid) == self.noren.process.pid]
        workers = [pid for pid in family(self.noren.process.pid)[1:] if pid not in zygotes]
        if workers:
            try:
                os.kill(self.random.choice(workers), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def switch(self):
        api = self.noren.apis["switched"]["id"]
        self.noren.run("off", api)
        time.sleep(0.2)
        self.noren.run("on", api)

    def replace(self):
        self.noren.replace("lenet")

    def hang_up(self):
        """On an API of its own: what was sent to somebody who is gone can't be compared."""
        api = self.noren.apis["hung"]
        body = api["body"].read_bytes()
        head = (f"POST {api['path']} HTTP/1.1\r\nHost: a\r\nx-api-key: {api['key']}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        for _ in range(HANG_UPS_EACH):
            with socket.create_connection(("127.0.0.1", self.noren.port), 10) as connection:
                connection.sendall((head + body)[:self.random.randrange(1, len(head + body) + 1)])

    def one(self):
        fault = self.random.choice((self.kill_worker, self.switch, self.replace, self.hang_up))
        fault()
        self.done[fault.__name__] = self.done.get(fault.__name__, 0) + 1


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def counted(noren, name):
    usage = noren.manage("GET", f"apis/{noren.apis[name]['id']}/usage")
    return sum(day["successes"] for day in usage["days"])


def soak(folder, options):
    """Load with faults; then exact counters and steady memory."""
    noren = Noren(folder, core="0,1")
    try:
        for name, model in (("iris", "iris"), ("lenet", "lenet"), ("switched", "iris"), ("hung", "lenet")):
            noren.publish(model, name)
        return run(noren, options.soak_seconds)
    finally:
        noren.stop()


def run(noren, seconds):
    names = ("iris", "lenet", "switched")
    time.sleep(STORED_S)
    before = {name: counted(noren, name) for name in names}
    start = time.monotonic()
    callers = [Caller(noren, names[i % len(names)], start + seconds) for i in range(CALLERS)]
    for caller in callers:
        caller.start()
    faults, after_third_kib = Faults(noren), None
    while time.monotonic() < start + seconds - 2:
        faults.one()
        time.sleep(0.8)
        if after_third_kib is None and time.monotonic() > start + seconds / 3:
            after_third_kib = resident_kib(noren.process.pid)
    for caller in callers:
        caller.join()
    time.sleep(STORED_S)
    seen = {name: sum(caller.counts.get(200, 0) for caller in callers if caller.name_of_api == name)
            for name in names}
    difference = {name: counted(noren, name) - before[name] - seen[name] for name in names}
    statuses = {}
    for caller in callers:
        for status, count in caller.counts.items():
            statuses[str(status)] = statuses.get(str(status), 0) + count
    end_kib = resident_kib(noren.process.pid)
    allowed_kib = max(GROWTH_KIB, GROWTH_SHARE * after_third_kib)
    return {"seconds": seconds, "answers": statuses, "faults": faults.done,
            "counter_difference": sum(abs(value) for value in difference.values()),
            "after_third_mib": after_third_kib / 1024, "end_mib": end_kib / 1024,
            "growth_share": (end_kib - after_third_kib) / allowed_kib,
            "processes": len(family(noren.process.pid))}
