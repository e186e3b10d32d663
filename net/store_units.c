/* Units in assembly: chunks of peers and bytes of HTTP in, whole verified units out. */
#include "store_parts.h"

#include <stdlib.h>
#include <string.h>

int throng_store_units_init(throng_store *store, uint32_t units_open_max)
{
    uint32_t units = store->geometry.metachunks;
    store->unit_size = store->geometry.chunk_size * store->geometry.metachunk_chunks;
    store->slots_max = units_open_max < units ? units_open_max : units;
    if (units == 0)
        return 0;
    if (units_open_max == 0)
        return THRONG_ERR_INVALID;
    store->units = calloc(units, sizeof *store->units);
    store->slots = calloc(store->slots_max, sizeof *store->slots);
    store->free_slots = calloc(store->slots_max, sizeof *store->free_slots);
    if (!store->units || !store->slots || !store->free_slots)
        return THRONG_ERR_NO_MEMORY;
    while (store->free_count < store->slots_max) {
        store->free_slots[store->free_count] = store->slots_max - 1 - store->free_count;
        store->free_count++;
    }
    return 0;
}

void throng_store_units_free(throng_store *store)
{
    for (uint32_t i = 0; store->slots && i < store->slots_max; i++)
        free(store->slots[i].buffer);
    free(store->slots);
    free(store->free_slots);
    free(store->units);
    free(store->scratch);
}

uint64_t throng_store_unit_offset(const throng_store *store, uint32_t unit)
{
    return (uint64_t)unit * store->unit_size;
}

uint32_t throng_store_unit_size(const throng_store *store, uint32_t unit)
{
    uint64_t left = store->geometry.size - throng_store_unit_offset(store, unit);
    return left < store->unit_size ? (uint32_t)left : store->unit_size;
}

/* A bit for each chunk of a unit. */
static uint16_t all_chunks(const throng_store *store, uint32_t unit)
{
    uint32_t first;
    uint32_t end;
    throng_geometry_unit_chunks(&store->geometry, unit, &first, &end);
    return (uint16_t)((1u << (end - first)) - 1);
}

static throng_store_slot *slot_of(const throng_store *store, uint32_t unit)
{
    return store->units[unit] < UNIT_SLOT ? NULL : &store->slots[store->units[unit] - UNIT_SLOT];
}

/* Then another thread reads its buffer. */
static bool is_being_checked(const throng_store *store, uint32_t unit)
{
    const throng_store_slot *slot = slot_of(store, unit);
    return slot && slot->checking;
}

static bool is_complete(const throng_store *store, const throng_store_slot *slot)
{
    return slot->have == all_chunks(store, slot->unit);
}

/* The slot of a unit that is missing or open; NULL and *ret_error if there is none to be had. */
static throng_store_slot *slot_open(throng_store *store, uint32_t unit, int *ret_error)
{
    throng_store_slot *slot = slot_of(store, unit);
    if (slot)
        return slot;
    if (store->free_count == 0) {
        *ret_error = THRONG_ERR_FULL;
        return NULL;
    }
    uint32_t number = store->free_slots[store->free_count - 1];
    slot = &store->slots[number];
    if (!slot->buffer)
        slot->buffer = malloc(store->unit_size);
    if (!slot->buffer) {
        *ret_error = THRONG_ERR_NO_MEMORY;
        return NULL;
    }
    *slot = (throng_store_slot){.buffer = slot->buffer, .unit = unit};
    store->free_count--;
    store->units[unit] = UNIT_SLOT + number;
    return slot;
}

/* The unit leaves memory; `where` it is now. */
static void slot_close(throng_store *store, uint32_t unit, uint32_t where)
{
    if (store->units[unit] >= UNIT_SLOT)
        store->free_slots[store->free_count++] = store->units[unit] - UNIT_SLOT;
    store->units_written -= store->units[unit] == UNIT_WRITTEN;
    store->units[unit] = where;
    store->units_written += where == UNIT_WRITTEN;
    store->units_verified += where == UNIT_VERIFIED;
}

/* --- what is where --- */

