#include "options.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_codes.h"
#include "net/quantity.h"

const char *argp_program_version = "throngd " THRONG_VERSION;

enum {
    OPTION_ORIGIN = 256,
    OPTION_UPLINK,
    OPTION_CACHE,
    OPTION_OBJECTS,
    OPTION_REVALIDATE,
    OPTION_NETWORKS,
    OPTION_LANDMARKS,
    OPTION_EXPIRY,
    OPTION_SIGNAL,
    OPTION_BROWSERS,
    OPTION_TURN,
    OPTION_TURN_SECRET,
    OPTION_HTTP_PEERS
};

static const struct argp_option options[] = {
    {"board", 'b', "PATH", 0, "file to share with the web server's workers (/run/throng/throngd)", 0},
    {"origin", OPTION_ORIGIN, "URL", 0, "the web server, as http://HOST[:PORT], https://… or unix:PATH", 0},
    {"listen", 'l', "ADDR:PORT", 0, "UDP; the port is best the site's own (0.0.0.0:8080)", 0},
    {"uplink", OPTION_UPLINK, "RATE", 0,
     "what the web server and the seeder may send together, in bits per second with k, m or g (20m); the web server's "
     "throng_uplink goes before it",
     0},
    {"state", 's', "DIR", 0, "key, manifests and bodies (/var/lib/throng)", 0},
    {"key", 'k', "FILE", 0, "the site's Ed25519 key, PEM; made if it is not there (site.key in the state directory)",
     0},
    {"control", 'c', "PATH|PORT", 0, "socket, or port of 127.0.0.1, that answers /.throng/metrics and /.throng/status",
     0},
    {"signal", OPTION_SIGNAL, "PATH", 0, "socket for browsers' WebSockets, which the web server proxies as /.throng/ws",
     0},
    {"browsers-max", OPTION_BROWSERS, "N", 0, "browsers connected at once (16384)", 0},
    {"turn", OPTION_TURN, "URL", 0, "a TURN server for browsers that reach nobody, such as turn:HOST:3478", 0},
    {"turn-secret", OPTION_TURN_SECRET, "FILE", 0, "the secret shared with it (coturn: use-auth-secret)", 0},
    {"http-peers", OPTION_HTTP_PEERS, "public|any|off", 0,
     "name peers that serve by HTTP to clients that know nothing else: those at public addresses (public), private "
     "ones, "
     "too, or none",
     0},
    {"user", 'u', "NAME", 0, "go on as this user, once started by root", 0},
    {"group", 'g', "NAME", 0, "group of the web server's workers, who share the board (the user's)", 0},
    {"objects-max", OPTION_OBJECTS, "N", 0, "objects at once (4096)", 0},
    {"cache-size", OPTION_CACHE, "SIZE", 0, "of bodies on disk, with K, M, G or T (1G)", 0},
    {"networks", OPTION_NETWORKS, "FILE", 0,
     "name near peers first: lines of PREFIX AS, an MRT dump (takes bgpdump) or *.mmdb; read again when it changes", 0},
    {"landmarks", OPTION_LANDMARKS, "LIST|FILE", 0,
     "where networks do not tell, by delays to these: up to ten HOST:PORT that answer STUN, with commas between, or a "
     "file of them",
     0},
    {"revalidate", OPTION_REVALIDATE, "SECONDS", 0, "how often to ask whether an object in use is current (1)", 0},
    {"manifest-hours", OPTION_EXPIRY, "N", 0, "how long a manifest is valid; renewed at half of it (24)", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

typedef struct parsing {
    server_options *o;
    const char *origin, *listen, *uplink, *cache, *objects, *revalidate, *expiry, *browsers, *turn_secret, *http_peers;
} parsing;

static error_t parse_browser_option(int key, char *argument, parsing *p)
{
    switch (key) {
    case OPTION_SIGNAL:
        p->o->signal = argument;
        return 0;
    case OPTION_BROWSERS:
        p->browsers = argument;
        return 0;
    case OPTION_TURN:
        p->o->turn = argument;
        return 0;
    case OPTION_TURN_SECRET:
        p->turn_secret = argument;
        return 0;
    case OPTION_HTTP_PEERS:
        p->http_peers = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    parsing *p = state->input;
    switch (key) {
    case 'b':
        p->o->board = argument;
        return 0;
    case OPTION_ORIGIN:
        p->origin = argument;
        return 0;
    case 'l':
        p->listen = argument;
        return 0;
    case OPTION_UPLINK:
        p->uplink = argument;
        return 0;
    case 's':
        p->o->state = argument;
        return 0;
    case 'k':
        p->o->key = argument;
        return 0;
    case 'c':
        p->o->control = argument;
        return 0;
    case 'u':
        p->o->user = argument;
        return 0;
    case 'g':
        p->o->group = argument;
        return 0;
    case OPTION_OBJECTS:
        p->objects = argument;
        return 0;
    case OPTION_CACHE:
        p->cache = argument;
        return 0;
    case OPTION_NETWORKS:
        p->o->networks = argument;
        return 0;
    case OPTION_LANDMARKS:
        p->o->landmarks = argument;
        return 0;
    case OPTION_REVALIDATE:
        p->revalidate = argument;
        return 0;
    case OPTION_EXPIRY:
        p->expiry = argument;
        return 0;
    default:
        return parse_browser_option(key, argument, p);
    }
}

static int refuse(const char *message, const char *value)
{
    server_complain("%s, not '%s'", message, value);
    return SERVER_EXIT_USAGE;
}

static bool parse_number(const char *text, double least, double most, double scale, uint32_t *ret)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(value >= least && value <= most))
        return false;
    *ret = (uint32_t)(value * scale);
    return true;
}

static int parse_origin(server_options *o, const char *text)
{
    size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;
    if (strncmp(text, "unix:/", 6) == 0) {
        o->origin_socket = text + 5;
        snprintf(o->origin_url, sizeof(o->origin_url), "http://localhost");
        return SERVER_EXIT_OK;
    }
    size_t size = strlen(text);
    if (size > scheme && text[size - 1] == '/')
        size--;
    if (scheme == 0 || size <= scheme || size >= sizeof(o->origin_url) ||
        strcspn(text + scheme, "/?#@ \\") < size - scheme) {
        server_complain("--origin takes http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH, not '%s'", text);
        return SERVER_EXIT_ORIGIN;
    }
    snprintf(o->origin_url, sizeof(o->origin_url), "%.*s", (int)size, text);
    return SERVER_EXIT_OK;
}

/* The first line of a file that only the owner should read. */
static int read_secret(const char *path, char *ret, size_t size)
{
    errno = 0; /* fgets leaves it so at the end of the file */
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(ret, (int)size, file) != NULL;
    int error = errno;
    size_t length = read ? strcspn(ret, "\r\n") : 0;
    bool whole = length + 1 < size;
    if (file != NULL)
        fclose(file);
    if (read && whole)
        ret[length] = '\0';
    if (read && whole && length > 0)
        return SERVER_EXIT_OK;
    server_complain("cannot read a secret from %s: %s", path,
                    error != 0 ? strerror(error)
                    : whole    ? "its first line is empty"
                               : "its first line is too long");
    return SERVER_EXIT_KEY;
}

static int check_browsers(const parsing *p)
{
    server_options *o = p->o;
    if (!parse_number(p->browsers, 1, 1 << 20, 1, &o->browsers_max))
        return refuse("--browsers-max takes a number from 1 to 1048576", p->browsers);
    if (o->turn != NULL && strncmp(o->turn, "turn:", 5) != 0 && strncmp(o->turn, "turns:", 6) != 0)
        return refuse("--turn takes turn:HOST[:PORT] or turns:HOST[:PORT]", o->turn);
    if ((o->turn == NULL) != (p->turn_secret == NULL)) {
        server_complain("--turn and --turn-secret go together");
        return SERVER_EXIT_USAGE;
    }
    return p->turn_secret != NULL ? read_secret(p->turn_secret, o->turn_secret, sizeof(o->turn_secret))
                                  : SERVER_EXIT_OK;
}

/* A path or a port: anything else would be taken for port 0, which is any. */
static bool is_socket(const char *text)
{
    uint32_t port;
    return text[0] == '/' || (strspn(text, "0123456789") == strlen(text) && parse_number(text, 1, 65535, 1, &port));
}

static int check_sockets(const server_options *o)
{
    if (o->control != NULL && !is_socket(o->control))
        return refuse("--control takes a path from the root on, or a port from 1 to 65535", o->control);
    if (o->signal != NULL && o->signal[0] != '/')
        return refuse("--signal takes a path from the root on", o->signal);
    return SERVER_EXIT_OK;
}

static bool parse_http_peers(const char *text, prober_whom *ret)
{
    static const char *const names[] = {[PROBER_PUBLIC] = "public", [PROBER_ANY] = "any", [PROBER_NOBODY] = "off"};
    for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (prober_whom)i;
            return true;
        }
    return false;
}

