#include "scenario.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    FDS_EACH = 16,                /* of a client: namespace, device, peer, HTTP, timers */
    BYTES_EACH = 3 * 1024 * 1024, /* of a client: peer, HTTP, kernel's namespace */
};

static const lab_class line_800k = {
    .name = "line", .share = 1, .up_bps = 800e3, .down_bps = 800e3, .queue_bytes = 65536};

void lab_scenario_default(lab_scenario *scenario)
{
    *scenario = (lab_scenario){
        .name = "default",
        .object_size = 128 * 1024,
        .objects = 1,
        .rate = 4,
        .count = 100,
        .seed = 1,
        .duration_us = 60e6,
        .warmup_us = 10e6,
        .drain_us = 30e6,
        .nodes = 300,
        .loops = 2,
        .rtt_us = 60e3,
        .server = line_800k,
        .per_node = 1,
        .classes_count = 1,
        .classes = {line_800k},
    };
}

typedef struct parser {
    lab_scenario scenario;
    lab_class *class_now;    /* of [class NAME], [clients] and [server] */
    uint32_t classes;        /* seen in the file: they replace what [clients] says */
    bool set[LAB_KEYS_MAX];  /* given before in this section */
    bool seen[LAB_KEYS_MAX]; /* sections, each at its first key: one given twice would hide a key given twice */
} parser;

static bool is_of_class(const scenario_key *key)
{
    return strcmp(key->section, "class") == 0;
}

/* Every value is a double: see lab_scenario. */
static double *value_in(void *base, const scenario_key *key)
{
    return (double *)((char *)base + key->offset);
}

static const scenario_key *find(const char *section, const char *name)
{
    bool is_class = strncmp(section, "class ", 6) == 0;
    bool is_server = strcmp(section, "server") == 0;
    bool has_class = is_class || is_server || strcmp(section, "clients") == 0;
    bool is_share = strcmp(name, "share") == 0 || strcmp(name, "nodes") == 0;
    for (size_t i = 0; i < lab_keys_count; i++) {
        const scenario_key *key = &lab_keys[i];
        if (strcmp(key->name, name) != 0)
            continue;
        bool fits = is_of_class(key) ? has_class && (is_class || !is_share) && !(is_server && strcmp(name, "nat") == 0)
                                     : strcmp(key->section, section) == 0;
        if (fits)
            return key;
    }
    return NULL;
}

static int assign(void *self, const char *section, const char *name, const char *value, char error[LAB_ERROR_MAX])
{
    parser *p = self;
    const scenario_key *key = find(section, name);
    if (!key)
        return scenario_complain(error, "%s: no such key in [%s]; throng-lab --keys lists them", name, section);
    bool *set = &p->set[key - lab_keys];
    if (*set)
        return scenario_complain(error, "%s: given twice", name);
    *set = true;
    double *at = value_in(is_of_class(key) ? (void *)p->class_now : (void *)&p->scenario, key);
    if (scenario_value_parse(key, value, at, error) < 0)
        return -1;
    return at == &p->scenario.nodes ? lab_scenario_check_nodes(*at, error) : 0;
}

static int open_class(parser *p, const char *name, char error[LAB_ERROR_MAX])
{
    lab_scenario *s = &p->scenario;
    if (!*name || strlen(name) >= LAB_NAME_MAX)
        return scenario_complain(error, "[class %s]: a class needs a name of at most %d letters", name,
                                 LAB_NAME_MAX - 1);
    for (uint32_t i = 0; i < p->classes; i++)
        if (strcmp(s->classes[i].name, name) == 0)
            return scenario_complain(error, "[class %s]: given twice", name);
    if (p->classes == LAB_CLASSES_MAX)
        return scenario_complain(error, "[class %s]: more than %d classes", name, LAB_CLASSES_MAX);
    p->class_now = &s->classes[p->classes];
    *p->class_now = line_800k;
    memcpy(p->class_now->name, name, strlen(name) + 1);
    s->classes_count = ++p->classes;
    return 0;
}

static int open_section(void *self, const char *section, char error[LAB_ERROR_MAX])
{
    parser *p = self;
    size_t first = 0;
    memset(p->set, 0, sizeof p->set);
    if (strncmp(section, "class ", 6) == 0)
        return open_class(p, section + 6, error);
    while (first < lab_keys_count && (strcmp(lab_keys[first].section, section) != 0 || is_of_class(&lab_keys[first])))
        first++;
    if (first == lab_keys_count)
        return scenario_complain(error, "[%s]: no such section; throng-lab --keys lists them", section);
    if (p->seen[first])
        return scenario_complain(error, "[%s]: given twice", section);
    p->seen[first] = true;
    p->class_now = strcmp(section, "server") == 0 ? &p->scenario.server : &p->scenario.classes[0];
    if (strcmp(section, "clients") == 0 && p->classes > 0)
        return scenario_complain(error, "[clients]: comes before any [class …], which replace its line");
    return 0;
}

