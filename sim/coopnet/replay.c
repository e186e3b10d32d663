/* The replay: each request in turn, and where it could have been answered. */
#include <stdlib.h>
#include <string.h>

#include "copies.h"
#include "lists.h"

enum { BINS_MAX = 1000000 };

typedef struct replay {
    const coopnet_trace *trace;
    const coopnet_config *config;
    coopnet_result *result;
    coopnet_lists *lists;
    coopnet_copies copies;
    uint32_t *newest; /* version of each object at any client; 0: at none */
    sim_rng rng;
    /* Who is there: the time of the last request, 0 for those who left, and how far those who left were looked for. */
    uint32_t *last_s;
    size_t leaving;
    /* What each serves in the present second. */
    uint32_t second_s;
    uint32_t *serving, *busy;
    uint64_t *served;
    uint32_t busy_count;
} replay;

static void free_replay(replay *r)
{
    coopnet_lists_free(r->lists);
    coopnet_copies_free(&r->copies);
    free(r->newest);
    free(r->last_s);
    free(r->serving);
    free(r->busy);
    free(r->served);
}

static int begin(replay *r)
{
    size_t clients = (size_t)r->trace->clients_count + 1, objects = (size_t)r->trace->objects_count + 1;
    uint64_t span = r->trace->count > 0
                        ? (uint64_t)r->trace->requests[r->trace->count - 1].time_s - r->trace->requests[0].time_s + 1
                        : 0;
    uint64_t bins = (span + r->config->bin_s - 1) / r->config->bin_s;
    int error = 0;
    if (bins > BINS_MAX)
        return THRONG_ERR_FULL;
    r->result->bins = calloc(bins + 1, sizeof *r->result->bins);
    r->result->bins_count = (uint32_t)bins;
    r->result->clients = r->trace->clients_count;
    r->result->load.peer_seconds = span * r->trace->clients_count;
    r->newest = calloc(objects, sizeof *r->newest);
    r->last_s = calloc(clients, sizeof *r->last_s);
    r->serving = calloc(clients, sizeof *r->serving);
    r->busy = calloc(clients, sizeof *r->busy);
    r->served = calloc(clients, sizeof *r->served);
    bool whole = r->result->bins != NULL && r->newest != NULL && r->last_s != NULL && r->serving != NULL &&
                 r->busy != NULL && r->served != NULL;
    if (!whole || coopnet_copies_init(&r->copies) < 0)
        return THRONG_ERR_NO_MEMORY;
    sim_rng_seed(&r->rng, r->config->seed);
    r->lists = coopnet_lists_new(r->trace, r->config, &error);
    return error;
}

/* Ends the present second. */
static void book_load(replay *r)
{
    coopnet_load *load = &r->result->load;
    for (uint32_t i = 0; i < r->busy_count; i++) {
        uint32_t count = r->serving[r->busy[i]];
        load->seconds[count < COOPNET_LOAD_MAX ? count : COOPNET_LOAD_MAX]++;
        load->most = count > load->most ? count : load->most;
        r->serving[r->busy[i]] = 0;
    }
    r->busy_count = 0;
}

static void serve(replay *r, uint32_t peer)
{
    if (r->serving[peer]++ == 0)
        r->busy[r->busy_count++] = peer;
    r->served[peer]++;
}

/* Those whose last request is too long ago leave. The trace itself is the queue of whom to look at. */
static void let_leave(replay *r, uint32_t now_s)
{
    const coopnet_request *all = r->trace->requests;
    if (r->config->stay_s == 0)
        return;
    for (; (uint64_t)all[r->leaving].time_s + r->config->stay_s < now_s; r->leaving++) {
        const coopnet_request *then = &all[r->leaving];
        if (r->last_s[then->client] != then->time_s - all[0].time_s + 1)
            continue;
        r->last_s[then->client] = 0;
        coopnet_lists_leave(r->lists, then->time_s - all[0].time_s + r->config->stay_s, then->client);
    }
}

static bool is_there(const replay *r, uint32_t client)
{
    return r->last_s[client] != 0;
}

/* 2: same prefix; 1: same AS; 0: neither, or not known. */
static uint32_t nearness(const replay *r, uint32_t a, uint32_t b)
{
    uint32_t x = r->trace->clients[a].near, y = r->trace->clients[b].near;
    if (x == 0 || y == 0)
        return 0;
    return x == y ? 2 : x >> 8 == y >> 8;
}

typedef struct found {
    uint32_t peer, version; /* version 0: nobody */
    uint32_t near;
    uint32_t alike; /* how many are as good */
} found;

/* The freshest copy that is fresher than `mine`; the nearest one of those; of those alike each as likely. */
static void consider(replay *r, const coopnet_want *w, uint32_t mine, uint32_t peer, found *best)
{
    uint32_t version = coopnet_copies_get(&r->copies, peer, w->object);
    uint32_t near = nearness(r, w->client, peer);
    if (version <= mine || version < best->version || (version == best->version && near < best->near))
        return;
    if (version > best->version || near > best->near)
        *best = (found){.version = version, .near = near};
    if (sim_rng_below(&r->rng, ++best->alike) == 0)
        best->peer = peer;
}

