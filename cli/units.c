#include "units.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, tolower((unsigned char)c));
    return at == NULL ? -1 : (int)(at - digits);
}

bool throng_hex_parse(const char *text, uint8_t *ret, size_t size)
{
    if (strlen(text) != size * 2) {
        return false;
    }
    for (size_t i = 0; i < size * 2; i++) {
        if (hex_digit(text[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < size; i++) {
        ret[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    }
    return true;
}

void throng_hex_format(const uint8_t *bytes, size_t size, char *ret)
{
    for (size_t i = 0; i < size; i++) {
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
    }
    ret[2 * size] = '\0';
}

void throng_size_format(uint64_t bytes, char ret[static 8])
{
    const char *units = "KMGTPE";
    if (bytes < 1024) {
        snprintf(ret, 8, "%" PRIu64, bytes);
        return;
    }
    double value = (double)bytes / 1024;
    while (value >= 1023.5 && units[1] != '\0') {
        value /= 1024;
        units++;
    }
    snprintf(ret, 8, value < 9.95 ? "%.1f%c" : "%.0f%c", value, *units);
}

void throng_duration_format(uint64_t seconds, char ret[static 16])
{
    unsigned s = (unsigned)(seconds % 60);
    unsigned m = (unsigned)(seconds / 60 % 60);
    unsigned long long h = (unsigned long long)(seconds / 3600);
    if (seconds == UINT64_MAX || h > 9999) {
        snprintf(ret, 16, "--:--");
    } else if (h > 0) {
        snprintf(ret, 16, "%llu:%02u:%02u", h, m, s);
    } else {
        snprintf(ret, 16, "%u:%02u", m, s);
    }
}
