"""The samples answer through the API what training measured: the same predictions, the same accuracy."""
import base64
import json
import math
import zlib

import pytest
from hostile_files import png


def png_of(grey, side):
    """A grey picture of side x side as PNG, the values untouched."""
    rows = b"".join(b"\0" + grey[start : start + side] for start in range(0, len(grey), side))
    return png(side, side, pixels=zlib.compress(rows))


def inputs_of(sample):
    if sample["type"] == "vector":
        return [{"type": "vector", "data": row} for row in sample["rows"]]
    pictures = (png_of(bytes.fromhex(row), 8) for row in sample["grey_rows"])
    return [{"type": "png", "data": base64.encodebytes(picture).decode()} for picture in pictures]


def values_of(answer):
    assert [output["name"] for output in answer["outputs"]] == ["y"]
    return [float(value) for value in answer["outputs"][0]["data"].split(", ")]


@pytest.mark.parametrize("name", ["iris", "digits"])
def test_accuracy_is_what_training_measured(server, samples, name):
    sample = json.loads((samples / "samples.json").read_text())[name]
    api = server.publish(samples / sample["file"])
    answers = []
    for item in inputs_of(sample):
        status, answer = server.infer(api, [{"name": sample["input"], **item}], sample["executor"])
        assert status == 200, answer
        answers.append(values_of(answer))
    predicted = [answer.index(max(answer)) for answer in answers]
    assert predicted == sample["predicted"]
    hits = sum(guess == label for guess, label in zip(predicted, sample["labels"]))
    assert hits / sample["test_rows_count"] == sample["accuracy"]
    assert all(math.isclose(sum(answer), 1, abs_tol=1e-5) for answer in answers)
    assert answers[0] == pytest.approx(sample["first_answer"], rel=1e-4, abs=1e-6)
    server.cli("delete", api["id"], "--yes")


def test_the_readmes_picture_is_a_three(server, samples):
    api = server.publish(samples / "digits.nnp")
    values = values_of(server.cli("call", api["id"], f"x=@{samples}/three.png", "--json"))
    assert values.index(max(values)) == 3
    server.cli("delete", api["id"], "--yes")
