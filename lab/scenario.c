#include "scenario.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "netns.h"

enum { FILE_SIZE_MAX = 65536, LINE_SIZE_MAX = 256 };

const char *const lab_modes[] = {"auto", "crowd", "calm"};

typedef struct unit {
    const char *text;
    double factor;
} unit;

/* A kind of value: what may follow its digits, and how to say that it is wrong. */
typedef struct kind {
    unit units[6];
    bool whole;
    const char *wanted;
} kind;

static const kind bytes = {
    {{"", 1}, {"K", 1024}, {"M", 1048576}, {"G", 1073741824}}, true, "a size: a number, then K, M or G if need be"};
static const kind rate = {
    {{"", 1}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}}, true, "a rate: bits a second, then k, m or g if need be"};
static const kind duration = {
    {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}}, true, "a time: a number and us, ms, s or m"};
static const kind whole = {{{"", 1}}, true, "a whole number"};
static const kind number = {{{"", 1}}, false, "a number"};
static const kind share = {{{"", 1}, {"%", 0.01}}, false, "a share: 0 to 1, or a percentage"};

typedef struct key {
    const char *section;
    const char *name;
    const kind *kind; /* NULL: a choice */
    const char *choices;
    size_t offset;
    double min, max;
    const char *initial;
    const char *what;
} key;

#define IN(field) offsetof(lab_scenario, field)
#define HOUR 3600e6

static const key keys[] = {
    {"object", "size", &bytes, NULL, IN(object_size), 1, 1 << 30, "128K", "bytes of the file that all want"},
    {"arrivals", "kind", NULL, "poisson|once", IN(arrivals), 0, 0, "poisson",
     "poisson: `rate` a second; once: `count` over `spread`"},
    {"arrivals", "rate", &number, NULL, IN(rate), 0.01, 1000, "4", "clients a second (poisson)"},
    {"arrivals", "count", &whole, NULL, IN(count), 1, 100000, "100", "clients (once)"},
    {"arrivals", "spread", &duration, NULL, IN(spread_us), 0, HOUR, "0", "time over which they come (once)"},
    {"run", "seed", &whole, NULL, IN(seed), 0, 9e15, "1", "of arrivals, places and losses"},
    {"run", "duration", &duration, NULL, IN(duration_us), 1, HOUR, "60s", "arrivals stop then"},
    {"run", "warmup", &duration, NULL, IN(warmup_us), 0, HOUR, "10s", "who arrives before is not measured"},
    {"run", "drain", &duration, NULL, IN(drain_us), 0, HOUR, "30s",
     "the run ends so long after `duration` at the latest"},
    {"run", "nodes", &whole, NULL, IN(nodes), 2, LAB_NODES_MAX - 1, "300",
     "clients at once; beyond, arrivals are turned away, and counted"},
    {"network", "rtt", &duration, NULL, IN(rtt_us), 0, 10e6, "60ms",
     "mean round trip between two nodes, without queues"},
    {"network", "jitter", &duration, NULL, IN(jitter_us), 0, 10e6, "0", "each packet is late by up to this, evenly"},
    {"network", "loss", &share, NULL, IN(loss), 0, 0.9, "0", "share of packets lost on the way"},
    {"server", "up", &rate, NULL, IN(server_up_bps), 8e3, 1e9, "800k", "uplink, also told to the server"},
    {"server", "down", &rate, NULL, IN(server_down_bps), 8e3, 1e9, "800k", "downlink"},
    {"server", "queue", &bytes, NULL, IN(server_queue_bytes), LAB_MTU, 1e8, "64K", "bytes that may wait, each way"},
    {"server", "mode", NULL, "auto|crowd|calm", IN(server_mode), 0, 0, "auto", "--mode of `throng serve`"},
    {"clients", "kind", NULL, "throng|http", IN(clients), 0, 0, "throng",
     "throng: they can follow directions; http: plain HTTP, as everybody"},
    {"clients", "up", &rate, NULL, IN(client_up_bps), 8e3, 1e9, "800k", "uplink"},
    {"clients", "down", &rate, NULL, IN(client_down_bps), 8e3, 1e9, "800k", "downlink"},
    {"clients", "queue", &bytes, NULL, IN(client_queue_bytes), LAB_MTU, 1e8, "64K", "bytes that may wait, each way"},
    {"clients", "linger", &duration, NULL, IN(linger_us), 0, HOUR, "0", "how long who has all stays"},
    {"clients", "profile", NULL, "throng|paper", IN(profile), 0, 0, "throng", "of the protocol"},
    {"clients", "know_uplink", NULL, "no|yes", IN(know_uplink), 0, 0, "no",
     "told to the peer, or estimated by it, as `throng get` does"},
};
enum { KEYS = sizeof keys / sizeof *keys };

