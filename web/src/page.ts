/* The bootstrap page: takes part in the crowd, and shows the real page in a frame that fills the window. */

import { badge } from "./badge";
import { Frame } from "./frame";
import { Keep } from "./keep";
import { Objects, Place } from "./objects";
import { Peer } from "./peer";
import type { Answer, Ask } from "./port";
import { CoreShare } from "./share";
import { ServerSocket } from "./signalling";

const CONTROLLED_WITHIN_MS = 15000, HELLO_WITHIN_MS = 3000, LOOP_MS = 10000, LOOP_MAX = 4, PATIENCE_MS = 1000, LATE_MS = 4000;
/* A part of a page goes to the worker whole, more in pieces of this size: each takes five turns of three threads. */
const PIECE_BYTES = 256 << 10, PIECE_OF_RANGE_BYTES = 64 << 10;
const here = () => location.pathname + location.search;

/* The page as the server gives it to everybody. */
function plain(): void {
    location.replace("/.throng/plain?to=" + here() + location.hash);
}

/* A page that reloads its window again and again (a frame-buster) is better off without us. */
function looping(): boolean {
    try {
        const key = "throng:" + here(), now = Date.now();
        const starts = (JSON.parse(sessionStorage.getItem(key) || "[]") as number[]).filter((at) => now - at < LOOP_MS);
        starts.push(now);
        sessionStorage.setItem(key, JSON.stringify(starts));
        return starts.length > LOOP_MAX;
    } catch {
        return false;
    }
}

function able(): boolean {
    const link = (navigator as { connection?: { saveData?: boolean; type?: string } }).connection;
    return !!(navigator.serviceWorker && self.RTCPeerConnection && self.WebAssembly && crypto.subtle) && self === top &&
        !link?.saveData && link?.type !== "cellular" && !(navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl;
}

/* Ours, or a site's own that imports ours: it answers. Another one is left alone. */
async function worker(): Promise<boolean> {
    const workers = navigator.serviceWorker;
    const ours = (script: ServiceWorker | null) => !!script && new URL(script.scriptURL).pathname === "/.throng/worker.js";
    const hello = (to: ServiceWorker) => new Promise<boolean>((resolve) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => resolve(true);
        setTimeout(() => resolve(false), HELLO_WITHIN_MS);
        to.postMessage("throng:hello", [channel.port2]);
    });
    for (const registration of await workers.getRegistrations()) {
        const active = registration.active || registration.waiting || registration.installing;
        if (active && !ours(active))
            return registration.active === workers.controller && !!workers.controller && hello(workers.controller);
    }
    const registration = await workers.register("/.throng/worker.js", { scope: "/", updateViaCache: "all" });
    if (!workers.controller) {
        /* Shown without it, as after a forced reload, a window is claimed when asked for. */
        registration.active?.postMessage("throng:claim");
        await new Promise<void>((go) => workers.addEventListener("controllerchange", () => go(), { once: true }));
    }
    return hello(workers.controller!);
}

function within<T>(promise: Promise<T>, ms: number): Promise<T> {
    return Promise.race([promise, new Promise<T>((_, no) => setTimeout(() => no(new Error("late")), ms))]);
}

function parseHeaders(text: string): [string, string][] {
    return text.split("\r\n").map((line) => /^([^:]+): *(.*)$/.exec(line)).filter((m) => m).map((m) => [m![1]!, m![2]!]);
}

/* The next bytes; or, if for some time nothing new came of the object, up to where the server has to help out. */
async function nextBytes(place: Place, at: number, end: number, least: number, port: MessagePort): Promise<Uint8Array | number> {
    const { content } = place, from = place.at + at;
    const read = content.read(from, place.at + end, least).catch(() => null);
    for (;;) {
        const bytes = await Promise.race([read, new Promise<undefined>((go) => setTimeout(() => go(undefined), PATIENCE_MS))]);
        if (bytes)
            return bytes;
        if (bytes === null || performance.now() - content.progressAt > LATE_MS) {
            const reach = Math.min(content.reach(from), place.at + end);
            return reach > from ? content.bytes.slice(from, reach) : Math.min(content.gap(from) - place.at, end);
        }
        port.postMessage(0);
    }
}

async function serve(objects: Objects, ask: Ask, port: MessagePort): Promise<void> {
    if (ask.d && !objects.follow(ask.throng, JSON.parse(ask.d)))
        return port.postMessage(0);
    port.postMessage(objects.may(ask.throng) ? 1 : 0);
    const place = await objects.find(ask.throng);
    const from = ask.from || 0;
    if (!place || from >= Math.max(place.size, 1))
        return port.postMessage(0);
    const end = Math.min(ask.to ?? place.size, place.size);
    const headers = place.headers ?? (await place.content.described);
    const answer: Answer = { headers: parseHeaders(headers), from, end, size: place.size };
    const ranged = ask.from !== undefined;
    let at = from;
    port.onmessage = async ({ data }) => {
        if (!data)
            return port.close();
        if (ranged)
            objects.wait(place, at, end);
        const next = await nextBytes(place, at, end, ranged ? PIECE_OF_RANGE_BYTES : PIECE_BYTES, port);
        if (next instanceof Uint8Array) {
            at += next.length;
            port.postMessage(next, [next.buffer]);
        } else
            port.postMessage((at = next));
    };
    port.postMessage(answer);
}

async function start(): Promise<void> {
    if (!able() || looping())
        return plain();
    const directions = JSON.parse(document.getElementById("throng")!.textContent!);
    const socket = new ServerSocket(location.origin.replace(/^http/, "ws") + "/.throng/ws");
    const controlled = within(worker(), CONTROLLED_WITHIN_MS);
    const keep = Keep.open();
    const peer = new Peer(socket, { host: location.hostname, other: (from, bytes) => share.received(from, bytes) });
    const share = new CoreShare(CORE_URL, CORE_HASH, peer.mesh);
    peer.connect(directions.d);
    peer.begin(await share.load(peer.named), await keep);
    const objects = new Objects(peer);
    objects.follow(here(), directions);
    navigator.serviceWorker.onmessage = ({ data, ports }) => {
        if (data && typeof data.throng === "string" && ports[0]) {
            const port = ports[0];
            serve(objects, data, port).catch(() => port.postMessage(0));
        }
    };
    navigator.serviceWorker.startMessages();
    addEventListener("pagehide", () => peer.leave());
    window.addEventListener("pageshow", (event) => event.persisted && location.reload());
    if (!(await controlled))
        return plain();
    new Frame(location.href);
    if (directions.badge)
        badge(peer);
    Object.assign(self, { throng: { stats: () => ({ ...peer.stats(), messages: socket.messages }) } });
}

declare const CORE_URL: string, CORE_HASH: string; /* of the build */
start().catch(plain);
