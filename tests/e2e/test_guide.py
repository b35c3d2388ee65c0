"""The starter guide's programs and its curl line get their answers."""
import base64
import json
import re
import struct
import subprocess
import sys
import wave

import guide
import models
import pytest
from test_samples import png_of

ANSWER = re.compile(r'\{"version":"\d{8}_\d{12}","outputs":\[\{"name":"y","data":"([^"]*)"\}\]\}\n?')
PYTHON = next((each for each in ("/usr/bin/python3", sys.executable)
               if subprocess.run([each, "-c", "import requests"], capture_output=True).returncode == 0), None)


def values_of(text):
    match = ANSWER.fullmatch(text)
    assert match, text
    return [float(value) for value in match[1].split(", ")]


@pytest.fixture
def answer_of(tmp_path):
    def run(program, api, file=""):
        if PYTHON is None:
            pytest.skip("python3-requests is not installed")
        path = tmp_path / "program.py"
        path.write_text(program.format(url=api["url"], key=api["key"], file=file))
        done = subprocess.run([PYTHON, path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return values_of(done.stdout)

    return run


@pytest.fixture
def grey_picture(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(png_of(bytes(range(16)), 4))
    return path


def test_numbers(server, samples, answer_of):
    api = server.publish(samples / "iris.nnp")
    answer = answer_of(guide.NUMBERS, api)
    assert len(answer) == 3 and sum(answer) == pytest.approx(1, abs=1e-5)


def test_a_picture(server, tmp_path, grey_picture, answer_of):
    api = server.publish(models.doubling(tmp_path / "picture.nnp", (1, 4, 4)))
    answer = answer_of(guide.PICTURE, api, grey_picture)
    assert answer == pytest.approx([2 * value / 255 for value in range(16)], abs=1e-6)


def test_a_sound(server, tmp_path, answer_of):
    api = server.publish(models.doubling(tmp_path / "sound.nnp", (8, 1)), "--type", "dedicated")
    sound = tmp_path / "data.wav"
    samples = [0, 8192, -8192, 16384, -16384, 32767, -32768, 1]
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 8000, len(samples), "NONE", ""))
        file.writeframes(struct.pack("<8h", *samples))
    answer = answer_of(guide.SOUND, api, sound)
    assert len(answer) == 8
    assert answer[1] == pytest.approx(-answer[2]) and answer[1] * 2 == pytest.approx(answer[3], rel=1e-3)


def test_several_inputs(server, tmp_path, grey_picture, answer_of):
    api = server.publish(models.two_inputs(tmp_path / "several.nnp", (1, 4, 4)))
    assert answer_of(guide.SEVERAL, api, grey_picture) == pytest.approx([7.5 / 255 + 0.25], abs=1e-6)


def test_curl(server, tmp_path, grey_picture):
    api = server.publish(models.doubling(tmp_path / "picture.nnp", (1, 4, 4)))
    data = tmp_path / "data.json"
    text = base64.encodebytes(grey_picture.read_bytes()).decode()
    body = {"executor": "Executor", "inputs": [{"name": "x", "type": "png", "data": text}]}
    data.write_text(json.dumps(body))
    done = subprocess.run(["curl", "-sS", "-H", f"x-api-key:{api['key']}", "-H",
                           "Content-Type:application/json", "-d", f"@{data}", api["url"]],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(values_of(done.stdout)) == 16


def test_an_old_id_and_key_change_nothing_but_the_host(server, samples, answer_of):
    old = {"id": "dasdfadfd", "key": "6626b3e4-1316-4b1a-b10b-6dsaf3dfsdab995d8"}
    api = server.publish(samples / "iris.nnp", "--id", old["id"], "--key", old["key"])
    assert api["url"] == f"{server.url}/v1/serverless/classifiers/{old['id']}/inference"
    assert api["key"] == old["key"]
    assert len(answer_of(guide.NUMBERS, api)) == 3
    server.cli("publish", samples / "iris.nnp", "--id", old["id"], expect=4)
    server.cli("delete", old["id"], "--yes")
    again = server.publish(samples / "iris.nnp", "--id", old["id"], "--key", old["key"])
    assert len(answer_of(guide.NUMBERS, again)) == 3
    server.cli("delete", old["id"], "--yes")
