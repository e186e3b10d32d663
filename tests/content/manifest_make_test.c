#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <net/disk_error.h>
#include <net/manifest_make.h>

#include "heap.h"
#include "temp_dir.h"

enum { NOW = 1000000 };

typedef struct fixture {
    throng_signer *signer;
    throng_hasher *hasher;
    throng_manifest_options options;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    *state = f;
    throng_manifest_options_default(&f->options);
    f->options.headers = "Content-Type: text/plain\r\n";
    f->options.headers_size = strlen(f->options.headers);
    f->options.version = 5;
    f->options.expires_unix_s = NOW + 10;
    return throng_signer_generate(&f->signer) | throng_hasher_new(&f->hasher);
}

static int tear_down(void **state)
{
    fixture *f = *state;
    throng_signer_free(f->signer);
    throng_hasher_free(f->hasher);
    free(f);
    return 0;
}

static uint8_t *random_bytes(size_t size, uint64_t seed)
{
    uint8_t *bytes = malloc(size + 8);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = test_random(&seed);
        memcpy(bytes + i, &word, 8);
    }
    return bytes;
}

/* Every unit's hash by hand. */
static void check_hashes(fixture *f, const throng_signed_manifest *made, const uint8_t *object)
{
    const throng_geometry *g = &made->manifest.geometry;
    for (uint32_t unit = 0; unit < g->units; unit++) {
        const uint8_t *bytes;
        const uint8_t *expected;
        size_t size;
        throng_hash hash;
        if (unit < g->metachunks) {
            uint64_t whole = (uint64_t)g->metachunk_chunks * g->chunk_size;
            uint64_t offset = unit * whole;
            bytes = object + offset;
            size = (size_t)(g->size - offset < whole ? g->size - offset : whole);
        } else {
            assert_int_equal(throng_hashes_page(made->hashes, unit, &bytes, &size), 0);
        }
        throng_hasher_hash(f->hasher, bytes, size, &hash);
        assert_int_equal(throng_hashes_expected(made->hashes, unit, &expected), 0);
        assert_memory_equal(hash.bytes, expected, 32);
    }
}

static void manifest_made_of_objects_of_many_sizes_is_right_and_checks(void **state)
{
    fixture *f = *state;
    const size_t sizes[] = {0, 1, 1024, 16384, 16385, 300000, (40 << 20) + 77};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *object = random_bytes(sizes[i], i);
        throng_signed_manifest made;
        throng_manifest m;
        assert_int_equal(throng_manifest_make_from_memory(&made, object, sizes[i], &f->options, f->signer), 0);
        assert_int_equal(throng_manifest_check(&m, f->hasher, made.bytes, made.size, &made.id,
                                               throng_signer_public_key(f->signer), NOW),
                         0);
        assert_int_equal(m.geometry.size, sizes[i]);
        assert_int_equal(m.version, 5);
        assert_int_equal(m.headers_size, f->options.headers_size);
        check_hashes(f, &made, object);
        throng_signed_manifest_clear(&made);
        throng_signed_manifest_clear(&made);
        free(object);
    }
}

static void manifest_made_bit_by_bit_is_the_one_made_at_once(void **state)
{
    fixture *f = *state;
    size_t size = 200000;
    uint8_t *object = random_bytes(size, 3);
    uint64_t random = 8;
    throng_signed_manifest once;
    throng_signed_manifest bits;
    throng_manifest_maker *maker;
    assert_int_equal(throng_manifest_make_from_memory(&once, object, size, &f->options, f->signer), 0);
    assert_int_equal(throng_manifest_maker_new(&maker, size, &f->options), 0);
    for (size_t at = 0; at < size;) {
        size_t part = test_random_below(&random, 40000);
        part = part < size - at ? part : size - at;
        assert_int_equal(throng_manifest_maker_finish(maker, &bits, f->signer), THRONG_ERR_STATE);
        assert_int_equal(throng_manifest_maker_add(maker, object + at, part), 0);
        at += part;
    }
    assert_int_equal(throng_manifest_maker_add(maker, object, 1), THRONG_ERR_INVALID);
    assert_int_equal(throng_manifest_maker_finish(maker, &bits, f->signer), 0);
    throng_manifest_maker_free(maker);
    assert_int_equal(once.size, bits.size);
    assert_memory_equal(once.bytes, bits.bytes, once.size); /* Ed25519 signatures are deterministic */
    throng_signed_manifest_clear(&once);
    throng_signed_manifest_clear(&bits);
    free(object);
}

