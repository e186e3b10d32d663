#include "crowd.h"

#include <errno.h>
#include <inttypes.h>
#include <net/alarm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "random.h"

enum { LOOK_MS = 10, ARRIVALS_MAX = 200000 };

typedef struct crowd {
    lab_crowd_config config;
    lab_client_config client;
    lab_result *result;
    FILE *csv;
    uv_loop_t loop;
    uv_timer_t arrivals;
    uv_timer_t second;
    uv_timer_t look; /* how late the loop is */
    uv_signal_t signals[2];
    lab_random random;
    throng_time began;
    throng_time next; /* arrival */
    throng_time looked;
    uint32_t *free_nodes; /* a ring: who was left longest ago comes first */
    uint32_t free_first;
    uint32_t free_count;
    lab_client **clients; /* by node; NULL: none */
    uint32_t here;
    uint32_t incomplete;
    bool finished;
    bool interrupted;
} crowd;

static throng_time passed(const crowd *c)
{
    return throng_now() - c->began;
}

static bool is_measured(const crowd *c, const lab_visit *visit)
{
    return (double)(visit->born - c->began) >= c->config.scenario->warmup_us;
}

/* ---- writing down ---- */

static void add_stats(throng_node_stats *sum, const throng_node_stats *one)
{
    sum->content_from_seeder += one->content_from_seeder;
    sum->content_from_peers += one->content_from_peers;
    sum->content_uploaded += one->content_uploaded;
    sum->content_duplicate += one->content_duplicate;
    sum->requests_sent += one->requests_sent;
    sum->requests_timed_out += one->requests_timed_out;
    sum->requests_refused += one->requests_refused;
    sum->tit_for_tat_refused += one->tit_for_tat_refused;
}

static void write_csv(crowd *c, const lab_visit *visit)
{
    const throng_node_stats *s = &visit->stats;
    if (!c->csv)
        return;
    fprintf(c->csv,
            "%u,%u,%.4f,%.4f,%.4f,%d,%u,%u,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
            ",%" PRIu64 "\n",
            visit->number, visit->node, (double)(visit->born - c->began) / 1e6,
            visit->directed ? (double)(visit->directed - visit->born) / 1e6 : 0,
            visit->complete ? (double)(visit->complete - visit->born) / 1e6 : 0, visit->way, visit->asked,
            visit->failed, visit->stuck, s->content_from_seeder, s->content_from_peers, s->content_duplicate,
            s->content_uploaded, s->requests_sent, s->requests_timed_out, s->requests_refused);
}

static void measure(crowd *c, const lab_visit *visit)
{
    lab_result *r = c->result;
    if (!is_measured(c, visit))
        return;
    if (!visit->complete) {
        r->measured_unfinished++;
        return;
    }
    if (r->measured < r->times_max)
        r->times_s[r->measured++] = (double)(visit->complete - visit->born) / 1e6;
    if (visit->way == LAB_WAY_CROWD) {
        r->by_crowd++;
        r->directed_sum_s += (double)(visit->directed - visit->born) / 1e6;
    } else {
        r->by_http++;
    }
    for (int kind = 0; kind < LAB_KINDS; kind++) {
        r->down_bytes[kind] += visit->after.down_bytes[kind] - visit->before.down_bytes[kind];
        r->up_bytes[kind] += visit->after.up_bytes[kind] - visit->before.up_bytes[kind];
    }
    add_stats(&r->nodes, &visit->stats);
    double ratio = (double)visit->stats.content_uploaded / c->config.scenario->object_size;
    r->upload_ratio_worst = ratio > r->upload_ratio_worst ? ratio : r->upload_ratio_worst;
}

static void write_down(crowd *c, lab_client *client)
{
    const lab_visit *visit = lab_client_visit(client);
    c->result->asked += visit->asked;
    c->result->failed += visit->failed;
    c->result->stuck += visit->stuck;
    measure(c, visit);
    write_csv(c, visit);
}

