// The npm package, as somebody gets it who installs it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

test("package that npm pack makes installs, has types, and brings a core that runs", () => {
    const dir = mkdtempSync(join(tmpdir(), "throng-package-"));
    const run = (command, ...args) => execFileSync(command, args, { cwd: dir, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    try {
        run("npm", "pack", "--silent", join(process.env.THRONG_WEB, "package"));
        const packed = readdirSync(dir).find((name) => name.endsWith(".tgz"));
        writeFileSync(join(dir, "package.json"), JSON.stringify({ name: "user", type: "module", private: true }));
        run("npm", "install", "--silent", "--offline", "--no-audit", "--no-fund", "./" + packed);
        const installed = JSON.parse(readFileSync(join(dir, "node_modules/throng-web/package.json"), "utf8"));
        assert.equal(installed.dependencies, undefined);
        writeFileSync(join(dir, "use.mjs"), `import { Core } from "throng-web"; import { readFileSync } from "node:fs";
            const wasm = readFileSync(new URL(import.meta.resolve("throng-web/core.wasm")));
            console.log(new Core(new WebAssembly.Module(wasm), {}).stats().neighbours);`);
        assert.equal(run(process.execPath, "use.mjs").trim(), "0");
        writeFileSync(join(dir, "use.ts"), `import { Peer, ServerSocket, Content } from "throng-web";
            const peer = new Peer(new ServerSocket("wss://x/.throng/ws"), { givePercent: 100 });
            const content: Content | null = peer.join("throng:x");
            // @ts-expect-error no such option
            new Peer(new ServerSocket(""), { nonsense: 1 });
            export { content };`);
        const tsc = new URL("../../web/node_modules/typescript/bin/tsc", import.meta.url).pathname;
        run(process.execPath, tsc, "--noEmit", "--strict", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022",
            "--lib", "es2022,dom", "--types", "", "use.ts");
    } finally {
        rmSync(dir, { recursive: true });
    }
});
