#!/usr/bin/env python3
"""Makes cases.json: small ONNX models with requests and the answers that they must get (needs onnx and numpy).

    make_cases.py

A case has a model (base64), the rules that it is published with, and either `refused` (a part of the one
sentence that publishing answers), or a request with `outputs` (name and values, in order) or `invalid` (a part of
the detail). The values are those of onnx's reference evaluator, which shares no code with the engine; where it
does not know an operator, or a file is decoded first, they stand here in numbers.
"""
import base64
import json
import pathlib
import struct
import zlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

FOLDER = pathlib.Path(__file__).resolve().parent
FLOAT, DOUBLE, INT, BOOL, TEXT = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.BOOL,
                                  TensorProto.STRING)
HALF, BRAIN = TensorProto.FLOAT16, TensorProto.BFLOAT16
ML, OURS, CONTRIB, LOCAL = "ai.onnx.ml", "noren", "com.microsoft", "local"
CASES = []
node = helper.make_node


def port(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def const(name, values, kind=numpy.float32):
    return numpy_helper.from_array(numpy.array(values, dtype=kind), name)


def model_of(nodes, inputs, outputs, constants=(), opset=17, ir_version=8, domains=(), functions=(), metadata=None,
             **graph_parts):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants), **graph_parts)
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, version) for name, version in domains)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=ir_version, functions=list(functions))
    helper.set_model_props(model, metadata or {})
    return model


def shown(values):
    """The values of one output, as the contract has them: numbers flattened, texts as they are."""
    if isinstance(values, dict):
        return [float(values[key]) for key in sorted(values)]
    if isinstance(values, list):
        return [number for each in values for number in shown(each)]
    flat = numpy.asarray(values).reshape(-1)
    if flat.dtype.kind in "OSU":
        return [str(each) for each in flat]
    return [int(each) for each in flat] if flat.dtype.kind in "iu" else [float(each) for each in flat]


def add(name, model, inputs=None, outputs=None, refused=None, invalid=None, rules=()):
    """`inputs`: name -> an array, or (type, data) of a file. `outputs`: name -> values, where they are known."""
    case = {"name": name, "rules": list(rules), "model": base64.b64encode(model.SerializeToString()).decode()}
    if refused is not None:
        case["refused"] = refused
    else:
        files = {key: value for key, value in inputs.items() if isinstance(value, tuple)}
        case["inputs"] = [{"name": key, "type": value[0], "data": value[1]} if key in files else
                          {"name": key, "type": "vector", "data": numpy.asarray(value).tolist()}
                          for key, value in inputs.items()]
    if invalid is not None:
        case["invalid"] = invalid
    elif refused is None:
        if outputs is None:
            assert not files, name
            names = [output.name for output in model.graph.output]
            outputs = dict(zip(names, ReferenceEvaluator(model).run(None, inputs)))
        case["outputs"] = [[key, shown(value)] for key, value in outputs.items()]
    CASES.append(case)


X = numpy.array([[1, -2, 3]], dtype=numpy.float32)
x, y = port("x", ["batch", 3]), port("y", ["batch", 3])
RELU = [node("Relu", ["x"], ["y"])]


def versions():
    for opset in (7, 9, 11, 13, 15, 18, 21, 23):
        add(f"opset {opset}", model_of(RELU, [x], [y], opset=opset), {"x": X})
    for version in (3, 4, 10, 11):
        add(f"IR version {version}", model_of(RELU, [x], [y], ir_version=version), {"x": X})
    old = [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["n"], epsilon=0.0),
           node("Upsample", ["n", "z"], ["u"], mode="nearest"), node("Flatten", ["u"], ["f"]),
           node("Gemm", ["f", "w", "c"], ["g"]), node("Softmax", ["g"], ["y"])]
    add("opset 9's own operators", model_of(
        old, [port("x", [1, 1, 1, 2])], [port("y", [1, 2])],
        [const("s", [2]), const("b", [1]), const("m", [1]), const("v", [4]), const("z", [1, 1, 1, 2]),
         const("w", [[1, 0], [0, 1], [0, 0], [0, 0]]), const("c", [0, 0])], opset=9),
        {"x": [[[[1, 3]]]]}, {"y": [0.5, 0.5]})
    add("opset of the future", model_of(RELU, [x], [y], opset=999), refused="the model uses opset 999 of ai.onnx")
    add("IR of the future", model_of(RELU, [x], [y], ir_version=999), refused="the model's IR version is 999")
    scaler = [node("Scaler", ["x"], ["y"], domain=ML)]
    add("ml opset of the future", model_of(scaler, [x], [y], domains=[(ML, 99)]), refused="opset 99 of ai.onnx.ml")


