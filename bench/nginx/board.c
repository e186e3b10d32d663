/* A board with one file published and a daemon that beats, until standard input ends.
 * Usage: bench-nginx-board PATH PORT HOST URI FILE */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <throng/board.h>
#include <throng/prefixes.h>
#include <time.h>
#include <unistd.h>

static throng_time now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (throng_time)t.tv_sec * THRONG_SECOND + (throng_time)t.tv_nsec / 1000;
}

enum { PREFIXES = 1 << 16, LANDMARKS = 7, NEAR_EVERY = 64 };

static void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size > 0)
        return realloc(block, new_size);
    free(block);
    return NULL;
}

/* Four of 254 are in the asker's network, all have told their class and delays: so a list takes all that there is to
 * choose by. */
static throng_place place_of(uint32_t peer, uint16_t near)
{
    throng_place place = {.near = peer % NEAR_EVERY == 0 ? near : (uint16_t)(peer * 259), .bandwidth = 5 + peer % 4};
    for (uint32_t i = 0; i < THRONG_LANDMARKS_MAX; i++)
        place.delays[i] = (uint8_t)(100 + (peer * 7 + i * 13) % 100);
    return place;
}

static int publish(throng_board *board, char **argv, uint16_t near)
{
    struct stat st;
    char etag[64];
    throng_board_key key;
    throng_board_entry entry = {.chunk_size = 1024};
    throng_board_url url = {.server = {.port = (uint16_t)atoi(argv[2])},
                            .host = argv[3],
                            .host_size = strlen(argv[3]),
                            .uri = argv[4],
                            .uri_size = strlen(argv[4])};

    if (stat(argv[5], &st) != 0 || throng_board_key_of(board, &url, &key) != 0)
        return -1;
    /* As nginx makes them for files. */
    int size =
        snprintf(etag, sizeof etag, "\"%llx-%llx\"", (unsigned long long)st.st_mtime, (unsigned long long)st.st_size);
    entry.validators = (throng_validators){.size = (uint64_t)st.st_size,
                                           .etag = throng_board_etag(board, etag, (size_t)size),
                                           .last_modified_s = (uint64_t)st.st_mtime};
    if (throng_directory_add_object(&board->directory, throng_hash_tag(&entry.object), &entry.holders) != 0)
        return -1;
    throng_directory_set_times(&board->directory, THRONG_SECOND, THRONG_NEVER);
    for (uint32_t i = 0; i < THRONG_DIRECTORY_HOLDERS_MAX; i++) {
        throng_place place = place_of(i, near);
        throng_addr addr = throng_addr_from_ipv4(192, 0, 2, (uint8_t)i, (uint16_t)(5000 + i));
        uint32_t peer;
        if (throng_directory_add_peer(&board->directory, now_us(), &addr, &place, &peer) != 0)
            return -1;
        throng_directory_hold(&board->directory, now_us(), entry.holders, peer, true);
    }
    return throng_board_publish(board, &key, &entry);
}

/* The table that the board's own networks are in: loopback is one of many. Returns its number for throng_place. */
static uint16_t publish_networks(throng_board *board, const char *path)
{
    static const throng_alloc alloc = {.resize = resize};
    throng_prefix *prefixes = calloc(PREFIXES, sizeof *prefixes);
    throng_prefixes table;
    void *memory;
    size_t size;
    char name[4096];
    for (uint32_t i = 0; i < PREFIXES; i++) {
        throng_addr addr = throng_addr_from_ipv4((uint8_t)(i >> 8), (uint8_t)i, 0, 0, 0);
        memcpy(prefixes[i].ip, addr.ip, sizeof addr.ip);
        prefixes[i].length = 96 + 16;
        prefixes[i].as = i / 4;
    }
    if (throng_prefixes_build(&memory, &size, prefixes, PREFIXES, &alloc) != 0 ||
        throng_prefixes_attach(&table, memory, size) != 0)
        abort();
    snprintf(name, sizeof name, "%s.networks", path);
    FILE *out = fopen(name, "w");
    if (out == NULL || fwrite(memory, 1, size, out) != size || fclose(out) != 0)
        abort();
    throng_addr loopback = throng_addr_from_ipv4(127, 0, 0, 1, 0);
    uint16_t near = throng_prefixes_network(&table, throng_prefixes_find(&table, loopback.ip)).near;
    throng_board_set_networks(board, 1);
    throng_board_set_landmarks(board, LANDMARKS);
    free(memory);
    free(prefixes);
    return near;
}

int main(int argc, char **argv)
{
    throng_board board;
    throng_board_limits limits;
    throng_board_secrets secrets;
    throng_traits traits = {.bandwidth = 6, .landmarks = LANDMARKS};
    char text[THRONG_TRAITS_TEXT_MAX];
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

    if (argc != 6)
        return 2;
    throng_board_limits_default(&limits);
    size_t size = throng_board_size(&limits);
    int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0660);
    if (fd < 0 || posix_fallocate(fd, 0, (off_t)size) != 0)
        return 1;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memset(&secrets, 0x5a, sizeof secrets);
    if (memory == MAP_FAILED || throng_board_format(&board, memory, size, &limits, &secrets) != 0 ||
        publish(&board, argv, publish_networks(&board, argv[1])) != 0)
        return 1;
    throng_board_set_seeder_port(&board, 4433);
    throng_board_beat(&board, now_us());
    memset(traits.delays, 150, sizeof traits.delays);
    throng_traits_to_text(&traits, text);
    printf("ready %s\n", text);
    fflush(stdout);
    while (poll(&in, 1, 500) == 0)
        throng_board_beat(&board, now_us());
    return 0;
}
