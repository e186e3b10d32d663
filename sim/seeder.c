/* The server: it answers HTTP requests with directions and seeds by UDP, both over one line. The seeder's cap is what
 * directions leave of the line, counted over the last quarter of a second, as the programs share it out. */
#include "world.h"

#include <math.h>
#include <string.h>

enum { RATE_INTERVAL_MS = 50 };
#define HTTP_FADE_US 250000.0
#define LINE_SHARE 0.97   /* headroom for what can't be foreseen */
#define SEEDER_LEAST 0.05 /* of the line, whatever HTTP takes */
#define TCP_IP_HEADERS 40

static void set_rate(sim_world *w)
{
    const sim_scenario *s = &w->scenario;
    uint64_t rate = s->seeder_rate_bps;
    if (!rate) {
        double up = (double)s->seeder.up_bps;
        w->http_level *= exp(-(double)(w->now - w->http_at) / HTTP_FADE_US);
        w->http_at = w->now;
        double left = up * LINE_SHARE - w->http_level * 8e6 / HTTP_FADE_US;
        rate = (uint64_t)(left > up * SEEDER_LEAST ? left : up * SEEDER_LEAST);
    }
    if (rate == w->seeder_rate_bps)
        return;
    /* What is owed so far was owed at the old rate. */
    w->cap_debt -= (double)w->seeder_rate_bps / 8e6 * (double)(w->now - w->cap_at);
    w->cap_debt = w->cap_debt > 0 ? w->cap_debt : 0;
    w->cap_at = w->now;
    w->seeder_rate_bps = rate;
    throng_seed_set_rate(w->seed, w->now, rate);
}

static void http_sent(sim_world *w, uint32_t bytes)
{
    if (w->seed)
        set_rate(w);
    w->http_level += bytes;
    w->result.http_bytes += bytes;
}

static void drain(sim_world *w)
{
    throng_datagram datagram;
    while (throng_seed_poll_send(w->seed, w->now, &datagram)) {
        w->result.seeder_sent_bytes +=
            (uint64_t)datagram.head_size + datagram.body_size + SIM_UDP_OVERHEAD + THRONG_SEAL_OVERHEAD;
        sim_wire_send_datagram(w, w->seeder, &datagram);
    }
    throng_time next = throng_seed_next_deadline(w->seed);
    if (next != THRONG_NEVER && next <= w->now) {
        next = w->now + 1;
        if (++w->seeder->idle_ticks > SIM_IDLE_TICKS_MAX)
            sim_violate(w, "the seeder's deadline does not move on");
    } else {
        w->seeder->idle_ticks = 0;
    }
    if (next < w->seeder->tick_at || w->seeder->tick_at <= w->now) {
        w->seeder->tick_at = next;
        if (next != THRONG_NEVER)
            sim_put(w, next, SIM_SEED_TICK, 0);
    }
}

void sim_seeder_tick(sim_world *w)
{
    if (!w->seed || w->seeder->tick_at != w->now)
        return;
    if (throng_seed_next_deadline(w->seed) <= w->now)
        throng_seed_tick(w->seed, w->now);
    drain(w);
}

void sim_seeder_rate(sim_world *w)
{
    if (!w->seed)
        return;
    set_rate(w);
    drain(w);
    sim_put(w, w->now + RATE_INTERVAL_MS * THRONG_MS, SIM_SEED_RATE, 0);
}

static int start(sim_world *w)
{
    throng_seed_config config;
    throng_seed_config_default(&config);
    sim_rng_bytes(&w->rng, config.entropy, sizeof config.entropy);
    memset(config.token_key, SIM_TOKEN_KEY, sizeof config.token_key);
    config.rate_bps = w->scenario.seeder.up_bps;
    w->seeder_rate_bps = config.rate_bps;
    int result = throng_seed_new(&w->seed, &config, &w->alloc);
    for (uint32_t i = 0; result >= 0 && i < w->scenario.objects; i++) {
        sim_object *object = &w->objects[i];
        result = throng_seed_add(w->seed, w->now, &object->id, object->manifest, object->manifest_size, object->hashes,
                                 object);
    }
    if (result < 0)
        return result;
    set_rate(w);
    if (!w->scenario.seeder_rate_bps)
        sim_put(w, w->now + RATE_INTERVAL_MS * THRONG_MS, SIM_SEED_RATE, 0);
    return 0;
}

int sim_seeder_init(sim_world *w)
{
    w->seeder = sim_host_new(w);
    if (!w->seeder)
        return THRONG_ERR_NO_MEMORY;
    w->seeder->x = w->seeder->y = 0.5F;
    return start(w);
}

int sim_seeder_return(sim_world *w)
{
    if (w->seed)
        return 0;
    int result = start(w);
    if (result < 0)
        sim_violate(w, "the seeder can't return: %s", throng_error_text(result));
    return result;
}

void sim_seeder_die(sim_world *w)
{
    if (!w->seed)
        return;
    throng_seed_stats_get(w->seed, &w->result.seed);
    throng_seed_free(w->seed);
    w->seed = NULL;
    w->seeder->tick_at = THRONG_NEVER;
}

static uint32_t directions_wire_size(const sim_world *w, uint32_t peers)
{
    /* throng/directions.h: 78 bytes and 6 for each IPv4 peer, in base64url behind "throng:". */
    uint32_t bytes = 78 + 6 * peers;
    return (uint32_t)w->scenario.join_http_bytes + TCP_IP_HEADERS + 7 + (bytes * 4 + 2) / 3;
}

static void answer_get(sim_world *w, const sim_packet *packet)
{
    throng_addr addrs[THRONG_DIRECTIONS_PEERS_MAX];
    sim_endpoint peers[THRONG_DIRECTIONS_PEERS_MAX];
    uint32_t object;
    memcpy(&object, packet->head, sizeof object);
    uint32_t count =
        throng_seed_peers(w->seed, w->now, &w->objects[object].id, addrs, (uint32_t)w->scenario.join_peers);
    for (uint32_t i = 0; i < count; i++)
        peers[i] = sim_endpoint_of(&addrs[i]);
    uint32_t size = directions_wire_size(w, count);
    http_sent(w, size);
    sim_wire_send(w, w->seeder, packet->from, SIM_PACKET_DIRECTIONS, size, peers, count * sizeof *peers);
}

void sim_seeder_packet(sim_world *w, const sim_packet *packet)
{
    if (!w->seed)
        return;
    if (packet->kind == SIM_PACKET_SYN) {
        http_sent(w, SIM_TCP_BARE);
        sim_wire_send(w, w->seeder, packet->from, SIM_PACKET_SYN_ACK, SIM_TCP_BARE, NULL, 0);
    } else if (packet->kind == SIM_PACKET_GET) {
        answer_get(w, packet);
    } else {
        throng_addr from = sim_addr(packet->from);
        uint32_t size;
        const uint8_t *payload = sim_wire_payload(w, packet, &size);
        uint32_t unix_s = SIM_UNIX_START_S + (uint32_t)(w->now / THRONG_SECOND);
        int result = throng_seed_recv(w->seed, w->now, unix_s, packet->sender_id, &from, payload, size);
        if (throng_error_classify(result) == THRONG_CLASS_FATAL)
            sim_violate(w, "the seeder broke: %s", throng_error_text(result));
        drain(w);
    }
}