throng_unit_state throng_store_unit(const throng_store *store, uint32_t unit)
{
    if (unit >= store->geometry.metachunks || !store->units)
        return THRONG_UNIT_MISSING;
    const throng_store_slot *slot = slot_of(store, unit);
    if (slot)
        return is_complete(store, slot) ? THRONG_UNIT_COMPLETE : THRONG_UNIT_OPEN;
    static const throng_unit_state states[] = {
        [UNIT_MISSING] = THRONG_UNIT_MISSING,
        [UNIT_WRITTEN] = THRONG_UNIT_WRITTEN,
        [UNIT_VERIFIED] = THRONG_UNIT_VERIFIED,
    };
    return states[store->units[unit]];
}

bool throng_store_next_unit(const throng_store *store, throng_unit_state state, uint32_t from, uint32_t *ret_unit)
{
    for (uint32_t unit = from; store->units && unit < store->geometry.metachunks; unit++) {
        if (throng_store_unit(store, unit) == state) {
            *ret_unit = unit;
            return true;
        }
    }
    return false;
}

uint32_t throng_store_units_verified(const throng_store *store)
{
    return store->units_verified;
}

uint32_t throng_store_units_written(const throng_store *store)
{
    return store->units_written;
}

uint32_t throng_store_units_open(const throng_store *store)
{
    return store->units ? store->slots_max - store->free_count : 0;
}

uint64_t throng_store_first_bytes(const throng_store *store)
{
    if (store->plain)
        return store->plain_bytes;
    uint32_t unit = 0;
    while (unit < store->geometry.metachunks &&
           (store->units[unit] == UNIT_WRITTEN || store->units[unit] == UNIT_VERIFIED))
        unit++;
    return unit == store->geometry.metachunks ? store->geometry.size : throng_store_unit_offset(store, unit);
}

/* --- verifying --- */

int throng_store_read_back(throng_store *store, uint32_t unit)
{
    if (!store->scratch)
        store->scratch = malloc(store->unit_size);
    if (!store->scratch)
        return THRONG_ERR_NO_MEMORY;
    return throng_store_pread(store->fd, store->scratch, throng_store_unit_size(store, unit),
                              throng_store_unit_offset(store, unit));
}

static int write_unit(throng_store *store, uint32_t unit, uint32_t where)
{
    int error = throng_space_step(&store->space, store->fd);
    if (error == 0)
        error = throng_store_pwrite(store->fd, slot_of(store, unit)->buffer, throng_store_unit_size(store, unit),
                                    throng_store_unit_offset(store, unit));
    if (error == 0)
        slot_close(store, unit, where);
    return error;
}

static void note_verified(throng_store *store, uint32_t unit, const uint8_t hash[THRONG_HASH_SIZE])
{
    throng_hash proven;
    memcpy(proven.bytes, hash, sizeof proven.bytes);
    throng_journal_add(store, unit, true, &proven);
}

static int accept_unit(throng_store *store, uint32_t unit, const uint8_t hash[THRONG_HASH_SIZE])
{
    int error = write_unit(store, unit, UNIT_VERIFIED);
    if (error == 0)
        note_verified(store, unit, hash);
    return error;
}

void throng_store_drop(throng_store *store, uint32_t unit)
{
    throng_unit_state state = throng_store_unit(store, unit);
    if (state != THRONG_UNIT_MISSING && state != THRONG_UNIT_VERIFIED && !is_being_checked(store, unit))
        slot_close(store, unit, UNIT_MISSING);
}

static int verify_written(throng_store *store, uint32_t unit, const uint8_t expected[THRONG_HASH_SIZE])
{
    throng_hash hash;
    int error = throng_store_read_back(store, unit);
    if (error < 0)
        return error;
    throng_hasher_hash(store->hasher, store->scratch, throng_store_unit_size(store, unit), &hash);
    bool right = memcmp(hash.bytes, expected, sizeof hash.bytes) == 0;
    slot_close(store, unit, right ? UNIT_VERIFIED : UNIT_MISSING);
    if (right)
        throng_journal_add(store, unit, true, &hash);
    return right ? 0 : THRONG_ERR_TAMPERED;
}

static bool is_right(const throng_store *store, const throng_store_slot *slot, const uint8_t expected[THRONG_HASH_SIZE])
{
    throng_hash hash;
    throng_hasher_hash(store->hasher, slot->buffer, throng_store_unit_size(store, slot->unit), &hash);
    return memcmp(hash.bytes, expected, sizeof hash.bytes) == 0;
}

