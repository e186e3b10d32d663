/* A peer that serves by HTTP, asked over real sockets on loopback. */
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <throng/http_path.h>
#include <unistd.h>

#include "net/http_peer.h"

enum { SIZE = 300000, NOW = 1700000000, ANSWER_MAX = SIZE + 4096 };

static const uint8_t key[THRONG_KEY_SIZE] = {7, 7, 7};
static const throng_tag tag = 0x1122334455667788;

typedef struct world {
    uv_loop_t loop;
    throng_http_peer *peer;
    uint8_t content[SIZE];
    uint64_t verified; /* from the start on */
    char path[THRONG_HTTP_PATH_SIZE];
} world;

typedef struct answer {
    int status;
    size_t size; /* of all that came */
    bool closed;
    char *body;
    size_t body_size;
    char text[ANSWER_MAX + 1];
} answer;

static bool read_content(void *user, uint64_t offset, void *buffer, size_t size)
{
    const world *w = user;
    if (offset + size > w->verified)
        return false;
    memcpy(buffer, w->content + offset, size);
    return true;
}

static void path_for(char path[THRONG_HTTP_PATH_SIZE], uint32_t now, uint8_t last)
{
    throng_addr client = throng_addr_from_ipv4(127, 0, 0, last, 0);
    throng_http_path_make(path, key, tag, now, client.ip);
}

static void start_with(world **ret, const throng_http_peer_config *config, bool with_key)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    for (size_t i = 0; i < SIZE; i++)
        w->content[i] = (uint8_t)(i * 31 >> 3);
    w->verified = SIZE;
    assert_int_equal(throng_http_peer_new(&w->peer, &w->loop, config), 0);
    const throng_http_object object = {.tag = tag, .size = SIZE, .read = read_content, .user = w};
    assert_int_equal(throng_http_peer_add(w->peer, &object), 0);
    if (with_key)
        assert_int_equal(throng_http_peer_set_key(w->peer, tag, key, NOW), 0);
    path_for(w->path, NOW, 1);
    *ret = w;
}

static world *start(void)
{
    world *w;
    throng_http_peer_config config;
    throng_http_peer_config_default(&config);
    start_with(&w, &config, true);
    return w;
}

static void stop(world *w)
{
    throng_http_peer_stop(w->peer);
    while (uv_run(&w->loop, UV_RUN_ONCE) != 0) {
    }
    throng_http_peer_free(w->peer);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
}

static int connect_to(const world *w)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons(throng_http_peer_port(w->peer)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static bool complete(answer *a, bool head)
{
    char *end = strstr(a->text, "\r\n\r\n");
    if (end == NULL)
        return a->closed;
    const char *length = strcasestr(a->text, "content-length:");
    a->body = end + 4;
    a->body_size = a->size - (size_t)(a->body - a->text);
    return a->closed || head || (length != NULL && a->body_size >= strtoull(length + 15, NULL, 10));
}

/* Runs the loop until one answer is there, or the connection is closed; ten seconds at the most. */
static void hear(world *w, int fd, answer *a, bool head)
{
    uint64_t deadline = uv_hrtime() + 10 * UINT64_C(1000000000);
    memset(a, 0, offsetof(answer, text) + 1);
    while (!complete(a, head)) {
        assert_true(uv_hrtime() < deadline);
        uv_run(&w->loop, UV_RUN_NOWAIT);
        ssize_t n = recv(fd, a->text + a->size, ANSWER_MAX - a->size, 0);
        a->closed = n == 0;
        a->size += n > 0 ? (size_t)n : 0;
        a->text[a->size] = '\0';
        if (n < 0)
            poll(NULL, 0, 1);
    }
    if (a->size > 12)
        a->status = atoi(a->text + 9);
}

static answer got;

/* One request over a connection of its own. */
static int ask(world *w, const char *method, const char *path, const char *headers)
{
    char request[1024];
    int fd = connect_to(w);
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, headers);
    say(fd, request);
    hear(w, fd, &got, strcmp(method, "HEAD") == 0);
    close(fd);
    return got.status;
}

static void get_of_the_whole_brings_it(void **state)
{
    world *w = start();
    assert_int_equal(ask(w, "GET", w->path, ""), 200);
    assert_int_equal(got.body_size, SIZE);
    assert_memory_equal(got.body, w->content, SIZE);
    assert_non_null(strcasestr(got.text, "accept-ranges: bytes"));
    assert_int_equal(throng_http_peer_given(w->peer, tag), SIZE);
    stop(w);
}

static void head_brings_the_head_alone(void **state)
{
    world *w = start();
    assert_int_equal(ask(w, "HEAD", w->path, ""), 200);
    assert_non_null(strcasestr(got.text, "content-length: 300000"));
    assert_int_equal(got.body_size, 0);
    stop(w);
}

