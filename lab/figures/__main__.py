"""The evaluation: runs the lab and the simulator, keeps what they find in docs/results/lab-SET.jsonl, draws it and writes
the tables. What is done already is not done again, so it may be interrupted and gone on with at any time.

    make figures                                everything: some hours, alone on the machine, as root
    make figures QUICK=1                        fewer rates, one seed, short runs; kept in build/figures
    make figures ONLY="pool fair" BUDGET=20m    these sets; no run is begun that would end after 20 minutes
    make figures FRESH=1 ONLY=pool              forgets what was measured of this set
    make figures ONLY=none                      draws and writes tables from what is there
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import plots
import runs
import tables

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUICK = os.environ.get("QUICK", "") not in ("", "0")
RESULTS = ROOT / "build" / "figures" if QUICK else ROOT / "docs" / "results"
LAB = ROOT / "build" / "lab" / "throng-lab"
THRONG = ROOT / "build" / "throng"
UNITS = {"s": 1, "m": 60, "h": 3600}
NO_LAB = 77


def complain(text):
    print("figures: " + text, file=sys.stderr)
    sys.exit(2)


def read_options():
    only = os.environ.get("ONLY", "").replace(",", " ").split()
    if only == ["none"]:
        return [], None, False
    for name in only:
        if name not in runs.SETS:
            complain("ONLY=%s: no such set; there are %s, and none" % (name, ", ".join(runs.SETS)))
    budget = os.environ.get("BUDGET", "")
    match = re.fullmatch(r"(\d+)([smh])", budget)
    if budget and not match:
        complain("BUDGET=%s: a number and s, m or h, as 20m" % budget)
    return (only or list(runs.SETS), int(match[1]) * UNITS[match[2]] if match else None,
            os.environ.get("FRESH", "") not in ("", "0"))


def path_of(set_name):
    return RESULTS / ("lab-%s.jsonl" % set_name)


def load(set_name):
    """By name. A line that was cut off by an interruption is as good as none."""
    done = {}
    if path_of(set_name).exists():
        for line in path_of(set_name).read_text().splitlines():
            try:
                record = json.loads(line)
                done[record["run"]] = record
            except (ValueError, KeyError):
                continue
    return done


def save(set_name, done):
    text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in done.values())
    temporary = path_of(set_name).with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path_of(set_name))


def command_of(one, csv):
    program = [str(LAB), "lab/scenarios/%s.scenario" % one.scenario] if one.program == "lab" else \
        [str(THRONG), "sim", "sim/scenarios/%s.scenario" % one.scenario]
    command = program + ["--json", "--seed", str(one.seed)]
    for key, value in one.keys:
        command += ["--set", "%s=%s" % (key, value)]
    return command + (["--csv", csv] if csv else [])


def make(one, commit):
    """The record of a run, or None after a line on standard error."""
    with tempfile.TemporaryDirectory() as folder:
        csv = os.path.join(folder, "visits.csv") if one.csv else None
        command = command_of(one, csv)
        began = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == NO_LAB:
            complain(done.stderr.strip().splitlines()[0])
        if done.returncode < 0 or done.returncode == 4:
            raise KeyboardInterrupt
        if done.returncode != 0:
            print("figures: exit %d: %s: %s" % (done.returncode, one.name, done.stderr.strip()[-300:]), file=sys.stderr)
            return None
        result = json.loads(done.stdout)
        if one.program == "sim" and isinstance(result.get("pool"), dict):
            result["pool"].pop("each_second", None)
        record = {"run": one.name, "set": one.set, "program": one.program, "scenario": one.scenario,
                  "keys": {key: str(value) for key, value in one.keys}, "seed": one.seed, "commit": commit,
                  "took_s": round(time.monotonic() - began, 1),
                  "command": " ".join(os.path.relpath(word, ROOT) if word.startswith("/") and "visits.csv" not in word
                                      else word for word in command), "result": result}
        if csv:
            record["visits"] = pathlib.Path(csv).read_text().splitlines()
        return record


def is_overloaded(record):
    return record["program"] == "lab" and record["result"]["emulator"]["overloaded"]


def describe(record):
    result = record["result"]
    seconds = result["seconds"] if record["program"] == "sim" else result
    text = "mean %.2f s, p95 %.2f" % (seconds["mean"], seconds["p95"]) if "mean" in seconds else ""
    return text + (" OVERLOADED" if is_overloaded(record) else "")


def measure(names, budget, fresh):
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True,
                            text=True).stdout.strip()
    done = {name: {} if fresh else load(name) for name in names}
    todo = [one for one in runs.all_runs(names, QUICK)
            if one.name not in done[one.set] or is_overloaded(done[one.set][one.name])]
    began = time.monotonic()
    print("figures: %d runs, about %d minutes" % (len(todo), sum(one.expected_s for one in todo) / 60), file=sys.stderr)
    skipped = 0
    for number, one in enumerate(todo, 1):
        passed = time.monotonic() - began
        left = sum(later.expected_s for later in todo[number - 1:])
        if budget is not None and passed + one.expected_s > budget:
            skipped += 1
            continue
        print("figures: %d of %d, %.0f minutes left: %s" % (number, len(todo), left / 60, one.name), file=sys.stderr,
              flush=True)
        record = make(one, commit)
        if record:
            print("figures:   " + describe(record), file=sys.stderr, flush=True)
            done[one.set][one.name] = record
            save(one.set, done[one.set])
    if skipped:
        print("figures: %d runs did not fit BUDGET; the same command goes on with them" % skipped, file=sys.stderr)


def main():
    names, budget, fresh = read_options()
    if not LAB.exists() or not THRONG.exists():
        complain("build first: scripts/build")
    RESULTS.mkdir(parents=True, exist_ok=True)
    status = 0
    try:
        measure(names, budget, fresh)
    except KeyboardInterrupt:
        print("figures: interrupted; the same command goes on", file=sys.stderr)
        status = 130
    records = [record for name in runs.SETS for record in load(name).values()]
    plots.draw(RESULTS, records)
    (RESULTS / "lab-tables.md").write_text(tables.write(records))
    print("figures: %s/lab-*.jsonl, lab-*.svg, lab-tables.md" % RESULTS.relative_to(ROOT), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
