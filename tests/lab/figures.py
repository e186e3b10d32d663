"""make figures without running anything: what it would run exists, names are unique, bad options are told.

    figures.py THRONG-LAB THRONG
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lab" / "figures"))
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
for name, value in (("ONLY", "pond"), ("BUDGET", "soon")):
    done = figures(**{name: value})
    check("%s=%s is told in one line" % (name, value),
          done.returncode == 2 and done.stderr.count("\n") == 1 and value in done.stderr)
sys.exit(1 if failed else 0)
