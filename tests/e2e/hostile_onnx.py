"""Hostile .onnx files, written field by field: the wire format of protobuf, and the numbers of onnx.proto."""

import struct

from hostile_networks import field, number

FLOAT, INT64, STRING = 1, 7, 8
MOST = (1 << 63) - 1


def integer(key, value):
    return number(key << 3) + number(value & (1 << 64) - 1)


def value_info(name, *dims, kind=FLOAT):
    shape = b"".join(field(1, integer(1, d)) for d in dims)
    return field(1, name.encode()) + field(2, field(1, integer(1, kind) + field(2, shape)))


def tensor(name, dims, kind=INT64, raw=None, more=b""):
    data = b"" if raw is None else field(9, raw)
    return b"".join(integer(1, d) for d in dims) + integer(2, kind) + field(8, name.encode()) + data + more


def numbers(name, *values):
    return tensor(name, (len(values),), raw=struct.pack(f"<{len(values)}q", *values))


def attribute(name, value):
    if isinstance(value, int):
        return field(1, name.encode()) + integer(3, value) + integer(20, 2)
    if isinstance(value, list):
        return field(1, name.encode()) + b"".join(integer(8, v) for v in value) + integer(20, 7)
    return field(1, name.encode()) + field(6, value) + integer(20, 5)  # a graph


def node(kind, inputs, outputs, **attributes):
    out = b"".join(field(1, name.encode()) for name in inputs)
    out += b"".join(field(2, name.encode()) for name in outputs) + field(
        3, f"the {kind} of {outputs[0]}".encode()
    )
    out += field(4, kind.encode())
    return out + b"".join(field(5, attribute(name, value)) for name, value in attributes.items())


def graph(nodes, inputs, outputs, initializers=()):
    return (
        b"".join(field(1, n) for n in nodes)
        + field(2, b"graph")
        + b"".join(field(5, i) for i in initializers)
        + b"".join(field(11, i) for i in inputs)
        + b"".join(field(12, o) for o in outputs)
    )


def model(nodes, inputs=None, outputs=None, initializers=(), opset=17, more=b""):
    inputs = [value_info("x", 1, 4)] if inputs is None else inputs
    outputs = [value_info("y")] if outputs is None else outputs
    return (
        integer(1, 8)
        + field(2, b"hostile")
        + field(7, graph(nodes, inputs, outputs, initializers))
        + field(8, integer(2, opset))
        + more
    )


def external(path, offset=b"0"):
    entry = field(13, field(1, b"location") + field(2, path))
    entry += field(13, field(1, b"offset") + field(2, offset)) + integer(14, 1)
    return tensor("w", (4,), FLOAT, more=entry)


def sparse(values):
    """The values of w, where they are not zero, in a tensor of their own."""
    add = graph([node("Add", ["x", "w"], ["y"])], [value_info("x", 1, 4)], [value_info("y")])
    add += field(15, field(1, values) + field(2, numbers("at", 0)) + integer(3, 4))
    return integer(1, 8) + field(7, add) + field(8, integer(2, 17))


def endless():
    """A loop of 2^62 rounds inside one operator."""
    body = graph(
        [node("Identity", ["going"], ["goes"]), node("Sin", ["before"], ["after"])],
        [value_info("round", kind=INT64), value_info("going", kind=9), value_info("before", 1, 4)],
        [value_info("goes", kind=9), value_info("after", 1, 4)],
    )
    return model(
        [node("Loop", ["rounds", "", "x"], ["y"], body=body)],
        outputs=[value_info("y", 1, 4)],
        initializers=[tensor("rounds", (), raw=struct.pack("<q", 1 << 62))],
    )


def rounds_of_input():
    """As many rounds as the first number of the input says."""
    body = graph(
        [node("Identity", ["going"], ["goes"]), node("Sin", ["before"], ["after"])],
        [value_info("round", kind=INT64), value_info("going", kind=9), value_info("before", 1, 4)],
        [value_info("goes", kind=9), value_info("after", 1, 4)],
    )
    return model(
        [
            node("ReduceMax", ["x"], ["most"], keepdims=0),
            node("Cast", ["most"], ["rounds"], to=INT64),
            node("Loop", ["rounds", "", "x"], ["y"], body=body),
        ],
        outputs=[value_info("y", 1, 4)],
    )


def expanding_to(*dims):
    """A constant says how large y is."""
    return model(
        [node("Expand", ["x", "size"], ["y"])],
        inputs=[value_info("x", 1, 1)],
        initializers=[numbers("size", *dims)],
    )


