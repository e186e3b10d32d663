#include "state.h"

#include <string.h>

#include "../directions/siphash.h"
#include "../random.h"

void *throng_seed_take(throng_seed *seed, size_t size)
{
    void *block = seed->alloc.resize(seed->alloc.user, NULL, 0, size);
    if (block)
        memset(block, 0, size);
    return block;
}

void throng_seed_give_back(throng_seed *seed, void *block, size_t size)
{
    if (block)
        seed->alloc.resize(seed->alloc.user, block, size, 0);
}

int throng_seed_widen(throng_seed *seed, void **table, uint32_t *capacity, size_t element_size, uint32_t first,
                      uint32_t max)
{
    if (*capacity >= max)
        return THRONG_ERR_FULL;
    uint32_t wider = *capacity == 0 ? first : *capacity * 2;
    if (wider > max)
        wider = max;
    uint8_t *block = seed->alloc.resize(seed->alloc.user, *table, *capacity * element_size, wider * element_size);
    if (!block)
        return THRONG_ERR_NO_MEMORY;
    memset(block + *capacity * element_size, 0, (wider - *capacity) * element_size);
    *table = block;
    *capacity = wider;
    return 0;
}

uint32_t throng_seed_random_below(throng_seed *seed, uint32_t limit)
{
    return throng_random_below(&seed->random, limit);
}

void throng_seed_config_default(throng_seed_config *config)
{
    *config = (throng_seed_config){
        .token_max_age_s = 60,
        .burst = 10 * THRONG_MS,
        .objects_max = 65536,
        .peers_max = 65536,
        .peer_silence = 5 * THRONG_SECOND,
        .peer_fresh = 2 * THRONG_SECOND,
        .welcome_peers = 4,
        .introductions = 2,
        .browser_peers = 3,
        .peer_window_max = 4096,
    };
}

static bool is_valid(const throng_seed_config *config)
{
    return config->objects_max > 0 && config->objects_max <= THRONG_DIRECTORY_OBJECTS_MAX && config->peers_max > 0 &&
           config->peers_max <= THRONG_DIRECTORY_PEERS_MAX && config->peer_window_max > 0 &&
           config->peer_window_max <= 1u << 20 && config->welcome_peers <= THRONG_PEERS_MAX &&
           config->browser_peers <= THRONG_PEERS_MAX;
}

static uint32_t power_of_two(uint32_t least)
{
    uint32_t power = 8;
    while (power < least)
        power *= 2;
    return power;
}

static int make_tables(throng_seed *seed)
{
    seed->objects_mask = power_of_two(seed->config.objects_max) - 1;
    seed->clients_mask = power_of_two(seed->config.peers_max) - 1;
    seed->objects = throng_seed_take(seed, ((size_t)seed->objects_mask + 1) * sizeof *seed->objects);
    seed->clients = throng_seed_take(seed, ((size_t)seed->clients_mask + 1) * sizeof *seed->clients);
    seed->by_sender = throng_seed_take(seed, ((size_t)seed->clients_mask + 1) * sizeof *seed->by_sender);
    seed->controls = throng_seed_take(seed, CONTROL_MAX * sizeof *seed->controls);
    bool made = seed->objects && seed->clients && seed->by_sender && seed->controls;
    return made ? throng_seed_directory_open(seed) : THRONG_ERR_NO_MEMORY;
}

static void seed_random(throng_seed *seed)
{
    memcpy(seed->table_key, seed->config.entropy, THRONG_KEY_SIZE);
    memcpy(seed->cookie_key, seed->config.entropy + 16, THRONG_KEY_SIZE);
    seed->random = throng_siphash(seed->cookie_key, seed->table_key, THRONG_KEY_SIZE);
}

int throng_seed_new(throng_seed **ret, const throng_seed_config *config, const throng_alloc *alloc)
{
    if (!is_valid(config))
        return THRONG_ERR_INVALID;
    throng_seed *seed = alloc->resize(alloc->user, NULL, 0, sizeof *seed);
    if (!seed)
        return THRONG_ERR_NO_MEMORY;
    memset(seed, 0, sizeof *seed);
    seed->config = *config;
    seed->alloc = *alloc;
    seed_random(seed);
    throng_seed_pace_init(&seed->pace, config->rate_bps, config->burst);
    throng_seed_pace_init(&seed->control_pace, config->rate_bps / CONTROL_SHARE, CONTROL_BURST);
    throng_seed_pace_init(&seed->challenge_pace, config->rate_bps / CHALLENGE_SHARE, config->burst);
    int error = make_tables(seed);
    if (error < 0) {
        throng_seed_free(seed);
        return error;
    }
    *ret = seed;
    return 0;
}

