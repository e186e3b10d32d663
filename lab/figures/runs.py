"""Which runs there are. A run is one program, one scenario, some keys and a seed; its name is what it does, so that what
is done is known again. The order is that of their worth: the first seed of all, then the other seeds of Throng's pool, then
those of the rest. How long each takes and how much of a processor, all its processes together, is from `took_s` and
`cpu_s` of earlier runs (docs/results/lab-*.jsonl)."""
import dataclasses

RATES = (1, 2, 4, 8, 16, 32, 64)
SETUP_S = 3  # the server, measuring the lines
SETUP_NODE_S = 0.006
NEED_IDLE = 0.15  # processors: whoever looks every half millisecond
NEED_VISIT = 0.021  # … for each visitor a second that fetches 128 KB in the crowd
NEED_JOIN = 0.3  # of a visit: what does not depend on the file's size
NEED_SIM = 0.5
ASIDE = 0.1  # of the rounds: what stands beside Throng for comparison


@dataclasses.dataclass(frozen=True)
class Run:
    set: str
    program: str  # lab or sim
    scenario: str
    keys: tuple  # of (key, value)
    seed: int
    expected_s: float
    need: float = NEED_IDLE  # processors
    alone: bool = False  # nothing may run beside it
    round: float = 0  # lesser ones come first
    csv: bool = False  # visits are wanted one by one

    @property
    def name(self):
        return " ".join([self.program, self.scenario] + ["%s=%s" % key for key in self.keys] + ["seed=%d" % self.seed])


def need_of(visits, size=1.0):
    """Processors for so many visitors a second, of files of so many times 128 KB."""
    return NEED_IDLE + NEED_VISIT * visits * max(NEED_JOIN, size)


def run(set_name, scenario, seed, expected_s, keys, program="lab", need=0.5, alone=False, aside=False, csv=False):
    worth = 0 if seed == 1 else 1 if set_name == "pool" else seed
    if program == "sim":
        return Run(set_name, program, scenario, tuple(sorted(keys.items())), seed, 4, NEED_SIM, False, worth)
    setup_s = SETUP_S + SETUP_NODE_S * int(keys.get("run.nodes", 200))
    return Run(set_name, program, scenario, tuple(sorted(keys.items())), seed, setup_s + expected_s, need, alone,
               worth + ASIDE * aside, csv)


def nodes_of(rate, kind, slow, duration):
    """Enough that nobody is turned away, and no more: HTTP's pool grows without end."""
    if kind == "http":
        return int(20 + 1.25 * rate * duration)
    return int(min(900, (40 + rate * 8) * slow))


def duration_of(rate, quick):
    """Long enough for some hundreds of visitors: a second with 32 of them says more than one with 1."""
    return 24 if quick else 60 if rate < 16 else 40


def pool_need(rate, kind, size):
    """Of HTTP's pool the server's line is all that is busy. BitTorrent's are one program of Python."""
    part = {"4K": 1 / 32, "64K": 0.5, "128K": 1, "512K": 4, "2M": 16}[size]
    if kind == "http":
        return 0.35 + 0.02 * rate
    return need_of(rate * {"throng": 1, "paper": 1.4, "bittorrent": 4}[kind], part)


def pool(set_name, rate, kind, seed, quick, size="128K", line="800k", slow=1.0):
    """The paper's stabilized pool. `slow`: how much longer than 128 KB on 800 kbit/s."""
    duration = duration_of(rate, quick)
    warmup = 8 if quick else 10
    drain = 15 if quick else 30
    if slow > 2:
        duration, warmup, drain = duration + 20, warmup + 10, drain + 30
    if kind == "http":
        duration, drain = min(duration, 40), 15 if quick else 30
    keys = {"arrivals.rate": rate, "run.duration": "%ds" % duration, "run.warmup": "%ds" % warmup,
            "run.drain": "%ds" % drain, "run.nodes": nodes_of(rate, kind, slow, duration)}
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
    tail = drain if kind == "http" else 2.5 * slow
    return run(set_name, "pool", seed, duration + min(tail, drain), keys, need=pool_need(rate, kind, size),
               aside=kind != "throng")


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
    return run(lab_run.set, lab_run.scenario, lab_run.seed, 0, keys, program="sim",
               aside=lab_run.round > int(lab_run.round))


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
            yield run("cold", "pool", seed, 43, {"arrivals.rate": rate, "run.duration": "40s", "run.warmup": 0,
                                                 "run.nodes": 100 + 12 * rate}, need=need_of(rate))


