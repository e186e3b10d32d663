/* The directory: newest for oldest, gone at once, evenly named, those near first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "directory/layout.h"

enum { OBJECTS = 4, PEERS = 300, HOLDERS = 62 };

static const throng_directory_limits limits = {.objects_max = OBJECTS, .peers_max = PEERS, .holders_max = HOLDERS};

typedef struct fixture {
    void *memory;
    throng_directory d;
    throng_time now;
    uint32_t object;
    uint64_t random;
} fixture;

static throng_addr addr_of(uint32_t n)
{
    return throng_addr_from_ipv4(10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 4000);
}

static uint32_t number_of(const throng_addr *addr)
{
    return (uint32_t)addr->ip[13] << 16 | (uint32_t)addr->ip[14] << 8 | addr->ip[15];
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->memory = calloc(1, throng_directory_size(&limits));
    assert_non_null(f->memory);
    assert_int_equal(throng_directory_open(&f->d, f->memory, &limits), 0);
    throng_directory_clear(&f->d);
    f->now = 1000 * THRONG_SECOND;
    assert_int_equal(throng_directory_add_object(&f->d, 77, &f->object), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    free(f->memory);
    free(f);
    return 0;
}

static uint32_t add_near(fixture *f, uint32_t n, uint16_t near)
{
    throng_addr addr = addr_of(n);
    uint32_t peer;
    assert_int_equal(throng_directory_add_peer(&f->d, f->now, &addr, &(throng_place){.near = near}, &peer), 0);
    return peer;
}

static uint32_t join_near(fixture *f, uint32_t n, uint16_t near)
{
    uint32_t peer = add_near(f, n, near);
    throng_directory_hold(&f->d, f->now, f->object, peer, true);
    return peer;
}

static uint32_t join(fixture *f, uint32_t n)
{
    return join_near(f, n, 0);
}

static uint32_t pick_near(fixture *f, uint32_t max, uint16_t near, throng_addr *ret)
{
    throng_directory_query query = {.object = f->object,
                                    .tag = 77,
                                    .now = f->now,
                                    .random = f->random++,
                                    .max = max,
                                    .kinds = THRONG_KINDS_UDP,
                                    .place.near = near};
    return throng_directory_pick(&f->d, &query, ret);
}

static uint32_t pick(fixture *f, uint32_t max, throng_addr *ret)
{
    return pick_near(f, max, 0, ret);
}

static void limits_out_of_range_have_no_size(void **state)
{
    const throng_directory_limits wrong[] = {{0, 1, 1},
                                             {1, 0, 1},
                                             {1, 1, 0},
                                             {THRONG_DIRECTORY_OBJECTS_MAX + 1, 1, 1},
                                             {1, THRONG_DIRECTORY_PEERS_MAX + 1, 1},
                                             {1, 1, THRONG_DIRECTORY_HOLDERS_MAX + 1}};
    throng_directory d;
    uint64_t memory[64];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(throng_directory_size(&wrong[i]), 0);
        assert_int_equal(throng_directory_open(&d, memory, &wrong[i]), THRONG_ERR_INVALID);
    }
    assert_int_equal(throng_directory_open(&d, (uint8_t *)memory + 1, &limits), THRONG_ERR_INVALID);
}

static void newest_holders_take_the_place_of_the_oldest(void **state)
{
    fixture *f = *state;
    throng_addr peers[HOLDERS];
    for (uint32_t n = 0; n < 200; n++) {
        join(f, n);
        f->now += 40 * THRONG_MS;
    }
    throng_directory_set_times(&f->d, THRONG_SECOND, THRONG_NEVER);
    assert_int_equal(pick(f, HOLDERS, peers), HOLDERS);
    for (uint32_t i = 0; i < HOLDERS; i++)
        assert_in_range(number_of(&peers[i]), 200 - HOLDERS, 199);
}

static void lists_hold_as_many_as_asked_for_and_none_twice(void **state)
{
    fixture *f = *state;
    throng_addr peers[HOLDERS];
    for (uint32_t n = 0; n < 50; n++)
        join(f, n);
    for (uint32_t max = 0; max <= HOLDERS; max++) {
        assert_int_equal(pick(f, max, peers), max < 50 ? max : 50);
        for (uint32_t i = 0; i < max && i < 50; i++)
            for (uint32_t j = 0; j < i; j++)
                assert_false(throng_addr_equal(&peers[i], &peers[j]));
    }
}

static void load_is_spread_evenly(void **state)
{
    fixture *f = *state;
    throng_addr peers[10];
    uint32_t named[HOLDERS] = {0};
    for (uint32_t n = 0; n < HOLDERS; n++)
        join(f, n);
    for (uint32_t list = 0; list < 6200; list++) {
        assert_int_equal(pick(f, 10, peers), 10);
        for (uint32_t i = 0; i < 10; i++)
            named[number_of(&peers[i])]++;
    }
    for (uint32_t n = 0; n < HOLDERS; n++)
        assert_in_range(named[n], 850, 1150); /* 1,000 expected, deviation 29 */
}

