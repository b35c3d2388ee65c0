#!/usr/bin/env python3
"""Noren beside nginx and FastAPI, in one run, on loopback: ./do bench [--seconds S]

Server and worker are pinned to one core and the load generator to another; keys and metering are on. Printed
are requests a second, p50 and p99 at 1 and 32 connections, and the ratios; then the cold start: the time from
"no worker" to the first answer.
"""
import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "bin"
SERVER_CORE, LOAD_CORE = "0", "1"
BODY = {"executor": "Executor",
        "inputs": [{"name": "x", "type": "vector", "data": [[5], [3.5], [1.3], [0.3]]}]}
COLD_STARTS = 20


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{process.args[0]} did not start")


def pinned(command, **options):
    return subprocess.Popen(["taskset", "-c", SERVER_CORE, *map(str, command)], **options)


def load(port, path, connections, seconds, key="", body="", method="POST"):
    command = ["taskset", "-c", LOAD_CORE, BIN / "noren_load", "--port", port, "--path", path,
               "--connections", connections, "--seconds", seconds, "--method", method]
    command += ["--key", key] if key else []
    command += ["--body", body] if body else []
    run = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    result = json.loads(run.stdout)
    if set(result["status"]) != {"200"} or result["broken"]:
        sys.exit(f"answers other than 200: {result}")
    return {"per_second": result["per_second"], **result["status"]["200"]}


def start_nginx(folder, answer):
    port = free_port()
    (folder / "answer.json").write_bytes(answer)
    # As root, nginx would change to a user that can't read the scratch folder.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(f"""
        {user} worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
        events {{ worker_connections 4096; }}
        http {{ access_log off; keepalive_requests 100000000; open_file_cache max=10;
          client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
          uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
          server {{ listen 127.0.0.1:{port}; root {folder}; default_type application/json; }} }}""")
    process = pinned(["nginx", "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
    wait_for(port, process)
    return process, port


def start_fastapi(folder):
    python = ROOT / "build" / "bench-venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
        requirements = ROOT / "tests" / "bench" / "requirements.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    peer = ROOT / "tests" / "bench" / "peer_fastapi.py"
    subprocess.run([python, peer, "make", ROOT / "samples/iris.nnp", folder / "iris.onnx"], check=True)
    port = free_port()
    process = pinned([python, peer, "serve", folder / "iris.onnx", port])
    wait_for(port, process)
    return process, port


class Noren:
    def __init__(self, folder):
        self.data, self.port = folder / "data", free_port()
        command = [BIN / "noren", "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}"]
        self.process = pinned(command, stderr=open(folder / "noren.log", "wb"))
        wait_for(self.port, self.process)
        token = json.loads((self.data / "admin.json").read_text())["token"]
        self.environment = dict(os.environ, NOREN_URL=f"http://127.0.0.1:{self.port}", NOREN_TOKEN=token)
        self.api = json.loads(self.run("publish", ROOT / "samples/iris.nnp", "--json"))
        self.path = self.api["url"].split(str(self.port), 1)[1]

    def run(self, *arguments):
        return subprocess.run(list(map(str, [BIN / "noren", *arguments])), env=self.environment, check=True,
                              capture_output=True, text=True).stdout

    def call(self):
        body, headers = json.dumps(BODY).encode(), {"x-api-key": self.api["key"]}
        request = urllib.request.Request(self.api["url"], body, headers)
        start = time.perf_counter()
        answer = urllib.request.urlopen(request).read()
        return answer, (time.perf_counter() - start) * 1000

    def cold_start_ms(self):
        """OFF ends the worker, so the first call after ON starts one."""
        times = []
        for _ in range(COLD_STARTS):
            self.run("off", self.api["id"])
            self.run("on", self.api["id"])
            times.append(self.call()[1])
        return statistics.median(times)


def print_ratios(connections, nginx, noren, FastAPI):
    print(f"{connections:3} connections"
          f"  noren / FastAPI {noren['per_second'] / FastAPI['per_second']:.1f} x,"
          f"  noren / nginx {noren['per_second'] / nginx['per_second']:.2f} x,"
          f"  p50 noren - nginx {noren['p50_us'] - nginx['p50_us']:.1f} us")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    build = ["cmake", "--build", ROOT / "build", "--target", "noren_load"]
    subprocess.run(build, check=True, stdout=sys.stderr)
    started = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        body = folder / "body.json"
        body.write_text(json.dumps(BODY))
        try:
            noren = Noren(folder)
            started.append(noren.process)
            nginx, nginx_port = start_nginx(folder, noren.call()[0])
            started.append(nginx)
            fastapi, fastapi_port = start_fastapi(folder)
            started.append(fastapi)
            for connections in (1, 32):
                rows = {
                    "nginx": load(nginx_port, "/answer.json", connections, options.seconds, method="GET"),
                    "noren": load(noren.port, noren.path, connections, options.seconds, noren.api["key"],
                                  body),
                    "FastAPI": load(fastapi_port, "/inference", connections, options.seconds, body=body)}
                for name, row in rows.items():
                    print(f"{connections:3} connections  {name:8} {row['per_second']:9.0f}/s"
                          f"  p50 {row['p50_us']:8.1f} us  p99 {row['p99_us']:8.1f} us")
                print_ratios(connections, **rows)
            warm = statistics.median(noren.call()[1] for _ in range(COLD_STARTS))
            cold = noren.cold_start_ms()
            print(f"cold start: {cold:.1f} ms p50 to the first answer (a warm call: {warm:.1f} ms)")
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(40)


if __name__ == "__main__":
    main()
