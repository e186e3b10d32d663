/* What the seed tells the directory, and asks of it: who may be named to whom is kept there alone. */
#include "state.h"

#include <string.h>

/* What is told no more often than this, of a client and of a member: others wait for neither. */
#define HEARD_EVERY (100 * THRONG_MS)
#define RENEW_EVERY THRONG_SECOND

int throng_seed_directory_open(throng_seed *seed)
{
    uint32_t objects_max = seed->config.objects_max;
    const throng_directory_limits limits = {.objects_max = objects_max,
                                            .peers_max = seed->config.peers_max,
                                            .holders_max = throng_directory_holders_default(objects_max)};
    seed->directory = seed->config.directory;
    if (seed->directory) {
        if (seed->directory->limits.objects_max < limits.objects_max ||
            seed->directory->limits.peers_max < limits.peers_max)
            return THRONG_ERR_INVALID;
    } else {
        seed->own_directory_size = throng_directory_size(&limits);
        void *memory = seed->own_directory_size > 0 ? throng_seed_take(seed, seed->own_directory_size) : NULL;
        if (!memory)
            return THRONG_ERR_NO_MEMORY;
        int error = throng_directory_open(&seed->own_directory, memory, &limits);
        if (error < 0)
            return error;
        seed->directory = &seed->own_directory;
        throng_directory_clear(seed->directory);
    }
    throng_directory_set_times(seed->directory, seed->config.peer_fresh, seed->config.peer_silence);
    return 0;
}

void throng_seed_directory_close(throng_seed *seed)
{
    throng_seed_give_back(seed, seed->own_directory.base, seed->own_directory_size);
}

static uint16_t near_of(const throng_seed *seed, const throng_addr *addr)
{
    if (!seed->networks)
        return 0;
    return throng_prefixes_network(seed->networks, throng_prefixes_find(seed->networks, addr->ip)).near;
}

int throng_seed_directory_add(throng_seed *seed, throng_time now, const throng_addr *addr, seed_client *client)
{
    client->place.near = near_of(seed, addr);
    client->listed_heard = now;
    return throng_directory_add_peer(seed->directory, now, addr, &client->place, &client->listed);
}

static throng_place place_of(const throng_seed *seed, uint16_t near, const throng_traits *traits)
{
    throng_place place = {.near = near, .bandwidth = traits->bandwidth};
    if (traits->landmarks == seed->landmarks.id && traits->landmarks != 0)
        memcpy(place.delays, traits->delays, sizeof place.delays);
    return place;
}

void throng_seed_directory_describe(throng_seed *seed, throng_time now, seed_client *client,
                                    const throng_traits *traits)
{
    throng_place place = place_of(seed, client->place.near, traits);
    if (place.bandwidth == client->place.bandwidth &&
        memcmp(place.delays, client->place.delays, sizeof place.delays) == 0)
        return;
    client->place = place;
    throng_directory_set_place(seed->directory, client->listed, &place);
    /* The lists that it is in follow. */
    for (seed_member *member = client->members; member; member = member->next_of_client)
        throng_directory_hold(seed->directory, now, member->object->listed, client->listed, false);
}

void throng_seed_set_networks(throng_seed *seed, const throng_prefixes *networks)
{
    seed->networks = networks;
}

void throng_seed_set_landmarks(throng_seed *seed, const throng_addr *addrs, uint32_t count)
{
    seed->landmarks =
        (throng_landmarks){.count = (uint8_t)(count < THRONG_LANDMARKS_MAX ? count : THRONG_LANDMARKS_MAX)};
    memcpy(seed->landmarks.addrs, addrs, seed->landmarks.count * sizeof *addrs);
    seed->landmarks.id = throng_landmarks_id(addrs, seed->landmarks.count);
}

void throng_seed_directory_heard(throng_seed *seed, throng_time now, seed_client *client)
{
    if (client->vouched || now - client->listed_heard < HEARD_EVERY)
        return;
    client->listed_heard = now;
    throng_directory_heard(seed->directory, now, client->listed);
}

void throng_seed_directory_vouch(throng_seed *seed, seed_client *client)
{
    client->vouched = true;
    throng_directory_heard(seed->directory, THRONG_NEVER, client->listed);
}

void throng_seed_directory_enter(throng_seed *seed, throng_time now, seed_member *member)
{
    member->listed = now;
    throng_directory_hold(seed->directory, now, member->object->listed, member->client->listed, true);
}

void throng_seed_directory_renew(throng_seed *seed, throng_time now, seed_member *member)
{
    if (now - member->listed < RENEW_EVERY)
        return;
    member->listed = now;
    throng_directory_hold(seed->directory, now, member->object->listed, member->client->listed, false);
}

void throng_seed_directory_leave(throng_seed *seed, seed_member *member)
{
    throng_directory_drop(seed->directory, member->object->listed, member->client->listed);
}

static uint32_t pick(throng_seed *seed, throng_time now, const seed_object *object, throng_directory_query *query,
                     throng_addr *ret)
{
    query->object = object->listed;
    query->tag = object->tag;
    query->now = now;
    query->random =
        (uint64_t)throng_seed_random_below(seed, UINT32_MAX) << 32 | throng_seed_random_below(seed, UINT32_MAX);
    return throng_directory_pick(seed->directory, query, ret);
}

uint32_t throng_seed_directory_pick(throng_seed *seed, throng_time now, const seed_object *object,
                                    const seed_client *who, throng_addr *ret, uint32_t max)
{
    throng_directory_query query = {
        .max = max, .kinds = throng_peer_kinds_for(&who->addr), .place = who->place, .but = &who->addr};
    return pick(seed, now, object, &query, ret);
}

static uint32_t peers_of_kinds(throng_seed *seed, throng_time now, const throng_hash *id, uint32_t kinds,
                               throng_addr *ret, uint32_t max)
{
    const seed_object *object = throng_seed_object_find(seed, throng_hash_tag(id));
    throng_directory_query query = {.max = max, .kinds = kinds};
    return object ? pick(seed, now, object, &query, ret) : 0;
}

uint32_t throng_seed_peers(throng_seed *seed, throng_time now, const throng_hash *id, throng_addr *ret, uint32_t max)
{
    return peers_of_kinds(seed, now, id, THRONG_KINDS_UDP, ret, max);
}

uint32_t throng_seed_peers_for(throng_seed *seed, throng_time now, const throng_hash *id, const throng_addr *client,
                               const throng_traits *traits, throng_addr *ret, uint32_t max)
{
    static const throng_traits nothing;
    const seed_object *object = throng_seed_object_find(seed, throng_hash_tag(id));
    throng_directory_query query = {.max = max,
                                    .kinds = throng_peer_kinds_for(client),
                                    .place = place_of(seed, near_of(seed, client), traits != NULL ? traits : &nothing)};
    return object ? pick(seed, now, object, &query, ret) : 0;
}

uint32_t throng_seed_browsers(throng_seed *seed, throng_time now, const throng_hash *id, throng_addr *ret, uint32_t max)
{
    return peers_of_kinds(seed, now, id, THRONG_KINDS_BROWSER, ret, max);
}

int throng_seed_holders(const throng_seed *seed, const throng_hash *id, uint32_t *ret_object)
{
    const seed_object *object = throng_seed_object_find(seed, throng_hash_tag(id));
    if (!object)
        return THRONG_ERR_NOT_FOUND;
    *ret_object = object->listed;
    return 0;
}
