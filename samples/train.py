#!/usr/bin/env python3
"""Trains the two sample models and writes them the way the desktop tool does, with what training measured.

    python3.10 -m venv build/samples-venv
    build/samples-venv/bin/pip install -r samples/requirements.txt
    build/samples-venv/bin/python samples/train.py

Data: iris and digits, as they ship inside scikit-learn. A fifth of the rows is held back and never trained
on; samples.json keeps those rows, their labels and the reference package's answers, so that a test can repeat
the measurement through the API (tests/e2e/test_samples.py). The seed is fixed: run again, it writes the same
files.
"""
import io
import json
import pathlib
import struct
import zipfile
import zlib

import nnabla as nn
import nnabla.functions as F
import nnabla.parametric_functions as PF
import nnabla.solvers as S
import numpy as np
from google.protobuf import text_format
from nnabla.utils import nnabla_pb2
from nnabla.utils.load import load
from nnabla.utils.save import save
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import train_test_split

SEED = 20241225
HERE = pathlib.Path(__file__).resolve().parent
# A zip member carries a date; a fixed one keeps the files the same from run to run.
MEMBER_DATE = (2024, 12, 25, 0, 0, 0)


def iris_network(x):
    h = F.relu(PF.affine(x, 32, name="Affine"))
    return PF.affine(h, 3, name="Affine_2")


def digits_network(x):
    h = F.relu(PF.convolution(x, 16, (3, 3), pad=(1, 1), name="Convolution"))
    h = F.max_pooling(h, (2, 2))
    h = F.relu(PF.affine(h, 64, name="Affine"))
    return PF.affine(h, 10, name="Affine_2")


def train(network, shape, rows, labels, epochs, batch_size=32):
    """Fills nnabla's parameters with a trained network."""
    x, t = nn.Variable((batch_size, *shape)), nn.Variable((batch_size, 1))
    loss = F.mean(F.softmax_cross_entropy(network(x), t))
    solver = S.Adam(alpha=3e-3)
    solver.set_parameters(nn.get_parameters())
    order = np.random.RandomState(SEED)
    for _ in range(epochs):
        places = order.permutation(len(rows))
        for start in range(0, len(rows) - batch_size + 1, batch_size):
            chosen = places[start:start + batch_size]
            x.d, t.d = rows[chosen], labels[chosen, None]
            loss.forward(clear_no_need_grad=True)
            solver.zero_grad()
            loss.backward(clear_buffer=True)
            solver.weight_decay(1e-4)
            solver.update()


def name_like_the_tool(network):
    """Layers are called by their type and number, and a layer's output like the layer."""
    names, counts = {}, {}
    for function in network.function:
        counts[function.type] = counts.get(function.type, 0) + 1
        number = counts[function.type]
        function.name = function.type if number == 1 else f"{function.type}_{number}"
        names[function.output[0]] = function.name
    for variable in network.variable:
        variable.name = names.get(variable.name, variable.name)
    for function in network.function:
        function.input[:] = [names.get(name, name) for name in function.input]
        function.output[:] = [names[function.output[0]]]


def write(path, network, shape, batch_size=32):
    """The .nnp: network MainRuntime, executor Executor, data x into Input, y' out of Softmax."""
    x = nn.Variable((batch_size, *shape))
    y = F.softmax(network(x))
    contents = {"networks": [{"name": "MainRuntime", "batch_size": batch_size,
                              "outputs": {"Softmax": y}, "names": {"Input": x}}],
                "executors": [{"name": "Executor", "network": "MainRuntime",
                               "data": ["Input"], "output": ["Softmax"]}]}
    saved = io.BytesIO()
    save(saved, contents, extension=".nnp")
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(n for n in members if n.endswith((".nntxt", ".prototxt")))
    proto = nnabla_pb2.NNablaProtoBuf()
    text_format.Merge(members.pop(name).decode(), proto)
    name_like_the_tool(proto.network[0])
    executor = proto.executor[0]
    executor.num_evaluations, executor.repeat_evaluation_type = 1, "mean"
    executor.data_variable[0].data_name = "x"
    executor.output_variable[0].data_name = "y'"
    members = {"net.nntxt": text_format.MessageToString(proto).encode(), **members}
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, MEMBER_DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, members[name])


def answers_of(path, rows):
    """What the reference package answers for each row, from the file alone."""
    nn.clear_parameters()
    executor = load([str(path)], batch_size=1).executors["Executor"]
    x = next(iter(executor.dataset_assign))
    y = next(iter(executor.output_assign))
    answers = []
    for row in rows:
        x.variable_instance.d = row[None]
        executor.forward_target.forward(clear_buffer=True)
        answers.append(y.variable_instance.d[0].astype(np.float32).copy())
    return np.stack(answers)


def make(name, network, shape, rows, labels, epochs):
    """Trains, writes and measures one sample: its entry in samples.json, and which rows were held back."""
    nn.clear_parameters()
    nn.random.prng = np.random.RandomState(SEED)
    nn.seed(SEED)
    everything = np.arange(len(rows))
    kept, held = train_test_split(everything, test_size=0.2, random_state=SEED, stratify=labels)
    train(network, shape, rows[kept], labels[kept], epochs)
    path = HERE / f"{name}.nnp"
    write(path, network, shape)
    answers = answers_of(path, rows[held])
    predicted = answers.argmax(axis=1)
    entry = {"file": path.name, "executor": "Executor", "input": "x", "output": "y",
             "test_rows_count": len(held), "accuracy": float(np.mean(predicted == labels[held])),
             "labels": labels[held].tolist(), "predicted": predicted.tolist(),
             "first_answer": [float(value) for value in answers[0]]}
    print(f"{name}: {len(kept)} rows trained on, {len(held)} held back, accuracy {entry['accuracy']:.4f}, "
          f"{path.stat().st_size} bytes")
    return entry, held


def png_of(grey, side):
    """A grey picture of side x side as PNG, the values untouched."""
    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    rows = b"".join(b"\0" + grey[start:start + side] for start in range(0, len(grey), side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def main():
    iris = load_iris()
    measures = iris.data.astype(np.float32)
    iris_entry, held = make("iris", iris_network, (4,), measures, iris.target, epochs=200)
    iris_entry.update(type="vector", rows=iris.data[held].tolist())
    digits = load_digits()
    # Scans of 8x8 with values 0 to 16, written as grey pictures of 0 to 255. The executor normalises a
    # picture by 1/255, so that is what the network is trained on.
    grey = np.rint(digits.images * 255 / 16)
    pictures = (grey / 255).astype(np.float32)[:, None]
    digits_entry, held = make("digits", digits_network, (1, 8, 8), pictures, digits.target, epochs=30)
    digits_entry.update(type="png", grey_rows=[bytes(g.astype(np.uint8).ravel()).hex() for g in grey[held]])
    three = grey[held][digits_entry["predicted"].index(3)]
    (HERE / "three.png").write_bytes(png_of(three.astype(np.uint8).tobytes(), 8))
    text = json.dumps({"iris": iris_entry, "digits": digits_entry}, separators=(",", ":"))
    (HERE / "samples.json").write_text(text.replace('],"', '],\n"') + "\n")


if __name__ == "__main__":
    main()
