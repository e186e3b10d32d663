/* Stories: two to five nodes on explicit lines, in virtual time, and every frame they sent, with its time.
 *
 * A story is a simulator's world in which nobody comes or goes but by its teller. The seeder is number 0; clients are
 * numbered from 1 in the order they came. Time is counted in microseconds from the story's start. Every invariant of
 * the simulator holds at every event, or the story fails.
 *
 * THRONG_STORY_TRACE=1 in the environment tells each story on standard error. */
#ifndef STORY_HARNESS_H
#define STORY_HARNESS_H

#include "../../core/message/message.h"
#include "../../sim/world.h"

enum { STORY_HOSTS_MAX = 16, STORY_HELD_MAX = 64 };

typedef struct story_frame {
    throng_time at;
    sim_moment moment; /* each frame is recorded when sent, and when delivered or lost */
    uint32_t from, to;
    throng_frame type;
    throng_tag object;
    uint32_t request;
    uint32_t any;
    uint32_t chunk;       /* DATA */
    uint32_t have_chunks; /* REQUEST, HAVE, FIRST_HANDSHAKE, OFFER */
    uint32_t have_intervals;
    uint32_t want_chunks; /* REQUEST */
    uint16_t body_size;   /* DATA */
    uint16_t wire_size;   /* of the datagram it came in */
    bool poisoned;
} story_frame;

typedef struct story {
    sim_world *world;
    story_frame *frames;
    size_t frames_count;
    size_t frames_size;
    sim_host *hosts[STORY_HOSTS_MAX];
    uint32_t hosts_count;
    uint32_t liars;                 /* LIAR events, of all nodes */
    uint32_t stuck;                 /* STUCK events, of all nodes */
    throng_addr liar;               /* the last one named */
    uint32_t done[STORY_HOSTS_MAX]; /* DONE events */
    bool cut[STORY_HOSTS_MAX][STORY_HOSTS_MAX];
    bool (*lose)(struct story *story, const sim_packet *packet); /* for a story's own losses; NULL: none */
    uint32_t lose_count;                                         /* for its use */
    bool hold;                                                   /* checks wait for story_checked */
    uint64_t held[STORY_HELD_MAX];                               /* requests of those that do */
    uint32_t held_count;
} story;

/* 128 KB in chunks of 1,024 bytes over lines of 8 Mbit/s, 40 ms there and back; change what the story needs. */
void story_scenario(sim_scenario *scenario, throng_profile profile);
story *story_new(const sim_scenario *scenario);
void story_free(story *story);

/* A client with a node that knows nobody yet, or without one: a puppet that says what the test makes it say. */
uint32_t story_client(story *story);
uint32_t story_puppet(story *story);
/* It gives false content from now on, or none. */
void story_role(story *story, uint32_t who, sim_role role);
/* From now on its line is of the scenario's class of this index; it comes with any. */
void story_line(story *story, uint32_t who, uint32_t class_index);
throng_node *story_node(story *story, uint32_t who);
/* With directions that name these peers. */
void story_join(story *story, uint32_t who, uint32_t object, const uint32_t *peers, uint32_t count);
/* Has it whole. */
void story_offer(story *story, uint32_t who, uint32_t object);
void story_meet(story *story, uint32_t who, uint32_t whom);
/* Sends a payload from a puppet, or in anyone's name. */
void story_send(story *story, uint32_t from, uint32_t to, const throng_writer *payload);
/* All checks held are done and passed; they were of this node. */
void story_checked(story *story, uint32_t who);
void story_leave(story *story, uint32_t who);
void story_vanish(story *story, uint32_t who);
void story_seeder_dies(story *story);
/* Nothing passes between the two any more, or again. */
void story_cut(story *story, uint32_t a, uint32_t b, bool cut);

typedef bool story_condition(story *story, void *user);
/* Runs until the condition holds: true, or `deadline` passes: false. Fails the test when an invariant does. */
bool story_until(story *story, story_condition *condition, void *user, throng_time deadline);
void story_run(story *story, throng_time until);
bool story_done(story *story, uint32_t who, uint32_t object);
/* True once all clients that have a node and are there have all of object 0: a story_condition. */
bool story_all_done(story *story, void *user);
throng_node_stats story_stats(story *story, uint32_t who);
bool story_is_neighbour(story *story, uint32_t who, uint32_t whom);
throng_tag story_tag(story *story, uint32_t object);

#define STORY_ANYONE UINT32_MAX
/* Frames of a type that were sent from one to another since `since`. */
uint32_t story_count(const story *story, sim_moment moment, uint32_t from, uint32_t to, throng_frame type,
                     throng_time since);
/* Content bytes of DATA, likewise. */
uint64_t story_content(const story *story, sim_moment moment, uint32_t from, uint32_t to, throng_time since);
/* The next such frame at or after place *at of story->frames, moving *at behind it; NULL if there is none. */
const story_frame *story_next(const story *story, size_t *at, sim_moment moment, uint32_t from, uint32_t to,
                              throng_frame type);

#endif
