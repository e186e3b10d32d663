/* Who was sent elsewhere for an object a while ago and comes back for it: a hint, kept in a small table. */
#include <string.h>

#include "../directions/siphash.h"
#include "layout.h"

bool throng_board_returns(throng_board *board, throng_time now, throng_tag object, const uint8_t ip[16])
{
    board_header *head = board_head(board);
    uint8_t bytes[16 + sizeof object];
    memcpy(bytes, ip, 16);
    memcpy(bytes + 16, &object, sizeof object);
    uint64_t hash = throng_siphash(head->secrets.url_key, bytes, sizeof bytes);
    board_word *place = &head->returns[hash % BOARD_RETURNS];
    uint64_t old = board_get(place);
    uint32_t now_ms = (uint32_t)(now / THRONG_MS);

    if (old >> 32 == hash >> 32 && now_ms - (uint32_t)old < THRONG_BOARD_RETURN / THRONG_MS)
        return true;
    board_put(place, hash >> 32 << 32 | now_ms);
    return false;
}
