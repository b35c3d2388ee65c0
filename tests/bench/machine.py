"""What the benchmark does with this machine: cores, ports, processes, their memory, and load.

The server under test with all its processes has one core and the load generator another, so that what is
measured is what a core serves. Processes are ended by the number of the one that was started.
"""
import json
import os
import pathlib
import platform
import re
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("NOREN_BIN", ROOT / "build" / "bin"))
BUILD = ROOT / "build" / "bench"
MODELS = BUILD / "models"
SERVER_CORE, LOAD_CORE = "0", "1"
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


class Failed(Exception):
    """A measurement that makes no sense: says why."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.005)
    raise Failed(f"{process.args[3]} did not start")


def pinned(command, core=SERVER_CORE, **options):
    options.setdefault("start_new_session", True)  # so that its whole group can be ended
    return subprocess.Popen(["taskset", "-c", core, *map(str, command)], **options)


def end(process):
    """SIGTERM to the process; what its group leaves behind is killed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def family(pid):
    """The process and all that descend from it."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def memory_mib(pids):
    """Resident memory, and the proportional share of it (pages that several share counted once)."""
    resident = share = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        resident += int(re.search(r"^Rss: +(\d+)", text, re.M)[1])
        share += int(re.search(r"^Pss: +(\d+)", text, re.M)[1])
    return {"rss_mib": round(resident / 1024, 1), "pss_mib": round(share / 1024, 1)}


def resident_kib(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KIB


def load(port, path, body=None, key="", connections=1, seconds=5, rate=0, tls=False, warm_up=0.5):
    """Runs the load generator; its JSON with `good` and `refused` beside the statuses."""
    command = ["taskset", "-c", LOAD_CORE, BIN / "noren_load", "--port", port, "--path", path,
               "--connections", connections, "--seconds", seconds, "--warm-up", warm_up, "--rate", rate]
    command += ["--body", body] if body else ["--method", "GET"]
    command += ["--key", key] if key else []
    command += ["--tls"] if tls else []
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if run.returncode != 0:
        raise Failed(f"the load generator failed: {run.stderr.strip()}")
    result = json.loads(run.stdout)
    result["good"] = result["status"].get("200")
    return result


def closed_loop(server, name, connections, seconds):
    """Answers other than 200 make the number worthless, so they are an error."""
    result = load(server.port, **server.way(name), connections=connections, seconds=seconds)
    if set(result["status"]) != {"200"} or result["broken"]:
        raise Failed(f"{server.title} gave {result['status']}, {result['broken']} connections broke")
    return {"per_second": result["per_second"], "p50_us": result["good"]["p50_us"],
            "p99_us": result["good"]["p99_us"]}


def describe():
    """The machine, for the record."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    total = re.search(r"MemTotal: +(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(),
            "memory_gib": round(int(total[1]) / 2 ** 20), "kernel": platform.release(),
            "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "load": os.getloadavg()[0]}