def types():
    nodes = [node("Cast", ["x"], ["d"], to=DOUBLE), node("Cast", ["x"], ["i"], to=INT),
             node("Greater", ["x", "zero"], ["b"]), node("Cast", ["x"], ["h"], to=HALF)]
    outputs = [port("d", ["batch", 3], DOUBLE), port("i", ["batch", 3], INT), port("b", ["batch", 3], BOOL),
               port("h", ["batch", 3], HALF)]
    add("several outputs of several types", model_of(nodes, [x], outputs, [const("zero", [0])]),
        {"x": numpy.array([[1.5, -2, 0.1]], dtype=numpy.float32)})
    same = [node("Identity", ["x"], ["y"])]
    for kind, numbers in ((DOUBLE, [0.1, 1e300]), (INT, [9007199254740993, -2**63]), (TensorProto.UINT64, [2**64 - 1]),
                          (TensorProto.INT8, [-128, 127]), (BOOL, [True, False])):
        array = numpy.array(numbers, dtype=helper.tensor_dtype_to_np_dtype(kind))
        add(f"{TensorProto.DataType.Name(kind).lower()} in and out",
            model_of(same, [port("x", [len(numbers)], kind)], [port("y", [len(numbers)], kind)]), {"x": array})
    add("float16 in and out", model_of(RELU, [port("x", [3], HALF)], [port("y", [3], HALF)]), {"x": [0.1, 0, -1]},
        {"y": [0.0999755859375, 0.0, 0.0]})
    add("bfloat16 in and out", model_of([node("Cast", ["x"], ["y"], to=BRAIN)], [port("x", [2], BRAIN)],
                                        [port("y", [2], BRAIN)]), {"x": [0.1, 3]}, {"y": [0.10009765625, 3.0]})
    add("texts in and out", model_of(same, [port("x", ["n", 2], TEXT)], [port("y", ["n", 2], TEXT)]),
        {"x": numpy.array([['a"', "é"]], dtype=object)})
    missing = [node("IsNaN", ["x"], ["y"])]
    add("missing values", model_of(missing, [port("x", [3])], [port("y", [3], BOOL)]),
        {"x": ("vector", ["nan", 1, "-inf"])}, {"y": [1.0, 0.0, 0.0]})
    eighth = TensorProto.FLOAT8E4M3FN
    add("float8 out", model_of([node("Cast", ["x"], ["y"], to=eighth)], [x], [port("y", ["batch", 3], eighth)], opset=19),
        refused="output 'y' has the element type float8e4m3fn")


def shapes():
    scaled = [node("Mul", ["x", "k"], ["y"])]
    add("a scalar input", model_of(scaled, [x, port("k", [])], [y]), {"x": X, "k": numpy.float32(2)})
    total = [node("ReduceSum", ["x"], ["y"], keepdims=0)]
    add("no shape at all", model_of(total, [port("x", None)], [port("y", None)]),
        {"x": numpy.array([[1, 2], [3, 4]], dtype=numpy.float32)})
    add("an axis of length zero", model_of(total, [port("x", [0, 3])], [port("y", None)]),
        {"x": numpy.zeros((0, 3), numpy.float32)})
    free = model_of(RELU, [port("x", ["batch", "rows", "columns"])], [port("y", None)])
    add("free axes, nested", free, {"x": [[1, -2], [3, 4]]}, {"y": [1.0, 0.0, 3.0, 4.0]})
    add("free axes, flat", free, {"x": [1, 2]}, invalid="several axes of this input are free (?x?)")
    add("one free axis, flat", model_of(RELU, [port("x", ["batch", "length"])], [port("y", None)]), {"x": [1, -2]},
        {"y": [1.0, 0.0]})
    add("time first", model_of([node("ReduceSum", ["x", "axes"], ["s"], keepdims=0),
                                node("Cast", ["l"], ["f"], to=FLOAT), node("Add", ["s", "f"], ["y"])],
                               [port("x", ["time", "b", 2]), port("l", ["b"], INT)], [port("y", None)],
                               [const("axes", [0, 2], numpy.int64)]),
        {"x": numpy.array([[[1, 2]], [[3, 4]]], dtype=numpy.float32), "l": numpy.array([5])})
    add("an output of any length", model_of([node("NonZero", ["x"], ["y"])], [x], [port("y", [2, None], INT)]),
        {"x": numpy.array([[1, 0, 3]], dtype=numpy.float32)})
    add("an output of no length", model_of([node("NonZero", ["x"], ["y"])], [x], [port("y", [2, None], INT)]),
        {"x": numpy.zeros((1, 3), numpy.float32)})
    add("two samples in one request", model_of(RELU, [x], [y]), {"x": [[1, 2, 3], [4, 5, 6]]},
        invalid="3 numbers expected (3), 6 given")
    add("a whole number is asked for", model_of([node("Identity", ["x"], ["y"])], [port("x", [1], INT)], [port("y", [1], INT)]),
        {"x": [1.5]}, invalid="a whole number is expected")
    add("nothing goes in", model_of([node("Constant", [], ["y"], value=const("", [1, 2]))], [], [port("y", [2])]), {})
    add("the run says why it fails",
        model_of([node("Gather", ["x", "i"], ["y"], name="pick", axis=1)], [x, port("i", [1], INT)], [port("y", None)]),
        {"x": X, "i": [9]}, invalid="node 'pick' (Gather): indices element out of data bounds")


