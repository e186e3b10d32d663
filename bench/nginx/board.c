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
#include <time.h>
#include <unistd.h>

static throng_time now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (throng_time)t.tv_sec * THRONG_SECOND + (throng_time)t.tv_nsec / 1000;
}

static int publish(throng_board *board, char **argv)
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
        throng_addr addr = throng_addr_from_ipv4(192, 0, 2, (uint8_t)i, (uint16_t)(5000 + i));
        uint32_t peer;
        if (throng_directory_add_peer(&board->directory, now_us(), &addr, &(throng_place){0}, &peer) != 0)
            return -1;
        throng_directory_hold(&board->directory, now_us(), entry.holders, peer, true);
    }
    return throng_board_publish(board, &key, &entry);
}

int main(int argc, char **argv)
{
    throng_board board;
    throng_board_limits limits;
    throng_board_secrets secrets;
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
        publish(&board, argv) != 0)
        return 1;
    throng_board_set_seeder_port(&board, 4433);
    throng_board_beat(&board, now_us());
    puts("ready");
    fflush(stdout);
    while (poll(&in, 1, 500) == 0)
        throng_board_beat(&board, now_us());
    return 0;
}