static found look(replay *r, const coopnet_want *w, uint32_t mine, coopnet_counts *counts)
{
    uint32_t peers[COOPNET_LIST_MAX];
    uint32_t count = coopnet_lists_peers(r->lists, w, peers);
    found best = {0};
    for (uint32_t i = 0; i < count; i++) {
        counts->asked += r->config->naming != COOPNET_GROUPS;
        if (is_there(r, peers[i]))
            consider(r, w, mine, peers[i], &best);
        else
            counts->gone++;
        if (r->config->naming == COOPNET_HOLDERS && best.version != 0)
            break; /* the server named the nearest first, and only who has the present version */
    }
    if (r->config->naming == COOPNET_GROUPS) /* the root of the object, then who has it */
        counts->asked += count == 0 ? 0 : 1 + (best.version != 0);
    return best;
}

static int fetch(replay *r, const coopnet_want *w, uint32_t mine, coopnet_counts *counts)
{
    uint32_t newest = r->newest[w->object];
    found best = look(r, w, mine, counts);
    uint32_t version = best.version;
    bool hit = version != 0;
    counts->new_bound += mine == 0 && newest != 0;
    counts->fresher_bound += mine != 0 && newest > mine;
    counts->directions += !hit || r->config->naming == COOPNET_HOLDERS;
    if (hit) {
        counts->new_hits += mine == 0;
        counts->fresher_hits += mine != 0;
        counts->same_prefix += best.near == 2;
        counts->same_as += best.near >= 1;
        serve(r, best.peer);
    } else {
        version = w->version;
        counts->server++;
        coopnet_lists_serve(r->lists, w);
    }
    if (version == w->version)
        coopnet_lists_hold(r->lists, w);
    if (version > newest)
        r->newest[w->object] = version;
    return coopnet_copies_put(&r->copies, w->client, w->object, version);
}

static int take(replay *r, const coopnet_request *request)
{
    uint32_t now_s = request->time_s - r->trace->requests[0].time_s;
    coopnet_want want = {
        .now_s = now_s,
        .client = request->client,
        .object = request->object,
        .version = 1 + (r->config->change_s > 0 ? now_s / r->config->change_s : 0),
    };
    if (now_s != r->second_s) {
        book_load(r);
        r->second_s = now_s;
        let_leave(r, request->time_s);
    }
    if (!is_there(r, request->client))
        coopnet_lists_return(r->lists, request->client);
    r->last_s[request->client] = now_s + 1;

    coopnet_counts *counts = &r->result->bins[now_s / r->config->bin_s];
    uint32_t mine = coopnet_copies_get(&r->copies, want.client, want.object);
    counts->requests++;
    counts->repeated += mine != 0;
    counts->current += mine == want.version;
    return mine == want.version ? 0 : fetch(r, &want, mine, counts);
}

int coopnet_replay(coopnet_result *ret, const coopnet_trace *trace, const coopnet_config *config)
{
    coopnet_result result = {0};
    replay r = {.trace = trace, .config = config, .result = &result};
    int error = begin(&r);
    for (size_t i = 0; i < trace->count && error == 0; i++)
        error = take(&r, &trace->requests[i]);
    if (error == 0)
        book_load(&r);
    for (uint32_t i = 0; i < trace->clients_count && error == 0; i++) {
        result.load.served += r.served[i];
        if (r.served[i] > result.load.served_most)
            result.load.served_most = r.served[i];
    }
    free_replay(&r);
    if (error == 0)
        *ret = result;
    else
        coopnet_result_free(&result);
    return error;
}

void coopnet_result_free(coopnet_result *result)
{
    free(result->bins);
    *result = (coopnet_result){0};
}

coopnet_counts coopnet_result_until(const coopnet_result *result, uint32_t bins)
{
    coopnet_counts sum = {0};
    uint64_t *to = &sum.requests;
    for (uint32_t i = 0; i < bins && i < result->bins_count; i++)
        for (size_t k = 0; k < sizeof sum / sizeof *to; k++)
            to[k] += (&result->bins[i].requests)[k];
    return sum;
}

double coopnet_load_idle(const coopnet_load *load)
{
    uint64_t busy = 0;
    for (uint32_t i = 1; i <= COOPNET_LOAD_MAX; i++)
        busy += load->seconds[i];
    return load->peer_seconds > 0 ? 1 - (double)busy / (double)load->peer_seconds : 1;
}

double coopnet_load_at_most(const coopnet_load *load, uint32_t objects)
{
    uint64_t busy = 0, within = 0;
    for (uint32_t i = 1; i <= COOPNET_LOAD_MAX; i++) {
        busy += load->seconds[i];
        within += i <= objects ? load->seconds[i] : 0;
    }
    return busy > 0 ? (double)within / (double)busy : 1;
}