def crowds(quick):
    """All at once is all the work at once: nothing runs beside a large crowd."""
    for seed in range(1, 2 if quick else 4):
        for count in (30, 100) if quick else (10, 30, 100, 300):
            keys = {"arrivals.count": count, "run.nodes": count, "server.mode": "crowd"}
            need = need_of(count / 4)
            yield run("crowd", "crowd", seed, 5 + count / 30, keys, need=need, alone=count >= 100)
            yield run("crowd", "crowd", seed, 0, {"arrivals.count": count}, program="sim")
            if seed == 1:
                yield run("crowd", "crowd", seed, 91 if count > 60 else 15 + 1.4 * count,
                          {**keys, "clients.kind": "http"}, aside=True)
            if seed == 1 and count <= 100:
                yield run("crowd", "crowd", seed, 10 + count / 3, {**keys, "clients.kind": "bittorrent"}, need=need,
                          alone=count >= 100, aside=True)


def both(set_name, scenario, seed, expected_s, lab_keys=None, sim_keys=None, sim_scenario=None, need=0.5):
    """A scenario that the simulator has, too: for as long there."""
    yield run(set_name, scenario, seed, expected_s, lab_keys or {}, need=need)
    yield run(set_name, sim_scenario or scenario, seed, 0,
              {"run.duration": "60s", "run.warmup": "10s", "run.drain": "30s", **(sim_keys or {})}, program="sim")


def homes(quick):
    for seed in range(1, 2 if quick else 4):
        for rate in (8,) if quick else (4, 16, 32):
            yield from both("home", "home", seed, 45, {"arrivals.rate": rate, "run.nodes": 40 + rate * 8},
                            {"arrivals.rate": rate, "run.duration": "40s"}, "mixed-lines", need=need_of(rate, 2))


def faults(quick):
    calm_churn = {"clients.patience": 0, "clients.vanish": 0}
    calm_poison = {"clients.poison": 0}
    for seed in range(1, 2 if quick else 4):
        yield from both("faults", "churn", seed, 71)
        yield from both("faults", "churn", seed, 71, calm_churn, calm_churn, need=need_of(8, 3))
        yield from both("faults", "poison", seed, 70)
        yield from both("faults", "poison", seed, 63, calm_poison, calm_poison)
        yield from both("faults", "leech", seed, 90)
        yield from both("faults", "seeder-dies", seed, 65, None,
                        {"seeder.die_at": "20s", "seeder.return_at": "40s", "run.warmup": "5s"})
        yield run("faults", "seeder-dies", seed, 65,
                  {"server.fail_at": 0, "server.heal_at": 0, "server.kill_at": "20s"})
        yield from both("faults", "lossy", seed, 64)
        yield run("faults", "nat", seed, 64, {})
        yield run("faults", "flaky", seed, 64, {})


def fairness(quick):
    for seed in range(1, 2 if quick else 4):
        for congestion in ("cubic", "bbr"):
            yield run("fair", "fair", seed, 58, {"beside.congestion": congestion}, need=0.3)
            yield run("fair", "fair", seed, 58, {"beside.congestion": congestion, "class shared.aqm": "codel"}, need=0.3)
        yield run("fair", "fair", seed, 58, {"beside.flows": 4}, need=0.3)
        yield run("fair", "fair", seed, 58, {"beside.flows": 0, "clients.per_node": 3, "object.count": 3,
                                             "arrivals.count": 27, "object.size": "4M"}, need=0.35, csv=True)


def alone(quick):
    """One client, and nobody else: Throng must cost nothing."""
    for size, expected in (("4K", 1), ("128K", 2), ("2M", 23)):
        for kind in ("throng", "http"):
            yield run("alone", "crowd", 1, expected, {"arrivals.count": 1, "run.nodes": 2, "object.size": size,
                                                      "clients.kind": kind}, need=NEED_IDLE)


def capped(quick):
    """A line ten times as fast as the cap that the server is told: only the server itself keeps it."""
    for rate in (8,) if quick else (1, 8, 32):
        yield run("cap", "pool", 1, 44, {"arrivals.rate": rate, "run.duration": "40s", "run.nodes": 60 + 8 * rate,
                                         "server.mode": "crowd", "server.up": "8m", "server.down": "8m",
                                         "server.cap": "800k"}, need=need_of(rate))


SETS = {"pool": pools, "alone": alone, "cap": capped, "slow": slow_lines, "sizes": sizes, "faults": faults,
        "fair": fairness, "crowd": crowds, "cold": cold, "home": homes}


def all_runs(only, quick):
    """In the order in which they are to be made; of equal worth the largest first, as they are the hardest to place."""
    runs = [one for name in only for one in SETS[name](quick)]
    return sorted(runs, key=lambda one: (one.round, not one.alone, -one.need))
