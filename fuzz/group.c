/* A member of a peer group, fed whatever comes from a few addresses, and whatever its host asks of it. Nothing may trip
 * an assertion, read out of bounds, leak or run on for ever. */
#include <stdlib.h>
#include <string.h>

#include <throng/group.h>

#include "message/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The kinds of step. */
enum { PAYLOAD, WAIT, FIND, HOLD, RELEASE, MEET, LEAVE, ECHO, KINDS };
enum { ADDRESSES = 8, STEP_MS = 50, SENDS_MAX = 4096 };

typedef struct world {
    throng_group *group;
    throng_time now;
    uint32_t number;
    uint32_t nonces[ADDRESSES]; /* heard by each */
} world;

static void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size > 0)
        return realloc(block, new_size);
    free(block);
    return NULL;
}

static throng_addr address(uint32_t index)
{
    return throng_addr_from_ipv4(192, 0, 2, (uint8_t)(1 + index), (uint16_t)(4000 + index));
}

static void drain(world *w)
{
    throng_group_event event;
    throng_datagram datagram;
    while (throng_group_poll_event(w->group, &event))
        if (event.type == THRONG_GROUP_FOUND && event.holders_count == 0)
            abort();
    for (uint32_t sends = 0; throng_group_poll_send(w->group, w->now, &datagram); sends++) {
        if (sends == SENDS_MAX || datagram.head_size == 0)
            abort();
        throng_reader r = throng_reader_on(datagram.head, datagram.head_size);
        throng_group_frame frame;
        if (throng_read_u8(&r) == THRONG_FRAME_GROUP && throng_group_frame_decode(&frame, &r) == 0)
            for (uint32_t i = 0; i < ADDRESSES; i++) {
                throng_addr addr = address(i);
                if (throng_addr_equal(&addr, &datagram.to))
                    w->nonces[i] = frame.nonce;
            }
    }
}

/* An address proves itself, as a member of the group that it is told. */
static void echo(world *w, uint32_t who)
{
    uint8_t bytes[128];
    throng_group_stats stats;
    throng_addr from = address(who);
    throng_group_stats_get(w->group, &stats);
    throng_group_frame frame = {.group = stats.id, .nonce = 9, .echo = w->nonces[who], .members = 3};
    frame.observed = address(7);
    throng_writer writer = throng_writer_on(bytes, sizeof bytes);
    throng_group_frame_encode(&writer, &frame);
    throng_group_recv(w->group, w->now, &from, bytes, throng_writer_size(&writer));
}

static void payload(world *w, uint32_t who, throng_reader *r)
{
    throng_addr from = address(who);
    size_t size = throng_read_u16(r);
    size = size < throng_reader_left(r) ? size : throng_reader_left(r);
    throng_group_recv(w->group, w->now, &from, throng_read_bytes(r, size), size);
}

static void step(world *w, throng_reader *r)
{
    uint8_t kind = throng_read_u8(r) % KINDS;
    uint8_t value = throng_read_u8(r);
    throng_copy copy = {.size = 5000, .chunk_size = 1024, .version = value};
    throng_addr addr = address(value % ADDRESSES);
    memset(copy.object.bytes, value, sizeof copy.object.bytes);
    if (kind == PAYLOAD)
        payload(w, value % ADDRESSES, r);
    else if (kind == FIND)
        (void)!throng_group_find(w->group, w->now, ++w->number, value, NULL, 0);
    else if (kind == HOLD)
        (void)!throng_group_hold(w->group, w->now, value, &copy);
    else if (kind == RELEASE)
        throng_group_release(w->group, w->now, value);
    else if (kind == MEET)
        throng_group_meet(w->group, w->now, &addr);
    else if (kind == ECHO)
        echo(w, value % ADDRESSES);
    else if (kind == LEAVE && value == 0)
        throng_group_leave(w->group, w->now);
    for (uint32_t i = 0; kind == WAIT && i < value; i++) {
        w->now += STEP_MS * THRONG_MS;
        throng_group_tick(w->group, w->now);
        drain(w);
    }
    drain(w);
    (void)throng_group_next_deadline(w->group);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {.now = THRONG_SECOND};
    throng_alloc heap = {.resize = resize};
    throng_group_config config;
    throng_group_config_default(&config);
    config.members_max = 6;
    config.join_max = 5;
    config.contacts_max = 4;
    config.urls_max = 64;
    config.holdings_max = 8;
    config.born_unix_ms = 1700000000000;
    if (throng_group_new(&w.group, &config, &heap) < 0)
        abort();
    throng_reader r = throng_reader_on(data, size);
    for (uint32_t steps = 0; throng_reader_left(&r) > 0 && steps < 500; steps++)
        step(&w, &r);
    throng_group_free(w.group);
    return 0;
}
