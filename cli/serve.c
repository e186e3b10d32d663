/* throng serve: a site on nginx with our module, and throngd beside it. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "net/quantity.h"
#include "serve_children.h"
#include "serve_config.h"
#include "serve_site.h"

/* The usual uplink of a home line or a small rented server, which is whom a crowd brings down. Too low a figure costs
 * little: capable visitors are sent to each other sooner than need be. Too high a one, and a crowd is never noticed. */
#define UPLINK_DEFAULT "20m"
#define LISTEN_DEFAULT "0.0.0.0:8080"
#define CACHE_DEFAULT "1G"
enum { READY_TIMEOUT_MS = 20000, READY_POLL_MS = 20, WAIT_MS = 60000, SOCKETS_MAX = 2, INHERIT_MAX = 3 };

typedef struct serve_options {
    const char *directory;
    const char *origin;
    const char *listen;
    const char *uplink;
    const char *mode;
    const char *tls_cert;
    const char *tls_key;
    const char *state;
    const char *cache_size;
    const char *browsers;
    const char *networks;
    const char *landmarks;
    bool no_badge;
    const char *turn;
    const char *turn_secret;
    bool print_nginx;
} serve_options;

enum {
    OPTION_UPLINK = 256,
    OPTION_MODE,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_STATE,
    OPTION_CACHE,
    OPTION_PRINT,
    OPTION_BROWSERS,
    OPTION_NETWORKS,
    OPTION_LANDMARKS,
    OPTION_NO_BADGE,
    OPTION_TURN,
    OPTION_TURN_SECRET,
    OPTION_ORIGIN
};

