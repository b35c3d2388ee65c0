"""Model files that mean harm: each is refused with one sentence that names the place, soon; the server keeps
its memory, the throw-away worker is gone, and the server goes on."""

import os
import pathlib
import re
import resource
import subprocess
import time

import hostile_archives
import hostile_networks
import hostile_onnx
import pytest
from conftest import BIN, eventually
from hostile import KEPT_KIB, children_of, memory_kib, server_memory_is_kept, zygote_of

REFUSAL_LIMIT_S = 60  # on a machine that is busy with other tests; most take a few ms


@pytest.fixture(scope="module")
def server(start_server_for_module):
    """A server that runs nothing: every worker that is there reads an upload."""
    server = start_server_for_module()
    # No reader of a test's file may take the machine's memory.
    resource.prlimit(zygote_of(server), resource.RLIMIT_DATA, (3 << 30, 3 << 30))
    return server


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left(server, samples):
    api = server.publish(samples / "iris.nnp")
    server.cli("delete", api["id"], "--yes")
    descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    with server_memory_is_kept(server):
        yield
    eventually(lambda: children_of(zygote_of(server)) == [], "a reader is left")
    eventually(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) <= descriptors + 2)
    assert server.cli("list", "--json")["apis"] == []


def refuse(server, path, place):
    started = time.monotonic()
    sentence = server.publish_refused(path)
    assert time.monotonic() - started < REFUSAL_LIMIT_S
    assert re.search(place, sentence), sentence
    assert len(sentence) < 1500 and "internal" not in sentence and "its reader fail" not in sentence, sentence
    eventually(lambda: children_of(zygote_of(server)) == [], "the reader is still there")
    return sentence


@pytest.mark.parametrize("name", hostile_archives.ARCHIVES)
def test_a_hostile_archive(server, tmp_path, name):
    data, place = hostile_archives.ARCHIVES[name]()
    (tmp_path / "hostile.nnp").write_bytes(data)
    refuse(server, tmp_path / "hostile.nnp", place)


@pytest.mark.parametrize("name", hostile_archives.HARMLESS)
def test_members_that_nobody_asks_for_are_left_alone(server, tmp_path, name):
    (tmp_path / "odd.nnp").write_bytes(hostile_archives.HARMLESS[name]())
    api = server.publish(tmp_path / "odd.nnp")
    status, _ = server.infer(api, [{"name": "x", "type": "vector", "data": [1]}])
    assert status == 200
    server.cli("delete", api["id"], "--yes")


@pytest.mark.parametrize("name", hostile_networks.NETWORKS)
def test_a_hostile_network(server, tmp_path, name):
    refuse(server, hostile_networks.write(name, tmp_path), hostile_networks.NETWORKS[name][1])


def test_a_parameter_file_that_kills_its_reader(server, samples, tmp_path):
    data = (pathlib.Path(__file__).parents[1] / "data" / "hostile" / "hdf5_heap.h5").read_bytes()
    hostile = hostile_networks.parameter_file(tmp_path / "heap.nnp", data, "parameter.h5")
    sentence = server.publish_refused(hostile)
    assert "the file made its reader fail, so it is refused" in sentence
    api = server.publish(samples / "iris.nnp")
    assert server.infer(api, [{"name": "x", "type": "vector", "data": [5.1, 3.5, 1.4, 0.2]}])[0] == 200
    server.cli("delete", api["id"], "--yes")


@pytest.mark.parametrize("name", hostile_onnx.MODELS)
def test_a_hostile_onnx_model(server, tmp_path, name):
    data, place = hostile_onnx.MODELS[name]
    (tmp_path / "hostile.onnx").write_bytes(data)
    refuse(server, tmp_path / "hostile.onnx", place)


