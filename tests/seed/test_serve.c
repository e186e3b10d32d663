/* SERVE: who says that it serves by HTTP is probed at its own address, and named once that brought the content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

enum { RATE = 20000000, HTTP_PORT = 8000, CHUNKS = 64 };

static void start(fixture *f)
{
    throng_seed_config config = fixture_config(RATE);
    fixture_start(f, &config, CHUNKS * CHUNK);
}

static int serve_at(fixture *f, uint32_t client, uint16_t port, bool asks_key)
{
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_serve_encode(&w, &(throng_serve){.object = f->tag, .port = port, .asks_key = asks_key});
    return say_w(f, client, &w);
}

static void serve(fixture *f, uint32_t client)
{
    assert_int_equal(serve_at(f, client, HTTP_PORT, false), 0);
}

static bool probe(fixture *f, throng_seed_probe *ret)
{
    return throng_seed_poll_probe(f->seed, f->now, UNIX_NOW, ret);
}

static void probed(fixture *f, const throng_seed_probe *p, bool good)
{
    throng_seed_probed(f->seed, f->now, p, good);
}

static uint32_t http_peers(fixture *f)
{
    return stats_of(f).http_peers;
}

static void join_and_serve(fixture *f, uint32_t client)
{
    assert_int_equal(join(f, client), 0);
    serve(f, client);
}

/* Says so every second until `end`. */
static void stay(fixture *f, uint32_t client, throng_time end)
{
    while (f->now < end) {
        run_until(f, f->now + THRONG_SECOND);
        serve(f, client);
    }
}

static void serve_of_a_member_is_probed_at_its_own_address_within_the_object(void **state)
{
    fixture f;
    throng_seed_probe p;
    throng_http_path path;
    uint8_t key[THRONG_KEY_SIZE];
    start(&f);
    throng_seed_config config = fixture_config(RATE);
    assert_false(probe(&f, &p));
    join_and_serve(&f, 1);
    assert_true(probe(&f, &p));
    throng_addr addr = client_addr(1);
    assert_memory_equal(p.addr.ip, addr.ip, sizeof addr.ip);
    assert_int_equal(p.addr.port, HTTP_PORT);
    assert_true(p.size > 0 && p.size <= THRONG_SEED_PROBE_MAX && p.offset + p.size <= CHUNKS * CHUNK);
    assert_int_equal(p.object_size, CHUNKS * CHUNK);
    assert_ptr_equal(p.content, &f.content);
    throng_http_key(key, config.token_key, &p.addr);
    assert_int_equal(throng_http_path_decode(&path, p.path, strlen(p.path)), 0);
    throng_addr any = client_addr(77);
    assert_int_equal(throng_http_path_check(&path, key, f.tag, UNIX_NOW, 60, any.ip), 0);
    assert_false(probe(&f, &p)); /* once */
    assert_int_equal(http_peers(&f), 0);
    fixture_stop(&f);
}

static void serve_that_asks_for_the_key_is_told_it(void **state)
{
    fixture f;
    start(&f);
    join(&f, 1);
    run_until(&f, f.now + 100 * THRONG_MS);
    forget_sent(&f);
    serve_at(&f, 1, HTTP_PORT, true);
    run_until(&f, f.now + 100 * THRONG_MS);
    assert_int_equal(count_sent(&f, 1, THRONG_FRAME_SERVED), 1);
    forget_sent(&f);
    serve(&f, 1);
    run_until(&f, f.now + 100 * THRONG_MS);
    assert_int_equal(count_sent(&f, 1, THRONG_FRAME_SERVED), 0);
    fixture_stop(&f);
}

static void peer_is_named_once_its_probe_is_good_and_no_longer_when_it_is_silent(void **state)
{
    fixture f;
    throng_seed_probe p;
    uint32_t object;
    start(&f);
    join_and_serve(&f, 1);
    assert_int_equal(throng_seed_http_holders(f.seed, &f.id, &object), THRONG_ERR_NOT_FOUND);
    assert_true(probe(&f, &p));
    probed(&f, &p, true);
    assert_int_equal(http_peers(&f), 1);
    assert_int_equal(throng_seed_http_holders(f.seed, &f.id, &object), 0);
    stay(&f, 1, f.now + 20 * THRONG_SECOND);
    assert_int_equal(http_peers(&f), 1);
    run_until(&f, f.now + 6 * THRONG_SECOND);
    assert_int_equal(http_peers(&f), 0);
    fixture_stop(&f);
}