int throng_store_verify(throng_store *store, uint32_t unit, const uint8_t expected[THRONG_HASH_SIZE])
{
    throng_unit_state state = throng_store_unit(store, unit);
    if (state == THRONG_UNIT_WRITTEN)
        return verify_written(store, unit, expected);
    if (state != THRONG_UNIT_COMPLETE || is_being_checked(store, unit))
        return state == THRONG_UNIT_VERIFIED ? 0 : THRONG_ERR_STATE;
    if (!is_right(store, slot_of(store, unit), expected)) {
        throng_store_drop(store, unit);
        return THRONG_ERR_TAMPERED;
    }
    return accept_unit(store, unit, expected);
}

int throng_store_check_start(throng_store *store, uint32_t unit, const uint8_t expected[THRONG_HASH_SIZE],
                             throng_store_check *ret)
{
    if (throng_store_unit(store, unit) != THRONG_UNIT_COMPLETE || is_being_checked(store, unit))
        return THRONG_ERR_STATE;
    throng_store_slot *slot = slot_of(store, unit);
    slot->checking = true;
    *ret = (throng_store_check){.unit = unit,
                                .size = throng_store_unit_size(store, unit),
                                .offset = throng_store_unit_offset(store, unit),
                                .bytes = slot->buffer,
                                .fd = store->fd,
                                .space = &store->space,
                                .result = THRONG_ERR_AGAIN};
    memcpy(ret->expected, expected, sizeof ret->expected);
    return 0;
}

int throng_store_check_finish(throng_store *store, const throng_store_check *check)
{
    slot_of(store, check->unit)->checking = false;
    if (check->result == 0) {
        slot_close(store, check->unit, UNIT_VERIFIED);
        note_verified(store, check->unit, check->expected);
    } else if (check->result == THRONG_ERR_TAMPERED) {
        throng_store_drop(store, check->unit);
    }
    return check->result;
}

uint32_t throng_store_checks_max(const throng_store *store)
{
    return store->slots_max;
}

/* --- in from peers --- */

int throng_store_put(throng_store *store, uint32_t chunk, const uint8_t *bytes, size_t size)
{
    const throng_geometry *g = &store->geometry;
    if (store->plain || chunk >= g->data_chunks || size != throng_geometry_chunk_bytes(g, chunk))
        return THRONG_ERR_INVALID;
    uint32_t unit = throng_geometry_unit_of(g, chunk);
    if (store->units[unit] == UNIT_WRITTEN || store->units[unit] == UNIT_VERIFIED || is_being_checked(store, unit))
        return 0;
    int error = 0;
    throng_store_slot *slot = slot_open(store, unit, &error);
    if (!slot)
        return error;
    uint32_t at = chunk % g->metachunk_chunks;
    uint16_t bit = (uint16_t)(1u << at);
    /* A peer's chunk stands. HTTP's gives way once there are hashes: a unit that peers gave whole is judged by their
     * bytes alone, so that none of them is blamed for a stale page. */
    if (slot->have & bit && (slot->from_peer & bit || !store->hashes))
        return 0;
    uint32_t first = at * g->chunk_size;
    memcpy(slot->buffer + first, bytes, size);
    slot->have |= bit;
    slot->from_peer |= bit;
    /* HTTP is half-way through this chunk: the rest of it must not make it look like HTTP's. */
    if (slot->run_first < first + size && slot->run_end > first)
        slot->run_first = slot->run_end = 0;
    return 0;
}

/* --- in from HTTP --- */

void throng_store_set_hashes(throng_store *store, const throng_hashes *hashes)
{
    store->hashes = hashes;
}

/* Marks the chunks that the run covers whole. */
static void mark_run(const throng_store *store, throng_store_slot *slot)
{
    uint32_t chunk_size = store->geometry.chunk_size;
    uint32_t end = slot->run_end == throng_store_unit_size(store, slot->unit)
                       ? (slot->run_end + chunk_size - 1) / chunk_size
                       : slot->run_end / chunk_size;
    for (uint32_t at = (slot->run_first + chunk_size - 1) / chunk_size; at < end; at++) {
        slot->have |= (uint16_t)(1u << at);
        slot->from_peer &= (uint16_t) ~(1u << at);
    }
}

/* Bytes for one unit, at `at` in it. Where a peer's chunk stands already it is left to its hash, if there will be one.
 */
