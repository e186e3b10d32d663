/* Tables of prefixes from files: each form, and what is wrong told with the line it is on. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "net/prefix_file.h"

static char dir[] = "/tmp/throng-prefixes-XXXXXX";
static char path[128];
static char error[THRONG_PREFIX_ERROR_MAX];

static int set_up(void **state)
{
    return mkdtemp(dir) == NULL;
}

static int tear_down(void **state)
{
    return rmdir(dir);
}

static const char *write_file(const char *name, const void *bytes, size_t size)
{
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    return path;
}

static uint32_t as_of(const throng_prefixes *table, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    throng_addr addr = throng_addr_from_ipv4(a, b, c, d, 0);
    return throng_prefixes_network(table, throng_prefixes_find(table, addr.ip)).as;
}

/* The AS that 10.1.2.3 is in; everything else of the table goes. */
static uint32_t load_and_ask(const char *file)
{
    void *memory;
    size_t size;
    throng_prefixes table;
    if (throng_prefix_file_load(file, &memory, &size, error) != 0)
        fail_msg("%s", error);
    assert_int_equal(throng_prefixes_attach(&table, memory, size), 0);
    uint32_t as = as_of(&table, 10, 1, 2, 3);
    free(memory);
    return as;
}

static void line_in_each_form_is_read(void **state)
{
    const struct {
        const char *line;
        uint8_t length;
        uint32_t as;
    } good[] = {{"10.0.0.0/8 64500", 104, 64500},
                {"  10.0.0.0/8\tAS64500 # comment", 104, 64500},
                {"10.0.0.0/8 {64500,64501}\r", 104, 64500},
                {"10.0.0.0/8 64500_64501;", 104, 64500},
                {"0.0.0.0/0 4294967295", 96, UINT32_MAX},
                {"2001:db8::/32 64500", 32, 64500},
                {"::/0 1", 0, 1},
                {"TABLE_DUMP2|1|B|192.0.2.1|64499|10.0.0.0/8|64499 3356 64500|IGP|x", 104, 64500},
                {"TABLE_DUMP2|1|B|192.0.2.1|64499|2001:db8::/32|64499 {64500,7}|IGP|x", 32, 64500}};
    const char *const empty[] = {"", "   ", "# 10.0.0.0/8 1", "; x", "\r"};
    throng_prefix p;
    const char *what;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(throng_prefix_line(good[i].line, &p, &what), 1);
        assert_int_equal(p.length, good[i].length);
        assert_int_equal(p.as, good[i].as);
    }
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        assert_int_equal(throng_prefix_line(empty[i], &p, &what), 0);
}

static void line_that_is_none_is_refused_with_a_reason(void **state)
{
    const char *const bad[] = {"10.0.0.0 64500",
                               "10.0.0.0/33 64500",
                               "10.0.0.0/-1 64500",
                               "10.0.0.0/ 64500",
                               "10.0.0/8 64500",
                               "10.1.0.0/8 64500",
                               "10.0.0.0/8",
                               "10.0.0.0/8 x",
                               "10.0.0.0/8 4294967296",
                               "10.0.0.0/8 99999999999999999999",
                               "10.0.0.0/8 64500 more",
                               "2001:db8::/129 1",
                               "2001:db8::1/32 1",
                               "/8 1",
                               "999999999999999999999999999999999999999999999999999999999999999999999/8 1",
                               "TABLE_DUMP2|1|B|192.0.2.1|64499|10.0.0.0/8",
                               "TABLE_DUMP2|1|B|192.0.2.1|64499|10.0.0.0/8||IGP"};
    throng_prefix p;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *what = NULL;
        assert_int_equal(throng_prefix_line(bad[i], &p, &what), THRONG_ERR_MALFORMED);
        assert_non_null(what);
    }
}

static void text_is_read_packed_or_not_and_what_stands_twice_counts_once(void **state)
{
    static const char text[] = "; a comment\n10.1.0.0/16\t64501\n10.0.0.0/8\t64500\n10.1.0.0/16\t64502\n"
                               "2001:db8::/32 64503";
    throng_prefix_list list;
    assert_int_equal(throng_prefix_file_read(write_file("text", text, sizeof text - 1), &list, error), 0);
    assert_int_equal(list.count, 3);
    free(list.prefixes);
    assert_int_equal(load_and_ask(path), 64501);
    unlink(path);
    snprintf(path, sizeof path, "%s/text.gz", dir);
    gzFile out = gzopen(path, "w");
    assert_int_equal(gzwrite(out, text, sizeof text - 1), sizeof text - 1);
    gzclose(out);
    assert_int_equal(load_and_ask(path), 64501);
    assert_int_equal(truncate(path, 40), 0);
    assert_true(throng_prefix_file_read(path, &list, error) < 0);
    unlink(path);
}

