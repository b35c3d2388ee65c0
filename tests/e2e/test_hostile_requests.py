"""Requests that mean harm: each is answered with a clear 400 (or 413), soon, and the server goes on."""

import base64
import gzip
import json
import re
import threading
import time

import hostile_files
import models
import pytest
from conftest import ROOT, eventually
from hostile import memory_kib, server_memory_is_kept, workers_of

ANSWER_LIMIT_S = 20
MEBIBYTE = 1 << 20
INTERNAL = re.compile(
    r"/|memfd|\bpid\b|\b0x[0-9a-f]{4}|noren|libpng|libtiff|libjpeg|std::|gdcm|sndfile", re.I
)


@pytest.fixture(scope="module")
def server(start_server_for_module):
    return start_server_for_module()


@pytest.fixture(scope="module")
def picture_api(server, tmp_path_factory):
    file = models.doubling(tmp_path_factory.mktemp("models") / "picture.nnp", (1, 8, 8))
    api = server.publish(file, "--type", "dedicated")
    server.wait_until_running(api["id"])
    return api


@pytest.fixture(scope="module")
def sound_api(server, tmp_path_factory):
    file = models.doubling(tmp_path_factory.mktemp("models") / "sound.nnp", (50,))
    api = server.publish(file, "--type", "dedicated")
    server.wait_until_running(api["id"])
    return api


@pytest.fixture(scope="module", autouse=True)
def memory_stays(server, picture_api, sound_api):
    """Over all of this file's requests the server's own memory stays what it was."""
    for api in (picture_api, sound_api):  # whatever is made lazily is made before
        post(server, api, vector([1] * (64 if api is picture_api else 50)))
    with server_memory_is_kept(server):
        yield


def post(server, api, body, headers=None):
    started = time.monotonic()
    status, answer = server.request(
        "POST",
        api["url"],
        body,
        {"Content-Type": "application/json", "x-api-key": api["key"], **(headers or {})},
    )
    assert time.monotonic() - started < ANSWER_LIMIT_S
    return status, json.loads(answer)


def vector(data, **more):
    return json.dumps({"inputs": [{"name": "x", "type": "vector", "data": data, **more}]}).encode()


def with_file(kind, data):
    text = base64.b64encode(data).decode()
    return json.dumps({"inputs": [{"name": "x", "type": kind, "data": text}]}).encode()


def expect_invalid(result):
    status, answer = result
    assert status == 400, answer
    assert re.fullmatch("40010[23]0104", answer["code"]) and answer["message"] == "Invalid request"
    assert list(answer["data"]) == ["request_id", "detail"]
    detail = answer["data"]["detail"]
    assert 0 < len(detail.encode()) <= 1024 and len(detail.splitlines()) == 1
    assert not INTERNAL.search(detail), "an answer carries nothing internal"
    return detail


@pytest.mark.parametrize("name", hostile_files.FILES)
def test_a_hostile_picture(server, picture_api, name):
    kind, data = hostile_files.FILES[name]()
    assert "inputs" in expect_invalid(post(server, picture_api, with_file(kind, data)))


def test_a_picture_with_a_bomb_that_nobody_unpacks(server, picture_api):
    status, answer = post(server, picture_api, with_file("png", hostile_files.png_with_profile()))
    assert status == 200, answer


@pytest.mark.parametrize("name", hostile_files.SOUNDS)
def test_a_hostile_sound(server, sound_api, name):
    status, answer = post(server, sound_api, with_file("wav", hostile_files.SOUNDS[name]()))
    # A sound that ends early is filled with zeros; whatever else is wrong is said.
    assert status == 200 or "inputs" in expect_invalid((status, answer))


KILLERS = sorted((ROOT / "tests" / "data" / "hostile").glob("*.dcm"))


@pytest.mark.parametrize("file", KILLERS, ids=lambda file: file.stem)
def test_a_file_that_kills_its_decoder(server, tmp_path, file):
    """Its worker dies, its caller hears why, all others are answered, and a dedicated API does not fail."""
    picture = models.doubling(tmp_path / "picture.nnp", (1, 8, 8))
    picture_api = server.publish(picture, "--type", "dedicated")
    server.wait_until_running(picture_api["id"])
    body = with_file("dcm", file.read_bytes())
    before = workers_of(server)
    assert expect_invalid(post(server, picture_api, body)) == (
        "inputs: a file in the request could not be decoded"
    ), "the file does not kill its decoder any more"
    server.wait_until_running(picture_api["id"])
    assert workers_of(server) != before
    good = []
    caller = threading.Thread(
        target=lambda: good.extend(post(server, picture_api, vector([1] * 64))[0] for _ in range(200))
    )
    caller.start()
    for _ in range(8):  # more often than an instance may fail in a row
        status, answer = post(server, picture_api, body)
        assert status in (400, 503), answer  # 503: while its successor starts
    caller.join()
    server.wait_until_running(picture_api["id"])
    assert set(good) <= {200, 503} and 200 in good
    assert post(server, picture_api, vector([1] * 64))[0] == 200
    eventually(
        lambda: server.cli("show", picture_api["id"], "--json")["successes"]
        == good.count(200) + 1
    )


