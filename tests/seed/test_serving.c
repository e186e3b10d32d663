/* What is given to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fixture.h"

enum { MBIT = 1000000, TURN = 16 };

static void start(fixture *f, uint64_t rate_bps, uint32_t chunks)
{
    throng_seed_config config = fixture_config(rate_bps);
    fixture_start(f, &config, chunks * (uint64_t)CHUNK);
}

static void join_all(fixture *f, uint32_t clients)
{
    for (uint32_t client = 1; client <= clients; client++)
        assert_int_equal(join(f, client), 0);
    run_until(f, f->now + 200 * THRONG_MS);
    forget_sent(f);
}

/* Chunks in a metachunk of this object. */
static uint32_t unit_of(const fixture *f)
{
    uint32_t first, end;
    throng_geometry_unit_chunks(&f->geometry, 0, &first, &end);
    return end - first;
}

/* The chunks that went to a client, in order. */
static uint32_t given(const fixture *f, uint32_t client, uint32_t *ret, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count && count < max; i++)
        if (f->log[i].type == THRONG_FRAME_DATA && f->log[i].to == client)
            ret[count++] = f->log[i].chunk;
    return count;
}

static void named_chunks_come_in_order_with_their_request_and_place(void **state)
{
    fixture f;
    start(&f, 20 * MBIT, 100);
    join_all(&f, 1);
    ask_named(&f, 1, 77, 40, 43);
    ask_named(&f, 1, 78, 99, 2000); /* beyond the end: what there is */
    run_until(&f, f.now + 100 * THRONG_MS);
    const uint32_t chunks[] = {40, 41, 42, 99}, requests[] = {77, 77, 77, 78};
    assert_int_equal(f.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(f.log[i].chunk, chunks[i]);
        assert_int_equal(f.log[i].request, requests[i]);
        assert_int_equal(f.log[i].body_offset, chunks[i] * CHUNK);
        assert_int_equal(f.log[i].body_size, CHUNK);
        assert_null(f.log[i].body);
        assert_ptr_equal(f.log[i].content, &f.content);
    }
    fixture_stop(&f);
}

static void named_last_chunk_is_as_short_as_it_is(void **state)
{
    fixture f;
    throng_seed_config config = fixture_config(20 * MBIT);
    fixture_start(&f, &config, 3 * CHUNK + 10);
    join_all(&f, 1);
    ask_named(&f, 1, 1, 3, 4);
    drain(&f);
    assert_int_equal(find_sent(&f, 1, THRONG_FRAME_DATA)->body_size, 10);
    fixture_stop(&f);
}

static void named_twice_while_it_waits_goes_once(void **state)
{
    fixture f;
    start(&f, 1 * MBIT, 100);
    join_all(&f, 1);
    ask_named(&f, 1, 1, 10, 30);
    ask_named(&f, 1, 2, 5, 40);
    ask_named(&f, 1, 3, 0, 100);
    run_until(&f, f.now + 2 * THRONG_SECOND);
    uint32_t chunks[200], times[100] = {0};
    uint32_t count = given(&f, 1, chunks, 200);
    assert_int_equal(count, 100);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(times[chunks[i]]++, 0);
    /* Asked again once it was sent, it is sent again: it was lost. */
    forget_sent(&f);
    ask_named(&f, 1, 4, 10, 11);
    drain(&f);
    assert_int_equal(count_sent(&f, 1, THRONG_FRAME_DATA), 1);
    fixture_stop(&f);
}

static void named_in_more_pieces_than_are_kept_is_cut_and_said_so(void **state)
{
    fixture f;
    start(&f, 1 * MBIT, 4000);
    join_all(&f, 1);
    for (uint32_t i = 0; i < 200; i++)
        ask_named(&f, 1, 100 + i, 10 * i, 10 * i + 2);
    run_until(&f, f.now + 100 * THRONG_MS);
    assert_true(count_sent(&f, 1, THRONG_FRAME_BUSY) >= 60);
    fixture_stop(&f);
}

