/* A whole seeder, fed whatever comes from a few addresses: payloads, time, changes of rate and of what it seeds.
 * Nothing may trip an assertion, read out of bounds or leak, answer an unproven address with more than three times what
 * it sent, or pass the rate. */
#include <stdlib.h>
#include <string.h>

#include <throng/seed.h>

#include "message/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ADDRESSES = 8, OBJECTS = 2, MANIFEST_MAX = 70 * 1024, UNIX_NOW = 1700000000, MBIT = 1000000 };

/* The kinds of step. */
enum { PAYLOAD, FRAME, JOIN, ANSWER, WAIT, RATE, REPLACE, PEERS };

typedef struct account {
    uint64_t in, out;
    uint64_t cookie;
    bool proven;
} account;

typedef struct world {
    throng_seed *seed;
    throng_seed_config config;
    throng_time now;
    throng_hash ids[OBJECTS];
    uint8_t *manifests[OBJECTS];
    size_t manifest_sizes[OBJECTS];
    account accounts[ADDRESSES];
    uint64_t allowed; /* bytes that the rate has let pass, in bits times microseconds */
    uint64_t rate_bps;
    uint64_t sent;
} world;

static void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

static const throng_alloc heap = {.resize = resize};

static throng_addr address(uint32_t index)
{
    throng_addr addr = throng_addr_from_ipv4(192, 0, 2, (uint8_t)(1 + index), 4000);
    return addr;
}

/* A small object, and one of which a bit stands for several chunks and whose hashes fill pages. */
static void make_object(world *w, uint32_t index)
{
    static const uint8_t list[THRONG_HASH_LIST_MAX * THRONG_HASH_SIZE];
    throng_manifest m = {.headers = "", .path = list, .hashes = list, .public_key = list};
    if (throng_geometry_init(&m.geometry, index == 0 ? 200 * 1024 + 7 : 50000 * 1024, 1024) < 0)
        abort();
    memset(w->ids[index].bytes, (int)('a' + index), THRONG_HASH_SIZE);
    w->manifests[index] = malloc(MANIFEST_MAX);
    if (!w->manifests[index])
        abort();
    int size = throng_manifest_encode(&m, w->manifests[index], MANIFEST_MAX - THRONG_SIGNATURE_SIZE);
    if (size < 0)
        abort();
    memset(w->manifests[index] + size, 0, THRONG_SIGNATURE_SIZE);
    w->manifest_sizes[index] = (size_t)size + THRONG_SIGNATURE_SIZE;
}

static void add_object(world *w, uint32_t index)
{
    if (throng_seed_add(w->seed, w->now, &w->ids[index], w->manifests[index], w->manifest_sizes[index], NULL, NULL) < 0)
        abort();
}

static void start(world *w)
{
    throng_seed_config_default(&w->config);
    w->config.peers_max = 4; /* fewer than there are addresses */
    w->config.objects_max = 4;
    w->config.rate_bps = w->rate_bps = 10 * MBIT;
    w->now = 1000;
    if (throng_seed_new(&w->seed, &w->config, &heap) < 0)
        abort();
    const throng_addr landmarks[] = {address(100), address(101)};
    throng_seed_set_landmarks(w->seed, landmarks, 2);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        make_object(w, i);
        add_object(w, i);
    }
}

static void pass(world *w, throng_time duration)
{
    w->now += duration;
    w->allowed += w->rate_bps * duration;
}

static void recv_from(world *w, uint32_t from, const uint8_t *bytes, size_t size)
{
    throng_addr addr = address(from);
    w->accounts[from].in += size + THRONG_SEAL_OVERHEAD;
    (void)!throng_seed_recv(w->seed, w->now, UNIX_NOW, from, &addr, bytes, size);
}

static void keep_cookie(account *to, const throng_datagram *datagram)
{
    throng_reader r = throng_reader_on(datagram->head + 1, datagram->head_size - 1u);
    if (datagram->head[0] == THRONG_FRAME_CHALLENGE)
        (void)!throng_cookie_decode(&to->cookie, &r);
}

