/* NO_FILE ("I have nothing of it") and SEEK ("name me a neighbour"): tag of the object. BYE ("I leave now"): nothing.
 * CHALLENGE and ANSWER: u64 cookie. */
#include "message.h"

void throng_tag_frame_encode(throng_writer *w, throng_frame type, throng_tag object)
{
    throng_write_u8(w, (uint8_t)type);
    throng_write_tag(w, object);
}

int throng_tag_frame_decode(throng_tag *ret, throng_reader *r)
{
    *ret = throng_read_tag(r);
    return r->failed ? THRONG_ERR_MALFORMED : 0;
}

void throng_bye_encode(throng_writer *w)
{
    throng_write_u8(w, THRONG_FRAME_BYE);
}

void throng_cookie_encode(throng_writer *w, throng_frame type, uint64_t cookie)
{
    throng_write_u8(w, (uint8_t)type);
    throng_write_u64(w, cookie);
}

int throng_cookie_decode(uint64_t *ret, throng_reader *r)
{
    *ret = throng_read_u64(r);
    return r->failed ? THRONG_ERR_MALFORMED : 0;
}

/* TIME: u16 sent_ms | u16 echo_ms */
void throng_time_encode(throng_writer *w, const throng_time_frame *time)
{
    throng_write_u8(w, THRONG_FRAME_TIME);
    throng_write_u16(w, time->sent_ms);
    throng_write_u16(w, time->echo_ms);
}

int throng_time_decode(throng_time_frame *ret, throng_reader *r)
{
    ret->sent_ms = throng_read_u16(r);
    ret->echo_ms = throng_read_u16(r);
    return r->failed ? THRONG_ERR_MALFORMED : 0;
}
