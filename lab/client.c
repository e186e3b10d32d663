#include "client.h"

#include <fcntl.h>
#include <net/alarm.h>
#include <net/fetch.h>
#include <net/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <throng/directions.h>
#include <unistd.h>

#include "site.h"

enum { RETRY_MS = 1000, RETRY_MAX_MS = 16000 };

struct lab_client {
    lab_client_config config;
    lab_visit visit;
    uv_timer_t timer;
    uv_timer_t patience;
    int open_handles;
    throng_fetcher *fetcher;
    throng_fetch *fetch;
    throng_peer *peer;
    throng_store *store;
    throng_directions directions;
    throng_addr server;
    bool directed;  /* the answer is directions */
    bool plain;     /* directions are of no use any more */
    bool leaving;   /* for good, rather than for plain HTTP */
    bool wrong;     /* a byte of the body is not what it should be */
    uint64_t bytes; /* of the body */
    uint64_t wait_ms;
    int file; /* a poisoner's way to its own file; -1: none */
};

static void ask(lab_client *client);

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    lab_client *client = handle->data;
    if (--client->open_handles == 0)
        free(client);
}

static void close_peer(lab_client *client)
{
    throng_peer_free(client->peer);
    client->peer = NULL;
    if (client->store) {
        throng_store_discard(client->store);
        throng_store_free(client->store);
        client->store = NULL;
    }
    if (client->file >= 0)
        close(client->file);
    client->file = -1;
}

void lab_client_free(lab_client *client)
{
    if (client->fetcher)
        throng_fetcher_free(client->fetcher);
    close_peer(client);
    lab_emulator_set_giving(client->config.emulator, client->visit.node, true);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
    uv_close((uv_handle_t *)&client->patience, on_timer_closed);
}

static void gone(lab_client *client)
{
    client->config.on_gone(client, client->config.user);
    lab_client_free(client);
}

static void on_left(throng_peer *peer, void *user)
{
    lab_client *client = user;
    lab_client_visit(client);
    close_peer(client);
    if (client->leaving)
        gone(client);
    else
        ask(client);
}

static void leave(uv_timer_t *timer)
{
    lab_client *client = timer->data;
    if (client->leaving)
        return;
    client->leaving = true;
    if (client->config.rival)
        lab_rival_leave(client->config.rival, client->visit.number);
    if (client->peer && !client->visit.vanishes)
        throng_peer_leave(client->peer);
    else
        gone(client);
}

static void lose_patience(uv_timer_t *timer)
{
    lab_client *client = timer->data;
    client->visit.ran_out = !client->visit.complete;
    leave(timer);
}

/* What a client of the crowd wrote is compared, byte by byte, with what the server has. */
static bool is_right(const lab_client *client)
{
    uint8_t bytes[16384];
    const uint8_t *expected = client->config.bytes + client->visit.object * client->config.object_size;
    for (uint64_t at = 0; at < client->config.object_size; at += sizeof bytes) {
        uint64_t left = client->config.object_size - at;
        size_t size = left < sizeof bytes ? (size_t)left : sizeof bytes;
        if (throng_store_read(client->store, at, bytes, size) < 0 || memcmp(bytes, expected + at, size) != 0)
            return false;
    }
    return true;
}

static void complete(lab_client *client, lab_way way)
{
    if (client->visit.complete)
        return;
    client->visit.complete = throng_now();
    client->visit.way = way;
    client->visit.wrong = client->wrong || (way == LAB_WAY_CROWD && client->store &&
                                            client->visit.role != LAB_ROLE_POISONER && !is_right(client));
    lab_emulator_traffic(client->config.emulator, client->visit.node, &client->visit.after);
    lab_client_visit(client);
    client->visit.then = client->visit.stats;
    client->config.on_complete(client, client->config.user);
    /* From the loop, as whoever called us goes on. */
    uv_timer_start(&client->timer, leave, way == LAB_WAY_CROWD ? client->config.linger / THRONG_MS : 0, 0);
}

void lab_client_rival_done(lab_client *client)
{
    complete(client, LAB_WAY_CROWD);
}

