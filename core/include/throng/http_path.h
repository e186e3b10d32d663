/* Where a client that the server sent finds an object at a peer that serves it by HTTP: http://PEER:PORT/OBJECT/TOKEN.
 *
 *   OBJECT   four characters: base64url of the first three bytes of the object id
 *   TOKEN    eleven: base64url of u16 time, in steps of four seconds, and 48 bits of SipHash-2-4 of (object tag, time,
 *            client's IP address) under the peer's key
 *
 * Each peer has a key of its own, made of the site's token key and the address it serves at: the seeder tells it to the
 * peer, and whoever has the board can make it. So the peer knows whom the server sent without asking, nobody else can
 * make paths for it, not even other peers, and nothing has to be kept anywhere. No URL of the site is in it. Short,
 * because directions are (docs/METALINK.md). */
#ifndef THRONG_HTTP_PATH_H
#define THRONG_HTTP_PATH_H

#include <throng/base.h>

enum { THRONG_HTTP_PATH_SIZE = 18 }; /* with the NUL */

/* The key of the peer that serves at `peer`. */
THRONG_API void throng_http_key(uint8_t ret[THRONG_KEY_SIZE], const uint8_t token_key[THRONG_KEY_SIZE],
                                const throng_addr *peer);
/* By which those who have the site's token key, and nobody else, tell peers apart: 15 bits, never 0. */
THRONG_API uint16_t throng_http_mark(const uint8_t token_key[THRONG_KEY_SIZE], const throng_addr *peer);
/* `ip`: the client's address as the server sees it; sixteen zeros: any, for the server itself, who does not know how
 * the peer sees it. */
THRONG_API void throng_http_path_make(char ret[THRONG_HTTP_PATH_SIZE], const uint8_t key[THRONG_KEY_SIZE],
                                      throng_tag object, uint32_t now_unix_s, const uint8_t ip[16]);

typedef struct throng_http_path {
    uint64_t mac;
    uint32_t object; /* the first three bytes of its id */
    uint16_t step;
} throng_http_path;

/* THRONG_ERR_MALFORMED for what throng_http_path_make never writes. */
THRONG_API int throng_http_path_decode(throng_http_path *ret, const char *path, size_t length);
/* Whether it may be about this object. */
THRONG_API bool throng_http_path_is_of(const throng_http_path *path, throng_tag object);
/* THRONG_ERR_UNPROVEN if it was not made under this key for this object and client, THRONG_ERR_EXPIRED if that was more
 * than max_age_s ago (a day at most). */
THRONG_API int throng_http_path_check(const throng_http_path *path, const uint8_t key[THRONG_KEY_SIZE],
                                      throng_tag object, uint32_t now_unix_s, uint32_t max_age_s, const uint8_t ip[16]);

#endif
