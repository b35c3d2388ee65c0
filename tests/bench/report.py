"""What was measured, as tables for people, and whether the project's own bounds hold."""

# A bound: its name, the scenario it needs, the value (None where it was not measured), what it has to be.
# Values are ratios of one run, so that they mean the same on another machine.


def at(data, *path):
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return None
        data = data[part]
    return data


def ratio(a, b):
    return a / b if a is not None and b else None


def rate(results, scenario, *path):
    return at(results, scenario, *path, "per_second")


def iris_bounds(results):
    one, many = at(results, "iris", "1") or {}, at(results, "iris", "32") or {}
    noren, bare, nginx = (at(one, title, "p50_us") for title in ("Noren", "bare Beast + ONNX Runtime",
                                                                "nginx, static file"))
    yield "iris, 1 connection: p50 / the bare program's", ratio(noren, bare), "<=", 1.6
    yield ("iris, 1 connection: p50 added to nginx's, us",
           noren - nginx if noren and nginx else None, "<=", 150)
    served = at(many, "Noren", "per_second")
    yield ("iris, 32 connections: throughput / the bare program's",
           ratio(served, at(many, "bare Beast + ONNX Runtime", "per_second")), ">=", 0.6)
    yield ("iris, 32 connections: throughput / FastAPI's",
           ratio(served, at(many, "FastAPI + ONNX Runtime", "per_second")), ">=", 10)
    for peer in ("LitServe", "Flask + nnabla"):
        yield (f"iris, 32 connections: throughput / {peer}'s",
               ratio(served, at(many, peer, "per_second")), ">=", 5)


def media_bounds(results):
    lenet = at(results, "media", "lenet", "32") or {}
    yield ("LeNet with PNG, 32 connections: throughput / the bare program's",
           ratio(at(lenet, "Noren", "per_second"), at(lenet, "bare Beast + ONNX Runtime", "per_second")),
           ">=", 0.95)
    yield ("ResNet-18 with JPEG, 8 connections: throughput / a bare loop's",
           at(results, "media", "resnet_loop", "ratio"), ">=", 0.95)


def overload_bounds(results):
    rows = {row["share"]: row for row in at(results, "overload", "Noren", "rows") or []}
    for share, least in ((2, 0.9), (4, 0.75)):
        goodput = at(rows, share, "goodput_share")
        yield f"overload, {share} x capacity: goodput / capacity", goodput, ">=", least
    yield "overload, 2 x capacity: p99 of the accepted, ms", at(rows, 2, "accepted_p99_ms"), "<=", 10
    if rows:
        statuses = {status for row in rows.values() for status in row["refused"]}
        yield "overload: answers other than 200 and 429", len(statuses - {"429"}), "<=", 0
        yield "overload: recovery, ms", max(row["recovery_ms"] for row in rows.values()), "<=", 1000


def other_bounds(results):
    yield "cold start: p50, ms", at(results, "cold-start", "p50_ms"), "<=", 10
    yield "noren serve to the first answer: p50, ms", at(results, "server-start", "p50_ms"), "<=", 200
    yield "1,000 models at 50 requests/s: p99, ms", at(results, "thousand", "p99_ms"), "<=", 50
    yield "1,000 models: most memory, MiB", at(results, "thousand", "most_pss_mib"), "<=", 2048 + 256
    yield "swap under load: failed requests", at(results, "swap", "failed"), "<=", 0
    yield "swap under load: p99 of the others / without", at(results, "swap", "p99_ratio"), "<=", 2
    yield "soak: requests that the counters miss", at(results, "soak", "counter_difference"), "<=", 0
    yield "soak: growth after the first third / what is allowed", at(results, "soak", "growth_share"), "<=", 1


def bounds(results):
    """(name, value, comparison, limit, holds) of all that was measured."""
    for source in (iris_bounds, media_bounds, overload_bounds, other_bounds):
        for name, value, comparison, limit in source(results):
            if value is None:
                continue
            holds = value <= limit if comparison == "<=" else value >= limit
            yield name, value, comparison, limit, holds


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 10 else f"{value:.0f}"


def table(heads, rows):
    widths = [max(len(str(row[i])) for row in [heads, *rows]) for i in range(len(heads))]
    lines = ["| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |"
             for row in [heads, *rows]]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def closed_loop_table(by_connections):
    rows = []
    for connections, servers in by_connections.items():
        noren = at(servers, "Noren", "per_second")
        for title, row in servers.items():
            rows.append((connections, title, number(row["per_second"]), number(row["p50_us"] / 1000),
                         number(row["p99_us"] / 1000), number(ratio(noren, row["per_second"]))))
    return table(("connections", "server", "requests/s", "p50 ms", "p99 ms", "Noren is x"), rows)


def overload_table(result):
    rows = []
    for row in result["rows"]:
        refused = row["refused"]
        rows.append((f"{row['share']} x", number(row["offered_per_second"]), f"{row['goodput_share']:.0%}",
                     number(row["accepted_p50_ms"]), number(row["accepted_p99_ms"]),
                     " ".join(f"{status}: {part['count']}" for status, part in refused.items()) or "none",
                     number(max((part["p99_ms"] for part in refused.values()), default=None)),
                     row["given_up"], row["not_sent"], row["recovery_ms"]))
    heads = ("offered", "requests/s", "goodput", "p50 ms", "p99 ms", "refused", "their p99 ms", "given up",
             "not sent", "recovery ms")
    return table(heads, rows)


def tables(results):
    for name, result in results.items():
        if name in ("iris",):
            yield "iris", closed_loop_table(result)
        elif name in ("media", "tls"):
            for model, part in result.items():
                if model != "resnet_loop":
                    yield f"{model}{', TLS' if name == 'tls' else ''}", closed_loop_table(part)
        elif name == "overload":
            for server, part in result.items():
                yield (f"overload, LeNet, {server}, capacity {number(part['capacity_per_second'])}/s",
                       overload_table(part))
        else:
            rows = [(key, number(value) if isinstance(value, (int, float)) else value)
                    for key, value in result.items()]
            yield name, table(("what", "value"), rows)


def print_all(machine, results):
    print(f"\n{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, "
          f"{machine['date']} UTC, load {machine['load']:.1f} at the start; quote ratios, not rates")
    for title, text in tables(results):
        print(f"\n{title}\n{text}")
    rows = [(name, number(value), f"{comparison} {limit}", "yes" if holds else "NO")
            for name, value, comparison, limit, holds in bounds(results)]
    print(f"\nbounds\n{table(('what', 'measured', 'bound', 'holds'), rows)}")
