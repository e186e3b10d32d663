/* Data channels to neighbours: opened when the core first sends to a peer, signalled through the neighbour that named it, or
 * through the server. docs/SIGNALLING.md, sections 4 and 5. */

/* The text of a signal, fields apart by "|":
 *   o | nonce | ufrag | pwd | fingerprint, base64 | candidates      offer
 *   a | nonce | …                                                   answer to the offer of that nonce
 *   c | nonce | candidates                                          further candidates
 *   n | nonce                                                       no room: the offer of that nonce is not answered
 * Candidates are apart by ";", each "type priority address port". UDP alone. */

const LINKS_MAX = 10, OURS_MAX = 4, SERVER_OFFERS = 2, OFFER_AGAIN_MS = 700, OPEN_WITHIN_MS = 8000, GATHER_MS = 200, GATHER_MAX_MS = 300, AGAIN_MS = 3000, QUEUE_BYTES = 1 << 20;
const BUNDLE = 0x83, BUNDLED_MAX = 4, PAYLOAD_MAX = 1207;
const RELAY = 0x80, RELAY_BURST = 16, RELAY_PER_S = 4, TEXT_MAX = 1024, CANDIDATES_MAX = 16;

export interface MeshHost {
    /** A message came in from a peer. */
    received(peer: bigint, payload: Uint8Array): void;
    /** A signal has to go by way of the server. */
    signal(to: bigint, text: string): void;
    /** The channel of a peer closed. */
    closed(peer: bigint): void;
    iceServers(): RTCIceServer[];
    /** The neighbour that named a peer; 0: the server did. */
    introducer(peer: bigint): bigint;
}

interface Link {
    peer: bigint;
    via: bigint; /* the neighbour through which it is signalled; 0: the server */
    pc: RTCPeerConnection;
    channel: RTCDataChannel;
    nonce: string;
    ours: boolean;
    open: boolean;
    answered: boolean;
    fresh: string[]; /* candidates not yet told */
    gathered?: () => void;
    early: string[]; /* … of theirs, that came before their description */
    held: Uint8Array[];
    tokens: number;
    tokensAt: number;
    timer: ReturnType<typeof setTimeout> | undefined;
}

export interface MeshStats { opened: number; failed: number; relayed: number; refused: number; signalsDirect: number; signalsServer: number }

const encoder = new TextEncoder(), decoder = new TextDecoder();

function describe(sdp: string): string {
    const field = (name: string) => new RegExp("a=" + name + ":(.*)").exec(sdp)![1]!.trim();
    const hex = field("fingerprint").split(" ").pop()!.split(":");
    return [field("ice-ufrag"), field("ice-pwd"), btoa(String.fromCharCode(...hex.map((byte) => parseInt(byte, 16))))].join("|");
}

/* Only what a token of SDP may hold gets into it: nothing that begins a line of its own. */
function toSdp(ufrag: string, pwd: string, fingerprint: string, setup: string): string | null {
    if (!/^[\w+/=-]{4,256}$/.test(ufrag) || !/^[\w+/=-]{22,256}$/.test(pwd) || !/^[\w+/]{43}=$/.test(fingerprint))
        return null;
    const hex = [...atob(fingerprint)].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()).join(":");
    return `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n` +
        `m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:${ufrag}\r\na=ice-pwd:${pwd}\r\n` +
        `a=ice-options:trickle\r\na=fingerprint:sha-256 ${hex}\r\na=setup:${setup}\r\na=mid:0\r\na=sctp-port:5000\r\n` +
        `a=max-message-size:262144\r\n`;
}

function shorten(candidate: string): string | null {
    const f = candidate.split(" ");
    return f[2]!.toLowerCase() === "udp" && f[0]!.startsWith("candidate:") ? `${f[7]} ${f[3]} ${f[4]} ${f[5]}` : null;
}

function lengthen(short: string): RTCIceCandidateInit | null {
    const f = /^(host|srflx|prflx|relay) (\d{1,10}) ([\w.:-]{2,64}) (\d{1,5})$/.exec(short);
    if (!f)
        return null;
    const related = f[1] === "host" ? "" : " raddr 0.0.0.0 rport 0";
    return { candidate: `candidate:${f[1]}${f[2]} 1 udp ${f[2]} ${f[3]} ${f[4]} typ ${f[1]}${related}`, sdpMid: "0", sdpMLineIndex: 0 };
}

