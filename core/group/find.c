/* Our own questions, and telling roots of what we hold. */
#include "group.h"

#include <string.h>

/* Who has been a member for less is not known to all who hold what it should know of. */
#define NEWCOMER (5 * THRONG_SECOND)

/* ---- questions ---- */

/* Only members whom we know ourselves: so nobody can send us to strangers. */
static bool may_be_asked(throng_group *group, const throng_addr *addr)
{
    const group_peer *peer = throng_group_peer(group, addr);
    return peer && peer->member && !peer->suspect;
}

static void end_query(throng_group *group, group_query *query, const throng_copies *found, const group_peer *by)
{
    throng_group_event *event = &group->events[(group->events_first + group->events_count++) % EVENTS_MAX];
    *event = (throng_group_event){
        .type = found ? THRONG_GROUP_FOUND : THRONG_GROUP_NOT_FOUND, .number = query->number, .url = query->url};
    if (found) {
        event->copy = found->copy;
        for (uint32_t i = 0; i < found->count; i++)
            if (may_be_asked(group, &found->addrs[i]))
                event->holders[event->holders_count++] = found->addrs[i];
        if (found->mine && by)
            event->holders[event->holders_count++] = by->addr;
    }
    *(found ? &group->stats.found : &group->stats.not_found) += 1;
    *query = group->queries[--group->queries_count];
}

/* This root is of no help: the next one, or the server. */
static void ask_another(throng_group *group, group_query *query)
{
    if (++query->asks >= ASKS_MAX + query->grace) {
        end_query(group, query, NULL, NULL);
        return;
    }
    query->root = NOBODY;
    query->at = group->now;
}

static bool is_of_use(throng_group *group, const group_query *query, const throng_copies *copies, const group_peer *by)
{
    bool of_use = copies->mine && by;
    for (uint32_t i = 0; i < copies->count; i++)
        of_use |= may_be_asked(group, &copies->addrs[i]);
    of_use &= copies->found && (uint64_t)copies->copy.age_s * THRONG_SECOND <= group->config.fresh_for;
    for (uint32_t i = 0; i < query->wrong_count; i++)
        of_use &= throng_hash_tag(&copies->copy.object) != query->wrong[i];
    return of_use;
}

static void settle(throng_group *group, group_query *query, const throng_copies *copies, uint32_t by)
{
    const group_peer *peer = throng_group_by_serial(group, by);
    /* Who is no root any more is not told how a fetch went on: its word for one is worth nothing. */
    uint32_t wait_ms = query->asks < ASKS_MAX ? copies->wait_ms : 0;
    throng_time again = group->now + wait_ms * THRONG_MS;
    if (is_of_use(group, query, copies, peer)) {
        end_query(group, query, copies, peer);
    } else if (wait_ms > 0 && again <= query->began + group->config.find_patience) {
        group->stats.waited++;
        query->root = NOBODY;
        query->at = again;
    } else if (wait_ms > 0) {
        end_query(group, query, NULL, NULL);
    } else {
        if (query->denied_count < RANKS)
            query->denied[query->denied_count++] = by;
        if (peer && group->now < peer->made_at + NEWCOMER)
            query->grace = 1;
        ask_another(group, query);
    }
}

static void find_of(const group_query *query, throng_find *ret)
{
    *ret = (throng_find){.number = query->number, .url = query->url, .wrong_count = query->wrong_count};
    memcpy(ret->wrong, query->wrong, sizeof ret->wrong);
}

/* True if the query is no more, or another stands in its place. */
static bool ask(throng_group *group, group_query *query)
{
    uint32_t number = query->number, root = NOBODY;
    for (uint32_t rank = 0; rank < RANKS && root == NOBODY; rank++) {
        root = throng_group_root(group, query->url, rank);
        for (uint32_t i = 0; i < query->denied_count; i++)
            if (query->denied[i] == root)
                root = NOBODY;
    }
    if (root == NOBODY) {
        end_query(group, query, NULL, NULL);
        return true;
    }
    query->root = root;
    query->at = 0; /* to be sent */
    if (root != OURSELVES)
        return false;
    throng_find find;
    throng_copies copies;
    find_of(query, &find);
    throng_group_answer(group, OURSELVES, &find, &copies);
    settle(group, query, &copies, OURSELVES);
    return query >= group->queries + group->queries_count || query->number != number;
}

/* Was asked, and nothing came; or is no longer there. */
static bool is_lost(throng_group *group, const group_query *query)
{
    group_peer *root = throng_group_by_serial(group, query->root);
    if (!root || !root->member)
        return true;
    if (query->at == 0 || group->now < query->at + group->config.answer_within)
        return false;
    group->stats.roots_lost++;
    throng_group_suspect(group, root);
    return true;
}

