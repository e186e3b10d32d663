// What a first-time visitor needs from the server, besides manifest and signalling.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const www = join(process.env.THRONG_WEB, "www");
const names = readdirSync(www, { recursive: true });
const size = (end) => readFileSync(join(www, names.find((name) => name.endsWith(end)))).length;

test("bootstrap page, script and worker take at most 12 KB, brotli", () => {
    /* The bootstrap page goes out as it is, with directions of at most 250 bytes. The core comes from a neighbour (visit.test.mjs). */
    const sum = size("bootstrap.html") + 250 + size("throng.js.br") + size("worker.js.br");
    console.log(`first visit: ${sum} bytes; the core, where there is no neighbour yet: ${size("core.wasm.br")} more`);
    assert.ok(sum <= 12 * 1024, `${sum} bytes`);
});

test("core as WebAssembly exports what web/core/exports lists, and imports nothing", () => {
    const list = readFileSync(new URL("../../web/core/exports", import.meta.url), "utf8").trim().split("\n");
    const module = new WebAssembly.Module(readFileSync(join(www, names.find((name) => name.endsWith("core.wasm")))));
    assert.deepEqual(WebAssembly.Module.exports(module).map((e) => e.name).sort(), list.sort());
    assert.deepEqual(WebAssembly.Module.imports(module), []);
});
