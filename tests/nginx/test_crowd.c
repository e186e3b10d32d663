/* A crowd that begins: an object that throngd does not know yet, and what the line carries then. Usage: test_crowd
 * MODULE */
#include "module_fixture.h"
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sends a request for directions to the film, and does not wait. */
static int ask(void)
{
    static const char request[] = "GET /film HTTP/1.1\r\nHost: example.org\r\nThrong: 1\r\n\r\n";
    int fd = site_connect(PORT);
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
    throng_board_key key = key_of(f, PORT, "/film");
    throng_board_entry entry;
    int fd[MANY];

    publish(f, PORT, "/film");
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
    throng_board_key key = key_of(f, PORT, "/film");
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
        cmocka_unit_test_setup_teardown(crowd_of_clients_that_leave_while_held_leaves_nothing_behind, set_up_unknown,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
