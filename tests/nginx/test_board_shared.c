/* The board between threads (this test is built under ThreadSanitizer, too) and with processes that are killed. */
#include "board_fixture.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { READERS = 3, WRITES = 20000, KEYS = 4, IDS = 20000, WANTS = 300 };

typedef struct shared {
    throng_board board;
    atomic_bool done;
    atomic_uint torn;
    atomic_uint found;
} shared;

static void *read_until_done(void *user)
{
    shared *s = user;
    throng_board_entry entry;

    for (uint64_t n = 0; !atomic_load(&s->done); n++) {
        throng_board_key key = fixture_key(n % KEYS);
        if (throng_board_find(&s->board, &key, &entry) != 0)
            continue;
        atomic_fetch_add(&s->found, 1);
        if (!fixture_entry_whole(&entry))
            atomic_fetch_add(&s->torn, 1);
    }
    return NULL;
}

static void board_read_while_written_is_never_torn(void **state)
{
    shared s = {.board = fixture_board()};
    pthread_t readers[READERS];

    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_until_done, &s), 0);
    for (uint32_t n = 0; n < WRITES || atomic_load(&s.found) == 0; n++) {
        throng_board_key key = fixture_key(n % KEYS);
        throng_board_entry entry = fixture_entry(n & 0xffff);
        if (n % 97 == 0)
            throng_board_withdraw(&s.board, &key);
        else
            assert_int_equal(throng_board_publish(&s.board, &key, &entry), 0);
    }
    atomic_store(&s.done, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&s.torn), 0);
    fixture_free(&s.board);
}

typedef struct taker {
    throng_board *board;
    uint64_t taken[IDS]; /* epoch << 32 | id */
    unsigned wrong_keys;
    unsigned count;
} taker;

static void *take_ids(void *user)
{
    taker *t = user;

    while (t->count < IDS) {
        throng_sender sender;
        if (throng_board_take_sender(t->board, &sender) != 0)
            continue;
        /* The key of epoch n is n + 1, repeated (the first one is the fixture's). */
        if (sender.epoch != 0 && (sender.key[0] != (uint8_t)(sender.epoch + 1) || sender.key[15] != sender.key[0]))
            t->wrong_keys++;
        t->taken[t->count++] = (uint64_t)sender.epoch << 32 | sender.id;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void senders_taken_at_once_across_rotations_are_all_different(void **state)
{
    throng_board board = fixture_board();
    static taker takers[READERS];
    static uint64_t all[READERS * IDS];
    pthread_t threads[READERS];

    for (int i = 0; i < READERS; i++) {
        takers[i] = (taker){.board = &board};
        assert_int_equal(pthread_create(&threads[i], NULL, take_ids, &takers[i]), 0);
    }
    for (int epoch = 1; epoch < 100; epoch++) {
        uint8_t key[THRONG_KEY_SIZE];
        memset(key, epoch + 1, sizeof key);
        throng_board_rotate(&board, key);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(takers[i].wrong_keys, 0);
        memcpy(all + (size_t)i * IDS, takers[i].taken, sizeof takers[i].taken);
    }
    qsort(all, READERS * IDS, sizeof *all, compare);
    for (size_t i = 1; i < READERS * IDS; i++)
        assert_true(all[i] != all[i - 1]);
    fixture_free(&board);
}

static void *post_wants(void *user)
{
    shared *s = user;

    for (uint32_t n = 0; n < WANTS; n++) {
        char uri[] = {'/', (char)('a' + n % 26), (char)('a' + n / 26), 0};
        throng_board_url url = fixture_url("example.org", uri);
        throng_board_key key;
        throng_board_key_of(&s->board, &url, &key);
        throng_board_post_want(&s->board, n * THRONG_SECOND, &key, &url);
        throng_load_add(throng_board_load(&s->board), n, 1);
        throng_budget_charge(throng_board_budget(&s->board), n, 8000, 1);
    }
    return NULL;
}

static void wants_posted_by_many_arrive_as_often_as_counted(void **state)
{
    shared s = {.board = fixture_board()};
    pthread_t posters[READERS];
    uint64_t taken = 0;
    throng_want want;

    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&posters[i], NULL, post_wants, &s), 0);
    for (int i = 0; i < READERS; i++) {
        while (throng_board_take_want(&s.board, 0, &want) == 0)
            taken++;
        pthread_join(posters[i], NULL);
    }
    while (throng_board_take_want(&s.board, 0, &want) == 0)
        taken++;
    assert_int_equal(taken, atomic_load(&throng_board_counters_of(&s.board)->wants_posted));
    assert_int_equal(throng_load_bytes(throng_board_load(&s.board), THRONG_LOAD_BUCKET, THRONG_LOAD_BUCKET),
                     READERS * WANTS);
    fixture_free(&s.board);
}

/* Reads every key once; returns how many entries were torn. Errors other than "not there" and "given up" count as torn.
 */
static unsigned read_all(const throng_board *board)
{
    throng_board_entry entry;
    unsigned torn = 0;

    for (uint64_t n = 0; n < KEYS; n++) {
        throng_board_key key = fixture_key(n);
        int rc = throng_board_find(board, &key, &entry);
        torn += rc == 0 ? !fixture_entry_whole(&entry) : rc != THRONG_ERR_AGAIN && rc != THRONG_ERR_NOT_FOUND;
    }
    return torn;
}

static void publish_until_killed(const throng_board *board, atomic_uint *written)
{
    throng_board mine;

    if (throng_board_adopt(&mine, board->base, throng_board_size(&fixture_limits), &fixture_limits) != 0)
        _exit(1);
    for (uint32_t n = 0;; n++) {
        throng_board_key key = fixture_key(n % KEYS);
        throng_board_entry entry = fixture_entry(n & 0xffff);
        throng_board_publish(&mine, &key, &entry);
        atomic_fetch_add(written, 1);
    }
}

/* A child that publishes without end is killed at an arbitrary instruction, again and again: what is read is whole or
 * not there, every try ends, and the next daemon to adopt the board repairs it. */
static void board_whose_writer_is_killed_is_whole_or_silent_and_adoptable(void **state)
{
    throng_board board = fixture_board();
    atomic_uint *written = mmap(NULL, sizeof *written, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    for (uint32_t round = 0; round < 40; round++) {
        unsigned torn = 0;
        atomic_store(written, 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            publish_until_killed(&board, written);
        while (atomic_load(written) < 50 + round * 7 && waitpid(child, NULL, WNOHANG) == 0)
            torn += read_all(&board);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(torn + read_all(&board), 0);
    }
    munmap(written, sizeof *written);
    fixture_free(&board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(board_read_while_written_is_never_torn),
        cmocka_unit_test(senders_taken_at_once_across_rotations_are_all_different),
        cmocka_unit_test(wants_posted_by_many_arrive_as_often_as_counted),
        cmocka_unit_test(board_whose_writer_is_killed_is_whole_or_silent_and_adoptable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
