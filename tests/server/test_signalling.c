/* The WebSocket of browsers, spoken to byte by byte: who is let in, what is passed on, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "exit_codes.h"
#include "signalling.h"
#include "visitors.h"

enum { TEXT = 1, BINARY = 2, CLOSE = 8, BROWSERS_MAX = 200, HEARD_MAX = 4096 };

/* A seeder that writes down what it is told: in the place of net/seeder.c. */
struct throng_seeder {
    uint64_t admitted[64];
    uint32_t count, dismissed, heard;
    uint8_t last[HEARD_MAX];
    size_t last_size;
};

int throng_seeder_admit(throng_seeder *seeder, uint64_t browser, uint32_t sender_id)
{
    seeder->admitted[seeder->count++ % 64] = browser;
    return 0;
}

void throng_seeder_dismiss(throng_seeder *seeder, uint64_t browser)
{
    seeder->dismissed++;
}

int throng_seeder_hear(throng_seeder *seeder, uint64_t browser, uint32_t sender_id, const uint8_t *payload, size_t size)
{
    seeder->heard++;
    memcpy(seeder->last, payload, size < HEARD_MAX ? size : HEARD_MAX);
    seeder->last_size = size;
    return 0;
}

uint32_t throng_seeder_browsers(throng_seeder *seeder, const throng_hash *object, uint64_t *ret, uint32_t max)
{
    uint32_t count = seeder->count < max ? seeder->count : max;
    memcpy(ret, seeder->admitted, count * sizeof(*ret));
    return count;
}

