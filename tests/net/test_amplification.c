/* Whoever has not proven its address gets no more than three times what it sent, from a peer or a seeder, whatever it
 * sends; nor does whom it names. Real sockets, real datagrams, the worst that an insider with the swarm key can say. */
#include "crowd.h"

#include <stdio.h>
#include <string.h>

#include "core/message/message.h"
#include "net/memory.h"
#include "net/udp.h"

enum {
    CHUNKS = 256,
    ROUNDS = 5,            /* each message so often: what one round may not, many must not either */
    FRAME_ALL = 0xfe,      /* every question in one datagram */
    FRAME_NONSENSE = 0xff, /* frame types that do not exist */
    WATCH_MS = 400,        /* retries and repeats come at most so late */
    FACTOR = 3,
};

/* The forger of addresses, whom it names, and what was said. */
typedef struct forger {
    throng_udp *udp;
    throng_udp *named;
    throng_keyring *keys;
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint64_t named_bytes;
} forger;

static throng_udp *open_socket(void)
{
    throng_udp_config config;
    throng_udp_config_default(&config);
    config.bind = throng_addr_from_ipv4(127, 0, 0, 1, 0);
    throng_udp *udp;
    assert_int_equal(throng_udp_open(&udp, &config), 0);
    return udp;
}

static forger forger_open(const crowd *c)
{
    forger f = {.udp = open_socket(), .named = open_socket()};
    assert_int_equal(throng_keyring_new(&f.keys, 1, 8), 0);
    throng_key key = {.epoch = c->directions.epoch, .sender_id = 666, .sender_count = 1};
    memcpy(key.bytes, c->directions.key, THRONG_KEY_SIZE);
    assert_int_equal(throng_keyring_add(f.keys, &key), 0);
    return f;
}

static void forger_close(forger *f)
{
    throng_udp_close(f->udp);
    throng_udp_close(f->named);
    throng_keyring_free(f->keys);
}

static void put_join(throng_writer *w, throng_tag tag)
{
    throng_token forged = {{0}};
    throng_alloc heap = throng_heap();
    throng_intervals *nothing;
    assert_int_equal(throng_intervals_new(&nothing, &heap, 1), 0);
    throng_join_encode(w, tag, &forged, false, nothing, 1);
    throng_intervals_free(nothing);
}

static void put_tagged(throng_writer *w, throng_frame type, throng_tag tag, const throng_addr *named)
{
    static const throng_interval all = {0, CHUNKS};
    throng_peers peers = {.object = tag, .count = 1, .addrs = {*named}};
    uint8_t bytes[THRONG_MANIFEST_PART_SIZE] = {1};
    switch (type) {
    case THRONG_FRAME_JOIN:
        put_join(w, tag);
        break;
    case THRONG_FRAME_WELCOME:
        throng_welcome_encode(w, &(throng_welcome){.observed = *named, .peers = peers});
        break;
    case THRONG_FRAME_INTRODUCE:
        throng_introduce_encode(w, &(throng_introduce){tag, *named});
        break;
    case THRONG_FRAME_REQUEST:
        throng_request_encode(w, tag, 1, 0, NULL, 0, &all, 1);
        break;
    case THRONG_FRAME_DATA:
        throng_data_encode(w, tag, 1, 3);
        throng_write_bytes(w, bytes, sizeof bytes);
        break;
    case THRONG_FRAME_PEERS:
        throng_peers_encode(w, &peers);
        break;
    case THRONG_FRAME_BUSY:
        throng_busy_encode(w, &(throng_busy){tag, 1, 0});
        break;
    case THRONG_FRAME_MANIFEST_GET:
        throng_manifest_get_encode(w, &(throng_manifest_get){tag, 0});
        break;
    case THRONG_FRAME_MANIFEST:
        throng_manifest_part_encode(w, &(throng_manifest_part){tag, sizeof bytes, 0, bytes, sizeof bytes});
        break;
    case THRONG_FRAME_HAVE:
    case THRONG_FRAME_FIRST_HANDSHAKE:
    case THRONG_FRAME_OFFER:
        throng_offer_encode(w, tag, &all, 1);
        w->start[0] = (uint8_t)type; /* the three differ in their type alone */
        break;
    default:
        throng_tag_frame_encode(w, type, tag);
    }
}

