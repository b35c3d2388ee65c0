"""Builds the networks of networks.py as .nnp files, written by hand: no reference package is needed."""
import io
import zipfile

import h5py
import numpy

from networks import INPUT_SHAPES, NETWORKS


def dims(name, values):
    return f"{name} {{ {' '.join(f'dim: {value}' for value in values)} }}"


class NnpBuilder:
    """Network text as it is built; shapes without the batch axis, by variable."""

    def __init__(self, weights, shape):
        self.weights, self.shapes, self.functions = weights, {"x": tuple(shape)}, []

    def function(self, kind, parameter, inputs, shape):
        name = f"v{len(self.functions)}"
        self.functions.append(f'function {{ name: "{name}" type: "{kind}" '
                              + " ".join(f'input: "{each}"' for each in inputs)
                              + f' output: "{name}" {parameter} }}')
        self.shapes[name] = tuple(shape)
        return name

    def convolution(self, x, name, inputs, outputs, kernel, padding=None, stride=None):
        padding, stride = padding or (0,) * len(kernel), stride or (1,) * len(kernel)
        sides = [(side + 2 * p - k) // s + 1
                 for side, p, k, s in zip(self.shapes[x][1:], padding, kernel, stride)]
        parameter = (f"convolution_param {{ base_axis: 1 {dims('pad', padding)} {dims('stride', stride)} "
                     f"{dims('dilation', [1] * len(kernel))} group: 1 }}")
        return self.function("Convolution", parameter, [x, name + "/W", name + "/b"], [outputs, *sides])

    def batch_norm(self, x, name, channels):
        parts = [f"{name}/{part}" for part in ("beta", "gamma", "mean", "var")]
        for part in parts:
            self.weights[part] = self.weights[part].reshape(1, channels, 1, 1)
        parameter = ("batch_normalization_param { axes: 1 decay_rate: 0.9 eps: 1e-05 batch_stat: false "
                     "no_scale: false no_bias: false }")
        return self.function("BatchNormalization", parameter, [x, *parts], self.shapes[x])

    def affine(self, x, name, inputs, outputs):
        inputs = [x, name + "/W", name + "/b"]
        return self.function("Affine", "affine_param { base_axis: 1 }", inputs, [outputs])

    def max_pool(self, x, kernel, padding=(0, 0), stride=None):
        stride = stride or kernel
        sides = [(side + 2 * p - k) // s + 1
                 for side, p, k, s in zip(self.shapes[x][1:], padding, kernel, stride)]
        parameter = (f"max_pooling_param {{ {dims('kernel', kernel)} {dims('stride', stride)} "
                     f"ignore_border: true {dims('pad', padding)} }}")
        return self.function("MaxPooling", parameter, [x], [self.shapes[x][0], *sides])

    def global_pool(self, x):
        axes = " ".join(f"axes: {axis}" for axis in range(2, len(self.shapes[x]) + 1))
        return self.function("Mean", f"mean_param {{ {axes} keep_dims: false }}", [x], self.shapes[x][:1])

    def relu(self, x):
        return self.function("ReLU", "relu_param { }", [x], self.shapes[x])

    def tanh(self, x):
        return self.function("Tanh", "", [x], self.shapes[x])

    def add(self, a, b):
        return self.function("Add2", "add2_param { }", [a, b], self.shapes[a])

    def flatten(self, x):
        return x  # what follows is an Affine, which takes all axes behind the batch's

    def softmax(self, x):
        return self.function("Softmax", "softmax_param { axis: 1 }", [x], self.shapes[x])


def network_text(name, build, result):
    variables = [f'variable {{ name: "{each}" type: "Buffer" {dims("shape", (-1, *shape))} }}'
                 for each, shape in build.shapes.items()]
    variables += [f'variable {{ name: "{each}" type: "Parameter" {dims("shape", value.shape)} }}'
                  for each, value in build.weights.items()]
    executor = (f'executor {{ name: "runtime" network_name: "{name}" '
                'data_variable { variable_name: "x" data_name: "x" } '
                f'output_variable {{ variable_name: "{result}" data_name: "y" }} '
                + " ".join(f'parameter_variable {{ variable_name: "{each}" }}' for each in build.weights)
                + " }")
    network = "\n".join([f'network {{ name: "{name}" batch_size: 1', *variables, *build.functions, "}"])
    return network + "\n" + executor + "\n"


def build_nnp(name, weights):
    """The file's bytes."""
    build = NnpBuilder(dict(weights), INPUT_SHAPES[name])
    text = network_text(name, build, NETWORKS[name](build, "x"))
    parameters = io.BytesIO()
    with h5py.File(parameters, "w") as file:
        for index, (key, value) in enumerate(build.weights.items()):
            data = file.create_dataset(key, data=value.astype(numpy.float32))
            data.attrs["index"], data.attrs["need_grad"] = index, True
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("nnp_version.txt", "0.1")
        members.writestr("network.nntxt", text)
        members.writestr("parameter.h5", parameters.getvalue())
    return archive.getvalue()
