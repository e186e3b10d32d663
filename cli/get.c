/* throng get: transfers, one after the other or several at once, on one loop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command.h"
#include "line.h"
#include "member.h"
#include "outcome.h"

enum { TICK_MS = 200, SIGNALS = 2 };

struct get {
    throng_get_options options;
    uv_loop_t loop;
    throng_fetcher *fetcher;
    throng_line *line;
    throng_member *member; /* of a peer group; NULL: without --group */
    bool member_left;
    throng_http_peer *http; /* NULL: nothing is served by HTTP */
    uv_timer_t tick;
    uv_signal_t signals[SIGNALS];
    throng_transfer *transfers; /* parallel of them: slots */
    bool *running;
    size_t next; /* URL to start */
    size_t active;
    bool progress; /* a terminal watches */
    bool drawn;    /* a progress line stands there */
    bool interrupted;
    uint64_t rate_bytes; /* for the rate on the progress line */
    uint64_t rate_time;
    double rate;
    throng_exit code; /* of the first transfer that failed */
};

/* ---- telling ---- */

static void wipe_progress(struct get *get)
{
    if (get->drawn) {
        fputs("\r\033[K", stderr);
        get->drawn = false;
    }
}

/* One that can't be read is told as it was given, unless there may be a password in it. */
static const char *shown_url(const throng_transfer *transfer)
{
    if (transfer->shown_url != NULL) {
        return transfer->shown_url;
    }
    return strchr(transfer->url, '@') == NULL ? transfer->url : "URL";
}

static void tell(struct get *get, const throng_transfer *transfer)
{
    char text[256];
    wipe_progress(get);
    if (transfer->code != THRONG_EXIT_OK) {
        throng_complain("%s: %s", shown_url(transfer), transfer->problem);
    } else if (!get->options.silent && !get->options.json && isatty(STDERR_FILENO)) {
        throng_outcome_summary(transfer, text, sizeof(text));
        fprintf(stderr, "%s: %s\n", throng_sink_name(transfer->sink), text);
    }
    if (get->options.json) {
        char *line = throng_outcome_json(transfer);
        puts(line == NULL ? "{}" : line);
        free(line);
        fflush(stdout);
    }
}

static void draw_progress(struct get *get)
{
    char line[256];
    struct winsize window = {0};
    throng_progress progress = {0};
    for (size_t i = 0; i < get->options.parallel; i++) {
        throng_transfer *transfer = &get->transfers[i];
        if (!get->running[i]) {
            continue;
        }
        throng_shares shares = throng_transfer_shares(transfer);
        progress.done += throng_transfer_progress(transfer);
        progress.size = transfer->size < 0 || progress.size < 0 ? -1 : progress.size + transfer->size;
        progress.shares.origin += shares.origin;
        progress.shares.seeder += shares.seeder;
        progress.shares.peers += shares.peers;
    }
    uint64_t now = uv_hrtime();
    double seconds = (double)(now - get->rate_time) / 1e9;
    double latest = progress.done > get->rate_bytes ? (double)(progress.done - get->rate_bytes) / seconds : 0;
    get->rate = get->rate_time == 0 || progress.done < get->rate_bytes ? 0 : get->rate * 0.8 + latest * 0.2;
    get->rate_bytes = progress.done;
    get->rate_time = now;
    progress.rate = (uint64_t)get->rate;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) {
        window.ws_col = 80;
    }
    throng_progress_format(&progress, window.ws_col, line, sizeof(line));
    fprintf(stderr, "\r%s\033[K", line);
    get->drawn = true;
}

/* ---- running ---- */

static void start_next(struct get *get);

static void on_end(throng_transfer *transfer)
{
    struct get *get = transfer->user;
    if (transfer->code != THRONG_EXIT_OK && get->code == THRONG_EXIT_OK) {
        get->code = transfer->code;
    }
    tell(get, transfer);
    get->active--;
}

/* Slots whose transfer ended are closed here and not in on_end, which the transfer itself calls. */
static void reap(struct get *get)
{
    for (size_t i = 0; i < get->options.parallel; i++) {
        if (get->running[i] && get->transfers[i].phase == THRONG_TRANSFER_ENDED) {
            throng_transfer_close(&get->transfers[i]);
            get->running[i] = false;
        }
    }
}

static void start_next(struct get *get)
{
    for (size_t i = 0; i < get->options.parallel; i++) {
        throng_transfer *transfer = &get->transfers[i];
        if (get->running[i] || transfer->phase != THRONG_TRANSFER_IDLE || get->interrupted ||
            get->next == get->options.urls_count) {
            continue;
        }
        throng_transfer_init(transfer, &get->options, &get->loop, get->fetcher, get->next++);
        transfer->http = get->http;
        transfer->on_end = on_end;
        transfer->member = get->member;
        transfer->line = get->line;
        transfer->user = get;
        get->running[i] = true;
        get->active++;
        throng_transfer_start(transfer);
    }
}

static void on_signal(uv_signal_t *watch, int number)
{
    struct get *get = watch->data;
    get->interrupted = true;
    if (get->member != NULL) {
        throng_member_interrupt(get->member);
    }
    for (size_t i = 0; i < get->options.parallel; i++) {
        if (get->running[i]) {
            throng_transfer_interrupt(&get->transfers[i]);
        }
    }
}

