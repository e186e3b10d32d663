#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "board_file.h"
#include "budget.h"
#include "catalog.h"
#include "control.h"
#include "exit_codes.h"
#include "landmarks.h"
#include "net/disk_error.h"
#include "net/quantity.h"
#include "networks.h"
#include "privileges.h"
#include "prober.h"
#include "signalling.h"

enum {
    CATALOG_EVERY = 2,         /* looks: 40 ms */
    KEYS_EVERY = BUDGET_SLOTS, /* looks: 1 s */
    DOUBTS_A_LOOK = 64,
    OBJECT_SIZE_MIN = 2048, /* below it directions and a join cost more than the object; a page takes it along */
};
/* A swarm key is replaced while there are still so many nonces of ours, and so many ids for clients, under it. */
#define KEY_LEFT_MIN ((uint64_t)1 << 30)
#define SENDERS_LEFT_MIN ((uint64_t)1 << 24)

typedef struct daemon_state {
    const server_options *options;
    privileges who;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[3];
    bool stopping;
    bool loop_open;
    int state_lock;
    board_file file;
    throng_signer *signer;
    cache bodies;
    throng_udp *socket; /* until the seeder has it */
    throng_seeder *seeder;
    throng_fetcher *fetcher;
    catalog *objects;
    control *http;
    signalling *browsers;
    networks *near;
    prober *probing;
    bool was_crowd;
    budget line;
    metrics counted; /* what the catalog counts */
    uint64_t rate_bps;
    uint64_t looks;
    uint8_t epochs[4]; /* of the swarm keys in the seeder, newest first */
    uint32_t epochs_count;
} daemon_state;

static throng_time now_us(void)
{
    return uv_hrtime() / 1000; /* CLOCK_MONOTONIC, as the board has it */
}

static uint64_t unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Has the seeder speak under the board's current key, with a sender id that nobody else was given. */
static int take_key(daemon_state *d)
{
    enum { KEYS_MAX = sizeof(d->epochs) };
    throng_sender sender;
    int error = throng_board_take_sender(&d->file.board, &sender);
    if (error != 0)
        return error;
    if (d->epochs_count == KEYS_MAX)
        throng_seeder_remove_key(d->seeder, d->epochs[--d->epochs_count]);
    throng_key key = {.epoch = sender.epoch, .sender_id = sender.id, .sender_count = 1};
    memcpy(key.bytes, sender.key, sizeof(key.bytes));
    error = throng_seeder_add_key(d->seeder, &key);
    explicit_bzero(&key, sizeof(key));
    explicit_bzero(&sender.key, sizeof(sender.key));
    if (error != 0)
        return error;
    memmove(d->epochs + 1, d->epochs, d->epochs_count);
    d->epochs[0] = sender.epoch;
    d->epochs_count++;
    return 0;
}

static int rotate_key(daemon_state *d)
{
    uint8_t key[THRONG_KEY_SIZE];
    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
        return THRONG_ERR_INTERNAL;
    throng_board_rotate(&d->file.board, key);
    explicit_bzero(key, sizeof(key));
    return take_key(d);
}

static void mind_keys(daemon_state *d)
{
    if (throng_seeder_key_left(d->seeder, d->epochs[0]) >= KEY_LEFT_MIN &&
        throng_board_senders_left(&d->file.board) >= SENDERS_LEFT_MIN)
        return;
    int error = rotate_key(d);
    if (error != 0)
        server_complain("cannot change the swarm key: %s", throng_error_text(error));
}

static void mind_rate(daemon_state *d, throng_time now)
{
    throng_seeder_stats stats;
    throng_board_counters *counters = throng_board_counters_of(&d->file.board);
    throng_seeder_stats_get(d->seeder, &stats);
    d->line.uplink_bps = throng_board_uplink_bps(&d->file.board);
    d->line.floor_bps = throng_board_mode(&d->file.board) == THRONG_CROWD ? budget_floor(d->line.uplink_bps) : 0;
    d->rate_bps = budget_look(&d->line, atomic_load(&counters->http_line_bytes), stats.seed.sent_bytes);
    throng_seeder_set_rate(d->seeder, d->rate_bps);
    atomic_store(&counters->udp_line_bytes, stats.seed.sent_bytes);
    atomic_store(&counters->peers, stats.seed.peers);
    atomic_store(&counters->http_room_bps, budget_http_room(&d->line));
    throng_board_beat(&d->file.board, now);
}

