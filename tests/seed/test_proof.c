/* What an address gets that has not proven itself: a challenge, and of bytes never more than three times its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fixture.h"

enum { RATE = 20000000, AMPLIFICATION_MAX = 3 };

static void start(fixture *f)
{
    throng_seed_config config = fixture_config(RATE);
    fixture_start(f, &config, 128 * CHUNK);
    /* Someone to name and to give to. */
    join(f, 1000);
    ask_any(f, 1000, 1, 4, 0);
    run_until(f, f->now + 100 * THRONG_MS);
    forget_sent(f);
}

/* Frames as they would be sent, one of each type; and of those with lists, the fewest bytes for the most. */
static size_t frame_of(const fixture *f, throng_frame type, uint8_t *bytes, size_t size)
{
    throng_writer w = throng_writer_on(bytes, size);
    throng_addr addr = client_addr(1);
    throng_token token = client_token(999, UNIX_NOW); /* another's */
    throng_write_u8(&w, (uint8_t)type);
    switch (type) {
    case THRONG_FRAME_JOIN:
        throng_write_u64(&w, f->tag);
        throng_write_bytes(&w, token.bytes, sizeof token.bytes);
        throng_write_u16(&w, 0);
        break;
    case THRONG_FRAME_REQUEST:
        throng_write_u64(&w, f->tag);
        throng_write_varint(&w, 1);
        throng_write_varint(&w, 63);
        throng_write_u16(&w, 0);
        break;
    case THRONG_FRAME_WELCOME:
    case THRONG_FRAME_INTRODUCE:
        throng_write_u64(&w, f->tag);
        throng_addr_encode(&w, &addr);
        throng_write_u8(&w, 0);
        break;
    case THRONG_FRAME_PAD:
    case THRONG_FRAME_BYE:
        break;
    case THRONG_FRAME_TIME:
        throng_write_u32(&w, 0);
        break;
    default:
        throng_write_u64(&w, f->tag);
        throng_write_u16(&w, 0);
        throng_write_u8(&w, 1);
    }
    return throng_writer_size(&w);
}

static uint64_t sent_to(const fixture *f, uint32_t client)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->log[i].to == client)
            bytes += f->log[i].payload_size + THRONG_SEAL_OVERHEAD;
    return bytes;
}

static void unproven_address_gets_at_most_three_times_its_bytes_for_any_frame(void **state)
{
    for (int type = 0; type <= THRONG_FRAME_END; type++) {
        fixture f;
        start(&f);
        uint8_t bytes[64];
        uint64_t said = 0;
        size_t size = frame_of(&f, (throng_frame)type, bytes, sizeof bytes);
        for (int i = 0; i < 50; i++) {
            (void)say(&f, 5, bytes, size);
            said += size + THRONG_SEAL_OVERHEAD;
            run_until(&f, f.now + 20 * THRONG_MS);
            assert_true(sent_to(&f, 5) <= AMPLIFICATION_MAX * said);
        }
        assert_int_equal(f.count, count_sent(&f, 5, THRONG_FRAME_CHALLENGE));
        assert_int_equal(stats_of(&f).joins, 1);
        fixture_stop(&f);
    }
}

static void unproven_address_sending_anything_at_all_gets_at_most_three_times_it(void **state)
{
    fixture f;
    start(&f);
    uint64_t random = 3, said = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t bytes[300];
        size_t size = test_random_below(&random, i % 2 ? 20 : sizeof bytes);
        for (size_t k = 0; k < size; k++)
            bytes[k] = (uint8_t)test_random(&random);
        if (size > 9 && i % 3 == 0) {
            bytes[0] = (uint8_t)test_random_below(&random, THRONG_FRAME_END + 2);
            throng_writer w = throng_writer_on(bytes + 1, 8);
            throng_write_u64(&w, f.tag);
        }
        (void)say(&f, 5, bytes, size);
        said += size + THRONG_SEAL_OVERHEAD;
        run_until(&f, f.now + THRONG_MS);
        assert_true(sent_to(&f, 5) <= AMPLIFICATION_MAX * said);
    }
    assert_int_equal(f.count, count_sent(&f, 5, THRONG_FRAME_CHALLENGE));
    fixture_stop(&f);
}

static void proven_client_sending_anything_at_all_breaks_nothing(void **state)
{
    fixture f;
    start(&f);
    uint64_t random = 4;
    uint64_t malformed = 0;
    for (uint32_t i = 0; i < 50000; i++) {
        uint8_t bytes[100];
        size_t size = test_random_below(&random, sizeof bytes);
        for (size_t k = 0; k < size; k++)
            bytes[k] = (uint8_t)(test_random_below(&random, 2) ? 0 : test_random(&random));
        if (size > 9) {
            bytes[0] = (uint8_t)test_random_below(&random, THRONG_FRAME_END + 1);
            throng_writer w = throng_writer_on(bytes + 1, 8);
            throng_write_u64(&w, f.tag);
        }
        if (i % 100 == 0)
            join(&f, 5);
        malformed += say(&f, 5, bytes, size) == THRONG_ERR_MALFORMED;
        if (i % 50 == 0)
            run_until(&f, f.now + 5 * THRONG_MS);
    }
    assert_true(malformed > 0);
    assert_int_equal(stats_of(&f).datagrams_malformed, malformed);
    fixture_stop(&f);
}

