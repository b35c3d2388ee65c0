"""The command line: what it prints, where, and how it ends."""
import json
import os
import signal
import subprocess

import models
import pytest
from conftest import BIN, eventually
from hostile import zygote_of
from test_life import ask
from test_samples import png_of

IRIS = "x=5,3.5,1.3,0.3"


def noren(*arguments, environment=None, folder=None):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NOREN_")}
    return subprocess.run([BIN / "noren", *map(str, arguments)], env={**clean, **(environment or {})},
                          cwd=folder, capture_output=True, text=True, timeout=120)


def test_publish_call_off_on_delete(server, samples):
    api = server.publish(samples / "iris.nnp", "--project", "花", "--name", "アヤメ")
    assert {"id", "url", "key", "type", "state"} <= set(api)
    assert (api["type"], api["state"], api["project"], api["name"]) == ("per-request", "running", "花", "アヤメ")
    assert all(isinstance(value, (str, int, bool)) for value in api.values()), "the object is flat"
    answer = server.cli("call", api["id"], IRIS, "--json")
    assert answer["outputs"][0]["name"] == "y" and answer["version"] == api["version"]
    assert server.cli("call", api["id"], IRIS).startswith("y  ")
    eventually(lambda: server.cli("show", api["id"], "--json")["successes"] == 2)
    assert server.cli("off", api["id"]) == f"{api['id']} is stopped\n"
    assert "stopped" in server.cli("call", api["id"], IRIS, expect=13)
    server.cli("on", api["id"])
    assert api["id"] in server.cli("list")
    server.cli("delete", api["id"], expect=2)
    server.cli("delete", api["id"], "--yes")
    assert "no API" in server.cli("show", api["id"], expect=3)
    assert api["id"] not in server.cli("list")


def test_a_file_is_sent_by_its_extension(server, tmp_path):
    api = server.publish(models.doubling(tmp_path / "picture.nnp", (1, 2, 2)))
    (tmp_path / "p.PNG").write_bytes(png_of(bytes([0, 51, 102, 255]), 2))
    (tmp_path / "p.json").write_text("[[0, 0.2], [0.4, 1.0]]")
    (tmp_path / "p.txt").write_text("1")
    picture = server.cli("call", api["id"], f"x=@{tmp_path}/p.PNG")
    assert [round(float(v), 5) for v in picture.split("  ")[1].split(", ")] == [0, 0.4, 0.8, 2]
    assert server.cli("call", api["id"], f"x=@{tmp_path}/p.json").startswith("y  0.0, 0.4")
    assert server.cli("call", api["id"], "x=[[0,0.2],[0.4,1]]").startswith("y  0.0, 0.4")
    assert "'txt'" in server.cli("call", api["id"], f"x=@{tmp_path}/p.txt", expect=2)
    assert "'abc'" in server.cli("call", api["id"], "x=1,abc", expect=2)
    assert "NAME=VALUE" in server.cli("call", api["id"], "x", expect=2)
    refused = server.cli("call", api["id"], "x=1", expect=2)
    assert "Invalid request" in refused and "4" in refused
    assert "Invalid API key" in server.cli("call", api["id"], "x=1", "--key", "wrong", expect=6)
    assert server.cli("call", api["url"], "--key", api["key"], "x=0,0.2,0.4,1").startswith("y  0.0, 0.4")


def test_the_server_is_found(start_server, samples, tmp_path):
    server = start_server()
    assert noren("list", folder=tmp_path).returncode == 2
    assert noren("list", "--data", server.data).returncode == 0
    assert noren("list", folder=server.folder).returncode == 0  # ./data/admin.json
    assert noren("list", environment={"NOREN_URL": server.url, "NOREN_TOKEN": server.token}).returncode == 0
    assert noren("list", "--url", server.url, "--token", server.token).returncode == 0
    assert noren("list", "--url", server.url, "--token", "wrong").returncode == 5
    nobody = noren("list", "--url", "http://127.0.0.1:1", "--token", "t")
    assert nobody.returncode == 13 and "127.0.0.1:1" in nobody.stderr and nobody.stdout == ""
    # The token of this folder's server is not shown to another one.
    assert noren("list", "--url", "http://127.0.0.1:1", folder=server.folder).returncode == 2


