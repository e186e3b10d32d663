/* The limit for moving content in sealed datagrams: a bare loop, with no protocol about it.
 *
 * One process seals and sends over loopback, another receives, opens, and hashes each 16 chunks. Once with segmentation
 * offload (UDP_SEGMENT, UDP_GRO; 40 datagrams at a time) and once without, for chunks of 1,024 and 1,152 bytes. Prints
 * one line of JSON, in Gbit/s of content received. What the sender sends too fast is lost, and not counted. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <throng/throng.h>

#include "net/cipher.h"
#include "net/hash.h"

#include "small.h"

enum { BATCH = 40, HEAD_BYTES = 18, SINGLES = 40, RECEIVE_BYTES = 64 * 1024, UNITS_AT_ONCE = 4 };

typedef struct setup {
    uint32_t chunk_bytes;
    bool offload;
    double seconds;
} setup;

static void fail(const char *what)
{
    fprintf(stderr, "datagrams: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set); /* one core alone is slower, not wrong */
}

/* The ciphers and hashes that net/ uses, so that this is its limit. */
typedef struct crypto {
    throng_wide_gcm *wide;
    throng_cipher *cipher;
} crypto;

static crypto crypto_new(void)
{
    static const uint8_t key[THRONG_KEY_SIZE] = "bench of throng";
    crypto c = {.wide = throng_wide_gcm_new()};
    if (throng_cipher_new(&c.cipher, key, c.wide) < 0)
        fail("AES-128-GCM");
    return c;
}

static void crypto_free(crypto c)
{
    throng_cipher_free(c.cipher);
    throng_wide_gcm_free(c.wide);
}

static void seal(throng_cipher *cipher, uint32_t counter, const uint8_t *chunk, uint32_t chunk_bytes, uint8_t *out)
{
    throng_seal_header header = {.counter = counter};
    throng_seal_header_encode(&header, out);
    uint8_t *payload = out + THRONG_SEAL_HEADER_SIZE;
    memset(payload, 0, HEAD_BYTES);
    memcpy(payload + HEAD_BYTES, chunk, chunk_bytes);
    if (throng_cipher_seal(cipher, out, HEAD_BYTES + chunk_bytes) < 0)
        fail("sealing");
}

static void send_batch(int fd, uint8_t *bytes, uint16_t size, bool offload)
{
    if (offload) {
        struct iovec piece = {bytes, (size_t)size * BATCH};
        _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof size)] = {0};
        struct msghdr message = {
            .msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = IPPROTO_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof size);
        memcpy(CMSG_DATA(c), &size, sizeof size);
        if (sendmsg(fd, &message, 0) < 0 && errno != ECONNREFUSED && errno != ENOBUFS)
            fail("sendmsg with UDP_SEGMENT");
        return;
    }
    for (int i = 0; i < BATCH; i++)
        if (send(fd, bytes + (size_t)i * size, size, 0) < 0 && errno != ECONNREFUSED && errno != ENOBUFS)
            fail("send");
}

static void run_sender(int fd, const setup *s)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(0);
    enum { CONTENT_BYTES = 64 * 1024 * 1024 }; /* larger than the caches, as a file is */
    uint8_t *content = malloc(CONTENT_BYTES);
    uint8_t *out = malloc((size_t)BATCH * THRONG_DATAGRAM_MAX);
    if (!content || !out)
        fail("malloc");
    memset(content, 1, CONTENT_BYTES);
    crypto c = crypto_new();
    uint16_t size = (uint16_t)(s->chunk_bytes + HEAD_BYTES + THRONG_SEAL_OVERHEAD);
    size_t at = 0;
    for (uint32_t counter = 0;;) {
        for (int i = 0; i < BATCH; i++, at += s->chunk_bytes) {
            if (at + s->chunk_bytes > CONTENT_BYTES)
                at = 0;
            seal(c.cipher, counter++, content + at, s->chunk_bytes, out + (size_t)i * size);
        }
        send_batch(fd, out, size, s->offload);
    }
}

/* What hashing metachunks takes: their chunks side by side, as a store puts them; several at once, as a peer does. */
typedef struct sink {
    crypto crypto;
    throng_hasher *hasher;
    uint32_t chunk_bytes;
    uint32_t chunks;
    uint64_t content_bytes;
    uint8_t units[UNITS_AT_ONCE * THRONG_METACHUNK_CHUNKS * THRONG_CHUNK_SIZE_MAX];
} sink;

