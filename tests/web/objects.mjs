// Objects for tests: manifests made and signed as net/manifest_make.c does, and directions as nginx gives them.
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";

const keys = generateKeyPairSync("ed25519");
const publicKey = keys.publicKey.export({ format: "der", type: "spki" }).subarray(-32);
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

const uint = (value, size) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return bytes.subarray(8 - size);
};

/** docs/PROTOCOL.md, section 3; objects of up to 1,024 chunks. */
export function makeObject(bytes, { path = "/", type = "text/html", chunk = 1024, expires = 4102444800, headers } = {}) {
    const unit = 4 * chunk, hashes = [];
    for (let at = 0; at < bytes.length; at += unit)
        hashes.push(sha256(bytes.subarray(at, at + unit)));
    const text = Buffer.from(headers ?? `Content-Type: ${type}\r\n`);
    const signed = Buffer.concat([uint(1, 1), uint(bytes.length, 8), uint(chunk, 2), uint(1, 8), uint(expires, 8),
        sha256(path), uint(text.length, 2), text, ...hashes, publicKey]);
    const manifest = Buffer.concat([signed, sign(null, signed, keys.privateKey)]);
    return { bytes, chunk, path, headers: text.toString(), manifest, id: sha256(manifest) };
}

/** docs/PROTOCOL.md, section 1, "Directions"; `peers` are ids (BigInt). */
export function makeDirections(object, peers = [], sender = randomBytes(4).readUInt32BE()) {
    const addresses = peers.map((id) => Buffer.concat([Buffer.from("0100000000000000", "hex"), uint(id, 8), uint(1, 2)]));
    const bytes = Buffer.concat([uint(1, 1), uint(0, 1), object.id, uint(object.bytes.length, 5), uint(object.chunk, 2), uint(sender, 4),
        uint(1, 1), Buffer.alloc(16), randomBytes(12), uint(1, 2), uint(0, 1), ...(peers.length ? [uint(peers.length, 1), ...addresses] : [])]);
    return "throng:" + bytes.toString("base64url");
}

/** docs/SIGNALLING.md, section 6: the page and what it pulls in; small ones bundled, large ones by id. */
export function makePageObject(path, objects) {
    const entries = [], bodies = [];
    let at = 0;
    for (const o of objects) {
        const entry = { path: o.path, headers: o.headers, size: o.bytes.length };
        if (o.bytes.length <= 65536) {
            Object.assign(entry, { at });
            bodies.push(o.bytes);
            at += o.bytes.length;
        } else
            Object.assign(entry, { chunk: o.chunk, id: o.id.toString("base64url") });
        entries.push(entry);
    }
    const index = Buffer.from(JSON.stringify({ v: 1, path, objects: entries }));
    const page = makeObject(Buffer.concat([uint(index.length, 4), index, ...bodies]), { path: "page:" + path, headers: "" });
    return { ...page, page: true, alone: objects };
}
