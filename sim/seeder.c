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

static void set_rate(sim_shard *s)
{
    sim_server *server = &s->w->server;
    uint64_t rate = s->w->scenario.seeder_rate_bps;
    if (!rate) {
        double up = (double)s->w->scenario.seeder.up_bps;
        server->http_level *= exp(-(double)(s->now - server->http_at) / HTTP_FADE_US);
        server->http_at = s->now;
        double left = up * LINE_SHARE - server->http_level * 8e6 / HTTP_FADE_US;
        rate = (uint64_t)(left > up * SEEDER_LEAST ? left : up * SEEDER_LEAST);
    }
    if (rate == server->rate_bps)
        return;
    /* What is owed so far was owed at the old rate. */
    server->cap_debt -= (double)server->rate_bps / 8e6 * (double)(s->now - server->cap_at);
    server->cap_debt = server->cap_debt > 0 ? server->cap_debt : 0;
    server->cap_at = s->now;
    server->rate_bps = rate;
    throng_seed_set_rate(server->seed, s->now, rate);
}

static void http_sent(sim_shard *s, uint32_t bytes)
{
    sim_server *server = &s->w->server;
    if (server->seed)
        set_rate(s);
    server->http_level += bytes;
    s->result.http_bytes += bytes;
}

static void drain(sim_shard *s)
{
    sim_server *server = &s->w->server;
    throng_datagram datagram;
    while (throng_seed_poll_send(server->seed, s->now, &datagram)) {
        s->result.seeder_sent_bytes +=
            (uint64_t)datagram.head_size + datagram.body_size + SIM_UDP_OVERHEAD + THRONG_SEAL_OVERHEAD;
        sim_wire_send_datagram(s, s->w->seeder, &datagram);
    }
    throng_time next = throng_seed_next_deadline(server->seed);
    if (next != THRONG_NEVER && next <= s->now) {
        next = s->now + 1;
        if (++s->w->seeder->idle_ticks > SIM_IDLE_TICKS_MAX)
            sim_violate(s, "the seeder's deadline does not move on");
    } else {
        s->w->seeder->idle_ticks = 0;
    }
    if (next < s->w->seeder->tick_at || s->w->seeder->tick_at <= s->now) {
        s->w->seeder->tick_at = next;
        if (next != THRONG_NEVER)
            sim_put(s, next, SIM_SEED_TICK, SIM_SEEDER_SLOT, 0);
    }
}

void sim_seeder_tick(sim_shard *s)
{
    sim_server *server = &s->w->server;
    if (!server->seed || s->w->seeder->tick_at != s->now)
        return;
    if (throng_seed_next_deadline(server->seed) <= s->now)
        throng_seed_tick(server->seed, s->now);
    drain(s);
}

void sim_seeder_rate(sim_shard *s)
{
    if (!s->w->server.seed)
        return;
    set_rate(s);
    drain(s);
    sim_put(s, s->now + RATE_INTERVAL_MS * THRONG_MS, SIM_SEED_RATE, SIM_SEEDER_SLOT, 0);
}

/* Tables as large as what the scenario can fill: they are counted with its peers. */
static void make_room(const sim_scenario *scenario, throng_seed_config *config)
{
    config->objects_max = (uint32_t)scenario->objects;
    bool all_known = scenario->arrivals == SIM_ARRIVALS_ONCE && scenario->spoof_rate <= 0;
    if (all_known && scenario->arrivals_count < config->peers_max)
        config->peers_max = (uint32_t)scenario->arrivals_count;
}

static int start(sim_shard *s)
{
    sim_server *server = &s->w->server;
    throng_seed_config config;
    throng_seed_config_default(&config);
    sim_rng_bytes(&s->w->seeder->rng, config.entropy, sizeof config.entropy);
    memset(config.token_key, SIM_TOKEN_KEY, sizeof config.token_key);
    config.rate_bps = s->w->scenario.seeder.up_bps;
    make_room(&s->w->scenario, &config);
    server->rate_bps = config.rate_bps;
    config.objects_max = SIM_OBJECTS_MAX;
    int result = throng_seed_new(&server->seed, &config, &s->alloc);
    if (result >= 0 && s->w->networks_memory)
        throng_seed_set_networks(server->seed, &s->w->networks);
    if (result >= 0)
        sim_groups_set_landmarks(s->w, server->seed);
    for (uint32_t i = 0; result >= 0 && i < s->w->scenario.objects; i++) {
        sim_object *object = &s->w->objects[i];
        result = throng_seed_add(server->seed, s->now, &object->id, object->manifest, object->manifest_size,
                                 object->hashes, object);
    }
    if (result < 0)
        return result;
    set_rate(s);
    if (!s->w->scenario.seeder_rate_bps)
        sim_put(s, s->now + RATE_INTERVAL_MS * THRONG_MS, SIM_SEED_RATE, SIM_SEEDER_SLOT, 0);
    return 0;
}

