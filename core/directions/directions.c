#include <throng/directions.h>

#include <string.h>

#include <throng/manifest.h>

#include "../wire/cursor.h"
#include "base64url.h"

static const char scheme[] = "throng:";
enum { SCHEME_LENGTH = sizeof scheme - 1 };

#define OBJECT_SIZE_END ((uint64_t)1 << 40)

static bool chunk_size_is_valid(uint32_t chunk_size)
{
    return chunk_size >= THRONG_CHUNK_SIZE_MIN && chunk_size <= THRONG_CHUNK_SIZE_MAX;
}

static bool is_valid(const throng_directions *d)
{
    bool valid = d->size < OBJECT_SIZE_END && chunk_size_is_valid(d->chunk_size) && d->seeder.port != 0 &&
                 d->peers_count <= THRONG_DIRECTIONS_PEERS_MAX;
    for (uint32_t i = 0; valid && i < d->peers_count; i++)
        valid = d->peers[i].port != 0;
    return valid;
}

static uint32_t count_ipv4(const throng_directions *d)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->peers_count; i++)
        count += throng_addr_is_ipv4(&d->peers[i]);
    return count;
}

/* The `count` peers of one address family, behind their number. */
static void encode_peers(throng_writer *w, const throng_directions *d, bool ipv4, uint32_t count)
{
    const size_t ip_size = ipv4 ? 4 : 16;
    throng_write_u8(w, (uint8_t)count);
    for (uint32_t i = 0; i < d->peers_count && count > 0; i++) {
        const throng_addr *peer = &d->peers[i];
        uint8_t bytes[sizeof peer->ip + 2];
        if (throng_addr_is_ipv4(peer) != ipv4)
            continue;
        memcpy(bytes, peer->ip + sizeof peer->ip - ip_size, ip_size);
        bytes[ip_size] = (uint8_t)(peer->port >> 8);
        bytes[ip_size + 1] = (uint8_t)peer->port;
        throng_write_bytes(w, bytes, ip_size + 2);
        count--;
    }
}

int throng_directions_encode(const throng_directions *directions, char *uri, size_t size_max)
{
    if (!is_valid(directions))
        return THRONG_ERR_INVALID;
    uint8_t bytes[THRONG_DIRECTIONS_SIZE_MAX];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_u8(&w, THRONG_DIRECTIONS_VERSION);
    throng_write_u8(&w, 0);
    throng_write_bytes(&w, directions->object.bytes, sizeof directions->object.bytes);
    throng_write_u8(&w, (uint8_t)(directions->size >> 32));
    throng_write_u32(&w, (uint32_t)directions->size);
    throng_write_u16(&w, (uint16_t)directions->chunk_size);
    throng_write_u32(&w, directions->sender_id);
    throng_write_u8(&w, directions->epoch);
    throng_write_bytes(&w, directions->key, sizeof directions->key);
    throng_write_bytes(&w, directions->token.bytes, sizeof directions->token.bytes);
    throng_write_u16(&w, directions->seeder.port);
    uint32_t ipv4 = count_ipv4(directions);
    encode_peers(&w, directions, true, ipv4);
    if (ipv4 < directions->peers_count) /* an empty list of IPv6 peers is left out */
        encode_peers(&w, directions, false, directions->peers_count - ipv4);

    size_t length = SCHEME_LENGTH + throng_base64url_length(throng_writer_size(&w));
    if (w.failed || length >= size_max)
        return THRONG_ERR_FULL;
    memcpy(uri, scheme, SCHEME_LENGTH);
    throng_base64url_encode(uri + SCHEME_LENGTH, bytes, throng_writer_size(&w));
    uri[length] = '\0';
    return (int)length;
}

static void read_into(throng_reader *r, uint8_t *ret, size_t size)
{
    const uint8_t *bytes = throng_read_bytes(r, size);
    if (bytes)
        memcpy(ret, bytes, size);
}

static int decode_peers(throng_directions *ret, throng_reader *r, bool ipv4)
{
    uint32_t count = throng_read_u8(r);
    if (r->failed || count > THRONG_DIRECTIONS_PEERS_MAX - ret->peers_count || (count == 0 && !ipv4))
        return THRONG_ERR_MALFORMED;
    for (uint32_t i = 0; i < count; i++) {
        throng_addr addr = throng_addr_from_ipv4(0, 0, 0, 0, 0);
        read_into(r, addr.ip + (ipv4 ? 12 : 0), ipv4 ? 4 : 16);
        addr.port = throng_read_u16(r);
        /* One address has one form: IPv4 must not come dressed as IPv6. */
        if (r->failed || addr.port == 0 || throng_addr_is_ipv4(&addr) != ipv4)
            return THRONG_ERR_MALFORMED;
        ret->peers[ret->peers_count++] = addr;
    }
    return 0;
}

static int decode_bytes(throng_directions *ret, throng_reader *r)
{
    uint8_t version = throng_read_u8(r);
    if (r->failed)
        return THRONG_ERR_MALFORMED;
    if (version != THRONG_DIRECTIONS_VERSION)
        return THRONG_ERR_VERSION;
    uint8_t flags = throng_read_u8(r);
    read_into(r, ret->object.bytes, sizeof ret->object.bytes);
    uint64_t size_high = throng_read_u8(r);
    ret->size = size_high << 32 | throng_read_u32(r);
    ret->chunk_size = throng_read_u16(r);
    ret->sender_id = throng_read_u32(r);
    ret->epoch = throng_read_u8(r);
    read_into(r, ret->key, sizeof ret->key);
    read_into(r, ret->token.bytes, sizeof ret->token.bytes);
    ret->seeder.port = throng_read_u16(r);
    if (r->failed || flags != 0 || !chunk_size_is_valid(ret->chunk_size) || ret->seeder.port == 0)
        return THRONG_ERR_MALFORMED;
    int error = decode_peers(ret, r, true);
    if (error == 0 && throng_reader_left(r) > 0)
        error = decode_peers(ret, r, false);
    return error == 0 && throng_reader_left(r) > 0 ? THRONG_ERR_MALFORMED : error;
}

int throng_directions_decode(throng_directions *ret, const char *uri, size_t length)
{
    if (length < SCHEME_LENGTH || memcmp(uri, scheme, SCHEME_LENGTH) != 0)
        return THRONG_ERR_MALFORMED;
    uint8_t bytes[THRONG_DIRECTIONS_SIZE_MAX];
    int size = throng_base64url_decode(bytes, sizeof bytes, uri + SCHEME_LENGTH, length - SCHEME_LENGTH);
    if (size < 0)
        return size;
    throng_reader r = throng_reader_on(bytes, (size_t)size);
    throng_directions directions = {0};
    int error = decode_bytes(&directions, &r);
    if (error == 0)
        *ret = directions;
    return error;
}
