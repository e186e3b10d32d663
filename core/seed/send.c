/* What leaves next: control frames, then challenges, then content; all of it paid for out of the rate. */
#include "state.h"

#include <string.h>

/* False for a chunk that is not there to be sent (a hash page still being made). */
static bool write_body(const seed_object *object, uint32_t chunk, throng_datagram *ret)
{
    const throng_geometry *g = &object->geometry;
    if (chunk < g->data_chunks) {
        ret->body = NULL;
        ret->content = object->content;
        ret->body_offset = (uint64_t)chunk * g->chunk_size;
        ret->body_size = (uint16_t)throng_geometry_chunk_bytes(g, chunk);
        return true;
    }
    const uint8_t *bytes;
    size_t size;
    if (!object->hashes || throng_hashes_page(object->hashes, throng_geometry_unit_of(g, chunk), &bytes, &size) < 0)
        return false;
    ret->body = bytes;
    ret->content = NULL;
    ret->body_offset = 0;
    ret->body_size = (uint16_t)size;
    return true;
}

static bool next_chunk(throng_seed *seed, throng_time now, throng_datagram *ret)
{
    for (seed_member *member; (member = throng_seed_turns_next(seed)) != NULL;) {
        uint32_t chunk, request;
        if (!throng_seed_choose(seed, now, member, &chunk, &request)) {
            throng_seed_turns_forget(seed, member);
            continue;
        }
        const seed_object *object = member->object;
        bool written = write_body(object, chunk, ret);
        if (written) {
            throng_writer w = throng_writer_on(ret->head, sizeof ret->head);
            throng_data_encode(&w, object->tag, request, chunk);
            ret->head_size = (uint16_t)throng_writer_size(&w);
            ret->to = member->client->addr;
            seed->stats.content_bytes += ret->body_size;
        }
        throng_seed_turns_served(seed, member);
        if (written)
            return true;
    }
    return false;
}

static uint32_t cost_of(const throng_datagram *datagram)
{
    uint32_t headers = throng_addr_is_ipv4(&datagram->to) ? NETWORK_HEADERS_IPV4 : NETWORK_HEADERS_IPV6;
    return headers + THRONG_SEAL_OVERHEAD + datagram->head_size + datagram->body_size;
}

/* Control goes first, up to its share of the rate; beyond that it takes turns with content, or a crowd in which
 * everybody asks for more than there is (manifests, fresh peers) would leave nothing of the line to give. */
static bool next_control(throng_seed *seed, throng_time now, throng_datagram *ret)
{
    if (!throng_seed_pace_allows(&seed->control_pace, now) || !throng_seed_control_next(seed, now, ret))
        return false;
    throng_seed_pace_spend(&seed->control_pace, cost_of(ret));
    return true;
}

static bool next_challenge(throng_seed *seed, throng_time now, throng_datagram *ret)
{
    if (!throng_seed_challenge_next(seed, now, ret))
        return false;
    throng_seed_pace_spend(&seed->challenge_pace, cost_of(ret));
    return true;
}

bool throng_seed_poll_send(throng_seed *seed, throng_time now, throng_datagram *ret)
{
    if (!throng_seed_pace_allows(&seed->pace, now))
        return false;
    if (!next_control(seed, now, ret) && !next_challenge(seed, now, ret) && !next_chunk(seed, now, ret) &&
        !throng_seed_control_next(seed, now, ret))
        return false;
    throng_seed_pace_spend(&seed->pace, cost_of(ret));
    seed->stats.sent_bytes += cost_of(ret);
    return true;
}

static throng_time sooner(throng_time a, throng_time b)
{
    return a < b ? a : b;
}

throng_time throng_seed_next_deadline(const throng_seed *seed)
{
    throng_time deadline = THRONG_NEVER;
    if (seed->silent)
        deadline = seed->silent->heard + seed->config.peer_silence;
    if (seed->controls_count > 0 || seed->heap_count > 0)
        return sooner(deadline, throng_seed_pace_next(&seed->pace));
    if (seed->challenges_count > 0) {
        throng_time challenge = throng_seed_pace_next(&seed->challenge_pace);
        throng_time any = throng_seed_pace_next(&seed->pace);
        deadline = sooner(deadline, challenge > any ? challenge : any);
    }
    return deadline;
}
