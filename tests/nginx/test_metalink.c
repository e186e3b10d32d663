/* Clients that know Metalink/HTTP alone: who is told of HTTP peers, of which, and when not. Usage: test_metalink MODULE
 */
#include "module_fixture.h"
#include <throng/http_path.h>

#define WANTS "Want-Digest: SHA-512;q=1, SHA-256;q=1, MD5;q=0.2\r\n"

enum { LINES_MAX = 8 };

/* The film on the board, and these peers serve it by HTTP, each at its address. */
static void serve_at(fixture *f, const throng_addr *addrs, uint32_t count)
{
    throng_directory *directory = &f->board.directory;
    throng_board_key key = key_of(f, site_port(SITE_MODULE), "/film");
    throng_board_entry entry;
    uint32_t peer;

    assert_int_equal(throng_board_find(&f->board, &key, &entry), 0);
    throng_directory_clear(directory);
    throng_directory_set_times(directory, THRONG_SECOND, THRONG_NEVER);
    assert_int_equal(throng_directory_add_object(directory, throng_hash_tag(&entry.object), &entry.holders), 0);
    assert_int_equal(throng_directory_add_object(directory, throng_hash_tag(&entry.object), &entry.http_holders), 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(throng_directory_add_peer(directory, 0, &addrs[i], &(throng_place){0}, &peer), 0);
        throng_directory_hold(directory, 0, entry.http_holders, peer, true);
    }
    entry.http_holders++;
    memset(entry.digest.bytes, 0xff, sizeof entry.digest.bytes);
    assert_int_equal(throng_board_publish(&f->board, &key, &entry), 0);
}

static void serve_at_many(fixture *f, uint32_t count)
{
    throng_addr addrs[16];
    for (uint32_t i = 0; i < count; i++)
        addrs[i] = throng_addr_from_ipv4(203, 100, 113, (uint8_t)(100 + i), (uint16_t)(50000 + i));
    serve_at(f, addrs, count);
}

/* The values of all headers of that name. Returns how many. */
static int values(const char *name, char ret[LINES_MAX][256])
{
    int count = 0;
    size_t length = strlen(name);
    for (const char *line = got.head; line != NULL && count < LINES_MAX; line = strstr(line, "\r\n")) {
        line += line == got.head ? 0 : 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            snprintf(ret[count++], 256, "%.*s", (int)strcspn(line + length + 2, "\r"), line + length + 2);
    }
    return count;
}

static void assert_untouched(void)
{
    char text[LINES_MAX][256];
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body_size, FILM_SIZE);
    assert_int_equal(values("Link", text), 0);
    assert_int_equal(values("Digest", text), 0);
    assert_int_equal(values("Vary", text), 0);
}

static void client_that_asks_for_a_digest_is_sent_to_peers_within_300_bytes(void **state)
{
    fixture *f = *state;
    char links[LINES_MAX][256], value[1024];
    serve_at_many(f, 8);
    get(f, "/film", WANTS);
    assert_int_equal(got.status, 307);
    assert_int_equal(got.body_size, 0);
    assert_non_null(response_header(&got, "Digest", value));
    assert_string_equal(value, "SHA-256=//////////////////////////////////////////8=");
    assert_non_null(response_header(&got, "Location", value));
    size_t size = strlen("Location: \r\n") + strlen(value);
    int count = values("Link", links);
    assert_int_equal(count, 3);
    for (int i = 0; i < count; i++) {
        char end[64];
        snprintf(end, sizeof end, ">;rel=duplicate;pri=%d", i + 2);
        assert_non_null(strstr(links[i], end));
        assert_null(strstr(links[i], value));
        size += strlen("Link: \r\n") + strlen(links[i]);
    }
    assert_true(size <= 300);
    assert_int_equal(counter(&throng_board_counters_of(&f->board)->metalinks_instead), 1);
}

