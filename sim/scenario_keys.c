#include "scenario.h"

#include <string.h>

#define IN(field) SCENARIO_FIELD(sim_scenario, field)
#define OF_CLASS(field) SCENARIO_FIELD(sim_class, field)
#define HOUR 3600e6

const scenario_key sim_keys[] = {
    {"object", "size", SCENARIO_BYTES, IN(object_size), 1, 1e12, NULL, "bytes of an object"},
    {"object", "chunk_size", SCENARIO_BYTES, IN(chunk_size), THRONG_CHUNK_SIZE_MIN, THRONG_CHUNK_SIZE_MAX, NULL,
     "bytes of a chunk"},
    {"object", "count", SCENARIO_COUNT, IN(objects), 1, 1000, NULL, "objects; each client wants one, at random"},

    {"arrivals", "kind", SCENARIO_CHOICE, IN(arrivals), 0, 0, "poisson|once|pool",
     "poisson: `rate` a second; once: `count` over `spread`; pool: `count`, each replaced on leaving"},
    {"arrivals", "rate", SCENARIO_NUMBER, IN(arrivals_rate), 0.001, 1e6, NULL, "clients a second (poisson)"},
    {"arrivals", "count", SCENARIO_COUNT, IN(arrivals_count), 1, 1e7, NULL, "clients (once, pool)"},
    {"arrivals", "spread", SCENARIO_TIME, IN(arrivals_spread), 0, HOUR, NULL, "time over which they come (once, pool)"},

    {"run", "seed", SCENARIO_COUNT, IN(seed), 0, 9e15, NULL, "same seed, same trace"},
    {"run", "threads", SCENARIO_COUNT, IN(threads), 0, 64, NULL,
     "processors to use, which change nothing but how long it takes; 0: all"},
    {"run", "duration", SCENARIO_TIME, IN(duration), 1, 24 * HOUR, NULL, "arrivals stop then"},
    {"run", "warmup", SCENARIO_TIME, IN(warmup), 0, 24 * HOUR, NULL, "who arrives before is not measured"},
    {"run", "drain", SCENARIO_TIME, IN(drain), 0, 24 * HOUR, NULL,
     "the run ends so long after `duration` at the latest"},
    {"run", "peers_max", SCENARIO_COUNT, IN(peers_max), 1, 1e7, NULL,
     "clients at once; beyond, arrivals are turned away"},

    {"network", "rtt", SCENARIO_TIME, IN(rtt), 0, 60e6, NULL, "mean round trip between two clients, without queues"},
    {"network", "groups", SCENARIO_COUNT, IN(groups), 0, 256, NULL,
     "networks that clients are in, in turn; `rtt` is then that between two of them; 0: clients lie at random places"},
    {"network", "group_rtt", SCENARIO_TIME, IN(group_rtt), 0, 60e6, NULL, "round trip within a network"},
    {"network", "near", SCENARIO_CHOICE, IN(near), 0, 0, "no|yes|delays",
     "the server names near peers first: it knows the networks, or clients tell their delays to ten landmarks"},
    {"network", "jitter", SCENARIO_TIME, IN(jitter), 0, 10e6, NULL, "each packet is late by up to this, evenly"},
    {"network", "loss", SCENARIO_SHARE, IN(loss), 0, 0.99, NULL, "share of packets lost on the way"},

    {"seeder", "rate", SCENARIO_RATE, IN(seeder_rate_bps), 0, 1e12, NULL,
     "the seeder's cap; 0: what its line leaves beside directions"},
    {"seeder", "die_at", SCENARIO_TIME, IN(seeder_die_at), 0, 24 * HOUR, NULL, "it stops then; 0: never"},
    {"seeder", "return_at", SCENARIO_TIME, IN(seeder_return_at), 0, 24 * HOUR, NULL,
     "it is back then, remembering nothing; 0: never"},

    {"clients", "linger", SCENARIO_TIME, IN(linger), 0, HOUR, NULL, "mean stay of who has all (exponential); 0: none"},
    {"clients", "vanish", SCENARIO_SHARE, IN(vanish), 0, 1, NULL, "share that leaves without BYE"},
    {"clients", "leech", SCENARIO_SHARE, IN(leech), 0, 1, NULL, "share that gives no content"},
    {"clients", "poison", SCENARIO_SHARE, IN(poison), 0, 1, NULL, "share that gives false content"},
    {"clients", "patience", SCENARIO_TIME, IN(patience), 0, HOUR, NULL,
     "mean time after which one goes, complete or not (exponential); 0: none goes"},
    {"clients", "know_uplink", SCENARIO_CHOICE, IN(know_uplink), 0, 0, "no|yes",
     "told to the node, or estimated by it"},
    {"clients", "verify", SCENARIO_TIME, IN(verify), 0, 10e6, NULL, "time that checking a unit takes"},

    {"attack", "spoof_rate", SCENARIO_NUMBER, IN(spoof_rate), 0, 1e6, NULL,
     "requests a second whose source address is forged"},

    {"join", "request_bytes", SCENARIO_BYTES, IN(join_request_bytes), 1, 1400, NULL,
     "HTTP request, TCP and IP headers"},
    {"join", "http_bytes", SCENARIO_BYTES, IN(join_http_bytes), 0, 1000, NULL,
     "HTTP response with TCP and IP headers, less the directions"},
    {"join", "peers", SCENARIO_COUNT, IN(join_peers), 0, THRONG_DIRECTIONS_PEERS_MAX, NULL,
     "peers named in directions"},
    {"join", "retry", SCENARIO_TIME, IN(join_retry), 1000, 60e6, NULL, "first wait for an answer; doubles"},
    {"join", "retry_max", SCENARIO_TIME, IN(join_retry_max), 1000, HOUR, NULL, "… up to this"},

    {"node", "profile", SCENARIO_CHOICE, IN(profile), 0, 0, "throng|paper", "sets the defaults of the keys below"},
    {"node", "degree_min", SCENARIO_COUNT, IN(node.degree_min), 1, 1000, NULL, "throng_node_config"},
    {"node", "degree_max", SCENARIO_COUNT, IN(node.degree_max), 1, 1000, NULL, "…"},
    {"node", "seek_interval", SCENARIO_TIME, IN(node.seek_interval), 1000, 60e6, NULL, "…"},
    {"node", "retries_max", SCENARIO_COUNT, IN(node.retries_max), 1, 100, NULL, "…"},
    {"node", "handshake_intervals", SCENARIO_COUNT, IN(node.handshake_intervals), 1, 63, NULL, "…"},
    {"node", "burst_initial", SCENARIO_COUNT, IN(node.burst_initial), 1, 1000, NULL, "…"},
    {"node", "tab_bytes", SCENARIO_COUNT, IN(node.tab_bytes), 0, 1e9, NULL, "…"},
    {"node", "tab_percent", SCENARIO_COUNT, IN(node.tab_percent), 0, 1000, NULL, "…"},
    {"node", "give_percent", SCENARIO_COUNT, IN(node.give_percent), 0, 1000, NULL, "…"},
    {"node", "gives_when_done", SCENARIO_CHOICE, IN(node.gives_when_done), 0, 0, "no|yes", "…"},
    {"node", "window_min", SCENARIO_COUNT, IN(node.window_min), 1, 1e5, NULL, "…"},
    {"node", "window_max", SCENARIO_COUNT, IN(node.window_max), 1, 1e5, NULL, "…"},
    {"node", "neighbour_window", SCENARIO_COUNT, IN(node.neighbour_window), 1, 1e5, NULL, "…"},
    {"node", "units_open_max", SCENARIO_COUNT, IN(node.units_open_max), 1, 1e6, NULL, "…"},
    {"node", "busy_after", SCENARIO_TIME, IN(node.busy_after), 0, 60e6, NULL, "…"},
    {"node", "have_interval", SCENARIO_TIME, IN(node.have_interval), 1000, 60e6, NULL, "…"},
    {"node", "endgame_after", SCENARIO_TIME, IN(node.endgame_after), 0, 60e6, NULL, "…"},
    {"node", "download_limit", SCENARIO_RATE, IN(node.download_limit_bps), 0, 1e12, NULL, "…; 0: none"},

    {"class", "share", SCENARIO_SHARE, OF_CLASS(share), 0, 1, NULL, "share of the clients (not of [seeder])"},
    {"class", "up", SCENARIO_RATE, OF_CLASS(up_bps), 1000, 1e12, NULL, "uplink"},
    {"class", "down", SCENARIO_RATE, OF_CLASS(down_bps), 1000, 1e12, NULL, "downlink"},
    {"class", "queue", SCENARIO_BYTES, OF_CLASS(queue_bytes), 1500, 1e9, NULL, "bytes that may wait, each way"},
    {"class", "loss", SCENARIO_SHARE, OF_CLASS(loss), 0, 0.99, NULL, "share lost on the line, each way"},
    {"class", "delay", SCENARIO_TIME, OF_CLASS(delay), 0, 10e6, NULL, "added to every way over the line"},
};
const size_t sim_keys_count = sizeof sim_keys / sizeof *sim_keys;

static bool is_double(const scenario_key *key)
{
    return key->type == SCENARIO_NUMBER || key->type == SCENARIO_SHARE;
}

void sim_value_store(const scenario_key *key, void *base, double value)
{
    char *at = (char *)base + key->offset;
    uint64_t whole = (uint64_t)value;
    uint32_t whole32 = (uint32_t)value;
    bool yes = value > 0;
    if (is_double(key))
        memcpy(at, &value, sizeof value);
    else if (key->size == sizeof yes)
        memcpy(at, &yes, sizeof yes);
    else if (key->size == sizeof whole32)
        memcpy(at, &whole32, sizeof whole32);
    else
        memcpy(at, &whole, sizeof whole);
}

double sim_value_load(const scenario_key *key, const void *base)
{
    const char *at = (const char *)base + key->offset;
    double value;
    uint64_t whole;
    uint32_t whole32;
    if (is_double(key)) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    if (key->size == sizeof(bool))
        return *(const bool *)at;
    if (key->size == sizeof whole32) {
        memcpy(&whole32, at, sizeof whole32);
        return whole32;
    }
    memcpy(&whole, at, sizeof whole);
    return (double)whole;
}
