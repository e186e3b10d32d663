#include "scenario.h"

#include <stdlib.h>
#include <string.h>

#include "../scenario/reader.h"
#include "netns.h"

const char *const lab_modes[] = {"auto", "crowd", "calm"};

#define IN(field) SCENARIO_FIELD(lab_scenario, field)
#define HOUR 3600e6

static const scenario_key keys[] = {
    {"object", "size", SCENARIO_BYTES, IN(object_size), 1, 1 << 30, NULL, "bytes of the file that all want"},
    {"arrivals", "kind", SCENARIO_CHOICE, IN(arrivals), 0, 0, "poisson|once",
     "poisson: `rate` a second; once: `count` over `spread`"},
    {"arrivals", "rate", SCENARIO_NUMBER, IN(rate), 0.01, 1000, NULL, "clients a second (poisson)"},
    {"arrivals", "count", SCENARIO_COUNT, IN(count), 1, 100000, NULL, "clients (once)"},
    {"arrivals", "spread", SCENARIO_TIME, IN(spread_us), 0, HOUR, NULL, "time over which they come (once)"},
    {"run", "seed", SCENARIO_COUNT, IN(seed), 0, 9e15, NULL, "of arrivals, places and losses"},
    {"run", "duration", SCENARIO_TIME, IN(duration_us), 1, HOUR, NULL, "arrivals stop then"},
    {"run", "warmup", SCENARIO_TIME, IN(warmup_us), 0, HOUR, NULL, "who arrives before is not measured"},
    {"run", "drain", SCENARIO_TIME, IN(drain_us), 0, HOUR, NULL, "the run ends so long after `duration` at the latest"},
    {"run", "nodes", SCENARIO_COUNT, IN(nodes), 2, LAB_NODES_MAX - 1, NULL,
     "clients at once; beyond, arrivals are turned away, and counted"},
    {"network", "rtt", SCENARIO_TIME, IN(rtt_us), 0, 10e6, NULL, "mean round trip between two nodes, without queues"},
    {"network", "jitter", SCENARIO_TIME, IN(jitter_us), 0, 10e6, NULL, "each packet is late by up to this, evenly"},
    {"network", "loss", SCENARIO_SHARE, IN(loss), 0, 0.9, NULL, "share of packets lost on the way"},
    {"server", "up", SCENARIO_RATE, IN(server_up_bps), 8e3, 1e9, NULL, "uplink, also told to the server"},
    {"server", "down", SCENARIO_RATE, IN(server_down_bps), 8e3, 1e9, NULL, "downlink"},
    {"server", "queue", SCENARIO_BYTES, IN(server_queue_bytes), LAB_MTU, 1e8, NULL, "bytes that may wait, each way"},
    {"server", "mode", SCENARIO_CHOICE, IN(server_mode), 0, 0, "auto|crowd|calm", "--mode of `throng serve`"},
    {"clients", "kind", SCENARIO_CHOICE, IN(clients), 0, 0, "throng|http",
     "throng: they can follow directions; http: plain HTTP, as everybody"},
    {"clients", "up", SCENARIO_RATE, IN(client_up_bps), 8e3, 1e9, NULL, "uplink"},
    {"clients", "down", SCENARIO_RATE, IN(client_down_bps), 8e3, 1e9, NULL, "downlink"},
    {"clients", "queue", SCENARIO_BYTES, IN(client_queue_bytes), LAB_MTU, 1e8, NULL, "bytes that may wait, each way"},
    {"clients", "linger", SCENARIO_TIME, IN(linger_us), 0, HOUR, NULL, "how long who has all stays"},
    {"clients", "profile", SCENARIO_CHOICE, IN(profile), 0, 0, "throng|paper", "of the protocol"},
    {"clients", "know_uplink", SCENARIO_CHOICE, IN(know_uplink), 0, 0, "no|yes",
     "told to the peer, or estimated by it, as `throng get` does"},
};
enum { KEYS = sizeof keys / sizeof *keys };