static void path_in_a_link_is_what_that_peer_takes_from_this_client(void **state)
{
    fixture *f = *state;
    char value[1024], ip[64];
    unsigned a, b, c, d, port;
    throng_board_secrets secrets;
    throng_http_path path;
    uint8_t key[THRONG_KEY_SIZE];
    throng_addr client = throng_addr_from_ipv4(127, 0, 0, 1, 0);
    throng_hash object;
    serve_at_many(f, 4);
    get(f, "/film", WANTS);
    assert_non_null(response_header(&got, "Location", value));
    assert_int_equal(sscanf(value, "http://%u.%u.%u.%u:%u/%63s", &a, &b, &c, &d, &port, ip), 6);
    throng_addr peer = throng_addr_from_ipv4((uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d, (uint16_t)port);
    const char *text = strchr(value + 7, '/');
    assert_int_equal(throng_http_path_decode(&path, text, strlen(text)), 0);
    memset(object.bytes, 0xab, sizeof object.bytes);
    throng_board_secrets_get(&f->board, &secrets);
    throng_http_key(key, secrets.token_key, &peer);
    uint32_t now = (uint32_t)time(NULL);
    assert_int_equal(throng_http_path_check(&path, key, throng_hash_tag(&object), now, 60, client.ip), 0);
    client.ip[15] = 2;
    assert_int_not_equal(throng_http_path_check(&path, key, throng_hash_tag(&object), now, 60, client.ip), 0);
}

/* "203.100.113.104:" of "<http://203.100.113.104:50004/…>;rel=…". */
static bool names(const char *line, const char *location)
{
    char host[64];
    return sscanf(location, "http://%63[0-9.:]", host) == 1 && strstr(line, host) != NULL;
}

static void client_that_comes_back_is_served_here_and_told_of_other_peers_and_its_own_are_doubted(void **state)
{
    enum { PEERS = 8, NAMED = 4 };
    fixture *f = *state;
    char links[LINES_MAX][256], value[1024], before[NAMED][256];
    uint16_t mark;
    throng_tag object;
    serve_at_many(f, PEERS);
    get(f, "/film", WANTS);
    assert_int_equal(got.status, 307);
    assert_int_equal(values("Link", links), NAMED - 1);
    for (int i = 0; i < NAMED - 1; i++)
        snprintf(before[i], sizeof before[i], "%s", links[i] + 1);
    assert_non_null(response_header(&got, "Location", value));
    snprintf(before[NAMED - 1], sizeof before[NAMED - 1], "%.255s", value);
    assert_false(throng_board_take_doubt(&f->board, &object, &mark));
    get(f, "/film", WANTS);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body_size, FILM_SIZE);
    assert_int_equal(values("Link", links), PEERS - NAMED);
    for (int i = 0; i < PEERS - NAMED; i++)
        for (int j = 0; j < NAMED; j++)
            assert_false(names(links[i], before[j]));
    for (int i = 0; i < NAMED; i++) {
        assert_true(throng_board_take_doubt(&f->board, &object, &mark));
        assert_true(mark != 0 && object == (UINT64_C(0xabababababababab) & UINT64_C(0xffffffffffff)));
    }
    assert_false(throng_board_take_doubt(&f->board, &object, &mark));
    assert_non_null(response_header(&got, "Digest", value));
    assert_non_null(response_header(&got, "ETag", value));
    assert_non_null(response_header(&got, "Vary", value));
    assert_string_equal(value, "Want-Digest");
    assert_int_equal(counter(&throng_board_counters_of(&f->board)->metalinks), 1);
    get(f, "/film", WANTS); /* once more: it is told on once */
    assert_int_equal(got.status, 200);
    assert_false(throng_board_take_doubt(&f->board, &object, &mark));
}

static void client_that_comes_back_from_all_peers_is_served_here_and_told_of_none(void **state)
{
    fixture *f = *state;
    char links[LINES_MAX][256], value[1024];
    serve_at_many(f, 4);
    get(f, "/film", WANTS);
    assert_int_equal(got.status, 307);
    get(f, "/film", WANTS);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body_size, FILM_SIZE);
    assert_int_equal(values("Link", links), 0);
    assert_non_null(response_header(&got, "Digest", value));
}

static void one_peer_alone_is_told_beside_the_body(void **state)
{
    fixture *f = *state;
    char links[LINES_MAX][256];
    serve_at_many(f, 1);
    get(f, "/film", WANTS);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body_size, FILM_SIZE);
    assert_int_equal(values("Link", links), 1);
}

