/* The module's directives, as nginx -t reads them. Usage: test_configuration MODULE */
#include "site.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *module;

static int set_up(void **state)
{
    site *s = calloc(1, sizeof *s);
    site_init(s, module);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    site_free(*state);
    free(*state);
    return 0;
}

static void configuration_mistakes_are_named_with_directive_and_line(void **state)
{
    static const struct {
        const char *line, *message;
    } mistakes[] = {
        {"throng maybe;", "invalid value \"maybe\" in \"throng\" directive, it must be \"on\", \"off\" or \"auto\""},
        {"throng on; throng off;", "\"throng\" directive is duplicate"},
        {"throng;", "invalid number of arguments in \"throng\" directive"},
        {"throng_uplink fast;", "invalid rate \"fast\" in \"throng_uplink\" directive"},
        {"throng_uplink 0;", "invalid rate \"0\" in \"throng_uplink\" directive"},
        {"throng_uplink -5m;", "invalid rate \"-5m\" in \"throng_uplink\" directive"},
        {"throng_uplink m;", "invalid rate \"m\" in \"throng_uplink\" directive"},
        {"throng_uplink \"\";", "invalid rate \"\" in \"throng_uplink\" directive"},
        {"throng_uplink 1001g;", "invalid rate \"1001g\" in \"throng_uplink\" directive"},
        {"throng_uplink 99999999999999999999;", "invalid rate \"99999999999999999999\""},
        {"throng_reserve 0;", "invalid value \"0\" in \"throng_reserve\" directive"},
        {"throng_reserve \"\";", "invalid value \"\" in \"throng_reserve\" directive"},
        {"throng_reserve 101%;", "invalid value \"101%\" in \"throng_reserve\" directive"},
        {"throng_min_size big;", "\"throng_min_size\" directive invalid value"},
        {"throng_daemon \"\";", "invalid path \"\" in \"throng_daemon\" directive"},
        {"throng_status;", "\"throng_status\" directive is not allowed here"},
        {"throng auto; throng_uplink 1m; location /x { throng_uplink 2m; }",
         "\"throng_uplink\" is both 1000000 and 2000000 bits per second"},
    };
    site *s = *state;
    char text[8192];

    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        site_configure(s, 1, "", mistakes[i].line, "");
        int code = site_check(s, text, sizeof text);
        if (code != 1 || strstr(text, mistakes[i].message) == NULL || strstr(text, "[emerg]") == NULL ||
            strstr(text, "nginx.conf:") == NULL)
            fail_msg("\"%s\" gave %d: %s", mistakes[i].line, code, text);
    }
    site_configure(s, 1, "throng auto; throng_uplink 20m; throng_reserve 30%; throng_min_size 8k;", "", "");
    assert_int_equal(site_check(s, text, sizeof text), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(configuration_mistakes_are_named_with_directive_and_line, set_up, tear_down),
    };
    if (argc != 2 || (module = realpath(argv[1], NULL)) == NULL) {
        fprintf(stderr, "usage: %s MODULE\n", argv[0]);
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
