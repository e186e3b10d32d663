"""The plots, by gnuplot, from records of runs. What was not measured is not drawn."""
import os
import subprocess
import tempfile

KINDS = (("throng", "Throng", 1), ("paper", "profile paper", 2), ("bittorrent", "BitTorrent (libtorrent)", 3),
         ("http", "plain HTTP, of those served", 4))


def usable(records, set_name, program="lab"):
    return [r for r in records if r["set"] == set_name and r["program"] == program and
            not (program == "lab" and r["result"]["emulator"]["overloaded"])]


def keys_of(record):
    """What --set gave, by key."""
    return record["keys"]


def rate_of(record):
    return float(keys_of(record).get("arrivals.rate", 8))


def kind_of(record):
    if record["program"] == "sim":
        return "paper" if keys_of(record).get("node.profile") == "paper" else "throng"
    return record["result"]["scenario"]["clients"]


OWN_SIZES = {"churn": "512K", "home": "256K", "mixed-lines": "256K", "fair": "8M"}  # of scenarios; of others 128K


def size_of(record):
    size = keys_of(record).get("object.size", OWN_SIZES.get(record["scenario"], "128K"))
    return size[:-1] + {"K": " KB", "M": " MB"}[size[-1]]


def seconds_of(record):
    """mean and p95, or None when nobody was served."""
    result = record["result"]
    seconds = result["seconds"] if record["program"] == "sim" else result
    served = seconds["clients"] if record["program"] == "sim" else result["measured"]
    return (seconds["mean"], seconds["p95"]) if served else None


def by_rate(records, value):
    """Rows: rate, mean, least, most of what value() says of each record."""
    found = {}
    for record in records:
        what = value(record)
        if what is not None:
            found.setdefault(rate_of(record), []).append(what)
    return [(rate, sum(v) / len(v), min(v), max(v)) for rate, v in sorted(found.items())]


def mean_s(record):
    seconds = seconds_of(record)
    return seconds[0] if seconds else None


def p95_s(record):
    seconds = seconds_of(record)
    return seconds[1] if seconds else None


class Plot:
    def __init__(self, folder, path, title, x, y):
        self.folder = folder
        self.path = path
        self.lines = ["set terminal svg size 800,520 noenhanced background rgb 'white'", "set output '%s'" % path,
                      "set title '%s'" % title, "set xlabel '%s'" % x, "set ylabel '%s'" % y, "set grid",
                      "set key below maxcols 3"]
        self.curves = []

    def say(self, *lines):
        self.lines += lines
        return self

    def add(self, rows, title, style="with linespoints linewidth 2", columns="1:2"):
        if not rows:
            return
        path = os.path.join(self.folder, "%s-%d" % (os.path.basename(self.path), len(self.curves)))
        with open(path, "w") as out:
            out.writelines(" ".join("%g" % value for value in row) + "\n" for row in rows)
        self.curves.append("'%s' using %s %s title '%s'" % (path, columns, style, title))

    def draw(self):
        if self.curves:
            script = "\n".join(self.lines) + "\nplot " + ", \\\n ".join(self.curves) + "\n"
            subprocess.run(["gnuplot"], input=script, text=True, check=True)


def draw_pool(results, folder, records):
    plot = Plot(folder, str(results / "lab-pool.svg"), "128 KB, 800 kbit/s everywhere, 60 ms mean round trip",
                "arrivals a second", "seconds to completion")
    plot.say("set logscale x 2", "set logscale y", "set xrange [0.8:80]", "set yrange [1:100]",
             "set ytics (1, 1.5, 2, 3, 5, 10, 20, 50, 100)")
    lab = usable(records, "pool")
    for kind, title, colour in KINDS:
        rows = by_rate([r for r in lab if kind_of(r) == kind], mean_s)
        plot.add(rows, title + ", mean", "with yerrorlines linewidth 2 linecolor %d" % colour, "1:2:3:4")
    plot.add(by_rate([r for r in lab if kind_of(r) == "throng"], p95_s), "Throng, p95",
             "with linespoints dashtype 2 linecolor 1")
    sim = usable(records, "pool", "sim")
    plot.add(by_rate([r for r in sim if kind_of(r) == "throng"], mean_s), "Throng, simulator, mean",
             "with linespoints dashtype 3 linecolor 8")
    plot.draw()


def draw_bytes(results, folder, records):
    plot = Plot(folder, str(results / "lab-pool-bytes.svg"), "Received beyond the 128 KB, every header counted",
                "arrivals a second", "percent of the file")
    plot.say("set logscale x 2", "set xrange [0.8:80]", "set yrange [0:*]")
    for kind, title, colour in KINDS:
        rows = by_rate([r for r in usable(records, "pool") if kind_of(r) == kind],
                       lambda r: 100 * r["result"]["clients"]["beyond_file"] if r["result"]["measured"] else None)
        plot.add(rows, title, "with linespoints linewidth 2 linecolor %d" % colour)
    plot.draw()