static void named_a_gigabyte_goes_out_in_order(void **state)
{
    fixture f;
    throng_seed_config config = fixture_config((uint64_t)10000 * MBIT);
    fixture_start(&f, &config, (uint64_t)1 << 30);
    join_all(&f, 1);
    throng_datagram d;
    uint64_t expected = 0;
    for (uint32_t first = 0; first < 1 << 16; first += 512) {
        ask_named(&f, 1, first / 512 + 1, first, first + 512);
        for (f.now += THRONG_MS; throng_seed_poll_send(f.seed, f.now, &d);) {
            assert_int_equal(d.body_offset, expected);
            expected += CHUNK;
        }
    }
    assert_int_equal(expected, (uint64_t)CHUNK << 16);
    fixture_stop(&f);
}

static void hash_pages_go_out_from_what_the_host_holds(void **state)
{
    fixture f;
    start(&f, 20 * MBIT, 16 * 3000); /* more metachunks than a manifest lists */
    join_all(&f, 1);
    assert_true(f.geometry.pages > 0);
    uint32_t first = f.geometry.data_chunks, end = f.geometry.chunks;
    ask_named(&f, 1, 1, first, end);
    run_until(&f, f.now + THRONG_SECOND);
    assert_int_equal(count_sent(&f, 1, THRONG_FRAME_DATA), f.geometry.pages);
    for (uint32_t i = 0; i < f.geometry.pages; i++) {
        const uint8_t *bytes;
        size_t size;
        assert_int_equal(f.log[i].chunk, first + i);
        assert_int_equal(throng_hashes_page(f.hashes, f.geometry.metachunks + i, &bytes, &size), 0);
        assert_ptr_equal(f.log[i].body, bytes);
        assert_int_equal(f.log[i].body_size, size);
    }
    fixture_stop(&f);
}

static void gifts_complete_metachunks_from_the_start_for_someone_alone(void **state)
{
    fixture f;
    start(&f, 20 * MBIT, 40);
    join_all(&f, 1);
    ask_any(&f, 1, 5, 100, 0);
    run_until(&f, f.now + THRONG_SECOND);
    uint32_t chunks[100];
    assert_int_equal(given(&f, 1, chunks, 100), 40);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(chunks[i], i);
    assert_int_equal(f.log[0].request, 5);
    fixture_stop(&f);
}

static void gifts_to_several_are_different_metachunks(void **state)
{
    fixture f;
    start(&f, 1 * MBIT, 128);
    uint32_t unit = unit_of(&f), clients = 128 / unit < 30 ? 128 / unit : 30;
    join_all(&f, clients);
    for (uint32_t client = 1; client <= clients; client++)
        ask_any(&f, client, 1, unit, 0);
    run_until(&f, f.now + 3 * THRONG_SECOND);
    bool taken[128] = {false};
    for (uint32_t client = 1; client <= clients; client++) {
        uint32_t chunks[200];
        assert_int_equal(given(&f, client, chunks, 200), unit);
        uint32_t first = chunks[0] / unit * unit;
        for (uint32_t i = 0; i < unit; i++)
            assert_int_equal(chunks[i], first + i);
        assert_false(taken[first]);
        taken[first] = true;
    }
    fixture_stop(&f);
}

static void gifts_are_the_rarest_among_those_present(void **state)
{
    fixture f;
    start(&f, 1 * MBIT, 128);
    join_all(&f, 4);
    tell_have(&f, 2, 0, 128);
    tell_have(&f, 3, 0, 80);
    tell_have(&f, 4, 0, 48);
    ask_any(&f, 1, 1, 128, 0);
    run_until(&f, f.now + 3 * THRONG_SECOND);
    uint32_t chunks[200];
    assert_int_equal(given(&f, 1, chunks, 200), 128);
    for (uint32_t i = 0; i < 128; i++) {
        uint32_t expected = i < 48 ? 80 + i : i < 80 ? i : i - 80;
        assert_int_equal(chunks[i], expected);
    }
    fixture_stop(&f);
}