static void client_that_does_not_ask_for_sha_256_sees_nothing_of_it(void **state)
{
    static const char *const headers[] = {"",
                                          "Want-Digest: SHA-512;q=1\r\n",
                                          "Want-Digest: SHA-256;q=0\r\n",
                                          "Want-Digest: SHA-256;q=0.0, MD5\r\n",
                                          "Want-Digest: SHA-2560, ;;,,\r\n",
                                          "Want-Digest:\r\n",
                                          WANTS "Range: bytes=0-\r\nIf-Range: \"x\"\r\n",
                                          WANTS "Authorization: Basic eDp5\r\n"};
    fixture *f = *state;
    serve_at_many(f, 4);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        get(f, "/film", headers[i]);
        assert_untouched();
    }
    get(f, "/film", "Throng: 1\r\n" WANTS);
    char value[1024];
    assert_non_null(response_header(&got, "Location", value));
    assert_int_equal(strncmp(value, "throng:", 7), 0);
}

static void part_of_the_object_comes_from_here(void **state)
{
    fixture *f = *state;
    char links[LINES_MAX][256];
    serve_at_many(f, 4);
    get(f, "/film", WANTS "Range: bytes=100-199\r\n");
    assert_int_equal(got.status, 206);
    assert_int_equal(got.body_size, 100);
    assert_int_equal(values("Link", links), 0);
}

static void peers_at_one_address_are_told_once_and_of_another_family_never(void **state)
{
    fixture *f = *state;
    char links[LINES_MAX][256];
    throng_addr addrs[4] = {throng_addr_from_ipv4(9, 9, 9, 1, 5000),
                            throng_addr_from_ipv4(9, 9, 9, 1, 5001),
                            throng_addr_from_ipv4(9, 9, 9, 2, 5000),
                            {.ip = {0x2a, 1}, .port = 5000}};
    serve_at(f, addrs, 4);
    get(f, "/film", WANTS);
    assert_int_equal(got.status, 307);
    assert_int_equal(values("Link", links), 1);
}

static int set_up_proxy(void **state)
{
    set_up_with(state,
                "throng on; throng_uplink 1g; throng_daemon @DIR@/board; set_real_ip_from 127.0.0.1; real_ip_header "
                "X-Real-IP;",
                "", "");
    publish(*state, site_port(SITE_MODULE), "/film");
    return 0;
}

/* At a private address, which would lead into the client's own network; at the client's own address. */
static void client_in_public_is_told_of_no_private_peer_and_not_of_itself(void **state)
{
    fixture *f = *state;
    char links[LINES_MAX][256], value[1024];
    throng_addr addrs[6] = {throng_addr_from_ipv4(10, 0, 0, 1, 5000),    throng_addr_from_ipv4(192, 168, 1, 1, 5001),
                            throng_addr_from_ipv4(9, 9, 9, 7, 5002),     throng_addr_from_ipv4(127, 0, 0, 1, 5003),
                            throng_addr_from_ipv4(169, 254, 1, 1, 5004), throng_addr_from_ipv4(9, 9, 9, 1, 5000)};
    serve_at(f, addrs, 6);
    get(f, "/film", WANTS "X-Real-IP: 9.9.9.7\r\n");
    assert_int_equal(got.status, 200);
    assert_int_equal(values("Link", links), 1);
    assert_non_null(strstr(links[0], "<http://9.9.9.1:5000/"));
    get(f, "/film", WANTS "X-Real-IP: 10.0.0.2\r\n"); /* one of theirs */
    assert_int_equal(got.status, 307);
    assert_non_null(response_header(&got, "Location", value));
    assert_int_equal(values("Link", links), 3);
}