static void mind_browsers(daemon_state *d)
{
    bool crowd = throng_board_mode(&d->file.board) == THRONG_CROWD;
    if (d->was_crowd && !crowd)
        signalling_off(d->browsers);
    d->was_crowd = crowd;
}

static void carry(void *user, uint64_t browser, const uint8_t *head, size_t head_size, const uint8_t *body,
                  size_t body_size)
{
    daemon_state *d = user;
    if (d->browsers != NULL)
        signalling_carry(d->browsers, browser, head, head_size, body, body_size);
}

static void on_join(void *user, const throng_hash *led_to, throng_tag joined)
{
    const daemon_state *d = user;
    catalog_learn(d->objects, led_to, joined);
}

static void mind_doubts(daemon_state *d)
{
    throng_tag object;
    uint16_t mark;
    for (int i = 0; i < DOUBTS_A_LOOK && throng_board_take_doubt(&d->file.board, &object, &mark); i++)
        throng_seeder_doubt(d->seeder, object, mark);
}

static void on_look(uv_timer_t *timer)
{
    daemon_state *d = timer->data;
    throng_time now = now_us();
    mind_rate(d, now);
    catalog_take_wants(d->objects, now);
    if (d->looks % CATALOG_EVERY == 0)
        catalog_tick(d->objects, now);
    if (d->looks % KEYS_EVERY == 0)
        mind_keys(d);
    if (d->near != NULL && d->looks % KEYS_EVERY == 0)
        networks_look(d->near);
    mind_browsers(d);
    mind_doubts(d);
    prober_tick(d->probing, now);
    d->looks++;
}

static void on_signal(uv_signal_t *handle, int number)
{
    daemon_state *d = handle->data;
    d->stopping = true;
    uv_stop(&d->loop);
}

static void snapshot(metrics *ret, void *user)
{
    const daemon_state *d = user;
    const throng_board *board = &d->file.board;
    throng_board_counters *counters = throng_board_counters_of(board);
    throng_seeder_stats stats;
    throng_seeder_stats_get(d->seeder, &stats);
    *ret = d->counted;
    ret->requests = atomic_load(&counters->requests);
    ret->offered_bytes = atomic_load(&counters->offered_bytes);
    ret->http_bytes = atomic_load(&counters->http_bytes);
    ret->http_line_bytes = atomic_load(&counters->http_line_bytes);
    ret->directions = atomic_load(&counters->directions);
    ret->bootstraps = atomic_load(&counters->bootstraps);
    ret->directed_bytes = atomic_load(&counters->directed_bytes);
    ret->reserved = atomic_load(&counters->reserved);
    ret->held = atomic_load(&counters->held);
    ret->refused_requests = atomic_load(&counters->refused);
    ret->wants_posted = atomic_load(&counters->wants_posted);
    ret->wants_dropped = atomic_load(&counters->wants_dropped);
    ret->crowds = atomic_load(&counters->crowds);
    ret->seed_sent_bytes = stats.seed.sent_bytes;
    ret->seed_received_bytes = stats.seed.received_bytes;
    ret->content_http_bytes = ret->http_bytes;
    ret->content_seeder_bytes = stats.seed.content_bytes;
    ret->joins = stats.seed.joins;
    ret->joins_repeated = stats.seed.joins_repeated;
    ret->byes = stats.seed.byes;
    ret->forgotten = stats.seed.forgotten;
    ret->introductions = stats.seed.introductions;
    ret->dropped_malformed = stats.seed.datagrams_malformed + stats.seal.malformed;
    ret->dropped_foreign = stats.seed.datagrams_foreign;
    ret->dropped_unsealed = stats.seal.unsealed;
    ret->dropped_replayed = stats.seal.replayed;
    ret->tokens_refused = stats.seed.tokens_refused;
    ret->unproven_withheld = stats.seed.unproven_withheld;
    ret->traits = stats.seed.traits;
    ret->traits_clamped = stats.seed.traits_clamped;
    ret->traits_refused = atomic_load(&counters->traits_refused);
    ret->http_peers = stats.seed.http_peers;
    ret->probes = stats.seed.probes;
    ret->probes_failed = stats.seed.probes_failed;
    ret->http_doubts = stats.seed.doubts;
    ret->http_shunned = stats.seed.shunned;
    ret->metalinks = atomic_load(&counters->metalinks);
    ret->metalinks_instead = atomic_load(&counters->metalinks_instead);
    ret->stun_answered = stats.stun.answered;
    ret->stun_dropped = stats.stun.dropped;
    ret->browsers = signalling_count(d->browsers);
    ret->crowd = throng_board_mode(board) == THRONG_CROWD;
    ret->uplink_bps = throng_board_uplink_bps(board);
    ret->seed_rate_bps = d->rate_bps;
    ret->objects = catalog_ready(d->objects);
    ret->objects_known = catalog_known(d->objects);
    ret->peers = stats.seed.peers;
    ret->cache_bytes = d->bodies.bytes;
    throng_hash_to_hex(throng_signer_public_key(d->signer), ret->public_key);
}

