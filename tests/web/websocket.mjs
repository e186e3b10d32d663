// The server's end of a WebSocket (RFC 6455), as much as tests need: whole messages, no extensions.
import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";

export class Socket extends EventEmitter {
    constructor(request, stream) {
        super();
        this.stream = stream;
        this.buffer = Buffer.alloc(0);
        const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        stream.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
            `Sec-WebSocket-Protocol: ${request.headers["sec-websocket-protocol"]}\r\n` +
            `Sec-WebSocket-Accept: ${createHash("sha1").update(key).digest("base64")}\r\n\r\n`);
        stream.on("data", (bytes) => this.take(bytes));
        stream.on("close", () => this.emit("close"));
        stream.on("error", () => {});
    }

    take(bytes) {
        this.buffer = Buffer.concat([this.buffer, bytes]);
        for (;;) {
            if (this.buffer.length < 2)
                return;
            let size = this.buffer[1] & 127, at = 2;
            if (size === 126) {
                size = this.buffer.length < 4 ? Infinity : this.buffer.readUInt16BE(2);
                at = 4;
            }
            if (this.buffer.length < at + 4 + size)
                return;
            const mask = this.buffer.subarray(at, at + 4), payload = Buffer.from(this.buffer.subarray(at + 4, at + 4 + size));
            for (let i = 0; i < size; i++)
                payload[i] ^= mask[i & 3];
            const opcode = this.buffer[0] & 15;
            this.buffer = this.buffer.subarray(at + 4 + size);
            if (opcode === 1)
                this.emit("text", payload.toString());
            else if (opcode === 2)
                this.emit("binary", payload);
            else if (opcode === 8)
                this.stream.end();
        }
    }

    send(message) {
        const payload = Buffer.from(message), opcode = typeof message === "string" ? 1 : 2;
        const head = payload.length < 126 ? Buffer.from([0x80 | opcode, payload.length])
            : Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 255]);
        if (!this.stream.destroyed)
            this.stream.write(Buffer.concat([head, payload]));
    }

    close(code = 1001) {
        if (!this.stream.destroyed)
            this.stream.end(Buffer.from([0x88, 2, code >> 8, code & 255]));
    }
}
