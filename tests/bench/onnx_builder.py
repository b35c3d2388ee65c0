"""Builds the networks of networks.py as ONNX, with weights that are given or drawn from a fixed seed."""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from networks import CLASSES, INPUT_SHAPES, NETWORKS


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


def build_onnx(name, given):
    """The model, and its weights by name."""
    build = OnnxBuilder(given)
    NETWORKS[name](build, "x")
    build.nodes[-1].output[0] = "y"
    graph = helper.make_graph(
        build.nodes, name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *INPUT_SHAPES[name]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", CLASSES[name]])],
        [numpy_helper.from_array(value, key) for key, value in build.weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model, build.weights
