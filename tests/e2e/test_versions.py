"""The model behind a URL is replaced, refused, rolled back and dropped, while it is called."""
import json
import pathlib
import sqlite3
import subprocess
import threading
import time

import models
import pytest
from conftest import BIN, ROOT, eventually

INPUT = [{"name": "x", "type": "vector", "data": [1, 2, 3, 4]}]


@pytest.fixture
def model(tmp_path):
    """model(k): a file of the model y = k * x."""
    return lambda factor: models.scaling(tmp_path / f"times{factor}.nnp", (4,), factor)


def factor_of(server, api):
    """What the model behind the API multiplies by, and the version that said so."""
    status, answer = server.infer(api, INPUT)
    assert status == 200, answer
    numbers = [float(text) for text in answer["outputs"][0]["data"].split(", ")]
    factors = {number / place for place, number in enumerate(numbers, 1)}
    assert len(factors) == 1, answer
    return factors.pop(), answer["version"]


def replace(server, api, file, *options):
    return server.cli("publish", file, "--replace", api["id"], *options, "--json")


def versions(server, api):
    return server.cli("versions", api["id"], "--json")["versions"]


def blobs(server):
    return {path.name for path in (server.data / "blobs").rglob("*") if path.is_file()}


def blobs_of_jobs(server):
    with sqlite3.connect(f"file:{server.data / 'noren.db'}?mode=ro", uri=True) as store:
        return {name for row in store.execute("SELECT upload_hash, package_hash FROM jobs") for name in row}


@pytest.mark.parametrize("kind", ["per-request", "dedicated"])
def test_ten_swaps_under_load_fail_no_request(start_server, model, kind):
    server = start_server()
    api = server.publish(model(1), "--type", kind)
    server.wait_until_running(api["id"])
    factors = {api["version"]: 1}
    answers, stop = [[] for _ in range(6)], threading.Event()

    def load(own):
        while not stop.is_set():
            own.append(server.infer(api, INPUT))

    threads = [threading.Thread(target=load, args=[own]) for own in answers]
    for thread in threads:
        thread.start()
    try:
        for factor in range(2, 12):
            replaced = replace(server, api, model(factor))
            factors[replaced["version"]] = factor
            assert replaced["url"] == api["url"] and replaced["state"] == "running"
            assert factor_of(server, api) == (factor, replaced["version"]), "it serves once that is said"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert sum(map(len, answers)) > 100
    for own in answers:
        assert {status for status, _ in own} == {200}
        seen = [answer["version"] for _, answer in own]
        assert seen == sorted(seen), "never back and forth"
        for _, answer in own:
            first = float(answer["outputs"][0]["data"].split(", ")[0])
            assert first == factors[answer["version"]], "an answer is wholly of one version"
    good = sum(map(len, answers)) + 10
    eventually(lambda: server.cli("show", api["id"], "--json")["successes"] == good)


def test_a_version_that_fails_changes_nothing(start_server, model, tmp_path):
    server = start_server()
    api = server.publish(model(2))
    before = factor_of(server, api)
    kept = blobs(server)
    (tmp_path / "torn.nnp").write_bytes(model(3).read_bytes()[:200])
    unsound = ROOT / "tests" / "data" / "onnx" / "fails_when_run.onnx"
    wide = models.scaling(tmp_path / "wide.nnp", (5,), 3)
    for file, reason in ((tmp_path / "torn.nnp", "cut off"), (unsound, "fails on a sample request"),
                         (wide, "its input 'x' has the shape [1,5], not [1,4]")):
        said = server.publish_refused(file, "--replace", api["id"])
        assert reason in said, said
        assert factor_of(server, api) == before
        assert [version["version"] for version in versions(server, api)] == [before[1]]
        eventually(lambda: blobs(server) == kept, "a refused model was left behind")
    assert f"version {before[1]} goes on serving" in server.publish_refused(unsound, "--replace", api["id"])
    assert "accept-changes" in server.publish_refused(wide, "--replace", api["id"])
    replace(server, api, wide, "--accept-changes")
    status, _ = server.infer(api, INPUT)
    assert status == 400
    assert "no API" in server.publish_refused(model(2), "--replace", "nobody")
    for option in (("--type", "dedicated"), ("--id", "another"), ("--key", "k" * 20)):
        assert server.cli("publish", model(2), "--replace", api["id"], *option, expect=2)


