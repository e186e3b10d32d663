"""The evaluation: runs the lab and the simulator, keeps what they find in docs/results/lab-SET.jsonl, draws it and writes
the tables. What is done already is not done again, so it may be interrupted and gone on with at any time. Runs go side by
side as far as the processors carry them (packing.py); one that was overloaded in company is made again alone.

    make figures                                everything, as root, with nothing else on the machine
    make figures QUICK=1                        fewer rates, one seed, short runs; kept in build/figures
    make figures ONLY="pool fair" BUDGET=20m    these sets; no run is begun that would end after 20 minutes
    make figures JOBS=1                         one run after the other
    make figures FRESH=1 ONLY=pool              forgets what was measured of this set
    make figures ONLY=none                      draws and writes tables from what is there
"""
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import jobs
import packing
import plots
import runs
import tables
from jobs import ROOT

QUICK = os.environ.get("QUICK", "") not in ("", "0")
RESULTS = ROOT / "build" / "figures" if QUICK else ROOT / "docs" / "results"
UNITS = {"s": 1, "m": 60, "h": 3600}
LOOK_S = 0.1


@dataclasses.dataclass(frozen=True)
class Options:
    names: list
    budget_s: float = None
    fresh: bool = False
    most: int = None  # runs at once


def complain(text):
    print("figures: " + text, file=sys.stderr)
    sys.exit(2)


def read_number(name, pattern, what):
    value = os.environ.get(name, "")
    match = re.fullmatch(pattern, value)
    if value and not match:
        complain("%s=%s: %s" % (name, value, what))
    return match


def read_options():
    only = os.environ.get("ONLY", "").replace(",", " ").split()
    if only == ["none"]:
        return Options([])
    for name in only:
        if name not in runs.SETS:
            complain("ONLY=%s: no such set; there are %s, and none" % (name, ", ".join(runs.SETS)))
    budget = read_number("BUDGET", r"(\d+)([smh])", "a number and s, m or h, as 20m")
    most = read_number("JOBS", r"([1-9]\d?)", "a number of runs at once, from 1 to 99")
    return Options(only or list(runs.SETS), int(budget[1]) * UNITS[budget[2]] if budget else None,
                   os.environ.get("FRESH", "") not in ("", "0"), int(most[1]) if most else None)


def path_of(set_name):
    return RESULTS / ("lab-%s.jsonl" % set_name)


def load(set_name):
    """By name. A line that was cut off by an interruption is as good as none, and so is a run that is none any more."""
    done = {}
    names = {one.name for one in runs.SETS[set_name](QUICK)}
    if path_of(set_name).exists():
        for line in path_of(set_name).read_text().splitlines():
            try:
                record = json.loads(line)
                if record["run"] in names:
                    done[record["run"]] = record
            except (ValueError, KeyError):
                continue
    return done


def save(set_name, done):
    text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in done.values())
    temporary = path_of(set_name).with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path_of(set_name))


def is_overloaded(record):
    return record["program"] == "lab" and record["result"]["emulator"]["overloaded"]


def describe(record):
    result = record["result"]
    seconds = result["seconds"] if record["program"] == "sim" else result
    text = "mean %.2f s, p95 %.2f" % (seconds["mean"], seconds["p95"]) if "mean" in seconds else ""
    return text + (" OVERLOADED" if is_overloaded(record) else "")


class Measuring:
    """The runs that are to be made, those under way, and what was found."""

    def __init__(self, options, commit):
        self.options = options
        self.commit = commit
        self.done = {name: {} if options.fresh else load(name) for name in options.names}
        self.todo = [one for one in runs.all_runs(options.names, QUICK)
                     if one.name not in self.done[one.set] or is_overloaded(self.done[one.set][one.name])]
        self.packing = packing.Packing(packing.SHARE * len(os.sched_getaffinity(0)), options.most)
        self.jobs = []
        self.began = time.monotonic()
        self.finished = 0
        self.skipped = 0

    def passed(self):
        return time.monotonic() - self.began

    def minutes_left(self):
        p = self.packing
        return packing.expected_s(self.todo, p.running, p.room, p.most, self.passed()) / 60

    def say(self, text):
        print("figures: " + text, file=sys.stderr, flush=True)

    def drop_what_would_end_late(self):
        if self.options.budget_s is None:
            return
        left = self.options.budget_s - self.passed()
        fitting = [one for one in self.todo if one.expected_s <= left]
        self.skipped += len(self.todo) - len(fitting)
        self.todo = fitting

    def begin(self):
        """As many as fit."""
        self.drop_what_would_end_late()
        while (index := self.packing.pick(self.todo, self.passed())) is not None:
            one = self.todo.pop(index)
            self.packing.begin(one, self.passed())
            self.jobs.append(jobs.Job(one))
            for job in self.jobs:
                job.beside = max(job.beside, len(self.jobs) - 1)
            self.say("%d done, %d under way, %d to come, %.0f minutes left: begins %s" % (
                self.finished, len(self.jobs), len(self.todo), self.minutes_left(), one.name))

    def end(self, job):
        record, error = job.record(self.commit)
        job.forget()
        one = job.one
        self.jobs.remove(job)
        self.packing.end(one)
        self.finished += 1
        if not record:
            self.say("%s: %s" % (one.name, error))
            return
        self.say("  %s: %s" % (describe(record), one.name))
        self.done[one.set][one.name] = record
        save(one.set, self.done[one.set])
        if is_overloaded(record) and job.beside > 0:
            self.todo.append(dataclasses.replace(one, alone=True))

    def run(self):
        self.say("%d runs, about %.0f minutes" % (len(self.todo), self.minutes_left()))
        self.begin()
        while self.jobs:
            time.sleep(LOOK_S)
            ended = [job for job in self.jobs if job.has_ended()]
            for job in ended:
                self.end(job)
            if ended:
                self.begin()
        if self.skipped:
            self.say("%d runs did not fit BUDGET; the same command goes on with them" % self.skipped)

    def stop(self):
        """Whatever runs ends, and leaves nothing."""
        for job in self.jobs:
            job.interrupt()
        for job in self.jobs:
            job.forget()


def interrupt(number, frame):
    raise KeyboardInterrupt


def measure(options):
    """The exit code."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True,
                            text=True).stdout.strip()
    measuring = Measuring(options, commit)
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        measuring.run()
        return 0
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("figures: interrupted; the same command goes on", file=sys.stderr)
        return 130
    except jobs.NoLab as no_lab:
        complain(str(no_lab))
    finally:
        measuring.stop()


def main():
    options = read_options()
    if not jobs.LAB.exists() or not jobs.THRONG.exists():
        complain("build first: scripts/build")
    RESULTS.mkdir(parents=True, exist_ok=True)
    status = measure(options) if options.names else 0
    records = [record for name in runs.SETS for record in load(name).values()]
    plots.draw(RESULTS, records)
    (RESULTS / "lab-tables.md").write_text(tables.write(records))
    print("figures: %s/lab-*.jsonl, lab-*.svg, lab-tables.md" % RESULTS.relative_to(ROOT), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
