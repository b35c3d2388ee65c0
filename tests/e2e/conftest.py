"""What end-to-end tests share: a real server on a free port, with a data folder of its own.

NOREN_BIN names the folder of the programs (build/bin where it is not set). `server` is one server for a whole
test run (one for each pytest-xdist worker); a test that stops, starves or kills its server takes
`start_server` instead.
"""
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("NOREN_BIN", ROOT / "build" / "bin"))
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 40


class Server:
    """A running `noren serve`; made by the fixtures below."""

    def __init__(self, folder, *options):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.options = options
        self.process = None
        self.url = self.token = None

    def start(self):
        (self.data / "admin.json").unlink(missing_ok=True)
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [BIN / "noren", "serve", "--data", self.data, "--listen", "127.0.0.1:0", *self.options],
                stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            assert self.process.poll() is None, f"the server stopped:\n{self.log()[-4000:]}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self.log()[-4000:]}"
            time.sleep(0.02)
        return self

    def is_ready(self):
        try:
            admin = json.loads((self.data / "admin.json").read_text())
            self.url, self.token = admin["url"], admin["token"]
            return self.request("GET", "/readyz")[0] == 200
        except (OSError, ValueError):
            return False

    def log(self):
        return (self.folder / "server.log").read_text(errors="replace")

    def stop(self):
        """Asks it to stop, as an operator does, and returns its exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def environment(self):
        return {**os.environ, "NOREN_URL": self.url, "NOREN_TOKEN": self.token}

    def cli(self, *arguments, expect=0):
        """Runs one verb of the command line and returns what it printed, parsed where it is JSON."""
        done = subprocess.run([BIN / "noren", *map(str, arguments)], env=self.environment(), text=True,
                              capture_output=True, timeout=120)
        assert done.returncode == expect, f"noren {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        if expect == 0 and "--json" in arguments:
            return json.loads(done.stdout)
        return done.stdout + done.stderr

    def publish(self, file, *options):
        return self.cli("publish", file, *options, "--json")

    def request(self, method, path, body=None, headers=None, timeout_s=60):
        """One HTTP request; `path` may be a whole URL. Returns the status and the body's bytes."""
        url = path if "://" in path else self.url + path
        request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def infer(self, api, inputs, executor=None):
        """Calls a published API the way the guide does. Returns the status and the answer, parsed."""
        body = {"inputs": inputs, **({"executor": executor} if executor else {})}
        status, answer = self.request("POST", api["url"], json.dumps(body).encode(),
                                      {"Content-Type": "application/json", "x-api-key": api["key"]})
        return status, json.loads(answer)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("server")).start()
    yield running
    assert running.stop() == 0, running.log()[-4000:]


@pytest.fixture
def start_server(tmp_path_factory):
    """start_server("--option", …) starts a server of the test's own; whatever runs at the end is ended."""
    started = []

    def start(*options):
        started.append(Server(tmp_path_factory.mktemp("server"), *options))
        return started[-1].start()

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def samples():
    return ROOT / "samples"