/* ---- coming and going ---- */

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void finish(crowd *c)
{
    if (c->finished)
        return;
    c->finished = true;
    c->result->seconds = (double)passed(c) / 1e6;
    for (uint32_t node = 1; node < c->config.nodes_count; node++)
        if (c->clients[node]) {
            write_down(c, c->clients[node]);
            lab_client_free(c->clients[node]);
            c->clients[node] = NULL;
        }
    c->result->unfinished = c->incomplete;
    close_handle((uv_handle_t *)&c->arrivals);
    close_handle((uv_handle_t *)&c->second);
    close_handle((uv_handle_t *)&c->look);
    close_handle((uv_handle_t *)&c->signals[0]);
    close_handle((uv_handle_t *)&c->signals[1]);
}

static void on_complete(lab_client *client, void *user)
{
    crowd *c = user;
    c->incomplete--;
    c->result->completed++;
}

static void on_gone(lab_client *client, void *user)
{
    crowd *c = user;
    uint32_t node = lab_client_visit(client)->node;
    write_down(c, client);
    c->clients[node] = NULL;
    c->here--;
    c->free_nodes[(c->free_first + c->free_count++) % c->config.nodes_count] = node;
}

static void arrive(crowd *c)
{
    lab_result *r = c->result;
    r->arrived++;
    if (c->free_count == 0) {
        r->turned_away++;
        return;
    }
    uint32_t node = c->free_nodes[c->free_first];
    c->clients[node] = lab_client_new(&c->client, node, (uint32_t)r->arrived);
    if (!c->clients[node]) {
        r->turned_away++;
        return;
    }
    c->free_first = (c->free_first + 1) % c->config.nodes_count;
    c->free_count--;
    c->here++;
    c->incomplete++;
}

/* Sets c->next; THRONG_NEVER after the last. */
static void draw_next(crowd *c)
{
    const lab_scenario *s = c->config.scenario;
    uint64_t so_far = c->result->arrived;
    double at;
    if (s->arrivals == LAB_ARRIVALS_POISSON)
        at = (double)c->next + lab_random_exponential(&c->random, 1e6 / s->rate);
    else
        at = s->spread_us * (double)so_far / s->count;
    bool over = s->arrivals == LAB_ARRIVALS_POISSON ? at >= s->duration_us : so_far >= (uint64_t)s->count;
    c->next = over || so_far == ARRIVALS_MAX ? THRONG_NEVER : (throng_time)at;
}

static void on_arrivals(uv_timer_t *timer)
{
    crowd *c = timer->data;
    while (c->next <= passed(c)) {
        arrive(c);
        draw_next(c);
    }
    if (c->next != THRONG_NEVER) {
        uint64_t wait = c->next - passed(c);
        uv_timer_start(timer, on_arrivals, wait > c->next ? 0 : wait / THRONG_MS, 0);
    }
}

/* ---- watching ---- */

static void show(crowd *c, uint32_t second)
{
    lab_traffic server;
    const lab_result *r = c->result;
    lab_emulator_traffic(c->config.emulator, 0, &server);
    double sent = (double)(server.up_bytes[0] + server.up_bytes[1] + server.up_bytes[2]);
    fprintf(c->config.live, "%4u s  arrived %5" PRIu64 "  complete %5" PRIu64 "  waiting %4u  server sent %.2f MB\n",
            second, r->arrived - r->turned_away, r->completed, c->incomplete, sent / 1e6);
    fflush(c->config.live);
}

static void on_second(uv_timer_t *timer)
{
    crowd *c = timer->data;
    const lab_scenario *s = c->config.scenario;
    lab_result *r = c->result;
    if (r->pool_count < LAB_POOL_MAX)
        r->pool[r->pool_count++] = c->incomplete;
    if (c->config.live)
        show(c, r->pool_count - 1);
    bool all_came = c->next == THRONG_NEVER;
    if ((all_came && c->here == 0) || (double)passed(c) >= s->duration_us + s->drain_us)
        finish(c);
}

static void on_look(uv_timer_t *timer)
{
    crowd *c = timer->data;
    throng_time now = throng_now();
    throng_time late = now - c->looked > LOOK_MS * THRONG_MS ? now - c->looked - LOOK_MS * THRONG_MS : 0;
    uint64_t bucket = late / THRONG_MS;
    c->result->lags[bucket < LAB_LAGS ? bucket : LAB_LAGS - 1]++;
    c->result->lags_count++;
    c->looked = now;
}