/* A crowd that comes and goes: nobody who is there for as long as the next is named much more often. */
static void load_of_a_passing_crowd_is_spread_evenly(void **state)
{
    enum { ARRIVALS = 2000, STAY = 64 };
    fixture *f = *state;
    uint32_t named[ARRIVALS] = {0}, present[STAY];
    throng_addr peers[10];
    for (uint32_t n = 0; n < ARRIVALS; n++) {
        uint32_t count = pick(f, 10, peers);
        for (uint32_t i = 0; i < count; i++)
            named[number_of(&peers[i])]++;
        if (n >= STAY) {
            throng_directory_drop(&f->d, f->object, present[n % STAY]);
            throng_directory_remove_peer(&f->d, present[n % STAY]);
        }
        present[n % STAY] = join(f, n);
        f->now += 31 * THRONG_MS;
    }
    uint32_t most = 0;
    for (uint32_t n = STAY; n < ARRIVALS - STAY; n++) {
        assert_true(named[n] >= 1);
        most = named[n] > most ? named[n] : most;
    }
    assert_true(most <= 25); /* 10 expected; of 1,900 drawn at random the largest lies near 22 */
}

static void fresh_holders_come_first(void **state)
{
    fixture *f = *state;
    throng_addr peers[HOLDERS];
    for (uint32_t n = 0; n < 20; n++)
        join(f, n);
    f->now += 2500 * THRONG_MS;
    for (uint32_t n = 20; n < 25; n++)
        join(f, n);
    assert_int_equal(pick(f, 5, peers), 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_in_range(number_of(&peers[i]), 20, 24);
    assert_int_equal(pick(f, 10, peers), 10);
}

static void peer_silent_or_removed_is_named_no_more(void **state)
{
    fixture *f = *state;
    throng_addr peers[HOLDERS];
    uint32_t first = join(f, 1), second = join(f, 2);
    join(f, 3);
    f->now += 4 * THRONG_SECOND;
    throng_directory_heard(&f->d, f->now, first);
    throng_directory_heard(&f->d, f->now, second);
    f->now += 1500 * THRONG_MS; /* the third was silent for 5.5 s; nobody tells the directory */
    assert_int_equal(pick(f, HOLDERS, peers), 2);
    throng_directory_remove_peer(&f->d, first); /* though it was not dropped */
    assert_int_equal(pick(f, HOLDERS, peers), 1);
    assert_int_equal(number_of(&peers[0]), 2);
    throng_directory_drop(&f->d, f->object, second);
    assert_int_equal(pick(f, HOLDERS, peers), 0);
}

static void place_of_a_removed_peer_given_on_is_not_taken_for_it(void **state)
{
    fixture *f = *state;
    throng_addr peers[HOLDERS];
    for (uint32_t n = 0; n < PEERS; n++)
        add_near(f, n, 0);
    uint32_t peer;
    throng_addr addr = addr_of(1000);
    assert_int_equal(throng_directory_add_peer(&f->d, f->now, &addr, &(throng_place){0}, &peer), THRONG_ERR_FULL);
    throng_directory_hold(&f->d, f->now, f->object, 5, true);
    throng_directory_remove_peer(&f->d, 5);
    assert_int_equal(add_near(f, 1000, 0), 5);
    assert_int_equal(pick(f, HOLDERS, peers), 0);
    throng_directory_hold(&f->d, f->now, f->object, 5, false);
    assert_int_equal(pick(f, HOLDERS, peers), 1);
    assert_int_equal(number_of(&peers[0]), 1000);
}

static void those_who_stay_take_turns_but_leave_the_fresh_alone(void **state)
{
    fixture *f = *state;
    throng_addr peers[HOLDERS];
    uint32_t all[100];
    for (uint32_t n = 0; n < 100; n++)
        all[n] = join(f, n); /* 38 … 99 have a place, all fresh */
    throng_directory_hold(&f->d, f->now, f->object, all[3], false);
    assert_int_equal(pick(f, HOLDERS, peers), HOLDERS);
    for (uint32_t i = 0; i < HOLDERS; i++)
        assert_int_not_equal(number_of(&peers[i]), 3);
    f->now += 3 * THRONG_SECOND;
    throng_directory_hold(&f->d, f->now, f->object, all[3], false);
    assert_int_equal(pick(f, HOLDERS, peers), HOLDERS);
    uint32_t found = 0;
    for (uint32_t i = 0; i < HOLDERS; i++)
        found += number_of(&peers[i]) == 3;
    assert_int_equal(found, 1);
}

static void object_removed_or_replaced_names_nobody(void **state)
{
    fixture *f = *state;
    throng_addr peers[HOLDERS];
    uint32_t other;
    uint32_t peer = join(f, 1);
    throng_directory_remove_object(&f->d, f->object);
    assert_int_equal(pick(f, HOLDERS, peers), 0);
    assert_int_equal(throng_directory_add_object(&f->d, 78, &other), 0);
    assert_int_equal(other, f->object);
    throng_directory_hold(&f->d, f->now, other, peer, true);
    assert_int_equal(pick(f, HOLDERS, peers), 0); /* asks for 77 */
    for (uint32_t i = 1; i < OBJECTS; i++)
        assert_int_equal(throng_directory_add_object(&f->d, 80 + i, &other), 0);
    assert_int_equal(throng_directory_add_object(&f->d, 90, &other), THRONG_ERR_FULL);
}

static void near_ones_are_named_first_and_a_quarter_from_anywhere(void **state)
{
    enum { SAME = 0x1234, SAME_AS = 0x1256, FAR = 0x5634 };
    fixture *f = *state;
    throng_addr peers[10];
    for (uint32_t n = 0; n < 20; n++) {
        join_near(f, 1000 + n, SAME);
        join_near(f, 2000 + n, SAME_AS);
        join_near(f, 3000 + n, FAR);
    }
    assert_int_equal(pick_near(f, 10, SAME, peers), 10);
    uint32_t same = 0;
    for (uint32_t i = 0; i < 10; i++)
        same += number_of(&peers[i]) / 1000 == 1;
    assert_int_equal(same, 7);
    assert_int_equal(pick_near(f, 10, 0x1299, peers), 10); /* nobody has the prefix */
    same = 0;
    for (uint32_t i = 0; i < 10; i++)
        same += number_of(&peers[i]) / 1000 != 3;
    assert_int_equal(same, 7);
    assert_int_equal(pick_near(f, 10, 0x9999, peers), 10);
}

static void near_ones_fill_the_list_when_there_are_no_others(void **state)
{
    fixture *f = *state;
    throng_addr peers[10];
    for (uint32_t n = 0; n < 9; n++)
        join_near(f, n, 0x1234);
    assert_int_equal(pick_near(f, 10, 0x1234, peers), 9);
}

static void kinds_are_named_only_to_whom_they_can_talk(void **state)
{
    fixture *f = *state;
    throng_addr addrs[] = {addr_of(1), {.ip = {0x20, 1}, .port = 5}, {.ip = {1, 0, [15] = 9}, .port = 1}}, found[4];
    for (int i = 0; i < 3; i++) {
        uint32_t peer;
        assert_int_equal(throng_directory_add_peer(&f->d, f->now, &addrs[i], &(throng_place){0}, &peer), 0);
        throng_directory_hold(&f->d, f->now, f->object, peer, true);
    }
    throng_directory_query query = {.object = f->object, .tag = 77, .now = f->now, .max = 4};
    const uint32_t counts[] = {1, 2, 1};
    for (int i = 0; i < 3; i++) {
        query.kinds = throng_peer_kinds_for(&addrs[i]);
        assert_int_equal(throng_directory_pick(&f->d, &query, found), counts[i]);
        query.but = &addrs[i];
        assert_int_equal(throng_directory_pick(&f->d, &query, found), counts[i] - 1);
        query.but = NULL;
    }
    assert_true(throng_peer_kind_of(&addrs[2]) == THRONG_PEER_BROWSER);
}

/* References of every kind to peers who are there, as bytes at random hardly ever are. */
static void make_some_refer_to_peers(fixture *f)
{
    for (uint32_t i = 0; i < HOLDERS / 2; i++) {
        directory_word *holder = &directory_object(&f->d, f->object)[OBJECT_HOLDERS + i];
        uint64_t at = directory_get(&directory_peer(&f->d, i)[PEER_AT]);
        uint64_t ref = directory_get(holder) & ~(UINT64_MAX << REF_LIFE_SHIFT) & ~UINT64_C(3);
        ref |= (uint64_t)(i + 1) << REF_PEER_SHIFT | (uint64_t)at_life(at) << REF_LIFE_SHIFT | i % 4;
        directory_put(&directory_peer(&f->d, i)[PEER_AT], (at & ~UINT64_C(0xff)) | (i % 4 + 1));
        directory_put(holder, ref);
    }
}

/* As after a disk error, or with a writer gone mad: nothing is read outside. */
static void memory_of_random_bytes_is_read_within_its_bounds(void **state)
{
    fixture *f = *state;
    throng_addr peers[HOLDERS];
    uint64_t x = 1;
    for (uint32_t round = 0; round < 200; round++) {
        directory_word *words = f->memory;
        for (size_t i = 0; i < throng_directory_size(&limits) / 8 - DIRECTORY_LINE / 8; i++) { /* all but the header */
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            directory_put(&words[i], x);
        }
        directory_put(&directory_object(&f->d, f->object)[OBJECT_TAG], 77);
        directory_put(&directory_object(&f->d, f->object)[OBJECT_STATE], OBJECT_USED);
        make_some_refer_to_peers(f);
        assert_true(pick(f, HOLDERS, peers) <= HOLDERS);
    }
    throng_directory_clear(&f->d);
    assert_int_equal(pick(f, HOLDERS, peers), 0);
    assert_int_equal(throng_directory_add_object(&f->d, 77, &f->object), 0);
    join(f, 1);
    assert_int_equal(pick(f, HOLDERS, peers), 1);
}

static void set_delays(throng_place *place, uint8_t first, uint8_t second)
{
    place->delays[0] = first;
    place->delays[1] = second;
}

static uint32_t pick_for(fixture *f, uint32_t max, const throng_place *place, throng_addr *ret)
{
    throng_directory_query query = {.object = f->object,
                                    .tag = 77,
                                    .now = f->now,
                                    .random = f->random++,
                                    .max = max,
                                    .kinds = THRONG_KINDS_UDP,
                                    .place = *place};
    return throng_directory_pick(&f->d, &query, ret);
}

static uint32_t join_at(fixture *f, uint32_t n, const throng_place *place)
{
    throng_addr addr = addr_of(n);
    uint32_t peer;
    assert_int_equal(throng_directory_add_peer(&f->d, f->now, &addr, place, &peer), 0);
    throng_directory_hold(&f->d, f->now, f->object, peer, true);
    return peer;
}

static uint32_t count_below(const throng_addr *addrs, uint32_t count, uint32_t limit)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++)
        found += number_of(&addrs[i]) < limit;
    return found;
}