static void on_tick(uv_timer_t *tick)
{
    struct get *get = tick->data;
    throng_time limit = get->options.total_timeout_s * THRONG_SECOND;
    for (size_t i = 0; limit > 0 && i < get->options.parallel; i++) {
        throng_transfer *transfer = &get->transfers[i];
        if (get->running[i] && throng_transfer_now(transfer) - transfer->began > limit) {
            throng_transfer_fail(transfer, THRONG_EXIT_TIMEOUT, "not done in the time that --max-time gives");
        }
    }
    if (get->progress) {
        draw_progress(get);
    }
}

static void on_member_left(void *user)
{
    struct get *get = user;
    get->member_left = true;
}

static void run(struct get *get)
{
    start_next(get);
    while (get->active > 0 || (get->next < get->options.urls_count && !get->interrupted)) {
        uv_run(&get->loop, UV_RUN_ONCE);
        reap(get);
        start_next(get);
    }
    wipe_progress(get);
    if (get->member != NULL) {
        throng_member_finish(get->member, on_member_left, get);
        if (get->interrupted) {
            throng_member_interrupt(get->member);
        }
    }
    while (get->member != NULL && !get->member_left) {
        uv_run(&get->loop, UV_RUN_ONCE);
        reap(get);
    }
}

/* ---- beginning and end ---- */

/* A proxy stands between us and the server: where the seeder is can't be known then. */
static bool proxy_in_environment(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "ftp_proxy",
                                        "FTP_PROXY",  "all_proxy",   "ALL_PROXY"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0') {
            return true;
        }
    }
    return false;
}

/* Content given by UDP, which counts against --limit-rate as well. */
static uint64_t sent_by_udp(void *user)
{
    struct get *get = user;
    uint64_t bytes = 0;
    for (size_t i = 0; i < get->options.parallel; i++) {
        if (get->running[i]) {
            bytes += throng_transfer_shares(&get->transfers[i]).uploaded;
        }
    }
    throng_http_peer_stats stats;
    if (get->member != NULL) {
        return throng_member_uploaded(get->member);
    }
    throng_http_peer_stats_get(get->http, &stats);
    return bytes > stats.content_bytes ? bytes - stats.content_bytes : 0;
}

static throng_exit open_http_peer(struct get *get)
{
    const throng_get_options *options = &get->options;
    throng_http_peer_config config;
    if (options->stay_s == 0 || !options->peers || !options->http_peer) {
        return THRONG_EXIT_OK;
    }
    throng_http_peer_config_default(&config);
    config.port = options->http_port;
    config.rate_bps = options->rate_limit_bps;
    config.sent_otherwise = sent_by_udp;
    config.user = get;
    int error = throng_http_peer_new(&get->http, &get->loop, &config);
    if (error == 0 || options->http_port == 0) { /* unasked for: it stays without */
        return THRONG_EXIT_OK;
    }
    throng_complain("--http-port %u: %s", (unsigned)options->http_port, uv_strerror(error));
    return error == -EADDRINUSE ? THRONG_EXIT_IN_USE : THRONG_EXIT_FAILED;
}

static throng_exit open_all(struct get *get)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM};
    throng_fetcher_config config;
    throng_fetcher_config_default(&config);
    config.ca_file = get->options.ca_file;
    config.proxy_from_environment = proxy_in_environment();
    get->options.peers = get->options.peers && !config.proxy_from_environment;
    get->transfers = calloc(get->options.parallel, sizeof(*get->transfers));
    get->running = calloc(get->options.parallel, sizeof(*get->running));
    if (get->transfers == NULL || get->running == NULL || throng_fetcher_new(&get->fetcher, &get->loop, &config) != 0) {
        throng_complain("out of memory");
        return THRONG_EXIT_MEMORY;
    }
    get->line = get->options.peers ? throng_line_new(&get->loop) : NULL;
    uv_timer_init(&get->loop, &get->tick);
    get->tick.data = get;
    uv_timer_start(&get->tick, on_tick, TICK_MS, TICK_MS);
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_signal_init(&get->loop, &get->signals[i]);
        get->signals[i].data = get;
        uv_signal_start(&get->signals[i], on_signal, numbers[i]);
    }
    get->progress = !get->options.silent && isatty(STDERR_FILENO) != 0;
    throng_exit code = open_http_peer(get);
    if (code == THRONG_EXIT_OK && get->options.group && get->options.peers) {
        get->member = throng_member_new(&get->loop, &get->options, get->http, get->line);
    }
    return code;
}

static void close_all(struct get *get)
{
    throng_member_free(get->member);
    throng_line_free(get->line);
    if (get->fetcher != NULL) {
        throng_fetcher_free(get->fetcher);
        uv_close((uv_handle_t *)&get->tick, NULL);
        for (size_t i = 0; i < SIGNALS; i++) {
            uv_close((uv_handle_t *)&get->signals[i], NULL);
        }
    }
    throng_http_peer_stop(get->http);
    uv_run(&get->loop, UV_RUN_DEFAULT);
    throng_http_peer_free(get->http);
    uv_loop_close(&get->loop);
    free(get->transfers);
    free(get->running);
}

int cmd_get(int argc, char **argv)
{
    struct get get = {0};
    throng_exit code = throng_get_options_parse(&get.options, argc, argv);
    if (code == THRONG_EXIT_OK && uv_loop_init(&get.loop) != 0) {
        throng_complain("out of memory");
        code = THRONG_EXIT_MEMORY;
    } else if (code == THRONG_EXIT_OK) {
        code = open_all(&get);
        if (code == THRONG_EXIT_OK) {
            run(&get);
            code = get.code;
        }
        close_all(&get);
    }
    throng_get_options_free(&get.options);
    return code;
}
