/* A STUN server's one duty here: to tell a browser how it is seen (RFC 8489, Binding alone, UDP alone). And a client's,
 * to whom it is an echo. */
#ifndef THRONG_NET_STUN_H
#define THRONG_NET_STUN_H

#include <throng/base.h>

enum {
    THRONG_STUN_HEADER_SIZE = 20,
    THRONG_STUN_ID_SIZE = 12, /* of a transaction */
    THRONG_STUN_ANSWER_MAX = THRONG_STUN_HEADER_SIZE + 24,
};

/* True if a datagram is a Binding request of RFC 8489: type, magic cookie, and attributes that fill the length told.
 * Sealed datagrams share the port (RFC 7983); one would pass for this once in 2^64. */
bool throng_stun_is_request(const uint8_t *bytes, size_t size);
/* The answer to one, with XOR-MAPPED-ADDRESS alone: at most 2.2 times the size of what it answers. Returns its size. */
size_t throng_stun_answer(uint8_t ret[THRONG_STUN_ANSWER_MAX], const uint8_t *request, const throng_addr *from);

/* A Binding request without attributes. */
void throng_stun_request(uint8_t ret[THRONG_STUN_HEADER_SIZE], const uint8_t id[THRONG_STUN_ID_SIZE]);
/* True if a datagram is the answer to one, whatever it says; *ret_id is its transaction's. */
bool throng_stun_is_answer(const uint8_t *bytes, size_t size, uint8_t ret_id[THRONG_STUN_ID_SIZE]);

#endif