def graphs():
    sum_of = [node("Add", ["x", "w"], ["y"])]
    filled = model_of(sum_of, [x, port("w", [3])], [y], [const("w", [1, 1, 1])], ir_version=3, opset=7)
    add("an initializer that is an input", filled, {"x": X})
    add("an initializer is not asked for", filled, {"x": X, "w": [1, 1, 1]}, invalid="the model has no input 'w'")
    add("optional input of a node", model_of([node("Clip", ["x", "", "top"], ["y"])], [x], [y], [const("top", 2)]),
        {"x": X})
    add("unused initializers", model_of(RELU, [x], [y], [const("unused", [1, 2])]), {"x": X})
    sparse = onnx.SparseTensorProto(dims=[3], values=const("w", [5]), indices=const("i", [1], numpy.int64))
    add("a sparse initializer", model_of(sum_of, [x], [y], sparse_initializer=[sparse]), {"x": X},
        {"y": [1.0, 3.0, 3.0]})
    add("an input goes out", model_of([], [x], [x]), {"x": X}, {"x": [1.0, -2.0, 3.0]})
    add("one output twice", model_of(RELU, [x], [y, y]), {"x": X}, refused=None, outputs={"y": [1.0, 0.0, 3.0]})
    CASES[-1]["outputs"] *= 2

    def branch(name, kind):
        return helper.make_graph([node(kind, ["x", "w"], [name])], name, [], [port(name, ["batch", 3])])

    choice = [node("If", ["c"], ["y"], then_branch=branch("t", "Add"), else_branch=branch("e", "Sub"))]
    for truth in (True, False):
        add(f"If {truth}", model_of(choice, [x, port("c", [], BOOL)], [y], [const("w", [1, 1, 1])]),
            {"x": X, "c": numpy.array(truth)})
    body = helper.make_graph([node("Add", ["a", "a"], ["twice"]), node("Identity", ["go"], ["on"])], "body",
                             [port("i", [], INT), port("go", [], BOOL), port("a", ["batch", 3])],
                             [port("on", [], BOOL), port("twice", ["batch", 3])])
    add("Loop", model_of([node("Loop", ["n", "", "x"], ["y"], body=body)], [x, port("n", [], INT)], [y]),
        {"x": X, "n": numpy.array(3)}, {"y": [8.0, -16.0, 24.0]})
    step = helper.make_graph([node("Add", ["s", "v"], ["t"]), node("Identity", ["t"], ["o"])], "step",
                             [port("s", []), port("v", [])], [port("t", []), port("o", [])])
    add("Scan", model_of([node("Scan", ["zero", "x"], ["last", "y"], body=step, num_scan_inputs=1)], [port("x", [3])],
                         [port("last", []), port("y", [3])], [const("zero", 0)]),
        {"x": X[0]})
    long = [node("Relu" if i % 2 else "Abs", ["x" if i == 0 else f"h{i}"], ["y" if i == 299 else f"h{i + 1}"])
            for i in range(300)]
    add("a long chain", model_of(long, [x], [y]), {"x": X})


def function(name, nodes):
    return helper.make_function(LOCAL, name, ["a"], ["o"], nodes,
                                [helper.make_opsetid("", 17), helper.make_opsetid(LOCAL, 1)])


