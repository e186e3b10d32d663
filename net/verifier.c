#include "verifier.h"

#include <assert.h>
#include <stdlib.h>

/* A list of checks and the requests that they answer, with room for as many as the store can have under way. */
typedef struct batch {
    throng_store_check *checks;
    uint64_t *requests;
    uint32_t count;
} batch;

struct throng_verifier {
    uv_work_t work;
    uv_loop_t *loop;     /* NULL: no thread */
    throng_store *store; /* NULL once freed: then only the memory is left to go */
    throng_verifier_done *done;
    void *user;
    throng_hasher *hasher; /* the thread's, while a batch is out */
    batch added;
    batch out;
    uint32_t told;   /* of the batch out */
    bool is_out;     /* queued, or being told about */
    bool returned;   /* … the latter */
    uv_sem_t worked; /* posted by the thread as it leaves the batch */
};

static int batch_init(batch *b, uint32_t max)
{
    b->checks = calloc(max, sizeof *b->checks);
    b->requests = calloc(max, sizeof *b->requests);
    return b->checks && b->requests ? 0 : THRONG_ERR_NO_MEMORY;
}

static void batch_free(batch *b)
{
    free(b->checks);
    free(b->requests);
}

static void destroy(throng_verifier *v)
{
    uv_sem_destroy(&v->worked);
    throng_hasher_free(v->hasher);
    batch_free(&v->added);
    batch_free(&v->out);
    free(v);
}

int throng_verifier_new(throng_verifier **ret, uv_loop_t *loop, throng_store *store, throng_verifier_done *done,
                        void *user)
{
    throng_verifier *v = calloc(1, sizeof *v);
    if (!v || uv_sem_init(&v->worked, 0) < 0) {
        free(v);
        return THRONG_ERR_NO_MEMORY;
    }
    v->loop = loop;
    v->store = store;
    v->done = done;
    v->user = user;
    v->work.data = v;
    uint32_t max = throng_store_checks_max(store);
    if (throng_hasher_new(&v->hasher) < 0 || batch_init(&v->added, max) < 0 || batch_init(&v->out, max) < 0) {
        destroy(v);
        return THRONG_ERR_NO_MEMORY;
    }
    *ret = v;
    return 0;
}

int throng_verifier_add(throng_verifier *v, uint64_t request, uint32_t unit, const uint8_t expected[THRONG_HASH_SIZE])
{
    throng_store_check check;
    int error = throng_store_check_start(v->store, unit, expected, &check);
    if (error < 0)
        return error;
    assert(v->added.count < throng_store_checks_max(v->store)); /* each has a buffer of the store's */
    v->added.checks[v->added.count] = check;
    v->added.requests[v->added.count++] = request;
    return 0;
}

/* In a thread of the pool. */
static void on_work(uv_work_t *work)
{
    throng_verifier *v = work->data;
    throng_store_check_run(v->out.checks, v->out.count, v->hasher);
    uv_sem_post(&v->worked);
}

/* True when a batch is through; false when we were freed meanwhile. */
static bool tell(throng_verifier *v)
{
    v->returned = true;
    while (v->store && v->told < v->out.count) {
        uint32_t i = v->told++;
        int result = throng_store_check_finish(v->store, &v->out.checks[i]);
        v->done(v->user, v->out.requests[i], result); /* which may free us */
    }
    v->is_out = v->returned = false;
    if (v->store)
        return true;
    destroy(v);
    return false;
}

static void on_worked(uv_work_t *work, int status)
{
    throng_verifier *v = work->data;
    if (!v->store) {
        destroy(v);
        return;
    }
    uv_sem_wait(&v->worked);
    if (tell(v))
        throng_verifier_start(v);
}

static void take_batch(throng_verifier *v)
{
    batch empty = v->out;
    empty.count = 0;
    v->out = v->added;
    v->added = empty;
    v->told = 0;
    v->is_out = true;
}

uint32_t throng_verifier_added(const throng_verifier *v)
{
    return v->added.count;
}

void throng_verifier_start(throng_verifier *v)
{
    if (v->is_out || v->added.count == 0)
        return;
    take_batch(v);
    if (v->loop) {
        uv_queue_work(v->loop, &v->work, on_work, on_worked);
        return;
    }
    throng_store_check_run(v->out.checks, v->out.count, v->hasher);
    (void)tell(v);
}

void throng_verifier_free(throng_verifier *v)
{
    if (!v)
        return;
    /* What can't be taken back is waited for: its buffers are the store's, which goes next. */
    if (v->is_out && !v->returned && uv_cancel((uv_req_t *)&v->work) < 0)
        uv_sem_wait(&v->worked);
    while (v->is_out && v->told < v->out.count)
        throng_store_check_finish(v->store, &v->out.checks[v->told++]);
    for (uint32_t i = 0; i < v->added.count; i++)
        throng_store_check_finish(v->store, &v->added.checks[i]);
    v->store = NULL;
    if (!v->is_out)
        destroy(v);
}
