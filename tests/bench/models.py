#!/usr/bin/env python3
"""The published model beside the reference and beside ONNX Runtime on the reference's own export, one thread.

    ./do bench models [--rounds N] [--seconds S] [NAME…]

The networks come from the reference itself: NOREN_NNABLA_PYTHON names a Python 3.10 that may make an
environment in build/ for it. Without one, the networks of an earlier run are used and the reference's
column is left out. The columns take turns in rounds on one core; printed are the medians over the rounds, in
microseconds, and the ratios (in brackets: of the best rounds).
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
FOLDER = ROOT / "build" / "bench-models"
CORE = "1"
JUDGED = ("iris", "lenet", "resnet18", "mobilenet", "unet", "lstm")
EXTRA = ("gru",)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def reference_python():
    """An environment with the reference, made by the Python that NOREN_NNABLA_PYTHON names; None without."""
    named = os.environ.get("NOREN_NNABLA_PYTHON")
    if not named:
        print("NOREN_NNABLA_PYTHON names no Python 3.10: no column for the reference, no new networks",
              file=sys.stderr)
        return None
    version = subprocess.run([named, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], check=True,
                             capture_output=True, text=True).stdout.strip()
    if version != "3.10":
        sys.exit(f"NOREN_NNABLA_PYTHON is Python {version}: the reference needs 3.10")
    python = ROOT / "build" / "bench-reference" / "bin" / "python"
    if not python.exists():
        subprocess.run([named, "-m", "venv", python.parents[1]], check=True)
        # The exporter's package asks for TensorFlow, which exporting to ONNX does not use: its parts by name.
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "-r",
                        HERE / "requirements-reference.txt"], check=True)
    return python


def make_networks(python):
    if all((FOLDER / f"{name}.output").exists() for name in JUDGED + EXTRA):
        return
    if python is None:
        sys.exit("there are no networks yet: they are made with the reference, in Python 3.10; say where "
                 "that is, for example NOREN_NNABLA_PYTHON=/usr/local/bin/python3.10 ./do bench models")
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run([python, HERE / "reference.py", "make", FOLDER], check=True, stdout=subprocess.DEVNULL)


class Child:
    """A process that times what a line names and answers with the nanoseconds of one run."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            ["taskset", "-c", CORE, *map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=dict(os.environ, **ONE_THREAD))

    def time_us(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        for line in self.process.stdout:
            if line.strip().isdigit():
                return int(line) / 1000
            if line.startswith("error"):
                sys.exit(f"{words}: {line.strip()}")
        sys.exit(f"{words}: the process ended")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)


def measure(name, columns, options):
    times = {column: [] for column in columns}
    for turn in range(options.rounds + 1):
        for column, (child, words) in columns.items():
            time_us = child.time_us(name, *words, options.seconds)
            if turn > 0:  # the first round warms up
                times[column].append(time_us)
    return times


def ratio(times, column, function):
    return function(times[column]) / function(times["noren"])


def cells_of(times):
    """The medians of the three columns, then the two ratios; a dash where a column is missing."""
    for column in ("noren", "export", "reference"):
        yield f"{statistics.median(times[column]):10.1f}" if column in times else f"{'-':>10}"
    for column in ("export", "reference"):
        yield (f"  {ratio(times, column, statistics.median):6.2f} ({ratio(times, column, min):6.2f})"
               if column in times else f"  {'-':>15}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=JUDGED + EXTRA)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3)
    options = parser.parse_args()
    python = reference_python()
    make_networks(python)
    engine = Child(ROOT / "build" / "bin" / "noren_bench_models", FOLDER)
    reference = python and Child(python, HERE / "reference.py", "time", FOLDER)
    gains = []
    print(f"{'network':10} {'Noren':>10} {'export':>10} {'reference':>10}         x export      x reference")
    for name in options.names:
        columns = {"noren": (engine, ["published"])}
        if (FOLDER / f"{name}.onnx").exists():
            columns["export"] = (engine, ["export"])
        if reference:
            columns["reference"] = (reference, [])
        times = measure(name, columns, options)
        print(f"{name:10} {' '.join(cells_of(times))}", flush=True)
        if name in JUDGED and reference:
            gains.append(ratio(times, "reference", statistics.median))
    if gains:
        print(f"geometric mean over {len(gains)} networks: "
              f"{statistics.geometric_mean(gains):.2f} x the reference")
    engine.stop()
    if reference:
        reference.stop()


if __name__ == "__main__":
    main()
