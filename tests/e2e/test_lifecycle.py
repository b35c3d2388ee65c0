"""Settings of published APIs while they serve: schedules, instances, types, limits, failures, metering."""
import base64
import collections
import datetime
import http.client
import json
import os
import re
import signal
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import wave

import models
import pytest
from conftest import eventually
from test_errors import IRIS
from test_life import ask, workers_of

DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
UTC = datetime.timezone.utc


def window(open_now):
    """A weekly window that holds now, or begins in two to three hours; and when it starts or stops next."""
    now = datetime.datetime.now(UTC)
    if open_now:
        midnight = (now + datetime.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return f"{DAYS[now.weekday()]} 00:00-24:00", midnight
    start = now.replace(minute=0, second=0, microsecond=0) + datetime.timedelta(hours=3)
    return f"{DAYS[start.weekday()]} {start.hour:02}:00-{start.hour:02}:45", start


def stamp(time_of):
    return time_of.strftime("%Y-%m-%dT%H:%M:%SZ")


def call(api, key=None, body=None, url=None):
    """The status, the answer (parsed where it is JSON) and the headers."""
    body = json.dumps({"inputs": IRIS}) if body is None else body
    request = urllib.request.Request(url or api["url"], data=body.encode(), method="POST",
                                     headers={"x-api-key": key or api["key"]})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read()), reply.headers
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        is_json = error.headers["Content-Type"].startswith("application/json")
        return error.code, json.loads(text) if is_json else text, error.headers


