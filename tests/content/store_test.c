#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <net/manifest_make.h>
#include <net/store.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "heap.h"
#include "temp_dir.h"

/* Both a small object of metachunks of 4 chunks and one of 16 shorter ones: units are of the same size. */
enum { SIZE = 300 * 1024 + 77, UNIT = 4 * 1024, UNITS = 76, CHUNKS_MAX = 1201 };

typedef struct fixture {
    temp_dir dir;
    char path[256]; /* FILE */
    uint8_t *object;
    throng_signed_manifest manifest;
    throng_store_config config;
    uint32_t chunk_size;
    uint32_t unit_chunks;
    uint32_t chunks;
} fixture;

static int set_up_chunks(void **state, uint32_t chunk_size)
{
    fixture *f = calloc(1, sizeof *f);
    throng_signer *signer;
    throng_manifest_options options;
    uint64_t random = 1;
    temp_dir_make(&f->dir);
    snprintf(f->path, sizeof f->path, "%s", temp_path(&f->dir, "file.bin"));
    f->object = malloc(SIZE + 8);
    for (size_t i = 0; i < SIZE; i += 8) {
        uint64_t word = test_random(&random);
        memcpy(f->object + i, &word, 8);
    }
    throng_manifest_options_default(&options);
    options.chunk_size = chunk_size;
    if (throng_signer_generate(&signer) < 0 ||
        throng_manifest_make_from_memory(&f->manifest, f->object, SIZE, &options, signer) < 0)
        return -1;
    throng_signer_free(signer);
    throng_store_config_default(&f->config);
    f->config.path = f->path;
    f->config.object = &f->manifest.id;
    f->config.geometry = f->manifest.manifest.geometry;
    f->chunk_size = chunk_size;
    f->unit_chunks = f->config.geometry.metachunk_chunks;
    f->chunks = f->config.geometry.data_chunks;
    *state = f;
    return f->chunk_size * f->unit_chunks == UNIT && f->config.geometry.units == UNITS ? 0 : -1;
}

static int set_up(void **state)
{
    return set_up_chunks(state, 1024);
}

static int set_up_long_units(void **state)
{
    return set_up_chunks(state, 256);
}

static int tear_down(void **state)
{
    fixture *f = *state;
    throng_signed_manifest_clear(&f->manifest);
    temp_dir_remove(&f->dir);
    free(f->object);
    free(f);
    return 0;
}

static throng_store *open_store(fixture *f)
{
    throng_store *store;
    assert_int_equal(throng_store_open(&store, &f->config), 0);
    return store;
}

static const uint8_t *hash_of(const fixture *f, uint32_t unit)
{
    const uint8_t *hash;
    assert_int_equal(throng_hashes_expected(f->manifest.hashes, unit, &hash), 0);
    return hash;
}

static int put(fixture *f, throng_store *store, uint32_t chunk)
{
    return throng_store_put(store, chunk, f->object + (size_t)chunk * f->chunk_size,
                            throng_geometry_chunk_bytes(&f->config.geometry, chunk));
}

static void put_unit(fixture *f, throng_store *store, uint32_t unit)
{
    uint32_t first;
    uint32_t end;
    throng_geometry_unit_chunks(&f->config.geometry, unit, &first, &end);
    for (uint32_t chunk = first; chunk < end; chunk++)
        assert_int_equal(put(f, store, chunk), 0);
    assert_int_equal(throng_store_unit(store, unit), THRONG_UNIT_COMPLETE);
    assert_int_equal(throng_store_verify(store, unit, hash_of(f, unit)), 0);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool part_exists(fixture *f)
{
    return exists(temp_path(&f->dir, "file.bin.part")) || exists(temp_path(&f->dir, "file.bin.part.state"));
}

static void assert_file_is(const char *path, const uint8_t *bytes, size_t size)
{
    struct stat status;
    uint8_t *content = malloc(size + 1);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, size);
    assert_int_equal(read(fd, content, size + 1), size);
    assert_memory_equal(content, bytes, size);
    assert_true((uint64_t)status.st_blocks * 512 < size + 65536); /* nothing is set aside any more */
    close(fd);
    free(content);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void write_at(const char *path, off_t at, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, bytes, size, at), size);
    close(fd);
}

/* --- from peers --- */

