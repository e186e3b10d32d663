/* Where a download lives until it is whole: FILE.part beside FILE, units assembled in memory and written once verified.
 *
 * Chunks of peers go into buffers of one unit each, a bounded number of them. A complete unit is hashed while it is
 * hot, and written in one piece if the hash is right. Bytes of HTTP go the same way; as long as their hashes are not
 * known they are written unverified, and told apart. When all is there, FILE.part is synced and renamed to FILE: under
 * that name there is the whole object or nothing.
 *
 * FILE.part.state records what a later run may count on: one entry for each unit written, with its hash. Reopening
 * hashes those units again, so that a crash, of the machine too, can't make a byte pass that was not verified.
 *
 * One thread at a time, throng_store_check_run aside. No call waits for anything but the disk. */
#ifndef THRONG_NET_STORE_H
#define THRONG_NET_STORE_H

#include <throng/manifest.h>

#include "disk_error.h"
#include "hash.h"

typedef struct throng_store throng_store;

enum { THRONG_STORE_VALIDATOR_MAX = 256 };

/* Start from throng_store_config_default. Everything is copied. */
typedef struct throng_store_config {
    const char *path;          /* FILE */
    const throng_hash *object; /* its name; NULL: plain HTTP, nothing will be verified */
    throng_geometry geometry;  /* of the object, or of a plain file of known size (throng_geometry_init) */
    bool size_known;           /* false: plain only, the size comes with the last byte; geometry is unused (true) */
    uint32_t units_open_max;   /* units in assembly: the node's units_open_max and one for each HTTP range (520) */
    bool resume;               /* go on with what FILE.part holds, if it is of the same object (false: start anew) */
    bool overwrite;            /* let commit replace FILE (false: refuse now and at commit, THRONG_DISK_ERR_EXISTS) */
    bool sync;                 /* commit waits until the disk has it: a crash of the machine then finds FILE whole, too
                                  (true) */
    const char *validator;     /* ETag or Last-Modified of a plain file, kept for who resumes; NULL: none */
} throng_store_config;

void throng_store_config_default(throng_store_config *config);

/* Creates or reopens FILE.part and sets the object's space aside, so that a full disk shows now; on a file system in
 * memory, where that takes long, some of it, and a slice with each of the first units written. A THRONG_DISK_ERR_
 * code (BUSY while another process has it open, EXISTS, FULL …), THRONG_ERR_INVALID, THRONG_ERR_NO_MEMORY; a FILE.part
 * that this call made is gone again then. Reopening hashes what is there (1 GB takes about half a second). */
int throng_store_open(throng_store **ret, const throng_store_config *config);
/* Closes. FILE.part stays for who resumes, unless nothing is in it; call throng_store_discard first to be rid of it. */
void throng_store_free(throng_store *store);
/* Removes FILE.part. Only throng_store_free may follow. */
void throng_store_discard(throng_store *store);

/* What an earlier run left of FILE, without opening it. THRONG_ERR_NOT_FOUND if nothing that can be used. */
typedef struct throng_store_left {
    bool plain;
    throng_hash object; /* unless plain */
    uint64_t size;      /* of the whole; UINT64_MAX when it was not known */
    uint32_t chunk_size;
    uint64_t first_bytes;                       /* plain: bytes there, from the start on */
    char validator[THRONG_STORE_VALIDATOR_MAX]; /* plain: as given; "" if none */
} throng_store_left;
int throng_store_peek(throng_store_left *ret, const char *path);

typedef enum throng_unit_state {
    THRONG_UNIT_MISSING,
    THRONG_UNIT_OPEN,     /* some chunks are in memory, or all */
    THRONG_UNIT_COMPLETE, /* all chunks are in memory, to be verified */
    THRONG_UNIT_WRITTEN,  /* whole in FILE.part, all of it from HTTP, not verified */
    THRONG_UNIT_VERIFIED, /* whole in FILE.part and proven */
} throng_unit_state;

throng_unit_state throng_store_unit(const throng_store *store, uint32_t unit);
/* The first unit at or after `from` in that state; false if there is none. */
bool throng_store_next_unit(const throng_store *store, throng_unit_state state, uint32_t from, uint32_t *ret_unit);
uint32_t throng_store_units_verified(const throng_store *store);
uint32_t throng_store_units_written(const throng_store *store); /* … and not verified */
uint32_t throng_store_units_open(const throng_store *store);