def test_json_is_alone_on_stdout(server, samples):
    done = subprocess.run([BIN / "noren", "publish", samples / "iris.nnp", "--json"],
                          env=server.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1 and json.loads(done.stdout)["id"]
    failed = subprocess.run([BIN / "noren", "show", "nothing", "--json"], env=server.environment(),
                            capture_output=True, text=True, timeout=60)
    assert failed.returncode == 3 and failed.stdout == "" and len(failed.stderr.splitlines()) == 1


@pytest.mark.parametrize("content,word", [(b"", "empty"), (b"no model at all", ""), (b"PK\x03\x04broken", ""),
                                          (b"\x08\x07", "")])
def test_what_is_no_model_is_refused_in_one_sentence(server, tmp_path, content, word):
    file = tmp_path / "bad.nnp"
    file.write_bytes(content)
    said = server.publish_refused(file)
    assert word in said and "internal" not in said.lower()
    assert not [job for job in server.ask("GET", "jobs")["jobs"] if job["file_name"] == "bad.nnp"]


def test_bad_names_ids_and_keys(server, samples):
    iris = samples / "iris.nnp"
    for option, value in (("--name", "a/b"), ("--project", "a|b"), ("--id", "a b"), ("--key", "short"),
                          ("--type", "shared"), ("--name", "x" * 256)):
        server.cli("publish", iris, option, value, expect=2)
    server.cli("publish", iris.parent / "none.nnp", expect=2)
    assert server.cli("publish", expect=2)
    jobs = server.ask("GET", "jobs")["jobs"]
    assert [job for job in jobs if job["name"] in ("a/b", "x" * 256)] == []


def test_names_need_not_be_unique(server, samples):
    one, two = (server.publish(samples / "iris.nnp", "--name", "twin") for _ in range(2))
    assert one["id"] != two["id"] and one["key"] != two["key"] and one["url"] != two["url"]
    server.cli("delete", one["id"], "--yes")
    assert server.cli("call", two["id"], IRIS)


def test_inspect_needs_no_server(samples):
    done = noren("inspect", samples / "iris.nnp", "--json", "--layers")
    assert done.returncode == 0, done.stderr
    model = json.loads(done.stdout)
    assert model["format"] == "nnp" and model["per_request"]["eligible"] is True
    assert model["executors"][0]["inputs"][0]["name"] == "x"
    assert model["statistics"]["CostParameter"] > 0 and model["layers"]
    text = noren("inspect", samples / "iris.nnp").stdout
    assert "Executor" in text and "CostParameter" in text
    missing = noren("inspect", "none.nnp")
    assert missing.returncode == 2 and "none.nnp" in missing.stderr


@pytest.mark.parametrize("verb", ["publish", "inspect", "import"])
def test_what_can_be_no_model_file_is_told_before_it_is_sent(verb, tmp_path):
    (tmp_path / "empty.nnp").touch()
    with open(tmp_path / "huge.nnp", "wb") as huge:
        huge.truncate(3 << 30)
    for name, status, words in (("none.nnp", 2, "no file"), ("empty.nnp", 2, "empty"),
                                ("huge.nnp", 10, "larger")):
        done = noren(verb, tmp_path / name)
        assert done.returncode == status and words in done.stderr and name in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1
    if verb != "import":
        folder = noren(verb, tmp_path)
        assert folder.returncode == 2 and "is a folder" in folder.stderr


def test_inspect_says_nothing_of_its_worker(samples):
    assert noren("inspect", samples / "iris.nnp").stderr == ""


def test_one_part_of_a_job_at_a_time():
    both = noren("job", "some", "--curves", "--evaluation")
    assert both.returncode == 2 and "--curves" in both.stderr and "--evaluation" in both.stderr


# A program that says hello as a worker does: a frame on descriptor 3, see src/link/frame.h.
GREETING = """#!/usr/bin/python3
import os, struct, time
words = [struct.pack("<I", len(text)) + text for text in (b"release", b"", {build!r})]
hello = struct.pack("<qI", 5, 4) + b"".join(words)
os.write(3, struct.pack("<BBHIQqII", 1, {kind}, 0, len(hello), 0, 0, 0, 0) + hello)
time.sleep(60)
"""


@pytest.mark.parametrize("worker,why", [
    ("nowhere", "is not there"), ("", "is not there"), ("file", "may not be executed"),
    ("/bin/true", "ended without a greeting"), ("/bin/cat", "ended without a greeting"),
    ("no_format", "can't be started"), ("other_build", "is of the build '0.0.1+other', and this is '"),
    ("other_frame", "does not speak as a worker does"), ("no_frame", "does not speak as a worker does")])
def test_a_server_without_its_worker_program_does_not_start(tmp_path, worker, why):
    (tmp_path / "file").write_text("no program")
    (tmp_path / "no_format").write_bytes(b"\x00 no program")
    (tmp_path / "other_build").write_text(GREETING.format(kind=2, build=b"0.0.1+other"))
    (tmp_path / "other_frame").write_text(GREETING.format(kind=13, build=b""))
    (tmp_path / "no_frame").write_text("#!/bin/sh\nyes >&3\n")
    for program in ("no_format", "other_build", "other_frame", "no_frame"):
        (tmp_path / program).chmod(0o755)
    done = noren("serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0",
                 "--worker", tmp_path / worker)
    assert 1 <= done.returncode <= 63 and done.stdout == ""
    # Beside it stands what another program says of our arguments.
    assert f"noren: the worker program '{tmp_path / worker}' {why}" in done.stderr, done.stderr
    assert "--worker" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_worker_program_that_is_replaced_while_the_server_runs_is_not_used(start_server, tmp_path, samples):
    def put(program):
        (tmp_path / "next").symlink_to(program)
        (tmp_path / "next").replace(tmp_path / "worker")

    (tmp_path / "other").write_text(GREETING.format(kind=2, build=b"0.0.1+other"))
    (tmp_path / "other").chmod(0o755)
    put(BIN / "noren-worker")
    server = start_server("--worker", tmp_path / "worker")
    api = server.publish(samples / "iris.nnp")
    put(tmp_path / "other")
    os.kill(zygote_of(server), signal.SIGKILL)
    eventually(lambda: server.log().count("is of the build '0.0.1+other'") >= 2)  # tried again and again
    assert server.process.poll() is None
    put(BIN / "noren-worker")
    eventually(lambda: ask(server, api) == 200)


def test_help_is_there_for_every_verb():
    text = noren("--help").stdout
    for verb in ("serve", "publish", "list", "show", "on", "off", "update", "delete", "versions", "rollback",
                 "call", "inspect", "import", "jobs", "job"):
        assert f"\n  {verb} " in text
        assert "Usage: noren " + verb in noren(verb, "--help").stdout
    assert noren().returncode == 2
    strange = noren("frobnicate", "--fast")
    assert strange.returncode == 2 and "no verb 'frobnicate'" in strange.stderr
    typo = noren("publish", "a.nnp", "--nmae", "x")
    assert typo.returncode == 2 and "--nmae x;" in typo.stderr
    assert "Excludes" not in noren("publish", "--help").stdout
    assert "--limit N" in noren("list", "--help").stdout
    assert noren("--version").stdout.startswith("noren ")
