"""Open loop: requests come at a constant rate whatever the server does; callers give up after a second."""
import statistics
import time

from machine import closed_loop, load

CONNECTIONS = 1024
SHARES = (0.5, 1, 2, 4)


def probe(server, name):
    """Milliseconds until a call is answered with 200 again, and answered in time."""
    start = time.monotonic()
    while time.monotonic() - start < 30:
        result = load(server.port, **server.way(name), connections=1, seconds=0.1, warm_up=0)
        if result["good"] and result["good"]["p50_us"] < 100_000:
            break
    return max(0.0, (time.monotonic() - start) * 1000 - 100)


def overload(server, name, seconds, shares=SHARES, capacity_connections=32):
    """Goodput and what callers see at multiples of the capacity that the closed loop finds."""
    capacity = statistics.median(
        closed_loop(server, name, capacity_connections, seconds / 2)["per_second"] for _ in range(3))
    rows = []
    for share in shares:
        result = load(server.port, **server.way(name), connections=CONNECTIONS, seconds=seconds,
                      rate=capacity * share, warm_up=1)
        refused = {status: row for status, row in result["status"].items() if status != "200"}
        rows.append({
            "share": share, "offered_per_second": round(capacity * share),
            "goodput_per_second": result["good_per_second"],
            "goodput_share": result["good_per_second"] / capacity,
            "accepted_p50_ms": result["good"]["p50_us"] / 1000 if result["good"] else None,
            "accepted_p99_ms": result["good"]["p99_us"] / 1000 if result["good"] else None,
            "refused": {status: {"count": row["count"], "p99_ms": row["p99_us"] / 1000}
                        for status, row in refused.items()},
            "given_up": result["given_up"], "broken": result["broken"], "not_sent": result["not_sent"],
            "recovery_ms": round(probe(server, name))})
    return {"capacity_per_second": capacity, "rows": rows}
