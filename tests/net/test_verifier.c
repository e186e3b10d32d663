/* A store's units, hashed and written several at once, in another thread or here. */
#include "check.h"

#include "net/verifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CHUNK = 1024,
    UNIT_CHUNKS = 4,
    UNIT = UNIT_CHUNKS * CHUNK,
    UNITS = 40,
    SIZE = UNITS * UNIT - 100,
    PATH_MAX_BYTES = 64
};

typedef struct fixture {
    uv_loop_t loop;
    char folder[PATH_MAX_BYTES];
    char path[PATH_MAX_BYTES + 8];
    uint8_t bytes[UNITS * UNIT];
    throng_hash hashes[UNITS];
    throng_store *store;
    throng_verifier *verifier;
    int results[UNITS]; /* as told; 1: not yet */
    uint32_t told;
    uint32_t free_at; /* the verifier goes from within this call, counted from 1; 0: never */
} fixture;

static void on_checked(void *user, uint64_t request, int result)
{
    fixture *f = user;
    assert_int_equal(f->results[request], 1);
    f->results[request] = result;
    if (++f->told == f->free_at)
        throng_verifier_free(f->verifier);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    snprintf(f->folder, sizeof f->folder, "/tmp/throng-verifier-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/got", f->folder);
    throng_hasher *hasher;
    assert_int_equal(throng_hasher_new(&hasher), 0);
    for (uint32_t i = 0; i < SIZE; i++)
        f->bytes[i] = (uint8_t)(i * 7 + i / UNIT);
    throng_store_config config;
    throng_store_config_default(&config);
    throng_hash object = {{1}};
    config.path = f->path;
    config.object = &object;
    config.sync = false;
    assert_int_equal(throng_geometry_init(&config.geometry, SIZE, CHUNK), 0);
    assert_int_equal(config.geometry.metachunks, UNITS);
    assert_int_equal(throng_store_open(&f->store, &config), 0);
    for (uint32_t unit = 0; unit < UNITS; unit++) {
        uint32_t size = unit + 1 < UNITS ? UNIT : SIZE - unit * UNIT;
        throng_hasher_hash(hasher, f->bytes + unit * UNIT, size, &f->hashes[unit]);
        f->results[unit] = 1;
    }
    throng_hasher_free(hasher);
    for (uint32_t chunk = 0; chunk < config.geometry.data_chunks; chunk++) {
        uint32_t size = throng_geometry_chunk_bytes(&config.geometry, chunk);
        assert_int_equal(throng_store_put(f->store, chunk, f->bytes + chunk * CHUNK, size), 0);
    }
    assert_int_equal(throng_verifier_new(&f->verifier, &f->loop, f->store, on_checked, f), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    throng_store_discard(f->store);
    throng_store_free(f->store);
    unlink(f->path);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static void add(fixture *f, uint32_t first, uint32_t end)
{
    for (uint32_t unit = first; unit < end; unit++)
        assert_int_equal(throng_verifier_add(f->verifier, unit, unit, f->hashes[unit].bytes), 0);
}

static void verifier_tells_of_each_unit_and_the_file_is_whole(void **state)
{
    fixture *f = *state;
    f->hashes[3].bytes[0] ^= 1;
    add(f, 0, 5);
    throng_verifier_start(f->verifier);
    add(f, 5, UNITS); /* while the first batch is out: they follow by themselves */
    assert_int_equal(throng_verifier_add(f->verifier, 0, 0, f->hashes[0].bytes), THRONG_ERR_STATE);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->told, UNITS);
    for (uint32_t unit = 0; unit < UNITS; unit++)
        assert_int_equal(f->results[unit], unit == 3 ? THRONG_ERR_TAMPERED : 0);
    assert_int_equal(throng_store_unit(f->store, 3), THRONG_UNIT_MISSING);
    for (uint32_t chunk = 3 * UNIT_CHUNKS; chunk < 4 * UNIT_CHUNKS; chunk++)
        assert_int_equal(throng_store_put(f->store, chunk, f->bytes + chunk * CHUNK, CHUNK), 0);
    f->hashes[3].bytes[0] ^= 1;
    assert_int_equal(throng_store_verify(f->store, 3, f->hashes[3].bytes), 0);
    assert_int_equal(throng_store_commit(f->store, false), 0);
    uint8_t *got = malloc(SIZE);
    assert_int_equal(throng_store_read(f->store, 0, got, SIZE), 0);
    assert_memory_equal(got, f->bytes, SIZE);
    free(got);
    throng_verifier_free(f->verifier);
}

/* Every unit is either as it was or verified; nothing is told, and no unit is left under check. */
static void check_settled(const fixture *f)
{
    for (uint32_t unit = 0; unit < UNITS; unit++) {
        throng_unit_state now = throng_store_unit(f->store, unit);
        assert_true(now == THRONG_UNIT_COMPLETE || now == THRONG_UNIT_VERIFIED);
        assert_int_equal(throng_store_verify(f->store, unit, f->hashes[unit].bytes), 0);
    }
    assert_int_equal(throng_store_units_verified(f->store), UNITS);
}

static void verifier_freed_with_a_batch_out_leaves_the_store_to_itself(void **state)
{
    fixture *f = *state;
    add(f, 0, 30);
    throng_verifier_start(f->verifier);
    add(f, 30, UNITS);
    throng_verifier_free(f->verifier);
    assert_int_equal(f->told, 0);
    check_settled(f);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->told, 0);
}

