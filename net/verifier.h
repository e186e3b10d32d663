/* Hashes and writes a store's units, several at once, for that is cheaper: here, or in a thread of the loop's pool
 * (uv_queue_work), so that the loop's own is free to receive. One batch is out at a time; what comes meanwhile makes
 * the next. Buffers are handed over, never copied, and the store's number of them bounds what is under way. All calls
 * and completions are on the loop's thread. */
#ifndef THRONG_NET_VERIFIER_H
#define THRONG_NET_VERIFIER_H

#include <uv.h>

#include "store.h"

typedef struct throng_verifier throng_verifier;

/* From the loop or throng_verifier_start, once for each unit added; may call anything but throng_verifier_free from
 * within, except as its last deed. `result` as of throng_store_verify. */
typedef void throng_verifier_done(void *user, uint64_t request, int result);

/* `loop` NULL: no thread, throng_verifier_start does it all before it returns. The store must outlive it.
 * THRONG_ERR_NO_MEMORY. */
int throng_verifier_new(throng_verifier **ret, uv_loop_t *loop, throng_store *store, throng_verifier_done *done,
                        void *user);
/* Waits for what a thread is at, tells nobody, and is done with the store. Its last memory goes when the loop has run
 * what was queued. */
void throng_verifier_free(throng_verifier *verifier);
/* Takes a COMPLETE unit, THRONG_ERR_STATE if it isn't. It is checked after the next throng_verifier_start. */
int throng_verifier_add(throng_verifier *verifier, uint64_t request, uint32_t unit,
                        const uint8_t expected[THRONG_HASH_SIZE]);
/* Units added and not yet sent off. */
uint32_t throng_verifier_added(const throng_verifier *verifier);
/* Sends off what was added, unless a batch is out; then it goes when that returns. */
void throng_verifier_start(throng_verifier *verifier);

#endif
