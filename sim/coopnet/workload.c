/* A flash crowd made up: who asks for what and when. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../scenario/value.h"
#include "../rng.h"
#include "coopnet.h"

enum { PAGE_MAX = 128, HISTORY_MAX = 1 << 16 };

#define KEY(name, type, least, most, what)                                                                             \
    {                                                                                                                  \
        "", #name, type, SCENARIO_FIELD(coopnet_workload, name), least, most, NULL, what                               \
    }

static const scenario_key keys[] = {
    KEY(clients, SCENARIO_COUNT, 1, THRONG_DIRECTORY_PEERS_MAX, "clients"),
    KEY(duration_s, SCENARIO_COUNT, 1, 31536000, "seconds from the first request to the last"),
    KEY(objects, SCENARIO_COUNT, PAGE_MAX, 1 << 24, "files of the site"),
    KEY(exponent, SCENARIO_NUMBER, 0.0, 10.0, "popularity of the r-th: (r + shift)^-exponent"),
    KEY(shift, SCENARIO_NUMBER, 0.0, 1e6, "... the larger, the more alike are the most popular ones"),
    KEY(page_objects, SCENARIO_NUMBER, 1.0, 64.0, "mean number of files of a page"),
    KEY(think_s, SCENARIO_NUMBER, 0.1, 1e6, "mean seconds between two views"),
    KEY(session_s, SCENARIO_NUMBER, 0.1, 1e9, "mean seconds of a visit"),
    KEY(away_s, SCENARIO_NUMBER, 0.1, 1e9, "mean seconds between two visits"),
    KEY(present, SCENARIO_SHARE, 0.0, 1.0, "share of the clients who are there from the start"),
    KEY(reload, SCENARIO_SHARE, 0.0, 1.0, "share of views of a page that the client has had"),
    KEY(networks, SCENARIO_COUNT, 1, 1 << 23, "networks that clients may be in; the r-th has a share as 1 / r"),
};
enum { KEYS = sizeof keys / sizeof *keys };

void coopnet_workload_default(coopnet_workload *w)
{
    *w = (coopnet_workload){
        .seed = 1,
        .clients = 200,
        .duration_s = 3600,
        .objects = 38000,
        .exponent = 2.26,
        .shift = 27,
        .page_objects = 18,
        .think_s = 20,
        .session_s = 160,
        .away_s = 500,
        .present = 0.5,
        .reload = 0.35,
        .networks = 100000,
    };
}

static double value_of(const coopnet_workload *w, const scenario_key *key)
{
    uint32_t count;
    double number;
    memcpy(key->size == sizeof count ? (void *)&count : (void *)&number, (const char *)w + key->offset, key->size);
    return key->size == sizeof count ? (double)count : number;
}

int coopnet_workload_set(coopnet_workload *w, const char *setting, char error[COOPNET_ERROR_MAX])
{
    const char *equals = strchr(setting, '=');
    size_t size = equals != NULL ? (size_t)(equals - setting) : strlen(setting);
    for (size_t i = 0; i < KEYS && equals != NULL; i++) {
        double value;
        if (strlen(keys[i].name) != size || memcmp(keys[i].name, setting, size) != 0)
            continue;
        if (scenario_value_parse(&keys[i], equals + 1, &value, error) < 0)
            return -1;
        uint32_t count = (uint32_t)value;
        memcpy((char *)w + keys[i].offset, keys[i].size == sizeof count ? (void *)&count : (void *)&value,
               keys[i].size);
        return 0;
    }
    snprintf(error, COOPNET_ERROR_MAX, "%.100s: %s", setting, equals != NULL ? "no such key" : "not KEY=VALUE");
    return -1;
}

void coopnet_workload_print(FILE *out, const coopnet_workload *w)
{
    for (size_t i = 0; i < KEYS; i++) {
        char text[64];
        scenario_value_format(&keys[i], value_of(w, &keys[i]), text, sizeof text);
        fprintf(out, "%-14s %10s  %s\n", keys[i].name, text, keys[i].what);
    }
}

/* ---- Addresses ---- */

static uint32_t network_of(const coopnet_workload *w, uint32_t client)
{
    sim_rng rng;
    sim_rng_seed(&rng, w->seed ^ ((uint64_t)client + 1) << 32);
    return (uint32_t)pow(w->networks, sim_rng_unit(&rng)) - 1;
}

/* A /24 for each network, anywhere in 1.0.0.0 … 223.255.255.255; a host for each client of it. */
throng_addr coopnet_workload_addr(const coopnet_workload *w, uint32_t client)
{
    uint32_t slash24 = (uint32_t)((network_of(w, client) * UINT64_C(11400714819323199) + w->seed) % 14614528) + 65536;
    uint32_t host = client % 254 + 1;
    return throng_addr_from_ipv4((uint8_t)(slash24 >> 16), (uint8_t)(slash24 >> 8), (uint8_t)slash24, (uint8_t)host, 0);
}

static int add_clients(coopnet_trace *t, const coopnet_workload *w, const throng_prefixes *networks)
{
    int result = 0;
    for (uint32_t i = 0; i < w->clients && result == 0; i++) {
        throng_addr addr = coopnet_workload_addr(w, i);
        uint32_t network = network_of(w, i);
        coopnet_client client = {.prefix = (int32_t)network,
                                 .near = (uint16_t)((network / 4 % 255 + 1) << 8 | network % 256)};
        if (networks->count > 0) {
            client.prefix = throng_prefixes_find(networks, addr.ip);
            client.near = throng_prefixes_network(networks, client.prefix).near;
        }
        result = coopnet_trace_add_client(t, &client);
    }
    return result;
}

/* ---- Requests ---- */

typedef struct event {
    double at_s;
    uint32_t client, object;
} event;

