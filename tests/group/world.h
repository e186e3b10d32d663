/* Groups in virtual time: members on a network that delays, loses and cuts, and a server that names recent peers. */
#ifndef GROUP_WORLD_H
#define GROUP_WORLD_H

#include "../../core/message/message.h"

enum { WORLD_MEMBERS_MAX = 320, WORLD_EVENTS_MAX = 64 };

typedef struct world_packet {
    throng_time at;
    uint32_t from, to;
    uint16_t size;
    uint8_t bytes[THRONG_PAYLOAD_MAX];
} world_packet;

typedef struct world_member {
    throng_group *group; /* NULL: a puppet, or gone */
    throng_addr addr;
    throng_time deadline;
    throng_group_event events[WORLD_EVENTS_MAX];
    uint32_t events_count;
    uint64_t sent_bytes;
    uint64_t received_bytes;
    throng_group_frame heard; /* by a puppet: the last GROUP */
    throng_copies told;       /* … and COPIES */
    uint32_t heard_count;
    uint32_t told_count;
    uint32_t holds_count; /* FINDs with a copy that came to a puppet */
    bool there;
    bool answers; /* a puppet that is asked who it is says: one of yours */
} world_member;

typedef struct world {
    throng_time now;
    throng_time delay;
    uint32_t loss_percent;
    uint64_t random;
    world_member members[WORLD_MEMBERS_MAX];
    uint32_t count;
    uint8_t side[WORLD_MEMBERS_MAX]; /* nothing passes between different sides */
    world_packet **packets;          /* a heap by time */
    uint32_t packets_count, packets_size;
    uint32_t frames[THRONG_FRAME_END]; /* sent */
    throng_group_config config;
} world;

world *world_new(void);
void world_free(world *w);
uint64_t world_random(world *w);
/* A member that the server names `lists` of the latest who are there, and itself to later ones. */
uint32_t world_come(world *w, uint32_t lists);
/* An address at which the test itself speaks. */
uint32_t world_puppet(world *w);
void world_say(world *w, uint32_t from, uint32_t to, const throng_writer *payload);
/* With goodbye, or without a word. */
void world_go(world *w, uint32_t who, bool goodbye);
void world_run(world *w, throng_time duration);
/* Runs until an event of this number is there; NULL after `within`. Valid until the member's next one. */
const throng_group_event *world_await(world *w, uint32_t who, uint32_t number, throng_time within);
/* Asks, and no more; world_find waits for what comes of it. */
void world_ask(world *w, uint32_t who, uint32_t number, uint64_t url, const throng_tag *wrong, uint32_t wrong_count);
const throng_group_event *world_find(world *w, uint32_t who, uint32_t number, uint64_t url);
throng_copy world_copy(uint8_t name, uint64_t version);
void world_hold(world *w, uint32_t who, uint64_t url, const throng_copy *copy);
throng_group_stats world_stats(const world *w, uint32_t who);
/* Everyone there is of one group with everyone else. */
bool world_is_one(const world *w);
uint32_t world_by_addr(const world *w, const throng_addr *addr);

#endif
