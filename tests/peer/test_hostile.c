/* What others say, true or not, in whatever order: the node stays whole, and gets what it wants in the end. */
#include "fixture.h"

#define BEGIN (2 * THRONG_SECOND)
#define ROUND_TRIP (50 * THRONG_MS)

static int hear(throng_node *node, throng_time now, const throng_addr *from, const throng_writer *w)
{
    assert_false(w->failed);
    return throng_node_recv(node, now, from, w->start, throng_writer_size(w));
}

/* It says SEEK, and so becomes a neighbour that nothing is known of but its address. */
static throng_addr stranger(throng_node *node, throng_time now, uint32_t i)
{
    uint8_t bytes[16];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_addr addr = peer_address(i);
    throng_tag_frame_encode(&w, THRONG_FRAME_SEEK, node->objects[0]->tag);
    assert_int_equal(hear(node, now, &addr, &w), 0);
    return addr;
}

static throng_addr friend_of(throng_node *node, throng_time now, uint32_t i)
{
    throng_addr addr = stranger(node, now, i);
    throng_neighbour_find(node, &addr)->proven = true;
    return addr;
}

static void who_names_others_to_a_full_table_does_not_make_room_for_them(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    node->config.degree_max = 4;
    object_of(node, 100 * 1024);
    for (uint32_t i = 0; i < 4; i++)
        friend_of(node, BEGIN, i);
    throng_addr namer = stranger(node, BEGIN, 9);
    uint8_t bytes[256];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_peers peers = {.object = node->objects[0]->tag, .count = 3};
    for (uint32_t i = 0; i < peers.count; i++)
        peers.addrs[i] = peer_address(100 + i);
    throng_peers_encode(&w, &peers);
    throng_neighbour_find(node, &namer)->sought = true;
    assert_int_equal(hear(node, BEGIN + 2 * THRONG_SECOND, &namer, &w), 0);
    assert_non_null(throng_neighbour_find(node, &namer));
    assert_null(throng_neighbour_find(node, &peers.addrs[0]));
    /* Whoever comes by itself finds its place. */
    throng_addr newcomer = stranger(node, BEGIN + 2 * THRONG_SECOND, 10);
    assert_non_null(throng_neighbour_find(node, &newcomer));
    throng_node_free(node);
}

static void join_without_room_for_its_seeder_changes_nothing(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    node->config.degree_max = 4;
    object_of(node, 100 * 1024);
    for (uint32_t i = 0; i < 5; i++)
        friend_of(node, BEGIN, i);
    throng_directions directions = {.size = 4096, .chunk_size = 1024};
    throng_object_info info;
    throng_addr seeder = peer_address(99);
    memset(directions.object.bytes, 77, sizeof directions.object.bytes);
    assert_int_equal(throng_node_join(node, BEGIN, &directions, &seeder, NULL), THRONG_ERR_FULL);
    assert_int_equal(throng_node_object(node, &directions.object, &info), THRONG_ERR_NOT_FOUND);
    assert_int_equal(node->objects_count, 1);
    throng_node_free(node);
}

/* Three datagrams of one batch, the last of them first: none is late before time has passed. */
static void chunks_out_of_order_in_one_moment_are_not_lost(void **state)
{
    for (throng_time now = BEGIN; now < BEGIN + 2; now++) {
        throng_node *node = node_of(THRONG_PROFILE_THRONG);
        throng_object *object = object_of(node, 100 * 1024);
        throng_addr addr = friend_of(node, BEGIN, 1);
        throng_neighbour *n = throng_neighbour_find(node, &addr);
        node->now = now;
        for (uint32_t chunk = 0; chunk < 3; chunk++)
            assert_int_equal(throng_flight_push(node, n, object, chunk, 1), 0);
        throng_flight_came(node, n, throng_flight_find(n, object, 2));
        throng_flight_came(node, n, throng_flight_find(n, object, 0));
        assert_int_equal(node->stats.chunks_lost, 0);
        assert_non_null(throng_flight_find(n, object, 1));
        /* A second later it is. */
        node->now = now + THRONG_SECOND;
        throng_loss_tick(node, n);
        assert_int_equal(node->stats.chunks_lost, 1);
        throng_node_free(node);
    }
}

/* ---- manifests ---- */

enum { TRUE_SIZE = 1500 }; /* of the manifest that has the object's hash, in two parts, all of them 't' */

