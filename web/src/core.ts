/* The core as WebAssembly: numbers in, numbers out. The offsets are those of web_host in web/core/host.c. */

export const enum Kind { None, Chunk, Verify, Manifest, Unit, Done, Stuck, Liar, Dropped }

/** THRONG_ERR_TAMPERED, …: core/include/throng/base.h */
export const enum Fault { Tampered = -24, Expired = -25, BadSignature = -27 }

const enum At { Offset = 0, Request = 8, Peer = 16, Content = 24, Size = 28, Bytes = 32, Other = 36, OtherSize = 40,
                Value = 44, Key = 48, Io = 52 }

interface Exports {
    memory: WebAssembly.Memory;
    web_new(): number;
    web_start(h: number, uplinkBps: number, uploadLimitBps: number, tabBytes: number, givePercent: number): number;
    web_directions(h: number, size: number): number;
    web_join(h: number, now: number, content: number, size: number, chunkSize: number): number;
    web_offer(h: number, now: number, content: number, size: number): number;
    web_drop(h: number, now: number): number;
    web_prefer(h: number, now: number, offset: number, size: number): number;
    web_claim(h: number, now: number, first: number, end: number, claim: number): number;
    web_leave(h: number, now: number): number;
    web_receive(h: number, now: number, peer: bigint, size: number): number;
    web_tick(h: number, now: number): number;
    web_deadline(h: number): number;
    web_send(h: number, now: number): number;
    web_event(h: number): number;
    web_introducer(h: number, peer: bigint): bigint;
    web_complete(h: number, now: number, request: number, result: number): number;
    web_manifest(h: number, bytes: number, size: number): number;
    web_stats(h: number): number;
}

/** What an event or a datagram is about; the views are into the core's memory, and good until the next call. */
export interface Told {
    kind: Kind;
    content: number;
    request: number;
    offset: number;
    size: number;
    value: number;
    peer: bigint;
    bytes: Uint8Array | null;
    other: Uint8Array;
}

export interface Directions { id: Uint8Array; size: number; chunkSize: number }

export interface Manifest { signed: Uint8Array; signature: Uint8Array; key: Uint8Array; headers: string; expires: number }

export interface Stats {
    neighbours: number;
    fromSeeder: number;
    fromPeers: number;
    uploaded: number;
    duplicate: number;
    unitsFailed: number;
    malformed: number;
}

export interface CoreOptions {
    uplinkBps?: number; /* known uplink; else it is estimated */
    uploadLimitBps?: number;
    tabBytes?: number; /* what any one neighbour may owe */
    givePercent?: number; /* content given, of what came; 0: no limit */
    entropy?: Uint8Array;
}

export class Core {
    private e_: Exports;
    private h_: number;
    private u8_!: Uint8Array;
    private view_!: DataView;

    constructor(module: WebAssembly.Module, options: CoreOptions) {
        this.e_ = new WebAssembly.Instance(module, {}).exports as unknown as Exports;
        this.h_ = this.e_.web_new();
        this.put_(options.entropy || crypto.getRandomValues(new Uint8Array(32)));
        if (!this.h_ || this.e_.web_start(this.h_, options.uplinkBps || 0, options.uploadLimitBps || 0,
                                           options.tabBytes ?? 1 << 20, options.givePercent ?? 100) < 0)
            throw new Error("no memory");
    }

    /* Memory that grew is another buffer, and the views of the one before are empty. */
    private fresh_(): DataView {
        if (!this.u8_?.length) {
            this.u8_ = new Uint8Array(this.e_.memory.buffer);
            this.view_ = new DataView(this.e_.memory.buffer);
        }
        return this.view_;
    }

    private put_(bytes: Uint8Array, at = 0): void {
        this.fresh_();
        this.u8_.set(bytes, this.h_ + At.Io + at);
    }

    private u32_(at: number): number {
        return this.fresh_().getUint32(this.h_ + at, true);
    }

    private f64_(at: number): number {
        return this.fresh_().getFloat64(this.h_ + at, true);
    }

    private slice_(at: number, size: number): Uint8Array {
        this.fresh_();
        return this.u8_.subarray(at, at + size);
    }

