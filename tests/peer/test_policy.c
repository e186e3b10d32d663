/* The peer's rules, one by one: tit-for-tat, the roulette cache, windows, what is asked for first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

static throng_neighbour *neighbour_with(throng_node *node, uint32_t i, uint32_t first, uint32_t end)
{
    throng_addr addr = peer_address(i);
    throng_neighbour *n = throng_neighbour_add(node, &addr);
    assert_non_null(n);
    n->heard = n->proven = true;
    throng_link *link = throng_link_get(node, n, node->objects[0]);
    uint8_t bytes[32];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_chunk_set_encode_intervals(&w, &(throng_interval){first, end}, 1);
    throng_reader r = throng_reader_on(bytes, throng_writer_size(&w));
    throng_chunk_set set;
    assert_int_equal(throng_chunk_set_decode(&set, &r), 0);
    throng_link_learn(node, n, link, &set);
    return n;
}

static void credit_of_a_stranger_is_the_tab_and_not_a_byte_more(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_neighbour stranger = {.sent_bytes = 0};
    assert_true(throng_credit_allows(node, &stranger, 4608));
    assert_false(throng_credit_allows(node, &stranger, 4609));
    stranger.sent_bytes = 4608;
    assert_false(throng_credit_allows(node, &stranger, 1));
    throng_node_free(node);
}

static void credit_of_a_giver_is_what_it_gave_and_ninety_percent(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_neighbour giver = {.received_bytes = 100000, .sent_bytes = 100000};
    assert_true(throng_credit_allows(node, &giver, 90000));
    assert_false(throng_credit_allows(node, &giver, 90001));
    throng_node_free(node);
}

static void credit_as_the_asker_reckons_it_never_passes_what_the_giver_allows(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    for (uint64_t gave = 0; gave < 200000; gave += 777) {
        for (uint64_t got = 0; got < 2 * gave + 4096; got += 1024) {
            throng_neighbour as_seen_here = {.sent_bytes = gave, .received_bytes = got};
            throng_neighbour as_seen_there = {.sent_bytes = got, .received_bytes = gave};
            uint64_t left = throng_credit_left(node, &as_seen_here, 0);
            if (left > 0)
                assert_true(throng_credit_allows(node, &as_seen_there, (uint32_t)left));
        }
    }
    throng_node_free(node);
}

static void credit_over_all_is_the_share_of_what_came_and_not_a_byte_more(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    object_of(node, 64 * 1024);
    throng_neighbour *n = neighbour_with(node, 1, 0, 1);
    node->config.give_percent = 50;
    assert_false(throng_credit_allows(node, n, 1));
    node->stats.content_from_seeder = 3000;
    node->stats.content_from_peers = 1000;
    assert_true(throng_credit_allows(node, n, 2000));
    assert_false(throng_credit_allows(node, n, 2001));
    node->stats.content_uploaded = 1500;
    assert_true(throng_credit_allows(node, n, 500));
    assert_false(throng_credit_allows(node, n, 501));
    throng_node_free(node);
}

static void credit_may_be_ahead_of_what_came_but_not_of_what_will_come(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 64 * 1024);
    node->config.give_percent = 100;
    node->config.give_ahead_bytes = 16 * 1024;
    assert_true(throng_credit_may_give(node, 16 * 1024));
    assert_false(throng_credit_may_give(node, 16 * 1024 + 1));
    node->stats.content_from_peers = 60 * 1024;
    assert_true(throng_credit_may_give(node, 64 * 1024));
    assert_false(throng_credit_may_give(node, 64 * 1024 + 1));
    node->stats.content_from_peers = 63 * 1024; /* the last of it came by other means */
    object->done = true;
    assert_true(throng_credit_may_give(node, 63 * 1024));
    assert_false(throng_credit_may_give(node, 63 * 1024 + 1));
    throng_node_free(node);
}

