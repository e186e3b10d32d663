/* JOIN: tag of the object | 12 token | u8 flags (1: staying) | chunk set */
#include "message.h"

#include <string.h>

enum { FLAG_STAYING = 1 };

void throng_join_encode(throng_writer *w, throng_tag object, const throng_token *token, bool staying,
                        const throng_intervals *have, uint32_t intervals_max)
{
    throng_write_u8(w, THRONG_FRAME_JOIN);
    throng_write_tag(w, object);
    throng_write_bytes(w, token->bytes, sizeof token->bytes);
    throng_write_u8(w, staying ? FLAG_STAYING : 0);
    throng_chunk_set_encode(w, have, intervals_max);
}

int throng_join_decode(throng_join *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    const uint8_t *token = throng_read_bytes(r, sizeof ret->token.bytes);
    uint8_t flags = throng_read_u8(r);
    if (r->failed || (flags & ~FLAG_STAYING) != 0)
        return THRONG_ERR_MALFORMED;
    memcpy(ret->token.bytes, token, sizeof ret->token.bytes);
    ret->staying = (flags & FLAG_STAYING) != 0;
    return throng_chunk_set_decode(&ret->have, r);
}