static void drain(world *w)
{
    throng_datagram datagram;
    while (throng_seed_poll_send(w->seed, w->now, &datagram)) {
        size_t size = (size_t)datagram.head_size + datagram.body_size + THRONG_SEAL_OVERHEAD;
        uint32_t index = datagram.to.ip[15] - 1u;
        if (size > THRONG_DATAGRAM_MAX || index >= ADDRESSES)
            abort();
        account *to = &w->accounts[index];
        to->out += size;
        if (!to->proven && to->out > 3 * to->in)
            abort();
        keep_cookie(to, &datagram);
        w->sent += size + 28;
        /* Bursts of all rates so far: 10 ms of the highest. */
        if (w->sent * 8 * THRONG_SECOND > w->allowed + 255 * (uint64_t)MBIT * w->config.burst)
            abort();
    }
    throng_time next = throng_seed_next_deadline(w->seed);
    if (next <= w->now)
        (void)!throng_seed_tick(w->seed, w->now);
    if (throng_seed_next_deadline(w->seed) <= w->now)
        abort(); /* a host would spin */
}

static void join(world *w, uint32_t from, uint32_t object)
{
    uint8_t bytes[64];
    throng_addr addr = address(from);
    throng_token token;
    throng_token_make(&token, w->config.token_key, UNIX_NOW, from, addr.ip);
    throng_writer writer = throng_writer_on(bytes, sizeof bytes);
    throng_write_u8(&writer, THRONG_FRAME_JOIN);
    throng_write_u64(&writer, throng_hash_tag(&w->ids[object]));
    throng_write_bytes(&writer, token.bytes, sizeof token.bytes);
    throng_write_u16(&writer, 0);
    w->accounts[from].proven = true;
    recv_from(w, from, bytes, throng_writer_size(&writer));
}

static void answer(world *w, uint32_t from)
{
    uint8_t bytes[16];
    throng_writer writer = throng_writer_on(bytes, sizeof bytes);
    throng_cookie_encode(&writer, THRONG_FRAME_ANSWER, w->accounts[from].cookie);
    w->accounts[from].proven = true;
    recv_from(w, from, bytes, throng_writer_size(&writer));
}

static void payload(world *w, uint32_t from, throng_reader *r, bool frame)
{
    uint8_t bytes[THRONG_PAYLOAD_MAX];
    throng_writer writer = throng_writer_on(bytes, sizeof bytes);
    size_t length = throng_read_u8(r) * 4u;
    if (frame) {
        /* A type and the name of an object, so that what follows is looked at. */
        uint8_t type = throng_read_u8(r);
        throng_write_u8(&writer, type & 0x3f);
        throng_write_u64(&writer, throng_hash_tag(&w->ids[type >> 7]));
    }
    if (length > throng_reader_left(r))
        length = throng_reader_left(r);
    throng_write_bytes(&writer, throng_read_bytes(r, length), length);
    recv_from(w, from, bytes, throng_writer_size(&writer));
}

/* A step: u8 kind, address, object; for some kinds u8 amount; for payloads u8 length / 4, (type,) bytes. */
static void step(world *w, throng_reader *r)
{
    uint8_t kind = throng_read_u8(r);
    uint32_t from = kind >> 3 & 7, object = kind >> 6 & 1;
    throng_addr peers[16];
    switch (kind & 7) {
    case PAYLOAD:
    case FRAME:
        payload(w, from, r, (kind & 7) == FRAME);
        break;
    case JOIN:
        join(w, from, object);
        break;
    case ANSWER:
        answer(w, from);
        break;
    case WAIT:
        pass(w, throng_read_u8(r) * (from == 7 ? 50 * THRONG_MS : 200));
        break;
    case RATE:
        w->rate_bps = throng_read_u8(r) * (uint64_t)MBIT;
        throng_seed_set_rate(w->seed, w->now, w->rate_bps);
        break;
    case REPLACE:
        if (throng_seed_remove(w->seed, w->now, &w->ids[object]) < 0)
            abort();
        add_object(w, object);
        break;
    default:
        if (throng_seed_peers(w->seed, w->now, &w->ids[object], peers, 16) > w->config.peers_max)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {0};
    start(&w);
    throng_reader r = throng_reader_on(data, size);
    while (throng_reader_left(&r) > 0) {
        step(&w, &r);
        drain(&w);
    }
    throng_seed_free(w.seed);
    for (uint32_t i = 0; i < OBJECTS; i++)
        free(w.manifests[i]);
    return 0;
}
