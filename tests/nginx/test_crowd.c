/* A crowd that begins: an object that throngd does not know yet, and what the line carries then. Usage: test_crowd
 * MODULE */
#include "module_fixture.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sends a request for directions to the film, and does not wait. */
static int ask(void)
{
    static const char request[] = "GET /film HTTP/1.1\r\nHost: example.org\r\nThrong: 1\r\n\r\n";
    int fd = site_connect(site_port(SITE_MODULE));
    assert_true(fd >= 0);
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    return fd;
}

static void await_count(const _Atomic uint64_t *c, uint64_t least)
{
    throng_time deadline = site_now() + 10 * THRONG_SECOND;
    while (counter(c) < least) {
        assert_true(site_now() < deadline);
        poll(NULL, 0, 1);
    }
}

static int set_up_unknown(void **state)
{
    return set_up_with(state, CROWD, "", "");
}

/* As `throng serve` writes it. */
static int set_up_unknown_cached(void **state)
{
    return set_up_with(state, CROWD "open_file_cache max=100;", "", "");
}

static void crowd_of_an_object_unknown_is_held_until_it_is_published_and_then_directed(void **state)
{
    enum { MANY = 20 };
    fixture *f = *state;
    throng_board_counters *counters = throng_board_counters_of(&f->board);
    throng_board_key key = key_of(f, site_port(SITE_MODULE), "/film");
    throng_board_entry entry;
    int fd[MANY];

    publish(f, site_port(SITE_MODULE), "/film");
    assert_int_equal(throng_board_find(&f->board, &key, &entry), 0);
    assert_int_equal(throng_board_withdraw(&f->board, &key), 0);
    throng_board_beat(&f->board, site_now());
    for (int i = 0; i < MANY; i++)
        fd[i] = ask();
    await_count(&counters->held, MANY);
    assert_true(counter(&counters->requests) == 0); /* nobody has an answer */
    assert_int_equal(throng_board_publish(&f->board, &key, &entry), 0);
    for (int i = 0; i < MANY; i++) {
        site_exchange(fd[i], "", &got);
        assert_int_equal(got.status, 307);
        close(fd[i]);
    }
    assert_true(counter(&counters->directions) == MANY);
    assert_true(counter(&counters->reserved) == 0);
}

static void crowd_of_an_object_never_published_is_held_a_moment_and_served(void **state)
{
    fixture *f = *state;
    throng_board_counters *counters = throng_board_counters_of(&f->board);
    throng_time start = site_now();

    expect(f, "/film", "Throng: 1\r\n", 200, true);
    assert_int_equal(got.body_size, FILM_SIZE);
    assert_in_range(site_now() - start, 90 * THRONG_MS, 5 * THRONG_SECOND);
    expect(f, "/film", "Throng: 1\r\n", 200, true); /* throngd was told a while ago, and has its reasons */
    assert_true(counter(&counters->held) == 1);
    expect(f, "/film", "Throng: again\r\n", 204, true);
    expect(f, "/film", "", 200, false);
    expect(f, "/film", "Throng: 1\r\nAuthorization: Basic eDp5\r\n", 200, false);
    assert_true(counter(&counters->held) == 1);
}

static void crowd_of_clients_that_leave_while_held_leaves_nothing_behind(void **state)
{
    enum { ROUNDS = 5, MANY = 40 };
    fixture *f = *state;
    throng_board_counters *counters = throng_board_counters_of(&f->board);
    throng_board_key key = key_of(f, site_port(SITE_MODULE), "/film");
    uint64_t before = 0;

    /* The connections of both workers would be used up, were they not given back. */
    for (int round = 0; round < ROUNDS; round++) {
        int fd[MANY];
        throng_board_beat(&f->board, site_now());
        throng_time start = site_now();
        for (int i = 0; i < MANY; i++)
            fd[i] = ask();
        while (counter(&counters->held) == before && site_now() < start + THRONG_SECOND)
            poll(NULL, 0, 1);
        assert_true(counter(&counters->held) > before);
        before = counter(&counters->held);
        for (int i = 0; i < MANY; i++)
            close(fd[i]);
        while (throng_board_wanted_ago(&f->board, site_now(), &key) != THRONG_NEVER)
            poll(NULL, 0, 10); /* until throngd would be told once more */
    }
    get(f, "/small", "");
    assert_int_equal(got.status, 200);
}

/* Packets that a client has from the server until it has its answer. */
static uint32_t packets_of_an_answer(void)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    int fd = site_connect(site_port(SITE_MODULE));
    assert_true(fd >= 0);
    site_exchange(fd, "GET /small HTTP/1.1\r\nHost: example.org\r\n\r\n", &got);
    assert_int_equal(got.status, 200);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    close(fd);
    return info.tcpi_segs_in;
}

