/* The board as a file: made, locked, and taken over from an earlier throngd. */
#ifndef SERVER_BOARD_FILE_H
#define SERVER_BOARD_FILE_H

#include <throng/board.h>

#include <sys/types.h>

typedef struct board_file {
    throng_board board;
    int fd;
    void *memory;
    size_t size;
} board_file;

/* Maps the board at `path` if it has these limits, else makes a new one in its place. `group`: who shares it; -1: as it
 * comes. Complains and returns an exit code. */
int board_file_open(board_file *ret, const char *path, const throng_board_limits *limits, gid_t group);
/* Says goodbye on it and unmaps; the file stays, for the next. */
void board_file_close(board_file *file);

#endif