static void introducer_is_the_neighbour_that_named_an_address_first_while_it_stays(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 64 * 1024);
    throng_neighbour *by = neighbour_with(node, 1, 0, 1);
    throng_addr named = peer_address(2), other = peer_address(1), found;
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_peers peers = {.object = object->tag, .count = 2, .addrs = {named, other}};
    throng_peers_encode(&w, &peers);
    assert_int_equal(throng_node_recv(node, 2, &by->addr, bytes, throng_writer_size(&w)), 0);
    assert_int_equal(throng_node_introducer(node, &named, &found), THRONG_ERR_NOT_FOUND); /* nobody asked for it */
    by->sought = true;
    assert_int_equal(throng_node_recv(node, 2, &by->addr, bytes, throng_writer_size(&w)), 0);
    assert_int_equal(throng_node_introducer(node, &named, &found), 0);
    assert_true(throng_addr_equal(&found, &other));
    assert_int_equal(throng_node_introducer(node, &other, &found), THRONG_ERR_NOT_FOUND);
    throng_neighbour_remove(node, by);
    assert_int_equal(throng_node_introducer(node, &named, &found), THRONG_ERR_NOT_FOUND);
    throng_node_free(node);
}

static void private_addresses_that_others_name_are_met_unless_public_ones_alone_are_wanted(void **state)
{
    for (int public_only = 0; public_only < 2; public_only++) {
        throng_node *node = node_of(THRONG_PROFILE_THRONG);
        throng_object *object = object_of(node, 128 * 1024);
        const throng_addr inside = throng_addr_from_ipv4(192, 168, 1, 1, 53),
                          here = throng_addr_from_ipv4(127, 0, 0, 1, 6379),
                          outside = throng_addr_from_ipv4(93, 184, 216, 34, 5000);
        node->config.public_only = public_only;
        throng_overlay_meet(node, &inside, object, true);
        throng_overlay_meet(node, &here, object, false);
        throng_overlay_meet(node, &outside, object, false);
        assert_int_equal(throng_neighbour_find(node, &inside) != NULL, !public_only);
        assert_int_equal(throng_neighbour_find(node, &here) != NULL, !public_only);
        assert_non_null(throng_neighbour_find(node, &outside));
        throng_node_free(node);
    }
}

static throng_object *second_object_of(throng_node *node, uint8_t first_byte)
{
    throng_directions directions = {.size = 4096, .chunk_size = 1024};
    memset(directions.object.bytes, 9, sizeof directions.object.bytes);
    directions.object.bytes[0] = first_byte;
    directions.object.bytes[5] = 77;
    assert_int_equal(throng_node_join(node, 1, &directions, NULL, NULL), 0);
    return node->objects[1];
}

static void object_is_named_in_brief_to_who_named_it_while_no_other_would_be_named_alike(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 64 * 1024);
    throng_addr stranger = peer_address(2);
    throng_neighbour *knows = neighbour_with(node, 1, 0, 1), *other = throng_neighbour_add(node, &stranger);
    throng_link *silent = throng_link_get(node, other, object);
    assert_true(throng_tag_is_brief(throng_link_tag(node, &knows->links[0])));
    assert_true(throng_object_find(node, throng_link_tag(node, &knows->links[0])) == object);
    assert_true(throng_link_tag(node, silent) == object->tag);
    second_object_of(node, 8);
    assert_true(throng_tag_is_brief(throng_link_tag(node, &knows->links[0])));
    throng_node_free(node);
    node = node_of(THRONG_PROFILE_THRONG);
    object = object_of(node, 64 * 1024);
    knows = neighbour_with(node, 1, 0, 1);
    second_object_of(node, 9);
    assert_true(throng_link_tag(node, &knows->links[0]) == object->tag);
    assert_null(throng_object_find(node, throng_tag_brief(object->tag)));
    throng_node_free(node);
}

