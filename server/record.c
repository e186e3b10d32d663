/* The life of one URL of the catalog. */
#include "record.h"
#include "page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t record_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What may stand in a request line. The web server took it once, but what is a stranger's is looked at here again. */
static bool uri_fits(const char *uri)
{
    if (uri[0] != '/')
        return false;
    for (; *uri != '\0'; uri++)
        if ((unsigned char)*uri <= 0x20 || (unsigned char)*uri >= 0x7f || *uri == '#')
            return false;
    return true;
}

static bool host_fits(const char *host)
{
    return host[0] != '\0' && strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_[]:") == strlen(host);
}

int record_new(record **ret, catalog *c, const throng_want *want)
{
    size_t uri_size = strlen(want->uri) + 1;
    size_t host_max = strlen(want->host) + sizeof(":65535");
    uint16_t usual = want->tls ? 443 : 80;
    if (!uri_fits(want->uri) || !host_fits(want->host))
        return THRONG_ERR_INVALID;
    record *r = calloc(1, sizeof(*r));
    if (r != NULL)
        r->url = malloc(uri_size + host_max);
    if (r == NULL || r->url == NULL) {
        free(r);
        return THRONG_ERR_NO_MEMORY;
    }
    char *host = r->url + uri_size;
    memcpy(r->url, want->uri, uri_size);
    if (want->server.port == usual || want->server.port == 0)
        snprintf(host, host_max, "%s", want->host);
    else
        snprintf(host, host_max, "%s:%u", want->host, want->server.port);
    r->host = host;
    r->host_size = strlen(want->host);
    r->tls = want->tls;
    r->server = want->server;
    r->catalog = c;
    r->key = want->key;
    r->download.fd = -1;
    r->used_at = c->now;
    throng_url_hash(c->hasher, throng_signer_public_key(c->config.signer), host, want->uri, r->url_hash);
    throng_hash_to_hex(r->url_hash, r->name);
    *ret = r;
    return 0;
}

static void version_free(catalog *c, version *v)
{
    throng_seeder_remove(c->config.seeder, &v->made.id);
    throng_signed_manifest_clear(&v->made);
    free(v);
}

void record_cancel(record *r)
{
    download *d = &r->download;
    if (d->fetch != NULL) {
        throng_fetch_cancel(d->fetch);
        d->fetch = NULL;
        r->catalog->busy--;
    }
    if (d->fd >= 0) {
        close(d->fd);
        d->fd = -1;
        cache_discard(d->path);
    }
}

void record_free(record *r)
{
    record_cancel(r);
    page_free(r);
    if (r->current != NULL)
        version_free(r->catalog, r->current);
    while (r->retired != NULL) {
        version *v = r->retired;
        r->retired = v->next;
        version_free(r->catalog, v);
    }
    free(r->stored);
    free(r->url);
    free(r);
}

bool record_is_busy(const record *r)
{
    return r->download.fetch != NULL || r->job != NULL || r->digesting;
}

static bool has_peers(record *r, const version *v)
{
    throng_addr one;
    uint64_t browser;
    return throng_seeder_peers(r->catalog->config.seeder, &v->made.id, &one, 1) > 0 ||
           throng_seeder_browsers(r->catalog->config.seeder, &v->made.id, &browser, 1) > 0;
}

void record_publish(record *r)
{
    catalog *c = r->catalog;
    throng_board_entry entry;
    memset(&entry, 0, sizeof(entry));
    entry.object = r->current->made.id;
    entry.validators = r->current->validators;
    entry.fresh_until = r->fresh_until;
    entry.chunk_size = r->current->made.manifest.geometry.chunk_size;
    r->shown_fresh_until = r->fresh_until;
    if (r->current->has_digest &&
        throng_seeder_http_holders(c->config.seeder, &entry.object, &entry.http_holders) == 0) {
        entry.http_holders++;
        entry.digest = r->current->digest;
    }
    if (throng_seeder_holders(c->config.seeder, &entry.object, &entry.holders) != 0 ||
        throng_board_publish(c->config.board, &r->key, &entry) != 0)
        c->config.metrics->failures[METRICS_FAILURE_BOARD_FULL]++;
}

static void retire(record *r)
{
    catalog *c = r->catalog;
    version *v = r->current;
    r->current = NULL;
    c->ready--;
    throng_board_withdraw(c->config.board, &r->key);
    r->peers = false;
    v->retired_at = v->peers_at = c->now;
    v->next = r->retired;
    r->retired = v;
    uint32_t count = 0;
    for (version **at = &r->retired; *at != NULL; at = &(*at)->next) {
        if (++count <= RECORD_RETIRED_MAX)
            continue;
        version *oldest = *at;
        *at = NULL;
        version_free(c, oldest);
        break;
    }
}

