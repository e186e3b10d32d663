#include "get_options.h"

#include <argp.h>
#include <errno.h>
#include <net/hash.h>
#include <net/quantity.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum option_key {
    OPTION_CHECKSUM = 0x100,
    OPTION_LIMIT_RATE,
    OPTION_NO_PEERS,
    OPTION_STAY,
    OPTION_GROUP,
    OPTION_HTTP_PORT,
    OPTION_KEY,
    OPTION_MODE,
    OPTION_JSON,
    OPTION_CACERT,
    OPTION_MAX_REDIRS,
    OPTION_RETRY,
    OPTION_CONNECT_TIMEOUT,
};

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "Write to FILE; the n-th -o is for the n-th URL; - is standard output", 1},
    {"remote-name", 'O', NULL, 0, "Write to a file named like the last part of the URL", 1},
    {"continue", 'C', NULL, 0, "Take up what an earlier run left of the file", 1},
    {"checksum", OPTION_CHECKSUM, "sha-256=HEX", 0, "The content must have this digest", 2},
    {"key", OPTION_KEY, "HEX", 0, "The manifest must be signed with this public key (Ed25519, 64 digits)", 2},
    {"cacert", OPTION_CACERT, "FILE", 0, "Trust the authorities in this PEM file, not the system's", 2},
    {"no-peers", OPTION_NO_PEERS, NULL, 0, "Plain HTTP: do not ask for the crowd", 3},
    {"mode", OPTION_MODE, "auto|crowd", 0, "crowd: take nothing over HTTP until the crowd is stuck (auto: race)", 3},
    {"stay", OPTION_STAY, "SECONDS", 0, "Go on serving what was fetched for so long", 3},
    {"group", OPTION_GROUP, NULL, 0,
     "Find URLs of the first one's site among the others who say this, and offer them what is here, until the end", 3},
    {"http-port", OPTION_HTTP_PORT, "PORT|off", 0,
     "While staying, serve by HTTP on this port, to whom the server sends (any that is free)", 3},
    {"limit-rate", OPTION_LIMIT_RATE, "RATE", 0,
     "Receive at most so many bits a second, 800k or 20m, and give others no more", 4},
    {"max-time", 'm', "SECONDS", 0, "Give up after so long", 4},
    {"connect-timeout", OPTION_CONNECT_TIMEOUT, "SECONDS", 0, "Give up connecting after so long (30)", 4},
    {"retry", OPTION_RETRY, "N", 0, "Try again N times without progress when a transfer breaks off (5)", 4},
    {"location", 'L', NULL, 0, "Follow redirects: the default, taken for the sake of those used to curl", 4},
    {"max-redirs", OPTION_MAX_REDIRS, "N", 0, "Follow at most N redirects (10)", 4},
    {"parallel", 'Z', NULL, 0, "Fetch several URLs at once, not in order", 4},
    {"silent", 's', NULL, 0, "No progress, no summary; errors only", 5},
    {"json", OPTION_JSON, NULL, 0, "End with one line of JSON for each URL on standard output", 5},
    {0},
};

static const char *const doc =
    "Fetch URLs (http, https, ftp). Where the server says that there is a crowd, the others who fetch the same object "
    "help, and every byte is verified."
    "\vWith neither -o nor -O the content goes to standard output, but no binary content to a terminal. A file appears "
    "under its name when it is whole; until then it is FILE.part. Exit codes: throng help codes.";

enum { PARALLEL_TRANSFERS = 8 };

struct parsing {
    throng_get_options *options;
    const char *outputs[THRONG_GET_URLS_MAX];
    size_t outputs_count;
    bool remote_name;
    throng_exit code;
};

static error_t refuse(struct parsing *parsing, const char *option, const char *value, const char *form)
{
    throng_complain("%s %s: give %s", option, value, form);
    parsing->code = THRONG_EXIT_USAGE;
    return EINVAL;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *ret)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value > max || *text == '-') {
        return false;
    }
    *ret = value;
    return true;
}

static error_t parse_count(struct parsing *parsing, const char *option, const char *text, uint64_t max, uint64_t *ret)
{
    char form[64];
    snprintf(form, sizeof(form), "a whole number, at most %llu", (unsigned long long)max);
    return parse_number(text, max, ret) ? 0 : refuse(parsing, option, text, form);
}

