/* The core itself goes from visitor to visitor: it is two thirds of what the server would have to send to a newcomer. Parts of it,
 * compressed, are asked for before there is a core to ask; docs/SIGNALLING.md, section 5. The hash in our script says what it must be. */

const GET = 0x81, PART = 0x82, PART_BYTES = 4400, PARTS_MAX = 64;
const AGAIN_MS = 700, GIVE_UP_MS = 2000, GETS_MAX = 4, CACHE = "throng-core";

export interface Carrier {
    send(peer: bigint, payload: Uint8Array): boolean;
    has(peer: bigint): boolean;
}

const through = async (bytes: Uint8Array, stream: ReadableWritablePair<Uint8Array, BufferSource>) =>
    new Uint8Array(await new Response(new Blob([bytes as BlobPart]).stream().pipeThrough(stream as never)).arrayBuffer());

const hex = (bytes: ArrayBuffer) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class CoreShare {
    private url_: string;
    private hash_: string;
    private carrier_: Carrier;
    private parts_: Uint8Array[] = [];
    private count_ = 0;
    private come_: (() => void) | undefined;
    private packed_: Promise<Uint8Array> | undefined;
    private gets_ = new Map<bigint, number>();

    constructor(url: string, hash: string, carrier: Carrier) {
        this.url_ = url;
        this.hash_ = hash;
        this.carrier_ = carrier;
    }

    /** From this browser's own cache, else from one of the peers once they are known, else from the server. */
    async load(peers: Promise<bigint[]>): Promise<WebAssembly.Module> {
        const cache = await caches.open(CACHE).catch(() => null);
        const kept = await cache?.match(this.url_);
        let bytes: Uint8Array | null = kept ? new Uint8Array(await kept.arrayBuffer()) : null;
        if (!bytes || !(await this.right_(bytes))) {
            bytes = (await this.fromPeers_(peers)) || new Uint8Array(await (await fetch(this.url_)).arrayBuffer());
            if (!(await this.right_(bytes)))
                throw new Error("another core");
            void cache?.put(this.url_, new Response(bytes as BodyInit)).catch(() => {});
        }
        const core: Uint8Array = bytes;
        this.packed_ ||= Promise.resolve().then(() => through(core, new CompressionStream("gzip")));
        return WebAssembly.compile(core as BufferSource);
    }

    private async right_(bytes: Uint8Array): Promise<boolean> {
        return hex(await crypto.subtle.digest("SHA-256", bytes as BufferSource)) === this.hash_;
    }

    private async fromPeers_(known: Promise<bigint[]>): Promise<Uint8Array | null> {
        const end = performance.now() + GIVE_UP_MS;
        const peers = await Promise.race([known, new Promise<bigint[]>((go) => setTimeout(() => go([]), GIVE_UP_MS))]);
        for (let turn = 0; peers.length && performance.now() < end; turn++) {
            const lacking = Array.from({ length: this.count_ }, (_, i) => i).filter((i) => !this.parts_[i]);
            if (this.count_ && !lacking.length)
                break;
            /* The first whose channel is open gives; the channels to all of them are wanted anyway. */
            const open = peers.filter((peer) => this.carrier_.has(peer));
            for (const peer of open.length ? [open[turn % open.length]!] : turn ? [] : peers)
                this.carrier_.send(peer, new Uint8Array([GET, ...lacking]));
            await new Promise<void>((go) => {
                this.come_ = go;
                setTimeout(go, AGAIN_MS);
            });
        }
        if (!this.count_ || this.parts_.filter((part) => part).length < this.count_)
            return null;
        const packed = new Uint8Array(await new Blob(this.parts_ as BlobPart[]).arrayBuffer());
        try {
            const core = await through(packed, new DecompressionStream("gzip"));
            if (!(await this.right_(core)))
                return null;
            this.packed_ = Promise.resolve(packed);
            return core;
        } catch {
            return null;
        }
    }

    /** A message that is not the core's. False: it is none of ours either. */
    received(peer: bigint, bytes: Uint8Array): boolean {
        if (bytes[0] === GET)
            void this.give_(peer, bytes.slice(1));
        else if (bytes[0] === PART && bytes.length > 3 && bytes[2]! > 0 && bytes[2]! <= PARTS_MAX && bytes[1]! < bytes[2]!) {
            this.count_ ||= bytes[2]!;
            if (bytes[2] === this.count_)
                this.parts_[bytes[1]!] ||= bytes.slice(3);
            if (this.parts_.filter((part) => part).length === this.count_)
                this.come_?.();
        } else
            return false;
        return true;
    }

    /* So many times to each at most: it is a gift, and outside of all accounts. */
    private async give_(peer: bigint, lacking: Uint8Array): Promise<void> {
        const gets = (this.gets_.get(peer) || 0) + 1;
        if (!this.packed_ || gets > GETS_MAX)
            return;
        this.gets_.set(peer, gets);
        const packed = await this.packed_, count = Math.ceil(packed.length / PART_BYTES);
        for (let i = 0; i < count; i++)
            if (!lacking.length || lacking.includes(i)) {
                const body = packed.subarray(i * PART_BYTES, (i + 1) * PART_BYTES), part = new Uint8Array(3 + body.length);
                part.set([PART, i, count]);
                part.set(body, 3);
                this.carrier_.send(peer, part);
            }
    }
}