static void store_chunks_in_any_order_become_the_file(void **state)
{
    fixture *f = *state;
    throng_store *store = open_store(f);
    uint32_t order[CHUNKS_MAX];
    uint64_t random = 5;
    for (uint32_t i = 0; i < f->chunks; i++)
        order[i] = i;
    for (uint32_t i = f->chunks; i > 1; i--) {
        uint32_t j = test_random_below(&random, i);
        uint32_t swap = order[j];
        order[j] = order[i - 1];
        order[i - 1] = swap;
    }
    for (uint32_t i = 0; i < f->chunks; i++) {
        uint32_t unit = order[i] / f->unit_chunks;
        assert_int_equal(throng_store_commit(store, true), THRONG_ERR_STATE);
        assert_int_equal(put(f, store, order[i]), 0);
        assert_int_equal(put(f, store, order[i]), 0);
        if (throng_store_unit(store, unit) == THRONG_UNIT_COMPLETE)
            assert_int_equal(throng_store_verify(store, unit, hash_of(f, unit)), 0);
        else
            assert_int_equal(throng_store_verify(store, unit, hash_of(f, unit)), THRONG_ERR_STATE);
    }
    assert_int_equal(throng_store_units_verified(store), UNITS);
    assert_int_equal(throng_store_units_open(store), 0);
    assert_false(exists(f->path));
    assert_int_equal(throng_store_commit(store, false), 0);
    assert_file_is(f->path, f->object, SIZE);
    assert_false(part_exists(f));
    uint8_t bytes[3000];
    assert_int_equal(throng_store_read(store, SIZE - 3000, bytes, 3000), 0);
    assert_memory_equal(bytes, f->object + SIZE - 3000, 3000);
    throng_store_free(store);
    assert_file_is(f->path, f->object, SIZE);
}

static void store_tampered_unit_is_dropped_and_never_read(void **state)
{
    fixture *f = *state;
    throng_store *store = open_store(f);
    uint8_t bytes[1024];
    uint8_t bad[1024];
    memcpy(bad, f->object, sizeof bad);
    bad[100] ^= 1;
    assert_int_equal(throng_store_put(store, 0, bad, f->chunk_size), 0);
    for (uint32_t chunk = 1; chunk < f->unit_chunks; chunk++)
        assert_int_equal(put(f, store, chunk), 0);
    assert_int_equal(throng_store_read(store, 0, bytes, 1024), THRONG_ERR_NOT_FOUND);
    assert_int_equal(throng_store_verify(store, 0, hash_of(f, 0)), THRONG_ERR_TAMPERED);
    assert_int_equal(throng_store_unit(store, 0), THRONG_UNIT_MISSING);
    assert_int_equal(throng_store_units_open(store), 0);
    put_unit(f, store, 0);
    assert_int_equal(throng_store_read(store, 0, bytes, 1024), 0);
    assert_memory_equal(bytes, f->object, 1024);
    assert_int_equal(throng_store_read(store, UNIT - 1, bytes, 2), THRONG_ERR_NOT_FOUND);
    assert_int_equal(throng_store_read(store, UINT64_MAX, bytes, 2), THRONG_ERR_NOT_FOUND);
    throng_store_free(store);
}

static void store_open_units_are_bounded(void **state)
{
    fixture *f = *state;
    f->config.units_open_max = 2;
    throng_store *store = open_store(f);
    assert_int_equal(put(f, store, 0), 0);
    assert_int_equal(put(f, store, f->unit_chunks), 0);
    assert_int_equal(put(f, store, 2 * f->unit_chunks), THRONG_ERR_FULL);
    assert_int_equal(throng_store_write_http(store, 2 * UNIT, f->object + 2 * UNIT, 100), THRONG_ERR_AGAIN);
    assert_int_equal(throng_store_units_open(store), 2);
    throng_store_drop(store, 0);
    assert_int_equal(put(f, store, 2 * f->unit_chunks), 0);
    put_unit(f, store, 1);
    put_unit(f, store, 0);
    throng_store_free(store);
}

