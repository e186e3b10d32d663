/* FILE.part.state, integers big-endian: a header of 512 bytes
 *   8    "throng\r\n"
 *   u8   format (1)
 *   u8   plain (0 or 1)
 *   32   object
 *   u64  size, UINT64_MAX when unknown
 *   u32  chunk size
 *   256  validator, padded with zeros
 *        zeros
 *   8    of the SHA-256 of all before it
 * then 16 bytes for each unit written: u32 unit (its highest bit set: not verified), 12 bytes of its SHA-256. The last
 * one about a unit counts. It is a claim, not a proof: units count only if their bytes still have that hash. */
#include "store_parts.h"

#include "../core/wire/cursor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT = 1, HEADER_SIZE = 512, CHECK_SIZE = 8, RECORD_SIZE = 16, RECORD_HASH_SIZE = 12 };

/* Units are chunks / 16: they never have that bit. */
#define NOT_VERIFIED ((uint32_t)1 << 31)

static const uint8_t magic[8] = "throng\r\n";

typedef struct header {
    bool plain;
    throng_hash object;
    uint64_t size;
    uint32_t chunk_size;
    char validator[THRONG_STORE_VALIDATOR_MAX];
} header;

static void header_encode(throng_hasher *hasher, const header *h, uint8_t bytes[HEADER_SIZE])
{
    throng_hash check;
    throng_writer w = throng_writer_on(bytes, HEADER_SIZE);
    memset(bytes, 0, HEADER_SIZE);
    throng_write_bytes(&w, magic, sizeof magic);
    throng_write_u8(&w, FORMAT);
    throng_write_u8(&w, h->plain);
    throng_write_bytes(&w, h->object.bytes, sizeof h->object.bytes);
    throng_write_u64(&w, h->size);
    throng_write_u32(&w, h->chunk_size);
    throng_write_bytes(&w, (const uint8_t *)h->validator, sizeof h->validator);
    throng_hasher_hash(hasher, bytes, HEADER_SIZE - CHECK_SIZE, &check);
    memcpy(bytes + HEADER_SIZE - CHECK_SIZE, check.bytes, CHECK_SIZE);
}

static bool header_decode(throng_hasher *hasher, const uint8_t bytes[HEADER_SIZE], header *ret)
{
    throng_hash check;
    throng_hasher_hash(hasher, bytes, HEADER_SIZE - CHECK_SIZE, &check);
    throng_reader r = throng_reader_on(bytes, HEADER_SIZE);
    if (memcmp(throng_read_bytes(&r, sizeof magic), magic, sizeof magic) != 0 || throng_read_u8(&r) != FORMAT ||
        memcmp(bytes + HEADER_SIZE - CHECK_SIZE, check.bytes, CHECK_SIZE) != 0)
        return false;
    ret->plain = throng_read_u8(&r) != 0;
    memcpy(ret->object.bytes, throng_read_bytes(&r, sizeof ret->object.bytes), sizeof ret->object.bytes);
    ret->size = throng_read_u64(&r);
    ret->chunk_size = throng_read_u32(&r);
    memcpy(ret->validator, throng_read_bytes(&r, sizeof ret->validator), sizeof ret->validator);
    ret->validator[sizeof ret->validator - 1] = '\0';
    return true;
}

static bool header_read(throng_hasher *hasher, int fd, header *ret)
{
    uint8_t bytes[HEADER_SIZE];
    return throng_store_pread(fd, bytes, sizeof bytes, 0) == 0 && header_decode(hasher, bytes, ret);
}

static bool same_object(const header *left, const header *wanted)
{
    if (left->plain != wanted->plain || left->size != wanted->size)
        return false;
    if (left->plain)
        return wanted->validator[0] == '\0' || strcmp(left->validator, wanted->validator) == 0;
    return left->chunk_size == wanted->chunk_size && throng_hash_equal(&left->object, &wanted->object);
}

/* Counts a claimed unit in if its bytes are those that were verified. */
static void try_record(throng_store *store, const uint8_t record[RECORD_SIZE])
{
    throng_hash hash;
    throng_reader r = throng_reader_on(record, RECORD_SIZE);
    uint32_t claim = throng_read_u32(&r);
    uint32_t unit = claim & ~NOT_VERIFIED;
    if (unit >= store->geometry.metachunks || store->units[unit] == UNIT_VERIFIED ||
        throng_store_read_back(store, unit) < 0)
        return;
    throng_hasher_hash(store->hasher, store->scratch, throng_store_unit_size(store, unit), &hash);
    if (memcmp(hash.bytes, throng_read_bytes(&r, RECORD_HASH_SIZE), RECORD_HASH_SIZE) != 0)
        return;
    store->units_written -= store->units[unit] == UNIT_WRITTEN;
    store->units[unit] = claim & NOT_VERIFIED ? UNIT_WRITTEN : UNIT_VERIFIED;
    store->units_written += store->units[unit] == UNIT_WRITTEN;
    store->units_verified += store->units[unit] == UNIT_VERIFIED;
}

