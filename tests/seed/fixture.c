#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint8_t token_key[THRONG_KEY_SIZE] = {'t', 'o', 'k', 'e', 'n'};

throng_seed_config fixture_config(uint64_t rate_bps)
{
    throng_seed_config config;
    throng_seed_config_default(&config);
    memset(config.entropy, 0x5a, sizeof config.entropy);
    memcpy(config.token_key, token_key, sizeof token_key);
    config.rate_bps = rate_bps;
    config.objects_max = 64; /* a small directory is made sooner */
    config.peers_max = 4096;
    return config;
}

static void make_hashes(fixture *f, const throng_alloc *alloc)
{
    assert_int_equal(throng_hashes_new(&f->hashes, alloc, &f->geometry, NULL), 0);
    uint8_t hash[THRONG_HASH_SIZE];
    for (uint32_t unit = 0; unit < f->geometry.units; unit++) {
        memset(hash, (int)(unit * 7 + 1), sizeof hash);
        assert_int_equal(throng_hashes_set(f->hashes, unit, hash), 0);
    }
}

static void make_manifest(fixture *f)
{
    static const uint8_t zero[THRONG_HASH_SIZE];
    throng_manifest m = {
        .geometry = f->geometry,
        .version = 1,
        .expires_unix_s = 2000000000,
        .path = zero,
        .headers = "Content-Type: text/plain\r\n",
        .headers_size = 26,
        .hashes = throng_hashes_list(f->hashes),
        .public_key = zero,
    };
    f->manifest = malloc(THRONG_MANIFEST_SIZE_MAX);
    assert_non_null(f->manifest);
    int size = throng_manifest_encode(&m, f->manifest, THRONG_MANIFEST_SIZE_MAX - THRONG_SIGNATURE_SIZE);
    assert_true(size > 0);
    memset(f->manifest + size, 0x33, THRONG_SIGNATURE_SIZE);
    f->manifest_size = (size_t)size + THRONG_SIGNATURE_SIZE;
}

void fixture_start(fixture *f, const throng_seed_config *config, uint64_t size)
{
    memset(f, 0, sizeof *f);
    throng_alloc alloc = test_heap_alloc(&f->heap);
    f->now = 1000 * THRONG_SECOND;
    f->log = malloc(SENT_MAX * sizeof *f->log);
    assert_non_null(f->log);
    assert_int_equal(throng_geometry_init(&f->geometry, size, CHUNK), 0);
    make_hashes(f, &alloc);
    make_manifest(f);
    memset(f->id.bytes, 0x77, sizeof f->id.bytes);
    f->tag = throng_hash_tag(&f->id);
    assert_int_equal(throng_seed_new(&f->seed, config, &alloc), 0);
    assert_int_equal(throng_seed_add(f->seed, f->now, &f->id, f->manifest, f->manifest_size, f->hashes, &f->content),
                     0);
}

void fixture_stop(fixture *f)
{
    throng_seed_free(f->seed);
    throng_hashes_free(f->hashes);
    assert_int_equal(f->heap.blocks, 0);
    free(f->manifest);
    free(f->log);
}

