// A visitor of a page in a crowd gets it, from whomever, whatever goes wrong.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { fetched, launch, openSite, pulled, sample, until, visit, visitor } from "./browser.mjs";
import { sha256 } from "./objects.mjs";

let browser;
before(async () => (browser = await launch({ light: true })));
after(() => browser.close());

const hex = (bytes) => sha256(bytes).toString("hex");

async function withSite(options, run, files) {
    const site = await openSite(options, files);
    const pages = [];
    const come = async (visitorOptions) => {
        const page = await visitor(browser, visitorOptions);
        pages.push(page);
        return page;
    };
    try {
        await run(site, come);
        for (const page of pages)
            assert.deepEqual(page.problems, []);
    } finally {
        await Promise.all(pages.map((page) => page.context().close()));
        site.close();
    }
}

test("first visit shows the page at its own address without a byte of it over HTTP", () => withSite({}, async (site, come) => {
    const page = await come(), frame = await visit(page, site.url + "/");
    assert.equal(page.url(), site.url + "/");
    await until(async () => (await page.title()) === "First", "the title");
    assert.equal(await frame.locator("h1").evaluate((e) => getComputedStyle(e).color), "rgb(1, 2, 3)");
    assert.equal(await frame.evaluate(() => document.documentElement.dataset.code), "ran");
    const big = await fetched(frame, "/big.bin");
    assert.equal(big.hash, hex(site.files["/big.bin"].bytes));
    assert.equal(big.type, "application/octet-stream");
    assert.equal(site.served, 0);
}));

test("visitor gets the page from those before when the seeder has stopped", () => withSite({}, async (site, come) => {
    for (let i = 0; i < 2; i++)
        await fetched(await visit(await come(), site.url + "/"), "/big.bin");
    site.seeds = false;
    const page = await come(), frame = await visit(page, site.url + "/");
    assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
    const stats = await page.stats();
    assert.ok(stats.fromPeers > 300000, JSON.stringify(stats));
    assert.ok(stats.fromPeers > 10 * stats.fromSeeder, JSON.stringify(stats));
}));

test("core comes from the first neighbour, and from the server when that one gives another", () => withSite({}, async (site, come) => {
    const cores = () => site.requests.filter((r) => r.path.endsWith("core.wasm")).length;
    const first = await come();
    await visit(first, site.url + "/");
    assert.equal(cores(), 1);
    await visit(await come(), site.url + "/");
    assert.equal(cores(), 1);
    await first.context().close();
    await until(() => site.sockets.size === 1, "the first has left");
    site.welcomePeers = 0;
    const liar = await come();
    await liar.addInitScript(() => {
        const send = RTCDataChannel.prototype.send;
        RTCDataChannel.prototype.send = function (data) {
            const bytes = new Uint8Array(data);
            if (bytes[0] === 0x82)
                bytes[50] ^= 1;
            return send.call(this, bytes);
        };
    });
    await visit(liar, site.url + "/");
    assert.equal(cores(), 2);
    site.welcomePeers = 1;
    await visit(await come(), site.url + "/");
    assert.equal(cores(), 3);
}));

test("repeat visit and a page of the same site go by the same worker", () => withSite({}, async (site, come) => {
    const page = await come();
    await visit(page, site.url + "/");
    const frame = await visit(page, site.url + "/two.html");
    await until(async () => (await page.title()) === "Second", "the title");
    assert.equal(await frame.locator("h1").textContent(), "second");
    assert.equal(site.served, 0);
}));

test("repeat visit has the page from the browser's own cache, while nobody gives it, and calm takes the cache away", () => withSite({}, async (site, come) => {
    const page = await come();
    await fetched(await visit(page, site.url + "/"), "/big.bin");
    await until(() => page.evaluate(async () => (await (await caches.open("throng-objects")).keys()).length === 2), "page and file in the cache");
    site.seeds = false;
    const frame = await visit(page, site.url + "/");
    assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
    assert.deepEqual([site.served, (await page.stats()).fromSeeder], [0, 0]);
    site.crowd = false;
    await page.goto(site.url + "/two.html");
    await until(() => page.evaluate(async () => (await caches.keys()).length === 0), "no caches");
}));

test("range of an object is answered with 206 and just those bytes", () => withSite({}, async (site, come) => {
    const frame = await visit(await come(), site.url + "/");
    const bytes = site.files["/big.bin"].bytes;
    const part = await fetched(frame, "/big.bin", { Range: "bytes=100000-100999" });
    assert.deepEqual([part.status, part.size, part.range], [206, 1000, "bytes 100000-100999/600000"]);
    assert.equal(part.hash, hex(bytes.subarray(100000, 101000)));
    const tail = await fetched(frame, "/big.bin", { Range: "bytes=599000-" });
    assert.equal(tail.hash, hex(bytes.subarray(599000)));
}));

