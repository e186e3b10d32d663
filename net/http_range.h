/* The Range header (RFC 9110 section 14.2), as a peer understands it: one range of bytes. */
#ifndef THRONG_NET_HTTP_RANGE_H
#define THRONG_NET_HTTP_RANGE_H

#include <throng/base.h>

typedef enum throng_range_kind {
    THRONG_RANGE_WHOLE,  /* no range that we know: the header is to be ignored */
    THRONG_RANGE_PART,   /* [*ret_first, *ret_end) */
    THRONG_RANGE_REFUSED /* 416: beyond the end, or several at once, which may overlap and cost without end
                            (section 17.15) */
} throng_range_kind;

/* `size` of the object. The range is set for THRONG_RANGE_PART alone, and then never empty. */
throng_range_kind throng_http_range(const char *value, size_t length, uint64_t size, uint64_t *ret_first,
                                    uint64_t *ret_end);

#endif