/* 0x83, and each payload behind its size, u16. */
function bundle(payloads: Uint8Array[]): Uint8Array {
    const bytes = new Uint8Array(payloads.reduce((sum, payload) => sum + 2 + payload.length, 1));
    let at = 1;
    bytes[0] = BUNDLE;
    for (const payload of payloads) {
        bytes[at++] = payload.length >> 8;
        bytes[at++] = payload.length;
        bytes.set(payload, at);
        at += payload.length;
    }
    return bytes;
}

export class Mesh {
    readonly stats: MeshStats = { opened: 0, failed: 0, relayed: 0, refused: 0, signalsDirect: 0, signalsServer: 0 };
    self = 0n;
    private host_: MeshHost;
    private links_ = new Map<bigint, Link>();
    private left_ = false;
    private retired_ = false;
    private offeredAt_ = -Infinity; /* the last time through the server */

    constructor(host: MeshHost) {
        this.host_ = host;
    }

    /** Sends, or opens a channel first and keeps the latest two messages for it. False: nobody will get it. */
    send(peer: bigint, payload: Uint8Array): boolean {
        let link = this.links_.get(peer);
        if (!link) {
            if (this.left_ || this.retired_ || this.links_.size >= LINKS_MAX || !this.self)
                return false;
            const via = this.ours_() < OURS_MAX ? this.way_(peer) : null;
            if (via === null)
                return false; /* the core says it again, and then there may be a neighbour to go through */
            link = this.connect_(peer, via, true, this.nonce_());
            void this.offer_(link);
        }
        return this.push_(link, payload);
    }

    /** Several payloads of the core's at once. A message costs a browser over half a millisecond whatever its size, so they go together
     *  if the channel is open. */
    sendAll(peer: bigint, payloads: Uint8Array[]): void {
        const link = this.links_.get(peer);
        for (let i = 0; i < payloads.length; i += BUNDLED_MAX) {
            const some = payloads.slice(i, i + BUNDLED_MAX);
            if (some.length > 1 && link?.open)
                this.push_(link, bundle(some));
            else
                for (const payload of some)
                    this.send(peer, payload);
        }
    }

    /* Through the neighbour that named it. Whom the server named, through the server while there is no neighbour, then through one that
     * may know it, too: in a crowd most know each other. */
    private way_(peer: bigint): bigint | null {
        const introducer = this.host_.introducer(peer);
        if (introducer && this.has(introducer))
            return introducer;
        const open = this.open();
        if (open.length)
            return open[Math.floor(Math.random() * open.length)]!;
        /* At most one a while, and two at a time: each costs whom it is for messages, too. */
        if (this.ours_((link) => !link.via) >= SERVER_OFFERS || performance.now() < this.offeredAt_ + OFFER_AGAIN_MS)
            return null;
        this.offeredAt_ = performance.now();
        return 0n;
    }

    private ours_(which: (link: Link) => boolean = () => true): number {
        return [...this.links_.values()].filter((link) => link.ours && which(link)).length;
    }

    private push_(link: Link, payload: Uint8Array): boolean {
        if (link.open && link.channel.readyState === "open") {
            if (link.channel.bufferedAmount > QUEUE_BYTES)
                return false;
            link.channel.send(payload as Uint8Array<ArrayBuffer>);
        } else {
            link.held.push(payload.slice());
            if (link.held.length > 2)
                link.held.shift();
        }
        return true;
    }

    has(peer: bigint): boolean {
        return !!this.links_.get(peer)?.open;
    }

    open(): bigint[] {
        return [...this.links_.keys()].filter((peer) => this.has(peer));
    }

