#!/usr/bin/env python3
"""Noren beside other servers and beside the limits, in one run, on loopback.

    ./do bench                 a short selection: iris, media, overload, cold-start (some minutes)
    ./do bench all             everything but the soak
    ./do bench NAME…           these: see --list
    ./do bench soak [SECONDS]  load with faults for so long (900), then exact counters and steady memory

Keys, quota and metering are on. The server with its workers has one core, the load generator the other.
Results are printed and written to build/bench/NAME.json.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import report
import scenarios
import soak
import starts
import swap
from machine import BIN, BUILD, ROOT, Failed, describe
from peers import make_models

SCENARIOS = {
    "iris": scenarios.iris, "media": scenarios.media, "tls": scenarios.tls, "overload": scenarios.overload,
    "cold-start": starts.cold_start, "server-start": starts.server_start, "memory": scenarios.memory,
    "thousand": starts.thousand, "swap": swap.swap, "soak": soak.soak,
}
SHORT = ("iris", "media", "overload", "cold-start")


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=SHORT, metavar="NAME")
    parser.add_argument("--seconds", type=float, default=2, help="of each closed loop (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="each server in turn, so often (default 3)")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="without the Python servers")
    parser.add_argument("--full", action="store_true", help="all numbers of connections")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    options.soak_seconds = 900
    names = list(options.names)
    if len(names) == 2 and names[0] == "soak" and names[1].isdigit():
        options.soak_seconds = int(names.pop())
    if names == ["all"]:
        names, options.full = [name for name in SCENARIOS if name != "soak"], True
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown or options.list:
        print("\n".join(f"{name:13} {run.__doc__.splitlines()[0]}" for name, run in SCENARIOS.items()))
        sys.exit(f"there is no {unknown[0]}" if unknown else 0)
    return names, options


def main():
    names, options = parse()
    if "NOREN_BIN" not in os.environ:
        build = ["cmake", "--build", ROOT / "build", "--target", "noren_load", "noren_bare"]
        subprocess.run(build, check=True, stdout=sys.stderr)
    if not (BIN / "noren").exists():
        sys.exit("bench: build noren first (./do build)")
    BUILD.mkdir(parents=True, exist_ok=True)
    make_models()
    machine, results, failed = describe(), {}, []
    for name in names:
        print(f"bench: {name}: {SCENARIOS[name].__doc__.splitlines()[0]}", file=sys.stderr, flush=True)
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="noren-bench-") as scratch:
            try:
                results[name] = SCENARIOS[name](pathlib.Path(scratch), options)
            except Failed as reason:
                failed.append(name)
                print(f"bench: {name} failed: {reason}", file=sys.stderr)
        print(f"bench: {name} took {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    file = BUILD / f"{'-'.join(names) if len(names) < 4 else 'bench'}.json"
    bounds = [{"name": row[0], "value": row[1], "bound": f"{row[2]} {row[3]}", "holds": row[4]}
              for row in report.bounds(results)]
    file.write_text(json.dumps({"machine": machine, "results": results, "bounds": bounds}, indent=1) + "\n")
    report.print_all(machine, results)
    print(f"\nwritten to {file.relative_to(ROOT)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
