#include "crowd.h"

#include <errno.h>
#include <net/alarm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arrivals.h"
#include "random.h"
#include "record.h"

enum { LOOK_MS = 10 };

/* What the loops share. */
typedef struct crowd {
    lab_crowd_config config;
    throng_time began;
    uint8_t *bytes; /* of all objects */
    lab_record_file *csv;
    atomic_uint arrived;
    atomic_uint completed;
    atomic_uint incomplete;
    atomic_bool interrupted;
} crowd;

/* A thread's share: every loops-th group of clients, every loops-th node. */
typedef struct span {
    crowd *crowd;
    uint32_t index;
    pthread_t thread;
    lab_client_config client;
    lab_result result; /* merged at the end */
    uv_loop_t loop;
    uv_timer_t arrivals;
    uv_timer_t second;
    uv_timer_t look; /* how late the loop is */
    lab_arrival_list list;
    throng_time looked;
    uint32_t *free_slots; /* a ring: who was left longest ago comes first */
    uint32_t free_first;
    uint32_t free_count;
    lab_client **clients; /* by slot; NULL: none */
    uint32_t slots;       /* of all loops */
    uint32_t here;
    uint32_t incomplete;
    bool daemon_killed;
    bool *failed; /* by class: whether its links were failed at the last look */
    bool finished;
    bool ready;
} span;

static throng_time passed(const span *s)
{
    return throng_now() - s->crowd->began;
}

static const lab_scenario *scenario_of(const span *s)
{
    return s->crowd->config.scenario;
}

/* ---- coming and going ---- */

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void write_down(span *s, lab_client *client)
{
    const lab_visit *visit = lab_client_visit(client);
    lab_record_visit(&s->result, scenario_of(s), s->crowd->config.class_of, visit, s->crowd->began);
    lab_record_file_add(s->crowd->csv, visit, s->crowd->config.class_of, s->crowd->began);
}

static void finish(span *s)
{
    if (s->finished)
        return;
    s->finished = true;
    s->result.seconds = (double)passed(s) / 1e6;
    for (uint32_t slot = 0; slot < s->slots; slot++)
        if (s->clients[slot]) {
            write_down(s, s->clients[slot]);
            lab_client_free(s->clients[slot]);
            s->clients[slot] = NULL;
        }
    s->result.unfinished = s->incomplete;
    lab_rival_free(s->client.rival);
    s->client.rival = NULL;
    close_handle((uv_handle_t *)&s->arrivals);
    close_handle((uv_handle_t *)&s->second);
    close_handle((uv_handle_t *)&s->look);
}

static void on_complete(lab_client *client, void *user)
{
    span *s = user;
    s->incomplete--;
    s->result.completed++;
    atomic_fetch_sub(&s->crowd->incomplete, 1);
    atomic_fetch_add(&s->crowd->completed, 1);
}

static void on_gone(lab_client *client, void *user)
{
    span *s = user;
    const lab_visit *visit = lab_client_visit(client);
    uint32_t slot = visit->slot;
    if (!visit->complete) {
        s->incomplete--;
        atomic_fetch_sub(&s->crowd->incomplete, 1);
    }
    write_down(s, client);
    s->clients[slot] = NULL;
    s->here--;
    s->free_slots[(s->free_first + s->free_count++) % s->slots] = slot;
}

static void arrive(span *s, const lab_visit *who)
{
    lab_result *r = &s->result;
    lab_visit visit = *who;
    r->arrived++;
    atomic_fetch_add(&s->crowd->arrived, 1);
    if (s->free_count == 0) {
        r->turned_away++;
        return;
    }
    visit.slot = s->free_slots[s->free_first];
    visit.node = 1 + visit.slot / (uint32_t)scenario_of(s)->per_node;
    visit.uplink_bps = s->crowd->config.access[visit.node].up_bps;
    s->clients[visit.slot] = lab_client_new(&s->client, &visit);
    if (!s->clients[visit.slot]) {
        r->turned_away++;
        return;
    }
    s->free_first = (s->free_first + 1) % s->slots;
    s->free_count--;
    s->here++;
    s->incomplete++;
    atomic_fetch_add(&s->crowd->incomplete, 1);
}

