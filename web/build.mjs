// build.mjs CORE.WASM DIR STAMP: makes DIR/www, which nginx serves (docs/SIGNALLING.md, section 3), and DIR/package, the npm package.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
/* Nothing outside the page's own script says these, nor does any object of the browser's have them. */
const within = /[^_]_$|^(answered|chunkSize|describe|described|gathered|givePercent|introducer|prefer|progressAt|retire|sendAll|signalled|tabBytes|tokensAt|uplinkBps|uploadLimitBps|verified|welcomed)$/;
const page = bundle("page.ts", { mangleProps: within, format: "iife", define });
const worker = bundle("worker.ts", { ...private_, format: "iife" });
const build = hash(page).toString("hex").slice(0, 12);
const html = readFileSync(join(source, "src", "bootstrap.html"), "utf8").replaceAll("%BUILD%", build).replace(/\n\s*/g, "\n").trim() + "\n";
put(join(dir, "www", "bootstrap.html"), html);
putCompressed(join(dir, "www", "worker.js"), worker);
putCompressed(join(dir, "www", build, "throng.js"), page);
putCompressed(join(dir, "www", coreName.slice(0, 12), "core.wasm"), wasm);

rmSync(join(dir, "package"), { recursive: true, force: true });
const own = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
put(join(dir, "package", "package.json"), JSON.stringify({
    name: own.name, version: own.version, description: own.description, license: own.license, type: "module",
    exports: { ".": { types: "./types/index.d.ts", default: "./throng.js" }, "./core.wasm": "./core.wasm", "./worker.js": "./worker.js" },
    files: ["throng.js", "worker.js", "core.wasm", "types"], sideEffects: false,
}, null, 2) + "\n");
put(join(dir, "package", "throng.js"), bundle("index.ts", private_));
put(join(dir, "package", "worker.js"), worker);
put(join(dir, "package", "core.wasm"), wasm);
put(join(dir, "package", "README.md"), readFileSync(join(source, "README.md")));
/* Types are checked here, too: esbuild does not look at them. */
const tsc = join(source, "node_modules", "typescript", "bin", "tsc");
for (const args of [["-p", source], ["-p", join(source, "tsconfig.types.json"), "--outDir", join(dir, "package", "types")]])
    execFileSync(process.execPath, [tsc, ...args], { stdio: "inherit" });

writeFileSync(stamp, build + "\n");