static int complain(char error[LAB_ERROR_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static int complain(char error[LAB_ERROR_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, LAB_ERROR_MAX, format, args);
    va_end(args);
    return -1;
}

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

/* 0 and the value, or -1 and why not. */
static int parse_value(const key *k, const char *text, double *ret, const char **ret_why)
{
    *ret_why = k->kind ? k->kind->wanted : k->choices;
    if (!k->kind)
        return parse_choice(k->choices, text, ret);
    /* strtod would take "inf", "0x10" and leading blanks: only plain decimals are wanted. */
    size_t digits = strspn(text, "0123456789.");
    if (digits == 0 || digits > 30 || text[0] == '.')
        return -1;
    char *end;
    double value = strtod(text, &end);
    if ((size_t)(end - text) != digits)
        return -1;
    const unit *u = k->kind->units;
    while (u->text && strcmp(u->text, end) != 0)
        u++;
    if (!u->text && !(value == 0 && *end == '\0'))
        return -1;
    value *= u->text ? u->factor : 1;
    if (k->kind->whole && value < 9e15 && value != (double)(uint64_t)value)
        return -1;
    *ret_why = "within its range";
    if (value < k->min || value > k->max)
        return -1;
    *ret = value;
    return 0;
}

static void store(lab_scenario *scenario, const key *k, double value)
{
    memcpy((char *)scenario + k->offset, &value, sizeof value);
}

void lab_scenario_default(lab_scenario *scenario)
{
    *scenario = (lab_scenario){.name = "default"};
    for (int i = 0; i < KEYS; i++) {
        double value = 0;
        const char *why;
        parse_value(&keys[i], keys[i].initial, &value, &why);
        store(scenario, &keys[i], value);
    }
}

static const key *find(const char *section, const char *name)
{
    for (int i = 0; i < KEYS; i++)
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

typedef struct parser {
    lab_scenario scenario;
    const char *name;
    int line;
    char section[LAB_NAME_MAX];
    int set_at[KEYS]; /* line that gave a key; 0: none */
} parser;

static int assign(parser *p, const char *name, const char *value, char error[LAB_ERROR_MAX])
{
    const key *k = find(p->section, name);
    if (!k)
        return complain(error, "%s:%d: %s: no such key in [%s]; throng-lab --keys lists them", p->name, p->line, name,
                        p->section);
    double parsed;
    const char *why;
    if (parse_value(k, value, &parsed, &why) < 0)
        return complain(error, "%s:%d: %s = %s: not %s (%s)", p->name, p->line, name, value, why, k->what);
    int *set_at = &p->set_at[k - keys];
    if (*set_at)
        return complain(error, "%s:%d: %s: given before, in line %d", p->name, p->line, name, *set_at);
    *set_at = p->line;
    store(&p->scenario, k, parsed);
    return 0;
}

static int open_section(parser *p, char *line, char error[LAB_ERROR_MAX])
{
    char *end = strchr(line, ']');
    if (!end || end[1] || end - line - 1 >= (long)sizeof p->section)
        return complain(error, "%s:%d: %s: not a section: [name], alone on its line", p->name, p->line, line);
    *end = '\0';
    memcpy(p->section, line + 1, strlen(line));
    for (int i = 0; i < KEYS; i++)
        if (strcmp(keys[i].section, p->section) == 0)
            return 0;
    return complain(error, "%s:%d: [%s]: no such section; throng-lab --keys lists them", p->name, p->line, p->section);
}

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

static int parse_line(parser *p, char *line, char error[LAB_ERROR_MAX])
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

int lab_scenario_check(const lab_scenario *s, const char *name, char error[LAB_ERROR_MAX])
{
    if (s->arrivals == LAB_ARRIVALS_POISSON && s->warmup_us >= s->duration_us)
        return complain(error, "%s: warmup: not less than duration, so that nobody would be measured", name);
    if (s->arrivals == LAB_ARRIVALS_ONCE && s->warmup_us > 0 && s->warmup_us >= s->spread_us)
        return complain(error, "%s: warmup: all clients would have come before; set it to 0", name);
    if (s->arrivals == LAB_ARRIVALS_ONCE && s->count > s->nodes)
        return complain(error, "%s: [run] nodes: fewer than arrivals.count, so that clients would be turned away",
                        name);
    return 0;
}

int lab_scenario_parse(lab_scenario *ret, const char *name, const char *text, char error[LAB_ERROR_MAX])
{
    parser p = {.name = name, .section = "no section"};
    lab_scenario_default(&p.scenario);
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    snprintf(p.scenario.name, sizeof p.scenario.name, "%.*s", (int)strcspn(base, "."), base);
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
    *ret = p.scenario;
    return 0;
}

int lab_scenario_read(lab_scenario *ret, const char *path, char error[LAB_ERROR_MAX])
{
    FILE *file = fopen(path, "rbe");
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
        result = lab_scenario_parse(ret, path, text, error);
    }
    free(text);
    return result;
}

int lab_scenario_set(lab_scenario *scenario, const char *assignment, char error[LAB_ERROR_MAX])
{
    char text[LINE_SIZE_MAX];
    if (strlen(assignment) >= sizeof text)
        return complain(error, "--set %.60s…: too long", assignment);
    memcpy(text, assignment, strlen(assignment) + 1);
    char *equals = strchr(text, '=');
    char *dot = strchr(text, '.');
    if (!equals || !dot || dot > equals)
        return complain(error, "--set %s: not section.key=value", assignment);
    *equals = *dot = '\0';
    const key *k = find(text, dot + 1);
    if (!k)
        return complain(error, "--set %s: no such key; throng-lab --keys lists them", assignment);
    double value;
    const char *why;
    if (parse_value(k, equals + 1, &value, &why) < 0)
        return complain(error, "--set %s: not %s (%s)", assignment, why, k->what);
    store(scenario, k, value);
    return 0;
}

void lab_scenario_print_keys(FILE *out)
{
    fprintf(out, "| section | key | default | meaning |\n|---|---|---|---|\n");
    for (int i = 0; i < KEYS; i++)
        fprintf(out, "| [%s] | %s | %s | %s |\n", keys[i].section, keys[i].name, keys[i].initial, keys[i].what);
}
