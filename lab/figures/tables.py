"""The tables, as Markdown: what was measured, and the figures that are to be reached with what was found beside each."""
import csv
import statistics

import plots
from plots import fair_name, keys_of, kind_of, mean_s, p95_s, rate_of, size_of, usable

# Every neighbour may owe a tab (docs/PROTOCOL.md, degree_max and tab_bytes); of a file of 128 KB.
DEGREE_MAX = 24
TAB_BYTES = 4608
SIZE_BYTES = 128 * 1024


def mean(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else None


def show(value, form="%.2f"):
    return "" if value is None else form % value


def table(head, rows):
    if not rows:
        return "Not measured yet.\n"
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def groups(records, *keys):
    """Records that agree in what the key functions say, in order."""
    found = {}
    for record in records:
        found.setdefault(tuple(key(record) for key in keys), []).append(record)
    return sorted(found.items(), key=str if any(isinstance(k, str) for g in found for k in g) else None)


def not_served(record):
    result = record["result"]
    return result["measured_unfinished"] + result["turned_away"]


def loads(records):
    rows = []
    for kind, _, _ in plots.KINDS:
        of_kind = [r for r in records if kind_of(r) == kind]
        for size in ("4 KB", "64 KB", "128 KB", "512 KB", "2 MB"):
            for rate in sorted({rate_of(r) for r in of_kind if size_of(r) == size}):
                some = [r for r in of_kind if size_of(r) == size and rate_of(r) == rate]
                results = [r["result"] for r in some]
                clients = [r["clients"] for r in results if r["measured"]]
                rows.append((kind, size, "%g" % rate, len(some), sum(r["measured"] for r in results),
                             sum(not_served(r) for r in some), show(mean([mean_s(r) for r in some])),
                             ", ".join(show(mean_s(r)) for r in some) if len(some) > 1 else "",
                             show(mean([p95_s(r) for r in some])),
                             show(mean([100 * c["beyond_file"] for c in clients]), "%.0f %%"),
                             show(max([c["upload_ratio_worst"] for c in clients], default=None)) if kind in ("throng", "paper") else "",
                             show(mean([r["server"]["join_bytes"] for r in results]), "%.0f") if kind in ("throng", "paper")
                             else "",
                             show(max(r["server"]["busiest_second"] for r in results) * 100, "%.0f %%"),
                             show(max(r["emulator"]["load"] for r in results), "%.1f")))
    return table(("clients", "size", "arrivals/s", "seeds", "served", "not served", "mean s", "of each seed", "p95 s",
                  "beyond the file", "worst given/file", "server: bytes an arrival, chunks left out", "its busiest second",
                  "load"), rows)


def beyond(records):
    rows = []
    for (rate,), some in groups([r for r in records if kind_of(r) == "throng" and size_of(r) == "128 KB"], rate_of):
        parts = [r["result"]["clients"]["beyond"] for r in some if r["result"]["measured"]]
        rows.append(("%g" % rate, *(show(mean([p[part] for p in parts]), "%.0f")
                                    for part in ("twice", "headers", "frames", "tcp", "other", "not_opened"))))
    return table(("arrivals/s", "content twice", "headers", "protocol", "HTTP", "ICMP", "not opened"), rows)


def crowds(records):
    rows = []
    for kind, _, _ in plots.KINDS:
        of_kind = [r for r in records if kind_of(r) == kind]
        for count in sorted({r["result"]["scenario"]["count"] for r in of_kind}):
            some = [r for r in of_kind if r["result"]["scenario"]["count"] == count]
            rows.append((kind, "%d" % count, len(some), sum(r["result"]["measured"] for r in some),
                         sum(not_served(r) for r in some), show(mean([mean_s(r) for r in some])),
                         show(mean([p95_s(r) for r in some])),
                         show(mean([r["result"]["by_http"] for r in some if r["result"]["measured"]]), "%.1f")))
    return table(("clients", "at once", "seeds", "served", "not served", "mean s", "p95 s", "of them by HTTP"), rows)


def fault_name(record):
    keys = keys_of(record)
    name = record["scenario"]
    calm = (name == "churn" and keys.get("clients.patience") == "0") or keys.get("clients.poison") == "0"
    return name + (", calm" if calm else ", throngd killed" if "server.kill_at" in keys else "")


def faults(records):
    rows = []
    for (name,), some in groups(records, fault_name):
        results = [r["result"] for r in some]
        others = sorted({g["name"] for r in results for g in r["groups"]})
        parts = ["%s %s" % (other, show(mean([g["mean"] for r in results for g in r["groups"]
                                              if g["name"] == other and g["measured"]]))) for other in others]
        rows.append((name, len(some), sum(r["measured"] for r in results), sum(r["measured_left"] for r in results),
                     sum(r["measured_unfinished"] for r in results), sum(r["wrong"] for r in results),
                     show(mean([r["mean"] for r in results])), show(mean([r["median"] for r in results])),
                     show(mean([r["p95"] for r in results])), "; ".join(parts)))
    return table(("scenario", "seeds", "complete", "left before", "unfinished", "with wrong bytes", "mean s", "median s",
                  "p95 s", "mean s of each group"), rows)


def contested(record):
    """Our shares in the seconds in which both sent, three seconds after we began and before we ended."""
    line = record["result"].get("line", [])
    ours = [second for second, (udp, tcp) in enumerate(line) if udp > 0.02 * (udp + tcp) and tcp > 0]
    inner = [s for s in ours if ours[0] + 3 <= s <= ours[-1] - 1]
    return [line[s][0] / sum(line[s]) for s in inner]


def jain(rates):
    return sum(rates) ** 2 / (len(rates) * sum(rate * rate for rate in rates))


def own_rates(record):
    """Bytes a second of the last node's downloads, which shared its line."""
    visits = list(csv.DictReader(record.get("visits", [])))
    last = max((int(v["node"]) for v in visits), default=0)
    return [1 / float(v["complete_s"]) for v in visits if int(v["node"]) == last and float(v["complete_s"]) > 0]


def fairness(records):
    rows = []
    for (name,), some in groups([r for r in records if r["result"].get("line")], fair_name):
        shares = [share for r in some for share in contested(r)]
        if not shares:
            continue
        flows = int(keys_of(some[0]).get("beside.flows", 1))
        ours = statistics.mean(shares)
        rates = [ours] + [(1 - ours) / flows] * flows
        rows.append((name, len(some), show(ours), show(min(shares)), show(max(shares)), show(jain(rates))))
    text = table(("beside", "seeds", "our share", "least second", "most", "Jain's index"), rows)
    own = [own_rates(r) for r in records if r.get("visits")]
    own = [rates for rates in own if len(rates) > 1]
    if own:
        text += "\n%d of ours beside each other on that line: Jain's index %s.\n" % (
            len(own[0]), ", ".join("%.3f" % jain(rates) for rates in own))
    return text


def alone(records):
    rows = []
    for (size,), some in groups(records, size_of):
        of = {kind: mean([mean_s(r) for r in some if kind_of(r) == kind]) for kind in ("throng", "http")}
        if of["throng"] and of["http"]:
            rows.append((size, show(of["http"], "%.3f"), show(of["throng"], "%.3f"), show(of["throng"] / of["http"])))
    return table(("file", "HTTP, s", "Throng, s", "ratio"), rows)


def capped(records):
    rows = [("%g" % rate_of(r), show(100 * r["result"]["server"]["busiest_second"], "%.0f %%"),
             show(100 * r["result"]["server"]["line_used"], "%.0f %%"), show(mean_s(r)))
            for r in sorted(records, key=rate_of)]
    return table(("arrivals/s", "busiest second of the cap", "of the cap in the mean", "mean s"), rows)


def simulator(records):
    rows = [(about[0], about[1], about[2], about[3] or about[4] or "", about[5] + (", 400 kbit/s" if about[6] else ""),
             show(lab), show(sim), show(lab / sim), "" if abs(lab / sim - 1) <= 0.15 else "beyond 15 %")
            for about, sim, lab in plots.pairs(records)]
    return table(("set", "scenario", "profile", "load", "size", "lab, mean s", "simulator, mean s", "lab / simulator", ""),
                 rows)


def verdict(met):
    return "not measured" if met is None else "yes" if met else "no"


def goal(measure, found, met):
    return (measure, found, verdict(met))


def goals_of_pool(pool, sizes, slow):
    by_rate = plots.by_rate([r for r in pool if kind_of(r) == "throng"], mean_s)
    p95s = plots.by_rate([r for r in pool if kind_of(r) == "throng"], p95_s)
    lost = sum(not_served(r) for r in pool if kind_of(r) == "throng")
    rows = []
    if by_rate:
        text = ", ".join("%g: %.2f" % row[:2] for row in by_rate)
        whole = len(by_rate) == 7
        rows.append(goal("mean at each of 1 … 64 arrivals/s <= 2.4 s", text,
                         all(r[1] <= 2.4 for r in by_rate) if whole or any(r[1] > 2.4 for r in by_rate) else None))
        rows.append(goal("p95 <= 3.0 s", ", ".join("%g: %.2f" % row[:2] for row in p95s), all(r[1] <= 3 for r in p95s)))
        rows.append(goal("every client completes", "%d did not" % lost, lost == 0))
        growth = [(b[0], (b[1] - a[1])) for a, b in zip(by_rate, by_rate[1:]) if b[0] == 2 * a[0]]
        rows.append(goal("growth for each doubling <= 0.1 s", ", ".join("to %g: %+.2f" % g for g in growth),
                         all(g[1] <= 0.1 for g in growth) if growth else None))
        over = plots.by_rate([r for r in pool if kind_of(r) == "throng"],
                             lambda r: 100 * r["result"]["clients"]["beyond_file"])
        rows.append(goal("received beyond the file <= 16 %", ", ".join("%g: %.0f" % row[:2] for row in over),
                         all(r[1] <= 16 for r in over)))
        worst = max(r["result"]["clients"]["upload_ratio_worst"] for r in pool if kind_of(r) == "throng")
        allowed = 1.0 + DEGREE_MAX * TAB_BYTES / SIZE_BYTES
        rows.append(goal("worst client's upload over download <= 1.0 and open tabs (%d neighbours of 4.5 KB: %.2f)"
                         % (DEGREE_MAX, allowed), "%.2f" % worst, worst <= allowed))
        join = [(rate_of(r), r["result"]["server"]["join_bytes"]) for r in pool
                if kind_of(r) == "throng" and rate_of(r) >= 16]
        if join:
            most = max(b for _, b in join)
            rows.append(goal("server's bytes for a visitor to reach the crowd <= 700 (16/s and more, first bodies included)",
                             "at most %.0f" % most, most <= 700))
    for records, label, size, rate, limit in ((slow, "128 KB, 400 kbit/s, 32/s <= 4.5 s", "128 KB", 32, 4.5),
                                              (sizes, "64 KB, 800 kbit/s, 32/s <= 1.6 s", "64 KB", 32, 1.6),
                                              (sizes, "4 KB, 32/s <= 0.6 s", "4 KB", 32, 0.6)):
        found = mean([mean_s(r) for r in records if kind_of(r) == "throng" and size_of(r) == size and rate_of(r) == rate])
        rows.append(goal(label, show(found), None if found is None else found <= limit))
    return rows


def ratio_goal(measure, records, bad, calm, field, limit, complete):
    of = {name: [r["result"] for r in records if fault_name(r) == name] for name in (bad, calm)}
    if not of[bad] or not of[calm]:
        return goal(measure, "", None)
    ratio = mean([r[field] for r in of[bad]]) / mean([r[field] for r in of[calm]])
    left = sum(r["measured_unfinished"] for r in of[bad])
    wrong = sum(r["wrong"] for r in of[bad])
    return goal(measure, "%.2f times; %d unfinished; %d with wrong bytes" % (ratio, left, wrong),
                ratio <= limit and wrong == 0 and (left == 0 or not complete))


def goals(records):
    rows = goals_of_pool(usable(records, "pool"), usable(records, "sizes"), usable(records, "slow"))
    ratios = []
    for (size,), some in groups(usable(records, "alone"), size_of):
        of = {kind: mean([mean_s(r) for r in some if kind_of(r) == kind]) for kind in ("throng", "http")}
        if of["throng"] and of["http"]:
            ratios.append((size, of["throng"] / of["http"]))
    rows.append(goal("one client alone within 5 % of HTTP", ", ".join("%s: %.2f" % r for r in ratios),
                     all(r[1] <= 1.05 for r in ratios) if ratios else None))
    busiest = [r["result"]["server"]["busiest_second"] for r in usable(records, "cap")]
    rows.append(goal("cap never exceeded by 5 % over a second (line ten times the cap)",
                     ", ".join("%.0f %%" % (100 * b) for b in busiest), max(busiest) <= 1.05 if busiest else None))
    bad = usable(records, "faults")
    rows.append(ratio_goal("90 % vanish: all remaining complete, median <= 2 times the calm one", bad, "churn",
                           "churn, calm", "median", 2, True))
    rows.append(ratio_goal("20 % poison: no wrong byte, mean <= 1.5 times", bad, "poison", "poison, calm", "mean", 1.5,
                           False))
    shares = [(name, statistics.mean([s for r in some for s in contested(r)] or [0]))
              for (name,), some in groups([r for r in usable(records, "fair") if r["result"].get("line")], fair_name)
              if name.startswith("one")]
    rows.append(goal("share beside one TCP flow 0.3 to 0.7", ", ".join("%s: %.2f" % s for s in shares),
                     all(0.3 <= s[1] <= 0.7 for s in shares) if shares else None))
    return table(("to be reached", "found", "reached"), rows)


def accuracy(records):
    emulators = [r["result"]["emulator"] for r in records if r["program"] == "lab"]
    if not emulators:
        return ""
    worst = {key: max(e[key] for e in emulators) for key in ("late_p99_us", "loop_lag_p99_ms")}
    rate = max(abs(e["rate_measured_bps"] / e["rate_bps"] - 1) for e in emulators if e["rate_bps"])
    delay = max(abs(e["delay_error_us"]) for e in emulators)
    over = sum(e["overloaded"] for e in emulators)
    return ("Of %d runs in the lab %d were overloaded (in neither tables nor plots). Emulated lines, at worst of all runs: "
            "delay off by %.2f ms at the median, rate by %.2f %%, packets late by %.1f ms at p99, visitors' loops by %d ms "
            "at p99.\n" % (len(emulators), over, delay / 1e3, 100 * rate, worst["late_p99_us"] / 1e3,
                           worst["loop_lag_p99_ms"]))


def write(records):
    commits = sorted({r["commit"] for r in records})
    parts = ["# The lab's figures\n", "Written by `make figures` from `lab-*.jsonl`, which have the command and the commit of "
             "each run (%s). What they mean stands in [lab.md](lab.md).\n" % (", ".join(commits) or "none yet"),
             accuracy(records), "## What is to be reached\n", goals(records), "## Stabilized pool\n",
             loads(usable(records, "pool")), "Bytes beyond the file, a client of Throng:\n", beyond(usable(records, "pool")),
             "## Other sizes\n", loads(usable(records, "sizes")), "## 400 kbit/s\n", loads(usable(records, "slow")),
             "## As deployed, from cold (mode auto)\n", loads(usable(records, "cold")), "## Lines of homes\n",
             loads(usable(records, "home")), "## All at once\n", crowds(usable(records, "crowd")), "## Faults\n",
             faults(usable(records, "faults")), "## Fairness\n", fairness(usable(records, "fair")), "## One client alone\n",
             alone(usable(records, "alone")), "## A cap below the line\n", capped(usable(records, "cap")),
             "## The simulator beside the lab\n", simulator(records)]
    return "\n".join(part for part in parts if part)
