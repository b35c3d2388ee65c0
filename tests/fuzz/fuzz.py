#!/usr/bin/env python3
"""Builds and runs the fuzz targets:  fuzz.py [SECONDS] [TARGET…]  (60 seconds for each of all by default).

Corpora grow in build-fuzz/corpus. Exit status 1 where a target found something; its input stays in
build-fuzz/findings.
"""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build-fuzz"
# What a worker's own limits would end: a unit that takes longer, or needs more, is a finding.
UNIT_TIMEOUT_S = 30
MEMORY_MIB = 3072


def build(targets):
    if not (BUILD / "build.ninja").exists():
        dependencies = os.environ.get("NOREN_DEPENDENCIES", str(ROOT / "build" / "dependencies"))
        configure = ["cmake", "--preset", "fuzz", f"-DNOREN_DEPENDENCIES={dependencies}"]
        subprocess.run(configure, cwd=ROOT, check=True)
    names = [f"fuzz_{name}" for name in targets] or ["noren_fuzz"]
    subprocess.run(["cmake", "--build", str(BUILD), "--target", *names], cwd=ROOT, check=True)


def run(program, seconds):
    """True where the program found nothing in this time."""
    name = program.name.removeprefix("fuzz_")
    corpus, seeds, findings = (BUILD / part / name for part in ("corpus", "seeds", "findings"))
    for folder in (corpus, seeds, findings):
        folder.mkdir(parents=True, exist_ok=True)
    command = [str(program), str(corpus), str(seeds), f"-max_total_time={seconds}",
               f"-timeout={UNIT_TIMEOUT_S}",
               f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={findings}/", "-max_len=65536",
               "-verbosity=0"]
    environment = dict(os.environ, ASAN_OPTIONS="allocator_may_return_null=1",
                       UBSAN_OPTIONS="print_stacktrace=1")
    result = subprocess.run(command, env=environment, check=False)
    outcome = "nothing found" if result.returncode == 0 else f"found something, see {findings}"
    print(f"{name}: {outcome}", flush=True)
    return result.returncode == 0


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    targets = sys.argv[2:]
    build(targets)
    subprocess.run([sys.executable, str(ROOT / "tests/fuzz/make_seeds.py"), str(BUILD / "seeds")], check=True)
    programs = [p for p in sorted((BUILD / "bin").glob("fuzz_*")) if not targets or p.name[5:] in targets]
    results = [run(program, seconds) for program in programs]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


sys.exit(main())