/* Peers 0 to 9 are by the first landmark, 10 to 29 by the second. */
static void join_two_places(fixture *f)
{
    for (uint32_t n = 0; n < 30; n++) {
        throng_place place = {0};
        set_delays(&place, n < 10 ? 130 : 190, n < 10 ? 190 : 130);
        join_at(f, n, &place);
    }
}

static void pick_without_a_common_prefix_names_those_with_similar_delays(void **state)
{
    fixture *f = *state;
    throng_place own = {.near = 0x0101};
    throng_addr list[8];
    set_delays(&own, 133, 185);
    join_two_places(f);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pick_for(f, 8, &own, list), 8);
        assert_true(count_below(list, 8, 10) >= 6); /* three quarters, and by chance more */
    }
}

static void similar_delays_count_for_more_than_having_come_last(void **state)
{
    fixture *f = *state;
    throng_place own = {.near = 0x0101}, far = {.near = 0x0202};
    throng_addr list[8];
    set_delays(&own, 133, 185);
    join_two_places(f);
    f->now += 3 * THRONG_SECOND; /* they are there still, and no longer fresh */
    set_delays(&far, 20, 20);
    for (uint32_t n = 100; n < 120; n++)
        join_at(f, n, &far);
    assert_int_equal(pick_for(f, 8, &own, list), 8);
    assert_true(count_below(list, 8, 10) >= 6);
}

