/* A block of HTTP header lines, "Name: value\r\n" each: the form in which a manifest keeps them. */
#ifndef SERVER_HEADERS_H
#define SERVER_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct headers_view {
    const char *text;
    size_t size;
} headers_view;

typedef struct headers_line {
    const char *name;
    size_t name_size;
    const char *value; /* without white space around it */
    size_t value_size;
} headers_line;

/* The line at *offset, which moves on. False at the end, and at a line that is none. */
bool headers_next(headers_view block, size_t *offset, headers_line *ret);
/* Appends one line. False, and nothing written, when it would pass size_max or holds a control character. */
bool headers_append(char *text, size_t *size, size_t size_max, const char *name, const char *value);
/* The first value by that name, case aside. */
bool headers_find(headers_view block, const char *name, headers_line *ret);
bool headers_name_is(const headers_line *line, const char *name);

/* Walks a comma-separated list (RFC 9110 section 5.6.1), such as Cache-Control: `name` and, after a "=", `argument`
 * without its quotes. Start with *offset 0. */
typedef struct headers_item {
    const char *name;
    size_t name_size;
    const char *argument; /* NULL: none */
    size_t argument_size;
} headers_item;
bool headers_list_next(const char *value, size_t value_size, size_t *offset, headers_item *ret);
bool headers_item_is(const headers_item *item, const char *name);

#endif
