/* Making manifests, in a thread of the pool, and putting what comes of it into use. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/disk_error.h"
#include "record.h"

void record_options_of(throng_manifest_options *ret, const throng_manifest *m)
{
    throng_manifest_options_default(ret);
    ret->chunk_size = m->geometry.chunk_size;
    ret->version = m->version;
    ret->expires_unix_s = m->expires_unix_s;
    ret->headers = m->headers;
    ret->headers_size = m->headers_size;
    memcpy(ret->url_hash, m->path, sizeof(ret->url_hash));
}

static bool go_on(uint64_t done_bytes, uint64_t total_bytes, void *user)
{
    const make_job *job = user;
    return !atomic_load(job->stopping);
}

static void work(uv_work_t *work_request)
{
    make_job *job = work_request->data;
    /* What a manifest on disk tells must be on disk, whatever happens to the machine. */
    if (job->kind == MAKE_NEW && fdatasync(job->fd) != 0)
        job->error = THRONG_DISK_ERR_IO;
    else
        job->error = throng_manifest_make(&job->made, job->fd, job->size, &job->options, job->signer);
}

static void adopt(record *r, make_job *job, version *v)
{
    catalog *c = r->catalog;
    metrics *m = c->config.metrics;
    v->made = job->made;
    memset(&job->made, 0, sizeof(job->made));
    v->validators = record_validators(r, &v->made.manifest);
    int error = throng_seeder_add(c->config.seeder, &v->made.id, v->made.bytes, v->made.size, v->made.hashes, job->fd,
                                  job->size);
    if (error != 0) {
        record_failed(r, METRICS_FAILURE_SEEDER_FULL);
        throng_signed_manifest_clear(&v->made);
        free(v);
        return;
    }
    if (job->kind == MAKE_NEW)
        m->manifests_made++;
    else if (job->kind == MAKE_AGAIN)
        m->manifests_reused++;
    else
        m->manifests_renewed++;
    record_replace(r, v);
}

/* Puts the body and its manifest into the cache, and takes the one before out. */
static bool keep(record *r, make_job *job)
{
    catalog *c = r->catalog;
    cache *files = c->config.cache;
    uint64_t version_before = r->current != NULL ? r->current->made.manifest.version : 0;
    throng_manifest stored;
    if (r->current == NULL && r->stored != NULL && throng_manifest_decode(&stored, r->stored, r->stored_size) == 0)
        version_before = stored.version;
    if (job->kind == MAKE_NEW && cache_keep(files, r->download.path, r->name, job->options.version, job->size) != 0)
        return false;
    if (job->kind != MAKE_AGAIN && cache_write_manifest(files, r->name, job->made.bytes, job->made.size) != 0)
        return false;
    if (job->kind == MAKE_NEW) {
        throng_want want = {.tls = r->tls, .server = r->server};
        snprintf(want.host, sizeof(want.host), "%.*s", (int)r->host_size, r->host);
        snprintf(want.uri, sizeof(want.uri), "%s", r->url);
        cache_write_want(files, r->name, &want); /* without it a restart waits for the next want: no harm */
    }
    if (job->kind == MAKE_NEW && version_before != 0 && version_before != job->options.version)
        cache_remove_body(files, r->name, version_before);
    return true;
}

static void done(uv_work_t *work_request, int status)
{
    make_job *job = work_request->data;
    record *r = job->record;
    cache *files = r->catalog->config.cache;
    version *v = calloc(1, sizeof(*v));
    r->job = NULL;
    r->catalog->busy--;
    bool stopping = atomic_load(&r->catalog->stopping) || status != 0;
    bool same = job->kind != MAKE_AGAIN || (job->error == 0 && throng_hash_equal(&job->made.id, &job->expected));
    if (!stopping && v != NULL && job->error == 0 && same && keep(r, job)) {
        adopt(r, job, v);
        v = NULL;
    } else {
        if (job->kind == MAKE_NEW) {
            cache_discard(r->download.path);
        } else if (!stopping) { /* the body on disk is not what was signed: fetch it anew */
            cache_remove_manifest(files, r->name);
            cache_remove_body(files, r->name, job->options.version);
            record_replace(r, NULL);
        }
        if (!stopping)
            record_failed(r, METRICS_FAILURE_MANIFEST);
    }
    free(v);
    close(job->fd);
    throng_signed_manifest_clear(&job->made);
    free(job);
}

void record_make(record *r, make_kind kind, int fd, uint64_t size, const throng_manifest_options *options)
{
    catalog *c = r->catalog;
    make_job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        close(fd);
        if (kind == MAKE_NEW)
            cache_discard(r->download.path);
        record_failed(r, METRICS_FAILURE_MANIFEST);
        return;
    }
    job->work.data = job;
    job->record = r;
    job->kind = kind;
    job->fd = fd;
    job->size = size;
    job->options = *options;
    memcpy(job->headers, options->headers, options->headers_size);
    job->options.headers = job->headers;
    job->options.on_progress = go_on;
    job->options.user = job;
    job->signer = c->config.signer;
    job->stopping = &c->stopping;
    if (kind == MAKE_AGAIN)
        throng_hasher_hash(c->hasher, r->stored, r->stored_size, &job->expected);
    if (uv_queue_work(c->config.loop, &job->work, work, done) != 0) {
        close(fd);
        free(job);
        if (kind == MAKE_NEW)
            cache_discard(r->download.path);
        record_failed(r, METRICS_FAILURE_MANIFEST);
        return;
    }
    r->job = job;
    c->busy++;
}
