/* What a member has, a bit for each granule, and what it was given of the seeder's own choice and has not told of yet.
 *
 * A bit is set for what it told, what is on its way to it, and what its current run promises. Nothing told of a gift
 * for twice the time that gifts usually take to be heard of means that it was lost: its bits are cleared at the next
 * request, and it may be given again. */
#include "state.h"

#include <string.h>

#define RTT_FIRST (100 * THRONG_MS)
#define LOST_AFTER_MIN (50 * THRONG_MS)
#define LOST_AFTER_MAX (2 * THRONG_SECOND)
#define LOST_AFTER_BROWSER (5 * THRONG_SECOND)

static uint32_t words_of(const seed_object *object)
{
    return (object->granules + 63) / 64;
}

static uint32_t granules_a_unit(const seed_object *object)
{
    return 1u << (object->unit_log2 - object->granule_log2);
}

static uint32_t bits_of_unit(const seed_object *object, const uint64_t *bits, uint32_t unit)
{
    uint32_t first = unit * granules_a_unit(object);
    uint32_t mask = (uint32_t)((1u << granules_a_unit(object)) - 1);
    return (uint32_t)(bits[first / 64] >> (first % 64)) & mask;
}

static bool unit_is_full(const seed_object *object, const uint64_t *bits, uint32_t unit)
{
    return bits_of_unit(object, bits, unit) == (1u << granules_a_unit(object)) - 1;
}

static bool has(const uint64_t *bits, uint32_t granule)
{
    return bits[granule / 64] >> (granule % 64) & 1;
}

static void set_range(uint64_t *bits, uint32_t first, uint32_t end)
{
    for (uint32_t at = first; at < end;) {
        uint32_t next = (at / 64 + 1) * 64 < end ? (at / 64 + 1) * 64 : end;
        uint64_t mask = next - at == 64 ? UINT64_MAX : (((uint64_t)1 << (next - at)) - 1) << (at % 64);
        bits[at / 64] |= mask;
        at = next;
    }
}

/* The granules that chunks [first, end) cover wholly. */
static void set_chunks(const seed_object *object, uint64_t *bits, uint32_t first, uint32_t end)
{
    uint64_t granule = (uint64_t)1 << object->granule_log2;
    if (end > object->geometry.chunks)
        end = object->geometry.chunks;
    if (first >= end)
        return;
    uint32_t from = (uint32_t)((first + granule - 1) >> object->granule_log2);
    uint32_t to = end == object->geometry.chunks ? object->granules : end >> object->granule_log2;
    set_range(bits, from, to);
}

static void set_told(const seed_object *object, uint64_t *bits, const throng_chunk_set *set)
{
    throng_chunk_walk walk = throng_chunk_set_walk(set);
    throng_interval interval;
    while (throng_chunk_walk_next(&walk, &interval))
        set_chunks(object, bits, interval.first, interval.end);
}

/* Bits past the last granule are always set, so that the last unit can be full. */
static int make_held(throng_seed *seed, seed_member *member)
{
    const seed_object *object = member->object;
    if (member->held || object->granules == 0)
        return 0;
    member->held = throng_seed_take(seed, words_of(object) * sizeof *member->held);
    if (!member->held)
        return THRONG_ERR_NO_MEMORY;
    set_range(member->held, object->granules, words_of(object) * 64);
    return 0;
}

/* Takes over `bits`, and counts the units that thereby became full or ceased to be. */
static void become(seed_member *member, const uint64_t *bits)
{
    seed_object *object = member->object;
    uint32_t units_a_word = 64 / granules_a_unit(object);
    for (uint32_t word = 0; word < words_of(object); word++) {
        if (member->held[word] == bits[word])
            continue;
        for (uint32_t unit = word * units_a_word; unit < (word + 1) * units_a_word && unit < object->units; unit++) {
            bool was = unit_is_full(object, member->held, unit), is = unit_is_full(object, bits, unit);
            if (is && !was)
                throng_seed_rarity_add(object, unit);
            else if (was && !is)
                throng_seed_rarity_take(object, unit);
        }
    }
    memcpy(member->held, bits, words_of(object) * sizeof *bits);
}

int throng_seed_holdings_add(throng_seed *seed, seed_member *member, const throng_chunk_set *set)
{
    const seed_object *object = member->object;
    int error = make_held(seed, member);
    if (error < 0 || object->granules == 0)
        return error;
    memcpy(seed->scratch, member->held, words_of(object) * sizeof *seed->scratch);
    set_told(object, seed->scratch, set);
    become(member, seed->scratch);
    return 0;
}

static void sample_rtt(seed_member *member, throng_time sample)
{
    member->rtt = member->rtt == 0 ? sample : member->rtt - member->rtt / 8 + sample / 8;
}

/* What goes to a browser goes through its WebSocket, which loses nothing but may hold it back for seconds. */
static throng_time lost_after(const seed_member *member)
{
    if (throng_addr_is_browser(&member->client->addr))
        return LOST_AFTER_BROWSER;
    throng_time after = 2 * (member->rtt == 0 ? RTT_FIRST : member->rtt) + LOST_AFTER_MIN;
    return after < LOST_AFTER_MAX ? after : LOST_AFTER_MAX;
}