static void who_does_not_know_a_brief_name_is_told_the_whole_and_not_given_up(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 64 * 1024);
    throng_neighbour *n = neighbour_with(node, 1, 0, 1);
    uint8_t bytes[16];
    for (int whole = 0; whole < 2; whole++) {
        throng_writer w = throng_writer_on(bytes, sizeof bytes);
        throng_tag_frame_encode(&w, THRONG_FRAME_NO_FILE, whole ? object->tag : throng_tag_brief(object->tag));
        assert_int_equal(throng_node_recv(node, 2, &n->addr, bytes, throng_writer_size(&w)), 0);
        assert_true(throng_link_tag(node, &n->links[0]) == object->tag);
        assert_int_equal(n->links[0].nothing, whole);
    }
    throng_node_free(node);
}

static uint32_t spoken_to(throng_node *node, throng_time now)
{
    throng_datagram datagram;
    uint32_t count = 0;
    while (throng_node_poll_send(node, now, &datagram))
        count++;
    return count;
}

static void of_ten_named_seven_are_spoken_to_and_the_others_if_those_do_not_answer(void **state)
{
    for (uint32_t answer = 6; answer <= 7; answer++) {
        throng_node *node = node_of(THRONG_PROFILE_THRONG);
        throng_directions directions = {.size = 128 * 1024, .chunk_size = 1024, .peers_count = 10};
        memset(directions.object.bytes, 9, sizeof directions.object.bytes);
        for (uint32_t i = 0; i < 10; i++)
            directions.peers[i] = peer_address(i);
        assert_int_equal(throng_node_join(node, 1, &directions, NULL, NULL), 0);
        assert_int_equal(spoken_to(node, 2), 7);
        uint8_t bytes[16];
        throng_writer w = throng_writer_on(bytes, sizeof bytes);
        throng_bye_encode(&w);
        bytes[0] = THRONG_FRAME_PAD; /* whatever it says, it answers */
        for (uint32_t i = 0; i < answer; i++)
            assert_int_equal(throng_node_recv(node, 10, &directions.peers[i], bytes, throng_writer_size(&w)), 0);
        spoken_to(node, 11);
        throng_node_tick(node, 299 * THRONG_MS);
        assert_non_null(throng_neighbour_find(node, &directions.peers[9]));
        throng_node_tick(node, 400 * THRONG_MS);
        spoken_to(node, 400 * THRONG_MS);
        throng_node_tick(node, 500 * THRONG_MS);
        const throng_neighbour *last = throng_neighbour_find(node, &directions.peers[9]);
        assert_int_equal(last && !last->gone ? last->tries : 0, answer == 7 ? 0 : 1);
        throng_node_free(node);
    }
}

static void roulette_slot_k_is_chosen_k_times_as_often_as_slot_one(void **state)
{
    enum { SLOTS = 5, SPINS = 30000 };
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    object_of(node, 128 * 1024);
    uint32_t counts[SLOTS] = {0};
    for (uint32_t i = 0; i < SLOTS; i++)
        neighbour_with(node, i, 0, 128);
    for (uint32_t i = 0; i < SLOTS; i++)
        throng_overlay_traded(node, node->neighbours[i]);
    assert_int_equal(node->roulette_count, SLOTS);
    for (uint32_t spin = 0; spin < SPINS; spin++) {
        throng_addr named;
        assert_int_equal(throng_overlay_recommend(node, NULL, &named, 1), 1);
        counts[named.ip[15]]++;
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        double expected = SPINS * (i + 1) / 15.0;
        assert_true(counts[i] > 0.9 * expected && counts[i] < 1.1 * expected);
    }
    throng_node_free(node);
}

static void roulette_keeps_as_many_slots_as_there_are_neighbours_the_latest(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    object_of(node, 128 * 1024);
    for (uint32_t i = 0; i < 3; i++)
        neighbour_with(node, i, 0, 128);
    for (uint32_t round = 0; round < 10; round++)
        throng_overlay_traded(node, node->neighbours[round % 2]);
    throng_overlay_traded(node, node->neighbours[2]);
    assert_int_equal(node->roulette_count, 3);
    assert_int_equal(node->roulette[2], node->neighbours[2]->serial);
    assert_int_equal(node->roulette[1], node->neighbours[1]->serial);
    throng_node_free(node);
}

