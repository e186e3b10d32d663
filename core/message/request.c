/* REQUEST: tag of the object | varint request | varint any | chunk set: have | chunk set: want */
#include "message.h"

void throng_request_encode(throng_writer *w, throng_tag object, uint32_t request, uint32_t any,
                           const throng_intervals *have, uint32_t intervals_max, const throng_interval *want,
                           uint32_t want_count)
{
    throng_write_u8(w, THRONG_FRAME_REQUEST);
    throng_write_tag(w, object);
    throng_write_varint(w, request);
    throng_write_varint(w, any);
    if (have)
        throng_chunk_set_encode(w, have, intervals_max);
    else
        throng_write_u8(w, 0);
    throng_chunk_set_encode_intervals(w, want, want_count);
}

int throng_request_decode(throng_request *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    ret->request = (uint32_t)throng_read_varint_max(r, UINT32_MAX);
    ret->any = (uint32_t)throng_read_varint_max(r, UINT32_MAX);
    if (throng_chunk_set_decode(&ret->have, r) < 0)
        return THRONG_ERR_MALFORMED;
    return throng_chunk_set_decode(&ret->want, r);
}
