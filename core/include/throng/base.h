/* What every part of Throng's core shares: time, errors, memory, addresses.
 *
 * The core is sans-I/O. It never reads a clock, a socket, a file, the environment or a random source: the host gives
 * `now` to every entry point, entropy and an allocator at creation, datagrams as they come, and carries out what the
 * core asks for. Everything here is freestanding C11. */
#ifndef THRONG_BASE_H
#define THRONG_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define THRONG_API __attribute__((visibility("default")))
#define THRONG_MUST_USE __attribute__((warn_unused_result))
#else
#define THRONG_API
#define THRONG_MUST_USE
#endif

/* Time, in microseconds from an origin of the host's choosing; never goes back. */
typedef uint64_t throng_time;

#define THRONG_MS ((throng_time)1000)
#define THRONG_SECOND ((throng_time)1000000)
#define THRONG_NEVER UINT64_MAX

/* Errors are negative; zero and above is success. Four classes tell what to do about one:
 *   CALLER  the call itself was wrong: mend the program;
 *   RETRY   a limit given at creation was reached, or memory ran out: an ordinary outcome, try later or do without;
 *   PEER    bytes from outside were wrong: drop the packet or the peer, never the node;
 *   FATAL   the object can't go on: free it. */
#define THRONG_ERRORS(X)                                                                                               \
    X(INVALID, -1, CALLER, "invalid argument")                                                                         \
    X(STATE, -2, CALLER, "not possible in this state")                                                                 \
    X(NO_MEMORY, -10, RETRY, "out of memory")                                                                          \
    X(FULL, -11, RETRY, "a configured maximum is reached")                                                             \
    X(AGAIN, -12, RETRY, "not yet known")                                                                              \
    X(NOT_FOUND, -13, RETRY, "not found")                                                                              \
    X(MALFORMED, -20, PEER, "malformed message")                                                                       \
    X(REPLAYED, -21, PEER, "datagram seen before")                                                                     \
    X(UNSEALED, -22, PEER, "datagram does not open under the swarm key")                                               \
    X(UNPROVEN, -23, PEER, "address not proven")                                                                       \
    X(TAMPERED, -24, PEER, "content does not match its hash")                                                          \
    X(EXPIRED, -25, PEER, "manifest expired")                                                                          \
    X(WRONG_KEY, -26, PEER, "manifest signed with another key")                                                        \
    X(BAD_SIGNATURE, -27, PEER, "manifest signature is wrong")                                                         \
    X(VERSION, -28, PEER, "unsupported version")                                                                       \
    X(INTERNAL, -40, FATAL, "internal error")

enum throng_error {
#define X(name, value, class, text) THRONG_ERR_##name = (value),
    THRONG_ERRORS(X)
#undef X
};

typedef enum throng_error_class {
    THRONG_CLASS_NONE,
    THRONG_CLASS_CALLER,
    THRONG_CLASS_RETRY,
    THRONG_CLASS_PEER,
    THRONG_CLASS_FATAL,
} throng_error_class;

/* A static English text for an error code, never NULL. */
THRONG_API const char *throng_error_text(int error);
THRONG_API throng_error_class throng_error_classify(int error);

/* Memory comes from the host. `resize` is realloc with the old size told (0 for a new block); new_size 0 frees and
 * returns NULL. It may return NULL for any growth: the core then reports THRONG_ERR_NO_MEMORY and stays whole. */
typedef struct throng_alloc {
    void *(*resize)(void *user, void *block, size_t old_size, size_t new_size);
    void *user;
} throng_alloc;

/* A transport address: IPv4 as ::ffff:a.b.c.d, port in host order. The host gives meaning to it; the core compares,
 * stores and passes it on. */
typedef struct throng_addr {
    uint8_t ip[16];
    uint16_t port;
} throng_addr;

/* Same address and same port. */
THRONG_API bool throng_addr_equal(const throng_addr *a, const throng_addr *b);
THRONG_API bool throng_addr_is_ipv4(const throng_addr *addr);
THRONG_API throng_addr throng_addr_from_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);
/* Loopback, private (RFC 1918, RFC 4193), link-local, shared (RFC 6598), multicast, reserved, of a browser or
 * unspecified: addresses to which directions from a public server must not point. */
THRONG_API bool throng_addr_is_private(const throng_addr *addr);
/* A browser has no address that others could send to. It is known by a random number that the server gave it, as an
 * address of 100::/64, which belongs to nobody (RFC 6666), port 1; whoever sends to it does so by a path of its own. */
THRONG_API throng_addr throng_addr_browser(uint64_t id);
THRONG_API bool throng_addr_is_browser(const throng_addr *addr);
THRONG_API uint64_t throng_addr_browser_id(const throng_addr *addr);

/* SHA-256, and what names things by it. */
enum { THRONG_HASH_SIZE = 32, THRONG_KEY_SIZE = 16, THRONG_PUBLIC_KEY_SIZE = 32, THRONG_SIGNATURE_SIZE = 64 };

typedef struct throng_hash {
    uint8_t bytes[THRONG_HASH_SIZE];
} throng_hash;

/* An object is named by the SHA-256 of its signed manifest; on the wire by the first 8 bytes of it, read as a
 * big-endian number whose first bit is set: what begins with 0 there is a tag in brief. */
typedef uint64_t throng_tag;
#define THRONG_TAG_BIT (UINT64_C(1) << 63)
THRONG_API throng_tag throng_hash_tag(const throng_hash *id);

/* The largest payload of a UDP datagram that we send: IPv6's least MTU (1280) less its and UDP's headers, so that no
 * path fragments it (RFC 8200 section 5), and what of it is left to frames once sealed. */
enum {
    THRONG_DATAGRAM_MAX = 1232,
    THRONG_SEAL_OVERHEAD = 25,
    THRONG_PAYLOAD_MAX = THRONG_DATAGRAM_MAX - THRONG_SEAL_OVERHEAD,
    /* Chunks that a browser asks for at once: as many may wait at the server, whose connections do not tell it to stop.
     */
    THRONG_BROWSER_WINDOW = 128
};

#endif
