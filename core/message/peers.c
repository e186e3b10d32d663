/* PEERS (docs/PROTOCOL.md): neighbours recommended in answer to SEEK.
 *   tag of the object | varint n | n addresses */
#include "message.h"

static void encode_list(throng_writer *w, const throng_peers *peers)
{
    throng_write_varint(w, peers->count);
    for (uint32_t i = 0; i < peers->count; i++)
        throng_addr_encode(w, &peers->addrs[i]);
}

static int decode_list(throng_peers *ret, throng_reader *r)
{
    ret->count = (uint32_t)throng_read_varint_max(r, THRONG_PEERS_MAX);
    for (uint32_t i = 0; i < ret->count; i++)
        if (throng_addr_decode(&ret->addrs[i], r) < 0)
            return THRONG_ERR_MALFORMED;
    return r->failed ? THRONG_ERR_MALFORMED : 0;
}

void throng_peers_encode(throng_writer *w, const throng_peers *peers)
{
    throng_write_u8(w, THRONG_FRAME_PEERS);
    throng_write_tag(w, peers->object);
    encode_list(w, peers);
}

int throng_peers_decode(throng_peers *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    return decode_list(ret, r);
}

/* WELCOME: the seeder's answer to JOIN.
 *   tag of the object | observed address | varint n | n addresses */
void throng_welcome_encode(throng_writer *w, const throng_welcome *welcome)
{
    throng_write_u8(w, THRONG_FRAME_WELCOME);
    throng_write_tag(w, welcome->peers.object);
    throng_addr_encode(w, &welcome->observed);
    encode_list(w, &welcome->peers);
}

int throng_welcome_decode(throng_welcome *ret, throng_reader *r)
{
    ret->peers.object = throng_read_tag(r);
    if (throng_addr_decode(&ret->observed, r) < 0)
        return THRONG_ERR_MALFORMED;
    return decode_list(&ret->peers, r);
}

/* INTRODUCE: tag of the object | address of the newcomer */
void throng_introduce_encode(throng_writer *w, const throng_introduce *introduce)
{
    throng_write_u8(w, THRONG_FRAME_INTRODUCE);
    throng_write_tag(w, introduce->object);
    throng_addr_encode(w, &introduce->newcomer);
}

int throng_introduce_decode(throng_introduce *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    return throng_addr_decode(&ret->newcomer, r);
}
