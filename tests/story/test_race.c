/* The last two or three candidates of a large object are raced (CoopNet, section II-C, prong 4): each is asked for
 * other chunks, whoever is faster for more, and what the slower ones sent is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

enum { OBJECT = 4 * 1024 * 1024, CHUNKS = OBJECT / 1024, HOLDERS = 3, MBIT = 1000000 };

typedef struct race {
    story *s;
    uint32_t holders[HOLDERS];
    uint32_t asker;
} race;

/* Holders with these uplinks, and one who is told of all of them, in a group: there is no seeder to ask, and who asks
 * has nothing to give. */
static void begin(race *r, const uint64_t up_bps[HOLDERS])
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.object_size = OBJECT;
    scenario.node.tab_bytes = 16 << 20;
    scenario.classes_count = HOLDERS + 1;
    for (uint32_t i = 0; i <= HOLDERS; i++) {
        scenario.classes[i] = scenario.classes[0];
        scenario.classes[i].up_bps = i < HOLDERS ? up_bps[i] : 8 * MBIT;
        scenario.classes[i].down_bps = 50 * MBIT;
        scenario.classes[i].queue_bytes = 128 * 1024;
    }
    r->s = story_new(&scenario);
    for (uint32_t i = 0; i < HOLDERS; i++) {
        r->holders[i] = story_client(r->s);
        story_line(r->s, r->holders[i], i);
        story_offer(r->s, r->holders[i], 0);
    }
    r->asker = story_client(r->s);
    story_line(r->s, r->asker, HOLDERS);
    story_cut(r->s, 0, r->asker, true);
    story_join(r->s, r->asker, 0, r->holders, HOLDERS);
}

static bool asker_done(story *s, void *user)
{
    return story_done(s, ((const race *)user)->asker, 0);
}

static uint64_t given(const race *r, uint32_t holder)
{
    return story_content(r->s, SIM_DELIVERED, r->holders[holder], r->asker, 0);
}

/* Chunks that came more than once. */
static uint32_t overlap(const race *r)
{
    static uint8_t seen[CHUNKS];
    uint32_t twice = 0;
    size_t at = 0;
    memset(seen, 0, sizeof seen);
    const story_frame *data;
    while ((data = story_next(r->s, &at, SIM_DELIVERED, STORY_ANYONE, r->asker, THRONG_FRAME_DATA)))
        if (data->chunk < CHUNKS)
            twice += seen[data->chunk]++ > 0;
    return twice;
}

static void the_fastest_of_three_gives_most_and_nothing_is_wasted(void **state)
{
    static const uint64_t up_bps[HOLDERS] = {1 * MBIT, 8 * MBIT, 2 * MBIT};
    race r;
    begin(&r, up_bps);
    assert_true(story_until(r.s, asker_done, &r, 60 * THRONG_SECOND));
    double took = (double)sim_world_now(r.s->world) / (double)THRONG_SECOND;
    uint64_t got[HOLDERS] = {given(&r, 0), given(&r, 1), given(&r, 2)};
    print_message("1, 8 and 2 Mbit/s gave %llu, %llu and %llu KB in %.2f s; %u of %u chunks came twice\n",
                  (unsigned long long)got[0] / 1024, (unsigned long long)got[1] / 1024,
                  (unsigned long long)got[2] / 1024, took, overlap(&r), CHUNKS);
    assert_true(got[1] > 2 * got[2] && got[2] > got[0] && got[0] > 0);
    assert_true(overlap(&r) * 50 < CHUNKS);
    assert_true(took < OBJECT * 8.0 / (8 * MBIT)); /* sooner than the fastest alone could */
    story_free(r.s);
}

static double seconds_of(race *r, throng_time vanishes)
{
    if (vanishes > 0) {
        story_run(r->s, vanishes);
        story_vanish(r->s, r->holders[1]);
    } else {
        story_cut(r->s, r->holders[1], r->asker, true);
    }
    assert_true(story_until(r->s, asker_done, r, 60 * THRONG_SECOND));
    return (double)sim_world_now(r->s->world) / (double)THRONG_SECOND;
}

/* One of the three goes without a word in the middle: what it gave until then was worth having. */
static void one_that_goes_in_the_middle_has_helped(void **state)
{
    static const uint64_t up_bps[HOLDERS] = {4 * MBIT, 4 * MBIT, 4 * MBIT};
    race with, without;
    begin(&with, up_bps);
    begin(&without, up_bps);
    double took = seconds_of(&with, 2 * THRONG_SECOND), two_alone = seconds_of(&without, 0);
    print_message("%.2f s; the other two alone: %.2f s; %u chunks came twice\n", took, two_alone, overlap(&with));
    assert_true(took < two_alone);
    assert_true(overlap(&with) * 50 < CHUNKS);
    story_free(with.s);
    story_free(without.s);
}

/* Two of three can't be reached at all. */
static void one_alone_is_enough(void **state)
{
    static const uint64_t up_bps[HOLDERS] = {4 * MBIT, 4 * MBIT, 4 * MBIT};
    race r;
    begin(&r, up_bps);
    story_cut(r.s, r.holders[0], r.asker, true);
    story_cut(r.s, r.holders[2], r.asker, true);
    assert_true(story_until(r.s, asker_done, &r, 60 * THRONG_SECOND));
    assert_true((double)sim_world_now(r.s->world) / (double)THRONG_SECOND < 1.4 * OBJECT * 8.0 / (4 * MBIT));
    story_free(r.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fastest_of_three_gives_most_and_nothing_is_wasted),
        cmocka_unit_test(one_that_goes_in_the_middle_has_helped),
        cmocka_unit_test(one_alone_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
