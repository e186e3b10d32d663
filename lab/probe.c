#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PORT = 9,
    HEADERS = 28, /* of IP and UDP */
    SINGLES = 200,
    SINGLE_INTERVAL_US = 4137, /* no multiple of the emulator's tick */
    BURST_MAX = 50,
    BURST_BYTES = 1200,
    LOSS_PACKETS = 2000,
    PACKET_MIN = 16,
};

typedef struct probe {
    int out;
    int in;
    struct sockaddr_in to;
    uint32_t seen;
    double late_us[LOSS_PACKETS]; /* from sendto on */
    double at_us[LOSS_PACKETS];
    uint32_t number[LOSS_PACKETS]; /* in the order of sending */
} probe;

/* What a packet begins with. */
typedef struct stamp {
    double at_us;
    uint32_t number;
} stamp;

static double clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now); /* that of the kernel's time stamps */
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int open_in(const lab_netns *node, uint32_t number, struct sockaddr_in *ret)
{
    int on = 1;
    *ret = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(lab_node_ip(number))};
    if (lab_netns_enter(node->fd) < 0)
        return -1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)ret, sizeof *ret) < 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int open_probe(probe *p, const lab_netns *nodes, uint32_t from, uint32_t to)
{
    struct sockaddr_in unused;
    int own = lab_netns_own();
    if (own < 0)
        return -errno;
    p->out = open_in(&nodes[from], from, &unused);
    p->in = open_in(&nodes[to], to, &p->to);
    int error = p->out < 0 || p->in < 0 ? -errno : lab_netns_enter(own);
    if (error < 0)
        lab_netns_enter(own);
    close(own);
    return error;
}

static double stamp_of(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec at;
            memcpy(&at, CMSG_DATA(c), sizeof at);
            return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
        }
    return clock_us();
}

static void receive(probe *p)
{
    char bytes[BURST_BYTES];
    _Alignas(struct cmsghdr) char control[128];
    struct iovec piece = {bytes, sizeof bytes};
    for (;;) {
        struct msghdr message = {
            .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t got = recvmsg(p->in, &message, 0);
        stamp sent;
        if (got < (ssize_t)sizeof sent)
            return;
        memcpy(&sent, bytes, sizeof sent);
        if (p->seen < LOSS_PACKETS) {
            p->number[p->seen] = sent.number;
            p->at_us[p->seen] = stamp_of(&message);
            p->late_us[p->seen] = p->at_us[p->seen] - sent.at_us;
            p->seen++;
        }
    }
}

static void receive_until(probe *p, double until_us)
{
    for (double left; (left = until_us - clock_us()) > 0;) {
        struct timespec wait = {.tv_sec = (time_t)(left / 1e6), .tv_nsec = (long)left % 1000000 * 1000};
        struct pollfd in = {.fd = p->in, .events = POLLIN};
        if (ppoll(&in, 1, &wait, NULL) > 0)
            receive(p);
    }
}

static void send_one(probe *p, uint32_t number, size_t size)
{
    char bytes[BURST_BYTES] = {0};
    stamp now = {clock_us(), number};
    memcpy(bytes, &now, sizeof now);
    (void)!sendto(p->out, bytes, size, 0, (const struct sockaddr *)&p->to, sizeof p->to);
}

/* Packets of `size` bytes each `interval_us`, and then long enough for the last to come. */
static void send_many(probe *p, uint32_t count, size_t size, double interval_us, double after_us)
{
    double next = clock_us();
    p->seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        send_one(p, i, size);
        next += interval_us;
        if (interval_us > 0)
            receive_until(p, next);
    }
    receive_until(p, clock_us() + after_us);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void probe_delay(probe *p, lab_accuracy *ret, double travel_us, double per_byte_us)
{
    size_t size = PACKET_MIN;
    double interval = 2 * per_byte_us * (double)(size + HEADERS);
    ret->delay_us = travel_us + per_byte_us * (double)(size + HEADERS);
    send_many(p, SINGLES, size, interval > SINGLE_INTERVAL_US ? interval : SINGLE_INTERVAL_US, ret->delay_us + 1e5);
    if (p->seen == 0)
        return;
    qsort(p->late_us, p->seen, sizeof *p->late_us, compare);
    ret->delay_error_us = p->late_us[p->seen / 2] - ret->delay_us;
    ret->delay_error_p99_us = p->late_us[p->seen - 1 - p->seen / 100] - ret->delay_us;
}

static void probe_rate(probe *p, lab_accuracy *ret, const lab_emulator *emulator, const lab_access *access,
                       uint32_t from, double travel_us)
{
    uint64_t slower = access->up_bps < access->down_bps ? access->up_bps : access->down_bps;
    uint64_t fit = access->queue_bytes / (BURST_BYTES + HEADERS);
    uint32_t count = fit < BURST_MAX ? (uint32_t)fit : BURST_MAX;
    double bits = 8.0 * (BURST_BYTES + HEADERS);
    ret->rate_bps = (double)slower;
    if (count < 3)
        return;
    lab_traffic before, after;
    lab_emulator_traffic(emulator, from, &before);
    send_many(p, count, BURST_BYTES, 0, travel_us + 1e5 + 2 * count * bits * 1e6 / (double)slower);
    double passed = p->seen > 1 ? p->at_us[p->seen - 1] - p->at_us[0] : 0;
    lab_emulator_traffic(emulator, from, &after);
    /* Lost ones had their time on the first line; those that its queue (CoDel) dropped had not. */
    uint64_t dropped = after.up_dropped - before.up_dropped;
    if (passed > 0)
        ret->rate_measured_bps = (double)(p->number[p->seen - 1] - p->number[0] - dropped) * bits * 1e6 / passed;
}

static void probe_loss(probe *p, lab_accuracy *ret, double loss, double travel_us, double per_byte_us)
{
    double interval = 2 * per_byte_us * (PACKET_MIN + HEADERS);
    ret->loss = loss;
    if (loss <= 0)
        return;
    ret->loss_packets = LOSS_PACKETS;
    send_many(p, LOSS_PACKETS, PACKET_MIN, interval > 500 ? interval : 500, travel_us + 1e5);
    ret->loss_measured = 1 - (double)p->seen / LOSS_PACKETS;
}

int lab_probe(lab_accuracy *ret, const lab_emulator_config *config, const lab_emulator *emulator, uint32_t from,
              uint32_t to)
{
    const lab_access *access = &config->access[from];
    double travel_us =
        ((double)lab_emulator_delay_ns(emulator, from, to) + (double)lab_emulator_jitter_ns(emulator, from, to) / 2) /
        1e3;
    double loss = 1 - (1 - config->loss) * (1 - access->loss) * (1 - config->access[to].loss);
    double per_byte_us = 8e6 / (double)access->up_bps + 8e6 / (double)access->down_bps;
    probe *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->out = p->in = -1;
    int error = open_probe(p, config->nodes, from, to);
    if (error == 0) {
        *ret = (lab_accuracy){0};
        probe_delay(p, ret, travel_us, per_byte_us);
        probe_rate(p, ret, emulator, access, from, travel_us);
        probe_loss(p, ret, loss, travel_us, per_byte_us);
    }
    if (p->out >= 0)
        close(p->out);
    if (p->in >= 0)
        close(p->in);
    free(p);
    return error;
}