void throng_group_queries_tick(throng_group *group)
{
    for (uint32_t i = group->queries_count; i-- > 0;) {
        group_query *query = &group->queries[i];
        if (query->root > OURSELVES && is_lost(group, query)) {
            uint32_t count = group->queries_count;
            query->grace = 1;
            ask_another(group, query);
            if (group->queries_count < count)
                continue;
        }
        /* Asking oneself may end in asking the next at once. */
        for (uint32_t tries = 0; tries < RANKS && query->root <= OURSELVES && group->now >= query->at; tries++)
            if (ask(group, query))
                break;
    }
}

int throng_group_find(throng_group *group, throng_time now, uint32_t number, uint64_t url, const throng_tag *wrong,
                      uint32_t wrong_count)
{
    group->now = now > group->now ? now : group->now;
    if (number == 0 || wrong_count > THRONG_FIND_WRONG_MAX)
        return THRONG_ERR_INVALID;
    for (uint32_t i = 0; i < group->queries_count; i++)
        if (group->queries[i].number == number)
            return THRONG_ERR_STATE;
    if (group->queries_count == group->config.finds_max || group->queries_count + group->events_count >= EVENTS_MAX)
        return THRONG_ERR_FULL;
    group_query *query = &group->queries[group->queries_count++];
    *query = (group_query){.number = number, .url = url, .wrong_count = wrong_count, .began = group->now};
    query->at = group->now;
    for (uint32_t i = 0; i < wrong_count; i++)
        query->wrong[i] = wrong[i];
    throng_group_queries_tick(group);
    return 0;
}

/* ---- what we hold ---- */

static group_holding *holding_of(throng_group *group, uint64_t url)
{
    for (uint32_t i = 0; i < group->holdings_count; i++)
        if (group->holdings[i].url == url)
            return &group->holdings[i];
    return NULL;
}

static group_holding *make_holding(throng_group *group, uint64_t url)
{
    group_holding *holding = holding_of(group, url);
    if (holding)
        return holding;
    if (group->holdings_count == group->holdings_capacity) {
        uint32_t wider = group->holdings_capacity ? group->holdings_capacity * 2 : 16;
        wider = wider < group->config.holdings_max ? wider : group->config.holdings_max;
        group_holding *grown = wider <= group->holdings_capacity
                                   ? NULL
                                   : group->alloc.resize(group->alloc.user, group->holdings,
                                                         group->holdings_capacity * sizeof *group->holdings,
                                                         wider * sizeof *group->holdings);
        if (!grown)
            return NULL;
        group->holdings = grown;
        group->holdings_capacity = wider;
    }
    holding = &group->holdings[group->holdings_count++];
    *holding = (group_holding){.url = url};
    return holding;
}

static void tell_anew(throng_group *group, group_holding *holding)
{
    for (uint32_t i = 0; i < ROOTS; i++) {
        holding->told[i] = false;
        holding->told_at[i] = 0;
    }
    group->holdings_at = group->now;
}

int throng_group_hold(throng_group *group, throng_time now, uint64_t url, const throng_copy *copy)
{
    group->now = now > group->now ? now : group->now;
    group_holding *holding = make_holding(group, url);
    if (!holding)
        return THRONG_ERR_FULL;
    holding->copy = *copy;
    holding->named_at = group->now;
    holding->gives_up = false;
    tell_anew(group, holding);
    return 0;
}

void throng_group_release(throng_group *group, throng_time now, uint64_t url)
{
    group->now = now > group->now ? now : group->now;
    group_holding *holding = make_holding(group, url);
    if (!holding)
        return;
    holding->gives_up = true;
    tell_anew(group, holding);
}

static uint32_t age_s(const throng_group *group, const group_holding *holding)
{
    uint64_t age = holding->copy.age_s + (group->now - holding->named_at) / THRONG_SECOND;
    return age < UINT32_MAX ? (uint32_t)age : UINT32_MAX;
}

/* What was named too long ago is not told to anybody any more. */
static bool is_due(const throng_group *group, const group_holding *holding, uint32_t root)
{
    bool fresh = holding->gives_up || (uint64_t)age_s(group, holding) * THRONG_SECOND <= group->config.fresh_for;
    return fresh && holding->roots[root] != NOBODY && !holding->told[root] &&
           (holding->told_at[root] == 0 || group->now >= holding->told_at[root] + HOLD_AGAIN);
}

static void find_for(const throng_group *group, const group_holding *holding, throng_find *ret)
{
    *ret = (throng_find){.url = holding->url, .holds = !holding->gives_up, .gives_up = holding->gives_up};
    ret->copy = holding->copy;
    ret->copy.age_s = age_s(group, holding);
}