static void read_records(throng_store *store)
{
    uint8_t records[64 * RECORD_SIZE];
    off_t at = HEADER_SIZE;
    for (;;) {
        ssize_t size = pread(store->journal.fd, records, sizeof records, at);
        uint32_t whole = size > 0 ? (uint32_t)size / RECORD_SIZE : 0;
        for (uint32_t i = 0; i < whole; i++)
            try_record(store, records + i * RECORD_SIZE);
        at += (off_t)whole * RECORD_SIZE;
        if (whole < sizeof records / RECORD_SIZE)
            break;
    }
    /* A record cut short by a crash would put all that follow out of step. */
    if (ftruncate(store->journal.fd, at) < 0 || lseek(store->journal.fd, at, SEEK_SET) < 0) {
        close(store->journal.fd);
        store->journal.fd = -1;
    }
}

static void start_empty(throng_store *store, const header *wanted)
{
    uint8_t bytes[HEADER_SIZE];
    int fd = store->journal.fd;
    header_encode(store->hasher, wanted, bytes);
    if (ftruncate(fd, 0) < 0 || throng_store_pwrite(fd, bytes, sizeof bytes, 0) < 0 ||
        lseek(fd, HEADER_SIZE, SEEK_SET) < 0) {
        close(fd);
        store->journal.fd = -1;
        return;
    }
    /* Its own space, too: a download that fills the disk must be able to say how far it came. */
    (void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, HEADER_SIZE + (off_t)store->geometry.metachunks * RECORD_SIZE);
}

bool throng_journal_open(throng_store *store, bool resume, const char *validator)
{
    header left;
    header wanted = {.plain = store->plain,
                     .object = store->object,
                     .size = store->size_known ? store->geometry.size : UINT64_MAX,
                     .chunk_size = store->plain ? 0 : store->geometry.chunk_size};
    if (validator)
        snprintf(wanted.validator, sizeof wanted.validator, "%s", validator);
    store->journal.fd = open(store->state_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (store->journal.fd < 0)
        return false;
    if (!resume || !header_read(store->hasher, store->journal.fd, &left) || !same_object(&left, &wanted)) {
        start_empty(store, &wanted);
        return false;
    }
    struct stat part;
    if (!store->plain)
        read_records(store);
    else if (fstat(store->fd, &part) == 0 && (!store->size_known || (uint64_t)part.st_size <= store->geometry.size))
        store->plain_bytes = (uint64_t)part.st_size;
    return true;
}

void throng_journal_add(throng_store *store, uint32_t unit, bool verified, const throng_hash *hash)
{
    throng_store_journal *journal = &store->journal;
    if (journal->fd < 0)
        return;
    throng_writer w = throng_writer_on(journal->pending + journal->pending_size, RECORD_SIZE);
    throng_write_u32(&w, verified ? unit : unit | NOT_VERIFIED);
    throng_write_bytes(&w, hash->bytes, RECORD_HASH_SIZE);
    journal->pending_size += RECORD_SIZE;
    if (journal->pending_size == sizeof journal->pending)
        throng_journal_flush(store);
}

void throng_journal_flush(throng_store *store)
{
    throng_store_journal *journal = &store->journal;
    if (journal->fd < 0 || journal->pending_size == 0)
        return;
    ssize_t written = write(journal->fd, journal->pending, journal->pending_size);
    if (written != (ssize_t)journal->pending_size) {
        /* What follows would be out of step: no more claims. What is claimed stays good. */
        close(journal->fd);
        journal->fd = -1;
    }
    journal->pending_size = 0;
}

/* The header of a journal that lies there, without a store. */
static int peek_header(const char *state_path, header *ret)
{
    throng_hasher *hasher;
    int error = throng_hasher_new(&hasher);
    if (error < 0)
        return error;
    int fd = open(state_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool read = fd >= 0 && header_read(hasher, fd, ret);
    if (fd >= 0)
        close(fd);
    throng_hasher_free(hasher);
    return read ? 0 : THRONG_ERR_NOT_FOUND;
}

int throng_store_peek(throng_store_left *ret, const char *path)
{
    throng_store names = {.fd = -1};
    header left;
    struct stat part;
    int error = throng_store_name(&names, path);
    if (error == 0)
        error = peek_header(names.state_path, &left);
    if (error == 0 && stat(names.part_path, &part) < 0)
        error = THRONG_ERR_NOT_FOUND;
    throng_store_unname(&names);
    if (error < 0)
        return error;
    *ret = (throng_store_left){.plain = left.plain, .object = left.object, .size = left.size};
    ret->chunk_size = left.chunk_size;
    ret->first_bytes = left.plain ? (uint64_t)part.st_size : 0;
    memcpy(ret->validator, left.validator, sizeof ret->validator);
    return 0;
}
