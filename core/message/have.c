/* HAVE, FIRST HANDSHAKE: tag of the object | chunk set: what the sender has.
 * OFFER (the paper's FIRST HANDSHAKE REPLY): tag of the object | chunk set: what the sender can give and the asker
 * lacks. */
#include "message.h"

void throng_have_encode(throng_writer *w, throng_frame type, throng_tag object, const throng_intervals *have,
                        uint32_t intervals_max)
{
    throng_write_u8(w, (uint8_t)type);
    throng_write_tag(w, object);
    throng_chunk_set_encode(w, have, intervals_max);
}

void throng_offer_encode(throng_writer *w, throng_tag object, const throng_interval *offered, uint32_t count)
{
    throng_write_u8(w, THRONG_FRAME_OFFER);
    throng_write_tag(w, object);
    throng_chunk_set_encode_intervals(w, offered, count);
}

int throng_have_decode(throng_have *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    return throng_chunk_set_decode(&ret->have, r);
}
