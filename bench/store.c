/* The download store alone: chunks put in the order in which a swarm brings them, verified, written, committed. Beside
 * it, in the same run, what must be paid in any case: hashing, and writing units. One JSON line on stdout. Usage: store
 * FOLDER [MIB] */
#include <net/manifest_make.h>
#include <net/store.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "small.h"

enum { UNITS_OPEN = 64, UNIT = 16 * 1024 };

static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "bench store: %s\n", what);
        exit(1);
    }
}

/* Of the processor, so that other work on the machine does not count. */
static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double gbit(uint64_t bytes, double seconds)
{
    return (double)bytes * 8 / 1e9 / seconds;
}

/* Every unit the same bytes: the object costs no memory. */
static void fill(uint8_t unit[UNIT])
{
    uint64_t random = 1;
    for (size_t i = 0; i < UNIT; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unit[i] = (uint8_t)(random >> 56);
    }
}

/* Chunks of UNITS_OPEN units in turns, as when many neighbours give at once. */
static void put_all(throng_store *store, const throng_geometry *g, const uint8_t *bytes, const throng_hash *hash)
{
    for (uint32_t unit = 0; unit < g->metachunks; unit += UNITS_OPEN) {
        uint32_t end = unit + UNITS_OPEN < g->metachunks ? unit + UNITS_OPEN : g->metachunks;
        for (uint32_t chunk = 0; chunk < g->metachunk_chunks; chunk++)
            for (uint32_t u = unit; u < end; u++)
                require(throng_store_put(store, u * g->metachunk_chunks + chunk, bytes + chunk * g->chunk_size,
                                         g->chunk_size) == 0,
                        "put");
        for (uint32_t u = unit; u < end; u++)
            require(throng_store_verify(store, u, hash->bytes) == 0, "verify");
    }
}

static double measure_floor(const char *path, uint64_t size, const uint8_t *bytes, throng_hasher *hasher)
{
    throng_hash hash;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    require(fd >= 0 && posix_fallocate(fd, 0, (off_t)size) == 0, "cannot set space aside");
    double start = now_s();
    for (uint64_t at = 0; at < size; at += UNIT) {
        throng_hasher_hash(hasher, bytes, UNIT, &hash);
        require(pwrite(fd, bytes, UNIT, (off_t)at) == UNIT, "pwrite");
    }
    double passed = now_s() - start;
    close(fd);
    unlink(path);
    return passed;
}

int main(int argc, char **argv)
{
    static uint8_t bytes[UNIT];
    uint64_t size = (argc > 2 ? strtoull(argv[2], NULL, 10) : bench_small() ? 16 : 1024) << 20;
    char path[1024];
    throng_hasher *hasher;
    throng_hash hash;
    throng_store *store;
    throng_store_config config;
    require(argc > 1 && size >= 2 << 20, "usage: store FOLDER [MIB >= 2]");
    require(snprintf(path, sizeof path, "%s/throng-bench-store-%ld", argv[1], (long)getpid()) < (int)sizeof path,
            "path");
    fill(bytes);
    require(throng_hasher_new(&hasher) == 0, "out of memory");
    throng_hasher_hash(hasher, bytes, sizeof bytes, &hash);
    double floor_s = measure_floor(path, size, bytes, hasher);
    throng_store_config_default(&config);
    config.path = path;
    config.object = &hash;
    config.sync = false; /* the disk is not what is measured */
    require(throng_geometry_init(&config.geometry, size, 1024) == 0, "geometry");
    int error = throng_store_open(&store, &config);
    require(error == 0, throng_disk_error_text(error));
    double start = now_s();
    put_all(store, &config.geometry, bytes, &hash);
    require(throng_store_commit(store, false) == 0, "commit");
    double store_s = now_s() - start;
    throng_store_free(store);
    unlink(path);
    throng_hasher_free(hasher);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"bench\":\"store\",\"bytes\":%llu,\"gbit_per_cpu_s\":%.2f,\"hash_and_write_gbit_per_cpu_s\":%.2f,"
           "\"resident_max_kib\":%ld}\n",
           (unsigned long long)size, gbit(size, store_s), gbit(size, floor_s), usage.ru_maxrss);
    return 0;
}
