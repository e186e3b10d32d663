/* A manifest, integers big-endian:
 *
 *   u8   format (1)
 *   u64  size of the object in bytes
 *   u16  chunk size
 *   u64  version of the object
 *   u64  expiry, Unix seconds
 *   32   salted hash of the URL
 *   u16  size of the headers
 *        headers, "Name: value\r\n" each
 *        hash list: as many SHA-256 as the geometry of (size, chunk size) says
 *   32   Ed25519 public key
 *   64   Ed25519 signature over every byte before it
 *
 * There is one way to write each manifest: nothing is optional, nothing follows, no count is told that can be derived.
 */
#include <throng/manifest.h>

#include "../wire/cursor.h"

enum { FORMAT = 1 };

/* A token of RFC 9110 section 5.6.2: letters, digits and these. */
static bool is_token_char(uint8_t c)
{
    static const uint8_t others[] = "!#$%&'*+-.^_`|~";
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    for (size_t i = 0; i < sizeof others - 1; i++)
        if (c == others[i])
            return true;
    return false;
}

/* A field value without folding or control characters, tab among them (RFC 9110 section 5.5, made narrower). */
static bool is_value_char(uint8_t c)
{
    return c >= ' ' && c != 0x7f;
}

/* One "Name: value\r\n" with no white space around the value; a value may be empty. */
static bool header_is_canonical(throng_reader *r)
{
    uint8_t c = throng_read_u8(r);
    if (!is_token_char(c))
        return false;
    while (is_token_char(c))
        c = throng_read_u8(r);
    if (c != ':' || throng_read_u8(r) != ' ')
        return false;
    uint8_t last = c = throng_read_u8(r);
    if (c == ' ')
        return false;
    while (is_value_char(c)) {
        last = c;
        c = throng_read_u8(r);
    }
    return last != ' ' && c == '\r' && throng_read_u8(r) == '\n' && !r->failed;
}

static bool headers_are_canonical(const char *headers, size_t size)
{
    if (size == 0)
        return true;
    throng_reader r = throng_reader_on((const uint8_t *)headers, size);
    while (throng_reader_left(&r) > 0)
        if (!header_is_canonical(&r))
            return false;
    return true;
}

int throng_manifest_decode(throng_manifest *ret, const uint8_t *bytes, size_t size)
{
    throng_reader r = throng_reader_on(bytes, size);
    if (size > 0 && throng_read_u8(&r) != FORMAT)
        return THRONG_ERR_VERSION;
    if (size > THRONG_MANIFEST_SIZE_MAX)
        return THRONG_ERR_MALFORMED;
    uint64_t object_size = throng_read_u64(&r);
    uint16_t chunk_size = throng_read_u16(&r);
    throng_manifest m = {.version = throng_read_u64(&r)};
    m.expires_unix_s = throng_read_u64(&r);
    m.path = throng_read_bytes(&r, THRONG_HASH_SIZE);
    m.headers_size = throng_read_u16(&r);
    m.headers = (const char *)throng_read_bytes(&r, m.headers_size);
    if (r.failed || m.headers_size > THRONG_MANIFEST_HEADERS_MAX ||
        throng_geometry_init(&m.geometry, object_size, chunk_size) < 0 ||
        !headers_are_canonical(m.headers, m.headers_size))
        return THRONG_ERR_MALFORMED;
    m.hashes = throng_read_bytes(&r, (size_t)m.geometry.list_hashes * THRONG_HASH_SIZE);
    m.public_key = throng_read_bytes(&r, THRONG_PUBLIC_KEY_SIZE);
    m.signed_size = size - throng_reader_left(&r);
    m.signature = throng_read_bytes(&r, THRONG_SIGNATURE_SIZE);
    if (r.failed || throng_reader_left(&r) > 0)
        return THRONG_ERR_MALFORMED;
    *ret = m;
    return 0;
}

int throng_manifest_encode(const throng_manifest *manifest, uint8_t *bytes, size_t size_max)
{
    const throng_geometry *g = &manifest->geometry;
    throng_geometry derived;
    if (throng_geometry_init(&derived, g->size, g->chunk_size) < 0 || derived.list_hashes != g->list_hashes ||
        !headers_are_canonical(manifest->headers, manifest->headers_size))
        return THRONG_ERR_INVALID;
    if (manifest->headers_size > THRONG_MANIFEST_HEADERS_MAX)
        return THRONG_ERR_FULL;
    throng_writer w = throng_writer_on(bytes, size_max);
    throng_write_u8(&w, FORMAT);
    throng_write_u64(&w, g->size);
    throng_write_u16(&w, (uint16_t)g->chunk_size);
    throng_write_u64(&w, manifest->version);
    throng_write_u64(&w, manifest->expires_unix_s);
    throng_write_bytes(&w, manifest->path, THRONG_HASH_SIZE);
    throng_write_u16(&w, (uint16_t)manifest->headers_size);
    throng_write_bytes(&w, (const uint8_t *)manifest->headers, manifest->headers_size);
    throng_write_bytes(&w, manifest->hashes, (size_t)g->list_hashes * THRONG_HASH_SIZE);
    throng_write_bytes(&w, manifest->public_key, THRONG_PUBLIC_KEY_SIZE);
    return w.failed ? THRONG_ERR_FULL : (int)throng_writer_size(&w);
}
