#!/usr/bin/env python3
"""Builds the fuzz targets and runs them side by side, one a core:

    fuzz.py [SECONDS] [TARGET…]      60 seconds for each of all by default; --no-build takes what is there

Says for each target how many inputs it ran, how much of the code they reached, and what it found. Corpora
grow in build-fuzz/corpus; an input that found something stays in build-fuzz/findings with its log, and
the exit status is 1. What is known of a library (known_findings.json) is told apart and fails nothing.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build-fuzz"
# What a worker's own limits would end, with room for the sanitizers: what takes longer is a finding.
UNIT_TIMEOUT_S = 60
MEMORY_MIB = 3072
INPUT_BYTES = 65_536
FINDINGS_PER_RUN = 10
# Of a sanitizer or of libFuzzer: what went wrong, and where.
SUMMARY = re.compile(r"^SUMMARY: .*|^==\d+== ERROR: libFuzzer: .*", re.M)


def build(targets):
    if not (BUILD / "build.ninja").exists():
        dependencies = os.environ.get("NOREN_DEPENDENCIES", str(ROOT / "build" / "dependencies"))
        configure = ["cmake", "--preset", "fuzz", f"-DNOREN_DEPENDENCIES={dependencies}"]
        subprocess.run(configure, cwd=ROOT, check=True)
    names = [f"fuzz_{name}" for name in targets] or ["noren_fuzz"]
    subprocess.run(["cmake", "--build", str(BUILD), "--target", *names], cwd=ROOT, check=True)


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


class Run:
    """One target for some seconds; it goes on after a finding."""

    def __init__(self, program, known):
        self.name = program.name.removeprefix("fuzz_")
        self.program, self.known = program, known.get(self.name, [])
        self.runs_count = self.edges_count = self.known_count = 0
        self.findings = []
        self.wall_s = self.cpu_s = 0.0

    def folder(self, part):
        folder = BUILD / part / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def go(self, seconds):
        end = time.monotonic() + seconds
        while (left := round(end - time.monotonic())) > 0:
            started = time.monotonic()
            log = self.fuzz(left)
            self.wall_s += time.monotonic() - started
            self.runs_count += last_number(r"stat::number_of_executed_units: (\d+)", log)
            self.edges_count = max(self.edges_count, last_number(r" cov: (\d+)", log))
            if (summary := SUMMARY.search(log)) and not self.take_finding(summary.group(), log):
                break
        return self

    def fuzz(self, seconds):
        command = [str(self.program), str(self.folder("corpus")), str(self.folder("seeds")),
                   f"-max_total_time={seconds}", f"-timeout={UNIT_TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MIB}",
                   f"-artifact_prefix={self.folder('findings')}/", f"-max_len={INPUT_BYTES}",
                   "-print_final_stats=1"]
        environment = dict(os.environ, ASAN_OPTIONS="allocator_may_return_null=1",
                           LSAN_OPTIONS=f"suppressions={HERE / 'leaks.txt'}:print_suppressions=0",
                           UBSAN_OPTIONS="print_stacktrace=1")
        process = subprocess.Popen(command, env=environment, text=True, errors="replace",
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        log = process.stderr.read()
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        self.cpu_s += usage.ru_utime + usage.ru_stime
        return log

    def is_slow_again(self, path):
        """Whether an input takes as long alone, or the machine was busy with something else."""
        again = subprocess.run([str(self.program), str(path), f"-timeout={UNIT_TIMEOUT_S}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return again.returncode != 0

    def take_finding(self, summary, log):
        """False when there are so many that going on tells nothing new."""
        artifact = re.search(r"Test unit written to (\S+)", log)
        path = pathlib.Path(artifact.group(1)) if artifact else None
        if "libFuzzer: timeout" in summary and path and not self.is_slow_again(path):
            path.unlink()
        elif any(re.search(pattern, log) for pattern in self.known):
            self.known_count += 1
            if path:
                path.unlink(missing_ok=True)
        else:
            self.findings.append(f"{summary.strip()} ({path})")
            if path:
                path.with_suffix(".log").write_text(log[-100_000:])
        return len(self.findings) < FINDINGS_PER_RUN

    def describe(self):
        line = (f"{self.name}: {self.runs_count} runs, {self.edges_count} edges reached, "
                f"{self.wall_s:.0f} s ({self.cpu_s:.0f} s of a core)")
        if self.known_count:
            line += f", {self.known_count} known findings of a library"
        return "\n    ".join([line + (", nothing found" if not self.findings else ""), *self.findings])


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("seconds", type=int, nargs="?", default=60)
    options.add_argument("targets", nargs="*")
    options.add_argument("--no-build", action="store_true")
    options.add_argument("--report", type=pathlib.Path, help="append one line of JSON a target to this file")
    given = options.parse_intermixed_args()
    if not given.no_build:
        build(given.targets)
    subprocess.run([sys.executable, str(HERE / "make_seeds.py"), str(BUILD / "seeds")], check=True)
    known = json.loads((HERE / "known_findings.json").read_text())
    programs = [p for p in sorted((BUILD / "bin").glob("fuzz_*"))
                if not given.targets or p.name.removeprefix("fuzz_") in given.targets]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for run in pool.map(lambda program: Run(program, known).go(given.seconds), programs):
            print(run.describe(), flush=True)
            failed += bool(run.findings)
            if given.report:
                entry = {"target": run.name, "runs": run.runs_count, "edges": run.edges_count,
                         "wall_s": run.wall_s, "cpu_s": run.cpu_s, "findings": run.findings,
                         "known": run.known_count}
                with given.report.open("a") as report:
                    report.write(json.dumps(entry) + "\n")
    print(f"{len(programs) - failed} passed, {failed} failed")
    return 1 if failed or not programs else 0


sys.exit(main())