static error_t parse_count32(struct parsing *parsing, const char *option, const char *text, uint32_t *ret)
{
    uint64_t value = 0;
    error_t error = parse_count(parsing, option, text, 1000, &value);
    *ret = (uint32_t)value;
    return error;
}

static error_t parse_checksum(struct parsing *parsing, const char *text)
{
    throng_get_options *options = parsing->options;
    const char *digits = strchr(text, '=');
    bool known = strncmp(text, "sha-256=", 8) == 0 || strncmp(text, "sha256=", 7) == 0;
    if (!known || !throng_hash_from_hex(digits + 1, options->checksum)) {
        return refuse(parsing, "--checksum", text, "sha-256= and 64 hexadecimal digits");
    }
    options->checksum_given = true;
    return 0;
}

static error_t parse_mode(struct parsing *parsing, const char *text)
{
    if (strcmp(text, "auto") != 0 && strcmp(text, "crowd") != 0) {
        return refuse(parsing, "--mode", text, "auto or crowd");
    }
    parsing->options->crowd_only = strcmp(text, "crowd") == 0;
    return 0;
}

/* Lower ports belong to others' services: no server sends anybody there. */
static error_t parse_http_port(struct parsing *parsing, const char *text)
{
    enum { LOWEST = 1024, HIGHEST = 65535 };
    uint64_t port = 0;
    parsing->options->http_peer = strcmp(text, "off") != 0;
    if (!parsing->options->http_peer) {
        return 0;
    }
    if (!parse_number(text, HIGHEST, &port) || port < LOWEST) {
        return refuse(parsing, "--http-port", text, "a port from 1024 to 65535, or off");
    }
    parsing->options->http_port = (uint16_t)port;
    return 0;
}

static error_t add_url(struct parsing *parsing, const char *url)
{
    throng_get_options *options = parsing->options;
    if (options->resume && strcmp(url, "-") == 0) {
        return 0; /* curl's "-C -" */
    }
    if (options->urls_count == THRONG_GET_URLS_MAX) {
        return refuse(parsing, "URL", url, "fewer of them: 1,024 at once");
    }
    options->urls[options->urls_count++] = url;
    return 0;
}

static error_t add_output(struct parsing *parsing, const char *path)
{
    if (parsing->outputs_count == THRONG_GET_URLS_MAX || *path == '\0') {
        return refuse(parsing, "-o", path, "a file name, 1,024 at most");
    }
    parsing->outputs[parsing->outputs_count++] = path;
    return 0;
}

