#include "prober.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/quantity.h"

typedef struct probe {
    struct prober *prober;
    throng_fetch *fetch; /* NULL: not in use */
    throng_seeder_probe asked;
    uint32_t got;
    bool good; /* so far */
} probe;

struct prober {
    throng_seeder *seeder;
    throng_fetcher *fetcher;
    prober_whom whom;
    throng_time next; /* when another may begin */
    char user_agent[64];
    probe probes[PROBES_MAX];
};

int prober_new(prober **ret, uv_loop_t *loop, throng_seeder *seeder, prober_whom whom)
{
    throng_fetcher_config config;
    prober *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return THRONG_ERR_NO_MEMORY;
    throng_fetcher_config_default(&config);
    config.connections_max = PROBES_MAX;
    config.user_agent = p->user_agent;
    snprintf(p->user_agent, sizeof(p->user_agent), "curl/%s", curl_version_info(CURLVERSION_NOW)->version);
    int error = throng_fetcher_new(&p->fetcher, loop, &config);
    if (error != 0) {
        free(p);
        return error;
    }
    p->seeder = seeder;
    p->whom = whom;
    *ret = p;
    return 0;
}

void prober_free(prober *p)
{
    if (p == NULL)
        return;
    throng_fetcher_free(p->fetcher);
    free(p);
}

static bool on_headers(throng_fetch *fetch, const throng_fetch_response *response, void *user)
{
    probe *one = user;
    const throng_seed_probe *asked = &one->asked.asked;
    bool part = response->status == 206 && response->ranged && response->range_first == asked->offset;
    bool whole = response->status == 200 && asked->offset == 0;
    one->good = (part || whole) && response->object_size == (int64_t)asked->object_size &&
                response->content_length == (int64_t)(asked->object_size - asked->offset);
    return one->good;
}

static throng_fetch_verdict on_body(throng_fetch *fetch, const uint8_t *bytes, size_t size, void *user)
{
    probe *one = user;
    uint32_t left = one->asked.asked.size - one->got;
    uint32_t taken = size < left ? (uint32_t)size : left;
    one->good = one->good && memcmp(one->asked.expected + one->got, bytes, taken) == 0;
    one->got += one->good ? taken : 0;
    return one->good && one->got < one->asked.asked.size ? THRONG_FETCH_TAKEN : THRONG_FETCH_ABANDON;
}

static void on_done(throng_fetch *fetch, int error, void *user)
{
    probe *one = user;
    bool over = error == 0 || error == THRONG_FETCH_ERR_ABANDONED;
    bool good = over && one->good && one->got == one->asked.asked.size;
    one->fetch = NULL;
    throng_seeder_probed(one->prober->seeder, &one->asked.asked, good);
}

static void begin(prober *p, probe *one)
{
    char where[THRONG_ADDR_TEXT_MAX], url[128];
    const throng_seed_probe *asked = &one->asked.asked;
    throng_fetch_request request;
    throng_addr_text(&asked->addr, where);
    snprintf(url, sizeof(url), "http://%s%s", where, asked->path);
    throng_fetch_request_default(&request);
    request.url = url;
    request.range_first = asked->offset;
    request.connect_timeout_ms = request.total_timeout_ms = PROBE_MS;
    request.callbacks = (throng_fetch_callbacks){.on_headers = on_headers, .on_body = on_body, .on_done = on_done};
    request.user = one;
    one->prober = p;
    one->got = 0;
    one->good = false;
    if (throng_fetch_start(&one->fetch, p->fetcher, &request) != 0) {
        one->fetch = NULL;
        throng_seeder_probed(p->seeder, asked, false);
    }
}

static probe *idle(prober *p)
{
    for (int i = 0; i < PROBES_MAX; i++)
        if (p->probes[i].fetch == NULL)
            return &p->probes[i];
    return NULL;
}

static bool allowed(const prober *p, const throng_addr *addr)
{
    return p->whom == PROBER_ANY || (p->whom == PROBER_PUBLIC && !throng_addr_is_private(addr));
}

void prober_tick(prober *p, throng_time now)
{
    probe *one;
    if (now < p->next || (one = idle(p)) == NULL || !throng_seeder_poll_probe(p->seeder, &one->asked))
        return;
    p->next = now + THRONG_SECOND / PROBES_A_SECOND;
    if (allowed(p, &one->asked.asked.addr))
        begin(p, one);
    else
        throng_seeder_probed(p->seeder, &one->asked.asked, false);
}
