#include "udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SEND_BYTES = 64 * 1024,
    SEND_DATAGRAMS = 128,
    RUN_SEGMENTS = 64,     /* UDP_MAX_SEGMENTS of the kernels before 6.9 */
    RUN_BYTES = 64 * 1000, /* with headers a run must fit a 64 KiB packet */
    RUNS_OPEN = 8,         /* how many runs back a datagram looks for its address */
    RUN_NONE = -1,
    REFUSALS_MAX = 8, /* runs refused one after another before we stop trying */
    RECEIVE_RUNS = 8,
    RECEIVE_RUN_BYTES = 64 * 1024,
    RECEIVE_SINGLES = 32,
    RECEIVE_SINGLE_BYTES = 2048,
};

/* A datagram in the send buffer. */
typedef struct waiting {
    uint32_t offset;
    uint16_t size;
    int16_t next; /* of the same run, or RUN_NONE */
} waiting;

/* Datagrams to one address, all of `segment` bytes but the last, which may be shorter. */
typedef struct run {
    throng_addr to;
    uint16_t segment;
    uint16_t count;
    uint32_t bytes;
    int16_t first;
    int16_t last;
    bool closed;
} run;

struct throng_udp {
    int fd;
    bool ipv6;
    bool segment;  /* UDP_SEGMENT in use */
    bool coalesce; /* UDP_GRO in use */
    bool unsent;   /* the last flush left something: the buffer takes no more until it is out */
    uint32_t refusals;
    throng_addr local;
    uint32_t receive_slots;
    uint32_t receive_slot_bytes;
    uint8_t *receive_bytes;
    uint32_t send_used;
    uint32_t datagrams_count;
    uint32_t runs_first; /* runs before it are sent */
    uint32_t runs_count;
    waiting datagrams[SEND_DATAGRAMS];
    run runs[SEND_DATAGRAMS];
    throng_udp_stats stats;
    uint8_t send_bytes[SEND_BYTES];
};

void throng_udp_config_default(throng_udp_config *config)
{
    *config = (throng_udp_config){.buffer_bytes = 4 * 1024 * 1024, .offload = true};
}

uint32_t throng_addr_to_sockaddr(const throng_addr *addr, bool ipv6, struct sockaddr_storage *ret)
{
    if (!ipv6 && throng_addr_is_ipv4(addr)) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&in.sin_addr, addr->ip + 12, 4);
        memcpy(ret, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    memcpy(&in6.sin6_addr, addr->ip, 16);
    memcpy(ret, &in6, sizeof in6);
    return sizeof in6;
}

int throng_addr_from_sockaddr(throng_addr *ret, const struct sockaddr_storage *sockaddr)
{
    if (sockaddr->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sockaddr;
        uint8_t ip[4];
        memcpy(ip, &in->sin_addr, 4);
        *ret = throng_addr_from_ipv4(ip[0], ip[1], ip[2], ip[3], ntohs(in->sin_port));
        return 0;
    }
    if (sockaddr->ss_family != AF_INET6)
        return THRONG_ERR_INVALID;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sockaddr;
    *ret = (throng_addr){.port = ntohs(in6->sin6_port)};
    memcpy(ret->ip, &in6->sin6_addr, 16);
    return 0;
}

static bool addr_is_any(const throng_addr *addr)
{
    static const uint8_t zero[16];
    return memcmp(addr->ip, zero, 16) == 0;
}

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value);
}

