/* throng status: what a running server says of itself at /.throng/status. */
#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "fetch_text.h"

enum { OPTION_JSON = 0x100, STATUS_SIZE_MAX = 256 * 1024 };

struct status_options {
    const char *url;
    bool json;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct status_options *options = state->input;
    switch (key) {
    case OPTION_JSON:
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->url != NULL) {
            argp_error(state, "one URL at a time");
        }
        options->url = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Where the status is: at the root of the URL's server, whatever its path. */
static char *status_url(const char *url)
{
    char *joined = NULL;
    const char *scheme = strstr(url, "://");
    const char *host = scheme == NULL ? url : scheme + 3;
    size_t length = (size_t)(host - url) + strcspn(host, "/?#");
    return asprintf(&joined, "%.*s/.throng/status", (int)length, url) < 0 ? NULL : joined;
}

static void print_value(const char *name, const json_t *value, const char *indent);

static void print_object(const json_t *object, const char *indent)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)object, name, value)
    {
        print_value(name, value, indent);
    }
}

/* Escaped, though without quotes: what a server says may be meant for the terminal. */
static void print_escaped(const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    size_t size = text == NULL ? 0 : strlen(text);
    bool quoted = json_is_string(value) && size >= 2;
    printf("%.*s", (int)(quoted ? size - 2 : size), quoted ? text + 1 : text == NULL ? "" : text);
    free(text);
}

static void print_value(const char *name, const json_t *value, const char *indent)
{
    json_t *shown = json_string(name);
    fputs(indent, stdout);
    print_escaped(shown);
    json_decref(shown);
    if (json_is_object(value)) {
        puts(":");
        print_object(value, "  ");
        return;
    }
    fputs(": ", stdout);
    print_escaped(value);
    putchar('\n');
}

static throng_exit print(const char *url, const uint8_t *bytes, size_t size, bool json)
{
    json_t *root = json_loadb((const char *)bytes, size, 0, NULL);
    throng_exit code = THRONG_EXIT_OK;
    if (!json_is_object(root)) {
        throng_complain("%s: no status of a Throng server is there", url);
        code = THRONG_EXIT_FAILED;
    } else if (json) {
        json_dumpf(root, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        print_object(root, "");
    }
    json_decref(root);
    return fflush(stdout) == 0 ? code : THRONG_EXIT_WRITE;
}

int cmd_status(int argc, char **argv)
{
    static const struct argp_option table[] = {{"json", OPTION_JSON, NULL, 0, "One line of JSON", 0}, {0}};
    static const struct argp argp = {
        table, parse_option, "[URL]", "Tell how a server is doing (http://127.0.0.1:8080/ if no URL is given).",
        NULL,  NULL,         NULL};
    struct status_options options = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0) {
        return THRONG_EXIT_USAGE;
    }
    char *url = status_url(options.url == NULL ? "http://127.0.0.1:8080/" : options.url);
    if (url == NULL) {
        throng_complain("out of memory");
        return THRONG_EXIT_MEMORY;
    }
    throng_exit code = throng_fetch_text(url, STATUS_SIZE_MAX, &bytes, &size);
    if (code == THRONG_EXIT_OK) {
        code = print(url, bytes, size, options.json);
    }
    free(bytes);
    free(url);
    return code;
}
