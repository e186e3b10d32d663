"""Programs that run beside each other, each in a session of its own, so that ^C reaches them by us alone."""
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = ROOT / "build" / "lab" / "throng-lab"
THRONG = ROOT / "build" / "throng"
NO_LAB = 77
PR_SET_PDEATHSIG = 1
LAB_NICE = -10
SIM_NICE = 19
GRACE_S = 20  # for the lab to end its server and let go of its nodes
LIBC = ctypes.CDLL(None)


class NoLab(Exception):
    """No root, or no /dev/net/tun."""


def command_of(one, csv):
    program = [str(LAB), "lab/scenarios/%s.scenario" % one.scenario] if one.program == "lab" else \
        [str(THRONG), "sim", "sim/scenarios/%s.scenario" % one.scenario]
    command = program + ["--json", "--seed", str(one.seed)]
    for key, value in one.keys:
        command += ["--set", "%s=%s" % (key, value)]
    return command + (["--csv", csv] if csv else [])


def prepare(one):
    """In the new process: should we be killed, it ends, too; bystanders and the simulator, which has time, yield to the lab."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    nice = LAB_NICE if one.program == "lab" else SIM_NICE
    try:
        os.nice(nice)
        pathlib.Path("/proc/self/autogroup").write_text(str(nice))  # of the session beside others: sched(7)
    except OSError:  # a kernel without; and who is not root has no lab either, which says so
        pass


class Job:
    def __init__(self, one):
        self.one = one
        self.beside = 0  # most others at once
        self.folder = tempfile.TemporaryDirectory()
        self.csv = os.path.join(self.folder.name, "visits.csv") if one.csv else None
        self.command = command_of(one, self.csv)
        self.began = time.monotonic()
        with open(self.path("out"), "wb") as out, open(self.path("err"), "wb") as err:
            self.process = subprocess.Popen(self.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            start_new_session=True, preexec_fn=lambda: prepare(one))

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def has_ended(self):
        return self.process.poll() is not None

    def interrupt(self):
        if not self.has_ended():
            self.process.terminate()

    def forget(self):
        """Ends it, if need be, and leaves nothing."""
        try:
            self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def record(self, commit):
        """What it found, or None and what it complained of."""
        code = self.process.returncode
        error = pathlib.Path(self.path("err")).read_text(errors="replace").strip()
        if code == NO_LAB:
            raise NoLab(error.splitlines()[0] if error else "exit 77")
        if code < 0 or code == 4:
            raise KeyboardInterrupt
        if code != 0:
            return None, "exit %d: %s" % (code, error[-300:])
        one = self.one
        result = json.loads(pathlib.Path(self.path("out")).read_text())
        if one.program == "sim" and isinstance(result.get("pool"), dict):
            result["pool"].pop("each_second", None)
        record = {"run": one.name, "set": one.set, "program": one.program, "scenario": one.scenario,
                  "keys": {key: str(value) for key, value in one.keys}, "seed": one.seed, "commit": commit,
                  "took_s": round(time.monotonic() - self.began, 1), "beside": self.beside,
                  "command": " ".join(os.path.relpath(word, ROOT) if word.startswith("/") and word != self.csv
                                      else word for word in self.command), "result": result}
        if self.csv:
            record["visits"] = pathlib.Path(self.csv).read_text().splitlines()
        return record, None