static int lock_state(daemon_state *d)
{
    char path[PATH_MAX];
    const char *state = d->options->state;
    if (snprintf(path, sizeof(path), "%s/lock", state) >= PATH_MAX) {
        server_complain("%s: too long for a state directory", state);
        return SERVER_EXIT_USAGE;
    }
    d->state_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d->state_lock < 0) {
        server_complain("cannot write to state directory %s: %s", state, strerror(errno));
        return SERVER_EXIT_WRITE;
    }
    if (flock(d->state_lock, LOCK_EX | LOCK_NB) == 0)
        return SERVER_EXIT_OK;
    server_complain("state directory %s is in use by another throngd; give each its own with --state", state);
    return SERVER_EXIT_IN_USE;
}

static int load_key(daemon_state *d)
{
    char path[PATH_MAX];
    const char *given = d->options->key;
    if (snprintf(path, sizeof(path), "%s%s", given != NULL ? given : d->options->state,
                 given != NULL ? "" : "/site.key") >= PATH_MAX) {
        server_complain("%s: too long for a path", path);
        return SERVER_EXIT_USAGE;
    }
    int error = throng_signer_load_or_create(&d->signer, path);
    if (error == 0)
        return SERVER_EXIT_OK;
    server_complain("cannot use key %s: %s", path, throng_disk_error_text(error));
    return SERVER_EXIT_KEY;
}

static int make_directories(const daemon_state *d)
{
    char path[PATH_MAX];
    int code = privileges_make_directory(&d->who, d->options->state, 0700);
    if (code != SERVER_EXIT_OK)
        return code;
    const char *shared[] = {d->options->board, d->options->control};
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]) && code == SERVER_EXIT_OK; i++) {
        const char *slash = shared[i] != NULL ? strrchr(shared[i], '/') : NULL;
        if (slash == NULL || slash == shared[i])
            continue;
        snprintf(path, sizeof(path), "%.*s", (int)(slash - shared[i]), shared[i]);
        code = privileges_make_directory(&d->who, path, 0755);
    }
    return code;
}

static int open_board(daemon_state *d)
{
    throng_board_limits limits;
    throng_board_limits_default(&limits);
    limits.objects_max = d->options->objects_max;
    limits.holders_max = throng_directory_holders_default(limits.objects_max);
    int code = board_file_open(&d->file, d->options->board, &limits, d->who.group);
    if (code == SERVER_EXIT_OK) {
        throng_board_set_uplink_daemon(&d->file.board, d->options->uplink_bps);
        throng_board_set_networks(&d->file.board, 0);
    }
    return code;
}

/* Before the drop: HTTPS has port 443, and that is root's. */
static int open_socket(daemon_state *d)
{
    throng_udp_config config;
    char text[THRONG_ADDR_TEXT_MAX];
    throng_udp_config_default(&config);
    config.bind = d->options->listen;
    int error = throng_udp_open(&d->socket, &config);
    throng_addr_text(&d->options->listen, text);
    if (error == -EADDRINUSE) {
        server_complain("UDP %s is in use by another program; choose another with --listen", text);
        return SERVER_EXIT_IN_USE;
    }
    if (error != 0) {
        server_complain("cannot listen on UDP %s: %s", text, strerror(-error));
        return SERVER_EXIT_BIND;
    }
    return SERVER_EXIT_OK;
}

