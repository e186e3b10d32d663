/* Which chunk a member gets: those that it named, in the order asked; otherwise what is missing of the unit begun for
 * it; otherwise of the rarest unit that it lacks. */
#include "state.h"

#include <string.h>

enum {
    BROWSER_COPIES = 2,        /* browsers that hold something are enough to give it */
    BROWSER_SMALL_CHUNKS = 64, /* objects up to here everyone is given at once */
    BROWSER_ALMS = 16,         /* chunks for who lacks what they hold … */
    BROWSER_ALMS_DOUBLED = 6,  /* … twice as many each time, so often at the most */
};
/* … after so long in which they gave nothing. */
#define BROWSER_PATIENCE (1 * THRONG_SECOND)

static uint32_t lowest_bit(uint32_t bits)
{
    uint32_t at = 0;
    while (!(bits >> at & 1))
        at++;
    return at;
}

/* Looks at the units from the least held on, in each group from its first: groups lie one before the other in `order`.
 */
static bool rarest_lacking(const seed_member *member, uint32_t holders_max, uint32_t *ret_unit)
{
    const seed_object *object = member->object;
    uint32_t end = object->units;
    while (end > 0 && object->holders[object->order[end - 1]] <= holders_max) {
        uint32_t start = object->fewer[object->holders[object->order[end - 1]]];
        for (uint32_t i = start; i < end; i++) {
            if (throng_seed_holdings_missing(member, object->order[i]) != 0) {
                *ret_unit = object->order[i];
                return true;
            }
        }
        end = start;
    }
    return false;
}

/* All others hold all of it, or were given it. Whom they might give it to is one: that makes no crowd, and perhaps they
 * have given their share. */
static bool alone_lacks(const seed_member *member)
{
    const seed_object *object = member->object;
    return object->holders[object->order[object->units - 1]] + 1 >= object->members_count;
}

static bool is_left_to_others(const seed_member *member)
{
    return throng_addr_is_browser(&member->client->addr) &&
           member->object->geometry.data_chunks > BROWSER_SMALL_CHUNKS && !alone_lacks(member);
}

/* Browsers stay while their page is read, and give on what they have. What enough of them hold a newcomer gets from
 * them. Who is given nothing for a while gets a little, and more each time: at the speed of a fast line it would have
 * the whole object before the others' first chunk, and each newcomer of a crowd likewise. So the server's part stays
 * about the same, however many come. */
static bool unit_for(seed_member *member, throng_time now, uint32_t *ret_unit)
{
    if (!is_left_to_others(member))
        return rarest_lacking(member, UINT32_MAX, ret_unit);
    if (rarest_lacking(member, BROWSER_COPIES - 1, ret_unit))
        return true;
    if (now < member->progress + BROWSER_PATIENCE)
        return false;
    if (member->alms >= (uint32_t)BROWSER_ALMS << member->alms_doubled) {
        member->alms = 0;
        member->alms_doubled += member->alms_doubled < BROWSER_ALMS_DOUBLED;
        member->progress = now;
        return false;
    }
    if (!rarest_lacking(member, UINT32_MAX, ret_unit))
        return false;
    member->alms += 1u << member->object->unit_log2;
    return true;
}

static bool begin_run(seed_member *member, throng_time now)
{
    uint32_t unit;
    if (!member->held || !unit_for(member, now, &unit))
        return false;
    member->run_unit = unit;
    member->run_missing = throng_seed_holdings_missing(member, unit);
    member->run_at = 0;
    member->run_given = 0;
    throng_seed_holdings_promise(member, unit);
    return true;
}

static uint32_t next_of_run(seed_member *member)
{
    const seed_object *object = member->object;
    uint32_t granule = lowest_bit(member->run_missing);
    uint32_t first = (member->run_unit << object->unit_log2) + (granule << object->granule_log2);
    uint32_t chunk = first + member->run_at++;
    if (member->run_at == 1u << object->granule_log2 || chunk + 1 == object->geometry.chunks) {
        member->run_missing &= ~(1u << granule);
        member->run_at = 0;
    }
    member->run_given++;
    return chunk;
}

static uint32_t next_of_wants(seed_member *member, uint32_t *ret_request)
{
    seed_want *want = &member->wants[member->wants_at];
    uint32_t chunk = want->first++;
    *ret_request = want->request;
    member->wants_chunks--;
    if (want->first == want->end && ++member->wants_at == member->wants_count)
        member->wants_at = member->wants_count = 0;
    return chunk;
}

bool throng_seed_choose(throng_seed *seed, throng_time now, seed_member *member, uint32_t *ret_chunk,
                        uint32_t *ret_request)
{
    if (member->wants_at < member->wants_count) {
        *ret_chunk = next_of_wants(member, ret_request);
        return true;
    }
    if (member->any_left == 0 || (member->run_missing == 0 && !begin_run(member, now))) {
        member->any_left = 0;
        return false;
    }
    member->any_left--;
    member->gifted_chunks++;
    *ret_chunk = next_of_run(member);
    *ret_request = member->any_request;
    throng_seed_holdings_gave(seed, now, member, *ret_chunk);
    return true;
}

static bool add_want(throng_seed *seed, seed_member *member, uint32_t first, uint32_t end, uint32_t request)
{
    uint32_t room = seed->config.peer_window_max - member->wants_chunks;
    bool whole = end - first <= room;
    if (!whole)
        end = first + room;
    if (first == end)
        return whole;
    if (member->wants_count == member->wants_capacity && member->wants_at > 0) {
        member->wants_count -= member->wants_at;
        memmove(member->wants, member->wants + member->wants_at, member->wants_count * sizeof *member->wants);
        member->wants_at = 0;
    }
    if (member->wants_count == member->wants_capacity &&
        throng_seed_widen(seed, (void **)&member->wants, &member->wants_capacity, sizeof *member->wants, 4, WANTS_MAX) <
            0)
        return false;
    member->wants[member->wants_count++] = (seed_want){.first = first, .end = end, .request = request};
    member->wants_chunks += end - first;
    return whole;
}

/* The first of the waiting intervals to touch [first, end), by position. */
static const seed_want *waiting_in(const seed_member *member, uint32_t first, uint32_t end)
{
    const seed_want *found = NULL;
    for (uint32_t i = member->wants_at; i < member->wants_count; i++) {
        const seed_want *want = &member->wants[i];
        if (want->first < end && want->end > first && (!found || want->first < found->first))
            found = want;
    }
    return found;
}

bool throng_seed_want(throng_seed *seed, seed_member *member, uint32_t first, uint32_t end, uint32_t request)
{
    bool whole = true;
    while (first < end) {
        const seed_want *waiting = waiting_in(member, first, end);
        uint32_t stop = waiting ? (waiting->first > first ? waiting->first : first) : end;
        uint32_t resume = waiting ? waiting->end : end;
        if (stop > first)
            whole = add_want(seed, member, first, stop, request) && whole;
        first = resume;
    }
    return whole;
}

void throng_seed_wants_clear(seed_member *member)
{
    member->wants_at = member->wants_count = member->wants_chunks = 0;
}