static void gifts_of_who_left_are_rare_again(void **state)
{
    fixture f;
    start(&f, 10 * MBIT, 64);
    uint32_t unit = unit_of(&f);
    join_all(&f, 2);
    tell_have(&f, 2, 0, 32);
    bye(&f, 2);
    ask_any(&f, 1, 1, unit, 0);
    run_until(&f, f.now + THRONG_SECOND);
    join(&f, 3);
    ask_any(&f, 3, 1, 64 - unit, 0);
    run_until(&f, f.now + THRONG_SECOND);
    uint32_t first[200], chunks[200];
    assert_int_equal(given(&f, 1, first, 200), unit);
    assert_int_equal(given(&f, 3, chunks, 200), 64 - unit);
    for (uint32_t i = 0; i < 64 - unit; i++)
        assert_int_not_equal(chunks[i] / unit, first[0] / unit);
    fixture_stop(&f);
}

static void gifts_go_to_whom_was_given_least(void **state)
{
    fixture f;
    start(&f, 1 * MBIT, 1000);
    join_all(&f, 1);
    ask_any(&f, 1, 1, 80, 0);
    run_until(&f, f.now + 2 * THRONG_SECOND);
    forget_sent(&f);
    tell_have(&f, 1, 0, 1);
    join(&f, 2);
    ask_any(&f, 1, 2, 600, 80);
    ask_any(&f, 2, 1, 600, 0);
    run_until(&f, f.now + 2 * THRONG_SECOND);
    uint32_t to_first = count_sent(&f, 1, THRONG_FRAME_DATA), to_second = count_sent(&f, 2, THRONG_FRAME_DATA);
    assert_in_range(to_second, to_first + 80 - TURN, to_first + 80 + TURN);
    fixture_stop(&f);
}

static void gifts_to_equals_are_equal(void **state)
{
    enum { CLIENTS = 10 };
    fixture f;
    start(&f, 10 * MBIT, 16000);
    join_all(&f, CLIENTS);
    for (uint32_t client = 1; client <= CLIENTS; client++)
        ask_any(&f, client, 1, 4000, 0);
    run_until(&f, f.now + 3 * THRONG_SECOND);
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t client = 1; client <= CLIENTS; client++) {
        uint32_t count = count_sent(&f, client, THRONG_FRAME_DATA);
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    assert_true(least > 100);
    assert_true(most - least <= 2 * TURN);
    fixture_stop(&f);
}

static void gifts_asked_for_again_while_on_their_way_are_not_given_twice(void **state)
{
    fixture f;
    start(&f, 10 * MBIT, 128);
    join_all(&f, 1);
    for (uint32_t i = 0; i < 5; i++) {
        ask_any(&f, 1, i, 16, 0);
        run_until(&f, f.now + 20 * THRONG_MS);
    }
    assert_int_equal(count_sent(&f, 1, THRONG_FRAME_DATA), 16);
    /* Half of them heard of: room for so many more. */
    ask_any(&f, 1, 6, 16, 8);
    run_until(&f, f.now + 100 * THRONG_MS);
    uint32_t chunks[200];
    assert_int_equal(given(&f, 1, chunks, 200), 16 + 8);
    assert_int_equal(chunks[16], 16);
    fixture_stop(&f);
}

static void gifts_lost_on_the_way_are_given_again(void **state)
{
    fixture f;
    start(&f, 10 * MBIT, 32);
    join_all(&f, 1);
    ask_any(&f, 1, 1, 32, 0);
    run_until(&f, f.now + 100 * THRONG_MS);
    assert_int_equal(count_sent(&f, 1, THRONG_FRAME_DATA), 32);
    forget_sent(&f);
    /* All but two arrived. */
    const throng_interval has[] = {{0, 7}, {8, 20}, {21, 32}};
    ask_any_but(&f, 1, 2, 2, has, 3);
    run_until(&f, f.now + 50 * THRONG_MS);
    assert_int_equal(f.count, 0); /* they may still be on their way */
    run_until(&f, f.now + 2 * THRONG_SECOND);
    ask_any_but(&f, 1, 3, 2, has, 3);
    run_until(&f, f.now + 50 * THRONG_MS);
    uint32_t chunks[8];
    assert_int_equal(given(&f, 1, chunks, 8), 2);
    assert_int_equal(chunks[0] + chunks[1], 7 + 20);
    fixture_stop(&f);
}

