/* A client: it asks the server for directions, joins the swarm, fetches, perhaps lingers, leaves. */
#include "world.h"

#include "../core/peer/share.h"

#include <stdlib.h>
#include <string.h>

static void send_join(sim_shard *s, sim_host *host)
{
    bool connecting = host->phase == SIM_CONNECTING;
    uint32_t size = connecting ? SIM_TCP_BARE : (uint32_t)s->w->scenario.join_request_bytes;
    s->result.http_bytes += size;
    sim_wire_send(s, host, s->w->seeder->at, connecting ? SIM_PACKET_SYN : SIM_PACKET_GET, size, &host->object,
                  sizeof host->object);
    host->step_at = s->now + host->wait_ms * THRONG_MS;
    sim_put(s, host->step_at, SIM_STEP, host->at.slot, 0);
}

static void draw_life(sim_shard *s, sim_host *host)
{
    const sim_scenario *scenario = &s->w->scenario;
    host->vanishes = sim_rng_unit(&host->rng) < scenario->vanish;
    host->measured = s->now >= scenario->warmup;
    host->object = (uint32_t)sim_rng_below(&host->rng, scenario->objects);
    if (scenario->patience) {
        host->give_up_at = s->now + 1 + (throng_time)sim_rng_exponential(&host->rng, (double)scenario->patience);
        sim_put(s, host->give_up_at, SIM_GIVE_UP, host->at.slot, 0);
    }
}

void sim_client_expect(sim_world *w, throng_time at)
{
    uint32_t slot;
    if (w->clients >= w->scenario.peers_max) {
        w->sampled.turned_away++;
        return;
    }
    if (!sim_place_take(w, &slot)) {
        sim_violate(w->shards[0], "out of memory");
        return;
    }
    w->clients++;
    sim_put(sim_shard_of(w, slot), at, SIM_ARRIVAL, slot, 0);
}

sim_host *sim_client_arrive(sim_shard *s, uint32_t slot)
{
    sim_host *host = sim_host_new(s, slot);
    if (!host)
        return NULL;
    s->result.arrived++;
    s->incomplete++;
    host->born_at = s->now;
    host->wait_ms = (uint32_t)(s->w->scenario.join_retry / THRONG_MS);
    draw_life(s, host);
    sim_trace_client(s, host, "arrives");
    if (!s->w->options.manual)
        send_join(s, host);
    return host;
}

sim_host *sim_client_come(sim_world *w)
{
    uint32_t slot;
    if (!sim_place_take(w, &slot))
        return NULL;
    w->clients++;
    return sim_client_arrive(sim_shard_of(w, slot), slot);
}

void sim_client_step(sim_shard *s, sim_host *host)
{
    host->step_at = THRONG_NEVER;
    if (host->phase == SIM_COMPLETE) {
        sim_client_leave(s, host, !host->vanishes);
        return;
    }
    if (host->phase == SIM_FETCHING)
        return;
    uint32_t most = (uint32_t)(s->w->scenario.join_retry_max / THRONG_MS);
    host->wait_ms = host->wait_ms * 2 < most ? host->wait_ms * 2 : most;
    send_join(s, host);
}

void sim_client_start(sim_shard *s, sim_host *host)
{
    throng_node_config config = s->w->scenario.node;
    sim_rng_bytes(&host->rng, config.entropy, sizeof config.entropy);
    if (s->w->scenario.know_uplink)
        config.uplink_bps = s->w->scenario.classes[host->class_index].up_bps;
    if (s->w->scenario.poison > 0 || s->w->options.manual)
        host->poisoned = calloc(1, s->w->chunk_bits / 8 + 1);
    if (throng_node_new(&host->node, &config, &s->alloc) < 0 ||
        (!host->poisoned && (s->w->scenario.poison > 0 || s->w->options.manual)))
        sim_violate(s, "out of memory");
    host->phase = SIM_FETCHING;
}

int sim_client_join(sim_shard *s, sim_host *host, const sim_object *object, const sim_endpoint *peers, uint32_t count)
{
    throng_directions directions = {
        .object = object->id,
        .size = object->geometry.size,
        .chunk_size = object->geometry.chunk_size,
        .sender_id = host->sender_id,
        .peers_count = count,
    };
    throng_addr seeder = sim_addr(s->w->seeder->at), own = sim_addr(host->at);
    uint8_t token_key[THRONG_KEY_SIZE];
    memset(token_key, SIM_TOKEN_KEY, sizeof token_key);
    throng_token_make(&directions.token, token_key, SIM_UNIX_START_S + (uint32_t)(s->now / THRONG_SECOND),
                      host->sender_id, own.ip);
    throng_traits traits;
    sim_groups_traits(s->w, host->at.slot, &traits);
    if (traits.landmarks != 0 && throng_node_set_traits(host->node, s->now, &traits, false) < 0)
        return THRONG_ERR_NO_MEMORY;
    directions.seeder.port = seeder.port;
    for (uint32_t i = 0; i < count; i++)
        directions.peers[i] = sim_addr(peers[i]);
    return throng_node_join(host->node, s->now, &directions, &seeder, &s->w->objects[object->index]);
}

