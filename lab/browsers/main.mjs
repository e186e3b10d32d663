// Real browsers on emulated lines: what a crowd of them costs a small server, and how long each waits. docs/results/browsers.md
//
//     make browsers                                  the whole, some ten minutes: as root, alone on the machine. Keeps
//                                                    docs/results/browsers.jsonl; goes on where it was interrupted (FRESH=1: anew;
//                                                    QUICK=1: three visitors, kept in build/figures)
//     node lab/browsers/main.mjs KEY=VALUE...        one run, only printed: way=nginx|auto|crowd up=2m visitors=24 spread=10 stay=30
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Lines } from "./lines.mjs";
import { watchMachine } from "./machine.mjs";
import { makeSite, startServer } from "./site.mjs";
import { tables } from "./tables.mjs";
import { launchAll, visit } from "./visitors.mjs";

const root = new URL("../..", import.meta.url).pathname, quick = !["", "0"].includes(process.env.QUICK ?? "");
const results = join(root, quick ? "build/figures" : "docs/results");
const lab = process.env.THRONG_LAB || join(root, "build/lab/throng-lab"), throng = process.env.THRONG || join(root, "build/throng");
const LATE_MAX_US = 10000, BUSY_MAX = 0.95; /* beyond, the figures are the machine's */
const usual = { way: "crowd", up: "2m", ...(quick ? { visitors: 3, spread: 2, stay: 5 } : { visitors: 24, spread: 10, stay: 30 }) };

const median = (values) => {
    const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

function summary(options, made, visits, before, after, machine) {
    const loads = visits.map((v) => v.load_ms).filter((ms) => ms !== null), server = (when) => when.nodes[0];
    const sum = (key) => visits.reduce((all, v) => all + (v.stats?.[key] || 0), 0);
    return {
        ...options, page_bytes: made.bytes, complete: visits.filter((v) => v.wrong && !v.wrong.length).length,
        by_crowd: visits.filter((v) => v.way === "crowd").length,
        median_ms: loads.length ? Math.round(median(loads)) : null, max_ms: loads.length ? Math.max(...loads) : null,
        server_sent: server(after).sent - server(before).sent,
        from_seeder: sum("fromSeeder"), from_peers: sum("fromPeers"), uploaded: sum("uploaded"), duplicate: sum("duplicate"),
        messages_max: Math.max(0, ...visits.map((v) => v.stats?.messages || 0)), machine, emulator: after.emulator,
        overloaded: after.emulator.late_p99_us > LATE_MAX_US || machine.busy > BUSY_MAX, visits,
    };
}

async function run(options) {
    const folder = mkdtempSync("/dev/shm/throng-browsers-");
    let lines, stop, browsers = [];
    try {
        lines = await Lines.make(lab, join(root, "lab/scenarios/browsers.scenario"), { "run.nodes": options.visitors, "server.up": options.up });
        const made = makeSite(folder, lines.nodes[0].ip);
        browsers = await launchAll(lines, options.visitors, folder, made.spki);
        stop = await startServer(options.way, made, lines, throng, options.up);
        const before = await lines.traffic(), told = watchMachine(), start = Date.now() + 500;
        const visits = await Promise.all(browsers.map((browser, i) =>
            visit(browser, made, start + (i * options.spread * 1000) / options.visitors, options.stay * 1000)));
        return summary(options, made, visits, before, await lines.traffic(), told());
    } finally {
        await Promise.all(browsers.map((one) => one?.browser.close().catch(() => {})));
        await stop?.();
        await lines?.close();
        rmSync(folder, { recursive: true, force: true });
    }
}

const nameOf = (o) => `${o.way} ${o.up}`;

function describe(r) {
    const mb = (bytes) => (bytes / 1e6).toFixed(2) + " MB";
    return `${nameOf(r)}: ${r.complete} of ${r.visitors} complete, median ${r.median_ms} ms, longest ${r.max_ms}; server sent ${mb(r.server_sent)}` +
        `; processors ${Math.round(100 * r.machine.busy)} % busy${r.overloaded ? " OVERLOADED" : ""}`;
}

async function all() {
    const path = join(results, "browsers.jsonl"), done = new Map();
    mkdirSync(results, { recursive: true });
    const commit = execFileSync("git", ["describe", "--always", "--dirty"], { cwd: root, encoding: "utf8" }).trim();
    if (existsSync(path) && !process.env.FRESH)
        for (const record of readFileSync(path, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)))
            done.set(nameOf(record), record);
    for (const [way, up] of [["nginx", "2m"], ["crowd", "2m"], ["auto", "2m"], ["nginx", "20m"], ["crowd", "20m"]]) {
        const options = { ...usual, way, up }, known = done.get(nameOf(options));
        if (known && !known.overloaded)
            continue;
        const record = { ...(await run(options)), commit };
        console.error("browsers: " + describe(record));
        done.set(nameOf(record), record);
        writeFileSync(path + ".tmp", [...done.values()].map((one) => JSON.stringify(one) + "\n").join(""));
        renameSync(path + ".tmp", path);
        writeFileSync(join(results, "browsers-tables.md"), tables([...done.values()]));
    }
}

const given = Object.fromEntries(process.argv.slice(2).map((arg) => arg.split("=")).map(([key, value]) => [key, /^\d+$/.test(value) ? Number(value) : value]));
const unknown = Object.keys(given).find((key) => !(key in usual));
if (unknown || process.getuid() !== 0) {
    console.error(unknown ? `browsers: no such key: ${unknown}; there are ${Object.keys(usual).join(", ")}` : "browsers: network namespaces take root");
    process.exitCode = 2;
} else if (process.argv.length > 2) {
    const result = await run({ ...usual, ...given });
    console.error("browsers: " + describe(result));
    console.log(JSON.stringify(result));
} else
    await all();
