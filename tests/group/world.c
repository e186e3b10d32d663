#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size > 0)
        return realloc(block, new_size);
    free(block);
    return NULL;
}

uint64_t world_random(world *w)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return w->random >> 33;
}

world *world_new(void)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->now = 1000 * THRONG_SECOND;
    w->delay = 30 * THRONG_MS;
    w->random = 7;
    throng_group_config_default(&w->config);
    return w;
}

void world_free(world *w)
{
    for (uint32_t i = 0; i < w->count; i++)
        throng_group_free(w->members[i].group);
    for (uint32_t i = 0; i < w->packets_count; i++)
        free(w->packets[i]);
    free(w->packets);
    free(w);
}

static void push(world *w, world_packet *packet)
{
    if (w->packets_count == w->packets_size) {
        w->packets_size = w->packets_size ? w->packets_size * 2 : 256;
        w->packets = realloc(w->packets, w->packets_size * sizeof *w->packets);
        assert_non_null(w->packets);
    }
    uint32_t at = w->packets_count++;
    for (; at > 0 && w->packets[(at - 1) / 2]->at > packet->at; at = (at - 1) / 2)
        w->packets[at] = w->packets[(at - 1) / 2];
    w->packets[at] = packet;
}

static world_packet *pop(world *w)
{
    world_packet *top = w->packets[0], *last = w->packets[--w->packets_count];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < w->packets_count; at = child) {
        if (child + 1 < w->packets_count && w->packets[child + 1]->at < w->packets[child]->at)
            child++;
        if (w->packets[child]->at >= last->at)
            break;
        w->packets[at] = w->packets[child];
    }
    w->packets[at] = last;
    return top;
}

uint32_t world_by_addr(const world *w, const throng_addr *addr)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (throng_addr_equal(&w->members[i].addr, addr))
            return i;
    return UINT32_MAX;
}

static void put(world *w, uint32_t from, const throng_addr *to, const uint8_t *bytes, size_t size)
{
    uint32_t receiver = world_by_addr(w, to);
    w->members[from].sent_bytes += size + THRONG_SEAL_OVERHEAD;
    w->frames[bytes[0]]++;
    if (receiver == UINT32_MAX || w->side[from] != w->side[receiver] || world_random(w) % 100 < w->loss_percent)
        return;
    world_packet *packet = malloc(sizeof *packet);
    assert_non_null(packet);
    packet->at = w->now + w->delay;
    packet->from = from;
    packet->to = receiver;
    packet->size = (uint16_t)size;
    memcpy(packet->bytes, bytes, size);
    push(w, packet);
}

static void drain(world *w, uint32_t who)
{
    world_member *m = &w->members[who];
    throng_group_event event;
    throng_datagram datagram;
    while (m->group && throng_group_poll_event(m->group, &event))
        m->events[m->events_count++ % WORLD_EVENTS_MAX] = event;
    for (int bound = 0; m->group && throng_group_poll_send(m->group, w->now, &datagram); bound++) {
        assert_in_range(bound, 0, 2000);
        assert_in_range(datagram.head_size, 1, THRONG_PAYLOAD_MAX);
        put(w, who, &datagram.to, datagram.head, datagram.head_size);
    }
    m->deadline = m->group ? throng_group_next_deadline(m->group) : THRONG_NEVER;
}

static void puppet_hears(world_member *m, const world_packet *packet)
{
    throng_reader r = throng_reader_on(packet->bytes, packet->size);
    while (throng_reader_left(&r) > 0) {
        uint8_t type = throng_read_u8(&r);
        throng_find find;
        if (type == THRONG_FRAME_GROUP && throng_group_frame_decode(&m->heard, &r) == 0)
            m->heard_count++;
        else if (type == THRONG_FRAME_COPIES && throng_copies_decode(&m->told, &r) == 0)
            m->told_count++;
        else if (type == THRONG_FRAME_FIND)
            m->holds_count += throng_find_decode(&find, &r) == 0 && find.holds;
    }
}

static void puppet_answers(world *w, uint32_t puppet, uint32_t to)
{
    uint8_t bytes[128];
    const throng_group_frame *heard = &w->members[puppet].heard;
    throng_group_frame frame = {.group = heard->group, .nonce = 5, .echo = heard->nonce, .members = 1};
    throng_writer writer = throng_writer_on(bytes, sizeof bytes);
    frame.observed = w->members[to].addr;
    throng_group_frame_encode(&writer, &frame);
    world_say(w, puppet, to, &writer);
}

static void deliver(world *w, const world_packet *packet)
{
    world_member *m = &w->members[packet->to];
    if (!m->there)
        return;
    m->received_bytes += packet->size + THRONG_SEAL_OVERHEAD;
    if (!m->group) {
        uint32_t heard = m->heard_count;
        puppet_hears(m, packet);
        if (m->answers && m->heard_count > heard && m->heard.flags & THRONG_GROUP_ASKS)
            puppet_answers(w, packet->to, packet->from);
        return;
    }
    assert_true(throng_group_owns(packet->bytes, packet->size));
    throng_group_recv(m->group, w->now, &w->members[packet->from].addr, packet->bytes, packet->size);
    drain(w, packet->to);
}

