/* Fetching an object through the web server, as a client of its own would. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

enum { URL_MAX = 512 + THRONG_BOARD_URI_MAX, VALUE_MAX = 1024, ALL_HEADERS_MAX = 32 * 1024, REQUEST_HEADERS_MAX = 6 };

/* The value of a header of a manifest, "" without it or if it is too long. */
static void value_of(headers_view headers, const char *name, char ret[VALUE_MAX])
{
    headers_line line;
    ret[0] = '\0';
    if (headers_find(headers, name, &line) && line.value_size < VALUE_MAX) {
        memcpy(ret, line.value, line.value_size);
        ret[line.value_size] = '\0';
    }
}

static uint64_t unix_time_of(const char *date)
{
    struct tm tm;
    memset(&tm, 0, sizeof(tm));
    const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* RFC 9110 section 5.6.7 */
    time_t seconds = end != NULL && *end == '\0' ? timegm(&tm) : 0;
    return seconds > 0 ? (uint64_t)seconds : 0;
}

static throng_validators validators_of(const catalog *c, headers_view headers, uint64_t size)
{
    char value[VALUE_MAX];
    throng_validators v = {.size = size};
    value_of(headers, "ETag", value);
    if (value[0] != '\0')
        v.etag = throng_board_etag(c->config.board, value, strlen(value));
    value_of(headers, "Last-Modified", value);
    v.last_modified_s = unix_time_of(value);
    return v;
}

static headers_view headers_of(const throng_manifest *m)
{
    return (headers_view){m->headers, m->headers_size};
}

/* The manifest that the cache holds for this URL, if it is ours and its body is there. */
static bool load_stored(record *r, throng_manifest *ret)
{
    catalog *c = r->catalog;
    if (r->stored == NULL) {
        uint8_t *bytes = malloc(THRONG_MANIFEST_SIZE_MAX);
        int size = bytes != NULL ? cache_read_manifest(c->config.cache, r->name, bytes) : -ENOMEM;
        if (size <= 0) {
            free(bytes);
            return false;
        }
        r->stored = bytes;
        r->stored_size = (size_t)size;
    }
    /* One that expired still tells of its body; what is made of it is renewed. */
    int error = throng_manifest_check(ret, c->hasher, r->stored, r->stored_size, NULL,
                                      throng_signer_public_key(c->config.signer), 0);
    if (error == 0 && memcmp(ret->path, r->url_hash, THRONG_HASH_SIZE) == 0)
        return true;
    free(r->stored);
    r->stored = NULL;
    cache_remove_manifest(c->config.cache, r->name);
    return false;
}

/* The manifest of what we have, current or stored. */
static bool known_manifest(record *r, throng_manifest *ret)
{
    if (r->current == NULL)
        return load_stored(r, ret);
    *ret = r->current->made.manifest;
    return true;
}

static bool in_use(const char *name, void *user)
{
    const catalog *c = user;
    for (const record *r = c->records; r != NULL; r = r->next)
        if ((r->current != NULL || r->stored != NULL || record_is_busy(r)) && strcmp(r->name, name) == 0)
            return true;
    return false;
}

static bool collect_headers(throng_fetch *fetch, char all[ALL_HEADERS_MAX], size_t *all_size, download *d)
{
    size_t index = 0;
    const char *name, *value;
    d->headers_size = 0;
    *all_size = 0;
    while (throng_fetch_header_next(fetch, &index, &name, &value)) {
        if (!headers_append(all, all_size, ALL_HEADERS_MAX, name, value))
            return false;
        if (shareable_keeps_header(name) &&
            !headers_append(d->headers, &d->headers_size, RECORD_HEADERS_MAX, name, value))
            return false;
    }
    return true;
}

/* Hashes the body that the cache holds under this manifest, and publishes it. */
static bool make_of_stored(record *r, const throng_manifest *stored, bool use)
{
    throng_manifest_options options;
    record_options_of(&options, stored);
    int fd = cache_open_body(r->catalog->config.cache, r->name, stored->version, use);
    if (fd < 0) { /* evicted */
        cache_remove_manifest(r->catalog->config.cache, r->name);
        record_failed(r, METRICS_FAILURE_STORE);
        return false;
    }
    uint64_t half_s = (uint64_t)r->catalog->config.manifest_hours * 3600 / 2, now_s = record_unix_ms() / 1000;
    bool renew = stored->expires_unix_s < now_s + half_s;
    if (renew)
        options.expires_unix_s = now_s + 2 * half_s;
    record_make(r, renew ? MAKE_RENEWED : MAKE_AGAIN, fd, stored->geometry.size, &options);
    return record_is_busy(r);
}