typedef struct fixture {
    char directory[64], path[96];
    uv_loop_t loop;
    throng_seeder seeder;
    metrics counted;
    signalling *s;
    uint8_t key[THRONG_KEY_SIZE];
    uint32_t senders;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    snprintf(f->directory, sizeof(f->directory), "/tmp/throng-signal-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof(f->path), "%s/socket", f->directory);
    lws_set_log_level(LLL_ERR, NULL);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    memset(f->key, 9, sizeof(f->key));
    signalling_config config = {.loop = &f->loop,
                                .listen = f->path,
                                .browsers_max = BROWSERS_MAX,
                                .token_max_age_s = 60,
                                .seeder = &f->seeder,
                                .stun_port = 4433,
                                .turn = "turn:turn.example.org",
                                .turn_secret = "secret",
                                .metrics = &f->counted};
    memcpy(config.token_key, f->key, sizeof(f->key));
    assert_int_equal(signalling_new(&f->s, &config), SERVER_EXIT_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    signalling_stop(f->s);
    while (uv_run(&f->loop, UV_RUN_ONCE) != 0) {
    }
    signalling_free(f->s);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    rmdir(f->directory);
    free(f);
    return 0;
}

/* ---- A client ---- */

/* Reads `size` bytes, letting the server run; false at the end of the connection, or after five seconds. */
static bool read_all(fixture *f, int fd, void *bytes, size_t size)
{
    for (size_t done = 0, turns = 0; done < size; turns++) {
        ssize_t n = recv(fd, (char *)bytes + done, size - done, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN) || turns > 5000)
            return false;
        done += n > 0 ? (size_t)n : 0;
        if (n < 0) {
            uv_run(&f->loop, UV_RUN_NOWAIT);
            usleep(1000);
        }
    }
    return true;
}

/* Connects and asks for the upgrade; the status that came. */
static int dial(fixture *f, const char *origin, const char *forwarded, int *ret_fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char request[1024], head[2048];
    size_t size = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(addr.sun_path, f->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    int n = snprintf(request, sizeof(request),
                     "GET /.throng/ws HTTP/1.1\r\nHost: example.org\r\nOrigin: %s\r\nX-Forwarded-For: %s\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: throng.1\r\n\r\n",
                     origin, forwarded);
    assert_int_equal(write(fd, request, (size_t)n), n);
    while (size < 4 || memcmp(head + size - 4, "\r\n\r\n", 4) != 0) {
        if (!read_all(f, fd, head + size, 1))
            break;
        size++;
    }
    head[size] = '\0';
    *ret_fd = fd;
    return size > 12 ? atoi(head + 9) : 0;
}

static int open_one(fixture *f)
{
    int fd;
    assert_int_equal(dial(f, "https://example.org", "192.0.2.1", &fd), 101);
    return fd;
}

static void send_frame(int fd, int kind, const void *bytes, size_t size)
{
    uint8_t head[14] = {(uint8_t)(0x80 | kind), 0x80};
    size_t head_size = 2;
    if (size < 126) {
        head[1] |= (uint8_t)size;
    } else {
        head[1] |= size < 65536 ? 126 : 127;
        for (int i = size < 65536 ? 1 : 7; i >= 0; i--)
            head[head_size++] = (uint8_t)((uint64_t)size >> (8 * i));
    }
    head_size += 4; /* a mask of zeros */
    assert_int_equal(write(fd, head, head_size), head_size);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

static void say(int fd, const char *text)
{
    send_frame(fd, TEXT, text, strlen(text));
}

/* The next message, NUL-terminated; its kind, or -1 at the end. */
static int hear(fixture *f, int fd, char *ret, size_t *ret_size)
{
    uint8_t head[2], longer[8];
    if (!read_all(f, fd, head, 2))
        return -1;
    size_t size = head[1];
    if (size >= 126) {
        size_t count = size == 126 ? 2 : 8;
        assert_true(read_all(f, fd, longer, count));
        size = 0;
        for (size_t i = 0; i < count; i++)
            size = size << 8 | longer[i];
    }
    assert_true(size < HEARD_MAX);
    assert_true(read_all(f, fd, ret, size));
    ret[size] = '\0';
    *ret_size = size;
    return head[0] & 15;
}

static void expect_text(fixture *f, int fd, const char *part, char ret[HEARD_MAX])
{
    size_t size;
    assert_int_equal(hear(f, fd, ret, &size), TEXT);
    if (strstr(ret, part) == NULL)
        fail_msg("no %s in %s", part, ret);
}

static void expect_close(fixture *f, int fd, int code)
{
    char text[HEARD_MAX];
    size_t size;
    int kind = hear(f, fd, text, &size);
    while (kind == TEXT || kind == BINARY)
        kind = hear(f, fd, text, &size);
    assert_int_equal(kind, CLOSE);
    assert_int_equal((uint8_t)text[0] << 8 | (uint8_t)text[1], code);
    close(fd);
}

static void write_hello(fixture *f, uint32_t sender_id, uint32_t unix_s, char ret[1024])
{
    static const uint8_t nowhere[16];
    char uri[THRONG_DIRECTIONS_URI_MAX];
    throng_directions d = {.size = 1000, .chunk_size = 1024, .sender_id = sender_id, .seeder = {.port = 4433}};
    throng_token_make(&d.token, f->key, unix_s, sender_id, nowhere);
    assert_true(throng_directions_encode(&d, uri, sizeof(uri)) > 0);
    snprintf(ret, 1024, "{\"t\":\"hello\",\"v\":1,\"d\":\"%s\"}", uri);
}

/* Connected and welcomed; its id in hex. */
static int join(fixture *f, char ret_id[17])
{
    char text[HEARD_MAX];
    int fd = open_one(f);
    write_hello(f, ++f->senders, (uint32_t)time(NULL), text);
    say(fd, text);
    expect_text(f, fd, "\"t\":\"welcome\"", text);
    const char *id = strstr(text, "\"id\":\"") + 6;
    memcpy(ret_id, id, 16);
    ret_id[16] = '\0';
    return fd;
}

static void run(fixture *f)
{
    for (int i = 0; i < 20; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
}

/* ---- Tests ---- */

static void hello_with_a_token_is_welcomed_and_told_of_others(void **state)
{
    fixture *f = *state;
    char text[HEARD_MAX], id[17], expected[64];
    int first = join(f, id), second = open_one(f);
    write_hello(f, ++f->senders, (uint32_t)time(NULL), text);
    say(second, text);
    snprintf(expected, sizeof(expected), "\"peers\":[\"%s\"]", id);
    expect_text(f, second, expected, text);
    assert_non_null(strstr(text, "\"stun\":4433"));
    assert_non_null(strstr(text, "\"urls\":\"turn:turn.example.org\""));
    assert_int_equal(signalling_count(f->s), 2);
    assert_int_equal(f->counted.browser_hellos, 2);
    close(first);
    close(second);
    run(f);
    assert_int_equal(signalling_count(f->s), 0);
    assert_int_equal(f->seeder.dismissed, 2);
}

static void datagrams_go_to_the_seeder_and_back(void **state)
{
    fixture *f = *state;
    char text[HEARD_MAX], id[17];
    uint8_t payload[THRONG_PAYLOAD_MAX];
    size_t size;
    int fd = join(f, id);
    memset(payload, 7, sizeof(payload));
    send_frame(fd, BINARY, payload, sizeof(payload));
    run(f);
    assert_int_equal(f->seeder.heard, 1);
    assert_int_equal(f->seeder.last_size, sizeof(payload));
    assert_memory_equal(f->seeder.last, payload, sizeof(payload));
    signalling_carry(f->s, strtoull(id, NULL, 16), (const uint8_t *)"head", 4, (const uint8_t *)"body", 4);
    assert_int_equal(hear(f, fd, text, &size), BINARY);
    assert_string_equal(text, "headbody");
    signalling_carry(f->s, 12345, (const uint8_t *)"head", 4, NULL, 0);
    assert_int_equal(f->counted.browser_datagrams_dropped, 1);
    close(fd);
}

static void datagrams_beyond_what_waits_are_dropped_as_a_full_queue_does(void **state)
{
    fixture *f = *state;
    char id[17];
    uint8_t body[1024] = {0};
    int fd = join(f, id);
    for (int i = 0; i < 1000; i++)
        signalling_carry(f->s, strtoull(id, NULL, 16), body, 1, body, sizeof(body));
    assert_true(f->counted.browser_datagrams_out >= 252);
    assert_true(f->counted.browser_datagrams_out <= 256);
    close(fd);
}

static void signal_reaches_whom_it_is_for_and_tells_from_whom(void **state)
{
    fixture *f = *state;
    char text[HEARD_MAX], a[17], b[17];
    int first = join(f, a), second = join(f, b);
    snprintf(text, sizeof(text), "{\"t\":\"signal\",\"s\":[{\"to\":\"%s\",\"d\":\"of\\\"fer\"}]}", a);
    say(second, text);
    expect_text(f, first, "\"d\":\"of\\\"fer\"", text);
    assert_non_null(strstr(text, b));
    snprintf(text, sizeof(text), "{\"t\":\"signal\",\"s\":[{\"to\":\"00000000000000aa\",\"d\":\"x\"}]}");
    say(second, text);
    expect_text(f, second, "\"t\":\"gone\",\"id\":\"00000000000000aa\"", text);
    assert_int_equal(f->counted.browser_signals, 1);
    assert_int_equal(f->counted.browser_signals_foreign, 1);
    close(first);
    close(second);
}

static void signals_beyond_the_allowance_are_dropped_and_counted(void **state)
{
    fixture *f = *state;
    char text[HEARD_MAX], a[17], b[17];
    int first = join(f, a), second = join(f, b);
    snprintf(text, sizeof(text), "{\"t\":\"signal\",\"s\":[{\"to\":\"%s\",\"d\":\"x\"}]}", a);
    for (int i = 0; i < 200; i++) {
        say(second, text);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    for (int i = 0; i < 100 && f->counted.browser_signals + f->counted.browser_signals_limited < 200; i++)
        run(f);
    assert_true(f->counted.browser_signals >= VISITOR_SIGNALS_BURST);
    assert_true(f->counted.browser_signals < VISITOR_SIGNALS_BURST + 20);
    close(first);
    close(second);
}

static void messages_out_of_form_close_with_a_code_and_are_counted(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"{\"t\":", 4400},
        {"[]", 4400},
        {"{\"t\":\"signal\",\"s\":[{\"to\":\"0123456789abcdef\",\"d\":\"x\"}]}", 4400}, /* before hello */
        {"{\"t\":\"hello\",\"v\":1,\"d\":\"throng:AQ\"}", 4400},
        {"{\"t\":\"hello\",\"v\":9,\"d\":\"throng:AQ\"}", 4400},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = open_one(f);
        say(fd, cases[i].text);
        expect_close(f, fd, cases[i].code);
    }
    assert_int_equal(f->counted.browser_closed_malformed, 5);
    int fd = open_one(f);
    send_frame(fd, BINARY, "x", 1); /* before hello */
    expect_close(f, fd, 4400);
    run(f);
    assert_int_equal(signalling_count(f->s), 0);
}

static void message_too_large_closes(void **state)
{
    fixture *f = *state;
    char *large = malloc(SIGNAL_MESSAGE_MAX + 2);
    int fd = open_one(f);
    memset(large, ' ', SIGNAL_MESSAGE_MAX + 1);
    send_frame(fd, TEXT, large, SIGNAL_MESSAGE_MAX + 1); /* less than a socket holds */
    expect_close(f, fd, 4413);
    free(large);
}

static void token_old_foreign_or_repeated_is_told_apart(void **state)
{
    fixture *f = *state;
    char text[HEARD_MAX];
    int fd = open_one(f), again;
    write_hello(f, 7, (uint32_t)time(NULL) - 61, text);
    say(fd, text);
    expect_close(f, fd, 4401);
    f->key[0] ^= 1;
    write_hello(f, 7, (uint32_t)time(NULL), text);
    f->key[0] ^= 1;
    fd = open_one(f);
    say(fd, text);
    expect_close(f, fd, 4401);
    write_hello(f, 7, (uint32_t)time(NULL), text);
    fd = open_one(f);
    again = open_one(f);
    say(fd, text);
    run(f);
    say(again, text);
    expect_close(f, fd, 4409);
    expect_text(f, again, "welcome", text);
    assert_int_equal(f->counted.browser_closed_token, 2);
    assert_int_equal(f->counted.browser_closed_replaced, 1);
    close(again);
}

static void foreign_origin_is_forbidden(void **state)
{
    fixture *f = *state;
    int fd;
    assert_int_equal(dial(f, "https://evil.example", "192.0.2.1", &fd), 403);
    close(fd);
    assert_int_equal(dial(f, "https://example.org.evil.example", "192.0.2.1", &fd), 403);
    close(fd);
    assert_int_equal(f->counted.browser_refused_origin, 2);
}

static void thousand_sockets_of_one_address_are_refused_and_another_comes_in(void **state)
{
    fixture *f = *state;
    int open[VISITORS_PER_ADDRESS], count = 0, fd;
    char forwarded[64];
    for (int i = 0; i < 1000; i++) {
        snprintf(forwarded, sizeof(forwarded), "10.0.0.%d, 2001:db8:1:2::%x", i % 250, i); /* one /64; what it claims */
        int status = dial(f, "https://example.org", forwarded, &fd);
        assert_int_equal(status, count < VISITORS_PER_ADDRESS ? 101 : 429);
        if (status == 101)
            open[count++] = fd;
        else
            close(fd);
    }
    assert_int_equal(f->counted.browser_refused_address, 1000 - VISITORS_PER_ADDRESS);
    assert_int_equal(dial(f, "https://example.org", "2001:db8:1:3::1", &fd), 101);
    close(fd);
    while (count > 0)
        close(open[--count]);
    run(f);
    assert_int_equal(dial(f, "https://example.org", "2001:db8:1:2::1", &fd), 101);
    close(fd);
}

static void browsers_beyond_the_maximum_are_put_off(void **state)
{
    fixture *f = *state;
    int open[BROWSERS_MAX], fd;
    char forwarded[64];
    for (int i = 0; i < BROWSERS_MAX; i++) {
        snprintf(forwarded, sizeof(forwarded), "10.0.%d.%d", i / 100, i % 100);
        assert_int_equal(dial(f, "https://example.org", forwarded, &open[i]), 101);
    }
    assert_int_equal(dial(f, "https://example.org", "10.9.9.9", &fd), 503);
    close(fd);
    assert_int_equal(f->counted.browser_refused_full, 1);
    for (int i = 0; i < BROWSERS_MAX; i++)
        close(open[i]);
}

static void crowd_that_ends_is_told_to_all(void **state)
{
    fixture *f = *state;
    char id[17], text[HEARD_MAX];
    int fd = join(f, id);
    signalling_off(f->s);
    expect_text(f, fd, "{\"t\":\"off\"}", text);
    close(fd);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(hello_with_a_token_is_welcomed_and_told_of_others),
        CASE(datagrams_go_to_the_seeder_and_back),
        CASE(datagrams_beyond_what_waits_are_dropped_as_a_full_queue_does),
        CASE(signal_reaches_whom_it_is_for_and_tells_from_whom),
        CASE(signals_beyond_the_allowance_are_dropped_and_counted),
        CASE(messages_out_of_form_close_with_a_code_and_are_counted),
        CASE(message_too_large_closes),
        CASE(token_old_foreign_or_repeated_is_told_apart),
        CASE(foreign_origin_is_forbidden),
        CASE(thousand_sockets_of_one_address_are_refused_and_another_comes_in),
        CASE(browsers_beyond_the_maximum_are_put_off),
        CASE(crowd_that_ends_is_told_to_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