def length_of_input():
    """y is as long as the input says."""
    return model(
        [
            node("Cast", ["x"], ["size"], to=INT64),
            node("Reshape", ["size", "flat"], ["flat size"]),
            node("ConstantOfShape", ["flat size"], ["y"]),
        ],
        inputs=[value_info("x", 1, 1)],
        initializers=[numbers("flat", 1)],
    )


def doubling_as_often_as_input():
    """Each round makes the sum twice as long: memory is taken step by step."""
    body = graph(
        [node("Identity", ["going"], ["goes"]), node("Concat", ["before", "before"], ["after"], axis=1)],
        [value_info("round", kind=INT64), value_info("going", kind=9), value_info("before", 1, -1)],
        [value_info("goes", kind=9), value_info("after", 1, -1)],
    )
    return model(
        [
            node("ReduceMax", ["x"], ["most"], keepdims=0),
            node("Cast", ["most"], ["rounds"], to=INT64),
            node("Loop", ["rounds", "", "x"], ["long"], body=body),
            node("ReduceMax", ["long"], ["y"], keepdims=0),
        ]
    )


def nested_graphs(depth):
    inner = graph([node("Identity", ["x"], ["y"])], [], [value_info("y", 1, 4)])
    for _ in range(depth):
        inner = graph(
            [node("If", ["c"], ["y"], then_branch=inner, else_branch=inner if len(inner) < 500 else b"")],
            [],
            [value_info("y", 1, 4)],
        )
        if len(inner) > 4 << 20:
            break
    return model(
        [node("If", ["c"], ["y"], then_branch=inner)], inputs=[value_info("c", kind=9), value_info("x", 1, 4)]
    )


# name -> (bytes, what the one sentence must name)
MODELS = {
    "external_data": (
        model([node("Add", ["x", "w"], ["y"])], initializers=[external(b"/etc/passwd")]),
        "another file",
    ),
    "external_data_upwards": (
        model([node("Add", ["x", "w"], ["y"])], initializers=[external(b"../../etc/passwd", b"-1")]),
        "another file",
    ),
    "external_data_sparse": (sparse(external(b"/etc/passwd")), "another file|sparse"),
    "initializer_larger_than_its_data": (
        model(
            [node("Add", ["x", "w"], ["y"])], initializers=[tensor("w", (1 << 20, 1 << 20), FLOAT, b"abcd")]
        ),
        "w|",
    ),
    "initializer_shape_overflows": (
        model([node("Add", ["x", "w"], ["y"])], initializers=[tensor("w", (1 << 32, 1 << 32), FLOAT, b"")]),
        "w|",
    ),
    "initializer_shape_negative": (
        model([node("Add", ["x", "w"], ["y"])], initializers=[tensor("w", (-4,), FLOAT, bytes(16))]),
        "w|",
    ),
    "input_shape_overflows": (
        model([node("Relu", ["x"], ["y"])], inputs=[value_info("x", 1 << 32, 1 << 32)]),
        "x",
    ),
    "input_too_large": (
        model([node("Relu", ["x"], ["y"])], inputs=[value_info("x", 1, 100_000, 100_000)]),
        "x",
    ),
    "inputs_too_many": (
        model([node("Relu", ["x0"], ["y"])], inputs=[value_info(f"x{i}", 1, 4) for i in range(20_000)]),
        "inputs|",
    ),
    "outputs_too_many": (
        model(
            [node("Relu", ["x"], [f"y{i}"]) for i in range(20_000)],
            outputs=[value_info(f"y{i}", 1, 4) for i in range(20_000)],
        ),
        "outputs|",
    ),
    "cycle": (
        model([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]),
        "cycl|graph|b|a",
    ),
    "operator_unknown": (model([node("LaunchMissiles", ["x"], ["y"])]), "LaunchMissiles"),
    "opset_of_the_future": (model([node("Relu", ["x"], ["y"])], opset=10_000), "opset"),
    "opset_negative": (model([node("Relu", ["x"], ["y"])], opset=-5), "opset|"),
    "graphs_nested": (nested_graphs(5_000), "nest|deep|graph|"),
    "length_past_the_end": (field(7, b"abc", length=MOST), "ONNX|file"),
    "no_graph": (integer(1, 8), "graph|"),
    "garbage": (b"\xff" * 10_000, "ONNX|file"),
}
