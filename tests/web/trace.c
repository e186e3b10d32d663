/* trace SEED: five peers of a browser's kind pass an object to each other in virtual time, with delays, losses and
 * units that fail, all drawn from the seed. What goes into each node stands on lines that begin with ">", what comes
 * out on lines with "<". trace.test.mjs does the same to the core as WebAssembly, and has to get the same lines. */
#include <throng/node.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NODES = 5,
    SIZE = 96 * 1024 + 77,
    CHUNK = 1024,
    PACKETS_MAX = 4096,
    PENDING_MAX = 64,
    STEPS_MAX = 200000,
    LOSS_PERCENT = 5,
    FAILURE_PERCENT = 1, /* more, and those who are blamed are soon all banned */
};

#define END (20 * THRONG_SECOND)

typedef struct packet {
    throng_time at;
    uint32_t from, to;
    uint32_t size;
    uint8_t bytes[THRONG_PAYLOAD_MAX];
} packet;

typedef struct world {
    throng_node *nodes[NODES];
    packet *packets; /* no order */
    uint32_t packets_count;
    throng_time now;
    uint64_t random;
    uint8_t content[SIZE];
} world;

static void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

/* xorshift64* */
static uint32_t below(world *w, uint32_t limit)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return (uint32_t)((w->random * 0x2545f4914f6cdd1du) >> 33) % limit;
}

/* As web/core/host.c has it: id i + 1. */
static throng_addr address(uint32_t node)
{
    return (throng_addr){.ip = {[0] = 1, [15] = (uint8_t)(node + 1)}, .port = 1};
}

static void print_hex(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        printf("%02x", bytes[i]);
}

static void send_off(world *w, uint32_t from, const throng_datagram *d, const uint8_t *payload, uint32_t size)
{
    uint32_t to = (uint32_t)d->to.ip[15] - 1;
    if (to >= NODES || below(w, 100) < LOSS_PERCENT || w->packets_count == PACKETS_MAX)
        return;
    packet *p = &w->packets[w->packets_count++];
    *p = (packet){.at = w->now + 10 * THRONG_MS + below(w, 30000), .from = from, .to = to, .size = size};
    memcpy(p->bytes, payload, size);
}

static void drain_sends(world *w, uint32_t node)
{
    throng_datagram d;
    printf("> %u send %llu\n", node, (unsigned long long)w->now);
    while (throng_node_poll_send(w->nodes[node], w->now, &d)) {
        uint8_t payload[THRONG_PAYLOAD_MAX];
        memcpy(payload, d.head, d.head_size);
        if (d.body_size > 0)
            memcpy(payload + d.head_size, d.body ? d.body : w->content + d.body_offset, d.body_size);
        printf("< %u to %u ", node, d.to.ip[15]);
        print_hex(payload, (size_t)d.head_size + d.body_size);
        putchar('\n');
        send_off(w, node, &d, payload, (uint32_t)d.head_size + d.body_size);
    }
}

/* Prints what there is, and completes what asks for it; some units fail. */
static void settle(world *w, uint32_t node)
{
    for (bool more = true; more;) {
        uint64_t pending[PENDING_MAX];
        bool unit[PENDING_MAX];
        uint32_t count = 0;
        throng_event event;
        while (count < PENDING_MAX && throng_node_poll_event(w->nodes[node], &event)) {
            printf("< %u event %d\n", node, (int)event.type);
            if (event.type == THRONG_EVENT_VERIFY || event.type == THRONG_EVENT_MANIFEST) {
                unit[count] = event.type == THRONG_EVENT_VERIFY;
                pending[count++] = event.request;
            }
        }
        more = count > 0;
        for (uint32_t i = 0; i < count; i++) {
            int result = unit[i] && below(w, 100) < FAILURE_PERCENT ? THRONG_ERR_TAMPERED : 0;
            printf("> %u complete %llu %llu %d\n", node, (unsigned long long)w->now, (unsigned long long)pending[i],
                   result);
            throng_node_complete(w->nodes[node], w->now, pending[i], result);
        }
    }
    drain_sends(w, node);
}

static void start(world *w, uint32_t node)
{
    throng_node_config config;
    throng_alloc alloc = {.resize = resize};
    throng_node_config_default(&config, THRONG_PROFILE_THRONG);
    config.tab_bytes = 1 << 20;
    config.degree_max = 12;
    config.window_max = THRONG_BROWSER_WINDOW;
    config.give_ahead_bytes = 65536;
    config.host_jitter = 40 * THRONG_MS;
    config.neighbour_window = 8;
    config.have_interval = 1000 * THRONG_MS;
    config.seek_interval = 500 * THRONG_MS;
    config.give_percent = node == 0 ? 0 : 100;
    for (uint32_t i = 0; i < sizeof config.entropy; i++)
        config.entropy[i] = (uint8_t)below(w, 256);
    printf("> %u start %u ", node, config.give_percent);
    print_hex(config.entropy, sizeof config.entropy);
    putchar('\n');
    if (throng_node_new(&w->nodes[node], &config, &alloc) < 0)
        abort();
}

