/* HAVE: what a member has by now, for those who say nothing else for a while; and the paper's FIRST HANDSHAKE, which
 * says the same and asks what the seeder can give: OFFER, the first intervals that the asker lacks. */
#include "state.h"

enum { OFFER_INTERVALS_MAX = 8 };

static int recv_holdings(throng_seed *seed, seed_arrival *arrival, throng_reader *r, throng_have *ret_have,
                         seed_member **ret_member)
{
    if (throng_have_decode(ret_have, r) < 0)
        return THRONG_ERR_MALFORMED;
    seed_object *object = throng_seed_object_find(seed, ret_have->object);
    *ret_member = NULL;
    if (!object) {
        throng_seed_tell_no_file(seed, arrival->from, ret_have->object);
        return 0;
    }
    int error = throng_seed_member_get(seed, arrival->now, arrival->client, object, ret_member);
    return error < 0 ? error : throng_seed_holdings_add(seed, *ret_member, &ret_have->have);
}

int throng_seed_recv_have(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_have have;
    seed_member *member;
    return recv_holdings(seed, arrival, r, &have, &member);
}

static uint32_t gaps_of(const throng_chunk_set *set, uint32_t chunks, throng_interval *ret, uint32_t max)
{
    throng_chunk_walk walk = throng_chunk_set_walk(set);
    throng_interval held;
    uint32_t count = 0, at = 0;
    while (count < max && at < chunks) {
        if (!throng_chunk_walk_next(&walk, &held))
            held = (throng_interval){chunks, chunks};
        uint32_t end = held.first < chunks ? held.first : chunks;
        if (end > at)
            ret[count++] = (throng_interval){at, end};
        at = held.end;
    }
    return count;
}

int throng_seed_recv_first_handshake(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_have have;
    seed_member *member;
    int error = recv_holdings(seed, arrival, r, &have, &member);
    if (error < 0 || !member)
        return error;
    throng_interval offered[OFFER_INTERVALS_MAX];
    uint32_t count = gaps_of(&have.have, member->object->geometry.chunks, offered, OFFER_INTERVALS_MAX);
    uint8_t bytes[CONTROL_BYTES_MAX];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_offer_encode(&w, have.object, offered, count);
    throng_seed_control_bytes(seed, arrival->from, have.object, &w);
    return 0;
}