static void on_directions(sim_shard *s, sim_host *host, const sim_packet *packet)
{
    sim_endpoint peers[THRONG_DIRECTIONS_PEERS_MAX];
    uint32_t count = packet->head_size / sizeof *peers;
    memcpy(peers, sim_packet_head(packet), packet->head_size);
    host->step_at = THRONG_NEVER;
    s->join_sum += s->now - host->born_at;
    s->joined++;
    sim_client_start(s, host);
    if (!host->node)
        return;
    int result = sim_client_join(s, host, &s->w->objects[host->object], peers, count);
    if (result < 0)
        sim_violate(s, "throng_node_join: %s", throng_error_text(result));
    sim_client_drain(s, host);
}

void sim_client_packet(sim_shard *s, sim_host *host, const sim_packet *packet)
{
    if (packet->kind == SIM_PACKET_SYN_ACK && host->phase == SIM_CONNECTING) {
        host->phase = SIM_REQUESTING;
        send_join(s, host);
    } else if (packet->kind == SIM_PACKET_DIRECTIONS && host->phase == SIM_REQUESTING) {
        on_directions(s, host, packet);
    } else if (packet->kind == SIM_PACKET_UDP && host->node) {
        throng_addr from = sim_addr(packet->from);
        uint32_t size;
        const uint8_t *payload = sim_wire_payload(s, packet, &size);
        int result = throng_node_recv(host->node, s->now, &from, payload, size);
        if (throng_error_classify(result) == THRONG_CLASS_FATAL)
            sim_violate(s, "client %u's node broke: %s", host->at.slot, throng_error_text(result));
        sim_client_drain(s, host);
    }
}

void sim_client_tick(sim_shard *s, sim_host *host)
{
    host->tick_at = THRONG_NEVER;
    if (throng_node_next_deadline(host->node) <= s->now) {
        int result = throng_node_tick(host->node, s->now);
        if (throng_error_classify(result) == THRONG_CLASS_FATAL)
            sim_violate(s, "client %u's node broke: %s", host->at.slot, throng_error_text(result));
    }
    sim_client_drain(s, host);
}

static void mark_chunk(sim_host *host, const sim_object *object, uint32_t chunk, bool poisoned)
{
    if (!host->poisoned)
        return;
    uint32_t bit = object->first_bit + chunk;
    uint8_t mask = (uint8_t)(1u << (bit % 8));
    host->poisoned[bit / 8] = (uint8_t)(poisoned ? host->poisoned[bit / 8] | mask : host->poisoned[bit / 8] & ~mask);
}

static void complete(sim_shard *s, sim_host *host, uint64_t request, int result)
{
    if (!s->w->scenario.verify) {
        throng_node_complete(host->node, s->now, request, result);
        return;
    }
    uint32_t number = sim_packets_new(&s->packets, sizeof request + sizeof result);
    if (!number) {
        sim_violate(s, "out of memory");
        return;
    }
    sim_packet *work = sim_packets_get(&s->packets, number);
    work->kind = SIM_PACKET_WORK;
    work->to = host->at;
    memcpy(work->head, &request, sizeof request);
    memcpy(work->head + sizeof request, &result, sizeof result);
    sim_put(s, s->now + s->w->scenario.verify, SIM_WORK, host->at.slot, number);
}

void sim_client_work(sim_shard *s, const sim_packet *work)
{
    sim_host *host = sim_find(s, work->to);
    uint64_t request;
    int result;
    if (!host || !host->node)
        return;
    memcpy(&request, work->head, sizeof request);
    memcpy(&result, work->head + sizeof request, sizeof result);
    throng_node_complete(host->node, s->now, request, result);
    sim_client_drain(s, host);
}

static void on_done(sim_shard *s, sim_host *host, const sim_object *object)
{
    sim_check_done(s, host, object);
    if (host->phase == SIM_COMPLETE)
        return;
    host->phase = SIM_COMPLETE;
    s->incomplete--;
    s->result.completed++;
    sim_result_time(s, host);
    sim_trace_client(s, host, "has all");
    if (s->w->options.manual)
        return;
    if (!s->w->scenario.linger) {
        host->leaving = true;
        return;
    }
    host->step_at = s->now + (throng_time)sim_rng_exponential(&host->rng, (double)s->w->scenario.linger);
    sim_put(s, host->step_at, SIM_STEP, host->at.slot, 0);
}

