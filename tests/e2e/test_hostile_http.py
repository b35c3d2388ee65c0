"""Who may call what, asked in every way that an attacker would: no path, written however, opens without its
credentials."""

import json
import re
import socket

import pytest
from conftest import ROOT
from hostile import server_memory_is_kept

REFUSED = {400, 401, 403, 404, 405}


def routes_of(document):
    """(method, path) of every route of an OpenAPI file."""
    found, path = [], None
    for line in (ROOT / "api" / document).read_text().splitlines():
        if match := re.fullmatch(r"  (/\S+):", line):
            path = match[1]
        elif match := re.fullmatch(r"    (get|post|put|patch|delete):", line):
            found.append((match[1].upper(), path))
    return found


MANAGEMENT = routes_of("management.yaml")
INFERENCE = routes_of("inference.yaml")


def spellings(path):
    """The same path as proxies, frameworks and attackers write it."""
    last = path.rsplit("/", 1)
    yield from (
        path,
        path + "/",
        path + "?x=1",
        path + "?token=x",
        "/" + path,
        path.replace("/v1/", "/v1//"),
        path.replace("/v1/", "/v1/./"),
        "/v1/../v1/" + path.removeprefix("/v1/"),
        path.upper(),
        path.replace("v1", "%761"),
        path.replace("/", "%2f"),
        "/healthz/.." + path,
        "/healthz/../" + path,
        path + ";a=b",
        path + "%00",
        path + "%20",
        last[0] + "%2F" + last[1],
        "/invocations",
        "/ping",
        "/v2" + path.removeprefix("/v1"),
        path.replace("/", "\\"),
        "http://127.0.0.1" + path,
    )


def raw(server, text):
    """One request as it is written, and its status."""
    host, port = server.url.split("//")[1].split(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.sendall(text)
        answer = connection.makefile("rb").readline()
    return int(answer.split()[1]) if answer else 0


def request(method, path, *headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", "Content-Length: 2", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n{}").encode()


@pytest.fixture(scope="module")
def api(server, samples):
    return server.publish(samples / "iris.nnp")


def test_there_are_routes_to_walk():
    assert len(MANAGEMENT) >= 12 and len(INFERENCE) == 2


@pytest.mark.parametrize("method, path", MANAGEMENT)
def test_no_management_route_opens_without_its_token(server, api, method, path):
    path = path.replace("{id}", api["id"])
    for spelling in spellings(path):
        for headers in (
            (),
            ("Authorization: Bearer wrong",),
            ("Authorization: Bearer",),
            ("Authorization: Basic YTpi",),
            (f"Authorization: {server.token}",),
            (f"x-api-key: {server.token}",),
            (f"x-api-key: {api['key']}",),
            (f"Authorization: Bearer {api['key']}",),
            ("X-Original-URL: /healthz", "X-Forwarded-For: 127.0.0.1"),
        ):
            status = raw(server, request(method, spelling, *headers))
            assert status in REFUSED, (spelling, headers)
    plain = raw(server, request(method, path))
    assert plain == 401, "the path as it stands asks for a token"
    assert server.cli("show", api["id"], "--json")["id"] == api["id"], "nothing was deleted"


@pytest.mark.parametrize("method, path", INFERENCE)
def test_no_inference_route_opens_without_its_key(server, api, method, path):
    for spelling in spellings(path.replace("{id}", api["id"])):
        for headers in (
            (),
            ("x-api-key:",),
            ("x-api-key: wrong",),
            (f"x-api-key: {server.token}",),
            (f"Authorization: Bearer {server.token}",),
            (f"Authorization: Bearer {api['key']}",),
            (f"x-api-key: {api['key'].upper()}",),
            (f"x-api-key: {api['key']}0",),
            (f"x-api-key: {api['key'][:-1]}",),
            ("x-api-key: wrong", f"x-api-key: {api['key']}x"),
        ):
            assert raw(server, request(method, spelling, *headers)) in REFUSED, (spelling, headers)


def test_listeners_serve_their_own_paths_only(start_server, samples):
    server = start_server("--admin-listen", "127.0.0.1:0")
    admin_url = server.url
    token = {"Authorization": f"Bearer {server.token}"}
    api = server.publish(samples / "iris.nnp")
    callers_url = api["url"].split("/v1/")[0]
    assert callers_url != admin_url
    for method, path in MANAGEMENT:
        for spelling in (path.replace("{id}", api["id"]), "/" + path.replace("{id}", api["id"])):
            assert server.request(method, callers_url + spelling, b"{}", token)[0] == 404, path
    for _, path in INFERENCE:
        status, _ = server.request(
            "POST", admin_url + path.replace("{id}", api["id"]), b"{}", {"x-api-key": api["key"]}
        )
        assert status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"name":"' + b"n" * 900_000 + b'"}',
        b'{"a":1e' + b"9" * 500_000 + b"}",
        b"\xff" * 1000,
        b'{"name":"\\ud800"}',
    ],
)
def test_hostile_json_for_the_management(server, body):
    with server_memory_is_kept(server):
        status, answer = server.request(
            "POST",
            "/v1/management/apis",
            body,
            {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"},
        )
        assert status in (400, 413, 422), answer
        assert len(json.loads(answer)["detail"]) < 1000


def test_bodies_that_are_never_sent_cost_no_memory(server, api):
    """A promise of the largest body that is taken, many times over, from callers with the right key."""
    path = "/" + api["url"].split("/", 3)[3]
    host, port = server.url.split("//")[1].split(":")
    with server_memory_is_kept(server):
        connections = []
        for _ in range(50):
            connection = socket.create_connection((host, int(port)), 20)
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {api['key']}\r\n"
                f"Content-Length: {10 << 20}\r\n\r\n{{".encode()
            )
            connections.append(connection)
        assert server.infer(api, [{"name": "x", "type": "vector", "data": [5, 3.5, 1.3, 0.3]}])[0] == 200
        for connection in connections:
            connection.close()


def test_many_small_chunks_are_cut_short(server, api):
    """What overflowed another server's stack: a chunk costs nothing but its bytes, and their number ends."""
    path = "/" + api["url"].split("/", 3)[3]
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {api['key']}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with server_memory_is_kept(server):
        assert raw(server, head.encode() + b"1\r\n \r\n" * 70_000 + b"0\r\n\r\n") == 400
        assert (
            raw(server, head.encode() + b"1\r\n \r\n" * 60_000 + b"0\r\n\r\n") == 400
        )  # a body of blanks: no JSON
        assert raw(server, head.encode() + b"ffffffffffffffff1\r\n") == 400


def test_an_upload_that_is_too_large_is_a_problem_like_others(server):
    head = (f"POST /v1/management/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n"
            f"Content-Length: {3 << 30}\r\nExpect: 100-continue\r\n\r\n")
    with socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=30) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 413 ") and "application/problem+json" in answer, answer
    assert json.loads(answer.split("\r\n\r\n", 1)[1])["code"] == "too_large"
