/* What a client tells the server of itself, so that peers near it and like it can be named to it (CoopNet section
 * II-C): how fast its line is, how far it is from a few landmarks. All of it is told freely, may be left out, and is
 * believed only as far as lying does the liar no good.
 *
 * It comes with the request, as a header field (throng_traits_to_text), and by datagram (frame TRAITS). */
#ifndef THRONG_TRAITS_H
#define THRONG_TRAITS_H

#include <throng/base.h>

enum {
    THRONG_TRAITS_VERSION = 1,
    THRONG_TRAITS_SIZE_MAX = 64, /* bytes of a later version that is skipped; this one takes 14 at most */
    THRONG_TRAITS_TEXT_MAX = 32, /* of this version, with NUL */
    THRONG_LANDMARKS_MAX = 10,   /* the paper: "a small number (say 10)" */
    THRONG_BANDWIDTH_MAX = 15,   /* the highest class */
};

/* All zero: nothing is known. */
typedef struct throng_traits {
    uint8_t bandwidth;  /* class of its line: throng_bandwidth_class; 0: not known */
    uint16_t landmarks; /* the list that `delays` are to (throng_landmarks_id); 0: none was measured */
    uint8_t delays[THRONG_LANDMARKS_MAX]; /* to each landmark: throng_delay_code; 0: not known */
} throng_traits;

/* Hosts that answer a STUN Binding request (RFC 8489), and which list of them it is. */
typedef struct throng_landmarks {
    uint16_t id; /* 0: there are none */
    uint8_t count;
    throng_addr addrs[THRONG_LANDMARKS_MAX];
} throng_landmarks;

/* The class of a rate: 1 below 64 kbit/s, one more for each doubling, THRONG_BANDWIDTH_MAX from 524 Mbit/s on; 0 for 0.
 * A modem is in 1, DSL in 4 to 7, a T1 in 6, a T3 in 11. */
THRONG_API uint8_t throng_bandwidth_class(uint64_t bps);
/* Are two classes alike? One that is not known is like any; neighbouring ones are, as an estimate is no better. */
THRONG_API bool throng_bandwidth_alike(uint8_t a, uint8_t b);

/* A round trip as a byte: sixteen steps to each doubling, from 16 us up to 1 s, and 255 for all beyond. Never 0. */
THRONG_API uint8_t throng_delay_code(throng_time rtt_us);
enum { THRONG_DELAYS_UNKNOWN = 0xffff };
/* How much two clients' delays differ: the mean over landmarks that both know, in 1/16 of a step; few have the same
 * delays to all landmarks and are far apart (Ratnasamy and others, "Topologically-aware overlay construction and server
 * selection", INFOCOM 2002, who bin such delays as coarsely). THRONG_DELAYS_UNKNOWN if fewer than two are known to
 * both. */
THRONG_API uint32_t throng_delays_apart(const uint8_t a[THRONG_LANDMARKS_MAX], const uint8_t b[THRONG_LANDMARKS_MAX]);

/* Names a list by what is in it. Never 0 unless it is empty. */
THRONG_API uint16_t throng_landmarks_id(const throng_addr *addrs, uint32_t count);

/* The value of the header field "Throng-Traits": base64url of what the frame carries. Returns its length. */
THRONG_API size_t throng_traits_to_text(const throng_traits *traits, char ret[THRONG_TRAITS_TEXT_MAX]);
/* Returns 1 if something absurd in it was clamped, 0 if not. THRONG_ERR_MALFORMED, with nothing written. */
THRONG_API int throng_traits_from_text(throng_traits *ret, const char *text, size_t size);

#endif