throng_addr client_addr(uint32_t client)
{
    return throng_addr_from_ipv4(100, (uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client, 4000);
}

uint32_t client_of(const throng_addr *addr)
{
    return (uint32_t)addr->ip[13] << 16 | (uint32_t)addr->ip[14] << 8 | addr->ip[15];
}

throng_token client_token(uint32_t client, uint32_t unix_s)
{
    throng_addr addr = client_addr(client);
    throng_token token;
    throng_token_make(&token, token_key, unix_s, client, addr.ip);
    return token;
}

int say(fixture *f, uint32_t client, const uint8_t *payload, size_t size)
{
    /* A copy of exactly its size, so that reading past its end shows. */
    uint8_t *copy = malloc(size + (size == 0));
    assert_non_null(copy);
    memcpy(copy, payload, size);
    throng_addr from = client_addr(client);
    uint32_t unix_s = UNIX_NOW + (uint32_t)(f->now / THRONG_SECOND) - 1000;
    int result = throng_seed_recv(f->seed, f->now, unix_s, client, &from, copy, size);
    free(copy);
    return result;
}

int say_w(fixture *f, uint32_t client, const throng_writer *w)
{
    assert_false(w->failed);
    return say(f, client, w->start, throng_writer_size(w));
}

/* JOIN and chunk sets by hand: the encoders want sets, and the fixture's clients have none. */
int join(fixture *f, uint32_t client)
{
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    /* Tokens last a minute; whoever says JOIN again soon shows the same one. */
    uint32_t unix_s = UNIX_NOW + (uint32_t)(f->now / THRONG_SECOND - 1000) / 30 * 30;
    throng_token token = client_token(client, unix_s);
    throng_write_u8(&w, THRONG_FRAME_JOIN);
    throng_write_u64(&w, f->tag);
    throng_write_bytes(&w, token.bytes, sizeof token.bytes);
    throng_write_u8(&w, 0);
    throng_write_u8(&w, 0);
    return say_w(f, client, &w);
}

int bye(fixture *f, uint32_t client)
{
    uint8_t bytes[4];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_bye_encode(&w);
    return say_w(f, client, &w);
}

static void write_request(throng_writer *w, throng_tag tag, uint32_t request, uint32_t any)
{
    throng_write_u8(w, THRONG_FRAME_REQUEST);
    throng_write_u64(w, tag);
    throng_write_varint(w, request);
    throng_write_varint(w, any);
}

int ask_any_but(fixture *f, uint32_t client, uint32_t request, uint32_t any, const throng_interval *has, uint32_t count)
{
    uint8_t bytes[1024];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    write_request(&w, f->tag, request, any);
    throng_chunk_set_encode_intervals(&w, has, count);
    throng_write_u8(&w, 0);
    return say_w(f, client, &w);
}

int ask_any(fixture *f, uint32_t client, uint32_t request, uint32_t any, uint32_t has)
{
    throng_interval from_start = {0, has};
    return ask_any_but(f, client, request, any, &from_start, has > 0);
}

int ask_named(fixture *f, uint32_t client, uint32_t request, uint32_t first, uint32_t end)
{
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    write_request(&w, f->tag, request, 0);
    throng_write_u8(&w, 0);
    throng_chunk_set_encode_intervals(&w, &(throng_interval){first, end}, 1);
    return say_w(f, client, &w);
}

int tell_have(fixture *f, uint32_t client, uint32_t first, uint32_t end)
{
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_u8(&w, THRONG_FRAME_HAVE);
    throng_write_u64(&w, f->tag);
    throng_chunk_set_encode_intervals(&w, &(throng_interval){first, end}, 1);
    return say_w(f, client, &w);
}

static void read_frame(sent *s, throng_reader *r)
{
    throng_busy busy;
    throng_introduce introduce;
    throng_landmarks landmarks;
    throng_manifest_part part;
    throng_have offer;
    throng_served served;
    s->type = (throng_frame)throng_read_u8(r);
    switch (s->type) {
    case THRONG_FRAME_DATA:
        /* The header alone: what follows is the body, by reference. */
        (void)throng_read_u64(r);
        s->request = (uint32_t)throng_read_varint(r);
        s->chunk = (uint32_t)throng_read_varint(r);
        break;
    case THRONG_FRAME_WELCOME:
        assert_int_equal(throng_welcome_decode(&s->welcome, r), 0);
        break;
    case THRONG_FRAME_PEERS:
        assert_int_equal(throng_peers_decode(&s->welcome.peers, r), 0);
        break;
    case THRONG_FRAME_INTRODUCE:
        assert_int_equal(throng_introduce_decode(&introduce, r), 0);
        s->newcomer = introduce.newcomer;
        break;
    case THRONG_FRAME_BUSY:
        assert_int_equal(throng_busy_decode(&busy, r), 0);
        s->request = busy.request;
        s->wait_ms = busy.wait_ms;
        break;
    case THRONG_FRAME_MANIFEST:
        assert_int_equal(throng_manifest_part_decode(&part, r), 0);
        s->offset = part.offset;
        s->total = part.total;
        s->body_size = (uint32_t)part.size;
        break;
    case THRONG_FRAME_LANDMARKS:
        assert_int_equal(throng_landmarks_decode(&landmarks, r), 0);
        break;
    case THRONG_FRAME_OFFER:
        assert_int_equal(throng_have_decode(&offer, r), 0);
        throng_chunk_walk walk = throng_chunk_set_walk(&offer.have);
        (void)throng_chunk_walk_next(&walk, &s->offered);
        break;
    case THRONG_FRAME_NO_FILE:
        assert_int_equal(throng_tag_frame_decode(&s->object, r), 0);
        break;
    case THRONG_FRAME_CHALLENGE:
        assert_int_equal(throng_cookie_decode(&s->cookie, r), 0);
        break;
    case THRONG_FRAME_SERVED:
        assert_int_equal(throng_served_decode(&served, r), 0);
        break;
    default:
        fail_msg("a frame that no seeder sends: %d", (int)s->type);
    }
    assert_false(r->failed);
    assert_int_equal(throng_reader_left(r), 0);
}

static void keep(fixture *f, const throng_datagram *d)
{
    assert_true(f->count < SENT_MAX);
    sent *s = &f->log[f->count++];
    *s = (sent){.at = f->now, .to = client_of(&d->to), .payload_size = d->head_size + d->body_size};
    assert_in_range(s->payload_size, 1, THRONG_PAYLOAD_MAX);
    s->cost = s->payload_size + THRONG_SEAL_OVERHEAD + 28;
    throng_reader r = throng_reader_on(d->head, d->head_size);
    read_frame(s, &r);
    if (s->type != THRONG_FRAME_DATA)
        return;
    s->body_size = d->body_size;
    s->body_offset = d->body_offset;
    s->body = d->body;
    s->content = d->content;
}

static void take_all(fixture *f)
{
    throng_datagram d;
    while (throng_seed_poll_send(f->seed, f->now, &d))
        keep(f, &d);
}

void forget_sent(fixture *f)
{
    f->count = 0;
}

uint32_t drain(fixture *f)
{
    forget_sent(f);
    take_all(f);
    return f->count;
}

void run_until(fixture *f, throng_time end)
{
    take_all(f);
    for (;;) {
        throng_time next = throng_seed_next_deadline(f->seed);
        if (next >= end)
            break;
        if (next > f->now)
            f->now = next;
        assert_int_equal(throng_seed_tick(f->seed, f->now), 0);
        take_all(f);
        /* Whoever waits for a deadline must not be told the same one again. */
        assert_true(throng_seed_next_deadline(f->seed) > f->now);
    }
    f->now = end;
}

uint32_t count_sent(const fixture *f, uint32_t client, throng_frame type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; i++)
        count += f->log[i].type == type && (client == UINT32_MAX || f->log[i].to == client);
    return count;
}

const sent *find_sent(const fixture *f, uint32_t client, throng_frame type)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->log[i].type == type && (client == UINT32_MAX || f->log[i].to == client))
            return &f->log[i];
    fail_msg("no frame %d went to client %u", (int)type, client);
    return NULL;
}

throng_seed_stats stats_of(const fixture *f)
{
    throng_seed_stats stats;
    throng_seed_stats_get(f->seed, &stats);
    return stats;
}
