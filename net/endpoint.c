#include "endpoint.h"

#include <errno.h>
#include <stdlib.h>

#include "alarm.h"
#include "identity_cache.h"
#include "stun.h"

enum {
    /* Send buffers a turn: after so much it is time to listen again. */
    FLUSHES_PER_TURN = 4,
    STUN_A_SECOND = 1000,
};

/* Deadlines closer together than this are met together: at 10 Gbit/s a datagram is due every microsecond, and one
 * wakeup for each would cost more than sending it. At 100 Mbit/s this is one datagram. */
#define TURN_INTERVAL ((throng_time)100)

struct throng_endpoint {
    uv_poll_t poll;
    bool closing;
    bool want_writable;
    throng_udp *udp;
    throng_udp *lent; /* the caller's, until all is open */
    throng_keyring *keys;
    throng_identity_cache *identities;
    throng_alarm *alarm;
    throng_endpoint_host host;
    void *user;
    throng_time now; /* of this turn */
    bool stun;
    throng_time stun_second; /* when the present one began */
    uint32_t stun_left;
    throng_stun_stats stun_stats;
    throng_datagram datagram;
};

/* Straight out, beside whatever is being paced: 72 bytes on the line, STUN_A_SECOND times at most. */
static void answer_stun(throng_endpoint *endpoint, const throng_udp_packet *packet)
{
    if (endpoint->now >= endpoint->stun_second + THRONG_SECOND) {
        endpoint->stun_second = endpoint->now;
        endpoint->stun_left = STUN_A_SECOND;
    }
    uint8_t *slot = endpoint->stun_left > 0 ? throng_udp_reserve(endpoint->udp) : NULL;
    if (!slot) {
        endpoint->stun_stats.dropped++;
        return;
    }
    endpoint->stun_left--;
    endpoint->stun_stats.answered++;
    throng_udp_commit(endpoint->udp, &packet->from, throng_stun_answer(slot, packet->bytes, &packet->from));
}

static void on_datagram(const throng_udp_packet *packet, void *user)
{
    throng_endpoint *endpoint = user;
    throng_opened opened;
    if (!endpoint->closing && endpoint->stun && throng_stun_is_request(packet->bytes, packet->size)) {
        answer_stun(endpoint, packet);
        return;
    }
    if (endpoint->closing ||
        throng_keyring_open(endpoint->keys, endpoint->now, packet->bytes, packet->size, &opened) < 0)
        return;
    if (throng_keyring_count(endpoint->keys) > 1)
        throng_identity_cache_put(endpoint->identities, &packet->from, opened.identity);
    endpoint->host.receive(endpoint->user, endpoint->now, &packet->from, &opened);
}

static int identity_for(throng_endpoint *endpoint, const throng_datagram *datagram)
{
    if (throng_keyring_count(endpoint->keys) > 1) {
        int identity = throng_identity_cache_get(endpoint->identities, &datagram->to);
        if (!throng_keyring_has(endpoint->keys, identity))
            identity = THRONG_ERR_NOT_FOUND;
        if (endpoint->host.identity)
            identity = endpoint->host.identity(endpoint->user, datagram, identity);
        if (throng_keyring_has(endpoint->keys, identity))
            return identity;
    }
    return throng_keyring_newest(endpoint->keys);
}

static void seal_into(throng_endpoint *endpoint, uint8_t *slot)
{
    const throng_datagram *d = &endpoint->datagram;
    const uint8_t *body = d->body;
    if (d->body_size > 0 && !body)
        body = endpoint->host.body(endpoint->user, d, slot + THRONG_SEAL_HEADER_SIZE + d->head_size);
    if (d->body_size > 0 && !body)
        return;
    int size =
        throng_keyring_seal(endpoint->keys, identity_for(endpoint, d), d->head, d->head_size, body, d->body_size, slot);
    if (size > 0)
        throng_udp_commit(endpoint->udp, &d->to, (size_t)size);
}

/* True when all that there was to send is with the kernel; false when the socket has to be waited for, or others have
 * to have their turn. */
