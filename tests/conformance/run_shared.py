#!/usr/bin/env python3
"""Runs a suite of the shared conformance cases against the real binaries, with the suite's own runner.

    run_shared.py CONFORMANCE_FOLDER NOREN SUITE

known_differences.json names the cases whose recorded answer was shown to be wrong, with the proof. Such a
case must go on to differ: when it agrees, its entry has to go, and this run fails until it does.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

KNOWN = json.loads((pathlib.Path(__file__).parent / "known_differences.json").read_text())


def main():
    folder, noren, suite = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.json"
        command = [sys.executable, folder / "run.py", "--noren", noren, "--report", report, folder / suite]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if not report.exists():
            sys.exit(run.stdout + run.stderr + "the conformance runner gave no report")
        results = json.loads(report.read_text())
    failed = 0
    for case, wrong in results.items():
        name = str(pathlib.Path(case).relative_to(folder))
        if bool(wrong) == (name in KNOWN):
            continue
        failed += 1
        print(f"FAIL {name}: {wrong or 'agrees now: remove it from known_differences.json'}")
    for name in KNOWN:
        if name.startswith(suite + "/"):
            print(f"known to differ: {name}: {KNOWN[name]}")
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
