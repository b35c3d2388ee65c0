"""Hostile networks: .nnp files that are sound archives, with a network in them that is not.

Each entry of NETWORKS: name -> (a function that writes the file, what the one sentence must name).
"""

import pathlib
import struct
import zipfile

import models

BILLION = 1_000_000_000
MOST = (1 << 63) - 1
LAYER = "layer.*|function.*"  # how a sentence names the place


def text_file(path, text, parameter=b"", parameter_name="parameter.protobuf"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nnp_version.txt", models.RULES)
        archive.writestr("network.nntxt", text)
        archive.writestr(parameter_name, parameter)
    return path


def dims(*numbers):
    return "".join(f"dim: {number}\n" for number in numbers)


def layer(kind, parameters="", x=(4,), y=(4,), inputs=("x",), more=None):
    """One layer between x and y."""
    body = models.block(parameter_block(kind), parameters) if parameters else ""
    variables = {"x": x, "y": y, **(more or {})}
    return lambda path: models.write_nnp(
        path, variables, [models.function(kind, inputs, "y", body)], ["x"], ["y"]
    )


def parameter_block(kind):
    """MaxPooling -> max_pooling_param."""
    words = "".join("_" + c.lower() if c.isupper() else c for c in kind).strip("_")
    return words.replace("one_hot", "one_hot") + "_param"


def named_shape(name, *numbers):
    return models.block(name, dims(*numbers))


def with_weight(kind, parameters, x, weight, y):
    """A layer with a parameter of a given shape, all of it declared and none of it there."""

    def write(path):
        network = (
            'name: "Main"\nbatch_size: 1\n' + models.variable("x", (-1, *x)) + models.variable("y", (-1, *y))
        )
        network += models.block("variable", 'name: "W"\ntype: "Parameter"\n' + models.shape(weight))
        network += models.function(kind, ("x", "W"), "y", models.block(parameter_block(kind), parameters))
        return text_file(path, models.block("network", network) + executor())

    return write


def executor(more=""):
    ports = models.block("data_variable", 'variable_name: "x"\ndata_name: "x"\n')
    ports += models.block("output_variable", 'variable_name: "y"\ndata_name: "y"\n')
    return models.block("executor", 'name: "Executor"\nnetwork_name: "Main"\n' + more + ports)


def chain(path, count, kind="ReLU", closed=False):
    """count layers, one after the other; closed: the last one feeds the first."""
    names = ["x", *(f"h{i}" for i in range(count - 1)), "y"]
    functions = [models.function(kind, (a,), b) for a, b in zip(names, names[1:])]
    if closed:
        functions.append(models.function("Add2", ("y", "y"), "h0"))
    return models.write_nnp(path, {name: (2,) for name in names}, functions, ["x"], ["y"])


def doubled(path, count):
    """A small text whose tensors double count times."""
    names = ["x", *(f"h{i}" for i in range(count - 1)), "y"]
    variables = {name: (4 << min(index, 40),) for index, name in enumerate(names)}
    functions = [
        models.function("Concatenate", (a, a), b, models.block("concatenate_param", "axis: 1\n"))
        for a, b in zip(names, names[1:])
    ]
    return models.write_nnp(path, variables, functions, ["x"], ["y"])


def loops(path, times, depth):
    """Loops in loops: times ** depth copies of one layer."""
    info = "".join(models.block("repeat_info", f'id: "r{i}"\ntimes: {times}\n') for i in range(depth))
    ids = "".join(f'repeat_id: "r{i}"\n' for i in range(depth))
    network = (
        'name: "Main"\nbatch_size: 1\n' + info + models.variable("x", (-1, 2)) + models.variable("y", (-1, 2))
    )
    network += models.block("variable", 'name: "h"\ntype: "Buffer"\n' + ids + models.shape((-1, 2)))
    network += models.function("ReLU", ("x",), "h", ids) + models.function("ReLU", ("h",), "y")
    return text_file(path, models.block("network", network) + executor())


def nested_text(path, depth):
    return text_file(path, "network { " * depth + "}" * depth)


def executors(path, count):
    head = models.write_nnp(
        path, {"x": (2,), "y": (2,)}, [models.function("ReLU", ("x",), "y")], ["x"], ["y"]
    )
    with zipfile.ZipFile(head) as archive:
        text = archive.read("network.nntxt").decode()
    more = "".join(executor().replace('"Executor"', f'"E{i}"') for i in range(count))
    return text_file(path, text + more)


def number(value):
    """A protobuf varint."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(key, payload, length=None):
    return number(key << 3 | 2) + number(len(payload) if length is None else length) + payload


def parameter_file(path, data, name="parameter.protobuf", weight=(2, 2)):
    network = 'name: "Main"\nbatch_size: 1\n' + models.variable("x", (-1, 2)) + models.variable("y", (-1, 2))
    network += models.block("variable", 'name: "W"\ntype: "Parameter"\n' + models.shape(weight))
    network += models.function("Affine", ("x", "W"), "y", models.block("affine_param", "base_axis: 1\n"))
    return text_file(path, models.block("network", network) + executor(), data, name)


def stored_parameter(name, numbers, values):
    shape = field(1, b"".join(number(n) for n in numbers))
    return field(
        100, field(1, name) + field(20, shape) + field(100, struct.pack(f"<{len(values)}f", *values))
    )


OVERFLOW = (1 << 32, 1 << 32)
PICTURE = (1, 8, 8)

NETWORKS = {
    # Shapes.
    "shape_dimension_overflows": (layer("ReLU", x=(MOST,), y=(MOST,)), "'?x'?|shape"),
    "shape_dimension_past_64_bits": (layer("ReLU", x=(1 << 70,), y=(1 << 70,)), "line|shape"),
    "shape_product_overflows": (layer("ReLU", x=OVERFLOW, y=OVERFLOW), "x|shape"),
    "shape_product_overflows_to_small": (layer("ReLU", x=(*OVERFLOW, 4), y=(4,)), "x|shape"),
    "shape_of_many_axes": (layer("ReLU", x=(1,) * 10_000, y=(1,) * 10_000), "x|shape|ax"),
    "shape_larger_than_memory": (layer("ReLU", x=(100_000, 100_000), y=(100_000, 100_000)), "x|shape"),
    "shape_negative": (layer("ReLU", x=(-5,), y=(-5,)), "x|shape"),
    # Arguments that make small files ask for much memory.
    "tile": (layer("Tile", "".join(f"reps: {n}\n" for n in (1, BILLION)), y=(4 * BILLION,)), LAYER),
    "tile_product_overflows": (layer("Tile", f"reps: {1 << 40}\nreps: {1 << 40}\n"), LAYER),
    "broadcast": (layer("Broadcast", named_shape("shape", 1, BILLION), x=(1,), y=(BILLION,)), LAYER + "|y"),
    "pad": (
        layer("Pad", f'pad_width: {BILLION}\npad_width: {BILLION}\nmode: "constant"\n', y=(4 + 2 * BILLION,)),
        LAYER + "|y",
    ),
    "pad_overflows": (layer("Pad", f'pad_width: {MOST}\npad_width: {MOST}\nmode: "constant"\n'), LAYER),
    "pad_negative": (layer("Pad", f'pad_width: {-MOST}\npad_width: {-MOST}\nmode: "constant"\n'), LAYER),
    "interpolate": (
        layer(
            "Interpolate",
            f'output_size: {BILLION}\noutput_size: {BILLION}\nmode: "linear"\n',
            PICTURE,
            (1, BILLION, BILLION),
        ),
        LAYER + "|y",
    ),
    "unpooling": (
        layer("Unpooling", named_shape("kernel", 1 << 20, 1 << 20), PICTURE, (1, 1 << 23, 1 << 23)),
        LAYER + "|y",
    ),
    "unpooling_overflows": (
        layer("Unpooling", named_shape("kernel", 1 << 40, 1 << 40), PICTURE, PICTURE),
        LAYER,
    ),
    "one_hot": (layer("OneHot", named_shape("shape", BILLION), x=(1,), y=(BILLION,)), LAYER + "|y"),
    "randn": (
        layer("Randn", named_shape("shape", 100_000, 100_000), inputs=(), y=(100_000, 100_000)),
        LAYER + "|y|x",
    ),
    "constant": (
        layer("Constant", "val: 1\n" + named_shape("shape", 1 << 31, 1 << 31), inputs=()),
        LAYER + "|y|x",
    ),
    "arange": (layer("Arange", "start: 0\nstop: 1e30\nstep: 1e-30\n", inputs=()), LAYER + "|y|x"),
    "linspace": (layer("Linspace", f"start: 0\nstop: 1\nnum: {MOST}\n", inputs=()), LAYER + "|y|x"),
    "doubled_40_times": (lambda path: doubled(path, 40), LAYER + "|h|y|x"),
    # Windows that do not fit.
    "kernel_larger_than_its_input": (
        layer(
            "MaxPooling",
            named_shape("kernel", 100, 100) + named_shape("stride", 1, 1) + "ignore_border: true\n",
            PICTURE,
            (1, 1, 1),
        ),
        LAYER,
    ),
    "kernel_overflows": (
        layer(
            "MaxPooling", named_shape("kernel", MOST, MOST) + named_shape("stride", 1, 1), PICTURE, (1, 1, 1)
        ),
        LAYER,
    ),
    "stride_zero": (
        layer("MaxPooling", named_shape("kernel", 2, 2) + named_shape("stride", 0, 0), PICTURE, (1, 4, 4)),
        LAYER,
    ),
    "stride_negative": (
        layer("MaxPooling", named_shape("kernel", 2, 2) + named_shape("stride", -1, -1), PICTURE, (1, 4, 4)),
        LAYER,
    ),
    "pad_of_a_window_overflows": (
        layer(
            "MaxPooling",
            named_shape("kernel", 2, 2) + named_shape("stride", 1, 1) + named_shape("pad", MOST, MOST),
            PICTURE,
            (1, 7, 7),
        ),
        LAYER,
    ),
    "dilation_overflows": (
        with_weight(
            "Convolution",
            "base_axis: 1\n" + named_shape("dilation", MOST, MOST),
            PICTURE,
            (1, 1, 3, 3),
            (1, 6, 6),
        ),
        LAYER + "|parameter|W",
    ),
    "group_zero": (
        with_weight("Convolution", "base_axis: 1\ngroup: 0\n", PICTURE, (1, 1, 3, 3), (1, 6, 6)),
        LAYER + "|parameter|W",
    ),
    "parameter_larger_than_its_file": (
        with_weight("Affine", "base_axis: 1\n", (4,), (BILLION, BILLION), (4,)),
        "W|parameter",
    ),
    "axis_outside": (layer("Concatenate", f"axis: {MOST}\n", inputs=("x", "x"), y=(8,)), LAYER),
    # Graphs.
    "cycle": (lambda path: chain(path, 5, closed=True), "cycle|twice|two|writ|h0"),
    "layer_unknown": (layer("LaunchMissiles"), "LaunchMissiles|line"),
    "layers_too_many": (lambda path: chain(path, 150_000), "layers|functions|100000|more than"),
    "loops_that_multiply": (lambda path: loops(path, 10_000, 16), "loop|repeat|layers|more than|h"),
    "loops_in_loops": (lambda path: loops(path, 2, 64), "loop"),
    "executors_too_many": (lambda path: executors(path, 20_000), "executor|network"),
    "evaluations_without_end": (
        lambda path: models.write_nnp(
            path, {"x": (1,), "y": (1,)}, [models.function("ReLU", ("x",), "y")], ["x"], ["y"], 1 << 60
        ),
        "evaluates",
    ),
    # Texts.
    "text_nested": (lambda path: nested_text(path, 100_000), "line 1|nest|deep"),
    "text_name_of_a_megabyte": (lambda path: layer("ReLU", inputs=("n" * (1 << 20),))(path), "name"),
    "text_with_zeros": (lambda path: text_file(path, "network {\0}"), "line 1"),
    # Parameters.
    "parameter_length_past_the_end": (
        lambda path: parameter_file(path, field(100, b"abc", length=(1 << 63) - 1)),
        "parameter",
    ),
    "parameter_length_of_ten_bytes": (
        lambda path: parameter_file(path, number(100 << 3 | 2) + b"\xff" * 9 + b"\x7f"),
        "parameter",
    ),
    "parameter_nested": (lambda path: parameter_file(path, nested_groups(20_000)), "parameter"),
    "parameter_shape_overflows": (
        lambda path: parameter_file(path, stored_parameter(b"W", (1 << 32, 1 << 32), [])),
        "parameter|W",
    ),
    "parameter_missing": (lambda path: parameter_file(path, b""), "W"),
    "parameter_h5_of_garbage": (
        lambda path: parameter_file(path, b"\x89HDF\r\n\x1a\n" + b"\xff" * 4096, "parameter.h5"),
        "parameter",
    ),
}


def nested_groups(depth):
    data = b""
    for _ in range(depth):
        data = field(100, data)
        if len(data) > 1 << 20:
            break
    return data


def write(name, folder):
    return NETWORKS[name][0](pathlib.Path(folder) / f"{name}.nnp")
