/* A peer in a window: the core, its neighbours and its server, and the objects that it wants. */

import { Content } from "./content";
import { Core, Fault, Kind } from "./core";
import { Keep } from "./keep";
import type { Kept } from "./keep";
import type { CoreOptions, Directions, Stats, Told } from "./core";
import { Mesh } from "./mesh";
import type { MeshStats } from "./mesh";
import type { Signalling, Welcome } from "./signalling";
import { hashIs, signatureIs } from "./verify";

/** Larger objects are left to HTTP: what a visitor gives, it holds in memory. */
const OBJECT_BYTES_MAX = 256 << 20, TIMER_MAX_MS = 1000;
/** Between two looks at what the core has to say: what is said meanwhile goes together, and costs one turn of the page. */
const TURN_MS = 24;
const RETIRE_MS = 1000, CHUNK_MAX = 1152;

export interface PeerOptions extends CoreOptions {
    iceServers?: RTCIceServer[];
    /** Messages of neighbours that are not for the core: their first byte is 0x81 or more. */
    other?: (peer: bigint, payload: Uint8Array) => void;
    /** The page's host, whose STUN server the welcome names by its port. */
    host?: string;
}

export class Peer {
    readonly mesh: Mesh;
    /** Named by the server with its welcome. */
    readonly named: Promise<bigint[]>;
    private named_!: (peers: bigint[]) => void;
    private core_!: Core; /* once begun */
    private keep_: Keep | undefined;
    private begun_ = false;
    private signalling_: Signalling;
    private options_: PeerOptions;
    private contents_ = new Map<number, Content>();
    private byId_ = new Map<string, Content>();
    private next_ = 1;
    private timer_: ReturnType<typeof setTimeout> | undefined;
    private timerAt_ = Infinity; /* when it rings, as all times of the core: microseconds */
    private turnAt_ = 0; /* the last turn's */
    private retireAt_ = 0; /* when it is looked next whether there is anything left to do */
    private ice_: RTCIceServer[];
    private early_: Uint8Array[] = [];
    private leaving_ = new Map<bigint, Uint8Array[]>(); /* in this turn */
    private welcomed_ = false;
    private left_ = false;
    private lost_ = false;

    constructor(signalling: Signalling, options: PeerOptions = {}) {
        this.named = new Promise((resolve) => (this.named_ = resolve));
        this.signalling_ = signalling;
        this.options_ = options;
        this.ice_ = options.iceServers || [];
        this.mesh = new Mesh({
            received: (peer, payload) => {
                if (payload[0]! >= 0x80)
                    options.other?.(peer, payload);
                else
                    this.heard_(peer, payload);
            },
            signal: (to, text) => signalling.signal(to, text),
            /* BYE, in its name: what was asked of it is asked of others. */
            closed: (peer) => this.heard_(peer, new Uint8Array([9])),
            iceServers: () => this.ice_,
            introducer: (peer) => (this.begun_ ? this.core_.introducer(peer) : 0n),
        });
    }

    /** Goes to the server, as the one to whom it gave these directions. */
    connect(uri: string): void {
        this.signalling_.start(uri, this);
    }

    /** From here on there is a core; `keep`: objects of earlier visits. */
    begin(module: WebAssembly.Module, keep?: Keep): void {
        this.keep_ = keep;
        this.core_ = new Core(module, this.options_);
        this.begun_ = true;
    }

    private heard_(peer: bigint, payload: Uint8Array): void {
        if (!this.begun_)
            return;
        this.core_.receive(this.now_(), peer, payload);
        this.drain_(); /* the core's events are about these very bytes */
        this.soon_();
    }

    private now_(): number {
        return Math.floor(performance.now() * 1000);
    }

    /** Wants the object that directions name. Null: they are not in order. The object is shared from then on. */
    join(uri: string): Content | null {
        const directions = this.core_.directions(uri);
        return directions && this.want(directions);
    }

    /** Wants another object of the same site. */
    want(object: Directions): Content | null {
        const key = String.fromCharCode(...object.id), known = this.byId_.get(key);
        if (known || this.left_ || this.alone || object.size > OBJECT_BYTES_MAX)
            return known || null;
        const content = new Content(this.next_++, object.id, object.size, object.chunkSize);
        this.mesh.retire(false);
        this.contents_.set(content.number, content);
        this.byId_.set(key, content);
        if (this.keep_?.has(object.id)) {
            void this.recall_(this.keep_, content, object);
            return content;
        }
        return this.join_(content, object) ? content : null;
    }

