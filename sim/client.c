/* A client: it asks the server for directions, joins the swarm, fetches, perhaps lingers, leaves. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

static uint8_t draw_class(sim_world *w)
{
    double u = sim_rng_unit(&w->rng) * w->shares;
    uint8_t i = 0;
    while (i + 1u < w->scenario.classes_count && u >= w->scenario.classes[i].share)
        u -= w->scenario.classes[i++].share;
    return i;
}

static sim_role draw_role(sim_world *w)
{
    double u = sim_rng_unit(&w->rng);
    if (u < w->scenario.leech)
        return SIM_LEECH;
    return u < w->scenario.leech + w->scenario.poison ? SIM_POISONER : SIM_HONEST;
}

static void send_join(sim_world *w, sim_host *host)
{
    bool connecting = host->phase == SIM_CONNECTING;
    uint32_t size = connecting ? SIM_TCP_BARE : (uint32_t)w->scenario.join_request_bytes;
    w->result.http_bytes += size;
    sim_wire_send(w, host, w->seeder->at, connecting ? SIM_PACKET_SYN : SIM_PACKET_GET, size, &host->object,
                  sizeof host->object);
    host->step_at = w->now + host->wait_ms * THRONG_MS;
    sim_put(w, host->step_at, SIM_STEP, host->at.slot);
}

static void draw_life(sim_world *w, sim_host *host)
{
    const sim_scenario *s = &w->scenario;
    host->class_index = draw_class(w);
    host->role = (uint8_t)draw_role(w);
    host->vanishes = sim_rng_unit(&w->rng) < s->vanish;
    host->measured = w->now >= s->warmup;
    host->object = (uint32_t)sim_rng_below(&w->rng, s->objects);
    if (s->patience) {
        host->give_up_at = w->now + 1 + (throng_time)sim_rng_exponential(&w->rng, (double)s->patience);
        sim_put(w, host->give_up_at, SIM_GIVE_UP, host->at.slot);
    }
}

sim_host *sim_client_arrive(sim_world *w)
{
    if (w->clients >= w->scenario.peers_max) {
        w->result.turned_away++;
        return NULL;
    }
    sim_host *host = sim_host_new(w);
    if (!host)
        return NULL;
    w->result.arrived++;
    w->clients++;
    w->incomplete++;
    host->born_at = w->now;
    host->sender_id = w->next_sender_id++;
    host->wait_ms = (uint32_t)(w->scenario.join_retry / THRONG_MS);
    draw_life(w, host);
    sim_trace_client(w, host, "arrives");
    if (!w->options.manual)
        send_join(w, host);
    return host;
}

void sim_client_step(sim_world *w, sim_host *host)
{
    host->step_at = THRONG_NEVER;
    if (host->phase == SIM_COMPLETE) {
        sim_client_leave(w, host, !host->vanishes);
        return;
    }
    if (host->phase == SIM_FETCHING)
        return;
    uint32_t most = (uint32_t)(w->scenario.join_retry_max / THRONG_MS);
    host->wait_ms = host->wait_ms * 2 < most ? host->wait_ms * 2 : most;
    send_join(w, host);
}

void sim_client_start(sim_world *w, sim_host *host)
{
    throng_node_config config = w->scenario.node;
    sim_rng_bytes(&w->rng, config.entropy, sizeof config.entropy);
    if (w->scenario.know_uplink)
        config.uplink_bps = w->scenario.classes[host->class_index].up_bps;
    if (w->scenario.poison > 0 || w->options.manual)
        host->poisoned = calloc(1, w->chunk_bits / 8 + 1);
    if (throng_node_new(&host->node, &config, &w->alloc) < 0 ||
        (!host->poisoned && (w->scenario.poison > 0 || w->options.manual)))
        sim_violate(w, "out of memory");
    host->phase = SIM_FETCHING;
}

int sim_client_join(sim_world *w, sim_host *host, const sim_object *object, const sim_endpoint *peers, uint32_t count)
{
    throng_directions directions = {
        .object = object->id,
        .size = object->geometry.size,
        .chunk_size = object->geometry.chunk_size,
        .sender_id = host->sender_id,
        .peers_count = count,
    };
    throng_addr seeder = sim_addr(w->seeder->at), own = sim_addr(host->at);
    uint8_t token_key[THRONG_KEY_SIZE];
    memset(token_key, SIM_TOKEN_KEY, sizeof token_key);
    throng_token_make(&directions.token, token_key, SIM_UNIX_START_S + (uint32_t)(w->now / THRONG_SECOND),
                      host->sender_id, own.ip);
    directions.seeder.port = seeder.port;
    for (uint32_t i = 0; i < count; i++)
        directions.peers[i] = sim_addr(peers[i]);
    return throng_node_join(host->node, w->now, &directions, &seeder, &w->objects[object->index]);
}

static void on_directions(sim_world *w, sim_host *host, const sim_packet *packet)
{
    sim_endpoint peers[THRONG_DIRECTIONS_PEERS_MAX];
    uint32_t count = packet->head_size / sizeof *peers;
    memcpy(peers, packet->head, packet->head_size);
    host->step_at = THRONG_NEVER;
    host->joined_at = w->now;
    w->join_sum_s += (double)(w->now - host->born_at) / 1e6;
    w->joined++;
    sim_client_start(w, host);
    if (!host->node)
        return;
    int result = sim_client_join(w, host, &w->objects[host->object], peers, count);
    if (result < 0)
        sim_violate(w, "throng_node_join: %s", throng_error_text(result));
    sim_client_drain(w, host);
}

void sim_client_packet(sim_world *w, sim_host *host, const sim_packet *packet)
{
    if (packet->kind == SIM_PACKET_SYN_ACK && host->phase == SIM_CONNECTING) {
        host->phase = SIM_REQUESTING;
        send_join(w, host);
    } else if (packet->kind == SIM_PACKET_DIRECTIONS && host->phase == SIM_REQUESTING) {
        on_directions(w, host, packet);
    } else if (packet->kind == SIM_PACKET_UDP && host->node) {
        throng_addr from = sim_addr(packet->from);
        uint32_t size;
        const uint8_t *payload = sim_wire_payload(w, packet, &size);
        int result = throng_node_recv(host->node, w->now, &from, payload, size);
        if (throng_error_classify(result) == THRONG_CLASS_FATAL)
            sim_violate(w, "client %u's node broke: %s", host->at.slot, throng_error_text(result));
        sim_client_drain(w, host);
    }
}

void sim_client_tick(sim_world *w, sim_host *host)
{
    host->tick_at = THRONG_NEVER;
    if (throng_node_next_deadline(host->node) <= w->now) {
        int result = throng_node_tick(host->node, w->now);
        if (throng_error_classify(result) == THRONG_CLASS_FATAL)
            sim_violate(w, "client %u's node broke: %s", host->at.slot, throng_error_text(result));
    }
    sim_client_drain(w, host);
}

static void mark_chunk(sim_host *host, const sim_object *object, uint32_t chunk, bool poisoned)
{
    if (!host->poisoned)
        return;
    uint32_t bit = object->first_bit + chunk;
    uint8_t mask = (uint8_t)(1u << (bit % 8));
    host->poisoned[bit / 8] = (uint8_t)(poisoned ? host->poisoned[bit / 8] | mask : host->poisoned[bit / 8] & ~mask);
}

static void complete(sim_world *w, sim_host *host, uint64_t request, int result)
{
    if (!w->scenario.verify) {
        throng_node_complete(host->node, w->now, request, result);
        return;
    }
    uint32_t number = sim_packets_new(&w->packets, sizeof request + sizeof result);
    if (!number) {
        sim_violate(w, "out of memory");
        return;
    }
    sim_packet *work = sim_packets_get(&w->packets, number);
    work->kind = SIM_PACKET_WORK;
    work->to = host->at;
    memcpy(work->head, &request, sizeof request);
    memcpy(work->head + sizeof request, &result, sizeof result);
    sim_put(w, w->now + w->scenario.verify, SIM_WORK, number);
}

void sim_client_work(sim_world *w, const sim_packet *work)
{
    sim_host *host = sim_find(w, work->to);
    uint64_t request;
    int result;
    if (!host || !host->node)
        return;
    memcpy(&request, work->head, sizeof request);
    memcpy(&result, work->head + sizeof request, sizeof result);
    throng_node_complete(host->node, w->now, request, result);
    sim_client_drain(w, host);
}

static void on_done(sim_world *w, sim_host *host, const sim_object *object)
{
    sim_check_done(w, host, object);
    if (host->phase == SIM_COMPLETE)
        return;
    host->phase = SIM_COMPLETE;
    host->done_at = w->now;
    w->incomplete--;
    w->result.completed++;
    sim_result_time(w, host);
    sim_trace_client(w, host, "has all");
    if (w->options.manual)
        return;
    if (!w->scenario.linger) {
        host->leaving = true;
        return;
    }
    host->step_at = w->now + (throng_time)sim_rng_exponential(&w->rng, (double)w->scenario.linger);
    sim_put(w, host->step_at, SIM_STEP, host->at.slot);
}

static void on_liar(sim_world *w, sim_host *host, const throng_addr *addr)
{
    const sim_host *named = sim_find(w, sim_endpoint_of(addr));
    sim_trace_client(w, host, "names a liar");
    if (named && named != w->seeder && named->role != SIM_POISONER)
        sim_violate(w, "client %u names client %u a liar, which gave nothing but true content", host->at.slot,
                    named->at.slot);
}

static void on_stuck(sim_world *w, sim_host *host)
{
    sim_trace_client(w, host, "is stuck");
    host->stuck = true;
    if (!w->options.manual)
        host->leaving = true;
}

static void handle(sim_world *w, sim_host *host, const throng_event *event)
{
    const sim_object *object = event->content;
    if (w->options.hooks.event)
        w->options.hooks.event(w->options.hooks.user, host, event);
    switch (event->type) {
    case THRONG_EVENT_CHUNK:
        mark_chunk(host, object, event->chunk.index, w->receiving && w->receiving->poisoned);
        break;
    case THRONG_EVENT_VERIFY:
        complete(w, host, event->request,
                 sim_unit_poisoned(host, object, event->verify.unit) ? THRONG_ERR_TAMPERED : 0);
        break;
    case THRONG_EVENT_MANIFEST:
        complete(w, host, event->request, 0);
        break;
    case THRONG_EVENT_UNIT:
        sim_check_unit(w, host, object, event->unit.unit);
        break;
    case THRONG_EVENT_DONE:
        on_done(w, host, object);
        break;
    case THRONG_EVENT_STUCK:
        on_stuck(w, host);
        break;
    case THRONG_EVENT_LIAR:
        on_liar(w, host, &event->liar.addr);
        break;
    case THRONG_EVENT_LANDMARKS:
        break;
    }
}

static void schedule_tick(sim_world *w, sim_host *host)
{
    throng_time next = throng_node_next_deadline(host->node);
    if (next == THRONG_NEVER)
        return;
    if (next <= w->now) {
        next = w->now + 1;
        if (++host->idle_ticks > SIM_IDLE_TICKS_MAX)
            sim_violate(w, "client %u's deadline does not move on", host->at.slot);
    } else {
        host->idle_ticks = 0;
    }
    if (next < host->tick_at) {
        host->tick_at = next;
        sim_put(w, next, SIM_TICK, host->at.slot);
    }
}

void sim_client_drain(sim_world *w, sim_host *host)
{
    throng_event event;
    throng_datagram datagram;
    while (throng_node_poll_event(host->node, &event))
        handle(w, host, &event);
    while (throng_node_poll_send(host->node, w->now, &datagram))
        sim_wire_send_datagram(w, host, &datagram);
    sim_check_node(w, host);
    if (host->leaving)
        sim_client_leave(w, host, !host->vanishes || host->stuck);
    else
        schedule_tick(w, host);
}

void sim_client_leave(sim_world *w, sim_host *host, bool bye)
{
    throng_datagram datagram;
    if (host->node && bye) {
        throng_node_leave(host->node, w->now);
        while (throng_node_poll_send(host->node, w->now, &datagram))
            sim_wire_send_datagram(w, host, &datagram);
    }
    sim_trace_client(w, host, bye ? "leaves" : "vanishes");
    if (host->phase != SIM_COMPLETE) {
        w->incomplete--;
        if (host->stuck)
            w->result.stuck++;
        else
            w->result.impatient++;
    }
    sim_result_node(w, host);
    sim_host_free(w, host);
    w->clients--;
    if (w->scenario.arrivals == SIM_ARRIVALS_POOL && w->now < w->scenario.duration && !w->options.manual)
        sim_put(w, w->now, SIM_ARRIVAL, 0);
}
