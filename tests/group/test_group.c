/* Stories of groups: who meets whom, what is found, what is lost with a root, what a liar gains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

enum { URL = 4711 };

/* Clients that come 20 ms apart, each told of the ten before it. */
static world *crowd_of(uint32_t count)
{
    world *w = world_new();
    for (uint32_t i = 0; i < count; i++) {
        world_come(w, 10);
        world_run(w, 20 * THRONG_MS);
    }
    world_run(w, 3 * THRONG_SECOND);
    return w;
}

static void forty_who_were_told_of_ten_each_know_each_other(void **state)
{
    world *w = crowd_of(40);
    assert_true(world_is_one(w));
    world_free(w);
}

static void forty_who_come_at_once_know_each_other(void **state)
{
    world *w = world_new();
    for (uint32_t i = 0; i < 40; i++)
        world_come(w, 10);
    world_run(w, 8 * THRONG_SECOND);
    assert_true(world_is_one(w));
    world_free(w);
}

static void groups_of_many_stay_below_their_maximum_and_know_each_other(void **state)
{
    world *w = crowd_of(160);
    uint32_t small = 0;
    world_run(w, 10 * THRONG_SECOND);
    for (uint32_t i = 0; i < w->count; i++) {
        throng_group_stats stats = world_stats(w, i);
        uint32_t same = 0;
        assert_in_range(stats.members, 1, w->config.members_max);
        for (uint32_t j = 0; j < w->count; j++)
            same += world_stats(w, j).id == stats.id;
        /* Who has moved a moment ago is counted by some still. */
        assert_in_range(stats.members + 5, same, same + 10);
        small += stats.members < 30;
    }
    assert_in_range(small, 0, 30); /* what was left over, at the most */
    world_free(w);
}

static void a_copy_is_found_in_two_steps(void **state)
{
    world *w = crowd_of(30);
    throng_copy copy = world_copy('a', 1);
    world_hold(w, 3, URL, &copy);
    world_run(w, THRONG_SECOND);
    memset(w->frames, 0, sizeof w->frames);
    const throng_group_event *event = world_find(w, 20, 1, URL);
    assert_int_equal(event->type, THRONG_GROUP_FOUND);
    assert_int_equal(event->holders_count, 1);
    assert_true(throng_addr_equal(&event->holders[0], &w->members[3].addr));
    assert_memory_equal(&event->copy.object, &copy.object, sizeof copy.object);
    assert_in_range(w->frames[THRONG_FRAME_FIND], 0, 1); /* none if the asker is the root */
    assert_int_equal(w->frames[THRONG_FRAME_COPIES], w->frames[THRONG_FRAME_FIND]);
    world_free(w);
}

static void what_nobody_has_is_said_to_be_so_by_two_roots_at_most(void **state)
{
    world *w = crowd_of(20);
    world_run(w, 6 * THRONG_SECOND);
    memset(w->frames, 0, sizeof w->frames);
    assert_int_equal(world_find(w, 5, 1, URL)->type, THRONG_GROUP_NOT_FOUND);
    assert_in_range(w->frames[THRONG_FRAME_FIND], 1, 2);
    world_free(w);
}

/* Who has just come may be a root and not know it all yet: the one that it took the place of is asked as well. */
static void what_nobody_has_is_said_to_be_so_by_three_when_a_root_has_just_come(void **state)
{
    world *w = crowd_of(20);
    memset(w->frames, 0, sizeof w->frames);
    assert_int_equal(world_find(w, 5, 1, URL)->type, THRONG_GROUP_NOT_FOUND);
    assert_in_range(w->frames[THRONG_FRAME_FIND], 2, 3);
    world_free(w);
}

static void alone_nothing_is_found_at_once(void **state)
{
    world *w = world_new();
    uint32_t who = world_come(w, 0);
    world_ask(w, who, 1, URL, NULL, 0);
    assert_non_null(world_await(w, who, 1, 10 * THRONG_MS));
    world_free(w);
}

