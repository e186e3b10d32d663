/* Lines and what is between them. A packet waits for the sender's uplink, travels, waits for the receiver's downlink.
 * The queues are drop-tail and never held as lists: a line knows until when it is busy. */
#include "world.h"

#include <math.h>
#include <string.h>

/* The mean distance of two points in a unit square. */
#define MEAN_DISTANCE 0.5214054331
/* A quarter of the mean delay is the same for all pairs, the rest grows with their distance. */
#define NEAR_SHARE 0.25
/* No way takes no time: else nothing could be run side by side. */
#define WAY_LEAST_US 1

static void line_init(sim_line *line, const sim_class *of)
{
    line->up_ns_per_byte = 8e9 / (double)of->up_bps;
    line->down_ns_per_byte = 8e9 / (double)of->down_bps;
    line->up_queue_ns = (uint64_t)(line->up_ns_per_byte * (double)of->queue_bytes);
    line->down_queue_ns = (uint64_t)(line->down_ns_per_byte * (double)of->queue_bytes);
    line->loss = of->loss;
    line->delay = of->delay;
}

void sim_wire_init(sim_world *w)
{
    for (uint32_t i = 0; i < w->scenario.classes_count; i++) {
        line_init(&w->lines[i], &w->scenario.classes[i]);
        w->shares += w->scenario.classes[i].share;
    }
    line_init(&w->seeder_line, &w->scenario.seeder);
}

const sim_line *sim_line_of(const sim_world *w, const sim_host *host)
{
    return host == w->seeder ? &w->seeder_line : &w->lines[host->class_index];
}

/* When a line is through with a packet given to it now; false if its queue has no room. */
static bool cross(uint64_t *free_ns, uint64_t now_ns, double ns_per_byte, uint64_t queue_ns, uint32_t size)
{
    uint64_t start = *free_ns > now_ns ? *free_ns : now_ns;
    uint64_t end = start + (uint64_t)(ns_per_byte * size);
    if (start - now_ns > queue_ns)
        return false;
    *free_ns = end;
    return true;
}

/* Where the other one is; who has left is thought to be where it was. NULL: a forged address. */
static const sim_place *place_of(const sim_world *w, sim_endpoint at)
{
    return at.slot < w->slots ? &w->places[at.slot] : NULL;
}

static const sim_line *line_to(const sim_world *w, uint32_t slot)
{
    return slot == SIM_SEEDER_SLOT ? &w->seeder_line : &w->lines[w->places[slot].class_index];
}

static throng_time way(const sim_world *w, sim_host *from, sim_endpoint to)
{
    double half = (double)w->scenario.rtt / 2;
    double scale = NEAR_SHARE;
    const sim_place *a = &w->places[from->at.slot], *b = place_of(w, to);
    if (b) {
        double dx = (double)a->x - (double)b->x, dy = (double)a->y - (double)b->y;
        scale += (1 - NEAR_SHARE) * sqrt(dx * dx + dy * dy) / MEAN_DISTANCE;
    }
    if (w->scenario.groups > 0) {
        half = (double)(b && sim_groups_near(w, from->at.slot, to.slot) ? w->scenario.group_rtt : w->scenario.rtt) / 2;
        scale = 1;
    }
    const sim_line *line = sim_line_of(w, from);
    /* Behind a forged address there is a line like the sender's: no way is shorter than the shortest. */
    throng_time delay = (throng_time)(half * scale) + line->delay + (b ? line_to(w, to.slot) : line)->delay;
    if (w->scenario.jitter)
        delay += sim_rng_below(&from->rng, w->scenario.jitter);
    return delay > WAY_LEAST_US ? delay : WAY_LEAST_US;
}

