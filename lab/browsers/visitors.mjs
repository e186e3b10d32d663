// Visitors: a Chromium each, in a namespace of its own. One visit each, by a clock of their own.
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const LAUNCHED_AT_ONCE = 4, LOAD_WITHIN_MS = 150000;

/* The cheapest that is the same to a page: no pixel of it is ever seen, and one process renders window, frame and worker. */
const FLAGS = ["--disable-gpu", "--in-process-gpu", "--renderer-process-limit=1", "--disable-site-isolation-trials", "--no-zygote",
    "--disable-software-rasterizer", "--disable-remote-fonts", "--disable-speech-api"];

export function browserProgram() {
    const shell = "/usr/lib/chromium/chromium-headless-shell";
    return process.env.CHROMIUM || (existsSync(shell) ? shell : "/usr/bin/chromium");
}

/** A browser in a node, with an empty window. */
export async function launch(lines, node, folder, spki) {
    const wrapper = join(folder, `chromium-${node}`);
    writeFileSync(wrapper, `#!/bin/sh\nexec ${lines.enter(node).join(" ")} ${browserProgram()} "$@"\n`);
    chmodSync(wrapper, 0o755);
    const browser = await chromium.launch({ executablePath: wrapper, timeout: 120000,
        args: [...FLAGS, `--ignore-certificate-errors-spki-list=${spki}`] });
    const context = await browser.newContext({ viewport: { width: 320, height: 240 } });
    const page = await context.newPage();
    page.setDefaultTimeout(LOAD_WITHIN_MS);
    return { browser, page };
}

/** Browsers with an empty window each, a few at a time. */
export async function launchAll(lines, count, folder, spki) {
    const all = [];
    let next = 1;
    const some = async () => {
        while (next <= count) {
            const node = next++;
            all[node - 1] = await launch(lines, node, folder, spki);
        }
    };
    await Promise.all(Array.from({ length: LAUNCHED_AT_ONCE }, some));
    return all;
}

const pause = (ms) => new Promise((go) => setTimeout(go, Math.max(0, ms)));

/** The real page once it has loaded, in the frame or the window itself, and when that was; null: not by `end`. */
export async function shownPage(page, end) {
    for (;;) {
        const inner = page.frames().find((frame) => frame.parentFrame() && frame.url().startsWith("http")) || page.mainFrame();
        const at = await inner.evaluate(() => {
            const timing = performance.getEntriesByType("navigation")[0];
            return document.querySelector("h1") && timing?.loadEventEnd ? performance.timeOrigin + timing.loadEventEnd : 0;
        }).catch(() => 0);
        if (at)
            return { inner, at };
        if (Date.now() > end)
            return null;
        await pause(200);
    }
}

/** Paths whose bytes, as the page gets them, have not these hashes. */
export const wrongIn = (frame, hashes) => frame.evaluate(async (hashes) => {
    const wrong = [];
    for (const [path, hash] of Object.entries(hashes)) {
        const bytes = await (await fetch(path, { cache: "force-cache" })).arrayBuffer().catch(() => new ArrayBuffer(0));
        const digest = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((b) => b.toString(16).padStart(2, "0")).join("");
        if (digest !== hash)
            wrong.push(path);
    }
    return wrong;
}, hashes);

/** Comes at `at` (Date.now()), stays for `stayMs`, or until it has the page if that takes longer, looks whether every byte is right, and
 *  leaves. */
export async function visit({ page }, made, at, stayMs) {
    await pause(at - Date.now());
    const came = Date.now();
    await page.goto(made.url, { waitUntil: "commit" });
    const shown = await shownPage(page, came + LOAD_WITHIN_MS);
    const result = { load_ms: shown ? Math.round(shown.at - came) : null, late_ms: came - at };
    await pause(came + stayMs - Date.now());
    if (shown) {
        result.way = shown.inner === page.mainFrame() ? "plain" : "crowd";
        result.stats = await page.evaluate(() => globalThis.throng?.stats() || null);
        result.wrong = await wrongIn(shown.inner, made.hashes);
    }
    await page.goto("about:blank").catch(() => {});
    return result;
}
