/* A directions answer with everything that the web server's worker does for it but HTTP itself: the URL hashed, the
 * object found, ten peers picked, a sender id taken, the token made, the URI encoded; and the same without the board
 * (constant peers), which is what making the answer costs alone; and the same for a client whose place is known, so
 * that peers are compared by network, delays and line. The board has a million objects and a million peers; objects are
 * asked for at random, each with as many holders as it keeps. One JSON line on stdout. Usage: bench-directory [OBJECTS
 * [PEERS]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <throng/board.h>
#include <time.h>

#include "small.h"

enum { PEERS_NAMED = 10, ROUND = 20000, ROUNDS = 15 };

typedef struct bench {
    throng_board board;
    uint32_t objects, peers;
    uint64_t random;
    uint64_t sum; /* of what was answered, so that nothing is left out */
} bench;

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void key_of(const bench *b, uint32_t object, throng_board_key *ret)
{
    char uri[64];
    int size = 36;
    memcpy(uri, "/pictures/of/the/comet/00000000.jpeg", 36);
    for (int i = 30; i > 22; i--, object /= 10)
        uri[i] = (char)('0' + object % 10);
    throng_board_url url = {
        .server.port = 443, .tls = true, .host = "example.org", .host_size = 11, .uri = uri, .uri_size = (size_t)size};
    if (throng_board_key_of(&b->board, &url, ret) != 0)
        abort();
}

static throng_addr addr_of(uint32_t peer)
{
    return throng_addr_from_ipv4((uint8_t)(60 + (peer >> 24)), (uint8_t)(peer >> 16), (uint8_t)(peer >> 8),
                                 (uint8_t)peer, 4000);
}

/* One of 160 networks in 20 systems, with a line of any class and delays to all landmarks. */
static throng_place place_of(uint64_t random)
{
    throng_place place = {.near = (uint16_t)((1 + random % 20) << 8 | (1 + (random >> 8) % 8)),
                          .bandwidth = (uint8_t)(1 + (random >> 16) % THRONG_BANDWIDTH_MAX)};
    for (uint32_t i = 0; i < THRONG_LANDMARKS_MAX; i++)
        place.delays[i] = (uint8_t)(1 + (random >> (16 + 4 * i)) % 255);
    return place;
}

static double fill(bench *b)
{
    throng_directory *d = &b->board.directory;
    double start = cpu_s();
    uint32_t holders = d->limits.holders_max;
    for (uint32_t i = 0; i < b->peers; i++) {
        throng_addr addr = addr_of(i);
        throng_place place = place_of(next(&b->random));
        uint32_t peer;
        if (throng_directory_add_peer(d, 0, &addr, &place, &peer) != 0)
            abort();
    }
    for (uint32_t i = 0; i < b->objects; i++) {
        throng_board_entry entry = {.validators.size = 100000, .chunk_size = 1024};
        throng_board_key key;
        memcpy(entry.object.bytes, &i, sizeof i);
        key_of(b, i, &key);
        if (throng_directory_add_object(d, throng_hash_tag(&entry.object), &entry.holders) != 0 ||
            throng_board_publish(&b->board, &key, &entry) != 0)
            abort();
        for (uint32_t k = 0; k < holders; k++)
            throng_directory_hold(d, 0, entry.holders, (uint32_t)(next(&b->random) % b->peers), true);
    }
    return cpu_s() - start;
}

typedef enum source { CONSTANT, AT_RANDOM, BY_PLACE } source;

