// build.mjs CORE.WASM DIR STAMP: makes DIR/www, which nginx serves (docs/SIGNALLING.md, section 3), and DIR/package, the npm package.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { buildSync } from "esbuild";

const [wasmPath, dir, stamp] = process.argv.slice(2);
const source = dirname(fileURLToPath(import.meta.url));
const wasm = readFileSync(wasmPath);

function bundle(entry, options = {}) {
    const result = buildSync({
        entryPoints: [join(source, "src", entry)], bundle: true, write: false, format: "esm", target: "es2022", minify: true,
        charset: "utf8", logLevel: "warning", ...options,
    });
    return Buffer.from(result.outputFiles[0].contents);
}

function put(path, bytes) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
}

/* As is, and in both forms that browsers ask for. */
function putCompressed(path, bytes) {
    put(path, bytes);
    put(path + ".gz", gzipSync(bytes, { level: 9 }));
    put(path + ".br", brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
}

const hash = (bytes) => createHash("sha256").update(bytes).digest();
const private_ = { mangleProps: /[^_]_$/ };

rmSync(join(dir, "www"), { recursive: true, force: true });
/* The page knows its core by contents: whoever gives it. */
const coreName = hash(wasm).toString("hex");
const define = { CORE_URL: JSON.stringify(`/.throng/${coreName.slice(0, 12)}/core.wasm`), CORE_HASH: JSON.stringify(coreName) };
const page = bundle("page.ts", { ...private_, format: "iife", define });
const worker = bundle("worker.ts", { ...private_, format: "iife" });
const build = hash(page).toString("hex").slice(0, 12);
const html = readFileSync(join(source, "src", "bootstrap.html"), "utf8").replaceAll("%BUILD%", build).replace(/\n\s*/g, "\n").trim() + "\n";
put(join(dir, "www", "bootstrap.html"), html);
putCompressed(join(dir, "www", "worker.js"), worker);
putCompressed(join(dir, "www", build, "throng.js"), page);
putCompressed(join(dir, "www", coreName.slice(0, 12), "core.wasm"), wasm);

rmSync(join(dir, "package"), { recursive: true, force: true });
put(join(dir, "package", "throng.js"), bundle("index.ts", private_));
put(join(dir, "package", "worker.js"), worker);
put(join(dir, "package", "core.wasm"), wasm);

writeFileSync(stamp, build + "\n");