    /** Reads directions; null when they are not in order. They then stand for the site's token. */
    directions(uri: string): Directions | null {
        this.put_(new TextEncoder().encode(uri));
        if (this.e_.web_directions(this.h_, uri.length) < 0)
            return null;
        return { chunkSize: this.u32_(At.Io), size: this.f64_(At.Io + 8), id: this.slice_(this.h_ + At.Io + 16, 32).slice() };
    }

    join(now: number, content: number, object: Directions): number {
        this.put_(object.id);
        return this.e_.web_join(this.h_, now, content, object.size, object.chunkSize);
    }

    offer(now: number, content: number, id: Uint8Array, manifest: Uint8Array): number {
        this.put_(id);
        this.put_(manifest, 32);
        return this.e_.web_offer(this.h_, now, content, manifest.length);
    }

    drop(now: number, id: Uint8Array): void {
        this.put_(id);
        this.e_.web_drop(this.h_, now);
    }

    /** claim 1: chunks [first, end) come by other means; 0: no longer; 2: they have come. */
    claim(now: number, id: Uint8Array, first: number, end: number, claim: 0 | 1 | 2): number {
        this.put_(id);
        return this.e_.web_claim(this.h_, now, first, end, claim);
    }

    /** Bytes [offset, offset + size) are needed before all others; size 0: none are. */
    prefer(now: number, id: Uint8Array, offset: number, size: number): number {
        this.put_(id);
        return this.e_.web_prefer(this.h_, now, offset, size);
    }

    leave(now: number): void {
        this.e_.web_leave(this.h_, now);
    }

    receive(now: number, peer: bigint, payload: Uint8Array): number {
        if (payload.length > 1207)
            return Fault.Tampered;
        this.put_(payload);
        return this.e_.web_receive(this.h_, now, peer, payload.length);
    }

    tick(now: number): void {
        this.e_.web_tick(this.h_, now);
    }

    deadline(): number {
        return this.e_.web_deadline(this.h_);
    }

    complete(now: number, request: number, result: number): void {
        this.e_.web_complete(this.h_, now, request, result);
    }

    private told_(kind: Kind): Told {
        const view = this.fresh_(), at = this.h_, u32 = (field: number) => view.getUint32(at + field, true);
        const size = u32(At.Size), bytes = u32(At.Bytes), other = u32(At.Other);
        return {
            kind, size,
            content: u32(At.Content),
            request: view.getFloat64(at + At.Request, true),
            offset: view.getFloat64(at + At.Offset, true),
            value: view.getInt32(at + At.Value, true),
            peer: view.getBigUint64(at + At.Peer, true),
            bytes: bytes ? this.u8_.subarray(bytes, bytes + size) : null,
            other: this.u8_.subarray(other, other + (kind === Kind.Verify ? 32 : u32(At.OtherSize))),
        };
    }

    event(): Told | null {
        const kind = this.e_.web_event(this.h_);
        return kind ? this.told_(kind) : null;
    }

    /** A datagram that is due: `other` and then `bytes`, or, if those are null, `size` bytes at `offset` of `content`. */
    send(now: number): Told | null {
        return this.e_.web_send(this.h_, now) ? this.told_(Kind.None) : null;
    }

    introducer(peer: bigint): bigint {
        return BigInt.asUintN(64, this.e_.web_introducer(this.h_, peer));
    }

    /** The manifest that a Manifest event told of. */
    manifest(bytes: Uint8Array): Manifest | null {
        if (this.e_.web_manifest(this.h_, bytes.byteOffset, bytes.length) < 0)
            return null;
        const signed = this.u32_(At.Value);
        return {
            signed: bytes.slice(0, signed),
            signature: bytes.slice(signed),
            key: this.slice_(this.u32_(At.Key), 32).slice(),
            headers: new TextDecoder("latin1").decode(this.slice_(this.u32_(At.Other), this.u32_(At.OtherSize)).slice()),
            expires: this.f64_(At.Request),
        };
    }

    stats(): Stats {
        this.e_.web_stats(this.h_);
        const at = At.Io, number = (i: number) => this.f64_(at + 8 + 8 * i);
        return { neighbours: this.u32_(at), fromSeeder: number(0), fromPeers: number(1), uploaded: number(2),
                 duplicate: number(3), unitsFailed: number(4), malformed: number(5) };
    }
}
