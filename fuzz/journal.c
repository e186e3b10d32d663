/* FILE.part.state as an earlier run left it, or whoever else: the store reopens FILE.part with it. The first byte says
 * of what object (its lowest bit: plain), whether the header's check is to be made right, and how much of FILE.part is
 * there. Whatever the journal claims, only units count whose bytes have the hash that it claims for them, each once,
 * and what is counted is what is told of each. */
#define _DEFAULT_SOURCE /* mkdtemp, ftruncate */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OBJECT_SIZE = 100000, HEADER_SIZE = 512, CHECK_SIZE = 8, JOURNAL_MAX = 64 * 1024 };
enum { PLAIN = 1, MEND = 2, SHORT = 4, UNKNOWN_SIZE = 8 };

static char folder[64], file[96], part[96], state[96];

static void remove_all(void)
{
    unlink(state);
    unlink(part);
    rmdir(folder);
}

static void make_folder(void)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/throng-fuzz-XXXXXX", base);
    if (!mkdtemp(folder))
        abort();
    snprintf(file, sizeof file, "%s/f", folder);
    snprintf(part, sizeof part, "%s/f.part", folder);
    snprintf(state, sizeof state, "%s/f.part.state", folder);
    atexit(remove_all);
}

static void write_file(const char *path, const uint8_t *bytes, size_t size, off_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || ftruncate(fd, length) < 0)
        abort();
    close(fd);
}

static void write_journal(uint8_t how, const uint8_t *data, size_t size)
{
    static uint8_t bytes[JOURNAL_MAX];
    memcpy(bytes, data, size);
    if (how & MEND && size >= HEADER_SIZE) {
        throng_hasher *hasher;
        throng_hash check;
        if (throng_hasher_new(&hasher) < 0)
            abort();
        throng_hasher_hash(hasher, bytes, HEADER_SIZE - CHECK_SIZE, &check);
        throng_hasher_free(hasher);
        memcpy(bytes + HEADER_SIZE - CHECK_SIZE, check.bytes, CHECK_SIZE);
    }
    write_file(state, bytes, size, (off_t)size);
}

static void count_units(const throng_store *store, const throng_geometry *geometry)
{
    uint32_t verified = 0, written = 0;
    for (uint32_t unit = 0; unit < geometry->metachunks; unit++) {
        throng_unit_state told = throng_store_unit(store, unit);
        verified += told == THRONG_UNIT_VERIFIED;
        written += told == THRONG_UNIT_WRITTEN;
        if (told == THRONG_UNIT_OPEN || told == THRONG_UNIT_COMPLETE)
            abort();
    }
    if (verified != throng_store_units_verified(store) || written != throng_store_units_written(store))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const throng_hash object = {.bytes = {'o'}};
    throng_store_config config;
    throng_store_left left;
    throng_store *store;
    if (size == 0 || size > JOURNAL_MAX)
        return 0;
    if (!folder[0])
        make_folder();
    uint8_t how = data[0];
    throng_store_config_default(&config);
    config.path = file;
    config.object = how & PLAIN ? NULL : &object;
    config.size_known = !(how & PLAIN && how & UNKNOWN_SIZE);
    config.resume = true;
    config.validator = "v";
    if (throng_geometry_init(&config.geometry, OBJECT_SIZE, 1024) < 0)
        abort();
    write_journal(how, data + 1, size - 1);
    write_file(part, NULL, 0, how & SHORT ? OBJECT_SIZE / 3 : OBJECT_SIZE);
    (void)throng_store_peek(&left, file);
    if (throng_store_open(&store, &config) == 0) {
        if (!(how & PLAIN))
            count_units(store, &config.geometry);
        if (throng_store_first_bytes(store) > OBJECT_SIZE)
            abort();
        throng_store_discard(store);
        throng_store_free(store);
    }
    return 0;
}