def draw_sizes(results, folder, records):
    plot = Plot(folder, str(results / "lab-sizes.svg"), "Files of other sizes, 800 kbit/s, 60 ms mean round trip: Throng",
                "arrivals a second", "seconds to completion, mean")
    plot.say("set logscale x 2", "set logscale y", "set xrange [0.8:80]")
    lab = [r for r in usable(records, "pool") + usable(records, "sizes") if kind_of(r) == "throng"]
    sim = [r for r in usable(records, "pool", "sim") + usable(records, "sizes", "sim") if kind_of(r) == "throng"]
    for colour, size in enumerate(("4 KB", "64 KB", "128 KB", "512 KB", "2 MB"), 1):
        plot.add(by_rate([r for r in lab if size_of(r) == size], mean_s), size,
                 "with linespoints linewidth 2 linecolor %d" % colour)
        plot.add(by_rate([r for r in sim if size_of(r) == size], mean_s), size + ", simulator",
                 "with lines dashtype 3 linecolor %d" % colour)
    plot.draw()


def draw_crowd(results, folder, records):
    plot = Plot(folder, str(results / "lab-crowd.svg"), "All at the same instant: 128 KB, 800 kbit/s", "clients",
                "seconds to completion, mean of those served")
    plot.say("set logscale xy", "set xrange [8:400]")
    for kind, title, colour in KINDS:
        found = {}
        for record in usable(records, "crowd"):
            if kind_of(record) == kind and mean_s(record):
                found.setdefault(record["result"]["scenario"]["count"], []).append(mean_s(record))
        plot.add([(count, sum(v) / len(v)) for count, v in sorted(found.items())], title,
                 "with linespoints linewidth 2 linecolor %d" % colour)
    plot.draw()


def draw_waiting(results, folder, records):
    lab = [r for r in usable(records, "pool") if rate_of(r) in (4, 8)]
    rate = max([rate_of(r) for r in lab], default=8)
    plot = Plot(folder, str(results / "lab-waiting.svg"), "Who waits, at %g arrivals a second" % rate, "seconds",
                "visitors waiting")
    for kind, title, colour in KINDS:
        for record in [r for r in lab if kind_of(r) == kind and rate_of(r) == rate][:1]:
            plot.add(list(enumerate(record["result"]["pool"])), title.replace(", of those served", ""),
                     "with lines linewidth 2 linecolor %d" % colour)
    plot.draw()


def shares_of(record):
    """(second, our share) from the first second on in which both had something to send."""
    rows = []
    for second, (udp, tcp) in enumerate(record["result"].get("line", [])):
        if udp + tcp > 0:
            rows.append((second, udp / (udp + tcp)))
    return rows


def fair_name(record):
    keys = keys_of(record)
    flows = keys.get("beside.flows", "1")
    name = "%s %s" % (flows if flows != "1" else "one", keys.get("beside.congestion", "cubic").upper())
    return name + (", CoDel" if keys.get("class shared.aqm") == "codel" else ", drop-tail")


def draw_fairness(results, folder, records):
    plot = Plot(folder, str(results / "lab-fair.svg"), "One Throng download beside TCP on a line of 4 Mbit/s", "seconds",
                "our share of the line")
    plot.say("set yrange [0:1]")
    for colour, record in enumerate([r for r in usable(records, "fair") if r["result"].get("line") and
                                     r["seed"] == 1], 1):
        plot.add(shares_of(record), "beside " + fair_name(record), "with lines linewidth 2 linecolor %d" % colour)
    plot.say("set arrow from graph 0, first 0.3 to graph 1, first 0.3 nohead dashtype 2",
             "set arrow from graph 0, first 0.7 to graph 1, first 0.7 nohead dashtype 2")
    plot.draw()


def pairs(records):
    """(simulator's mean, lab's mean) for every run that both have, over the same seeds."""
    means = {"lab": {}, "sim": {}}
    for record in records:
        if kind_of(record) not in ("throng", "paper") or (record["program"] == "lab" and
                                                          record["result"]["emulator"]["overloaded"]):
            continue
        keys = keys_of(record)
        if record["set"] == "cap" or "server.kill_at" in keys:  # the simulator has no such thing
            continue
        scenario = "home" if record["scenario"] == "mixed-lines" else record["scenario"]
        calm = keys.get("clients.patience") == "0" or keys.get("clients.poison") == "0"
        about = (record["set"], scenario + (", calm" if calm else ""), kind_of(record), keys.get("arrivals.rate"),
                 keys.get("arrivals.count"), size_of(record), "400k" in record["run"])
        if mean_s(record):
            means[record["program"]].setdefault(about, []).append(mean_s(record))
    return [(about, sum(means["sim"][about]) / len(means["sim"][about]), sum(v) / len(v))
            for about, v in sorted(means["lab"].items(), key=str) if about in means["sim"]]


def draw_sim(results, folder, records):
    plot = Plot(folder, str(results / "lab-sim.svg"), "The simulator beside the lab: a point for each load", "simulator, mean s",
                "lab, mean s")
    plot.say("set logscale xy")
    rows = pairs(records)
    for kind, title, colour in KINDS[:2]:
        plot.add([(sim, lab) for about, sim, lab in rows if about[2] == kind], title,
                 "with points pointtype 7 linecolor %d" % colour)
    if rows:
        plot.curves += ["x with lines linecolor 8 title 'equal'", "1.15 * x with lines dashtype 2 linecolor 8 title '15 %'",
                        "x / 1.15 with lines dashtype 2 linecolor 8 notitle"]
    plot.draw()


def draw(results, records):
    with tempfile.TemporaryDirectory() as folder:
        for one in (draw_pool, draw_bytes, draw_sizes, draw_crowd, draw_waiting, draw_fairness, draw_sim):
            one(results, folder, records)