static void store_refuses_chunks_that_are_none(void **state)
{
    fixture *f = *state;
    throng_store *store = open_store(f);
    assert_int_equal(throng_store_put(store, f->chunks, f->object, f->chunk_size), THRONG_ERR_INVALID);
    assert_int_equal(throng_store_put(store, UINT32_MAX, f->object, f->chunk_size), THRONG_ERR_INVALID);
    assert_int_equal(throng_store_put(store, 0, f->object, f->chunk_size - 1), THRONG_ERR_INVALID);
    assert_int_equal(throng_store_put(store, f->chunks - 1, f->object, f->chunk_size), THRONG_ERR_INVALID);
    assert_int_equal(throng_store_write_http(store, SIZE - 1, f->object, 2), THRONG_ERR_INVALID);
    assert_int_equal(throng_store_write_http(store, UINT64_MAX, f->object, 2), THRONG_ERR_INVALID);
    throng_store_free(store);
    assert_false(part_exists(f));
}

static void store_units_checked_elsewhere_are_written(void **state)
{
    fixture *f = *state;
    throng_store *store = open_store(f);
    throng_hasher *hasher;
    throng_store_check checks[UNITS];
    assert_int_equal(throng_hasher_new(&hasher), 0);
    assert_true(throng_store_checks_max(store) >= UNITS);
    assert_int_equal(throng_store_check_start(store, 0, hash_of(f, 0), &checks[0]), THRONG_ERR_STATE);
    for (uint32_t chunk = 0; chunk < f->chunks; chunk++)
        assert_int_equal(put(f, store, chunk), 0);
    for (uint32_t unit = 0; unit < UNITS; unit++)
        assert_int_equal(throng_store_check_start(store, unit, hash_of(f, unit), &checks[unit]), 0);
    checks[1].expected[0] ^= 1; /* a gap between those that are written */
    throng_store_check_run(checks, UNITS, hasher);
    assert_int_equal(throng_store_units_verified(store), 0);
    for (uint32_t unit = 0; unit < UNITS; unit++)
        assert_int_equal(throng_store_check_finish(store, &checks[unit]), unit == 1 ? THRONG_ERR_TAMPERED : 0);
    assert_int_equal(throng_store_unit(store, 1), THRONG_UNIT_MISSING);
    assert_int_equal(throng_store_units_verified(store), UNITS - 1);
    for (uint32_t chunk = f->unit_chunks; chunk < 2 * f->unit_chunks; chunk++)
        assert_int_equal(put(f, store, chunk), 0);
    assert_int_equal(throng_store_verify(store, 1, hash_of(f, 1)), 0);
    assert_int_equal(throng_store_commit(store, false), 0);
    assert_file_is(f->path, f->object, SIZE);
    throng_hasher_free(hasher);
    throng_store_free(store);
}

static void store_empty_object_is_an_empty_file(void **state)
{
    fixture *f = *state;
    assert_int_equal(throng_geometry_init(&f->config.geometry, 0, 1024), 0);
    throng_store *store = open_store(f);
    assert_int_equal(throng_store_commit(store, false), 0);
    assert_int_equal(throng_store_commit(store, false), THRONG_ERR_STATE);
    throng_store_free(store);
    assert_file_is(f->path, f->object, 0);
}

/* --- from HTTP --- */

static void write_all_http(fixture *f, throng_store *store, size_t from, size_t to, size_t step)
{
    for (size_t at = from; at < to; at += step)
        assert_int_equal(throng_store_write_http(store, at, f->object + at, step < to - at ? step : to - at), 0);
}

static void store_http_bytes_are_verified_when_hashes_are_known(void **state)
{
    fixture *f = *state;
    const size_t steps[] = {1, 777, 1024, 16384, 50000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        throng_store *store = open_store(f);
        throng_store_set_hashes(store, f->manifest.hashes);
        write_all_http(f, store, 0, SIZE, steps[i]);
        assert_int_equal(throng_store_units_verified(store), UNITS);
        assert_int_equal(throng_store_first_bytes(store), SIZE);
        assert_int_equal(throng_store_commit(store, false), 0);
        throng_store_free(store);
        assert_file_is(f->path, f->object, SIZE);
        f->config.overwrite = true;
    }
}