static void choice_prefers_the_chunk_that_fewest_neighbours_hold(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    object_of(node, 128 * 1024);
    neighbour_with(node, 0, 0, 64);
    neighbour_with(node, 1, 0, 64);
    throng_neighbour *n = neighbour_with(node, 2, 0, 80); /* 64 … 79 are its own */
    throng_choice choice;
    throng_choose(node, n, &n->links[0], 4, &choice);
    assert_int_equal(choice.chunks, 4);
    for (uint32_t i = 0; i < choice.intervals_count; i++)
        assert_true(choice.intervals[i].first >= 64 && choice.intervals[i].end <= 80);
    throng_node_free(node);
}

/* A gift of this chunk has come: its own unit is not begun, so that only what the choice makes of it counts. */
static void gift_came(throng_node *node, throng_object *object, uint32_t chunk)
{
    throng_addr addr = peer_address(200);
    throng_neighbour *seeder = throng_neighbour_add(node, &addr);
    assert_non_null(seeder);
    seeder->seeder = true;
    throng_gift_came(node, seeder, object, chunk);
}

static void choice_leaves_the_rest_of_a_unit_to_the_seeder_that_gives_it_but_not_for_long(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 8 * 1024);
    node->now = 10 * THRONG_SECOND;
    throng_neighbour *n = neighbour_with(node, 0, 0, 8);
    gift_came(node, object, 4);
    throng_choice choice;
    throng_choose(node, n, &n->links[0], 8, &choice);
    assert_int_equal(choice.chunks, 5); /* 0 … 4, which is still to do here; 5 … 7 are on their way */
    assert_int_equal(choice.intervals[choice.intervals_count - 1].end, 5);
    node->now += THRONG_SECOND / 2;
    throng_choose(node, n, &n->links[0], 8, &choice);
    assert_int_equal(choice.chunks, 3);
    throng_node_free(node);
}

static void choice_prefers_what_most_hold_while_the_seeder_gives_the_rarest(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 128 * 1024);
    node->now = 10 * THRONG_SECOND;
    neighbour_with(node, 0, 0, 32);
    neighbour_with(node, 1, 0, 32);
    throng_neighbour *n = neighbour_with(node, 2, 0, 64); /* 32 … 63 are its own */
    gift_came(node, object, 127);
    throng_choice choice;
    throng_choose(node, n, &n->links[0], 8, &choice);
    assert_int_equal(choice.chunks, 8);
    assert_true(choice.intervals[choice.intervals_count - 1].end <= 32);
    node->now += THRONG_SECOND;
    throng_choose(node, n, &n->links[0], 8, &choice);
    assert_int_equal(choice.chunks, 8);
    assert_true(choice.intervals[0].first >= 32);
    throng_node_free(node);
}

static void choice_finishes_a_unit_before_it_begins_another(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 128 * 1024);
    throng_neighbour *n = neighbour_with(node, 0, 0, 128);
    throng_choice choice;
    uint32_t units = 0;
    for (uint32_t round = 0; round < 16; round++)
        throng_choose(node, n, &n->links[0], 4, &choice);
    for (uint32_t unit = 0; unit < object->geometry.metachunks; unit++)
        units += throng_unit_find(object, unit) != NULL;
    assert_int_equal(units, 64 / object->geometry.metachunk_chunks); /* 64 chunks chosen, all of each unit */
    throng_node_free(node);
}

static void choice_never_names_a_chunk_twice(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    object_of(node, 128 * 1024);
    throng_neighbour *a = neighbour_with(node, 0, 0, 128), *b = neighbour_with(node, 1, 0, 128);
    uint8_t named[128] = {0};
    throng_choice choice;
    for (uint32_t round = 0; round < 64; round++) {
        throng_neighbour *n = round % 2 ? a : b;
        throng_choose(node, n, &n->links[0], 3, &choice);
        for (uint32_t i = 0; i < choice.intervals_count; i++)
            for (uint32_t chunk = choice.intervals[i].first; chunk < choice.intervals[i].end; chunk++)
                assert_int_equal(named[chunk]++, 0);
    }
    throng_node_free(node);
}