void record_replace(record *r, version *v)
{
    if (r->current != NULL)
        retire(r);
    if (v == NULL)
        return;
    r->current = v;
    r->catalog->ready++;
    free(r->stored);
    r->stored = NULL;
    record_publish(r);
}

void record_failed(record *r, metrics_failure cause)
{
    throng_time pause = RECORD_BACKOFF_FIRST << (r->failures < 6 ? r->failures : 6);
    r->catalog->config.metrics->failures[cause]++;
    r->failures++;
    r->next_check = r->catalog->now + (pause < RECORD_BACKOFF_MAX ? pause : RECORD_BACKOFF_MAX);
    free(r->stored);
    r->stored = NULL;
}

void record_refused(record *r, shareable_verdict verdict)
{
    metrics *m = r->catalog->config.metrics;
    m->fetches_refused++;
    m->refused[verdict]++;
    r->next_check = r->catalog->now + RECORD_REFUSED;
    r->failures = 0;
    record_replace(r, NULL);
    free(r->stored);
    r->stored = NULL;
}

void record_unchanged(record *r, throng_time fresh)
{
    throng_time least = r->catalog->config.revalidate_ms * THRONG_MS;
    throng_time pause = fresh < least ? least : fresh > 10 * least ? 10 * least : fresh;
    r->failures = 0;
    r->next_check = r->catalog->now + pause;
    r->fresh_until = fresh > 0 ? r->catalog->now + fresh : 0;
}

void record_want(record *r)
{
    catalog *c = r->catalog;
    r->used_at = c->now;
    if (record_is_busy(r) || c->busy >= RECORD_FETCHES_MAX)
        return;
    /* Somebody was given another version than ours, or we have none. A refusal or a failure stands for its time. */
    if (r->current != NULL ? c->now >= r->fetched_at + RECORD_WANT_PAUSE : c->now >= r->next_check)
        record_fetch(r);
}

void record_refresh(record *r)
{
    if (!record_is_busy(r) && r->catalog->busy < RECORD_FETCHES_MAX && r->catalog->now >= r->next_check)
        record_fetch(r);
}

static void tick_retired(record *r)
{
    throng_time now = r->catalog->now;
    for (version **at = &r->retired; *at != NULL;) {
        version *v = *at;
        if (has_peers(r, v))
            v->peers_at = now;
        if (now < v->peers_at + RECORD_RETIRED_IDLE && now < v->retired_at + RECORD_RETIRED_TIME) {
            at = &v->next;
            continue;
        }
        *at = v->next;
        version_free(r->catalog, v);
    }
}

/* Half of a manifest's life is left for whoever got it last. */
static bool renewal_is_due(const record *r)
{
    uint64_t half_s = (uint64_t)r->catalog->config.manifest_hours * 3600 / 2;
    return r->current->made.manifest.expires_unix_s < record_unix_ms() / 1000 + half_s;
}

static void renew(record *r)
{
    const throng_manifest *m = &r->current->made.manifest;
    throng_manifest_options options;
    record_options_of(&options, m);
    options.expires_unix_s = record_unix_ms() / 1000 + (uint64_t)r->catalog->config.manifest_hours * 3600;
    int fd = cache_open_body(r->catalog->config.cache, r->name, m->version, false);
    if (fd < 0)
        record_replace(r, NULL); /* the next want brings a fresh one */
    else
        record_make(r, MAKE_RENEWED, fd, m->geometry.size, &options);
}

static void tick_current(record *r)
{
    catalog *c = r->catalog;
    uint32_t http_holders;
    r->peers = has_peers(r, r->current) || page_has_browsers(r);
    if (r->peers)
        r->used_at = c->now;
    if (c->now >= r->used_at + RECORD_KEPT) {
        record_replace(r, NULL);
        return;
    }
    if (r->fresh_until != r->shown_fresh_until)
        record_publish(r);
    if (record_is_busy(r) || c->busy >= RECORD_FETCHES_MAX)
        return;
    if (renewal_is_due(r))
        renew(r);
    else if (!r->current->has_digest &&
             throng_seeder_http_holders(c->config.seeder, &r->current->made.id, &http_holders) == 0)
        record_digest(r);
    else if (r->peers && c->now >= r->next_check)
        record_fetch(r);
}

bool record_tick(record *r)
{
    tick_retired(r);
    if (r->current != NULL)
        tick_current(r);
    return r->current != NULL || r->retired != NULL || record_is_busy(r) || r->catalog->now < r->next_check ||
           r->catalog->now < r->used_at + RECORD_IDLE;
}
