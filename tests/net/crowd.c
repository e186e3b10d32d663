#include "crowd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EPOCH = 5 };

static void make_content(crowd *c)
{
    c->content = malloc(c->size + 8);
    assert_non_null(c->content);
    uint64_t x = 0x9e3779b97f4a7c15u;
    for (uint64_t i = 0; i < c->size; i += 8) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(c->content + i, &x, 8);
    }
}

static int write_file(const crowd *c, const char *name)
{
    char path[CROWD_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", c->folder, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, c->content, c->size), c->size);
    unlink(path);
    return fd;
}

static void start_seeder(crowd *c, uint64_t rate_bps)
{
    throng_seeder_config config;
    throng_seeder_config_default(&config);
    config.udp.bind = throng_addr_from_ipv4(127, 0, 0, 1, 0);
    config.seed.rate_bps = rate_bps;
    memcpy(config.seed.token_key, c->token_key, THRONG_KEY_SIZE);
    assert_int_equal(throng_seeder_new(&c->seeder, &c->loop, &config), 0);
    throng_key key = {.epoch = EPOCH, .sender_id = 0, .sender_count = 4};
    memcpy(key.bytes, c->directions.key, THRONG_KEY_SIZE);
    assert_int_equal(throng_seeder_add_key(c->seeder, &key), 0);
    int fd = write_file(c, "object");
    assert_int_equal(
        throng_seeder_add(c->seeder, &c->made.id, c->made.bytes, c->made.size, c->made.hashes, fd, c->size), 0);
    close(fd);
    c->seeder_addr = throng_seeder_local(c->seeder);
}

void crowd_open(crowd *c, uint64_t size, uint64_t rate_bps)
{
    *c = (crowd){.size = size, .folder = "/tmp/throng-test-XXXXXX"};
    assert_int_equal(uv_loop_init(&c->loop), 0);
    assert_non_null(mkdtemp(c->folder));
    make_content(c);
    memset(c->token_key, 0x77, sizeof c->token_key);
    assert_int_equal(throng_signer_generate(&c->signer), 0);
    throng_manifest_options options;
    throng_manifest_options_default(&options);
    assert_int_equal(throng_manifest_make_from_memory(&c->made, c->content, size, &options, c->signer), 0);
    c->directions =
        (throng_directions){.object = c->made.id, .size = size, .chunk_size = options.chunk_size, .epoch = EPOCH};
    memset(c->directions.key, 0x42, THRONG_KEY_SIZE);
    start_seeder(c, rate_bps);
    c->directions.seeder.port = c->seeder_addr.port;
}

void crowd_close(crowd *c)
{
    throng_seeder_free(c->seeder);
    assert_int_equal(uv_run(&c->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&c->loop), 0);
    throng_signed_manifest_clear(&c->made);
    throng_signer_free(c->signer);
    free(c->content);
    assert_int_equal(rmdir(c->folder), 0);
}

static void on_manifest(throng_peer *peer, const throng_hash *object, const throng_manifest *manifest, void *user)
{
    crowd_peer *p = user;
    p->manifests++;
    assert_int_equal(manifest->geometry.size, p->crowd->size);
}

static void on_unit(throng_peer *peer, const throng_hash *object, uint32_t unit, void *user)
{
    ((crowd_peer *)user)->units++;
}

static void on_done(throng_peer *peer, const throng_hash *object, void *user)
{
    ((crowd_peer *)user)->done++;
}

static void on_stuck(throng_peer *peer, const throng_hash *object, int error, void *user)
{
    crowd_peer *p = user;
    p->stuck++;
    p->stuck_error = error;
}

static void on_store_failed(throng_peer *peer, const throng_hash *object, int error, void *user)
{
    ((crowd_peer *)user)->store_error = error;
}

static void on_liar(throng_peer *peer, const throng_hash *object, const throng_addr *addr, void *user)
{
    ((crowd_peer *)user)->liars++;
}

static void on_left(throng_peer *peer, void *user)
{
    ((crowd_peer *)user)->left = true;
}

void crowd_peer_open(crowd *c, crowd_peer *p, uint32_t number)
{
    *p = (crowd_peer){.crowd = c};
    snprintf(p->path, sizeof p->path, "%.100s/peer%u", c->folder, number);
    throng_peer_config config;
    throng_peer_config_default(&config, THRONG_PROFILE_THRONG);
    config.udp.bind = throng_addr_from_ipv4(127, 0, 0, 1, 0);
    config.hooks = (throng_peer_hooks){.manifest = on_manifest,
                                       .unit = on_unit,
                                       .done = on_done,
                                       .stuck = on_stuck,
                                       .store_failed = on_store_failed,
                                       .liar = on_liar,
                                       .left = on_left};
    config.user = p;
    assert_int_equal(throng_peer_new(&p->peer, &c->loop, &config), 0);
}

throng_directions crowd_directions(const crowd *c, uint32_t sender_id, const crowd_peer *const *peers, uint32_t count)
{
    throng_directions directions = c->directions;
    directions.sender_id = sender_id;
    throng_addr home = throng_addr_from_ipv4(127, 0, 0, 1, 0);
    throng_token_make(&directions.token, c->token_key, (uint32_t)time(NULL), sender_id, home.ip);
    for (uint32_t i = 0; i < count; i++)
        directions.peers[directions.peers_count++] = throng_peer_local(peers[i]->peer);
    return directions;
}

void crowd_peer_join(crowd_peer *p, const throng_directions *directions)
{
    throng_store_config config;
    throng_store_config_default(&config);
    config.path = p->path;
    config.object = &directions->object;
    assert_int_equal(throng_geometry_init(&config.geometry, directions->size, directions->chunk_size), 0);
    assert_int_equal(throng_store_open(&p->store, &config), 0);
    assert_int_equal(throng_peer_join(p->peer, directions, &p->crowd->seeder_addr, p->store), 0);
}

void crowd_peer_supply(crowd_peer *p, uint32_t first, uint32_t end)
{
    const crowd *c = p->crowd;
    const throng_geometry *g = &c->made.manifest.geometry;
    uint32_t from = 0, to = 0;
    for (uint32_t unit = first; unit < end; unit++) {
        throng_geometry_unit_chunks(g, unit, &from, &to);
        for (uint32_t chunk = from; chunk < to; chunk++)
            assert_int_equal(throng_store_put(p->store, chunk, c->content + (uint64_t)chunk * g->chunk_size,
                                              throng_geometry_chunk_bytes(g, chunk)),
                             0);
        const uint8_t *hash;
        assert_int_equal(throng_hashes_expected(c->made.hashes, unit, &hash), 0);
        assert_int_equal(throng_store_verify(p->store, unit, hash), 0);
        assert_int_equal(throng_peer_supply(p->peer, &c->made.id, from, to), 0);
    }
}

void crowd_peer_check(crowd_peer *p)
{
    const crowd *c = p->crowd;
    assert_int_equal(throng_store_commit(p->store, false), 0);
    int fd = open(p->path, O_RDONLY);
    assert_true(fd >= 0);
    uint8_t *bytes = malloc(c->size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, c->size + 1), c->size);
    assert_memory_equal(bytes, c->content, c->size);
    free(bytes);
    close(fd);
}

void crowd_peer_close(crowd_peer *p)
{
    throng_peer_free(p->peer);
    if (p->store && access(p->path, F_OK) < 0)
        throng_store_discard(p->store);
    throng_store_free(p->store);
    unlink(p->path);
}

static void on_limit(uv_timer_t *timer)
{
    ((crowd *)timer->data)->timed_out = true;
}

bool crowd_run(crowd *c, bool (*until)(void *user), void *user, uint32_t limit_ms)
{
    uv_timer_t *timer = malloc(sizeof *timer);
    assert_non_null(timer);
    uv_timer_init(&c->loop, timer);
    timer->data = c;
    c->timed_out = false;
    uv_update_time(&c->loop);
    uv_timer_start(timer, on_limit, limit_ms, 0);
    while (!c->timed_out && !until(user))
        uv_run(&c->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
    return until(user);
}
