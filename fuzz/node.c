/* A whole node, fed whatever comes: payloads from a few addresses, time, completions of either kind. Nothing may trip
 * an assertion, read out of bounds, leak, or answer an unproven address with more than three times what it sent. */
#include <stdlib.h>
#include <string.h>

#include <throng/throng.h>

#include "message/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ADDRESSES = 4, OBJECT_BYTES = 40 * 1024 + 100 };

/* What a first contact may take, all tries together: an address that a frame named is spoken to before it spoke. */
enum { CONTACT_BYTES_MAX = 4 * 450 };

typedef struct account {
    uint64_t in, out;
} account;

static void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

static throng_addr address(uint32_t index)
{
    return throng_addr_from_ipv4(192, 0, 2, (uint8_t)(1 + index), 4000);
}

static throng_node *joined_node(const uint8_t profile)
{
    static const throng_alloc heap = {.resize = resize};
    throng_node_config config;
    throng_node_config_default(&config, profile & 1 ? THRONG_PROFILE_PAPER : THRONG_PROFILE_THRONG);
    config.degree_max = 4;
    memset(config.entropy, 7, sizeof config.entropy);
    throng_node *node;
    if (throng_node_new(&node, &config, &heap) < 0)
        abort();
    throng_directions directions = {.size = OBJECT_BYTES, .chunk_size = 1024, .peers_count = 1};
    memset(directions.object.bytes, 'o', sizeof directions.object.bytes);
    directions.peers[0] = address(1);
    throng_addr seeder = address(0);
    if (throng_node_join(node, 1000, &directions, &seeder, NULL) < 0)
        abort();
    static const throng_traits traits = {.bandwidth = 5, .landmarks = 1, .delays = {9, 9}};
    if (throng_node_set_traits(node, 1000, &traits, true) < 0)
        abort();
    return node;
}

static uint32_t index_of(const throng_addr *addr)
{
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        throng_addr known = address(i);
        if (throng_addr_equal(&known, addr))
            return i;
    }
    return ADDRESSES; /* one that a PEERS frame named */
}

static void drain(throng_node *node, throng_time now, uint8_t verdict, account accounts[ADDRESSES + 1])
{
    throng_event event;
    while (throng_node_poll_event(node, &event))
        if (event.type == THRONG_EVENT_VERIFY || event.type == THRONG_EVENT_MANIFEST)
            (void)!throng_node_complete(node, now, event.request, verdict & 1 ? THRONG_ERR_TAMPERED : 0);
    throng_datagram datagram;
    for (int sent = 0; sent < 1000 && throng_node_poll_send(node, now, &datagram); sent++) {
        if ((size_t)datagram.head_size + datagram.body_size > THRONG_PAYLOAD_MAX)
            abort();
        account *to = &accounts[index_of(&datagram.to)];
        to->out += datagram.head_size + datagram.body_size + THRONG_SEAL_OVERHEAD;
        /* Seeder and first peer were named by the directions; one beyond may be many. */
        if (index_of(&datagram.to) >= 2 && index_of(&datagram.to) < ADDRESSES &&
            to->out > 3 * to->in + CONTACT_BYTES_MAX)
            abort();
    }
}

/* A step: u8 kind and address, then for a payload u8 length (times 5) and that many bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    throng_node *node = joined_node(data[0]);
    throng_reader r = throng_reader_on(data + 1, size - 1);
    account accounts[ADDRESSES + 1] = {0};
    throng_time now = 1000;
    while (throng_reader_left(&r) >= 2) {
        uint8_t kind = throng_read_u8(&r);
        uint8_t amount = throng_read_u8(&r);
        uint32_t from = kind >> 6;
        now += amount * (throng_time)100;
        if (kind & 1) {
            now += amount * THRONG_MS;
            (void)!throng_node_tick(node, now);
        } else {
            size_t length = amount * 5u;
            if (length > throng_reader_left(&r))
                length = throng_reader_left(&r);
            throng_addr addr = address(from);
            accounts[from].in += length + THRONG_SEAL_OVERHEAD;
            (void)!throng_node_recv(node, now, &addr, throng_read_bytes(&r, length), length);
        }
        drain(node, now, kind >> 1, accounts);
    }
    (void)!throng_node_leave(node, now);
    drain(node, now, 0, accounts);
    throng_node_free(node);
    return 0;
}
