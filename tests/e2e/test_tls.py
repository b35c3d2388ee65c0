"""TLS and the two listeners: who may be asked what, and where."""
import http.client
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
from conftest import BIN, Server, eventually
from test_errors import IRIS


def make_certificate(folder, name):
    """A self-signed certificate for 127.0.0.1 in folder/cert.pem and folder/key.pem, put in place whole."""
    for part in ("cert", "key"):
        assert not (folder / f"{part}.new").exists()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", folder / "key.new", "-out", folder / "cert.new"],
                   check=True, capture_output=True)
    os.replace(folder / "key.new", folder / "key.pem")
    os.replace(folder / "cert.new", folder / "cert.pem")
    return folder / "cert.pem", folder / "key.pem"


class TlsServer(Server):
    """A server behind a certificate of its own, which its own programs trust."""

    def __init__(self, folder, *options):
        self.certificate, self.key = make_certificate(folder, "first")
        super().__init__(folder, "--tls-cert", self.certificate, "--tls-key", self.key, *options)

    def environment(self):
        return {**super().environment(), "NOREN_TLS_CA": str(self.certificate)}

    def request(self, method, path, body=None, headers=None, timeout_s=60):
        url = path if "://" in path else self.url + path
        request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
        trust = ssl.create_default_context(cafile=self.certificate)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s, context=trust) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def subject(self):
        """The name on the certificate that a new connection is shown."""
        host, port = self.url.removeprefix("https://").split(":")
        pem = ssl.get_server_certificate((host, int(port)))
        shown = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, text=True, check=True,
                               capture_output=True)
        return shown.stdout.strip().rsplit(" ", 1)[-1]


@pytest.fixture
def tls_server(tmp_path):
    server = TlsServer(tmp_path)
    yield server.start()
    server.stop()


def test_an_api_over_https(tls_server, samples):
    api = tls_server.publish(samples / "iris.nnp")
    assert api["url"].startswith("https://")
    status, answer = tls_server.infer(api, IRIS)
    assert status == 200 and answer["outputs"][0]["name"] == "y"
    large = [{**IRIS[0], "data": "x" * 300_000}]  # more than a TLS record, and a body in a memory file
    assert tls_server.infer(api, large)[0] == 400
    said = tls_server.cli("call", api["id"], "x=5,3.5,1.3,0.3", "--json")
    assert said["outputs"][0]["data"] == answer["outputs"][0]["data"]


def test_who_does_not_trust_the_certificate_is_told(tls_server):
    done = subprocess.run([BIN / "noren", "list"], env=Server.environment(tls_server), text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 13 and "certificate" in done.stderr


def test_plain_http_on_the_tls_port_gets_no_answer(tls_server):
    connection = http.client.HTTPConnection(tls_server.url.removeprefix("https://"), timeout=20)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("GET", "/healthz")
        connection.getresponse()
    assert tls_server.request("GET", "/healthz")[0] == 200


def test_a_renewed_certificate_is_taken_without_a_restart(tls_server, samples):
    api = tls_server.publish(samples / "iris.nnp")
    assert tls_server.subject() in ("first", "CN=first")
    make_certificate(tls_server.folder, "second")
    eventually(lambda: tls_server.subject().endswith("second"), "the new certificate was not taken")
    assert tls_server.infer(api, IRIS)[0] == 200
    # Half of a pair is no pair: the one that works stays.
    tls_server.key.write_text("no key")
    eventually(lambda: "tls" in tls_server.log() and "not" in tls_server.log().rsplit("tls", 1)[1],
               "nothing was said about the broken key")
    assert tls_server.subject().endswith("second")
    assert tls_server.infer(api, IRIS)[0] == 200


@pytest.mark.parametrize("wrong", ["no-cert", "no-key", "other-key", "half"])
def test_files_that_are_no_certificate_are_named(tmp_path, wrong):
    certificate, key = make_certificate(tmp_path, "one")
    options = {"no-cert": ["--tls-cert", tmp_path / "none.pem", "--tls-key", key],
               "no-key": ["--tls-cert", certificate, "--tls-key", certificate],
               "other-key": ["--tls-cert", certificate, "--tls-key", tmp_path / "other" / "key.pem"],
               "half": ["--tls-cert", certificate]}[wrong]
    if wrong == "other-key":
        (tmp_path / "other").mkdir()
        make_certificate(tmp_path / "other", "two")
    done = subprocess.run([BIN / "noren", "serve", "--data", tmp_path / "d", "--listen", "127.0.0.1:0",
                           *options], capture_output=True, text=True, timeout=60)
    assert 1 <= done.returncode <= 63 and "internal" not in done.stderr
    assert "tls" in done.stderr or ".pem" in done.stderr


def test_the_admin_listener_keeps_the_management_api_to_itself(start_server, samples):
    server = start_server("--admin-listen", "127.0.0.1:0")
    api = server.publish(samples / "iris.nnp")
    assert not api["url"].startswith(server.url)  # admin.json names the listener of the management API
    assert server.infer(api, IRIS)[0] == 200
    bearer = {"Authorization": f"Bearer {server.token}"}
    callers = api["url"].split("/v1/")[0]
    assert server.request("GET", "/v1/management/me", headers=bearer)[0] == 200
    assert server.request("GET", f"{callers}/v1/management/me", headers=bearer)[0] == 404
    path = api["url"].removeprefix(callers)
    body = json.dumps({"inputs": IRIS}).encode()
    assert server.request("POST", server.url + path, body, {"x-api-key": api["key"]})[0] == 404
    for base in (server.url, callers):
        assert server.request("GET", f"{base}/healthz")[0] == 200


def test_the_public_url_is_what_people_are_given(start_server, samples):
    server = start_server("--public-url", "https://models.example.org/noren/")
    api = server.publish(samples / "iris.nnp")
    assert api["url"] == f"https://models.example.org/noren/v1/serverless/classifiers/{api['id']}/inference"