NUMBER = "1" * 1_000_000
JSON_BODIES = {
    "arrays_nested": b'{"inputs":' + b"[" * 1_000_000,
    "arrays_nested_and_closed": b'{"inputs":[{"name":"x","type":"vector","data":'
    + b"[" * 5000
    + b"1"
    + b"]" * 5000
    + b"}]}",
    "objects_nested": b'{"a":' * 500_000 + b"1" + b"}" * 500_000,
    "nested_beside_the_inputs": b'{"more":' + b"[" * 2000 + b"]" * 2000 + b',"inputs":[]}',
    "number_of_a_million_digits": vector([0]).replace(b"[0]", f"[{NUMBER},{NUMBER}]".encode()),
    "exponent_of_a_million_digits": vector([0]).replace(b"[0]", f"[1e{NUMBER}]".encode()),
    "exponent_below_all": vector([0]).replace(b"[0]", b"[1e-99999999999999999999]"),
    "infinity": vector([0]).replace(b"[0]", b"[Infinity, -Infinity, NaN]"),
    "numbers_without_end": vector([0]).replace(b"[0]", b"[" + b"0," * 4_000_000 + b"0]"),
    "inputs_without_end": b'{"inputs":[' + b'{"name":"x"},' * 500_000 + b"{}]}",
    "keys_without_end": b"{" + b'"a":1,' * 1_000_000 + b'"inputs":[]}',
    "one_key_twice": b'{"inputs":[],"inputs":[]}',
    "name_of_megabytes": vector([1], name="n" * 5_000_000),
    "text_not_utf_8": b'{"inputs":[{"name":"\xff\xfe","type":"vector","data":[1]}]}',
    "half_a_surrogate": b'{"inputs":[{"name":"\\ud800","type":"vector","data":[1]}]}',
    "zeros": bytes(1_000_000),
    "a_string_without_end": b'{"inputs":"' + b"a" * 5_000_000,
    "behind_the_end": vector([1] * 64) + b"}" * 1_000_000,
    "base64_of_nothing": with_file("png", b"").replace(b'""', b'"' + b"=" * 5_000_000 + b'"'),
    "base64_of_spaces": with_file("png", b"").replace(b'""', b'"' + b"\\n" * 4_000_000 + b'"'),
    "base64_of_garbage": with_file("png", b"").replace(b'""', b'"' + b"A" * 9_000_000 + b'"'),
    "base64_of_escapes": with_file("png", b"").replace(b'""', b'"' + b"\\u0041" * 1_000_000 + b'"'),
    "base64_escape_cut": with_file("png", b"").replace(b'""', b'"AAAA\\u00"'),
}


@pytest.mark.parametrize("name", JSON_BODIES)
def test_hostile_json(server, picture_api, name):
    expect_invalid(post(server, picture_api, JSON_BODIES[name]))


def gzip_bomb(mebibytes):
    return gzip.compress(bytes(mebibytes * MEBIBYTE), 9, mtime=0)


GZIP_BODIES = {
    "bomb": (gzip_bomb(300), 413),
    "bomb_in_a_bomb": (gzip.compress(gzip_bomb(300), mtime=0), 400),
    "members_without_end": (gzip.compress(b"", mtime=0) * 200_000, 400),
    "members_that_add_up": (gzip_bomb(10) * 10, 413),
    "cut_off": (gzip.compress(vector([1] * 64), mtime=0)[:-10], 400),
    "checksum_wrong": (gzip.compress(vector([1] * 64), mtime=0)[:-8] + bytes(8), 400),
    "garbage_behind": (gzip.compress(vector([1] * 64), mtime=0) + b"garbage", 400),
    "no_gzip": (vector([1] * 64), 400),
    "name_without_end": (b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 1_000_000, 400),
}


@pytest.mark.parametrize("name", GZIP_BODIES)
def test_hostile_gzip(server, picture_api, name):
    body, expected = GZIP_BODIES[name]
    status, answer = post(server, picture_api, body, {"Content-Encoding": "gzip"})
    assert status == expected, answer
    if status == 400:
        expect_invalid((status, answer))


def test_compressed_requests_that_fail_leave_no_memory(server, picture_api):
    bodies = [body for body, _ in GZIP_BODIES.values()]
    for body in bodies:
        post(server, picture_api, body, {"Content-Encoding": "gzip"})
    workers = workers_of(server)
    before = {worker: memory_kib(worker) for worker in workers}
    for _ in range(5):
        for body in bodies:
            post(server, picture_api, body, {"Content-Encoding": "gzip"})
    assert workers_of(server) == workers, "no worker died of it"
    for worker in workers:
        assert memory_kib(worker) < before[worker] + 32 * 1024


def test_good_requests_are_answered_after_all_that(server, picture_api):
    status, answer = post(server, picture_api, vector([1] * 64))
    assert status == 200, answer
    assert server.request("GET", "/readyz")[0] == 200