static void crowd_answers_acknowledge_their_requests(void **state)
{
    throng_time deadline = site_now() + 10 * THRONG_SECOND;
    while (packets_of_an_answer() > 2) /* SYN-ACK, answer */
        assert_true(site_now() < deadline);
}

static int set_up_calm(void **state)
{
    return set_up_with(state, "throng auto; throng_uplink 80m; throng_daemon @DIR@/board;", "", "");
}

static void calm_requests_are_acknowledged_as_ever(void **state)
{
    throng_time until = site_now() + 1500 * THRONG_MS; /* workers look once a second */
    while (site_now() < until) {
        assert_int_equal(packets_of_an_answer(), 3); /* SYN-ACK, ACK, answer */
        poll(NULL, 0, 10);                           /* or it would be a crowd */
    }
}

static int set_up_rush(void **state)
{
    set_up_with(state, "throng on; throng_uplink 4m; throng_daemon @DIR@/board;", "", "");
    publish(*state, site_port(SITE_MODULE), "/film");
    return 0;
}

enum { RUSH = 120, RUSH_LINE = 4000000 / 8, RUSH_SLOT_MS = 50, RUSH_SLOTS = 60 };

/* Opens what is asked for in this slot: one in four wants directions, the others cannot follow any. */
static int rush_ask(int n)
{
    static const char capable[] = "GET /film HTTP/1.1\r\nHost: example.org\r\nThrong: 1\r\nConnection: close\r\n\r\n";
    static const char other[] = "GET /film HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n";
    const char *request = n % 4 == 0 ? capable : other;
    int fd = site_connect(site_port(SITE_MODULE));
    assert_true(fd >= 0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    return fd;
}

/* Reads whatever comes until `until`. */
static void rush_read(struct pollfd *fds, int count, throng_time until)
{
    static char drain[65536];
    throng_time now;

    while ((now = site_now()) < until && poll(fds, (nfds_t)count, (int)((until - now) / THRONG_MS)) >= 0)
        for (int i = 0; i < count; i++)
            if (fds[i].revents != 0 && recv(fds[i].fd, drain, sizeof drain, MSG_DONTWAIT) == 0) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
}

/* Forty a second for three seconds, the seeder idle, so that nearly the line is left to HTTP: bodies that began when
 * there was room must yield to those who come, and no second of twenty slots may pass the line by 5 %. */
static void crowd_rush_of_bodies_directions_and_refusals_never_passes_the_line(void **state)
{
    fixture *f = *state;
    throng_board_counters *counters = throng_board_counters_of(&f->board);
    struct pollfd fds[RUSH];
    uint64_t sent[RUSH_SLOTS + 1];
    throng_time start = site_now();
    int count = 0;

    atomic_store(&counters->http_room_bps, RUSH_LINE * 8 / 100 * 95);
    for (int slot = 0; slot < RUSH_SLOTS; slot++) {
        sent[slot] = counter(&counters->http_line_bytes);
        throng_board_beat(&f->board, site_now());
        while (count < RUSH * (slot + 1) / RUSH_SLOTS) {
            fds[count] = (struct pollfd){.fd = rush_ask(count), .events = POLLIN};
            count++;
        }
        rush_read(fds, count, start + (throng_time)(slot + 1) * RUSH_SLOT_MS * THRONG_MS);
    }
    sent[RUSH_SLOTS] = counter(&counters->http_line_bytes);
    for (int i = 0; i < count; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
    for (int slot = 20; slot <= RUSH_SLOTS; slot++)
        assert_true(sent[slot] - sent[slot - 20] <= RUSH_LINE / 100 * 105);
    assert_true(sent[RUSH_SLOTS] > RUSH_LINE); /* and is used */
    assert_true(counter(&counters->refused) > 0);
    assert_true(counter(&counters->directions) > RUSH / 8);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    module = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(crowd_of_an_object_unknown_is_held_until_it_is_published_and_then_directed,
                                        set_up_unknown, tear_down),
        cmocka_unit_test_setup_teardown(crowd_of_an_object_unknown_is_held_until_it_is_published_and_then_directed,
                                        set_up_unknown_cached, tear_down),
        cmocka_unit_test_setup_teardown(crowd_of_an_object_never_published_is_held_a_moment_and_served, set_up_unknown,
                                        tear_down),
        cmocka_unit_test_setup_teardown(crowd_answers_acknowledge_their_requests, set_up_unknown, tear_down),
        cmocka_unit_test_setup_teardown(calm_requests_are_acknowledged_as_ever, set_up_calm, tear_down),
        cmocka_unit_test_setup_teardown(crowd_rush_of_bodies_directions_and_refusals_never_passes_the_line, set_up_rush,
                                        tear_down),
        cmocka_unit_test_setup_teardown(crowd_of_clients_that_leave_while_held_leaves_nothing_behind, set_up_unknown,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
