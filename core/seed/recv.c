/* A payload's frames, dispatched. What an address has not proven itself for is not done: it is challenged, once a
 * datagram, with less than it sent. Nothing is remembered of it. */
#include "state.h"

typedef int (*receiver)(throng_seed *seed, seed_arrival *arrival, throng_reader *r);

static int skip_tag(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_tag tag;
    return throng_tag_frame_decode(&tag, r);
}

static int skip_time(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_time_frame time;
    return throng_time_decode(&time, r);
}

static int skip_pad(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    return 0;
}

/* What a client may send to the seeder. NO_FILE and TIME are meant for peers and mean nothing here. */
static const struct {
    receiver receive;
    bool proves; /* is itself about proving the address */
    bool silent; /* asks for no answer: not worth a challenge */
} receivers[THRONG_FRAME_END] = {
    [THRONG_FRAME_PAD] = {skip_pad, true, true},
    [THRONG_FRAME_JOIN] = {throng_seed_recv_join, true, false},
    [THRONG_FRAME_ANSWER] = {throng_seed_recv_answer, true, true},
    [THRONG_FRAME_TIME] = {skip_time, true, true},
    [THRONG_FRAME_NO_FILE] = {skip_tag, true, true},
    [THRONG_FRAME_REQUEST] = {throng_seed_recv_request, false, false},
    [THRONG_FRAME_HAVE] = {throng_seed_recv_have, false, false},
    [THRONG_FRAME_BYE] = {throng_seed_recv_bye, false, true},
    [THRONG_FRAME_SEEK] = {throng_seed_recv_seek, false, false},
    [THRONG_FRAME_MANIFEST_GET] = {throng_seed_recv_manifest_get, false, false},
    [THRONG_FRAME_TRAITS] = {throng_seed_recv_traits, false, false},
    [THRONG_FRAME_SERVE] = {throng_seed_recv_serve, false, false},
    [THRONG_FRAME_FIRST_HANDSHAKE] = {throng_seed_recv_first_handshake, false, false},
};

/* Known by address and by a sender id under which it proved itself: an insider who forges addresses would have to know
 * that, too. */
static seed_client *known(const throng_seed *seed, const throng_addr *from, uint32_t sender_id)
{
    seed_client *client = throng_seed_client_find(seed, from);
    bool proven = client && (client->sender_id == sender_id || client->sender_id_before == sender_id);
    return proven ? client : NULL;
}

static int receive_all(throng_seed *seed, seed_arrival *arrival, throng_reader *r, bool *ret_unproven)
{
    while (throng_reader_left(r) > 0) {
        uint8_t type = throng_read_u8(r);
        if (type >= THRONG_FRAME_END || !receivers[type].receive) {
            seed->stats.datagrams_foreign++;
            return THRONG_ERR_NOT_FOUND;
        }
        if (!arrival->client && !receivers[type].proves) {
            /* Not even decoded: the client will say it again once it has proven itself. */
            *ret_unproven = !receivers[type].silent;
            return THRONG_ERR_UNPROVEN;
        }
        int error = receivers[type].receive(seed, arrival, r);
        if (error == THRONG_ERR_UNPROVEN)
            *ret_unproven = true;
        else if (error < 0)
            return error;
    }
    return *ret_unproven ? THRONG_ERR_UNPROVEN : 0;
}

int throng_seed_recv(throng_seed *seed, throng_time now, uint32_t now_unix_s, uint32_t sender_id,
                     const throng_addr *from, const uint8_t *payload, size_t size)
{
    uint32_t headers = throng_addr_is_ipv4(from) ? NETWORK_HEADERS_IPV4 : NETWORK_HEADERS_IPV6;
    seed->stats.received_bytes += size + THRONG_SEAL_OVERHEAD + headers;
    seed_arrival arrival = {
        .now = now,
        .now_unix_s = now_unix_s,
        .sender_id = sender_id,
        .from = from,
        .client = known(seed, from, sender_id),
    };
    if (arrival.client)
        throng_seed_client_heard(seed, now, arrival.client);
    throng_reader r = throng_reader_on(payload, size);
    bool unproven = false;
    int error = receive_all(seed, &arrival, &r, &unproven);
    if (error == THRONG_ERR_MALFORMED)
        seed->stats.datagrams_malformed++;
    if (unproven) {
        seed->stats.unproven_withheld++;
        throng_seed_challenge_push(seed, from, sender_id);
    }
    return error;
}
