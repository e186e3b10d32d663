#include "units.h"

#include <inttypes.h>
#include <stdio.h>

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
