/* Lines and what is between them. A packet waits for the sender's uplink, travels, waits for the receiver's downlink.
 * The queues are drop-tail and never held as lists: a line knows until when it is busy. */
#include "world.h"

#include <math.h>
#include <string.h>

/* The mean distance of two points in a unit square. */
#define MEAN_DISTANCE 0.5214054331
/* A quarter of the mean delay is the same for all pairs, the rest grows with their distance. */
#define NEAR_SHARE 0.25

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

static throng_time way(sim_world *w, const sim_host *from, const sim_host *to)
{
    double half = (double)w->scenario.rtt / 2;
    double scale = NEAR_SHARE;
    if (to) {
        double dx = (double)from->x - (double)to->x, dy = (double)from->y - (double)to->y;
        scale += (1 - NEAR_SHARE) * sqrt(dx * dx + dy * dy) / MEAN_DISTANCE;
    }
    throng_time delay = (throng_time)(half * scale) + sim_line_of(w, from)->delay;
    if (to)
        delay += sim_line_of(w, to)->delay;
    return w->scenario.jitter ? delay + sim_rng_below(&w->rng, w->scenario.jitter) : delay;
}

static bool lost(sim_world *w, const sim_host *from, const sim_host *to)
{
    double kept = (1 - w->scenario.loss) * (1 - sim_line_of(w, from)->loss);
    if (to)
        kept *= 1 - sim_line_of(w, to)->loss;
    return kept < 1 && sim_rng_unit(&w->rng) >= kept;
}

static void lose(sim_world *w, uint32_t number, uint64_t *counter, const char *why)
{
    ++*counter;
    sim_trace_packet(w, SIM_LOST, sim_packets_get(&w->packets, number), why);
    sim_packets_drop(&w->packets, number);
}

static sim_packet *make(sim_world *w, sim_endpoint from, sim_endpoint to, sim_packet_kind kind, uint32_t wire_size,
                        const void *head, uint32_t head_size, uint32_t *ret_number)
{
    uint32_t number = sim_packets_new(&w->packets, head_size);
    if (!number) {
        sim_violate(w, "out of memory");
        return NULL;
    }
    sim_packet *packet = sim_packets_get(&w->packets, number);
    packet->from = from;
    packet->to = to;
    packet->kind = (uint8_t)kind;
    packet->wire_size = (uint16_t)wire_size;
    packet->head_size = (uint16_t)head_size;
    if (head_size)
        memcpy(packet->head, head, head_size);
    *ret_number = number;
    return packet;
}

/* From the sender's uplink to the receiver's downlink, or nowhere. */
static sim_packet *depart(sim_world *w, sim_host *from, sim_packet *packet, uint32_t number)
{
    const sim_line *line = sim_line_of(w, from);
    const sim_host *to = sim_find(w, packet->to);
    w->result.packets_sent++;
    packet->sender_id = from->sender_id;
    sim_trace_packet(w, SIM_SENT, packet, NULL);
    if (!cross(&from->up_free_ns, w->now * 1000, line->up_ns_per_byte, line->up_queue_ns, packet->wire_size)) {
        lose(w, number, &w->result.packets_overflowed, "uplink full");
        return NULL;
    }
    bool refused = w->options.hooks.lose && w->options.hooks.lose(w->options.hooks.user, packet);
    if (refused || lost(w, from, to)) {
        lose(w, number, &w->result.packets_lost, "lost");
        return NULL;
    }
    sim_put(w, (from->up_free_ns + 999) / 1000 + way(w, from, to), SIM_AT_LINE, number);
    return packet;
}

sim_packet *sim_wire_send(sim_world *w, sim_host *from, sim_endpoint to, sim_packet_kind kind, uint32_t wire_size,
                          const void *head, uint32_t head_size)
{
    uint32_t number;
    sim_packet *packet = make(w, from->at, to, kind, wire_size, head, head_size, &number);
    return packet ? depart(w, from, packet, number) : NULL;
}

void sim_wire_send_datagram(sim_world *w, sim_host *from, const throng_datagram *datagram)
{
    uint8_t joined[THRONG_PAYLOAD_MAX];
    const uint8_t *head = datagram->head;
    uint32_t head_size = datagram->head_size;
    uint32_t body_size = datagram->body_size;
    if (body_size && datagram->body) {
        if (head_size + body_size > sizeof joined) {
            sim_violate(w, "a datagram of %u bytes, more than %d", head_size + body_size, THRONG_PAYLOAD_MAX);
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
        make(w, from->at, sim_endpoint_of(&datagram->to), SIM_PACKET_UDP, wire_size, head, head_size, &number);
    if (!packet)
        return;
    packet->body_size = (uint16_t)body_size;
    packet->poisoned = body_size && from->role == SIM_POISONER;
    sim_check_sent(w, from, packet);
    depart(w, from, packet, number);
}

void sim_wire_at_line(sim_world *w, uint32_t number)
{
    const sim_packet *packet = sim_packets_get(&w->packets, number);
    sim_host *to = sim_find(w, packet->to);
    if (!to) {
        lose(w, number, &w->result.packets_gone, "nobody there");
        return;
    }
    const sim_line *line = sim_line_of(w, to);
    if (!cross(&to->down_free_ns, w->now * 1000, line->down_ns_per_byte, line->down_queue_ns, packet->wire_size)) {
        lose(w, number, &w->result.packets_overflowed, "downlink full");
        return;
    }
    sim_put(w, (to->down_free_ns + 999) / 1000, SIM_DELIVER, number);
}

void sim_wire_deliver(sim_world *w, uint32_t number)
{
    sim_packet *packet = sim_packets_get(&w->packets, number);
    sim_host *to = sim_find(w, packet->to);
    if (!to) {
        lose(w, number, &w->result.packets_gone, "nobody there");
        return;
    }
    w->result.packets_delivered++;
    sim_trace_packet(w, SIM_DELIVERED, packet, NULL);
    sim_check_delivered(w, to, packet);
    to->wire_in += packet->wire_size;
    w->receiving = packet;
    if (to == w->seeder)
        sim_seeder_packet(w, packet);
    else
        sim_client_packet(w, to, packet);
    w->receiving = NULL;
    sim_packets_drop(&w->packets, number);
}

const uint8_t *sim_wire_payload(sim_world *w, const sim_packet *packet, uint32_t *ret_size)
{
    /* The body stands in one place, which nothing else is ever written to: true content is the same from everyone;
     * false content differs from it and from other liars'. */
    uint8_t *body = w->scratch + SIM_HEAD_MAX;
    uint64_t mark = packet->poisoned ? 1 + (uint64_t)packet->from.slot : 0;
    memcpy(body, &mark, sizeof mark);
    memcpy(body - packet->head_size, packet->head, packet->head_size);
    *ret_size = (uint32_t)packet->head_size + packet->body_size;
    return body - packet->head_size;
}

/* From no line of ours: whoever forges a source, or a puppet of a test. */
bool sim_wire_forge(sim_world *w, sim_endpoint from, sim_endpoint to, const uint8_t *payload, uint32_t size)
{
    uint32_t number;
    uint32_t wire_size = size + SIM_UDP_OVERHEAD + THRONG_SEAL_OVERHEAD;
    const sim_packet *packet = make(w, from, to, SIM_PACKET_UDP, wire_size, payload, size, &number);
    if (!packet)
        return false;
    w->result.packets_sent++;
    sim_trace_packet(w, SIM_SENT, packet, NULL);
    sim_put(w, w->now, SIM_AT_LINE, number);
    return true;
}
