"""How long things take to be there: a worker, a server, a thousand models."""
import json
import random
import socket
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from machine import Failed, end, family, memory_mib
from noren import Noren

BOTH_CORES = "0,1"
COLD_STARTS = 40
SERVER_STARTS = 10
THOUSAND_BUDGET_MIB = 2048


def share_of(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cold_start(folder, options):
    """OFF ends the worker, so the first call after ON starts one: from no process to the first answer."""
    noren = Noren(folder, ["iris"], core=BOTH_CORES)
    try:
        cold, warm = [], []
        for _ in range(COLD_STARTS):
            noren.run("off", noren.apis["iris"]["id"])
            noren.run("on", noren.apis["iris"]["id"])
            connection = noren.connection()
            connection.connect()
            status, _, spent_ms = noren.call("iris", connection)
            warm.append(noren.call("iris", connection)[2])
            connection.close()
            if status != 200:
                raise Failed(f"a cold start gave {status}")
            cold.append(spent_ms)
        return {"p50_ms": statistics.median(cold), "p99_ms": share_of(cold, 0.99),
                "warm_call_p50_ms": statistics.median(warm)}
    finally:
        noren.stop()


def answer_when_up(noren):
    """Milliseconds from the start of `noren serve` to its first answer, asked for as soon as it listens."""
    api = noren.apis["iris"]
    body = api["body"].read_bytes()
    request = (f"POST {api['path']} HTTP/1.1\r\nHost: a\r\nx-api-key: {api['key']}\r\n"
               f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode() + body
    command = ["taskset", "-c", BOTH_CORES, *map(str, noren.process.args[3:])]
    start = time.perf_counter()
    noren.process = subprocess.Popen(command, stderr=noren.log, start_new_session=True)
    while time.perf_counter() - start < 10:
        try:
            with socket.create_connection(("127.0.0.1", noren.port), 5) as connection:
                connection.sendall(request)
                if connection.recv(4096).startswith(b"HTTP/1.1 200"):
                    return (time.perf_counter() - start) * 1000
        except OSError:
            pass
        time.sleep(0.001)
    raise Failed("the server did not answer within 10 s of its start")


def server_start(folder, options):
    """noren serve on an existing folder: to the first answer of a per-request API."""
    noren = Noren(folder, ["iris"], core=BOTH_CORES)
    try:
        times = []
        for _ in range(SERVER_STARTS):
            end(noren.process)
            times.append(answer_when_up(noren))
        return {"p50_ms": statistics.median(times), "max_ms": max(times)}
    finally:
        noren.stop()


def publish_many(noren, count):
    """One upload, many APIs of it by the management API: published models that share no worker."""
    first = json.loads(noren.run("show", noren.publish("iris")["id"], "--json"))
    apis = [noren.apis["iris"]]
    for _ in range(count - 1):
        api = noren.manage("POST", "apis", {"job": first["job"], "type": "per-request"})
        apis.append({"id": api["id"], "key": api["key"], "path": api["url"].split(str(noren.port), 1)[1]})
    return apis


def thousand(folder, options):
    """1,000 published models within 2 GiB, called at random at 50 requests a second."""
    count, rate, seconds = 1000, 50, 60 if options.full else 20
    noren = Noren(folder, core=BOTH_CORES, options=["--memory-budget", f"{THOUSAND_BUDGET_MIB}MiB"])
    try:
        apis = publish_many(noren, count)
        chooser, spent, failures, most = random.Random(1), [], [], {"pss_mib": 0}
        body = noren.apis["iris"]["body"].read_bytes()

        def call(due, api):
            time.sleep(max(0.0, due - time.perf_counter()))
            connection = noren.connection()
            connection.request("POST", api["path"], body, {"x-api-key": api["key"]})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            spent.append((time.perf_counter() - due) * 1000)
            if answer.status != 200:
                failures.append(answer.status)

        with ThreadPoolExecutor(16) as pool:
            start = time.perf_counter()
            for i in range(rate * seconds):
                pool.submit(call, start + i / rate, chooser.choice(apis))
            for _ in range(4):
                time.sleep(seconds / 4)
                most = max(most, memory_mib(family(noren.process.pid)), key=lambda memory: memory["pss_mib"])
        if failures or len(spent) != rate * seconds:
            raise Failed(f"{len(failures)} calls of {rate * seconds} failed: {failures[:5]}")
        return {"models": count, "requests": len(spent), "p50_ms": statistics.median(spent),
                "p99_ms": share_of(spent, 0.99), "max_ms": max(spent), "most_pss_mib": most["pss_mib"]}
    finally:
        noren.stop()
