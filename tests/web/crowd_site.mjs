// A site in a crowd, in this process: what nginx and throngd do for browsers (docs/SIGNALLING.md), with everything that a test may
// want to go wrong. Its seeder is the core itself, the one that browsers get, holding whole objects.
import { randomBytes } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { makeDirections, makeObject, makePageObject } from "./objects.mjs";
import { Socket } from "./websocket.mjs";

export const built = process.env.THRONG_WEB || new URL("../../build/web/", import.meta.url).pathname;
const { Core } = await import(pathToFileURL(join(built, "package", "throng.js")));
const core = new WebAssembly.Module(readFileSync(join(built, "package", "core.wasm")));
const types = { js: "text/javascript", wasm: "application/wasm", html: "text/html" };
const now = () => Math.floor(performance.now() * 1000);

/* A JOIN is the seeder's alone: frame 1, u64 object, 12 token, u8 flags, chunk set. Returns the object and what follows. */
function takeJoin(bytes) {
    if (bytes[0] !== 1)
        return [null, bytes];
    const varint = (at) => 1 << (bytes[at] >> 6);
    let at = 22, n = bytes[at++];
    if (n >= 0x40)
        at += varint(at) + n - 0x3f;
    else
        for (; n > 0; n--) {
            at += varint(at);
            at += varint(at);
        }
    return [bytes.subarray(1, 9), bytes.subarray(at)];
}

export class CrowdSite {
    /** files: {path: {bytes, type, headers}}; pages: {path: [paths it pulls in]} makes page objects. */
    constructor(files, { pages = {}, crowd = true, seeds = true, welcomePeers = 3, rateBps = 1e9 } = {}) {
        Object.assign(this, { files, crowd, seeds, welcomePeers, requests: [], sockets: new Map(), objects: new Map(), signals: 0, served: 0 });
        for (const [path, file] of Object.entries(files))
            this.objects.set(path, makeObject(file.bytes, { path, headers: this.kept(file) }));
        for (const [path, others] of Object.entries(pages))
            this.objects.set(path, makePageObject(path, [path, ...others].map((p) => this.objects.get(p))));
        this.core = new Core(core, { givePercent: 0, tabBytes: 2 ** 31, uplinkBps: rateBps });
        this.contents = [];
        for (const object of this.everything())
            this.core.offer(now(), this.contents.push(object.bytes) - 1, object.id, object.manifest);
        this.server = http.createServer((request, response) => this.answer(request, response));
        this.server.on("upgrade", (request, stream) => this.upgrade(request, stream));
    }

    everything() {
        return new Set([...this.objects.values(), ...[...this.objects.values()].flatMap((object) => object.alone || [])]);
    }

    kept(file) {
        return `Content-Type: ${file.type}\r\n` + Object.entries(file.headers || {}).map(([k, v]) => `${k}: ${v}\r\n`).join("");
    }

    async listen(port, host = "127.0.0.1") {
        await new Promise((go) => this.server.listen(port, host, go));
        this.url = `http://${host}:${port}`;
        this.timer = setInterval(() => this.pump(), 5);
    }

    close() {
        clearInterval(this.timer);
        for (const socket of this.sockets.values())
            socket.close();
        this.server.closeAllConnections();
        this.server.close();
    }

    /* --- nginx ----------------------------------------------------------------------------------------------- */

    answer(request, response) {
        const h = request.headers, path = request.url;
        this.requests.push({ path, headers: h, method: request.method });
        if (path.startsWith("/.throng/"))
            return this.ours(path, response);
        const file = this.files[path];
        if (this.delay?.(path))
            return;
        if (!file)
            return response.writeHead(404, { "Content-Type": "text/plain" }).end("no such file");
        const able = this.crowd && request.method === "GET" && !/throng=off/.test(h.cookie || "") && !h.range && !file.private;
        const object = this.objects.get(path);
        const directions = () => JSON.stringify({ d: makeDirections(object), page: object.page ? 1 : 0, badge: 1 });
        if (able && h["sec-fetch-mode"] === "navigate" && h["sec-fetch-dest"] === "document" && file.type.startsWith("text/html")) {
            const html = readFileSync(join(built, "www", "bootstrap.html"), "utf8").replace("%THRONG%", directions);
            response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Frame-Options": "DENY", Throng: "bootstrap" });
            return response.end(html);
        }
        if (able && h.throng === "2") {
            response.writeHead(200, { "Content-Type": "application/vnd.throng", "Cache-Control": "no-store", Throng: "directions" });
            return response.end(directions());
        }
        this.plain(request, response, file);
    }