static const struct argp_option options[] = {
    {"origin", OPTION_ORIGIN, "URL", 0, "stand before this server instead of serving DIR", 0},
    {"listen", 'l', "ADDR:PORT", 0, "where visitors come in, by TCP and UDP (" LISTEN_DEFAULT ")", 0},
    {"uplink", OPTION_UPLINK, "RATE", 0,
     "what this machine may send, in bits per second with k, m or g (" UPLINK_DEFAULT
     "); beyond it visitors are sent to "
     "each other",
     0},
    {"mode", OPTION_MODE, "auto|crowd|calm", 0, "when to send visitors to each other: as load demands, always, never",
     0},
    {"tls-cert", OPTION_CERT, "FILE", 0, "certificate chain (PEM): speak HTTPS", 0},
    {"tls-key", OPTION_KEY, "FILE", 0, "its private key (PEM)", 0},
    {"state", OPTION_STATE, "DIR", 0,
     "keys, caches and error.log (/var/lib/throng/PORT for root, else ~/.local/state/throng/PORT)", 0},
    {"cache-size", OPTION_CACHE, "SIZE", 0, "disk for caches, with K, M, G or T (" CACHE_DEFAULT ")", 0},
    {"browsers", OPTION_BROWSERS, "on|off", 0,
     "whether browsers are sent to each other, too, with nothing installed (on): over HTTPS, or at localhost", 0},
    {"networks", OPTION_NETWORKS, "FILE", 0,
     "send visitors to those near them first: lines of PREFIX AS, an MRT dump (takes bgpdump) or *.mmdb; read again "
     "when it changes",
     0},
    {"landmarks", OPTION_LANDMARKS, "LIST|FILE", 0,
     "and by their delays to these, up to ten HOST:PORT that answer STUN, with commas between, or a file of them", 0},
    {"no-badge", OPTION_NO_BADGE, NULL, 0, "do not show visitors that they help", 0},
    {"turn", OPTION_TURN, "URL", 0, "a TURN server for browsers that reach nobody, such as turn:HOST:3478", 0},
    {"turn-secret", OPTION_TURN_SECRET, "FILE", 0, "the secret shared with it (coturn: use-auth-secret)", 0},
    {"print-nginx", OPTION_PRINT, NULL, 0, "print the directives for an nginx of your own, and end", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    serve_options *o = state->input;
    switch (key) {
    case OPTION_ORIGIN:
        o->origin = argument;
        return 0;
    case 'l':
        o->listen = argument;
        return 0;
    case OPTION_UPLINK:
        o->uplink = argument;
        return 0;
    case OPTION_MODE:
        o->mode = argument;
        return 0;
    case OPTION_CERT:
        o->tls_cert = argument;
        return 0;
    case OPTION_KEY:
        o->tls_key = argument;
        return 0;
    case OPTION_STATE:
        o->state = argument;
        return 0;
    case OPTION_CACHE:
        o->cache_size = argument;
        return 0;
    case OPTION_BROWSERS:
        o->browsers = argument;
        return 0;
    case OPTION_NETWORKS:
        o->networks = argument;
        return 0;
    case OPTION_LANDMARKS:
        o->landmarks = argument;
        return 0;
    case OPTION_TURN:
        o->turn = argument;
        return 0;
    case OPTION_TURN_SECRET:
        o->turn_secret = argument;
        return 0;
    case OPTION_NO_BADGE:
        o->no_badge = true;
        return 0;
    case OPTION_PRINT:
        o->print_nginx = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->directory != NULL)
            argp_error(state, "one DIR can be served, not '%s' too", argument);
        o->directory = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* All that a running `throng serve` holds. */
typedef struct serve {
    serve_options options;
    site_programs programs;
    site_user user;
    throng_addr listen;
    uint64_t uplink_bps;
    uint64_t cache_bytes;
    char listen_text[THRONG_ADDR_TEXT_MAX];
    char directory[PATH_MAX];
    char root[PATH_MAX]; /* of the site, as nginx is to name it */
    char tls_cert[PATH_MAX];
    char tls_key[PATH_MAX];
    char runtime[PATH_MAX];
    char state[PATH_MAX];
    int sockets[SOCKETS_MAX];
    int root_fd;
    int lock;
    int inherit[INHERIT_MAX];
    char environment[64];
    char text[24][PATH_MAX + 64]; /* of the children's arguments */
    child children[2];
    sigset_t signals;
} serve;

enum { CHILD_THRONGD, CHILD_NGINX, CHILDREN };

static int usage_error(const char *message, const char *value)
{
    throng_complain("%s '%s'; 'throng help serve' lists the options", message, value);
    return THRONG_EXIT_USAGE;
}

static int check_quantities(serve *s)
{
    const serve_options *o = &s->options;
    if (throng_parse_rate(o->uplink != NULL ? o->uplink : UPLINK_DEFAULT, &s->uplink_bps) != 0 || s->uplink_bps < 8000)
        return usage_error("--uplink takes bits per second with k, m or g, such as 20m, and 8k at least; not",
                           o->uplink);
    if (throng_parse_listen(o->listen, &s->listen) != 0)
        return usage_error("--listen takes ADDR:PORT, such as 0.0.0.0:8080 or [::1]:8080; not", o->listen);
    if (throng_parse_size(o->cache_size, &s->cache_bytes) != 0 || s->cache_bytes < 1 << 20)
        return usage_error("--cache-size takes bytes with K, M, G or T, and 1M at least; not", o->cache_size);
    if (strcmp(o->mode, "auto") != 0 && strcmp(o->mode, "crowd") != 0 && strcmp(o->mode, "calm") != 0)
        return usage_error("--mode takes auto, crowd or calm; not", o->mode);
    if (strcmp(o->browsers, "on") != 0 && strcmp(o->browsers, "off") != 0)
        return usage_error("--browsers takes on or off; not", o->browsers);
    throng_addr_text(&s->listen, s->listen_text);
    return THRONG_EXIT_OK;
}

static int check_readable(const char *path, char ret[PATH_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || realpath(path, ret) == NULL) {
        throng_complain("cannot read %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return THRONG_EXIT_READ;
    }
    close(fd);
    if (!serve_config_path_fits(ret)) {
        throng_complain("%s: nginx cannot take '$' or control characters in a path", ret);
        return THRONG_EXIT_USAGE;
    }
    return THRONG_EXIT_OK;
}

static int check_tls(serve *s)
{
    const serve_options *o = &s->options;
    if (o->tls_cert == NULL && o->tls_key == NULL)
        return THRONG_EXIT_OK;
    if (o->tls_cert == NULL || o->tls_key == NULL) {
        throng_complain("%s is given without %s: HTTPS takes both", o->tls_cert != NULL ? "--tls-cert" : "--tls-key",
                        o->tls_cert != NULL ? "--tls-key" : "--tls-cert");
        return THRONG_EXIT_USAGE;
    }
    int code = check_readable(o->tls_cert, s->tls_cert);
    return code != THRONG_EXIT_OK ? code : check_readable(o->tls_key, s->tls_key);
}

static int check_directory(serve *s)
{
    struct stat st;
    const char *directory = s->options.directory;
    if (stat(directory, &st) != 0) {
        throng_complain("cannot serve %s: %s", directory, strerror(errno));
        return THRONG_EXIT_READ;
    }
    if (!S_ISDIR(st.st_mode)) {
        throng_complain("cannot serve %s: not a directory", directory);
        return THRONG_EXIT_READ;
    }
    int code = check_readable(directory, s->directory);
    return code != THRONG_EXIT_OK ? code : site_check_directory(s->directory, &s->user, s->root, &s->root_fd);
}

static int check_origin(const char *origin)
{
    if (!serve_config_origin_fits(origin)) {
        throng_complain("--origin takes http://HOST[:PORT][/PATH] or https://…; not '%s'", origin);
        return THRONG_EXIT_URL;
    }
    char host[256];
    const char *name = strstr(origin, "://") + 3;
    size_t size = name[0] == '[' ? strcspn(name, "]") + 1 : strcspn(name, ":/");
    if (size >= sizeof(host))
        size = sizeof(host) - 1;
    if (name[0] == '[') {
        name++;
        size = size >= 2 ? size - 2 : 0;
    }
    memcpy(host, name, size);
    host[size] = '\0';
    struct addrinfo *found = NULL;
    int error = getaddrinfo(host, NULL, NULL, &found);
    if (error != 0) {
        throng_complain("--origin: cannot resolve '%s': %s", host, gai_strerror(error));
        return THRONG_EXIT_RESOLVE;
    }
    freeaddrinfo(found);
    return THRONG_EXIT_OK;
}

static int check_site(serve *s)
{
    const serve_options *o = &s->options;
    if ((o->directory == NULL) == (o->origin == NULL) && !o->print_nginx) {
        throng_complain("serve takes either DIR or --origin URL; 'throng help serve' lists the options");
        return THRONG_EXIT_USAGE;
    }
    if (o->origin != NULL)
        return check_origin(o->origin);
    return o->directory != NULL ? check_directory(s) : THRONG_EXIT_OK;
}

static serve_config config_of(const serve *s)
{
    static const char authorities[] = "/etc/ssl/certs/ca-certificates.crt";
    const serve_options *o = &s->options;
    bool tls = s->tls_cert[0] != '\0';
    bool browsers = s->programs.browsers[0] != '\0' && strcmp(o->browsers, "on") == 0;
    return (serve_config){
        .module = s->programs.module,
        .user = s->user.name[0] != '\0' ? s->user.name : NULL,
        .directory = s->root,
        .origin = o->origin,
        .listen = s->listen_text,
        .runtime = s->runtime,
        .state = s->state,
        .mime_types = s->programs.mime_types[0] != '\0' ? s->programs.mime_types : NULL,
        .tls_cert = tls ? s->tls_cert : NULL,
        .tls_key = tls ? s->tls_key : NULL,
        .trusted = o->origin != NULL && strncmp(o->origin, "https:", 6) == 0 ? authorities : NULL,
        .mode = strcmp(o->mode, "crowd") == 0  ? "on"
                : strcmp(o->mode, "calm") == 0 ? "off"
                                               : "auto",
        .browsers = browsers ? s->programs.browsers : NULL,
        .no_badge = o->no_badge,
        .uplink_bps = s->uplink_bps,
        .cache_bytes = s->cache_bytes,
    };
}

static int write_config(const serve *s)
{
    char path[PATH_MAX + 16];
    serve_config config = config_of(s);
    snprintf(path, sizeof(path), "%s/nginx.conf", s->runtime);
    FILE *out = fopen(path, "we");
    bool written = out != NULL;
    if (written) {
        serve_config_write(&config, out);
        written = !ferror(out);
        written = fclose(out) == 0 && written;
    }
    if (!written)
        throng_complain("cannot write %s: %s", path, strerror(errno));
    return written ? THRONG_EXIT_OK : THRONG_EXIT_WRITE;
}

/* The sockets stay ours and open: nginx takes them over (as it does from itself when its program is replaced), so that
 * visitors who come while it is restarted wait a moment in the queue instead of being refused. */
static int open_sockets(serve *s)
{
    char path[PATH_MAX + 16];
    int code = site_bind_tcp(&s->listen, &s->sockets[0]);
    if (code != THRONG_EXIT_OK)
        return code;
    snprintf(path, sizeof(path), "%s/" SERVE_ORIGIN_SOCKET, s->runtime);
    code = site_bind_unix(path, &s->user, &s->sockets[1]);
    if (code != THRONG_EXIT_OK)
        return code;
    memcpy(s->inherit, s->sockets, sizeof(s->sockets));
    s->inherit[SOCKETS_MAX] = s->root_fd;
    snprintf(s->environment, sizeof(s->environment), "NGINX=%d;%d;", s->sockets[0], s->sockets[1]);
    return THRONG_EXIT_OK;
}

__attribute__((format(printf, 4, 5))) static void argument(child *c, char *text, size_t size, const char *format, ...)
{
    int count = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(text, size, format, args);
    va_end(args);
    while (c->argv[count] != NULL)
        count++;
    c->argv[count] = text;
}

static void describe_children(serve *s)
{
    child *d = &s->children[CHILD_THRONGD], *n = &s->children[CHILD_NGINX];
    static const uint8_t everywhere[16];
    size_t i = 0;
#define ARGUMENT(c, ...) argument(c, s->text[i], sizeof(s->text[i]), __VA_ARGS__), i++
    d->name = "throngd";
    ARGUMENT(d, "%s", s->programs.throngd);
    ARGUMENT(d, "--board=%s/" SERVE_BOARD, s->runtime);
    ARGUMENT(d, "--control=%s/" SERVE_CONTROL_SOCKET, s->runtime);
    ARGUMENT(d, "--signal=%s/" SERVE_SIGNAL_SOCKET, s->runtime);
    ARGUMENT(d, "--origin=unix:%s/" SERVE_ORIGIN_SOCKET, s->runtime);
    ARGUMENT(d, "--listen=%s", s->listen_text);
    ARGUMENT(d, "--uplink=%llu", (unsigned long long)s->uplink_bps);
    ARGUMENT(d, "--cache-size=%llu", (unsigned long long)s->cache_bytes);
    ARGUMENT(d, "--state=%s", s->state);
    if (throng_addr_is_private(&s->listen) && memcmp(s->listen.ip, everywhere, sizeof(everywhere)) != 0)
        ARGUMENT(d, "--http-peers=any");
    if (s->options.networks != NULL)
        ARGUMENT(d, "--networks=%s", s->options.networks);
    if (s->options.landmarks != NULL)
        ARGUMENT(d, "--landmarks=%s", s->options.landmarks);
    if (s->options.turn != NULL)
        ARGUMENT(d, "--turn=%s", s->options.turn);
    if (s->options.turn_secret != NULL)
        ARGUMENT(d, "--turn-secret=%s", s->options.turn_secret);
    if (s->user.name[0] != '\0')
        ARGUMENT(d, "--user=%s", s->user.name);
    n->name = "nginx";
    n->drain_orphans = true;
    n->inherit = s->inherit;
    n->inherit_count = s->root_fd >= 0 ? INHERIT_MAX : SOCKETS_MAX;
    n->environment = s->environment;
    ARGUMENT(n, "%s", s->programs.nginx);
    ARGUMENT(n, "-p");
    ARGUMENT(n, "%s/", s->runtime);
    ARGUMENT(n, "-c");
    ARGUMENT(n, "%s/nginx.conf", s->runtime);
    ARGUMENT(n, "-e");
    ARGUMENT(n, "%s/error.log", s->state);
#undef ARGUMENT
}

/* Whether throngd is up: it makes its socket last. */
static bool daemon_is_up(const serve *s)
{
    char control[PATH_MAX + 32];
    snprintf(control, sizeof(control), "%s/" SERVE_CONTROL_SOCKET, s->runtime);
    return access(control, F_OK) == 0;
}

/* Whether nginx answers, and throngd behind it. */
static bool answers(const serve *s)
{
    static const char request[] = "HEAD /.throng/status HTTP/1.0\r\n\r\n";
    char answer[16] = "";
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_usec = 500000};
    snprintf(un.sun_path, sizeof(un.sun_path), "%.90s/" SERVE_ORIGIN_SOCKET, s->runtime);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    bool answered = connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 &&
                    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1 &&
                    recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) >= 12 && memcmp(answer + 8, " 200", 4) == 0;
    close(fd);
    return answered;
}

/* A program that ended while starting has said why on standard error, and throngd's codes are ours. */
static int failed_child(const serve *s)
{
    for (int i = 0; i < CHILDREN; i++) {
        const child *c = &s->children[i];
        if (c->pid != 0 || c->starts == 0)
            continue;
        int code = WIFEXITED(c->last_status) ? WEXITSTATUS(c->last_status) : 0;
        if (i == CHILD_THRONGD && code > THRONG_EXIT_FAILED)
            return code;
        throng_complain("%s did not start; %s/error.log may tell more", c->name, s->state);
        return THRONG_EXIT_PROGRAM;
    }
    return THRONG_EXIT_OK;
}

static int start_child(serve *s, int which)
{
    int error = child_start(&s->children[which]);
    if (error == 0)
        return THRONG_EXIT_OK;
    throng_complain("cannot start %s: %s", s->children[which].argv[0], strerror(error));
    return THRONG_EXIT_PROGRAM;
}

static int wait_until(serve *s, bool (*condition)(const serve *s))
{
    uint64_t deadline = children_now_ms() + READY_TIMEOUT_MS;
    while (children_now_ms() < deadline) {
        int got = children_wait(s->children, CHILDREN, &s->signals, READY_POLL_MS, false);
        int code = failed_child(s);
        if (got == SIGINT || got == SIGTERM)
            return THRONG_EXIT_INTERRUPTED;
        if (code != THRONG_EXIT_OK)
            return code;
        if (condition(s))
            return THRONG_EXIT_OK;
    }
    throng_complain("no answer from nginx and throngd in %d s; see %s/error.log", READY_TIMEOUT_MS / 1000, s->state);
    return THRONG_EXIT_TIMEOUT;
}

/* throngd first: nginx's workers find its board when they start, instead of a second later. */
static int start(serve *s)
{
    int code = start_child(s, CHILD_THRONGD);
    if (code == THRONG_EXIT_OK)
        code = wait_until(s, daemon_is_up);
    if (code == THRONG_EXIT_OK)
        code = start_child(s, CHILD_NGINX);
    if (code == THRONG_EXIT_OK)
        code = wait_until(s, answers);
    if (code != THRONG_EXIT_OK)
        return code;
    printf("ready %s://%s/\n", s->tls_cert[0] != '\0' ? "https" : "http", s->listen_text);
    return fflush(stdout) == 0 ? THRONG_EXIT_OK : THRONG_EXIT_WRITE;
}

static int run(serve *s)
{
    describe_children(s);
    int code = start(s);
    while (code == THRONG_EXIT_OK) {
        int got = children_wait(s->children, CHILDREN, &s->signals, WAIT_MS, true);
        if (got == SIGINT || got == SIGTERM)
            break;
        if (got == SIGHUP && s->children[CHILD_NGINX].pid != 0) /* a renewed certificate, opened logs */
            kill(s->children[CHILD_NGINX].pid, SIGHUP);
    }
    children_stop(s->children, CHILDREN, &s->signals);
    return code == THRONG_EXIT_INTERRUPTED ? THRONG_EXIT_OK : code;
}

static int print_nginx(serve *s)
{
    serve_config config = config_of(s);
    config.runtime = "/run/throng";
    config.state = s->options.state != NULL ? s->options.state : "/var/lib/throng";
    serve_config_print_nginx(&config, stdout);
    return fflush(stdout) == 0 ? THRONG_EXIT_OK : THRONG_EXIT_WRITE;
}

static int serve_site(serve *s)
{
    int code = check_site(s);
    if (code == THRONG_EXIT_OK)
        code = site_make_state(s->options.state, s->listen.port, &s->user, s->state);
    if (code == THRONG_EXIT_OK && !serve_config_path_fits(s->state))
        code = usage_error("--state: nginx cannot take '$' or control characters in a path; not", s->state);
    if (code == THRONG_EXIT_OK)
        children_prepare(&s->signals); /* from here on a signal finds somebody who cleans up */
    if (code == THRONG_EXIT_OK)
        code = site_make_runtime(&s->user, s->runtime, &s->lock);
    if (code != THRONG_EXIT_OK)
        return code;
    if (s->options.uplink == NULL)
        fprintf(stderr, "throng: taking the uplink for " UPLINK_DEFAULT
                        " (bits per second); tell what it is with --uplink RATE\n");
    code = open_sockets(s);
    if (code == THRONG_EXIT_OK)
        code = write_config(s);
    if (code == THRONG_EXIT_OK)
        code = run(s);
    site_remove_runtime(s->runtime);
    return code;
}

int cmd_serve(int argc, char **argv)
{
    static const struct argp parser = {options,
                                       parse_option,
                                       "DIR\n--origin URL",
                                       "Serves a site that its visitors carry when many come at once.\v"
                                       "Prints 'ready URL' once a request would be answered, and serves until SIGINT "
                                       "or SIGTERM. SIGHUP has nginx read "
                                       "certificates anew.",
                                       NULL,
                                       NULL,
                                       NULL};
    serve *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        throng_complain("out of memory");
        return THRONG_EXIT_MEMORY;
    }
    s->root_fd = s->lock = s->sockets[0] = s->sockets[1] = -1;
    s->options =
        (serve_options){.listen = LISTEN_DEFAULT, .mode = "auto", .browsers = "on", .cache_size = CACHE_DEFAULT};
    int code = argp_parse(&parser, argc, argv, 0, NULL, &s->options) == 0 ? THRONG_EXIT_OK : THRONG_EXIT_USAGE;
    if (code == THRONG_EXIT_OK)
        code = check_quantities(s);
    if (code == THRONG_EXIT_OK)
        code = check_tls(s);
    if (code == THRONG_EXIT_OK)
        code = site_find_programs(&s->programs);
    if (code == THRONG_EXIT_OK)
        code = site_find_user(&s->user);
    if (code == THRONG_EXIT_OK)
        code = s->options.print_nginx ? print_nginx(s) : serve_site(s);
    for (int i = 0; i < SOCKETS_MAX; i++)
        if (s->sockets[i] >= 0)
            close(s->sockets[i]);
    if (s->root_fd >= 0)
        close(s->root_fd);
    if (s->lock >= 0)
        close(s->lock);
    free(s);
    return code;
}