static int open_seeder(daemon_state *d)
{
    throng_seeder_config config;
    throng_board_secrets secrets;
    throng_seeder_config_default(&config);
    throng_board_secrets_get(&d->file.board, &secrets);
    memcpy(config.seed.token_key, secrets.token_key, sizeof(secrets.token_key));
    explicit_bzero(&secrets, sizeof(secrets));
    config.socket = d->socket;
    config.carry = carry;
    config.user = d;
    config.keys_max = sizeof(d->epochs);
    config.seed.rate_bps = d->options->uplink_bps;
    /* Every version counts, those that are being replaced with them. */
    config.seed.directory = &d->file.board.directory;
    config.seed.objects_max = d->file.board.directory.limits.objects_max;
    config.seed.peers_max = d->file.board.directory.limits.peers_max;
    int error = throng_seeder_new(&d->seeder, &d->loop, &config);
    explicit_bzero(config.seed.token_key, sizeof(config.seed.token_key));
    if (error != 0) {
        server_complain("cannot start the seeder: %s", error > -1000 ? strerror(-error) : "failed");
        return SERVER_EXIT_MEMORY;
    }
    d->socket = NULL;
    error = take_key(d);
    if (error == THRONG_ERR_FULL)
        error = rotate_key(d);
    if (error != 0) {
        server_complain("cannot take a swarm key: %s", throng_error_text(error));
        return SERVER_EXIT_FAILED;
    }
    throng_board_set_seeder_port(&d->file.board, throng_seeder_local(d->seeder).port);
    return SERVER_EXIT_OK;
}

static int open_catalog(daemon_state *d)
{
    const server_options *o = d->options;
    throng_fetcher_config fetching;
    throng_fetcher_config_default(&fetching);
    int error = throng_fetcher_new(&d->fetcher, &d->loop, &fetching);
    catalog_config config = {
        .loop = &d->loop,
        .board = &d->file.board,
        .seeder = d->seeder,
        .fetcher = d->fetcher,
        .cache = &d->bodies,
        .signer = d->signer,
        .metrics = &d->counted,
        .origin_url = o->origin_url,
        .origin_socket = o->origin_socket,
        .objects_max = o->objects_max,
        .revalidate_ms = o->revalidate_ms,
        .manifest_hours = o->manifest_hours,
        .limits = {o->signal != NULL ? 1 : OBJECT_SIZE_MIN, o->cache_bytes},
        .pages = o->signal != NULL,
    };
    if (error == 0)
        error = catalog_new(&d->objects, &config);
    if (error == 0)
        return SERVER_EXIT_OK;
    server_complain("cannot start: %s", throng_fetch_error_text(error));
    return SERVER_EXIT_MEMORY;
}

static int open_control(daemon_state *d)
{
    if (d->options->control == NULL)
        return SERVER_EXIT_OK;
    control_config config = {.loop = &d->loop,
                             .listen = d->options->control,
                             .owner = d->who.owner[0] != '\0' ? d->who.owner : NULL,
                             .snapshot = snapshot,
                             .user = d};
    return control_new(&d->http, &config);
}

static int open_browsers(daemon_state *d)
{
    throng_board_secrets secrets;
    throng_seed_config seed;
    if (d->options->signal == NULL)
        return SERVER_EXIT_OK;
    throng_seed_config_default(&seed);
    throng_board_secrets_get(&d->file.board, &secrets);
    signalling_config config = {.loop = &d->loop,
                                .listen = d->options->signal,
                                .owner = d->who.owner[0] != '\0' ? d->who.owner : NULL,
                                .browsers_max = d->options->browsers_max,
                                .token_max_age_s = seed.token_max_age_s,
                                .seeder = d->seeder,
                                .stun_port = throng_seeder_local(d->seeder).port,
                                .turn = d->options->turn,
                                .turn_secret = d->options->turn_secret,
                                .metrics = &d->counted,
                                .on_join = on_join,
                                .user = d};
    memcpy(config.token_key, secrets.token_key, sizeof(config.token_key));
    explicit_bzero(&secrets, sizeof(secrets));
    int code = signalling_new(&d->browsers, &config);
    explicit_bzero(config.token_key, sizeof(config.token_key));
    return code;
}

