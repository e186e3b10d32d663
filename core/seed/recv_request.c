/* REQUEST, with its three meanings (message.h):
 *   named chunks are added to those that this member waits for, each once, and sent in the order asked;
 *   a number of chunks of our choice is all that may be on its way at once, gifts already sent and not told of
 * included, so that a request said again asks for nothing more; a number among named ones is the first of them that it
 * lacks. */
#include "state.h"

enum { WAIT_MS_MIN = 20, WAIT_MS_MAX = 2000 };

static bool is_empty(const throng_chunk_set *set)
{
    throng_chunk_walk walk = throng_chunk_set_walk(set);
    throng_interval interval;
    return !throng_chunk_walk_next(&walk, &interval);
}

static void refuse(throng_seed *seed, const seed_member *member, uint32_t request, throng_time wait)
{
    /* Back a little before its turn, that the line does not fall idle. */
    uint64_t wait_ms = (wait - BUSY_AFTER) / THRONG_MS;
    if (wait_ms < WAIT_MS_MIN)
        wait_ms = WAIT_MS_MIN;
    throng_busy busy = {
        .object = member->object->tag,
        .request = request,
        .wait_ms = wait_ms < WAIT_MS_MAX ? (uint32_t)wait_ms : WAIT_MS_MAX,
    };
    uint8_t bytes[32];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_busy_encode(&w, &busy);
    throng_seed_control_bytes(seed, &member->client->addr, busy.object, &w);
    seed->stats.requests_refused++;
}

/* Named chunks: all, or the first `most` that it lacks. */
static bool take_named(throng_seed *seed, seed_member *member, const throng_request *request, uint32_t most)
{
    const throng_geometry *g = &member->object->geometry;
    throng_chunk_walk walk = throng_chunk_set_walk(&request->want);
    throng_interval interval;
    bool whole = true;
    while (most > 0 && throng_chunk_walk_next(&walk, &interval)) {
        uint32_t end = interval.end < g->chunks ? interval.end : g->chunks;
        if (interval.first >= end)
            continue;
        if (end - interval.first > most)
            end = interval.first + most;
        most -= end - interval.first;
        whole = throng_seed_want(seed, member, interval.first, end, request->request) && whole;
    }
    return whole;
}

static int want_named(throng_seed *seed, seed_member *member, const throng_request *request)
{
    throng_time wait = throng_seed_turns_wait(seed, member);
    if (wait > BUSY_AFTER) {
        refuse(seed, member, request->request, wait);
        return 0;
    }
    bool whole = take_named(seed, member, request, request->any > 0 ? request->any : UINT32_MAX);
    if (!whole)
        refuse(seed, member, request->request, 2 * BUSY_AFTER);
    return throng_seed_turns_update(seed, member);
}

static void notice_progress(throng_time now, seed_member *member, const throng_chunk_set *have)
{
    throng_chunk_walk walk = throng_chunk_set_walk(have);
    throng_interval interval;
    uint32_t told = 0;
    while (throng_chunk_walk_next(&walk, &interval))
        told += interval.end - interval.first;
    if (told > member->told_chunks + member->gifted_chunks) {
        member->progress = now;
        member->alms = member->alms_doubled = 0;
    }
    if (told > member->told_chunks) {
        member->told_chunks = told;
        member->gifted_chunks = 0;
    }
}

static int want_any(throng_seed *seed, throng_time now, seed_member *member, const throng_request *request)
{
    notice_progress(now, member, &request->have);
    int on_their_way = throng_seed_holdings_replace(seed, now, member, &request->have);
    if (on_their_way < 0)
        return on_their_way;
    uint32_t any = request->any < seed->config.peer_window_max ? request->any : seed->config.peer_window_max;
    member->any_left = any > (uint32_t)on_their_way ? any - (uint32_t)on_their_way : 0;
    member->any_request = request->request;
    return throng_seed_turns_update(seed, member);
}

int throng_seed_recv_request(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_request request;
    if (throng_request_decode(&request, r) < 0)
        return THRONG_ERR_MALFORMED;
    seed_object *object = throng_seed_object_find(seed, request.object);
    if (!object) {
        throng_seed_tell_no_file(seed, arrival->from, request.object);
        return 0;
    }
    seed_member *member;
    int error = throng_seed_member_get(seed, arrival->now, arrival->client, object, &member);
    if (error < 0)
        return error;
    bool named = !is_empty(&request.want);
    if (!named && request.any > 0)
        return want_any(seed, arrival->now, member, &request);
    if (!named) {
        /* Nothing wanted any more. */
        member->any_left = 0;
        throng_seed_wants_clear(member);
        return throng_seed_turns_update(seed, member);
    }
    error = throng_seed_holdings_add(seed, member, &request.have);
    return error < 0 ? error : want_named(seed, member, &request);
}
