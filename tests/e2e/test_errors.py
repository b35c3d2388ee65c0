"""The table of errors of the inference API, over HTTP."""
import json
import re
import sqlite3

import models
import pytest

UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
IRIS = [{"name": "x", "type": "vector", "data": [5, 3.5, 1.3, 0.3]}]


def call(server, url, key=None, body=None):
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["x-api-key"] = key
    body = json.dumps({"inputs": IRIS}) if body is None else body
    status, answer = server.request("POST", url, body.encode(), headers)
    return status, answer.decode()


def expect(answer, status, code, error, message):
    assert answer[0] == status, answer
    body = json.loads(answer[1])
    assert list(body) == ["code", "error", "message", "data"]
    assert (body["code"], body["error"], body["message"]) == (code, error, message)
    assert UUID.fullmatch(body["data"]["request_id"])
    return body["data"]


@pytest.fixture(scope="module")
def api(server, samples):
    return server.publish(samples / "iris.nnp")


@pytest.fixture(scope="module")
def dedicated(server, samples):
    return server.publish(samples / "iris.nnp", "--type", "dedicated")


def test_no_key_a_wrong_key_and_an_unknown_id_are_the_same(server, api, dedicated):
    unknown = api["url"].replace(api["id"], "x" * 16)
    for url, key in ((api["url"], None), (api["url"], "wrong"), (api["url"], dedicated["key"]),
                     (unknown, api["key"]), (api["url"], ""), (api["url"], api["key"] + "0")):
        data = expect(call(server, url, key), 403, "4031020301", "ACCESS_DENIED", "Invalid API key")
        assert list(data) == ["request_id"]
    expect(call(server, dedicated["url"], "wrong"), 403, "4031030301", "ACCESS_DENIED", "Invalid API key")


def test_a_url_that_is_none_is_plain_text(server, api):
    near = (api["url"] + "/more", api["url"].replace("inference", "x"))
    for path in ("/", "/v1", "/v1/serverless/classifiers", *near):
        status, answer = call(server, path, api["key"])
        assert status == 404
        with pytest.raises(ValueError):
            json.loads(answer)


def test_the_other_types_path_says_so_to_whoever_has_the_key(server, api, dedicated):
    other = api["url"].replace("/serverless", "")
    status, answer = call(server, other, api["key"])
    assert status == 404 and "serverless" in answer
    expect(call(server, other, "wrong"), 403, "4031030301", "ACCESS_DENIED", "Invalid API key")
    status, answer = call(server, dedicated["url"].replace("/v1/", "/v1/serverless/"), dedicated["key"])
    assert status == 404


def test_a_get_is_405(server, api):
    assert server.request("GET", api["url"], headers={"x-api-key": api["key"]})[0] == 405


def vector(executor="", **input):
    """A body with one vector that is not quite what iris takes."""
    entry = {"name": "x", "type": "vector", "data": [1, 2, 3, 4], **input}
    return json.dumps({**({"executor": executor} if executor else {}), "inputs": [entry]})


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"inputs":[]}', '{"inputs":[{"name":"x"}]}',
                                  vector(data=[1, 2, 3]), vector(name="z"), vector(executor="No"),
                                  vector(type="wav", data="UklGRg=="), vector(type="dcm", data="RElDTQ==")])
def test_a_body_that_the_model_does_not_take(server, api, body):
    answer = call(server, api["url"], api["key"], body)
    data = expect(answer, 400, "4001020104", "BAD_REQUEST", "Invalid request")
    assert data["detail"]


def test_a_body_that_is_too_large(server, api):
    large = '{"inputs":' + " " * (10 * 1024 * 1024) + "[]}"
    answer = call(server, api["url"], api["key"], large)
    expect(answer, 413, "4131020101", "PAYLOAD_TOO_LARGE", "Request body is too large")


def test_off_is_503_and_on_answers_again(server, samples):
    for kind, type_digits in (("per-request", "02"), ("dedicated", "03")):
        api = server.publish(samples / "iris.nnp", "--type", kind)
        # A dedicated instance may still be going; a caller is told "stopped" at once.
        assert server.cli("off", api["id"], "--json")["state"] in ("stopping", "stopped")
        expect(call(server, api["url"], api["key"]), 503, f"5031{type_digits}0101",
               "SERVICE_UNAVAILABLE_ERROR", "status is not running (status: stopped)")
        expect(call(server, api["url"], "wrong"), 403, f"4031{type_digits}0301",
               "ACCESS_DENIED", "Invalid API key")
        server.cli("on", api["id"])
        server.wait_until_running(api["id"])
        assert call(server, api["url"], api["key"])[0] == 200


def test_what_takes_too_long_is_stopped(start_server, tmp_path):
    server = start_server("--deadline", "300ms")
    api = server.publish(models.slow(tmp_path / "slow.nnp", 1000))
    body = json.dumps({"inputs": [{"name": "x", "type": "vector", "data": [1]}]})
    expect(call(server, api["url"], api["key"], body), 504, "5041020101", "TIMEOUT",
           "Inference did not finish in time")
    assert server.cli("show", api["id"], "--json")["successes"] == 0


def test_the_free_requests_end_exactly(start_server, samples):
    server = start_server("--free-requests", "5")
    server.stop()
    with sqlite3.connect(server.data / "noren.db") as store:
        store.execute("UPDATE owners SET plan = 'free'")
    server.start()
    api = server.publish(samples / "iris.nnp")
    answers = [call(server, api["url"], api["key"]) for _ in range(8)]
    assert [status for status, _ in answers] == [200] * 5 + [403] * 3
    for answer in answers[5:]:
        expect(answer, 403, "4031020302", "ACCESS_DENIED", "Can not publish api")
    refused = server.cli("publish", samples / "iris.nnp", "--type", "dedicated", expect=6)
    assert "paid plan" in refused
