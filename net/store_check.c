/* What another thread may do for a store: it touches nothing but the checks, the units' buffers and the file. */
#include "store_parts.h"

#include <string.h>
#include <sys/uio.h>

enum { PIECES_MAX = 16 }; /* so many units are hashed, then written while they are hot */

static void hash_units(throng_store_check *checks, size_t count, throng_hasher *hasher)
{
    const uint8_t *texts[PIECES_MAX];
    size_t sizes[PIECES_MAX];
    throng_hash hashes[PIECES_MAX];
    for (size_t i = 0; i < count; i++) {
        texts[i] = checks[i].bytes;
        sizes[i] = checks[i].size;
    }
    throng_hasher_hash_each(hasher, texts, sizes, count, hashes);
    for (size_t i = 0; i < count; i++)
        checks[i].result = memcmp(hashes[i].bytes, checks[i].expected, THRONG_HASH_SIZE) == 0 ? 0 : THRONG_ERR_TAMPERED;
}

/* Units that passed and lie in the file one behind the other. */
static void write_run(throng_store_check *checks, size_t count)
{
    struct iovec pieces[PIECES_MAX];
    ssize_t whole = 0;
    int error = throng_space_step(checks->space, checks->fd);
    if (error < 0) {
        for (size_t i = 0; i < count; i++)
            checks[i].result = error;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        pieces[i] = (struct iovec){(void *)(uintptr_t)checks[i].bytes, checks[i].size};
        whole += (ssize_t)checks[i].size;
    }
    if (count > 1 && pwritev(checks->fd, pieces, (int)count, (off_t)checks->offset) == whole)
        return;
    /* One alone, or cut short: each by itself tells which of them the disk has. */
    for (size_t i = 0; i < count; i++)
        checks[i].result = throng_store_pwrite(checks[i].fd, checks[i].bytes, checks[i].size, checks[i].offset);
}

static bool follows(const throng_store_check *one, const throng_store_check *next)
{
    return next->result == 0 && next->offset == one->offset + one->size;
}

static void run_some(throng_store_check *checks, size_t count, throng_hasher *hasher)
{
    hash_units(checks, count, hasher);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        if (checks[i].result == 0) {
            while (end < count && follows(&checks[end - 1], &checks[end]))
                end++;
            write_run(checks + i, end - i);
        }
        i = end;
    }
}

void throng_store_check_run(throng_store_check *checks, size_t count, throng_hasher *hasher)
{
    for (size_t i = 0; i < count; i += PIECES_MAX)
        run_some(checks + i, count - i < PIECES_MAX ? count - i : PIECES_MAX, hasher);
}
