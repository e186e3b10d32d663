/* A bounded text being written: what would pass its end is left out, and `full` says so. */
#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct text_out {
    char *bytes; /* always NUL-terminated, size_max > 0 */
    size_t size;
    size_t size_max;
    bool full;
} text_out;

text_out text_on(char *bytes, size_t size_max);
__attribute__((format(printf, 2, 3))) void text_add(text_out *t, const char *format, ...);
/* As a JSON string, quotes included (RFC 8259 section 7). */
void text_add_json(text_out *t, const char *value);

#endif
