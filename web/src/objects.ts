/* Which object, or part of one, is behind each path of the site. */

import { Content } from "./content";
import { Peer } from "./peer";

const EAGER_BYTES_MAX = 4 << 20, INDEX_BYTES_MAX = 1 << 20, INDEX_FIRST_BYTES = 4096, AHEAD_BYTES = 1 << 20;

/** A path's content: a part of a page object, or an object. */
export interface Place { content: Content; at: number; size: number; headers: string | null }

interface Entry { path: string; headers: string; size: number; at?: number; id?: string; chunk?: number }

const fromBase64 = (text: string) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

export class Objects {
    private peer_: Peer;
    private places_ = new Map<string, () => Place | null>();
    private reading_ = new Set<Promise<unknown>>();

    constructor(peer: Peer) {
        this.peer_ = peer;
    }

    /** Follows the server's directions to a path: {"d": directions, "page": 1 if they lead to a page object}. */
    follow(path: string, d: { d: string; page?: number }): boolean {
        const content = this.peer_.join(d.d);
        if (!content)
            return false;
        if (d.page) {
            const reading: Promise<void> = this.readIndex_(content).catch(() => {}).finally(() => this.reading_.delete(reading));
            this.reading_.add(reading);
        } else
            this.places_.set(path, () => ({ content, at: 0, size: content.bytes.length, headers: null }));
        return true;
    }

    /* Page object: u32 size of the index, index as JSON, bodies (docs/SIGNALLING.md, section 6). */
    private async readIndex_(content: Content): Promise<void> {
        this.peer_.prefer(content, 0, INDEX_FIRST_BYTES);
        const size = new DataView((await this.all_(content, 0, 4)).buffer).getUint32(0);
        if (size > INDEX_BYTES_MAX || size > content.bytes.length - 4)
            throw new Error("page object out of form");
        this.peer_.prefer(content, 0, 4 + size);
        const index = JSON.parse(new TextDecoder().decode(await this.all_(content, 4, 4 + size)));
        this.peer_.prefer(content, 0, 0);
        for (const entry of index.objects as Entry[])
            this.enter_(content, 4 + size, entry);
    }

    private async all_(content: Content, from: number, end: number): Promise<Uint8Array> {
        while (content.reach(from) < end)
            await content.read(content.reach(from), end);
        return content.bytes.slice(from, end);
    }

    private enter_(page: Content, base: number, e: Entry): void {
        let place: () => Place | null;
        if (e.at !== undefined) {
            const at = base + e.at;
            if (!(at >= base) || !(e.size >= 0) || at + e.size > page.bytes.length)
                return;
            place = () => ({ content: page, at, size: e.size, headers: e.headers });
        } else {
            const object = { id: fromBase64(e.id!), size: e.size, chunkSize: e.chunk! };
            place = () => {
                const content = this.peer_.want(object);
                return content && { content, at: 0, size: e.size, headers: e.headers };
            };
            if (e.size <= EAGER_BYTES_MAX)
                place();
        }
        this.places_.set(e.path, place);
    }

    /** Somebody waits for the bytes [from, end) of a place, in order, as of a video. */
    wait({ content, at }: Place, from: number, end: number): void {
        this.peer_.prefer(content, at + from, Math.min(end - from, AHEAD_BYTES));
    }

    /** Whether a path is known, or may be in an index that is on its way. */
    may(path: string): boolean {
        return this.places_.has(path) || this.reading_.size > 0;
    }

    /** Where a path's bytes are or will be; waits while an index is on its way. */
    async find(path: string): Promise<Place | null> {
        while (!this.places_.has(path) && this.reading_.size)
            await Promise.race(this.reading_);
        const place = this.places_.get(path)?.() || null;
        return place && !place.content.failed ? place : null;
    }
}
