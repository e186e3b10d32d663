/* What the host needs first comes first: from neighbours, and from a seeder alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

enum { OBJECT = 1024 * 1024, CHUNKS = OBJECT / 1024, FIRST = 700, END = 764, HOLDERS = 3 };

static void prefer(story *s, uint32_t who, uint32_t first, uint32_t end)
{
    throng_hash id = s->world->objects[0].id;
    assert_int_equal(throng_node_prefer(story_node(s, who), sim_world_now(s->world), &id, first, end), 0);
}

/* One who wants it, from this many holders and the seeder, and needs a part in the middle first; or none. */
static story *begin(uint32_t holders, bool seeder, bool preferring, uint32_t *ret_asker)
{
    sim_scenario scenario;
    uint32_t peers[HOLDERS];
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.object_size = OBJECT;
    scenario.node.tab_bytes = 16 << 20;
    story *s = story_new(&scenario);
    for (uint32_t i = 0; i < holders; i++) {
        peers[i] = story_client(s);
        story_offer(s, peers[i], 0);
    }
    *ret_asker = story_client(s);
    if (!seeder)
        story_cut(s, 0, *ret_asker, true);
    story_join(s, *ret_asker, 0, peers, holders);
    if (preferring)
        prefer(s, *ret_asker, FIRST, END);
    return s;
}

/* How many chunks came until all of [FIRST, END) were there. */
static uint32_t came_until_there(story *s, uint32_t asker)
{
    bool seen[CHUNKS] = {false};
    uint32_t lacking = END - FIRST, came = 0;
    size_t at = 0;
    assert_true(story_until(s, story_all_done, NULL, 60 * THRONG_SECOND));
    const story_frame *data;
    while (lacking > 0 && (data = story_next(s, &at, SIM_DELIVERED, STORY_ANYONE, asker, THRONG_FRAME_DATA))) {
        came++;
        if (data->chunk >= FIRST && data->chunk < END && !seen[data->chunk]) {
            seen[data->chunk] = true;
            lacking--;
        }
    }
    return came;
}

static uint32_t with(uint32_t holders, bool seeder, bool preferring)
{
    uint32_t asker;
    story *s = begin(holders, seeder, preferring, &asker);
    uint32_t came = came_until_there(s, asker);
    story_free(s);
    return came;
}

static void part_that_is_preferred_comes_first_from_neighbours(void **state)
{
    uint32_t before = with(HOLDERS, false, false), now = with(HOLDERS, false, true);
    print_message("%u chunks of %u came until %u were there, %u otherwise\n", now, CHUNKS, END - FIRST, before);
    assert_true(now < CHUNKS / 2); /* while the last of it waits in one neighbour's queue, others send on */
    assert_true(before > CHUNKS / 2);
}

static void part_that_is_preferred_comes_first_from_a_seeder_alone(void **state)
{
    uint32_t before = with(0, true, false), now = with(0, true, true);
    print_message("%u chunks of %u came until %u were there, %u otherwise\n", now, CHUNKS, END - FIRST, before);
    assert_true(now < 3 * (END - FIRST));
    assert_true(before > CHUNKS / 2);
}

static void range_that_is_none_is_refused_and_an_empty_one_prefers_nothing(void **state)
{
    uint32_t asker;
    story *s = begin(1, false, false, &asker);
    throng_hash id = s->world->objects[0].id, other = {{1}};
    throng_node *node = story_node(s, asker);
    assert_int_equal(throng_node_prefer(node, 1, &id, 2, 1), THRONG_ERR_INVALID);
    assert_int_equal(throng_node_prefer(node, 1, &id, 0, CHUNKS + 1), THRONG_ERR_INVALID);
    assert_int_equal(throng_node_prefer(node, 1, &other, 0, 1), THRONG_ERR_NOT_FOUND);
    prefer(s, asker, FIRST, END);
    prefer(s, asker, 5, 5);
    assert_true(came_until_there(s, asker) > CHUNKS / 2);
    story_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(part_that_is_preferred_comes_first_from_neighbours),
        cmocka_unit_test(part_that_is_preferred_comes_first_from_a_seeder_alone),
        cmocka_unit_test(range_that_is_none_is_refused_and_an_empty_one_prefers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