static uint32_t chunks_not_told(const seed_object *object, const uint64_t *told, const seed_gift *gift)
{
    uint32_t count = 0;
    for (uint32_t chunk = gift->first; chunk < gift->end; chunk++)
        count += !has(told, chunk >> object->granule_log2);
    return count;
}

/* Drops gifts that arrived or were lost, marks the others in `bits`, and returns how many chunks they are. */
static uint32_t review_gifts(throng_time now, seed_member *member, const uint64_t *told, uint64_t *bits)
{
    const seed_object *object = member->object;
    uint32_t kept = 0, on_their_way = 0;
    throng_time newest_arrived = THRONG_NEVER;
    for (uint32_t i = 0; i < member->gifts_count; i++) {
        seed_gift gift = member->gifts[i];
        uint32_t missing = chunks_not_told(object, told, &gift);
        if (missing == 0)
            newest_arrived = now - gift.at;
        if (missing == 0 || now - gift.at > lost_after(member))
            continue;
        on_their_way += missing;
        set_range(bits, gift.first >> object->granule_log2, ((gift.end - 1) >> object->granule_log2) + 1);
        member->gifts[kept++] = gift;
    }
    member->gifts_count = kept;
    if (newest_arrived != THRONG_NEVER)
        sample_rtt(member, newest_arrived);
    return on_their_way;
}

/* What of the current run it has by now from elsewhere need not be given; the rest stays promised. */
static void review_run(seed_member *member, const uint64_t *told, uint64_t *bits)
{
    if (member->run_missing == 0)
        return;
    const seed_object *object = member->object;
    uint32_t first = member->run_unit * granules_a_unit(object);
    uint32_t begun = member->run_missing & (0 - member->run_missing);
    member->run_missing &= ~bits_of_unit(object, told, member->run_unit);
    if (!(member->run_missing & begun))
        member->run_at = 0;
    bits[first / 64] |= (uint64_t)member->run_missing << (first % 64);
}

int throng_seed_holdings_replace(throng_seed *seed, throng_time now, seed_member *member, const throng_chunk_set *set)
{
    const seed_object *object = member->object;
    int error = make_held(seed, member);
    if (error < 0 || object->granules == 0)
        return error;
    size_t size = words_of(object) * sizeof *seed->told;
    memset(seed->told, 0, size);
    set_range(seed->told, object->granules, words_of(object) * 64);
    set_told(object, seed->told, set);
    memcpy(seed->scratch, seed->told, size);
    uint32_t on_their_way = review_gifts(now, member, seed->told, seed->scratch);
    review_run(member, seed->told, seed->scratch);
    become(member, seed->scratch);
    return (int)on_their_way;
}

static bool continues(const seed_gift *gift, uint32_t chunk)
{
    return gift->end == chunk && chunk - gift->first < THRONG_METACHUNK_CHUNKS;
}

void throng_seed_holdings_gave(throng_seed *seed, throng_time now, seed_member *member, uint32_t chunk)
{
    seed_gift *last = member->gifts_count > 0 ? &member->gifts[member->gifts_count - 1] : NULL;
    if (last && continues(last, chunk)) {
        last->end = chunk + 1;
        last->at = now;
        return;
    }
    if (member->gifts_count == member->gifts_capacity &&
        throng_seed_widen(seed, (void **)&member->gifts, &member->gifts_capacity, sizeof *member->gifts, 4, GIFTS_MAX) <
            0) {
        /* No room to remember: the oldest counts as arrived or lost, whichever the next request says. */
        if (member->gifts_count == 0)
            return;
        member->gifts_count--;
        memmove(member->gifts, member->gifts + 1, member->gifts_count * sizeof *member->gifts);
    }
    member->gifts[member->gifts_count++] = (seed_gift){.at = now, .first = chunk, .end = chunk + 1};
}

uint32_t throng_seed_holdings_missing(const seed_member *member, uint32_t unit)
{
    uint32_t all = (1u << granules_a_unit(member->object)) - 1;
    return ~bits_of_unit(member->object, member->held, unit) & all;
}

void throng_seed_holdings_promise(seed_member *member, uint32_t unit)
{
    uint32_t first = unit * granules_a_unit(member->object);
    set_range(member->held, first, first + granules_a_unit(member->object));
    throng_seed_rarity_add(member->object, unit);
}

void throng_seed_holdings_free(throng_seed *seed, seed_member *member)
{
    seed_object *object = member->object;
    for (uint32_t unit = 0; member->held && unit < object->units; unit++)
        if (unit_is_full(object, member->held, unit))
            throng_seed_rarity_take(object, unit);
    throng_seed_give_back(seed, member->held, words_of(object) * sizeof *member->held);
    throng_seed_give_back(seed, member->gifts, member->gifts_capacity * sizeof *member->gifts);
}