/* ---- in the crowd ---- */

static void on_done(throng_peer *peer, const throng_hash *object, void *user)
{
    complete(user, LAB_WAY_CROWD);
}

static void give_up(lab_client *client)
{
    client->visit.stuck++;
    client->plain = true;
    throng_peer_leave(client->peer);
}

static void on_stuck(throng_peer *peer, const throng_hash *object, int error, void *user)
{
    lab_client *client = user;
    if (!client->visit.complete)
        give_up(client);
}

/* A poisoner's disk: verified units change. */
static void on_unit(throng_peer *peer, const throng_hash *object, uint32_t unit, void *user)
{
    lab_client *client = user;
    throng_geometry geometry;
    uint8_t lie[4096];
    if (client->file < 0 || throng_geometry_init(&geometry, client->directions.size, client->directions.chunk_size) < 0)
        return;
    memset(lie, 0xa5, sizeof lie);
    if (unit >= geometry.metachunks)
        return;
    uint64_t size = (uint64_t)geometry.metachunk_chunks * geometry.chunk_size, at = unit * size;
    uint64_t end = at + size < geometry.size ? at + size : geometry.size;
    for (; at < end; at += sizeof lie)
        (void)!pwrite(client->file, lie, end - at < sizeof lie ? (size_t)(end - at) : sizeof lie, (off_t)at);
}

static int open_store(lab_client *client)
{
    char path[LAB_PATH_MAX + 32];
    throng_store_config config;
    throng_store_config_default(&config);
    snprintf(path, sizeof path, "%s/client-%u", client->config.directory, client->visit.number);
    config.path = path;
    config.object = &client->directions.object;
    config.sync = false;
    int error = throng_geometry_init(&config.geometry, client->directions.size, client->directions.chunk_size);
    if (error == 0)
        error = throng_store_open(&client->store, &config);
    if (error == 0 && client->visit.role == LAB_ROLE_POISONER) {
        snprintf(path, sizeof path, "%s/client-%u.part", client->config.directory, client->visit.number);
        client->file = open(path, O_WRONLY | O_CLOEXEC);
    }
    return error;
}

static int open_peer(lab_client *client)
{
    throng_peer_config config;
    throng_peer_config_default(&config, client->config.profile);
    config.node.objects_max = 1;
    config.node.give_percent = client->config.give_percent;
    config.node.uplink_bps = client->config.know_uplink ? client->visit.uplink_bps : 0;
    config.udp.offload = false; /* nothing coalesces on such lines, and 300 peers are to fit one process */
    config.hooks = (throng_peer_hooks){.unit = client->visit.role == LAB_ROLE_POISONER ? on_unit : NULL,
                                       .done = on_done,
                                       .stuck = on_stuck,
                                       .left = on_left};
    config.user = client;
    int error = lab_netns_enter(client->config.nodes[client->visit.node].fd);
    if (error < 0)
        return error;
    error = throng_peer_new(&client->peer, client->config.loop, &config);
    int back = lab_netns_enter(client->config.own_netns);
    return error < 0 ? error : back;
}

static void enter_crowd(lab_client *client)
{
    throng_addr seeder = client->server;
    seeder.port = client->directions.seeder.port;
    client->visit.directed = throng_now();
    int error = open_store(client);
    if (error == 0)
        error = open_peer(client);
    if (error == 0)
        error = throng_peer_join(client->peer, &client->directions, &seeder, client->store);
    if (error == 0)
        return;
    fprintf(stderr, "throng-lab: client %u cannot enter the crowd: error %d\n", client->visit.number, error);
    client->visit.stuck++;
    client->plain = true;
    close_peer(client);
    ask(client);
}

/* ---- HTTP ---- */

static int open_socket(int domain, int type, int protocol, void *user)
{
    lab_client *client = user;
    if (lab_netns_enter(client->config.nodes[client->visit.node].fd) < 0)
        return -1;
    int fd = socket(domain, type, protocol);
    lab_netns_enter(client->config.own_netns);
    return fd;
}