static void put_frame(throng_writer *w, uint8_t type, throng_tag tag, const throng_addr *named)
{
    static const uint8_t questions[] = {THRONG_FRAME_SEEK, THRONG_FRAME_MANIFEST_GET, THRONG_FRAME_REQUEST};
    if (type == THRONG_FRAME_PAD)
        throng_write_u8(w, type);
    else if (type == THRONG_FRAME_BYE)
        throng_bye_encode(w);
    else if (type == THRONG_FRAME_CHALLENGE || type == THRONG_FRAME_ANSWER)
        throng_cookie_encode(w, type, 0x1122334455667788u);
    else if (type == THRONG_FRAME_TIME)
        throng_time_encode(w, &(throng_time_frame){1, THRONG_TIME_NO_ECHO});
    else if (type == FRAME_NONSENSE)
        throng_write_bytes(w, (const uint8_t *)"\x7f\xff\xee", 3);
    else if (type == FRAME_ALL)
        for (size_t i = 0; i < sizeof questions; i++)
            put_tagged(w, questions[i], tag, named);
    else
        put_tagged(w, type, tag, named);
    assert_false(w->failed);
}

static void forge(forger *f, const crowd *c, uint8_t type, const throng_addr *to)
{
    uint8_t payload[THRONG_PAYLOAD_MAX];
    throng_writer w = throng_writer_on(payload, sizeof payload);
    throng_addr named = throng_udp_local(f->named);
    put_frame(&w, type, throng_hash_tag(&c->made.id), &named);
    uint8_t *slot = throng_udp_reserve(f->udp);
    assert_non_null(slot);
    int size = throng_keyring_seal(f->keys, 0, payload, throng_writer_size(&w), NULL, 0, slot);
    assert_true(size > 0);
    throng_udp_commit(f->udp, to, (size_t)size);
    assert_true(throng_udp_flush(f->udp));
    f->sent_bytes += (uint64_t)size;
}

static void count_bytes(const throng_udp_packet *packet, void *user)
{
    *(uint64_t *)user += packet->size;
}

static bool never(void *user)
{
    return false;
}

static void listen_to(forger *f)
{
    while (throng_udp_receive(f->udp, count_bytes, &f->received_bytes) > 0) {
    }
    while (throng_udp_receive(f->named, count_bytes, &f->named_bytes) > 0) {
    }
}

static void check_factor(const forger *f, uint8_t type, const char *whom)
{
    if (f->received_bytes + f->named_bytes > FACTOR * f->sent_bytes)
        fail_msg("frame 0x%02x to %s: %u bytes sent, %u came back, %u went to a third", type, whom,
                 (unsigned)f->sent_bytes, (unsigned)f->received_bytes, (unsigned)f->named_bytes);
}

enum { TARGETS = 3 };
static const char *const target_names[TARGETS] = {"a peer that has all", "a peer that fetches", "the seeder"};

/* Says `type` to each again and again, listens for long, and never answers. Returns how many bytes came back. */
static uint64_t forge_to_each(crowd *c, uint8_t type, const throng_addr to[TARGETS])
{
    forger forgers[TARGETS];
    for (int i = 0; i < TARGETS; i++)
        forgers[i] = forger_open(c);
    for (int round = 0; round <= ROUNDS; round++) {
        for (int i = 0; round < ROUNDS && i < TARGETS; i++)
            forge(&forgers[i], c, type, &to[i]);
        crowd_run(c, never, NULL, round < ROUNDS ? 20 : WATCH_MS);
        for (int i = 0; i < TARGETS; i++) {
            listen_to(&forgers[i]);
            check_factor(&forgers[i], type, target_names[i]);
        }
    }
    uint64_t received_bytes = 0;
    for (int i = 0; i < TARGETS; i++) {
        received_bytes += forgers[i].received_bytes;
        forger_close(&forgers[i]);
    }
    return received_bytes;
}

