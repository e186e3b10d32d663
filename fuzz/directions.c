/* Directions out of any text: what decodes must encode to the very same text, so that one URI has one meaning. */
#include <stdlib.h>
#include <string.h>

#include <throng/directions.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    throng_directions directions;
    if (throng_directions_decode(&directions, (const char *)data, size) < 0)
        return 0;
    char uri[THRONG_DIRECTIONS_URI_MAX];
    int length = throng_directions_encode(&directions, uri, sizeof uri);
    if (length < 0 || (size_t)length != size || memcmp(uri, data, size) != 0)
        abort();
    return 0;
}