static void pick_with_a_common_prefix_names_those_before_similar_delays(void **state)
{
    fixture *f = *state;
    throng_place own = {.near = 0x0101}, same = own;
    throng_addr list[8];
    set_delays(&own, 133, 185);
    join_two_places(f);
    set_delays(&same, 20, 20);
    for (uint32_t n = 100; n < 106; n++)
        join_at(f, n, &same);
    assert_int_equal(pick_for(f, 8, &own, list), 8);
    assert_int_equal(8 - count_below(list, 8, 100), 6);
}

static void pick_with_delays_to_one_common_landmark_is_random(void **state)
{
    fixture *f = *state;
    throng_place own = {.delays = {133}};
    throng_addr list[6];
    uint32_t near = 0;
    join_two_places(f);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(pick_for(f, 6, &own, list), 6);
        near += count_below(list, 6, 10);
    }
    assert_in_range(near, 300, 500); /* a third of 1,200 */
}

static void pick_for_a_class_names_alike_lines_and_others_only_for_want_of_them(void **state)
{
    fixture *f = *state;
    throng_addr list[20];
    for (uint32_t n = 0; n < 20; n++)
        join_at(f, n, &(throng_place){.bandwidth = n < 10 ? 5 : 11});
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pick_for(f, 8, &(throng_place){.bandwidth = 4}, list), 8);
        assert_int_equal(count_below(list, 8, 10), 8);
        assert_int_equal(pick_for(f, 8, &(throng_place){.bandwidth = 12}, list), 8);
        assert_int_equal(count_below(list, 8, 10), 0);
    }
    assert_int_equal(pick_for(f, 16, &(throng_place){.bandwidth = 12}, list), 16);
}