static void gifts_are_never_what_is_told_of(void **state)
{
    for (uint32_t seed = 1; seed <= 40; seed++) {
        fixture f;
        uint64_t random = seed;
        uint32_t total = 20 + test_random_below(&random, 200);
        start(&f, 10 * MBIT, total);
        join_all(&f, 1);
        throng_interval has[40];
        bool held[256] = {false};
        uint32_t count = 0, missing = total;
        for (uint32_t at = test_random_below(&random, 9); at < total && count < 40;) {
            uint32_t end = at + 1 + test_random_below(&random, 20);
            end = end < total ? end : total;
            has[count++] = (throng_interval){at, end};
            for (; at < end; at++, missing--)
                held[at] = true;
            at += 1 + test_random_below(&random, 9);
        }
        ask_any_but(&f, 1, 1, 1000, has, count);
        run_until(&f, f.now + THRONG_SECOND);
        uint32_t chunks[256];
        assert_int_equal(given(&f, 1, chunks, 256), missing);
        for (uint32_t i = 0; i < missing; i++) {
            assert_false(held[chunks[i]]);
            held[chunks[i]] = true;
        }
        fixture_stop(&f);
    }
}

/* Chunks by the thousand share a bit: nothing missing is left out, pages included. */
static void gifts_of_a_large_object_leave_nothing_out(void **state)
{
    fixture f;
    throng_seed_config config = fixture_config((uint64_t)10000 * MBIT);
    fixture_start(&f, &config, 50000 * CHUNK + 1);
    join_all(&f, 1);
    uint8_t *had = calloc(f.geometry.chunks, 1);
    assert_non_null(had);
    uint32_t left = f.geometry.chunks;
    throng_datagram d;
    for (uint32_t request = 1; request < 100 && left > 0; request++) {
        uint32_t prefix = 0;
        while (prefix < f.geometry.chunks && had[prefix])
            prefix++;
        ask_any(&f, 1, request, 4000, prefix);
        f.now += THRONG_SECOND;
        while (throng_seed_poll_send(f.seed, f.now, &d)) {
            throng_reader r = throng_reader_on(d.head + 9, d.head_size - 9u);
            (void)throng_read_varint(&r);
            uint32_t chunk = (uint32_t)throng_read_varint(&r);
            left -= had[chunk] == 0;
            had[chunk] = 1;
        }
    }
    assert_int_equal(left, 0);
    free(had);
    fixture_stop(&f);
}

static void wants_of_nothing_end_what_was_asked(void **state)
{
    fixture f;
    start(&f, 1 * MBIT, 100);
    join_all(&f, 1);
    ask_any(&f, 1, 1, 50, 0);
    ask_named(&f, 1, 2, 60, 90);
    ask_any(&f, 1, 3, 0, 0);
    run_until(&f, f.now + THRONG_SECOND);
    assert_int_equal(f.count, 0);
    fixture_stop(&f);
}

static void named_that_would_wait_for_others_is_answered_busy(void **state)
{
    fixture f;
    start(&f, 1 * MBIT, 1024);
    join_all(&f, 20);
    for (uint32_t client = 1; client <= 19; client++)
        ask_any(&f, client, 1, 64, 0);
    run_until(&f, f.now + 2 * THRONG_SECOND);
    forget_sent(&f);
    for (uint32_t client = 1; client <= 20; client++)
        tell_have(&f, client, 0, 1);
    ask_named(&f, 1, 9, 500, 510);
    run_until(&f, f.now + 20 * THRONG_MS);
    const sent *busy = find_sent(&f, 1, THRONG_FRAME_BUSY);
    assert_int_equal(busy->request, 9);
    assert_in_range(busy->wait_ms, 20, 2000);
    assert_int_equal(stats_of(&f).requests_refused, 1);
    fixture_stop(&f);
}

