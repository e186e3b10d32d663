/* How work leaves a node or a seeder (datagrams, events), and the outer form of a sealed datagram. */
#ifndef THRONG_DATAGRAM_H
#define THRONG_DATAGRAM_H

#include <throng/base.h>

/* One datagram to send. Its payload is head, then body. A body is bytes that the core holds (body != NULL), or bytes of
 * an object's content that the host holds: body_size bytes at body_offset of what `content` stands for (the pointer
 * given when the object was added). The core never copies content. Valid until the next call on the same node. */
typedef struct throng_datagram {
    throng_addr to;
    uint16_t head_size;
    uint16_t body_size; /* 0: no body */
    const uint8_t *body;
    void *content;
    uint64_t body_offset;
    uint8_t head[THRONG_PAYLOAD_MAX];
} throng_datagram;

/* A sealed datagram, integers big-endian:
 *   u8 epoch | u32 sender id | u32 counter | AES-128-GCM ciphertext of the payload | 16 tag
 * The nonce is 0x00000000 | sender id | counter; the additional data is the first nine bytes, two zeros, and the size
 * of the payload as u16. From the sender id on this is a record of TLS 1.2's AES-GCM (RFC 5288), for which libraries
 * have a fast path. The server gives every client a sender id of its own under a key, and a client never uses a counter
 * twice, so no nonce repeats. */
enum { THRONG_SEAL_HEADER_SIZE = 9, THRONG_SEAL_TAG_SIZE = 16, THRONG_SEAL_NONCE_SIZE = 12 };

typedef struct throng_seal_header {
    uint8_t epoch;
    uint32_t sender_id;
    uint32_t counter;
} throng_seal_header;

/* Writes the nine bytes that stand before the ciphertext. */
THRONG_API void throng_seal_header_encode(const throng_seal_header *header, uint8_t bytes[THRONG_SEAL_HEADER_SIZE]);
/* THRONG_ERR_MALFORMED when `size` can't hold a header, a tag and one byte. */
THRONG_API int throng_seal_header_decode(throng_seal_header *ret, const uint8_t *bytes, size_t size);
THRONG_API void throng_seal_nonce(const throng_seal_header *header, uint8_t nonce[THRONG_SEAL_NONCE_SIZE]);

/* Which counters of which senders have been seen: a sliding window of 2,048 for each sender (RFC 6479), the senders in
 * a table of fixed size that forgets the one longest silent. Check before opening (cheap), mark after it opened (true).
 * A new sender's window starts at the first counter heard of it. Of a forgotten one the highest counter is remembered,
 * so that nothing old of it passes again, until another forgotten sender takes that place too (about four places for
 * each sender held); only then could a datagram be replayed, and throng_replay_forgotten tells how often that was.
 * About 300 bytes a sender, taken at creation. */
enum { THRONG_REPLAY_WINDOW = 2048 };
typedef struct throng_replay throng_replay;
THRONG_API int throng_replay_new(throng_replay **ret, const throng_alloc *alloc, uint32_t senders_max);
THRONG_API void throng_replay_free(throng_replay *replay);
/* Both: 0, or THRONG_ERR_REPLAYED: seen, or too old to tell. Constant time. */
THRONG_API int throng_replay_check(const throng_replay *replay, uint32_t sender_id, uint32_t counter);
THRONG_API int throng_replay_mark(throng_replay *replay, uint32_t sender_id, uint32_t counter, throng_time now);
/* Senders of which nothing at all is remembered any more. */
THRONG_API uint64_t throng_replay_forgotten(const throng_replay *replay);

#endif
