"""What ./do bench can measure, by name. Each gets a scratch folder and the options, and gives plain data."""
import statistics
import subprocess
import time

import overload as open_loop
from machine import BIN, MODELS, SERVER_CORE, Failed, closed_loop, family, memory_mib
from noren import Noren
from peers import Nginx, bare, start_python_peers

CONNECTIONS = (1, 8, 32, 128)


def median_of(rows):
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def interleaved(servers, name, connections, options):
    """Each server in turn, several times: what the host does to one it does to all. Medians."""
    rows = {server.title: [] for server in servers}
    seconds = max(4, options.seconds) if name == "resnet" else options.seconds
    for _ in range(options.rounds):
        for server in servers:
            rows[server.title].append(closed_loop(server, name, connections, seconds))
    return {title: median_of(found) for title, found in rows.items()}


def make_certificate(folder):
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                    certificate], check=True, capture_output=True)
    return certificate, key


def stop_all(servers):
    for server in servers:
        server.stop()


def iris(folder, options):
    """The HTTP path: nginx, the bare program, Noren and the Python peers on the smallest model."""
    servers = []
    try:
        noren = Noren(folder, ["iris"])
        servers.append(noren)
        servers += [Nginx(noren.call("iris")[1], folder), bare()]
        servers += start_python_peers() if options.peers else []
        counts = CONNECTIONS if options.full else (1, 32)
        return {str(count): interleaved(servers, "iris", count, options) for count in counts}
    finally:
        stop_all(servers)


def media(folder, options):
    """Pictures and sound: LeNet with PNG, ResNet-18 with JPEG, a dedicated audio model with WAV."""
    servers = []
    try:
        servers += [Noren(folder, ["lenet", "resnet", "audio"]), bare()]
        servers += start_python_peers() if options.peers else []
        result = {}
        for name in ("lenet", "resnet", "audio"):
            counts = (1, 8) if name == "resnet" else CONNECTIONS if options.full else (1, 32)
            result[name] = {str(count): interleaved(servers, name, count, options) for count in counts}
        result["resnet_loop"] = resnet_loop(servers[0], options)
        return result
    finally:
        stop_all(servers)


def resnet_loop(noren, options):
    """Decoding and running in a bare loop beside the same through Noren, in turn."""
    loops, served, seconds = [], [], max(4, options.seconds)
    for _ in range(max(3, options.rounds)):
        command = ["taskset", "-c", SERVER_CORE, BIN / "noren_bare", "loop", MODELS, "resnet",
                   MODELS / "resnet.json", seconds]
        done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
        loops.append(float(done.stdout.split(":")[1].rstrip("}\n ")))
        served.append(closed_loop(noren, "resnet", 8, seconds)["per_second"])
    return {"loop_per_second": statistics.median(loops), "noren_per_second": statistics.median(served),
            "ratio": statistics.median(b / a for a, b in zip(loops, served))}


def tls(folder, options):
    """The same with TLS, beside nginx with TLS."""
    servers, pair = [], make_certificate(folder)
    try:
        noren = Noren(folder, ["iris", "lenet"], tls=pair)
        servers += [noren, Nginx(noren.call("iris")[1], folder, tls=pair)]
        result = {"iris": {str(count): interleaved(servers, "iris", count, options)
                           for count in (CONNECTIONS if options.full else (1, 32))}}
        result["lenet"] = {"32": interleaved([noren], "lenet", 32, options)}
        return result
    finally:
        stop_all(servers)


def overload(folder, options):
    """Open loop on LeNet; the bare program beside it, which has no bound."""
    result = {}
    for start in (lambda: Noren(folder, ["lenet"]), bare):
        server = start()
        try:
            shares = open_loop.SHARES if server.title == "Noren" else (1, 2)
            result[server.title] = open_loop.overload(server, "lenet", 2 * options.seconds, shares)
        finally:
            server.stop()
    return result


def await_processes(noren, count):
    """Ended workers are gone a moment later."""
    for _ in range(100):
        if len(family(noren.process.pid)) <= count:
            return
        time.sleep(0.05)
    raise Failed(f"there are more than {count} processes: {family(noren.process.pid)}")


def memory(folder, options):
    """What an idle API costs, and a warm one: the share of memory of all processes, before and after."""
    noren = Noren(folder, ["iris"])
    try:
        # A first worker came and went: its host is warm, and what it shares is there.
        noren.run("off", noren.apis["iris"]["id"])
        await_processes(noren, 2)
        empty = memory_mib(family(noren.process.pid))
        apis = [noren.publish("iris") for _ in range(10)]
        for api in apis:
            noren.run("off", api["id"])
        await_processes(noren, 2)
        idle = memory_mib(family(noren.process.pid))
        for api in apis:
            noren.run("on", api["id"])
            noren.apis["iris"] = api
            if noren.call("iris")[0] != 200:
                raise Failed("a warm API does not answer")
        warm = memory_mib(family(noren.process.pid))
        share = {"empty_mib": empty["pss_mib"], "server_mib": memory_mib([noren.process.pid])["rss_mib"],
                 "idle_api_kib": (idle["pss_mib"] - empty["pss_mib"]) * 1024 / len(apis),
                 "warm_api_mib": (warm["pss_mib"] - idle["pss_mib"]) / len(apis)}
        return {key: round(value, 1) for key, value in share.items()}
    finally:
        noren.stop()