test("what may not be shared, and what is not there, comes from the server as it is", () => withSite({}, async (site, come) => {
    const frame = await visit(await come(), site.url + "/");
    assert.equal((await fetched(frame, "/secret.html")).size, site.files["/secret.html"].bytes.length);
    assert.equal((await fetched(frame, "/none")).status, 404);
}));

test("neighbour that closes in mid-transfer costs the page nothing", () => withSite({}, async (site, come) => {
    const leaver = await come();
    await fetched(await visit(leaver, site.url + "/"), "/big.bin");
    const page = await come();
    const frame = await visit(page, site.url + "/");
    await until(async () => (await page.stats()).opened > 0, "a channel");
    await leaver.close();
    assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
}));

test("neighbour that lies is found out and the page is whole", () => withSite({}, async (site, come) => {
    const liar = await come();
    /* It passes every bit of content on but one: a DATA frame (5) right behind TIME (18, of five bytes), alone or in a bundle (0x83). */
    await liar.addInitScript(() => {
        const send = RTCDataChannel.prototype.send;
        const spoil = (payload) => payload[0] === 18 && payload[5] === 5 && (payload[payload.length - 1] ^= 1);
        RTCDataChannel.prototype.send = function (data) {
            const bytes = new Uint8Array(data);
            for (let at = 1; bytes[0] === 0x83 && at < bytes.length; at += 2 + (bytes[at] << 8 | bytes[at + 1]))
                spoil(bytes.subarray(at + 2, at + 2 + (bytes[at] << 8 | bytes[at + 1])));
            spoil(bytes);
            return send.call(this, bytes);
        };
    });
    /* The liar came last, so that it is the first whom the next is told of. */
    await fetched(await visit(await come(), site.url + "/"), "/big.bin");
    await fetched(await visit(liar, site.url + "/"), "/big.bin");
    site.seeds = false;
    const page = await come(), frame = await visit(page, site.url + "/");
    assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
    const stats = await page.stats();
    assert.ok(stats.unitsFailed > 0, JSON.stringify(stats));
}));

/* The other object is of the same size, so that its manifest fits into the place of the right one. */
test("neighbour that answers with another path's manifest is not believed", async () => {
    const files = { ...sample(), "/other.bin": { ...sample()["/big.bin"] } };
    await withSite({ pages: { "/": [...pulled, "/other.bin"] } }, async (site, come) => {
        const manifests = ["/big.bin", "/other.bin"].map((path) => [...site.objects.get(path).manifest]);
        assert.equal(manifests[0].length, manifests[1].length);
        const liar = await come();
        await liar.addInitScript(([right, wrong]) => {
            const places = new Map(), WINDOW = 24, key = (bytes, at) => bytes.slice(at, at + WINDOW).join();
            for (let at = 0; at + WINDOW <= right.length; at++)
                places.set(key(right, at), at);
            const send = RTCDataChannel.prototype.send;
            globalThis.swapped = 0;
            RTCDataChannel.prototype.send = function (data) {
                const bytes = new Uint8Array(data);
                for (let i = 0; i + WINDOW <= bytes.length; i++) {
                    let at = places.get(key([...bytes.subarray(i, i + WINDOW)], 0));
                    if (at === undefined)
                        continue;
                    globalThis.swapped++;
                    for (; i < bytes.length && at < right.length && bytes[i] === right[at]; i++, at++)
                        bytes[i] = wrong[at];
                }
                return send.call(this, bytes);
            };
        }, manifests);
        await fetched(await visit(liar, site.url + "/"), "/big.bin");
        site.seeds = false;
        const page = await come(), frame = await visit(page, site.url + "/");
        assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
        assert.equal((await fetched(frame, "/other.bin")).hash, hex(site.files["/other.bin"].bytes));
        assert.ok(await liar.evaluate(() => globalThis.swapped > 0), "no manifest went by the liar");
    }, files);
});

