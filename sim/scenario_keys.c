#include "scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN(field) offsetof(sim_scenario, field)
#define OF_CLASS(field) offsetof(sim_class, field)
#define HOUR 3600e6

const sim_key sim_keys[] = {
    {"object", "size", SIM_KEY_BYTES, IN(object_size), 1, 1e12, NULL, "bytes of an object"},
    {"object", "chunk_size", SIM_KEY_BYTES, IN(chunk_size), THRONG_CHUNK_SIZE_MIN, THRONG_CHUNK_SIZE_MAX, NULL,
     "bytes of a chunk"},
    {"object", "count", SIM_KEY_COUNT, IN(objects), 1, 1000, NULL, "objects; each client wants one, at random"},

    {"arrivals", "kind", SIM_KEY_CHOICE, IN(arrivals), 0, 0, "poisson|once|pool",
     "poisson: `rate` a second; once: `count` over `spread`; pool: `count`, each replaced on leaving"},
    {"arrivals", "rate", SIM_KEY_NUMBER, IN(arrivals_rate), 0.001, 1e6, NULL, "clients a second (poisson)"},
    {"arrivals", "count", SIM_KEY_COUNT, IN(arrivals_count), 1, 1e7, NULL, "clients (once, pool)"},
    {"arrivals", "spread", SIM_KEY_TIME, IN(arrivals_spread), 0, HOUR, NULL, "time over which they come (once, pool)"},

    {"run", "seed", SIM_KEY_COUNT, IN(seed), 0, 9e15, NULL, "same seed, same trace"},
    {"run", "duration", SIM_KEY_TIME, IN(duration), 1, 24 * HOUR, NULL, "arrivals stop then"},
    {"run", "warmup", SIM_KEY_TIME, IN(warmup), 0, 24 * HOUR, NULL, "who arrives before is not measured"},
    {"run", "drain", SIM_KEY_TIME, IN(drain), 0, 24 * HOUR, NULL,
     "the run ends so long after `duration` at the latest"},
    {"run", "peers_max", SIM_KEY_COUNT, IN(peers_max), 1, 1e7, NULL,
     "clients at once; beyond, arrivals are turned away"},

    {"network", "rtt", SIM_KEY_TIME, IN(rtt), 0, 60e6, NULL, "mean round trip between two clients, without queues"},
    {"network", "jitter", SIM_KEY_TIME, IN(jitter), 0, 10e6, NULL, "each packet is late by up to this, evenly"},
    {"network", "loss", SIM_KEY_SHARE, IN(loss), 0, 0.99, NULL, "share of packets lost on the way"},

    {"seeder", "rate", SIM_KEY_RATE, IN(seeder_rate_bps), 0, 1e12, NULL,
     "the seeder's cap; 0: what its line leaves beside directions"},
    {"seeder", "die_at", SIM_KEY_TIME, IN(seeder_die_at), 0, 24 * HOUR, NULL, "it stops then; 0: never"},
    {"seeder", "return_at", SIM_KEY_TIME, IN(seeder_return_at), 0, 24 * HOUR, NULL,
     "it is back then, remembering nothing; 0: never"},

    {"clients", "linger", SIM_KEY_TIME, IN(linger), 0, HOUR, NULL, "mean stay of who has all (exponential); 0: none"},
    {"clients", "vanish", SIM_KEY_SHARE, IN(vanish), 0, 1, NULL, "share that leaves without BYE"},
    {"clients", "leech", SIM_KEY_SHARE, IN(leech), 0, 1, NULL, "share that gives no content"},
    {"clients", "poison", SIM_KEY_SHARE, IN(poison), 0, 1, NULL, "share that gives false content"},
    {"clients", "patience", SIM_KEY_TIME, IN(patience), 0, HOUR, NULL,
     "mean time after which one goes, complete or not (exponential); 0: none goes"},
    {"clients", "know_uplink", SIM_KEY_CHOICE, IN(know_uplink), 0, 0, "no|yes", "told to the node, or estimated by it"},
    {"clients", "verify", SIM_KEY_TIME, IN(verify), 0, 10e6, NULL, "time that checking a unit takes"},

    {"attack", "spoof_rate", SIM_KEY_NUMBER, IN(spoof_rate), 0, 1e6, NULL,
     "requests a second whose source address is forged"},

    {"join", "request_bytes", SIM_KEY_BYTES, IN(join_request_bytes), 1, 1400, NULL, "HTTP request, TCP and IP headers"},
    {"join", "http_bytes", SIM_KEY_BYTES, IN(join_http_bytes), 0, 1000, NULL,
     "HTTP response with TCP and IP headers, less the directions"},
    {"join", "peers", SIM_KEY_COUNT, IN(join_peers), 0, THRONG_DIRECTIONS_PEERS_MAX, NULL, "peers named in directions"},
    {"join", "retry", SIM_KEY_TIME, IN(join_retry), 1000, 60e6, NULL, "first wait for an answer; doubles"},
    {"join", "retry_max", SIM_KEY_TIME, IN(join_retry_max), 1000, HOUR, NULL, "… up to this"},

    {"node", "profile", SIM_KEY_CHOICE, IN(profile), 0, 0, "throng|paper", "sets the defaults of the keys below"},
    {"node", "degree_min", SIM_KEY_COUNT32, IN(node.degree_min), 1, 1000, NULL, "throng_node_config"},
    {"node", "degree_max", SIM_KEY_COUNT32, IN(node.degree_max), 1, 1000, NULL, "…"},
    {"node", "seek_interval", SIM_KEY_TIME, IN(node.seek_interval), 1000, 60e6, NULL, "…"},
    {"node", "retries_max", SIM_KEY_COUNT32, IN(node.retries_max), 1, 100, NULL, "…"},
    {"node", "handshake_intervals", SIM_KEY_COUNT32, IN(node.handshake_intervals), 1, 63, NULL, "…"},
    {"node", "burst_initial", SIM_KEY_COUNT32, IN(node.burst_initial), 1, 1000, NULL, "…"},
    {"node", "tab_bytes", SIM_KEY_COUNT32, IN(node.tab_bytes), 0, 1e9, NULL, "…"},
    {"node", "tab_percent", SIM_KEY_COUNT32, IN(node.tab_percent), 0, 1000, NULL, "…"},
    {"node", "window_min", SIM_KEY_COUNT32, IN(node.window_min), 1, 1e5, NULL, "…"},
    {"node", "window_max", SIM_KEY_COUNT32, IN(node.window_max), 1, 1e5, NULL, "…"},
    {"node", "neighbour_window", SIM_KEY_COUNT32, IN(node.neighbour_window), 1, 1e5, NULL, "…"},
    {"node", "units_open_max", SIM_KEY_COUNT32, IN(node.units_open_max), 1, 1e6, NULL, "…"},
    {"node", "busy_after", SIM_KEY_TIME, IN(node.busy_after), 0, 60e6, NULL, "…"},
    {"node", "have_interval", SIM_KEY_TIME, IN(node.have_interval), 1000, 60e6, NULL, "…"},
    {"node", "endgame_after", SIM_KEY_TIME, IN(node.endgame_after), 0, 60e6, NULL, "…"},

    {"class", "share", SIM_KEY_SHARE, OF_CLASS(share), 0, 1, NULL, "share of the clients (not of [seeder])"},
    {"class", "up", SIM_KEY_RATE, OF_CLASS(up_bps), 1000, 1e12, NULL, "uplink"},
    {"class", "down", SIM_KEY_RATE, OF_CLASS(down_bps), 1000, 1e12, NULL, "downlink"},
    {"class", "queue", SIM_KEY_BYTES, OF_CLASS(queue_bytes), 1500, 1e9, NULL, "bytes that may wait, each way"},
    {"class", "loss", SIM_KEY_SHARE, OF_CLASS(loss), 0, 0.99, NULL, "share lost on the line, each way"},
    {"class", "delay", SIM_KEY_TIME, OF_CLASS(delay), 0, 10e6, NULL, "added to every way over the line"},
};
const size_t sim_keys_count = sizeof sim_keys / sizeof *sim_keys;

