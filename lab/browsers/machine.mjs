// What the machine did meanwhile: browsers take so much of it that a run without this says nothing.
import { readFileSync, readdirSync } from "node:fs";
import { cpus, loadavg } from "node:os";

const TICKS = 100;

function line() {
    const [user, nice, system, idle, wait, irq, soft] = readFileSync("/proc/stat", "utf8").split("\n")[0].trim().split(/\s+/).slice(1).map(Number);
    return { busy: user + nice + system + irq + soft, all: user + nice + system + idle + wait + irq + soft };
}

/* What a process or thread has used, and whose it is; null: it ended. */
function statOf(path) {
    let text;
    try {
        text = readFileSync(path, "utf8");
    } catch {
        return null;
    }
    const f = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { name: text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")), parent: f[1], seconds: (Number(f[11]) + Number(f[12])) / TICKS };
}

const numbers = (path) => {
    try {
        return readdirSync(path).filter((name) => /^\d+$/.test(name));
    } catch {
        return [];
    }
};

/* Processor seconds of this process's descendants, by name, and of their threads, by names of both. */
function spent() {
    const all = {}, processes = {}, threads = {};
    for (const pid of numbers("/proc"))
        all[pid] = statOf(`/proc/${pid}/stat`);
    const ours = (pid) => pid === String(process.pid) || (!!all[pid] && ours(all[pid].parent));
    for (const pid of Object.keys(all).filter(ours)) {
        const { name, seconds } = all[pid];
        processes[name] = (processes[name] || 0) + seconds;
        for (const tid of numbers(`/proc/${pid}/task`)) {
            const thread = statOf(`/proc/${pid}/task/${tid}/stat`);
            if (thread)
                threads[`${name} ${thread.name}`] = (threads[`${name} ${thread.name}`] || 0) + thread.seconds;
        }
    }
    return { processes, threads };
}

function since(had, have, least) {
    const seconds = Object.entries(have).map(([name, s]) => [name, Math.round((s - (had[name] || 0)) * 10) / 10]);
    return Object.fromEntries(seconds.filter(([, s]) => s >= least).sort((a, b) => b[1] - a[1]));
}

/** Begins to watch; the function that it returns tells: share of all processors in use, by whomever, and seconds of ours. */
export function watchMachine() {
    const before = line(), had = spent();
    return () => {
        const after = line(), have = spent();
        return { cores: cpus().length, load: loadavg()[0], busy: (after.busy - before.busy) / (after.all - before.all),
                 processor_s: since(had.processes, have.processes, 0.1), thread_s: since(had.threads, have.threads, 0.5) };
    };
}