static void peer_that_says_goodbye_is_named_no_longer(void **state)
{
    fixture f;
    throng_seed_probe p;
    start(&f);
    join_and_serve(&f, 1);
    assert_true(probe(&f, &p));
    probed(&f, &p, true);
    bye(&f, 1);
    assert_int_equal(http_peers(&f), 0);
    probed(&f, &p, true); /* comes too late */
    assert_int_equal(http_peers(&f), 0);
    fixture_stop(&f);
}

static void peer_is_probed_again_and_dropped_when_that_fails(void **state)
{
    fixture f;
    throng_seed_probe p;
    start(&f);
    join_and_serve(&f, 1);
    assert_true(probe(&f, &p));
    probed(&f, &p, true);
    throng_time end = f.now + 120 * THRONG_SECOND;
    while (f.now < end && !probe(&f, &p))
        stay(&f, 1, f.now + THRONG_SECOND);
    assert_true(f.now < end);
    assert_int_equal(http_peers(&f), 1);
    probed(&f, &p, false);
    assert_int_equal(http_peers(&f), 0);
    fixture_stop(&f);
}

static int by_size(const void *a, const void *b)
{
    const throng_time *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Whoever knew the time, or the place, could serve that alone well. */
static void peer_is_probed_at_times_and_places_that_it_cannot_tell(void **state)
{
    enum { PROBES = 40 };
    fixture f;
    throng_seed_probe p;
    throng_time waits[PROBES], last, sum = 0;
    uint32_t probes = 0, from_start = 0, elsewhere = 0;
    throng_seed_config config = fixture_config(RATE);
    fixture_start(&f, &config, 1024 * CHUNK);
    join_and_serve(&f, 1);
    assert_true(probe(&f, &p));
    probed(&f, &p, true);
    for (last = f.now; probes < PROBES && f.now < 3 * PROBES * 60 * THRONG_SECOND;) {
        stay(&f, 1, f.now + THRONG_SECOND);
        if (!probe(&f, &p))
            continue;
        probed(&f, &p, true);
        from_start += p.offset == 0;
        elsewhere += p.offset % CHUNK != 0;
        sum += waits[probes++] = f.now - last;
        last = f.now;
    }
    assert_int_equal(probes, PROBES);
    assert_in_range(sum / PROBES, 40 * THRONG_SECOND, 80 * THRONG_SECOND);
    qsort(waits, PROBES, sizeof *waits, by_size);
    assert_true(waits[0] < 20 * THRONG_SECOND && waits[PROBES - 1] > 90 * THRONG_SECOND);
    assert_true(from_start > 0 && elsewhere > PROBES / 4);
    fixture_stop(&f);
}

static uint16_t mark_of(const throng_addr *from)
{
    throng_addr addr = *from;
    addr.port = HTTP_PORT;
    return throng_http_mark(fixture_config(RATE).token_key, &addr);
}

static void doubt(fixture *f, uint32_t client)
{
    throng_addr addr = client_addr(client);
    throng_seed_doubt(f->seed, f->now, f->tag & UINT64_C(0xffffffffffff), mark_of(&addr));
}

static void many_serve(fixture *f, uint32_t count)
{
    throng_seed_probe p;
    start(f);
    for (uint32_t i = 1; i <= count; i++)
        join_and_serve(f, i);
    while (probe(f, &p))
        probed(f, &p, true);
    assert_int_equal(http_peers(f), count);
}

static void peer_that_a_client_came_back_from_is_probed_at_once_but_not_again_and_again(void **state)
{
    enum { PEERS = 8 };
    fixture f;
    throng_seed_probe p;
    many_serve(&f, PEERS);
    throng_addr addr = client_addr(3);
    throng_time begun = f.now;
    uint32_t probes = 0;
    /* It was probed just now, and is again after five seconds, however often it is doubted. */
    for (; f.now < begun + 20 * THRONG_SECOND; run_until(&f, f.now + 100 * THRONG_MS)) {
        for (uint32_t i = 1; i <= PEERS; i++) { /* in all alike: in one alone would have it shunned */
            serve(&f, i);
            doubt(&f, i);
        }
        while (probe(&f, &p)) {
            if (memcmp(p.addr.ip, addr.ip, sizeof addr.ip) == 0) {
                assert_true(f.now - begun >= (5 * ++probes) * THRONG_SECOND);
                assert_true(f.now - begun <= (6 * probes + 1) * THRONG_SECOND);
            }
            probed(&f, &p, true);
        }
    }
    assert_in_range(probes, 3, 4);
    uint64_t doubts = stats_of(&f).doubts;
    doubt(&f, 77); /* of nobody */
    throng_seed_doubt(f.seed, f.now, 1, mark_of(&addr));
    assert_int_equal(stats_of(&f).doubts, doubts);
    fixture_stop(&f);
}

/* It serves probes well, and clients badly: four are named to each client, and who got the liar comes back. */
static void peer_that_clients_come_back_from_more_than_from_others_is_shunned(void **state)
{
    enum { PEERS = 16, LIAR = 5, CLIENTS = 400 };
    fixture f;
    throng_seed_probe p;
    uint32_t clients = 0;
    uint64_t random = 1;
    many_serve(&f, PEERS);
    for (; clients < CLIENTS && stats_of(&f).shunned == 0; clients++) {
        uint32_t named[4];
        bool liar = false;
        for (int i = 0; i < 4; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            named[i] = 1 + (uint32_t)(random >> 33) % PEERS;
            liar = liar || named[i] == LIAR;
        }
        for (int i = 0; liar && i < 4; i++)
            doubt(&f, named[i]);
    }
    assert_int_equal(stats_of(&f).shunned, 1);
    assert_in_range(clients, 8, CLIENTS - 1);
    assert_int_equal(http_peers(&f), PEERS - 1);
    while (probe(&f, &p))
        probed(&f, &p, true);
    /* It is not taken back, at another port as little. */
    for (throng_time end = f.now + 300 * THRONG_SECOND; f.now < end;) {
        run_until(&f, f.now + THRONG_SECOND);
        serve_at(&f, LIAR, HTTP_PORT + 1, false);
        while (probe(&f, &p)) {
            throng_addr addr = client_addr(LIAR);
            assert_memory_not_equal(p.addr.ip, addr.ip, sizeof addr.ip);
            probed(&f, &p, true);
        }
    }
    stay(&f, LIAR, f.now + 310 * THRONG_SECOND);
    assert_true(probe(&f, &p)); /* but after ten minutes */
    fixture_stop(&f);
}

/* Many who share an address look like one who comes back: that says nothing of a peer. */
static void doubts_in_all_alike_shun_nobody(void **state)
{
    enum { PEERS = 10 };
    fixture f;
    uint64_t random = 7;
    many_serve(&f, PEERS);
    for (int i = 0; i < 2000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        doubt(&f, 1 + (uint32_t)(random >> 33) % PEERS);
    }
    assert_int_equal(stats_of(&f).shunned, 0);
    assert_int_equal(http_peers(&f), PEERS);
    fixture_stop(&f);
}

static void peer_that_fails_is_tried_ever_more_seldom(void **state)
{
    fixture f;
    throng_seed_probe p;
    uint32_t tries = 0;
    start(&f);
    join_and_serve(&f, 1);
    for (throng_time end = f.now + 300 * THRONG_SECOND; f.now < end;) {
        while (probe(&f, &p)) {
            tries++;
            probed(&f, &p, false);
        }
        stay(&f, 1, f.now + THRONG_SECOND);
    }
    assert_in_range(tries, 4, 6); /* after 0, 10, 30, 70, 150 s */
    fixture_stop(&f);
}

/* Other ports, other sender ids, one address. */
static void address_that_claims_a_thousand_peers_is_probed_as_two(void **state)
{
    enum { CLAIMED = 1000 };
    fixture f;
    throng_seed_probe p;
    uint32_t probes = 0;
    start(&f);
    for (uint32_t i = 0; i < CLAIMED; i++) {
        throng_addr from = client_addr(1);
        from.port = (uint16_t)(10000 + i);
        uint8_t bytes[64];
        throng_token token;
        throng_token_make(&token, fixture_config(RATE).token_key, UNIX_NOW, 5000 + i, from.ip);
        throng_writer w = throng_writer_on(bytes, sizeof bytes);
        throng_write_u8(&w, THRONG_FRAME_JOIN);
        throng_write_u64(&w, f.tag);
        throng_write_bytes(&w, token.bytes, sizeof token.bytes);
        throng_write_u16(&w, 0); /* no flags, nothing here */
        throng_serve_encode(&w, &(throng_serve){.object = f.tag, .port = (uint16_t)(20000 + i), .asks_key = false});
        assert_int_equal(throng_seed_recv(f.seed, f.now, UNIX_NOW, 5000 + i, &from, bytes, throng_writer_size(&w)), 0);
    }
    while (probe(&f, &p)) {
        probes++;
        probed(&f, &p, true);
    }
    assert_int_equal(probes, 2);
    assert_int_equal(http_peers(&f), 2);
    fixture_stop(&f);
}

static void serve_on_a_port_of_others_or_from_a_stranger_is_not_probed(void **state)
{
    fixture f;
    throng_seed_probe p;
    start(&f);
    join(&f, 1);
    serve_at(&f, 1, 25, true);
    assert_false(probe(&f, &p));
    assert_int_equal(serve_at(&f, 2, HTTP_PORT, true), THRONG_ERR_UNPROVEN);
    assert_false(probe(&f, &p));
    fixture_stop(&f);
}

static void serve_of_an_object_that_is_not_there_is_told_so(void **state)
{
    fixture f;
    throng_seed_probe p;
    uint8_t bytes[64];
    start(&f);
    join(&f, 1);
    run_until(&f, f.now + 100 * THRONG_MS);
    forget_sent(&f);
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_serve_encode(&w, &(throng_serve){.object = f.tag ^ 1, .port = HTTP_PORT, .asks_key = true});
    assert_int_equal(say_w(&f, 1, &w), 0);
    run_until(&f, f.now + 100 * THRONG_MS);
    assert_false(probe(&f, &p));
    assert_int_equal(count_sent(&f, 1, THRONG_FRAME_SERVED), 0);
    assert_int_equal(count_sent(&f, 1, THRONG_FRAME_NO_FILE), 1);
    fixture_stop(&f);
}

static void serve_at_another_port_takes_the_place_of_the_one_before(void **state)
{
    fixture f;
    throng_seed_probe p, before;
    start(&f);
    join_and_serve(&f, 1);
    assert_true(probe(&f, &before));
    serve_at(&f, 1, HTTP_PORT + 1, false);
    probed(&f, &before, true); /* of the port that it has left */
    assert_int_equal(http_peers(&f), 0);
    assert_true(probe(&f, &p));
    assert_int_equal(p.addr.port, HTTP_PORT + 1);
    probed(&f, &p, true);
    assert_int_equal(http_peers(&f), 1);
    assert_int_equal(throng_seed_remove(f.seed, f.now, &f.id), 0);
    assert_int_equal(http_peers(&f), 0);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serve_of_a_member_is_probed_at_its_own_address_within_the_object),
        cmocka_unit_test(serve_that_asks_for_the_key_is_told_it),
        cmocka_unit_test(peer_is_named_once_its_probe_is_good_and_no_longer_when_it_is_silent),
        cmocka_unit_test(peer_that_says_goodbye_is_named_no_longer),
        cmocka_unit_test(peer_is_probed_again_and_dropped_when_that_fails),
        cmocka_unit_test(peer_is_probed_at_times_and_places_that_it_cannot_tell),
        cmocka_unit_test(peer_that_a_client_came_back_from_is_probed_at_once_but_not_again_and_again),
        cmocka_unit_test(peer_that_clients_come_back_from_more_than_from_others_is_shunned),
        cmocka_unit_test(doubts_in_all_alike_shun_nobody),
        cmocka_unit_test(peer_that_fails_is_tried_ever_more_seldom),
        cmocka_unit_test(address_that_claims_a_thousand_peers_is_probed_as_two),
        cmocka_unit_test(serve_on_a_port_of_others_or_from_a_stranger_is_not_probed),
        cmocka_unit_test(serve_of_an_object_that_is_not_there_is_told_so),
        cmocka_unit_test(serve_at_another_port_takes_the_place_of_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