test("neighbour that sends garbage and floods is survived", () => withSite({}, async (site, come) => {
    const rude = await come();
    await rude.addInitScript(() => {
        const send = RTCDataChannel.prototype.send;
        RTCDataChannel.prototype.send = function (data) {
            for (let i = 0; i < 20; i++)
                send.call(this, crypto.getRandomValues(new Uint8Array(1 + (i * 997) % 1300)));
            send.call(this, new Uint8Array([0x80, ...new Array(40).fill(0x41)]));
            send.call(this, "text");
            return send.call(this, data);
        };
    });
    await fetched(await visit(rude, site.url + "/"), "/big.bin");
    const page = await come(), frame = await visit(page, site.url + "/");
    assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
    const stats = await page.stats();
    assert.ok(stats.malformed + stats.refused > 0, JSON.stringify(stats));
}));

test("neighbours are met through neighbours, which keeps the server out of it", () => withSite({ welcomePeers: 1, rateBps: 1e6 }, async (site, come) => {
    const pages = [];
    for (let i = 0; i < 5; i++) {
        pages.push(await come());
        await visit(pages[i], site.url + "/");
    }
    const sum = async (name) => (await Promise.all(pages.map((page) => page.stats()))).reduce((all, stats) => all + stats[name], 0);
    await until(async () => (await sum("signalsDirect")) > 0 && (await sum("relayed")) > 0, "signals through neighbours");
    await until(async () => (await sum("opened")) > 8, "more channels than the server named");
    for (const page of pages)
        assert.ok((await page.stats()).messages <= 12, JSON.stringify(await page.stats()));
}));

test("visitors who have eight neighbours at most have twelve signalling messages at most", () => withSite({ rateBps: 2e6 }, async (site, come) => {
    const pages = await Promise.all(Array.from({ length: 9 }, () => come())), coming = [];
    for (const page of pages) {
        coming.push(visit(page, site.url + "/"));
        await until(async () => (await page.stats().catch(() => null)) !== null, "a core");
    }
    await Promise.all(coming);
    const stats = await Promise.all(pages.map((page) => page.stats()));
    for (const one of stats)
        assert.ok(one.opened > 0 && (one.opened > 8 || one.messages <= 12), JSON.stringify(one));
    assert.ok(stats.filter((one) => one.opened <= 8).length >= 4, JSON.stringify(stats));
}));

test("visitor who has all and gave its share leaves its neighbours, and meets others when it wants something again", () => withSite({}, async (site, come) => {
    const first = await come();
    await fetched(await visit(first, site.url + "/"), "/big.bin");
    site.seeds = false;
    const second = await come(), frame = await visit(second, site.url + "/");
    assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
    await until(async () => (await first.stats()).neighbours <= 1, "first without neighbours");
    const { uploaded, fromPeers, fromSeeder } = await first.stats();
    assert.ok(uploaded <= fromPeers + fromSeeder, `${uploaded} given`);
    site.seeds = true;
    await first.frames().at(-1).evaluate(() => document.querySelector("#two").click());
    await until(() => first.url().endsWith("/two.html"), "the next page");
}));

test("signals out of form are refused and counted", () => withSite({}, async (site, come) => {
    await visit(await come(), site.url + "/");
    let turn = 0;
    const nonsense = ["", "o|1|a|b|c|d", "x".repeat(2000), "a|1|2|3|4|5", "c|1|host 1 evil\r\na=x 2", "o|" + "|".repeat(300)];
    site.mangle = () => nonsense[turn++ % nonsense.length];
    const page = await come(), frame = await visit(page, site.url + "/");
    assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
    assert.equal((await page.stats()).opened, 0);
}));

test("flood of offers from nobody is survived, and makes no more connections than there may be", () => withSite({}, async (site, come) => {
    const page = await come();
    const offer = `o|n|${"u".repeat(4)}|${"p".repeat(22)}|${"A".repeat(43)}=|host 1 192.0.2.1 9`;
    site.flood = (id) => Array.from({ length: 500 }, (_, i) => ({ from: (BigInt("0x" + id) ^ BigInt(i + 1)).toString(16).padStart(16, "0"), d: offer }));
    const frame = await visit(page, site.url + "/");
    assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
    assert.ok((await page.stats()).refused >= 400, JSON.stringify(await page.stats()));
}));

test("visitor without WebSocket gets the page over HTTP", () => withSite({}, async (site, come) => {
    site.noSockets = true;
    const frame = await visit(await come(), site.url + "/");
    assert.equal(await frame.locator("h1").textContent(), "first");
    assert.ok(site.served > 0);
}));

test("deploy with its script, its core or its worker missing shows the plain page", async () => {
    for (const missing of [/throng\.js$/, /core\.wasm$/, /worker\.js$/])
        await withSite({}, async (site, come) => {
            site.broken = (name) => missing.test(name);
            const page = await come();
            await page.goto(site.url + "/");
            await page.locator("h1").waitFor();
            assert.equal(await page.title(), "First");
            page.problems = [];
        });
});

