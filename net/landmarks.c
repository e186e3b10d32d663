#include "landmarks.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "alarm.h"
#include "stun.h"

enum { ROUNDS = 3, ROUND_MS = 200, PATIENCE_MS = 1000, ANSWER_MAX = 576 };

/* One socket for each family. */
enum { IPV4, IPV6, FAMILIES };

struct throng_measuring {
    throng_landmarks landmarks;
    throng_measured *done;
    void *user;
    uint8_t secret[THRONG_STUN_ID_SIZE]; /* the ids' own, so that nobody else can answer */
    throng_time asked_at[THRONG_LANDMARKS_MAX];
    throng_time least[THRONG_LANDMARKS_MAX]; /* THRONG_NEVER: nothing came yet */
    uint32_t round;
    uv_udp_t sockets[FAMILIES];
    bool open[FAMILIES];
    uv_timer_t timer;
    int handles;
    uint8_t buffer[ANSWER_MAX];
};

static void on_closed(uv_handle_t *handle)
{
    throng_measuring *m = handle->data;
    if (--m->handles == 0)
        free(m);
}

static void close_all(throng_measuring *m)
{
    for (int i = 0; i < FAMILIES; i++)
        if (m->open[i])
            uv_close((uv_handle_t *)&m->sockets[i], on_closed);
    uv_close((uv_handle_t *)&m->timer, on_closed);
}

void throng_measuring_end(throng_measuring *m)
{
    if (!m)
        return;
    uint8_t delays[THRONG_LANDMARKS_MAX] = {0};
    for (uint32_t i = 0; i < m->landmarks.count; i++)
        if (m->least[i] != THRONG_NEVER)
            delays[i] = throng_delay_code(m->least[i]);
    throng_measured *done = m->done;
    void *user = m->user;
    close_all(m);
    done(user, delays);
}

/* Round and landmark stand in the id's first two bytes. */
static void id_of(const throng_measuring *m, uint32_t landmark, uint8_t ret[THRONG_STUN_ID_SIZE])
{
    memcpy(ret, m->secret, THRONG_STUN_ID_SIZE);
    ret[0] = (uint8_t)m->round;
    ret[1] = (uint8_t)landmark;
}

static void ask(throng_measuring *m, uint32_t landmark)
{
    const throng_addr *addr = &m->landmarks.addrs[landmark];
    uint8_t request[THRONG_STUN_HEADER_SIZE], id[THRONG_STUN_ID_SIZE];
    uv_buf_t buffer = uv_buf_init((char *)request, sizeof request);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    bool ipv4 = throng_addr_is_ipv4(addr);
    memcpy(&in.sin_addr, addr->ip + 12, sizeof in.sin_addr);
    memcpy(&in6.sin6_addr, addr->ip, sizeof in6.sin6_addr);
    id_of(m, landmark, id);
    throng_stun_request(request, id);
    m->asked_at[landmark] = throng_now();
    if (addr->port != 0 && m->open[ipv4 ? IPV4 : IPV6])
        (void)uv_udp_try_send(&m->sockets[ipv4 ? IPV4 : IPV6], &buffer, 1,
                              ipv4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6);
}

static void on_timer(uv_timer_t *timer)
{
    throng_measuring *m = timer->data;
    if (m->round == ROUNDS) {
        throng_measuring_end(m);
        return;
    }
    m->round++;
    for (uint32_t i = 0; i < m->landmarks.count; i++)
        ask(m, i);
    uv_timer_start(timer, on_timer, m->round < ROUNDS ? ROUND_MS : PATIENCE_MS, 0);
}

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    throng_measuring *m = handle->data;
    *ret = uv_buf_init((char *)m->buffer, sizeof m->buffer);
}

/* An answer to an earlier round is too late to tell anything. */
static void on_answer(uv_udp_t *socket, ssize_t size, const uv_buf_t *buffer, const struct sockaddr *from,
                      unsigned flags)
{
    throng_measuring *m = socket->data;
    uint8_t id[THRONG_STUN_ID_SIZE], expected[THRONG_STUN_ID_SIZE];
    if (size <= 0 || from == NULL || !throng_stun_is_answer((const uint8_t *)buffer->base, (size_t)size, id))
        return;
    uint32_t landmark = id[1];
    id_of(m, landmark, expected);
    if (landmark >= m->landmarks.count || memcmp(id, expected, sizeof id) != 0)
        return;
    throng_time rtt = throng_now() - m->asked_at[landmark];
    if (rtt < m->least[landmark])
        m->least[landmark] = rtt;
}

static void open_socket(throng_measuring *m, uv_loop_t *loop, int family)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6};
    uv_udp_t *socket = &m->sockets[family];
    if (uv_udp_init(loop, socket) != 0)
        return;
    socket->data = m;
    m->open[family] = true;
    m->handles++;
    (void)uv_udp_bind(socket, family == IPV4 ? (struct sockaddr *)&any : (struct sockaddr *)&any6,
                      family == IPV4 ? 0 : UV_UDP_IPV6ONLY);
    (void)uv_udp_recv_start(socket, on_buffer, on_answer);
}

int throng_landmarks_measure(throng_measuring **ret, uv_loop_t *loop, const throng_landmarks *landmarks,
                             bool public_only, throng_measured *done, void *user)
{
    throng_measuring *m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    m->landmarks = *landmarks;
    m->done = done;
    m->user = user;
    if (getrandom(m->secret, sizeof m->secret, 0) != sizeof m->secret || uv_timer_init(loop, &m->timer) != 0) {
        free(m);
        return -EIO;
    }
    m->timer.data = m;
    m->handles = 1;
    for (int i = 0; i < FAMILIES; i++)
        open_socket(m, loop, i);
    for (uint32_t i = 0; i < m->landmarks.count; i++) {
        m->least[i] = THRONG_NEVER;
        if (public_only && throng_addr_is_private(&m->landmarks.addrs[i]))
            m->landmarks.addrs[i].port = 0;
    }
    uv_timer_start(&m->timer, on_timer, 0, 0);
    *ret = m;
    return 0;
}
