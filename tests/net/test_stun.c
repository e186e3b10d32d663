/* STUN: what is a Binding request, and what it is answered; values of RFC 5769 section 2.2. */
#include "check.h"

#include <string.h>

#include "net/stun.h"

static const uint8_t request[] = {0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7,
                                  0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

static void request_over_ipv4_is_answered_with_the_mapped_address_of_the_rfc(void **state)
{
    static const uint8_t mapped[] = {0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43};
    uint8_t answer[THRONG_STUN_ANSWER_MAX];
    throng_addr from = throng_addr_from_ipv4(192, 0, 2, 1, 32853);
    assert_true(throng_stun_is_request(request, sizeof request));
    assert_int_equal(throng_stun_answer(answer, request, &from), 32);
    assert_memory_equal(answer, "\x01\x01\x00\x0c", 4);
    assert_memory_equal(answer + 4, request + 4, 16);
    assert_memory_equal(answer + 20, mapped, sizeof mapped);
}

static void request_over_ipv6_is_answered_with_the_mapped_address_of_the_rfc(void **state)
{
    static const uint8_t mapped[] = {0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
                                     0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9};
    uint8_t answer[THRONG_STUN_ANSWER_MAX];
    throng_addr from = {
        .ip = {0x20, 0x01, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77},
        .port = 32853};
    assert_int_equal(throng_stun_answer(answer, request, &from), THRONG_STUN_ANSWER_MAX);
    assert_memory_equal(answer + 20, mapped, sizeof mapped);
}

static void anything_else_is_no_request(void **state)
{
    uint8_t other[sizeof request + 8];
    for (size_t size = 0; size < sizeof request; size++)
        assert_false(throng_stun_is_request(request, size));
    for (size_t i = 0; i < 8; i++) {
        memcpy(other, request, sizeof request);
        other[i] ^= 0x80;
        assert_false(throng_stun_is_request(other, sizeof request));
    }
    memcpy(other, request, sizeof request);
    memcpy(other + sizeof request, "\x80\x22\x00\x05urk\0", 8);
    other[3] = 8;
    assert_false(throng_stun_is_request(other, sizeof other));
    other[23] = 4;
    assert_true(throng_stun_is_request(other, sizeof other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_over_ipv4_is_answered_with_the_mapped_address_of_the_rfc),
        cmocka_unit_test(request_over_ipv6_is_answered_with_the_mapped_address_of_the_rfc),
        cmocka_unit_test(anything_else_is_no_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
