#include "shareable.h"

#include <string.h>
#include <strings.h>

const char *shareable_label(shareable_verdict verdict)
{
    static const char *const labels[] = {
#define X(name, label) label,
        SHAREABLE_VERDICTS(X)
#undef X
    };
    return verdict < SHAREABLE_VERDICTS_COUNT ? labels[verdict] : "unknown";
}

shareable_verdict shareable_size(uint64_t size, const shareable_limits *limits)
{
    if (size < limits->size_min)
        return SHAREABLE_TOO_SMALL;
    return size > limits->size_max ? SHAREABLE_TOO_LARGE : SHAREABLE_YES;
}

static bool parse_seconds(const headers_item *item, uint32_t *ret)
{
    uint64_t value = 0;
    if (item->argument == NULL || item->argument_size == 0)
        return false;
    for (size_t i = 0; i < item->argument_size; i++) {
        char c = item->argument[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (uint64_t)(c - '0');
        if (value > INT32_MAX) /* RFC 9111 section 1.2.2: 2^31 stands for anything greater */
            value = INT32_MAX;
    }
    *ret = (uint32_t)value;
    return true;
}

typedef struct cache_control {
    bool kept_private; /* private or no-store */
    bool asks;         /* no-cache, or something unreadable */
    bool stated;       /* max-age or s-maxage */
    uint32_t fresh_s;
} cache_control;

static cache_control read_cache_control(headers_view headers)
{
    cache_control cc = {false, false, false, 0};
    bool shared_stated = false;
    size_t offset = 0;
    headers_line line;
    while (headers_next(headers, &offset, &line)) {
        size_t at = 0;
        headers_item item;
        if (!headers_name_is(&line, "Cache-Control"))
            continue;
        while (headers_list_next(line.value, line.value_size, &at, &item)) {
            if (headers_item_is(&item, "private") || headers_item_is(&item, "no-store"))
                cc.kept_private = true;
            else if (headers_item_is(&item, "no-cache"))
                cc.asks = true;
            else if (headers_item_is(&item, "s-maxage")) {
                shared_stated = parse_seconds(&item, &cc.fresh_s);
                cc.stated |= shared_stated;
                cc.asks |= !shared_stated;
            } else if (headers_item_is(&item, "max-age") && !shared_stated) {
                bool read = parse_seconds(&item, &cc.fresh_s);
                cc.stated |= read;
                cc.asks |= !read;
            }
        }
    }
    return cc;
}

static bool varies(headers_view headers)
{
    size_t offset = 0;
    headers_line line;
    while (headers_next(headers, &offset, &line)) {
        size_t at = 0;
        headers_item item;
        if (!headers_name_is(&line, "Vary"))
            continue;
        while (headers_list_next(line.value, line.value_size, &at, &item))
            if (!headers_item_is(&item, "Accept-Encoding"))
                return true;
    }
    return false;
}

uint32_t shareable_fresh_s(headers_view headers)
{
    cache_control cc = read_cache_control(headers);
    headers_line line;
    uint32_t age = 0;
    if (cc.asks || !cc.stated)
        return 0;
    if (headers_find(headers, "Age", &line)) {
        headers_item item = {line.name, line.name_size, line.value, line.value_size};
        if (!parse_seconds(&item, &age))
            return 0;
    }
    return cc.fresh_s > age ? cc.fresh_s - age : 0;
}

shareable_verdict shareable_judge(int status, headers_view headers, int64_t size, const shareable_limits *limits)
{
    headers_line line;
    cache_control cc = read_cache_control(headers);
    if (status != 200)
        return SHAREABLE_STATUS;
    if (headers_find(headers, "Set-Cookie", &line))
        return SHAREABLE_COOKIE;
    if (cc.kept_private)
        return SHAREABLE_PRIVATE;
    if (headers_find(headers, "WWW-Authenticate", &line) || headers_find(headers, "Authentication-Info", &line))
        return SHAREABLE_AUTHORISED;
    if (varies(headers))
        return SHAREABLE_VARY;
    if (headers_find(headers, "Content-Range", &line))
        return SHAREABLE_PARTIAL;
    if (!headers_find(headers, "ETag", &line) && !headers_find(headers, "Last-Modified", &line) &&
        shareable_fresh_s(headers) == 0)
        return SHAREABLE_UNTRACKED;
    return size < 0 ? SHAREABLE_YES : shareable_size((uint64_t)size, limits);
}

bool shareable_keeps_header(const char *name)
{
    /* What describes the content or governs how a browser treats it. Left out: hop-by-hop fields, Date, Server, Vary
     * (one variant is shared), and whatever belongs to one exchange. */
    static const char *const kept[] = {
        "Content-Type",
        "Content-Encoding",
        "Content-Language",
        "Content-Disposition",
        "Content-Location",
        "Cache-Control",
        "ETag",
        "Expires",
        "Last-Modified",
        "Link",
        "Content-Security-Policy",
        "Content-Security-Policy-Report-Only",
        "Cross-Origin-Embedder-Policy",
        "Cross-Origin-Opener-Policy",
        "Cross-Origin-Resource-Policy",
        "Access-Control-Allow-Origin",
        "Access-Control-Expose-Headers",
        "Permissions-Policy",
        "Referrer-Policy",
        "Timing-Allow-Origin",
        "X-Content-Type-Options",
        "X-Frame-Options",
        "X-Robots-Tag",
        "SourceMap",
    };
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (strcasecmp(kept[i], name) == 0)
            return true;
    return false;
}
