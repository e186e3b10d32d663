/* Lines of an access log, any bytes: what is told of one lies in it, and the time is one that can be written. */
#include <stdlib.h>
#include <string.h>

#include "report/access_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const char *line, size_t size, const char *text, size_t text_size)
{
    if (text < line || text > line + size || text_size > (size_t)(line + size - text))
        abort();
}

static void read_line(const uint8_t *data, size_t size)
{
    report_request r;
    const char *what = NULL;
    char *line = malloc(size > 0 ? size : 1); /* of exactly its size, so that reading past its end shows */
    if (line == NULL)
        abort();
    memcpy(line, data, size);
    int result = report_access_line(line, size, &r, &what);
    if (result > 1 || (result < 0) != (what != NULL))
        abort();
    if (result == 1) {
        check_inside(line, size, r.client, r.client_size);
        check_inside(line, size, r.method, r.method_size);
        check_inside(line, size, r.url, r.url_size);
        if (r.client_size == 0 || (r.method_size == 0) != (r.url_size == 0) || r.status < 100 || r.status > 999 ||
            r.time_s > UINT64_C(4102531200))
            abort();
    }
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        read_line(data, length);
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
    return 0;
}
