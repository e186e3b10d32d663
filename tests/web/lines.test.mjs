// Browsers on emulated lines, each in a namespace with a default route: NAT boxes, a relay, UDP blocked. As root, with /dev/net/tun.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Lines } from "../../lab/browsers/lines.mjs";
import { makeSite, startServer } from "../../lab/browsers/site.mjs";
import { launch, shownPage, wrongIn } from "../../lab/browsers/visitors.mjs";
import { DEADLINE_MS, until } from "./browser.mjs";

const skip = process.getuid() !== 0 || !existsSync("/dev/net/tun") ? "takes root and /dev/net/tun" : false;
/* Nodes are numbered from the server, 0, on; of the scenario's classes the last are last. */
const OPEN = 1, PLAIN = [2, 3], SYMMETRIC = [4, 5];
let folder, lines, made, stop, relay;
const browsers = [];

before(async () => {
    if (skip)
        return;
    folder = mkdtempSync("/dev/shm/throng-lines-");
    const scenario = new URL("../../lab/scenarios/browsers-nat.scenario", import.meta.url).pathname;
    lines = await Lines.make(process.env.THRONG_LAB, scenario, {});
    made = makeSite(folder, lines.nodes[0].ip);
    writeFileSync(join(folder, "secret"), "between the two of us");
    stop = await startServer("crowd", made, lines, process.env.THRONG, "3m",
        ["--turn", `turn:${lines.nodes[0].ip}:3478`, "--turn-secret", join(folder, "secret")]);
});
after(async () => {
    await Promise.all(browsers.map((one) => one.browser.close().catch(() => {})));
    relay?.kill();
    await stop?.();
    await lines?.close();
    if (folder)
        rmSync(folder, { recursive: true, force: true });
});

/* A visitor who has the page, every byte of it right, and stays. */
async function come(node) {
    const one = await launch(lines, node, folder, made.spki);
    browsers.push(one);
    await one.page.goto(made.url);
    const shown = await shownPage(one.page, Date.now() + DEADLINE_MS);
    assert.ok(shown && shown.inner !== one.page.mainFrame(), "the page in its frame");
    assert.deepEqual(await wrongIn(shown.inner, made.hashes), []);
    return one;
}

const stats = (one) => one.page.evaluate(() => globalThis.throng.stats());
const leave = async (...all) => Promise.all(all.map((one) => one.browser.close()));

test("two behind plain NAT boxes reach each other without a relay", { skip }, async () => {
    const first = await come(PLAIN[0]), second = await come(PLAIN[1]);
    await until(async () => (await stats(second)).opened > 0, "a channel");
    const { fromPeers } = await stats(second);
    assert.ok(fromPeers > 50000, `${fromPeers} bytes from the first`);
    await leave(first, second);
});

test("two behind symmetric NAT boxes get the page without each other, and reach each other by a TURN server", { skip }, async () => {
    const first = await come(SYMMETRIC[0]), second = await come(SYMMETRIC[1]);
    assert.equal((await stats(second)).opened, 0);
    await leave(second);
    const ip = lines.nodes[0].ip, [program, ...args] = [...lines.enter(0), "turnserver", "-n", "--use-auth-secret", "--static-auth-secret",
        "between the two of us", "--realm", "throng", "--listening-ip", ip, "--relay-ip", ip, "--no-tls", "--no-dtls", "--no-cli",
        "--log-file", "stdout", "--pidfile", join(folder, "turn.pid"), "--userdb", join(folder, "turn.db")];
    relay = spawn(program, args, { stdio: "ignore" });
    await until(() => execFileSync(program, [...args.slice(0, 2), "ss", "-lun"], { encoding: "utf8" }).includes(`${ip}:3478`), "coturn");
    const third = await come(SYMMETRIC[1]);
    await until(async () => (await stats(third)).opened > 0, "a channel by the relay");
    await leave(first);
});

test("visitor whose UDP is blocked gets the page, and nobody waits for it", { skip }, async () => {
    const nft = (...rule) => execFileSync(lines.enter(OPEN)[0], [...lines.enter(OPEN).slice(1), "nft", rule.join(" ")]);
    nft("add table inet blocked");
    nft("add chain inet blocked out { type filter hook output priority 0; }");
    nft("add rule inet blocked out meta l4proto udp drop");
    const one = await come(OPEN), { opened, fromPeers, fromSeeder } = await stats(one);
    assert.deepEqual([opened, fromPeers], [0, 0]);
    assert.ok(fromSeeder > 0);
});
