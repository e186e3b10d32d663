/* Files of access logs, whole and broken, plain and packed; and the numbers of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "report/log_file.h"
#include "report/names.h"

#define LINE "192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET /%d HTTP/1.1\" 200 1\n"

typedef struct log_file {
    char path[64];
    report_log_tally tally;
    char error[REPORT_ERROR_MAX];
    uint64_t seen, urls_size;
    int stop_with;
} log_file;

static int take(void *user, const report_request *request)
{
    log_file *f = user;
    f->seen++;
    f->urls_size += request->url_size;
    return f->stop_with;
}

static int set_up(void **state)
{
    log_file *f = calloc(1, sizeof *f);
    assert_non_null(f);
    strcpy(f->path, "/tmp/throng-log-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    log_file *f = *state;
    unlink(f->path);
    free(f);
    return 0;
}

static void write_lines(const log_file *f, const char *mode, int count)
{
    gzFile out = gzopen(f->path, mode);
    assert_non_null(out);
    for (int i = 0; i < count; i++)
        assert_true(gzprintf(out, LINE, i) > 0);
    assert_int_equal(gzclose(out), Z_OK);
}

static int read_file(log_file *f)
{
    return report_log_read(f->path, take, f, &f->tally, f->error);
}

static void file_plain_larger_than_the_buffer_is_read_whole(void **state)
{
    log_file *f = *state;
    write_lines(f, "wT", 50000);
    assert_int_equal(read_file(f), 0);
    assert_int_equal(f->seen, 50000);
    assert_int_equal(f->tally.requests, 50000);
    assert_int_equal(f->urls_size, 10 * 2 + 90 * 3 + 900 * 4 + 9000 * 5 + 40000 * 6);
    assert_int_equal(f->tally.broken, 0);
}

static void file_packed_in_two_parts_is_read_whole(void **state)
{
    log_file *f = *state;
    write_lines(f, "wb", 30000);
    write_lines(f, "ab", 10);
    assert_int_equal(read_file(f), 0);
    assert_int_equal(f->seen, 30010);
}

static void file_packed_and_cut_gives_what_is_there_and_says_so(void **state)
{
    log_file *f = *state;
    write_lines(f, "wb", 100000);
    FILE *file = fopen(f->path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fclose(file);
    assert_int_equal(truncate(f->path, size / 2), 0);
    assert_int_equal(read_file(f), 0);
    assert_in_range(f->seen, 1, 99999);
    assert_int_equal(f->tally.cut, 1);
    assert_non_null(strstr(f->tally.first_cut, f->path));
}

static void file_with_broken_lines_counts_them_and_names_the_first(void **state)
{
    log_file *f = *state;
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fprintf(file, LINE "\nbroken\n" LINE, 1, 2);
    for (int i = 0; i < 3 << 20; i++) /* a line longer than the buffer */
        fputc('x', file);
    fprintf(file, "\n" LINE "cut [", 3);
    fclose(file);
    assert_int_equal(read_file(f), 0);
    assert_int_equal(f->seen, 3);
    assert_int_equal(f->tally.broken, 3);
    assert_int_equal(f->tally.lines, 7);
    assert_non_null(strstr(f->tally.first_broken, ":3: no client"));
}

static void file_that_cannot_be_read_is_an_error(void **state)
{
    log_file *f = *state;
    char error[REPORT_ERROR_MAX] = "";
    assert_int_equal(report_log_read("/tmp", take, f, &f->tally, error), THRONG_ERR_NOT_FOUND);
    assert_non_null(strstr(error, "directory"));
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(report_log_read(f->path, take, f, &f->tally, error), THRONG_ERR_NOT_FOUND);
    assert_non_null(strstr(error, "No such file"));
}

static void sink_that_fails_ends_the_reading(void **state)
{
    log_file *f = *state;
    write_lines(f, "wT", 10);
    f->stop_with = THRONG_ERR_FULL;
    assert_int_equal(read_file(f), THRONG_ERR_FULL);
    assert_int_equal(f->seen, 1);
    assert_non_null(strstr(f->error, ":1: "));
}

static void names_each_text_has_its_number_up_to_the_maximum(void **state)
{
    (void)state;
    report_names_config config = {.names_max = 20000, .bytes_max = 1 << 20};
    report_names *names = report_names_new(&config);
    uint32_t number = 0;
    char text[32];
    assert_non_null(names);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 20000; i++) {
            int size = snprintf(text, sizeof text, "/%u", i);
            assert_int_equal(report_names_take(names, text, (size_t)size, &number), round == 0);
            assert_int_equal(number, i);
        }
    assert_int_equal(report_names_count(names), 20000);
    assert_int_equal(report_names_take(names, "/new", 4, &number), THRONG_ERR_FULL);
    assert_true(report_names_memory(names) < 4 << 20);
    report_names_free(names);
}

static void names_beyond_their_bytes_are_refused(void **state)
{
    (void)state;
    report_names_config config = {.names_max = 10, .bytes_max = 5};
    report_names *names = report_names_new(&config);
    uint32_t number = 0;
    assert_non_null(names);
    assert_int_equal(report_names_take(names, "", 0, &number), 1);
    assert_int_equal(report_names_take(names, "abcd", 4, &number), 1);
    assert_int_equal(report_names_take(names, "ef", 2, &number), THRONG_ERR_FULL);
    assert_int_equal(report_names_take(names, "abcd", 4, &number), 0);
    assert_int_equal(number, 1);
    report_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_plain_larger_than_the_buffer_is_read_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_packed_in_two_parts_is_read_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_packed_and_cut_gives_what_is_there_and_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_with_broken_lines_counts_them_and_names_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_that_cannot_be_read_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sink_that_fails_ends_the_reading, set_up, tear_down),
        cmocka_unit_test(names_each_text_has_its_number_up_to_the_maximum),
        cmocka_unit_test(names_beyond_their_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