def test_the_way_back(start_server, model):
    server = start_server("--versions-kept", "3")
    api = server.publish(model(1), "--type", "dedicated")
    labels = {1: api["version"]}
    for factor in (2, 3):
        labels[factor] = replace(server, api, model(factor))["version"]
    assert [(each["version"], each["serves"]) for each in versions(server, api)] == \
        [(labels[3], True), (labels[2], False), (labels[1], False)]
    back = server.cli("rollback", api["id"], "--json")
    assert (back["version"], back["replaced"]) == (labels[2], labels[3])
    assert factor_of(server, api) == (2, labels[2])
    server.cli("rollback", api["id"])
    assert factor_of(server, api) == (1, labels[1])
    assert "no older version" in server.cli("rollback", api["id"], expect=3)
    server.cli("rollback", api["id"], labels[3])
    assert factor_of(server, api) == (3, labels[3])
    assert "serves already" in server.cli("rollback", api["id"], labels[3], expect=7)
    assert "serves" in server.cli("versions", api["id"])
    # The fourth pushes the oldest out, with its files; a restart serves what served.
    before = blobs(server)
    labels[4] = replace(server, api, model(4))["version"]
    assert [each["version"] for each in versions(server, api)] == [labels[4], labels[3], labels[2]]
    eventually(lambda: len(blobs(server)) == len(before))
    assert "no version" in server.cli("rollback", api["id"], labels[1], expect=3)
    server.cli("rollback", api["id"], labels[2])
    server.stop()
    server.start()
    server.wait_until_running(api["id"])
    api["url"] = server.cli("show", api["id"], "--json")["url"]
    assert factor_of(server, api) == (2, labels[2])
    server.cli("delete", api["id"], "--yes")
    eventually(lambda: blobs(server) == set(), "a version's files were left behind")


def test_an_api_that_is_off_is_replaced_too(start_server, model):
    server = start_server()
    for kind in ("per-request", "dedicated"):
        api = server.publish(model(1), "--type", kind)
        server.cli("off", api["id"])
        label = replace(server, api, model(2))["version"]
        assert server.infer(api, INPUT)[0] == 503
        server.cli("on", api["id"])
        server.wait_until_running(api["id"])
        assert factor_of(server, api) == (2, label)


def test_a_crash_in_the_middle_leaves_one_version_or_the_other(start_server, model):
    server = start_server()
    api = server.publish(model(1))
    started = time.monotonic()
    replace(server, api, model(1))
    took_s = time.monotonic() - started
    serving = factor_of(server, api)
    outcomes = set()
    for factor in range(2, 14):
        client = subprocess.Popen([BIN / "noren", "publish", model(factor), "--replace", api["id"], "--json"],
                                  env=server.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        # From the first moment to one when the answer is there, whatever this machine takes for it.
        if factor < 13:
            time.sleep(took_s * (factor - 2) / 8)
        else:
            client.wait(60)
        server.process.kill()
        server.process.wait()
        said, _ = client.communicate(timeout=60)
        server.start()
        api["url"] = server.cli("show", api["id"], "--json")["url"]
        now = factor_of(server, api)
        assert now in (serving, (factor, now[1])), "neither the old version nor the new one"
        if said:
            assert json.loads(said)["version"] == now[1], "what was answered is durable"
        outcomes.add(now[0] == factor)
        serving = now
        listed = versions(server, api)
        assert [each["version"] for each in listed if each["serves"]] == [now[1]]
        assert blobs(server) == blobs_of_jobs(server), "a stray or a missing file"
    assert outcomes == {False, True}, "the crashes all came before, or all after the switch"
