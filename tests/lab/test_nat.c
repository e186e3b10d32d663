#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lab/ip.h>
#include <lab/nat.h>
#include <netinet/in.h>

enum { INNER = 0x0a4d0002, OUTER = 0x0a4c0002, B = 0x0a4d0003, C = 0x0a4d0004, UDP_SIZE = 36 };

/* Of whole packets: right sums add up to 0xffff. */
static uint32_t sum_words(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint16_t sum_of_udp(const uint8_t *p)
{
    return fold(sum_words(p + 12, 8) + IPPROTO_UDP + (UDP_SIZE - 20) + sum_words(p + 20, UDP_SIZE - 20));
}

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A datagram of eight bytes with right sums. */
static void make(uint8_t p[UDP_SIZE], uint32_t from, uint16_t from_port, uint32_t to, uint16_t to_port)
{
    memset(p, 0, UDP_SIZE);
    p[0] = 0x45;
    p[3] = UDP_SIZE;
    p[8] = 64;
    p[9] = IPPROTO_UDP;
    put32(p + 12, from);
    put32(p + 16, to);
    p[20] = (uint8_t)(from_port >> 8);
    p[21] = (uint8_t)from_port;
    p[22] = (uint8_t)(to_port >> 8);
    p[23] = (uint8_t)to_port;
    p[25] = UDP_SIZE - 20;
    memcpy(p + 28, "contents", 8);
    uint16_t header = (uint16_t)~fold(sum_words(p, 20));
    p[10] = (uint8_t)(header >> 8);
    p[11] = (uint8_t)header;
    uint16_t udp = (uint16_t)~sum_of_udp(p);
    p[26] = (uint8_t)(udp >> 8);
    p[27] = (uint8_t)udp;
}

/* Sends from the node; returns the port that the box gave it. */
static uint16_t out(lab_nat *nat, uint64_t now_ns, uint32_t to, uint16_t to_port)
{
    uint8_t p[UDP_SIZE];
    lab_ip ip;
    make(p, INNER, 5000, to, to_port);
    assert_true(lab_nat_out(nat, now_ns, p, sizeof p));
    assert_int_equal(fold(sum_words(p, 20)), 0xffff);
    assert_int_equal(sum_of_udp(p), 0xffff);
    assert_true(lab_ip_read(&ip, p, sizeof p));
    assert_int_equal(ip.source, OUTER);
    assert_int_equal(ip.target, to);
    assert_int_equal(ip.target_port, to_port);
    return ip.source_port;
}

static bool in(lab_nat *nat, uint64_t now_ns, uint32_t from, uint16_t from_port, uint16_t to_port)
{
    uint8_t p[UDP_SIZE];
    lab_ip ip;
    make(p, from, from_port, OUTER, to_port);
    if (!lab_nat_in(nat, now_ns, p, sizeof p))
        return false;
    assert_int_equal(fold(sum_words(p, 20)), 0xffff);
    assert_int_equal(sum_of_udp(p), 0xffff);
    assert_true(lab_ip_read(&ip, p, sizeof p));
    assert_int_equal(ip.target, INNER);
    assert_int_equal(ip.target_port, 5000);
    return true;
}

typedef struct expectation {
    lab_nat_kind kind;
    bool same_port;  /* to another target it keeps its port */
    bool stranger;   /* lets in who was never spoken to */
    bool other_port; /* lets in another port of who was spoken to */
} expectation;

static void box_of_each_kind_maps_and_filters_as_it_should(void **state)
{
    static const expectation all[] = {
        {LAB_NAT_FULL, true, true, true},
        {LAB_NAT_RESTRICTED, true, false, true},
        {LAB_NAT_PORT, true, false, false},
        {LAB_NAT_SYMMETRIC, false, false, false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        lab_nat *nat = lab_nat_new(all[i].kind, INNER, OUTER, 1);
        assert_non_null(nat);
        uint16_t port = out(nat, 1, B, 80);
        assert_int_equal(out(nat, 2, B, 80), port);
        assert_true(in(nat, 3, B, 80, port));
        assert_int_equal(in(nat, 3, B, 81, port), all[i].other_port);
        assert_int_equal(in(nat, 3, C, 80, port), all[i].stranger);
        uint16_t to_c = out(nat, 4, C, 80);
        assert_int_equal(to_c == port, all[i].same_port);
        assert_true(in(nat, 5, C, 80, to_c));
        assert_false(in(nat, 5, B, 80, (uint16_t)(port ^ 1)));
        lab_nat_free(nat);
    }
}

static void box_mapping_unused_for_two_minutes_is_gone(void **state)
{
    lab_nat *nat = lab_nat_new(LAB_NAT_FULL, INNER, OUTER, 1);
    uint16_t port = out(nat, 1, B, 80);
    assert_true(in(nat, LAB_NAT_UDP_NS - 1, C, 1, port)); /* which does not refresh it */
    assert_false(in(nat, LAB_NAT_UDP_NS + 1, C, 1, port));
    assert_int_not_equal(out(nat, LAB_NAT_UDP_NS + 1, B, 80), port);
    lab_nat_free(nat);
}

static void box_neither_udp_nor_tcp_does_not_pass(void **state)
{
    uint8_t p[UDP_SIZE];
    lab_nat *nat = lab_nat_new(LAB_NAT_FULL, INNER, OUTER, 1);
    make(p, INNER, 5000, B, 80);
    p[9] = IPPROTO_ICMP;
    assert_false(lab_nat_out(nat, 1, p, sizeof p));
    assert_false(lab_nat_out(nat, 1, p, 10));
    lab_nat_free(nat);
}

static void box_more_mappings_than_it_holds_forgets_the_oldest(void **state)
{
    lab_nat *nat = lab_nat_new(LAB_NAT_SYMMETRIC, INNER, OUTER, 1);
    uint16_t first = out(nat, 1, B, 1), second = out(nat, 2, B, 2);
    for (uint32_t i = 2; i <= LAB_NAT_MAPPINGS_MAX; i++)
        out(nat, 1 + i, B, (uint16_t)(1 + i));
    assert_false(in(nat, 5000, B, 1, first));
    assert_true(in(nat, 5000, B, 2, second));
    lab_nat_free(nat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(box_of_each_kind_maps_and_filters_as_it_should),
        cmocka_unit_test(box_mapping_unused_for_two_minutes_is_gone),
        cmocka_unit_test(box_neither_udp_nor_tcp_does_not_pass),
        cmocka_unit_test(box_more_mappings_than_it_holds_forgets_the_oldest),
    };
    return cmocka_run_group_tests_name("nat", tests, NULL, NULL);
}
