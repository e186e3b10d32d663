"""Which runs there are. A run is one program, one scenario, some keys and a seed; its name is what it does, so that what
is done is known again. The order is that of their worth: the first seed of all comes before the second of any."""
import dataclasses

RATES = (1, 2, 4, 8, 16, 32, 64)
SETUP_S = 8  # nodes, the server, measuring the lines


@dataclasses.dataclass(frozen=True)
class Run:
    set: str
    program: str  # lab or sim
    scenario: str
    keys: tuple  # of (key, value)
    seed: int
    expected_s: float
    csv: bool = False  # visits are wanted one by one

    @property
    def name(self):
        return " ".join([self.program, self.scenario] + ["%s=%s" % key for key in self.keys] + ["seed=%d" % self.seed])


def run(set_name, scenario, seed, expected_s, keys, program="lab", csv=False):
    return Run(set_name, program, scenario, tuple(sorted(keys.items())), seed,
               2 if program == "sim" else SETUP_S + expected_s, csv)


def nodes_of(rate, kind, slow):
    """Enough that nobody is turned away, and no more: HTTP's pool grows without end."""
    if kind == "http":
        return int(min(1200, 60 + rate * 75))
    return int(min(900, (40 + rate * 12) * slow))


def pool(set_name, rate, kind, seed, quick, size="128K", line="800k", slow=1.0):
    """The paper's stabilized pool. `slow`: how much longer than 128 KB on 800 kbit/s."""
    duration = 24 if quick else 60
    warmup = 8 if quick else 10
    drain = 15 if quick else 30
    if slow > 2:
        duration, warmup, drain = duration + 20, warmup + 10, drain + 30
    if kind == "http":
        duration, drain = min(duration, 40), 15 if quick else 30
    keys = {"arrivals.rate": rate, "run.duration": "%ds" % duration, "run.warmup": "%ds" % warmup,
            "run.drain": "%ds" % drain, "run.nodes": nodes_of(rate, kind, slow)}
    if size != "128K":
        keys["object.size"] = size
    if line != "800k":
        keys.update({"server.up": line, "server.down": line, "clients.up": line, "clients.down": line})
    if kind in ("throng", "paper"):
        keys["server.mode"] = "crowd"
    if kind == "paper":
        keys["clients.profile"] = "paper"
    elif kind != "throng":
        keys["clients.kind"] = kind
    tail = drain if kind == "http" else 5 * slow
    return run(set_name, "pool", seed, duration + min(tail, drain), keys)


def sim_of(lab_run):
    """The same in the simulator: its names for the same things."""
    keys = {}
    for key, value in lab_run.keys:
        if key in ("run.nodes", "server.mode", "clients.kind"):
            continue
        key = key.replace("server.", "seeder.")
        if key in ("clients.up", "clients.down"):
            key = key.replace("clients.", "class line.")
        if key == "clients.profile":
            key = "node.profile"
        keys[key] = value
    return run(lab_run.set, lab_run.scenario, lab_run.seed, 0, keys, program="sim")


def pools(quick):
    rates = (4, 16, 64) if quick else RATES
    for seed in range(1, 2 if quick else 6):
        for rate in rates:
            one = pool("pool", rate, "throng", seed, quick)
            yield one
            yield sim_of(one)
        if seed > 1:
            continue
        for rate in rates:
            one = pool("pool", rate, "paper", seed, quick, slow=2)
            yield one
            yield sim_of(one)
        for rate in [r for r in rates if r <= 16]:
            yield pool("pool", rate, "bittorrent", seed, quick, slow=4)
            yield pool("pool", rate, "http", seed, quick)


def sizes(quick):
    for seed in range(1, 2 if quick else 3):
        for size, slow, rates in (("4K", 0.5, RATES), ("64K", 0.6, RATES), ("512K", 4, (1, 4, 16)), ("2M", 14, (1, 4))):
            for rate in [r for r in rates if not quick or r in (4, 32)]:
                one = pool("sizes", rate, "throng", seed, quick, size=size, slow=slow)
                yield one
                yield sim_of(one)
    for rate in (4,) if quick else (1, 4, 16):
        for size, slow in (("4K", 1), ("64K", 2)):
            yield pool("sizes", rate, "bittorrent", 1, quick, size=size, slow=3 * slow)
            yield pool("sizes", rate, "http", 1, quick, size=size)


def slow_lines(quick):
    for seed in range(1, 2 if quick else 4):
        for rate in (32,) if quick else (32, 2, 4, 8, 16):
            one = pool("slow", rate, "throng", seed, quick, line="400k", slow=2)
            yield one
            yield sim_of(one)
    yield pool("slow", 32, "paper", 1, quick, line="400k", slow=4)
    yield pool("slow", 4, "bittorrent", 1, quick, line="400k", slow=6)