static int open_networks(daemon_state *d)
{
    networks_config config = {.loop = &d->loop,
                              .file = d->options->networks,
                              .board = d->options->board,
                              .group = d->who.group,
                              .published = &d->file.board,
                              .seeder = d->seeder};
    return d->options->networks != NULL ? networks_new(&d->near, &config) : SERVER_EXIT_OK;
}

static int open_landmarks(daemon_state *d)
{
    throng_landmarks landmarks = {.count = 0};
    int code = d->options->landmarks != NULL ? landmarks_read(&landmarks, d->options->landmarks) : SERVER_EXIT_OK;
    if (code != SERVER_EXIT_OK)
        return code;
    throng_seeder_set_landmarks(d->seeder, &landmarks);
    throng_board_set_landmarks(&d->file.board, landmarks.id);
    return SERVER_EXIT_OK;
}

static int open_all(daemon_state *d)
{
    int code = privileges_find(&d->who, d->options);
    if (code == SERVER_EXIT_OK)
        code = make_directories(d);
    if (code == SERVER_EXIT_OK)
        code = lock_state(d);
    if (code == SERVER_EXIT_OK)
        code = load_key(d); /* before the drop, so that it can be root's alone */
    if (code == SERVER_EXIT_OK)
        code = open_socket(d);
    if (code == SERVER_EXIT_OK)
        code = privileges_drop(&d->who, d->options);
    if (code == SERVER_EXIT_OK)
        code = cache_open(&d->bodies, d->options->state, d->options->cache_bytes);
    if (code == SERVER_EXIT_OK)
        code = open_board(d);
    if (code == SERVER_EXIT_OK && uv_loop_init(&d->loop) != 0)
        code = SERVER_EXIT_MEMORY;
    if (code != SERVER_EXIT_OK)
        return code;
    d->loop_open = true;
    code = open_seeder(d);
    if (code == SERVER_EXIT_OK)
        code = open_networks(d);
    if (code == SERVER_EXIT_OK)
        code = open_landmarks(d);
    if (code == SERVER_EXIT_OK)
        code = open_catalog(d);
    if (code == SERVER_EXIT_OK && prober_new(&d->probing, &d->loop, d->seeder, d->options->http_peers) != 0)
        code = SERVER_EXIT_MEMORY;
    if (code == SERVER_EXIT_OK)
        code = open_control(d);
    if (code == SERVER_EXIT_OK)
        code = open_browsers(d);
    return code;
}

static void run(daemon_state *d)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    budget_init(&d->line, d->options->uplink_bps);
    d->counted.start_unix_ms = unix_ms();
    uv_timer_init(&d->loop, &d->timer);
    d->timer.data = d;
    uv_timer_start(&d->timer, on_look, 0, BUDGET_TICK_MS);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, numbers[i]);
    }
    while (!d->stopping)
        uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&d->timer, NULL);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        uv_close((uv_handle_t *)&d->signals[i], NULL);
}

static void close_all(daemon_state *d)
{
    if (d->objects != NULL) {
        catalog_stop(d->objects);
        while (catalog_is_busy(d->objects))
            uv_run(&d->loop, UV_RUN_ONCE);
    }
    control_stop(d->http);
    signalling_stop(d->browsers);
    catalog_free(d->objects);
    while (networks_is_busy(d->near))
        uv_run(&d->loop, UV_RUN_ONCE);
    networks_free(d->near);
    prober_free(d->probing);
    if (d->fetcher != NULL)
        throng_fetcher_free(d->fetcher);
    if (d->seeder != NULL)
        throng_seeder_free(d->seeder);
    throng_udp_close(d->socket);
    if (d->loop_open) {
        while (uv_run(&d->loop, UV_RUN_ONCE) != 0) {
        }
        control_free(d->http);
        signalling_free(d->browsers);
        uv_loop_close(&d->loop);
    }
    board_file_close(&d->file);
    throng_signer_free(d->signer);
    if (d->state_lock >= 0)
        close(d->state_lock);
}

int daemon_run(const server_options *options)
{
    daemon_state *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        server_complain("out of memory");
        return SERVER_EXIT_MEMORY;
    }
    d->options = options;
    d->file.fd = d->state_lock = -1;
    int code = open_all(d);
    if (code == SERVER_EXIT_OK)
        run(d);
    close_all(d);
    free(d);
    return code;
}