static error_t parse_value(int key, char *value, struct parsing *parsing)
{
    throng_get_options *options = parsing->options;
    enum { DAY_S = 86400 };
    switch (key) {
    case OPTION_CHECKSUM:
        return parse_checksum(parsing, value);
    case OPTION_MODE:
        return parse_mode(parsing, value);
    case OPTION_KEY:
        options->key_given = throng_hash_from_hex(value, options->key);
        return options->key_given ? 0 : refuse(parsing, "--key", value, "the 64 hexadecimal digits of a public key");
    case OPTION_LIMIT_RATE:
        return throng_parse_rate(value, &options->rate_limit_bps) == 0
                   ? 0
                   : refuse(parsing, "--limit-rate", value, "bits a second, as in 800k or 20m");
    case OPTION_STAY:
        return parse_count(parsing, "--stay", value, 365 * DAY_S, &options->stay_s);
    case OPTION_HTTP_PORT:
        return parse_http_port(parsing, value);
    case OPTION_CONNECT_TIMEOUT:
        return parse_count(parsing, "--connect-timeout", value, DAY_S, &options->connect_timeout_s);
    case 'm':
        return parse_count(parsing, "--max-time", value, 365 * DAY_S, &options->total_timeout_s);
    case OPTION_MAX_REDIRS:
        return parse_count32(parsing, "--max-redirs", value, &options->redirects_max);
    case OPTION_RETRY:
        return parse_count32(parsing, "--retry", value, &options->retries_max);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    throng_get_options *options = parsing->options;
    switch (key) {
    case 'o':
        return add_output(parsing, value);
    case 'O':
        parsing->remote_name = true;
        return 0;
    case 'C':
        options->resume = true;
        return 0;
    case OPTION_CACERT:
        options->ca_file = value;
        return 0;
    case OPTION_NO_PEERS:
        options->peers = false;
        return 0;
    case OPTION_GROUP:
        options->group = true;
        return 0;
    case 'L':
        return 0;
    case 'Z':
        options->parallel = PARALLEL_TRANSFERS;
        return 0;
    case 's':
        options->silent = true;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        return add_url(parsing, value);
    default:
        return parse_value(key, value, parsing);
    }
}

/* The last part of a URL's path, as curl -O takes it; NULL when there is none that could name a file. */
static char *remote_name(const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme == NULL ? url : scheme + 3;
    size_t length = strcspn(host, "?#");
    const char *name = host + length;
    while (name > host && name[-1] != '/') {
        name--;
    }
    size_t size = (size_t)(host + length - name);
    if (name == host || size == 0 || (size == 1 && *name == '.') || (size == 2 && strncmp(name, "..", 2) == 0)) {
        return NULL;
    }
    return strndup(name, size);
}

static throng_exit name_outputs(struct parsing *parsing)
{
    throng_get_options *options = parsing->options;
    if (parsing->outputs_count > options->urls_count) {
        throng_complain("more -o than URLs: %zu for %zu", parsing->outputs_count, options->urls_count);
        return THRONG_EXIT_USAGE;
    }
    for (size_t i = 0; i < options->urls_count; i++) {
        if (i < parsing->outputs_count) {
            options->outputs[i] = strdup(parsing->outputs[i]);
        } else if (parsing->remote_name) {
            options->outputs[i] = remote_name(options->urls[i]);
        } else {
            continue;
        }
        if (options->outputs[i] == NULL) {
            throng_complain("%s: no file name in this URL for -O; give -o FILE", options->urls[i]);
            return THRONG_EXIT_USAGE;
        }
    }
    return THRONG_EXIT_OK;
}

static throng_exit check(const throng_get_options *options)
{
    if (options->urls_count == 0) {
        throng_complain("no URL; 'throng get --help' tells the options");
        return THRONG_EXIT_USAGE;
    }
    if (options->checksum_given && options->urls_count > 1) {
        throng_complain("--checksum is of one object, but there are %zu URLs", options->urls_count);
        return THRONG_EXIT_USAGE;
    }
    if (options->crowd_only && !options->peers) {
        throng_complain("--mode crowd and --no-peers exclude each other");
        return THRONG_EXIT_USAGE;
    }
    if (options->group && (!options->peers || options->parallel > 1)) {
        throng_complain("--group excludes --no-peers and --parallel: its URLs are fetched in order");
        return THRONG_EXIT_USAGE;
    }
    return THRONG_EXIT_OK;
}

throng_exit throng_get_options_parse(throng_get_options *ret, int argc, char **argv)
{
    static const struct argp argp = {option_table, parse_option, "URL...", doc, NULL, NULL, NULL};
    struct parsing parsing = {.options = ret};
    *ret = (throng_get_options){.parallel = 1,
                                .peers = true,
                                .http_peer = true,
                                .connect_timeout_s = 30,
                                .redirects_max = 10,
                                .retries_max = 5};
    ret->urls = calloc(THRONG_GET_URLS_MAX, sizeof(*ret->urls));
    ret->outputs = calloc(THRONG_GET_URLS_MAX, sizeof(*ret->outputs));
    if (ret->urls == NULL || ret->outputs == NULL) {
        throng_complain("out of memory");
        return THRONG_EXIT_MEMORY;
    }
    error_t error = argp_parse(&argp, argc, argv, 0, NULL, &parsing);
    if (error != 0) {
        return parsing.code != THRONG_EXIT_OK ? parsing.code : THRONG_EXIT_FAILED;
    }
    throng_exit code = check(ret);
    return code != THRONG_EXIT_OK ? code : name_outputs(&parsing);
}

void throng_get_options_free(throng_get_options *options)
{
    for (size_t i = 0; options->outputs != NULL && i < options->urls_count; i++) {
        free((char *)options->outputs[i]);
    }
    free(options->urls);
    free(options->outputs);
}
