#!/usr/bin/env python3
"""The reference's side of ./do bench models; runs in a Python 3.10 environment (requirements-reference.txt).

    reference.py make FOLDER    writes NAME.nnp, NAME.onnx (its own export), NAME.input, NAME.output
    reference.py time FOLDER    answers each line "NAME SECONDS" with the nanoseconds of one forward run
"""
import pathlib
import sys
import time
import zipfile

import nnabla as nn
import nnabla.functions as F
import nnabla.parametric_functions as PF
import numpy as np
from google.protobuf import text_format
from nnabla.logger import logger
from nnabla.utils import nnabla_pb2, nnp_graph
from nnabla.utils.converter.nnabla import NnpImporter
from nnabla.utils.converter.onnx import OnnxExporter
from nnabla.utils.save import save

BATCH_STATISTICS_SEED = 20


def affine_net(x):
    return F.softmax(PF.affine(F.tanh(PF.affine(x, 8, name="a1")), 3, name="a2"))


def lenet(x):
    h = F.tanh(F.max_pooling(PF.convolution(x, 16, (5, 5), name="c1"), (2, 2)))
    h = F.tanh(F.max_pooling(PF.convolution(h, 30, (5, 5), name="c2"), (2, 2)))
    return F.softmax(PF.affine(F.tanh(PF.affine(h, 150, name="a1")), 10, name="a2"))


def normalized(h, name):
    return PF.batch_normalization(h, batch_stat=False, name=name)


def convolution(h, channels, size, name, stride=1):
    pad = size // 2
    h = PF.convolution(h, channels, (size, size), pad=(pad, pad), stride=(stride, stride), with_bias=False,
                       name=name)
    return normalized(h, name)


def residual(h, channels, stride, name):
    left = F.relu(convolution(h, channels, 3, name + "a", stride))
    left = convolution(left, channels, 3, name + "b")
    right = convolution(h, channels, 1, name + "d", stride) if stride == 2 else h
    return F.relu(left + right)


def resnet18(x):
    h = F.relu(convolution(x, 64, 7, "c1", 2))
    h = F.max_pooling(h, (3, 3), stride=(2, 2), pad=(1, 1))
    for stage, channels in enumerate((64, 128, 256, 512)):
        for block in range(2):
            stride = 2 if block == 0 and stage > 0 else 1
            h = residual(h, channels, stride, f"s{stage}b{block}")
    return F.softmax(PF.affine(F.average_pooling(h, (7, 7)), 1000, name="fc"))


def separable(h, channels, stride, name):
    h = PF.depthwise_convolution(h, (3, 3), pad=(1, 1), stride=(stride, stride), with_bias=False,
                                 name=name + "d")
    h = F.relu6(normalized(h, name + "d"))
    return F.relu6(convolution(h, channels, 1, name + "p"))


def mobilenet(x):
    h = F.relu6(convolution(x, 32, 3, "c1", 2))
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    blocks += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    for index, (channels, stride) in enumerate(blocks):
        h = separable(h, channels, stride, f"b{index}")
    return F.softmax(PF.affine(F.global_average_pooling(h), 1000, name="fc"))


def double_convolution(h, channels, name):
    for turn in "ab":
        h = F.relu(convolution(h, channels, 3, name + turn))
    return h


def unet(x):
    h, kept = x, []
    for level, channels in enumerate((16, 32, 64)):
        h = double_convolution(h, channels, f"down{level}")
        kept.append(h)
        h = F.max_pooling(h, (2, 2))
    h = double_convolution(h, 128, "bottom")
    for level, channels in reversed(list(enumerate((16, 32, 64)))):
        h = PF.deconvolution(h, channels, (2, 2), stride=(2, 2), name=f"up{level}")
        h = double_convolution(F.concatenate(F.relu(normalized(h, f"up{level}")), kept[level]), channels,
                               f"up{level}")
    return F.sigmoid(PF.convolution(h, 1, (1, 1), name="mask"))


LAYERS = {"iris": ((1, 4), affine_net), "lenet": ((1, 1, 28, 28), lenet),
          "resnet18": ((1, 3, 224, 224), resnet18), "mobilenet": ((1, 3, 224, 224), mobilenet),
          "unet": ((1, 1, 128, 128), unet)}