static void manifest_check_tells_each_fault_apart(void **state)
{
    fixture *f = *state;
    throng_signer *other;
    throng_signed_manifest made;
    throng_hash wrong = {{1}};
    const uint8_t *key = throng_signer_public_key(f->signer);
    assert_int_equal(throng_signer_generate(&other), 0);
    assert_int_equal(throng_manifest_make_from_memory(&made, (const uint8_t *)"hello", 5, &f->options, f->signer), 0);
    size_t size = made.size;
    assert_int_equal(throng_manifest_check(NULL, f->hasher, made.bytes, size, NULL, NULL, NOW), 0);
    assert_int_equal(throng_manifest_check(NULL, f->hasher, made.bytes, size, &wrong, key, NOW), THRONG_ERR_TAMPERED);
    assert_int_equal(
        throng_manifest_check(NULL, f->hasher, made.bytes, size, &made.id, throng_signer_public_key(other), NOW),
        THRONG_ERR_WRONG_KEY);
    assert_int_equal(throng_manifest_check(NULL, f->hasher, made.bytes, size, &made.id, key, NOW + 10),
                     THRONG_ERR_EXPIRED);
    assert_int_equal(throng_manifest_check(NULL, f->hasher, made.bytes, size - 1, NULL, key, NOW),
                     THRONG_ERR_MALFORMED);
    /* A version raised by someone else. */
    made.bytes[18] ^= 1;
    assert_int_equal(throng_manifest_check(NULL, f->hasher, made.bytes, size, &made.id, key, NOW), THRONG_ERR_TAMPERED);
    assert_int_equal(throng_manifest_check(NULL, f->hasher, made.bytes, size, NULL, key, NOW),
                     THRONG_ERR_BAD_SIGNATURE);
    made.bytes[0] = 9;
    assert_int_equal(throng_manifest_check(NULL, f->hasher, made.bytes, size, NULL, key, NOW), THRONG_ERR_VERSION);
    throng_signed_manifest_clear(&made);
    throng_signer_free(other);
}

typedef struct progress {
    uint64_t last;
    uint32_t calls;
    uint64_t stop_at;
} progress;

static bool on_progress(uint64_t done_bytes, uint64_t total_bytes, void *user)
{
    progress *p = user;
    assert_true(done_bytes > p->last && done_bytes <= total_bytes);
    p->last = done_bytes;
    p->calls++;
    return done_bytes < p->stop_at;
}

static void manifest_of_a_file_tells_progress_stops_and_notices_an_early_end(void **state)
{
    fixture *f = *state;
    temp_dir dir;
    temp_dir_make(&dir);
    size_t size = (5 << 20) + 3;
    uint8_t *object = random_bytes(size, 1);
    int fd = open(temp_path(&dir, "object"), O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, object, size), size);
    throng_signed_manifest from_file;
    throng_signed_manifest from_memory;
    progress p = {.stop_at = UINT64_MAX};
    f->options.on_progress = on_progress;
    f->options.user = &p;
    assert_int_equal(throng_manifest_make(&from_file, fd, size, &f->options, f->signer), 0);
    assert_int_equal(p.last, size);
    assert_in_range(p.calls, 5, 7);
    p = (progress){.stop_at = 2 << 20};
    assert_int_equal(throng_manifest_make(&from_memory, fd, size, &f->options, f->signer), THRONG_DISK_ERR_STOPPED);
    f->options.on_progress = NULL;
    assert_int_equal(throng_manifest_make(&from_memory, fd, size + 1, &f->options, f->signer), THRONG_DISK_ERR_CHANGED);
    assert_int_equal(throng_manifest_make_from_memory(&from_memory, object, size, &f->options, f->signer), 0);
    assert_memory_equal(from_file.id.bytes, from_memory.id.bytes, 32);
    throng_hash by_file;
    throng_hash by_memory;
    assert_int_equal(throng_hasher_hash_file(f->hasher, fd, &by_file), 0);
    throng_hasher_hash(f->hasher, object, size, &by_memory);
    assert_true(throng_hash_equal(&by_file, &by_memory));
    close(fd);
    assert_int_equal(throng_manifest_make(&from_memory, fd, size, &f->options, f->signer), THRONG_DISK_ERR_IO);
    throng_signed_manifest_clear(&from_file);
    throng_signed_manifest_clear(&from_memory);
    free(object);
    temp_dir_remove(&dir);
}