static void on_signal(uv_signal_t *handle, int number)
{
    crowd *c = handle->data;
    c->interrupted = true;
    finish(c);
}

/* ---- from beginning to end ---- */

static bool prepare(crowd *c)
{
    const lab_scenario *s = c->config.scenario;
    uint32_t nodes = c->config.nodes_count;
    double expected = s->arrivals == LAB_ARRIVALS_POISSON ? 1000 + 2 * s->rate * s->duration_us / 1e6 : s->count;
    c->result->times_max = expected < ARRIVALS_MAX ? (uint64_t)expected : ARRIVALS_MAX;
    c->result->times_s = calloc(c->result->times_max, sizeof(double));
    c->free_nodes = calloc(nodes, sizeof *c->free_nodes);
    c->clients = calloc(nodes, sizeof *c->clients);
    if (!c->result->times_s || !c->free_nodes || !c->clients) {
        fprintf(stderr, "throng-lab: out of memory\n");
        return false;
    }
    for (uint32_t node = 1; node < nodes; node++)
        c->free_nodes[c->free_count++] = node;
    c->random.state = (uint64_t)s->seed ^ 0xa5a5a5a5a5a5a5a5; /* another sequence than that of places */
    c->client = (lab_client_config){
        .loop = &c->loop,
        .emulator = c->config.emulator,
        .nodes = c->config.nodes,
        .own_netns = lab_netns_own(),
        .directory = c->config.directory,
        .follows = s->clients == LAB_CLIENTS_THRONG,
        .object_size = (uint64_t)s->object_size,
        .linger = (throng_time)s->linger_us,
        .profile = (throng_profile)s->profile,
        .uplink_bps = s->know_uplink > 0 ? (uint64_t)s->client_up_bps : 0,
        .on_complete = on_complete,
        .on_gone = on_gone,
        .user = c,
    };
    return c->client.own_netns >= 0;
}

static void start(crowd *c)
{
    static const int signals[2] = {SIGINT, SIGTERM};
    uv_timer_t *timers[] = {&c->arrivals, &c->second, &c->look};
    for (int i = 0; i < 3; i++) {
        uv_timer_init(&c->loop, timers[i]);
        timers[i]->data = c;
    }
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&c->loop, &c->signals[i]);
        c->signals[i].data = c;
        uv_signal_start(&c->signals[i], on_signal, signals[i]);
    }
    c->began = c->looked = throng_now();
    draw_next(c);
    uv_timer_start(&c->arrivals, on_arrivals, 0, 0);
    uv_timer_start(&c->second, on_second, 0, 1000);
    uv_timer_start(&c->look, on_look, LOOK_MS, LOOK_MS);
}

static bool open_csv(crowd *c)
{
    if (!c->config.csv)
        return true;
    c->csv = fopen(c->config.csv, "we");
    if (!c->csv) {
        fprintf(stderr, "throng-lab: %s: %s\n", c->config.csv, strerror(errno));
        return false;
    }
    fprintf(c->csv, "number,node,born_s,directed_s,complete_s,way,asked,failed,stuck,from_seeder,from_peers,duplicate,"
                    "uploaded,requests,timed_out,busy\n");
    return true;
}

bool lab_crowd_run(lab_result *ret, const lab_crowd_config *config, bool *ret_interrupted)
{
    crowd *c = calloc(1, sizeof *c);
    if (!c)
        return false;
    c->config = *config;
    c->result = ret;
    c->client.own_netns = -1;
    bool ready = open_csv(c) && prepare(c);
    if (ready && uv_loop_init(&c->loop) == 0) {
        start(c);
        uv_run(&c->loop, UV_RUN_DEFAULT);
        uv_loop_close(&c->loop);
        lab_emulator_traffic(config->emulator, 0, &ret->server);
        lab_emulator_lateness(config->emulator, &ret->lateness);
    }
    *ret_interrupted = c->interrupted;
    if (c->csv && fclose(c->csv) != 0)
        ready = false;
    if (c->client.own_netns >= 0)
        close(c->client.own_netns);
    free(c->free_nodes);
    free(c->clients);
    free(c);
    return ready;
}