static uint32_t uploads_for(throng_node *node, throng_neighbour *n, uint32_t any, throng_interval want,
                            throng_interval *ret)
{
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_request_encode(&w, node->objects[0]->tag, 77, any, NULL, 0, &want, 1);
    throng_reader r = throng_reader_on(bytes + 1, throng_writer_size(&w) - 1);
    throng_request request;
    assert_int_equal(throng_request_decode(&request, &r), 0);
    uint32_t queued = throng_upload_request(node, n, node->objects[0], &request);
    if (n->uploads_count > 0)
        *ret = (throng_interval){n->uploads[0].first, n->uploads[0].end};
    throng_uploads_clear(node, n, NULL);
    return queued;
}

static void request_bounded_by_a_slice_is_answered_out_of_the_slice(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 128 * 1024);
    throng_neighbour *n = neighbour_with(node, 0, 0, 1);
    throng_object_verified(node, object, 0, 64);
    throng_interval queued;
    assert_int_equal(uploads_for(node, n, 4, (throng_interval){16, 24}, &queued), 4);
    assert_true(queued.first == 16 && queued.end == 20);
    assert_int_equal(uploads_for(node, n, 4, (throng_interval){62, 70}, &queued), 2);
    assert_int_equal(uploads_for(node, n, 4, (throng_interval){64, 70}, &queued), 0);
    assert_int_equal(uploads_for(node, n, 0, (throng_interval){10, 20}, &queued), 10);
    throng_node_free(node);
}

static void ask_for(throng_node *node, throng_neighbour *n, throng_interval want)
{
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_request_encode(&w, node->objects[0]->tag, 77, 0, NULL, 0, &want, 1);
    throng_reader r = throng_reader_on(bytes + 1, throng_writer_size(&w) - 1);
    assert_int_equal(throng_recv_request(node, n, &r), 0);
}

static void forged_requests_make_nobody_busy(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 128 * 1024);
    throng_object_verified(node, object, 0, 128);
    throng_neighbour *forged = neighbour_with(node, 0, 0, 1), *real = neighbour_with(node, 1, 0, 1);
    forged->proven = false;
    ask_for(node, forged, (throng_interval){0, 128});
    ask_for(node, real, (throng_interval){0, 100});
    assert_false(real->busy_due);
    assert_int_equal(real->uploads_chunks, 100);
    throng_neighbour *late = neighbour_with(node, 2, 0, 1);
    ask_for(node, late, (throng_interval){0, 4});
    assert_true(late->busy_due); /* a real queue does */
    throng_node_free(node);
}

static throng_unit *whole_unit_from(throng_node *node, throng_neighbour *n)
{
    throng_unit *unit = throng_unit_open(node, node->objects[0], 0);
    assert_non_null(unit);
    for (uint32_t i = 0; i < unit->end; i++)
        unit->of[i].supplier = n->serial;
    unit->checking = true;
    return unit;
}

static void unit_that_the_host_lost_is_nobodys_fault(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 128 * 1024);
    throng_neighbour *n = neighbour_with(node, 0, 0, 128);
    whole_unit_from(node, n);
    assert_int_equal(throng_node_complete(node, 2, (uint64_t)object->serial << 32, THRONG_ERR_STATE), 0);
    assert_int_equal(node->stats.liars, 0);
    assert_int_equal(node->neighbours_count, 1);
    whole_unit_from(node, n);
    assert_int_equal(throng_node_complete(node, 3, (uint64_t)object->serial << 32, THRONG_ERR_TAMPERED), 0);
    assert_int_equal(node->stats.liars, 1);
    assert_int_equal(node->neighbours_count, 0);
    throng_addr addr = peer_address(0);
    assert_null(throng_neighbour_add(node, &addr)); /* not taken back */
    throng_node_free(node);
}

