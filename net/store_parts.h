/* What the files of the store share. Only they include this. */
#ifndef THRONG_NET_STORE_PARTS_H
#define THRONG_NET_STORE_PARTS_H

#include <stdatomic.h>

#include "store.h"

/* Where a unit is: one of these, or UNIT_SLOT + the number of the slot that assembles it. */
enum { UNIT_MISSING, UNIT_WRITTEN, UNIT_VERIFIED, UNIT_SLOT };

/* A unit in assembly. */
typedef struct throng_store_slot {
    uint8_t *buffer; /* unit_size bytes, made when first needed, kept for the next unit */
    uint32_t unit;
    uint32_t run_first; /* bytes [run_first, run_end) of the unit came from HTTP, in order; a chunk counts as */
    uint32_t run_end;   /* there once the run covers it */
    uint16_t have;      /* a bit for each chunk of the unit */
    uint16_t from_peer; /* … that a peer gave */
    bool checking;      /* another thread reads it */
} throng_store_slot;

/* The record of what was verified: FILE.part.state. */
typedef struct throng_store_journal {
    int fd; /* -1: none; then a later run starts anew */
    uint32_t pending_size;
    uint8_t pending[1024];
} throng_store_journal;

/* What of the file's space was set aside: all at once where that is quick, a slice with each write where it is not. */
typedef struct throng_store_space {
    _Atomic uint64_t at; /* up to here; several threads write */
    uint64_t end;
} throng_store_space;

struct throng_store {
    char *path;
    char *part_path;
    char *state_path;
    int fd; /* of FILE.part, FILE after commit */
    bool plain;
    bool size_known;
    bool overwrite;
    bool sync;
    bool committed;
    bool discarded;
    throng_hash object;
    throng_geometry geometry;
    throng_hasher *hasher;
    const throng_hashes *hashes;
    throng_store_journal journal;
    throng_store_space space;
    uint64_t plain_bytes; /* plain: written so far, in order */
    uint32_t units_verified;
    uint32_t units_written;
    uint32_t unit_size; /* bytes of every unit but the last */
    uint32_t *units;    /* geometry.metachunks of them */
    throng_store_slot *slots;
    uint32_t *free_slots; /* a stack, the hottest on top */
    uint32_t free_count;
    uint32_t slots_max;
    uint8_t *scratch; /* one unit, to read back; made when first needed */
};

/* Fills in the three paths; THRONG_ERR_NO_MEMORY. */
int throng_store_name(throng_store *store, const char *path);
void throng_store_unname(throng_store *store);

uint64_t throng_store_unit_offset(const throng_store *store, uint32_t unit);
uint32_t throng_store_unit_size(const throng_store *store, uint32_t unit);
/* A unit read back from FILE.part into scratch. THRONG_DISK_ERR_CHANGED if the file ends before it does. */
int throng_store_read_back(throng_store *store, uint32_t unit);

/* All of it, or an error. */
int throng_store_pwrite(int fd, const uint8_t *bytes, size_t size, uint64_t offset);
int throng_store_pread(int fd, uint8_t *bytes, size_t size, uint64_t offset);

/* --- store_space.c --- */

/* All of an object's `size` bytes, or the first of them and a look whether there is room for the rest. Where the file
 * system can't set aside, a look. A THRONG_DISK_ERR_ code. */
int throng_space_set_aside(throng_store_space *space, int fd, uint64_t size);
/* The next slice, if any is left. From any thread. A THRONG_DISK_ERR_ code, once; the slice is not tried again. */
int throng_space_step(throng_store_space *space, int fd);

/* --- store_journal.c --- */

/* Opens the journal. Resuming, and of the same object: counts in the units (or the plain bytes) that are there, and
 * returns true. Otherwise starts an empty one. Without a journal the store works; a later run starts anew. */
bool throng_journal_open(throng_store *store, bool resume, const char *validator);
/* A unit with that hash was written. */
void throng_journal_add(throng_store *store, uint32_t unit, bool verified, const throng_hash *hash);
void throng_journal_flush(throng_store *store);

/* --- store_units.c --- */

int throng_store_units_init(throng_store *store, uint32_t units_open_max);
void throng_store_units_free(throng_store *store);

#endif
