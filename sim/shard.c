/* A part of the hosts: its events, its memory, its books. One thread runs it at a time. */
#include "world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What an outbox holds, one after another: this, then a packet with its head, then up to seven bytes of nothing. */
typedef struct handed {
    throng_time at;
    uint32_t order;
    uint32_t size; /* of all */
} handed;

void sim_violate(sim_shard *s, const char *format, ...)
{
    if (*s->violation)
        return; /* the first one counts: others follow from it */
    int n = snprintf(s->violation, sizeof s->violation, "at %.6f s: ", (double)s->now / 1e6);
    va_list args;
    va_start(args, format);
    vsnprintf(s->violation + n, sizeof s->violation - (size_t)n, format, args);
    va_end(args);
    s->violation_at = s->now;
    s->violation_slot = s->slot_now;
    s->ended = true;
}

static void *counted_resize(void *user, void *block, size_t old_size, size_t new_size)
{
    sim_shard *s = user;
    void *resized = sim_slabs_resize(&s->slabs, block, old_size, new_size);
    if (!resized && new_size > 0)
        return NULL;
    s->core_bytes += new_size - old_size;
    return resized;
}

int sim_shard_new(sim_shard **ret, sim_world *w, uint32_t number)
{
    sim_shard *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    if (!s)
        return THRONG_ERR_NO_MEMORY;
    memset(s, 0, sizeof *s);
    s->w = w;
    s->number = number;
    s->alloc = (throng_alloc){.resize = counted_resize, .user = s};
    s->out = calloc(w->shards_count, sizeof *s->out);
    sim_queue_init(&s->queue, w->width);
    sim_packets_init(&s->packets, &s->slabs);
    if (!s->out || sim_ahead_new(s) < 0) {
        sim_shard_free(s);
        return THRONG_ERR_NO_MEMORY;
    }
    *ret = s;
    return 0;
}

void sim_shard_free(sim_shard *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; s->out && i < s->w->shards_count; i++)
        free(s->out[i].bytes);
    free(s->out);
    free(s->leavers.list);
    for (size_t i = 0; i < sizeof s->times / sizeof *s->times; i++)
        free(s->times[i].values);
    sim_ahead_free(s);
    sim_queue_free(&s->queue);
    sim_packets_free(&s->packets);
    sim_slabs_free(&s->slabs);
    free(s);
}

sim_shard *sim_shard_of(const sim_world *w, uint32_t slot)
{
    return w->shards[slot % w->shards_count];
}

void sim_put(sim_shard *s, throng_time at, sim_what what, uint32_t slot, uint32_t index)
{
    sim_queue_put(&s->queue, at, slot, (uint32_t)what << SIM_WHAT_SHIFT | index);
}

static void put_at_line(sim_shard *s, throng_time at, uint32_t number, uint32_t order)
{
    uint32_t slot = sim_packets_get(&s->packets, number)->to.slot;
    sim_queue_put_ordered(&s->queue, at, slot, (uint32_t)SIM_AT_LINE << SIM_WHAT_SHIFT | number, order);
}

static uint8_t *outbox_room(sim_outbox *out, size_t size)
{
    if (out->size + size > out->room) {
        size_t room = out->room + out->room / 16 + 4096;
        uint8_t *bytes = realloc(out->bytes, room);
        if (!bytes)
            return NULL;
        out->bytes = bytes;
        out->room = room;
    }
    out->size += size;
    return out->bytes + out->size - size;
}

void sim_hand_over(sim_shard *s, throng_time at, uint32_t number, uint32_t order)
{
    const sim_packet *packet = sim_packets_get(&s->packets, number);
    const sim_shard *to = packet->to.slot < s->w->slots ? sim_shard_of(s->w, packet->to.slot) : s;
    if (at < s->queue.open_until && !s->w->ordered)
        sim_violate(s, "a packet that arrives within a turn");
    if (to == s) {
        put_at_line(s, at, number, order);
        return;
    }
    size_t bytes = sizeof *packet + packet->head_size;
    handed head = {.at = at, .order = order, .size = (uint32_t)(sizeof head + (bytes + 7) / 8 * 8)};
    uint8_t *room = outbox_room(&s->out[to->number], head.size);
    if (!room) {
        sim_violate(s, "out of memory");
        return;
    }
    memcpy(room, &head, sizeof head);
    memcpy(room + sizeof head, packet, sizeof *packet);
    memcpy(room + sizeof head + sizeof *packet, sim_packet_head(packet), packet->head_size);
    sim_packets_drop(&s->packets, number);
    s->handed_over++;
}