static void window_holds_what_arrived_and_falls_to_it(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    node->now = THRONG_SECOND;
    for (uint32_t ms = 0; ms < 200; ms++) {
        node->now += THRONG_MS;
        throng_rate_add(&node->rate, node->now, 1);
    }
    throng_window_update(node);
    assert_in_range(node->window, 190, 210); /* a chunk a millisecond: 200 ms of it */
    node->now += THRONG_SECOND;
    throng_window_update(node);
    assert_int_equal(node->window, node->config.window_min);
    throng_node_free(node);
}

static void news_of_a_large_object_are_the_latest_and_the_largest(void **state)
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    throng_object *object = object_of(node, 4096 * 1024);
    throng_neighbour *n = neighbour_with(node, 1, 0, 1);
    throng_link *link = throng_link_find(n, object);
    /* Ten large pieces, told; then a small one. */
    for (uint32_t i = 0; i < 10; i++)
        throng_object_verified(node, object, 320 * i, 320 * i + 16 * (i + 2));
    assert_null(throng_news_of(node, link)); /* nothing told yet: all of it */
    link->told_version = object->have_version;
    link->told_some = true;
    throng_object_verified(node, object, 4000, 4016);
    throng_intervals *news = throng_news_of(node, link);
    assert_non_null(news);
    assert_true(throng_intervals_covers(news, 4000, 4016));
    assert_true(throng_intervals_covers(news, 320 * 9, 320 * 9 + 16 * 11));
    assert_false(throng_intervals_contains(news, 0)); /* the two smallest of those told */
    assert_int_equal(throng_intervals_count(news), 9);
    throng_intervals_free(news);
    /* More than is remembered: all of it again. */
    for (uint32_t i = 0; i < 200; i++)
        throng_object_verified(node, object, 3300 + 2 * i, 3301 + 2 * i);
    assert_null(throng_news_of(node, link));
    throng_node_free(node);
}

/* One neighbour tells of a queue in the way to it, of `queue_ms(sent bytes per second)`; content waits always, and as
 * much goes out as the pace allows. The pace after so many seconds. */
static double pace_under(throng_time seconds, int32_t (*queue_ms)(double pace))
{
    throng_node *node = node_of(THRONG_PROFILE_THRONG);
    node->now = THRONG_SECOND;
    (void)object_of(node, 100 * 1024);
    throng_neighbour *n = neighbour_with(node, 1, 0, 50);
    for (throng_time end = node->now + seconds * THRONG_SECOND; node->now < end;) {
        node->now += 10 * THRONG_MS;
        node->pace_sent_bytes += (uint64_t)(node->pace_bytes_per_s / 100);
        node->pace_held = true;
        n->out_queue_ms = queue_ms(node->pace_bytes_per_s);
        n->out_queue_at = node->now;
        throng_pace_judge(node);
    }
    double pace = node->pace_bytes_per_s;
    throng_node_free(node);
    return pace;
}

static int32_t another_s_queue(double pace)
{
    return 60;
}

static void pace_is_kept_beside_a_queue_that_it_does_not_empty(void **state)
{
    /* 75,000 is what it starts with; half of it while a queue is put to the test. */
    assert_true(pace_under(10, another_s_queue) >= 37500 * 0.99);
    assert_true(pace_under(1, another_s_queue) >= 75000 * 0.99);
}

/* 40,000 bytes/s: what is sent beyond them stands in line, at once. */
static int32_t own_queue(double pace)
{
    return pace > 40000 ? 20 + (int32_t)((pace - 40000) / 500) : 0;
}

static void pace_falls_to_what_empties_a_queue_of_ones_own(void **state)
{
    for (throng_time seconds = 2; seconds < 12; seconds++)
        assert_true(pace_under(seconds, own_queue) <= 50000);
}

static int32_t no_queue(double pace)
{
    return 0;
}

static void pace_grows_while_it_is_used_up_and_no_queue_is_met(void **state)
{
    assert_true(pace_under(1, no_queue) >= 75000 * 100);
}

typedef struct scarce {
    uint32_t left;
    size_t held;
} scarce;

