/* The WebSocket to throngd: docs/SIGNALLING.md, section 4. */

export interface Welcome { id: string; stun?: number; turn?: RTCIceServer[]; peers?: string[] }

export interface SignallingHost {
    welcomed(welcome: Welcome): void;
    /** A datagram from the seeder. */
    received(payload: Uint8Array): void;
    signalled(from: bigint, text: string): void;
    gone(peer: bigint): void;
    /** No server from here on; what is open between neighbours stays. */
    closed(): void;
}

/** What a Peer needs of the way to its server; tests bring their own. */
export interface Signalling {
    start(directions: string, host: SignallingHost): void;
    send(payload: Uint8Array): void;
    signal(to: bigint, text: string): void;
    close(): void;
}

const QUEUE_BYTES = 65536;

export const toHex = (id: bigint) => id.toString(16).padStart(16, "0");

export class ServerSocket implements Signalling {
    /** Text messages in both directions. */
    messages = 0;
    private url_: string;
    private ws_: WebSocket | undefined;
    private batch_: { to: string; d: string }[] = [];

    constructor(url: string) {
        this.url_ = url;
    }

    start(directions: string, host: SignallingHost): void {
        const ws = (this.ws_ = new WebSocket(this.url_, "throng.1"));
        ws.binaryType = "arraybuffer";
        ws.onopen = () => this.text_({ t: "hello", v: 1, d: directions });
        ws.onmessage = ({ data }) => {
            if (data instanceof ArrayBuffer)
                host.received(new Uint8Array(data));
            else
                this.heard_(data, host);
        };
        ws.onclose = () => host.closed();
    }

    private heard_(data: string, host: SignallingHost): void {
        this.messages++;
        let message;
        try {
            message = JSON.parse(data);
        } catch {
            return;
        }
        if (message.t === "welcome")
            host.welcomed(message);
        else if (message.t === "signal")
            for (const signal of message.s)
                host.signalled(BigInt("0x" + signal.from), signal.d);
        else if (message.t === "gone")
            host.gone(BigInt("0x" + message.id));
    }

    private text_(message: object): void {
        if (this.ws_?.readyState === 1) {
            this.messages++;
            this.ws_.send(JSON.stringify(message));
        }
    }

    send(payload: Uint8Array): void {
        if (this.ws_?.readyState === 1 && this.ws_.bufferedAmount < QUEUE_BYTES)
            this.ws_.send(payload as Uint8Array<ArrayBuffer>);
    }

    /* Offers to several peers, made in the same moment, go in one message. */
    signal(to: bigint, text: string): void {
        if (this.batch_.push({ to: toHex(to), d: text }) === 1)
            setTimeout(() => {
                while (this.batch_.length)
                    this.text_({ t: "signal", s: this.batch_.splice(0, 16) });
            }, 10);
    }

    close(): void {
        this.ws_?.close();
    }
}
