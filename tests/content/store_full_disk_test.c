/* The store on a disk that is full or read-only: a tmpfs of 1 MiB in a mount namespace of this process alone. Needs
 * root; skipped (77) without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <net/hash.h>
#include <net/store.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "temp_dir.h"

enum { MIB = 1 << 20, UNIT = 16 * 1024 };

static temp_dir dir;

static throng_store_config config_of(uint64_t size)
{
    static const throng_hash object = {{1}};
    throng_store_config config;
    throng_store_config_default(&config);
    config.path = temp_path(&dir, "file");
    config.object = &object;
    assert_int_equal(throng_geometry_init(&config.geometry, size, 1024), 0);
    return config;
}

static bool is_empty(void)
{
    return access(temp_path(&dir, "file"), F_OK) < 0 && access(temp_path(&dir, "file.part"), F_OK) < 0 &&
           access(temp_path(&dir, "file.part.state"), F_OK) < 0;
}

/* Fills the disk to the last block; the file that does so. */
static void fill_disk(const char *path)
{
    static char block[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

static void store_larger_than_the_disk_is_refused_at_once(void **state)
{
    throng_store *store;
    throng_store_config config = config_of(2 * MIB);
    assert_int_equal(throng_store_open(&store, &config), THRONG_DISK_ERR_FULL);
    assert_true(is_empty());
    config.object = NULL;
    assert_int_equal(throng_store_open(&store, &config), THRONG_DISK_ERR_FULL);
    assert_true(is_empty());
}

static void store_whose_space_was_set_aside_ends_on_a_full_disk(void **state)
{
    throng_store *store;
    throng_store_config config = config_of(MIB / 2);
    static uint8_t zeros[MIB / 2];
    assert_int_equal(throng_store_open(&store, &config), 0);
    char filler[300];
    snprintf(filler, sizeof filler, "%s", temp_path(&dir, "filler"));
    fill_disk(filler);
    assert_int_equal(throng_store_write_http(store, 0, zeros, sizeof zeros), 0);
    assert_int_equal(throng_store_commit(store, true), 0);
    throng_store_free(store);
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(unlink(temp_path(&dir, "file")), 0);
    assert_true(is_empty());
}

static void set_disk_size(const char *size)
{
    assert_int_equal(mount(NULL, dir.path, NULL, MS_REMOUNT, size), 0);
}

/* In memory the first writes set the rest aside, slice by slice; from then on it is the download's. */
static void store_whose_first_units_set_aside_all_ends_on_a_full_disk(void **state)
{
    throng_store *store;
    throng_store_config config = config_of(7 * MIB);
    static uint8_t zeros[7 * MIB];
    set_disk_size("size=8m");
    assert_int_equal(throng_store_open(&store, &config), 0);
    assert_int_equal(throng_store_write_http(store, 0, zeros, 8 * UNIT), 0);
    char filler[300];
    snprintf(filler, sizeof filler, "%s", temp_path(&dir, "filler"));
    fill_disk(filler);
    assert_int_equal(throng_store_write_http(store, 8 * UNIT, zeros, sizeof zeros - 8 * UNIT), 0);
    assert_int_equal(throng_store_commit(store, true), 0);
    throng_store_free(store);
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(unlink(temp_path(&dir, "file")), 0);
    assert_true(is_empty());
    set_disk_size("size=1m");
}

/* Filled between opening and that: the next unit says so, long before its own place is missing. */
static void store_that_cannot_set_aside_the_rest_says_so_soon_and_goes_on_after(void **state)
{
    throng_store *store;
    throng_store_config config = config_of(7 * MIB);
    static uint8_t zeros[7 * MIB];
    set_disk_size("size=8m");
    assert_int_equal(throng_store_open(&store, &config), 0);
    char filler[300];
    snprintf(filler, sizeof filler, "%s", temp_path(&dir, "filler"));
    fill_disk(filler);
    assert_int_equal(throng_store_write_http(store, 0, zeros, UNIT), THRONG_DISK_ERR_FULL);
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(throng_store_write_http(store, 0, zeros, sizeof zeros), 0);
    assert_int_equal(throng_store_commit(store, true), 0);
    throng_store_free(store);
    assert_int_equal(unlink(temp_path(&dir, "file")), 0);
    assert_true(is_empty());
    set_disk_size("size=1m");
}

static void store_of_unknown_size_that_fills_the_disk_says_so_and_goes_on_after(void **state)
{
    throng_store *store;
    throng_store_config config = config_of(0);
    static uint8_t bytes[UNIT];
    config.object = NULL;
    config.size_known = false;
    assert_int_equal(throng_store_open(&store, &config), 0);
    char filler[300];
    snprintf(filler, sizeof filler, "%s", temp_path(&dir, "filler"));
    fill_disk(filler);
    int error = 0;
    uint64_t at = 0;
    for (; error == 0 && at < 2 * MIB; at += error == 0 ? UNIT : 0)
        error = throng_store_write_http(store, at, bytes, UNIT);
    assert_int_equal(error, THRONG_DISK_ERR_FULL);
    assert_true(access(temp_path(&dir, "file"), F_OK) < 0);
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(throng_store_write_http(store, at, bytes, UNIT), 0);
    throng_store_discard(store);
    throng_store_free(store);
    assert_true(is_empty());
}

static void store_on_a_read_only_disk_is_refused(void **state)
{
    throng_store *store;
    throng_store_config config = config_of(UNIT);
    assert_int_equal(mount(NULL, dir.path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(throng_store_open(&store, &config), THRONG_DISK_ERR_READ_ONLY);
    assert_int_equal(mount(NULL, dir.path, NULL, MS_REMOUNT, "size=1m"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_larger_than_the_disk_is_refused_at_once),
        cmocka_unit_test(store_whose_space_was_set_aside_ends_on_a_full_disk),
        cmocka_unit_test(store_whose_first_units_set_aside_all_ends_on_a_full_disk),
        cmocka_unit_test(store_that_cannot_set_aside_the_rest_says_so_soon_and_goes_on_after),
        cmocka_unit_test(store_of_unknown_size_that_fills_the_disk_says_so_and_goes_on_after),
        cmocka_unit_test(store_on_a_read_only_disk_is_refused),
    };
    temp_dir_make(&dir);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", dir.path, "tmpfs", 0, "size=1m") < 0) {
        fprintf(stderr, "skipped: a small disk of its own needs root (%s)\n", strerror(errno));
        temp_dir_remove(&dir);
        return 77;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    umount(dir.path);
    temp_dir_remove(&dir);
    return failed;
}