static void free_objects(throng_seed *seed)
{
    for (uint32_t i = 0; i <= seed->objects_mask; i++) {
        while (seed->objects[i]) {
            seed_object *object = seed->objects[i];
            seed->objects[i] = object->chain;
            throng_seed_object_unlist(seed, object);
            throng_seed_object_free(seed, object);
        }
    }
}

void throng_seed_free(throng_seed *seed)
{
    if (!seed)
        return;
    while (seed->silent)
        throng_seed_client_remove(seed, seed->silent);
    if (seed->objects)
        free_objects(seed);
    throng_seed_give_back(seed, seed->objects, ((size_t)seed->objects_mask + 1) * sizeof *seed->objects);
    throng_seed_give_back(seed, seed->clients, ((size_t)seed->clients_mask + 1) * sizeof *seed->clients);
    throng_seed_give_back(seed, seed->by_sender, ((size_t)seed->clients_mask + 1) * sizeof *seed->by_sender);
    throng_seed_give_back(seed, seed->controls, CONTROL_MAX * sizeof *seed->controls);
    throng_seed_directory_close(seed);
    throng_seed_give_back(seed, seed->heap, seed->heap_capacity * sizeof(seed_member *));
    throng_alloc alloc = seed->alloc;
    alloc.resize(alloc.user, seed, sizeof *seed, 0);
}

int throng_seed_add(throng_seed *seed, throng_time now, const throng_hash *id, const uint8_t *manifest,
                    size_t manifest_size, const throng_hashes *hashes, void *content)
{
    throng_manifest decoded;
    int error = throng_manifest_decode(&decoded, manifest, manifest_size);
    if (error < 0)
        return error;
    if (throng_seed_object_find(seed, throng_hash_tag(id)))
        return THRONG_ERR_STATE;
    if (seed->objects_count >= seed->config.objects_max)
        return THRONG_ERR_FULL;
    seed_object *object;
    error = throng_seed_object_new(seed, id, &decoded.geometry, &object);
    if (error < 0)
        return error;
    error = throng_directory_add_object(seed->directory, object->tag, &object->listed);
    if (error < 0) {
        throng_seed_object_free(seed, object);
        return error;
    }
    object->manifest = manifest;
    object->manifest_size = manifest_size;
    object->hashes = hashes;
    object->content = content;
    seed_object **slot = &seed->objects[object->tag & seed->objects_mask];
    object->chain = *slot;
    *slot = object;
    seed->objects_count++;
    return 0;
}

int throng_seed_remove(throng_seed *seed, throng_time now, const throng_hash *id)
{
    seed_object *object = throng_seed_object_find(seed, throng_hash_tag(id));
    if (!object)
        return THRONG_ERR_NOT_FOUND;
    while (object->newest)
        throng_seed_member_remove(seed, object->newest);
    seed_object **link = &seed->objects[object->tag & seed->objects_mask];
    while (*link != object)
        link = &(*link)->chain;
    *link = object->chain;
    seed->objects_count--;
    throng_seed_object_unlist(seed, object);
    throng_seed_object_free(seed, object);
    return 0;
}

void throng_seed_set_rate(throng_seed *seed, throng_time now, uint64_t rate_bps)
{
    throng_seed_pace_set_rate(&seed->pace, now, rate_bps);
    throng_seed_pace_set_rate(&seed->control_pace, now, rate_bps / CONTROL_SHARE);
    throng_seed_pace_set_rate(&seed->challenge_pace, now, rate_bps / CHALLENGE_SHARE);
}

int throng_seed_admit(throng_seed *seed, throng_time now, uint32_t sender_id, const throng_addr *from)
{
    seed_client *client = throng_seed_client_find(seed, from);
    if (client)
        throng_seed_client_prove(seed, client, sender_id);
    int error = client ? 0 : throng_seed_client_add(seed, now, from, sender_id, &client);
    if (error < 0)
        return error;
    throng_seed_directory_vouch(seed, client);
    return 0;
}

void throng_seed_dismiss(throng_seed *seed, const throng_addr *from)
{
    seed_client *client = throng_seed_client_find(seed, from);
    if (client)
        throng_seed_client_remove(seed, client);
}

int throng_seed_tick(throng_seed *seed, throng_time now)
{
    while (seed->silent && now >= seed->silent->heard + seed->config.peer_silence) {
        if (seed->silent->vouched) {
            throng_seed_client_heard(seed, now, seed->silent);
            continue;
        }
        throng_seed_client_remove(seed, seed->silent);
        seed->stats.forgotten++;
    }
    return 0;
}

void throng_seed_stats_get(const throng_seed *seed, throng_seed_stats *ret)
{
    *ret = seed->stats;
    ret->objects = seed->objects_count;
    ret->peers = seed->present;
    ret->http_peers = seed->http_listed;
}
