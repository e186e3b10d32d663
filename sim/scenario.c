#include "scenario.h"

#include <stdlib.h>
#include <string.h>

static const sim_class line_800k = {
    .name = "line",
    .share = 1,
    .up_bps = 800000,
    .down_bps = 800000,
    .queue_bytes = 65536,
};

void sim_scenario_default(sim_scenario *scenario)
{
    *scenario = (sim_scenario){
        .name = "default",
        .seed = 1,
        .object_size = 128 * 1024,
        .chunk_size = THRONG_CHUNK_SIZE_DEFAULT,
        .objects = 1,
        .arrivals_rate = 4,
        .arrivals_count = 100,
        .duration = 120 * THRONG_SECOND,
        .warmup = 20 * THRONG_SECOND,
        .drain = 60 * THRONG_SECOND,
        .peers_max = 100000,
        .rtt = 60 * THRONG_MS,
        .seeder = line_800k,
        .join_request_bytes = 400,
        .join_http_bytes = 250,
        .join_peers = 10,
        .join_retry = THRONG_SECOND,
        .join_retry_max = 8 * THRONG_SECOND,
        .classes_count = 1,
        .classes = {line_800k},
    };
    throng_node_config_default(&scenario->node, THRONG_PROFILE_THRONG);
}

/* Where a key's value goes: the scenario, or the class that the section names. */
typedef struct parser {
    sim_scenario *scenario;
    sim_class *class_now; /* of [class NAME] and [seeder] */
    uint32_t classes;     /* seen in the file: they replace the default one */
    uint64_t set[2];      /* keys of the section seen already, by place in the table */
} parser;

static const scenario_key *find_key(const char *section, const char *name, bool *ret_of_class)
{
    if (strncmp(section, "class ", 6) == 0)
        section = "class";
    for (size_t i = 0; i < sim_keys_count; i++) {
        const scenario_key *key = &sim_keys[i];
        if (strcmp(key->name, name) != 0)
            continue;
        *ret_of_class = strcmp(key->section, "class") == 0;
        if (strcmp(key->section, section) == 0)
            return key;
        if (*ret_of_class && strcmp(section, "seeder") == 0 && strcmp(name, "share") != 0)
            return key;
    }
    return NULL;
}

static int assign(void *self, const char *section, const char *name, const char *value, char error[SIM_ERROR_MAX])
{
    parser *p = self;
    bool of_class = false;
    const scenario_key *key = find_key(section, name, &of_class);
    if (!key)
        return scenario_complain(error, "%s: no such key in [%s]; `throng sim --keys` lists them", name, section);
    double number;
    if (scenario_value_parse(key, value, &number, error) < 0)
        return -1;
    size_t place = (size_t)(key - sim_keys);
    if (p->set[place / 64] >> (place % 64) & 1)
        return scenario_complain(error, "%s: given twice in [%s]", name, section);
    bool is_profile = key->offset == offsetof(sim_scenario, profile) && !of_class;
    if (is_profile && (p->set[0] || p->set[1]))
        return scenario_complain(error, "profile: sets the defaults of other keys, so it comes first in [node]");
    p->set[place / 64] |= (uint64_t)1 << (place % 64);
    sim_value_store(key, of_class ? (void *)p->class_now : (void *)p->scenario, number);
    if (is_profile)
        throng_node_config_default(&p->scenario->node, (throng_profile)p->scenario->profile);
    return 0;
}

static bool known_section(const char *section)
{
    for (size_t i = 0; i < sim_keys_count; i++)
        if (strcmp(sim_keys[i].section, section) == 0)
            return strcmp(section, "class") != 0;
    return false;
}

static int open_class(parser *p, const char *name, char error[SIM_ERROR_MAX])
{
    sim_scenario *s = p->scenario;
    if (!*name || strlen(name) >= SIM_NAME_MAX)
        return scenario_complain(error, "[class %s]: a class needs a name of at most %d letters", name,
                                 SIM_NAME_MAX - 1);
    for (uint32_t i = 0; i < p->classes; i++)
        if (strcmp(s->classes[i].name, name) == 0)
            return scenario_complain(error, "[class %s]: given twice", name);
    if (p->classes == SIM_CLASSES_MAX)
        return scenario_complain(error, "[class %s]: more than %d classes", name, SIM_CLASSES_MAX);
    p->class_now = &s->classes[p->classes];
    *p->class_now = line_800k;
    memcpy(p->class_now->name, name, strlen(name) + 1);
    s->classes_count = ++p->classes;
    return 0;
}