static void store_http_bytes_before_the_hashes_are_told_apart_and_verified_later(void **state)
{
    fixture *f = *state;
    throng_store *store = open_store(f);
    uint8_t byte;
    uint32_t unit;
    write_all_http(f, store, 0, UNIT * 3 + 3000, 1000);
    assert_int_equal(throng_store_units_written(store), 3);
    assert_int_equal(throng_store_units_open(store), 1);
    assert_int_equal(throng_store_first_bytes(store), 3 * UNIT);
    assert_int_equal(throng_store_read(store, 0, &byte, 1), THRONG_ERR_NOT_FOUND);
    assert_true(throng_store_next_unit(store, THRONG_UNIT_WRITTEN, 1, &unit));
    assert_int_equal(unit, 1);
    assert_int_equal(throng_store_verify(store, 1, hash_of(f, 2)), THRONG_ERR_TAMPERED);
    assert_int_equal(throng_store_unit(store, 1), THRONG_UNIT_MISSING);
    assert_int_equal(throng_store_verify(store, 0, hash_of(f, 0)), 0);
    assert_int_equal(throng_store_read(store, 0, &byte, 1), 0);
    assert_int_equal(throng_store_units_written(store), 1);
    write_all_http(f, store, UNIT * 3 + 3000, SIZE, 3000);
    write_all_http(f, store, UNIT, 2 * UNIT, 3000);
    assert_int_equal(throng_store_commit(store, false), THRONG_ERR_STATE);
    assert_int_equal(throng_store_commit(store, true), 0);
    throng_store_free(store);
    assert_file_is(f->path, f->object, SIZE);
}

static void store_http_unit_that_fails_its_hash_is_dropped(void **state)
{
    fixture *f = *state;
    throng_store *store = open_store(f);
    throng_store_set_hashes(store, f->manifest.hashes);
    uint8_t *bad = malloc(2 * UNIT);
    memcpy(bad, f->object, 2 * UNIT);
    bad[UNIT - 1] ^= 1;
    assert_int_equal(throng_store_write_http(store, 0, bad, 2 * UNIT), THRONG_ERR_TAMPERED);
    assert_int_equal(throng_store_unit(store, 0), THRONG_UNIT_MISSING);
    assert_int_equal(throng_store_unit(store, 1), THRONG_UNIT_VERIFIED);
    throng_store_free(store);
    free(bad);
}

static void store_unit_from_peers_and_http_is_never_unverified(void **state)
{
    fixture *f = *state;
    throng_store *store = open_store(f);
    uint8_t bad[1024] = {0};
    /* A peer's chunk comes while HTTP is in the middle of it: HTTP's rest must not launder it. */
    size_t middle = f->chunk_size * 3 / 2;
    write_all_http(f, store, 0, middle, middle);
    assert_int_equal(throng_store_put(store, 1, bad, f->chunk_size), 0);
    write_all_http(f, store, middle, UNIT, 700);
    assert_int_equal(throng_store_unit(store, 0), THRONG_UNIT_COMPLETE);
    assert_int_equal(throng_store_units_written(store), 0);
    assert_int_equal(throng_store_verify(store, 0, hash_of(f, 0)), THRONG_ERR_TAMPERED);
    /* A whole chunk of a peer, all of it overwritten: HTTP's alone then. */
    assert_int_equal(throng_store_put(store, 3, bad, f->chunk_size), 0);
    write_all_http(f, store, 0, UNIT, 700);
    assert_int_equal(throng_store_unit(store, 0), THRONG_UNIT_WRITTEN);
    assert_int_equal(throng_store_verify(store, 0, hash_of(f, 0)), 0);
    /* With the hashes known, peers' chunks are left to theirs. */
    throng_store_set_hashes(store, f->manifest.hashes);
    assert_int_equal(put(f, store, f->unit_chunks + 2), 0);
    write_all_http(f, store, UNIT, 2 * UNIT, 700);
    assert_int_equal(throng_store_unit(store, 1), THRONG_UNIT_VERIFIED);
    throng_store_free(store);
}

static void store_bad_http_bytes_never_cost_peers_their_chunks(void **state)
{
    fixture *f = *state;
    throng_store *store = open_store(f);
    static const uint8_t bad[UNIT];
    uint32_t last = f->unit_chunks - 1;
    throng_store_set_hashes(store, f->manifest.hashes);
    /* HTTP completes a unit with wrong bytes: its part goes, the peer's chunk stays. */
    assert_int_equal(put(f, store, 0), 0);
    assert_int_equal(throng_store_write_http(store, f->chunk_size, bad, UNIT - f->chunk_size), THRONG_ERR_TAMPERED);
    assert_int_equal(throng_store_unit(store, 0), THRONG_UNIT_OPEN);
    for (uint32_t chunk = 1; chunk <= last; chunk++)
        assert_int_equal(put(f, store, chunk), 0);
    assert_int_equal(throng_store_verify(store, 0, hash_of(f, 0)), 0);
    /* Wrong bytes of HTTP give way to peers' chunks. */
    assert_int_equal(throng_store_write_http(store, UNIT, bad, 2 * f->chunk_size), 0);
    put_unit(f, store, 1);
    /* A unit that peers gave whole is not HTTP's to judge. */
    for (uint32_t chunk = 0; chunk <= last; chunk++)
        assert_int_equal(put(f, store, 2 * f->unit_chunks + chunk), 0);
    assert_int_equal(throng_store_write_http(store, 2 * UNIT, bad, UNIT), 0);
    assert_int_equal(throng_store_unit(store, 2), THRONG_UNIT_COMPLETE);
    assert_int_equal(throng_store_verify(store, 2, hash_of(f, 2)), 0);
    throng_store_free(store);
}

