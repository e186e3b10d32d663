/* Whose turn it is: a heap of the members who ask, the one who was given least on top. A turn lasts for a metachunk, or
 * more at high rates, so that what is given completes something that may be forwarded, leaves in batches, and costs
 * little to choose. Someone in the middle of a unit comes back where it left off in the order. */
#include "state.h"

bool throng_seed_member_asks(const seed_member *member)
{
    return member->wants_at < member->wants_count || member->any_left > 0;
}

static void put(throng_seed *seed, uint32_t at, seed_member *member)
{
    seed->heap[at] = member;
    member->heap_at = at;
}

static void sift_up(throng_seed *seed, uint32_t at, seed_member *member)
{
    for (; at > 1 && seed->heap[at / 2]->turn_key > member->turn_key; at /= 2)
        put(seed, at, seed->heap[at / 2]);
    put(seed, at, member);
}

static void sift_down(throng_seed *seed, uint32_t at, seed_member *member)
{
    for (uint32_t child = 2 * at; child <= seed->heap_count; child = 2 * at) {
        if (child < seed->heap_count && seed->heap[child + 1]->turn_key < seed->heap[child]->turn_key)
            child++;
        if (seed->heap[child]->turn_key >= member->turn_key)
            break;
        put(seed, at, seed->heap[child]);
        at = child;
    }
    put(seed, at, member);
}

static void leave(throng_seed *seed, seed_member *member)
{
    uint32_t at = member->heap_at;
    seed_member *last = seed->heap[seed->heap_count--];
    member->heap_at = 0;
    if (last == member)
        return;
    if (at > 1 && seed->heap[at / 2]->turn_key > last->turn_key)
        sift_up(seed, at, last);
    else
        sift_down(seed, at, last);
}

static uint64_t key_of(const seed_member *member)
{
    uint32_t of_run = member->run_given < TURN_CHUNKS_MIN ? member->run_given : TURN_CHUNKS_MIN;
    return member->given - (member->run_missing != 0 ? of_run : 0);
}

/* Who has not asked for long, or is new, counts as having been given almost as much as the others: it comes before
 * them, and does not keep them waiting until it has caught up. */
static void level_up(const throng_seed *seed, seed_member *member)
{
    uint64_t floor = seed->level > LAG_CHUNKS_MAX ? seed->level - LAG_CHUNKS_MAX : 0;
    if (member->given < floor)
        member->given = floor;
}

static void count_asked(throng_seed *seed, seed_member *member, uint32_t asked)
{
    seed->asked += asked;
    seed->asked -= member->asked;
    member->asked = asked;
}

static int enter(throng_seed *seed, seed_member *member)
{
    if (seed->heap_count + 1 >= seed->heap_capacity) {
        int error = throng_seed_widen(seed, (void **)&seed->heap, &seed->heap_capacity, sizeof(seed_member *), 16,
                                      UINT32_MAX / 2);
        if (error < 0)
            return error;
    }
    level_up(seed, member);
    member->turn_key = key_of(member);
    sift_up(seed, ++seed->heap_count, member);
    return 0;
}

int throng_seed_turns_update(throng_seed *seed, seed_member *member)
{
    bool asks = throng_seed_member_asks(member);
    if (!asks) {
        throng_seed_turns_forget(seed, member);
        return 0;
    }
    int error = member->heap_at == 0 ? enter(seed, member) : 0;
    if (error == 0)
        count_asked(seed, member, member->wants_chunks + member->any_left);
    return error;
}

void throng_seed_turns_forget(throng_seed *seed, seed_member *member)
{
    if (seed->turn == member)
        seed->turn = NULL;
    if (member->heap_at != 0)
        leave(seed, member);
    count_asked(seed, member, 0);
}

static uint32_t turn_length(const throng_seed *seed)
{
    uint64_t in_a_millisecond = seed->pace.rate_bps / 8 / 1000 / THRONG_DATAGRAM_MAX;
    if (in_a_millisecond > TURN_CHUNKS_MAX)
        return TURN_CHUNKS_MAX;
    return in_a_millisecond > TURN_CHUNKS_MIN ? (uint32_t)in_a_millisecond : TURN_CHUNKS_MIN;
}

seed_member *throng_seed_turns_next(throng_seed *seed)
{
    if (seed->turn && seed->turn_left > 0)
        return seed->turn;
    if (seed->turn) {
        seed->turn->turn_key = key_of(seed->turn);
        sift_down(seed, seed->turn->heap_at, seed->turn);
        seed->turn = NULL;
    }
    if (seed->heap_count == 0)
        return NULL;
    seed->turn = seed->heap[1];
    seed->turn_left = turn_length(seed);
    if (seed->turn->turn_key > seed->level)
        seed->level = seed->turn->turn_key;
    return seed->turn;
}

void throng_seed_turns_served(throng_seed *seed, seed_member *member)
{
    member->given++;
    seed->turn_left--;
    bool run_ended = member->run_missing == 0 && member->run_given > 0;
    if (run_ended) {
        member->run_given = 0;
        if (member->wants_at == member->wants_count && seed->turn_left < TURN_CHUNKS_MIN)
            seed->turn_left = 0;
    }
    if (throng_seed_member_asks(member))
        count_asked(seed, member, member->wants_chunks + member->any_left);
    else
        throng_seed_turns_forget(seed, member);
}

/* An upper bound, without looking at each of the others: a turn for everyone who asks, or all that they ask for, if
 * that is less. Nobody comes before whom was given least. */
throng_time throng_seed_turns_wait(const throng_seed *seed, const seed_member *member)
{
    uint32_t others = seed->heap_count - (member->heap_at != 0);
    if (others == 0 || seed->turn == member)
        return 0;
    uint64_t floor = seed->level > LAG_CHUNKS_MAX ? seed->level - LAG_CHUNKS_MAX : 0;
    uint64_t key = member->given > floor ? member->given : floor;
    if (key < seed->heap[1]->turn_key)
        return 0;
    if (seed->pace.rate_bps == 0)
        return THRONG_NEVER;
    uint64_t chunks = (uint64_t)others * TURN_CHUNKS_MIN;
    if (chunks > seed->asked - member->asked)
        chunks = seed->asked - member->asked;
    return chunks * DATAGRAM_COST_MAX * 8 * THRONG_SECOND / seed->pace.rate_bps;
}
