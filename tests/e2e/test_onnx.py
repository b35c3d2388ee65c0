"""Plain ONNX models: published as they are, called like any other, refused in one sentence.

The cases come from tests/data/onnx/make_cases.py, with the reference evaluator's values.
"""
import base64
import json
import math
import pathlib
import struct
import wave

import pytest

CASES = json.loads((pathlib.Path(__file__).resolve().parents[1] / "data" / "onnx" / "cases.json").read_text())


def values_of(data):
    """An answer's data: a list of texts as it is, else the numbers of its one text."""
    if isinstance(data, list):
        return data
    return [float(number) if "." in number or not number.lstrip("-").isdigit() else int(number)
            for number in data.split(", ")] if data else []


def is_same(given, wanted):
    if isinstance(wanted, float):
        return isinstance(given, float) and (math.isclose(given, wanted, rel_tol=1e-5, abs_tol=1e-6) or
                                             math.isnan(given) and math.isnan(wanted))
    return type(given) is type(wanted) and given == wanted


@pytest.fixture
def model_file(tmp_path):
    def write(model):
        path = tmp_path / "model.onnx"
        path.write_bytes(base64.b64decode(model))
        return path

    return write


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(server, model_file, case):
    path = model_file(case["model"])
    options = [option for rule in case["rules"] for option in ("--input", rule)]
    if "refused" in case:
        sentence = server.publish_refused(path, *options)
        assert case["refused"] in sentence and "internal" not in sentence, sentence
        return
    api = server.publish(path, *options)
    status, answer = server.infer(api, case["inputs"])
    if "invalid" in case:
        assert status == 400 and case["invalid"] in answer["data"]["detail"], answer
    else:
        assert status == 200, answer
        assert [output["name"] for output in answer["outputs"]] == [name for name, _ in case["outputs"]]
        for output, (name, wanted) in zip(answer["outputs"], case["outputs"]):
            given = values_of(output["data"])
            assert len(given) == len(wanted) and all(map(is_same, given, wanted)), (name, given, wanted)
    server.cli("delete", api["id"], "--yes")


def case_named(name):
    return next(case for case in CASES if case["name"] == name)


def test_inspect_says_how_a_file_becomes_an_input(server, model_file):
    told = case_named("mean and deviation")
    model = server.cli("inspect", model_file(told["model"]), "--input", told["rules"][0], "--json")
    image = model["executors"][0]["inputs"][0]["image"]
    assert image["layout"] == "channels-first" and image["colours"] == "rgb"
    assert image["scale"] == pytest.approx([1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225])
    assert image["offset"] == pytest.approx([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    text = server.cli("inspect", model_file(case_named("said by the standard's metadata")["model"]))
    assert "a picture becomes blue, green, red, channels first, height 2, width 3" in text
    assert "as said by metadata Image.BitmapPixelFormat" in text


def test_inspect_says_whose_values_a_map_has(server, model_file):
    classifier = case_named("a classifier with texts as labels")
    model = server.cli("inspect", model_file(classifier["model"]), "--json")
    probabilities = model["executors"][0]["outputs"][1]
    assert probabilities["labels"] == ["a", "b", "c"]
    assert probabilities["type"] == "sequence(map(string,float32))"


def test_statistics_count_initializers_at_each_node_that_uses_them(server, model_file):
    product = case_named("an operator of ONNX Runtime's own")
    model = server.cli("inspect", model_file(product["model"]), "--json")
    assert model["statistics"]["CostParameter"] == 9 and model["per_request"]["eligible"]
    assert server.cli("inspect", model_file(case_named("unused initializers")["model"]),
                      "--json")["statistics"]["CostParameter"] == 0


def sound(path, channels, samples):
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, 8000, 0, "NONE", ""))
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return base64.b64encode(path.read_bytes()).decode()


@pytest.mark.parametrize("name, rule, channels, wanted", [
    ("one free axis, flat", "audio:unit", 1, [0.5, -0.25]),
    ("one free axis, flat", "audio", 2, [4096.0]),
    ("free axes, nested", "audio", 2, [16384.0, -8192.0]),
])
def test_a_sound(server, model_file, tmp_path, name, rule, channels, wanted):
    api = server.publish(model_file(case_named(name)["model"]), "--type", "dedicated", "--input", f"x={rule}")
    server.wait_until_running(api["id"])
    data = sound(tmp_path / "sound.wav", channels, [16384, -8192])
    status, answer = server.infer(api, [{"name": "x", "type": "wav", "data": data}])
    assert status == 200, answer
    assert values_of(answer["outputs"][0]["data"]) == [max(value, 0.0) for value in wanted]
    server.cli("delete", api["id"], "--yes")