class Load:
    """Callers that ask again and again, by the URL that `api` has at the moment."""

    def __init__(self, server, api, callers=4):
        self.statuses = collections.Counter()
        self.stop = threading.Event()

        def run():
            while not self.stop.is_set():
                self.statuses[ask(server, api)] += 1

        self.threads = [threading.Thread(target=run) for _ in range(callers)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        eventually(lambda: self.statuses.total() > 20)
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def goes_on(self):
        before = self.statuses.total()
        eventually(lambda: self.statuses.total() > before + 50)


def test_a_window_that_is_open_runs_and_says_when_it_stops(server, samples):
    text, stop = window(open_now=True)
    api = server.publish(samples / "iris.nnp", "--type", "dedicated", "--schedule", text)
    assert (api["state"], api["next_stop"]) == ("running", stamp(stop))
    assert api["schedule"] == [{"days": [text[:3]], "start": "00:00", "end": "24:00"}]
    assert ask(server, api) == 200
    shown = server.cli("show", api["id"])
    assert text in shown and stamp(stop) in shown
    assert f"stops {stamp(stop)}" in server.cli("list")


def test_a_closed_window_answers_503_with_the_next_start(server, samples):
    text, start = window(open_now=False)
    api = server.publish(samples / "iris.nnp", "--type", "dedicated", "--schedule", text)
    assert (api["state"], api["next_start"]) == ("stopped", stamp(start))
    status, body, headers = call(api)
    assert (status, body["code"]) == (503, "5031030101")
    assert body["message"] == "status is not running (status: stopped)"
    assert body["data"]["next_start"] == stamp(start)
    wait_s = (start - datetime.datetime.now(UTC)).total_seconds()
    assert abs(int(headers["Retry-After"]) - wait_s) < 10
    server.cli("update", api["id"], "--always")
    server.wait_until_running(api["id"])
    assert ask(server, api) == 200
    changed = server.cli("update", api["id"], "--schedule", text, "--schedule", "Mon 01:00-01:15", "--json")
    assert changed["state"] in ("stopping", "stopped") and len(changed["schedule"]) == 2
    assert ask(server, api) == 503
    assert "can't" not in server.cli("update", api["id"], "--schedule", "Mon 17:00-09:00", expect=2)


def test_a_change_of_type_keeps_the_id_and_moves_the_path(server, samples):
    api = server.publish(samples / "iris.nnp")
    old_url = api["url"]
    with Load(server, api) as load:
        load.goes_on()
        changed = server.cli("update", api["id"], "--type", "dedicated", "--json")
        assert changed["id"] == api["id"] and changed["state"] == "running"
        assert changed["url"] == old_url.replace("/serverless", "")
        api["url"] = changed["url"]
        load.goes_on()
    # Who still had the old URL was told so; nobody failed.
    assert set(load.statuses) <= {200, 404}
    status, body, headers = call(api, url=old_url)
    assert status == 404 and headers["Content-Type"].startswith("text/plain")
    assert "/v1/classifiers/" in body
    assert call(api, "wrong", url=old_url)[0] == 403
    back = server.cli("update", api["id"], "--type", "per-request", "--json")
    assert back["url"] == old_url
    api["url"] = old_url
    assert ask(server, api) == 200


def admitted_call(api, body):
    """A connection whose request was admitted and whose body is still awaited."""
    url = urllib.parse.urlsplit(api["url"])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    connection.connect()
    connection.sock.sendall((f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nx-api-key: {api['key']}\r\n"
                             f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n").encode())
    said = b""
    while not said.endswith(b"\r\n\r\n"):
        said += connection.sock.recv(1)
    assert said.startswith(b"HTTP/1.1 100 "), said
    return connection.sock


def answer_on(sock):
    answer = http.client.HTTPResponse(sock, method="POST")
    answer.begin()
    return answer.status, answer.read().decode()


def test_sounds_that_wait_while_the_type_changes_are_taken_as_they_were_admitted(start_server, tmp_path):
    server = start_server("--cpu-tokens", "1")
    api = server.publish(models.slow(tmp_path / "slow.nnp", 100), "--type", "dedicated")
    server.wait_until_running(api["id"])
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\0\x20")
    sound = base64.b64encode((tmp_path / "x.wav").read_bytes()).decode()
    body = json.dumps({"inputs": [{"name": "x", "type": "wav", "data": sound}]})
    assert call(api, body=body)[0] == 200
    callers = [admitted_call(api, body) for _ in range(12)]
    for caller in callers[:9]:  # these wait for the one core, the others' bodies come later
        caller.sendall(body.encode())
    changed = server.cli("update", api["id"], "--type", "per-request", "--json")
    for caller in callers[9:]:
        caller.sendall(body.encode())
    answers = [answer_on(caller) for caller in callers]
    assert [status for status, _ in answers] == [200] * 12, answers
    for caller in callers:
        caller.close()
    status, refused, _ = call({**api, "url": changed["url"]}, body=body)
    assert status == 400 and "dedicated instance" in refused["data"]["detail"]


def test_a_model_that_does_not_qualify_stays_dedicated(start_server, samples):
    server = start_server("--per-request-cost", "10")
    api = server.publish(samples / "iris.nnp", "--type", "dedicated")
    said = server.cli("update", api["id"], "--type", "per-request", expect=7)
    assert "CostParameter is" in said and "must be under 10" in said
    server.wait_until_running(api["id"])
    assert ask(server, api) == 200


def test_an_instance_that_the_memory_budget_has_no_room_for_says_so(start_server, samples):
    server = start_server("--memory-budget", "1MiB")
    api = server.publish(samples / "iris.nnp", "--type", "dedicated")
    shown = server.cli("show", api["id"], "--json")
    assert shown["state"] == "retrying"
    said = re.fullmatch(r"it needs (\d+) MiB, which is more than the whole memory budget of 1 MiB: "
                        r"raise --memory-budget", shown["state_reason"])
    assert said, shown
    assert ask(server, api) == 503
    # With room for one of two, that one serves.
    server = start_server("--memory-budget", f"{2 * int(said[1]) - 3}MiB")
    api = server.publish(samples / "iris.nnp", "--type", "dedicated", "--instances", "2")
    server.wait_until_running(api["id"])
    assert ask(server, api) == 200
    shown = server.cli("show", api["id"], "--json")
    assert (shown["state"], shown["instances"], shown["ready_instances"]) == ("running", 2, 1)
    said = rf"1 of 2 instances is ready: it needs {said[1]} MiB, and of the memory budget .*: " \
           r"raise --memory-budget, or run fewer instances of this one"
    assert re.fullmatch(said, shown["state_reason"]), shown
    assert "running (1 of 2)" in server.cli("list")
    server.cli("update", api["id"], "--instances", "1")
    shown = server.cli("show", api["id"], "--json")
    assert shown["ready_instances"] == 1 and "state_reason" not in shown


def test_settings_change_under_load_without_a_failed_request(server, samples):
    for kind in ("dedicated", "per-request"):
        api = server.publish(samples / "iris.nnp", "--type", kind)
        with Load(server, api) as load:
            for change in (["--keep-output-names", "on"], ["--batching", "off"], ["--body-limit", "2MiB"],
                           ["--deadline", "20s"], ["--queue-limit", "64"], ["--name", "another name"]):
                server.cli("update", api["id"], *change)
                load.goes_on()
            if kind == "dedicated":
                for change in (["--instances", "2"], ["--threads", "1"], ["--instances", "1"]):
                    server.cli("update", api["id"], *change)
                    load.goes_on()
        assert set(load.statuses) == {200}, load.statuses
        shown = server.cli("show", api["id"], "--json")
        assert shown["name"] == "another name"
        assert (shown["batching"], shown["keep_output_names"]) == (False, True)
        limits = shown["body_limit_bytes"], shown["deadline_ms"], shown["queue_limit"]
        assert limits == (2 << 20, 20_000, 64)
        server.cli("update", api["id"], "--queue-limit", "default", "--deadline", "default")
        assert server.cli("show", api["id"], "--json")["queue_limit"] == 128


def test_two_instances_work_side_by_side(start_server, tmp_path):
    server = start_server("--cpu-tokens", "2")
    api = server.publish(models.slow(tmp_path / "slow.nnp", 40), "--type", "dedicated", "--instances", "2")
    eventually(lambda: server.cli("show", api["id"], "--json")["ready_instances"] == 2)
    workers = workers_of(server)
    assert len(workers) >= 2
    body = json.dumps({"inputs": [{"name": "x", "type": "vector", "data": [1]}]})

    def cpu_ticks():
        ticks = {}
        for worker in workers:
            fields = open(f"/proc/{worker}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()
            ticks[worker] = int(fields[11]) + int(fields[12])
        return ticks

    before = cpu_ticks()
    threads = [threading.Thread(target=call, args=(api, None, body)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    busy = [worker for worker, ticks in cpu_ticks().items() if ticks > before[worker]]
    assert len(busy) == 2
    eventually(lambda: server.cli("show", api["id"], "--json")["successes"] == 8)


def test_a_crash_loop_fails_with_its_reason_and_on_tries_again(start_server, samples):
    server = start_server()
    api = server.publish(samples / "iris.nnp", "--type", "dedicated")
    server.wait_until_running(api["id"])
    seen = set()
    deadline = time.monotonic() + 60
    while (shown := server.ask("GET", f"apis/{api['id']}"))["state"] != "failed":
        seen.add(shown["state"])
        assert time.monotonic() < deadline, seen
        if shown["state"] == "running":
            for worker in workers_of(server):
                try:
                    os.kill(worker, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        time.sleep(0.05)
    assert "retrying" in seen and shown["state_reason"]
    status, body, _ = call(api)
    assert (status, body["message"]) == (503, "status is not running (status: failed)")
    server.cli("off", api["id"])
    server.cli("on", api["id"])
    server.wait_until_running(api["id"])
    assert ask(server, api) == 200


def test_rates_and_bodies_are_bounded_by_the_apis_own_limits(server, samples):
    api = server.publish(samples / "iris.nnp", "--rate-limit", "5/s", "--body-limit", "1KiB")
    statuses = collections.Counter(ask(server, api) for _ in range(12))
    assert statuses[200] >= 5 and statuses[429] >= 1 and statuses.total() == statuses[200] + statuses[429]
    status, body, headers = call(api)
    if status == 429:
        assert (body["code"], headers["Retry-After"]) == ("4291020101", "1")
    server.cli("update", api["id"], "--rate-limit", "off")
    assert {ask(server, api) for _ in range(20)} == {200}
    assert call(api, body=" " * 1025)[0] == 413


def test_what_does_not_fit_is_refused_in_one_sentence(server, samples):
    for options, part in (
            (["--schedule", "Mon-Fri 09:00-17:00"], "dedicated"),
            (["--instances", "2"], "dedicated"),
            (["--type", "dedicated", "--instances", "65"], "from 1 to 64"),
            (["--type", "dedicated", "--instances", "0"], "--instances"),
            (["--type", "dedicated", "--threads", "4096"], "'threads'"),
            (["--type", "dedicated", "--schedule", "Mon 09:07-17:00"], "steps of 15 minutes"),
            (["--type", "dedicated"] + ["--schedule", "Mon 01:00-02:00"] * 8, "1 to 7 windows"),
            (["--deadline", "31s"], "30000"),
            (["--rate-limit", "quick"], "--rate-limit"),
            (["--body-limit", "5TiB"], "--body-limit")):
        assert part in server.publish_refused(samples / "iris.nnp", *options), options
    assert server.cli("list", "--json")["apis"] is not None


def test_without_a_gpu_it_is_said_and_nothing_else_changes(server, samples):
    capabilities = server.ask("GET", "me")["capabilities"]
    if capabilities["gpu"]:
        pytest.skip("this machine has a GPU")
    said = server.publish_refused(samples / "iris.nnp", "--type", "dedicated", "--gpu")
    assert "can't run a model on a GPU" in said and capabilities["gpu_unavailable_reason"] in said
    api = server.publish(samples / "iris.nnp", "--type", "dedicated", "--cpu")
    assert "GPU" in server.cli("update", api["id"], "--gpu", expect=7)
    assert ask(server, api) == 200


def test_instance_seconds_survive_a_kill(start_server, samples):
    server = start_server()
    api = server.publish(samples / "iris.nnp", "--type", "dedicated")
    per_request = server.publish(samples / "iris.nnp")

    def seconds(of=api):
        return server.ask("GET", f"apis/{of['id']}/usage")["total"]["cpu_instance_seconds"]

    server.wait_until_running(api["id"])
    started = time.monotonic()
    eventually(lambda: seconds() >= 4)
    server.process.kill()
    server.process.wait()
    ran_s = time.monotonic() - started
    time.sleep(3)  # nothing runs, and nothing is counted
    server.start()
    before = seconds()
    server.wait_until_running(api["id"])
    assert ran_s - 2.5 <= before <= ran_s + 1, (before, ran_s)
    eventually(lambda: seconds() >= before + 2)
    server.cli("off", api["id"])
    eventually(lambda: server.ask("GET", f"apis/{api['id']}")["state"] == "stopped")
    time.sleep(1.2)
    end = seconds()
    time.sleep(2)
    assert seconds() == end
    assert end <= time.monotonic() - started - 3
    usage = server.ask("GET", f"apis/{api['id']}/usage")
    assert sum(day["cpu_instance_seconds"] for day in usage["days"]) == end
    assert server.cli("show", api["id"], "--json")["cpu_instance_seconds"] == end
    assert seconds(per_request) == 0


def test_a_gpu_runtime_that_is_not_there_is_logged(start_server):
    assert "gpu.unavailable" in start_server("--gpu-runtime", "/nowhere").log()
