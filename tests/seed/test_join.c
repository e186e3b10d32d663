#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fixture.h"

enum { RATE = 20000000 };

static void start(fixture *f)
{
    throng_seed_config config = fixture_config(RATE);
    fixture_start(f, &config, 128 * CHUNK);
}

static void wait_for(fixture *f, throng_time duration)
{
    run_until(f, f->now + duration);
}

/* The peers that a WELCOME or PEERS names. */
static bool names(const sent *s, uint32_t client)
{
    for (uint32_t i = 0; i < s->welcome.peers.count; i++)
        if (client_of(&s->welcome.peers.addrs[i]) == client)
            return true;
    return false;
}

static void join_with_a_token_is_welcomed(void **state)
{
    fixture f;
    start(&f);
    assert_int_equal(join(&f, 7), 0);
    assert_int_equal(drain(&f), 1);
    const sent *s = find_sent(&f, 7, THRONG_FRAME_WELCOME);
    throng_addr own = client_addr(7);
    assert_true(throng_addr_equal(&s->welcome.observed, &own));
    assert_int_equal(s->welcome.peers.object, f.tag);
    assert_int_equal(s->welcome.peers.count, 0);
    assert_int_equal(stats_of(&f).joins, 1);
    assert_int_equal(stats_of(&f).peers, 1);
    fixture_stop(&f);
}

static void join_repeated_is_answered_again_and_counted_once(void **state)
{
    fixture f;
    start(&f);
    for (int i = 0; i < 3; i++) {
        join(&f, 7);
        assert_int_equal(drain(&f), 1);
        assert_int_equal(count_sent(&f, 7, THRONG_FRAME_WELCOME), 1);
        wait_for(&f, 300 * THRONG_MS);
    }
    assert_int_equal(stats_of(&f).joins, 1);
    assert_int_equal(stats_of(&f).joins_repeated, 2);
    assert_int_equal(stats_of(&f).peers, 1);
    fixture_stop(&f);
}

static void join_repeated_before_the_answer_left_is_answered_once(void **state)
{
    fixture f;
    start(&f);
    for (int i = 0; i < 5; i++)
        join(&f, 7);
    assert_int_equal(drain(&f), 1);
    fixture_stop(&f);
}

static int join_from_port(fixture *f, uint32_t client, uint16_t port)
{
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_token token = client_token(client, UNIX_NOW);
    throng_write_u8(&w, THRONG_FRAME_JOIN);
    throng_write_u64(&w, f->tag);
    throng_write_bytes(&w, token.bytes, sizeof token.bytes);
    throng_write_u16(&w, 0);
    throng_addr from = client_addr(client);
    from.port = port;
    return throng_seed_recv(f->seed, f->now, UNIX_NOW, client, &from, bytes, throng_writer_size(&w));
}

static void join_from_many_ports_with_one_token_takes_one_place(void **state)
{
    fixture f;
    start(&f);
    for (uint16_t port = 1; port <= 100; port++) {
        assert_int_equal(join_from_port(&f, 7, port), 0);
        drain(&f);
    }
    assert_int_equal(stats_of(&f).peers, 1);
    throng_addr peers[4];
    assert_int_equal(throng_seed_peers(f.seed, f.now, &f.id, peers, 4), 1);
    assert_int_equal(peers[0].port, 100);
    fixture_stop(&f);
}

static void join_welcome_and_introductions_fit_the_budget_of_a_visitor(void **state)
{
    fixture f;
    start(&f);
    for (uint32_t client = 1; client <= 50; client++)
        join(&f, client);
    drain(&f);
    join(&f, 51);
    drain(&f);
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < f.count; i++)
        bytes += f.log[i].cost;
    assert_int_equal(count_sent(&f, 51, THRONG_FRAME_WELCOME), 1);
    assert_int_equal(count_sent(&f, UINT32_MAX, THRONG_FRAME_INTRODUCE), 2);
    assert_true(bytes <= 300);
    fixture_stop(&f);
}