static bool send_all(throng_endpoint *endpoint)
{
    for (int flushes = 0;;) {
        uint8_t *slot = throng_udp_reserve(endpoint->udp);
        if (slot) {
            if (!endpoint->host.next(endpoint->user, endpoint->now, &endpoint->datagram))
                return throng_udp_flush(endpoint->udp);
            if (!endpoint->host.carry || !endpoint->host.carry(endpoint->user, &endpoint->datagram))
                seal_into(endpoint, slot);
        } else if (!throng_udp_flush(endpoint->udp) || ++flushes == FLUSHES_PER_TURN) {
            return false;
        }
        if (endpoint->closing)
            return false;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(throng_endpoint *endpoint, bool writable)
{
    if (endpoint->want_writable == writable)
        return;
    endpoint->want_writable = writable;
    uv_poll_start(&endpoint->poll, writable ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_poll);
}

static void turn(throng_endpoint *endpoint)
{
    endpoint->host.tick(endpoint->user, endpoint->now);
    if (endpoint->closing)
        return;
    bool all = send_all(endpoint);
    if (all && !endpoint->closing && endpoint->host.sent)
        endpoint->host.sent(endpoint->user);
    if (endpoint->closing)
        return;
    watch(endpoint, !all);
    throng_time deadline = endpoint->host.deadline(endpoint->user);
    throng_time soonest = endpoint->now + TURN_INTERVAL;
    throng_alarm_set(endpoint->alarm, deadline < soonest ? soonest : deadline);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    throng_endpoint *endpoint = poll->data;
    endpoint->now = throng_now();
    if (status < 0 || (events & UV_READABLE))
        throng_udp_receive(endpoint->udp, on_datagram, endpoint);
    if (!endpoint->closing)
        turn(endpoint);
}

static void on_alarm(void *user)
{
    throng_endpoint *endpoint = user;
    endpoint->now = throng_now();
    turn(endpoint);
}

static void release(throng_endpoint *endpoint)
{
    if (endpoint->udp != endpoint->lent)
        throng_udp_close(endpoint->udp);
    throng_keyring_free(endpoint->keys);
    throng_identity_cache_free(endpoint->identities);
    free(endpoint);
}

static int open_parts(throng_endpoint *endpoint, uv_loop_t *loop, const throng_endpoint_config *config)
{
    if (throng_keyring_new(&endpoint->keys, config->identities_max, config->senders_max) < 0 ||
        throng_identity_cache_new(&endpoint->identities, config->peers_max) < 0)
        return -ENOMEM;
    endpoint->udp = endpoint->lent = config->socket;
    int error = config->socket ? 0 : throng_udp_open(&endpoint->udp, &config->udp);
    if (error < 0)
        return error;
    error = throng_alarm_new(&endpoint->alarm, loop, on_alarm, endpoint);
    if (error < 0)
        return error;
    error = uv_poll_init(loop, &endpoint->poll, throng_udp_fd(endpoint->udp));
    if (error < 0)
        throng_alarm_free(endpoint->alarm);
    return error;
}

int throng_endpoint_open(throng_endpoint **ret, uv_loop_t *loop, const throng_endpoint_config *config)
{
    throng_endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint)
        return -ENOMEM;
    endpoint->host = config->host;
    endpoint->user = config->user;
    endpoint->stun = config->stun;
    endpoint->poll.data = endpoint;
    int error = open_parts(endpoint, loop, config);
    if (error < 0) {
        release(endpoint);
        return error;
    }
    endpoint->lent = NULL;
    uv_poll_start(&endpoint->poll, UV_READABLE, on_poll);
    *ret = endpoint;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void throng_endpoint_close(throng_endpoint *endpoint)
{
    if (!endpoint || endpoint->closing)
        return;
    endpoint->closing = true;
    throng_alarm_free(endpoint->alarm);
    uv_close((uv_handle_t *)&endpoint->poll, on_closed);
}

void throng_endpoint_wake(throng_endpoint *endpoint)
{
    if (!endpoint->closing)
        throng_alarm_set(endpoint->alarm, throng_now());
}

throng_keyring *throng_endpoint_keys(throng_endpoint *endpoint)
{
    return endpoint->keys;
}

throng_addr throng_endpoint_local(const throng_endpoint *endpoint)
{
    return throng_udp_local(endpoint->udp);
}

void throng_endpoint_stats(const throng_endpoint *endpoint, throng_seal_stats *ret_seal, throng_udp_stats *ret_udp)
{
    throng_keyring_stats(endpoint->keys, ret_seal);
    throng_udp_stats_get(endpoint->udp, ret_udp);
}

void throng_endpoint_stun_stats(const throng_endpoint *endpoint, throng_stun_stats *ret)
{
    *ret = endpoint->stun_stats;
}