static void verifier_freed_before_its_start_leaves_the_store_to_itself(void **state)
{
    fixture *f = *state;
    add(f, 0, UNITS);
    throng_verifier_free(f->verifier);
    check_settled(f);
    assert_int_equal(throng_store_commit(f->store, false), 0);
}

static void verifier_freed_from_within_its_call_tells_no_more(void **state)
{
    fixture *f = *state;
    f->free_at = 2;
    add(f, 0, 6);
    throng_verifier_start(f->verifier);
    add(f, 6, 9);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->told, 2);
    check_settled(f);
}

static void verifier_without_a_thread_has_told_all_when_its_start_returns(void **state)
{
    fixture *f = *state;
    throng_verifier_free(f->verifier);
    assert_int_equal(throng_verifier_new(&f->verifier, NULL, f->store, on_checked, f), 0);
    f->hashes[1].bytes[5] ^= 4;
    add(f, 0, UNITS);
    assert_int_equal(throng_verifier_added(f->verifier), UNITS);
    assert_int_equal(f->told, 0);
    throng_verifier_start(f->verifier);
    assert_int_equal(throng_verifier_added(f->verifier), 0);
    assert_int_equal(f->told, UNITS);
    for (uint32_t unit = 0; unit < UNITS; unit++)
        assert_int_equal(f->results[unit], unit == 1 ? THRONG_ERR_TAMPERED : 0);
    assert_int_equal(throng_store_units_verified(f->store), UNITS - 1);
    throng_verifier_free(f->verifier);
}

static void verifier_without_a_thread_freed_from_within_its_call_tells_no_more(void **state)
{
    fixture *f = *state;
    throng_verifier_free(f->verifier);
    assert_int_equal(throng_verifier_new(&f->verifier, NULL, f->store, on_checked, f), 0);
    f->free_at = 2;
    add(f, 0, 6);
    throng_verifier_start(f->verifier);
    assert_int_equal(f->told, 2);
    check_settled(f);
}

static void verifier_passes_on_what_the_disk_says(void **state)
{
    fixture *f = *state;
    throng_store_check check;
    assert_int_equal(throng_store_check_start(f->store, 0, f->hashes[0].bytes, &check), 0);
    throng_hasher *hasher;
    assert_int_equal(throng_hasher_new(&hasher), 0);
    check.fd = -1;
    throng_store_check_run(&check, 1, hasher);
    assert_true(check.result < 0 && check.result != THRONG_ERR_TAMPERED);
    assert_int_equal(throng_store_check_finish(f->store, &check), check.result);
    assert_int_equal(throng_store_unit(f->store, 0), THRONG_UNIT_COMPLETE); /* still in memory, to be tried again */
    throng_hasher_free(hasher);
    throng_verifier_free(f->verifier);
}

static void store_unit_under_check_stays_as_it_is(void **state)
{
    fixture *f = *state;
    throng_store_check check;
    throng_store_check again;
    const uint8_t *hash = f->hashes[0].bytes;
    static const uint8_t bad[UNIT];
    throng_verifier_free(f->verifier);
    assert_int_equal(throng_store_check_start(f->store, 0, hash, &check), 0);
    assert_int_equal(throng_store_check_start(f->store, 0, hash, &again), THRONG_ERR_STATE);
    assert_int_equal(throng_store_verify(f->store, 0, hash), THRONG_ERR_STATE);
    assert_int_equal(throng_store_put(f->store, 0, bad, CHUNK), 0);
    assert_int_equal(throng_store_write_http(f->store, 0, bad, UNIT), 0);
    throng_store_drop(f->store, 0);
    assert_memory_equal(check.bytes, f->bytes, UNIT);
    assert_int_equal(throng_store_check_finish(f->store, &check), THRONG_ERR_AGAIN); /* it never ran */
    assert_int_equal(throng_store_unit(f->store, 0), THRONG_UNIT_COMPLETE);
    assert_int_equal(throng_store_verify(f->store, 0, hash), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verifier_tells_of_each_unit_and_the_file_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verifier_freed_with_a_batch_out_leaves_the_store_to_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verifier_freed_before_its_start_leaves_the_store_to_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verifier_freed_from_within_its_call_tells_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verifier_without_a_thread_has_told_all_when_its_start_returns, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(verifier_without_a_thread_freed_from_within_its_call_tells_no_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(store_unit_under_check_stays_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verifier_passes_on_what_the_disk_says, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("verifier", tests, NULL, NULL);
}
