#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "directions/base64url.h"
#include "message/message.h"

static throng_traits sample(void)
{
    return (throng_traits){.bandwidth = 7, .landmarks = 0x1234, .delays = {100, 0, 30}};
}

static void assert_same(const throng_traits *a, const throng_traits *b)
{
    assert_int_equal(a->bandwidth, b->bandwidth);
    assert_int_equal(a->landmarks, b->landmarks);
    assert_memory_equal(a->delays, b->delays, sizeof a->delays);
}

static void traits_in_a_frame_come_out_as_they_went_in(void **state)
{
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_traits_frame in = {.asks_landmarks = true, .traits = sample()}, out;
    throng_traits_encode(&w, &in);
    assert_false(w.failed);
    assert_int_equal(throng_writer_size(&w), 3 + 4 + 3);
    throng_reader r = throng_reader_on(bytes + 1, throng_writer_size(&w) - 1);
    assert_int_equal(throng_traits_decode(&out, &r), 0);
    assert_true(out.asks_landmarks && !out.clamped);
    assert_same(&out.traits, &in.traits);
}

static void traits_as_text_come_out_as_they_went_in(void **state)
{
    char text[THRONG_TRAITS_TEXT_MAX];
    throng_traits in = sample(), out;
    memset(in.delays, 255, sizeof in.delays);
    size_t length = throng_traits_to_text(&in, text);
    assert_int_equal(strlen(text), length);
    assert_int_equal(throng_traits_from_text(&out, text, length), 0);
    assert_same(&out, &in);
}

static int from_bytes(throng_traits *ret, const uint8_t *bytes, size_t size)
{
    char text[128];
    throng_base64url_encode(text, bytes, size);
    return throng_traits_from_text(ret, text, throng_base64url_length(size));
}

static void absurd_bandwidth_is_clamped_and_told(void **state)
{
    throng_traits out;
    assert_int_equal(from_bytes(&out, (const uint8_t[]){1, 200, 0, 0}, 4), 1);
    assert_int_equal(out.bandwidth, THRONG_BANDWIDTH_MAX);
    assert_int_equal(from_bytes(&out, (const uint8_t[]){1, THRONG_BANDWIDTH_MAX, 0, 0}, 4), 0);
    assert_int_equal(out.bandwidth, THRONG_BANDWIDTH_MAX);
}

static void malformed_traits_are_refused_and_nothing_is_written(void **state)
{
    const uint8_t many[4 + THRONG_LANDMARKS_MAX + 1] = {1, 5, 1, 1, 7};
    throng_traits out = sample(), before = out;
    assert_int_equal(from_bytes(&out, many, sizeof many), THRONG_ERR_MALFORMED);
    assert_int_equal(from_bytes(&out, many, 3), THRONG_ERR_MALFORMED);
    assert_int_equal(throng_traits_from_text(&out, "", 0), THRONG_ERR_MALFORMED);
    assert_int_equal(throng_traits_from_text(&out, "AQ=b c", 6), THRONG_ERR_MALFORMED);
    assert_same(&out, &before);
}

static void traits_of_a_later_version_tell_nothing(void **state)
{
    throng_traits out = sample(), nothing = {0};
    const uint8_t later[] = {2, 200, 1, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
    assert_int_equal(from_bytes(&out, later, sizeof later), 0);
    assert_same(&out, &nothing);
}

static void bandwidth_classes_double(void **state)
{
    assert_int_equal(throng_bandwidth_class(0), 0);
    assert_int_equal(throng_bandwidth_class(33600), 1);
    assert_int_equal(throng_bandwidth_class(64000), 2);
    assert_int_equal(throng_bandwidth_class(800000), 5);
    assert_int_equal(throng_bandwidth_class(1544000), 6);
    assert_int_equal(throng_bandwidth_class(44736000), 11);
    assert_int_equal(throng_bandwidth_class(UINT64_MAX), THRONG_BANDWIDTH_MAX);
    assert_true(throng_bandwidth_alike(0, 15) && throng_bandwidth_alike(5, 6) && throng_bandwidth_alike(6, 5));
    assert_false(throng_bandwidth_alike(5, 7));
}

static void delay_codes_grow_with_the_delay_and_end_at_255(void **state)
{
    uint8_t before = 1;
    assert_int_equal(throng_delay_code(0), 1);
    for (throng_time rtt = 1; rtt < 2 * THRONG_SECOND; rtt += rtt / 10 + 1) {
        uint8_t code = throng_delay_code(rtt);
        assert_true(code >= before && code - before <= 16);
        before = code;
    }
    assert_int_equal(before, 255);
    assert_int_equal(throng_delay_code(THRONG_NEVER), 255);
    assert_int_equal(throng_delay_code(80 * THRONG_MS) - throng_delay_code(40 * THRONG_MS), 16);
}

static void delays_to_too_few_common_landmarks_tell_nothing(void **state)
{
    const uint8_t a[THRONG_LANDMARKS_MAX] = {10, 20, 30}, b[THRONG_LANDMARKS_MAX] = {0, 24, 40, 50},
                  c[THRONG_LANDMARKS_MAX] = {10, 0, 0, 50};
    assert_int_equal(throng_delays_apart(a, b), 7 * 16);
    assert_int_equal(throng_delays_apart(a, a), 0);
    assert_int_equal(throng_delays_apart(a, c), THRONG_DELAYS_UNKNOWN);
}

static void landmark_lists_have_names_of_their_own(void **state)
{
    throng_addr addrs[2] = {throng_addr_from_ipv4(192, 0, 2, 1, 3478), throng_addr_from_ipv4(192, 0, 2, 2, 3478)};
    uint16_t one = throng_landmarks_id(addrs, 1), both = throng_landmarks_id(addrs, 2);
    assert_int_equal(throng_landmarks_id(addrs, 0), 0);
    assert_true(one != 0 && both != 0 && one != both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traits_in_a_frame_come_out_as_they_went_in),
        cmocka_unit_test(traits_as_text_come_out_as_they_went_in),
        cmocka_unit_test(absurd_bandwidth_is_clamped_and_told),
        cmocka_unit_test(malformed_traits_are_refused_and_nothing_is_written),
        cmocka_unit_test(traits_of_a_later_version_tell_nothing),
        cmocka_unit_test(bandwidth_classes_double),
        cmocka_unit_test(delay_codes_grow_with_the_delay_and_end_at_255),
        cmocka_unit_test(delays_to_too_few_common_landmarks_tell_nothing),
        cmocka_unit_test(landmark_lists_have_names_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