    private join_(content: Content, object: Directions): boolean {
        if (this.core_.join(this.now_(), content.number, object) < 0) {
            this.forget(content);
            return false;
        }
        this.pump_();
        return true;
    }

    /* What was kept is given, too; whatever is wrong with it, the crowd has it. */
    private async recall_(keep: Keep, content: Content, object: Directions): Promise<void> {
        const kept = await keep.find(object.id).catch(() => null);
        if (this.left_)
            return;
        if (!kept || kept.bytes.length !== object.size || kept.expires < Date.now() / 1000 || !(await hashIs(kept.manifest, object.id)) ||
            this.core_.offer(this.now_(), content.number, object.id, kept.manifest) < 0) {
            if (!this.join_(content, object))
                content.fail(new Error("no room"));
            return;
        }
        content.bytes.set(kept.bytes);
        content.describe(kept.headers);
        content.verified(0, kept.bytes.length);
        this.pump_();
    }

    private remember_(content: Content, kept: Omit<Kept, "bytes">): true {
        content.whole.then(() => this.keep_?.put(content.id, { ...kept, bytes: content.bytes })).catch(() => {});
        return true;
    }

    /** Has a whole object, to give. */
    offer(id: Uint8Array, manifest: Uint8Array, bytes: Uint8Array): Content | null {
        const content = new Content(this.next_++, id, bytes.length, 0);
        content.bytes.set(bytes);
        content.verified(0, bytes.length);
        this.contents_.set(content.number, content);
        if (this.core_.offer(this.now_(), content.number, id, manifest) < 0)
            return null;
        this.byId_.set(String.fromCharCode(...id), content);
        return content;
    }

    /** Bytes of an object that are needed before all others; size 0: none are. */
    prefer(content: Content, offset: number, size: number): void {
        this.core_.prefer(this.now_(), content.id, offset, size);
        this.soon_();
    }

    /** Neither wants nor gives an object any more. */
    forget(content: Content): void {
        this.contents_.delete(content.number);
        this.byId_.delete(String.fromCharCode(...content.id));
        this.core_.drop(this.now_(), content.id);
    }

    stats(): Stats & MeshStats {
        return { ...this.core_.stats(), ...this.mesh.stats };
    }

    /** Says BYE and closes everything. */
    leave(): void {
        if (this.left_)
            return;
        if (this.begun_)
            this.core_.leave(this.now_());
        this.pump_();
        this.left_ = true;
        clearTimeout(this.timer_);
        this.mesh.leave();
        this.signalling_.close();
        for (const content of this.contents_.values())
            content.fail(new Error("left"));
    }

    /* --- the server ---------------------------------------------------------------------------------------- */

    welcomed(welcome: Welcome): void {
        if (!/^[0-9a-f]{16}$/.test(welcome.id))
            return;
        this.mesh.self = BigInt("0x" + welcome.id);
        this.welcomed_ = true;
        if (!this.options_.iceServers) {
            this.ice_ = (welcome.turn || []).slice();
            if (welcome.stun)
                this.ice_.push({ urls: `stun:${this.options_.host || "127.0.0.1"}:${welcome.stun}` });
        }
        for (const payload of this.early_.splice(0))
            this.signalling_.send(payload);
        this.named_((welcome.peers || []).filter((id) => /^[0-9a-f]{16}$/.test(id)).map((id) => BigInt("0x" + id)));
        this.pump_();
    }

    received(payload: Uint8Array): void {
        this.heard_(0n, payload);
    }

    signalled(from: bigint, text: string): void {
        void this.mesh.signalled(from, 0n, text);
    }

    gone(peer: bigint): void {
        if (!this.mesh.has(peer))
            this.mesh.forget(peer);
    }

    /* Without a server and without neighbours there is no crowd to wait for. */
    closed(): void {
        this.named_([]);
        this.lost_ = true;
        if (this.alone)
            for (const content of this.contents_.values())
                content.fail(new Error("no server"));
    }

    /** Nobody is there, and nobody will come. */
    get alone(): boolean {
        return this.lost_ && !this.mesh.open().length;
    }

    /* --- the core ------------------------------------------------------------------------------------------- */

    private drain_(): void {
        for (let event; !this.left_ && (event = this.core_.event());)
            this.happened_(event);
    }

