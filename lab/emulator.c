#include "emulator.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "agenda.h"
#include "ip.h"
#include "random.h"

/* The mean distance of two points in a unit square; a quarter of the mean delay is the same for all pairs, the rest
 * grows with their distance (as in the simulator). */
#define MEAN_DISTANCE 0.5214054331
#define NEAR_SHARE 0.25

enum {
    PACKETS_MAX = 131072, /* under way at once; memory is touched only as far as needed */
    EVENTS = 128,
    READS_PER_NODE = 32, /* then the others have their turn */
    PRIORITY = 10,
    LATE_BUCKETS = 640, /* 16 for each doubling of nanoseconds */
    LATE_PER_DOUBLING = 16,
};

/* What an entry of the agenda is about; the rest of its number is a packet's or a node's. */
enum { DUE_ARRIVAL = 0u << 30, DUE_UPLINK = 1u << 30, DUE_NUMBER = (1u << 30) - 1 };
#define DUE_DOWNLINK (2u << 30)
#define DUE_WHAT (3u << 30)

typedef struct packet {
    uint32_t next_free;
    uint16_t size;
    uint16_t from;
    uint16_t to;
    uint8_t kind;
    uint8_t bytes[LAB_MTU];
} packet;

typedef struct node {
    int tun;
    float x, y;
    lab_line up;
    lab_line down;
    lab_nat *nat;
    atomic_bool cut;   /* its link failed */
    atomic_bool takes; /* and gives nothing */
    lab_counters counters;
} node;