const isShown = async (page) => (await Promise.all(page.frames().map((f) => f.locator("h1").count().catch(() => 0)))).some((count) => count);

/* A worker of long ago, which has another script and answers nothing that a window of today says; and one that does. */
test("old worker before a new server: the page is shown, and the worker replaced", async () => {
    for (const mute of [true, false])
        await withSite({}, async (site, come) => {
            const old = mute ? "self.addEventListener('install', () => self.skipWaiting());" +
                "self.addEventListener('activate', (e) => e.waitUntil(self.clients.claim())); self.addEventListener('fetch', () => {});" : undefined;
            site.worker = (text) => old ?? "/* of another day */" + text;
            const page = await come();
            await page.goto(site.url + "/two.html");
            await until(() => isShown(page), "a page");
            site.worker = undefined;
            await page.goto(site.url + "/");
            await until(() => isShown(page), "a page");
            const script = () => page.evaluate(async () => {
                const worker = (await navigator.serviceWorker.getRegistration())?.active;
                return worker ? (await (await fetch(worker.scriptURL, { cache: "reload" })).text()).length && worker.state : "none";
            });
            await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.update());
            await until(async () => /^(activated|none)$/.test(await script()), "another worker, or none");
            await page.context().clearCookies();
            const frame = await visit(page, site.url + "/");
            assert.equal(await frame.locator("h1").textContent(), "first");
            assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
        });
});

test("calm, there is not a request more than the page's own, and no worker", () => withSite({ crowd: false }, async (site, come) => {
    const page = await come();
    await page.goto(site.url + "/");
    await page.waitForLoadState("networkidle");
    assert.equal(site.requests.filter((r) => r.path.startsWith("/.throng")).length, 0);
    assert.equal(site.sockets.size, 0);
    assert.equal(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0);
}));

test("crowd over or switched off, the next navigation ends the worker", () => withSite({}, async (site, come) => {
    const page = await come();
    await visit(page, site.url + "/");
    site.crowd = false;
    await page.goto(site.url + "/two.html");
    await page.locator("h1").waitFor();
    await until(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length === 0), "no registration");
    const before = site.requests.length;
    await page.goto(site.url + "/two.html");
    await page.locator("h1").waitFor();
    assert.ok(site.requests.slice(before).every((r) => !r.path.startsWith("/.throng")));
}));

test("visitor who opts out by the badge gets the plain page from then on", () => withSite({}, async (site, come) => {
    const page = await come();
    await visit(page, site.url + "/");
    await page.locator("#throng-badge summary").click();
    await page.locator("#throng-badge a").click();
    await page.locator("h1").waitFor();
    assert.equal(await page.evaluate(() => document.cookie), "throng=off");
    await page.goto(site.url + "/");
    await page.locator("h1").waitFor();
}));

test("sixteen visitors at once, eight of them at one time, all get every byte and none gives more than it got", () => withSite({}, async (site, come) => {
    const size = site.files["/big.bin"].bytes.length;
    const pages = [];
    for (let wave = 0; wave < 2; wave++)
        await Promise.all(Array.from({ length: 8 }, async () => {
            const page = await come();
            pages.push(page);
            await page.goto(site.url + "/");
            await until(() => isShown(page), "a page");
            const frame = page.frames().at(-1);
            assert.equal((await fetched(frame, "/big.bin")).hash, hex(site.files["/big.bin"].bytes));
        }));
    assert.equal(pages.length, 16);
    for (const page of pages) {
        const stats = await page.stats();
        assert.ok(!stats || stats.uploaded <= stats.fromPeers + stats.fromSeeder, JSON.stringify(stats));
    }
    /* On a machine that has more to do than this, a request may be late, and go to the server. */
    assert.ok(site.served < 16 * size / 4, `${site.served} bytes over HTTP`);
}, { ...sample(), "/big.bin": { ...sample()["/big.bin"], bytes: randomBytes(100000) } }));

test("page's own headers are kept, and those against frames do not hide it", async () => {
    const files = sample();
    files["/"].headers = { "Content-Security-Policy": "script-src 'none'; frame-ancestors 'none'", "X-Frame-Options": "DENY", "X-Own": "kept" };
    await withSite({}, async (site, come) => {
        const frame = await visit(await come(), site.url + "/");
        assert.equal(await frame.locator("h1").textContent(), "first");
        assert.equal(await frame.evaluate(() => document.documentElement.dataset.code), undefined);
    }, files);
});