static void store_of_random_chunks_and_ranges_ends_right(void **state)
{
    fixture *f = *state;
    f->config.overwrite = true;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        uint64_t random = seed;
        throng_store *store = open_store(f);
        if (seed % 2)
            throng_store_set_hashes(store, f->manifest.hashes);
        size_t at = 0;
        while (at < SIZE || throng_store_units_verified(store) < UNITS) {
            size_t part = test_random_below(&random, 2500);
            part = part < SIZE - at ? part : SIZE - at;
            assert_int_equal(throng_store_write_http(store, at, f->object + at, part), 0);
            at += part;
            assert_int_equal(put(f, store, test_random_below(&random, f->chunks)), 0);
            uint32_t unit = test_random_below(&random, UNITS);
            throng_unit_state unit_state = throng_store_unit(store, unit);
            if (unit_state == THRONG_UNIT_COMPLETE || unit_state == THRONG_UNIT_WRITTEN)
                assert_int_equal(throng_store_verify(store, unit, hash_of(f, unit)), 0);
            if (test_random_below(&random, 60) == 0)
                throng_store_drop(store, unit);
        }
        assert_int_equal(throng_store_commit(store, false), 0);
        throng_store_free(store);
        assert_file_is(f->path, f->object, SIZE);
    }
}

static void store_plain_takes_bytes_in_order_and_resumes_by_size(void **state)
{
    fixture *f = *state;
    throng_store_left left;
    f->config.object = NULL;
    f->config.validator = "\"etag-1\"";
    throng_store *store = open_store(f);
    write_all_http(f, store, 0, 100000, 9999);
    assert_int_equal(throng_store_write_http(store, 100001, f->object, 1), THRONG_ERR_STATE);
    assert_int_equal(throng_store_write_http(store, 99999, f->object, 1), THRONG_ERR_STATE);
    throng_store_free(store);
    assert_int_equal(throng_store_peek(&left, f->path), 0);
    assert_true(left.plain);
    assert_int_equal(left.first_bytes, 100000);
    assert_int_equal(left.size, SIZE);
    assert_string_equal(left.validator, "\"etag-1\"");
    f->config.resume = true;
    store = open_store(f);
    assert_int_equal(throng_store_first_bytes(store), 100000);
    write_all_http(f, store, 100000, SIZE, 16384);
    assert_int_equal(throng_store_write_http(store, SIZE, f->object, 1), THRONG_ERR_INVALID);
    assert_int_equal(throng_store_commit(store, false), 0);
    throng_store_free(store);
    assert_file_is(f->path, f->object, SIZE);
    assert_int_equal(throng_store_peek(&left, f->path), THRONG_ERR_NOT_FOUND);
}

static void store_plain_of_another_version_starts_anew(void **state)
{
    fixture *f = *state;
    f->config.object = NULL;
    f->config.validator = "\"etag-1\"";
    throng_store *store = open_store(f);
    write_all_http(f, store, 0, 100000, 10000);
    throng_store_free(store);
    f->config.resume = true;
    f->config.validator = "\"etag-2\"";
    store = open_store(f);
    assert_int_equal(throng_store_first_bytes(store), 0);
    throng_store_free(store);
    assert_false(part_exists(f));
}

static void store_plain_of_unknown_size_ends_when_told(void **state)
{
    fixture *f = *state;
    f->config.size_known = false;
    throng_store *store;
    assert_int_equal(throng_store_open(&store, &f->config), THRONG_ERR_INVALID);
    f->config.object = NULL;
    store = open_store(f);
    write_all_http(f, store, 0, 12345, 1000);
    assert_int_equal(throng_store_commit(store, false), 0);
    throng_store_free(store);
    assert_file_is(f->path, f->object, 12345);
}

