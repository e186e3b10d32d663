#include "emulator.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "agenda.h"
#include "line.h"
#include "random.h"

/* The mean distance of two points in a unit square; a quarter of the mean delay is the same for all pairs, the rest
 * grows with their distance (as in the simulator). */
#define MEAN_DISTANCE 0.5214054331
#define NEAR_SHARE 0.25

enum {
    PACKETS_MAX = 131072, /* under way at once; memory is touched only as far as needed */
    IP_HEADER = 20,
    EVENTS = 128,
    READS_PER_NODE = 32, /* then the others have their turn */
    PRIORITY = 10,
    LATE_BUCKETS = 640, /* 16 for each doubling of nanoseconds */
    LATE_PER_DOUBLING = 16,
    TENTHS = 10, /* of the second over which the busiest is sought */
};
#define TENTH_NS UINT64_C(100000000)

enum { TAG_TIMER = LAB_NODES_MAX, TAG_STOP };

typedef struct packet {
    uint32_t next_free;
    uint16_t size;
    uint16_t from;
    uint16_t to;
    uint8_t kind;
    bool arrived; /* at the receiver's downlink */
    uint8_t bytes[LAB_MTU];
} packet;

/* Counters are written by the thread alone, and read by others. */
typedef struct counters {
    atomic_ullong up_bytes[LAB_KINDS];
    atomic_ullong down_bytes[LAB_KINDS];
    atomic_ullong up_dropped;
    atomic_ullong down_dropped;
    atomic_ullong up_second;
} counters;

typedef struct node {
    int tun;
    float x, y;
    lab_line up;
    lab_line down;
    uint64_t tenth; /* that the last of tenths[] stands for */
    uint32_t tenths[TENTHS];
    counters counters;
} node;

struct lab_emulator {
    lab_emulator_config config;
    pthread_t thread;
    int epoll;
    int timer;
    int stop;
    uint64_t armed_ns;
    lab_random random;
    lab_agenda agenda;
    packet *packets;
    uint32_t packets_made;
    uint32_t free_first; /* 0: none; packet 0 is not used */
    bool realtime;
    uint64_t started_ns;
    atomic_ullong delivered;
    atomic_ullong lost;
    atomic_ullong no_room;
    atomic_ullong late_max_ns;
    atomic_ullong late[LATE_BUCKETS];
    node *nodes;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void add(atomic_ullong *counter, uint64_t what)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + what, memory_order_relaxed);
}

