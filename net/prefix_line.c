#include "prefix_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_MAX = 64, IPV4_AT = 96 };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* 1 to 10 digits, nothing behind them. */
static bool read_number(const char *text, size_t size, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    if (size == 0 || size > 10)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *ret = value;
    return value <= max;
}

static bool is_clean(const throng_prefix *p)
{
    for (uint32_t bit = p->length; bit < 128; bit++)
        if ((p->ip[bit / 8] & 0x80 >> bit % 8) != 0)
            return false;
    return true;
}

static const char *read_prefix(const char *text, size_t size, throng_prefix *ret)
{
    char address[FIELD_MAX];
    const char *slash = memchr(text, '/', size);
    uint64_t length;
    if (slash == NULL || (size_t)(slash - text) >= sizeof address)
        return "no prefix as ADDRESS/LENGTH";
    size_t address_size = (size_t)(slash - text);
    memcpy(address, text, address_size);
    address[address_size] = '\0';
    bool ipv6 = memchr(address, ':', address_size) != NULL;
    memset(ret->ip, 0, sizeof ret->ip);
    ret->ip[10] = ret->ip[11] = ipv6 ? 0 : 0xff;
    if (inet_pton(ipv6 ? AF_INET6 : AF_INET, address, ret->ip + (ipv6 ? 0 : 12)) != 1)
        return "no address before the slash";
    if (!read_number(slash + 1, size - address_size - 1, ipv6 ? 128 : 32, &length))
        return ipv6 ? "the length of a prefix is 0 to 128" : "the length of a prefix is 0 to 32";
    ret->length = (uint8_t)(ipv6 ? length : IPV4_AT + length);
    return is_clean(ret) ? NULL : "the address has bits behind the prefix's length";
}

/* "64500", "AS64500", or of a set, "{64500,64501}" or "64500_64501", the first. */
static const char *read_as(const char *text, size_t size, uint32_t *ret)
{
    uint64_t as;
    if (size > 0 && text[0] == '{') {
        text++;
        size--;
    }
    if (size > 2 && (text[0] == 'A' || text[0] == 'a') && (text[1] == 'S' || text[1] == 's')) {
        text += 2;
        size -= 2;
    }
    size_t digits = 0;
    while (digits < size && text[digits] >= '0' && text[digits] <= '9')
        digits++;
    if (digits < size && strchr(",_}", text[digits]) == NULL)
        return "no number of an AS";
    if (!read_number(text, digits, UINT32_MAX, &as))
        return "no number of an AS";
    *ret = (uint32_t)as;
    return NULL;
}

/* TABLE_DUMP2|time|B|peer|peer's AS|prefix|path|… as `bgpdump -m` writes it. */
static const char *read_bgpdump(const char *line, throng_prefix *ret)
{
    enum { PREFIX = 5, PATH = 6 };
    const char *field = line, *what = "fewer than seven fields";
    for (int i = 0; i <= PATH; i++) {
        const char *end = strchr(field, '|');
        if (end == NULL)
            return what;
        size_t size = (size_t)(end - field);
        if (i == PREFIX && (what = read_prefix(field, size, ret)) != NULL)
            return what;
        if (i == PATH) {
            size_t start = size;
            while (start > 0 && field[start - 1] != ' ')
                start--;
            return read_as(field + start, size - start, &ret->as);
        }
        field = end + 1;
    }
    return what;
}

static const char *read_pair(const char *line, throng_prefix *ret)
{
    size_t prefix = strcspn(line, " \t\r");
    const char *as = line + prefix + strspn(line + prefix, " \t\r");
    size_t as_size = strcspn(as, " \t\r#;");
    const char *rest = as + as_size + strspn(as + as_size, " \t\r");
    const char *what = read_prefix(line, prefix, ret);
    if (what == NULL)
        what = read_as(as, as_size, &ret->as);
    if (what == NULL && *rest != '\0' && *rest != '#' && *rest != ';')
        what = "more than a prefix and an AS";
    return what;
}

int throng_prefix_line(const char *line, throng_prefix *ret, const char **ret_what)
{
    throng_prefix prefix;
    while (is_space(*line))
        line++;
    if (*line == '\0' || *line == '#' || *line == ';')
        return 0;
    const char *what = strncmp(line, "TABLE_DUMP", 10) == 0 ? read_bgpdump(line, &prefix) : read_pair(line, &prefix);
    if (what != NULL) {
        *ret_what = what;
        return THRONG_ERR_MALFORMED;
    }
    *ret = prefix;
    return 1;
}
