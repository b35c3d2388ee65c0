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


def eventually(holds, what="it did not become true", timeout_s=30):
    """Looks again and again until holds() is true."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def processes_of_session(session):
    """The processes that still run of those that this server started."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[3] == str(session) and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


class Server:
    """A running `noren serve`; made by the fixtures below."""

    def __init__(self, folder, *options):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.options = options
        self.process = None
        self.url = self.token = None

    def start(self):
        """Also starts it again, on the same folder: admin.json is written anew with the new URL."""
        admin = self.data / "admin.json"
        self.admin_before = admin.stat().st_mtime_ns if admin.exists() else None
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            assert self.process.poll() is None, f"the server stopped:\n{self.log()[-4000:]}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self.log()[-4000:]}"
            time.sleep(0.02)
        return self

    def command(self):
        return [BIN / "noren", "serve", "--data", self.data, "--listen", "127.0.0.1:0", *self.options]

    def is_ready(self):
        try:
            if (self.data / "admin.json").stat().st_mtime_ns == self.admin_before:
                return False
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
            status = self.process.wait(STOP_TIMEOUT_S)
            eventually(lambda: processes_of_session(self.process.pid) == [], "a process was left behind")
            return status
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

    def publish_refused(self, file, *options):
        """Publishes what can't be; returns the one sentence that says why."""
        done = subprocess.run([BIN / "noren", "publish", file, *options, "--json"], env=self.environment(),
                              text=True, capture_output=True, timeout=120)
        assert 1 <= done.returncode <= 63 and done.stdout == "", done
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr

    def ask(self, method, path, body=None):
        """One call of the management API; `path` begins behind /v1/management/."""
        status, answer = self.request(method, f"/v1/management/{path}", body and json.dumps(body).encode(),
                                      {"Authorization": f"Bearer {self.token}"})
        assert status < 300, answer
        return json.loads(answer)

    def wait_until_running(self, api_id):
        eventually(lambda: self.ask("GET", f"apis/{api_id}")["state"] == "running")

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


def starter(tmp_path_factory):
    """start("--option", …) starts a server; whatever runs at the end is ended."""
    started = []

    def start(*options):
        started.append(Server(tmp_path_factory.mktemp("server"), *options))
        return started[-1].start()

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def start_server(tmp_path_factory):
    """Servers of one test's own."""
    yield from starter(tmp_path_factory)


@pytest.fixture(scope="module")
def start_server_for_module(tmp_path_factory):
    """Servers of one file's own."""
    yield from starter(tmp_path_factory)


@pytest.fixture(scope="session")
def samples():
    return ROOT / "samples"
