/* An object goes over real sockets from the seeder's host to peers' hosts, and from peer to peer. */
#include "crowd.h"

#include <string.h>

static const uint64_t FAST = 10000000000u;

static bool is_done(void *user)
{
    const crowd_peer *p = user;
    return p->done > 0 || p->stuck > 0 || p->store_error < 0;
}

static bool has_left(void *user)
{
    return ((crowd_peer *)user)->left;
}

static void fetch_alone(uint64_t size)
{
    crowd c;
    crowd_peer p;
    crowd_open(&c, size, FAST);
    crowd_peer_open(&c, &p, 1);
    throng_directions directions = crowd_directions(&c, 10, NULL, 0);
    crowd_peer_join(&p, &directions);
    assert_true(crowd_run(&c, is_done, &p, 20000));
    assert_int_equal(p.done, 1);
    assert_int_equal(p.stuck, 0);
    assert_int_equal(p.manifests, 1);
    crowd_peer_check(&p);
    throng_peer_stats stats;
    throng_peer_stats_get(p.peer, &stats);
    assert_int_equal(stats.node.content_from_peers, 0);
    assert_true(stats.node.content_from_seeder >= size);
    assert_int_equal(stats.seal.unsealed + stats.seal.malformed + stats.node.datagrams_malformed, 0);
    throng_peer_leave(p.peer);
    assert_true(crowd_run(&c, has_left, &p, 2000));
    throng_peer_stats_get(p.peer, &stats);
    assert_true(stats.node.content_from_seeder >= size); /* still told after leaving */
    crowd_peer_close(&p);
    crowd_close(&c);
}

static void transfer_from_seeder_arrives_whole_whatever_its_size(void **state)
{
    static const uint64_t sizes[] = {1, 1023, 1024, 1025, 16 * 1024, 16 * 1024 + 1, 300000, 8 * 1024 * 1024 + 77};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        fetch_alone(sizes[i]);
}

/* Above 32 MiB the list of hashes becomes a tree, whose pages travel like content. */
static void transfer_of_an_object_with_a_hash_tree_arrives_whole(void **state)
{
    fetch_alone(40 * 1024 * 1024);
}

static bool has_open_unit(void *user)
{
    const crowd_peer *p = user;
    uint32_t unit;
    return throng_store_next_unit(p->store, THRONG_UNIT_OPEN, 0, &unit);
}

/* As when bytes of HTTP turn out wrong, and what else the unit had goes with them: the node believes it is there. */
static void transfer_of_a_unit_that_the_store_lost_fetches_it_again(void **state)
{
    crowd c;
    crowd_peer p;
    uint32_t unit;
    crowd_open(&c, 256 * 1024, 4000000);
    crowd_peer_open(&c, &p, 1);
    throng_directions directions = crowd_directions(&c, 10, NULL, 0);
    crowd_peer_join(&p, &directions);
    assert_true(crowd_run(&c, has_open_unit, &p, 10000));
    assert_true(throng_store_next_unit(p.store, THRONG_UNIT_OPEN, 0, &unit));
    throng_store_drop(p.store, unit);
    assert_true(crowd_run(&c, is_done, &p, 20000));
    assert_int_equal(p.store_error, 0);
    assert_int_equal(p.stuck, 0);
    throng_peer_stats stats;
    throng_peer_stats_get(p.peer, &stats);
    assert_int_equal(stats.node.units_failed, 1);
    crowd_peer_check(&p);
    crowd_peer_close(&p);
    crowd_close(&c);
}

static bool both_done(void *user)
{
    crowd_peer *peers = user;
    return is_done(&peers[0]) && is_done(&peers[1]);
}

static bool both_know_the_manifest(void *user)
{
    const crowd_peer *peers = user;
    return peers[0].manifests > 0 && peers[1].manifests > 0;
}

/* The seeder gives the manifest and is as good as gone then; either peer has the half that the other lacks. */
static void transfer_between_two_halves_each_gets_the_other(void **state)
{
    crowd c;
    crowd_peer peers[2];
    uint64_t size = 256 * 1024;
    crowd_open(&c, size, 64000);
    crowd_peer_open(&c, &peers[0], 0);
    crowd_peer_open(&c, &peers[1], 1);
    const crowd_peer *others[] = {&peers[1], &peers[0]};
    for (uint32_t i = 0; i < 2; i++) {
        throng_directions directions = crowd_directions(&c, 10 + i, &others[i], 1);
        crowd_peer_join(&peers[i], &directions);
        uint32_t units = c.made.manifest.geometry.metachunks;
        crowd_peer_supply(&peers[i], i * units / 2, (i + 1) * units / 2);
    }
    assert_true(crowd_run(&c, both_know_the_manifest, peers, 10000));
    assert_true(crowd_run(&c, both_done, peers, 30000));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(peers[i].done, 1);
        throng_peer_stats stats;
        throng_peer_stats_get(peers[i].peer, &stats);
        assert_true(stats.node.content_from_peers > size / 4);
        assert_true(stats.node.content_uploaded > size / 4);
        crowd_peer_check(&peers[i]);
        crowd_peer_close(&peers[i]);
    }
    crowd_close(&c);
}

