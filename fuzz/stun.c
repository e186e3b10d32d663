/* STUN out of any bytes: what passes for a request is answered within bounds, and with less than three times its size.
 */
#include <stdlib.h>
#include <string.h>

#include "net/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    throng_addr from = throng_addr_from_ipv4(192, 0, 2, 1, 5000);
    uint8_t answer[THRONG_STUN_ANSWER_MAX];
    uint8_t id[THRONG_STUN_ID_SIZE];
    if (throng_stun_is_answer(data, size, id) && memcmp(id, data + 8, sizeof id) != 0)
        abort();
    if (!throng_stun_is_request(data, size))
        return 0;
    if (throng_stun_answer(answer, data, &from) != 32 || memcmp(answer + 4, data + 4, 16) != 0)
        abort();
    from.ip[0] = 0x20;
    size_t longest = throng_stun_answer(answer, data, &from);
    if (longest != THRONG_STUN_ANSWER_MAX || longest > 3 * size)
        abort();
    return 0;
}
