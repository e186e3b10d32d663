/* The service worker: answers the page's own requests from bytes that the window got from other visitors. It is never the
 * reason that a page does not load: whatever is not known, not GET or late goes to the network.
 *
 * To combine it with a worker of the site's own: importScripts("/.throng/worker.js") first. */

import type { Answer, Ask } from "./port";

declare const self: ServiceWorkerGlobalScope;

/* The window says at once whether it may have a path; bytes may take longer, since a crowded line is slow. */
const ALIVE_WITHIN_MS = 1000, FIRST_WITHIN_MS = 8000, NEXT_WITHIN_MS = 5000, HELLO_WITHIN_MS = 5000;
const PREFIX = "/.throng/", BUSY_TRIES = 6, WAIT_MAX_S = 4;

function late<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
    return Promise.race([promise, new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ms))]);
}

/* --- windows that show a page of the crowd ------------------------------------------------------------------- */

const hosts = new Set<string>(), mute = new Set<string>();

self.addEventListener("message", (event) => {
    const id = event.source && "id" in event.source ? event.source.id : "";
    if (event.data === "throng:hello") {
        hosts.add(id);
        event.ports[0]?.postMessage("throng:hello");
    } else if (event.data === "throng:claim")
        event.waitUntil(self.clients.claim());
});

/* A worker that was stopped and woken knows none: then every top-level window is asked, once; plain ones don't answer. */
async function windows(): Promise<Client[]> {
    const all = (await self.clients.matchAll({ type: "window" })).filter((client) => client.frameType === "top-level");
    const known = all.filter((client) => hosts.has(client.id));
    return (known.length ? known : all.filter((client) => !mute.has(client.id))).slice(0, 4);
}

/** One window's answer, as messages come in. */
class Line {
    private port_: MessagePort;
    private came_: unknown[] = [];
    private wake_: (() => void) | undefined;

    constructor(client: Client, ask: Ask) {
        const channel = new MessageChannel();
        this.port_ = channel.port1;
        this.port_.onmessage = ({ data }) => {
            this.came_.push(data);
            this.wake_?.();
        };
        client.postMessage(ask, [channel.port2]);
    }

    async next(ms: number): Promise<unknown> {
        if (!this.came_.length)
            await late(new Promise<void>((resolve) => (this.wake_ = resolve)), ms);
        return this.came_.shift();
    }

    pull(): void {
        this.port_.postMessage(1);
    }

    close(): void {
        this.port_.postMessage(0);
        this.port_.close();
    }
}

/* --- answers ------------------------------------------------------------------------------------------------- */

/* What the frame must not see: our own window is around it. */
function framed(headers: Headers): Headers {
    headers.delete("X-Frame-Options");
    const policy = headers.get("Content-Security-Policy");
    if (policy)
        headers.set("Content-Security-Policy", policy.replace(/(^|[;,])\s*frame-ancestors[^;,]*/gi, "$1"));
    return headers;
}

/* A server that is full says when to come back. */
async function network(request: Request, patient: boolean): Promise<Response> {
    for (let tries = 0; ; tries++) {
        const response = await fetch(request.clone());
        const wait = Number(response.headers.get("Retry-After"));
        if (!patient || response.status !== 503 || !(wait > 0) || tries === BUSY_TRIES)
            return response;
        await new Promise((go) => setTimeout(go, Math.min(wait, WAIT_MAX_S) * 1000));
    }
}

/* What the crowd does not bring comes from the server, if it still has that very version. */
async function fromServer(request: Request, from: number, end: number, tag: string | null): Promise<ReadableStreamDefaultReader<Uint8Array>> {
    const headers = new Headers({ Range: `bytes=${from}-${end - 1}` });
    if (tag)
        headers.set("If-Range", tag);
    const response = await network(new Request(request.url, { headers, credentials: "same-origin" }), true);
    const range = /^bytes (\d+)-/.exec(response.headers.get("Content-Range") || "");
    if (response.status !== 206 || Number(range?.[1]) !== from)
        throw new Error("the object changed meanwhile");
    return response.body!.getReader();
}

/* The next bytes from the window; up to where the server has to help out; or undefined, when the window is gone. */
async function fromWindow(line: Line): Promise<unknown> {
    line.pull();
    for (;;) {
        const next = await line.next(NEXT_WITHIN_MS);
        if (next !== 0)
            return next;
    }
}

