#include "quantity.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Digits, at most one point, then one suffix letter or none. The value is whole * unit, and what the fraction adds. */
static int parse_scaled(const char *text, const char *suffixes, uint64_t step, uint64_t max, uint64_t *ret)
{
    uint64_t whole = 0, fraction = 0, divisor = 1, unit = 1;
    size_t digits = 0;
    for (; *text >= '0' && *text <= '9'; text++, digits++) {
        if (whole > max / 10)
            return THRONG_ERR_INVALID;
        whole = whole * 10 + (uint64_t)(*text - '0');
    }
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9' && divisor < 1000000; text++, digits++) {
            fraction = fraction * 10 + (uint64_t)(*text - '0');
            divisor *= 10;
        }
        if (divisor == 1)
            return THRONG_ERR_INVALID;
    }
    if (*text != '\0') {
        const char *suffix = strchr(suffixes, tolower((unsigned char)*text));
        if (suffix == NULL || text[1] != '\0')
            return THRONG_ERR_INVALID;
        for (const char *s = suffixes; s <= suffix; s++)
            unit *= step;
    }
    if (digits == 0 || whole > max / unit)
        return THRONG_ERR_INVALID;
    uint64_t added = unit / divisor * fraction + unit % divisor * fraction / divisor;
    if (whole * unit > max - added)
        return THRONG_ERR_INVALID;
    *ret = whole * unit + added;
    return 0;
}

int throng_parse_rate(const char *text, uint64_t *ret_bps)
{
    uint64_t bps;
    int error = parse_scaled(text, "kmg", 1000, 1000000000000u, &bps);
    if (error == 0 && bps == 0)
        error = THRONG_ERR_INVALID;
    if (error == 0)
        *ret_bps = bps;
    return error;
}

int throng_parse_size(const char *text, uint64_t *ret_bytes)
{
    return parse_scaled(text, "kmgt", 1024, (uint64_t)1 << 60, ret_bytes);
}

static int parse_port(const char *text, uint16_t *ret)
{
    uint32_t port = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return THRONG_ERR_INVALID;
    for (; *text != '\0'; text++)
        port = port * 10 + (uint32_t)(*text - '0');
    if (port == 0 || port > 65535)
        return THRONG_ERR_INVALID;
    *ret = (uint16_t)port;
    return 0;
}

static int parse_host(const char *host, size_t size, uint8_t ip[16])
{
    char text[INET6_ADDRSTRLEN];
    bool brackets = size >= 2 && host[0] == '[' && host[size - 1] == ']';
    if (brackets) {
        host++;
        size -= 2;
    }
    if (size >= sizeof(text))
        return THRONG_ERR_INVALID;
    memcpy(text, host, size);
    text[size] = '\0';
    memset(ip, 0, 16);
    if (brackets)
        return inet_pton(AF_INET6, text, ip) == 1 ? 0 : THRONG_ERR_INVALID;
    if (size == 0 || strcmp(text, "*") == 0 || strcmp(text, "0.0.0.0") == 0)
        return 0;
    memset(ip + 10, 0xff, 2);
    return inet_pton(AF_INET, text, ip + 12) == 1 ? 0 : THRONG_ERR_INVALID;
}

int throng_parse_listen(const char *text, throng_addr *ret)
{
    throng_addr addr;
    memset(&addr, 0, sizeof(addr));
    const char *colon = strrchr(text, ':');
    int error = 0;
    if (colon != NULL)
        error = parse_host(text, (size_t)(colon - text), addr.ip);
    if (error == 0)
        error = parse_port(colon != NULL ? colon + 1 : text, &addr.port);
    if (error == 0)
        *ret = addr;
    return error;
}

void throng_addr_text(const throng_addr *addr, char text[THRONG_ADDR_TEXT_MAX])
{
    static const uint8_t any[16];
    char ip[INET6_ADDRSTRLEN] = "";
    if (memcmp(addr->ip, any, sizeof(any)) == 0) {
        snprintf(text, THRONG_ADDR_TEXT_MAX, "0.0.0.0:%u", addr->port);
    } else if (throng_addr_is_ipv4(addr)) {
        inet_ntop(AF_INET, addr->ip + 12, ip, sizeof(ip));
        snprintf(text, THRONG_ADDR_TEXT_MAX, "%s:%u", ip, addr->port);
    } else {
        inet_ntop(AF_INET6, addr->ip, ip, sizeof(ip));
        snprintf(text, THRONG_ADDR_TEXT_MAX, "[%s]:%u", ip, addr->port);
    }
}
