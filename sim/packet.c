#include "packet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(sim_packet) == 24, "a packet's head is not padded");

void sim_packets_init(sim_packets *packets, sim_slabs *slabs)
{
    memset(packets, 0, sizeof *packets);
    packets->slabs = slabs;
}

void sim_packets_free(sim_packets *packets)
{
    free(packets->blocks);
    memset(packets, 0, sizeof *packets);
}

static bool add_block(sim_packets *packets)
{
    if (packets->blocks_count == packets->blocks_size) {
        uint32_t size = packets->blocks_size ? packets->blocks_size * 2 : 16;
        uint8_t **blocks = realloc(packets->blocks, size * sizeof *blocks);
        if (!blocks)
            return false;
        packets->blocks = blocks;
        packets->blocks_size = size;
    }
    if (packets->blocks_count == (1u << SIM_PACKET_BITS) / SIM_GRAINS_BLOCK)
        return false;
    uint8_t *block = sim_slabs_keep(packets->slabs, (size_t)SIM_GRAINS_BLOCK * SIM_GRAIN);
    if (!block)
        return false;
    /* Number 0 stays unused: it means none. */
    packets->used = packets->blocks_count ? 0 : 1;
    packets->blocks[packets->blocks_count++] = block;
    return true;
}

uint32_t sim_packets_new(sim_packets *packets, uint32_t head_size)
{
    uint32_t grains = (uint32_t)(sizeof(sim_packet) + head_size + SIM_GRAIN - 1) / SIM_GRAIN;
    assert(grains <= SIM_GRAINS_MAX);
    uint32_t number = packets->free[grains];
    if (number) {
        memcpy(&packets->free[grains], sim_packets_get(packets, number), sizeof number);
    } else {
        if ((!packets->blocks_count || packets->used + grains > SIM_GRAINS_BLOCK) && !add_block(packets))
            return 0;
        number = (packets->blocks_count - 1) * SIM_GRAINS_BLOCK + packets->used;
        packets->used += grains;
    }
    sim_packet *packet = sim_packets_get(packets, number);
    memset(packet, 0, sizeof *packet);
    packet->grains = (uint8_t)grains;
    packets->count++;
    return number;
}

void sim_packets_drop(sim_packets *packets, uint32_t number)
{
    sim_packet *packet = sim_packets_get(packets, number);
    uint32_t grains = packet->grains;
    memcpy(packet, &packets->free[grains], sizeof number);
    packets->free[grains] = number;
    packets->count--;
}

size_t sim_packets_memory(const sim_packets *packets)
{
    return (size_t)packets->blocks_count * SIM_GRAINS_BLOCK * SIM_GRAIN + packets->blocks_size * sizeof(uint8_t *);
}
