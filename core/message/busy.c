/* BUSY: tag of the object | varint request | varint wait_ms */
#include "message.h"

enum { WAIT_MS_MAX = 60000 };

void throng_busy_encode(throng_writer *w, const throng_busy *busy)
{
    throng_write_u8(w, THRONG_FRAME_BUSY);
    throng_write_tag(w, busy->object);
    throng_write_varint(w, busy->request);
    throng_write_varint(w, busy->wait_ms < WAIT_MS_MAX ? busy->wait_ms : WAIT_MS_MAX);
}

int throng_busy_decode(throng_busy *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    ret->request = (uint32_t)throng_read_varint_max(r, UINT32_MAX);
    ret->wait_ms = (uint32_t)throng_read_varint_max(r, WAIT_MS_MAX);
    return r->failed ? THRONG_ERR_MALFORMED : 0;
}
