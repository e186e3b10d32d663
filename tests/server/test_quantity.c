#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/quantity.h"

static void parse_rate_of_every_form_is_in_bits_per_second(void **state)
{
    static const struct {
        const char *text;
        uint64_t bps;
    } good[] = {{"1", 1},           {"800k", 800000}, {"20m", 20000000},         {"1.5m", 1500000},
                {"2g", 2000000000}, {"0.5k", 500},    {"1000g", 1000000000000u}, {"1.000001m", 1000001}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t bps = 0;
        assert_int_equal(throng_parse_rate(good[i].text, &bps), 0);
        assert_int_equal(bps, good[i].bps);
    }
}

static void parse_rate_out_of_form_refuses_and_writes_nothing(void **state)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "0.0m",
                                      "k",
                                      "20q",
                                      "20mm",
                                      "20 m",
                                      "-1",
                                      "+1",
                                      "1.",
                                      ".k",
                                      "1.2.3",
                                      "0x10",
                                      "1001g",
                                      "1e6",
                                      "nan",
                                      "20m ",
                                      " 20m",
                                      "99999999999999999999",
                                      "1000.1g"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t bps = 7;
        if (throng_parse_rate(bad[i], &bps) != THRONG_ERR_INVALID || bps != 7)
            fail_msg("\"%s\" was taken as %llu", bad[i], (unsigned long long)bps);
    }
}

static void parse_size_counts_in_powers_of_1024(void **state)
{
    uint64_t bytes = 0;
    assert_int_equal(throng_parse_size("1.5K", &bytes), 0);
    assert_int_equal(bytes, 1536);
    assert_int_equal(throng_parse_size("2T", &bytes), 0);
    assert_int_equal(bytes, (uint64_t)2 << 40);
    assert_int_equal(throng_parse_size("0", &bytes), 0);
    assert_int_equal(bytes, 0);
    assert_int_equal(throng_parse_size("1k", &bytes), 0);
    assert_int_equal(bytes, 1024);
    assert_int_equal(throng_parse_size("1KiB", &bytes), THRONG_ERR_INVALID);
    assert_int_equal(throng_parse_size("99999999T", &bytes), THRONG_ERR_INVALID);
}

static void parse_listen_and_addr_text_are_each_others_reverse(void **state)
{
    static const struct {
        const char *text;
        const char *written;
    } good[] = {{"127.0.0.1:80", "127.0.0.1:80"},
                {"8080", "0.0.0.0:8080"},
                {":8080", "0.0.0.0:8080"},
                {"0.0.0.0:1", "0.0.0.0:1"},
                {"[2001:db8::1]:443", "[2001:db8::1]:443"},
                {"[::]:65535", "0.0.0.0:65535"}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        throng_addr addr;
        char text[THRONG_ADDR_TEXT_MAX];
        assert_int_equal(throng_parse_listen(good[i].text, &addr), 0);
        throng_addr_text(&addr, text);
        assert_string_equal(text, good[i].written);
    }
}

static void parse_listen_out_of_form_refuses(void **state)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "65536",
                                      "localhost:80",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:0",
                                      "1.2.3:80",
                                      "::1:80",
                                      "[::1]",
                                      "[::1:80",
                                      "127.0.0.1:80x",
                                      "127.0.0.1:+80",
                                      "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"};
    throng_addr addr;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (throng_parse_listen(bad[i], &addr) != THRONG_ERR_INVALID)
            fail_msg("\"%s\" was taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_rate_of_every_form_is_in_bits_per_second),
        cmocka_unit_test(parse_rate_out_of_form_refuses_and_writes_nothing),
        cmocka_unit_test(parse_size_counts_in_powers_of_1024),
        cmocka_unit_test(parse_listen_and_addr_text_are_each_others_reverse),
        cmocka_unit_test(parse_listen_out_of_form_refuses),
    };
    return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