typedef struct maker {
    const coopnet_workload *w;
    sim_rng rng;
    double *upto; /* sums of popularities */
    event *events;
    size_t count, capacity;
    /* Of the present client: the objects of all its views, and where each view begins. */
    uint32_t history[HISTORY_MAX], begins[HISTORY_MAX + 1];
    uint32_t views;
} maker;

static int popularities(maker *m)
{
    double sum = 0;
    m->upto = calloc(m->w->objects, sizeof *m->upto);
    if (m->upto == NULL)
        return THRONG_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < m->w->objects; i++)
        m->upto[i] = sum += pow(i + 1 + m->w->shift, -m->w->exponent);
    return 0;
}

static uint32_t draw_object(maker *m)
{
    double at = sim_rng_unit(&m->rng) * m->upto[m->w->objects - 1];
    uint32_t low = 0, high = m->w->objects - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (m->upto[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_among(const uint32_t *objects, uint32_t count, uint32_t object)
{
    for (uint32_t i = 0; i < count; i++)
        if (objects[i] == object)
            return true;
    return false;
}

/* A page new to the client: each object once. */
static uint32_t new_page(maker *m, uint32_t page[PAGE_MAX])
{
    uint32_t count = 0, wanted = 1;
    while (wanted < PAGE_MAX && sim_rng_unit(&m->rng) >= 1 / m->w->page_objects)
        wanted++;
    for (uint32_t tries = 0; count < wanted && tries < 20 * PAGE_MAX; tries++) {
        uint32_t object = draw_object(m);
        if (!is_among(page, count, object))
            page[count++] = object;
    }
    uint32_t end = m->begins[m->views];
    if (m->views < HISTORY_MAX && end + count <= HISTORY_MAX) {
        memcpy(&m->history[end], page, count * sizeof *page);
        m->begins[++m->views] = end + count;
    }
    return count;
}

static uint32_t old_page(maker *m, uint32_t page[PAGE_MAX])
{
    uint32_t view = (uint32_t)sim_rng_below(&m->rng, m->views);
    uint32_t count = m->begins[view + 1] - m->begins[view];
    memcpy(page, &m->history[m->begins[view]], count * sizeof *page);
    return count;
}

static int add_event(maker *m, double at_s, uint32_t client, uint32_t object)
{
    if (at_s >= m->w->duration_s)
        return 0;
    if (m->count == COOPNET_REQUESTS_MAX)
        return THRONG_ERR_FULL;
    if (m->count == m->capacity) {
        size_t capacity = m->capacity + m->capacity / 2 + 4096;
        event *events = reallocarray(m->events, capacity, sizeof *events);
        if (events == NULL)
            return THRONG_ERR_NO_MEMORY;
        m->events = events;
        m->capacity = capacity;
    }
    m->events[m->count++] = (event){at_s, client, object};
    return 0;
}

static int visit(maker *m, uint32_t client, double at_s, double end_s)
{
    int result = 0;
    while (at_s < end_s && at_s < m->w->duration_s && result == 0) {
        uint32_t page[PAGE_MAX];
        bool again = m->views > 0 && sim_rng_unit(&m->rng) < m->w->reload;
        uint32_t count = again ? old_page(m, page) : new_page(m, page);
        for (uint32_t i = 0; i < count && result == 0; i++)
            result = add_event(m, at_s + sim_rng_unit(&m->rng), client, page[i]);
        at_s += sim_rng_exponential(&m->rng, m->w->think_s);
    }
    return result;
}

static int add_events(maker *m)
{
    const coopnet_workload *w = m->w;
    int result = 0;
    for (uint32_t client = 0; client < w->clients && result == 0; client++) {
        double at_s = sim_rng_exponential(&m->rng, sim_rng_unit(&m->rng) < w->present ? w->think_s : w->away_s);
        m->views = m->begins[0] = 0;
        while (at_s < w->duration_s && result == 0) {
            double end_s = at_s + sim_rng_exponential(&m->rng, w->session_s);
            result = visit(m, client, at_s, end_s);
            at_s = end_s + sim_rng_exponential(&m->rng, w->away_s);
        }
    }
    return result;
}

static int compare_events(const void *a, const void *b)
{
    const event *x = a, *y = b;
    if (x->at_s != y->at_s)
        return x->at_s < y->at_s ? -1 : 1;
    return x->client != y->client ? (x->client < y->client ? -1 : 1)
                                  : (x->object > y->object) - (x->object < y->object);
}

int coopnet_workload_make(coopnet_trace *ret, const coopnet_workload *workload, const throng_prefixes *networks)
{
    /* The trace begins at the time of the paper's: 11 September 2001, 6:00 in Redmond. */
    enum { START_S = 1000213200 };
    coopnet_trace trace;
    coopnet_trace_init(&trace, COOPNET_REQUESTS_MAX);
    maker *m = calloc(1, sizeof *m);
    if (m == NULL)
        return THRONG_ERR_NO_MEMORY;
    m->w = workload;
    sim_rng_seed(&m->rng, workload->seed);
    int result = popularities(m);
    if (result == 0)
        result = add_clients(&trace, workload, networks);
    if (result == 0)
        result = add_events(m);
    if (result == 0 && m->count > 0)
        qsort(m->events, m->count, sizeof *m->events, compare_events);
    for (size_t i = 0; i < m->count && result == 0; i++) {
        const event *e = &m->events[i];
        result = coopnet_trace_add(
            &trace, &(coopnet_request){START_S + (uint32_t)e->at_s, .client = e->client, .object = e->object});
    }
    free(m->events);
    free(m->upto);
    free(m);
    if (result == 0)
        *ret = trace;
    else
        coopnet_trace_free(&trace);
    return result;
}
