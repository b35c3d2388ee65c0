"""Writes what the benchmark sends and serves: make_models.py FOLDER

For each network NAME.onnx for the peers and NAME.nnp for Noren with the same weights (the iris sample's own;
random ones for the others: what they answer does not matter, what it costs does), NAME.npz with the weights,
and NAME.json, a request's body.
"""
import base64
import io
import json
import pathlib
import sys
import wave
import zipfile

import h5py
import numpy
import onnx
from PIL import Image, ImageDraw, ImageFilter

from networks import NETWORKS
from nnp_builder import build_nnp
from onnx_builder import build_onnx

ROOT = pathlib.Path(__file__).resolve().parents[2]


def iris_weights():
    archive = zipfile.ZipFile(ROOT / "samples/iris.nnp")
    with h5py.File(io.BytesIO(archive.read("parameter.h5"))) as parameters:
        values = {}
        parameters.visititems(
            lambda name, item: values.__setitem__(name, item[()]) if hasattr(item, "shape") else None)
    names = sorted({name.rsplit("/", 1)[0] for name in values})
    return {f"{ours}/{kind}": values[f"{theirs}/{kind}"] for ours, theirs in zip(("first", "second"), names)
            for kind in "Wb"}


def write_model(folder, name):
    model, weights = build_onnx(name, iris_weights() if name == "iris" else {})
    onnx.save(model, str(folder / f"{name}.onnx"))
    (folder / f"{name}.nnp").write_bytes(build_nnp(name, weights))
    numpy.savez(folder / f"{name}.npz", **weights)


def photograph():
    """Something between a flat area and noise, as photographs are."""
    random, side = numpy.random.default_rng(3), 224
    values = sum(numpy.kron(random.normal(size=(side // s + 1, side // s + 1, 3)),
                            numpy.ones((s, s, 1)))[:side, :side] * s ** 0.7 for s in (2, 8, 32, 112))
    pixels = numpy.clip(128 + values * 3, 0, 255).astype(numpy.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1)).save(file, "JPEG", quality=88)
    return file.getvalue()


def digit():
    """A seven, its edges soft as those of scanned digits."""
    image = Image.new("L", (28, 28))
    draw = ImageDraw.Draw(image)
    draw.line((6, 6, 21, 6), fill=255, width=3)
    draw.line((21, 6, 11, 23), fill=255, width=3)
    file = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(0.6)).save(file, "PNG")
    return file.getvalue()


def sound():
    time = numpy.arange(8000) / 8000
    values = (8000 * numpy.sin(2 * numpy.pi * 440 * time) * numpy.hanning(8000)).astype(numpy.int16)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(values.tobytes())
    return file.getvalue()


def body(kind, data):
    data = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    return json.dumps({"inputs": [{"name": "x", "type": kind, "data": data}]})


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        write_model(folder, name)
    bodies = {"iris": body("vector", [[5], [3.5], [1.3], [0.3]]), "lenet": body("png", digit()),
              "resnet": body("jpg", photograph()), "audio": body("wav", sound())}
    for name, text in bodies.items():
        (folder / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main()