/* --- from peers --- */

/* A data chunk (THRONG_EVENT_CHUNK). 0, also for one that is here already; THRONG_ERR_FULL: no buffer is free;
 * THRONG_ERR_INVALID: no data chunk, or not its size. */
int throng_store_put(throng_store *store, uint32_t chunk, const uint8_t *bytes, size_t size);
/* Hashes a unit that is COMPLETE or WRITTEN (THRONG_EVENT_VERIFY). 0: right, and written. THRONG_ERR_TAMPERED: wrong,
 * and dropped. THRONG_ERR_STATE: not all there, or being checked already. A THRONG_DISK_ERR_ code: right but not
 * written, and still in memory: free space and call again, or give up. */
int throng_store_verify(throng_store *store, uint32_t unit, const uint8_t expected[THRONG_HASH_SIZE]);

/* What is in memory of a unit, or written and not verified, goes. Not while it is being checked. */
void throng_store_drop(throng_store *store, uint32_t unit);

/* The same in three steps, for who hashes and writes in another thread: start and finish belong to the store's thread,
 * run to any. In between the unit stays COMPLETE: chunks and bytes of HTTP for it are ignored. */
typedef struct throng_store_check {
    uint32_t unit;
    uint32_t size; /* bytes of the unit */
    uint64_t offset;
    const uint8_t *bytes;
    uint8_t expected[THRONG_HASH_SIZE];
    int fd;
    struct throng_store_space *space;
    int result; /* THRONG_ERR_AGAIN until it has run, then as of throng_store_verify */
} throng_store_check;

/* Of a unit that is COMPLETE and not being checked; otherwise THRONG_ERR_STATE. */
int throng_store_check_start(throng_store *store, uint32_t unit, const uint8_t expected[THRONG_HASH_SIZE],
                             throng_store_check *ret);
/* Hashes and writes; neighbours of the same store in one piece. */
void throng_store_check_run(throng_store_check *checks, size_t count, throng_hasher *hasher);
/* Returns the check's result, after doing by the store as throng_store_verify does. Each check started is to be
 * finished before the store is freed, whether it ran or not. */
int throng_store_check_finish(throng_store *store, const throng_store_check *check);
/* No more checks than this can be under way at once. */
uint32_t throng_store_checks_max(const throng_store *store);

/* --- from HTTP --- */

/* Where the hashes are to be found, once the manifest is known: write_http verifies by them. They must outlive the
 * store or be taken away with NULL. */
void throng_store_set_hashes(throng_store *store, const throng_hashes *hashes);
/* Bytes of the object from `offset` on; best in order, from a unit's start. Units that they complete are verified and
 * written; written only, if all their bytes came from HTTP and their hash isn't known. Look at the units' states after.
 * 0; THRONG_ERR_AGAIN: no buffer is free, none of it was taken; THRONG_ERR_TAMPERED: all was taken, and a unit failed:
 * what HTTP gave of it was dropped, chunks of peers stay; THRONG_ERR_INVALID: past the end; a THRONG_DISK_ERR_ code.
 * Plain files take bytes in order alone, from throng_store_first_bytes on (THRONG_ERR_STATE). */
int throng_store_write_http(throng_store *store, uint64_t offset, const uint8_t *bytes, size_t size);
/* How much is in FILE.part without a gap, from the start on: where a plain download goes on. */
uint64_t throng_store_first_bytes(const throng_store *store);

/* --- out of it --- */

/* Verified bytes, for other peers; before and after commit. THRONG_ERR_NOT_FOUND if any of them is not verified. */
int throng_store_read(const throng_store *store, uint64_t offset, void *buffer, size_t size);
/* SHA-256 of the whole file as it stands, for --checksum: before commit, which is what it decides. */
int throng_store_hash(throng_store *store, throng_hash *ret);
/* Syncs and gives the file its name. THRONG_ERR_STATE while a unit is not there; WRITTEN ones pass only if
 * `unverified_too`. On a THRONG_DISK_ERR_ code FILE is as it was, and FILE.part still there. */
int throng_store_commit(throng_store *store, bool unverified_too);

#endif