/* Whom `asker` asks for URL: nobody was asked anything before. UINT32_MAX: it is the root itself. */
static uint32_t root_of(world *w, uint32_t asker, uint64_t url)
{
    world_find(w, asker, 900, url);
    for (uint32_t i = 0; i < w->count; i++)
        if (i != asker && world_stats(w, i).answered > 0)
            return i;
    return UINT32_MAX;
}

static void losing_the_root_costs_one_retry(void **state)
{
    world *w = crowd_of(25);
    throng_copy copy = world_copy('a', 1);
    uint32_t root = root_of(w, 7, URL);
    uint32_t holder = root == 3 ? 4 : 3;
    assert_int_not_equal(root, UINT32_MAX);
    world_run(w, 3 * THRONG_SECOND); /* 7 is no longer taken to fetch it */
    world_hold(w, holder, URL, &copy);
    world_run(w, THRONG_SECOND);
    throng_group_stats before = world_stats(w, 7);
    world_go(w, root, false);
    throng_time asked = w->now;
    const throng_group_event *event = world_find(w, 7, 2, URL);
    throng_group_stats after = world_stats(w, 7);
    assert_int_equal(event->type, THRONG_GROUP_FOUND);
    assert_in_range(after.asked - before.asked, 1, 2);
    assert_in_range(after.roots_lost - before.roots_lost, 0, 1);
    assert_in_range(w->now - asked, 0, w->config.answer_within + 6 * w->delay);
    world_free(w);
}

static void a_root_that_says_goodbye_costs_nothing(void **state)
{
    world *w = crowd_of(25);
    throng_copy copy = world_copy('a', 1);
    uint32_t root = root_of(w, 7, URL);
    world_run(w, 3 * THRONG_SECOND);
    world_hold(w, root == 3 ? 4 : 3, URL, &copy);
    world_run(w, THRONG_SECOND);
    world_go(w, root, true);
    world_run(w, 200 * THRONG_MS);
    throng_group_stats before = world_stats(w, 7);
    assert_int_equal(world_find(w, 7, 2, URL)->type, THRONG_GROUP_FOUND);
    assert_int_equal(world_stats(w, 7).roots_lost, before.roots_lost);
    world_free(w);
}

/* Every second one comes and one goes, every other one without a word. */
static void under_churn_most_of_what_is_there_is_found(void **state)
{
    world *w = crowd_of(35);
    uint32_t oldest = 0, found = 0, asked = 0;
    w->loss_percent = 1;
    for (uint32_t round = 0; round < 120; round++) {
        throng_copy copy = world_copy((uint8_t)round, round);
        uint32_t newest = world_come(w, 10);
        world_run(w, 700 * THRONG_MS);
        world_hold(w, newest, 1000 + round, &copy);
        world_go(w, oldest++, round % 2 == 0);
        world_run(w, 300 * THRONG_MS);
        for (uint32_t i = 1; i <= 10 && i <= round; i++) {
            uint32_t asker = oldest + (uint32_t)world_random(w) % 20;
            asked++;
            found += world_find(w, asker, 1 + asked, 1000 + round - i)->type == THRONG_GROUP_FOUND;
        }
    }
    print_message("churn: %u of %u found\n", found, asked);
    assert_true(found * 100 >= asked * 95);
    world_free(w);
}

static void a_partition_heals(void **state)
{
    world *w = crowd_of(20);
    throng_copy copy = world_copy('a', 1);
    world_hold(w, 2, URL, &copy);
    world_run(w, THRONG_SECOND);
    for (uint32_t i = 10; i < 20; i++)
        w->side[i] = 1;
    world_run(w, 15 * THRONG_SECOND);
    assert_int_equal(world_find(w, 5, 1, URL)->type, THRONG_GROUP_FOUND);
    assert_int_equal(world_find(w, 15, 1, URL)->type, THRONG_GROUP_NOT_FOUND); /* the server it is, then */
    memset(w->side, 0, sizeof w->side);
    throng_group_meet(w->members[15].group, w->now, &w->members[4].addr); /* in the server's next directions */
    world_run(w, 5 * THRONG_SECOND);
    assert_true(world_is_one(w));
    assert_int_equal(world_find(w, 16, 2, URL)->type, THRONG_GROUP_FOUND);
    world_free(w);
}

