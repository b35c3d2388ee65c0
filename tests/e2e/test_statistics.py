"""Network statistics, as `noren inspect --json` prints them: the official numbers by their official names."""
import json
import subprocess

import models
import pytest
from conftest import BIN
from test_import import SHARED

NAMES = ["Output", "CostParameter", "CostAdd", "CostMultiply", "CostMultiplyAdd", "CostDivision", "CostExp",
         "CostIf"]


def inspect(file, *options):
    done = subprocess.run([BIN / "noren", "inspect", file, "--json", *options], capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_names_order_and_layers(tmp_path):
    model = inspect(models.doubling(tmp_path / "m.nnp", (3, 5)), "--layers")
    assert list(model["statistics"]) == NAMES
    assert model["statistics"] == {**dict.fromkeys(NAMES, 0), "Output": 30, "CostMultiply": 15}
    assert [(row["name"], row["type"]) for row in model["layers"]] == [
        ("x", "Input"), ("MulScalar_y", "MulScalar")]
    for name in NAMES:
        assert sum(row[name] for row in model["layers"]) == model["statistics"][name]
    assert "layers" not in inspect(tmp_path / "m.nnp")


def test_trained_samples(samples):
    """By hand: products of each matrix, one addition a bias, three operations a softmax and so on."""
    iris = inspect(samples / "iris.nnp", "--layers")
    assert sum(row["CostParameter"] for row in iris["layers"]) == iris["statistics"]["CostParameter"]
    affine = [row for row in iris["layers"] if row["type"] == "Affine"]
    assert affine and iris["statistics"]["CostMultiplyAdd"] == sum(row["CostMultiplyAdd"] for row in affine)
    for row in affine:  # of batch 1: every weight is used once, every bias added once
        assert row["CostParameter"] == row["CostMultiplyAdd"] + row["CostAdd"]


def official():
    """(model, row of the table) of every shared network that comes with its model."""
    for suite in ("samples", "golden"):
        table = SHARED / "conformance" / suite / "statistics.tsv"
        if not table.exists():
            continue
        head, *lines = (line.split("\t") for line in table.read_text().splitlines())
        for line in lines:
            row = dict(zip(head, line))
            model = SHARED / "conformance" / suite / row["name"] / "model.nnp"
            if model.exists():
                yield model, row


@pytest.mark.skipif(not (SHARED / "conformance").exists(), reason="no shared conformance cases here")
def test_they_are_the_official_ones():
    compared = wrong = 0
    for model, row in official():
        statistics = inspect(model)["statistics"]
        for name in NAMES:
            if statistics[name] != int(float(row[name])):
                wrong += 1
                print(f"{row['name']}: {name} is {statistics[name]}, officially {row[name]}")
        compared += 1
    assert wrong == 0 and compared > 0