throng_time sim_wire_shortest(const sim_world *w)
{
    throng_time least = w->seeder_line.delay;
    for (uint32_t i = 0; i < w->scenario.classes_count; i++)
        least = w->lines[i].delay < least ? w->lines[i].delay : least;
    double half = (double)w->scenario.rtt / 2 * NEAR_SHARE;
    if (w->scenario.groups > 0 && (double)w->scenario.group_rtt / 2 < half)
        half = (double)w->scenario.group_rtt / 2;
    throng_time shortest = (throng_time)half + 2 * least;
    return shortest > WAY_LEAST_US ? shortest : WAY_LEAST_US;
}

static bool lost(const sim_world *w, sim_host *from, sim_endpoint to)
{
    double kept = (1 - w->scenario.loss) * (1 - sim_line_of(w, from)->loss);
    if (place_of(w, to))
        kept *= 1 - line_to(w, to.slot)->loss;
    return kept < 1 && sim_rng_unit(&from->rng) >= kept;
}

static void lose(sim_shard *s, uint32_t number, uint64_t *counter, const char *why)
{
    ++*counter;
    sim_trace_packet(s, SIM_LOST, sim_packets_get(&s->packets, number), why);
    sim_packets_drop(&s->packets, number);
}

static sim_packet *make(sim_shard *s, sim_endpoint from, sim_endpoint to, sim_packet_kind kind, uint32_t wire_size,
                        const void *head, uint32_t head_size, uint32_t *ret_number)
{
    uint32_t number = sim_packets_new(&s->packets, head_size);
    if (!number) {
        sim_violate(s, "out of memory");
        return NULL;
    }
    sim_packet *packet = sim_packets_get(&s->packets, number);
    packet->from = from;
    packet->to = to;
    packet->kind = (uint8_t)kind & 0x7f;
    packet->wire_size = (uint16_t)wire_size;
    if (head_size)
        memcpy(sim_packet_head(packet), head, head_size);
    *ret_number = number;
    return packet;
}

/* Of packets that reach a line at one time: by sender, and those of one sender as they were sent. Cyclic, which does
 * for 128 of them in a microsecond. */
static uint32_t order_of(uint32_t slot, uint8_t departure)
{
    return slot << 8 | departure;
}

/* From the sender's uplink to the receiver's downlink, or nowhere. */
static void depart(sim_shard *s, sim_host *from, sim_packet *packet, uint32_t number)
{
    const sim_world *w = s->w;
    const sim_line *line = sim_line_of(w, from);
    s->result.packets_sent++;
    packet->sender_id = from->sender_id;
    sim_trace_packet(s, SIM_SENT, packet, NULL);
    if (!cross(&from->up_free_ns, s->now * 1000, line->up_ns_per_byte, line->up_queue_ns, packet->wire_size)) {
        lose(s, number, &s->result.packets_overflowed, "uplink full");
        return;
    }
    bool refused = w->options.hooks.lose && w->options.hooks.lose(w->options.hooks.user, packet);
    if (refused || lost(w, from, packet->to)) {
        lose(s, number, &s->result.packets_lost, "lost");
        return;
    }
    throng_time at = (from->up_free_ns + 999) / 1000 + way(w, from, packet->to);
    sim_hand_over(s, at, number, order_of(from->at.slot, from->departures++));
}

void sim_wire_send(sim_shard *s, sim_host *from, sim_endpoint to, sim_packet_kind kind, uint32_t wire_size,
                   const void *head, uint32_t head_size)
{
    uint32_t number;
    sim_packet *packet = make(s, from->at, to, kind, wire_size, head, head_size, &number);
    if (packet)
        depart(s, from, packet, number);
}

