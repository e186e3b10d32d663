#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_SIZE_MAX = 65536, LINE_SIZE_MAX = 256 };

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

static int complain(char error[SIM_ERROR_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static int complain(char error[SIM_ERROR_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, SIM_ERROR_MAX, format, args);
    va_end(args);
    return -1;
}

/* Where a key's value goes: the scenario, or the class that the section names. */
typedef struct parser {
    sim_scenario *scenario;
    const char *name;
    int line;
    char section[SIM_NAME_MAX + 8];
    sim_class *class_now; /* of [class NAME] and [seeder] */
    uint32_t classes;     /* seen in the file: they replace the default one */
    uint64_t set[2];      /* keys of the section seen already, by place in the table */
} parser;

static const sim_key *find_key(const parser *p, const char *name, bool *ret_of_class)
{
    const char *section = strncmp(p->section, "class ", 6) == 0 ? "class" : p->section;
    for (size_t i = 0; i < sim_keys_count; i++) {
        const sim_key *key = &sim_keys[i];
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

static int assign(parser *p, const char *name, const char *value, char error[SIM_ERROR_MAX])
{
    bool of_class = false;
    const sim_key *key = find_key(p, name, &of_class);
    if (!key)
        return complain(error, "%s:%d: %s: no such key in [%s]; `throng sim --keys` lists them", p->name, p->line, name,
                        p->section);
    double number;
    const char *why;
    if (sim_value_parse(key, value, &number, &why) < 0)
        return complain(error, "%s:%d: %s = %s: %s%s%s", p->name, p->line, name, value, why, key->choices ? ": " : "",
                        key->choices ? key->choices : "");
    size_t place = (size_t)(key - sim_keys);
    if (p->set[place / 64] >> (place % 64) & 1)
        return complain(error, "%s:%d: %s: given twice in [%s]", p->name, p->line, name, p->section);
    bool is_profile = key->offset == offsetof(sim_scenario, profile) && !of_class;
    if (is_profile && (p->set[0] || p->set[1]))
        return complain(error, "%s:%d: profile: sets the defaults of other keys, so it comes first in [node]", p->name,
                        p->line);
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
        return complain(error, "%s:%d: [%s]: a class needs a name of at most %d letters", p->name, p->line, p->section,
                        SIM_NAME_MAX - 1);
    for (uint32_t i = 0; i < p->classes; i++)
        if (strcmp(s->classes[i].name, name) == 0)
            return complain(error, "%s:%d: [%s]: given twice", p->name, p->line, p->section);
    if (p->classes == SIM_CLASSES_MAX)
        return complain(error, "%s:%d: [%s]: more than %d classes", p->name, p->line, p->section, SIM_CLASSES_MAX);
    p->class_now = &s->classes[p->classes];
    *p->class_now = line_800k;
    memcpy(p->class_now->name, name, strlen(name) + 1);
    s->classes_count = ++p->classes;
    return 0;
}

static int open_section(parser *p, char *line, char error[SIM_ERROR_MAX])
{
    char *end = strchr(line, ']');
    if (!end || end[1] || end - line - 1 >= (long)sizeof p->section)
        return complain(error, "%s:%d: %s: not a section ([name], alone on its line)", p->name, p->line, line);
    *end = '\0';
    memcpy(p->section, line + 1, strlen(line));
    memset(p->set, 0, sizeof p->set);
    p->class_now = strcmp(p->section, "seeder") == 0 ? &p->scenario->seeder : NULL;
    if (strncmp(p->section, "class ", 6) == 0)
        return open_class(p, p->section + 6, error);
    if (!known_section(p->section))
        return complain(error, "%s:%d: [%s]: no such section", p->name, p->line, p->section);
    return 0;
}

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

static int parse_line(parser *p, char *line, char error[SIM_ERROR_MAX])
{
    line[strcspn(line, "#")] = '\0';
    line = trim(line);
    if (!*line)
        return 0;
    if (*line == '[')
        return open_section(p, line, error);
    char *equals = strchr(line, '=');
    if (!equals)
        return complain(error, "%s:%d: %s: neither a [section] nor key = value", p->name, p->line, line);
    *equals = '\0';
    return assign(p, trim(line), trim(equals + 1), error);
}

int sim_scenario_check(const sim_scenario *s, const char *name, char error[SIM_ERROR_MAX])
{
    double shares = 0;
    for (uint32_t i = 0; i < s->classes_count; i++)
        shares += s->classes[i].share;
    if (shares <= 0)
        return complain(error, "%s: share: no class has a share of the clients", name);
    if (s->leech + s->poison > 1)
        return complain(error, "%s: leech, poison: together more than all clients", name);
    if (s->warmup >= s->duration)
        return complain(error, "%s: warmup: not less than duration, so that nobody would be measured", name);
    if (s->seeder_rate_bps > s->seeder.up_bps)
        return complain(error, "%s: [seeder] rate: more than its uplink (up)", name);
    if (s->seeder_return_at && s->seeder_return_at <= s->seeder_die_at)
        return complain(error, "%s: [seeder] return_at: not after die_at", name);
    if (s->node.degree_min > s->node.degree_max)
        return complain(error, "%s: [node] degree_min: more than degree_max", name);
    if (s->node.window_min > s->node.window_max)
        return complain(error, "%s: [node] window_min: more than window_max", name);
    throng_geometry geometry;
    if (throng_geometry_init(&geometry, s->object_size, (uint32_t)s->chunk_size) < 0)
        return complain(error, "%s: [object] size: too many chunks", name);
    if (s->arrivals == SIM_ARRIVALS_ONCE && s->warmup > s->arrivals_spread)
        return complain(error, "%s: warmup: all clients would have come before", name);
    return 0;
}

int sim_scenario_parse(sim_scenario *ret, const char *name, const char *text, char error[SIM_ERROR_MAX])
{
    sim_scenario scenario;
    sim_scenario_default(&scenario);
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    snprintf(scenario.name, sizeof scenario.name, "%.*s", (int)strcspn(base, "."), base);
    parser p = {.scenario = &scenario, .name = name, .section = "no section"};
    while (*text) {
        char line[LINE_SIZE_MAX];
        size_t length = strcspn(text, "\n");
        p.line++;
        if (length >= sizeof line)
            return complain(error, "%s:%d: line longer than %d bytes", name, p.line, LINE_SIZE_MAX - 1);
        memcpy(line, text, length);
        line[length] = '\0';
        if (parse_line(&p, line, error) < 0)
            return -1;
        text += length + (text[length] == '\n');
    }
    if (sim_scenario_check(&scenario, name, error) < 0)
        return -1;
    *ret = scenario;
    return 0;
}

int sim_scenario_read(sim_scenario *ret, const char *path, char error[SIM_ERROR_MAX])
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return complain(error, "%s: no such scenario can be read", path);
    char *text = malloc(FILE_SIZE_MAX);
    size_t size = text ? fread(text, 1, FILE_SIZE_MAX, file) : 0;
    bool failed = !text || ferror(file);
    fclose(file);
    int result;
    if (failed)
        result = complain(error, "%s: can't be read", path);
    else if (size == FILE_SIZE_MAX)
        result = complain(error, "%s: longer than %d bytes", path, FILE_SIZE_MAX - 1);
    else if (memchr(text, 0, size))
        result = complain(error, "%s: not a text file", path);
    else {
        text[size] = '\0';
        result = sim_scenario_parse(ret, path, text, error);
    }
    free(text);
    return result;
}

static sim_class *class_named(sim_scenario *scenario, const char *section)
{
    if (strcmp(section, "seeder") == 0)
        return &scenario->seeder;
    if (strncmp(section, "class ", 6) == 0)
        for (uint32_t i = 0; i < scenario->classes_count; i++)
            if (strcmp(scenario->classes[i].name, section + 6) == 0)
                return &scenario->classes[i];
    return NULL;
}

int sim_scenario_set(sim_scenario *scenario, const char *assignment, char error[SIM_ERROR_MAX])
{
    char text[LINE_SIZE_MAX];
    if (strlen(assignment) >= sizeof text)
        return complain(error, "%.60s…: too long", assignment);
    memcpy(text, assignment, strlen(assignment) + 1);
    char *equals = strchr(text, '=');
    if (equals)
        *equals = '\0';
    char *dot = strchr(text, '.');
    if (!equals || !dot || dot - text >= SIM_NAME_MAX)
        return complain(error, "%s: not section.key=value", assignment);
    *dot = '\0';
    parser p = {.scenario = scenario, .name = "command line", .line = 1};
    memcpy(p.section, text, strlen(text) + 1);
    p.class_now = class_named(scenario, p.section);
    if (!known_section(p.section) && !p.class_now)
        return complain(error, "%s: no such section as [%s]", assignment, p.section);
    return assign(&p, dot + 1, equals + 1, error);
}
