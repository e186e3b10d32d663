#include "client.h"

#include <net/alarm.h>
#include <net/fetch.h>
#include <net/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <throng/directions.h>

#include "site.h"

enum { RETRY_MS = 1000, RETRY_MAX_MS = 16000 };

struct lab_client {
    lab_client_config config;
    lab_visit visit;
    uv_timer_t timer;
    throng_fetcher *fetcher;
    throng_fetch *fetch;
    throng_peer *peer;
    throng_store *store;
    throng_directions directions;
    throng_addr server;
    bool directed;  /* the answer is directions */
    bool plain;     /* directions are of no use any more */
    bool leaving;   /* for good, rather than for plain HTTP */
    uint64_t bytes; /* of the body */
    uint64_t wait_ms;
};

static void ask(lab_client *client);

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
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
}

void lab_client_free(lab_client *client)
{
    throng_fetcher_free(client->fetcher);
    close_peer(client);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
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
    client->leaving = true;
    if (client->peer)
        throng_peer_leave(client->peer);
    else
        gone(client);
}

static void complete(lab_client *client, lab_way way)
{
    if (client->visit.complete)
        return;
    client->visit.complete = throng_now();
    client->visit.way = way;
    lab_emulator_traffic(client->config.emulator, client->visit.node, &client->visit.after);
    lab_client_visit(client);
    client->config.on_complete(client, client->config.user);
    /* From the loop, as whoever called us goes on. */
    uv_timer_start(&client->timer, leave, way == LAB_WAY_CROWD ? client->config.linger / THRONG_MS : 0, 0);
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
    return error < 0 ? error : throng_store_open(&client->store, &config);
}

static int open_peer(lab_client *client)
{
    throng_peer_config config;
    throng_peer_config_default(&config, client->config.profile);
    config.node.objects_max = 1;
    config.node.uplink_bps = client->config.uplink_bps;
    config.udp.offload = false; /* nothing coalesces on such lines, and 300 peers are to fit one process */
    config.hooks = (throng_peer_hooks){.done = on_done, .stuck = on_stuck, .left = on_left};
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
    if (response && response->status == 200)
        client->bytes += size;
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
    snprintf(url, sizeof url, "http://%u.%u.%u.%u:%d/object", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
             LAB_PORT);
    request.url = url;
    request.headers = client->config.follows && !client->plain ? headers : NULL;
    request.open_socket = open_socket;
    request.callbacks = (throng_fetch_callbacks){on_headers, on_body, on_fetched};
    request.user = client;
    client->bytes = 0;
    client->directed = false;
    client->visit.asked++;
    if (throng_fetch_start(&client->fetch, client->fetcher, &request) < 0) {
        client->visit.failed++;
        uv_timer_start(&client->timer, on_again, RETRY_MS, 0);
    }
}

/* ---- what the crowd asks for ---- */

lab_client *lab_client_new(const lab_client_config *config, uint32_t node, uint32_t number)
{
    lab_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->config = *config;
    client->wait_ms = RETRY_MS;
    client->visit.node = node;
    client->visit.number = number;
    client->visit.born = throng_now();
    /* One for each client: connections are not shared between them. */
    throng_fetcher_config fetcher;
    throng_fetcher_config_default(&fetcher);
    if (throng_fetcher_new(&client->fetcher, config->loop, &fetcher) < 0) {
        free(client);
        return NULL;
    }
    uv_timer_init(config->loop, &client->timer);
    client->timer.data = client;
    lab_emulator_traffic(config->emulator, node, &client->visit.before);
    ask(client);
    return client;
}

const lab_visit *lab_client_visit(lab_client *client)
{
    throng_peer_stats stats;
    if (client->peer) {
        throng_peer_stats_get(client->peer, &stats);
        client->visit.stats = stats.node;
    }
    if (!client->visit.complete)
        lab_emulator_traffic(client->config.emulator, client->visit.node, &client->visit.after);
    return &client->visit;
}
