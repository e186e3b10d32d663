// Around the frame the window looks and behaves like the page's own. docs/BROWSER.md tells what cannot.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, openSite, until, visit, visitor } from "./browser.mjs";

let browser, site, page, frame;
before(async () => {
    browser = await launch();
    site = await openSite();
});
after(async () => {
    await browser.close();
    site.close();
});

async function fresh() {
    await page?.context().close();
    page = await visitor(browser, { acceptDownloads: true });
    frame = await visit(page, site.url + "/");
}
const shows = (title, path) => until(async () => page.url() === site.url + path && (await page.title()) === title, `${title} at ${path}`);

test("link inside the site changes address and title, and back and forward go on working", async () => {
    await fresh();
    await frame.locator("#two").click();
    await shows("Second", "/two.html");
    await page.goBack();
    await shows("First", "/");
    await page.goForward();
    await shows("Second", "/two.html");
    await frame.locator("#back").click();
    await shows("First", "/");
});

test("anchor scrolls, shows in the address, and back leads up again", async () => {
    await fresh();
    await frame.locator("#anchor").click();
    await until(() => page.url() === site.url + "/#below", "the anchor in the address");
    assert.ok(await frame.evaluate(() => scrollY > 1000));
    await page.goBack();
    await until(() => page.url() === site.url + "/", "the address without it");
});

test("anchor typed into the address bar reaches the page", async () => {
    await fresh();
    await page.evaluate(() => void (location.hash = "#below"));
    await until(() => frame.evaluate(() => location.hash === "#below" && scrollY > 1000), "the page at its anchor");
});

test("address with an anchor opens the page there", async () => {
    await fresh();
    frame = await visit(page, site.url + "/two.html");
    frame = await visit(page, site.url + "/#below");
    await until(() => frame.evaluate(() => scrollY > 1000), "the page at its anchor");
    assert.equal(page.url(), site.url + "/#below");
});

test("forms of the site are sent from the frame, by GET with the answer's address", async () => {
    await fresh();
    await frame.locator("#go").click();
    await shows("Found", "/two.html?q=x");
});

test("form by POST goes to the server as it is", async () => {
    await fresh();
    await frame.locator("#post").click();
    await until(() => site.requests.some((r) => r.path === "/echo" && r.method === "POST"), "the POST");
});

test("link to another site takes the whole window", async () => {
    await fresh();
    const asked = page.waitForRequest((r) => r.url().startsWith("http://localhost:1/"));
    await frame.locator("#other").click();
    assert.equal((await asked).frame(), page.mainFrame());
});

test("script that leaves for another site takes the whole window", async () => {
    await fresh();
    const asked = page.waitForRequest((r) => r.url().startsWith("http://localhost:1/"));
    await frame.evaluate(() => void setTimeout(() => (location.href = "http://localhost:1/script"), 0));
    assert.equal((await asked).frame(), page.mainFrame());
});

test("link into a new tab opens the page there at its own address", async () => {
    await fresh();
    const opened = page.context().waitForEvent("page");
    await frame.locator("#tab").click();
    const tab = await opened;
    await until(async () => (await tab.title()) === "Second", "the new tab");
    assert.equal(tab.url(), site.url + "/two.html");
});

test("download gives the file whole and under its name", async () => {
    await fresh();
    const coming = page.waitForEvent("download");
    await frame.locator("#save").click();
    const download = await coming;
    assert.equal(download.suggestedFilename(), "big.bin");
    const chunks = [];
    for await (const chunk of await download.createReadStream())
        chunks.push(chunk);
    assert.ok(Buffer.concat(chunks).equals(site.files["/big.bin"].bytes));
});

test("keyboard goes to the page without a click", async () => {
    await fresh();
    await until(() => frame.evaluate(() => document.hasFocus()), "focus in the frame");
    await page.keyboard.press("End");
    await until(() => frame.evaluate(() => scrollY > 1000), "scrolled by a key");
});

test("reload keeps the place and the page", async () => {
    await fresh();
    await frame.evaluate(() => scrollTo(0, 1500));
    await page.reload();
    await until(() => page.frames()[1]?.evaluate(() => scrollY === 1500).catch(() => false), "the place before");
    assert.equal(page.url(), site.url + "/");
});

test("icon and language are the page's, and it takes nobody for its referrer", async () => {
    await fresh();
    await until(() => page.evaluate(() => document.querySelector("link[rel=icon]")?.href.endsWith("/icon.svg")), "the icon");
    assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
    assert.equal(await frame.evaluate(() => document.referrer), "");
});

test("history entry that a script pushes is in the address", async () => {
    await fresh();
    await frame.evaluate(() => history.pushState({ own: 1 }, "", "/pushed"));
    await until(() => page.url() === site.url + "/pushed", "the pushed address");
    await page.goBack();
    await until(() => page.url() === site.url + "/", "the one before");
    assert.equal(await frame.evaluate(() => document.title), "First");
});

test("page that breaks out of frames again and again is shown plainly", async () => {
    const busting = await openSite({}, {
        "/": { type: "text/html", bytes: Buffer.from("<title>Buster</title><h1>out</h1><script>if (top !== self) top.location = location</script>") },
        "/style.css": site.files["/style.css"], "/code.js": site.files["/code.js"], "/icon.svg": site.files["/icon.svg"],
        "/big.bin": site.files["/big.bin"],
    });
    try {
        const own = await visitor(browser);
        await own.goto(busting.url + "/");
        await until(async () => own.frames().length === 1 && (await own.locator("h1").count().catch(() => 0)) === 1, "the plain page");
        await own.context().close();
    } finally {
        busting.close();
    }
});