/* Whoever says less than it has is named to those who have less, and gets their like: CoopNet section II-C. */
static void peer_reporting_a_lower_class_is_named_to_and_given_lower_ones(void **state)
{
    fixture *f = *state;
    throng_addr list[10];
    throng_place said = {.bandwidth = 11};
    for (uint32_t n = 0; n < 20; n++)
        join_at(f, n, &(throng_place){.bandwidth = n < 10 ? 5 : 11});
    uint32_t peer = join_at(f, 50, &said);
    assert_int_equal(pick_for(f, 10, &said, list), 10);
    assert_int_equal(count_below(list, 10, 10), 0);
    said.bandwidth = 5;
    throng_directory_set_place(&f->d, peer, &said);
    throng_directory_hold(&f->d, f->now, f->object, peer, false);
    assert_int_equal(pick_for(f, 10, &said, list), 10);
    assert_true(count_below(list, 10, 10) >= 9); /* all ten of them, or itself for one */
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pick_for(f, 10, &(throng_place){.bandwidth = 11}, list), 10);
        assert_int_equal(count_below(list, 10, 50), 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_out_of_range_have_no_size),
        cmocka_unit_test_setup_teardown(pick_without_a_common_prefix_names_those_with_similar_delays, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(similar_delays_count_for_more_than_having_come_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pick_with_a_common_prefix_names_those_before_similar_delays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pick_with_delays_to_one_common_landmark_is_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pick_for_a_class_names_alike_lines_and_others_only_for_want_of_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(peer_reporting_a_lower_class_is_named_to_and_given_lower_ones, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(newest_holders_take_the_place_of_the_oldest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_hold_as_many_as_asked_for_and_none_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(load_is_spread_evenly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(load_of_a_passing_crowd_is_spread_evenly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fresh_holders_come_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(peer_silent_or_removed_is_named_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(place_of_a_removed_peer_given_on_is_not_taken_for_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_who_stay_take_turns_but_leave_the_fresh_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(object_removed_or_replaced_names_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(near_ones_are_named_first_and_a_quarter_from_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(near_ones_fill_the_list_when_there_are_no_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kinds_are_named_only_to_whom_they_can_talk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_of_random_bytes_is_read_within_its_bounds, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