/* Long addresses: fewer of them. */
static void client_of_ipv6_is_told_of_as_many_as_300_bytes_hold(void **state)
{
    fixture *f = *state;
    char links[LINES_MAX][256], value[1024];
    throng_addr addrs[6];
    for (uint8_t i = 0; i < 6; i++) {
        addrs[i] = (throng_addr){.ip = {0x2a, 0x01, 0xaa, 0xaa, 0xbb, 0xbb, 0xcc, 0xcc}, .port = (uint16_t)(50000 + i)};
        memset(addrs[i].ip + 8, 0xdd, 7);
        addrs[i].ip[15] = (uint8_t)(0xd0 + i);
    }
    serve_at(f, addrs, 6);
    get(f, "/film", WANTS "X-Real-IP: 2a01:aaaa::1\r\n");
    assert_int_equal(got.status, 307);
    assert_non_null(response_header(&got, "Location", value));
    assert_non_null(strstr(value, "http://[2a01:aaaa:bbbb:cccc:dddd:dddd:dddd:ddd"));
    size_t size = strlen("Location: \r\n") + strlen(value);
    assert_int_equal(values("Link", links), 1);
    assert_true(size + strlen("Link: \r\n") + strlen(links[0]) <= 300);
}

static void dead_daemon_or_another_version_leaves_the_answer_alone(void **state)
{
    fixture *f = *state;
    serve_at_many(f, 4);
    throng_board_retire(&f->board);
    site_get(site_port(SITE_MODULE), "/film", WANTS, &got);
    assert_untouched();
    site_file(&f->site, "film", FILM_SIZE, 'g', MTIME + 5);
    get(f, "/film", WANTS);
    assert_untouched();
}

static int set_up_calm(void **state)
{
    set_up_with(state, "throng auto; throng_uplink 1g; throng_daemon @DIR@/board;", "", "");
    publish(*state, site_port(SITE_MODULE), "/film");
    return 0;
}

static void calm_leaves_the_answer_alone(void **state)
{
    fixture *f = *state;
    serve_at_many(f, 4);
    get(f, "/film", WANTS);
    assert_untouched();
}

static int set_up_narrow(void **state)
{
    set_up_with(state, "throng on; throng_uplink 400k; throng_daemon @DIR@/board;", "", "");
    publish(*state, site_port(SITE_MODULE), "/film");
    return 0;
}

/* The reserved share is spent: peers in place of a refusal, for those who come back as well. */
static void client_that_would_be_refused_is_sent_to_peers(void **state)
{
    fixture *f = *state;
    int refused = 0;
    serve_at_many(f, 1);
    for (int i = 0; i < 200 && refused == 0; i++) {
        int fd = site_connect(site_port(SITE_MODULE));
        char byte;
        throng_board_beat(&f->board, site_now());
        assert_true(write(fd, "GET /film HTTP/1.1\r\nHost: example.org\r\n\r\n", 41) == 41);
        assert_true(read(fd, &byte, 1) == 1);
        refused = counter(&throng_board_counters_of(&f->board)->refused) > 0;
        close(fd);
    }
    assert_true(refused);
    get(f, "/film", WANTS);
    assert_int_equal(got.status, 307);
    get(f, "/film", WANTS);
    assert_int_equal(got.status, 307);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(client_that_asks_for_a_digest_is_sent_to_peers_within_300_bytes),
        TEST(path_in_a_link_is_what_that_peer_takes_from_this_client),
        TEST(client_that_comes_back_is_served_here_and_told_of_other_peers_and_its_own_are_doubted),
        TEST(client_that_comes_back_from_all_peers_is_served_here_and_told_of_none),
        TEST(one_peer_alone_is_told_beside_the_body),
        TEST(client_that_does_not_ask_for_sha_256_sees_nothing_of_it),
        TEST(part_of_the_object_comes_from_here),
        TEST(peers_at_one_address_are_told_once_and_of_another_family_never),
        TEST(dead_daemon_or_another_version_leaves_the_answer_alone),
        cmocka_unit_test_setup_teardown(client_in_public_is_told_of_no_private_peer_and_not_of_itself, set_up_proxy,
                                        tear_down),
        cmocka_unit_test_setup_teardown(client_of_ipv6_is_told_of_as_many_as_300_bytes_hold, set_up_proxy, tear_down),
        cmocka_unit_test_setup_teardown(calm_leaves_the_answer_alone, set_up_calm, tear_down),
        cmocka_unit_test_setup_teardown(client_that_would_be_refused_is_sent_to_peers, set_up_narrow, tear_down),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s MODULE\n", argv[0]);
        return 2;
    }
    module = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