static void join_names_fresh_peers_and_introduces_the_newcomer_to_some(void **state)
{
    fixture f;
    start(&f);
    for (uint32_t client = 1; client <= 20; client++)
        join(&f, client); /* stale by the time of interest */
    drain(&f);
    wait_for(&f, 2500 * THRONG_MS);
    for (uint32_t client = 1; client <= 20; client++)
        tell_have(&f, client, 0, 1);
    for (uint32_t client = 21; client <= 26; client++)
        join(&f, client);
    drain(&f);
    bye(&f, 22);
    join(&f, 27);
    drain(&f);
    const sent *welcome = find_sent(&f, 27, THRONG_FRAME_WELCOME);
    assert_int_equal(welcome->welcome.peers.count, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_in_range(client_of(&welcome->welcome.peers.addrs[i]), 21, 26);
    assert_false(names(welcome, 22));
    uint32_t introduced = 0;
    for (uint32_t i = 0; i < f.count; i++) {
        if (f.log[i].type != THRONG_FRAME_INTRODUCE)
            continue;
        introduced++;
        assert_true(names(welcome, f.log[i].to));
        assert_int_equal(client_of(&f.log[i].newcomer), 27);
    }
    assert_int_equal(introduced, 2);
    fixture_stop(&f);
}

static void join_when_few_are_fresh_older_ones_are_named_too(void **state)
{
    fixture f;
    start(&f);
    for (uint32_t client = 1; client <= 3; client++)
        join(&f, client);
    drain(&f);
    wait_for(&f, 3 * THRONG_SECOND);
    join(&f, 4);
    join(&f, 5);
    drain(&f);
    assert_int_equal(find_sent(&f, 5, THRONG_FRAME_WELCOME)->welcome.peers.count, 4);
    fixture_stop(&f);
}

/* More than the directory has places for: those who stay take turns there. */
static void directory_names_everyone_about_as_often(void **state)
{
    enum { CLIENTS = 200, LISTS = 4000, EACH = 10 };
    fixture f;
    start(&f);
    uint32_t named[CLIENTS + 1] = {0};
    for (uint32_t client = 1; client <= CLIENTS; client++)
        join(&f, client);
    wait_for(&f, 2500 * THRONG_MS);
    for (uint32_t list = 0; list < LISTS; list++) {
        throng_addr peers[EACH];
        tell_have(&f, 1 + list * 7 % CLIENTS, 0, 1);
        drain(&f);
        f.now += 8 * THRONG_MS;
        assert_int_equal(throng_seed_peers(f.seed, f.now, &f.id, peers, EACH), EACH);
        for (uint32_t i = 0; i < EACH; i++) {
            named[client_of(&peers[i])]++;
            for (uint32_t j = 0; j < i; j++)
                assert_false(throng_addr_equal(&peers[i], &peers[j]));
        }
    }
    for (uint32_t client = 1; client <= CLIENTS; client++)
        assert_in_range(named[client], LISTS * EACH / CLIENTS / 2, LISTS * EACH / CLIENTS * 2);
    fixture_stop(&f);
}

static void directory_asked_for_more_than_there_are_gives_each_once(void **state)
{
    fixture f;
    start(&f);
    for (uint32_t client = 1; client <= 40; client++) {
        join(&f, client);
        wait_for(&f, 100 * THRONG_MS); /* half of them no longer fresh */
    }
    throng_addr peers[64];
    uint32_t seen[41] = {0};
    assert_int_equal(throng_seed_peers(f.seed, f.now, &f.id, peers, 64), 40);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(seen[client_of(&peers[i])]++, 0);
    throng_hash unknown = {{1}};
    assert_int_equal(throng_seed_peers(f.seed, f.now, &unknown, peers, 64), 0);
    fixture_stop(&f);
}

/* Coming, going and ageing in any order keeps the directory's parts and cursors right. */
static void directory_under_random_churn_names_only_who_is_there(void **state)
{
    enum { CLIENTS = 60 };
    fixture f;
    start(&f);
    bool there[CLIENTS] = {false};
    uint64_t random = 5;
    uint32_t present = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t client = test_random_below(&random, CLIENTS);
        if (test_random_below(&random, 3) == 0 && there[client]) {
            bye(&f, client);
            there[client] = false;
            present--;
        } else if (!there[client]) {
            join(&f, client);
            there[client] = true;
            present++;
        } else {
            tell_have(&f, client, 0, 1);
        }
        throng_addr peers[8];
        uint32_t count = throng_seed_peers(f.seed, f.now, &f.id, peers, 8);
        assert_int_equal(count, present < 8 ? present : 8);
        for (uint32_t i = 0; i < count; i++)
            assert_true(there[client_of(&peers[i])]);
        f.now += test_random_below(&random, 60000);
        drain(&f);
    }
    assert_int_equal(stats_of(&f).peers, present);
    fixture_stop(&f);
}

