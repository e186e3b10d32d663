#include "packet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sim_large {
    struct sim_large *next;
    struct sim_large **listed; /* what points to it */
    uint8_t head[];
};

_Static_assert(sizeof(sim_packet) == 24, "a packet's head is not padded");

void sim_packets_init(sim_packets *packets, sim_slabs *slabs)
{
    memset(packets, 0, sizeof *packets);
    packets->slabs = slabs;
}

static struct sim_large *new_large(sim_packets *packets, uint32_t head_size)
{
    struct sim_large *large = malloc(sizeof *large + head_size);
    if (!large)
        return NULL;
    large->next = packets->large;
    large->listed = &packets->large;
    if (large->next)
        large->next->listed = &large->next;
    packets->large = large;
    return large;
}

static void drop_large(sim_packets *packets, struct sim_large *large)
{
    *large->listed = large->next;
    if (large->next)
        large->next->listed = large->listed;
    free(large);
}

void sim_packets_free(sim_packets *packets)
{
    while (packets->large)
        drop_large(packets, packets->large);
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
    bool is_large = head_size > SIM_HEAD_INLINE;
    uint32_t inside = is_large ? sizeof(uint8_t *) : head_size;
    uint32_t grains = (uint32_t)(sizeof(sim_packet) + inside + SIM_GRAIN - 1) / SIM_GRAIN;
    assert(grains <= SIM_GRAINS_MAX);
    struct sim_large *large = is_large ? new_large(packets, head_size) : NULL;
    if (is_large && !large)
        return 0;
    uint32_t number = packets->free[grains];
    if (number) {
        memcpy(&packets->free[grains], sim_packets_get(packets, number), sizeof number);
    } else {
        if ((!packets->blocks_count || packets->used + grains > SIM_GRAINS_BLOCK) && !add_block(packets))
            return 0; /* the large head stays listed, to be freed at the end */
        number = (packets->blocks_count - 1) * SIM_GRAINS_BLOCK + packets->used;
        packets->used += grains;
    }
    sim_packet *packet = sim_packets_get(packets, number);
    memset(packet, 0, sizeof *packet);
    packet->grains = (uint8_t)grains;
    packet->head_size = (uint16_t)head_size;
    if (large) {
        uint8_t *head = large->head;
        memcpy(packet->head, &head, sizeof head);
        packets->large_bytes += sizeof *large + head_size;
    }
    packets->count++;
    return number;
}

void sim_packets_drop(sim_packets *packets, uint32_t number)
{
    sim_packet *packet = sim_packets_get(packets, number);
    uint32_t grains = packet->grains;
    if (packet->head_size > SIM_HEAD_INLINE) {
        packets->large_bytes -= sizeof(struct sim_large) + packet->head_size;
        drop_large(packets, (struct sim_large *)(void *)(sim_packet_head(packet) - sizeof(struct sim_large)));
    }
    memcpy(packet, &packets->free[grains], sizeof number);
    packets->free[grains] = number;
    packets->count--;
}

size_t sim_packets_memory(const sim_packets *packets)
{
    return packets->large_bytes + (size_t)packets->blocks_count * SIM_GRAINS_BLOCK * SIM_GRAIN +
           packets->blocks_size * sizeof(uint8_t *);
}