static bool is_ours(const span *s, uint32_t number)
{
    const lab_scenario *scenario = scenario_of(s);
    return (number - 1) / (uint32_t)scenario->per_node % (uint32_t)scenario->loops == s->index;
}

static void on_arrivals(uv_timer_t *timer)
{
    span *s = timer->data;
    while (s->list.next <= passed(s)) {
        if (is_ours(s, s->list.number))
            arrive(s, &s->list.visit);
        lab_arrivals_pop(&s->list);
    }
    if (s->list.next != THRONG_NEVER) {
        uint64_t wait = s->list.next - passed(s);
        uv_timer_start(timer, on_arrivals, wait > s->list.next ? 0 : wait / THRONG_MS, 0);
    }
}

static void on_rival_done(uint32_t number, void *user)
{
    span *s = user;
    for (uint32_t slot = 0; slot < s->slots; slot++)
        if (s->clients[slot] && lab_client_visit(s->clients[slot])->number == number)
            lab_client_rival_done(s->clients[slot]);
}

/* ---- what happens at times ---- */

static bool is_failed(const lab_class *c, double at_us)
{
    if (c->fail_at_us <= 0 || at_us < c->fail_at_us)
        return false;
    double since = at_us - c->fail_at_us;
    while (c->fail_every_us > 0 && since >= c->fail_every_us)
        since -= c->fail_every_us;
    return c->heal_at_us <= 0 || since < c->heal_at_us - c->fail_at_us;
}

static void set_links(span *s, uint8_t class, bool up)
{
    const lab_crowd_config *config = &s->crowd->config;
    if (class == LAB_CLASSES_MAX)
        lab_emulator_set_link(config->emulator, 0, up);
    for (uint32_t node = 1; node <= (uint32_t)config->scenario->nodes; node++)
        if (config->class_of[node] == class)
            lab_emulator_set_link(config->emulator, node, up);
}

/* The schedule of links, and the server's crash. */
static void follow_schedule(span *s)
{
    const lab_scenario *scenario = scenario_of(s);
    double at_us = (double)passed(s);
    for (uint8_t class = 0; class <= LAB_CLASSES_MAX; class ++) {
        if (class != LAB_CLASSES_MAX && class >= (uint8_t)scenario->classes_count)
            continue;
        bool failed = is_failed(class == LAB_CLASSES_MAX ? &scenario->server : &scenario->classes[class], at_us);
        if (failed != s->failed[class])
            set_links(s, class, !failed);
        s->failed[class] = failed;
    }
    if (scenario->server_kill_at_us > 0 && at_us >= scenario->server_kill_at_us && !s->daemon_killed) {
        s->daemon_killed = true;
        if (!lab_site_kill_daemon(s->crowd->config.site))
            fprintf(stderr, "throng-lab: no throngd to kill\n");
    }
}

/* ---- watching ---- */

static void show(const span *s, uint32_t second)
{
    lab_traffic server;
    double sent = 0;
    crowd *c = s->crowd;
    lab_emulator_traffic(c->config.emulator, 0, &server);
    for (int kind = 0; kind < LAB_KINDS; kind++)
        sent += (double)server.up_bytes[kind];
    fprintf(c->config.live, "%4u s  arrived %5u  complete %5u  waiting %4u  server sent %.2f MB\n", second,
            atomic_load(&c->arrived), atomic_load(&c->completed), atomic_load(&c->incomplete), sent / 1e6);
    fflush(c->config.live);
}

/* Bytes over the last client's line, second by second: shares beside TCP flows. */
static void sample_line(span *s)
{
    lab_traffic traffic;
    lab_result *r = &s->result;
    lab_emulator_traffic(s->crowd->config.emulator, (uint32_t)scenario_of(s)->nodes, &traffic);
    const uint64_t *bytes = scenario_of(s)->flow_up > 0 ? traffic.up_bytes : traffic.down_bytes;
    r->line_udp[r->pool_count] = bytes[LAB_CHUNKS] + bytes[LAB_UDP];
    r->line_tcp[r->pool_count] = bytes[LAB_TCP];
}

