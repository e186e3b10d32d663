/* May this response be handed from visitor to visitor, and for how long is it known to be current?
 *
 * Throng is a shared cache in the sense of RFC 9111, and a stricter one: whatever could be meant for one visitor alone
 * is never shared, and a response that can't be told from its successor (no validator) must state its freshness. */
#ifndef SERVER_SHAREABLE_H
#define SERVER_SHAREABLE_H

#include <stdint.h>

#include "headers.h"

/* Why a response is not shared. The label is what metrics say. */
#define SHAREABLE_VERDICTS(X)                                                                                          \
    X(YES, "shared")                                                                                                   \
    X(STATUS, "status")         /* not 200 */                                                                          \
    X(COOKIE, "cookie")         /* Set-Cookie */                                                                       \
    X(PRIVATE, "private")       /* Cache-Control: private or no-store */                                               \
    X(AUTHORISED, "authorised") /* WWW-Authenticate or Authentication-Info */                                          \
    X(VARY, "vary")             /* Vary names more than Accept-Encoding */                                             \
    X(UNTRACKED, "untracked")   /* neither validator nor stated freshness */                                           \
    X(TOO_SMALL, "too_small")   /* below what directions cost */                                                       \
    X(TOO_LARGE, "too_large")   /* beyond what the state directory may hold */                                         \
    X(TOO_MUCH_HEAD, "headers") /* headers beyond what a manifest holds */                                             \
    X(PARTIAL, "partial")       /* Content-Range in a 200, or a body that broke off */

typedef enum shareable_verdict {
#define X(name, label) SHAREABLE_##name,
    SHAREABLE_VERDICTS(X)
#undef X
        SHAREABLE_VERDICTS_COUNT,
} shareable_verdict;

const char *shareable_label(shareable_verdict verdict);

typedef struct shareable_limits {
    uint64_t size_min; /* bytes; (2,048) */
    uint64_t size_max; /* bytes */
} shareable_limits;

/* size: bytes of the body, or -1 while it is not known (then the size is judged later, by shareable_size). */
shareable_verdict shareable_judge(int status, headers_view headers, int64_t size, const shareable_limits *limits);
shareable_verdict shareable_size(uint64_t size, const shareable_limits *limits);

/* Seconds for which the response says it is fresh from now on (s-maxage, else max-age, less Age); 0 if it says nothing,
 * or no-cache, or must be asked about. Expires is left to nginx's own caching: it only ever makes us ask more often. */
uint32_t shareable_fresh_s(headers_view headers);

/* Is this header one that a peer must repeat with the body? */
bool shareable_keeps_header(const char *name);

#endif