static int open_section(void *self, const char *section, char error[SIM_ERROR_MAX])
{
    parser *p = self;
    memset(p->set, 0, sizeof p->set);
    p->class_now = strcmp(section, "seeder") == 0 ? &p->scenario->seeder : NULL;
    if (strncmp(section, "class ", 6) == 0)
        return open_class(p, section + 6, error);
    if (!known_section(section))
        return scenario_complain(error, "[%s]: no such section", section);
    return 0;
}

int sim_scenario_check(const sim_scenario *s, const char *name, char error[SIM_ERROR_MAX])
{
    double shares = 0;
    for (uint32_t i = 0; i < s->classes_count; i++)
        shares += s->classes[i].share;
    if (shares <= 0)
        return scenario_complain(error, "%s: share: no class has a share of the clients", name);
    if (s->leech + s->poison > 1)
        return scenario_complain(error, "%s: leech, poison: together more than all clients", name);
    if (s->warmup >= s->duration)
        return scenario_complain(error, "%s: warmup: not less than duration, so that nobody would be measured", name);
    if (s->seeder_rate_bps > s->seeder.up_bps)
        return scenario_complain(error, "%s: [seeder] rate: more than its uplink (up)", name);
    if (s->seeder_return_at && s->seeder_return_at <= s->seeder_die_at)
        return scenario_complain(error, "%s: [seeder] return_at: not after die_at", name);
    if (s->node.degree_min > s->node.degree_max)
        return scenario_complain(error, "%s: [node] degree_min: more than degree_max", name);
    if (s->node.window_min > s->node.window_max)
        return scenario_complain(error, "%s: [node] window_min: more than window_max", name);
    throng_geometry geometry;
    if (throng_geometry_init(&geometry, s->object_size, (uint32_t)s->chunk_size) < 0)
        return scenario_complain(error, "%s: [object] size: too many chunks", name);
    if (s->arrivals == SIM_ARRIVALS_ONCE && s->warmup > s->arrivals_spread)
        return scenario_complain(error, "%s: warmup: all clients would have come before", name);
    return 0;
}

int sim_scenario_parse(sim_scenario *ret, const char *name, const char *text, char error[SIM_ERROR_MAX])
{
    sim_scenario scenario;
    sim_scenario_default(&scenario);
    scenario_name_of(name, scenario.name);
    parser p = {.scenario = &scenario};
    if (scenario_parse(&(scenario_taker){&p, open_section, assign}, name, text, error) < 0 ||
        sim_scenario_check(&scenario, name, error) < 0)
        return -1;
    *ret = scenario;
    return 0;
}

int sim_scenario_read(sim_scenario *ret, const char *path, char error[SIM_ERROR_MAX])
{
    char *text = scenario_load(path, error);
    int result = text ? sim_scenario_parse(ret, path, text, error) : -1;
    free(text);
    return result;
}

/* On the command line a class is one that stands already. */
static int choose_section(void *self, const char *section, char error[SIM_ERROR_MAX])
{
    parser *p = self;
    if (strncmp(section, "class ", 6) != 0)
        return open_section(p, section, error);
    for (uint32_t i = 0; i < p->scenario->classes_count; i++) {
        p->class_now = &p->scenario->classes[i];
        if (strcmp(p->class_now->name, section + 6) == 0)
            return 0;
    }
    return scenario_complain(error, "[%s]: no such class", section);
}

int sim_scenario_set(sim_scenario *scenario, const char *assignment, char error[SIM_ERROR_MAX])
{
    parser p = {.scenario = scenario};
    return scenario_set(&(scenario_taker){&p, choose_section, assign}, assignment, error);
}