/* The right roots, in any order: who is one still has been told already. */
static void look_for_roots(throng_group *group, group_holding *holding)
{
    group_holding before = *holding;
    for (uint32_t i = 0; i < ROOTS; i++) {
        uint32_t root = throng_group_root(group, holding->url, i);
        holding->roots[i] = root;
        holding->told[i] = false;
        holding->told_at[i] = 0;
        for (uint32_t j = 0; j < ROOTS; j++)
            if (root != NOBODY && before.roots[j] == root) {
                holding->told[i] = before.told[j];
                holding->told_at[i] = before.told_at[j];
            }
    }
}

/* True if somebody else is to be told now. */
static bool tend(throng_group *group, group_holding *holding, bool *ret_open)
{
    bool due = false;
    for (uint32_t i = 0; i < ROOTS; i++) {
        if (holding->roots[i] == OURSELVES && !holding->told[i]) {
            throng_find find;
            throng_copies ignored;
            find_for(group, holding, &find);
            throng_group_answer(group, OURSELVES, &find, &ignored);
            holding->told[i] = true;
        }
        due |= is_due(group, holding, i);
        *ret_open |= !holding->told[i] && holding->roots[i] != NOBODY;
    }
    return due;
}

void throng_group_holdings_tick(throng_group *group)
{
    if (!group->roots_changed && group->now < group->holdings_at)
        return;
    bool all_open = false;
    for (uint32_t i = group->holdings_count; i-- > 0;) {
        group_holding *holding = &group->holdings[i];
        bool open = false;
        if (group->roots_changed || holding->roots[0] == NOBODY)
            look_for_roots(group, holding);
        group->holdings_due |= tend(group, holding, &open);
        if (holding->gives_up && !open)
            *holding = group->holdings[--group->holdings_count];
        all_open |= open;
    }
    group->roots_changed = false;
    group->holdings_at = all_open ? group->now + HOLD_AGAIN : THRONG_NEVER;
}

/* ---- to and from roots ---- */

void throng_group_copies(throng_group *group, group_peer *from, const throng_copies *copies)
{
    group_holding *holding = copies->number == 0 ? holding_of(group, copies->url) : NULL;
    for (uint32_t i = 0; holding && i < ROOTS; i++)
        if (holding->roots[i] == from->serial && holding->told_at[i] != 0) {
            holding->told[i] = true;
            if (holding->gives_up)
                group->holdings_at = group->now;
        }
    for (uint32_t i = 0; i < group->queries_count; i++) {
        group_query *query = &group->queries[i];
        if (query->number == copies->number && query->url == copies->url && query->root == from->serial &&
            query->at != 0) {
            settle(group, query, copies, from->serial);
            return;
        }
    }
}

bool throng_group_next_find(throng_group *group, uint32_t serial, throng_find *ret)
{
    for (uint32_t i = 0; i < group->queries_count; i++) {
        group_query *query = &group->queries[i];
        if (query->root == serial && query->at == 0) {
            query->at = group->now;
            group->stats.asked++;
            find_of(query, ret);
            return true;
        }
    }
    for (uint32_t i = 0; group->holdings_due && i < group->holdings_count; i++)
        for (uint32_t j = 0; j < ROOTS; j++)
            if (group->holdings[i].roots[j] == serial && is_due(group, &group->holdings[i], j)) {
                group->holdings[i].told_at[j] = group->now;
                find_for(group, &group->holdings[i], ret);
                return true;
            }
    return false;
}

group_peer *throng_group_find_due(throng_group *group)
{
    for (uint32_t i = 0; i < group->queries_count; i++)
        if (group->queries[i].root > OURSELVES && group->queries[i].at == 0)
            return throng_group_by_serial(group, group->queries[i].root);
    for (uint32_t i = 0; group->holdings_due && i < group->holdings_count; i++)
        for (uint32_t j = 0; j < ROOTS; j++) {
            group_peer *peer = throng_group_by_serial(group, group->holdings[i].roots[j]);
            if (peer && is_due(group, &group->holdings[i], j))
                return peer;
        }
    group->holdings_due = false;
    return NULL;
}

throng_time throng_group_find_deadline(const throng_group *group)
{
    throng_time at = group->roots_changed ? group->now : group->holdings_count > 0 ? group->holdings_at : THRONG_NEVER;
    for (uint32_t i = 0; i < group->queries_count; i++) {
        const group_query *query = &group->queries[i];
        throng_time due = query->root == NOBODY ? query->at : query->at + group->config.answer_within;
        at = due < at ? due : at;
    }
    return at;
}
