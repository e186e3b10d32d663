/* The socket: what is sent arrives, whole and apart, however the kernel carries it. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/udp.h"

/* What a receiver got. */
typedef struct heard {
    uint32_t count;
    uint64_t bytes;
    uint32_t wrong;
    throng_addr from;
    uint32_t next; /* number that the next datagram should bear */
} heard;

/* Each datagram bears its number, and the number's low byte in every byte after. */
static void fill(uint8_t *bytes, size_t size, uint32_t number)
{
    memset(bytes, (int)(number & 0xff), size);
    memcpy(bytes, &number, size < 4 ? size : 4);
}

static void on_packet(const throng_udp_packet *packet, void *user)
{
    heard *h = user;
    uint8_t expected[THRONG_DATAGRAM_MAX];
    fill(expected, packet->size, h->next);
    h->wrong += packet->size > sizeof expected || memcmp(expected, packet->bytes, packet->size) != 0;
    h->next++;
    h->count++;
    h->bytes += packet->size;
    h->from = packet->from;
}

static throng_udp *open_on(const throng_addr *addr, bool offload)
{
    throng_udp_config config;
    throng_udp_config_default(&config);
    config.bind = *addr;
    config.offload = offload;
    throng_udp *udp;
    assert_int_equal(throng_udp_open(&udp, &config), 0);
    return udp;
}

static throng_udp *open_loopback(bool offload)
{
    throng_addr addr = throng_addr_from_ipv4(127, 0, 0, 1, 0);
    return open_on(&addr, offload);
}

static void put(throng_udp *udp, const throng_addr *to, size_t size, uint32_t number)
{
    uint8_t *slot = throng_udp_reserve(udp);
    assert_non_null(slot);
    fill(slot, size, number);
    throng_udp_commit(udp, to, size);
}

/* Receives until `count` datagrams are there, or nothing more comes for a while. */
static void listen_for(throng_udp *udp, heard *h, uint32_t count)
{
    struct pollfd p = {.fd = throng_udp_fd(udp), .events = POLLIN};
    while (h->count < count && poll(&p, 1, 2000) == 1)
        throng_udp_receive(udp, on_packet, h);
}

static void send_and_check(throng_udp *from, throng_udp *to, const size_t *sizes, uint32_t count)
{
    throng_addr addr = throng_udp_local(to), home = throng_udp_local(from);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        put(from, &addr, sizes[i], i);
        bytes += sizes[i];
    }
    assert_int_equal(throng_udp_pending(from), count);
    assert_true(throng_udp_flush(from));
    assert_int_equal(throng_udp_pending(from), 0);
    heard h = {0};
    listen_for(to, &h, count);
    assert_int_equal(h.count, count);
    assert_int_equal(h.bytes, bytes);
    assert_int_equal(h.wrong, 0);
    assert_true(throng_addr_equal(&h.from, &home));
}

static void check_equal_sizes(bool offload_from, bool offload_to)
{
    throng_udp *from = open_loopback(offload_from), *to = open_loopback(offload_to);
    size_t sizes[50];
    for (size_t i = 0; i < 50; i++)
        sizes[i] = 1067;
    sizes[49] = 300; /* the last of a run may be shorter */
    send_and_check(from, to, sizes, 50);
    throng_udp_stats stats;
    throng_udp_stats_get(from, &stats);
    assert_int_equal(stats.sent, 50);
    assert_int_equal(stats.send_calls, 1);
    throng_udp_close(from);
    throng_udp_close(to);
}

static void udp_equal_datagrams_arrive_whole_with_and_without_offload(void **state)
{
    for (int i = 0; i < 4; i++)
        check_equal_sizes(i & 1, i & 2);
}

static void udp_datagrams_of_all_sizes_keep_their_bounds(void **state)
{
    static const size_t sizes[] = {1232, 1232, 1, 1, 2, 1232, 40, 40, 40, 39, 1000, 1000, 1001, 1, 1232};
    throng_udp *from = open_loopback(true), *to = open_loopback(true);
    send_and_check(from, to, sizes, sizeof sizes / sizeof *sizes);
    throng_udp_close(from);
    throng_udp_close(to);
}

