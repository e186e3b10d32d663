/* A thread for each shard. They meet three times a turn: to begin it, when all have run, when all have collected. Turns
 * in which little waits are run by one thread alone: meeting would take longer. */
#include "world.h"

#include <pthread.h>

enum { SHARE_LEAST = 1000 }; /* events: a millisecond */

typedef struct crew {
    sim_world *w;
    pthread_mutex_t lock;
    pthread_cond_t all_there;
    uint32_t parties; /* to a meeting: the threads that could be had */
    uint32_t arrived;
    uint32_t meetings;
    bool over;
} crew;

typedef struct member {
    crew *crew;
    uint32_t number;
    pthread_t thread;
} member;

static void meet(crew *c)
{
    pthread_mutex_lock(&c->lock);
    uint32_t meeting = c->meetings;
    if (++c->arrived == c->parties) {
        c->arrived = 0;
        c->meetings++;
        pthread_cond_broadcast(&c->all_there);
    }
    while (meeting == c->meetings)
        pthread_cond_wait(&c->all_there, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static void turn_together(crew *c, uint32_t number)
{
    sim_shard_run(c->w->shards[number]);
    meet(c);
    sim_shard_collect(c->w->shards[number]);
    meet(c);
}

static void *work(void *user)
{
    const member *m = user;
    for (;;) {
        meet(m->crew);
        if (m->crew->over)
            return NULL;
        turn_together(m->crew, m->number);
    }
}

static void turn_alone(sim_world *w)
{
    for (uint32_t i = 0; i < w->shards_count; i++)
        sim_shard_run(w->shards[i]);
    for (uint32_t i = 0; i < w->shards_count; i++)
        sim_shard_collect(w->shards[i]);
}

static void lead(crew *c, bool alone)
{
    uint64_t due, least = c->w->options.share_least ? c->w->options.share_least : SHARE_LEAST;
    while (sim_turn(c->w, &due)) {
        if (alone || due < least) {
            turn_alone(c->w);
        } else {
            meet(c);
            turn_together(c, 0);
        }
    }
}

static uint32_t hire(crew *c, member *members)
{
    for (uint32_t i = 1; i < c->w->shards_count; i++) {
        members[i] = (member){.crew = c, .number = i};
        if (pthread_create(&members[i].thread, NULL, work, &members[i]) != 0)
            return i;
    }
    return c->w->shards_count;
}

static void set_parties(crew *c, uint32_t parties)
{
    pthread_mutex_lock(&c->lock);
    c->parties = parties;
    pthread_mutex_unlock(&c->lock);
}

void sim_crew_run(sim_world *w)
{
    crew c = {.w = w, .lock = PTHREAD_MUTEX_INITIALIZER, .all_there = PTHREAD_COND_INITIALIZER, .parties = UINT32_MAX};
    member members[SIM_THREADS_MAX];
    uint32_t hired = hire(&c, members);
    set_parties(&c, hired);
    /* Without a thread for every shard, one does it all. */
    lead(&c, hired < w->shards_count || hired == 1);
    c.over = true;
    meet(&c);
    for (uint32_t i = 1; i < hired; i++)
        pthread_join(members[i].thread, NULL);
    pthread_mutex_destroy(&c.lock);
    pthread_cond_destroy(&c.all_there);
}
