/* Clients in networks of their own: near those in the same, equally far from all others. A client's is told by its
 * slot, so that those who come after one another are in different ones; each address is a prefix of its network.
 *
 * Landmarks are in none of the networks, but somewhere between: each network has its own round trip to each of them,
 * from half of that between two networks up to all of it, so that no way by a landmark is shorter than the direct one;
 * a client's own is longer by up to the round trip within its network. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

static void *heap_resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size > 0)
        return realloc(block, new_size);
    free(block);
    return NULL;
}

int sim_groups_new(sim_world *w)
{
    static const throng_alloc heap = {.resize = heap_resize};
    uint32_t groups = (uint32_t)w->scenario.groups;
    size_t count = (size_t)w->scenario.peers_max, size;
    if (groups == 0 || w->scenario.near != SIM_NEAR_NETWORKS)
        return 0;
    throng_prefix *prefixes = calloc(count, sizeof *prefixes);
    if (!prefixes)
        return THRONG_ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        throng_addr addr = sim_addr((sim_endpoint){.slot = (uint32_t)i + 1});
        memcpy(prefixes[i].ip, addr.ip, sizeof addr.ip);
        prefixes[i].length = 128;
        prefixes[i].as = 1 + ((uint32_t)i + 1) % groups;
    }
    int result = throng_prefixes_build(&w->networks_memory, &size, prefixes, count, &heap);
    if (result >= 0)
        result = throng_prefixes_attach(&w->networks, w->networks_memory, size);
    free(prefixes);
    return result;
}

bool sim_groups_near(const sim_world *w, uint32_t slot, uint32_t other)
{
    uint32_t groups = (uint32_t)w->scenario.groups;
    return slot != SIM_SEEDER_SLOT && other != SIM_SEEDER_SLOT && groups > 0 && slot % groups == other % groups;
}

static uint32_t landmarks_of(const sim_world *w, throng_addr ret[THRONG_LANDMARKS_MAX])
{
    if (w->scenario.groups == 0 || w->scenario.near != SIM_NEAR_DELAYS)
        return 0;
    for (uint8_t i = 0; i < THRONG_LANDMARKS_MAX; i++)
        ret[i] = throng_addr_from_ipv4(203, 0, 113, i, 3478);
    return THRONG_LANDMARKS_MAX;
}

void sim_groups_set_landmarks(const sim_world *w, throng_seed *seed)
{
    throng_addr landmarks[THRONG_LANDMARKS_MAX];
    throng_seed_set_landmarks(seed, landmarks, landmarks_of(w, landmarks));
}

void sim_groups_traits(const sim_world *w, uint32_t slot, throng_traits *ret)
{
    throng_addr landmarks[THRONG_LANDMARKS_MAX];
    uint32_t count = landmarks_of(w, landmarks);
    sim_rng network, own;
    *ret = (throng_traits){.landmarks = throng_landmarks_id(landmarks, count)};
    sim_rng_seed(&network, w->scenario.seed * 256 + slot % (w->scenario.groups ? w->scenario.groups : 1));
    sim_rng_seed(&own, w->places[slot].sender_id + (w->scenario.seed << 32));
    for (uint32_t i = 0; i < count; i++) {
        double rtt_us = (double)w->scenario.rtt * (0.5 + sim_rng_unit(&network) / 2) +
                        (double)w->scenario.group_rtt * sim_rng_unit(&own);
        ret->delays[i] = throng_delay_code((throng_time)rtt_us);
    }
}

void sim_groups_free(sim_world *w)
{
    free(w->networks_memory);
}
