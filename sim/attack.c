/* Requests in the name of addresses that never asked. The forger is a member of the swarm, or its datagrams would not
 * open: what is left to it is to make others send where nobody wants it. */
#include "world.h"

#include "../core/message/message.h"

enum { TRIES = 8 };

static sim_host *any_client(sim_world *w)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t slot = (uint32_t)sim_rng_below(&w->rng, w->slots);
        if (slot != SIM_SEEDER_SLOT && w->hosts[slot] && w->hosts[slot]->node)
            return w->hosts[slot];
    }
    return w->seeder;
}

void sim_attack_spoof(sim_world *w, throng_time at)
{
    uint8_t payload[256];
    throng_writer writer = throng_writer_on(payload, sizeof payload);
    const sim_object *object = &w->objects[sim_rng_below(&w->rng, w->scenario.objects)];
    throng_interval want = {0, object->geometry.chunks};
    throng_request_encode(&writer, throng_hash_tag(&object->id), 1, 1000, NULL, 0, &want, 1);
    uint32_t size = (uint32_t)throng_writer_size(&writer);
    uint32_t victim = w->victims_used++ % SIM_VICTIMS;
    sim_endpoint from = {.slot = SIM_VICTIM_SLOT + victim, .port = SIM_PORT_FIRST};
    w->victims[victim] = (sim_victim){.in = size + SIM_UDP_OVERHEAD + THRONG_SEAL_OVERHEAD};
    sim_wire_forge(w, at, from, any_client(w)->at, payload, size);
}