void lab_scenario_default(lab_scenario *scenario)
{
    *scenario = (lab_scenario){
        .name = "default",
        .object_size = 128 * 1024,
        .rate = 4,
        .count = 100,
        .seed = 1,
        .duration_us = 60e6,
        .warmup_us = 10e6,
        .drain_us = 30e6,
        .nodes = 300,
        .rtt_us = 60e3,
        .server_up_bps = 800e3,
        .server_down_bps = 800e3,
        .server_queue_bytes = 65536,
        .client_up_bps = 800e3,
        .client_down_bps = 800e3,
        .client_queue_bytes = 65536,
    };
}

/* Every value is a double: see lab_scenario. */
static double *value_of(lab_scenario *scenario, const scenario_key *key)
{
    return (double *)((char *)scenario + key->offset);
}

typedef struct parser {
    lab_scenario scenario;
    bool set[KEYS]; /* given before */
} parser;

static int open_section(void *self, const char *section, char error[LAB_ERROR_MAX])
{
    for (int i = 0; i < KEYS; i++)
        if (strcmp(keys[i].section, section) == 0)
            return 0;
    return scenario_complain(error, "[%s]: no such section; throng-lab --keys lists them", section);
}

static int assign(void *self, const char *section, const char *name, const char *value, char error[LAB_ERROR_MAX])
{
    parser *p = self;
    int i = 0;
    while (i < KEYS && (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0))
        i++;
    if (i == KEYS)
        return scenario_complain(error, "%s: no such key in [%s]; throng-lab --keys lists them", name, section);
    if (p->set[i])
        return scenario_complain(error, "%s: given twice", name);
    p->set[i] = true;
    return scenario_value_parse(&keys[i], value, value_of(&p->scenario, &keys[i]), error);
}

int lab_scenario_check(const lab_scenario *s, const char *name, char error[LAB_ERROR_MAX])
{
    if (s->arrivals == LAB_ARRIVALS_POISSON && s->warmup_us >= s->duration_us)
        return scenario_complain(error, "%s: warmup: not less than duration, so that nobody would be measured", name);
    if (s->arrivals == LAB_ARRIVALS_ONCE && s->warmup_us > 0 && s->warmup_us >= s->spread_us)
        return scenario_complain(error, "%s: warmup: all clients would have come before; set it to 0", name);
    if (s->arrivals == LAB_ARRIVALS_ONCE && s->count > s->nodes)
        return scenario_complain(
            error, "%s: [run] nodes: fewer than arrivals.count, so that clients would be turned away", name);
    return 0;
}

int lab_scenario_parse(lab_scenario *ret, const char *name, const char *text, char error[LAB_ERROR_MAX])
{
    parser p = {0};
    lab_scenario_default(&p.scenario);
    scenario_name_of(name, p.scenario.name);
    if (scenario_parse(&(scenario_taker){&p, open_section, assign}, name, text, error) < 0)
        return -1;
    *ret = p.scenario;
    return 0;
}

int lab_scenario_read(lab_scenario *ret, const char *path, char error[LAB_ERROR_MAX])
{
    char *text = scenario_load(path, error);
    int result = text ? lab_scenario_parse(ret, path, text, error) : -1;
    free(text);
    return result;
}

int lab_scenario_set(lab_scenario *scenario, const char *assignment, char error[LAB_ERROR_MAX])
{
    parser p = {.scenario = *scenario};
    if (scenario_set(&(scenario_taker){&p, open_section, assign}, assignment, error) < 0)
        return -1;
    *scenario = p.scenario;
    return 0;
}

void lab_scenario_print_keys(FILE *out)
{
    lab_scenario scenario;
    lab_scenario_default(&scenario);
    fprintf(out, "| section | key | default | meaning |\n|---|---|---|---|\n");
    for (int i = 0; i < KEYS; i++) {
        char value[64];
        scenario_value_format(&keys[i], *value_of(&scenario, &keys[i]), value, sizeof value);
        fprintf(out, "| [%s] | %s | %s | %s |\n", keys[i].section, keys[i].name, value, keys[i].what);
    }
}
