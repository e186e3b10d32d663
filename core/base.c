#include <throng/base.h>

#include <string.h>

const char *throng_error_text(int error)
{
    switch (error) {
#define X(name, value, class, text)                                                                                    \
    case THRONG_ERR_##name:                                                                                            \
        return text;
        THRONG_ERRORS(X)
#undef X
    default:
        return error >= 0 ? "success" : "unknown error";
    }
}

throng_error_class throng_error_classify(int error)
{
    switch (error) {
#define X(name, value, class, text)                                                                                    \
    case THRONG_ERR_##name:                                                                                            \
        return THRONG_CLASS_##class;
        THRONG_ERRORS(X)
#undef X
    default:
        return error >= 0 ? THRONG_CLASS_NONE : THRONG_CLASS_FATAL;
    }
}

static const uint8_t ipv4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool throng_addr_equal(const throng_addr *a, const throng_addr *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool throng_addr_is_ipv4(const throng_addr *addr)
{
    return memcmp(addr->ip, ipv4_prefix, sizeof ipv4_prefix) == 0;
}

throng_addr throng_addr_from_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    throng_addr addr = {.ip = {[10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d}, .port = port};
    return addr;
}

static bool ipv4_is_private(const uint8_t ip[4])
{
    return ip[0] == 0 || ip[0] == 10 || ip[0] == 127 || ip[0] >= 224 || (ip[0] == 100 && (ip[1] & 0xc0) == 64) ||
           (ip[0] == 169 && ip[1] == 254) || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168);
}

bool throng_addr_is_private(const throng_addr *addr)
{
    static const uint8_t zero[15] = {0};
    if (throng_addr_is_ipv4(addr))
        return ipv4_is_private(addr->ip + 12);
    bool unspecified_or_loopback = memcmp(addr->ip, zero, 15) == 0 && addr->ip[15] <= 1;
    bool unique_local = (addr->ip[0] & 0xfe) == 0xfc;
    bool link_local = addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
    return unspecified_or_loopback || unique_local || link_local || throng_addr_is_browser(addr) || addr->ip[0] == 0xff;
}

enum { BROWSER_PREFIX_SIZE = 8, BROWSER_PORT = 1 };
static const uint8_t browser_prefix[BROWSER_PREFIX_SIZE] = {0x01};

throng_addr throng_addr_browser(uint64_t id)
{
    throng_addr addr = {.port = BROWSER_PORT};
    memcpy(addr.ip, browser_prefix, sizeof browser_prefix);
    for (size_t i = sizeof addr.ip; i > BROWSER_PREFIX_SIZE; id >>= 8)
        addr.ip[--i] = (uint8_t)id;
    return addr;
}

bool throng_addr_is_browser(const throng_addr *addr)
{
    return memcmp(addr->ip, browser_prefix, sizeof browser_prefix) == 0;
}

uint64_t throng_addr_browser_id(const throng_addr *addr)
{
    uint64_t id = 0;
    for (size_t i = BROWSER_PREFIX_SIZE; i < sizeof addr->ip; i++)
        id = id << 8 | addr->ip[i];
    return id;
}

throng_tag throng_hash_tag(const throng_hash *id)
{
    throng_tag tag = 0;
    for (size_t i = 0; i < sizeof tag; i++)
        tag = tag << 8 | id->bytes[i];
    return tag | THRONG_TAG_BIT;
}