static void answer(bench *b, const throng_board_entry *entry, source peers)
{
    static const uint8_t key[THRONG_KEY_SIZE];
    char uri[THRONG_DIRECTIONS_URI_MAX];
    throng_directions d = {.object = entry->object,
                           .size = entry->validators.size,
                           .chunk_size = entry->chunk_size,
                           .seeder.port = 4433,
                           .peers_count = PEERS_NAMED};
    throng_addr client = throng_addr_from_ipv4(192, 0, 2, 1, 0);
    throng_sender sender;
    if (throng_board_take_sender(&b->board, &sender) != 0)
        abort();
    d.sender_id = sender.id;
    memcpy(d.key, sender.key, sizeof d.key);
    throng_token_make(&d.token, key, 1000, sender.id, client.ip);
    if (peers != CONSTANT) {
        throng_directory_query query = {.object = entry->holders,
                                        .tag = throng_hash_tag(&entry->object),
                                        .random = next(&b->random),
                                        .max = PEERS_NAMED,
                                        .kinds = THRONG_KINDS_IPV4};
        if (peers == BY_PLACE)
            query.place = place_of(query.random);
        d.peers_count = throng_directory_pick(&b->board.directory, &query, d.peers);
    } else {
        for (uint32_t i = 0; i < PEERS_NAMED; i++)
            d.peers[i] = addr_of(i);
    }
    int size = throng_directions_encode(&d, uri, sizeof uri);
    if (size < 0 || d.peers_count != PEERS_NAMED)
        abort();
    b->sum += (uint8_t)uri[size - 1];
}

/* Processor time for one, in nanoseconds. */
static double from_board(bench *b, source peers)
{
    double start = cpu_s();
    for (uint32_t i = 0; i < ROUND; i++) {
        throng_board_key key;
        throng_board_entry entry;
        key_of(b, (uint32_t)(next(&b->random) % b->objects), &key);
        b->sum += throng_board_etag(&b->board, "\"656f1c2a-186a0\"", 16); /* as the module asks which version it is */
        if (throng_board_find(&b->board, &key, &entry) != 0)
            abort();
        answer(b, &entry, peers);
    }
    return (cpu_s() - start) * 1e9 / ROUND;
}

static double constant(bench *b)
{
    double start = cpu_s();
    for (uint32_t i = 0; i < ROUND; i++) {
        throng_board_key key;
        throng_board_entry entry = {.validators.size = 100000, .chunk_size = 1024};
        key_of(b, (uint32_t)(next(&b->random) % b->objects), &key);
        answer(b, &entry, CONSTANT);
    }
    return (cpu_s() - start) * 1e9 / ROUND;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    uint32_t most = bench_small() ? 10000 : 1000000;
    bench b = {.objects = argc > 1 ? (uint32_t)atoi(argv[1]) : most,
               .peers = argc > 2 ? (uint32_t)atoi(argv[2]) : most,
               .random = 1};
    throng_board_limits limits;
    throng_board_secrets secrets;
    throng_board_limits_default(&limits);
    limits.objects_max = b.objects;
    limits.holders_max = throng_directory_holders_default(b.objects);
    limits.peers_max = b.peers;
    size_t size = throng_board_size(&limits);
    void *memory = size == 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(&secrets, 0x5a, sizeof secrets);
    if (memory == MAP_FAILED || throng_board_format(&b.board, memory, size, &limits, &secrets) != 0) {
        fprintf(stderr, "bench-directory: no memory for such a board\n");
        return 1;
    }
    double filled = fill(&b), ours[ROUNDS], chosen[ROUNDS], alone[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = from_board(&b, AT_RANDOM);
        chosen[i] = from_board(&b, BY_PLACE);
        alone[i] = constant(&b);
    }
    qsort(ours, ROUNDS, sizeof *ours, compare);
    qsort(chosen, ROUNDS, sizeof *chosen, compare);
    qsort(alone, ROUNDS, sizeof *alone, compare);
    printf("{\"bench\":\"directory\",\"objects\":%u,\"peers\":%u,\"bytes\":%zu,\"holds_per_second\":%.0f,"
           "\"answer_ns\":%.0f,\"answer_by_place_ns\":%.0f,\"answer_without_board_ns\":%.0f,\"sum\":%llu}\n",
           b.objects, b.peers, size, (double)b.objects * limits.holders_max / filled, ours[ROUNDS / 2],
           chosen[ROUNDS / 2], alone[ROUNDS / 2], (unsigned long long)b.sum);
    return 0;
}
