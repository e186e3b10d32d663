// What the machine did meanwhile: browsers take so much of it that a run without this says nothing.
import { readFileSync, readdirSync } from "node:fs";
import { cpus, loadavg } from "node:os";

const TICKS = 100;

function line() {
    const [user, nice, system, idle, wait, irq, soft] = readFileSync("/proc/stat", "utf8").split("\n")[0].trim().split(/\s+/).slice(1).map(Number);
    return { busy: user + nice + system + irq + soft, all: user + nice + system + idle + wait + irq + soft };
}

/* Processor seconds of this process's descendants, by name. */
function spent() {
    const seconds = {}, parents = {}, names = {}, sums = {};
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        let text;
        try {
            text = readFileSync(`/proc/${pid}/stat`, "utf8");
        } catch {
            continue; /* it ended */
        }
        const f = text.slice(text.lastIndexOf(")") + 2).split(" ");
        names[pid] = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
        parents[pid] = f[1];
        seconds[pid] = (Number(f[11]) + Number(f[12])) / TICKS;
    }
    const ours = (pid) => pid === String(process.pid) || (parents[pid] !== undefined && ours(parents[pid]));
    for (const pid of Object.keys(seconds).filter(ours))
        sums[names[pid]] = (sums[names[pid]] || 0) + seconds[pid];
    return sums;
}

/** Begins to watch; the function that it returns tells: share of all processors in use, by whomever, and seconds of ours. */
export function watchMachine() {
    const before = line(), had = spent();
    return () => {
        const after = line(), have = spent();
        const seconds = Object.entries(have).map(([name, s]) => [name, Math.round((s - (had[name] || 0)) * 10) / 10]).filter(([, s]) => s > 0);
        return { cores: cpus().length, load: loadavg()[0], busy: (after.busy - before.busy) / (after.all - before.all),
                 processor_s: Object.fromEntries(seconds) };
    };
}
