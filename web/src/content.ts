/* The bytes of one object, and how much of them is verified. Nothing unverified is ever handed out. */

export class Content {
    readonly bytes: Uint8Array;
    readonly id: Uint8Array;
    readonly number: number;
    readonly chunkSize: number;
    /** The response headers of its manifest, once that is here. */
    readonly described: Promise<string>;
    describe!: (headers: string) => void;
    failed: Error | null = null;
    /** Settles when the object is whole, or fails. */
    readonly whole: Promise<void>;
    /** When something new was verified last, or the object was first wanted: performance.now(). */
    progressAt = performance.now();
    private done_!: (error?: Error) => void;
    private spans_: [number, number][] = []; /* verified, ascending, apart */
    private waiting_: (() => void)[] = [];

    constructor(number: number, id: Uint8Array, size: number, chunkSize: number) {
        this.number = number;
        this.id = id;
        this.chunkSize = chunkSize;
        this.bytes = new Uint8Array(size);
        this.described = new Promise((resolve) => (this.describe = resolve));
        this.whole = new Promise((resolve, reject) => {
            this.done_ = (error) => (error ? reject(error) : resolve());
        });
        this.whole.catch(() => {});
        if (!size)
            this.done_();
    }

    /** Bytes [from, end) matched their hash. */
    verified(from: number, end: number): void {
        this.progressAt = performance.now();
        const spans: [number, number][] = [];
        for (const [a, b] of this.spans_)
            if (b < from || a > end)
                spans.push([a, b]);
            else {
                from = Math.min(a, from);
                end = Math.max(b, end);
            }
        spans.push([from, end]);
        this.spans_ = spans.sort((x, y) => x[0] - y[0]);
        this.wake_();
        if (end - from === this.bytes.length)
            this.done_();
    }

    fail(error: Error): void {
        this.failed ||= error;
        this.done_(error);
        this.wake_();
    }

    /** Up to where the bytes from `from` on are verified. */
    reach(from: number): number {
        for (const [a, b] of this.spans_)
            if (a <= from && from < b)
                return b;
        return from;
    }

    /** Up to where nothing is verified from `from` on. */
    gap(from: number): number {
        for (const [a] of this.spans_)
            if (a > from)
                return a;
        return this.bytes.length;
    }

    private wake_(): void {
        for (const wake of this.waiting_.splice(0))
            wake();
    }

    /** The next verified bytes from `from` on, at most up to `end`; waits for them, and for `least` of them if there are so many. */
    async read(from: number, end: number, least = 1): Promise<Uint8Array> {
        for (;;) {
            const reach = Math.min(this.reach(from), end);
            if (reach >= Math.min(from + least, end) && reach > from)
                return this.bytes.slice(from, reach);
            if (this.failed)
                throw this.failed;
            await new Promise<void>((wake) => this.waiting_.push(wake));
        }
    }
}