bool record_restore(record *r)
{
    throng_manifest stored;
    if (!load_stored(r, &stored))
        return false;
    throng_validators held = validators_of(r->catalog, headers_of(&stored), stored.geometry.size);
    return (held.etag != 0 || held.last_modified_s != 0) && make_of_stored(r, &stored, false);
}

/* Room for a body of this size: what nobody uses goes, from disk alone first, then from the board, too. */
static bool make_room(catalog *c, uint64_t size)
{
    if (size > c->config.cache->bytes_max)
        return false;
    while (!cache_make_room(c->config.cache, size, in_use, c)) {
        record *least = catalog_least_used(c, true);
        if (least == NULL)
            return false;
        record_replace(least, NULL);
    }
    return true;
}

/* The web server says that what we have is current. */
static bool settle_unchanged(record *r, throng_time fresh)
{
    download *d = &r->download;
    metrics *m = r->catalog->config.metrics;
    throng_manifest stored;
    d->settled = true;
    m->fetches_unchanged++;
    record_unchanged(r, fresh);
    if (r->current != NULL || !load_stored(r, &stored))
        return false;
    make_of_stored(r, &stored, true);
    return false;
}

static bool settle_refused(record *r, shareable_verdict verdict)
{
    r->download.settled = true;
    record_refused(r, verdict);
    return false;
}

static bool settle_failed(record *r, metrics_failure cause)
{
    r->download.settled = true;
    r->catalog->config.metrics->fetches_failed++;
    record_failed(r, cause);
    return false;
}

/* Opens the file for the body. */
static bool begin_body(record *r)
{
    catalog *c = r->catalog;
    download *d = &r->download;
    uint64_t room = d->size_told >= 0 ? (uint64_t)d->size_told : 0;
    if (!make_room(c, room))
        return settle_refused(r, SHAREABLE_TOO_LARGE);
    d->fd = cache_create(c->config.cache, d->path);
    return d->fd >= 0 || settle_failed(r, METRICS_FAILURE_STORE);
}

static bool on_headers(throng_fetch *fetch, const throng_fetch_response *response, void *user)
{
    record *r = user;
    catalog *c = r->catalog;
    download *d = &r->download;
    char all[ALL_HEADERS_MAX];
    size_t all_size;
    if (!collect_headers(fetch, all, &all_size, d))
        return settle_refused(r, SHAREABLE_TOO_MUCH_HEAD);
    headers_view view = {all, all_size};
    d->fresh = shareable_fresh_s(view) * THRONG_SECOND;
    if (response->status == 304)
        return settle_unchanged(r, d->fresh);
    if (response->status >= 500)
        return settle_failed(r, METRICS_FAILURE_ORIGIN_BROKEN);
    shareable_verdict verdict = shareable_judge(response->status, view, response->content_length, &c->config.limits);
    if (verdict != SHAREABLE_YES)
        return settle_refused(r, verdict);
    d->size_told = response->content_length;
    /* A server that ignores conditions repeats itself: what it says of the body tells that it is the same. */
    throng_manifest known;
    throng_validators now = validators_of(c, view, (uint64_t)response->content_length);
    if (r->current != NULL && response->content_length >= 0 && known_manifest(r, &known) &&
        (now.etag != 0 || now.last_modified_s != 0) &&
        throng_board_current(&(throng_board_entry){.validators = r->current->validators}, &now, c->now))
        return settle_unchanged(r, d->fresh);
    return begin_body(r);
}

static throng_fetch_verdict on_body(throng_fetch *fetch, const uint8_t *bytes, size_t size, void *user)
{
    record *r = user;
    download *d = &r->download;
    if (d->settled || d->fd < 0)
        return THRONG_FETCH_ABANDON;
    if (shareable_size(d->size + size, &r->catalog->config.limits) == SHAREABLE_TOO_LARGE ||
        (d->size_told < 0 && !make_room(r->catalog, d->size + size))) {
        settle_refused(r, SHAREABLE_TOO_LARGE);
        return THRONG_FETCH_ABANDON;
    }
    for (size_t done = 0; done < size;) {
        ssize_t n = write(d->fd, bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            settle_failed(r, METRICS_FAILURE_STORE);
            return THRONG_FETCH_ABANDON;
        }
        done += (size_t)n;
    }
    d->size += size;
    return THRONG_FETCH_TAKEN;
}

