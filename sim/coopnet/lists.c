#include "lists.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY UINT32_MAX

/* What the directory takes for now when it keeps the site's most recent clients: one step for each who comes. Its
 * entries have coarse times that come round again; so the order of the last two thousand is right, however long a log
 * is, and a list is of 62 at the most. */
#define STEP (64 * THRONG_MS)

struct coopnet_lists {
    const coopnet_trace *trace;
    coopnet_config config;
    sim_rng rng;
    /* COOPNET_RECENT (the site as one object) and COOPNET_HOLDERS. */
    throng_directory directory;
    void *memory;
    uint32_t *peers;    /* of each client, in the directory; or NOBODY */
    uint32_t *objects;  /* of each object, in the directory; or NOBODY */
    uint32_t *versions; /* which one that is */
    throng_time step;
    /* COOPNET_RECENT: the list of each client. COOPNET_GROUPS: the members of each group. */
    uint32_t *lists;
    uint32_t *counts; /* COOPNET_RECENT: how many on each list */
    /* COOPNET_GROUPS: the place of each client among all groups, or NOBODY; places that came free. */
    uint32_t *places, *vacant;
    uint32_t places_used, vacant_count;
};

static uint32_t *numbers(size_t count, int *error)
{
    uint32_t *all = count > 0 ? reallocarray(NULL, count, sizeof *all) : NULL;
    if (count > 0 && all == NULL)
        *error = THRONG_ERR_NO_MEMORY;
    else if (count > 0)
        memset(all, 0xff, count * sizeof *all);
    return all;
}

static int open_directory(coopnet_lists *l, uint32_t objects, uint32_t holders)
{
    throng_directory_limits limits = {
        .objects_max = objects > 0 ? objects : 1,
        .peers_max = l->trace->clients_count > 0 ? l->trace->clients_count : 1,
        .holders_max = holders,
    };
    size_t size = throng_directory_size(&limits);
    if (size == 0)
        return THRONG_ERR_FULL;
    l->memory = calloc(1, size); /* what is not used of it is not taken */
    if (l->memory == NULL)
        return THRONG_ERR_NO_MEMORY;
    int result = throng_directory_open(&l->directory, l->memory, &limits);
    if (result == 0)
        throng_directory_clear(&l->directory);
    return result;
}

static int open_lists(coopnet_lists *l)
{
    size_t clients = l->trace->clients_count, places = clients + l->config.list;
    int error = 0;
    switch (l->config.naming) {
    case COOPNET_RECENT:
        error = open_directory(l, 1, l->config.list);
        l->peers = numbers(clients, &error);
        l->objects = numbers(1, &error);
        l->counts = calloc(clients + 1, sizeof *l->counts);
        l->lists = calloc(clients * l->config.list + 1, sizeof *l->lists); /* large, and taken as it is used */
        if (l->counts == NULL || l->lists == NULL)
            error = THRONG_ERR_NO_MEMORY;
        if (error == 0)
            throng_directory_set_times(&l->directory, 0, THRONG_NEVER);
        return error < 0 ? error : throng_directory_add_object(&l->directory, 1, &l->objects[0]);
    case COOPNET_HOLDERS:
        error = open_directory(l, l->trace->objects_count, COOPNET_LIST_MAX);
        l->peers = numbers(clients, &error);
        l->objects = numbers(l->trace->objects_count, &error);
        l->versions = numbers(l->trace->objects_count, &error);
        return error;
    default:
        l->lists = numbers(places, &error);
        l->places = numbers(clients, &error);
        l->vacant = numbers(clients, &error);
        return error;
    }
}

coopnet_lists *coopnet_lists_new(const coopnet_trace *trace, const coopnet_config *config, int *ret_error)
{
    coopnet_lists *l = calloc(1, sizeof *l);
    if (l == NULL) {
        *ret_error = THRONG_ERR_NO_MEMORY;
        return NULL;
    }
    l->trace = trace;
    l->config = *config;
    sim_rng_seed(&l->rng, config->seed);
    *ret_error = open_lists(l);
    if (*ret_error == 0)
        return l;
    coopnet_lists_free(l);
    return NULL;
}

void coopnet_lists_free(coopnet_lists *l)
{
    if (l == NULL)
        return;
    free(l->memory);
    free(l->peers);
    free(l->objects);
    free(l->versions);
    free(l->lists);
    free(l->counts);
    free(l->places);
    free(l->vacant);
    free(l);
}

