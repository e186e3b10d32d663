#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "board_file.h"
#include "exit_codes.h"

static const throng_board_limits limits = {64, 8, 8, 16};
static const throng_board_limits other_limits = {128, 8, 8, 16};

typedef struct place {
    char directory[64];
    char path[96];
} place;

static int set_up(void **state)
{
    place *p = calloc(1, sizeof(*p));
    snprintf(p->directory, sizeof(p->directory), "%s/throng-test-XXXXXX", "/tmp");
    assert_non_null(mkdtemp(p->directory));
    snprintf(p->path, sizeof(p->path), "%s/board", p->directory);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    place *p = *state;
    unlink(p->path);
    assert_int_equal(rmdir(p->directory), 0); /* nothing is left beside it */
    free(p);
    return 0;
}

static void open_makes_a_board_that_its_group_alone_shares(void **state)
{
    const place *p = *state;
    board_file file;
    struct stat st;
    assert_int_equal(board_file_open(&file, p->path, &limits, (gid_t)-1), 0);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(st.st_size, throng_board_size(&limits));
    board_file_close(&file);
}

static void open_again_keeps_keys_and_sender_ids(void **state)
{
    const place *p = *state;
    board_file file;
    throng_sender first, second;
    throng_board_secrets before, after;
    assert_int_equal(board_file_open(&file, p->path, &limits, (gid_t)-1), 0);
    throng_board_secrets_get(&file.board, &before);
    assert_int_equal(throng_board_take_sender(&file.board, &first), 0);
    board_file_close(&file);
    assert_int_equal(board_file_open(&file, p->path, &limits, (gid_t)-1), 0);
    throng_board_secrets_get(&file.board, &after);
    assert_int_equal(throng_board_take_sender(&file.board, &second), 0);
    board_file_close(&file);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(second.epoch, first.epoch);
    assert_true(second.id > first.id);
}

static void open_with_other_limits_makes_a_new_one_and_retires_the_old(void **state)
{
    const place *p = *state;
    board_file file;
    throng_board_secrets before, after;
    assert_int_equal(board_file_open(&file, p->path, &limits, (gid_t)-1), 0);
    throng_board_secrets_get(&file.board, &before);
    board_file_close(&file);
    assert_int_equal(board_file_open(&file, p->path, &other_limits, (gid_t)-1), 0);
    throng_board_secrets_get(&file.board, &after);
    board_file_close(&file);
    assert_memory_not_equal(&before, &after, sizeof(before));
}

static void open_of_a_file_that_is_no_board_makes_one_in_its_place(void **state)
{
    const place *p = *state;
    board_file file;
    FILE *junk = fopen(p->path, "w");
    for (size_t i = 0; i < throng_board_size(&limits); i++)
        fputc('x', junk);
    fclose(junk);
    assert_int_equal(board_file_open(&file, p->path, &limits, (gid_t)-1), 0);
    board_file_close(&file);
}

static void open_of_a_board_in_use_refuses(void **state)
{
    const place *p = *state;
    board_file file, another;
    assert_int_equal(board_file_open(&file, p->path, &limits, (gid_t)-1), 0);
    assert_int_equal(board_file_open(&another, p->path, &limits, (gid_t)-1), SERVER_EXIT_IN_USE);
    throng_board_beat(&file.board, THRONG_SECOND);
    assert_true(throng_board_alive(&file.board, THRONG_SECOND)); /* and leaves it as it was */
    board_file_close(&file);
}

static void open_in_a_directory_that_is_not_there_refuses(void **state)
{
    board_file file;
    assert_int_equal(board_file_open(&file, "/nowhere/board", &limits, (gid_t)-1), SERVER_EXIT_WRITE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(open_makes_a_board_that_its_group_alone_shares),
        TEST(open_again_keeps_keys_and_sender_ids),
        TEST(open_with_other_limits_makes_a_new_one_and_retires_the_old),
        TEST(open_of_a_file_that_is_no_board_makes_one_in_its_place),
        TEST(open_of_a_board_in_use_refuses),
        TEST(open_in_a_directory_that_is_not_there_refuses),
    };
    return cmocka_run_group_tests_name("board file", tests, NULL, NULL);
}
