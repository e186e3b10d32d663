/* Objects of earlier visits, in the browser's own cache: who comes again has them at once, and may give them. The server names
 * an object by its id at every visit, so what is kept is never older than the page. Deleted with the worker (worker.ts). */

const CACHE = "throng-objects", PREFIX = "/.throng/object/", ALL_BYTES_MAX = 32 << 20, OBJECT_BYTES_MAX = 4 << 20;

export interface Kept { manifest: Uint8Array; headers: string; expires: number; bytes: Uint8Array }

const name = (id: Uint8Array) => [...id].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class Keep {
    private cache_: Cache | undefined;
    private sizes_ = new Map<string, number>(); /* oldest first */

    /** Looks what is there; without storage it keeps nothing. */
    static async open(): Promise<Keep> {
        const keep = new Keep();
        try {
            keep.cache_ = await caches.open(CACHE);
            for (const { url } of await keep.cache_.keys()) {
                const [id, size] = new URL(url).pathname.slice(PREFIX.length).split("/");
                keep.sizes_.set(id!, Number(size));
            }
        } catch {
            keep.cache_ = undefined;
        }
        return keep;
    }

    private url_(id: string): string {
        return `${PREFIX}${id}/${this.sizes_.get(id)}`;
    }

    has(id: Uint8Array): boolean {
        return this.sizes_.has(name(id));
    }

    async find(id: Uint8Array): Promise<Kept | null> {
        const found = await this.cache_?.match(this.url_(name(id)));
        if (!found)
            return null;
        const [size, expires, headers] = JSON.parse(found.headers.get("Throng-Kept")!), all = new Uint8Array(await found.arrayBuffer());
        return { manifest: all.slice(0, size), headers, expires, bytes: all.subarray(size) };
    }

    async put(id: Uint8Array, kept: Kept): Promise<void> {
        const key = name(id), size = kept.bytes.length;
        if (!this.cache_ || this.sizes_.has(key) || size > OBJECT_BYTES_MAX)
            return;
        this.sizes_.set(key, size);
        let all = [...this.sizes_.values()].reduce((sum, one) => sum + one, 0);
        for (const [oldest, bytes] of this.sizes_)
            if (all > ALL_BYTES_MAX) {
                await this.cache_.delete(this.url_(oldest));
                this.sizes_.delete(oldest);
                all -= bytes;
            }
        const told = JSON.stringify([kept.manifest.length, kept.expires, kept.headers]).replace(/[^\x20-\x7e]/g, "?");
        await this.cache_.put(this.url_(key), new Response(new Blob([kept.manifest as BlobPart, kept.bytes as BlobPart]), { headers: { "Throng-Kept": told } }));
    }
}
