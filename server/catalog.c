#include "catalog.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "record.h"

enum { WANTS_A_TICK = 64, RESTORES_MAX = 2 };

int catalog_new(catalog **ret, const catalog_config *config)
{
    catalog *c = calloc(1, sizeof(*c));
    int error = c == NULL ? THRONG_ERR_NO_MEMORY : throng_hasher_new(&c->hasher);
    if (error != 0) {
        free(c);
        return error;
    }
    c->config = *config;
    c->restore = cache_list(config->cache, config->objects_max, &c->restore_count);
    *ret = c;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return memcmp(&((const record *)a)->key, &((const record *)b)->key, sizeof(throng_board_key));
}

static record *find(const catalog *c, const throng_board_key *key)
{
    record probe;
    probe.key = *key;
    void *const *found = tfind(&probe, &c->tree, compare);
    return found != NULL ? *found : NULL;
}

static void drop(catalog *c, record *r);

record *catalog_least_used(const catalog *c, bool published)
{
    record *best = NULL;
    for (record *r = c->records; r != NULL; r = r->next) {
        if (record_is_busy(r) || r->retired != NULL || r->peers || c->now < r->used_at + RECORD_REST ||
            (published && r->current == NULL))
            continue;
        bool holds = r->current != NULL, best_holds = best != NULL && best->current != NULL;
        if (best == NULL || (holds != best_holds ? best_holds : r->used_at < best->used_at))
            best = r;
    }
    return best;
}

static record *add(catalog *c, const throng_want *want)
{
    record *r = c->count >= c->config.objects_max ? catalog_least_used(c, false) : NULL;
    if (r != NULL) {
        record_replace(r, NULL);
        drop(c, r);
    }
    if (c->count >= c->config.objects_max || record_new(&r, c, want) != 0)
        return NULL;
    if (tsearch(r, &c->tree, compare) == NULL) {
        record_free(r);
        return NULL;
    }
    r->next = c->records;
    if (r->next != NULL)
        r->next->previous = r;
    c->records = r;
    c->count++;
    return r;
}

static void drop(catalog *c, record *r)
{
    tdelete(r, &c->tree, compare);
    if (r->previous != NULL)
        r->previous->next = r->next;
    else
        c->records = r->next;
    if (r->next != NULL)
        r->next->previous = r->previous;
    c->count--;
    record_free(r);
}

record *catalog_get(catalog *c, throng_want *want)
{
    const throng_board_url url = {.tls = want->tls,
                                  .server = want->server,
                                  .host = want->host,
                                  .host_size = want->host_size,
                                  .uri = want->uri,
                                  .uri_size = want->uri_size};
    if (throng_board_key_of(c->config.board, &url, &want->key) != 0)
        return NULL;
    record *r = find(c, &want->key);
    return r != NULL ? r : add(c, want);
}

void catalog_take_wants(catalog *c, throng_time now)
{
    throng_want want;
    c->now = now;
    for (int i = 0; i < WANTS_A_TICK && throng_board_take_want(c->config.board, c->now, &want) == 0; i++) {
        record *r = find(c, &want.key);
        if (r == NULL)
            r = add(c, &want);
        if (r != NULL)
            record_want(r);
    }
}

static void restore_one(catalog *c, const cache_name *name)
{
    throng_want want;
    if (c->count >= c->config.objects_max || !cache_read_want(c->config.cache, name->text, &want))
        return;
    const throng_board_url url = {.tls = want.tls,
                                  .server = want.server,
                                  .host = want.host,
                                  .host_size = want.host_size,
                                  .uri = want.uri,
                                  .uri_size = want.uri_size};
    if (throng_board_key_of(c->config.board, &url, &want.key) != 0 || find(c, &want.key) != NULL)
        return;
    record *r = add(c, &want);
    if (r != NULL && (strcmp(r->name, name->text) != 0 || !record_restore(r)))
        drop(c, r); /* of another key, or useless */
}

/* A few at a time, behind what visitors wait for. */
static void restore(catalog *c)
{
    while (c->restore_at < c->restore_count && c->busy < RESTORES_MAX)
        restore_one(c, &c->restore[c->restore_at++]);
}

void catalog_tick(catalog *c, throng_time now)
{
    catalog_take_wants(c, now);
    restore(c);
    for (record *r = c->records, *next; r != NULL; r = next) {
        next = r->next;
        page_tick(r);
        if (!record_tick(r))
            drop(c, r);
    }
}

void catalog_stop(catalog *c)
{
    atomic_store(&c->stopping, true);
    for (record *r = c->records; r != NULL; r = r->next) {
        record_cancel(r);
        page_free(r);
        record_replace(r, NULL);
    }
}

bool catalog_is_busy(const catalog *c)
{
    return c->busy > 0;
}

void catalog_free(catalog *c)
{
    if (c == NULL)
        return;
    while (c->records != NULL)
        drop(c, c->records);
    throng_hasher_free(c->hasher);
    free(c->restore);
    free(c);
}

uint32_t catalog_known(const catalog *c)
{
    return c->count;
}

uint32_t catalog_ready(const catalog *c)
{
    return c->ready;
}