/* Every fourth comes from another network than the rest. */
static void join_names_peers_of_the_same_network_first(void **state)
{
    fixture f;
    start(&f);
    throng_prefix prefixes[] = {{.length = 96 + 24, .as = 1}, {.length = 96 + 24, .as = 2}};
    throng_addr near = client_addr(0), far = client_addr(0x100);
    memcpy(prefixes[0].ip, near.ip, sizeof near.ip);
    memcpy(prefixes[1].ip, far.ip, sizeof far.ip);
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_prefixes networks;
    void *memory;
    size_t size;
    assert_int_equal(throng_prefixes_build(&memory, &size, prefixes, 2, &alloc), 0);
    assert_int_equal(throng_prefixes_attach(&networks, memory, size), 0);
    throng_seed_set_networks(f.seed, &networks);
    for (uint32_t i = 0; i < 24; i++)
        join(&f, i % 4 == 3 ? i : 0x100 + i);
    drain(&f);
    join(&f, 100);
    drain(&f);
    const sent *welcome = find_sent(&f, 100, THRONG_FRAME_WELCOME);
    uint32_t same = 0;
    assert_int_equal(welcome->welcome.peers.count, 4);
    for (uint32_t i = 0; i < 4; i++)
        same += client_of(&welcome->welcome.peers.addrs[i]) < 0x100;
    assert_in_range(same, 3, 4); /* the fourth is from anywhere */
    alloc.resize(alloc.user, memory, size, 0);
    fixture_stop(&f);
}

static void seek_is_answered_with_fresh_peers(void **state)
{
    fixture f;
    start(&f);
    for (uint32_t client = 1; client <= 10; client++)
        join(&f, client);
    drain(&f);
    uint8_t bytes[16];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_tag_frame_encode(&w, THRONG_FRAME_SEEK, f.tag);
    assert_int_equal(say_w(&f, 3, &w), 0);
    assert_int_equal(drain(&f), 1);
    const sent *s = find_sent(&f, 3, THRONG_FRAME_PEERS);
    assert_int_equal(s->welcome.peers.count, 4);
    assert_false(names(s, 3));
    fixture_stop(&f);
}

static void bye_takes_out_of_the_directory_at_once(void **state)
{
    fixture f;
    start(&f);
    join(&f, 1);
    join(&f, 2);
    ask_any(&f, 1, 1, 100, 0);
    assert_int_equal(bye(&f, 1), 0);
    throng_addr peers[4];
    assert_int_equal(throng_seed_peers(f.seed, f.now, &f.id, peers, 4), 1);
    assert_int_equal(client_of(&peers[0]), 2);
    wait_for(&f, 100 * THRONG_MS);
    assert_int_equal(count_sent(&f, 1, THRONG_FRAME_DATA), 0);
    assert_int_equal(stats_of(&f).byes, 1);
    assert_int_equal(stats_of(&f).peers, 1);
    fixture_stop(&f);
}

static void silence_forgets_a_peer_at_its_deadline(void **state)
{
    fixture f;
    start(&f);
    throng_time joined = f.now;
    join(&f, 1);
    join(&f, 2);
    drain(&f);
    f.now += 3 * THRONG_SECOND;
    tell_have(&f, 2, 0, 1);
    assert_int_equal(throng_seed_next_deadline(f.seed), joined + 5 * THRONG_SECOND);
    run_until(&f, joined + 5 * THRONG_SECOND);
    assert_int_equal(stats_of(&f).peers, 2);
    run_until(&f, joined + 5 * THRONG_SECOND + 1);
    assert_int_equal(stats_of(&f).peers, 1);
    run_until(&f, joined + 9 * THRONG_SECOND);
    assert_int_equal(stats_of(&f).peers, 0);
    assert_int_equal(stats_of(&f).forgotten, 2);
    assert_int_equal(throng_seed_next_deadline(f.seed), THRONG_NEVER);
    fixture_stop(&f);
}

static void table_full_pushes_the_longest_silent_out(void **state)
{
    fixture f;
    throng_seed_config config = fixture_config(RATE);
    config.peers_max = 10;
    fixture_start(&f, &config, 128 * CHUNK);
    for (uint32_t client = 1; client <= 10; client++) {
        join(&f, client);
        f.now += THRONG_MS;
    }
    tell_have(&f, 1, 0, 1); /* now 2 is the longest silent */
    join(&f, 11);
    drain(&f);
    assert_int_equal(stats_of(&f).peers, 10);
    assert_int_equal(stats_of(&f).forgotten, 1);
    throng_addr peers[16];
    uint32_t count = throng_seed_peers(f.seed, f.now, &f.id, peers, 16);
    assert_int_equal(count, 10);
    for (uint32_t i = 0; i < count; i++)
        assert_int_not_equal(client_of(&peers[i]), 2);
    fixture_stop(&f);
}