/* Eight join at once, and all know one another: what the seeder sends is far less than eight times the object. */
static bool all_done(void *user)
{
    crowd_peer *peers = user;
    for (int i = 0; i < 8; i++)
        if (!is_done(&peers[i]))
            return false;
    return true;
}

static void transfer_to_eight_at_once_all_arrive_and_share(void **state)
{
    crowd c;
    crowd_peer peers[8];
    const crowd_peer *others[8];
    uint64_t size = 512 * 1024;
    crowd_open(&c, size, 4000000);
    for (uint32_t i = 0; i < 8; i++) {
        crowd_peer_open(&c, &peers[i], i);
        throng_directions directions = crowd_directions(&c, 20 + i, others, i);
        crowd_peer_join(&peers[i], &directions);
        others[i] = &peers[i];
    }
    assert_true(crowd_run(&c, all_done, peers, 30000));
    for (int i = 0; i < 8; i++) {
        assert_int_equal(peers[i].done, 1);
        crowd_peer_check(&peers[i]);
        crowd_peer_close(&peers[i]);
    }
    throng_seeder_stats stats;
    throng_seeder_stats_get(c.seeder, &stats);
    assert_true(stats.seed.content_bytes < 6 * size);
    crowd_close(&c);
}

/* The hard cap: what leaves the seeder's socket in the time it took stays within the rate and one burst. */
static void seeder_rate_is_kept_on_the_wire(void **state)
{
    crowd c;
    crowd_peer p;
    const uint64_t rate_bps = 8000000;
    crowd_open(&c, 1024 * 1024, rate_bps);
    crowd_peer_open(&c, &p, 1);
    throng_directions directions = crowd_directions(&c, 10, NULL, 0);
    uint64_t start = uv_hrtime();
    crowd_peer_join(&p, &directions);
    assert_true(crowd_run(&c, is_done, &p, 20000));
    double seconds = (double)(uv_hrtime() - start) / 1e9;
    assert_int_equal(p.done, 1);
    throng_seeder_stats stats;
    throng_seeder_stats_get(c.seeder, &stats);
    double sent_bits = 8 * ((double)stats.udp.sent_bytes + 28.0 * (double)stats.udp.sent);
    assert_true(sent_bits <= (double)rate_bps * (seconds + 0.010) + 8 * 1260);
    crowd_peer_close(&p);
    crowd_close(&c);
}

static void join_refused_leaves_nothing_behind(void **state)
{
    crowd c;
    crowd_peer p;
    crowd_open(&c, 1000, FAST);
    crowd_peer_open(&c, &p, 1);
    throng_directions directions = crowd_directions(&c, 10, NULL, 0);
    directions.chunk_size = 7;
    assert_int_equal(throng_peer_join(p.peer, &directions, &c.seeder_addr, NULL), THRONG_ERR_INVALID);
    assert_int_equal(throng_peer_drop(p.peer, &directions.object), THRONG_ERR_NOT_FOUND);
    directions.chunk_size = c.directions.chunk_size;
    crowd_peer_join(&p, &directions);
    assert_int_equal(throng_peer_join(p.peer, &directions, &c.seeder_addr, p.store), THRONG_ERR_STATE);
    assert_int_equal(throng_peer_drop(p.peer, &directions.object), 0);
    crowd_peer_close(&p);
    crowd_close(&c);
}

/* Its socket is closed by then: whoever measures delays meanwhile comes too late. */
static void peer_that_has_left_takes_nothing_more(void **state)
{
    crowd c;
    crowd_peer p;
    const throng_traits traits = {.bandwidth = 5};
    const throng_addr addr = throng_addr_from_ipv4(127, 0, 0, 1, 9);
    throng_key key = {.sender_count = 1};
    crowd_open(&c, 1000, FAST);
    crowd_peer_open(&c, &p, 1);
    throng_peer_leave(p.peer);
    assert_true(crowd_run(&c, has_left, &p, 2000));
    uv_run(&c.loop, UV_RUN_NOWAIT);
    assert_int_equal(throng_peer_set_traits(p.peer, &traits, false), THRONG_ERR_STATE);
    assert_int_equal(throng_peer_add_neighbour(p.peer, &addr), THRONG_ERR_STATE);
    assert_int_equal(throng_peer_add_key(p.peer, &key), THRONG_ERR_STATE);
    crowd_peer_close(&p);
    crowd_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfer_from_seeder_arrives_whole_whatever_its_size),
        cmocka_unit_test(transfer_of_an_object_with_a_hash_tree_arrives_whole),
        cmocka_unit_test(transfer_of_a_unit_that_the_store_lost_fetches_it_again),
        cmocka_unit_test(transfer_between_two_halves_each_gets_the_other),
        cmocka_unit_test(transfer_to_eight_at_once_all_arrive_and_share),
        cmocka_unit_test(seeder_rate_is_kept_on_the_wire),
        cmocka_unit_test(join_refused_leaves_nothing_behind),
        cmocka_unit_test(peer_that_has_left_takes_nothing_more),
    };
    return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