static void manifest_with_bad_options_is_refused(void **state)
{
    fixture *f = *state;
    throng_signed_manifest made;
    static char many[THRONG_MANIFEST_HEADERS_MAX + 1];
    f->options.headers_size = sizeof many;
    f->options.headers = many;
    assert_int_equal(throng_manifest_make_from_memory(&made, (const uint8_t *)"x", 1, &f->options, f->signer),
                     THRONG_ERR_FULL);
    f->options.headers = "Not a header";
    f->options.headers_size = 12;
    assert_int_equal(throng_manifest_make_from_memory(&made, (const uint8_t *)"x", 1, &f->options, f->signer),
                     THRONG_ERR_INVALID);
    f->options.headers_size = 0;
    f->options.chunk_size = 10;
    assert_int_equal(throng_manifest_make_from_memory(&made, (const uint8_t *)"x", 1, &f->options, f->signer),
                     THRONG_ERR_INVALID);
}

static void url_hash_depends_on_key_host_and_path(void **state)
{
    fixture *f = *state;
    uint8_t keys[2][32] = {{1}, {2}};
    uint8_t hash[5][32];
    throng_url_hash(f->hasher, keys[0], "example.org", "/a?b=c", hash[0]);
    throng_url_hash(f->hasher, keys[1], "example.org", "/a?b=c", hash[1]);
    throng_url_hash(f->hasher, keys[0], "example.net", "/a?b=c", hash[2]);
    throng_url_hash(f->hasher, keys[0], "example.org", "/a?b=d", hash[3]);
    throng_url_hash(f->hasher, keys[0], "example.org/", "a?b=c", hash[4]);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(hash[i], hash[j], 32);
    throng_url_hash(f->hasher, keys[0], "example.org", "/a?b=c", hash[1]);
    assert_memory_equal(hash[0], hash[1], 32);
}

/* Two sites with the same content under the same path: nobody can tell from the ids that it is the same. */
static void object_ids_of_one_content_differ_between_sites(void **state)
{
    fixture *f = *state;
    throng_signer *other;
    throng_signed_manifest here, there;
    assert_int_equal(throng_signer_generate(&other), 0);
    throng_url_hash(f->hasher, throng_signer_public_key(f->signer), "example.org", "/a", f->options.url_hash);
    assert_int_equal(throng_manifest_make_from_memory(&here, (const uint8_t *)"same", 4, &f->options, f->signer), 0);
    throng_url_hash(f->hasher, throng_signer_public_key(other), "example.org", "/a", f->options.url_hash);
    assert_int_equal(throng_manifest_make_from_memory(&there, (const uint8_t *)"same", 4, &f->options, other), 0);
    assert_false(throng_hash_equal(&here.id, &there.id));
    assert_int_not_equal(throng_hash_tag(&here.id), throng_hash_tag(&there.id));
    assert_memory_not_equal(here.manifest.path, there.manifest.path, THRONG_HASH_SIZE);
    throng_signed_manifest_clear(&here);
    throng_signed_manifest_clear(&there);
    throng_signer_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(manifest_made_of_objects_of_many_sizes_is_right_and_checks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(manifest_made_bit_by_bit_is_the_one_made_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(manifest_check_tells_each_fault_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(manifest_of_a_file_tells_progress_stops_and_notices_an_early_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(manifest_with_bad_options_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(url_hash_depends_on_key_host_and_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(object_ids_of_one_content_differ_between_sites, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