static void range_brings_that_part_and_says_which(void **state)
{
    world *w = start();
    assert_int_equal(ask(w, "GET", w->path, "Range: bytes=1000-50999\r\n"), 206);
    assert_int_equal(got.body_size, 50000);
    assert_memory_equal(got.body, w->content + 1000, 50000);
    assert_non_null(strcasestr(got.text, "content-range: bytes 1000-50999/300000"));
    stop(w);
}

static void range_beyond_the_end_or_overlapping_ranges_are_416(void **state)
{
    world *w = start();
    assert_int_equal(ask(w, "GET", w->path, "Range: bytes=300000-\r\n"), 416);
    assert_non_null(strcasestr(got.text, "content-range: bytes */300000"));
    assert_int_equal(ask(w, "GET", w->path, "Range: bytes=0-,0-,0-,0-\r\n"), 416);
    assert_int_equal(ask(w, "GET", w->path, "Range: bytes=9-2\r\n"), 200);
    stop(w);
}

static void token_wrong_expired_or_of_another_client_is_403_and_other_paths_404(void **state)
{
    world *w = start();
    char path[THRONG_HTTP_PATH_SIZE];
    path_for(path, NOW, 2);
    assert_int_equal(ask(w, "GET", path, ""), 403);
    path_for(path, NOW - 3700, 1);
    assert_int_equal(ask(w, "GET", path, ""), 403);
    memcpy(path, w->path, sizeof path);
    path[10] = path[10] == 'A' ? 'B' : 'A';
    assert_int_equal(ask(w, "GET", path, ""), 403);
    path[1] = path[1] == 'A' ? 'B' : 'A'; /* another object */
    assert_int_equal(ask(w, "GET", path, ""), 404);
    assert_int_equal(ask(w, "GET", "/", ""), 404);
    assert_int_equal(ask(w, "GET", "/film.mp4", ""), 404);
    assert_int_equal(ask(w, "DELETE", w->path, ""), 405);
    stop(w);
}

static void object_without_a_key_or_not_yet_verified_is_503_and_no_byte_of_it_is_shown(void **state)
{
    world *w;
    throng_http_peer_config config;
    throng_http_peer_config_default(&config);
    start_with(&w, &config, false);
    assert_int_equal(ask(w, "GET", w->path, ""), 503);
    assert_int_equal(throng_http_peer_set_key(w->peer, tag, key, NOW), 0);
    w->verified = 100000;
    assert_int_equal(ask(w, "GET", w->path, ""), 503);
    assert_int_equal(got.body_size, 0);
    assert_int_equal(ask(w, "GET", w->path, "Range: bytes=0-99999\r\n"), 206);
    assert_memory_equal(got.body, w->content, 100000);
    assert_int_equal(ask(w, "GET", w->path, "Range: bytes=50000-100000\r\n"), 503);
    stop(w);
}

static void connection_kept_brings_one_answer_after_another(void **state)
{
    world *w = start();
    char request[256];
    int fd = connect_to(w);
    for (int i = 0; i < 3; i++) {
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nRange: bytes=%d-%d\r\n\r\n", w->path, i * 1000,
                 i * 1000 + 499);
        say(fd, request);
        hear(w, fd, &got, false);
        assert_int_equal(got.status, 206);
        assert_int_equal(got.body_size, 500);
        assert_memory_equal(got.body, w->content + i * 1000, 500);
    }
    close(fd);
    stop(w);
}

static void object_removed_while_it_is_sent_is_cut_short(void **state)
{
    world *w;
    throng_http_peer_config config;
    throng_http_peer_config_default(&config);
    config.rate_bps = 4000000;
    start_with(&w, &config, true);
    char request[256];
    int fd = connect_to(w);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", w->path);
    say(fd, request);
    while (throng_http_peer_given(w->peer, tag) == 0)
        uv_run(&w->loop, UV_RUN_ONCE);
    throng_http_peer_remove(w->peer, tag);
    hear(w, fd, &got, false);
    assert_true(got.closed && got.body_size < SIZE);
    close(fd);
    stop(w);
}

static void rate_is_not_passed(void **state)
{
    world *w;
    throng_http_peer_config config;
    throng_http_peer_config_default(&config);
    config.rate_bps = 4000000; /* 300,000 bytes take 600 ms, less the burst of 50,000 */
    start_with(&w, &config, true);
    uint64_t began = uv_hrtime();
    assert_int_equal(ask(w, "GET", w->path, ""), 200);
    assert_int_equal(got.body_size, SIZE);
    assert_true(uv_hrtime() - began > 400 * UINT64_C(1000000));
    stop(w);
}

