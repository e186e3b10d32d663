/* Lines of a file of prefixes, any bytes; and a table made of what they tell: every prefix of it is found again, as
 * itself or as one inside of it. */
#include <stdlib.h>
#include <string.h>

#include "net/memory.h"
#include "net/prefix_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PREFIXES_MAX = 64 };

static int compare(const void *a, const void *b)
{
    return throng_prefix_compare(a, b);
}

static size_t read_lines(const uint8_t *data, size_t size, throng_prefix *ret)
{
    size_t count = 0;
    while (size > 0 && count < PREFIXES_MAX) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        const char *what = NULL;
        char *line = malloc(length + 1); /* of exactly its size, so that reading past its end shows */
        if (line == NULL)
            abort();
        memcpy(line, data, length);
        line[length] = '\0';
        int found = throng_prefix_line(line, &ret[count], &what);
        if ((found < 0) != (what != NULL))
            abort();
        count += found == 1;
        free(line);
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    throng_prefix prefixes[PREFIXES_MAX];
    throng_alloc heap = throng_heap();
    throng_prefixes table;
    void *memory;
    size_t count = read_lines(data, size, prefixes), table_size;
    qsort(prefixes, count, sizeof *prefixes, compare);
    if (throng_prefixes_build(&memory, &table_size, prefixes, count, &heap) != 0 ||
        throng_prefixes_attach(&table, memory, table_size) != 0)
        abort();
    for (size_t i = 0; i < count; i++) {
        int32_t found = throng_prefixes_find(&table, prefixes[i].ip);
        if (found < 0 || (size_t)found >= count || prefixes[found].length < prefixes[i].length)
            abort();
    }
    free(memory);
    return 0;
}
