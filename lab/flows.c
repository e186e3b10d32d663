#include "flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT_FIRST = 9000, BLOCK_BYTES = 65536, FLOWS_MAX = 16, LOOK_MS = 100 };

typedef struct flow {
    lab_flows *flows;
    int listener;
    int client;
    int source;
    pthread_t thread;
} flow;

struct lab_flows {
    int stop[2]; /* closed at the end: who waits finds out */
    uint64_t wait_ms;
    bool up;
    uint32_t source;
    uint32_t count;
    flow each[FLOWS_MAX];
};

static int open_in(const lab_netns *node, int flags)
{
    if (lab_netns_enter(node->fd) < 0)
        return -1;
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

static struct sockaddr_in address_of(uint32_t node, uint32_t i)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)(PORT_FIRST + i)),
                                .sin_addr.s_addr = htonl(lab_node_ip(node))};
}

/* Whether the run goes on after up to `ms`. */
static bool wait_on(const lab_flows *flows, int ms)
{
    struct pollfd stop = {.fd = flows->stop[0], .events = POLLIN};
    return poll(&stop, 1, ms) == 0;
}

/* As fast as it goes, until one side is shut down. */
static void pump(const lab_flows *flows, int from, int to)
{
    char zeros[BLOCK_BYTES] = {0};
    char waste[BLOCK_BYTES];
    struct pollfd fds[] = {
        {.fd = flows->stop[0], .events = POLLIN}, {.fd = from, .events = POLLOUT}, {.fd = to, .events = POLLIN}};
    while (poll(fds, 3, -1) > 0 && !fds[0].revents) {
        if (fds[1].revents && send(from, zeros, sizeof zeros, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
            return;
        if (fds[2].revents && recv(to, waste, sizeof waste, MSG_DONTWAIT) == 0)
            return;
    }
}

static void *run(void *user)
{
    flow *f = user;
    lab_flows *flows = f->flows;
    struct sockaddr_in to = address_of(flows->source, (uint32_t)(f - flows->each));
    if (!wait_on(flows, (int)flows->wait_ms))
        return NULL;
    (void)connect(f->client, (const struct sockaddr *)&to, sizeof to); /* does not block */
    while (wait_on(flows, LOOK_MS) && f->source < 0)
        f->source = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (f->source >= 0)
        pump(flows, flows->up ? f->client : f->source, flows->up ? f->source : f->client);
    return NULL;
}

/* The listener's choice is inherited by what it accepts. */
static bool open_flow(flow *f, const lab_scenario *scenario, const lab_netns *nodes, uint32_t client, uint32_t source,
                      uint32_t i)
{
    const char *congestion = lab_congestions[(int)scenario->congestion];
    struct sockaddr_in at = address_of(source, i);
    f->listener = open_in(&nodes[source], SOCK_NONBLOCK);
    f->client = open_in(&nodes[client], SOCK_NONBLOCK);
    int sender = scenario->flow_up > 0 ? f->client : f->listener;
    if (f->listener < 0 || f->client < 0 || bind(f->listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(f->listener, 1) < 0) {
        fprintf(stderr, "throng-lab: cannot open TCP flows: %s\n", strerror(errno));
        return false;
    }
    if (setsockopt(sender, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) < 0) {
        fprintf(stderr, "throng-lab: [beside] congestion = %s: not in this kernel (%s)\n", congestion, strerror(errno));
        return false;
    }
    return true;
}

lab_flows *lab_flows_start(const lab_scenario *scenario, const lab_netns *nodes, uint32_t client, uint32_t source)
{
    lab_flows *flows = calloc(1, sizeof *flows);
    int own = lab_netns_own();
    if (!flows || own < 0 || pipe(flows->stop) < 0) {
        free(flows);
        return NULL;
    }
    flows->wait_ms = (uint64_t)(scenario->flow_at_us / 1000);
    flows->up = scenario->flow_up > 0;
    flows->source = source;
    bool opened = true;
    for (uint32_t i = 0; i < (uint32_t)scenario->flows && opened; i++) {
        flow *f = &flows->each[i];
        *f = (flow){.flows = flows, .listener = -1, .client = -1, .source = -1};
        opened = open_flow(f, scenario, nodes, client, source, i);
        lab_netns_enter(own);
        if (opened && pthread_create(&f->thread, NULL, run, f) == 0)
            flows->count++;
    }
    close(own);
    if (!opened) {
        lab_flows_stop(flows);
        return NULL;
    }
    return flows;
}

void lab_flows_stop(lab_flows *flows)
{
    if (!flows)
        return;
    close(flows->stop[1]);
    for (uint32_t i = 0; i < flows->count; i++) {
        flow *f = &flows->each[i];
        pthread_join(f->thread, NULL);
        close(f->listener);
        close(f->client);
        if (f->source >= 0)
            close(f->source);
    }
    close(flows->stop[0]);
    free(flows);
}
