"""The model behind a URL is replaced while it is called."""
import os
import statistics
import threading
import time

from machine import LOAD_CORE, Failed, load
from noren import Noren

ROUNDS = 5
SWAPS_EACH = 3
SECONDS_EACH = 6
RATES = {"iris": 2000, "lenet": 1000}
CONNECTIONS = 32  # more than are ever used: a server closes at once what never sends, and that is load too


def swap(folder, options):
    """LeNet is swapped under load: nobody fails, and callers of another API hardly notice."""
    noren = Noren(folder, ["iris", "lenet"], core="0,1")
    try:
        rounds = []
        for number in range(ROUNDS):
            quiet, swapped = under_load(noren), under_load(noren, replace)
            rounds.append((quiet, swapped))
            print(f"  round {number + 1}: p99 of the others {quiet['iris']['p99_ms']:.3g} ms, "
                  f"with swaps {swapped['iris']['p99_ms']:.3g} ms", flush=True)
        failed = sum(row["failed"] for parts in rounds for part in parts for row in part.values())
        before, during = median(rounds, 0, "iris"), median(rounds, 1, "iris")
        return {"swaps": ROUNDS * SWAPS_EACH, "failed": failed, "others_p99_ms": during,
                "others_p99_without_ms": before, "p99_ratio": during / before,
                "swapped_p99_ms": median(rounds, 1, "lenet"),
                "swapped_p99_without_ms": median(rounds, 0, "lenet")}
    finally:
        noren.stop()


def median(rounds, part, name):
    return statistics.median(parts[part][name]["p99_ms"] for parts in rounds)


def replace(noren):
    """The person's part runs where and when the load leaves room."""
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    for _ in range(SWAPS_EACH):
        time.sleep(SECONDS_EACH / SWAPS_EACH / 2)
        noren.replace("lenet")
        time.sleep(SECONDS_EACH / SWAPS_EACH / 4)


def under_load(noren, meanwhile=None):
    """Each API at its own constant rate; failures are all answers but 200, and what got none."""
    found, problems = {}, []

    def call(name):
        result = load(noren.port, **noren.way(name), connections=CONNECTIONS, seconds=SECONDS_EACH,
                      rate=RATES[name])
        others = sum(row["count"] for status, row in result["status"].items() if status != "200")
        found[name] = {"failed": others + result["given_up"] + result["broken"],
                       "p99_ms": result["good"]["p99_us"] / 1000}
        if result["not_sent"] > 0:
            raise Failed("the load generator could not keep up")

    def watched(work, *arguments):
        try:
            work(*arguments)
        except Exception as problem:  # for the main thread, which ends the run with it
            problems.append(problem)
    threads = [threading.Thread(target=watched, args=(call, name)) for name in RATES]
    if meanwhile:
        threads.append(threading.Thread(target=watched, args=(meanwhile, noren)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return found
