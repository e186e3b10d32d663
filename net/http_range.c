#include "http_range.h"

#include <string.h>
#include <strings.h>

/* Digits, at least one; a number beyond 64 bits is as good as the greatest. */
static bool number(const char **at, const char *end, uint64_t *ret)
{
    const char *p = *at;
    uint64_t value = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    bool any = p > *at;
    *at = p;
    *ret = value;
    return any;
}

/* "bytes=-N": the last N. */
static throng_range_kind last(const char *at, const char *end, uint64_t size, uint64_t *ret_first, uint64_t *ret_end)
{
    uint64_t count;
    if (!number(&at, end, &count) || at != end)
        return THRONG_RANGE_WHOLE;
    if (count == 0 || size == 0)
        return THRONG_RANGE_REFUSED;
    *ret_first = count < size ? size - count : 0;
    *ret_end = size;
    return THRONG_RANGE_PART;
}

throng_range_kind throng_http_range(const char *value, size_t length, uint64_t size, uint64_t *ret_first,
                                    uint64_t *ret_end)
{
    static const char unit[] = "bytes=";
    const char *at = value, *end = value + length;
    uint64_t first, until = UINT64_MAX;
    if (length < sizeof unit - 1 || strncasecmp(value, unit, sizeof unit - 1) != 0)
        return THRONG_RANGE_WHOLE;
    at += sizeof unit - 1;
    if (memchr(at, ',', (size_t)(end - at)))
        return THRONG_RANGE_REFUSED;
    if (at < end && *at == '-')
        return last(at + 1, end, size, ret_first, ret_end);
    if (!number(&at, end, &first) || at == end || *at++ != '-')
        return THRONG_RANGE_WHOLE;
    if (at < end && (!number(&at, end, &until) || at != end || until < first))
        return THRONG_RANGE_WHOLE;
    if (first >= size)
        return THRONG_RANGE_REFUSED;
    *ret_first = first;
    *ret_end = until < size ? until + 1 : size;
    return THRONG_RANGE_PART;
}
