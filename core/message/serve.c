/* SERVE ("I have all of it, and serve it by HTTP at this port of the address that you hear me from"): tag of the object
 * | u16 port | u8 flags (1: tell me the key). SERVED: tag of the object | 16 key | u32 the seeder's clock, Unix
 * seconds. */
#include "message.h"

#include <string.h>

enum { FLAG_ASKS_KEY = 1 };

void throng_serve_encode(throng_writer *w, const throng_serve *serve)
{
    throng_write_u8(w, THRONG_FRAME_SERVE);
    throng_write_tag(w, serve->object);
    throng_write_u16(w, serve->port);
    throng_write_u8(w, serve->asks_key ? FLAG_ASKS_KEY : 0);
}

int throng_serve_decode(throng_serve *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    ret->port = throng_read_u16(r);
    uint8_t flags = throng_read_u8(r);
    if (r->failed || ret->port == 0 || (flags & ~FLAG_ASKS_KEY) != 0)
        return THRONG_ERR_MALFORMED;
    ret->asks_key = (flags & FLAG_ASKS_KEY) != 0;
    return 0;
}

void throng_served_encode(throng_writer *w, const throng_served *served)
{
    throng_write_u8(w, THRONG_FRAME_SERVED);
    throng_write_tag(w, served->object);
    throng_write_bytes(w, served->key, sizeof served->key);
    throng_write_u32(w, served->now_unix_s);
}

int throng_served_decode(throng_served *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    const uint8_t *key = throng_read_bytes(r, sizeof ret->key);
    ret->now_unix_s = throng_read_u32(r);
    if (r->failed)
        return THRONG_ERR_MALFORMED;
    memcpy(ret->key, key, sizeof ret->key);
    return 0;
}