/* --- resuming --- */

static void store_resumed_counts_what_was_verified(void **state)
{
    fixture *f = *state;
    throng_store_left left;
    throng_store *store = open_store(f);
    put_unit(f, store, 3);
    put_unit(f, store, UNITS - 1);
    write_all_http(f, store, 0, 2 * UNIT + 10, 5000);
    assert_int_equal(throng_store_verify(store, 1, hash_of(f, 1)), 0);
    assert_int_equal(put(f, store, 7 * f->unit_chunks), 0);
    throng_store_free(store);
    assert_int_equal(throng_store_peek(&left, f->path), 0);
    assert_false(left.plain);
    assert_int_equal(left.size, SIZE);
    assert_int_equal(left.chunk_size, f->chunk_size);
    assert_memory_equal(left.object.bytes, f->manifest.id.bytes, 32);
    f->config.resume = true;
    for (int again = 0; again < 2; again++) {
        store = open_store(f);
        assert_int_equal(throng_store_units_verified(store), 3);
        assert_int_equal(throng_store_units_written(store), 1);
        assert_int_equal(throng_store_unit(store, 0), THRONG_UNIT_WRITTEN);
        assert_int_equal(throng_store_unit(store, 3), THRONG_UNIT_VERIFIED);
        assert_int_equal(throng_store_unit(store, 7), THRONG_UNIT_MISSING);
        throng_store_free(store);
    }
    store = open_store(f);
    throng_store_set_hashes(store, f->manifest.hashes);
    write_all_http(f, store, 0, SIZE, 16384);
    assert_int_equal(throng_store_verify(store, 0, hash_of(f, 0)), 0);
    assert_int_equal(throng_store_commit(store, false), 0);
    throng_store_free(store);
    assert_file_is(f->path, f->object, SIZE);
}

static void store_resumed_without_asking_or_of_another_object_starts_anew(void **state)
{
    fixture *f = *state;
    throng_hash other = f->manifest.id;
    throng_store *store = open_store(f);
    put_unit(f, store, 3);
    throng_store_free(store);
    other.bytes[0] ^= 1;
    f->config.resume = true;
    f->config.object = &other;
    store = open_store(f);
    assert_int_equal(throng_store_units_verified(store), 0);
    throng_store_free(store);
    f->config.object = &f->manifest.id;
    store = open_store(f);
    assert_int_equal(throng_store_units_verified(store), 0);
    put_unit(f, store, 3);
    throng_store_free(store);
    f->config.resume = false;
    store = open_store(f);
    assert_int_equal(throng_store_units_verified(store), 0);
    throng_store_free(store);
}

static void store_resumed_after_damage_claims_nothing_damaged(void **state)
{
    fixture *f = *state;
    char part[300];
    char record[300];
    snprintf(part, sizeof part, "%s.part", f->path);
    snprintf(record, sizeof record, "%s.part.state", f->path);
    throng_store *store = open_store(f);
    for (uint32_t unit = 0; unit < 5; unit++)
        put_unit(f, store, unit);
    throng_store_free(store);
    f->config.resume = true;
    /* Data that never reached the disk, a claim without data, and a claim cut short. */
    write_at(part, 2 * UNIT + 100, "torn", 4);
    write_at(record, 512 + 5 * 16, "\0\0\0\x07 a claim of 7\0\0\0", 20);
    store = open_store(f);
    assert_int_equal(throng_store_units_verified(store), 4);
    assert_int_equal(throng_store_unit(store, 2), THRONG_UNIT_MISSING);
    assert_int_equal(throng_store_unit(store, 7), THRONG_UNIT_MISSING);
    put_unit(f, store, 8);
    throng_store_free(store);
    store = open_store(f);
    assert_int_equal(throng_store_units_verified(store), 5);
    assert_int_equal(throng_store_unit(store, 8), THRONG_UNIT_VERIFIED);
    throng_store_free(store);
    /* A file cut short. */
    assert_int_equal(truncate(part, 3 * UNIT + 5), 0);
    store = open_store(f);
    assert_int_equal(throng_store_units_verified(store), 2);
    throng_store_free(store);
    /* A header of noise. */
    write_at(record, 40, "noise", 5);
    store = open_store(f);
    assert_int_equal(throng_store_units_verified(store), 0);
    throng_store_free(store);
}