static void on_liar(sim_shard *s, const sim_host *host, const throng_addr *addr)
{
    const sim_world *w = s->w;
    sim_endpoint named = sim_endpoint_of(addr);
    sim_trace_client(s, host, "names a liar");
    if (named.slot == SIM_SEEDER_SLOT || named.slot >= w->slots || w->places[named.slot].port != named.port)
        return;
    if (w->places[named.slot].role != SIM_POISONER)
        sim_violate(s, "client %u names client %u a liar, which gave nothing but true content", host->at.slot,
                    named.slot);
}

static void on_stuck(sim_shard *s, sim_host *host)
{
    sim_trace_client(s, host, "is stuck");
    host->stuck = true;
    if (!s->w->options.manual)
        host->leaving = true;
}

static void handle(sim_shard *s, sim_host *host, const throng_event *event)
{
    const sim_object *object = event->content;
    if (s->w->options.hooks.event)
        s->w->options.hooks.event(s->w->options.hooks.user, host, event);
    switch (event->type) {
    case THRONG_EVENT_CHUNK:
        mark_chunk(host, object, event->chunk.index, s->receiving && s->receiving->poisoned);
        break;
    case THRONG_EVENT_VERIFY:
        if (s->w->options.hooks.hold && s->w->options.hooks.hold(s->w->options.hooks.user, event))
            break;
        complete(s, host, event->request,
                 sim_unit_poisoned(host, object, event->verify.unit) ? THRONG_ERR_TAMPERED : 0);
        break;
    case THRONG_EVENT_MANIFEST:
        host->manifest_due = true;
        complete(s, host, event->request, 0);
        break;
    case THRONG_EVENT_UNIT:
        sim_check_unit(s, host, object, event->unit.unit);
        break;
    case THRONG_EVENT_DONE:
        on_done(s, host, object);
        break;
    case THRONG_EVENT_STUCK:
        on_stuck(s, host);
        break;
    case THRONG_EVENT_LIAR:
        on_liar(s, host, &event->liar.addr);
        break;
    case THRONG_EVENT_LANDMARKS:
        break;
    }
}

/* Ten thousand nodes have one manifest. */
static void share_manifest(sim_shard *s, sim_host *host)
{
    const sim_object *object = &s->w->objects[host->object];
    int result =
        throng_node_share_manifest(host->node, &object->id, object->manifest, object->manifest_size, object->hashes);
    host->manifest_due = result == THRONG_ERR_AGAIN;
}

static void schedule_tick(sim_shard *s, sim_host *host)
{
    throng_time next = throng_node_next_deadline(host->node);
    if (next == THRONG_NEVER)
        return;
    if (next <= s->now) {
        next = s->now + 1;
        if (++host->idle_ticks > SIM_IDLE_TICKS_MAX)
            sim_violate(s, "client %u's deadline does not move on", host->at.slot);
    } else {
        host->idle_ticks = 0;
    }
    if (next < host->tick_at) {
        host->tick_at = next;
        sim_put(s, next, SIM_TICK, host->at.slot, 0);
    }
}

void sim_client_drain(sim_shard *s, sim_host *host)
{
    throng_event event;
    throng_datagram datagram;
    while (throng_node_poll_event(host->node, &event))
        handle(s, host, &event);
    if (host->manifest_due)
        share_manifest(s, host);
    while (throng_node_poll_send(host->node, s->now, &datagram))
        sim_wire_send_datagram(s, host, &datagram);
    throng_node_trim(host->node);
    sim_check_node(s, host);
    if (host->leaving)
        sim_client_leave(s, host, !host->vanishes || host->stuck);
    else
        schedule_tick(s, host);
}

static void note_leaver(sim_shard *s, uint32_t slot)
{
    sim_leavers *leavers = &s->leavers;
    if (leavers->count == leavers->size) {
        uint32_t size = leavers->size ? leavers->size * 2 : 64;
        sim_leaver *list = realloc(leavers->list, size * sizeof *list);
        if (!list) {
            sim_violate(s, "out of memory");
            return;
        }
        leavers->list = list;
        leavers->size = size;
    }
    leavers->list[leavers->count++] = (sim_leaver){.at = s->now, .slot = slot};
}

void sim_client_leave(sim_shard *s, sim_host *host, bool bye)
{
    throng_datagram datagram;
    if (host->node && bye) {
        throng_node_leave(host->node, s->now);
        while (throng_node_poll_send(host->node, s->now, &datagram))
            sim_wire_send_datagram(s, host, &datagram);
    }
    sim_trace_client(s, host, bye ? "leaves" : "vanishes");
    if (host->phase != SIM_COMPLETE) {
        s->incomplete--;
        if (host->stuck)
            s->result.stuck++;
        else
            s->result.impatient++;
    }
    sim_result_node(s, host);
    note_leaver(s, host->at.slot);
    sim_host_free(s, host);
}
