// Chromium for tests: one process, a context for each visitor. Waits have a deadline and no sleeps.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { CrowdSite } from "./crowd_site.mjs";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
export const DEADLINE_MS = 40000;

/** `light`: the build without what draws, half the time, where what is drawn does not matter. */
export async function launch({ light = false } = {}) {
    const shell = "/usr/lib/chromium/chromium-headless-shell";
    return chromium.launch({ executablePath: process.env.CHROMIUM || (light && existsSync(shell) ? shell : "/usr/bin/chromium") });
}

/** A new visitor, with storage of its own. Errors of the page end the test. */
export async function visitor(browser, options = {}) {
    const context = await browser.newContext(options), page = await context.newPage();
    page.setDefaultTimeout(DEADLINE_MS);
    page.problems = [];
    page.on("pageerror", (error) => page.problems.push(String(error)));
    page.stats = () => page.evaluate(() => globalThis.throng?.stats());
    page.shown = () => page.frameLocator("iframe");
    return page;
}

/** Visits and waits until the page in the frame has loaded. Returns the frame. */
export async function visit(page, url) {
    await page.goto(url);
    await page.shown().locator("body").waitFor({ state: "attached" });
    const frame = page.frames().find((f) => f.parentFrame() === page.mainFrame());
    await until(() => frame.url().startsWith("http"), "a document in the frame");
    await frame.waitForLoadState("load");
    return frame;
}

/** Waits for a condition of this process or of the page, and says what it was when it does not come. */
export async function until(condition, what) {
    const end = Date.now() + DEADLINE_MS;
    while (!(await condition())) {
        if (Date.now() > end)
            throw new Error("never: " + what);
        await new Promise((go) => setTimeout(go, 50));
    }
}

export const html = (title, body) => ({ type: "text/html; charset=utf-8", bytes: Buffer.from(
    `<!doctype html><html lang=en><title>${title}</title><link rel=icon href=/icon.svg><link rel=stylesheet href=/style.css>${body}`) });

/** A small site of pages, style, script, a large image and a video, all of random content where it does not matter. */
export function sample() {
    return {
        "/": html("First", `<h1>first</h1><a id=two href=two.html>two</a> <a id=anchor href=#below>below</a>
            <a id=other href=http://localhost:1/>elsewhere</a> <a id=tab href=/two.html target=_blank>tab</a>
            <a id=save href=/big.bin download>save</a><form action=/two.html><input name=q value=x><button id=go>go</button></form>
            <form action=/echo method=post><input name=p value=y><button id=post>post</button></form>
            <script type=module src=/code.js></script><div style=height:3000px></div><h2 id=below>below</h2>`),
        "/two.html": html("Second", `<h1>second</h1><a id=back href=/>first</a>`),
        "/two.html?q=x": html("Found", `<h1>found</h1>`),
        "/style.css": { type: "text/css", bytes: Buffer.from("h1{color:rgb(1,2,3)}") },
        "/code.js": { type: "text/javascript", bytes: Buffer.from("document.documentElement.dataset.code='ran'") },
        "/icon.svg": { type: "image/svg+xml", bytes: Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>") },
        "/big.bin": { type: "application/octet-stream", bytes: randomBytes(600000), headers: { ETag: '"v1"' } },
        "/secret.html": { ...html("Secret", "<h1>secret</h1>"), private: true },
    };
}

export const pulled = ["/style.css", "/code.js", "/icon.svg", "/big.bin"];

export async function openSite(options = {}, files = sample()) {
    const site = new CrowdSite(files, { pages: { "/": pulled }, ...options });
    await site.listen(0);
    site.url = `http://127.0.0.1:${site.server.address().port}`;
    return site;
}

/** What a path's bytes hash to as the page in the frame gets them. */
export const fetched = (frame, path, headers = {}) => frame.evaluate(async ([url, headers]) => {
    const response = await fetch(url, { headers });
    const bytes = await response.arrayBuffer(), digest = await crypto.subtle.digest("SHA-256", bytes);
    return { status: response.status, size: bytes.byteLength, range: response.headers.get("Content-Range"),
             type: response.headers.get("Content-Type"), hash: [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("") };
}, [path, headers]);
