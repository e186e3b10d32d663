/* Traits out of the value of a header field: what decodes must encode to what decodes to the same, and nothing in it
 * may lie beyond what lists are made with. */
#include <stdlib.h>
#include <string.h>

#include <throng/traits.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    throng_traits traits, again;
    char text[THRONG_TRAITS_TEXT_MAX];
    memset(&traits, 0, sizeof traits);
    memset(&again, 0, sizeof again);
    if (throng_traits_from_text(&traits, (const char *)data, size) < 0)
        return 0;
    if (traits.bandwidth > THRONG_BANDWIDTH_MAX)
        abort();
    size_t length = throng_traits_to_text(&traits, text);
    if (length >= sizeof text || throng_traits_from_text(&again, text, length) != 0)
        abort();
    if (memcmp(traits.delays, again.delays, sizeof again.delays) != 0 || traits.bandwidth != again.bandwidth ||
        traits.landmarks != again.landmarks)
        abort();
    return 0;
}
