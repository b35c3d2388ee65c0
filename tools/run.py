#!/usr/bin/env python3
"""Starts a server, publishes the iris sample and prints how to call it. `./do run` builds, then runs this.

    tools/run.py [--data DIR] [--port PORT]

The server stays in the foreground until Ctrl-C. The sample is published once: the next run on the same folder
finds it there, with the key that it has.
"""
import argparse
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOREN = ROOT / "build" / "bin" / "noren"
SAMPLE = ROOT / "samples" / "iris.nnp"
REQUEST = {"inputs": [{"name": "x", "type": "vector", "data": [5, 3.5, 1.3, 0.3]}]}
START_TIMEOUT_S = 60
PORTS_TO_TRY = 100


def free_port(first):
    """`first`, or the next port above it that nobody listens on."""
    for port in range(first, first + PORTS_TO_TRY):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]  # of 0, the one that the system chose
            except OSError:
                continue
    sys.exit(f"run: no free port from {first} to {first + PORTS_TO_TRY - 1}")


def start(data, port):
    # In a session of its own: Ctrl-C reaches this program alone, which then stops the server in order.
    return subprocess.Popen([NOREN, "serve", "--data", data, "--listen", f"127.0.0.1:{port}"],
                            start_new_session=True)


def wait_until_ready(server, port):
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_ready(port):
        if server.poll() is not None:
            sys.exit(f"run: the server stopped (status {server.returncode}); its last lines above say why")
        if time.monotonic() > deadline:
            sys.exit(f"run: the server was not ready within {START_TIMEOUT_S} s")
        time.sleep(0.02)


def is_ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def stop(server):
    if server.poll() is None:
        server.terminate()
    return server.wait()


def noren(data, *arguments, errors=None):
    """One verb of the command line; its JSON, or None where it failed (and said why on `errors`)."""
    admin = json.loads((data / "admin.json").read_text())
    environment = {**os.environ, "NOREN_URL": admin["url"], "NOREN_TOKEN": admin["token"]}
    done = subprocess.run([NOREN, *map(str, arguments), "--json"], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=errors)
    return json.loads(done.stdout) if done.returncode == 0 else None


def published_sample(data):
    """The iris API of this data folder: the one of an earlier run, switched on, or a new one."""
    note = data / "sample-iris.id"
    if note.exists():
        api = noren(data, "show", note.read_text().strip(), errors=subprocess.DEVNULL)
        if api and api.get("key"):
            if api.get("state") == "stopped":
                noren(data, "on", api["id"])
            return api
    api = noren(data, "publish", SAMPLE, "--project", "samples", "--name", "iris")
    if api:
        note.write_text(api["id"] + "\n")
    return api


def answer_of(api):
    request = urllib.request.Request(api["url"], json.dumps(REQUEST).encode(),
                                     {"x-api-key": api["key"], "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.read().decode()
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code} {error.read().decode()}"


def describe(data, api):
    body = json.dumps(REQUEST, separators=(",", ":"))
    print(f"""
  Noren is open. The iris sample is published:

    URL  {api["url"]}
    key  {api["key"]}

  Call it:

    curl -H 'x-api-key: {api["key"]}' -H 'Content-Type: application/json' \\
      -d '{body}' \\
      {api["url"]}

  It answers: {answer_of(api)}

  Publish your own model:  build/bin/noren publish FILE.nnp   (it finds this server in {data}/admin.json)
  Stop: Ctrl-C
""", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Start a server and publish the iris sample.")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "data")
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda number, frame: sys.exit(128 + number))
    port = free_port(options.port)
    server = start(options.data, port)
    try:
        wait_until_ready(server, port)
        api = published_sample(options.data)
        if api is None:
            sys.exit("run: the iris sample could not be published (see above)")
        describe(options.data, api)
        status = server.wait()
        sys.exit(f"run: the server ended by itself (status {status})")
    except SystemExit as exit_request:
        if exit_request.code in (128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP):
            print("run: stopping the server", flush=True)
            sys.exit(stop(server))
        raise
    finally:
        stop(server)


if __name__ == "__main__":
    main()
