#!/usr/bin/env python3
"""Writes the texts of a small result folder, as the desktop tool writes them:  make.py  (beside itself).

Python's standard library only; the same files every time. Thirty rows of three categories; the confusion
matrix and its measures are counted from these rows.
"""
import math
import pathlib
import random

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "flowers.files" / "20260102_030405"
EPOCHS_COUNT, BEST_EPOCH = 12, 10
LABELS = 3


def curve():
    """A cost for each epoch; both errors where the tool looks at them: first epochs, then every second."""
    values = {}
    for epoch in range(1, EPOCHS_COUNT + 1):
        cost = math.exp(-epoch / 4)
        values[epoch] = {"cost": cost}
        if epoch <= 3 or epoch % 2 == 0:
            values[epoch] |= {"train_error": cost * 0.9, "valid_error": cost + 0.002 * abs(epoch - BEST_EPOCH)}
            values[epoch]["valid_error"] += 1.0 if epoch > BEST_EPOCH else 0.0
    return values


def rows():
    """(file, label, answers): the answer is right but for every seventh row."""
    chance = random.Random(7)
    for index in range(30):
        label = index % LABELS
        guess = (label + 1) % LABELS if index % 7 == 3 else label
        weights = [1.0 + 4.0 * (i == guess) + chance.random() for i in range(LABELS)]
        yield f"D:\\花\\{label}\\{index:05}.png", label, [weight / sum(weights) for weight in weights]


def matrix_lines():
    counts = [[0] * LABELS for _ in range(LABELS)]
    for _, label, answers in rows():
        counts[label][answers.index(max(answers))] += 1
    recall = [counts[i][i] / sum(counts[i]) for i in range(LABELS)]
    precision = [counts[i][i] / sum(row[i] for row in counts) for i in range(LABELS)]
    f_measure = [2 * r * p / (r + p) for r, p in zip(recall, precision)]
    accuracy = sum(counts[i][i] for i in range(LABELS)) / sum(map(sum, counts))
    yield ["", *(f"y'__{i}" for i in range(LABELS)), "Recall"]
    for i in range(LABELS):
        yield [f"y:label={i}", *map(str, counts[i]), f"{recall[i]:.4f}"]
    yield ["Precision", *(f"{p:.4f}" for p in precision), ""]
    yield ["F-Measures", *(f"{f:.4f}" for f in f_measure), ""]
    yield [""] * (LABELS + 2)
    means = (("Accuracy", accuracy), *((f"Avg.{name}", sum(values) / LABELS) for name, values in (
        ("Precision", precision), ("Recall", recall), ("F-Measures", f_measure))))
    for name, value in means:
        yield [name, f"{value:.4f}", *[""] * LABELS]


def write(name, lines):
    (FOLDER / name).write_bytes("".join(line + "\r\n" for line in lines).encode())


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    values = curve()
    report = []
    for epoch, numbers in values.items():
        report += [f"{epoch - 1}:", *(f"  {name}: {number!r}" for name, number in numbers.items())]
    write("monitoring_report.yml", report)
    write("output_result.csv", ["x:image,y:label," + ",".join(f"y'__{i}" for i in range(LABELS)),
                                *(",".join([file, str(label), *map(repr, answers)])
                                  for file, label, answers in rows())])
    write("confusion_matrix_y.csv", (",".join(cells) for cells in matrix_lines()))
    last, best = values[EPOCHS_COUNT], values[BEST_EPOCH]
    write("result.ini", ["[result]", f"best_epoch={BEST_EPOCH}", f"best_validation={best['valid_error']:.6f}",
                         "complete=1", "cost_multiply_add=0", f"epoch={EPOCHS_COUNT}",
                         f"max_epoch={EPOCHS_COUNT}", "schedule=0", f"training={last['train_error']:.6f}",
                         f"validation={last['valid_error']:.6f}", "[statistics]", "Output=8",
                         "CostParameter=0", "CostAdd=0", "CostMultiply=4", "CostMultiplyAdd=0",
                         "CostDivision=0", "CostExp=0", "CostIf=0"])
    write("log.txt", ["2026-01-02 03:04:05,000 Training process is started.",
                      *(f"2026-01-02 03:04:{5 + epoch:02},000 [nnabla]: epoch {epoch} of {EPOCHS_COUNT} "
                        f"cost={numbers['cost']:.6f}  time=({epoch}.0s /{EPOCHS_COUNT}.0s)"
                        for epoch, numbers in values.items())])


main()