static void a_false_i_have_it_costs_one_retry(void **state)
{
    world *w = crowd_of(25);
    throng_copy lie = world_copy('x', UINT64_MAX), truth = world_copy('a', 5);
    throng_tag wrong = throng_hash_tag(&lie.object);
    world_hold(w, 1, URL, &lie);
    world_hold(w, 2, URL, &truth);
    world_run(w, THRONG_SECOND);
    const throng_group_event *event = world_find(w, 10, 1, URL);
    assert_memory_equal(&event->copy.object, &lie.object, sizeof lie.object); /* the manifest gives it away */
    world_ask(w, 10, 2, URL, &wrong, 1);
    event = world_await(w, 10, 2, 2 * THRONG_SECOND);
    assert_int_equal(event->type, THRONG_GROUP_FOUND);
    assert_memory_equal(&event->copy.object, &truth.object, sizeof truth.object);
    /* And who comes next is told the truth at once. */
    event = world_find(w, 11, 1, URL);
    assert_memory_equal(&event->copy.object, &truth.object, sizeof truth.object);
    world_free(w);
}

static void who_accuses_again_and_again_counts_once(void **state)
{
    world *w = crowd_of(25);
    throng_copy good = world_copy('a', 5), old = world_copy('o', 4);
    throng_tag tag = throng_hash_tag(&good.object);
    world_hold(w, 1, URL, &good);
    world_hold(w, 2, URL, &old);
    world_run(w, THRONG_SECOND);
    for (uint32_t i = 0; i < 20; i++) {
        world_ask(w, 9, 1 + i, URL, &tag, 1);
        world_run(w, 200 * THRONG_MS);
    }
    /* Two who find the other one wrong, and the good one is first again. */
    throng_tag other = throng_hash_tag(&old.object);
    for (uint32_t i = 10; i < 12; i++)
        world_ask(w, i, 1, URL, &other, 1);
    world_run(w, THRONG_SECOND);
    assert_memory_equal(&world_find(w, 20, 1, URL)->copy.object, &good.object, sizeof good.object);
    world_free(w);
}

/* A puppet that has become a member: it says that it is one, and answers who asks. */
static uint32_t infiltrate(world *w)
{
    uint32_t puppet = world_puppet(w), members = puppet;
    uint8_t bytes[THRONG_PAYLOAD_MAX];
    throng_group_frame frame = {.nonce = 5, .members = 1, .flags = THRONG_GROUP_ASKS};
    frame.group = world_stats(w, 0).id;
    w->members[puppet].answers = true;
    for (uint32_t i = 0; i < members; i++) {
        throng_writer writer = throng_writer_on(bytes, sizeof bytes);
        frame.observed = w->members[i].addr;
        throng_group_frame_encode(&writer, &frame);
        world_say(w, puppet, i, &writer);
    }
    world_run(w, THRONG_SECOND);
    for (uint32_t i = 0; i < members; i++)
        assert_int_equal(world_stats(w, i).members, members + 1);
    return puppet;
}

static void say_find(world *w, uint32_t from, uint32_t to, const throng_find *find)
{
    uint8_t bytes[THRONG_PAYLOAD_MAX];
    throng_writer writer = throng_writer_on(bytes, sizeof bytes);
    throng_find_encode(&writer, find);
    world_say(w, from, to, &writer);
}

static void a_flood_of_holdings_takes_no_more_than_its_share(void **state)
{
    world *w = crowd_of(10);
    uint32_t liar = infiltrate(w);
    w->config.urls_max = 4096;
    throng_find find = {.holds = true, .copy = world_copy('x', 1)};
    for (uint32_t i = 0; i < 100000; i++) {
        find.url = i * 0x9e3779b97f4a7c15u;
        say_find(w, liar, 0, &find);
        if (i % 1000 == 999)
            world_run(w, 200 * THRONG_MS);
    }
    throng_group_stats stats = world_stats(w, 0);
    print_message("flood: %u records, %llu refused\n", stats.urls, (unsigned long long)stats.refused);
    assert_in_range(stats.urls, 1, w->config.urls_max / 16 + 16);
    assert_true(stats.refused > 90000);
    throng_copy copy = world_copy('a', 1);
    world_hold(w, 4, URL, &copy);
    world_run(w, THRONG_SECOND);
    assert_int_equal(world_find(w, 7, 1, URL)->type, THRONG_GROUP_FOUND);
    world_free(w);
}

