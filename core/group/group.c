/* Life of a group member, and the calls of its host. */
#include "group.h"
#include "../random.h"

#include <string.h>

void throng_group_config_default(throng_group_config *config)
{
    *config = (throng_group_config){
        .members_max = 50,
        .join_max = 42,
        .contacts_max = 32,
        .urls_max = 4096,
        .holdings_max = 1024,
        .finds_max = 64,
        .asks_a_second_max = 64,
        .greet_interval = 200 * THRONG_MS,
        .answer_within = 400 * THRONG_MS,
        .silence_max = 15 * THRONG_SECOND,
        .find_patience = 2 * THRONG_SECOND,
        .fresh_for = 60 * THRONG_SECOND,
    };
}

static bool config_valid(const throng_group_config *c)
{
    return c->members_max >= 2 && c->members_max <= THRONG_GROUP_MEMBERS_MAX && c->join_max >= 2 &&
           c->join_max <= c->members_max && c->contacts_max >= 1 && c->contacts_max <= 1024 && c->urls_max >= 64 &&
           c->urls_max <= 1 << 20 && c->holdings_max >= 1 && c->holdings_max <= 1 << 20 && c->finds_max >= 1 &&
           c->finds_max <= EVENTS_MAX && c->asks_a_second_max >= 1 && c->greet_interval > 0 && c->answer_within > 0 &&
           c->born_unix_ms < 1ull << 48;
}

uint64_t throng_group_random(throng_group *group)
{
    return throng_random(&group->random);
}

int throng_group_new(throng_group **ret, const throng_group_config *config, const throng_alloc *alloc)
{
    if (!config_valid(config))
        return THRONG_ERR_INVALID;
    throng_group *group = alloc->resize(alloc->user, NULL, 0, sizeof *group);
    if (!group)
        return THRONG_ERR_NO_MEMORY;
    memset(group, 0, sizeof *group);
    group->config = *config;
    group->alloc = *alloc;
    memcpy(&group->random, config->entropy, sizeof group->random);
    memcpy(group->table_key, config->entropy + 16, 16);
    memset(group->config.entropy, 0, sizeof group->config.entropy);
    group->serial = OURSELVES;
    group->id = config->born_unix_ms << 16 | (throng_group_random(group) & 0xffff);
    group->peers_max = config->members_max + config->members_max / 2 + config->contacts_max;
    group->peers = alloc->resize(alloc->user, NULL, 0, group->peers_max * sizeof *group->peers);
    group->queries = alloc->resize(alloc->user, NULL, 0, config->finds_max * sizeof *group->queries);
    if (!group->peers || !group->queries) {
        throng_group_free(group);
        return THRONG_ERR_NO_MEMORY;
    }
    *ret = group;
    return 0;
}

static void release(throng_group *group, void *block, size_t size)
{
    if (block)
        group->alloc.resize(group->alloc.user, block, size, 0);
}

void throng_group_free(throng_group *group)
{
    if (!group)
        return;
    throng_group_records_free(group);
    release(group, group->peers, group->peers_max * sizeof *group->peers);
    release(group, group->queries, group->config.finds_max * sizeof *group->queries);
    release(group, group->holdings, group->holdings_capacity * sizeof *group->holdings);
    throng_alloc alloc = group->alloc;
    alloc.resize(alloc.user, group, sizeof *group, 0);
}

void throng_group_leave(throng_group *group, throng_time now)
{
    group->now = now > group->now ? now : group->now;
    group->leaving = true;
    group->queries_count = group->replies_count = group->holdings_count = 0;
    for (uint32_t i = 0; i < group->peers_count; i++) {
        group_peer *peer = &group->peers[i];
        peer->say_due = peer->say_goes = peer->member;
        peer->say_asks = false;
    }
}

void throng_group_tick(throng_group *group, throng_time now)
{
    group->now = now > group->now ? now : group->now;
    if (group->leaving)
        return;
    throng_group_members_tick(group);
    throng_group_queries_tick(group);
    throng_group_holdings_tick(group);
}

static throng_time sooner(throng_time a, throng_time b)
{
    return a < b ? a : b;
}

throng_time throng_group_next_deadline(const throng_group *group)
{
    if (group->leaving)
        return THRONG_NEVER;
    throng_time at = throng_group_find_deadline(group);
    if (group->members > 0)
        at = sooner(at, group->greet_at);
    for (uint32_t i = 0; i < group->peers_count; i++) {
        const group_peer *peer = &group->peers[i];
        if (!peer->heard && peer->said_at == 0)
            return group->now;
        if (peer->asked_at != 0)
            at = sooner(at, peer->asked_at + (peer->member ? group->config.answer_within : CONTACT_AGAIN));
        if (!peer->member && peer->heard)
            at = sooner(at, peer->foreign ? peer->said_at + FOREIGN_AGAIN : peer->made_at + 4 * CONTACT_AGAIN);
    }
    return at;
}

bool throng_group_poll_event(throng_group *group, throng_group_event *ret)
{
    if (group->events_count == 0)
        return false;
    *ret = group->events[group->events_first];
    group->events_first = (group->events_first + 1) % EVENTS_MAX;
    group->events_count--;
    return true;
}

void throng_group_stats_get(const throng_group *group, throng_group_stats *ret)
{
    *ret = group->stats;
    ret->id = group->id;
    ret->members = group->members + 1;
    ret->urls = group->records_count;
}

int throng_group_member(const throng_group *group, uint32_t index, throng_addr *ret)
{
    for (uint32_t i = 0; i < group->peers_count; i++)
        if (group->peers[i].member && index-- == 0) {
            *ret = group->peers[i].addr;
            return 0;
        }
    return THRONG_ERR_NOT_FOUND;
}