static void fill_slot(throng_store *store, throng_store_slot *slot, uint32_t at, const uint8_t *bytes, uint32_t size)
{
    if (at != slot->run_end || slot->run_first == slot->run_end)
        slot->run_first = slot->run_end = at;
    while (size > 0) {
        uint32_t chunk = at / store->geometry.chunk_size;
        uint32_t chunk_end = (chunk + 1) * store->geometry.chunk_size;
        uint32_t part = size < chunk_end - at ? size : chunk_end - at;
        if (store->hashes && (slot->from_peer & 1u << chunk)) {
            slot->run_first = slot->run_end = at + part;
        } else {
            memcpy(slot->buffer + at, bytes, part);
            slot->run_end = at + part;
            mark_run(store, slot);
        }
        at += part;
        bytes += part;
        size -= part;
    }
}

static int write_unverified(throng_store *store, const throng_store_slot *slot)
{
    throng_hash hash;
    uint32_t unit = slot->unit;
    throng_hasher_hash(store->hasher, slot->buffer, throng_store_unit_size(store, unit), &hash);
    int error = write_unit(store, unit, UNIT_WRITTEN);
    if (error == 0)
        throng_journal_add(store, unit, false, &hash);
    return error;
}

/* A unit that HTTP added to: verified and written if that can be, just written if all of it is HTTP's. If it is wrong,
 * HTTP's part goes; what peers gave is theirs to be judged by, and counts as here with the node. */
static int settle_slot(throng_store *store, throng_store_slot *slot)
{
    const uint8_t *expected;
    uint32_t unit = slot->unit;
    if (!is_complete(store, slot) || slot->from_peer == slot->have)
        return 0;
    if (store->hashes && throng_hashes_expected(store->hashes, unit, &expected) == 0) {
        if (is_right(store, slot, expected))
            return accept_unit(store, unit, expected);
        slot->have = slot->from_peer;
        slot->run_first = slot->run_end = 0;
        if (slot->have == 0)
            throng_store_drop(store, unit);
        return THRONG_ERR_TAMPERED;
    }
    return slot->from_peer == 0 ? write_unverified(store, slot) : 0;
}

/* Is there a buffer for each unit of [first, last]? */
static bool have_room(const throng_store *store, uint32_t first, uint32_t last)
{
    uint32_t needed = 0;
    for (uint32_t unit = first; unit <= last; unit++)
        needed += store->units[unit] == UNIT_MISSING;
    return needed <= store->free_count;
}

static int write_units(throng_store *store, uint64_t offset, const uint8_t *bytes, size_t size)
{
    int result = 0;
    while (size > 0) {
        uint32_t unit = (uint32_t)(offset / store->unit_size);
        uint32_t at = (uint32_t)(offset % store->unit_size);
        uint32_t part = size < store->unit_size - at ? (uint32_t)size : store->unit_size - at;
        bool is_there = store->units[unit] == UNIT_WRITTEN || store->units[unit] == UNIT_VERIFIED;
        if (!is_there && !is_being_checked(store, unit)) {
            int error = 0;
            throng_store_slot *slot = slot_open(store, unit, &error);
            if (!slot)
                return error;
            fill_slot(store, slot, at, bytes, part);
            error = settle_slot(store, slot);
            if (error < 0 && error != THRONG_ERR_TAMPERED)
                return error;
            result = error < 0 ? error : result;
        }
        offset += part;
        bytes += part;
        size -= part;
    }
    return result;
}

static int write_plain(throng_store *store, uint64_t offset, const uint8_t *bytes, size_t size)
{
    if (offset != store->plain_bytes)
        return THRONG_ERR_STATE;
    int error = throng_space_step(&store->space, store->fd);
    if (error == 0)
        error = throng_store_pwrite(store->fd, bytes, size, offset);
    if (error == 0)
        store->plain_bytes += size;
    return error;
}

int throng_store_write_http(throng_store *store, uint64_t offset, const uint8_t *bytes, size_t size)
{
    const throng_geometry *g = &store->geometry;
    if (store->size_known && (offset > g->size || size > g->size - offset))
        return THRONG_ERR_INVALID;
    if (size == 0)
        return 0;
    if (store->plain)
        return write_plain(store, offset, bytes, size);
    uint32_t last = (uint32_t)((offset + size - 1) / store->unit_size);
    if (!have_room(store, (uint32_t)(offset / store->unit_size), last))
        return THRONG_ERR_AGAIN;
    return write_units(store, offset, bytes, size);
}
