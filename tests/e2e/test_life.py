"""A server's life: restarts, a second one on its folder, kill -9, workers that die, a clean end."""
import json
import os
import pathlib
import signal
import stat
import subprocess
import threading
import time

import models
import pytest
from conftest import BIN, eventually
from test_errors import call


def ask(server, api):
    return call(server, api["url"], api["key"])[0]


def test_a_restart_keeps_everything(start_server, samples):
    server = start_server()
    apis = [server.publish(samples / "iris.nnp", "--type", kind) for kind in ("per-request", "dedicated")]
    off = server.publish(samples / "iris.nnp")
    server.cli("off", off["id"])
    for api in apis:
        assert ask(server, api) == 200
    assert server.stop() == 0
    server.start()
    listed = {api["id"]: api for api in server.cli("list", "--json")["apis"]}
    assert set(listed) == {api["id"] for api in (*apis, off)}
    for api in apis:
        server.wait_until_running(api["id"])
        shown = server.cli("show", api["id"], "--json")
        assert (shown["key"], shown["version"], shown["successes"]) == (api["key"], api["version"], 1)
        api["url"] = shown["url"]
        assert ask(server, api) == 200
    off["url"] = listed[off["id"]]["url"]
    assert ask(server, off) == 503


def test_private_files_are_private(start_server):
    server = start_server()
    for name in ("admin.json", "master.key", "noren.db", "lock"):
        assert stat.S_IMODE((server.data / name).stat().st_mode) == 0o600, name
    admin = json.loads((server.data / "admin.json").read_text())
    assert set(admin) == {"url", "user", "password", "token"}


def test_a_second_server_on_the_same_folder_is_refused(start_server):
    server = start_server()
    second = subprocess.run([BIN / "noren", "serve", "--data", server.data, "--listen", "127.0.0.1:0"],
                            capture_output=True, text=True, timeout=60)
    assert second.returncode == 4
    assert "in use by another noren server" in second.stderr
    assert server.request("GET", "/healthz")[0] == 200


def test_a_port_that_is_taken_is_said(start_server, tmp_path):
    server = start_server()
    address = server.url.split("//")[1]
    second = subprocess.run([BIN / "noren", "serve", "--data", tmp_path / "d", "--listen", address],
                            capture_output=True, text=True, timeout=60)
    assert 1 <= second.returncode <= 63
    assert address.split(":")[1] in second.stderr and "internal" not in second.stderr


def test_another_master_key_is_refused(start_server):
    server = start_server()
    server.stop()
    (server.data / "master.key").write_text("0" * 64)
    command = [BIN / "noren", "serve", "--data", server.data, "--listen", "127.0.0.1:0"]
    other = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert other.returncode == 7 and "master key" in other.stderr
    (server.data / "master.key").unlink()
    missing = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert missing.returncode == 7 and "master.key is missing" in missing.stderr


def test_kill_9_keeps_the_counts(start_server, samples):
    server = start_server()
    api = server.publish(samples / "iris.nnp")
    for _ in range(20):
        assert ask(server, api) == 200
    server.process.kill()
    server.process.wait()
    server.start()
    eventually(lambda: server.cli("show", api["id"], "--json")["successes"] == 20)
    api["url"] = server.cli("show", api["id"], "--json")["url"]
    assert ask(server, api) == 200
    eventually(lambda: server.cli("show", api["id"], "--json")["successes"] == 21)


def workers_of(server):
    """The processes that hold a model: the children of the server's children."""
    def children(pid):
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(each) for each in text.split()]

    return [worker for zygote in children(server.process.pid) for worker in children(zygote)]


def test_a_killed_worker_costs_only_what_it_held(start_server, samples):
    server = start_server()
    api = server.publish(samples / "iris.nnp")
    statuses, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            statuses.append(ask(server, api))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    killed = 0
    try:
        for _ in range(10):
            before = len(statuses)
            eventually(lambda: len(statuses) > before + 20)
            for worker in workers_of(server):
                try:
                    os.kill(worker, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert killed >= 5
    assert set(statuses) <= {200, 500}
    assert statuses.count(500) <= 8 * killed
    assert ask(server, api) == 200
    good = statuses.count(200) + 1
    eventually(lambda: server.cli("show", api["id"], "--json")["successes"] == good)


def test_sigterm_lets_a_request_finish(start_server, tmp_path):
    server = start_server()
    api = server.publish(models.slow(tmp_path / "slow.nnp", 200))
    body = json.dumps({"inputs": [{"name": "x", "type": "vector", "data": [1]}]})
    result = []
    caller = threading.Thread(target=lambda: result.append(call(server, api["url"], api["key"], body)))
    caller.start()
    time.sleep(0.3)  # it is on its way now; where it is not yet, it is answered all the same
    started = time.monotonic()
    assert server.stop() == 0
    caller.join()
    assert result[0][0] == 200
    assert time.monotonic() - started < 25


@pytest.mark.parametrize("option", [("--listen", "nowhere"), ("--deadline", "soon"),
                                    ("--memory-budget", "1XB"), ("--no-such-option", "1")])
def test_a_wrong_option_is_named(tmp_path, option):
    done = subprocess.run([BIN / "noren", "serve", "--data", tmp_path / "d", *option],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert option[0].strip("-") in done.stderr
    assert not (tmp_path / "d").exists()


def test_the_config_file(start_server, tmp_path):
    config = tmp_path / "noren.toml"
    config.write_text('public-url = "https://models.example.org/"\nqueue-limit = 3\n')
    server = start_server("--config", config)
    config.write_text("queue_limit = 3\n")
    done = subprocess.run([BIN / "noren", "serve", "--data", tmp_path / "d", "--config", config],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "'queue_limit'" in done.stderr and "line 1" in done.stderr
    assert server.request("GET", "/readyz")[0] == 200


def test_no_secret_and_no_body_is_in_the_log(start_server, samples):
    for form in ("text", "json"):
        server = start_server("--log-level", "debug", "--log-format", form)
        api = server.publish(samples / "iris.nnp", "--key", "an-old-key-of-somebody")
        call(server, api["url"], api["key"], '{"inputs":"marked body"}')
        call(server, api["url"], "a wrong key that stays secret")
        server.request("GET", "/v1/management/me", headers={"Authorization": "Bearer a-wrong-token"})
        server.cli("show", api["id"])
        server.cli("delete", api["id"], "--yes")
        server.stop()
        admin = json.loads((server.data / "admin.json").read_text())
        secrets = [api["key"], "stays secret", "a-wrong-token", "marked body", admin["token"],
                   admin["password"], (server.data / "master.key").read_text().strip()]
        log = server.log()
        assert "server.listening" in log
        assert [secret for secret in secrets if secret in log] == []
        stored = b"".join(path.read_bytes() for path in server.data.glob("noren.db*"))
        assert [secret for secret in secrets if secret.encode() in stored] == []