static void object_unknown_or_removed_is_told_so(void **state)
{
    fixture f;
    start(&f);
    join(&f, 1);
    ask_any(&f, 1, 1, 100, 0);
    assert_int_equal(throng_seed_remove(f.seed, f.now, &f.id), 0);
    assert_int_equal(throng_seed_remove(f.seed, f.now, &f.id), THRONG_ERR_NOT_FOUND);
    assert_int_equal(drain(&f), 0); /* no WELCOME, no content of what is gone */
    assert_int_equal(stats_of(&f).peers, 0);
    join(&f, 2);
    ask_any(&f, 1, 1, 100, 0);
    drain(&f);
    assert_int_equal(f.count, 2);
    assert_int_equal(find_sent(&f, 1, THRONG_FRAME_NO_FILE)->object, f.tag);
    assert_int_equal(find_sent(&f, 2, THRONG_FRAME_NO_FILE)->object, f.tag);
    fixture_stop(&f);
}

static void object_added_twice_or_beyond_the_limit_is_refused(void **state)
{
    fixture f;
    throng_seed_config config = fixture_config(RATE);
    config.objects_max = 2;
    fixture_start(&f, &config, 128 * CHUNK);
    assert_int_equal(throng_seed_add(f.seed, f.now, &f.id, f.manifest, f.manifest_size, f.hashes, NULL),
                     THRONG_ERR_STATE);
    throng_hash second = {{2}}, third = {{3}};
    assert_int_equal(throng_seed_add(f.seed, f.now, &second, f.manifest, f.manifest_size, f.hashes, NULL), 0);
    assert_int_equal(throng_seed_add(f.seed, f.now, &third, f.manifest, f.manifest_size, f.hashes, NULL),
                     THRONG_ERR_FULL);
    assert_int_equal(throng_seed_add(f.seed, f.now, &third, f.manifest, 20, f.hashes, NULL), THRONG_ERR_MALFORMED);
    assert_int_equal(stats_of(&f).objects, 2);
    fixture_stop(&f);
}

/* A browser: admitted by its connection, joins without a token that would do for it. */
static void join_browser(fixture *f, uint64_t id, bool admit)
{
    uint8_t bytes[64];
    static const uint8_t no_token[THRONG_TOKEN_SIZE];
    throng_addr from = throng_addr_browser(id);
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_u8(&w, THRONG_FRAME_JOIN);
    throng_write_u64(&w, f->tag);
    throng_write_bytes(&w, no_token, sizeof no_token);
    throng_write_u16(&w, 0);
    if (admit)
        assert_int_equal(throng_seed_admit(f->seed, f->now, (uint32_t)id + 1000, &from), 0);
    throng_seed_recv(f->seed, f->now, UNIX_NOW, (uint32_t)id + 1000, &from, bytes, throng_writer_size(&w));
}

static const sent *welcome_to(const fixture *f, const throng_addr *to)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->log[i].type == THRONG_FRAME_WELCOME && throng_addr_equal(&f->log[i].welcome.observed, to))
            return &f->log[i];
    return NULL;
}

