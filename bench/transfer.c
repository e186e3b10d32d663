/* One seeder, one peer, loopback: an object goes over, sealed, is verified and written to a file. Each is a process of
 * its own. Prints one line of JSON: Gbit/s from join to the whole file under its name, the receiver's largest resident
 * size, and what processor time each side took. bench/transfer.py sets it beside the bare loop, nginx with curl, and
 * uTP. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "net/manifest_make.h"
#include "net/peer.h"
#include "net/seeder.h"
#include "net/store.h"

#include "small.h"

enum { PATH_BYTES = 512 };

static void fail(const char *what, int error)
{
    fprintf(stderr, "transfer: %s: %d (%s)\n", what, error, throng_disk_error_text(error));
    exit(1);
}

static void must(const char *what, int error)
{
    if (error < 0)
        fail(what, error);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The seeder's process */

static const uint8_t token_key[THRONG_KEY_SIZE] = "token key, test";

static int make_object(const char *path, uint64_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        fail(path, THRONG_DISK_ERR_DENIED);
    static uint64_t block[8192];
    uint64_t x = 88172645463325252u;
    for (uint64_t at = 0; at < size; at += sizeof block) {
        for (size_t i = 0; i < sizeof block / sizeof *block; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            block[i] = x;
        }
        size_t part = size - at < sizeof block ? (size_t)(size - at) : sizeof block;
        if (write(fd, block, part) != (ssize_t)part)
            fail(path, THRONG_DISK_ERR_FULL);
    }
    return fd;
}

static void make_directions(throng_directions *directions, const throng_signed_manifest *made, const throng_addr *addr)
{
    *directions = (throng_directions){.object = made->id,
                                      .size = made->manifest.geometry.size,
                                      .chunk_size = made->manifest.geometry.chunk_size,
                                      .sender_id = 100,
                                      .epoch = 1,
                                      .seeder = *addr};
    memset(directions->key, 0x24, THRONG_KEY_SIZE);
    throng_token_make(&directions->token, token_key, (uint32_t)time(NULL), 100, addr->ip);
}

static throng_seeder *start_seeder(uv_loop_t *loop)
{
    throng_seeder_config config;
    throng_seeder_config_default(&config);
    config.udp.bind = throng_addr_from_ipv4(127, 0, 0, 1, 0);
    config.seed.rate_bps = 100000000000u;
    memcpy(config.seed.token_key, token_key, THRONG_KEY_SIZE);
    throng_seeder *seeder;
    must("seeder", throng_seeder_new(&seeder, loop, &config));
    throng_key key = {.epoch = 1, .sender_count = 1};
    memset(key.bytes, 0x24, THRONG_KEY_SIZE);
    must("key", throng_seeder_add_key(seeder, &key));
    return seeder;
}

/* Stops when the other end of `until` is closed; then tells its processor time. */
static void on_stop(uv_poll_t *poll, int status, int events)
{
    uv_stop(poll->loop);
}

static void run_seeder(const char *path, uint64_t size, uint32_t chunk_size, int tell, int until)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "seeder"); /* tells the two apart in a profile */
    int fd = make_object(path, size);
    throng_signer *signer;
    throng_signed_manifest made;
    throng_manifest_options options;
    throng_manifest_options_default(&options);
    options.chunk_size = chunk_size;
    must("signer", throng_signer_generate(&signer));
    must("manifest", throng_manifest_make(&made, fd, size, &options, signer));
    uv_loop_t loop;
    must("loop", uv_loop_init(&loop));
    throng_seeder *seeder = start_seeder(&loop);
    must("object", throng_seeder_add(seeder, &made.id, made.bytes, made.size, made.hashes, fd, size));
    throng_addr addr = throng_seeder_local(seeder);
    throng_directions directions;
    make_directions(&directions, &made, &addr);
    double cpu_before = cpu_seconds();
    if (write(tell, &directions, sizeof directions) != sizeof directions)
        fail("pipe", -errno);
    uv_poll_t poll;
    uv_poll_init(&loop, &poll, until);
    uv_poll_start(&poll, UV_READABLE | UV_DISCONNECT, on_stop);
    uv_run(&loop, UV_RUN_DEFAULT);
    double cpu = cpu_seconds() - cpu_before;
    if (write(tell, &cpu, sizeof cpu) != sizeof cpu)
        fail("pipe", -errno);
    throng_seeder_free(seeder);
    exit(0);
}

/* The receiver's process */

typedef struct outcome {
    double seconds;
    double cpu_seconds;
    long resident_max_kib;
    throng_peer_stats stats;
} outcome;

static void on_done(throng_peer *peer, const throng_hash *object, void *user)
{
    must("commit", throng_store_commit(user, false));
    throng_peer_leave(peer);
}

static void on_stuck(throng_peer *peer, const throng_hash *object, int error, void *user)
{
    fail("stuck", error);
}

static void on_store_failed(throng_peer *peer, const throng_hash *object, int error, void *user)
{
    fail("store", error);
}