static void a_stranger_is_not_told_who_has_what(void **state)
{
    world *w = crowd_of(10);
    throng_copy copy = world_copy('a', 1);
    uint32_t stranger = world_puppet(w);
    throng_find find = {.number = 1, .url = URL};
    world_hold(w, 3, URL, &copy);
    world_run(w, THRONG_SECOND);
    for (uint32_t i = 0; i < 10; i++)
        say_find(w, stranger, i, &find);
    world_run(w, THRONG_SECOND);
    assert_int_equal(w->members[stranger].told_count, 0);
    assert_int_equal(w->members[stranger].received_bytes, 0);
    world_free(w);
}

/* Its address may be somebody else's: first words are answered with no more than three times what came. */
static void an_unproven_address_gets_three_times_what_it_sent_at_most(void **state)
{
    world *w = crowd_of(40);
    uint32_t stranger = world_puppet(w);
    uint8_t bytes[64];
    throng_group_frame frame = {.nonce = 5, .members = 1, .flags = THRONG_GROUP_ASKS};
    frame.group = world_stats(w, 0).id;
    frame.observed = w->members[0].addr;
    for (uint32_t i = 0; i < 50; i++) {
        throng_writer writer = throng_writer_on(bytes, sizeof bytes);
        throng_group_frame_encode(&writer, &frame);
        world_say(w, stranger, i % 40, &writer);
        world_run(w, (i % 7) * 100 * THRONG_MS);
        assert_true(w->members[stranger].received_bytes <= 3 * w->members[stranger].sent_bytes);
    }
    world_run(w, 5 * THRONG_SECOND);
    assert_true(w->members[stranger].received_bytes <= 3 * w->members[stranger].sent_bytes);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(world_stats(w, i).members, 40); /* and it is no member */
    world_free(w);
}

/* Who names addresses of others makes members send to them: so much and no more. */
static void addresses_that_a_liar_names_get_few_small_datagrams(void **state)
{
    world *w = crowd_of(10);
    uint32_t liar = infiltrate(w);
    uint32_t victim = world_puppet(w);
    uint8_t bytes[THRONG_PAYLOAD_MAX];
    throng_group_frame frame = {.group = world_stats(w, 0).id, .nonce = 5, .members = 40};
    frame.observed = w->members[0].addr;
    frame.count = 1;
    frame.addrs[0] = w->members[victim].addr;
    for (uint32_t i = 0; i < 200; i++) {
        throng_writer writer = throng_writer_on(bytes, sizeof bytes);
        throng_group_frame_encode(&writer, &frame);
        world_say(w, liar, 0, &writer);
        world_run(w, 10 * THRONG_MS);
    }
    print_message("named: the victim got %llu bytes for %llu\n", (unsigned long long)w->members[victim].received_bytes,
                  (unsigned long long)w->members[liar].sent_bytes);
    assert_true(w->members[victim].received_bytes * 10 <= w->members[liar].sent_bytes);
    world_free(w);
}

/* A cold start: all ask for the same at once. One goes to the server, the others wait for it. */
static void one_fetches_what_all_want(void **state)
{
    world *w = crowd_of(30);
    throng_copy copy = world_copy('a', 1);
    uint32_t to_server = 0, first = UINT32_MAX;
    for (uint32_t i = 0; i < 30; i++)
        world_ask(w, i, 1, URL, NULL, 0);
    world_run(w, 400 * THRONG_MS);
    for (uint32_t i = 0; i < 30; i++)
        if (w->members[i].events_count > 0 && w->members[i].events[0].type == THRONG_GROUP_NOT_FOUND) {
            first = i;
            to_server++;
        }
    assert_in_range(to_server, 1, 2);
    world_hold(w, first, URL, &copy); /* its manifest came */
    world_run(w, THRONG_SECOND);
    for (uint32_t i = 0; i < 30; i++)
        assert_int_equal(w->members[i].events_count, 1);
    to_server = 0;
    for (uint32_t i = 0; i < 30; i++)
        to_server += w->members[i].events[0].type == THRONG_GROUP_NOT_FOUND;
    assert_in_range(to_server, 1, 2);
    world_free(w);
}