static bool on_headers(throng_fetch *fetch, const throng_fetch_response *response, void *user)
{
    lab_client *client = user;
    const char *location = throng_fetch_header(fetch, "Location", 0);
    if (response->status == 307 && location && !client->plain) {
        client->server = response->peer;
        client->directed = throng_directions_decode(&client->directions, location, strlen(location)) == 0;
    }
    return true;
}

static throng_fetch_verdict on_body(throng_fetch *fetch, const uint8_t *bytes, size_t size, void *user)
{
    lab_client *client = user;
    const throng_fetch_response *response = throng_fetch_response_get(fetch);
    if (response && response->status == 200) {
        const uint8_t *expected = client->config.bytes + client->visit.object * client->config.object_size;
        if (client->bytes + size > client->config.object_size || memcmp(bytes, expected + client->bytes, size) != 0)
            client->wrong = true;
        client->bytes += size;
    }
    return THRONG_FETCH_TAKEN;
}

static void on_again(uv_timer_t *timer)
{
    ask(timer->data);
}

static void on_fetched(throng_fetch *fetch, int error, void *user)
{
    lab_client *client = user;
    client->fetch = NULL;
    if (error == 0 && client->directed) {
        enter_crowd(client);
    } else if (error == 0 && client->bytes == client->config.object_size) {
        complete(client, LAB_WAY_HTTP);
    } else {
        client->visit.failed++;
        uv_timer_start(&client->timer, on_again, client->wait_ms, 0);
        client->wait_ms = client->wait_ms * 2 < RETRY_MAX_MS ? client->wait_ms * 2 : RETRY_MAX_MS;
    }
}

static void ask(lab_client *client)
{
    static const char *const headers[] = {"Throng: 1", NULL};
    char url[64];
    uint32_t ip = lab_node_ip(0);
    throng_fetch_request request;
    throng_fetch_request_default(&request);
    snprintf(url, sizeof url, "http://%u.%u.%u.%u:%d/object-%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
             LAB_PORT, client->visit.object);
    request.url = url;
    request.headers = client->config.follows && !client->plain ? headers : NULL;
    request.open_socket = open_socket;
    request.callbacks = (throng_fetch_callbacks){on_headers, on_body, on_fetched};
    request.user = client;
    client->bytes = 0;
    client->wrong = false;
    client->directed = false;
    client->visit.asked++;
    if (throng_fetch_start(&client->fetch, client->fetcher, &request) < 0) {
        client->visit.failed++;
        uv_timer_start(&client->timer, on_again, RETRY_MS, 0);
    }
}

/* ---- what the crowd asks for ---- */

/* One fetcher for each client: connections are not shared between them. */
static bool open_fetcher(lab_client *client)
{
    throng_fetcher_config fetcher;
    throng_fetcher_config_default(&fetcher);
    return throng_fetcher_new(&client->fetcher, client->config.loop, &fetcher) == 0;
}

lab_client *lab_client_new(const lab_client_config *config, const lab_visit *visit)
{
    lab_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->config = *config;
    client->visit = *visit;
    client->wait_ms = RETRY_MS;
    client->file = -1;
    client->visit.born = throng_now();
    if (!config->rival && !open_fetcher(client)) {
        free(client);
        return NULL;
    }
    uv_timer_init(config->loop, &client->timer);
    uv_timer_init(config->loop, &client->patience);
    client->open_handles = 2;
    client->timer.data = client->patience.data = client;
    if (visit->patience)
        uv_timer_start(&client->patience, lose_patience, visit->patience / THRONG_MS, 0);
    lab_emulator_set_giving(config->emulator, visit->node, visit->role != LAB_ROLE_LEECH);
    lab_emulator_traffic(config->emulator, visit->node, &client->visit.before);
    if (config->rival) {
        client->visit.asked++;
        lab_rival_come(config->rival, visit->number, visit->node);
    } else
        ask(client);
    return client;
}

const lab_visit *lab_client_visit(lab_client *client)
{
    if (client->peer)
        throng_peer_stats_get(client->peer, &client->visit.stats);
    if (!client->visit.complete)
        lab_emulator_traffic(client->config.emulator, client->visit.node, &client->visit.after);
    return &client->visit;
}