void world_run(world *w, throng_time duration)
{
    throng_time until = w->now + duration;
    for (;;) {
        throng_time at = w->packets_count > 0 ? w->packets[0]->at : THRONG_NEVER;
        uint32_t who = UINT32_MAX;
        for (uint32_t i = 0; i < w->count; i++)
            if (w->members[i].there && w->members[i].deadline < at) {
                at = w->members[i].deadline;
                who = i;
            }
        if (at > until)
            break;
        w->now = at > w->now ? at : w->now;
        if (who == UINT32_MAX) {
            world_packet *packet = pop(w);
            deliver(w, packet);
            free(packet);
            continue;
        }
        throng_group_tick(w->members[who].group, w->now);
        drain(w, who);
        if (w->members[who].deadline <= w->now)
            w->members[who].deadline = w->now + THRONG_MS;
    }
    w->now = until;
}

static uint32_t add(world *w)
{
    assert_in_range(w->count, 0, WORLD_MEMBERS_MAX - 1);
    uint32_t who = w->count++;
    world_member *m = &w->members[who];
    m->addr = throng_addr_from_ipv4(192, 0, (uint8_t)(2 + who / 250), (uint8_t)(1 + who % 250), (uint16_t)(4000 + who));
    m->there = true;
    m->deadline = THRONG_NEVER;
    return who;
}

uint32_t world_come(world *w, uint32_t lists)
{
    uint32_t who = add(w);
    throng_group_config config = w->config;
    throng_alloc heap = {.resize = resize};
    for (size_t i = 0; i < sizeof config.entropy; i++)
        config.entropy[i] = (uint8_t)world_random(w);
    config.born_unix_ms = 1700000000000u + w->now / THRONG_MS;
    assert_int_equal(throng_group_new(&w->members[who].group, &config, &heap), 0);
    for (uint32_t i = who; i-- > 0 && lists > 0;)
        if (w->members[i].there && w->members[i].group) {
            throng_group_meet(w->members[who].group, w->now, &w->members[i].addr);
            lists--;
        }
    drain(w, who);
    return who;
}

uint32_t world_puppet(world *w)
{
    return add(w);
}

void world_say(world *w, uint32_t from, uint32_t to, const throng_writer *payload)
{
    assert_false(payload->failed);
    put(w, from, &w->members[to].addr, payload->start, throng_writer_size(payload));
}

void world_go(world *w, uint32_t who, bool goodbye)
{
    world_member *m = &w->members[who];
    if (goodbye && m->group) {
        throng_group_leave(m->group, w->now);
        drain(w, who);
    }
    throng_group_free(m->group);
    m->group = NULL;
    m->there = false;
    m->deadline = THRONG_NEVER;
}

const throng_group_event *world_await(world *w, uint32_t who, uint32_t number, throng_time within)
{
    world_member *m = &w->members[who];
    for (throng_time end = w->now + within;; world_run(w, 5 * THRONG_MS)) {
        uint32_t from = m->events_count > WORLD_EVENTS_MAX ? m->events_count - WORLD_EVENTS_MAX : 0;
        for (uint32_t i = m->events_count; i-- > from;)
            if (m->events[i % WORLD_EVENTS_MAX].number == number)
                return &m->events[i % WORLD_EVENTS_MAX];
        if (w->now >= end)
            return NULL;
    }
}

void world_ask(world *w, uint32_t who, uint32_t number, uint64_t url, const throng_tag *wrong, uint32_t wrong_count)
{
    assert_int_equal(throng_group_find(w->members[who].group, w->now, number, url, wrong, wrong_count), 0);
    drain(w, who);
}

const throng_group_event *world_find(world *w, uint32_t who, uint32_t number, uint64_t url)
{
    world_ask(w, who, number, url, NULL, 0);
    const throng_group_event *event = world_await(w, who, number, 5 * THRONG_SECOND);
    assert_non_null(event);
    return event;
}

throng_copy world_copy(uint8_t name, uint64_t version)
{
    throng_copy copy = {.size = 100000, .chunk_size = 1024, .version = version};
    memset(copy.object.bytes, name, sizeof copy.object.bytes);
    return copy;
}

void world_hold(world *w, uint32_t who, uint64_t url, const throng_copy *copy)
{
    assert_int_equal(throng_group_hold(w->members[who].group, w->now, url, copy), 0);
    throng_group_tick(w->members[who].group, w->now);
    drain(w, who);
}

throng_group_stats world_stats(const world *w, uint32_t who)
{
    throng_group_stats stats;
    throng_group_stats_get(w->members[who].group, &stats);
    return stats;
}

bool world_is_one(const world *w)
{
    uint32_t there = 0;
    for (uint32_t i = 0; i < w->count; i++)
        there += w->members[i].there && w->members[i].group;
    for (uint32_t i = 0; i < w->count; i++)
        if (w->members[i].there && w->members[i].group && world_stats(w, i).members != there)
            return false;
    return true;
}
