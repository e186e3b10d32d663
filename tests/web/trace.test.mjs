// The core as WebAssembly does byte for byte what the native one does: the same calls into it, the same events and datagrams out.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const built = join(process.env.THRONG_WEB, "package");
const { Core } = await import(pathToFileURL(join(built, "throng.js")));
const module = new WebAssembly.Module(readFileSync(join(built, "core.wasm")));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const content = (offset, size) => Uint8Array.from({ length: size }, (_, i) => ((offset + i) * 31 + Math.floor((offset + i) / 256)) & 255);

function replay(lines) {
    const nodes = [], told = [];
    let dones = 0;
    const drain = (who) => {
        for (let event; (event = nodes[who].event());) {
            told.push(`< ${who} event ${event.kind - 1}`);
            dones += event.kind === 5;
        }
    };
    for (const line of lines) {
        const [, who, what, now, ...rest] = line.split(" "), node = nodes[who], at = Number(now);
        if (what === "start")
            nodes[who] = new Core(module, { tabBytes: 1 << 20, givePercent: at, entropy: bytes(rest[0]) });
        else if (what === "offer")
            assert.equal(node.offer(at, 1, bytes(rest[0]), bytes(rest[1])), 0);
        else if (what === "join")
            assert.equal(node.join(at, 1, node.directions(rest[0])), 0);
        else if (what === "recv")
            node.receive(at, BigInt(rest[0]), bytes(rest[1]));
        else if (what === "tick")
            node.tick(at);
        else if (what === "complete")
            node.complete(at, Number(rest[0]), Number(rest[1]));
        else
            for (let d; (d = node.send(at));) {
                const body = d.size ? d.bytes || content(d.offset, d.size) : new Uint8Array();
                told.push(`< ${who} to ${d.peer} ${Buffer.concat([d.other, body]).toString("hex")}`);
            }
        if (what !== "send" && what !== "start" && what !== "offer")
            drain(who);
    }
    return { told, dones };
}

for (const seed of [1, 3, 5])
    test(`trace of seed ${seed} is the native one`, () => {
        const lines = execFileSync(process.env.THRONG_TRACE, [String(seed)], { maxBuffer: 1 << 28 }).toString().trim().split("\n");
        const expected = lines.filter((line) => line.startsWith("<") && !line.includes("done"));
        const { told, dones } = replay(lines.filter((line) => line.startsWith(">")));
        const differs = expected.findIndex((line, i) => line !== told[i]);
        assert.equal(differs, -1, `output ${differs}: ${expected[differs]} natively, ${told[differs]} as WebAssembly`);
        assert.equal(told.length, expected.length);
        assert.equal(dones, lines.filter((line) => line.endsWith("done 1")).length);
        assert.ok(dones > 0);
        assert.ok(expected.length > 1000);
    });