static void named_by_whom_was_given_least_is_served_next(void **state)
{
    fixture f;
    start(&f, 1 * MBIT, 1024);
    join_all(&f, 5);
    for (uint32_t client = 1; client <= 4; client++)
        ask_any(&f, client, 1, 300, 0);
    run_until(&f, f.now + 2 * THRONG_SECOND);
    forget_sent(&f);
    ask_named(&f, 5, 9, 500, 510);
    /* A turn of someone else's, and then its own: 26 datagrams at 1 Mbit/s. */
    run_until(&f, f.now + 300 * THRONG_MS);
    assert_int_equal(count_sent(&f, 5, THRONG_FRAME_DATA), 10);
    fixture_stop(&f);
}

static void control_goes_before_content(void **state)
{
    fixture f;
    start(&f, 1 * MBIT, 100);
    join_all(&f, 1);
    ask_named(&f, 1, 1, 0, 100);
    run_until(&f, f.now + 100 * THRONG_MS);
    forget_sent(&f);
    join(&f, 2);
    run_until(&f, f.now + 50 * THRONG_MS);
    assert_int_equal(f.log[0].type, THRONG_FRAME_WELCOME);
    assert_int_equal(f.log[1].type, THRONG_FRAME_INTRODUCE);
    assert_int_equal(f.log[2].type, THRONG_FRAME_DATA);
    fixture_stop(&f);
}

static int get_manifest(fixture *f, uint32_t client, uint32_t offset)
{
    uint8_t bytes[32];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_manifest_get_encode(&w, &(throng_manifest_get){.object = f->tag, .offset = offset});
    return say_w(f, client, &w);
}

/* In a cold start everybody asks for manifests: what there is to give must go out all the same. */
static void control_without_end_leaves_content_half_of_the_line(void **state)
{
    fixture f;
    start(&f, 1 * MBIT, 16 * 100);
    join_all(&f, 200);
    ask_any(&f, 1, 1, 1000, 0);
    run_until(&f, f.now + 3 * THRONG_SECOND); /* the burst and the welcomes are gone */
    forget_sent(&f);
    throng_time end = f.now + 2 * THRONG_SECOND;
    for (uint32_t client = 2; f.now < end; client = client % 199 + 2) {
        get_manifest(&f, client, 0);
        run_until(&f, f.now + 5 * THRONG_MS); /* 200 parts a second; the line takes 115 */
    }
    uint32_t content = count_sent(&f, 1, THRONG_FRAME_DATA);
    assert_in_range(content, 90, 140);
    fixture_stop(&f);
}

static void manifest_comes_in_parts(void **state)
{
    fixture f;
    start(&f, 20 * MBIT, 16 * 100);
    join_all(&f, 1);
    uint32_t parts = 0, bytes = 0;
    for (uint32_t offset = 0; offset < f.manifest_size; offset += THRONG_MANIFEST_PART_SIZE, parts++)
        get_manifest(&f, 1, offset);
    run_until(&f, f.now + THRONG_SECOND);
    assert_true(parts > 2);
    assert_int_equal(count_sent(&f, 1, THRONG_FRAME_MANIFEST), parts);
    for (uint32_t i = 0; i < parts; i++) {
        assert_int_equal(f.log[i].offset, i * THRONG_MANIFEST_PART_SIZE);
        assert_int_equal(f.log[i].total, f.manifest_size);
        bytes += f.log[i].body_size;
    }
    assert_int_equal(bytes, f.manifest_size);
    get_manifest(&f, 1, (uint32_t)f.manifest_size);
    assert_int_equal(drain(&f), 0);
    fixture_stop(&f);
}

static void manifest_asked_for_without_end_stops_coming(void **state)
{
    fixture f;
    start(&f, 100 * MBIT, 16 * 100);
    join_all(&f, 1);
    for (uint32_t i = 0; i < 1000; i++) {
        get_manifest(&f, 1, 0);
        run_until(&f, f.now + THRONG_MS);
    }
    uint32_t parts = (uint32_t)f.manifest_size / THRONG_MANIFEST_PART_SIZE + 1;
    assert_in_range(count_sent(&f, 1, THRONG_FRAME_MANIFEST), 2 * parts, 4 * parts + 4);
    fixture_stop(&f);
}