static void run_receiver(const char *path, const throng_directions *directions, int tell)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "receiver");
    uint64_t start = uv_hrtime();
    uv_loop_t loop;
    must("loop", uv_loop_init(&loop));
    throng_store_config store_config;
    throng_store_config_default(&store_config);
    store_config.path = path;
    store_config.object = &directions->object;
    must("geometry", throng_geometry_init(&store_config.geometry, directions->size, directions->chunk_size));
    throng_store *store;
    must(path, throng_store_open(&store, &store_config));
    throng_peer_config config;
    throng_peer_config_default(&config, THRONG_PROFILE_THRONG);
    config.udp.bind = throng_addr_from_ipv4(127, 0, 0, 1, 0);
    config.hooks = (throng_peer_hooks){.done = on_done, .stuck = on_stuck, .store_failed = on_store_failed};
    config.user = store;
    throng_peer *peer;
    must("peer", throng_peer_new(&peer, &loop, &config));
    must("join", throng_peer_join(peer, directions, &directions->seeder, store));
    uv_run(&loop, UV_RUN_DEFAULT);
    outcome result = {.seconds = (double)(uv_hrtime() - start) / 1e9, .cpu_seconds = cpu_seconds()};
    throng_peer_stats_get(peer, &result.stats);
    throng_peer_free(peer);
    throng_store_free(store);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    result.resident_max_kib = usage.ru_maxrss;
    if (write(tell, &result, sizeof result) != sizeof result)
        fail("pipe", -errno);
    exit(0);
}

static void read_all(const char *what, int fd, void *ret, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = read(fd, (char *)ret + at, size - at);
        if (got <= 0)
            fail(what, THRONG_DISK_ERR_IO);
        at += (size_t)got;
    }
}

static void print(const outcome *o, uint64_t size, uint32_t chunk_size, double seeder_cpu)
{
    const throng_peer_stats *s = &o->stats;
    printf("{\"bench\":\"transfer\",\"bytes\":%llu,\"chunk_bytes\":%u,\"seconds\":%.3f,\"gbit_s\":%.2f,"
           "\"receiver_resident_max_bytes\":%lld,\"receiver_cpu_s\":%.2f,\"seeder_cpu_s\":%.2f,"
           "\"datagrams_received\":%llu,\"receive_calls\":%llu,\"datagrams_sent\":%llu,\"duplicate_bytes\":%llu,"
           "\"requests_timed_out\":%llu,\"verified\":true}\n",
           (unsigned long long)size, chunk_size, o->seconds, (double)size * 8 / o->seconds / 1e9,
           (long long)o->resident_max_kib * 1024, o->cpu_seconds, seeder_cpu, (unsigned long long)s->udp.received,
           (unsigned long long)s->udp.receive_calls, (unsigned long long)s->udp.sent,
           (unsigned long long)s->node.content_duplicate, (unsigned long long)s->node.requests_timed_out);
}

int main(int argc, char **argv)
{
    uint64_t size = argc > 1 ? strtoull(argv[1], NULL, 10) : bench_small() ? 10000000 : 1000000000;
    uint32_t chunk_size = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : THRONG_CHUNK_SIZE_DEFAULT;
    const char *folder = argc > 3 ? argv[3] : "/dev/shm";
    if (size == 0 || argc > 4) {
        fprintf(stderr, "usage: transfer [BYTES [CHUNK_BYTES [FOLDER]]]\n");
        return 2;
    }
    char from[PATH_BYTES], to[PATH_BYTES];
    snprintf(from, sizeof from, "%s/throng-bench-%d-from", folder, (int)getpid());
    snprintf(to, sizeof to, "%s/throng-bench-%d-to", folder, (int)getpid());
    int told[2], until[2], result[2];
    if (pipe(told) < 0 || pipe(until) < 0 || pipe(result) < 0)
        fail("pipe", -errno);
    pid_t seeder = fork();
    if (seeder == 0) {
        close(until[1]);
        run_seeder(from, size, chunk_size, told[1], until[0]);
    }
    close(told[1]);
    throng_directions directions;
    read_all("seeder", told[0], &directions, sizeof directions);
    /* The host of a virtual machine finds memory as it is first touched, and takes back what lies free: have it ready,
     * or it is the host that is measured. */
    close(make_object(to, size));
    unlink(to);
    pid_t receiver = fork();
    if (receiver == 0) {
        close(until[1]);
        run_receiver(to, &directions, result[1]);
    }
    close(result[1]);
    outcome o;
    read_all("receiver", result[0], &o, sizeof o);
    waitpid(receiver, NULL, 0);
    close(until[1]);
    double seeder_cpu;
    read_all("seeder's times", told[0], &seeder_cpu, sizeof seeder_cpu);
    waitpid(seeder, NULL, 0);
    unlink(from);
    unlink(to);
    print(&o, size, chunk_size, seeder_cpu);
    return 0;
}
