/* The emulator with real namespaces, devices and sockets. Takes root and /dev/net/tun; without, it is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <lab/emulator.h>
#include <lab/probe.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NODES = 4, SKIP = 77, PORT = 700, SOON_MS = 2000, NEVER_MS = 200 };

static lab_netns nodes[NODES];

typedef struct bench {
    lab_emulator_config config;
    lab_access access[NODES];
    lab_emulator *emulator;
} bench;

static void defaults(bench *b)
{
    *b = (bench){.config = {.nodes = nodes, .nodes_count = NODES, .rtt_us = 40000, .seed = 3}};
    b->config.access = b->access;
    for (int i = 0; i < NODES; i++)
        b->access[i] = (lab_access){.up_bps = 10000000, .down_bps = 10000000, .queue_bytes = 100000};
}

static void start(bench *b)
{
    assert_int_equal(lab_emulator_start(&b->emulator, &b->config), 0);
}

static int open_at(uint32_t node, uint16_t port)
{
    int own = lab_netns_own();
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(lab_netns_enter(nodes[node].fd), 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(lab_netns_enter(own), 0);
    close(own);
    return fd;
}

static void send_to(int fd, uint32_t ip, uint16_t port, const char *text)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
    assert_int_equal(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof to), (ssize_t)strlen(text));
}

/* Whether this text comes within the time, and from where. */
static bool comes(int fd, const char *text, int wait_ms, struct sockaddr_in *ret_from)
{
    char got[64] = "";
    struct pollfd in = {.fd = fd, .events = POLLIN};
    socklen_t size = sizeof *ret_from;
    struct sockaddr_in from = {0};
    if (poll(&in, 1, wait_ms) <= 0)
        return false;
    size = sizeof from;
    assert_true(recvfrom(fd, got, sizeof got - 1, 0, (struct sockaddr *)&from, &size) > 0);
    assert_string_equal(got, text);
    if (ret_from)
        *ret_from = from;
    return true;
}

/* Wide bounds: the machine that runs tests may be busy. docs/LAB.md has what a quiet one reaches. */
static void emulator_probed_has_the_delay_rate_and_loss_it_was_given(void **state)
{
    bench b;
    lab_accuracy found;
    defaults(&b);
    for (int i = 0; i < NODES; i++)
        b.access[i].up_bps = 2000000;
    b.access[2].delay_us = 5000;
    b.config.loss = 0.05;
    b.access[1].loss = 0.05;
    start(&b);
    assert_int_equal(lab_probe(&found, &b.config, b.emulator, 1, 2), 0);
    lab_emulator_stop(b.emulator);
    assert_true(found.delay_us > 5000 + 5000);
    assert_true(found.delay_error_us > -1000 && found.delay_error_us < 3000);
    assert_true(found.rate_bps == 2000000);
    assert_true(found.rate_measured_bps > 1.9e6 && found.rate_measured_bps < 2.1e6);
    assert_true(found.loss > 0.097 && found.loss < 0.098);
    assert_true(found.loss_measured > 0.06 && found.loss_measured < 0.14);
}

static void emulator_jitter_without_reordering_keeps_packets_in_order(void **state)
{
    bench b;
    defaults(&b);
    b.config.jitter_us = 20000;
    start(&b);
    uint64_t most_ns = lab_emulator_jitter_ns(b.emulator, 1, 2);
    assert_in_range(most_ns, 10000000, 30000000);
    assert_int_not_equal(most_ns, lab_emulator_jitter_ns(b.emulator, 1, 3)); /* each pair has its own */
    int from = open_at(1, PORT), to = open_at(2, PORT);
    char text[16];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "%d", i);
        send_to(from, lab_node_ip(2), PORT, text);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_true(comes(to, text, SOON_MS, NULL));
    }
    close(from);
    close(to);
    lab_emulator_stop(b.emulator);
}