    plain(request, response, file) {
        const headers = { "Content-Type": file.type, "Accept-Ranges": "bytes", ...file.headers };
        const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range || "");
        const from = range ? Number(range[1]) : 0, end = range?.[2] ? Number(range[2]) + 1 : file.bytes.length;
        if (range)
            headers["Content-Range"] = `bytes ${from}-${end - 1}/${file.bytes.length}`;
        this.served += end - from;
        response.writeHead(range ? 206 : 200, headers).end(file.bytes.subarray(from, end));
    }

    ours(path, response) {
        const name = path.slice("/.throng/".length).split("?")[0];
        if (name === "off" || name === "plain")
            return response.writeHead(303, { Location: new URL(path, "http://x").searchParams.get("to") || "/", "Set-Cookie": "throng=off; Path=/" }).end();
        const files = readdirSync(join(built, "www"), { recursive: true });
        if (!files.includes(name) || this.broken?.(name))
            return response.writeHead(404).end();
        const headers = { "Content-Type": types[name.split(".").pop()] };
        Object.assign(headers, name === "worker.js" ? { "Cache-Control": "no-cache", "Service-Worker-Allowed": "/" }
            : { "Cache-Control": "public, max-age=31536000, immutable" });
        const text = readFileSync(join(built, "www", name));
        response.writeHead(200, headers).end(name === "worker.js" && this.worker ? this.worker(text.toString()) : text);
    }

    /* --- throngd ---------------------------------------------------------------------------------------------- */

    upgrade(request, stream) {
        if (this.noSockets)
            return stream.end("HTTP/1.1 503 No\r\n\r\n");
        const socket = new Socket(request, stream), id = randomBytes(8).readBigUInt64BE(), hex = id.toString(16).padStart(16, "0");
        socket.once("text", () => {
            const peers = [...this.sockets.keys()].reverse().slice(0, this.welcomePeers).map((other) => other.toString(16).padStart(16, "0"));
            this.sockets.set(id, socket);
            socket.joined = new Set();
            socket.send(JSON.stringify({ t: "welcome", id: hex, stun: 0, peers }));
            for (const signal of this.flood?.(hex) || [])
                socket.send(JSON.stringify({ t: "signal", s: [signal] }));
            socket.on("text", (text) => this.signal(hex, JSON.parse(text)));
            socket.on("binary", (bytes) => this.seed(id, socket, bytes));
            socket.on("close", () => this.sockets.delete(id));
        });
    }

    signal(from, message) {
        if (message.t !== "signal")
            return;
        for (const { to, d } of message.s) {
            this.signals++;
            this.sockets.get(BigInt("0x" + to))?.send(JSON.stringify({ t: "signal", s: [{ from, d: this.mangle ? this.mangle(d) : d }] }));
        }
    }

    seed(id, socket, bytes) {
        const [object, others] = takeJoin(bytes);
        if (object) {
            const key = object.toString("hex"), fresh = [...this.sockets].filter(([other, s]) => other !== id && s.joined.has(key)).reverse().slice(0, this.welcomePeers);
            socket.joined.add(key);
            const address = (peer) => {
                const a = Buffer.alloc(19);
                a[0] = 6;
                a[1] = 1;
                a.writeBigUInt64BE(peer, 9);
                a[18] = 1;
                return a;
            };
            socket.send(Buffer.concat([Buffer.from([2]), object, address(id), Buffer.from([fresh.length]), ...fresh.map(([peer]) => address(peer))]));
        }
        if (others.length && this.seeds)
            this.core.receive(now(), id, others);
        this.pump();
    }

    pump() {
        this.core.tick(now());
        while (this.core.event()) {}
        for (let d; (d = this.core.send(now()));) {
            const body = d.size ? d.bytes || this.contents[d.content].subarray(d.offset, d.offset + d.size) : Buffer.alloc(0);
            this.sockets.get(d.peer)?.send(Buffer.concat([d.other, body]));
        }
    }
}