static void say_part(throng_node *node, throng_time now, const throng_addr *from, uint32_t total, uint32_t part,
                     char filled_with)
{
    uint8_t body[THRONG_MANIFEST_PART_SIZE], bytes[THRONG_MANIFEST_PART_SIZE + 64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    uint32_t offset = part * THRONG_MANIFEST_PART_SIZE, rest = total - offset;
    memset(body, filled_with, sizeof body);
    throng_manifest_part_encode(&w, &(throng_manifest_part){.object = node->objects[0]->tag,
                                                            .total = total,
                                                            .offset = offset,
                                                            .bytes = body,
                                                            .size = rest < sizeof body ? rest : sizeof body});
    int error = hear(node, now, from, &w);
    assert_true(error == 0 || error == THRONG_ERR_NOT_FOUND); /* a liar that is known by now is nobody */
}

static void say_all(throng_node *node, throng_time now, const throng_addr *from, uint32_t total, char filled_with)
{
    for (uint32_t part = 0; part * THRONG_MANIFEST_PART_SIZE < total; part++)
        say_part(node, now, from, total, part, filled_with);
}

static bool is_true(const throng_event *event)
{
    if (event->manifest.size != TRUE_SIZE)
        return false;
    for (uint32_t i = 0; i < TRUE_SIZE; i++)
        if (event->manifest.bytes[i] != 't')
            return false;
    return true;
}

/* The host's part: hashes what is there to be hashed. True once it was the true one; that stays unanswered. */
static bool check_manifest(throng_node *node, throng_time now)
{
    throng_event event;
    while (throng_node_poll_event(node, &event)) {
        if (event.type == THRONG_EVENT_MANIFEST && is_true(&event))
            return true;
        if (event.type == THRONG_EVENT_MANIFEST)
            assert_int_equal(throng_node_complete(node, now, event.request, THRONG_ERR_TAMPERED), 0);
        assert_int_not_equal(event.type, THRONG_EVENT_STUCK);
    }
    return false;
}

static void manifest_of_a_total_that_a_liar_told_first_and_never_sends_is_not_waited_for(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    object_of(node, 100 * 1024);
    throng_addr liar = friend_of(node, BEGIN, 1), honest = friend_of(node, BEGIN, 2);
    bool found = false;
    throng_time now = BEGIN;
    for (; !found && now < BEGIN + 10 * THRONG_SECOND; now += ROUND_TRIP) {
        say_part(node, now, &liar, 30 * THRONG_MANIFEST_PART_SIZE, 0, 'f'); /* the same again: no progress */
        say_all(node, now, &honest, TRUE_SIZE, 't');
        found = check_manifest(node, now);
    }
    assert_true(found);
    assert_in_range(now, BEGIN, BEGIN + THRONG_SECOND);
    throng_node_free(node);
}

static void who_sends_a_false_manifest_is_banned(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    object_of(node, 100 * 1024);
    throng_addr liar = friend_of(node, BEGIN, 1), honest = friend_of(node, BEGIN, 2);
    for (uint32_t i = 0; i < 20; i++) {
        say_all(node, BEGIN, &liar, 100, 'f');
        assert_false(check_manifest(node, BEGIN));
    }
    assert_true(throng_addr_banned(node, &liar));
    assert_int_equal(node->stats.liars, 1);
    say_all(node, BEGIN, &honest, TRUE_SIZE, 't');
    assert_true(check_manifest(node, BEGIN));
    throng_node_free(node);
}

/* One part of a liar's among an honest peer's parts proves nothing against either. From then on parts of one go
 * together, and the liar shows itself. */
static void false_manifest_of_several_is_nobodys_until_they_are_told_apart(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 100 * 1024);
    throng_addr liar = friend_of(node, BEGIN, 1), honest = friend_of(node, BEGIN, 2);
    say_part(node, BEGIN, &liar, TRUE_SIZE, 0, 'f');
    say_part(node, BEGIN, &honest, TRUE_SIZE, 1, 't');
    assert_false(check_manifest(node, BEGIN));
    assert_int_equal(node->stats.liars, 0);
    assert_null(object->manifest);
    say_part(node, BEGIN, &liar, TRUE_SIZE, 0, 'f');
    say_part(node, BEGIN, &honest, TRUE_SIZE, 1, 't'); /* not taken beside the liar's */
    assert_false(check_manifest(node, BEGIN));
    say_part(node, BEGIN, &liar, TRUE_SIZE, 1, 'f');
    assert_false(check_manifest(node, BEGIN));
    assert_true(throng_addr_banned(node, &liar));
    assert_false(throng_addr_banned(node, &honest));
    say_all(node, BEGIN, &honest, TRUE_SIZE, 't');
    assert_true(check_manifest(node, BEGIN));
    throng_node_free(node);
}

static void manifest_of_the_seeder_takes_the_place_of_what_others_told(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    object_of(node, 100 * 1024);
    throng_addr liar = friend_of(node, BEGIN, 1), seeder = friend_of(node, BEGIN, 2);
    throng_neighbour_find(node, &seeder)->seeder = true;
    say_part(node, BEGIN, &liar, 30 * THRONG_MANIFEST_PART_SIZE, 0, 'f');
    say_all(node, BEGIN, &seeder, TRUE_SIZE, 't');
    assert_true(check_manifest(node, BEGIN));
    throng_node_free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_names_others_to_a_full_table_does_not_make_room_for_them),
        cmocka_unit_test(join_without_room_for_its_seeder_changes_nothing),
        cmocka_unit_test(chunks_out_of_order_in_one_moment_are_not_lost),
        cmocka_unit_test(manifest_of_a_total_that_a_liar_told_first_and_never_sends_is_not_waited_for),
        cmocka_unit_test(who_sends_a_false_manifest_is_banned),
        cmocka_unit_test(false_manifest_of_several_is_nobodys_until_they_are_told_apart),
        cmocka_unit_test(manifest_of_the_seeder_takes_the_place_of_what_others_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