    private nonce_(): string {
        return crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36);
    }

    private connect_(peer: bigint, via: bigint, ours: boolean, nonce: string): Link {
        const pc = new RTCPeerConnection({ iceServers: this.host_.iceServers() });
        const channel = pc.createDataChannel("", { ordered: false, maxRetransmits: 0, negotiated: true, id: 0 });
        const link: Link = { peer, via, pc, channel, nonce, ours, open: false, answered: false, fresh: [], early: [], held: [],
                             tokens: RELAY_BURST, tokensAt: performance.now(), timer: undefined };
        this.links_.set(peer, link);
        channel.binaryType = "arraybuffer";
        channel.onopen = () => {
            clearTimeout(link.timer);
            link.open = true;
            this.stats.opened++;
            for (const payload of link.held.splice(0))
                this.push_(link, payload);
        };
        channel.onmessage = (event) => this.heard_(link, event.data);
        channel.onclose = channel.onerror = () => this.close_(link);
        pc.onconnectionstatechange = () => {
            if (pc.connectionState === "failed" || pc.connectionState === "closed")
                this.close_(link);
        };
        pc.onicecandidate = ({ candidate }) => {
            const short = candidate?.candidate && shorten(candidate.candidate);
            if (short && link.fresh.length < CANDIDATES_MAX)
                link.fresh.push(short);
            link.gathered?.();
        };
        link.timer = setTimeout(() => this.close_(link), OPEN_WITHIN_MS);
        return link;
    }

    private close_(link: Link): void {
        if (this.links_.get(link.peer) !== link)
            return;
        this.links_.delete(link.peer);
        clearTimeout(link.timer);
        if (!link.open)
            this.stats.failed++;
        link.open = false;
        link.channel.onclose = link.channel.onmessage = null;
        link.pc.onconnectionstatechange = null;
        link.pc.close();
        this.host_.closed(link.peer);
    }

    leave(): void {
        this.left_ = true;
        for (const link of [...this.links_.values()])
            this.close_(link);
    }

    /** Who has all and has given its share is of no use to neighbours: it leaves its places with them to others, until it wants something. */
    retire(retired: boolean): void {
        this.retired_ = retired;
        for (const link of retired ? [...this.links_.values()] : [])
            this.close_(link);
    }

    forget(peer: bigint): void {
        const link = this.links_.get(peer);
        if (link)
            this.close_(link);
    }

    /* --- describing oneself -------------------------------------------------------------------------------- */

    /* Candidates ride along with the description if they come soon after the first one, which is this machine's own and hidden behind a
     * name: what STUN says, a round trip later, is what most are reached at. What comes later follows in a message of its own. */
    private async describe_(link: Link, kind: "o" | "a"): Promise<void> {
        const pc = link.pc;
        await pc.setLocalDescription();
        await new Promise<void>((go) => {
            setTimeout(go, GATHER_MAX_MS);
            pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && go();
            link.gathered = () => setTimeout(go, GATHER_MS);
        });
        if (pc.signalingState === "closed")
            return;
        this.tell_(link, [kind, link.nonce, describe(pc.localDescription!.sdp), link.fresh.splice(0).join(";")].join("|"), kind === "o");
        const more = () => {
            if (link.fresh.length && link.channel.readyState === "connecting")
                this.tell_(link, ["c", link.nonce, link.fresh.splice(0).join(";")].join("|"), false);
        };
        if (pc.iceGatheringState === "complete")
            more();
        else
            pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && more();
    }

    private async offer_(link: Link): Promise<void> {
        try {
            await this.describe_(link, "o");
        } catch {
            this.close_(link);
        }
    }

    /* An offer lost on its way through a neighbour is said again, by way of the server. */
    private tell_(link: Link, text: string, again: boolean): void {
        if (link.via && this.relay_(link.via, link.peer, text)) {
            this.stats.signalsDirect++;
            if (again)
                setTimeout(() => {
                    if (this.links_.get(link.peer) !== link || link.answered)
                        return;
                    if (this.open().length)
                        return this.close_(link); /* another time */
                    link.via = 0n;
                    this.tell_(link, text, false);
                }, AGAIN_MS);
            return;
        }
        link.via = 0n;
        this.stats.signalsServer++;
        this.host_.signal(link.peer, text);
    }

    /* --- signals, from the server or through a neighbour ---------------------------------------------------- */

    /** `via`: the neighbour that passed it on; 0: the server. Whatever is wrong with it is counted and dropped. */
    async signalled(from: bigint, via: bigint, text: string): Promise<void> {
        const f = text.split("|"), link = this.links_.get(from);
        try {
            if (text.length > 2048 || this.left_ || !from || from === this.self)
                throw 0;
            if (f[0] === "o" && f.length === 6)
                await this.answer_(from, via, f, link);
            else if (f[0] === "a" && f.length === 6 && link?.ours && f[1] === link.nonce) {
                if (!link.answered) {
                    link.answered = true;
                    await this.describedBy_(link, f, "answer");
                }
            } else if (f[0] === "c" && f.length === 3 && link && f[1] === link.nonce)
                await this.candidates_(link, f[2]!);
            else if (f[0] === "n" && f.length === 2 && link?.ours && f[1] === link.nonce)
                this.close_(link);
            else
                throw 0;
        } catch {
            this.stats.refused++;
        }
    }

    private async answer_(from: bigint, via: bigint, f: string[], link: Link | undefined): Promise<void> {
        if (link) {
            /* The same offer again: the answer is on its way. Both offered: the lower id's counts. */
            if (link.nonce === f[1] || link.open || (link.ours && this.self < from))
                return;
            link.pc.onconnectionstatechange = link.channel.onclose = null;
            clearTimeout(link.timer);
            link.pc.close();
            this.links_.delete(from);
        } else if (this.retired_ || this.links_.size >= LINKS_MAX) {
            /* Who offered tries another at once, rather than when its patience ends. */
            if (!via || !this.relay_(via, from, ["n", f[1]].join("|")))
                this.host_.signal(from, ["n", f[1]].join("|"));
            throw 0;
        }
        const held = link?.held || [];
        link = this.connect_(from, via, false, f[1]!);
        link.held = held;
        try {
            await this.describedBy_(link, f, "offer");
            await this.describe_(link, "a");
        } catch (error) {
            this.close_(link);
            throw error;
        }
    }

    private async describedBy_(link: Link, f: string[], type: "offer" | "answer"): Promise<void> {
        const sdp = toSdp(f[2]!, f[3]!, f[4]!, type === "offer" ? "actpass" : "active");
        if (!sdp)
            throw 0;
        await link.pc.setRemoteDescription({ type, sdp });
        for (const list of [f[5]!, ...link.early.splice(0)])
            await this.candidates_(link, list);
    }

    private async candidates_(link: Link, list: string): Promise<void> {
        if (!link.pc.remoteDescription) {
            if (link.early.length < 4)
                link.early.push(list);
            return;
        }
        for (const short of list.split(";", CANDIDATES_MAX)) {
            const candidate = short && lengthen(short);
            if (candidate)
                await link.pc.addIceCandidate(candidate);
        }
    }

    /* --- what neighbours say -------------------------------------------------------------------------------- */

    private heard_(link: Link, data: unknown): void {
        if (!(data instanceof ArrayBuffer) || data.byteLength === 0 || data.byteLength > 1 + BUNDLED_MAX * (2 + PAYLOAD_MAX)) {
            this.stats.refused++;
            return;
        }
        const bytes = new Uint8Array(data);
        if (bytes[0] === BUNDLE)
            this.unbundle_(link, bytes);
        else if (bytes[0]! < RELAY && data.byteLength > PAYLOAD_MAX)
            this.stats.refused++;
        else if (bytes[0] !== RELAY)
            this.host_.received(link.peer, bytes);
        else if (data.byteLength < 18 || data.byteLength > 17 + TEXT_MAX)
            this.stats.refused++;
        else
            this.pass_(link, bytes);
    }

    private unbundle_(link: Link, bytes: Uint8Array): void {
        for (let at = 1; at < bytes.length;) {
            const size = bytes[at]! << 8 | bytes[at + 1]!, payload = bytes.subarray(at + 2, at + 2 + size);
            if (!size || size > PAYLOAD_MAX || payload.length < size || payload[0]! >= RELAY) {
                this.stats.refused++;
                return;
            }
            this.host_.received(link.peer, payload);
            at += 2 + size;
        }
    }

    private pass_(link: Link, bytes: Uint8Array): void {
        const view = new DataView(bytes.buffer), to = view.getBigUint64(1), from = view.getBigUint64(9);
        const now = performance.now();
        link.tokens = Math.min(RELAY_BURST, link.tokens + ((now - link.tokensAt) / 1000) * RELAY_PER_S);
        link.tokensAt = now;
        if (link.tokens < 1)
            this.stats.refused++;
        else if (to === this.self) {
            link.tokens--;
            void this.signalled(from, link.peer, decoder.decode(bytes.subarray(17)));
        } else if (from === link.peer && this.has(to)) {
            link.tokens--;
            this.stats.relayed++;
            this.push_(this.links_.get(to)!, bytes);
        } else
            this.stats.refused++;
    }

    private relay_(via: bigint, to: bigint, text: string): boolean {
        const body = encoder.encode(text);
        if (!this.has(via) || body.length > TEXT_MAX)
            return false;
        const bytes = new Uint8Array(17 + body.length), view = new DataView(bytes.buffer);
        view.setUint8(0, RELAY);
        view.setBigUint64(1, to);
        view.setBigUint64(9, this.self);
        bytes.set(body, 17);
        return this.push_(this.links_.get(via)!, bytes);
    }
}