def cold(quick):
    """As deployed: nobody knows that a crowd will come."""
    for seed in range(1, 2 if quick else 4):
        for rate in (8,) if quick else (8, 32):
            yield run("cold", "pool", seed, 45, {"arrivals.rate": rate, "run.duration": "40s", "run.warmup": 0,
                                                 "run.nodes": 600})


def crowds(quick):
    for seed in range(1, 2 if quick else 4):
        for count in (30, 100) if quick else (10, 30, 100, 300):
            keys = {"arrivals.count": count, "run.nodes": count, "server.mode": "crowd"}
            yield run("crowd", "crowd", seed, 5 + count / 5, keys)
            yield run("crowd", "crowd", seed, 0, {"arrivals.count": count}, program="sim")
            if seed == 1:
                yield run("crowd", "crowd", seed, 91, {**keys, "clients.kind": "http"})
            if seed == 1 and count <= 100:
                yield run("crowd", "crowd", seed, 60, {**keys, "clients.kind": "bittorrent"})


def both(set_name, scenario, seed, expected_s, lab_keys=None, sim_keys=None, sim_scenario=None):
    """A scenario that the simulator has, too: for as long there."""
    yield run(set_name, scenario, seed, expected_s, lab_keys or {})
    yield run(set_name, sim_scenario or scenario, seed, 0,
              {"run.duration": "60s", "run.warmup": "10s", "run.drain": "30s", **(sim_keys or {})}, program="sim")


def homes(quick):
    for seed in range(1, 2 if quick else 4):
        for rate in (8,) if quick else (4, 16, 32):
            yield from both("home", "home", seed, 45, {"arrivals.rate": rate, "run.nodes": 40 + rate * 8},
                            {"arrivals.rate": rate, "run.duration": "40s"}, "mixed-lines")


def faults(quick):
    calm_churn = {"clients.patience": 0, "clients.vanish": 0}
    calm_poison = {"clients.poison": 0}
    for seed in range(1, 2 if quick else 4):
        yield from both("faults", "churn", seed, 66)
        yield from both("faults", "churn", seed, 80, calm_churn, calm_churn)
        yield from both("faults", "poison", seed, 70)
        yield from both("faults", "poison", seed, 65, calm_poison, calm_poison)
        yield from both("faults", "leech", seed, 90)
        yield from both("faults", "seeder-dies", seed, 66, None,
                        {"seeder.die_at": "20s", "seeder.return_at": "40s", "run.warmup": "5s"})
        yield run("faults", "seeder-dies", seed, 66,
                  {"server.fail_at": 0, "server.heal_at": 0, "server.kill_at": "20s"})
        yield from both("faults", "lossy", seed, 66)
        yield run("faults", "nat", seed, 70, {})
        yield run("faults", "flaky", seed, 66, {})


def fairness(quick):
    for seed in range(1, 2 if quick else 4):
        for congestion in ("cubic", "bbr"):
            yield run("fair", "fair", seed, 60, {"beside.congestion": congestion})
            yield run("fair", "fair", seed, 60, {"beside.congestion": congestion, "class shared.aqm": "codel"})
        yield run("fair", "fair", seed, 60, {"beside.flows": 4})
        yield run("fair", "fair", seed, 75, {"beside.flows": 0, "clients.per_node": 3, "object.count": 3,
                                             "arrivals.count": 27, "object.size": "4M"}, csv=True)


def alone(quick):
    """One client, and nobody else: Throng must cost nothing."""
    for size, expected in (("4K", 2), ("128K", 3), ("2M", 25)):
        for kind in ("throng", "http"):
            yield run("alone", "crowd", 1, expected + 2, {"arrivals.count": 1, "run.nodes": 2, "object.size": size,
                                                          "clients.kind": kind})


def capped(quick):
    """A line ten times as fast as the cap that the server is told: only the server itself keeps it."""
    for rate in (8,) if quick else (1, 8, 32):
        yield run("cap", "pool", 1, 46, {"arrivals.rate": rate, "run.duration": "40s", "run.nodes": 600,
                                         "server.mode": "crowd", "server.up": "8m", "server.down": "8m",
                                         "server.cap": "800k"})


SETS = {"pool": pools, "fair": fairness, "faults": faults, "crowd": crowds, "cap": capped, "alone": alone, "cold": cold,
        "slow": slow_lines, "home": homes, "sizes": sizes}


def all_runs(only, quick):
    """In the order in which they are to be made."""
    runs = [one for name in only for one in SETS[name](quick)]
    return sorted(runs, key=lambda one: one.seed)