static void who_gives_up_fetching_lets_the_next_one_try(void **state)
{
    world *w = crowd_of(20);
    assert_int_equal(world_find(w, 3, 1, URL)->type, THRONG_GROUP_NOT_FOUND);
    throng_group_release(w->members[3].group, w->now, URL);
    throng_group_tick(w->members[3].group, w->now);
    world_run(w, 300 * THRONG_MS);
    throng_time asked = w->now;
    assert_int_equal(world_find(w, 4, 1, URL)->type, THRONG_GROUP_NOT_FOUND);
    assert_in_range(w->now - asked, 0, 500 * THRONG_MS);
    world_free(w);
}

static void a_copy_that_the_server_named_long_ago_is_not_told(void **state)
{
    world *w = crowd_of(15);
    throng_copy copy = world_copy('a', 1);
    copy.age_s = 50;
    world_hold(w, 3, URL, &copy);
    world_run(w, 2 * THRONG_SECOND);
    const throng_group_event *event = world_find(w, 8, 1, URL);
    assert_int_equal(event->type, THRONG_GROUP_FOUND);
    assert_in_range(event->copy.age_s, 50, 54);
    world_run(w, 10 * THRONG_SECOND);
    assert_int_equal(world_find(w, 8, 2, URL)->type, THRONG_GROUP_NOT_FOUND);
    world_free(w);
}

static void the_newest_version_is_told(void **state)
{
    world *w = crowd_of(15);
    throng_copy old = world_copy('o', 1), new = world_copy('n', 2);
    world_hold(w, 2, URL, &new);
    world_hold(w, 3, URL, &old);
    world_hold(w, 4, URL, &old);
    world_run(w, THRONG_SECOND);
    assert_int_equal(world_find(w, 8, 1, URL)->copy.version, 2);
    world_free(w);
}

static void one_answer_names_eight_holders_at_most(void **state)
{
    world *w = crowd_of(30);
    throng_copy copy = world_copy('a', 1);
    for (uint32_t i = 0; i < 25; i++)
        world_hold(w, i, URL, &copy);
    world_run(w, 2 * THRONG_SECOND);
    assert_in_range(world_find(w, 28, 1, URL)->holders_count, 4, THRONG_COPY_HOLDERS_MAX + 1);
    world_free(w);
}

static void questions_have_a_maximum(void **state)
{
    world *w = world_new();
    w->config.finds_max = 2;
    uint32_t who = world_come(w, 0);
    throng_group *group = w->members[who].group;
    assert_int_equal(throng_group_find(group, w->now, 0, URL, NULL, 0), THRONG_ERR_INVALID);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(throng_group_find(group, w->now, 1 + i, URL, NULL, 0), 0);        /* answered at once: alone */
    assert_int_equal(throng_group_find(group, w->now, 99, URL, NULL, 0), THRONG_ERR_FULL); /* events not polled */
    world_free(w);
}

static void a_quiet_group_costs_little(void **state)
{
    world *w = crowd_of(40);
    uint64_t before = w->members[5].sent_bytes + w->members[5].received_bytes;
    world_run(w, 10 * THRONG_SECOND);
    uint64_t bytes = w->members[5].sent_bytes + w->members[5].received_bytes - before;
    print_message("quiet: %llu bytes a second, both ways\n", (unsigned long long)bytes / 10);
    assert_in_range(bytes / 10, 1, 3000);
    world_free(w);
}

/* Nobody is told all that a member has: a root hears of the URLs that are its part, each from who has them. */
static void a_member_hears_only_of_its_share_of_what_another_has(void **state)
{
    enum { HELD = 300 };
    world *w = crowd_of(30);
    uint32_t curious = infiltrate(w);
    for (uint32_t i = 0; i < HELD; i++) {
        throng_copy copy = world_copy((uint8_t)i, 1);
        world_hold(w, 3, 1000 + i * 7919u, &copy);
        world_run(w, 3 * THRONG_MS);
    }
    uint32_t heard = w->members[curious].holds_count;
    print_message("curious: heard of %u of %u\n", heard, (uint32_t)HELD);
    assert_in_range(heard, 1, HELD / 5); /* two roots of 31; what is not answered is told once more */
    world_free(w);
}