static int check(const parsing *p)
{
    server_options *o = p->o;
    if (throng_parse_listen(p->listen, &o->listen) != 0)
        return refuse("--listen takes ADDR:PORT, such as 0.0.0.0:8080 or [::1]:8080", p->listen);
    if (throng_parse_rate(p->uplink, &o->uplink_bps) != 0 || o->uplink_bps < 8000)
        return refuse("--uplink takes bits per second with k, m or g, such as 20m, and 8k at least", p->uplink);
    if (throng_parse_size(p->cache, &o->cache_bytes) != 0 || o->cache_bytes < 1 << 20)
        return refuse("--cache-size takes bytes with K, M, G or T, and 1M at least", p->cache);
    if (!parse_number(p->objects, 1, 65536, 1, &o->objects_max))
        return refuse("--objects-max takes a number from 1 to 65536", p->objects);
    if (!parse_number(p->revalidate, 0.1, 3600, 1000, &o->revalidate_ms))
        return refuse("--revalidate takes seconds from 0.1 to 3600", p->revalidate);
    if (!parse_number(p->expiry, 1, 24 * 365, 1, &o->manifest_hours))
        return refuse("--manifest-hours takes a number from 1 to 8760", p->expiry);
    if (!parse_http_peers(p->http_peers, &o->http_peers))
        return refuse("--http-peers takes public, any or off", p->http_peers);
    if (p->origin == NULL) {
        server_complain("--origin is missing: where does the web server answer? Such as --origin http://127.0.0.1");
        return SERVER_EXIT_USAGE;
    }
    int code = check_sockets(o);
    if (code == SERVER_EXIT_OK)
        code = check_browsers(p);
    return code != SERVER_EXIT_OK ? code : parse_origin(o, p->origin);
}

int server_options_parse(server_options *ret, int argc, char **argv)
{
    static const struct argp parser = {
        options,
        parse_option,
        NULL,
        "The daemon beside a web server with Throng's module: keeps the directory of peers, makes manifests, seeds.",
        NULL,
        NULL,
        NULL};
    memset(ret, 0, sizeof(*ret));
    ret->board = "/run/throng/throngd";
    ret->state = "/var/lib/throng";
    parsing p = {.o = ret,
                 .listen = "0.0.0.0:8080",
                 .uplink = "20m",
                 .cache = "1G",
                 .objects = "4096",
                 .revalidate = "1",
                 .expiry = "24",
                 .browsers = "16384",
                 .http_peers = "public"};
    argp_err_exit_status = SERVER_EXIT_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &p) != 0)
        return SERVER_EXIT_USAGE;
    return check(&p);
}
