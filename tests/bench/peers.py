"""The servers to compare with: nginx with a fixed answer, the bare program, and Python servers.

A peer that can't be there says so once and is left out.
"""
import os
import subprocess
import sys

from machine import BIN, BUILD, HERE, MODELS, Failed, end, free_port, pinned, wait_for

VENV = BUILD / "venv"
NAMES = ("iris", "lenet", "resnet", "audio")


def venv_python():
    python, stamp = VENV / "bin" / "python", VENV / "installed"
    requirements = HERE / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print("bench: installing the Python peers (once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
        stamp.write_text(requirements.read_text())
    return python


def make_models():
    stamp = MODELS / "made"
    names = ("make_models.py", "networks.py", "onnx_builder.py", "nnp_builder.py")
    sources = "".join((HERE / name).read_text() for name in names)
    if not stamp.exists() or stamp.read_text() != sources:
        subprocess.run([venv_python(), HERE / "make_models.py", MODELS], check=True)
        stamp.write_text(sources)


class Peer:
    """A server that takes what Noren takes, at /NAME."""

    def __init__(self, title, command):
        self.title, self.port = title, free_port()
        environment = dict(os.environ, BENCH_MODELS=str(MODELS), BENCH_NAMES=",".join(NAMES),
                           OMP_NUM_THREADS="1", ORT_DISABLE_TELEMETRY="1", PYTHONDONTWRITEBYTECODE="1")
        self.process = pinned(command(self.port), env=environment, stdout=subprocess.DEVNULL,
                              stderr=open(BUILD / f"{title.split()[0]}.log", "wb"))
        wait_for(self.port, self.process)

    def way(self, name):
        return {"path": "/" + name, "body": MODELS / f"{name}.json"}

    def stop(self):
        end(self.process)


class Nginx(Peer):
    """A static answer of the same size: what HTTP alone costs here."""

    def __init__(self, answer, folder, tls=None):
        self.tls = bool(tls)
        (folder / "iris").write_bytes(answer)
        # As root, nginx would change to a user that can't read the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        listen = "ssl; ssl_certificate {}; ssl_certificate_key {}".format(*tls) if tls else ""
        config = f"""{user} worker_processes 1; daemon off;
            pid {folder}/nginx.pid; error_log {folder}/nginx.log;
            events {{ worker_connections 4096; }}
            http {{ access_log off; keepalive_requests 100000000; open_file_cache max=10;
              client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
              uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
              server {{ listen 127.0.0.1:PORT {listen}; root {folder}; default_type application/json; }} }}"""

        def command(port):
            (folder / "nginx.conf").write_text(config.replace("PORT", str(port)))
            return ["nginx", "-p", folder, "-c", folder / "nginx.conf"]
        super().__init__("nginx, static file", command)

    def way(self, name):
        return {"path": "/iris", "tls": self.tls}


def bare():
    return Peer("bare Beast + ONNX Runtime", lambda port: [BIN / "noren_bare", "serve", port, MODELS])


def fastapi():
    return Peer("FastAPI + ONNX Runtime", lambda port: [venv_python(), HERE / "peer_fastapi.py", port])


def litserve():
    return Peer("LitServe", lambda port: [venv_python(), HERE / "peer_litserve.py", port])


def reference():
    """NOREN_NNABLA_PYTHON names a Python 3.10; the package and Flask go into an environment in build/."""
    named = os.environ.get("NOREN_NNABLA_PYTHON")
    if not named:
        raise Failed("set NOREN_NNABLA_PYTHON to a Python 3.10, which the reference package needs")
    environment = BUILD / "reference-venv"
    python, stamp = environment / "bin" / "python", environment / "installed"
    lists = [HERE / name for name in ("requirements-reference.txt", "requirements-flask.txt")]
    text = "".join(each.read_text() for each in lists)
    if not stamp.exists() or stamp.read_text() != text:
        subprocess.run([named, "-m", "venv", environment], check=True)
        # The reference asks for packages that serving a network does not use: its parts by name.
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps",
                        *(part for each in lists for part in ("-r", each))], check=True)
        stamp.write_text(text)
    return Peer("Flask + nnabla", lambda port: [python, HERE / "peer_reference.py", port])


def start_python_peers():
    """Those that start here; a line for each that does not."""
    started = []
    for start in (fastapi, litserve, reference):
        try:
            started.append(start())
        except (Failed, subprocess.CalledProcessError) as reason:
            print(f"bench: without {start.__name__}: {reason}", file=sys.stderr)
    return started