static void take_over(sim_shard *s, const handed *head, const uint8_t *bytes)
{
    const sim_packet *sent = (const void *)bytes;
    uint32_t number = sim_packets_new(&s->packets, sent->head_size);
    if (!number) {
        sim_violate(s, "out of memory");
        return;
    }
    sim_packet *packet = sim_packets_get(&s->packets, number);
    uint8_t grains = packet->grains;
    memcpy(packet, sent, sizeof *sent);
    packet->grains = grains;
    memcpy(sim_packet_head(packet), sent->head, sent->head_size);
    s->taken_over++;
    put_at_line(s, head->at, number, head->order);
}

void sim_shard_collect(sim_shard *s)
{
    for (uint32_t i = 0; i < s->w->shards_count; i++) {
        sim_outbox *box = &s->w->shards[i]->out[s->number];
        handed head;
        for (size_t at = 0; at < box->size; at += head.size) {
            memcpy(&head, box->bytes + at, sizeof head);
            take_over(s, &head, box->bytes + at + sizeof head);
        }
        box->size = 0;
    }
}

/* Those of a client; the timer may have been put off, or the slot have another user. */
static void client_timer(sim_shard *s, sim_what what, uint32_t slot)
{
    sim_host *host = s->w->hosts[slot];
    if (!host)
        return;
    if (what == SIM_TICK && host->tick_at == s->now)
        sim_client_tick(s, host);
    else if (what == SIM_STEP && host->step_at == s->now)
        sim_client_step(s, host);
    else if (what == SIM_GIVE_UP && host->give_up_at == s->now)
        sim_client_leave(s, host, !host->vanishes);
}

static void dispatch(sim_shard *s, sim_what what, uint32_t slot, uint32_t index)
{
    switch (what) {
    case SIM_AT_LINE:
        sim_wire_at_line(s, index);
        break;
    case SIM_DELIVER:
        sim_wire_deliver(s, index);
        break;
    case SIM_WORK:
        sim_client_work(s, sim_packets_get(&s->packets, index));
        sim_packets_drop(&s->packets, index);
        break;
    case SIM_TICK:
    case SIM_STEP:
    case SIM_GIVE_UP:
        client_timer(s, what, slot);
        break;
    case SIM_ARRIVAL:
        sim_client_arrive(s, slot);
        break;
    case SIM_SEED_TICK:
        sim_seeder_tick(s);
        break;
    case SIM_SEED_RATE:
        sim_seeder_rate(s);
        break;
    case SIM_SEED_DIES:
        sim_seeder_die(s);
        break;
    case SIM_SEED_RETURNS:
        sim_seeder_return(s);
        break;
    }
}

bool sim_shard_step(sim_shard *s)
{
    sim_event event;
    do
        if (s->ended || !sim_queue_take(&s->queue, &event))
            return false;
    while (sim_event_time(&event) > s->w->end_at);
    sim_ahead(s);
    sim_check_event(s, &event);
    s->now = sim_event_time(&event);
    s->latest = s->now > s->latest ? s->now : s->latest;
    s->slot_now = sim_event_slot(&event);
    s->events++;
    sim_trace_event(s, &event);
    dispatch(s, (sim_what)sim_event_kind(&event), s->slot_now, sim_event_index(&event));
    if (s->queue.failed)
        sim_violate(s, "out of memory");
    return true;
}

void sim_shard_run(sim_shard *s)
{
    while (sim_shard_step(s))
        ;
}