static uint64_t challenged(fixture *f, uint32_t client)
{
    ask_any(f, client, 1, 4, 0);
    drain(f);
    return find_sent(f, client, THRONG_FRAME_CHALLENGE)->cookie;
}

static int answer(fixture *f, uint32_t client, uint64_t cookie)
{
    uint8_t bytes[16];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_cookie_encode(&w, THRONG_FRAME_ANSWER, cookie);
    return say_w(f, client, &w);
}

static void answer_to_a_challenge_proves_an_address(void **state)
{
    fixture f;
    start(&f);
    uint64_t cookie = challenged(&f, 5);
    f.now += 7 * THRONG_SECOND;
    assert_int_equal(answer(&f, 5, cookie), 0);
    assert_int_equal(ask_any(&f, 5, 2, 4, 0), 0);
    drain(&f);
    assert_int_equal(count_sent(&f, 5, THRONG_FRAME_DATA), 4);
    fixture_stop(&f);
}

static void answer_of_another_address_or_too_late_proves_nothing(void **state)
{
    fixture f;
    start(&f);
    uint64_t cookie = challenged(&f, 5);
    (void)answer(&f, 6, cookie);
    assert_int_equal(ask_any(&f, 6, 2, 4, 0), THRONG_ERR_UNPROVEN);
    (void)answer(&f, 5, cookie ^ 1);
    assert_int_equal(ask_any(&f, 5, 2, 4, 0), THRONG_ERR_UNPROVEN);
    f.now += 20 * THRONG_SECOND;
    (void)answer(&f, 5, cookie);
    assert_int_equal(ask_any(&f, 5, 2, 4, 0), THRONG_ERR_UNPROVEN);
    fixture_stop(&f);
}

static int join_with(fixture *f, uint32_t client, const throng_token *token)
{
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_u8(&w, THRONG_FRAME_JOIN);
    throng_write_u64(&w, f->tag);
    throng_write_bytes(&w, token->bytes, sizeof token->bytes);
    throng_write_u16(&w, 0);
    return say_w(f, client, &w);
}

static void token_of_another_or_too_old_is_refused_and_counted(void **state)
{
    fixture f;
    start(&f);
    throng_token others = client_token(6, UNIX_NOW), old = client_token(5, UNIX_NOW - 61);
    assert_int_equal(join_with(&f, 5, &others), THRONG_ERR_UNPROVEN);
    assert_int_equal(join_with(&f, 5, &old), THRONG_ERR_UNPROVEN);
    assert_int_equal(stats_of(&f).tokens_refused, 2);
    assert_int_equal(stats_of(&f).joins, 1);
    fixture_stop(&f);
}

static void token_that_does_not_fit_joins_after_an_answer(void **state)
{
    fixture f;
    start(&f);
    throng_token others = client_token(6, UNIX_NOW);
    (void)join_with(&f, 5, &others);
    drain(&f);
    assert_int_equal(answer(&f, 5, find_sent(&f, 5, THRONG_FRAME_CHALLENGE)->cookie), 0);
    assert_int_equal(join_with(&f, 5, &others), 0);
    drain(&f);
    assert_int_equal(count_sent(&f, 5, THRONG_FRAME_WELCOME), 1);
    fixture_stop(&f);
}

static void known_address_under_a_strange_sender_id_must_prove_itself(void **state)
{
    fixture f;
    start(&f);
    throng_addr victim = client_addr(1000);
    uint8_t bytes[4];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_bye_encode(&w);
    assert_int_equal(throng_seed_recv(f.seed, f.now, UNIX_NOW, 4242, &victim, bytes, 1), THRONG_ERR_UNPROVEN);
    assert_int_equal(stats_of(&f).peers, 1);
    assert_int_equal(stats_of(&f).byes, 0);
    fixture_stop(&f);
}

static void challenges_have_a_small_part_of_the_rate(void **state)
{
    fixture f;
    throng_seed_config config = fixture_config(1000000);
    fixture_start(&f, &config, 128 * CHUNK);
    throng_time end = f.now + 2 * THRONG_SECOND;
    for (uint32_t client = 1; f.now < end; client++) {
        (void)ask_any(&f, client, 1, 4, 0);
        run_until(&f, f.now + 100);
    }
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < f.count; i++)
        bytes += f.log[i].cost;
    assert_true(bytes <= 2 * 1000000 / 8 / 16 + 2000);
    assert_true(bytes >= 2 * 1000000 / 8 / 16 - 2000);
    assert_true(stats_of(&f).unproven_withheld > 0);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unproven_address_gets_at_most_three_times_its_bytes_for_any_frame),
        cmocka_unit_test(unproven_address_sending_anything_at_all_gets_at_most_three_times_it),
        cmocka_unit_test(proven_client_sending_anything_at_all_breaks_nothing),
        cmocka_unit_test(answer_to_a_challenge_proves_an_address),
        cmocka_unit_test(answer_of_another_address_or_too_late_proves_nothing),
        cmocka_unit_test(token_of_another_or_too_old_is_refused_and_counted),
        cmocka_unit_test(token_that_does_not_fit_joins_after_an_answer),
        cmocka_unit_test(known_address_under_a_strange_sender_id_must_prove_itself),
        cmocka_unit_test(challenges_have_a_small_part_of_the_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
