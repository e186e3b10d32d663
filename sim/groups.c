/* Clients in networks of their own: near those in the same, equally far from all others. A client's is told by its
 * slot, so that those who come after one another are in different ones; each address is a prefix of its network. */
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
    if (groups == 0 || !w->scenario.near)
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

void sim_groups_free(sim_world *w)
{
    free(w->networks_memory);
}
