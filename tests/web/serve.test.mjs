// The real programs: throng serve in a crowd, the sample site, and Chromium.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, appendFileSync, chmodSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fetched, launch, until, visit, visitor } from "./browser.mjs";
import { sha256 } from "./objects.mjs";

const hex = (bytes) => sha256(bytes).toString("hex");
let browser, dir, site;
before(async () => {
    browser = await launch();
    dir = mkdtempSync(join(tmpdir(), "throng-serve-"));
    chmodSync(dir, 0o755);
    site = join(dir, "site");
    cpSync(new URL("../../examples/site", import.meta.url), site, { recursive: true });
    /* So that it is shared as a page of its own, too. */
    appendFileSync(join(site, "index.html"), `<!-- ${"the sky is large ".repeat(300)} -->`);
});
after(async () => {
    await browser.close();
    rmSync(dir, { recursive: true, force: true });
});

async function freePort() {
    const server = createServer();
    await new Promise((go) => server.listen(0, "127.0.0.1", go));
    const port = server.address().port;
    await new Promise((go) => server.close(go));
    return port;
}

async function serving(mode, run) {
    const port = await freePort();
    const state = join(dir, "state-" + port);
    const child = spawn(process.env.THRONG, ["serve", site, "--mode", mode, "--uplink", "100m", "--listen", `127.0.0.1:${port}`, "--state", state]);
    let out = "", gone = false;
    child.stdout.on("data", (bytes) => (out += bytes));
    child.stderr.on("data", (bytes) => (out += bytes));
    child.on("exit", () => (gone = true));
    try {
        await until(() => out.includes("ready ") || gone, "throng serve ready: " + out);
        assert.ok(!gone, out);
        await run(`http://127.0.0.1:${port}`, port);
    } finally {
        child.kill("SIGTERM");
        await until(() => gone, "throng serve gone");
    }
}

/* The first who ask make the object known; the crowd is there once a navigation gets the bootstrap page. */
async function crowded(url) {
    const header = ["-s", "-o", "/dev/null", "-D", "-", "-H", "Sec-Fetch-Mode: navigate", "-H", "Sec-Fetch-Dest: document", url];
    await until(() => execFileSync("curl", header, { encoding: "utf8" }).includes("Throng: bootstrap"), "the bootstrap page");
}

const picture = async (page) => {
    const shown = page.frames().find((f) => f.parentFrame()) || page.mainFrame();
    await shown.evaluate(() => document.fonts.ready.then(() => Promise.all([...document.images].map((i) => i.decode()))));
    /* What changes by itself: the clock; a video's controls come and go. */
    await shown.evaluate(() => {
        document.querySelector("#clock").style.visibility = "hidden";
        document.querySelector("video").remove();
    });
    await page.evaluate(() => document.querySelector("#throng-badge")?.remove());
    return page.screenshot();
};

/* How many pixels of two pictures differ visibly. */
async function differing(a, b) {
    const page = await visitor(browser);
    const count = await page.evaluate(async (pictures) => {
        const [one, other] = await Promise.all(pictures.map(async (base64) => {
            const bitmap = await createImageBitmap(await (await fetch("data:image/png;base64," + base64)).blob());
            const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
            context.drawImage(bitmap, 0, 0);
            return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
        }));
        return one.length === other.length ? one.filter((value, i) => Math.abs(value - other[i]) > 16).length : Infinity;
    }, [a.toString("base64"), b.toString("base64")]);
    await page.context().close();
    return count;
}

test("sample site in a crowd: two visitors, every byte right, and the page looks as on a calm day", async () => {
    let calm;
    await serving("calm", async (url) => {
        const page = await visitor(browser);
        await page.goto(url + "/index.html");
        calm = await picture(page);
        assert.equal(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0);
        await page.context().close();
    });
    await serving("crowd", async (url) => {
        await crowded(url + "/index.html");
        for (let i = 0; i < 2; i++) {
            const page = await visitor(browser), frame = await visit(page, url + "/index.html");
            for (const name of ["comet-large.png", "comet.png", "fonts/digits.ttf", "scripts/clock.js"])
                assert.equal((await fetched(frame, "/" + name)).hash, hex(readFileSync(join(site, name))));
            await frame.evaluate(async () => {
                const video = document.querySelector("video");
                video.muted = true;
                video.currentTime = 20;
                await new Promise((go) => video.addEventListener("seeked", go, { once: true }));
                await video.play();
            });
            assert.ok(await frame.evaluate(() => document.querySelector("video").currentTime >= 20));
            assert.match(await frame.evaluate(() => document.querySelector("#clock").textContent), /^\d\d:\d\d$/);
            assert.ok((await page.stats()).fromSeeder + (await page.stats()).fromPeers > 0);
            const shown = await picture(page);
            assert.ok((await differing(shown, calm)) < 100, "the page in a crowd looks otherwise than on a calm day");
            assert.deepEqual(page.problems, []);
            if (i)
                assert.ok((await page.stats()).messages <= 12, JSON.stringify(await page.stats()));
        }
    });
});

/* Chromium has no switch that holds for a headless one: the candidates are taken away instead, on both sides. */
test("blocked UDP: visitors who can't reach each other still get the page", async () => {
    await serving("crowd", async (url) => {
        await crowded(url + "/index.html");
        for (let i = 0; i < 2; i++) {
            const page = await visitor(browser);
            await page.addInitScript(() => (RTCPeerConnection.prototype.addIceCandidate = async () => {}));
            const frame = await visit(page, url + "/index.html");
            assert.equal((await fetched(frame, "/comet.png")).hash, hex(readFileSync(join(site, "comet.png"))));
            assert.equal((await page.stats()).opened, 0);
            assert.deepEqual(page.problems, []);
        }
    });
});
