#include "text.h"

#include <stdarg.h>
#include <stdio.h>

text_out text_on(char *bytes, size_t size_max)
{
    bytes[0] = '\0';
    return (text_out){bytes, 0, size_max, false};
}

void text_add(text_out *t, const char *format, ...)
{
    if (t->full)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->bytes + t->size, t->size_max - t->size, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= t->size_max - t->size) {
        t->bytes[t->size] = '\0';
        t->full = true;
    } else {
        t->size += (size_t)n;
    }
}

void text_add_json(text_out *t, const char *value)
{
    text_add(t, "\"");
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\')
            text_add(t, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            text_add(t, "\\u%04x", (unsigned)c);
        else
            text_add(t, "%c", c);
    }
    text_add(t, "\"");
}