/* A manifest whose hashes and signature nobody looks at: the completions decide. */
static void offer(world *w, const throng_hash *id)
{
    uint8_t bytes[THRONG_MANIFEST_SIZE_MAX], hashes[THRONG_HASH_LIST_MAX * 32] = {0}, zeroes[32] = {0};
    throng_manifest manifest = {
        .headers = "Content-Type: text/html\r\n", .path = zeroes, .hashes = hashes, .public_key = zeroes};
    throng_alloc alloc = {.resize = resize};
    throng_hashes *list;
    manifest.headers_size = strlen(manifest.headers);
    manifest.version = 1;
    manifest.expires_unix_s = 4102444800;
    throng_geometry_init(&manifest.geometry, SIZE, CHUNK);
    int size = throng_manifest_encode(&manifest, bytes, sizeof bytes);
    if (size < 0 || throng_hashes_new(&list, &alloc, &manifest.geometry, hashes) < 0)
        abort();
    memset(bytes + size, 0, THRONG_SIGNATURE_SIZE);
    size += THRONG_SIGNATURE_SIZE;
    printf("> 0 offer %llu ", (unsigned long long)w->now);
    print_hex(id->bytes, sizeof id->bytes);
    putchar(' ');
    print_hex(bytes, (size_t)size);
    putchar('\n');
    if (throng_node_offer(w->nodes[0], w->now, id, bytes, (size_t)size, list, (void *)1) < 0)
        abort();
}

/* Each names the node before it. */
static void join(world *w, uint32_t node, const throng_hash *id)
{
    char uri[THRONG_DIRECTIONS_URI_MAX + 1];
    throng_directions directions = {
        .object = *id, .size = SIZE, .chunk_size = CHUNK, .sender_id = node, .peers_count = 1};
    throng_addr seeder = {.ip = {1}, .port = 1};
    directions.seeder.port = 1;
    directions.peers[0] = address(node - 1);
    if (throng_directions_encode(&directions, uri, sizeof uri) < 0)
        abort();
    printf("> %u join %llu %s\n", node, (unsigned long long)w->now, uri);
    if (throng_node_join(w->nodes[node], w->now, &directions, &seeder, (void *)1) < 0)
        abort();
    settle(w, node);
}

static void deliver(world *w, uint32_t index)
{
    packet p = w->packets[index];
    w->packets[index] = w->packets[--w->packets_count];
    throng_addr from = address(p.from);
    printf("> %u recv %llu %u ", p.to, (unsigned long long)w->now, p.from + 1);
    print_hex(p.bytes, p.size);
    putchar('\n');
    throng_node_recv(w->nodes[p.to], w->now, &from, p.bytes, p.size);
    settle(w, p.to);
}

/* The earliest packet or deadline, whichever is first. False when there is nothing more before the end. */
static bool step(world *w)
{
    throng_time at = END;
    int32_t who = -1, which = -1;
    for (uint32_t i = 0; i < NODES; i++)
        if (throng_node_next_deadline(w->nodes[i]) < at) {
            at = throng_node_next_deadline(w->nodes[i]);
            who = (int32_t)i;
        }
    for (uint32_t i = 0; i < w->packets_count; i++)
        if (w->packets[i].at < at) {
            at = w->packets[i].at;
            which = (int32_t)i;
        }
    if (which < 0 && who < 0)
        return false;
    w->now = at > w->now ? at : w->now;
    if (which >= 0) {
        deliver(w, (uint32_t)which);
    } else {
        printf("> %d tick %llu\n", who, (unsigned long long)w->now);
        throng_node_tick(w->nodes[who], w->now);
        settle(w, (uint32_t)who);
    }
    return true;
}

int main(int argc, char **argv)
{
    world *w = calloc(1, sizeof *w);
    throng_hash id;
    if (!w || argc != 2)
        return 2;
    w->packets = calloc(PACKETS_MAX, sizeof *w->packets);
    w->random = strtoull(argv[1], NULL, 10) * 2 + 1;
    w->now = THRONG_SECOND;
    for (uint32_t i = 0; i < SIZE; i++)
        w->content[i] = (uint8_t)(i * 31 + i / 256);
    for (uint32_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)below(w, 256);
    for (uint32_t i = 0; i < NODES; i++)
        start(w, i);
    offer(w, &id);
    for (uint32_t i = 1; i < NODES; i++)
        join(w, i, &id);
    for (uint32_t steps = 0; steps < STEPS_MAX && step(w); steps++) {
    }
    throng_object_info info;
    for (uint32_t i = 1; i < NODES; i++)
        printf("< %u done %d\n", i, throng_node_object(w->nodes[i], &id, &info) == 0 && info.done);
    for (uint32_t i = 0; i < NODES; i++)
        throng_node_free(w->nodes[i]);
    free(w->packets);
    free(w);
    return 0;
}
