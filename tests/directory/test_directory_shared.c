/* The directory between threads (this test is built under ThreadSanitizer, too) and with a writer that is killed. Peer
 * n holds only the object n modulo OBJECTS, and every byte of its address follows from n: a reader can tell an address
 * put together from two, and one named for an object it never had. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <throng/directory.h>
#include <unistd.h>

#include <cmocka.h>

enum { OBJECTS = 4, PEERS = 64, HOLDERS = 14, READERS = 3, STEPS = 60000, ROUNDS = 40 };

static const throng_directory_limits limits = {.objects_max = OBJECTS, .peers_max = PEERS, .holders_max = HOLDERS};

typedef struct shared {
    atomic_uint steps; /* of the writer */
    atomic_bool done;
    atomic_uint wrong;
    atomic_uint named;
    throng_directory d;
} shared;

/* Half of them are of IPv4, which are kept in another way. */
static throng_addr addr_of(uint32_t n)
{
    throng_addr addr = throng_addr_from_ipv4(0, 0, 0, 0, (uint16_t)(n * 0x9e3779b9U >> 16 | 1));
    bool ipv4 = n / OBJECTS % 2 == 0;
    for (uint32_t i = ipv4 ? 3 : 0; i < 4; i++) {
        uint32_t word = n ^ (3 - i) * 0x9e3779b9U;
        memcpy(addr.ip + (size_t)i * 4, &word, 4);
    }
    return addr;
}

static bool is_whole(const throng_addr *addr, uint32_t object)
{
    uint32_t n;
    memcpy(&n, addr->ip + 12, sizeof n);
    throng_addr whole = addr_of(n);
    return throng_addr_equal(addr, &whole) && n % OBJECTS == object;
}

/* Returns how many of what was named is wrong. */
static uint32_t read_all(shared *s, const throng_directory *d, uint64_t random)
{
    throng_addr peers[HOLDERS];
    uint32_t wrong = 0;
    for (uint32_t object = 0; object < OBJECTS; object++) {
        throng_directory_query query = {
            .object = object, .tag = object + 100, .random = random, .max = 10, .kinds = UINT32_MAX};
        uint32_t count = throng_directory_pick(d, &query, peers);
        for (uint32_t i = 0; i < count; i++)
            wrong += !is_whole(&peers[i], object);
        atomic_fetch_add(&s->named, count);
    }
    return wrong;
}

static void *read_until_done(void *user)
{
    shared *s = user;
    throng_directory mine;
    if (throng_directory_open(&mine, s->d.base, &limits) != 0)
        return NULL;
    for (uint64_t n = 0; !atomic_load(&s->done); n++)
        atomic_fetch_add(&s->wrong, read_all(s, &mine, n));
    return NULL;
}

/* Objects come first, each at its own number; now and then one goes and comes back. */
static void add_objects(throng_directory *d)
{
    uint32_t object;
    for (uint32_t i = 0; i < OBJECTS; i++)
        if (throng_directory_add_object(d, i + 100, &object) != 0 || object != i)
            _exit(1);
}

static void write_steps(throng_directory *d, atomic_uint *steps, uint32_t from, uint32_t count)
{
    uint32_t numbers[PEERS], ids[PEERS], there = 0;
    for (uint32_t n = from; n != from + count; n++) {
        throng_addr addr = addr_of(n);
        if (there == PEERS) {
            uint32_t gone = n * 7 % PEERS;
            if (n % 3 != 0) /* else its references are left where they are */
                throng_directory_drop(d, ids[gone] % OBJECTS, numbers[gone]);
            throng_directory_remove_peer(d, numbers[gone]);
            numbers[gone] = numbers[--there];
            ids[gone] = ids[there];
        }
        if (throng_directory_add_peer(d, 0, &addr, &(throng_place){.near = (uint16_t)n}, &numbers[there]) != 0)
            _exit(1);
        ids[there] = n;
        throng_directory_hold(d, n * THRONG_MS, n % OBJECTS, numbers[there], n % 5 != 0);
        throng_directory_heard(d, n, numbers[there++]);
        if (n % 501 == 0) {
            uint32_t object;
            throng_directory_remove_object(d, n % OBJECTS);
            if (throng_directory_add_object(d, n % OBJECTS + 100, &object) != 0 || object != n % OBJECTS)
                _exit(1);
        }
        atomic_fetch_add(steps, 1);
    }
}

static shared *make_shared(void)
{
    size_t size = sizeof(shared) + 64 + throng_directory_size(&limits);
    shared *s = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s != MAP_FAILED);
    assert_int_equal(throng_directory_open(&s->d, (uint8_t *)s + (sizeof(shared) + 63) / 64 * 64, &limits), 0);
    throng_directory_clear(&s->d);
    return s;
}

static void directory_read_while_written_names_whole_addresses_of_holders(void **state)
{
    shared *s = make_shared();
    pthread_t readers[READERS];
    add_objects(&s->d);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_until_done, s), 0);
    write_steps(&s->d, &s->steps, 0, STEPS);
    atomic_store(&s->done, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&s->wrong), 0);
    assert_true(atomic_load(&s->named) > 0);
}

/* A child that writes without end is killed at an arbitrary instruction, again and again; the next one takes over what
 * is there while readers go on. */
static void directory_whose_writer_is_killed_is_right_and_taken_over(void **state)
{
    shared *s = make_shared();
    throng_directory reader = s->d;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t wrong = 0;
        atomic_store(&s->steps, 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            throng_directory mine;
            if (throng_directory_open(&mine, reader.base, &limits) != 0)
                _exit(1);
            throng_directory_clear(&mine);
            add_objects(&mine);
            write_steps(&mine, &s->steps, round << 20, 1U << 20);
            _exit(0);
        }
        while (atomic_load(&s->steps) < 200 + round * 37 && waitpid(child, NULL, WNOHANG) == 0)
            wrong += read_all(s, &reader, round);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(wrong + read_all(s, &reader, round), 0);
    }
    assert_true(atomic_load(&s->named) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directory_read_while_written_names_whole_addresses_of_holders),
        cmocka_unit_test(directory_whose_writer_is_killed_is_right_and_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