typedef struct suffix {
    const char *text;
    double factor;
} suffix;

static const suffix suffixes_bytes[] = {{"", 1}, {"K", 1024}, {"M", 1048576}, {"G", 1073741824}, {NULL, 0}};
static const suffix suffixes_rate[] = {{"", 1}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {NULL, 0}};
static const suffix suffixes_time[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", HOUR}, {NULL, 0}};
static const suffix suffixes_share[] = {{"", 1}, {"%", 0.01}, {NULL, 0}};
static const suffix suffixes_none[] = {{"", 1}, {NULL, 0}};

static const suffix *suffixes_of(sim_key_type type)
{
    switch (type) {
    case SIM_KEY_BYTES:
        return suffixes_bytes;
    case SIM_KEY_RATE:
        return suffixes_rate;
    case SIM_KEY_TIME:
        return suffixes_time;
    case SIM_KEY_SHARE:
        return suffixes_share;
    default:
        return suffixes_none;
    }
}

static const char *const wanted[] = {
    [SIM_KEY_BYTES] = "not a size (a number, then K, M or G if need be)",
    [SIM_KEY_RATE] = "not a rate (bits a second, then k, m or g if need be)",
    [SIM_KEY_TIME] = "not a time (a number and us, ms, s, m or h)",
    [SIM_KEY_COUNT] = "not a whole number",
    [SIM_KEY_COUNT32] = "not a whole number",
    [SIM_KEY_NUMBER] = "not a number",
    [SIM_KEY_SHARE] = "not a share (0 to 1, or a percentage)",
    [SIM_KEY_CHOICE] = "not one of the choices",
};

static int parse_choice(const char *choices, const char *text, double *ret)
{
    size_t length = strlen(text);
    for (int n = 0; length > 0; n++) {
        size_t word = strcspn(choices, "|");
        if (word == length && memcmp(choices, text, length) == 0) {
            *ret = n;
            return 0;
        }
        if (!choices[word])
            break;
        choices += word + 1;
    }
    return -1;
}

int sim_value_parse(const sim_key *key, const char *text, double *ret, const char **ret_why)
{
    *ret_why = wanted[key->type];
    if (key->type == SIM_KEY_CHOICE)
        return parse_choice(key->choices, text, ret);
    /* strtod would take "inf", "0x10" and leading blanks: only plain decimals are wanted. */
    size_t digits = strspn(text, "0123456789.");
    if (digits == 0 || digits > 30 || text[0] == '.')
        return -1;
    char *end;
    double value = strtod(text, &end);
    if ((size_t)(end - text) != digits)
        return -1;
    const suffix *unit = suffixes_of(key->type);
    if (value == 0 && *end == '\0')
        unit = suffixes_none;
    while (unit->text && strcmp(unit->text, end) != 0)
        unit++;
    if (!unit->text)
        return -1;
    value *= unit->factor;
    bool whole = key->type != SIM_KEY_NUMBER && key->type != SIM_KEY_SHARE;
    if (whole && value < 9e15 && value != (double)(uint64_t)value)
        return -1;
    *ret_why = "out of range";
    if (value < key->min || value > key->max)
        return -1;
    *ret = value;
    return 0;
}

void sim_value_store(const sim_key *key, void *base, double value)
{
    char *at = (char *)base + key->offset;
    uint64_t whole = (uint64_t)value;
    uint32_t whole32 = (uint32_t)value;
    if (key->type == SIM_KEY_NUMBER || key->type == SIM_KEY_SHARE)
        memcpy(at, &value, sizeof value);
    else if (key->type == SIM_KEY_COUNT32)
        memcpy(at, &whole32, sizeof whole32);
    else
        memcpy(at, &whole, sizeof whole);
}

static double load(const sim_key *key, const void *base)
{
    const char *at = (const char *)base + key->offset;
    if (key->type == SIM_KEY_NUMBER || key->type == SIM_KEY_SHARE) {
        double value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    if (key->type == SIM_KEY_COUNT32) {
        uint32_t value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return (double)value;
}

void sim_value_format(const sim_key *key, const void *base, char *text, size_t size_max)
{
    double value = load(key, base);
    if (key->type == SIM_KEY_CHOICE) {
        const char *choice = key->choices;
        for (int n = 0; n < (int)value; n++)
            choice += strcspn(choice, "|") + 1;
        snprintf(text, size_max, "%.*s", (int)strcspn(choice, "|"), choice);
        return;
    }
    if (key->type == SIM_KEY_SHARE) {
        snprintf(text, size_max, "%g%%", value * 100);
        return;
    }
    const suffix *best = NULL;
    for (const suffix *s = suffixes_of(key->type); s->text; s++) {
        double scaled = value / s->factor;
        bool fits = scaled == (double)(uint64_t)scaled && (scaled >= 1 || !best);
        if (value == 0 ? s->factor == 1 : fits)
            best = s;
    }
    snprintf(text, size_max, "%.10g%s", value / (best ? best->factor : 1), best && value != 0 ? best->text : "");
}