static void on_second(uv_timer_t *timer)
{
    span *s = timer->data;
    lab_result *r = &s->result;
    if (r->pool_count < LAB_POOL_MAX) {
        if (s->index == 0)
            sample_line(s);
        r->pool[r->pool_count++] = s->incomplete;
    }
    if (s->index == 0 && s->crowd->config.live)
        show(s, r->pool_count - 1);
    bool all_came = s->list.next == THRONG_NEVER;
    if ((all_came && s->here == 0) || (double)passed(s) >= scenario_of(s)->duration_us + scenario_of(s)->drain_us)
        finish(s);
}

static void on_look(uv_timer_t *timer)
{
    span *s = timer->data;
    throng_time now = throng_now();
    throng_time late = now - s->looked > LOOK_MS * THRONG_MS ? now - s->looked - LOOK_MS * THRONG_MS : 0;
    uint64_t bucket = late / THRONG_MS;
    s->result.lags[bucket < LAB_LAGS ? bucket : LAB_LAGS - 1]++;
    s->result.lags_count++;
    s->looked = now;
    if (s->index == 0)
        follow_schedule(s);
    if (atomic_load(&s->crowd->interrupted))
        finish(s);
}

/* ---- a loop ---- */

static lab_client_config client_config(span *s)
{
    const lab_scenario *scenario = scenario_of(s);
    const lab_crowd_config *config = &s->crowd->config;
    return (lab_client_config){
        .loop = &s->loop,
        .emulator = config->emulator,
        .nodes = config->nodes,
        .own_netns = lab_netns_own(),
        .directory = config->site->directory,
        .follows = scenario->clients == LAB_CLIENTS_THRONG,
        .bytes = s->crowd->bytes,
        .object_size = (uint64_t)scenario->object_size,
        .linger = (throng_time)scenario->linger_us,
        .give_percent = (uint32_t)scenario->give_percent,
        .profile = (throng_profile)scenario->profile,
        .know_uplink = scenario->know_uplink > 0,
        .on_complete = on_complete,
        .on_gone = on_gone,
        .user = s,
    };
}

/* Nodes of a network lie side by side, and those who come after one another are in different ones. */
static void shuffle(span *s)
{
    lab_random random = {.state = (uint64_t)scenario_of(s)->seed ^ 0x3a3a3a3a3a3a3a3a};
    for (uint32_t i = s->free_count; i > 1; i--) {
        uint32_t other = (uint32_t)(lab_random_unit(&random) * i);
        uint32_t slot = s->free_slots[other];
        s->free_slots[other] = s->free_slots[i - 1];
        s->free_slots[i - 1] = slot;
    }
}

static bool prepare(span *s)
{
    const lab_scenario *scenario = scenario_of(s);
    uint32_t per_node = (uint32_t)scenario->per_node, loops = (uint32_t)scenario->loops;
    s->slots = (uint32_t)scenario->nodes * per_node;
    s->result.times_max = lab_arrivals_bound(scenario);
    s->result.times_s = calloc(s->result.times_max, sizeof(double));
    s->free_slots = calloc(s->slots, sizeof *s->free_slots);
    s->clients = calloc(s->slots, sizeof *s->clients);
    s->failed = calloc(LAB_CLASSES_MAX + 1, sizeof *s->failed);
    if (!s->result.times_s || !s->free_slots || !s->clients || !s->failed) {
        fprintf(stderr, "throng-lab: out of memory\n");
        return false;
    }
    for (uint32_t slot = 0; slot < s->slots; slot++)
        if (slot / per_node % loops == s->index)
            s->free_slots[s->free_count++] = slot;
    if (scenario->groups > 0)
        shuffle(s);
    s->client = client_config(s);
    return s->client.own_netns >= 0 && uv_loop_init(&s->loop) == 0;
}

static void start(span *s)
{
    uv_timer_t *timers[] = {&s->arrivals, &s->second, &s->look};
    for (int i = 0; i < 3; i++) {
        uv_timer_init(&s->loop, timers[i]);
        timers[i]->data = s;
    }
    if (scenario_of(s)->clients == LAB_CLIENTS_BITTORRENT)
        s->client.rival =
            lab_rival_new(&s->loop, s->crowd->config.site->commands, s->crowd->config.site->ready, on_rival_done, s);
    s->looked = throng_now();
    lab_arrivals_begin(&s->list, scenario_of(s));
    uv_timer_start(&s->arrivals, on_arrivals, 0, 0);
    uv_timer_start(&s->second, on_second, 0, 1000);
    uv_timer_start(&s->look, on_look, LOOK_MS, LOOK_MS);
}

