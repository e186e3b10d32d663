/* Datagrams on their way. Content is not stored, only how many bytes of it and whether they are what they should be. */
#ifndef SIM_PACKET_H
#define SIM_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "slabs.h"

typedef enum sim_packet_kind {
    SIM_PACKET_UDP, /* of the core */
    SIM_PACKET_SYN, /* of the HTTP request that comes before */
    SIM_PACKET_SYN_ACK,
    SIM_PACKET_GET,
    SIM_PACKET_DIRECTIONS, /* head: sim_endpoint of each peer named */
    SIM_PACKET_WORK,       /* not a packet: work of a node that takes time */
} sim_packet_kind;

/* Who sends and gets: a slot, and the port that tells apart those who use it in turn. There are dozens of packets for
 * each client, so nothing here is padded. */
typedef struct __attribute__((packed, aligned(2))) sim_endpoint {
    uint32_t slot;
    uint16_t port;
} sim_endpoint;

typedef struct sim_packet {
    sim_endpoint from;
    sim_endpoint to;
    uint32_t sender_id;
    uint16_t wire_size; /* with IP and UDP headers and seal */
    uint16_t head_size;
    uint16_t body_size; /* of content, which is not stored */
    uint8_t kind : 7;
    uint8_t poisoned : 1;
    uint8_t grains;
    uint8_t head[]; /* or, if it is large, where it lies: sim_packet_head() */
} sim_packet;

enum { SIM_GRAIN = 8, SIM_GRAINS_BLOCK = 32768, SIM_HEAD_INLINE = 480, SIM_GRAINS_MAX = 63, SIM_PACKET_BITS = 28 };

/* Blocks of grains of 8 bytes; a packet is named by its first. Large heads, of packets with parts of manifests, are
 * many but for a moment: each has a block of its own. */
typedef struct sim_packets {
    sim_slabs *slabs;
    uint8_t **blocks;
    uint32_t blocks_count;
    uint32_t blocks_size;
    uint32_t used; /* grains of the last block */
    uint32_t free[SIM_GRAINS_MAX + 1];
    uint32_t count;
    struct sim_large *large; /* list of large heads */
    uint64_t large_bytes;
} sim_packets;

/* Blocks come from `slabs` and stay there. */
void sim_packets_init(sim_packets *packets, sim_slabs *slabs);
void sim_packets_free(sim_packets *packets);
/* A packet with room for head_size bytes of head, its head_size set, else zeroed but for the head. Returns its number,
 * 0 if memory ran out. */
uint32_t sim_packets_new(sim_packets *packets, uint32_t head_size);
void sim_packets_drop(sim_packets *packets, uint32_t number);
size_t sim_packets_memory(const sim_packets *packets);

static inline sim_packet *sim_packets_get(const sim_packets *packets, uint32_t number)
{
    return (sim_packet *)(void *)(packets->blocks[number / SIM_GRAINS_BLOCK] +
                                  (size_t)(number % SIM_GRAINS_BLOCK) * SIM_GRAIN);
}

static inline uint8_t *sim_packet_head(const sim_packet *packet)
{
    uint8_t *head = (uint8_t *)(uintptr_t)packet->head;
    if (packet->head_size > SIM_HEAD_INLINE)
        memcpy(&head, packet->head, sizeof head);
    return head;
}

#endif