static void damage(const char *path, uint64_t *random)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    uint32_t flips = test_random_below(random, 4);
    for (uint32_t i = 0; i < flips && status.st_size > 0; i++) {
        uint8_t noise = (uint8_t)test_random(random);
        write_at(path, test_random_below(random, (uint32_t)status.st_size), &noise, 1);
    }
    if (test_random_below(random, 4) == 0)
        assert_int_equal(truncate(path, test_random_below(random, (uint32_t)status.st_size + 50)), 0);
}

static void store_resumed_after_any_damage_gives_no_wrong_byte(void **state)
{
    fixture *f = *state;
    char part[300];
    char record[300];
    snprintf(part, sizeof part, "%s.part", f->path);
    snprintf(record, sizeof record, "%s.part.state", f->path);
    f->config.resume = true;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t random = seed;
        throng_store *store = open_store(f);
        for (uint32_t unit = seed % 3; unit < UNITS; unit += 3)
            if (throng_store_unit(store, unit) == THRONG_UNIT_MISSING)
                put_unit(f, store, unit);
        throng_store_free(store);
        damage(part, &random);
        damage(record, &random);
        store = open_store(f);
        for (uint32_t unit = 0; unit < UNITS; unit++) {
            uint8_t bytes[UNIT];
            size_t size = unit + 1 < UNITS ? UNIT : SIZE - (UNITS - 1) * UNIT;
            if (throng_store_unit(store, unit) != THRONG_UNIT_VERIFIED)
                continue;
            assert_int_equal(throng_store_read(store, (uint64_t)unit * UNIT, bytes, size), 0);
            assert_memory_equal(bytes, f->object + unit * UNIT, size);
        }
        throng_store_free(store);
    }
}

static void store_left_by_a_killed_process_resumes(void **state)
{
    fixture *f = *state;
    f->config.geometry = f->manifest.manifest.geometry;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        throng_store *store;
        if (throng_store_open(&store, &f->config) < 0)
            _exit(1);
        throng_store_set_hashes(store, f->manifest.hashes);
        if (throng_store_write_http(store, 0, f->object, 10 * UNIT + 10) < 0)
            _exit(1);
        throng_store_set_hashes(store, NULL);
        _exit(0); /* nothing is closed or flushed */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    f->config.resume = true;
    throng_store *store = open_store(f);
    /* Ten records fit into what waits in memory to be written: they may be lost, never wrong. */
    uint32_t verified = throng_store_units_verified(store);
    assert_in_range(verified, 0, 10);
    throng_store_set_hashes(store, f->manifest.hashes);
    write_all_http(f, store, 0, SIZE, 16384);
    assert_int_equal(throng_store_commit(store, false), 0);
    throng_store_free(store);
    assert_file_is(f->path, f->object, SIZE);
}

/* --- what can be in the way --- */

static void store_never_overwrites_unless_asked(void **state)
{
    fixture *f = *state;
    throng_store *store;
    write_file(f->path, "precious");
    assert_int_equal(throng_store_open(&store, &f->config), THRONG_DISK_ERR_EXISTS);
    assert_false(part_exists(f));
    unlink(f->path);
    store = open_store(f);
    throng_store_set_hashes(store, f->manifest.hashes);
    write_all_http(f, store, 0, SIZE, 16384);
    write_file(f->path, "precious"); /* someone was faster */
    assert_int_equal(throng_store_commit(store, false), THRONG_DISK_ERR_EXISTS);
    assert_file_is(f->path, (const uint8_t *)"precious", 8);
    assert_true(part_exists(f));
    throng_store_free(store);
    f->config.overwrite = true;
    f->config.resume = true;
    store = open_store(f);
    assert_int_equal(throng_store_units_verified(store), UNITS);
    assert_file_is(f->path, (const uint8_t *)"precious", 8);
    assert_int_equal(throng_store_commit(store, false), 0);
    throng_store_free(store);
    assert_file_is(f->path, f->object, SIZE);
}

