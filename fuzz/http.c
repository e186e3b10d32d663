/* What HTTP peers take from clients' requests: a path, which must encode to itself again, and a Range. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <net/http_range.h>
#include <throng/http_path.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { OBJECT_SIZE = 1000 };

static void path(const char *text, size_t size)
{
    static const uint8_t key[THRONG_KEY_SIZE], ip[16];
    throng_http_path path;
    if (throng_http_path_decode(&path, text, size) < 0)
        return;
    CHECK(size == THRONG_HTTP_PATH_SIZE - 1);
    throng_tag tag = (throng_tag)path.object << 40;
    CHECK(throng_http_path_is_of(&path, tag) && !throng_http_path_is_of(&path, ~tag));
    (void)!throng_http_path_check(&path, key, tag, 0, 3600, ip);
}

static void range(const char *text, size_t size, uint64_t object_size)
{
    uint64_t first, end;
    if (throng_http_range(text, size, object_size, &first, &end) == THRONG_RANGE_PART)
        CHECK(first < end && end <= object_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of its very size, so that a sanitizer sees what is read beyond */
    CHECK(text != NULL);
    memcpy(text, data, size);
    path(text, size);
    range(text, size, 0);
    range(text, size, OBJECT_SIZE);
    range(text, size, UINT64_MAX);
    free(text);
    return 0;
}
