#!/usr/bin/env python3
"""Makes conformance cases of single functions with random shapes and arguments, answered by the reference.

    tools/random_cases/make_random_cases.py FOLDER [--seed N] [--count N] [--only FUNCTION,...]

Needs the reference implementation (the Python package nnabla). Writes FOLDER/FUNCTION/NUMBER/model.nnp and
case.json, in the form of the conformance cases; run them with NOREN_CASES_ROOT=FOLDER
worker_translate_conformance_test. What the reference refuses is left out and counted. The same seed makes the
same cases.
"""
import argparse
import json
import pathlib
import re
import zipfile

import nnabla
import numpy as np
from google.protobuf import text_format
from nnabla.utils import nnabla_pb2
from nnabla.utils.nnp_graph import NnpLoader

from functions import FUNCTIONS, Draw, Parameter


def parameter_field(function):
    """The field of the message that holds the arguments of this function, None where it has none."""
    for field in function.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.name == function.type + "Parameter":
            return field.name
    return None


def set_arguments(message, arguments):
    for name, value in arguments.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.message_type is not None:
            getattr(message, name).dim.extend(value)
        elif isinstance(value, list):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)


def write_model(path, function, inputs, arguments):
    proto = nnabla_pb2.NNablaProtoBuf()
    network = proto.network.add(name="net", batch_size=1)
    executor = proto.executor.add(name="Executor", network_name="net")
    parameters = nnabla_pb2.NNablaProtoBuf()
    node = nnabla_pb2.Function(name=function, type=function)
    for i, given in enumerate(inputs):
        held = isinstance(given, Parameter)
        values = given.values if held else given
        name = f"{'w' if held else 'x'}{i}"
        variable = network.variable.add(name=name, type="Parameter" if held else "Buffer")
        first_is_batch = not held and values.ndim > 0 and values.shape[0] == 1
        variable.shape.dim.extend(([-1] if first_is_batch else []) + list(values.shape[int(first_is_batch):]))
        node.input.append(name)
        if held:
            parameter = parameters.parameter.add(variable_name=name)
            parameter.shape.dim.extend(values.shape)
            parameter.data.extend(values.reshape(-1).tolist())
            executor.parameter_variable.add(variable_name=name)
        else:
            executor.data_variable.add(variable_name=name, data_name=name)
    both = arguments.get("with_index") and not arguments.get("only_index")
    count = len(inputs) if function == "Meshgrid" else 2 if both else arguments.pop("outputs", 1)
    for i in range(count):
        network.variable.add(name=f"y{i}", type="Buffer").shape.dim.extend([1])
        node.output.append(f"y{i}")
        executor.output_variable.add(variable_name=f"y{i}", data_name=f"y{i}")
    field = parameter_field(node)
    if field is not None:
        getattr(node, field).SetInParent()
        set_arguments(getattr(node, field), arguments)
    network.function.append(node)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nnp_version.txt", "0.1\n")
        archive.writestr("network.nntxt", text_format.MessageToString(proto))
        archive.writestr("parameter.protobuf", parameters.SerializeToString())


def answer(path, inputs):
    nnabla.clear_parameters()
    network = NnpLoader(str(path)).get_network("net", batch_size=1)
    for name, variable in network.inputs.items():
        values = inputs[int(name[1:])]
        if not isinstance(values, Parameter):
            variable.d = values
    outputs = [network.outputs[name] for name in sorted(network.outputs)]
    nnabla.forward_all(outputs)
    return [output.d.copy() for output in outputs]


def numbers(values):
    flat = np.asarray(values, dtype=np.float32).reshape(-1).tolist()
    return [value if np.isfinite(value) else re.sub("^-?nan$", "nan", str(value)) for value in flat]


def make_case(folder, function, seed):
    inputs, arguments = FUNCTIONS[function](Draw(seed))
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder / "model.nnp", function, inputs, dict(arguments))
    outputs = answer(folder / "model.nnp", inputs)
    case = {
        "name": f"random/{function}/{folder.name}", "function": function,
        "origin": f"make_random_cases.py, seed {seed}",
        "oracle": f"nnabla {nnabla.__version__} cpu", "executor": "Executor",
        "inputs": [{"name": f"x{i}", "type": "vector", "shape": list(x.shape), "dtype": "float32",
                    "data": numbers(x)} for i, x in enumerate(inputs) if not isinstance(x, Parameter)],
        "outputs": [{"name": f"y{i}", "shape": list(y.shape), "data": numbers(y)}
                    for i, y in enumerate(outputs)],
        "tolerance": {"abs": 1e-5, "rel": 1e-4},
    }
    (folder / "case.json").write_text(json.dumps(case))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    made, refused = 0, []
    for function in options.only.split(",") if options.only else FUNCTIONS:
        for i in range(options.count):
            folder = options.folder / function / f"{i:03}"
            try:
                make_case(folder, function, options.seed + i)
                made += 1
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                refused.append(f"{function}/{i:03}: {str(error).splitlines()[0][:150]}")
                (folder / "case.json").unlink(missing_ok=True)
    print(f"{made} cases made, {len(refused)} refused by the reference")
    for line in refused:
        print("  " + line)


if __name__ == "__main__":
    main()
