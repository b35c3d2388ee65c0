#!/usr/bin/env python3
"""Makes conformance cases of single layers at random, with the reference package as the judge.

    tools/function_cases/make.py OUT [--seed N] [--count N] [--only Function …]
    NOREN_CASES_ROOT=OUT build/bin/worker_translate_conformance_test

Needs the reference package (nnabla 1.39) and numpy. Each case is a folder OUT/FUNCTION/NUMBER with model.nnp
and case.json, in the form that the conformance test reads. The recipes lie beside this file; draws that the
reference refuses are dropped. The expected answer is that of the saved file, loaded again.
"""

import argparse
import json
import math
import os
import random
import re
import sys
import tempfile
import zipfile
from pathlib import Path

import nnabla as nn
import numpy as np
from nnabla.logger import logger
from nnabla.utils.nnp_graph import NnpLoader
from nnabla.utils.save import save

import layer_recipes
import normalization_recipes
import quantization_recipes
import random_recipes
import sampling_recipes

RECIPES = {
    **layer_recipes.RECIPES,
    **normalization_recipes.RECIPES,
    **quantization_recipes.RECIPES,
    **random_recipes.RECIPES,
    **sampling_recipes.RECIPES,
}
RUNS = 400  # of a layer that draws
TOLERANCE = {"abs": 1e-5, "rel": 1e-4}


def number(value):
    """As JSON has it: what it can't write stands as a text."""
    value = float(value)
    if math.isnan(value):
        return "nan"
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def build(recipe):
    """The recipe's variables and outputs; names are those in the file."""
    inputs = {}
    for name, array in recipe.inputs.items():
        inputs[name] = nn.Variable(array.shape)
        inputs[name].d = array
    parameters = {}
    for name, array in recipe.parameters.items():
        parameters[name] = nn.parameter.get_parameter_or_create(
            name, array.shape, initializer=array, need_grad=False
        )
    outputs = recipe.build(**inputs, **parameters)
    return inputs, list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def free_batch(path, names):
    """Writes the first dimension of these variables as -1, the batch."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    text = members["network.nntxt"].decode()
    for name in names:
        text = re.sub(
            r'(name: "%s"\n\s*type: "Buffer"\n\s*shape {\n\s*dim: )1\n' % re.escape(name),
            r"\g<1>-1\n",
            text,
        )
    members["network.nntxt"] = text.encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def answers(path, recipe, output_names):
    """The outputs of the loaded file; of one run, or of many where it draws."""
    network = NnpLoader(path).get_network("net", batch_size=1)
    for name, array in recipe.inputs.items():
        network.inputs[name].d = array.reshape(network.inputs[name].shape)
    outputs = [network.outputs[name] for name in output_names]
    runs = []
    for _ in range(RUNS if recipe.is_random else 1):
        nn.forward_all(outputs)
        runs.append([np.array(output.d, dtype=np.float32) for output in outputs])
    return runs


def expected(names, recipe, runs):
    """What a case says of the outputs: their values, or how they are spread."""
    if not recipe.is_random:
        return {
            "outputs": [
                {"name": name, "shape": list(array.shape), "data": [number(v) for v in array.ravel()]}
                for name, array in zip(names, runs[0])
            ]
        }
    stacks = [np.stack([run[i] for run in runs]) for i in range(len(runs[0]))]
    spread = [
        {
            "name": name,
            "shape": list(stack.shape[1:]),
            "mean": [number(v) for v in stack.mean(axis=0).ravel()],
            "std": [number(v) for v in stack.std(axis=0).ravel()],
        }
        for name, stack in zip(names, stacks)
    ]
    return {"random": {"runs": RUNS, "outputs": spread}}


def write_case(folder, function, recipe, has_free_batch):
    nn.clear_parameters()
    inputs, outputs = build(recipe)
    names = {f"y{i}": output for i, output in enumerate(outputs)}
    executor = {"name": "Executor", "network": "net", "data": list(inputs), "output": list(names)}
    contents = {
        "networks": [{"name": "net", "batch_size": 1, "outputs": names, "names": inputs}],
        "executors": [executor],
    }
    with tempfile.TemporaryDirectory() as temporary:
        path = str(Path(temporary) / "model.nnp")
        save(path, contents, variable_batch_size=False)
        if recipe.batch and has_free_batch:
            free_batch(
                path,
                [name for name, array in recipe.inputs.items() if array.ndim and array.shape[0] == 1],
            )
        runs = answers(path, recipe, list(names))
        if any(array.size == 0 for array in runs[0]):
            raise RuntimeError("an output holds nothing")
        folder.mkdir(parents=True)
        (folder / "model.nnp").write_bytes(Path(path).read_bytes())
    case = {
        "name": f"functions/{function}/{folder.name}",
        "function": function,
        "oracle": "nnabla " + nn.__version__,
        "executor": "Executor",
        "inputs": [
            {
                "name": name,
                "type": "vector",
                "shape": list(array.shape),
                "dtype": "float32",
                "data": [number(v) for v in array.ravel()],
            }
            for name, array in recipe.inputs.items()
        ],
        **expected(names, recipe, runs),
        "tolerance": TOLERANCE,
        "note": recipe.note,
    }
    (folder / "case.json").write_text(json.dumps(case))


def refusal_in_child(*arguments):
    """Why write_case() made nothing, "" where it did. In its own process: some draws end the reference."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        reason = ""
        try:
            write_case(*arguments)
        except (RuntimeError, ValueError, IndexError, OverflowError, AssertionError) as error:
            reason = (str(error).strip() or repr(error)).splitlines()[-1]
        os.write(writing, reason.encode()[:500])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        reason = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return reason if status == 0 else f"the reference ended with status {status}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=sorted(RECIPES))
    options = parser.parse_args()
    logger.setLevel("WARNING")
    for function in options.only:
        draw = random.Random(f"{function} {options.seed}")
        made = refused = 0
        reasons = set()
        while made < options.count and refused < 10 * options.count:
            folder = options.out / function / f"{options.seed}_{made:03d}"
            recipe = RECIPES[function](draw)
            reason = refusal_in_child(folder, function, recipe, draw.random() < 0.7)
            made += not reason
            refused += bool(reason)
            if reason:
                reasons.add(re.sub(r"\d+", "N", reason)[:110])
        print(f"{function}: {made} cases, {refused} draws refused by the reference", file=sys.stderr)
        for reason in sorted(reasons):
            print(f"    {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