static void bad_line_is_named_and_nothing_is_made(void **state)
{
    static const char text[] = "10.1.0.0/16 64501\n\n10.0.0.0/8 none\n10.2.0.0/16 1\n";
    void *memory;
    size_t size;
    assert_int_equal(throng_prefix_file_load(write_file("bad", text, sizeof text - 1), &memory, &size, error),
                     THRONG_ERR_MALFORMED);
    assert_non_null(strstr(error, "bad:3: no number of an AS"));
    char *wide = malloc(100000);
    memset(wide, '1', 100000);
    assert_int_equal(throng_prefix_file_load(write_file("bad", wide, 100000), &memory, &size, error),
                     THRONG_ERR_MALFORMED);
    free(wide);
    assert_non_null(strstr(error, "bad:1: longer than"));
    unlink(path);
    assert_int_equal(throng_prefix_file_load(path, &memory, &size, error), THRONG_ERR_NOT_FOUND);
    assert_non_null(strstr(error, "No such file"));
}

/* RFC 6396: a peer index table of one peer, and 10.1.0.0/16 by way of 64499 and 64501. */
static const uint8_t mrt[] = {0, 0,    0,    1,   0, 13,   0,    1,    0,    0, 0,   21, 192,  0,    2,    9, 0, 0,
                              0, 1,    2,    192, 0, 2,    1,    192,  0,    2, 1,   0,  0,    0xfb, 0xf3, 0, 0, 0,
                              1, 0,    13,   0,   2, 0,    0,    0,    41,   0, 0,   0,  0,    16,   10,   1, 0, 1,
                              0, 0,    0,    0,   0, 1,    0,    24,   0x40, 1, 1,   0,  0x40, 2,    10,   2, 2, 0,
                              0, 0xfb, 0xf3, 0,   0, 0xfb, 0xf5, 0x40, 3,    4, 192, 0,  2,    1};

static void mrt_is_read_through_bgpdump(void **state)
{
    if (access("/usr/bin/bgpdump", X_OK) != 0)
        skip();
    assert_int_equal(load_and_ask(write_file("rib", mrt, sizeof mrt)), 64501);
    unlink(path);
}

/* MaxMind's format, version 2: 16 nodes that lead to 10.1.0.0/16, one record, the metadata. */
static size_t make_mmdb(uint8_t *out)
{
    enum { NODES = 16 };
    static const uint8_t metadata[] = "\xab\xcd\xefMaxMind.com\xe9"
                                      "\x5b"
                                      "binary_format_major_version\xa1\x02"
                                      "\x5b"
                                      "binary_format_minor_version\xa0"
                                      "\x4b"
                                      "build_epoch\x01\x02\x01"
                                      "\x4d"
                                      "database_type\x44Test"
                                      "\x4b"
                                      "description\xe0"
                                      "\x4a"
                                      "ip_version\xa1\x04"
                                      "\x49"
                                      "languages\x00\x04"
                                      "\x4a"
                                      "node_count\xc1\x10"
                                      "\x4b"
                                      "record_size\xa1\x18";
    uint8_t *at = out;
    for (uint32_t i = 0; i < NODES; i++) {
        bool right = (0x0a01U >> (15 - i) & 1) != 0;
        uint32_t child = i + 1 < NODES ? i + 1 : NODES + 16;
        uint32_t records[2] = {right ? NODES : child, right ? child : NODES};
        for (int k = 0; k < 2; k++) {
            *at++ = (uint8_t)(records[k] >> 16);
            *at++ = (uint8_t)(records[k] >> 8);
            *at++ = (uint8_t)records[k];
        }
    }
    memset(at, 0, 16);
    at += 16;
    *at++ = 0xe1; /* a map of one */
    *at++ = 0x58; /* text of 24 letters */
    memcpy(at, "autonomous_system_number", 24);
    at += 24;
    memcpy(at, "\xc4\0\0\xfb\xf5", 5); /* u32 64501 */
    at += 5;
    memcpy(at, metadata, sizeof metadata - 1);
    return (size_t)(at - out) + sizeof metadata - 1;
}

static void maxmind_database_is_walked(void **state)
{
    uint8_t bytes[1024];
    size_t size = make_mmdb(bytes);
    throng_prefix_list list;
    assert_int_equal(load_and_ask(write_file("asn.mmdb", bytes, size)), 64501);
    assert_int_equal(throng_prefix_file_read(path, &list, error), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.prefixes[0].length, 96 + 16);
    free(list.prefixes);
    bytes[0] = bytes[1] = bytes[2] = 0; /* the first node leads to itself */
    assert_int_equal(throng_prefix_file_read(write_file("asn.mmdb", bytes, size), &list, error), THRONG_ERR_MALFORMED);
    assert_int_equal(throng_prefix_file_read(write_file("asn.mmdb", bytes, 60), &list, error), THRONG_ERR_MALFORMED);
    assert_non_null(strstr(error, "asn.mmdb"));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_in_each_form_is_read),
        cmocka_unit_test(line_that_is_none_is_refused_with_a_reason),
        cmocka_unit_test(text_is_read_packed_or_not_and_what_stands_twice_counts_once),
        cmocka_unit_test(bad_line_is_named_and_nothing_is_made),
        cmocka_unit_test(mrt_is_read_through_bgpdump),
        cmocka_unit_test(maxmind_database_is_walked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
