#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve_config.h"

static const serve_config files = {
    .module = "/lib/module.so",
    .user = "www-data",
    .directory = "/srv/site \"one\"",
    .listen = "0.0.0.0:8080",
    .runtime = "/run/here",
    .state = "/var/state",
    .mode = "auto",
    .uplink_bps = 20000000,
    .cache_bytes = 1 << 30,
};

static char *written(const serve_config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    serve_config_write(config, out);
    fclose(out);
    return text;
}

static bool has(const char *text, const char *line)
{
    return strstr(text, line) != NULL;
}

static void write_for_a_directory_serves_it_with_paths_quoted(void **state)
{
    char *text = written(&files);
    assert_true(has(text, "        root \"/srv/site \\\"one\\\"\";\n"));
    assert_true(has(text, "        listen 0.0.0.0:8080;\n"));
    assert_true(has(text, "        listen \"unix:/run/here/origin.sock\";\n"));
    assert_true(has(text, "    throng auto;\n    throng_uplink 20000000;\n"));
    assert_true(has(text, "    throng_daemon \"/run/here/d/board\";\n"));
    assert_true(has(text, "user www-data;\n"));
    assert_true(has(text, "tcp_nopush on"));
    assert_false(has(text, "proxy_cache"));
    assert_false(has(text, "ssl"));
    free(text);
}

static void write_with_browsers_proxies_their_socket_with_the_address_of_nginx_own(void **state)
{
    serve_config config = files;
    char *text = written(&config);
    assert_true(has(text, "    throng_browsers off;\n"));
    assert_false(has(text, "/.throng/ws"));
    free(text);
    config.browsers = "/share/web";
    text = written(&config);
    assert_true(has(text, "    throng_browsers \"/share/web\";\n"));
    assert_true(has(text, "location = /.throng/ws {\n"));
    assert_true(has(text, "proxy_pass \"http://unix:/run/here/d/signal.sock\";\n"));
    assert_true(has(text, "proxy_set_header X-Forwarded-For $remote_addr;\n"));
    free(text);
    config.no_badge = true;
    text = written(&config);
    assert_true(has(text, "    throng_browsers \"/share/web\" nobadge;\n"));
    free(text);
}

static void write_for_an_origin_caches_without_the_nopush_stall(void **state)
{
    serve_config config = files;
    config.origin = "https://example.org/base";
    config.trusted = "/etc/authorities";
    config.user = NULL;
    char *text = written(&config);
    assert_true(has(text, "proxy_pass \"https://example.org/base/\";\n"));
    assert_true(has(text, "X-Forwarded-Proto http;\n"));
    assert_true(has(text, "proxy_ssl_verify on;"));
    assert_true(has(text, "proxy_ssl_server_name on;"));
    assert_true(has(text, "proxy_cache_path \"/var/state/origin\""));
    assert_true(has(text, "proxy_cache_bypass $throng_own;"));
    assert_false(has(text, "tcp_nopush"));
    assert_false(has(text, "\nuser "));
    assert_false(has(text, "root "));
    free(text);
}

static void write_with_a_certificate_speaks_tls_to_visitors_alone(void **state)
{
    serve_config config = files;
    config.tls_cert = "/c.pem";
    config.tls_key = "/k.pem";
    char *text = written(&config);
    assert_true(has(text, "listen 0.0.0.0:8080 ssl http2;\n"));
    assert_true(has(text, "listen \"unix:/run/here/origin.sock\";\n"));
    assert_true(has(text, "ssl_certificate \"/c.pem\";\n"));
    assert_true(has(text, "ssl_certificate_key \"/k.pem\";\n"));
    free(text);
}

static void origin_fits_takes_scheme_host_port_and_path_alone(void **state)
{
    static const char *const good[] = {"http://localhost", "https://example.org:8443/a/b", "http://[::1]:80/",
                                       "http://192.0.2.1"};
    static const char *const bad[] = {"",
                                      "http://",
                                      "localhost",
                                      "ftp://a",
                                      "http:///a",
                                      "http://a;b",
                                      "http://a/$uri",
                                      "http://a/b\"c",
                                      "http://a/b c",
                                      "http://a/?q",
                                      "http://a/#f",
                                      "http://u@a",
                                      "http://a\n/",
                                      "http://:80/"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!serve_config_origin_fits(good[i]))
            fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (serve_config_origin_fits(bad[i]))
            fail_msg("%s was taken", bad[i]);
}

static void path_fits_refuses_what_nginx_would_read_as_more(void **state)
{
    assert_true(serve_config_path_fits("/srv/a \"b\" \\ {c};"));
    assert_false(serve_config_path_fits("/srv/$a"));
    assert_false(serve_config_path_fits("/srv/a\nb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_for_a_directory_serves_it_with_paths_quoted),
        cmocka_unit_test(write_with_browsers_proxies_their_socket_with_the_address_of_nginx_own),
        cmocka_unit_test(write_for_an_origin_caches_without_the_nopush_stall),
        cmocka_unit_test(write_with_a_certificate_speaks_tls_to_visitors_alone),
        cmocka_unit_test(origin_fits_takes_scheme_host_port_and_path_alone),
        cmocka_unit_test(path_fits_refuses_what_nginx_would_read_as_more),
    };
    return cmocka_run_group_tests_name("serve config", tests, NULL, NULL);
}