function stream(line: Line, request: Request, answer: Answer): ReadableStream<Uint8Array> {
    let at = answer.from;
    let server: ReadableStreamDefaultReader<Uint8Array> | undefined;
    let serverEnd = 0;
    const tag = new Headers(answer.headers).get("ETag");
    return new ReadableStream<Uint8Array>({
        async pull(controller) {
            let bytes: unknown;
            if (at >= serverEnd && at < answer.end) {
                server = undefined;
                bytes = await fromWindow(line);
                if (!(bytes instanceof Uint8Array)) {
                    serverEnd = Math.min(typeof bytes === "number" && bytes > at ? bytes : answer.end, answer.end);
                    server = await fromServer(request, at, serverEnd, tag);
                }
            }
            if (server)
                bytes = (await server.read()).value;
            if (bytes instanceof Uint8Array && bytes.length) {
                at += bytes.length;
                controller.enqueue(bytes);
            } else if (at < answer.end)
                throw new Error("cut short");
            if (at >= answer.end) {
                controller.close();
                line.close();
            }
        },
        cancel() {
            line.close();
            void server?.cancel();
        },
    }, new ByteLengthQueuingStrategy({ highWaterMark: 65536 }));
}

/* From one of the windows: a response, or null when none knows the path. */
async function fromCrowd(clients: Client[], request: Request, path: string, directions?: string): Promise<Response | null> {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("Range") || "");
    if (request.headers.has("Range") && !range)
        return null;
    const ask: Ask = { throng: path, d: directions, from: range ? Number(range[1]) : undefined,
                       to: range?.[2] ? Number(range[2]) + 1 : undefined, page: request.mode === "navigate" };
    const lines = clients.map((client) => new Line(client, ask));
    const picked = await new Promise<[Line, Answer] | null>((resolve) => {
        const all = lines.map(async (line, i) => {
            const first = await line.next(ALIVE_WITHIN_MS);
            (first === undefined && !hosts.has(clients[i]!.id) ? mute : hosts).add(clients[i]!.id);
            if (first !== 1)
                return;
            const answer = await line.next(FIRST_WITHIN_MS);
            if (answer && typeof answer === "object")
                resolve([line, answer as Answer]);
        });
        void Promise.all(all).then(() => resolve(null));
    });
    for (const line of lines)
        if (line !== picked?.[0])
            line.close();
    if (!picked)
        return null;
    const [line, answer] = picked, headers = framed(new Headers(answer.headers));
    headers.set("Accept-Ranges", "bytes");
    headers.set("Content-Length", String(answer.end - answer.from));
    if (range)
        headers.set("Content-Range", `bytes ${answer.from}-${answer.end - 1}/${answer.size}`);
    return new Response(stream(line, request, answer), { status: range ? 206 : 200, headers });
}

/* What no window knows is asked of the server, which may answer with directions in place of the object. */
async function directed(clients: Client[], request: Request, path: string): Promise<Response> {
    const headers = new Headers(request.headers);
    headers.set("Throng", "2");
    let response;
    try {
        response = await fetch(new Request(request.url, {
            headers, mode: "same-origin", credentials: request.mode === "navigate" ? "same-origin" : request.credentials, cache: request.cache,
            redirect: request.redirect, referrer: request.referrer, signal: request.signal,
        }));
    } catch {
        return network(request, false);
    }
    if (response.status === 503)
        return network(request, true);
    if (response.headers.get("Throng") !== "directions")
        return response;
    return (await fromCrowd(clients, request, path, await response.text())) || network(request, true);
}

async function answer(request: Request, path: string): Promise<Response> {
    let clients: Client[] = [];
    try {
        clients = await windows();
        const found = await fromCrowd(clients, request, path);
        if (found)
            return found;
        clients = clients.filter((client) => hosts.has(client.id));
        if (clients.length && !request.headers.has("Range"))
            return await directed(clients, request, path);
    } catch {
        /* below */
    }
    return network(request, clients.length > 0);
}

/* --- the way out --------------------------------------------------------------------------------------------- */

/* A window that does not turn out to be the bootstrap page means that there is no crowd: calm again, switched off, or taken
 * out. The navigation itself is left to the browser. */
async function watch(id: string): Promise<void> {
    for (const end = Date.now() + HELLO_WITHIN_MS; Date.now() < end && !hosts.has(id);)
        await new Promise((go) => setTimeout(go, 100));
    if (!hosts.has(id))
        await end();
}

async function end(): Promise<void> {
    /* A site's own worker that imports this one stays. */
    if (new URL(self.registration.active!.scriptURL).pathname.startsWith(PREFIX))
        await self.registration.unregister();
    for (const name of await caches.keys())
        if (name.startsWith("throng"))
            await caches.delete(name);
}

self.addEventListener("install", () => void self.skipWaiting());
/* No navigation preload: it would fetch every document of the frame a second time. */
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
    const request = event.request, url = new URL(request.url);
    if (request.method !== "GET" || url.origin !== self.location.origin || url.pathname.startsWith(PREFIX) ||
        request.headers.has("Authorization") || request.cache === "only-if-cached")
        return;
    if (request.mode === "navigate" && request.destination === "document")
        event.waitUntil(watch(event.resultingClientId));
    else
        event.respondWith(answer(request, url.pathname + url.search));
});