struct lab_emulator {
    lab_emulator_config config;
    pthread_t thread;
    int epoll;
    atomic_bool stop;
    uint64_t tick_ns; /* of this turn */
    lab_random random;
    lab_agenda agenda;
    packet *packets;
    uint32_t packets_made;
    uint32_t free_first; /* 0: none; packet 0 is not used */
    uint64_t *last_ns;   /* when the last packet of a pair reaches its downlink; NULL: they may overtake */
    bool realtime;
    uint64_t started_ns;
    atomic_ullong delivered;
    atomic_ullong lost;
    atomic_ullong cut;
    atomic_ullong filtered;
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

/* ---- packets ---- */

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

static void packet_lose(lab_emulator *e, uint32_t number, atomic_ullong *counter)
{
    lab_count(counter, 1);
    packet_drop(e, number);
}

/* ---- the way ---- */

static double way_us(const lab_emulator *e, uint32_t from, uint32_t to)
{
    const lab_emulator_config *c = &e->config;
    if (c->group_size > 0) {
        uint32_t a = lab_node_network(from, c->group_size) % c->groups;
        uint32_t b = lab_node_network(to, c->group_size) % c->groups;
        return (double)(from != 0 && to != 0 && a == b ? c->group_rtt_us : c->rtt_us) / 2;
    }
    double dx = (double)(e->nodes[from].x - e->nodes[to].x), dy = (double)(e->nodes[from].y - e->nodes[to].y);
    double scale = NEAR_SHARE + (1 - NEAR_SHARE) * sqrt(dx * dx + dy * dy) / MEAN_DISTANCE;
    return (double)c->rtt_us / 2 * scale;
}

uint64_t lab_emulator_delay_ns(const lab_emulator *e, uint32_t from, uint32_t to)
{
    return (uint64_t)(way_us(e, from, to) * 1000) + e->config.access[from].delay_us * 1000 +
           e->config.access[to].delay_us * 1000;
}

uint64_t lab_emulator_jitter_ns(const lab_emulator *e, uint32_t from, uint32_t to)
{
    lab_random pair = {.state = e->config.seed * 31 + ((uint64_t)from << 32 | to)};
    return (uint64_t)((double)e->config.jitter_us * 1000 * (0.5 + lab_random_unit(&pair)));
}

static bool is_lost(lab_emulator *e, double share)
{
    return share > 0 && lab_random_unit(&e->random) < share;
}

/* When a packet that left at `left_ns` reaches the other line. */
static uint64_t arrival_ns(lab_emulator *e, const packet *p, uint64_t left_ns)
{
    uint64_t at = left_ns + lab_emulator_delay_ns(e, p->from, p->to);
    if (e->config.jitter_us)
        at += (uint64_t)(lab_random_unit(&e->random) * (double)lab_emulator_jitter_ns(e, p->from, p->to));
    if (e->last_ns) {
        uint64_t *last = &e->last_ns[(size_t)p->from * e->config.nodes_count + p->to];
        at = at > *last ? at : *last;
        *last = at;
    }
    return at;
}

typedef struct dropping {
    lab_emulator *e;
    lab_counters *counters;
    bool up;
} dropping;

static void drop_waiting(void *user, uint32_t number)
{
    const dropping *d = user;
    packet_lose(d->e, number, d->up ? &d->counters->up_dropped : &d->counters->down_dropped);
}

static void put(lab_emulator *e, uint64_t at_ns, uint32_t what)
{
    /* Each packet and each line has one entry at most, and there is room for as many. */
    (void)lab_agenda_put(&e->agenda, at_ns, what);
}

static void give(lab_emulator *e, uint32_t node_number, bool up, uint64_t at_ns, uint32_t number)
{
    node *n = &e->nodes[node_number];
    lab_line *line = up ? &n->up : &n->down;
    bool idle = lab_line_due(line) == UINT64_MAX;
    if (!lab_line_give(line, at_ns, number, e->packets[number].size))
        packet_lose(e, number, up ? &n->counters.up_dropped : &n->counters.down_dropped);
    else if (idle)
        put(e, lab_line_due(line), (up ? DUE_UPLINK : DUE_DOWNLINK) | node_number);
}

/* A node gave a packet to its device. */
static void depart(lab_emulator *e, uint32_t number, uint64_t at_ns)
{
    packet *p = &e->packets[number];
    node *from = &e->nodes[p->from];
    if (atomic_load_explicit(&from->cut, memory_order_relaxed) ||
        (p->kind == LAB_CHUNKS && atomic_load_explicit(&from->takes, memory_order_relaxed))) {
        packet_lose(e, number, &e->cut);
        return;
    }
    lab_second_add(&from->counters.given, at_ns, p->size);
    give(e, p->from, true, at_ns, number);
}

/* The last bit of a packet has left its sender. */
static void leave(lab_emulator *e, uint32_t node_number, uint64_t at_ns)
{
    node *from = &e->nodes[node_number];
    dropping d = {e, &from->counters, true};
    uint32_t number = lab_line_take(&from->up, drop_waiting, &d);
    packet *p = &e->packets[number];
    if (lab_line_due(&from->up) != UINT64_MAX)
        put(e, lab_line_due(&from->up), DUE_UPLINK | node_number);
    lab_count(&from->counters.up_bytes[p->kind], p->size);
    lab_count(&from->counters.up_packets[p->kind], 1);
    lab_second_add(&from->counters.left, at_ns, p->size);
    const lab_access *access = e->config.access;
    if (atomic_load_explicit(&from->cut, memory_order_relaxed))
        packet_lose(e, number, &e->cut);
    else if (is_lost(e, e->config.loss) || is_lost(e, access[p->from].loss) || is_lost(e, access[p->to].loss))
        packet_lose(e, number, &e->lost);
    else
        put(e, arrival_ns(e, p, at_ns), DUE_ARRIVAL | number);
}

static void note_lateness(lab_emulator *e, uint64_t due_ns)
{
    uint64_t now = now_ns();
    uint64_t late_ns = now > due_ns ? now - due_ns : 0;
    int bucket = late_ns < 2 ? 0 : (int)(log2((double)late_ns) * LATE_PER_DOUBLING);
    lab_count(&e->late[bucket < LATE_BUCKETS ? bucket : LATE_BUCKETS - 1], 1);
    if (late_ns > lab_counted(&e->late_max_ns))
        atomic_store_explicit(&e->late_max_ns, late_ns, memory_order_relaxed);
}

/* The last bit of a packet has reached its receiver. */
static void deliver(lab_emulator *e, uint32_t node_number, uint64_t at_ns)
{
    node *to = &e->nodes[node_number];
    dropping d = {e, &to->counters, false};
    uint32_t number = lab_line_take(&to->down, drop_waiting, &d);
    packet *p = &e->packets[number];
    if (lab_line_due(&to->down) != UINT64_MAX)
        put(e, lab_line_due(&to->down), DUE_DOWNLINK | node_number);
    note_lateness(e, at_ns);
    if (atomic_load_explicit(&to->cut, memory_order_relaxed)) {
        packet_lose(e, number, &e->cut);
        return;
    }
    lab_count(&to->counters.down_bytes[p->kind], p->size);
    lab_count(&to->counters.down_packets[p->kind], 1);
    if (to->nat && !lab_nat_in(to->nat, at_ns, p->bytes, p->size)) {
        packet_lose(e, number, &e->filtered);
        return;
    }
    lab_count(&e->delivered, 1);
    (void)!write(to->tun, p->bytes, p->size); /* a closed socket is the receiver's affair */
    packet_drop(e, number);
}

/* ---- devices ---- */

/* Whom it is for: false for IPv6's router solicitations and the like. */
static bool address(lab_emulator *e, packet *p, uint64_t at_ns)
{
    lab_ip ip;
    if (!lab_ip_read(&ip, p->bytes, p->size))
        return false;
    bool is_box;
    uint32_t to = lab_node_of_ip(ip.target, &is_box);
    if (to >= e->config.nodes_count || to == p->from)
        return false;
    node *from = &e->nodes[p->from];
    if (is_box != (e->nodes[to].nat != NULL) || (from->nat && !lab_nat_out(from->nat, at_ns, p->bytes, p->size))) {
        lab_count(&e->filtered, 1);
        return false;
    }
    p->to = (uint16_t)to;
    p->kind = (uint8_t)lab_kind_of(ip.protocol, p->size);
    return true;
}

static void read_node(lab_emulator *e, uint32_t from)
{
    for (int i = 0; i < READS_PER_NODE; i++) {
        uint32_t number = packet_new(e);
        if (!number) {
            uint8_t waste[LAB_MTU];
            if (read(e->nodes[from].tun, waste, sizeof waste) <= 0)
                return;
            lab_count(&e->no_room, 1);
            continue;
        }
        packet *p = &e->packets[number];
        ssize_t size = read(e->nodes[from].tun, p->bytes, sizeof p->bytes);
        if (size <= 0) {
            packet_drop(e, number);
            return;
        }
        uint64_t at_ns = e->tick_ns - LAB_TICK_NS / 2;
        p->size = (uint16_t)size;
        p->from = (uint16_t)from;
        if (address(e, p, at_ns))
            depart(e, number, at_ns);
        else
            packet_drop(e, number);
    }
}

/* ---- the thread ---- */

static void look(lab_emulator *e)
{
    struct epoll_event events[EVENTS];
    int count;
    do {
        count = epoll_wait(e->epoll, events, EVENTS, 0);
        for (int i = 0; i < count; i++)
            read_node(e, events[i].data.u32);
    } while (count == EVENTS);
}

static void do_due(lab_emulator *e)
{
    while (lab_agenda_next(&e->agenda) <= e->tick_ns + LAB_TICK_NS / 2) {
        lab_entry entry = lab_agenda_take(&e->agenda);
        uint32_t number = entry.what & DUE_NUMBER;
        if ((entry.what & DUE_WHAT) == DUE_UPLINK)
            leave(e, number, entry.at_ns);
        else if ((entry.what & DUE_WHAT) == DUE_DOWNLINK)
            deliver(e, number, entry.at_ns);
        else
            give(e, e->packets[number].to, false, entry.at_ns, number);
    }
}

static void *run(void *user)
{
    lab_emulator *e = user;
    uint64_t next = now_ns();
    while (!atomic_load_explicit(&e->stop, memory_order_relaxed)) {
        next += LAB_TICK_NS;
        struct timespec at = {.tv_sec = (time_t)(next / 1000000000), .tv_nsec = (long)(next % 1000000000)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        e->tick_ns = now_ns();
        if (e->tick_ns > next + LAB_TICK_NS) /* late: no hurry to make up for it */
            next = e->tick_ns;
        look(e);
        do_due(e);
    }
    return NULL;
}

static int open_all(lab_emulator *e)
{
    size_t count = e->config.nodes_count;
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (e->epoll < 0)
        return -errno;
    e->nodes = calloc(count, sizeof *e->nodes);
    void *room = mmap(NULL, (size_t)PACKETS_MAX * sizeof(packet), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    e->packets = room == MAP_FAILED ? NULL : room;
    bool in_order = e->config.jitter_us > 0 && !e->config.reorder;
    if (in_order)
        e->last_ns = calloc(count * count, sizeof *e->last_ns);
    if (!e->nodes || !e->packets || (in_order && !e->last_ns) ||
        lab_agenda_init(&e->agenda, PACKETS_MAX + 2 * (uint32_t)count) < 0)
        return -ENOMEM;
    e->packets_made = 1;
    return 0;
}

static int place_nodes(lab_emulator *e)
{
    lab_random places = {.state = e->config.seed};
    for (uint32_t i = 0; i < e->config.nodes_count; i++) {
        node *n = &e->nodes[i];
        const lab_access *access = &e->config.access[i];
        n->tun = e->config.nodes[i].tun;
        n->x = (float)lab_random_unit(&places);
        n->y = (float)lab_random_unit(&places);
        lab_line_init(&n->up, access->up_bps, access->queue_bytes, access->queue);
        lab_line_init(&n->down, access->down_bps, access->queue_bytes, access->queue);
        if (access->nat != LAB_NAT_NONE) {
            n->nat = lab_nat_new(access->nat, lab_node_ip(i), lab_box_ip(i), e->config.seed);
            if (!n->nat)
                return -ENOMEM;
        }
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, n->tun, &event) < 0)
            return -errno;
    }
    e->random.state = lab_random_next(&places);
    return 0;
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
    for (uint32_t i = 0; e->nodes && i < e->config.nodes_count; i++) {
        lab_line_free(&e->nodes[i].up);
        lab_line_free(&e->nodes[i].down);
        lab_nat_free(e->nodes[i].nat);
    }
    if (e->epoll >= 0)
        close(e->epoll);
    if (e->packets)
        munmap(e->packets, (size_t)PACKETS_MAX * sizeof(packet));
    lab_agenda_free(&e->agenda);
    free(e->last_ns);
    free(e->nodes);
    free(e);
}

int lab_emulator_start(lab_emulator **ret, const lab_emulator_config *config)
{
    lab_emulator *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->config = *config;
    e->epoll = -1;
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
    atomic_store(&e->stop, true);
    pthread_join(e->thread, NULL);
    release(e);
}

void lab_emulator_set_link(lab_emulator *e, uint32_t number, bool up)
{
    atomic_store(&e->nodes[number].cut, !up);
}

void lab_emulator_set_giving(lab_emulator *e, uint32_t number, bool giving)
{
    atomic_store(&e->nodes[number].takes, !giving);
}

/* ---- what it tells of itself ---- */

void lab_emulator_traffic(const lab_emulator *e, uint32_t number, lab_traffic *ret)
{
    lab_counters_read(&e->nodes[number].counters, ret);
}

static double late_quantile(const lab_emulator *e, uint64_t packets, double quantile)
{
    uint64_t seen = 0;
    for (int i = 0; i < LATE_BUCKETS; i++)
        if ((double)(seen += lab_counted(&e->late[i])) > quantile * (double)packets)
            return exp2((i + 0.5) / LATE_PER_DOUBLING) / 1000;
    return 0;
}

void lab_emulator_lateness(const lab_emulator *e, lab_lateness *ret)
{
    struct timespec used = {0};
    clockid_t clock;
    if (pthread_getcpuclockid(e->thread, &clock) == 0)
        clock_gettime(clock, &used);
    uint64_t packets = 0;
    for (int i = 0; i < LATE_BUCKETS; i++)
        packets += lab_counted(&e->late[i]);
    *ret = (lab_lateness){
        .packets = lab_counted(&e->delivered),
        .lost = lab_counted(&e->lost),
        .cut = lab_counted(&e->cut),
        .filtered = lab_counted(&e->filtered),
        .no_room = lab_counted(&e->no_room),
        .median_us = late_quantile(e, packets, 0.5),
        .p99_us = late_quantile(e, packets, 0.99),
        .max_us = (double)lab_counted(&e->late_max_ns) / 1000,
        .busy = ((double)used.tv_sec * 1e9 + (double)used.tv_nsec) / (double)(now_ns() - e->started_ns),
        .realtime = e->realtime,
    };
}
