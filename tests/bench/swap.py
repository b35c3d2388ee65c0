"""The model behind a URL is replaced while it is called."""
import threading
import time

from machine import Failed, load
from noren import Noren

SWAPS = 6


def swap(folder, options):
    """LeNet is swapped under load: nobody fails, and callers of another API hardly notice."""
    noren = Noren(folder, ["iris", "lenet"], core="0,1")
    try:
        rates = {"iris": 2000, "lenet": 1000}
        seconds = 2 * SWAPS
        results = {"quiet": under_load(noren, rates, seconds, lambda: None)}
        swapped = []

        def replace():
            for _ in range(SWAPS):
                time.sleep(seconds / SWAPS / 2)
                noren.replace("lenet")
                swapped.append(time.monotonic())
                time.sleep(seconds / SWAPS / 4)
        results["swapped"] = under_load(noren, rates, seconds, replace)
        failed = sum(row["failed"] for part in results.values() for row in part.values())
        before, during = results["quiet"]["iris"]["p99_ms"], results["swapped"]["iris"]["p99_ms"]
        return {"swaps": len(swapped), "failed": failed, "others_p99_ms": during,
                "others_p99_without_ms": before, "p99_ratio": during / before,
                "swapped_p99_ms": results["swapped"]["lenet"]["p99_ms"],
                "swapped_p99_without_ms": results["quiet"]["lenet"]["p99_ms"]}
    finally:
        noren.stop()


def under_load(noren, rates, seconds, meanwhile):
    """Each API at its own constant rate; failures are all answers but 200, and what got none."""
    found = {}

    def call(name):
        result = load(noren.port, **noren.way(name), connections=256, seconds=seconds, rate=rates[name])
        others = sum(row["count"] for status, row in result["status"].items() if status != "200")
        if result["not_sent"] > 0:
            raise Failed("the load generator could not keep up")
        found[name] = {"failed": others + result["given_up"] + result["broken"],
                       "p99_ms": result["good"]["p99_us"] / 1000}
    callers = [threading.Thread(target=call, args=(name,)) for name in rates]
    for caller in callers:
        caller.start()
    meanwhile()
    for caller in callers:
        caller.join()
    if set(found) != set(rates):
        raise Failed("the load generator failed")
    return found
