/* DATA: tag of the object | varint request (0: unasked) | varint chunk | body to the end of the payload */
#include "message.h"

void throng_data_encode(throng_writer *w, throng_tag object, uint32_t request, uint32_t chunk)
{
    throng_write_u8(w, THRONG_FRAME_DATA);
    throng_write_tag(w, object);
    throng_write_varint(w, request);
    throng_write_varint(w, chunk);
}

int throng_data_decode(throng_data *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    ret->request = (uint32_t)throng_read_varint_max(r, UINT32_MAX);
    ret->chunk = (uint32_t)throng_read_varint_max(r, UINT32_MAX - 1);
    ret->body_size = throng_reader_left(r);
    ret->body = throng_read_bytes(r, ret->body_size);
    return r->failed || ret->body_size == 0 ? THRONG_ERR_MALFORMED : 0;
}