void sim_wire_send_datagram(sim_shard *s, sim_host *from, const throng_datagram *datagram)
{
    uint8_t joined[THRONG_PAYLOAD_MAX];
    const uint8_t *head = datagram->head;
    uint32_t head_size = datagram->head_size;
    uint32_t body_size = datagram->body_size;
    if (body_size && datagram->body) {
        if (head_size + body_size > sizeof joined) {
            sim_violate(s, "a datagram of %u bytes, more than %d", head_size + body_size, THRONG_PAYLOAD_MAX);
            return;
        }
        memcpy(joined, head, head_size);
        memcpy(joined + head_size, datagram->body, body_size);
        head = joined;
        head_size += body_size;
        body_size = 0;
    }
    if (body_size && from->role == SIM_LEECH)
        return;
    uint32_t number;
    uint32_t wire_size = head_size + body_size + SIM_UDP_OVERHEAD + THRONG_SEAL_OVERHEAD;
    sim_packet *packet =
        make(s, from->at, sim_endpoint_of(&datagram->to), SIM_PACKET_UDP, wire_size, head, head_size, &number);
    if (!packet)
        return;
    packet->body_size = (uint16_t)body_size;
    packet->poisoned = body_size && from->role == SIM_POISONER;
    sim_check_sent(s, from, packet);
    depart(s, from, packet, number);
}

void sim_wire_at_line(sim_shard *s, uint32_t number)
{
    const sim_packet *packet = sim_packets_get(&s->packets, number);
    sim_host *to = sim_find(s, packet->to);
    if (!to) {
        lose(s, number, &s->result.packets_gone, "nobody there");
        return;
    }
    const sim_line *line = sim_line_of(s->w, to);
    if (!cross(&to->down_free_ns, s->now * 1000, line->down_ns_per_byte, line->down_queue_ns, packet->wire_size)) {
        lose(s, number, &s->result.packets_overflowed, "downlink full");
        return;
    }
    sim_put(s, (to->down_free_ns + 999) / 1000, SIM_DELIVER, to->at.slot, number);
}

void sim_wire_deliver(sim_shard *s, uint32_t number)
{
    sim_packet *packet = sim_packets_get(&s->packets, number);
    sim_host *to = sim_find(s, packet->to);
    if (!to) {
        lose(s, number, &s->result.packets_gone, "nobody there");
        return;
    }
    s->result.packets_delivered++;
    sim_trace_packet(s, SIM_DELIVERED, packet, NULL);
    sim_check_delivered(s, to, packet);
    to->wire_in += packet->wire_size;
    s->receiving = packet;
    if (to == s->w->seeder)
        sim_seeder_packet(s, packet);
    else
        sim_client_packet(s, to, packet);
    s->receiving = NULL;
    sim_packets_drop(&s->packets, number);
}

const uint8_t *sim_wire_payload(sim_shard *s, const sim_packet *packet, uint32_t *ret_size)
{
    /* The body stands in one place, which nothing else is ever written to: true content is the same from everyone;
     * false content differs from it and from other liars'. */
    uint8_t *body = s->scratch + SIM_HEAD_MAX;
    uint64_t mark = packet->poisoned ? 1 + (uint64_t)packet->from.slot : 0;
    memcpy(body, &mark, sizeof mark);
    memcpy(body - packet->head_size, sim_packet_head(packet), packet->head_size);
    *ret_size = (uint32_t)packet->head_size + packet->body_size;
    return body - packet->head_size;
}

/* From no line of ours: whoever forges a source, or a puppet of a test. */
bool sim_wire_forge(sim_world *w, throng_time at, sim_endpoint from, sim_endpoint to, const uint8_t *payload,
                    uint32_t size)
{
    uint32_t number;
    uint32_t wire_size = size + SIM_UDP_OVERHEAD + THRONG_SEAL_OVERHEAD;
    sim_shard *s = sim_shard_of(w, to.slot);
    const sim_packet *packet = make(s, from, to, SIM_PACKET_UDP, wire_size, payload, size, &number);
    if (!packet)
        return false;
    sim_host *sender = from.slot < w->slots ? w->hosts[from.slot] : NULL;
    uint32_t order = order_of(from.slot, sender ? sender->departures++ : 0);
    s->result.packets_sent++;
    sim_trace_packet(s, SIM_SENT, packet, NULL);
    sim_queue_put_ordered(&s->queue, at, to.slot, (uint32_t)SIM_AT_LINE << SIM_WHAT_SHIFT | number, order);
    return true;
}