/* In the directory a client has an address that tells its number. */
static throng_addr addr_of(const coopnet_lists *l, uint32_t client)
{
    uint8_t n[4] = {(uint8_t)(client >> 24), (uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client};
    throng_addr addr = throng_addr_from_ipv4(n[0], n[1], n[2], n[3], 1);
    if (l->trace->clients[client].is_ipv6)
        memcpy(addr.ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0", 12);
    return addr;
}

static uint32_t client_of(const throng_addr *addr)
{
    const uint8_t *n = &addr->ip[12];
    return (uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 | (uint32_t)n[2] << 8 | n[3];
}

/* There is room for every client. */
static uint32_t peer_of(coopnet_lists *l, uint32_t client)
{
    throng_addr addr = addr_of(l, client);
    throng_place place = {.near = l->trace->clients[client].near};
    if (l->peers[client] == NOBODY)
        (void)throng_directory_add_peer(&l->directory, THRONG_NEVER, &addr, &place, &l->peers[client]);
    return l->peers[client];
}

static uint32_t pick(coopnet_lists *l, throng_time now, uint32_t object, throng_tag tag, uint32_t client, uint32_t *ret)
{
    throng_addr addrs[COOPNET_LIST_MAX], own = addr_of(l, client);
    throng_directory_query query = {
        .object = object,
        .tag = tag,
        .now = now,
        .random = sim_rng_next(&l->rng),
        .max = l->config.list,
        /* In the paper there is one kind. */
        .kinds = l->config.naming == COOPNET_HOLDERS ? throng_peer_kinds_for(&own) : THRONG_KINDS_UDP,
        .place = {.near = l->trace->clients[client].near},
        .but = &own,
    };
    uint32_t count = throng_directory_pick(&l->directory, &query, addrs);
    for (uint32_t i = 0; i < count; i++)
        ret[i] = client_of(&addrs[i]);
    return count;
}

static throng_tag tag_of(const coopnet_want *w)
{
    return (uint64_t)w->version << 32 | w->object;
}

static throng_time now_of(const coopnet_want *w)
{
    return (throng_time)w->now_s * THRONG_SECOND;
}

/* Those of the client's group: the places from a multiple of the group's size on. */
static uint32_t group_peers(const coopnet_lists *l, uint32_t client, uint32_t *ret)
{
    if (l->places[client] == NOBODY)
        return 0;
    const uint32_t *members = &l->lists[l->places[client] / l->config.list * l->config.list];
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->config.list; i++)
        if (members[i] != NOBODY && members[i] != client)
            ret[count++] = members[i];
    return count;
}

uint32_t coopnet_lists_peers(coopnet_lists *l, const coopnet_want *w, uint32_t *ret)
{
    switch (l->config.naming) {
    case COOPNET_RECENT:
        memcpy(ret, &l->lists[(size_t)w->client * l->config.list], l->counts[w->client] * sizeof *ret);
        return l->counts[w->client];
    case COOPNET_HOLDERS:
        if (l->objects[w->object] == NOBODY || l->versions[w->object] != w->version)
            return 0;
        return pick(l, now_of(w), l->objects[w->object], tag_of(w), w->client, ret);
    default:
        return group_peers(l, w->client, ret);
    }
}

static void join_group(coopnet_lists *l, uint32_t client)
{
    if (l->places[client] != NOBODY)
        return;
    l->places[client] = l->vacant_count > 0 ? l->vacant[--l->vacant_count] : l->places_used++;
    l->lists[l->places[client]] = client;
}

void coopnet_lists_serve(coopnet_lists *l, const coopnet_want *w)
{
    if (l->config.naming == COOPNET_GROUPS) {
        join_group(l, w->client);
    } else if (l->config.naming == COOPNET_RECENT) {
        l->step += STEP;
        l->counts[w->client] =
            pick(l, l->step, l->objects[0], 1, w->client, &l->lists[(size_t)w->client * l->config.list]);
        throng_directory_hold(&l->directory, l->step, l->objects[0], peer_of(l, w->client), true);
    }
}

void coopnet_lists_hold(coopnet_lists *l, const coopnet_want *w)
{
    if (l->config.naming != COOPNET_HOLDERS)
        return;
    uint32_t *object = &l->objects[w->object];
    if (*object != NOBODY && l->versions[w->object] != w->version) {
        throng_directory_remove_object(&l->directory, *object);
        *object = NOBODY;
    }
    if (*object == NOBODY) /* there is room for each */
        (void)throng_directory_add_object(&l->directory, tag_of(w), object);
    l->versions[w->object] = w->version;
    throng_directory_hold(&l->directory, now_of(w), *object, peer_of(l, w->client), true);
}

void coopnet_lists_leave(coopnet_lists *l, uint32_t now_s, uint32_t client)
{
    if (l->config.naming == COOPNET_GROUPS && l->places[client] != NOBODY) {
        l->lists[l->places[client]] = NOBODY;
        l->vacant[l->vacant_count++] = l->places[client];
        l->places[client] = NOBODY;
    } else if (l->config.naming == COOPNET_HOLDERS && l->peers[client] != NOBODY) {
        /* It falls silent: the directory finds out as in earnest. */
        throng_directory_heard(&l->directory, (throng_time)now_s * THRONG_SECOND, l->peers[client]);
    }
}

void coopnet_lists_return(coopnet_lists *l, uint32_t client)
{
    if (l->config.naming != COOPNET_HOLDERS || l->peers[client] == NOBODY)
        return;
    throng_directory_remove_peer(&l->directory, l->peers[client]);
    l->peers[client] = NOBODY;
}