static void *scarce_resize(void *user, void *block, size_t old_size, size_t new_size)
{
    scarce *s = user;
    if (new_size > old_size && s->left-- == 0) {
        s->left = 0;
        return NULL;
    }
    s->held += new_size - old_size;
    return resize(NULL, block, old_size, new_size);
}

static void node_with_a_heap_that_fails_anywhere_stays_whole(void **state)
{
    for (uint32_t allowed = 0; allowed < 60; allowed++) {
        scarce s = {.left = allowed};
        throng_alloc alloc = {.resize = scarce_resize, .user = &s};
        throng_node_config config;
        throng_node_config_default(&config, THRONG_PROFILE_THRONG);
        throng_node *node;
        if (throng_node_new(&node, &config, &alloc) < 0)
            continue;
        throng_directions directions = {.size = 300000, .chunk_size = 1024, .peers_count = 3};
        for (uint32_t i = 0; i < 3; i++)
            directions.peers[i] = peer_address(i);
        throng_addr seeder = peer_address(9);
        (void)!throng_node_join(node, 1, &directions, &seeder, NULL);
        throng_datagram datagram;
        for (throng_time now = 1; now < 2 * THRONG_SECOND; now += 50 * THRONG_MS) {
            (void)!throng_node_tick(node, now);
            for (int i = 0; i < 50 && throng_node_poll_send(node, now, &datagram); i++) {
            }
        }
        throng_node_free(node);
        assert_int_equal(s.held, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credit_of_a_stranger_is_the_tab_and_not_a_byte_more),
        cmocka_unit_test(credit_of_a_giver_is_what_it_gave_and_ninety_percent),
        cmocka_unit_test(credit_as_the_asker_reckons_it_never_passes_what_the_giver_allows),
        cmocka_unit_test(credit_over_all_is_the_share_of_what_came_and_not_a_byte_more),
        cmocka_unit_test(credit_may_be_ahead_of_what_came_but_not_of_what_will_come),
        cmocka_unit_test(introducer_is_the_neighbour_that_named_an_address_first_while_it_stays),
        cmocka_unit_test(private_addresses_that_others_name_are_met_unless_public_ones_alone_are_wanted),
        cmocka_unit_test(object_is_named_in_brief_to_who_named_it_while_no_other_would_be_named_alike),
        cmocka_unit_test(who_does_not_know_a_brief_name_is_told_the_whole_and_not_given_up),
        cmocka_unit_test(of_ten_named_seven_are_spoken_to_and_the_others_if_those_do_not_answer),
        cmocka_unit_test(roulette_slot_k_is_chosen_k_times_as_often_as_slot_one),
        cmocka_unit_test(roulette_keeps_as_many_slots_as_there_are_neighbours_the_latest),
        cmocka_unit_test(choice_prefers_the_chunk_that_fewest_neighbours_hold),
        cmocka_unit_test(choice_leaves_the_rest_of_a_unit_to_the_seeder_that_gives_it_but_not_for_long),
        cmocka_unit_test(choice_prefers_what_most_hold_while_the_seeder_gives_the_rarest),
        cmocka_unit_test(choice_finishes_a_unit_before_it_begins_another),
        cmocka_unit_test(choice_never_names_a_chunk_twice),
        cmocka_unit_test(request_bounded_by_a_slice_is_answered_out_of_the_slice),
        cmocka_unit_test(forged_requests_make_nobody_busy),
        cmocka_unit_test(unit_that_the_host_lost_is_nobodys_fault),
        cmocka_unit_test(window_holds_what_arrived_and_falls_to_it),
        cmocka_unit_test(news_of_a_large_object_are_the_latest_and_the_largest),
        cmocka_unit_test(pace_is_kept_beside_a_queue_that_it_does_not_empty),
        cmocka_unit_test(pace_falls_to_what_empties_a_queue_of_ones_own),
        cmocka_unit_test(pace_grows_while_it_is_used_up_and_no_queue_is_met),
        cmocka_unit_test(node_with_a_heap_that_fails_anywhere_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