/* None of these is needed to work, so none may fail the opening. */
static void tune(throng_udp *udp, const throng_udp_config *config)
{
    int bytes = (int)config->buffer_bytes;
    if (setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        set_option(udp->fd, SOL_SOCKET, SO_RCVBUF, bytes);
    if (setsockopt(udp->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        set_option(udp->fd, SOL_SOCKET, SO_SNDBUF, bytes);
    set_option(udp->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    if (udp->ipv6)
        set_option(udp->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    int on = 1, off = 0;
    if (config->offload) {
        udp->coalesce = setsockopt(udp->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
        udp->segment = setsockopt(udp->fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof off) == 0;
    }
}

static int bind_family(throng_udp *udp, const throng_addr *addr, int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    udp->ipv6 = family == AF_INET6;
    if (udp->ipv6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !addr_is_any(addr));
    struct sockaddr_storage name;
    throng_addr v4_any = throng_addr_from_ipv4(0, 0, 0, 0, addr->port);
    socklen_t size = throng_addr_to_sockaddr(!udp->ipv6 && addr_is_any(addr) ? &v4_any : addr, udp->ipv6, &name);
    if (bind(fd, (struct sockaddr *)&name, size) < 0 || getsockname(fd, (struct sockaddr *)&name, &size) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    throng_addr_from_sockaddr(&udp->local, &name);
    udp->fd = fd;
    return 0;
}

/* A machine without IPv6 either knows no such family or has no such address. */
static int bind_socket(throng_udp *udp, const throng_addr *addr)
{
    if (throng_addr_is_ipv4(addr))
        return bind_family(udp, addr, AF_INET);
    int error = bind_family(udp, addr, AF_INET6);
    if (addr_is_any(addr) && (error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL))
        error = bind_family(udp, addr, AF_INET);
    return error;
}

int throng_udp_open(throng_udp **ret, const throng_udp_config *config)
{
    throng_udp *udp = malloc(sizeof *udp);
    if (!udp)
        return -ENOMEM;
    memset(udp, 0, offsetof(throng_udp, send_bytes)); /* the buffer stays untouched until it is used */
    udp->fd = -1;
    int error = bind_socket(udp, &config->bind);
    if (error < 0) {
        throng_udp_close(udp);
        return error;
    }
    tune(udp, config);
    udp->receive_slots = udp->coalesce ? RECEIVE_RUNS : RECEIVE_SINGLES;
    udp->receive_slot_bytes = udp->coalesce ? RECEIVE_RUN_BYTES : RECEIVE_SINGLE_BYTES;
    udp->receive_bytes = malloc((size_t)udp->receive_slots * udp->receive_slot_bytes);
    if (!udp->receive_bytes) {
        throng_udp_close(udp);
        return -ENOMEM;
    }
    *ret = udp;
    return 0;
}

void throng_udp_close(throng_udp *udp)
{
    if (!udp)
        return;
    if (udp->fd >= 0)
        close(udp->fd);
    free(udp->receive_bytes);
    free(udp);
}

int throng_udp_fd(const throng_udp *udp)
{
    return udp->fd;
}

throng_addr throng_udp_local(const throng_udp *udp)
{
    return udp->local;
}

/* Receiving */

typedef struct control {
    _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
} control;

/* How long each datagram of a coalesced run is; 0 when there is but one. */
static uint32_t run_segment(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int segment;
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
            return segment > 0 ? (uint32_t)segment : 0;
        }
    return 0;
}

static uint32_t take_run(throng_udp *udp, struct mmsghdr *message, throng_udp_receiver *receiver, void *user)
{
    throng_udp_packet packet;
    if ((message->msg_hdr.msg_flags & MSG_TRUNC) ||
        throng_addr_from_sockaddr(&packet.from, message->msg_hdr.msg_name) < 0) {
        udp->stats.truncated++;
        return 0;
    }
    uint32_t segment = run_segment(&message->msg_hdr);
    uint8_t *at = message->msg_hdr.msg_iov->iov_base;
    uint32_t left = message->msg_len;
    udp->stats.received_bytes += left;
    uint32_t count = 0;
    do {
        uint32_t size = segment && segment < left ? segment : left;
        packet.bytes = at;
        packet.size = size;
        receiver(&packet, user);
        at += size;
        left -= size;
        count++;
    } while (left > 0);
    return count;
}

uint32_t throng_udp_receive(throng_udp *udp, throng_udp_receiver *receiver, void *user)
{
    struct mmsghdr messages[RECEIVE_SINGLES];
    struct iovec pieces[RECEIVE_SINGLES];
    struct sockaddr_storage names[RECEIVE_SINGLES];
    control controls[RECEIVE_SINGLES];
    for (uint32_t i = 0; i < udp->receive_slots; i++) {
        pieces[i] = (struct iovec){udp->receive_bytes + (size_t)i * udp->receive_slot_bytes, udp->receive_slot_bytes};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
                                              .msg_namelen = sizeof names[i],
                                              .msg_iov = &pieces[i],
                                              .msg_iovlen = 1,
                                              .msg_control = udp->coalesce ? &controls[i] : NULL,
                                              .msg_controllen = udp->coalesce ? sizeof controls[i] : 0};
    }
    int got;
    do
        got = recvmmsg(udp->fd, messages, udp->receive_slots, MSG_DONTWAIT, NULL);
    while (got < 0 && errno == EINTR);
    udp->stats.receive_calls++;
    if (got < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            udp->stats.errors++;
        return 0;
    }
    uint32_t count = 0;
    for (int i = 0; i < got; i++)
        count += take_run(udp, &messages[i], receiver, user);
    udp->stats.received += count;
    return count;
}

/* Sending */

uint8_t *throng_udp_reserve(throng_udp *udp)
{
    if (udp->unsent || udp->datagrams_count == SEND_DATAGRAMS || SEND_BYTES - udp->send_used < THRONG_DATAGRAM_MAX)
        return NULL;
    return udp->send_bytes + udp->send_used;
}

uint32_t throng_udp_pending(const throng_udp *udp)
{
    uint32_t pending = 0;
    for (uint32_t i = udp->runs_first; i < udp->runs_count; i++)
        pending += udp->runs[i].count;
    return pending;
}

/* The run that a datagram can join: the last one to its address, if that takes its size. */
static run *run_to_join(throng_udp *udp, const throng_addr *to, size_t size)
{
    if (!udp->segment)
        return NULL;
    for (uint32_t back = 1; back <= RUNS_OPEN && back <= udp->runs_count; back++) {
        run *r = &udp->runs[udp->runs_count - back];
        if (!throng_addr_equal(&r->to, to))
            continue;
        bool fits = !r->closed && size <= r->segment && r->count < RUN_SEGMENTS && r->bytes + size <= RUN_BYTES;
        return fits ? r : NULL;
    }
    return NULL;
}

void throng_udp_commit(throng_udp *udp, const throng_addr *to, size_t size)
{
    int16_t index = (int16_t)udp->datagrams_count++;
    udp->datagrams[index] = (waiting){.offset = udp->send_used, .size = (uint16_t)size, .next = RUN_NONE};
    udp->send_used += (uint32_t)size;
    run *r = run_to_join(udp, to, size);
    if (!r) {
        r = &udp->runs[udp->runs_count++];
        *r = (run){.to = *to, .segment = (uint16_t)size, .first = index, .last = index};
    } else {
        udp->datagrams[r->last].next = index;
        r->last = index;
    }
    r->count++;
    r->bytes += (uint32_t)size;
    r->closed = size < r->segment;
}

/* Neighbours in the buffer are one piece to the kernel. */
static uint32_t run_pieces(throng_udp *udp, const run *r, struct iovec *pieces)
{
    uint32_t count = 0;
    uint32_t end = 0;
    for (int16_t i = r->first; i != RUN_NONE; i = udp->datagrams[i].next) {
        const waiting *d = &udp->datagrams[i];
        if (count > 0 && d->offset == end)
            pieces[count - 1].iov_len += d->size;
        else
            pieces[count++] = (struct iovec){udp->send_bytes + d->offset, d->size};
        end = d->offset + d->size;
    }
    return count;
}

static void put_segment(struct msghdr *message, control *room, uint16_t segment)
{
    message->msg_control = room;
    message->msg_controllen = CMSG_SPACE(sizeof segment);
    struct cmsghdr *c = CMSG_FIRSTHDR(message);
    c->cmsg_level = IPPROTO_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(c), &segment, sizeof segment);
}

/* Hands runs [runs_first, runs_count) to the kernel. Returns how many it took, or a negative errno about the first. */
static int send_runs(throng_udp *udp)
{
    struct mmsghdr messages[SEND_DATAGRAMS];
    struct iovec pieces[SEND_DATAGRAMS];
    struct sockaddr_storage names[SEND_DATAGRAMS];
    control controls[SEND_DATAGRAMS];
    uint32_t count = 0;
    struct iovec *piece = pieces;
    for (uint32_t i = udp->runs_first; i < udp->runs_count; i++, count++) {
        const run *r = &udp->runs[i];
        struct msghdr *message = &messages[count].msg_hdr;
        uint32_t used = run_pieces(udp, r, piece);
        *message = (struct msghdr){.msg_name = &names[count], .msg_iov = piece, .msg_iovlen = used};
        message->msg_namelen = throng_addr_to_sockaddr(&r->to, udp->ipv6, &names[count]);
        if (r->count > 1)
            put_segment(message, &controls[count], r->segment);
        piece += used;
    }
    int sent;
    do
        sent = sendmmsg(udp->fd, messages, count, MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    udp->stats.send_calls++;
    return sent < 0 ? -errno : sent;
}

static void count_sent(throng_udp *udp, uint32_t runs)
{
    for (uint32_t i = 0; i < runs; i++) {
        const run *r = &udp->runs[udp->runs_first++];
        udp->stats.sent += r->count;
        udp->stats.sent_bytes += r->bytes;
        if (r->count > 1)
            udp->refusals = 0;
    }
}

/* Every datagram of the first run becomes a run of its own. There is room: runs never outnumber datagrams. */
static void split_first_run(throng_udp *udp)
{
    run split = udp->runs[udp->runs_first];
    uint32_t behind = udp->runs_count - udp->runs_first - 1;
    memmove(&udp->runs[udp->runs_first + split.count], &udp->runs[udp->runs_first + 1], behind * sizeof(run));
    udp->runs_count += split.count - 1u;
    run *r = &udp->runs[udp->runs_first];
    for (int16_t i = split.first; i != RUN_NONE; r++) {
        waiting *d = &udp->datagrams[i];
        *r = (run){
            .to = split.to, .segment = d->size, .count = 1, .bytes = d->size, .first = i, .last = i, .closed = true};
        i = d->next;
        d->next = RUN_NONE;
    }
}

/* EIO: the device can't check-sum what it would segment; EINVAL and EMSGSIZE: the segments don't fit the path;
 * ENOPROTOOPT, EOPNOTSUPP: the kernel knows no such thing. */
static bool refuses_segments(int error)
{
    return error == -EIO || error == -EINVAL || error == -EMSGSIZE || error == -ENOPROTOOPT || error == -EOPNOTSUPP;
}

static void drop_first_run(throng_udp *udp)
{
    udp->stats.dropped += udp->runs[udp->runs_first++].count;
}

static void start_afresh(throng_udp *udp)
{
    udp->send_used = 0;
    udp->datagrams_count = 0;
    udp->runs_first = 0;
    udp->runs_count = 0;
    udp->unsent = false;
}

bool throng_udp_flush(throng_udp *udp)
{
    while (udp->runs_first < udp->runs_count) {
        int sent = send_runs(udp);
        if (sent >= 0) {
            count_sent(udp, (uint32_t)sent);
        } else if (sent == -EAGAIN || sent == -EWOULDBLOCK) {
            udp->unsent = true;
            return false;
        } else if (udp->runs[udp->runs_first].count > 1 && refuses_segments(sent)) {
            udp->stats.segment_refused++;
            udp->segment = ++udp->refusals < REFUSALS_MAX;
            split_first_run(udp);
        } else {
            drop_first_run(udp);
        }
    }
    start_afresh(udp);
    return true;
}

void throng_udp_stats_get(const throng_udp *udp, throng_udp_stats *ret)
{
    *ret = udp->stats;
}