static void store_in_wrong_places_says_what_is_wrong(void **state)
{
    fixture *f = *state;
    throng_store *store;
    f->config.overwrite = true;
    f->config.path = temp_path(&f->dir, "none/file");
    assert_int_equal(throng_store_open(&store, &f->config), THRONG_DISK_ERR_NO_FOLDER);
    f->config.path = f->dir.path;
    assert_int_equal(throng_store_open(&store, &f->config), THRONG_DISK_ERR_FOLDER);
    f->config.path = "/dev/null";
    assert_int_equal(throng_store_open(&store, &f->config), THRONG_DISK_ERR_SPECIAL);
    f->config.path = "";
    assert_int_equal(throng_store_open(&store, &f->config), THRONG_ERR_INVALID);
    char long_name[300];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    f->config.path = long_name;
    assert_int_equal(throng_store_open(&store, &f->config), THRONG_DISK_ERR_NAME);
    write_file(f->path, "");
    f->config.path = temp_path(&f->dir, "file.bin/below");
    assert_int_equal(throng_store_open(&store, &f->config), THRONG_DISK_ERR_NO_FOLDER);
}

static void store_open_twice_is_busy(void **state)
{
    fixture *f = *state;
    throng_store *second;
    throng_store *store = open_store(f);
    put_unit(f, store, 0);
    assert_int_equal(throng_store_open(&second, &f->config), THRONG_DISK_ERR_BUSY);
    assert_int_equal(throng_store_unit(store, 0), THRONG_UNIT_VERIFIED);
    assert_true(part_exists(f));
    throng_store_free(store);
    store = open_store(f);
    throng_store_free(store);
}

static void store_discarded_leaves_nothing(void **state)
{
    fixture *f = *state;
    throng_store *store = open_store(f);
    put_unit(f, store, 0);
    throng_store_discard(store);
    throng_store_free(store);
    assert_false(part_exists(f));
    assert_false(exists(f->path));
    throng_store_free(NULL);
}

static void store_hash_is_that_of_the_whole_file(void **state)
{
    fixture *f = *state;
    throng_hasher *hasher;
    throng_hash whole;
    throng_hash told;
    assert_int_equal(throng_hasher_new(&hasher), 0);
    throng_hasher_hash(hasher, f->object, SIZE, &whole);
    throng_store *store = open_store(f);
    throng_store_set_hashes(store, f->manifest.hashes);
    write_all_http(f, store, 0, SIZE, 16384);
    assert_int_equal(throng_store_hash(store, &told), 0);
    assert_true(throng_hash_equal(&whole, &told));
    throng_store_free(store);
    throng_hasher_free(hasher);
}

#define STORE_TEST(name)                                                                                               \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down),                                                          \
        cmocka_unit_test_setup_teardown(name, set_up_long_units, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(store_chunks_in_any_order_become_the_file),
        STORE_TEST(store_tampered_unit_is_dropped_and_never_read),
        STORE_TEST(store_open_units_are_bounded),
        STORE_TEST(store_refuses_chunks_that_are_none),
        STORE_TEST(store_units_checked_elsewhere_are_written),
        STORE_TEST(store_empty_object_is_an_empty_file),
        STORE_TEST(store_http_bytes_are_verified_when_hashes_are_known),
        STORE_TEST(store_http_bytes_before_the_hashes_are_told_apart_and_verified_later),
        STORE_TEST(store_http_unit_that_fails_its_hash_is_dropped),
        STORE_TEST(store_unit_from_peers_and_http_is_never_unverified),
        STORE_TEST(store_bad_http_bytes_never_cost_peers_their_chunks),
        STORE_TEST(store_of_random_chunks_and_ranges_ends_right),
        STORE_TEST(store_plain_takes_bytes_in_order_and_resumes_by_size),
        STORE_TEST(store_plain_of_another_version_starts_anew),
        STORE_TEST(store_plain_of_unknown_size_ends_when_told),
        STORE_TEST(store_resumed_counts_what_was_verified),
        STORE_TEST(store_resumed_without_asking_or_of_another_object_starts_anew),
        STORE_TEST(store_resumed_after_damage_claims_nothing_damaged),
        STORE_TEST(store_resumed_after_any_damage_gives_no_wrong_byte),
        STORE_TEST(store_left_by_a_killed_process_resumes),
        STORE_TEST(store_never_overwrites_unless_asked),
        STORE_TEST(store_in_wrong_places_says_what_is_wrong),
        STORE_TEST(store_open_twice_is_busy),
        STORE_TEST(store_discarded_leaves_nothing),
        STORE_TEST(store_hash_is_that_of_the_whole_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