def functions():
    def call(last, *made):
        return model_of([node(last, ["x"], ["y"], domain=LOCAL)], [x], [y], domains=[(LOCAL, 1)], functions=made)

    add("a function of the model's own", call("Square", function("Square", [node("Mul", ["a", "a"], ["o"])])), {"x": X})
    add("a function that calls itself", call("F", function("F", [node("F", ["a"], ["o"], domain=LOCAL)])),
        refused="function 'F' calls itself")
    tower = [function("F0", [node("Relu", ["a"], ["o"])])]
    for i in range(1, 30):
        below = f"F{i - 1}"
        tower.append(function(f"F{i}", [node(below, ["a"], ["m"], domain=LOCAL), node(below, ["m"], ["o"], domain=LOCAL)]))
    add("functions without end", call("F29", *tower), refused="functions unfold to more than 100000 nodes")


def operators():
    scaled = [node("FusedMatMul", ["x", "w"], ["y"], domain=CONTRIB, alpha=2.0)]
    add("an operator of ONNX Runtime's own", model_of(scaled, [x], [y], [const("w", numpy.eye(3))], domains=[(CONTRIB, 1)]),
        {"x": X}, {"y": [2.0, -4.0, 6.0]})
    quantised = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["d"]),
                 node("Relu", ["d"], ["y"])]
    add("quantised", model_of(quantised, [x], [y], [const("s", 0.5), const("z", 128, numpy.uint8)], opset=21),
        {"x": numpy.array([[1.1, -2, 3]], dtype=numpy.float32)})
    lower = [node("StringNormalizer", ["x"], ["y"], case_change_action="LOWER", is_case_sensitive=1, stopwords=["a"])]
    add("letter case", model_of(lower, [port("x", [2], TEXT)], [port("y", [2], TEXT)], opset=10),
        {"x": ("vector", ["ÄBC", "É"])}, {"y": ["äbc", "é"]})
    add("an operator that nobody has", model_of([node("Foo", ["x"], ["y"], name="f")], [x], [y]),
        refused="node 'f' (Foo): opset 17 has no operator of this name")
    add("a domain that nobody has", model_of([node("Foo", ["x"], ["y"], domain=LOCAL)], [x], [y], domains=[(LOCAL, 1)]),
        refused="operator Foo of domain 'local' is unknown to ONNX Runtime")
    small = TensorProto.INT16
    add("an operator without an implementation",
        model_of([node("Max", ["x", "x"], ["y"], name="m")], [port("x", [2], small)], [port("y", [2], small)]),
        refused="node 'm' (Max): ONNX Runtime does not implement this operator as opset 13 defines it")
    add("an operator of ours", model_of([node("GaussianBlur", ["x"], ["y"], domain=OURS)], [x], [y], domains=[(OURS, 1)]),
        refused="of the domain 'noren'")
    sequence = helper.make_tensor_sequence_value_info("x", FLOAT, None)
    add("a sequence goes in", model_of([node("SequenceLength", ["x"], ["y"])], [sequence], [port("y", [], INT)]),
        refused="input 'x' is of the type sequence(float32), which a request can't carry")
    outside = model_of([node("Add", ["x", "w"], ["y"])], [x], [y], [const("w", [1, 1, 1])])
    weight = outside.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weights.bin")
    add("data in another file", outside, refused="initializer 'w' keeps its data in another file")


def containers():
    pieces = helper.make_tensor_sequence_value_info("y", FLOAT, None)
    add("a sequence goes out", model_of([node("SplitToSequence", ["x", "s"], ["y"], axis=1)], [x], [pieces],
                                        [const("s", [1, 2], numpy.int64)]), {"x": X})
    perhaps = helper.make_value_info("y", helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, [None, 3])))
    add("an optional goes out", model_of([node("Optional", ["x"], ["y"])], [x], [perhaps]), {"x": X},
        {"y": [1.0, -2.0, 3.0]})
    for kind, key, labels in ((INT, "classlabels_int64s", [2, 0, 1]), (TEXT, "classlabels_strings", ["b", "a", "c"])):
        text = kind == TEXT
        nodes = [node("LinearClassifier", ["x"], ["label", "scores"], domain=ML, multi_class=1, post_transform="SOFTMAX",
                      coefficients=[1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0], intercepts=[0.0, 0.0, 0.0],
                      **{"classlabels_strings" if text else "classlabels_ints": labels}),
                 node("ZipMap", ["scores"], ["probabilities"], domain=ML, **{key: labels})]
        entry = helper.make_map_type_proto(kind, helper.make_tensor_type_proto(FLOAT, []))
        outputs = [port("label", [None], kind), helper.make_value_info("probabilities",
                                                                       helper.make_sequence_type_proto(entry))]
        scores = numpy.exp(X[0]) / numpy.exp(X[0]).sum()
        add(f"a classifier with {'texts' if text else 'numbers'} as labels",
            model_of(nodes, [x], outputs, domains=[(ML, 1)], opset=9), {"x": X},
            {"label": [labels[2]], "probabilities": scores[numpy.argsort(labels)]})
    tree = [node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain=ML, classlabels_int64s=[0, 1],
                 class_ids=[0, 1], class_nodeids=[1, 2], class_treeids=[0, 0], class_weights=[1.0, 1.0],
                 nodes_falsenodeids=[2, 0, 0], nodes_featureids=[2, 0, 0], nodes_hitrates=[1.0, 1.0, 1.0],
                 nodes_missing_value_tracks_true=[0, 0, 0], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
                 nodes_nodeids=[0, 1, 2], nodes_treeids=[0, 0, 0], nodes_truenodeids=[1, 0, 0],
                 nodes_values=[2.0, 0.0, 0.0], post_transform="NONE")]
    add("a tree", model_of(tree, [x], [port("label", [None], INT), port("scores", [None, 2])], domains=[(ML, 3)]),
        {"x": X}, {"label": [1], "scores": [0.0, 1.0]})