static bool is_ready(void *user)
{
    const crowd_peer *p = user;
    return p[0].done > 0 && p[1].manifests > 0;
}

static uint64_t forge_in_a_crowd(uint8_t type)
{
    crowd c;
    crowd_peer peers[2];
    crowd_open(&c, (uint64_t)CHUNKS * 1024, 64000);
    for (uint32_t i = 0; i < 2; i++) {
        crowd_peer_open(&c, &peers[i], i);
        throng_directions directions = crowd_directions(&c, 10 + i, NULL, 0);
        crowd_peer_join(&peers[i], &directions);
    }
    crowd_peer_supply(&peers[0], 0, c.made.manifest.geometry.metachunks);
    assert_true(crowd_run(&c, is_ready, peers, 10000));
    throng_addr to[TARGETS] = {throng_peer_local(peers[0].peer), throng_peer_local(peers[1].peer), c.seeder_addr};
    uint64_t received_bytes = forge_to_each(&c, type, to);
    crowd_peer_close(&peers[0]);
    crowd_peer_close(&peers[1]);
    crowd_close(&c);
    return received_bytes;
}

static void unproven_address_every_frame_type_gets_no_more_than_thrice(void **state)
{
    uint64_t received_bytes = 0;
    for (unsigned type = 0; type < THRONG_FRAME_END; type++)
        received_bytes += forge_in_a_crowd((uint8_t)type);
    received_bytes += forge_in_a_crowd(FRAME_ALL);
    assert_true(received_bytes > 0); /* challenges at the least: the forger does hear */
    assert_int_equal(forge_in_a_crowd(FRAME_NONSENSE), 0);
}

/* What is not sealed, is cut short, or was heard before gets no answer at all. */
static void unsealed_truncated_and_replayed_get_no_answer(void **state)
{
    crowd c;
    crowd_open(&c, 4096, 1000000);
    forger f = forger_open(&c);
    uint8_t sealed[THRONG_DATAGRAM_MAX], payload[64];
    throng_writer w = throng_writer_on(payload, sizeof payload);
    throng_addr named = throng_udp_local(f.named);
    put_frame(&w, THRONG_FRAME_MANIFEST_GET, throng_hash_tag(&c.made.id), &named);
    int size = throng_keyring_seal(f.keys, 0, payload, throng_writer_size(&w), NULL, 0, sealed);
    throng_seeder_stats before, after;
    throng_seeder_stats_get(c.seeder, &before);
    for (int kept = 0; kept < size; kept++) { /* every truncation */
        uint8_t *slot = throng_udp_reserve(f.udp);
        memcpy(slot, sealed, (size_t)kept);
        throng_udp_commit(f.udp, &c.seeder_addr, (size_t)kept);
        assert_true(throng_udp_flush(f.udp));
    }
    crowd_run(&c, never, NULL, 100);
    listen_to(&f);
    throng_seeder_stats_get(c.seeder, &after);
    assert_int_equal(f.received_bytes, 0);
    assert_int_equal(after.udp.received - before.udp.received, size);
    assert_int_equal(after.seal.opened, before.seal.opened);
    for (int i = 0; i < 3; i++) { /* once is answered, if by a challenge; again is not */
        uint8_t *slot = throng_udp_reserve(f.udp);
        memcpy(slot, sealed, (size_t)size);
        throng_udp_commit(f.udp, &c.seeder_addr, (size_t)size);
        assert_true(throng_udp_flush(f.udp));
    }
    crowd_run(&c, never, NULL, 100);
    throng_seeder_stats_get(c.seeder, &after);
    assert_int_equal(after.seal.opened - before.seal.opened, 1);
    assert_int_equal(after.seal.replayed - before.seal.replayed, 2);
    forger_close(&f);
    crowd_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unproven_address_every_frame_type_gets_no_more_than_thrice),
        cmocka_unit_test(unsealed_truncated_and_replayed_get_no_answer),
    };
    return cmocka_run_group_tests_name("amplification", tests, NULL, NULL);
}
