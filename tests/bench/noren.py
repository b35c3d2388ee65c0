"""A Noren server under test, and how it is spoken to."""
import http.client
import json
import os
import ssl
import subprocess
import time

from machine import BIN, LOAD_CORE, MODELS, ROOT, Failed, SERVER_CORE, end, free_port, pinned, wait_for

# What is published for each network, and how: the file and the arguments of `noren publish`.
PUBLISHED = {
    "iris": (ROOT / "samples" / "iris.nnp", []),
    "lenet": (MODELS / "lenet.nnp", []),
    "resnet": (MODELS / "resnet.nnp", []),
    "audio": (MODELS / "audio.nnp", ["--type", "dedicated"]),
}


class Noren:
    """Keys, quota and metering on, as always: nothing is switched off to look faster."""
    title = "Noren"

    def __init__(self, folder, names=(), core=SERVER_CORE, tls=None, options=()):
        self.data, self.tls, self.core, self.options = folder / "data", tls, core, options
        self.log = open(folder / "noren.log", "ab")
        self.apis = {}
        self.start()
        for name in names:
            self.publish(name)

    def start(self, port=0):
        self.port = port or free_port()
        scheme = "https" if self.tls else "http"
        command = [BIN / "noren", "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}",
                   *self.options]
        if len(self.core.split(",")) == 1:
            command += ["--cpu-tokens", 1]
        if self.tls:
            command += ["--tls-cert", self.tls[0], "--tls-key", self.tls[1]]
        self.process = pinned(command, self.core, stderr=self.log)
        wait_for(self.port, self.process)
        admin = json.loads((self.data / "admin.json").read_text())
        self.environment = dict(os.environ, NOREN_URL=f"{scheme}://127.0.0.1:{self.port}",
                                NOREN_TOKEN=admin["token"])
        if self.tls:
            self.environment["NOREN_TLS_CA"] = str(self.tls[0])

    def run(self, *arguments, before=()):
        done = subprocess.run(list(map(str, [*before, BIN / "noren", *arguments])), env=self.environment,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"noren {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def publish(self, model, name=""):
        """`name` is what it is called here: one model may be published several times."""
        file, arguments = PUBLISHED[model]
        api = json.loads(self.run("publish", file, *arguments, "--json"))
        api["path"] = api["url"].split(str(self.port), 1)[1]
        api["body"] = MODELS / f"{model}.json"
        self.apis[name or model] = api
        self.call(name or model)
        return api

    def replace(self, model, name=""):
        """As `noren publish --replace` does it, but without a process of its own: to start one keeps the
        load's core in the kernel for some milliseconds, and in life the person is on another machine."""
        file, arguments = PUBLISHED[model]
        assert not arguments, "what else is said at publish is not passed on here"
        self.manage("POST", f"apis/{self.apis[name or model]['id']}/versions",
                    {"job": self.upload(file)["id"]})

    def upload(self, file):
        return self.manage("POST", f"jobs?kept=false&file_name={file.name}", file.read_bytes())

    def way(self, name):
        api = self.apis[name]
        return {"path": api["path"], "key": api["key"], "body": api["body"], "tls": bool(self.tls)}

    def connection(self, timeout=40):
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def call(self, name, connection=None):
        """Status, answer and milliseconds of one call."""
        api = self.apis[name]
        body = api["body"].read_bytes()
        own = connection or self.connection()
        start = time.perf_counter()
        own.request("POST", api["path"], body, {"x-api-key": api["key"], "Content-Type": "application/json"})
        answer = own.getresponse()
        text = answer.read()
        spent_ms = (time.perf_counter() - start) * 1000
        if not connection:
            own.close()
        return answer.status, text, spent_ms

    def manage(self, method, path, body=None):
        """The answer's object. `body` is bytes of a file, or what becomes JSON."""
        is_file = isinstance(body, bytes)
        own = self.connection(300)
        own.request(method, "/v1/management/" + path, body if is_file or body is None else json.dumps(body),
                    {"Authorization": "Bearer " + self.environment["NOREN_TOKEN"],
                     "Content-Type": "application/octet-stream" if is_file else "application/json"})
        answer = own.getresponse()
        text = answer.read()
        own.close()
        if answer.status >= 300:
            raise Failed(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text else None

    def stop(self):
        end(self.process)