static void emulator_link_that_failed_carries_nothing_until_it_is_healed(void **state)
{
    bench b;
    lab_lateness counted;
    defaults(&b);
    start(&b);
    int one = open_at(1, PORT), two = open_at(2, PORT), three = open_at(3, PORT);
    send_to(one, lab_node_ip(2), PORT, "before");
    assert_true(comes(two, "before", SOON_MS, NULL));
    lab_emulator_set_link(b.emulator, 2, false);
    send_to(one, lab_node_ip(2), PORT, "to it");
    send_to(two, lab_node_ip(1), PORT, "from it");
    send_to(one, lab_node_ip(3), PORT, "past it");
    assert_true(comes(three, "past it", SOON_MS, NULL));
    assert_false(comes(two, "to it", NEVER_MS, NULL));
    assert_false(comes(one, "from it", 0, NULL));
    lab_emulator_lateness(b.emulator, &counted);
    assert_int_equal(counted.cut, 2);
    lab_emulator_set_link(b.emulator, 2, true);
    send_to(one, lab_node_ip(2), PORT, "after");
    assert_true(comes(two, "after", SOON_MS, NULL));
    close(one);
    close(two);
    close(three);
    lab_emulator_stop(b.emulator);
}

static void emulator_node_behind_a_box_is_met_as_its_kind_lets(void **state)
{
    for (lab_nat_kind kind = LAB_NAT_FULL; kind <= LAB_NAT_SYMMETRIC; kind++) {
        bench b;
        struct sockaddr_in seen, again;
        defaults(&b);
        b.access[1].nat = kind;
        start(&b);
        int inner = open_at(1, PORT), two = open_at(2, PORT), two_other = open_at(2, PORT + 1),
            three = open_at(3, PORT);
        send_to(two, lab_node_ip(1), PORT, "to its inner address"); /* which is nobody's out here */
        send_to(inner, lab_node_ip(2), PORT, "hello");
        assert_true(comes(two, "hello", SOON_MS, &seen));
        assert_int_equal(ntohl(seen.sin_addr.s_addr), lab_box_ip(1));
        uint16_t port = ntohs(seen.sin_port);
        send_to(two, lab_box_ip(1), port, "answer");
        assert_true(comes(inner, "answer", SOON_MS, NULL));
        send_to(two_other, lab_box_ip(1), port, "other port");
        assert_int_equal(comes(inner, "other port", kind <= LAB_NAT_RESTRICTED ? SOON_MS : NEVER_MS, NULL),
                         kind <= LAB_NAT_RESTRICTED);
        send_to(three, lab_box_ip(1), port, "stranger");
        assert_int_equal(comes(inner, "stranger", kind == LAB_NAT_FULL ? SOON_MS : NEVER_MS, NULL),
                         kind == LAB_NAT_FULL);
        send_to(inner, lab_node_ip(3), PORT, "hello");
        assert_true(comes(three, "hello", SOON_MS, &again));
        assert_int_equal(again.sin_port == seen.sin_port, kind != LAB_NAT_SYMMETRIC);
        close(inner);
        close(two);
        close(two_other);
        close(three);
        lab_emulator_stop(b.emulator);
    }
}

static void emulator_node_that_gives_nothing_sends_small_packets_alone(void **state)
{
    bench b;
    char chunk[1200];
    defaults(&b);
    start(&b);
    int one = open_at(1, PORT), two = open_at(2, PORT);
    memset(chunk, 'x', sizeof chunk - 1);
    chunk[sizeof chunk - 1] = '\0';
    lab_emulator_set_giving(b.emulator, 1, false);
    send_to(one, lab_node_ip(2), PORT, chunk);
    send_to(one, lab_node_ip(2), PORT, "asking");
    assert_true(comes(two, "asking", SOON_MS, NULL));
    close(one);
    close(two);
    lab_emulator_stop(b.emulator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emulator_probed_has_the_delay_rate_and_loss_it_was_given),
        cmocka_unit_test(emulator_jitter_without_reordering_keeps_packets_in_order),
        cmocka_unit_test(emulator_link_that_failed_carries_nothing_until_it_is_healed),
        cmocka_unit_test(emulator_node_behind_a_box_is_met_as_its_kind_lets),
        cmocka_unit_test(emulator_node_that_gives_nothing_sends_small_packets_alone),
    };
    const char *what = "emulated lines take root";
    int error = geteuid() == 0 ? lab_netns_make(nodes, NODES, &what) : -EPERM;
    if (error < 0) {
        printf("skipped: %s: %s\n", what, strerror(-error));
        return SKIP;
    }
    int failed = cmocka_run_group_tests_name("emulator", tests, NULL, NULL);
    lab_netns_close(nodes, NODES);
    return failed;
}