    private pump_(): void {
        if (this.left_ || !this.begun_)
            return;
        const now = (this.turnAt_ = this.now_());
        if (this.core_.deadline() <= now)
            this.core_.tick(now); /* by what is heard, too: under load timers come late */
        this.drain_();
        for (let datagram; (datagram = this.core_.send(now));)
            this.send_(datagram);
        for (const [peer, payloads] of this.leaving_)
            this.mesh.sendAll(peer, payloads);
        this.leaving_.clear();
        if (now >= this.retireAt_) {
            this.retireAt_ = now + RETIRE_MS * 1000;
            this.retire_();
        }
        this.ring_(Math.min(this.core_.deadline(), now + TIMER_MAX_MS * 1000));
    }

    /* In a moment, with all that comes until then; at once if there was no turn for as long as that. */
    private soon_(): void {
        if (this.now_() >= this.turnAt_ + TURN_MS * 1000)
            this.pump_();
        else
            this.ring_(0);
    }

    /* A timer that rings soon enough is left alone: setting one costs as much as all the rest of a turn. */
    private ring_(at: number): void {
        at = Math.max(at, this.turnAt_ + TURN_MS * 1000);
        if (this.timerAt_ <= at)
            return;
        clearTimeout(this.timer_);
        this.timerAt_ = at;
        this.timer_ = setTimeout(() => {
            this.timerAt_ = Infinity;
            this.pump_();
        }, Math.max(0, (at - this.now_()) / 1000));
    }

    private retire_(): void {
        const { uploaded, fromPeers, fromSeeder } = this.core_.stats(), share = this.options_.givePercent ?? 100;
        if (share && uploaded + CHUNK_MAX > ((fromPeers + fromSeeder) * share) / 100 && this.mesh.open().length &&
            [...this.contents_.values()].every((content) => content.reach(0) === content.bytes.length))
            this.mesh.retire(true);
    }

    private send_(d: Told): void {
        const body = d.size ? d.bytes || this.contents_.get(d.content)?.bytes.subarray(d.offset, d.offset + d.size) : null;
        const payload = new Uint8Array(d.other.length + (body ? body.length : 0));
        payload.set(d.other);
        if (body)
            payload.set(body, d.other.length);
        const known = this.leaving_.get(d.peer);
        if (known)
            known.push(payload);
        else if (d.peer)
            this.leaving_.set(d.peer, [payload]);
        else if (this.welcomed_)
            this.signalling_.send(payload);
        else if (this.early_.length < 4)
            this.early_.push(payload);
    }

    private happened_(event: Told): void {
        const content = this.contents_.get(event.content);
        if (!content)
            return;
        const end = event.offset + event.size;
        if (event.kind === Kind.Chunk) {
            if (event.size)
                content.bytes.set(event.bytes!, event.offset);
        } else if (event.kind === Kind.Verify)
            void this.check_(event.request, hashIs((event.bytes || content.bytes.subarray(event.offset, end)).slice(),
                                                   event.other.slice()), Fault.Tampered);
        else if (event.kind === Kind.Manifest)
            this.checkManifest_(content, event);
        else if (event.kind === Kind.Unit) {
            if (event.size)
                content.verified(event.offset, end);
        } else if (event.kind === Kind.Stuck)
            content.fail(new Error("stuck, " + event.value));
        else if (event.kind === Kind.Liar)
            this.mesh.forget(event.peer);
    }

    private async check_(request: number, right: Promise<boolean>, fault: Fault): Promise<void> {
        const result = (await right.catch(() => false)) ? 0 : fault;
        this.core_.complete(this.now_(), request, result);
        this.drain_();
        this.soon_();
    }

    private checkManifest_(content: Content, event: Told): void {
        const bytes = event.bytes!.slice(), manifest = this.core_.manifest(event.bytes!);
        if (!manifest)
            return void this.check_(event.request, Promise.resolve(false), Fault.Tampered);
        if (manifest.expires < Date.now() / 1000)
            return void this.check_(event.request, Promise.resolve(false), Fault.Expired);
        content.describe(manifest.headers);
        const right = Promise.all([hashIs(bytes, content.id), signatureIs(manifest.key, manifest.signature, manifest.signed)]);
        void this.check_(event.request, right.then((both) => both.every(Boolean) &&
            this.remember_(content, { manifest: bytes, headers: manifest.headers, expires: manifest.expires })), Fault.BadSignature);
    }
}