STEPS, FEATURES, HIDDEN = 28, 28, 64


class Loop:
    """A network of the console's recurrent units: a part that is repeated, with delays and parameters."""

    def __init__(self):
        self.file = nnabla_pb2.NNablaProtoBuf()
        self.network = self.file.network.add(name="network", batch_size=1)
        self.network.repeat_info.add(id="R", times=STEPS)
        self.parameters = {}

    def variable(self, name, shape, repeat="R", kind="Buffer"):
        variable = self.network.variable.add(name=name, type=kind)
        variable.shape.dim.extend(shape)
        if repeat:
            variable.repeat_id.append(repeat)

    def parameter(self, name, shape):
        self.variable(name, shape, None, "Parameter")
        limit = 1 / np.sqrt(shape[0]) if len(shape) > 1 else 0.1
        self.parameters[name] = np.random.uniform(-limit, limit, shape).astype(np.float32)

    def function(self, kind, inputs, output, shape, repeat="R", **arguments):
        self.variable(output, shape, repeat)
        function = self.network.function.add(name=output, type=kind, input=inputs, output=[output])
        if repeat:
            function.repeat_id.append(repeat)
        has_own = kind in ("Affine", "Concatenate", "Slice", "Softmax")
        snake = kind.lower() if has_own else "recurrent"
        for key, value in arguments.items():
            field = getattr(function, snake + "_param")
            if isinstance(value, list):
                getattr(field, key).extend(value)
            else:
                setattr(field, key, value)
        return output

    def affine(self, source, name, inputs, outputs, repeat="R"):
        self.parameter(name + "/W", (inputs, outputs))
        self.parameter(name + "/b", (outputs,))
        return self.function("Affine", [source, name + "/W", name + "/b"], name, (-1, outputs), repeat,
                             base_axis=1)

    def start(self):
        self.variable("x", (-1, STEPS, FEATURES), None)
        return self.function("RecurrentInput", ["x"], "step", (-1, FEATURES), axis=1, repeat_id="R")

    def delay(self, source, name):
        self.variable(name + "_initial", (-1, HIDDEN), None)
        return self.function("Delay", [source, name + "_initial"], name, (-1, HIDDEN), repeat_id="R")

    def gate(self, kind, source, name, inputs=FEATURES + HIDDEN):
        affine = self.affine(source, name + "_affine", inputs, HIDDEN)
        return self.function(kind, [affine], name, (-1, HIDDEN))

    def two(self, kind, a, b, name):
        return self.function(kind, [a, b], name, (-1, HIDDEN))

    def finish(self, path, last, states):
        """The last step's answer decides: the console's usual end of such a network."""
        self.function("RecurrentOutput", [last], "steps", (-1, STEPS, HIDDEN), None, axis=1, repeat_id="R",
                      length=STEPS)
        self.function("Slice", ["steps"], "last", (-1, 1, HIDDEN), None, start=[STEPS - 1, 0],
                      stop=[STEPS, HIDDEN], step=[1, 1])
        self.affine("last", "logits", HIDDEN, 10, None)
        self.function("Softmax", ["logits"], "y", (-1, 10), None, axis=1)
        executor = self.file.executor.add(name="runtime", network_name="network")
        executor.data_variable.add(variable_name="x", data_name="x")
        for state in states:
            executor.generator_variable.add(variable_name=state + "_initial", type="Constant", multiplier=0)
        executor.output_variable.add(variable_name="y", data_name="y")
        for name, values in self.parameters.items():
            executor.parameter_variable.add(variable_name=name)
            parameter = self.file.parameter.add(variable_name=name, need_grad=True)
            parameter.shape.dim.extend(values.shape)
            parameter.data.extend(values.flatten())
        write_nnp(path, self.file)


def write_nnp(path, file):
    parameters = nnabla_pb2.NNablaProtoBuf()
    parameters.parameter.extend(file.parameter)
    del file.parameter[:]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nnp_version.txt", "0.1\n")
        archive.writestr("network.prototxt", text_format.MessageToString(file))
        archive.writestr("parameter.protobuf", parameters.SerializeToString())


