"""make figures without running anything: what it would run exists, names are unique, bad options are told.

    figures.py THRONG-LAB THRONG
"""
import dataclasses
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lab" / "figures"))
import packing
import plots
import runs
import tables

failed = 0


def check(what, holds):
    global failed
    failed += not holds
    print("%s - %s" % ("ok" if holds else "not ok", what))


def keys_of(*command):
    """(section, key) of the tables that --keys prints."""
    text = subprocess.run(command, capture_output=True, text=True).stdout
    found = set()
    for sections, key in re.findall(r"^\| (.+?) \| (\w+) \|", text, re.M):
        found |= {(section.split()[0], key) for section in re.findall(r"\[([\w ]+)\]", sections)}
    return found


def known(one, keys):
    return all((key.split(".")[0].split()[0], key.split(".")[1]) in keys for key, _ in one.keys)


def figures(**environment):
    return subprocess.run([sys.executable, str(ROOT / "lab" / "figures")], capture_output=True, text=True,
                          env={**os.environ, **environment})


lab, throng = sys.argv[1:]
keys = {"lab": keys_of(lab, "--keys"), "sim": keys_of(throng, "sim", "--keys")}
keys["sim"] |= {("seeder", key) for section, key in keys["sim"] if section == "class"}
for quick in (False, True):
    everything = runs.all_runs(list(runs.SETS), quick)
    size = "quick" if quick else "full"
    names = [one.name for one in everything]
    check("%s: no run stands twice" % size, len(names) == len(set(names)))
    check("%s: every scenario exists" % size,
          all((ROOT / one.program / "scenarios" / (one.scenario + ".scenario")).exists() for one in everything))
    strangers = [one.name for one in everything if not known(one, keys[one.program])]
    check("%s: every key is one: %s" % (size, strangers[:3]), not strangers)
check("tables without anything measured say so", "not measured" in tables.write([]))
check("Jain's index of equal shares is 1, of one alone 1/n", tables.jain([2, 2]) == 1 and tables.jain([1, 0]) == 0.5)
contested = {"result": {"line": [[0, 9], [1, 9]] + [[5, 5]] * 6 + [[9, 1], [0, 9]]}}
check("shares are those of the seconds in which both send", tables.contested(contested) == [0.5] * 4)


def a_run(name, need, expected_s, alone=False, program="lab"):
    return runs.Run("pool", program, name, (), 1, expected_s, need, alone)


def plan(todo, room, most=None):
    """When each begins, by its scenario, if all take as long as expected; and the most that was used at once."""
    pack = packing.Packing(room, most)
    left, began, now, peak = list(todo), {}, 0, 0
    while left or pack.running:
        while (index := pack.pick(left, now)) is not None:
            one = left.pop(index)
            began[one.scenario] = now
            pack.begin(one, now)
        peak = max(peak, pack.used())
        now, ended = min(pack.running, key=lambda entry: entry[0])
        pack.end(ended)
    return began, peak


began, peak = plan([a_run("a", 0.8, 60), a_run("b", 0.8, 60), a_run("c", 0.5, 60)], 1.6)
check("as many as the processors carry begin at once, the next when one ends", began == {"a": 0, "b": 0, "c": 60} and
      peak <= 1.6)
began, _ = plan([a_run("a", 0.4, 60), a_run("big", 2.4, 50), a_run("short", 0.4, 20), a_run("long", 0.4, 90)], 1.6)
check("what needs the machine alone has it, and is overtaken by what does not delay it alone",
      began == {"a": 0, "short": 0, "big": 60, "long": 110})
began, _ = plan([a_run("a", 0.4, 60), a_run("still", 0.1, 50, alone=True), a_run("b", 0.4, 30)], 1.6)
check("what is to be alone is, however little it needs", began == {"a": 0, "b": 0, "still": 60})
began, _ = plan([a_run("a", 0.1, 60), a_run("b", 0.1, 60), a_run("c", 0.1, 60)], 1.6, 1)
check("JOBS=1 is one after the other", sorted(began.values()) == [0, 60, 120])
began, _ = plan([a_run("a", 0.1, 9, program="sim"), a_run("b", 0.1, 9, program="sim")], 1.6)
check("the simulator runs once at a time", sorted(began.values()) == [0, 9])
todo = runs.all_runs(list(runs.SETS), False)
began, peak = plan([dataclasses.replace(one, scenario=str(i)) for i, one in enumerate(todo)], 1.6)
check("every run of the evaluation has its turn", len(began) == len(todo))
check("the time told is that of the plan",
      packing.expected_s(todo[:60], [], 1.6) == max(plan([dataclasses.replace(one, scenario=str(i)) for i, one in
                                                         enumerate(todo[:60])], 1.6)[0][str(i)] + one.expected_s
                                                   for i, one in enumerate(todo[:60])))
for name, value in (("ONLY", "pond"), ("BUDGET", "soon"), ("JOBS", "0")):
    done = figures(**{name: value})
    check("%s=%s is told in one line" % (name, value),
          done.returncode == 2 and done.stderr.count("\n") == 1 and value in done.stderr)
sys.exit(1 if failed else 0)
