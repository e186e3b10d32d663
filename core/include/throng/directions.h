/* Directions: what a server in crowd mode answers in place of the body, as a URI in the Location header.
 *
 *   Location: throng:BASE64URL      (RFC 4648 section 5, no padding)
 *
 * Layout of the decoded bytes, integers big-endian:
 *   u8 version (1) | u8 flags | 32 object id | u40 size | u16 chunk_size | u32 sender id | u8 epoch | 16 swarm key |
 *   12 token | u16 seeder port | u8 n4 | n4 x (4 ip, u16 port) | u8 n6 | n6 x (16 ip, u16 port)
 * n6 and what follows is left out when there is no IPv6 peer. The seeder is at the address the client reached the
 * server at, on the given port. */
#ifndef THRONG_DIRECTIONS_H
#define THRONG_DIRECTIONS_H

#include <throng/base.h>

enum {
    THRONG_DIRECTIONS_VERSION = 1,
    THRONG_DIRECTIONS_PEERS_MAX = 30,
    THRONG_TOKEN_SIZE = 12,
    THRONG_DIRECTIONS_SIZE_MAX = 78 + 18 * THRONG_DIRECTIONS_PEERS_MAX,
    THRONG_DIRECTIONS_URI_MAX = 8 + (THRONG_DIRECTIONS_SIZE_MAX * 4 + 2) / 3,
};

/* Proof for the seeder that a client at this IP address was sent by the server: u32 time in Unix seconds, then
 * SipHash-2-4 of (time, sender id, ip) under the site's token key. */
typedef struct throng_token {
    uint8_t bytes[THRONG_TOKEN_SIZE];
} throng_token;

typedef struct throng_directions {
    throng_hash object; /* SHA-256 of the signed manifest */
    uint64_t size;      /* bytes of the object; below 2^40 */
    uint32_t chunk_size;
    uint32_t sender_id; /* given to this client alone, under this key: its datagrams' nonces start with it */
    uint8_t epoch;      /* names the swarm key on the wire */
    uint8_t key[THRONG_KEY_SIZE];
    throng_token token;
    throng_addr seeder; /* only the port travels; the decoder leaves ip zero */
    uint32_t peers_count;
    throng_addr peers[THRONG_DIRECTIONS_PEERS_MAX];
} throng_directions;

/* Writes the URI with its terminating NUL. Returns its length without the NUL, THRONG_ERR_FULL if it takes more than
 * size_max with the NUL, or THRONG_ERR_INVALID for a field outside its range. */
THRONG_API int throng_directions_encode(const throng_directions *directions, char *uri, size_t size_max);
/* THRONG_ERR_MALFORMED for anything that the encoder would not have written (the scheme in other letters, bits or bytes
 * left over, unknown flags, a size, chunk size, port or address outside its range), THRONG_ERR_VERSION for another
 * version. IPv4 peers come first. */
THRONG_API int throng_directions_decode(throng_directions *ret, const char *uri, size_t length);

/* `ip` is the client's address as the server sees it, IPv4 as ::ffff:a.b.c.d. */
THRONG_API void throng_token_make(throng_token *ret, const uint8_t key[THRONG_KEY_SIZE], uint32_t now_unix_s,
                                  uint32_t sender_id, const uint8_t ip[16]);
/* THRONG_ERR_UNPROVEN if it is not ours, not for this client, or made more than max_age_s ago or from now. */
THRONG_API int throng_token_check(const throng_token *token, const uint8_t key[THRONG_KEY_SIZE], uint32_t now_unix_s,
                                  uint32_t max_age_s, uint32_t sender_id, const uint8_t ip[16]);

#endif
