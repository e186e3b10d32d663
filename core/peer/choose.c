/* Which chunks to ask a neighbour for. */
#include "peer.h"

static uint32_t greater(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The next interval, from `at` on, of what is to do and the neighbour has. */
static bool next_candidate(const throng_link *link, uint32_t at, throng_interval *ret)
{
    throng_interval todo, held;
    while (throng_intervals_at_or_after(link->object->todo, at, &todo)) {
        todo.first = greater(todo.first, at);
        if (link->all) {
            *ret = todo;
            return true;
        }
        if (!throng_holdings_next(&link->have, todo.first, UINT32_MAX, &held))
            return false;
        *ret = (throng_interval){held.first, least(todo.end, held.end)};
        if (ret->first < ret->end)
            return true;
        at = held.first;
    }
    return false;
}

/* Pages on the way to a unit's hash, not yet here, that this neighbour has: to be asked for first. */
static void want_pages(throng_node *node, const throng_link *link, uint32_t unit, throng_choice *choice)
{
    throng_object *object = link->object;
    uint32_t page, first, end;
    while (object->hashes && throng_hashes_page_of(object->hashes, unit, &page) == 0) {
        throng_geometry_unit_chunks(&object->geometry, page, &first, &end);
        if (throng_object_stored(object, first) || choice->pages_count == PAGES_MAX)
            return;
        if (throng_intervals_contains(object->todo, first) && throng_link_has(link, first) &&
            throng_unit_open(node, object, page) && throng_intervals_remove(object->todo, first, end) == 0)
            choice->pages[choice->pages_count++] = first;
        unit = page;
    }
}

/* Takes [first, end) of one unit into the choice. False when the unit can't be opened or the choice is full. */
static bool take(throng_node *node, const throng_link *link, uint32_t first, uint32_t end, throng_choice *choice)
{
    throng_object *object = link->object;
    uint32_t unit = throng_geometry_unit_of(&object->geometry, first);
    throng_interval *last = choice->intervals_count ? &choice->intervals[choice->intervals_count - 1] : NULL;
    bool joins = last && last->end == first;
    if (!joins && choice->intervals_count == CHOICE_MAX)
        return false;
    bool begun = throng_unit_find(object, unit) != NULL;
    if (!throng_unit_open(node, object, unit) || throng_intervals_remove(object->todo, first, end) < 0)
        return false;
    if (!begun)
        want_pages(node, link, unit, choice);
    if (joins)
        last->end = end;
    else
        choice->intervals[choice->intervals_count++] = (throng_interval){first, end};
    choice->chunks += end - first;
    return true;
}

static void sort_intervals(throng_choice *choice)
{
    for (uint32_t i = 1; i < choice->intervals_count; i++) {
        throng_interval moved = choice->intervals[i];
        uint32_t at = i;
        for (; at > 0 && choice->intervals[at - 1].first > moved.first; at--)
            choice->intervals[at] = choice->intervals[at - 1];
        choice->intervals[at] = moved;
    }
}

/* --- by rarity ------------------------------------------------------------------------------------------ */

typedef struct ranked {
    uint32_t rank; /* lower is better */
    uint32_t chunk;
} ranked;

/* What the host needs first comes first. Then units already begun, the fuller the sooner, because only a whole unit can
 * be checked, told and given; then the chunk that fewest neighbours hold, or most while the seeder gives, which has the
 * rarest at heart itself; then units in an order of this node's own, so that a unit is begun as a whole and nodes begin
 * with different ones. */
static uint32_t rank_of(const throng_node *node, const throng_object *object, uint32_t chunk)
{
    uint32_t number = throng_geometry_unit_of(&object->geometry, chunk);
    const throng_unit *unit = throng_unit_find(object, number);
    uint32_t begun = 31;
    if (unit) {
        uint32_t got = 0;
        for (uint32_t bits = unit->got; bits; bits &= bits - 1)
            got++;
        begun = 16 - got;
    }
    uint32_t order = (uint32_t)((number ^ node->cookie_key[0]) * 2654435761u + node->cookie_key[1] * 40503u) >> 21;
    uint32_t holders = object->holders[chunk], later = !throng_object_prefers(object, chunk);
    if (throng_gifts_flow(node, object))
        holders = UINT8_MAX - holders;
    return later << 25 | begun << 20 | holders << 11 | order;
}

static void rank_insert(ranked *best, uint32_t *count, uint32_t most, ranked one)
{
    if (*count == most && best[most - 1].rank <= one.rank)
        return;
    uint32_t at = *count < most ? (*count)++ : most - 1;
    for (; at > 0 && best[at - 1].rank > one.rank; at--)
        best[at] = best[at - 1];
    best[at] = one;
}

enum { RANKED_MAX = 32 };

static void choose_by_rarity(throng_node *node, throng_link *link, uint32_t count, throng_choice *choice)
{
    ranked best[RANKED_MAX];
    uint32_t found = 0;
    throng_interval candidates;
    for (uint32_t at = 0; next_candidate(link, at, &candidates); at = candidates.end)
        for (uint32_t chunk = candidates.first; chunk < candidates.end; chunk++)
            if (!throng_gift_coming(node, link->object, chunk))
                rank_insert(best, &found, count, (ranked){rank_of(node, link->object, chunk), chunk});
    for (uint32_t i = 0; i < found; i++)
        (void)take(node, link, best[i].chunk, best[i].chunk + 1, choice);
    sort_intervals(choice);
}

/* --- in runs -------------------------------------------------------------------------------------------- */

/* From `from` up to `until`: candidates one after another, whole units where possible. */
static void take_runs(throng_node *node, throng_link *link, uint32_t from, uint32_t until, uint32_t count,
                      throng_choice *choice)
{
    throng_interval run;
    for (uint32_t at = from; choice->chunks < count && next_candidate(link, at, &run) && run.first < until;) {
        uint32_t first, end;
        throng_geometry_unit_chunks(&link->object->geometry,
                                    throng_geometry_unit_of(&link->object->geometry, run.first), &first, &end);
        end = least(end, least(run.end, run.first + (count - choice->chunks)));
        if (!take(node, link, run.first, end, choice))
            return;
        at = end;
    }
}

/* What is to do in units already begun: chunks that were lost, refused or spoilt. */
static void finish_begun(throng_node *node, throng_link *link, uint32_t count, throng_choice *choice)
{
    throng_object *object = link->object;
    throng_interval todo;
    if (throng_intervals_count(object->todo) <= 1 && object->units_open < node->config.units_open_max)
        return; /* one run: nothing fell back into it */
    for (uint32_t i = 0; i < object->units_capacity && choice->chunks < count; i++) {
        const throng_unit *unit = object->units[i];
        if (unit && throng_intervals_at_or_after(object->todo, unit->first, &todo) && todo.first < unit->end)
            take_runs(node, link, unit->first, unit->end, count, choice);
    }
}

static void choose_in_runs(throng_node *node, throng_link *link, uint32_t count, throng_choice *choice)
{
    throng_object *object = link->object;
    take_runs(node, link, object->preferred.first, object->preferred.end, count, choice);
    finish_begun(node, link, count, choice);
    /* Alone with one source, in order, as a disk and a reader like it; in a crowd from anywhere, so that what
     * neighbours have differs. */
    uint32_t chunks = object->geometry.data_chunks;
    uint32_t from = 0;
    if (node->neighbours_count > 1 && chunks > 0)
        from = throng_node_random_below(node, chunks) / object->geometry.metachunk_chunks *
               object->geometry.metachunk_chunks;
    take_runs(node, link, from, object->geometry.chunks, count, choice);
    take_runs(node, link, 0, from, count, choice);
    sort_intervals(choice);
}

void throng_choose_preferred(throng_node *node, throng_link *link, uint32_t count, throng_choice *ret)
{
    const throng_object *object = link->object;
    uint32_t end = object->preferred.end;
    ret->intervals_count = ret->pages_count = ret->chunks = 0;
    for (uint32_t at = object->preferred.first; at < end && ret->chunks < count && !link->nothing;) {
        uint32_t from = at;
        while (at < end && throng_object_is_nobodys(node, object, at))
            at++;
        take_runs(node, link, from, at, count, ret);
        at += at < end;
    }
}

void throng_choose(throng_node *node, throng_neighbour *neighbour, throng_link *link, uint32_t count,
                   throng_choice *ret)
{
    ret->intervals_count = ret->pages_count = ret->chunks = 0;
    if (link->nothing || count == 0)
        return;
    if (throng_object_is_small(link->object) && count <= RANKED_MAX)
        choose_by_rarity(node, link, count, ret);
    else
        choose_in_runs(node, link, count, ret);
}

/* --- the end -------------------------------------------------------------------------------------------- */

static uint32_t flights_of(const throng_node *node, const throng_object *object, uint32_t chunk)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < node->neighbours_count; i++)
        found += throng_flight_find(node->neighbours[i], object, chunk) != NULL;
    return found;
}