static metrics_failure cause_of(int error)
{
    switch (error) {
    case THRONG_FETCH_ERR_TIMEOUT:
        return METRICS_FAILURE_ORIGIN_TIMEOUT;
    case THRONG_FETCH_ERR_CONNECT:
    case THRONG_FETCH_ERR_RESOLVE:
    case THRONG_FETCH_ERR_TLS:
        return METRICS_FAILURE_ORIGIN_UNREACHABLE;
    default:
        return METRICS_FAILURE_ORIGIN_BROKEN;
    }
}

/* The body is here, whole: on to its manifest. The descriptor goes with it. */
static void body_complete(record *r)
{
    catalog *c = r->catalog;
    download *d = &r->download;
    throng_manifest_options options;
    shareable_verdict verdict = shareable_size(d->size, &c->config.limits);
    if (d->size_told >= 0 && (uint64_t)d->size_told != d->size)
        verdict = SHAREABLE_PARTIAL;
    if (verdict != SHAREABLE_YES) {
        record_refused(r, verdict);
        return;
    }
    c->config.metrics->fetches++;
    c->config.metrics->origin_bytes += d->size;
    throng_manifest_options_default(&options);
    options.version = record_unix_ms();
    if (r->current != NULL && options.version <= r->current->made.manifest.version)
        options.version = r->current->made.manifest.version + 1;
    options.expires_unix_s = record_unix_ms() / 1000 + (uint64_t)c->config.manifest_hours * 3600;
    options.headers = d->headers;
    options.headers_size = d->headers_size;
    memcpy(options.url_hash, r->url_hash, sizeof(options.url_hash));
    record_unchanged(r, d->fresh);
    int fd = d->fd;
    d->fd = -1;
    record_make(r, MAKE_NEW, fd, d->size, &options);
}

static void on_done(throng_fetch *fetch, int error, void *user)
{
    record *r = user;
    download *d = &r->download;
    d->fetch = NULL;
    r->catalog->busy--;
    if (!d->settled) {
        if (error != 0)
            settle_failed(r, cause_of(error));
        else if (d->fd >= 0)
            body_complete(r);
    }
    if (d->fd >= 0) {
        close(d->fd);
        d->fd = -1;
        cache_discard(d->path);
    }
}

static void secret_header(const catalog *c, char ret[64])
{
    throng_board_secrets secrets;
    throng_board_secrets_get(c->config.board, &secrets);
    int n = snprintf(ret, 64, "Throng-Fetch: ");
    for (size_t i = 0; i < sizeof(secrets.fetch_secret); i++)
        n += snprintf(ret + n, 64 - (size_t)n, "%02x", secrets.fetch_secret[i]);
    explicit_bzero(&secrets, sizeof(secrets));
}

void record_fetch(record *r)
{
    catalog *c = r->catalog;
    download *d = &r->download;
    char url[URL_MAX], secret[64], host[THRONG_BOARD_HOST_MAX + 16];
    char etag[VALUE_MAX], modified[VALUE_MAX], match[VALUE_MAX + 32], since[VALUE_MAX + 32];
    const char *headers[REQUEST_HEADERS_MAX] = {host, secret, "Accept-Encoding: identity", NULL};
    size_t count = 3;
    throng_manifest known;
    snprintf(url, sizeof(url), "%s%s", c->config.origin_url, r->url);
    snprintf(host, sizeof(host), "Host: %s", r->host);
    secret_header(c, secret);
    if (known_manifest(r, &known)) {
        value_of(headers_of(&known), "ETag", etag);
        value_of(headers_of(&known), "Last-Modified", modified);
        snprintf(match, sizeof(match), "If-None-Match: %s", etag);
        snprintf(since, sizeof(since), "If-Modified-Since: %s", modified);
        if (etag[0] != '\0')
            headers[count++] = match;
        else if (modified[0] != '\0')
            headers[count++] = since;
        headers[count] = NULL;
    }
    throng_fetch_request request;
    throng_fetch_request_default(&request);
    request.url = url;
    request.headers = headers;
    request.unix_socket = c->config.origin_socket;
    request.connect_timeout_ms = 5000;
    request.stall_timeout_ms = 30000;
    request.callbacks = (throng_fetch_callbacks){on_headers, on_body, on_done};
    request.user = r;
    d->settled = false;
    d->size = 0;
    d->size_told = -1;
    r->fetched_at = c->now;
    int error = throng_fetch_start(&d->fetch, c->config.fetcher, &request);
    explicit_bzero(secret, sizeof(secret));
    if (error != 0) {
        d->fetch = NULL;
        settle_failed(r, cause_of(error));
    } else {
        c->busy++;
    }
}

throng_validators record_validators(const record *r, const throng_manifest *m)
{
    return validators_of(r->catalog, headers_of(m), m->geometry.size);
}