/* As if as much went by UDP at the same time. */
static uint64_t as_much_again(void *user)
{
    throng_http_peer_stats stats;
    throng_http_peer **peer = user;
    if (*peer == NULL)
        return 0;
    throng_http_peer_stats_get(*peer, &stats);
    return stats.content_bytes;
}

static void rate_is_shared_with_what_goes_by_other_means(void **state)
{
    world *w;
    throng_http_peer *peer = NULL;
    throng_http_peer_config config;
    throng_http_peer_config_default(&config);
    config.rate_bps = 4000000; /* half of it: 1,200 ms, less the burst */
    config.sent_otherwise = as_much_again;
    config.user = &peer;
    start_with(&w, &config, true);
    peer = w->peer;
    uint64_t began = uv_hrtime();
    assert_int_equal(ask(w, "GET", w->path, ""), 200);
    assert_int_equal(got.body_size, SIZE);
    assert_true(uv_hrtime() - began > 800 * UINT64_C(1000000));
    stop(w);
}

/* A byte now and then keeps nobody here (slowloris). */
static void head_that_drips_in_is_cut_off(void **state)
{
    world *w;
    throng_http_peer_config config;
    throng_http_peer_config_default(&config);
    config.head_s = 1;
    start_with(&w, &config, true);
    int fd = connect_to(w);
    uint64_t deadline = uv_hrtime() + 8 * UINT64_C(1000000000), next = 0;
    char byte = 0;
    say(fd, "GET / HTTP/1.1\r\n");
    while (recv(fd, &byte, 1, 0) != 0) {
        assert_true(uv_hrtime() < deadline);
        if (uv_hrtime() > next) {
            (void)!send(fd, "x", 1, MSG_NOSIGNAL);
            next = uv_hrtime() + 100 * UINT64_C(1000000);
        }
        uv_run(&w->loop, UV_RUN_NOWAIT);
        poll(NULL, 0, 1);
    }
    close(fd);
    stop(w);
}

/* Asks for much, and takes nothing of it. */
static void client_that_does_not_read_is_cut_off(void **state)
{
    enum { SMALL = 4096 };
    world *w;
    char request[256];
    throng_http_peer_config config;
    throng_http_peer_config_default(&config);
    config.stall_s = 1;
    start_with(&w, &config, true);
    int fd = connect_to(w), small = SMALL, asked = 0;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    uint64_t deadline = uv_hrtime() + 8 * UINT64_C(1000000000);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", w->path);
    struct pollfd hung_up = {.fd = fd, .events = 0};
    while ((poll(&hung_up, 1, 1), hung_up.revents) == 0) {
        assert_true(uv_hrtime() < deadline);
        if (asked++ < 100) /* more than the buffers between us take */
            (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
    close(fd);
    stop(w);
}

static void connections_of_one_address_beyond_the_maximum_are_turned_away(void **state)
{
    enum { MOST = 3, MORE = 6 };
    world *w;
    throng_http_peer_config config;
    throng_http_peer_stats stats;
    throng_http_peer_config_default(&config);
    config.address_max = MOST;
    start_with(&w, &config, true);
    int fds[MORE];
    for (int i = 0; i < MORE; i++)
        fds[i] = connect_to(w);
    do {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        throng_http_peer_stats_get(w->peer, &stats);
    } while (stats.turned_away < MORE - MOST);
    hear(w, fds[MORE - 1], &got, false);
    assert_true(got.closed && got.size == 0);
    for (int i = 0; i < MORE; i++)
        close(fds[i]);
    assert_int_equal(ask(w, "GET", w->path, "Range: bytes=0-0\r\n") == 206 || got.closed, true);
    stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_of_the_whole_brings_it),
        cmocka_unit_test(head_brings_the_head_alone),
        cmocka_unit_test(range_brings_that_part_and_says_which),
        cmocka_unit_test(range_beyond_the_end_or_overlapping_ranges_are_416),
        cmocka_unit_test(token_wrong_expired_or_of_another_client_is_403_and_other_paths_404),
        cmocka_unit_test(object_without_a_key_or_not_yet_verified_is_503_and_no_byte_of_it_is_shown),
        cmocka_unit_test(connection_kept_brings_one_answer_after_another),
        cmocka_unit_test(object_removed_while_it_is_sent_is_cut_short),
        cmocka_unit_test(rate_is_not_passed),
        cmocka_unit_test(rate_is_shared_with_what_goes_by_other_means),
        cmocka_unit_test(head_that_drips_in_is_cut_off),
        cmocka_unit_test(client_that_does_not_read_is_cut_off),
        cmocka_unit_test(connections_of_one_address_beyond_the_maximum_are_turned_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
