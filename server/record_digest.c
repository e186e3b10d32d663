/* SHA-256 of a whole body: what clients that know nothing of manifests check (docs/METALINK.md). Made in a thread of
 * the pool once the first peer serves the object by HTTP, since until then nobody can use it. */
#include <stdlib.h>
#include <unistd.h>

#include "record.h"

enum { PIECE = 1 << 18 };

typedef struct digest_job {
    uv_work_t work;
    record *record;
    throng_hash object; /* which version it is of */
    throng_hash digest;
    uint64_t size;
    const atomic_bool *stopping;
    int fd;
    bool made;
} digest_job;

static void work(uv_work_t *work_request)
{
    digest_job *job = work_request->data;
    throng_hasher *hasher = NULL;
    uint8_t *piece = malloc(PIECE);
    uint64_t at = 0;
    if (piece != NULL && throng_hasher_new(&hasher) == 0) {
        throng_hasher_start(hasher);
        for (ssize_t n = 1; n > 0 && at < job->size && !atomic_load(job->stopping); at += n > 0 ? (uint64_t)n : 0) {
            n = pread(job->fd, piece, PIECE, (off_t)at);
            if (n > 0)
                throng_hasher_add(hasher, piece, (size_t)n);
        }
        throng_hasher_finish(hasher, &job->digest);
    }
    job->made = hasher != NULL && at == job->size;
    throng_hasher_free(hasher);
    free(piece);
}

static void done(uv_work_t *work_request, int status)
{
    digest_job *job = work_request->data;
    record *r = job->record;
    r->digesting = false;
    r->catalog->busy--;
    close(job->fd);
    if (status == 0 && job->made && r->current != NULL && throng_hash_equal(&r->current->made.id, &job->object)) {
        r->current->digest = job->digest;
        r->current->has_digest = true;
        record_publish(r);
    }
    free(job);
}

void record_digest(record *r)
{
    catalog *c = r->catalog;
    const throng_manifest *m = &r->current->made.manifest;
    int fd = cache_open_body(c->config.cache, r->name, m->version, false);
    digest_job *job = fd >= 0 ? calloc(1, sizeof(*job)) : NULL;
    if (job != NULL) {
        *job = (digest_job){
            .record = r, .object = r->current->made.id, .size = m->geometry.size, .stopping = &c->stopping, .fd = fd};
        job->work.data = job;
    }
    if (job == NULL || uv_queue_work(c->config.loop, &job->work, work, done) != 0) {
        free(job);
        if (fd >= 0)
            close(fd);
        return; /* the next tick tries again */
    }
    r->digesting = true;
    c->busy++;
}
