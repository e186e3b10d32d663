/* The board between throngd and the web server: what is published is found, and nothing half-written ever. */
#include "board/layout.h"
#include "board_fixture.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void board_limits_out_of_range_have_no_size(void **state)
{
    const throng_board_limits wrong[] = {{0, 1, 1, 1},
                                         {1, 0, 1, 1},
                                         {1, 1, 0, 1},
                                         {1, 1, 1, 0},
                                         {THRONG_BOARD_OBJECTS_MAX + 1, 1, 1, 1},
                                         {1, THRONG_DIRECTORY_PEERS_MAX + 1, 1, 1},
                                         {1, 1, THRONG_DIRECTORY_HOLDERS_MAX + 1, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(throng_board_size(&wrong[i]), 0);
    assert_true(throng_board_size(&fixture_limits) > 0);
}

static void board_attached_to_foreign_or_short_memory_is_refused(void **state)
{
    throng_board board = fixture_board(), other;
    size_t size = throng_board_size(&fixture_limits);
    assert_int_equal(throng_board_attach(&other, board.base, size), 0);
    assert_int_equal(throng_board_attach(&other, board.base, size - 64), THRONG_ERR_MALFORMED);
    assert_int_equal(throng_board_attach(&other, board.base, 100), THRONG_ERR_MALFORMED);
    assert_int_equal(throng_board_attach(&other, board.base + 8, size - 8), THRONG_ERR_MALFORMED);
    board_head(&board)->objects_max = UINT32_MAX;
    assert_int_equal(throng_board_attach(&other, board.base, size), THRONG_ERR_MALFORMED);
    board_head(&board)->version = 99;
    assert_int_equal(throng_board_attach(&other, board.base, size), THRONG_ERR_VERSION);
    board_put(&board_head(&board)->magic, 1);
    assert_int_equal(throng_board_attach(&other, board.base, size), THRONG_ERR_MALFORMED);
    fixture_free(&board);
}

static void board_find_published_gives_the_entry(void **state)
{
    throng_board board = fixture_board();
    throng_board_key key = fixture_key(1);
    throng_board_entry entry = fixture_entry(31), found;
    assert_int_equal(throng_board_publish(&board, &key, &entry), 0);
    assert_int_equal(throng_board_find(&board, &key, &found), 0);
    assert_true(fixture_entry_whole(&found));
    assert_int_equal(found.validators.size, 31);
    fixture_free(&board);
}

static void board_of_a_million_objects_and_peers_takes_less_than_a_gigabyte(void **state)
{
    throng_board_limits limits;
    throng_board_limits_default(&limits);
    limits.objects_max = 1000000;
    limits.holders_max = throng_directory_holders_default(limits.objects_max);
    limits.peers_max = 1000000;
    assert_in_range(throng_board_size(&limits), 700000000, 1000000000);
}

static void board_adopted_has_an_empty_directory_that_readers_share(void **state)
{
    throng_board board = fixture_board(), heir, worker;
    throng_addr addr = throng_addr_from_ipv4(192, 0, 2, 1, 5000), found;
    throng_directory_query query = {.tag = 9, .max = 1, .kinds = THRONG_KINDS_IPV4};
    uint32_t object, peer;
    size_t size = throng_board_size(&fixture_limits);
    assert_int_equal(throng_board_attach(&worker, board.base, size), 0);
    for (int life = 0; life < 2; life++) {
        assert_int_equal(throng_directory_add_object(&board.directory, query.tag, &object), 0);
        assert_int_equal(throng_directory_add_peer(&board.directory, 0, &addr, &(throng_place){0}, &peer), 0);
        throng_directory_hold(&board.directory, 0, object, peer, true);
        query.object = object;
        assert_int_equal(throng_directory_pick(&worker.directory, &query, &found), 1);
        assert_true(throng_addr_equal(&found, &addr));
        assert_int_equal(throng_board_adopt(&heir, board.base, size, &fixture_limits), 0);
        assert_int_equal(throng_directory_pick(&worker.directory, &query, &found), 0);
        board = heir;
    }
    fixture_free(&board);
}

static void board_full_says_so_and_has_room_after_withdrawal(void **state)
{
    throng_board board = fixture_board();
    throng_board_entry entry = fixture_entry(5), found;
    for (uint64_t i = 0; i < fixture_limits.objects_max; i++) {
        throng_board_key key = fixture_key(i);
        assert_int_equal(throng_board_publish(&board, &key, &entry), 0);
    }
    throng_board_key one_more = fixture_key(1000), third = fixture_key(3);
    assert_int_equal(throng_board_publish(&board, &one_more, &entry), THRONG_ERR_FULL);
    assert_int_equal(throng_board_objects(&board), fixture_limits.objects_max);
    assert_int_equal(throng_board_withdraw(&board, &third), 0);
    assert_int_equal(throng_board_withdraw(&board, &third), THRONG_ERR_NOT_FOUND);
    assert_int_equal(throng_board_find(&board, &third, &found), THRONG_ERR_NOT_FOUND);
    assert_int_equal(throng_board_publish(&board, &one_more, &entry), 0);
    assert_int_equal(throng_board_find(&board, &one_more, &found), 0);
    fixture_free(&board);
}

static void board_publish_of_what_directions_cannot_tell_is_refused(void **state)
{
    throng_board board = fixture_board();
    throng_board_key key = fixture_key(1);
    throng_board_entry entry = fixture_entry(5);
    entry.validators.size = UINT64_C(1) << 40;
    assert_int_equal(throng_board_publish(&board, &key, &entry), THRONG_ERR_INVALID);
    entry = fixture_entry(5);
    entry.chunk_size = 0;
    assert_int_equal(throng_board_publish(&board, &key, &entry), THRONG_ERR_INVALID);
    fixture_free(&board);
}

static void board_entry_left_half_written_is_given_up_and_repaired_by_adoption(void **state)
{
    throng_board board = fixture_board(), heir;
    throng_board_key key = fixture_key(1);
    throng_board_entry entry = fixture_entry(5), found;
    throng_board_publish(&board, &key, &entry);
    for (uint32_t slot = 0; slot < fixture_limits.objects_max; slot++)
        board_put(&board_entry(&board, slot)[ENTRY_SEQUENCE], 7);
    assert_int_equal(throng_board_find(&board, &key, &found), THRONG_ERR_AGAIN);

    assert_int_equal(throng_board_adopt(&heir, board.base, throng_board_size(&fixture_limits), &fixture_limits), 0);
    assert_int_equal(throng_board_find(&board, &key, &found), THRONG_ERR_NOT_FOUND);
    assert_int_equal(throng_board_publish(&heir, &key, &entry), 0);
    assert_int_equal(throng_board_find(&board, &key, &found), 0);
    fixture_free(&board);
}

static void board_adopted_keeps_keys_and_sender_ids_and_drops_entries(void **state)
{
    throng_board board = fixture_board(), heir;
    throng_board_secrets before, after;
    throng_sender first, second;
    assert_int_equal(throng_board_take_sender(&board, &first), 0);
    atomic_store(&throng_board_counters_of(&board)->directions, 12);
    throng_board_secrets_get(&board, &before);
    assert_int_equal(throng_board_adopt(&heir, board.base, throng_board_size(&fixture_limits), NULL), 0);
    throng_board_secrets_get(&heir, &after);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(throng_board_take_sender(&heir, &second), 0);
    assert_true(second.id != first.id);
    assert_int_equal(atomic_load(&throng_board_counters_of(&heir)->directions), 12);

    throng_board_limits other = fixture_limits;
    other.peers_max++;
    assert_int_equal(throng_board_adopt(&heir, board.base, throng_board_size(&fixture_limits), &other),
                     THRONG_ERR_MALFORMED);
    fixture_free(&board);
}

static void board_senders_used_up_are_refused_until_rotation(void **state)
{
    throng_board board = fixture_board();
    throng_board_secrets secrets = fixture_secrets();
    throng_sender sender;
    assert_int_equal(throng_board_take_sender(&board, &sender), 0);
    assert_int_equal(sender.id, 1);
    assert_int_equal(sender.epoch, 0);
    assert_memory_equal(sender.key, secrets.swarm_key, sizeof sender.key);

    board_put(&board_head(&board)->senders, UINT32_MAX);
    assert_int_equal(throng_board_senders_left(&board), 1);
    assert_int_equal(throng_board_take_sender(&board, &sender), 0);
    assert_int_equal(sender.id, UINT32_MAX);
    assert_int_equal(throng_board_take_sender(&board, &sender), THRONG_ERR_FULL);
    assert_int_equal(throng_board_senders_left(&board), 0);

    uint8_t key[THRONG_KEY_SIZE];
    memset(key, 0x77, sizeof key);
    throng_board_rotate(&board, key);
    assert_int_equal(throng_board_take_sender(&board, &sender), 0);
    assert_int_equal(sender.id, 1);
    assert_int_equal(sender.epoch, 1);
    assert_memory_equal(sender.key, key, sizeof key);
    fixture_free(&board);
}

static void board_heartbeat_decides_life(void **state)
{
    throng_board board = fixture_board();
    throng_time now = 100 * THRONG_SECOND;
    assert_false(throng_board_alive(&board, now));
    throng_board_beat(&board, now);
    assert_true(throng_board_alive(&board, now));
    assert_true(throng_board_alive(&board, now + THRONG_BOARD_STALE));
    assert_false(throng_board_alive(&board, now + THRONG_BOARD_STALE + 1));
    assert_false(throng_board_alive(&board, THRONG_SECOND)); /* from before a reboot */
    throng_board_retire(&board);
    assert_false(throng_board_alive(&board, now));
    fixture_free(&board);
}

static void board_uplink_of_the_web_server_comes_first(void **state)
{
    throng_board board = fixture_board();
    assert_int_equal(throng_board_uplink_bps(&board), 0);
    throng_board_set_uplink_daemon(&board, 5);
    assert_int_equal(throng_board_uplink_bps(&board), 5);
    throng_board_set_uplink_server(&board, 7);
    assert_int_equal(throng_board_uplink_bps(&board), 7);
    fixture_free(&board);
}

static void board_key_tells_every_part_of_the_url_apart(void **state)
{
    throng_board board = fixture_board();
    throng_board_url urls[6];
    throng_board_key keys[6];
    for (int i = 0; i < 6; i++)
        urls[i] = fixture_url("example.org", "/a?b");
    urls[1].tls = true;
    urls[2].server.port = 81;
    urls[3] = fixture_url("example.or", "g/a?b");
    urls[4] = fixture_url("example.org", "/a?c");
    urls[5].server = throng_addr_from_ipv4(10, 0, 0, 1, 8080); /* the address alone is no part of it */
    for (int i = 0; i < 6; i++)
        assert_int_equal(throng_board_key_of(&board, &urls[i], &keys[i]), 0);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(&keys[i], &keys[j], sizeof keys[i]);
    assert_memory_equal(&keys[0], &keys[5], sizeof keys[0]);

    urls[0].host_size = 0;
    assert_int_equal(throng_board_key_of(&board, &urls[0], &keys[0]), THRONG_ERR_INVALID);
    urls[1].uri_size = THRONG_BOARD_URI_MAX + 1;
    assert_int_equal(throng_board_key_of(&board, &urls[1], &keys[0]), THRONG_ERR_INVALID);
    fixture_free(&board);
}

static void board_etag_weak_or_strong_is_one(void **state)
{
    throng_board board = fixture_board();
    assert_true(throng_board_etag(&board, "\"abc\"", 5) == throng_board_etag(&board, "W/\"abc\"", 7));
    assert_true(throng_board_etag(&board, "\"abc\"", 5) != throng_board_etag(&board, "\"abd\"", 5));
    assert_true(throng_board_etag(&board, "", 0) == 0);
    assert_true(throng_board_etag(&board, "\"\"", 2) == 0);
    assert_true(throng_board_etag(&board, "\"", 1) != 0);
    fixture_free(&board);
}

static void board_current_needs_equal_validators(void **state)
{
    throng_board_entry entry = {.validators = {.size = 10, .etag = 1, .last_modified_s = 2}};
    throng_validators same = entry.validators, v = same;
    assert_true(throng_board_current(&entry, &v, 0));
    v.size = UINT64_MAX; /* compressed on its way: not told */
    assert_true(throng_board_current(&entry, &v, 0));
    v.size = 11;
    assert_false(throng_board_current(&entry, &v, 0));
    v = same;
    v.etag = 3;
    assert_false(throng_board_current(&entry, &v, 0));
    v = same;
    v.last_modified_s = 0;
    assert_false(throng_board_current(&entry, &v, 0));
}

static void board_current_without_validators_holds_while_fresh(void **state)
{
    throng_board_entry entry = {.validators = {.size = 10}, .fresh_until = 5 * THRONG_SECOND};
    throng_validators v = {.size = 10};
    assert_true(throng_board_current(&entry, &v, 4 * THRONG_SECOND));
    assert_false(throng_board_current(&entry, &v, 5 * THRONG_SECOND));
    v.etag = 1;
    assert_false(throng_board_current(&entry, &v, 4 * THRONG_SECOND));
}

static void want_posted_is_taken_once_with_its_url(void **state)
{
    throng_board board = fixture_board();
    throng_board_url url = fixture_url("example.org", "/film?part=1");
    throng_board_key key;
    throng_want want;
    throng_board_key_of(&board, &url, &key);
    assert_int_equal(throng_board_take_want(&board, 0, &want), THRONG_ERR_NOT_FOUND);
    assert_int_equal(throng_board_post_want(&board, THRONG_SECOND, &key, &url), 1);
    assert_int_equal(throng_board_take_want(&board, THRONG_SECOND, &want), 0);
    assert_string_equal(want.host, "example.org");
    assert_string_equal(want.uri, "/film?part=1");
    assert_memory_equal(&want.key, &key, sizeof key);
    assert_true(throng_addr_equal(&want.server, &url.server));
    assert_int_equal(throng_board_take_want(&board, THRONG_SECOND, &want), THRONG_ERR_NOT_FOUND);
    fixture_free(&board);
}

static void want_repeated_is_posted_again_only_after_a_second(void **state)
{
    throng_board board = fixture_board();
    throng_board_url url = fixture_url("example.org", "/film");
    throng_board_key key;
    throng_board_key_of(&board, &url, &key);
    assert_true(throng_board_wanted_ago(&board, 100 * THRONG_SECOND, &key) == THRONG_NEVER);
    assert_int_equal(throng_board_post_want(&board, 100 * THRONG_SECOND, &key, &url), 1);
    assert_true(throng_board_wanted_ago(&board, 100 * THRONG_SECOND + 30 * THRONG_MS, &key) == 30 * THRONG_MS);
    assert_true(throng_board_wanted_ago(&board, 101 * THRONG_SECOND, &key) == THRONG_NEVER);
    assert_int_equal(throng_board_post_want(&board, 100 * THRONG_SECOND + 999 * THRONG_MS, &key, &url), 0);
    assert_int_equal(throng_board_post_want(&board, 101 * THRONG_SECOND, &key, &url), 1);
    fixture_free(&board);
}

static void want_of_the_longest_url_keeps_every_byte(void **state)
{
    throng_board board = fixture_board();
    char host[THRONG_BOARD_HOST_MAX + 1], uri[THRONG_BOARD_URI_MAX + 1];
    memset(host, 'h', sizeof host);
    memset(uri, 'u', sizeof uri);
    throng_board_url url = {
        .host = host, .host_size = THRONG_BOARD_HOST_MAX, .uri = uri, .uri_size = THRONG_BOARD_URI_MAX, .tls = true};
    throng_board_key key;
    throng_want want;
    throng_board_key_of(&board, &url, &key);
    assert_int_equal(throng_board_post_want(&board, 0, &key, &url), 1);
    assert_int_equal(throng_board_take_want(&board, 0, &want), 0);
    assert_true(want.tls);
    assert_memory_equal(want.host, host, THRONG_BOARD_HOST_MAX);
    assert_int_equal(want.host[THRONG_BOARD_HOST_MAX], 0);
    assert_memory_equal(want.uri, uri, THRONG_BOARD_URI_MAX);
    url.uri_size++;
    assert_int_equal(throng_board_post_want(&board, 0, &key, &url), THRONG_ERR_INVALID);
    fixture_free(&board);
}

static void wants_beyond_the_ring_are_dropped_and_counted(void **state)
{
    throng_board board = fixture_board();
    uint32_t posted = 0, taken = 0;
    throng_want want;
    for (uint32_t i = 0; i < 100; i++) {
        char uri[16] = {'/', (char)('a' + i / 26), (char)('a' + i % 26)};
        throng_board_url url = fixture_url("h", uri);
        throng_board_key key;
        throng_board_key_of(&board, &url, &key);
        int rc = throng_board_post_want(&board, 0, &key, &url);
        assert_true(rc == 1 || rc == 0 || rc == THRONG_ERR_FULL);
        posted += rc == 1;
    }
    while (throng_board_take_want(&board, 0, &want) == 0)
        taken++;
    assert_int_equal(posted, fixture_limits.wants_max);
    assert_int_equal(taken, posted);
    assert_int_equal(atomic_load(&throng_board_counters_of(&board)->wants_posted), posted);
    assert_true(atomic_load(&throng_board_counters_of(&board)->wants_dropped) > 0);
    fixture_free(&board);
}

static void want_whose_poster_died_frees_its_cell_and_torn_ones_are_dropped(void **state)
{
    throng_board board = fixture_board();
    throng_want want;
    uint64_t died_at = 10 * THRONG_SECOND;
    for (uint32_t i = 0; i < fixture_limits.wants_max; i++)
        board_put(&board_want_states(&board)[i],
                  died_at << WANT_STATE_BITS | (i == 3 ? (uint64_t)WANT_READY : (uint64_t)WANT_CLAIMED));
    board_put(&board_want(&board, 3)[WANT_SHAPE], UINT64_MAX); /* sizes beyond any text */
    assert_int_equal(throng_board_take_want(&board, died_at, &want), THRONG_ERR_NOT_FOUND);
    assert_int_equal(board_get(&board_want_states(&board)[3]), WANT_FREE);
    assert_true(board_get(&board_want_states(&board)[4]) != WANT_FREE);
    assert_int_equal(throng_board_take_want(&board, died_at + 2 * THRONG_SECOND, &want), THRONG_ERR_NOT_FOUND);
    for (uint32_t i = 0; i < fixture_limits.wants_max; i++)
        assert_int_equal(board_get(&board_want_states(&board)[i]), WANT_FREE);
    fixture_free(&board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(board_limits_out_of_range_have_no_size),
        cmocka_unit_test(board_attached_to_foreign_or_short_memory_is_refused),
        cmocka_unit_test(board_find_published_gives_the_entry),
        cmocka_unit_test(board_of_a_million_objects_and_peers_takes_less_than_a_gigabyte),
        cmocka_unit_test(board_adopted_has_an_empty_directory_that_readers_share),
        cmocka_unit_test(board_full_says_so_and_has_room_after_withdrawal),
        cmocka_unit_test(board_publish_of_what_directions_cannot_tell_is_refused),
        cmocka_unit_test(board_entry_left_half_written_is_given_up_and_repaired_by_adoption),
        cmocka_unit_test(board_adopted_keeps_keys_and_sender_ids_and_drops_entries),
        cmocka_unit_test(board_senders_used_up_are_refused_until_rotation),
        cmocka_unit_test(board_heartbeat_decides_life),
        cmocka_unit_test(board_uplink_of_the_web_server_comes_first),
        cmocka_unit_test(board_key_tells_every_part_of_the_url_apart),
        cmocka_unit_test(board_etag_weak_or_strong_is_one),
        cmocka_unit_test(board_current_needs_equal_validators),
        cmocka_unit_test(board_current_without_validators_holds_while_fresh),
        cmocka_unit_test(want_posted_is_taken_once_with_its_url),
        cmocka_unit_test(want_repeated_is_posted_again_only_after_a_second),
        cmocka_unit_test(want_of_the_longest_url_keeps_every_byte),
        cmocka_unit_test(wants_beyond_the_ring_are_dropped_and_counted),
        cmocka_unit_test(want_whose_poster_died_frees_its_cell_and_torn_ones_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
