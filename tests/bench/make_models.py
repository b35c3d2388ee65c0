"""Writes what the benchmark sends and serves: make_models.py FOLDER

For each network NAME.onnx (the iris sample's own weights; random ones for the others: what they answer does
not matter, what it costs does), NAME.npz with the same weights, and NAME.json, a request's body.
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
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw, ImageFilter

from networks import INPUT_SHAPES, NETWORKS

ROOT = pathlib.Path(__file__).resolve().parents[2]


class OnnxBuilder:
    def __init__(self, given):
        self.nodes, self.weights, self.given = [], dict(given), bool(given)
        self.random = numpy.random.default_rng(7)

    def node(self, kind, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def weight(self, name, *shape, scale=None):
        if not self.given:
            spread = scale or 1 / numpy.sqrt(numpy.prod(shape[1:]) if len(shape) > 1 else 100)
            self.weights[name] = (self.random.standard_normal(shape) * spread).astype(numpy.float32)
        return name

    def constant(self, name, *shape, value):
        self.weights[name] = numpy.full(shape, value, numpy.float32)
        return name

    def convolution(self, x, name, inputs, outputs, kernel, padding=None, stride=None):
        padding, stride = padding or (0,) * len(kernel), stride or (1,) * len(kernel)
        weight, bias = self.weight(name + "/W", outputs, inputs, *kernel), self.weight(name + "/b", outputs)
        return self.node("Conv", x, weight, bias, pads=padding * 2, strides=stride, kernel_shape=kernel)

    def batch_norm(self, x, name, channels):
        return self.node("BatchNormalization", x, self.constant(name + "/gamma", channels, value=1),
                         self.weight(name + "/beta", channels), self.weight(name + "/mean", channels),
                         self.constant(name + "/var", channels, value=1))

    def affine(self, x, name, inputs, outputs):
        weight = self.weight(name + "/W", inputs, outputs, scale=1 / numpy.sqrt(inputs))
        return self.node("Gemm", x, weight, self.weight(name + "/b", outputs))

    def max_pool(self, x, kernel, padding=(0, 0), stride=None):
        return self.node("MaxPool", x, kernel_shape=kernel, strides=stride or kernel, pads=padding * 2)

    def global_pool(self, x):
        return self.node("GlobalAveragePool", x)

    def relu(self, x):
        return self.node("Relu", x)

    def tanh(self, x):
        return self.node("Tanh", x)

    def add(self, a, b):
        return self.node("Add", a, b)

    def flatten(self, x):
        return self.node("Flatten", x)

    def softmax(self, x):
        return self.node("Softmax", x, axis=1)


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
    build = OnnxBuilder(iris_weights() if name == "iris" else {})
    result = NETWORKS[name](build, "x")
    build.nodes[-1].output[0] = "y"
    shape = ["N", *INPUT_SHAPES[name]]
    classes = {"iris": 3, "lenet": 10, "resnet": 1000, "audio": 10}[name]
    assert result == f"v{len(build.nodes) - 1}"
    graph = helper.make_graph(
        build.nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(value, key) for key, value in build.weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(folder / f"{name}.onnx"))
    numpy.savez(folder / f"{name}.npz", **build.weights)


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