def png(pixels):
    height, width, channels = pixels.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return "png", base64.b64encode(data).decode()


def pictures():
    colour = numpy.arange(18, dtype=numpy.uint8).reshape(2, 3, 3) * 10
    grey = numpy.arange(6, dtype=numpy.uint8).reshape(2, 3, 1) * 40
    first = colour.transpose(2, 0, 1).astype(float)

    def same(shape, kind=FLOAT, **parts):
        return model_of([node("Identity", ["x"], ["y"])], [port("x", shape, kind)], [port("y", None, kind)], **parts)

    def take(name, shape, values, picture=colour, rule=None, **parts):
        add(name, same(shape, **parts), {"x": png(picture)}, {"y": values}, rules=[f"x={rule}"] if rule else [])

    take("[N,C,H,W] without a rule", ["n", 3, 2, 3], first)
    take("[N,C,H,W] times 1/255", ["n", 3, 2, 3], first / 255, rule="image:rgb:1/255")
    take("[C,H,W]", [3, 2, 3], first / 255, rule="image:rgb:1/255")
    take("[N,H,W,C]", ["n", 2, 3, 3], colour / 255, rule="image:rgb:1/255:channels-last")
    take("[H,W,C] of another axis order", [None, 2, 3, 3], colour[:, :, ::-1].astype(float), rule="image:bgr:channels-last")
    take("[H,W]", [2, 3], grey.astype(float), grey)
    take("[N,H,W] of a colour picture", ["n", 2, 3], [8.0, 38.0, 68.0, 98.0, 128.0, 158.0], rule="image:gray")
    mean, deviation = numpy.array([0.485, 0.456, 0.406]), numpy.array([0.229, 0.224, 0.225])
    take("mean and deviation", ["n", 3, 2, 3], ((first / 255) - mean.reshape(3, 1, 1)) / deviation.reshape(3, 1, 1),
         rule="image:rgb:1/255:mean=0.485,0.456,0.406:std=0.229,0.224,0.225")
    take("from -1 to 1", ["n", 1, 2, 3], grey.astype(float) / 127.5 - 1, grey, rule="image:gray:1/127.5:offset=-1")
    take("blue first, means", ["n", 3, 2, 3], first[::-1] - numpy.array([104, 117, 123]).reshape(3, 1, 1),
         rule="image:bgr:mean=104,117,123")
    take("a free size", ["n", 3, "h", "w"], first)
    take("a free size that the rule sets", ["n", 3, "h", "w"], first, rule="image:rgb:size=2x3")
    take("bytes", ["n", 3, 2, 3], first.astype(int), kind=TensorProto.UINT8)
    take("said by the standard's metadata", ["n", 3, 2, 3], first[::-1] / 255,
         metadata={"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_0_1"})
    take("said by an exporter of YOLO", ["n", 3, "h", "w"], first / 255,
         metadata={"stride": "32", "names": "{0: 'cat'}", "imgsz": "[2, 3]"})
    add("a rule that is none", same(["n", 3, 2, 3]), rules=["x=image:purple"], refused="'purple' is neither a word")
    add("a rule for nobody", same(["n", 3, 2, 3]), rules=["z=image"], refused="the model has no input of this name")
    add("a picture for texts", same(["n", 3], TEXT), {"x": png(colour)}, invalid="the input takes strings, not files")


versions()
types()
shapes()
graphs()
functions()
operators()
containers()
pictures()
(FOLDER / "cases.json").write_text(json.dumps(CASES, indent=0, ensure_ascii=False) + "\n")
print(len(CASES), "cases")
