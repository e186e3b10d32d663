/* Whom to name to whom. Members of an object stand in a list by when they joined; those who joined lately are at its
 * head. Naming goes round each of the two parts with a cursor, stepping at random while there are plenty, so that
 * everyone is named as often as the next and no two lists are alike. */
#include "state.h"

enum { STEP_MAX = 3 };

void throng_seed_directory_enter(seed_member *member)
{
    seed_object *object = member->object;
    member->older = object->newest;
    member->newer = NULL;
    *(member->older ? &member->older->newer : &object->oldest) = member;
    object->newest = member;
    member->fresh = true;
    if (object->fresh_count++ == 0)
        object->fresh_oldest = member;
    object->members_count++;
}

static void no_longer_fresh(seed_object *object)
{
    seed_member *member = object->fresh_oldest;
    if (object->fresh_cursor == member)
        object->fresh_cursor = NULL;
    member->fresh = false;
    object->fresh_oldest = --object->fresh_count > 0 ? member->newer : NULL;
}

void throng_seed_directory_leave(seed_member *member)
{
    seed_object *object = member->object;
    if (object->fresh_cursor == member)
        object->fresh_cursor = member->older && member->older->fresh ? member->older : NULL;
    if (object->stale_cursor == member)
        object->stale_cursor = member->older;
    if (object->fresh_oldest == member)
        no_longer_fresh(object);
    else if (member->fresh)
        object->fresh_count--;
    *(member->newer ? &member->newer->older : &object->newest) = member->older;
    *(member->older ? &member->older->newer : &object->oldest) = member->newer;
    object->members_count--;
}

static void age(throng_seed *seed, throng_time now, seed_object *object)
{
    while (object->fresh_count > 0 && now - object->fresh_oldest->joined > seed->config.peer_fresh)
        no_longer_fresh(object);
}

/* The first of the older part of the list. */
static seed_member *first_stale(const seed_object *object)
{
    return object->fresh_count > 0 ? object->fresh_oldest->older : object->newest;
}

/* One part of the list as a ring. */
typedef struct ring {
    seed_member **cursor;
    seed_member *first;
    uint32_t count;
    bool fresh;
} ring;

static seed_member *ring_next(const ring *part, const seed_member *member)
{
    return member->older && member->older->fresh == part->fresh ? member->older : part->first;
}

static uint32_t pick_from(throng_seed *seed, ring *part, const seed_client *but, bool browsers, throng_addr *ret,
                          uint32_t max)
{
    if (part->count == 0 || max == 0)
        return 0;
    seed_member *at = *part->cursor ? *part->cursor : part->first;
    uint32_t picked = 0, passed = 0;
    bool plenty = part->count > (uint64_t)max * (STEP_MAX + 1);
    while (picked < max && passed < part->count) {
        for (uint32_t i = plenty ? throng_seed_random_below(seed, STEP_MAX) : 0; i > 0; i--, passed++)
            at = ring_next(part, at);
        if (at->client != but && throng_addr_is_browser(&at->client->addr) == browsers)
            ret[picked++] = at->client->addr;
        at = ring_next(part, at);
        passed++;
    }
    *part->cursor = at;
    return picked;
}

uint32_t throng_seed_directory_pick(throng_seed *seed, throng_time now, seed_object *object, const seed_client *but,
                                    bool browsers, throng_addr *ret, uint32_t max)
{
    age(seed, now, object);
    ring fresh = {&object->fresh_cursor, object->newest, object->fresh_count, true};
    ring stale = {&object->stale_cursor, first_stale(object), object->members_count - object->fresh_count, false};
    uint32_t picked = pick_from(seed, &fresh, but, browsers, ret, max);
    return picked + pick_from(seed, &stale, but, browsers, ret + picked, max - picked);
}

static uint32_t peers_of_kind(throng_seed *seed, throng_time now, const throng_hash *id, bool browsers,
                              throng_addr *ret, uint32_t max)
{
    seed_object *object = throng_seed_object_find(seed, throng_hash_tag(id));
    if (!object)
        return 0;
    return throng_seed_directory_pick(seed, now, object, NULL, browsers, ret, max);
}

uint32_t throng_seed_peers(throng_seed *seed, throng_time now, const throng_hash *id, throng_addr *ret, uint32_t max)
{
    return peers_of_kind(seed, now, id, false, ret, max);
}

uint32_t throng_seed_browsers(throng_seed *seed, throng_time now, const throng_hash *id, throng_addr *ret, uint32_t max)
{
    return peers_of_kind(seed, now, id, true, ret, max);
}
