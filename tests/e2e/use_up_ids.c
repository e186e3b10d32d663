/* Brings a running throngd to the end of its swarm key: nearly all sender ids of the board's epoch count as given, as
 * after four thousand million directions. Prints the epoch. Usage: use_up_ids BOARD */
#include <board/layout.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEFT = 1 << 20 };

int main(int argc, char **argv)
{
    throng_board board;
    struct stat st;
    int fd = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
    void *memory = fd < 0 || fstat(fd, &st) != 0
                       ? MAP_FAILED
                       : mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED || throng_board_attach(&board, memory, (size_t)st.st_size) != 0) {
        fprintf(stderr, "usage: use_up_ids BOARD\n");
        return 2;
    }
    board_word *senders = &board_head(&board)->senders;
    uint64_t before = board_get(senders), after;
    do {
        after = (before & ~BOARD_ID_MASK) | (UINT32_MAX - LEFT);
    } while (!atomic_compare_exchange_weak(senders, &before, after));
    printf("%u\n", (unsigned)(before >> BOARD_ID_SHIFT));
    return 0;
}
