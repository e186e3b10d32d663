#include "base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t throng_base64url_length(size_t size)
{
    return size / 3 * 4 + (size % 3 == 0 ? 0 : size % 3 + 1);
}

void throng_base64url_encode(char *text, const uint8_t *bytes, size_t size)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            *text++ = alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *text = alphabet[bits << (6 - held) & 63];
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int throng_base64url_decode(uint8_t *bytes, size_t size_max, const char *text, size_t length)
{
    size_t size = length / 4 * 3 + (length % 4 == 0 ? 0 : length % 4 - 1);
    if (length % 4 == 1 || size > size_max)
        return THRONG_ERR_MALFORMED;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < length; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return THRONG_ERR_MALFORMED;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *bytes++ = (uint8_t)(bits >> held);
        }
    }
    bool left_over = (bits & ((1u << held) - 1)) != 0;
    return left_over ? THRONG_ERR_MALFORMED : (int)size;
}