static void browser_is_named_browsers_alone_and_others_are_named_none(void **state)
{
    fixture f;
    throng_addr peers[64];
    start(&f);
    for (uint32_t i = 1; i <= 20; i++) {
        join(&f, i);
        join_browser(&f, i, true);
    }
    drain(&f);
    join_browser(&f, 99, true);
    join(&f, 99);
    drain(&f);
    throng_addr browser = throng_addr_browser(99), other = client_addr(99);
    const sent *s = welcome_to(&f, &browser);
    assert_int_equal(s->welcome.peers.count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(throng_addr_is_browser(&s->welcome.peers.addrs[i]));
    s = welcome_to(&f, &other);
    assert_int_equal(s->welcome.peers.count, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_false(throng_addr_is_browser(&s->welcome.peers.addrs[i]));
    for (uint32_t i = 0; i < f.count; i++)
        if (f.log[i].type == THRONG_FRAME_INTRODUCE)
            assert_false(throng_addr_is_browser(&f.log[i].newcomer));
    assert_int_equal(throng_seed_peers(f.seed, f.now, &f.id, peers, 64), 21);
    for (uint32_t i = 0; i < 21; i++)
        assert_false(throng_addr_is_browser(&peers[i]));
    fixture_stop(&f);
}

/* `browser` asks for everything of the seed's choice, having the first `has` chunks; all that it is given in `span`. */
static uint32_t given_to_browser(fixture *f, uint64_t id, uint32_t has, throng_time span)
{
    uint8_t bytes[64];
    throng_addr from = throng_addr_browser(id);
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_u8(&w, THRONG_FRAME_REQUEST);
    throng_write_u64(&w, f->tag);
    throng_write_u8(&w, 1);
    throng_write_u16(&w, 0x4000 | 128); /* any 128, as a varint */
    throng_write_u8(&w, has > 0);
    if (has > 0) {
        throng_write_u8(&w, 0);
        throng_write_u16(&w, (uint16_t)(0x4000 | has));
    }
    throng_write_u8(&w, 0);
    throng_seed_recv(f->seed, f->now, UNIX_NOW, (uint32_t)id + 1000, &from, bytes, throng_writer_size(&w));
    uint64_t before = stats_of(f).content_bytes;
    wait_for(f, span);
    return (uint32_t)((stats_of(f).content_bytes - before) / CHUNK);
}

static void browser_is_left_to_two_that_hold_all_and_gets_more_each_time_it_waited(void **state)
{
    fixture f;
    start(&f);
    for (uint64_t id = 1; id <= 2; id++) {
        join_browser(&f, id, true);
        assert_int_equal(given_to_browser(&f, id, 0, 500 * THRONG_MS), 128);
    }
    join_browser(&f, 3, true); /* lacks all of it, too */
    join_browser(&f, 4, true);
    assert_int_equal(given_to_browser(&f, 4, 0, 500 * THRONG_MS), 0);
    wait_for(&f, THRONG_SECOND);
    uint32_t has = 0;
    for (uint32_t alms = 16; alms <= 32; alms *= 2) {
        assert_int_equal(given_to_browser(&f, 4, has, 500 * THRONG_MS), alms);
        has += alms;
        assert_int_equal(given_to_browser(&f, 4, has, 500 * THRONG_MS), 0);
        wait_for(&f, THRONG_SECOND);
    }
    /* With what others give to it, it begins anew. */
    has += 10;
    assert_int_equal(given_to_browser(&f, 4, has, 500 * THRONG_MS), 0);
    wait_for(&f, THRONG_SECOND);
    assert_in_range(given_to_browser(&f, 4, has, 500 * THRONG_MS), 12, 16); /* 58 chunks end amid a unit */
    join_browser(&f, 5, true);
    for (has = 10; has <= 100; has += 10)
        assert_int_equal(given_to_browser(&f, 5, has, 500 * THRONG_MS), 0);
    fixture_stop(&f);
}

/* It asks every 300 ms, and the parts stand in its connection. */
static void browser_that_alone_lacks_what_all_hold_is_given_it_at_once(void **state)
{
    fixture f;
    start(&f);
    for (uint64_t id = 1; id <= 4; id++)
        join_browser(&f, id, true);
    for (uint64_t id = 1; id <= 3; id++)
        given_to_browser(&f, id, 128, 500 * THRONG_MS); /* have it of each other */
    assert_int_equal(given_to_browser(&f, 4, 0, 500 * THRONG_MS), 128);
    fixture_stop(&f);
}

static void browser_gets_a_manifest_once_until_it_must_be_lost(void **state)
{
    fixture f;
    start(&f);
    join_browser(&f, 1, true);
    uint8_t bytes[64];
    throng_addr from = throng_addr_browser(1);
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_manifest_get_encode(&w, &(throng_manifest_get){.object = f.tag, .offset = 0});
    uint32_t parts = 0;
    forget_sent(&f);
    for (uint32_t i = 0; i < 20; i++) {
        throng_seed_recv(f.seed, f.now, UNIX_NOW, 1001, &from, bytes, throng_writer_size(&w));
        wait_for(&f, 300 * THRONG_MS);
        parts = count_sent(&f, UINT32_MAX, THRONG_FRAME_MANIFEST);
        if (i == 15)
            assert_int_equal(parts, (f.manifest_size + THRONG_MANIFEST_PART_SIZE - 1) / THRONG_MANIFEST_PART_SIZE);
    }
    assert_true(parts > (f.manifest_size + THRONG_MANIFEST_PART_SIZE - 1) / THRONG_MANIFEST_PART_SIZE);
    fixture_stop(&f);
}

/* What was not told of in time may stand in the buffers of its WebSocket. */
static void browser_is_not_sent_again_what_its_connection_holds_back(void **state)
{
    fixture f;
    start(&f);
    join_browser(&f, 1, true);
    assert_int_equal(given_to_browser(&f, 1, 0, 500 * THRONG_MS), 128);
    assert_int_equal(given_to_browser(&f, 1, 0, 3 * THRONG_SECOND), 0);
    wait_for(&f, 2 * THRONG_SECOND);
    assert_int_equal(given_to_browser(&f, 1, 100, 500 * THRONG_MS), 28);
    fixture_stop(&f);
}

static void browser_stays_while_its_connection_does(void **state)
{
    fixture f;
    start(&f);
    join_browser(&f, 1, true);
    join(&f, 1);
    wait_for(&f, 60 * THRONG_SECOND);
    assert_int_equal(stats_of(&f).peers, 1);
    throng_addr browser = throng_addr_browser(1);
    throng_seed_dismiss(f.seed, &browser);
    assert_int_equal(stats_of(&f).peers, 0);
    throng_seed_dismiss(f.seed, &browser);
    fixture_stop(&f);
}

static void browser_without_a_connection_is_not_believed(void **state)
{
    fixture f;
    start(&f);
    join_browser(&f, 1, false);
    assert_int_equal(stats_of(&f).joins, 0);
    assert_int_equal(stats_of(&f).tokens_refused, 1);
    fixture_stop(&f);
}

static void browser_address_goes_to_and_fro(void **state)
{
    throng_addr addr = throng_addr_browser(UINT64_C(0x0123456789abcdef));
    throng_addr other = throng_addr_from_ipv4(1, 2, 3, 4, 1);
    assert_true(throng_addr_is_browser(&addr));
    assert_true(throng_addr_is_private(&addr));
    assert_false(throng_addr_is_browser(&other));
    assert_true(throng_addr_browser_id(&addr) == UINT64_C(0x0123456789abcdef));
    assert_int_equal(addr.ip[0], 1);
    assert_int_equal(addr.ip[8], 0x01);
    assert_int_equal(addr.ip[15], 0xef);
    assert_int_equal(addr.port, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browser_is_named_browsers_alone_and_others_are_named_none),
        cmocka_unit_test(browser_is_left_to_two_that_hold_all_and_gets_more_each_time_it_waited),
        cmocka_unit_test(browser_that_alone_lacks_what_all_hold_is_given_it_at_once),
        cmocka_unit_test(browser_gets_a_manifest_once_until_it_must_be_lost),
        cmocka_unit_test(browser_is_not_sent_again_what_its_connection_holds_back),
        cmocka_unit_test(browser_stays_while_its_connection_does),
        cmocka_unit_test(browser_without_a_connection_is_not_believed),
        cmocka_unit_test(browser_address_goes_to_and_fro),
        cmocka_unit_test(join_with_a_token_is_welcomed),
        cmocka_unit_test(join_repeated_is_answered_again_and_counted_once),
        cmocka_unit_test(join_repeated_before_the_answer_left_is_answered_once),
        cmocka_unit_test(join_from_many_ports_with_one_token_takes_one_place),
        cmocka_unit_test(join_welcome_and_introductions_fit_the_budget_of_a_visitor),
        cmocka_unit_test(join_names_fresh_peers_and_introduces_the_newcomer_to_some),
        cmocka_unit_test(join_when_few_are_fresh_older_ones_are_named_too),
        cmocka_unit_test(directory_names_everyone_about_as_often),
        cmocka_unit_test(directory_asked_for_more_than_there_are_gives_each_once),
        cmocka_unit_test(directory_under_random_churn_names_only_who_is_there),
        cmocka_unit_test(join_names_peers_of_the_same_network_first),
        cmocka_unit_test(seek_is_answered_with_fresh_peers),
        cmocka_unit_test(bye_takes_out_of_the_directory_at_once),
        cmocka_unit_test(silence_forgets_a_peer_at_its_deadline),
        cmocka_unit_test(table_full_pushes_the_longest_silent_out),
        cmocka_unit_test(object_unknown_or_removed_is_told_so),
        cmocka_unit_test(object_added_twice_or_beyond_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