static void first_handshake_is_answered_with_what_is_lacking(void **state)
{
    fixture f;
    start(&f, 20 * MBIT, 100);
    join_all(&f, 1);
    uint8_t bytes[32];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_u8(&w, THRONG_FRAME_FIRST_HANDSHAKE);
    throng_write_u64(&w, f.tag);
    throng_chunk_set_encode_intervals(&w, &(throng_interval){0, 30}, 1);
    assert_int_equal(say_w(&f, 1, &w), 0);
    drain(&f);
    const sent *offer = find_sent(&f, 1, THRONG_FRAME_OFFER);
    assert_int_equal(offer->offered.first, 30);
    assert_int_equal(offer->offered.end, 100);
    fixture_stop(&f);
}

static void empty_object_is_welcomed_and_gives_nothing(void **state)
{
    fixture f;
    start(&f, 20 * MBIT, 0);
    join_all(&f, 2);
    tell_have(&f, 1, 0, 5);
    ask_any(&f, 1, 1, 10, 0);
    ask_named(&f, 2, 1, 0, 10);
    run_until(&f, f.now + 100 * THRONG_MS);
    assert_int_equal(f.count, 0);
    fixture_stop(&f);
}

static void out_of_memory_at_any_point_breaks_nothing(void **state)
{
    for (uint32_t growths = 0; growths < 60; growths++) {
        fixture f;
        start(&f, 20 * MBIT, 100);
        f.heap.fail_after = growths;
        for (uint32_t client = 1; client <= 20; client++) {
            (void)join(&f, client);
            (void)ask_any(&f, client, 1, 40, 0);
            (void)ask_named(&f, client, 2, 70, 80);
            if (client % 3 == 0)
                (void)bye(&f, client - 1);
        }
        run_until(&f, f.now + THRONG_SECOND);
        fixture_stop(&f);
    }
    throng_seed_config config = fixture_config(MBIT);
    for (uint32_t growths = 0; growths < 5; growths++) {
        test_heap heap;
        throng_alloc alloc = test_heap_alloc(&heap);
        heap.fail_after = growths;
        throng_seed *seed;
        assert_int_equal(throng_seed_new(&seed, &config, &alloc), THRONG_ERR_NO_MEMORY);
        assert_int_equal(heap.blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_chunks_come_in_order_with_their_request_and_place),
        cmocka_unit_test(named_last_chunk_is_as_short_as_it_is),
        cmocka_unit_test(named_twice_while_it_waits_goes_once),
        cmocka_unit_test(named_in_more_pieces_than_are_kept_is_cut_and_said_so),
        cmocka_unit_test(named_a_gigabyte_goes_out_in_order),
        cmocka_unit_test(hash_pages_go_out_from_what_the_host_holds),
        cmocka_unit_test(gifts_complete_metachunks_from_the_start_for_someone_alone),
        cmocka_unit_test(gifts_to_several_are_different_metachunks),
        cmocka_unit_test(gifts_are_the_rarest_among_those_present),
        cmocka_unit_test(gifts_of_who_left_are_rare_again),
        cmocka_unit_test(gifts_go_to_whom_was_given_least),
        cmocka_unit_test(gifts_to_equals_are_equal),
        cmocka_unit_test(gifts_asked_for_again_while_on_their_way_are_not_given_twice),
        cmocka_unit_test(gifts_lost_on_the_way_are_given_again),
        cmocka_unit_test(gifts_are_never_what_is_told_of),
        cmocka_unit_test(gifts_of_a_large_object_leave_nothing_out),
        cmocka_unit_test(wants_of_nothing_end_what_was_asked),
        cmocka_unit_test(named_that_would_wait_for_others_is_answered_busy),
        cmocka_unit_test(named_by_whom_was_given_least_is_served_next),
        cmocka_unit_test(control_goes_before_content),
        cmocka_unit_test(control_without_end_leaves_content_half_of_the_line),
        cmocka_unit_test(manifest_comes_in_parts),
        cmocka_unit_test(manifest_asked_for_without_end_stops_coming),
        cmocka_unit_test(first_handshake_is_answered_with_what_is_lacking),
        cmocka_unit_test(empty_object_is_welcomed_and_gives_nothing),
        cmocka_unit_test(out_of_memory_at_any_point_breaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