static uint64_t get(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Packets */

static uint32_t packet_new(lab_emulator *e)
{
    uint32_t number = e->free_first;
    if (number)
        e->free_first = e->packets[number].next_free;
    else if (e->packets_made < PACKETS_MAX)
        number = e->packets_made++;
    return number;
}

static void packet_drop(lab_emulator *e, uint32_t number)
{
    e->packets[number].next_free = e->free_first;
    e->free_first = number;
}

static lab_kind kind_of(const uint8_t *bytes)
{
    return bytes[9] == IPPROTO_UDP ? LAB_UDP : bytes[9] == IPPROTO_TCP ? LAB_TCP : LAB_OTHER;
}

static void put(lab_emulator *e, uint64_t at_ns, uint32_t number)
{
    if (!lab_agenda_put(&e->agenda, at_ns, number)) {
        add(&e->no_room, 1);
        packet_drop(e, number);
    }
}

/* The way */

uint64_t lab_emulator_delay_ns(const lab_emulator *e, uint32_t from, uint32_t to)
{
    double dx = (double)(e->nodes[from].x - e->nodes[to].x), dy = (double)(e->nodes[from].y - e->nodes[to].y);
    double scale = NEAR_SHARE + (1 - NEAR_SHARE) * sqrt(dx * dx + dy * dy) / MEAN_DISTANCE;
    return (uint64_t)((double)e->config.rtt_us * 500 * scale);
}

static void count_second(node *n, uint64_t now, uint32_t size)
{
    uint64_t tenth = now / TENTH_NS;
    uint64_t passed = tenth - n->tenth;
    for (uint64_t i = 0; i < passed && i < TENTHS; i++)
        n->tenths[(tenth - i) % TENTHS] = 0;
    n->tenth = tenth;
    n->tenths[tenth % TENTHS] += size;
    uint64_t sum = 0;
    for (int i = 0; i < TENTHS; i++)
        sum += n->tenths[i];
    if (sum > get(&n->counters.up_second))
        atomic_store_explicit(&n->counters.up_second, sum, memory_order_relaxed);
}

/* A node gave a packet to its device. */
static void depart(lab_emulator *e, uint32_t number, uint64_t now)
{
    packet *p = &e->packets[number];
    node *from = &e->nodes[p->from];
    uint64_t through_ns;
    if (!lab_line_cross(&from->up, now, p->size, &through_ns)) {
        add(&from->counters.up_dropped, 1);
        packet_drop(e, number);
        return;
    }
    add(&from->counters.up_bytes[p->kind], p->size);
    count_second(from, now, p->size);
    if (e->config.loss > 0 && lab_random_unit(&e->random) < e->config.loss) {
        add(&e->lost, 1);
        packet_drop(e, number);
        return;
    }
    uint64_t jitter_ns = 0;
    if (e->config.jitter_us)
        jitter_ns = (uint64_t)(lab_random_unit(&e->random) * (double)e->config.jitter_us * 1000);
    put(e, through_ns + lab_emulator_delay_ns(e, p->from, p->to) + jitter_ns, number);
}

static void note_lateness(lab_emulator *e, uint64_t late_ns)
{
    int bucket = late_ns < 2 ? 0 : (int)(log2((double)late_ns) * LATE_PER_DOUBLING);
    add(&e->late[bucket < LATE_BUCKETS ? bucket : LATE_BUCKETS - 1], 1);
    if (late_ns > get(&e->late_max_ns))
        atomic_store_explicit(&e->late_max_ns, late_ns, memory_order_relaxed);
}

/* Its time has come: it reaches the receiver's line, or the receiver. */
static void arrive(lab_emulator *e, const lab_entry *entry)
{
    packet *p = &e->packets[entry->what];
    node *to = &e->nodes[p->to];
    if (!p->arrived) {
        uint64_t through_ns;
        p->arrived = true;
        if (lab_line_cross(&to->down, entry->at_ns, p->size, &through_ns)) {
            put(e, through_ns, entry->what);
            return;
        }
        add(&to->counters.down_dropped, 1);
    } else {
        note_lateness(e, now_ns() - entry->at_ns);
        add(&to->counters.down_bytes[p->kind], p->size);
        add(&e->delivered, 1);
        (void)!write(to->tun, p->bytes, p->size); /* a closed socket is the receiver's affair */
    }
    packet_drop(e, entry->what);
}

static void read_node(lab_emulator *e, uint32_t from)
{
    for (int i = 0; i < READS_PER_NODE; i++) {
        uint32_t number = packet_new(e);
        if (!number) {
            uint8_t waste[LAB_MTU];
            if (read(e->nodes[from].tun, waste, sizeof waste) <= 0)
                return;
            add(&e->no_room, 1);
            continue;
        }
        packet *p = &e->packets[number];
        ssize_t size = read(e->nodes[from].tun, p->bytes, sizeof p->bytes);
        uint32_t ip = 0;
        if (size >= IP_HEADER && p->bytes[0] >> 4 == 4)
            ip = (uint32_t)p->bytes[16] << 24 | (uint32_t)p->bytes[17] << 16 | (uint32_t)p->bytes[18] << 8 |
                 p->bytes[19];
        uint32_t to = lab_node_of_ip(ip);
        if (to >= e->config.nodes_count || to == from) { /* IPv6's router solicitations and the like */
            packet_drop(e, number);
            if (size <= 0)
                return;
            continue;
        }
        p->size = (uint16_t)size;
        p->from = (uint16_t)from;
        p->to = (uint16_t)to;
        p->kind = (uint8_t)kind_of(p->bytes);
        p->arrived = false;
        depart(e, number, now_ns());
    }
}

/* The thread */

static void arm(lab_emulator *e)
{
    uint64_t next = lab_agenda_next(&e->agenda);
    if (next == e->armed_ns)
        return;
    e->armed_ns = next;
    struct itimerspec spec = {0};
    if (next != UINT64_MAX)
        spec.it_value = (struct timespec){.tv_sec = (time_t)(next / 1000000000), .tv_nsec = (long)(next % 1000000000)};
    timerfd_settime(e->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void deliver_due(lab_emulator *e)
{
    while (lab_agenda_next(&e->agenda) <= now_ns()) {
        lab_entry entry = lab_agenda_take(&e->agenda);
        arrive(e, &entry);
    }
}

static void *run(void *user)
{
    lab_emulator *e = user;
    struct epoll_event events[EVENTS];
    for (;;) {
        arm(e);
        int count = epoll_wait(e->epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            uint32_t tag = events[i].data.u32;
            if (tag == TAG_STOP)
                return NULL;
            if (tag == TAG_TIMER) {
                uint64_t times;
                if (read(e->timer, &times, sizeof times) == sizeof times)
                    e->armed_ns = UINT64_MAX - 1; /* rung: whatever comes next is armed anew */
            } else {
                read_node(e, tag);
            }
            deliver_due(e);
        }
    }
}

static int watch(lab_emulator *e, int fd, uint32_t tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};
    return epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int open_all(lab_emulator *e)
{
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    e->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    e->stop = eventfd(0, EFD_CLOEXEC);
    if (e->epoll < 0 || e->timer < 0 || e->stop < 0)
        return -errno;
    e->nodes = calloc(e->config.nodes_count, sizeof *e->nodes);
    void *room = mmap(NULL, (size_t)PACKETS_MAX * sizeof(packet), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    e->packets = room == MAP_FAILED ? NULL : room;
    if (!e->nodes || !e->packets || lab_agenda_init(&e->agenda, PACKETS_MAX) < 0)
        return -ENOMEM;
    e->packets_made = 1;
    int error = watch(e, e->timer, TAG_TIMER);
    return error < 0 ? error : watch(e, e->stop, TAG_STOP);
}

static int place_nodes(lab_emulator *e)
{
    lab_random places = {.state = e->config.seed};
    int error = 0;
    for (uint32_t i = 0; i < e->config.nodes_count && error == 0; i++) {
        node *n = &e->nodes[i];
        const lab_access *access = i == 0 ? &e->config.server : &e->config.clients;
        n->tun = e->config.nodes[i].tun;
        n->x = (float)lab_random_unit(&places);
        n->y = (float)lab_random_unit(&places);
        lab_line_init(&n->up, access->up_bps, access->queue_bytes);
        lab_line_init(&n->down, access->down_bps, access->queue_bytes);
        error = watch(e, n->tun, i);
    }
    e->random.state = lab_random_next(&places);
    return error;
}

static int start_thread(lab_emulator *e)
{
    pthread_attr_t attributes;
    struct sched_param parameter = {.sched_priority = PRIORITY};
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    pthread_attr_setschedparam(&attributes, &parameter);
    int error = pthread_create(&e->thread, &attributes, run, e);
    e->realtime = error == 0;
    if (error != 0)
        error = pthread_create(&e->thread, NULL, run, e);
    pthread_attr_destroy(&attributes);
    return -error;
}

static void release(lab_emulator *e)
{
    int fds[] = {e->epoll, e->timer, e->stop};
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (e->packets)
        munmap(e->packets, (size_t)PACKETS_MAX * sizeof(packet));
    lab_agenda_free(&e->agenda);
    free(e->nodes);
    free(e);
}

int lab_emulator_start(lab_emulator **ret, const lab_emulator_config *config)
{
    lab_emulator *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->config = *config;
    e->epoll = e->timer = e->stop = -1;
    e->armed_ns = UINT64_MAX;
    e->started_ns = now_ns();
    int error = open_all(e);
    if (error == 0)
        error = place_nodes(e);
    if (error == 0)
        error = start_thread(e);
    if (error < 0) {
        release(e);
        return error;
    }
    *ret = e;
    return 0;
}

void lab_emulator_stop(lab_emulator *e)
{
    if (!e)
        return;
    uint64_t one = 1;
    (void)!write(e->stop, &one, sizeof one);
    pthread_join(e->thread, NULL);
    release(e);
}

/* What it tells of itself */

void lab_emulator_traffic(const lab_emulator *e, uint32_t number, lab_traffic *ret)
{
    const counters *c = &e->nodes[number].counters;
    for (int kind = 0; kind < LAB_KINDS; kind++) {
        ret->up_bytes[kind] = get(&c->up_bytes[kind]);
        ret->down_bytes[kind] = get(&c->down_bytes[kind]);
    }
    ret->up_dropped = get(&c->up_dropped);
    ret->down_dropped = get(&c->down_dropped);
    ret->up_second = get(&c->up_second);
}

static double late_quantile(const lab_emulator *e, uint64_t rank)
{
    uint64_t seen = 0;
    for (int i = 0; i < LATE_BUCKETS; i++)
        if ((seen += get(&e->late[i])) > rank)
            return exp2((i + 0.5) / LATE_PER_DOUBLING) / 1000;
    return 0;
}

void lab_emulator_lateness(const lab_emulator *e, lab_lateness *ret)
{
    struct timespec used = {0};
    clockid_t clock;
    if (pthread_getcpuclockid(e->thread, &clock) == 0)
        clock_gettime(clock, &used);
    uint64_t delivered = get(&e->delivered);
    *ret = (lab_lateness){
        .packets = delivered,
        .lost = get(&e->lost),
        .no_room = get(&e->no_room),
        .median_us = late_quantile(e, delivered / 2),
        .p99_us = late_quantile(e, delivered - delivered / 100),
        .max_us = (double)get(&e->late_max_ns) / 1000,
        .busy = ((double)used.tv_sec * 1e9 + (double)used.tv_nsec) / (double)(now_ns() - e->started_ns),
        .realtime = e->realtime,
    };
}