def lstm(path):
    loop = Loop()
    step = loop.start()
    state, memory = loop.delay("h_next", "h"), loop.delay("c_next", "c")
    both = loop.function("Concatenate", [state, step], "both", (-1, FEATURES + HIDDEN), axis=1)
    new = loop.gate("Tanh", both, "new")
    enter, forget, leave = (loop.gate("Sigmoid", both, name) for name in ("enter", "forget", "leave"))
    kept = loop.two("Mul2", forget, memory, "kept")
    entered = loop.two("Mul2", enter, new, "entered")
    memory = loop.two("Add2", kept, entered, "c_next")
    shown = loop.function("Tanh", [memory], "shown", (-1, HIDDEN))
    loop.finish(path, loop.two("Mul2", leave, shown, "h_next"), ["h", "c"])


def gru(path):
    loop = Loop()
    step = loop.start()
    state = loop.delay("h_next", "h")
    both = loop.function("Concatenate", [state, step], "both", (-1, FEATURES + HIDDEN), axis=1)
    reset, update = (loop.gate("Sigmoid", both, name) for name in ("reset", "update"))
    old = loop.two("Mul2", reset, state, "old")
    mixed = loop.function("Concatenate", [old, step], "mixed", (-1, FEATURES + HIDDEN), axis=1)
    new = loop.gate("Tanh", mixed, "new")
    change = loop.two("Sub2", new, state, "change")
    changed = loop.two("Mul2", update, change, "changed")
    loop.finish(path, loop.two("Add2", state, changed, "h_next"), ["h"])


LOOPS = {"lstm": lstm, "gru": gru}


def spread_statistics():
    """Normalizations of a fresh network do nothing: give them what a trained one has."""
    random = np.random.RandomState(BATCH_STATISTICS_SEED)
    for name, parameter in nn.get_parameters(grad_only=False).items():
        if "/bn/" in name:
            low, high = (-0.3, 0.3) if name.endswith(("mean", "beta")) else (0.5, 1.5)
            parameter.d = random.uniform(low, high, parameter.shape)


def make_layers(name, path):
    nn.clear_parameters()
    shape, network = LAYERS[name]
    x = nn.Variable(shape)
    y = network(x)
    spread_statistics()
    contents = {"name": "network", "batch_size": 1, "outputs": {"y": y}, "names": {"x": x}}
    executor = {"name": "runtime", "network": "network", "data": ["x"], "output": ["y"]}
    save(str(path), {"networks": [contents], "executors": [executor]})


def export(path):
    OnnxExporter(NnpImporter(str(path), expand_network=True).execute(), 1, -1).execute(
        str(path.with_suffix(".onnx")))


def load(path):
    nn.clear_parameters()
    network = nnp_graph.NnpLoader(str(path)).get_network("network", batch_size=1)
    for name, variable in network.inputs.items():
        if name.endswith("_initial"):
            variable.d = 0
    return network.inputs["x"], network.outputs["y"]


def make(folder):
    for index, name in enumerate([*LAYERS, *LOOPS]):
        np.random.seed(index)
        path = folder / f"{name}.nnp"
        LOOPS[name](path) if name in LOOPS else make_layers(name, path)
        x, y = load(path)
        x.d = np.random.uniform(-1, 1, x.shape)
        y.forward()
        (folder / f"{name}.input").write_bytes(np.float32(x.d).tobytes())
        (folder / f"{name}.output").write_bytes(np.float32(y.d).tobytes())
        try:
            export(path)
        except Exception as problem:  # whatever the exporter trips over: the column has a gap then
            print(f"{name}: the reference's exporter fails: {problem}", file=sys.stderr)


def forward_ns(y, seconds):
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter_ns()
        y.forward(clear_buffer=True)
        times.append(time.perf_counter_ns() - start)
    return sorted(times)[len(times) // 2]


def serve_times(folder):
    loaded = {}
    for line in sys.stdin:
        name, seconds = line.split()
        if name not in loaded:
            loaded[name] = load(folder / f"{name}.nnp")
            x = loaded[name][0]
            x.d = np.fromfile(folder / f"{name}.input", np.float32).reshape(x.shape)
        print(forward_ns(loaded[name][1], float(seconds)), flush=True)


if __name__ == "__main__":
    logger.setLevel("WARNING")
    {"make": make, "time": serve_times}[sys.argv[1]](pathlib.Path(sys.argv[2]))
