/* Paths at HTTP peers: what the server makes, that peer and no other takes, from that client, for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <throng/http_path.h>

enum { NOW = 1700000000, MAX_AGE = 3600 };

static const uint8_t site[THRONG_KEY_SIZE] = {1, 2, 3};
static const uint8_t anywhere[16];
static const throng_tag tag = 0x0123456789abcdef;

typedef struct parts {
    throng_addr peer, client;
    uint8_t key[THRONG_KEY_SIZE];
    char text[THRONG_HTTP_PATH_SIZE];
    throng_http_path path;
} parts;

static parts made(void)
{
    parts p = {.peer = throng_addr_from_ipv4(9, 9, 9, 9, 4000), .client = throng_addr_from_ipv4(8, 8, 8, 8, 5)};
    throng_http_key(p.key, site, &p.peer);
    throng_http_path_make(p.text, p.key, tag, NOW, p.client.ip);
    assert_int_equal(throng_http_path_decode(&p.path, p.text, strlen(p.text)), 0);
    return p;
}

static int check(const parts *p, throng_tag object, uint32_t now)
{
    return throng_http_path_check(&p->path, p->key, object, now, MAX_AGE, p->client.ip);
}

static void path_for_this_client_is_taken_for_as_long_as_it_is_good(void **state)
{
    parts p = made();
    assert_int_equal(strlen(p.text), THRONG_HTTP_PATH_SIZE - 1);
    assert_true(throng_http_path_is_of(&p.path, tag));
    assert_int_equal(check(&p, tag, NOW), 0);
    assert_int_equal(check(&p, tag, NOW + MAX_AGE - 5), 0);
    assert_int_equal(check(&p, tag, NOW - 50), 0); /* its clock is behind ours */
    assert_int_equal(check(&p, tag, NOW + MAX_AGE + 5), THRONG_ERR_EXPIRED);
    assert_int_equal(check(&p, tag, NOW - 70), THRONG_ERR_EXPIRED);
}

static void path_for_another_client_object_or_peer_is_refused(void **state)
{
    parts p = made();
    throng_addr other = throng_addr_from_ipv4(9, 9, 9, 9, 4001);
    uint8_t key[THRONG_KEY_SIZE];
    assert_int_equal(check(&p, tag + 1, NOW), THRONG_ERR_UNPROVEN);
    throng_http_key(key, site, &other);
    assert_int_equal(throng_http_path_check(&p.path, key, tag, NOW, MAX_AGE, p.client.ip), THRONG_ERR_UNPROVEN);
    p.client = throng_addr_from_ipv4(8, 8, 8, 7, 5);
    assert_int_equal(check(&p, tag, NOW), THRONG_ERR_UNPROVEN);
}

static void path_for_anywhere_is_taken_from_anywhere(void **state)
{
    parts p = made();
    throng_http_path_make(p.text, p.key, tag, NOW, anywhere);
    assert_int_equal(throng_http_path_decode(&p.path, p.text, strlen(p.text)), 0);
    assert_int_equal(check(&p, tag, NOW), 0);
    assert_int_equal(check(&p, tag + 1, NOW), THRONG_ERR_UNPROVEN);
}

static void path_with_any_character_changed_is_refused(void **state)
{
    parts p = made(), q = p;
    for (size_t i = 0; i < strlen(p.text); i++) {
        q = p;
        q.text[i] = q.text[i] == 'A' ? 'B' : 'A';
        int error = throng_http_path_decode(&q.path, q.text, strlen(q.text));
        bool refused = error != 0 || !throng_http_path_is_of(&q.path, tag) || check(&q, tag, NOW) != 0;
        assert_true(refused);
    }
}

static void path_of_another_form_is_malformed(void **state)
{
    static const char *const forms[] = {"",
                                        "/",
                                        "/AAAA/AAAAAAAAAAA/",
                                        "/AAAA/AAAAAAAAAA",
                                        "/AAAA/AAAAAAAAAA?",
                                        "/AAAAAAAAAAAAAAAA",
                                        "AAAAA/AAAAAAAAAAA",
                                        "/AAAA/AAAAAAAAAAB"};
    throng_http_path path;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        assert_int_equal(throng_http_path_decode(&path, forms[i], strlen(forms[i])), THRONG_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_for_this_client_is_taken_for_as_long_as_it_is_good),
        cmocka_unit_test(path_for_another_client_object_or_peer_is_refused),
        cmocka_unit_test(path_for_anywhere_is_taken_from_anywhere),
        cmocka_unit_test(path_with_any_character_changed_is_refused),
        cmocka_unit_test(path_of_another_form_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
