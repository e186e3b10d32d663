/* Delays to landmarks on loopback: some answer, some are silent, some lie. */
#include "check.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "net/landmarks.h"
#include "net/stun.h"

enum { LANDMARKS = 3 };

/* Says how each takes what it is asked. */
enum { ANSWERS, SILENT, ANSWERS_ANOTHER };

typedef struct bench {
    uv_loop_t loop;
    uv_udp_t sockets[LANDMARKS];
    int kinds[LANDMARKS];
    uint32_t heard[LANDMARKS];
    throng_landmarks landmarks;
    uint8_t buffer[2048];
    uint8_t delays[THRONG_LANDMARKS_MAX];
    bool done;
} bench;

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    bench *b = handle->loop->data;
    *ret = uv_buf_init((char *)b->buffer, sizeof b->buffer);
}

static void on_request(uv_udp_t *socket, ssize_t size, const uv_buf_t *buffer, const struct sockaddr *from,
                       unsigned flags)
{
    bench *b = socket->loop->data;
    size_t number = (size_t)(socket - b->sockets);
    uint8_t answer[THRONG_STUN_ANSWER_MAX];
    throng_addr seen = throng_addr_from_ipv4(127, 0, 0, 1, 9);
    if (size <= 0)
        return;
    assert_true(throng_stun_is_request((const uint8_t *)buffer->base, (size_t)size));
    b->heard[number]++;
    if (b->kinds[number] == SILENT)
        return;
    uv_buf_t out = uv_buf_init((char *)answer, (unsigned)throng_stun_answer(answer, b->buffer, &seen));
    if (b->kinds[number] == ANSWERS_ANOTHER)
        answer[15] ^= 1; /* of the transaction's id */
    uv_udp_try_send(socket, &out, 1, from);
}

static void start(bench *b, const int kinds[LANDMARKS])
{
    memset(b, 0, sizeof *b);
    assert_int_equal(uv_loop_init(&b->loop), 0);
    b->loop.data = b;
    for (int i = 0; i < LANDMARKS; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int size = sizeof at;
        b->kinds[i] = kinds[i];
        uv_udp_init(&b->loop, &b->sockets[i]);
        assert_int_equal(uv_udp_bind(&b->sockets[i], (struct sockaddr *)&at, 0), 0);
        assert_int_equal(uv_udp_getsockname(&b->sockets[i], (struct sockaddr *)&at, &size), 0);
        uv_udp_recv_start(&b->sockets[i], on_buffer, on_request);
        b->landmarks.addrs[i] = throng_addr_from_ipv4(127, 0, 0, 1, ntohs(at.sin_port));
    }
    b->landmarks.count = LANDMARKS;
}

static void stop(bench *b)
{
    for (int i = 0; i < LANDMARKS; i++)
        uv_close((uv_handle_t *)&b->sockets[i], NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
}

static void on_done(void *user, const uint8_t delays[THRONG_LANDMARKS_MAX])
{
    bench *b = user;
    b->done = true;
    memcpy(b->delays, delays, sizeof b->delays);
}

static void delays_are_those_of_who_answers_what_was_asked(void **state)
{
    bench b;
    throng_measuring *measuring;
    start(&b, (const int[LANDMARKS]){ANSWERS, SILENT, ANSWERS_ANOTHER});
    assert_int_equal(throng_landmarks_measure(&measuring, &b.loop, &b.landmarks, false, on_done, &b), 0);
    while (!b.done)
        uv_run(&b.loop, UV_RUN_ONCE);
    assert_in_range(b.delays[0], 1, 254);
    assert_int_equal(b.delays[1], 0);
    assert_int_equal(b.delays[2], 0);
    for (int i = 0; i < LANDMARKS; i++)
        assert_in_range(b.heard[i], 1, 3);
    stop(&b);
}

static void landmarks_at_private_addresses_are_let_alone_if_the_server_is_not(void **state)
{
    bench b;
    throng_measuring *measuring;
    start(&b, (const int[LANDMARKS]){ANSWERS, ANSWERS, ANSWERS});
    assert_int_equal(throng_landmarks_measure(&measuring, &b.loop, &b.landmarks, true, on_done, &b), 0);
    while (!b.done)
        uv_run(&b.loop, UV_RUN_ONCE);
    for (int i = 0; i < LANDMARKS; i++)
        assert_int_equal(b.heard[i], 0);
    stop(&b);
}

static void measuring_ended_early_tells_what_came_so_far(void **state)
{
    bench b;
    throng_measuring *measuring;
    start(&b, (const int[LANDMARKS]){ANSWERS, ANSWERS, ANSWERS});
    assert_int_equal(throng_landmarks_measure(&measuring, &b.loop, &b.landmarks, false, on_done, &b), 0);
    throng_measuring_end(measuring);
    assert_true(b.done);
    assert_int_equal(b.delays[0], 0);
    stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_those_of_who_answers_what_was_asked),
        cmocka_unit_test(landmarks_at_private_addresses_are_let_alone_if_the_server_is_not),
        cmocka_unit_test(measuring_ended_early_tells_what_came_so_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
