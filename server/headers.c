#include "headers.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **text, size_t *size)
{
    while (*size > 0 && is_blank(**text)) {
        (*text)++;
        (*size)--;
    }
    while (*size > 0 && is_blank((*text)[*size - 1]))
        (*size)--;
}

bool headers_next(headers_view block, size_t *offset, headers_line *ret)
{
    const char *at = block.text + *offset;
    size_t left = block.size - *offset;
    const char *end = left > 0 ? memchr(at, '\r', left) : NULL;
    if (end == NULL || (size_t)(end - at) + 1 >= left || end[1] != '\n')
        return false;
    const char *colon = memchr(at, ':', (size_t)(end - at));
    if (colon == NULL || colon == at)
        return false;
    headers_line line = {at, (size_t)(colon - at), colon + 1, (size_t)(end - colon - 1)};
    trim(&line.value, &line.value_size);
    *offset += (size_t)(end - at) + 2;
    *ret = line;
    return true;
}

static bool is_clean(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool headers_append(char *text, size_t *size, size_t size_max, const char *name, const char *value)
{
    size_t name_size = strlen(name);
    size_t value_size = strlen(value);
    if (name_size == 0 || !is_clean(name) || !is_clean(value))
        return false;
    if (name_size > size_max || value_size > size_max || *size + name_size + value_size + 4 > size_max)
        return false;
    char *at = text + *size;
    memcpy(at, name, name_size);
    memcpy(at + name_size, ": ", 2);
    memcpy(at + name_size + 2, value, value_size);
    memcpy(at + name_size + 2 + value_size, "\r\n", 2);
    *size += name_size + value_size + 4;
    return true;
}

bool headers_name_is(const headers_line *line, const char *name)
{
    return strlen(name) == line->name_size && strncasecmp(line->name, name, line->name_size) == 0;
}

bool headers_find(headers_view block, const char *name, headers_line *ret)
{
    size_t offset = 0;
    headers_line line;
    while (headers_next(block, &offset, &line)) {
        if (headers_name_is(&line, name)) {
            *ret = line;
            return true;
        }
    }
    return false;
}

/* One past the item that starts at `at`: the next comma outside quotes, or the end. */
static size_t item_end(const char *value, size_t value_size, size_t at)
{
    bool quoted = false;
    for (; at < value_size; at++) {
        if (quoted && value[at] == '\\' && at + 1 < value_size)
            at++;
        else if (value[at] == '"')
            quoted = !quoted;
        else if (value[at] == ',' && !quoted)
            break;
    }
    return at;
}

bool headers_list_next(const char *value, size_t value_size, size_t *offset, headers_item *ret)
{
    while (*offset < value_size) {
        const char *text = value + *offset;
        size_t end = item_end(value, value_size, *offset);
        size_t size = end - *offset;
        *offset = end + 1;
        trim(&text, &size);
        if (size == 0)
            continue;
        headers_item item = {text, size, NULL, 0};
        const char *equals = memchr(text, '=', size);
        if (equals != NULL) {
            item.name_size = (size_t)(equals - text);
            item.argument = equals + 1;
            item.argument_size = size - item.name_size - 1;
            if (item.argument_size >= 2 && item.argument[0] == '"' && item.argument[item.argument_size - 1] == '"') {
                item.argument++;
                item.argument_size -= 2;
            }
        }
        *ret = item;
        return true;
    }
    return false;
}

bool headers_item_is(const headers_item *item, const char *name)
{
    return strlen(name) == item->name_size && strncasecmp(item->name, name, item->name_size) == 0;
}