int sim_seeder_init(sim_world *w)
{
    uint32_t slot;
    sim_place *place = sim_place_take(w, &slot);
    if (!place)
        return THRONG_ERR_NO_MEMORY;
    *place = (sim_place){.x = 0.5F, .y = 0.5F, .port = SIM_PORT_FIRST};
    sim_shard *s = sim_shard_of(w, slot);
    w->seeder = sim_host_new(s, slot);
    return w->seeder ? start(s) : THRONG_ERR_NO_MEMORY;
}

int sim_seeder_return(sim_shard *s)
{
    if (s->w->server.seed)
        return 0;
    int result = start(s);
    if (result < 0)
        sim_violate(s, "the seeder can't return: %s", throng_error_text(result));
    return result;
}

void sim_seeder_die(sim_shard *s)
{
    sim_server *server = &s->w->server;
    if (!server->seed)
        return;
    throng_seed_stats_get(server->seed, &s->result.seed);
    throng_seed_free(server->seed);
    server->seed = NULL;
    s->w->seeder->tick_at = THRONG_NEVER;
}

static uint32_t directions_wire_size(const sim_shard *s, uint32_t peers)
{
    /* throng/directions.h: 78 bytes and 6 for each IPv4 peer, in base64url behind "throng:". */
    uint32_t bytes = 78 + 6 * peers;
    return (uint32_t)s->w->scenario.join_http_bytes + TCP_IP_HEADERS + 7 + (bytes * 4 + 2) / 3;
}

static void answer_get(sim_shard *s, const sim_packet *packet)
{
    throng_addr addrs[THRONG_DIRECTIONS_PEERS_MAX];
    sim_endpoint peers[THRONG_DIRECTIONS_PEERS_MAX];
    uint32_t object;
    memcpy(&object, packet->head, sizeof object);
    throng_addr who = sim_addr(packet->from);
    throng_traits traits;
    sim_groups_traits(s->w, packet->from.slot, &traits);
    uint32_t count = throng_seed_peers_for(s->w->server.seed, s->now, &s->w->objects[object].id, &who, &traits, addrs,
                                           (uint32_t)s->w->scenario.join_peers);
    for (uint32_t i = 0; i < count; i++)
        peers[i] = sim_endpoint_of(&addrs[i]);
    uint32_t size = directions_wire_size(s, count);
    http_sent(s, size);
    sim_wire_send(s, s->w->seeder, packet->from, SIM_PACKET_DIRECTIONS, size, peers, count * sizeof *peers);
}

void sim_seeder_packet(sim_shard *s, const sim_packet *packet)
{
    sim_server *server = &s->w->server;
    if (!server->seed)
        return;
    if (packet->kind == SIM_PACKET_SYN) {
        http_sent(s, SIM_TCP_BARE);
        sim_wire_send(s, s->w->seeder, packet->from, SIM_PACKET_SYN_ACK, SIM_TCP_BARE, NULL, 0);
    } else if (packet->kind == SIM_PACKET_GET) {
        answer_get(s, packet);
    } else {
        throng_addr from = sim_addr(packet->from);
        uint32_t size;
        const uint8_t *payload = sim_wire_payload(s, packet, &size);
        uint32_t unix_s = SIM_UNIX_START_S + (uint32_t)(s->now / THRONG_SECOND);
        int result = throng_seed_recv(server->seed, s->now, unix_s, packet->sender_id, &from, payload, size);
        if (throng_error_classify(result) == THRONG_CLASS_FATAL)
            sim_violate(s, "the seeder broke: %s", throng_error_text(result));
        drain(s);
    }
}