static void hash_units(sink *k)
{
    const uint8_t *texts[UNITS_AT_ONCE];
    size_t sizes[UNITS_AT_ONCE];
    throng_hash hashes[UNITS_AT_ONCE];
    for (size_t i = 0; i < UNITS_AT_ONCE; i++) {
        sizes[i] = (size_t)THRONG_METACHUNK_CHUNKS * k->chunk_bytes;
        texts[i] = k->units + i * sizes[i];
    }
    throng_hasher_hash_each(k->hasher, texts, sizes, UNITS_AT_ONCE, hashes);
}

static void take(sink *k, uint8_t *bytes, size_t size)
{
    if (size != k->chunk_bytes + HEAD_BYTES + THRONG_SEAL_OVERHEAD ||
        throng_cipher_open(k->crypto.cipher, bytes, size - THRONG_SEAL_OVERHEAD) < 0)
        return;
    memcpy(k->units + (size_t)k->chunks * k->chunk_bytes, bytes + THRONG_SEAL_HEADER_SIZE + HEAD_BYTES, k->chunk_bytes);
    k->content_bytes += k->chunk_bytes;
    if (++k->chunks < UNITS_AT_ONCE * THRONG_METACHUNK_CHUNKS)
        return;
    hash_units(k);
    k->chunks = 0;
}

static void receive_run(int fd, sink *k, uint8_t *bytes)
{
    struct iovec piece = {bytes, RECEIVE_BYTES};
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    ssize_t got = recvmsg(fd, &message, 0);
    if (got < 0)
        fail("recvmsg");
    size_t left = (size_t)got, segment = left;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int value;
            memcpy(&value, CMSG_DATA(c), sizeof value);
            segment = (size_t)value;
        }
    for (; left > 0; bytes += segment, left -= segment) {
        segment = segment < left ? segment : left;
        take(k, bytes, segment);
    }
}

static double receive(int fd, const setup *s)
{
    pin(1);
    sink *k = calloc(1, sizeof *k);
    uint8_t *bytes = malloc(RECEIVE_BYTES);
    if (!k || !bytes)
        fail("malloc");
    k->crypto = crypto_new();
    if (throng_hasher_new(&k->hasher) < 0)
        fail("SHA-256");
    k->chunk_bytes = s->chunk_bytes;
    receive_run(fd, k, bytes); /* the sender is there: start the clock */
    k->content_bytes = 0;
    double start = now_s(), end = start;
    while (end - start < s->seconds) {
        for (int i = 0; i < SINGLES; i++) {
            if (s->offload) {
                receive_run(fd, k, bytes);
                continue;
            }
            ssize_t got = recv(fd, bytes, RECEIVE_BYTES, 0);
            if (got < 0)
                fail("recv");
            take(k, bytes, (size_t)got);
        }
        end = now_s();
    }
    double gbit_s = (double)k->content_bytes * 8 / (end - start) / 1e9;
    crypto_free(k->crypto);
    throng_hasher_free(k->hasher);
    free(k);
    free(bytes);
    return gbit_s;
}

static double run(const setup *s)
{
    int to = socket(AF_INET, SOCK_DGRAM, 0), from = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    if (bind(to, (struct sockaddr *)&name, size) < 0 || getsockname(to, (struct sockaddr *)&name, &size) < 0 ||
        connect(from, (struct sockaddr *)&name, size) < 0)
        fail("sockets");
    int bytes = 4 * 1024 * 1024, on = 1;
    if (setsockopt(to, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(to, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (s->offload && setsockopt(to, IPPROTO_UDP, UDP_GRO, &on, sizeof on) < 0)
        fail("UDP_GRO");
    pid_t sender = fork();
    if (sender < 0)
        fail("fork");
    if (sender == 0) {
        close(to);
        run_sender(from, s);
    }
    double gbit_s = receive(to, s);
    kill(sender, SIGKILL);
    waitpid(sender, NULL, 0);
    close(to);
    close(from);
    return gbit_s;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : bench_small() ? 0.05 : 2;
    if (seconds <= 0 || argc > 2) {
        fprintf(stderr, "usage: datagrams [SECONDS]\n");
        return 2;
    }
    static const uint32_t chunk_bytes[] = {1024, 1152};
    printf("{\"bench\":\"datagrams\",\"unit\":\"Gbit/s\"");
    for (size_t i = 0; i < 2; i++) {
        setup with = {.chunk_bytes = chunk_bytes[i], .offload = true, .seconds = seconds};
        setup without = {.chunk_bytes = chunk_bytes[i], .offload = false, .seconds = seconds};
        printf(",\"offload_%u\":%.2f", chunk_bytes[i], run(&with));
        fflush(stdout); /* or the next fork prints it too */
        printf(",\"single_%u\":%.2f", chunk_bytes[i], run(&without));
        fflush(stdout);
    }
    printf("}\n");
    return 0;
}