static void *run_span(void *user)
{
    span *s = user;
    const struct timespec tick = {.tv_nsec = (long)LAB_TICK_NS};
    s->ready = prepare(s);
    if (s->ready) {
        start(s);
        while (uv_run(&s->loop, UV_RUN_NOWAIT))
            clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
        uv_loop_close(&s->loop);
    }
    if (s->client.own_netns >= 0)
        close(s->client.own_netns);
    free(s->free_slots);
    free(s->clients);
    free(s->failed);
    return NULL;
}

/* ---- from beginning to end ---- */

static bool load_objects(crowd *c)
{
    size_t size = (size_t)c->config.scenario->object_size;
    uint32_t count = (uint32_t)c->config.scenario->objects;
    c->bytes = malloc(size * count);
    bool read_all = c->bytes != NULL;
    for (uint32_t i = 0; i < count && read_all; i++) {
        char path[LAB_PATH_MAX + 32];
        snprintf(path, sizeof path, "%s/site/object-%u", c->config.site->directory, i);
        FILE *in = fopen(path, "rbe");
        read_all = in && fread(c->bytes + i * size, 1, size, in) == size;
        if (in)
            fclose(in);
    }
    if (!read_all)
        fprintf(stderr, "throng-lab: cannot read the site's files: %s\n", strerror(errno));
    return read_all;
}

/* For the thread that waits for signals, as all others block them. */
typedef struct signal_wait {
    crowd *crowd;
    sigset_t set;
    pthread_t thread;
} signal_wait;

static void *wait_for_signal(void *user)
{
    signal_wait *w = user;
    int number;
    if (sigwait(&w->set, &number) == 0 && number != SIGUSR1)
        atomic_store(&w->crowd->interrupted, true);
    return NULL;
}

static bool run_spans(crowd *c, span *spans, uint32_t count)
{
    signal_wait waiting = {.crowd = c};
    sigset_t before;
    sigemptyset(&waiting.set);
    sigaddset(&waiting.set, SIGINT);
    sigaddset(&waiting.set, SIGTERM);
    sigaddset(&waiting.set, SIGUSR1); /* our own: it is over */
    pthread_sigmask(SIG_BLOCK, &waiting.set, &before);
    if (pthread_create(&waiting.thread, NULL, wait_for_signal, &waiting) != 0)
        return false;
    c->began = throng_now();
    uint32_t started = 0;
    for (uint32_t i = 0; i < count; i++) {
        spans[i].crowd = c;
        spans[i].index = i;
        spans[i].client.own_netns = -1;
    }
    while (started < count && pthread_create(&spans[started].thread, NULL, run_span, &spans[started]) == 0)
        started++;
    bool ran = started == count;
    if (!ran)
        atomic_store(&c->interrupted, true);
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(spans[i].thread, NULL);
        ran = ran && spans[i].ready;
    }
    pthread_kill(waiting.thread, SIGUSR1);
    pthread_join(waiting.thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ran;
}

bool lab_crowd_run(lab_result *ret, const lab_crowd_config *config, bool *ret_interrupted)
{
    uint32_t count = (uint32_t)config->scenario->loops;
    crowd c = {.config = *config};
    span *spans = calloc(count, sizeof *spans);
    bool ran = spans && load_objects(&c) && lab_record_file_open(&c.csv, config->csv) && run_spans(&c, spans, count);
    for (uint32_t i = 0; spans && i < count; i++) {
        if (ran)
            ran = lab_result_merge(ret, &spans[i].result);
        free(spans[i].result.times_s);
    }
    if (ran) {
        lab_emulator_traffic(config->emulator, 0, &ret->server);
        lab_emulator_lateness(config->emulator, &ret->lateness);
    }
    *ret_interrupted = atomic_load(&c.interrupted);
    if (!lab_record_file_close(c.csv))
        ran = false;
    free(c.bytes);
    free(spans);
    return ran;
}
