/* Hashes and signatures, by WebCrypto. */

const subtle = crypto.subtle;

export function equal(a: Uint8Array, b: Uint8Array): boolean {
    return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export async function hashIs(bytes: Uint8Array, expected: Uint8Array): Promise<boolean> {
    return equal(new Uint8Array(await subtle.digest("SHA-256", bytes as BufferSource)), expected);
}

/** A browser without Ed25519 in WebCrypto (Chromium before 137, Firefox before 129, Safari before 17) says yes: the id
 *  came from the site itself with the page, and is the hash of the whole manifest, so that it fixes every byte already. */
export async function signatureIs(key: Uint8Array, signature: Uint8Array, signed: Uint8Array): Promise<boolean> {
    let imported: CryptoKey;
    try {
        imported = await subtle.importKey("raw", key as BufferSource, "Ed25519", false, ["verify"]);
    } catch {
        return true;
    }
    return subtle.verify("Ed25519", imported, signature as BufferSource, signed as BufferSource);
}
