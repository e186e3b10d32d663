/* Paths at peers that speak HTTP: /OBJECT/TOKEN. The object's part is there to find it by; what counts is the token,
 * which is over all of the object's tag. */
#include <throng/http_path.h>

#include <string.h>

#include "../wire/cursor.h"
#include "base64url.h"
#include "siphash.h"

enum {
    OBJECT_BYTES = 3,
    MAC_BYTES = 6,
    TOKEN_BYTES = 2 + MAC_BYTES, /* time in steps | MAC */
    OBJECT_CHARS = 4,
    TOKEN_CHARS = 11,
    PATH_CHARS = 1 + OBJECT_CHARS + 1 + TOKEN_CHARS,
    STEP_S = 4, /* a u16 of these comes round again after three days */
};

_Static_assert(PATH_CHARS + 1 == THRONG_HTTP_PATH_SIZE, "as the header says");

void throng_http_key(uint8_t ret[THRONG_KEY_SIZE], const uint8_t token_key[THRONG_KEY_SIZE], const throng_addr *peer)
{
    uint8_t bytes[20];
    throng_writer out = throng_writer_on(ret, THRONG_KEY_SIZE);
    for (uint8_t half = 0; half < 2; half++) {
        throng_writer w = throng_writer_on(bytes, sizeof bytes);
        throng_write_u8(&w, 'H'); /* other lengths than those of tokens under the same key: never the same input */
        throng_write_u8(&w, half);
        throng_write_bytes(&w, peer->ip, sizeof peer->ip);
        throng_write_u16(&w, peer->port);
        throng_write_u64(&out, throng_siphash(token_key, bytes, sizeof bytes));
    }
}

uint16_t throng_http_mark(const uint8_t token_key[THRONG_KEY_SIZE], const throng_addr *peer)
{
    uint8_t bytes[19];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_u8(&w, 'M'); /* and of another length than a key's */
    throng_write_bytes(&w, peer->ip, sizeof peer->ip);
    throng_write_u16(&w, peer->port);
    return (uint16_t)(1 + throng_siphash(token_key, bytes, sizeof bytes) % 0x7fff);
}

static uint64_t path_mac(const uint8_t key[THRONG_KEY_SIZE], throng_tag object, uint16_t step, const uint8_t ip[16])
{
    uint8_t bytes[26];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_u64(&w, object);
    throng_write_u16(&w, step);
    throng_write_bytes(&w, ip, 16);
    return throng_siphash(key, bytes, sizeof bytes) >> (64 - 8 * MAC_BYTES);
}

static void write_mac(throng_writer *w, uint64_t mac)
{
    throng_write_u16(w, (uint16_t)(mac >> 32));
    throng_write_u32(w, (uint32_t)mac);
}

void throng_http_path_make(char ret[THRONG_HTTP_PATH_SIZE], const uint8_t key[THRONG_KEY_SIZE], throng_tag object,
                           uint32_t now_unix_s, const uint8_t ip[16])
{
    uint8_t bytes[OBJECT_BYTES + TOKEN_BYTES];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    uint16_t step = (uint16_t)(now_unix_s / STEP_S);
    throng_write_u8(&w, (uint8_t)(object >> 56));
    throng_write_u16(&w, (uint16_t)(object >> 40));
    throng_write_u16(&w, step);
    write_mac(&w, path_mac(key, object, step, ip));
    ret[0] = ret[1 + OBJECT_CHARS] = '/';
    throng_base64url_encode(ret + 1, bytes, OBJECT_BYTES);
    throng_base64url_encode(ret + 1 + OBJECT_CHARS + 1, bytes + OBJECT_BYTES, TOKEN_BYTES);
    ret[PATH_CHARS] = '\0';
}

int throng_http_path_decode(throng_http_path *ret, const char *path, size_t length)
{
    uint8_t bytes[OBJECT_BYTES + TOKEN_BYTES];
    if (length != PATH_CHARS || path[0] != '/' || path[1 + OBJECT_CHARS] != '/' ||
        throng_base64url_decode(bytes, OBJECT_BYTES, path + 1, OBJECT_CHARS) != OBJECT_BYTES ||
        throng_base64url_decode(bytes + OBJECT_BYTES, TOKEN_BYTES, path + 1 + OBJECT_CHARS + 1, TOKEN_CHARS) !=
            TOKEN_BYTES)
        return THRONG_ERR_MALFORMED;
    throng_reader r = throng_reader_on(bytes, sizeof bytes);
    ret->object = (uint32_t)throng_read_u8(&r) << 16;
    ret->object |= throng_read_u16(&r);
    ret->step = throng_read_u16(&r);
    ret->mac = (uint64_t)throng_read_u16(&r) << 32;
    ret->mac |= throng_read_u32(&r);
    return 0;
}

bool throng_http_path_is_of(const throng_http_path *path, throng_tag object)
{
    return path->object == (uint32_t)(object >> 40);
}

int throng_http_path_check(const throng_http_path *path, const uint8_t key[THRONG_KEY_SIZE], throng_tag object,
                           uint32_t now_unix_s, uint32_t max_age_s, const uint8_t ip[16])
{
    static const uint8_t anywhere[16];
    /* Whole words: nothing to learn from how long it takes. */
    uint64_t differs = path->mac ^ path_mac(key, object, path->step, ip);
    uint64_t differs_anywhere = path->mac ^ path_mac(key, object, path->step, anywhere);
    if (differs != 0 && differs_anywhere != 0)
        return THRONG_ERR_UNPROVEN;
    /* Steps go round; clocks ahead of the maker's by a minute are borne with. */
    int16_t age = (int16_t)(uint16_t)(now_unix_s / STEP_S - path->step);
    return age > (int32_t)(max_age_s / STEP_S) || age < -(60 / STEP_S) ? THRONG_ERR_EXPIRED : 0;
}