/* On the command line a class is one that stands already. */
static int choose_section(void *self, const char *section, char error[LAB_ERROR_MAX])
{
    parser *p = self;
    if (strncmp(section, "class ", 6) != 0)
        return open_section(p, section, error);
    for (int i = 0; i < (int)p->scenario.classes_count; i++) {
        p->class_now = &p->scenario.classes[i];
        if (strcmp(p->class_now->name, section + 6) == 0)
            return 0;
    }
    return scenario_complain(error, "[%s]: no such class", section);
}

/* ---- what fits together ---- */

static double memory_free(void)
{
    FILE *in = fopen("/proc/meminfo", "re");
    char line[128];
    double kilobytes = 0;
    while (in && fgets(line, sizeof line, in))
        if (strncmp(line, "MemAvailable:", 13) == 0)
            kilobytes = strtod(line + 13, NULL);
    if (in)
        fclose(in);
    struct rlimit limit;
    double bytes = kilobytes * 1024;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && (double)limit.rlim_cur < bytes)
        bytes = (double)limit.rlim_cur;
    return bytes;
}

int lab_scenario_check_nodes(double nodes, char error[LAB_ERROR_MAX])
{
    double needed = nodes * BYTES_EACH, there = memory_free();
    struct rlimit files;
    if (there > 0 && needed > there)
        return scenario_complain(error, "nodes = %.0f: take about %.0f MB, and %.0f are free", nodes, needed / 1e6,
                                 there / 1e6);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && (double)files.rlim_max < nodes * FDS_EACH)
        return scenario_complain(error, "nodes = %.0f: take %.0f open files, and ulimit -Hn allows %.0f", nodes,
                                 nodes * FDS_EACH, (double)files.rlim_max);
    return 0;
}

static int check_classes(const lab_scenario *s, const char *name, char error[LAB_ERROR_MAX])
{
    double shares = 0, counted = 0;
    for (int i = 0; i < (int)s->classes_count; i++) {
        const lab_class *c = &s->classes[i];
        if (c->nodes == 0)
            shares += c->share;
        counted += c->nodes;
        if (c->heal_at_us > 0 && c->heal_at_us <= c->fail_at_us)
            return scenario_complain(error, "%s: [%s] heal_at: not after fail_at", name, c->name);
        if (c->fail_every_us > 0 && c->fail_every_us <= c->heal_at_us - c->fail_at_us)
            return scenario_complain(error, "%s: [%s] fail_every: shorter than the failure", name, c->name);
    }
    if (counted > s->nodes)
        return scenario_complain(error, "%s: nodes: the classes have more than [run] nodes", name);
    if (shares <= 0 && counted < s->nodes)
        return scenario_complain(error, "%s: share: no class has a share of the nodes", name);
    return 0;
}

int lab_scenario_check(const lab_scenario *s, const char *name, char error[LAB_ERROR_MAX])
{
    if (s->arrivals == LAB_ARRIVALS_POISSON && s->warmup_us >= s->duration_us)
        return scenario_complain(error, "%s: warmup: not less than duration, so that nobody would be measured", name);
    if (s->arrivals == LAB_ARRIVALS_ONCE && s->warmup_us > 0 && s->warmup_us >= s->spread_us)
        return scenario_complain(error, "%s: warmup: all clients would have come before; set it to 0", name);
    if (s->arrivals == LAB_ARRIVALS_ONCE && s->count > s->nodes * s->per_node)
        return scenario_complain(
            error, "%s: [run] nodes: fewer than arrivals.count, so that clients would be turned away", name);
    if (s->leech + s->poison > 1)
        return scenario_complain(error, "%s: leech, poison: together more than all clients", name);
    if (s->loops > s->nodes)
        return scenario_complain(error, "%s: [run] loops: more than nodes", name);
    if (s->clients == LAB_CLIENTS_BITTORRENT && (s->per_node > 1 || s->objects > 1 || s->leech + s->poison > 0))
        return scenario_complain(error, "%s: per_node, object.count, leech, poison: not for bittorrent", name);
    return check_classes(s, name, error);
}

/* ---- reading ---- */

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
    if (scenario_set(&(scenario_taker){&p, choose_section, assign}, assignment, error) < 0)
        return -1;
    *scenario = p.scenario;
    return 0;
}

/* ---- telling ---- */

void lab_scenario_format(const lab_scenario *scenario, const scenario_key *key, char *text, size_t size_max)
{
    const void *base = is_of_class(key) ? (const void *)&scenario->classes[0] : (const void *)scenario;
    double value;
    memcpy(&value, (const char *)base + key->offset, sizeof value);
    scenario_value_format(key, value, text, size_max);
}

uint32_t lab_scenario_group_size(const lab_scenario *s)
{
    uint32_t size = 1;
    while (size * s->groups < s->nodes)
        size *= 2;
    return size;
}

void lab_scenario_print_keys(FILE *out)
{
    lab_scenario scenario;
    lab_scenario_default(&scenario);
    fprintf(out, "| section | key | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < lab_keys_count; i++) {
        const scenario_key *key = &lab_keys[i];
        char value[64];
        lab_scenario_format(&scenario, key, value, sizeof value);
        fprintf(out, "| [%s] | %s | %s | %s |\n", is_of_class(key) ? "server], [clients], [class NAME" : key->section,
                key->name, value, key->what);
    }
}