/* Neighbours on slow lines take their time. */
static throng_time late_after(const throng_node *node, const throng_neighbour *asked)
{
    throng_time usual = 3 * (throng_time)asked->rtt / 2;
    return usual > node->config.endgame_after ? usual : node->config.endgame_after;
}

static void add_late(throng_node *node, throng_link *link, const throng_flight *flight, throng_time late_after,
                     uint32_t count, throng_choice *choice)
{
    if (choice->chunks == count || choice->intervals_count == CHOICE_MAX || !flight->object ||
        flight->object != link->object->serial || throng_flight_age(node, flight) < late_after ||
        throng_object_stored(link->object, flight->chunk) || !throng_link_has(link, flight->chunk) ||
        flights_of(node, link->object, flight->chunk) > 1)
        return;
    choice->intervals[choice->intervals_count++] = (throng_interval){flight->chunk, flight->chunk + 1};
    choice->chunks++;
}

void throng_choose_again(throng_node *node, throng_neighbour *neighbour, throng_link *link, uint32_t count,
                         throng_choice *ret)
{
    ret->intervals_count = ret->pages_count = ret->chunks = 0;
    if (link->nothing)
        return;
    for (uint32_t i = 0; i < node->neighbours_count; i++) {
        throng_neighbour *other = node->neighbours[i];
        for (uint32_t k = 0; other != neighbour && k < other->flights_count; k++)
            add_late(node, link, &other->flights[(other->flights_head + k) & (other->flights_capacity - 1)],
                     late_after(node, other), count, ret);
    }
    sort_intervals(ret);
    /* Ascending and apart is what the wire wants. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ret->intervals_count; i++) {
        if (kept > 0 && ret->intervals[kept - 1].end >= ret->intervals[i].end)
            continue;
        if (kept > 0 && ret->intervals[kept - 1].end == ret->intervals[i].first)
            ret->intervals[kept - 1].end = ret->intervals[i].end;
        else
            ret->intervals[kept++] = ret->intervals[i];
    }
    ret->intervals_count = kept;
}