@pytest.mark.parametrize("cut", [1, 10, 100, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("sample", ["iris.nnp", "digits.nnp"])
def test_a_model_that_is_cut_off(server, samples, tmp_path, sample, cut):
    data = (samples / sample).read_bytes()
    (tmp_path / sample).write_bytes(data[: int(len(data) * cut) if cut < 1 else cut])
    refuse(server, tmp_path / sample, "archive|zip|file|member")


# --- models that are sound and run badly --------------------------------------------------------------------

DEADLINE_S = 2


@pytest.fixture(scope="module")
def running(start_server_for_module):
    """A server with a short deadline, whose workers may have 1 GiB."""
    return start_server_for_module("--deadline", f"{DEADLINE_S}s", "--model-memory", "1GiB")


def publish_onnx(server, path, data):
    path.write_bytes(data)
    return server.publish(path)


def expect_error(result, status, code):
    assert result[0] == status, result
    assert result[1]["code"][:4] == code[:4] and result[1]["code"][6:] == code[6:]
    assert list(result[1]["data"]) == ["request_id"], "nothing internal is told"


def vector(*numbers):
    return [{"name": "x", "type": "vector", "data": list(numbers)}]


def test_a_loop_inside_one_operator_is_killed_at_the_deadline(running, tmp_path):
    api = publish_onnx(running, tmp_path / "loop.onnx", hostile_onnx.rounds_of_input())
    assert running.infer(api, vector(3, 1, 1, 1))[0] == 200
    with server_memory_is_kept(running):
        for _ in range(3):
            started = time.monotonic()
            expect_error(running.infer(api, vector(1e15, 1, 1, 1)), 504, "5041020101")
            assert DEADLINE_S <= time.monotonic() - started < DEADLINE_S + 10
            eventually(lambda: children_of(zygote_of(running)) == [], "the worker still burns")
    assert running.infer(api, vector(3, 1, 1, 1))[0] == 200


@pytest.mark.parametrize("model", ["length_of_input", "doubling_as_often_as_input"])
def test_memory_without_end_is_refused_to_the_worker_alone(running, tmp_path, model):
    api = publish_onnx(running, tmp_path / "memory.onnx", getattr(hostile_onnx, model)())
    wide = 4 if model.startswith("doubling") else 1
    assert running.infer(api, vector(*[3] * wide))[0] == 200
    with server_memory_is_kept(running):
        for _ in range(3):
            expect_error(running.infer(api, vector(*[60 if wide == 4 else 1e15] * wide)), 500, "5001020101")
    assert running.infer(api, vector(*[3] * wide))[0] == 200
    eventually(lambda: running.cli("show", api["id"], "--json")["successes"] == 2)


def test_an_answer_without_end_is_an_error(running, tmp_path):
    api = publish_onnx(running, tmp_path / "long.onnx", hostile_onnx.length_of_input())
    with server_memory_is_kept(running):
        status, answer = running.infer(api, vector(80_000_000))
        assert status in (500, 504) and list(answer["data"]) == ["request_id"]
    assert running.infer(api, vector(3))[0] == 200


def test_a_constant_that_asks_for_all_memory(running, tmp_path):
    path = tmp_path / "constant.onnx"
    path.write_bytes(hostile_onnx.expanding_to(1 << 20, 1 << 20))
    with server_memory_is_kept(running):
        assert "more memory than its limit allows" in running.publish_refused(path)


# --- a model whose trial never ends -------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def endless_publish(start_server_for_module, tmp_path_factory):
    """Begun before the other tests of this file and looked at behind them: an import may take two minutes."""
    server = start_server_for_module()
    path = tmp_path_factory.mktemp("endless") / "endless.onnx"
    path.write_bytes(hostile_onnx.endless())
    before = memory_kib(server.process.pid)
    publishing = subprocess.Popen(
        [BIN / "noren", "publish", path, "--json"],
        env=server.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    yield server, publishing, before
    publishing.kill()
    publishing.wait()


def test_an_import_without_end_is_killed_at_its_deadline(endless_publish):
    server, publishing, memory_before_kib = endless_publish
    out, sentence = publishing.communicate(timeout=300)
    assert 1 <= publishing.returncode <= 63 and out == "" and "in time" in sentence
    eventually(lambda: children_of(zygote_of(server)) == [], "the reader still burns")
    assert memory_kib(server.process.pid) < memory_before_kib + KEPT_KIB