/* As a seeder does that serves several in turn: few system calls, and each gets its own in order. */
static void udp_alternating_addresses_are_gathered_into_runs(void **state)
{
    throng_udp *from = open_loopback(true);
    throng_udp *to[3];
    for (int i = 0; i < 3; i++)
        to[i] = open_loopback(true);
    for (uint32_t i = 0; i < 45; i++) {
        throng_addr addr = throng_udp_local(to[i % 3]);
        put(from, &addr, 1067, i / 3);
    }
    assert_true(throng_udp_flush(from));
    for (int i = 0; i < 3; i++) {
        heard h = {0};
        listen_for(to[i], &h, 15);
        assert_int_equal(h.count, 15);
        assert_int_equal(h.wrong, 0);
        throng_udp_stats stats;
        throng_udp_stats_get(to[i], &stats);
        assert_int_equal(stats.receive_calls, 1);
        throng_udp_close(to[i]);
    }
    throng_udp_stats stats;
    throng_udp_stats_get(from, &stats);
    assert_int_equal(stats.send_calls, 1);
    throng_udp_close(from);
}

/* A socket that must not check-sum can't segment: the kernel says EINVAL, as it does for a device or path that can't.
 */
static void udp_kernel_refuses_segments_all_go_one_by_one(void **state)
{
    throng_udp *from = open_loopback(true), *to = open_loopback(true);
    int on = 1;
    assert_int_equal(setsockopt(throng_udp_fd(from), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
    size_t sizes[30];
    for (size_t i = 0; i < 30; i++)
        sizes[i] = 900;
    for (int round = 0; round < 12; round++)
        send_and_check(from, to, sizes, 30);
    throng_udp_stats stats;
    throng_udp_stats_get(from, &stats);
    assert_int_equal(stats.segment_refused, 8); /* then it stopped trying */
    assert_int_equal(stats.sent, 360);
    assert_int_equal(stats.dropped, 0);
    throng_udp_close(from);
    throng_udp_close(to);
}

static void udp_unreachable_address_dropped_others_sent(void **state)
{
    throng_udp *from = open_loopback(true), *to = open_loopback(true);
    throng_addr nowhere = throng_addr_from_ipv4(255, 255, 255, 255, 9); /* broadcast: refused with EACCES */
    throng_addr addr = throng_udp_local(to);
    put(from, &addr, 100, 0);
    put(from, &nowhere, 100, 0);
    put(from, &nowhere, 100, 0);
    put(from, &addr, 100, 1);
    assert_true(throng_udp_flush(from));
    heard h = {0};
    listen_for(to, &h, 2);
    assert_int_equal(h.count, 2);
    throng_udp_stats stats;
    throng_udp_stats_get(from, &stats);
    assert_int_equal(stats.sent, 2);
    assert_int_equal(stats.dropped, 2);
    throng_udp_close(from);
    throng_udp_close(to);
}

/* Nobody listens there: the ICMP answer must not disturb what goes elsewhere. */
static void udp_closed_port_does_not_disturb_later_sends(void **state)
{
    throng_udp *from = open_loopback(true), *to = open_loopback(true), *gone = open_loopback(true);
    throng_addr closed = throng_udp_local(gone);
    throng_udp_close(gone);
    for (int i = 0; i < 5; i++) {
        put(from, &closed, 100, 0);
        assert_true(throng_udp_flush(from));
    }
    static const size_t sizes[] = {100, 100, 100};
    send_and_check(from, to, sizes, 3);
    throng_udp_close(from);
    throng_udp_close(to);
}

static void udp_full_buffer_says_so_until_flushed(void **state)
{
    throng_udp *from = open_loopback(true), *to = open_loopback(true);
    throng_addr addr = throng_udp_local(to);
    uint32_t count = 0;
    while (throng_udp_reserve(from))
        put(from, &addr, 20, count++);
    assert_int_equal(count, 128);
    assert_true(throng_udp_flush(from));
    assert_non_null(throng_udp_reserve(from));
    heard h = {0};
    listen_for(to, &h, count);
    assert_int_equal(h.count, count);
    assert_int_equal(h.wrong, 0);
    throng_udp_close(from);
    throng_udp_close(to);
}

static void udp_dual_stack_socket_hears_and_answers_both_families(void **state)
{
    throng_addr any = {0};
    throng_udp *both = open_on(&any, true);
    throng_addr local = throng_udp_local(both);
    assert_true(local.port != 0);
    throng_addr loopbacks[2] = {throng_addr_from_ipv4(127, 0, 0, 1, local.port), {.port = local.port}};
    loopbacks[1].ip[15] = 1;
    for (int i = 0; i < 2; i++) {
        throng_addr bind = loopbacks[i];
        bind.port = 0;
        throng_udp_config config;
        throng_udp_config_default(&config);
        config.bind = bind;
        throng_udp *client;
        int error = throng_udp_open(&client, &config);
        if (i == 1 && (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT))
            continue; /* a machine without IPv6 */
        assert_int_equal(error, 0);
        put(client, &loopbacks[i], 200, 0);
        assert_true(throng_udp_flush(client));
        heard at_both = {0}, at_client = {0};
        listen_for(both, &at_both, 1);
        assert_int_equal(at_both.count, 1);
        throng_addr home = throng_udp_local(client);
        assert_true(throng_addr_equal(&at_both.from, &home));
        put(both, &at_both.from, 100, 0);
        put(both, &at_both.from, 100, 1);
        assert_true(throng_udp_flush(both));
        listen_for(client, &at_client, 2);
        assert_int_equal(at_client.count, 2);
        assert_int_equal(at_client.wrong, 0);
        throng_udp_close(client);
    }
    throng_udp_close(both);
}

static void udp_busy_port_refused_with_its_errno(void **state)
{
    throng_udp *first = open_loopback(true);
    throng_udp_config config;
    throng_udp_config_default(&config);
    config.bind = throng_udp_local(first);
    throng_udp *second = NULL;
    assert_int_equal(throng_udp_open(&second, &config), -EADDRINUSE);
    assert_null(second);
    throng_udp_close(first);
    throng_udp_close(NULL);
}

static void udp_oversized_datagram_does_not_pass_the_form(void **state)
{
    throng_udp *to = open_loopback(false);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_storage name;
    throng_addr addr = throng_udp_local(to);
    socklen_t size = throng_addr_to_sockaddr(&addr, false, &name);
    static const uint8_t bytes[4000];
    assert_int_equal(sendto(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&name, size), sizeof bytes);
    struct pollfd p = {.fd = throng_udp_fd(to), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 2000), 1);
    heard h = {0};
    assert_int_equal(throng_udp_receive(to, on_packet, &h), 0);
    throng_udp_stats stats;
    throng_udp_stats_get(to, &stats);
    assert_int_equal(stats.truncated, 1);
    close(fd);
    throng_udp_close(to);
}

static void addr_survives_the_way_through_sockaddr(void **state)
{
    throng_addr addrs[] = {throng_addr_from_ipv4(192, 0, 2, 7, 65535), {.ip = {0x20, 1, 0xd, 0xb8, 9}, .port = 1}};
    for (size_t i = 0; i < 2; i++)
        for (int ipv6 = 0; ipv6 < 2; ipv6++) {
            struct sockaddr_storage name;
            throng_addr back;
            throng_addr_to_sockaddr(&addrs[i], ipv6, &name);
            assert_int_equal(throng_addr_from_sockaddr(&back, &name), 0);
            assert_true(throng_addr_equal(&back, &addrs[i]));
        }
    struct sockaddr_storage other = {.ss_family = AF_UNIX};
    throng_addr back;
    assert_int_equal(throng_addr_from_sockaddr(&back, &other), THRONG_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_equal_datagrams_arrive_whole_with_and_without_offload),
        cmocka_unit_test(udp_datagrams_of_all_sizes_keep_their_bounds),
        cmocka_unit_test(udp_alternating_addresses_are_gathered_into_runs),
        cmocka_unit_test(udp_kernel_refuses_segments_all_go_one_by_one),
        cmocka_unit_test(udp_unreachable_address_dropped_others_sent),
        cmocka_unit_test(udp_closed_port_does_not_disturb_later_sends),
        cmocka_unit_test(udp_full_buffer_says_so_until_flushed),
        cmocka_unit_test(udp_dual_stack_socket_hears_and_answers_both_families),
        cmocka_unit_test(udp_busy_port_refused_with_its_errno),
        cmocka_unit_test(udp_oversized_datagram_does_not_pass_the_form),
        cmocka_unit_test(addr_survives_the_way_through_sockaddr),
    };
    return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