/* Whoever does not know a URL's id has to guess it, 64 guesses a second. */
static void guessing_ids_tells_nothing(void **state)
{
    world *w = crowd_of(10);
    uint32_t curious = infiltrate(w);
    for (uint32_t i = 0; i < 50; i++) {
        throng_copy copy = world_copy((uint8_t)i, 1);
        world_hold(w, i % 10, 0x123456789abcdefu * (i + 1), &copy);
    }
    world_run(w, THRONG_SECOND);
    for (uint32_t i = 0; i < 1000; i++) {
        throng_find find = {.number = 1 + i, .url = i};
        say_find(w, curious, i % 10, &find);
        world_run(w, 2 * THRONG_MS);
        assert_false(w->members[curious].told.found);
    }
    assert_true(w->members[curious].told_count < 10 * 4 * w->config.asks_a_second_max);
    world_free(w);
}

static size_t bytes_left;

static void *scarce(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    if (new_size > bytes_left)
        return NULL;
    bytes_left -= new_size;
    return realloc(block, new_size);
}

static void without_memory_it_says_so_and_stays_whole(void **state)
{
    throng_group_config config;
    throng_group_config_default(&config);
    throng_alloc alloc = {.resize = scarce};
    throng_group *group = NULL;
    for (bytes_left = 0; throng_group_new(&group, &config, &alloc) < 0;) {
        static size_t limit;
        limit += 4096;
        bytes_left = limit;
        assert_null(group);
    }
    throng_copy copy = world_copy('a', 1);
    bytes_left = 0;
    assert_int_equal(throng_group_hold(group, 1, URL, &copy), THRONG_ERR_FULL);
    throng_group_tick(group, 2);
    throng_group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forty_who_were_told_of_ten_each_know_each_other),
        cmocka_unit_test(forty_who_come_at_once_know_each_other),
        cmocka_unit_test(groups_of_many_stay_below_their_maximum_and_know_each_other),
        cmocka_unit_test(a_copy_is_found_in_two_steps),
        cmocka_unit_test(what_nobody_has_is_said_to_be_so_by_two_roots_at_most),
        cmocka_unit_test(what_nobody_has_is_said_to_be_so_by_three_when_a_root_has_just_come),
        cmocka_unit_test(alone_nothing_is_found_at_once),
        cmocka_unit_test(losing_the_root_costs_one_retry),
        cmocka_unit_test(a_root_that_says_goodbye_costs_nothing),
        cmocka_unit_test(under_churn_most_of_what_is_there_is_found),
        cmocka_unit_test(a_partition_heals),
        cmocka_unit_test(a_false_i_have_it_costs_one_retry),
        cmocka_unit_test(who_accuses_again_and_again_counts_once),
        cmocka_unit_test(a_flood_of_holdings_takes_no_more_than_its_share),
        cmocka_unit_test(a_stranger_is_not_told_who_has_what),
        cmocka_unit_test(an_unproven_address_gets_three_times_what_it_sent_at_most),
        cmocka_unit_test(addresses_that_a_liar_names_get_few_small_datagrams),
        cmocka_unit_test(one_fetches_what_all_want),
        cmocka_unit_test(who_gives_up_fetching_lets_the_next_one_try),
        cmocka_unit_test(a_copy_that_the_server_named_long_ago_is_not_told),
        cmocka_unit_test(the_newest_version_is_told),
        cmocka_unit_test(one_answer_names_eight_holders_at_most),
        cmocka_unit_test(questions_have_a_maximum),
        cmocka_unit_test(a_quiet_group_costs_little),
        cmocka_unit_test(a_member_hears_only_of_its_share_of_what_another_has),
        cmocka_unit_test(guessing_ids_tells_nothing),
        cmocka_unit_test(without_memory_it_says_so_and_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
