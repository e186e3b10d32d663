/* Telling the seeder that an object is served by HTTP here (SERVE), as long as it is: at once, until SERVED brings the
 * key; then often enough not to be forgotten. Sans-I/O, beside a node on the same socket. */
#ifndef THRONG_NET_ANNOUNCE_H
#define THRONG_NET_ANNOUNCE_H

#include <throng/datagram.h>

typedef struct throng_announce {
    throng_addr seeder; /* port 0: there is nothing to be told */
    throng_tag tag;
    uint16_t port;
    uint32_t tries;
    bool heard; /* the key is known */
    throng_time next;
} throng_announce;

void throng_announce_start(throng_announce *a, throng_time now, const throng_addr *seeder, throng_tag tag,
                           uint16_t port);
/* When there is something to send; THRONG_NEVER. */
throng_time throng_announce_deadline(const throng_announce *a);
/* The datagram that is due; false if none is. */
bool throng_announce_next(throng_announce *a, throng_time now, throng_datagram *ret);
/* True if the payload is the seeder's SERVED for this: then *ret_key and *ret_now_unix_s are set. */
bool throng_announce_recv(throng_announce *a, const throng_addr *from, const uint8_t *payload, size_t size,
                          uint8_t ret_key[THRONG_KEY_SIZE], uint32_t *ret_now_unix_s);

#endif
