/* throng-lab: real programs on emulated lines. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "classes.h"
#include "crowd.h"
#include "flows.h"
#include "hold.h"
#include "site.h"

enum {
    EXIT_OK = 0,
    EXIT_FAILED_RUN = 1,
    EXIT_USAGE = 2,
    EXIT_SCENARIO = 3,
    EXIT_INTERRUPTED = 4,
    EXIT_NO_LAB = 77, /* no root, or no /dev/net/tun: what meson takes for a skipped test */
};

enum {
    NODES_FIXED = 1 + LAB_EXTRA_NODES, /* the server, and those after the clients */
    SETS_MAX = 32,
    FILES_WANTED = 65536, /* 4,096 nodes' */
};

enum {
    OPTION_JSON = 256,
    OPTION_KEYS,
    OPTION_SET,
    OPTION_SEED,
    OPTION_LIVE,
    OPTION_CSV,
    OPTION_THRONG,
    OPTION_BITTORRENT,
    OPTION_PROBE,
    OPTION_HOLD,
};

typedef struct arguments {
    const char *path;
    const char *sets[SETS_MAX];
    size_t sets_count;
    const char *seed;
    const char *csv;
    const char *throng;
    const char *bittorrent;
    bool json;
    bool keys;
    bool live;
    bool probe;
    bool hold;
} arguments;

static const struct argp_option options[] = {
    {"set", OPTION_SET, "SECTION.KEY=VALUE", 0, "changes a key of the scenario; may be repeated", 0},
    {"seed", OPTION_SEED, "N", 0, "short for --set run.seed=N", 0},
    {"json", OPTION_JSON, NULL, 0, "one line of JSON instead of the table", 0},
    {"live", OPTION_LIVE, NULL, 0, "a line each second on standard error", 0},
    {"csv", OPTION_CSV, "FILE", 0, "one line for each client", 0},
    {"throng", OPTION_THRONG, "FILE", 0, "the throng program (beside this one: ../cli/throng, or throng)", 0},
    {"bittorrent", OPTION_BITTORRENT, "FILE", 0, "the program that runs libtorrent (lab/bittorrent of the source tree)",
     0},
    {"probe", OPTION_PROBE, NULL, 0, "measures how true the emulated lines are, and ends: no server, no clients", 0},
    {"hold", OPTION_HOLD, NULL, 0,
     "makes the lines and tells in JSON how to enter the nodes' namespaces; for each line on standard input, what went "
     "over "
     "them; until that ends",
     0},
    {"keys", OPTION_KEYS, NULL, 0, "lists the keys of scenarios, and ends", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case OPTION_SET:
        if (a->sets_count == SETS_MAX)
            argp_error(state, "more than %d --set", SETS_MAX);
        a->sets[a->sets_count++] = argument;
        return 0;
    case OPTION_SEED:
        a->seed = argument;
        return 0;
    case OPTION_JSON:
        a->json = true;
        return 0;
    case OPTION_LIVE:
        a->live = true;
        return 0;
    case OPTION_CSV:
        a->csv = argument;
        return 0;
    case OPTION_THRONG:
        a->throng = argument;
        return 0;
    case OPTION_BITTORRENT:
        a->bittorrent = argument;
        return 0;
    case OPTION_PROBE:
        a->probe = true;
        return 0;
    case OPTION_HOLD:
        a->hold = true;
        return 0;
    case OPTION_KEYS:
        a->keys = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->path)
            argp_error(state, "one scenario at a time, not '%s' too", argument);
        a->path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!a->path && !a->keys)
            argp_error(state, "which scenario?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool read_scenario(lab_scenario *ret, const arguments *a)
{
    char error[LAB_ERROR_MAX], seed[64];
    int result = lab_scenario_read(ret, a->path, error);
    for (size_t i = 0; i < a->sets_count && result == 0; i++)
        result = lab_scenario_set(ret, a->sets[i], error);
    if (result == 0 && a->seed) {
        snprintf(seed, sizeof seed, "run.seed=%.40s", a->seed);
        result = lab_scenario_set(ret, seed, error);
    }
    if (ret->clients == LAB_CLIENTS_BITTORRENT)
        ret->loops = 1; /* one program runs them all */
    if (result == 0)
        result = lab_scenario_check(ret, a->path, error);
    if (result < 0)
        fprintf(stderr, "throng-lab: %s\n", error);
    return result == 0;
}

/* The one given, or the first that is there, seen from where this program lies. */
static bool find_program(char ret[LAB_PATH_MAX], const char *given, const char *in_tree, const char *beside)
{
    char self[LAB_PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (given) {
        snprintf(ret, LAB_PATH_MAX, "%s", given);
        return access(ret, X_OK) == 0;
    }
    if (n <= 0)
        return false;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    const char *places[] = {in_tree, beside};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (snprintf(ret, LAB_PATH_MAX, "%.200s/%s", self, places[i]) < LAB_PATH_MAX && access(ret, X_OK) == 0)
            return true;
    return false;
}

static int complain_missing(const char *program, const char *option)
{
    fprintf(stderr, "throng-lab: no %s program beside this one; tell with %s where it is\n", program, option);
    return EXIT_FAILED_RUN;
}

/* As many open files as the machine allows: lab_scenario_check_nodes counts with them. Root may have more than the
 * limit that it was given. */
static void raise_files(void)
{
    struct rlimit limit = {FILES_WANTED, FILES_WANTED};
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

typedef struct lab {
    lab_scenario scenario;
    lab_netns *nodes;
    uint32_t nodes_count;
    lab_access *access;
    uint8_t *class_of;
    lab_emulator_config network;
    lab_emulator *emulator;
    lab_site site;
    lab_result result;
} lab;

static int make_nodes(lab *l, bool probe)
{
    const char *what;
    if (geteuid() != 0) {
        fprintf(stderr, "throng-lab: emulated lines take network namespaces, and these take root\n");
        return EXIT_NO_LAB;
    }
    if (probe) {
        l->scenario.nodes = 1;
        l->scenario.classes[0].nodes = 0;
        l->scenario.classes_count = 1;
    }
    l->nodes_count = (uint32_t)l->scenario.nodes + NODES_FIXED;
    l->nodes = calloc(l->nodes_count, sizeof *l->nodes);
    l->access = calloc(l->nodes_count, sizeof *l->access);
    l->class_of = calloc(l->nodes_count, sizeof *l->class_of);
    if (!l->nodes || !l->access || !l->class_of)
        return EXIT_FAILED_RUN;
    lab_classes_assign(&l->scenario, l->access, l->class_of);
    int error = lab_netns_make(l->nodes, l->nodes_count, &what);
    if (error == 0)
        return EXIT_OK;
    fprintf(stderr, "throng-lab: %s: %s\n", what, strerror(-error));
    return EXIT_NO_LAB;
}

static bool start_network(lab *l)
{
    const lab_scenario *s = &l->scenario;
    l->network = (lab_emulator_config){
        .nodes = l->nodes,
        .nodes_count = l->nodes_count,
        .access = l->access,
        .rtt_us = (uint64_t)s->rtt_us,
        .group_size = s->groups > 0 ? lab_scenario_group_size(s) : 0,
        .groups = (uint32_t)s->groups,
        .group_rtt_us = (uint64_t)s->group_rtt_us,
        .jitter_us = (uint64_t)s->jitter_us,
        .reorder = s->reorder > 0,
        .loss = s->loss,
        .seed = (uint64_t)s->seed,
    };
    int error = lab_emulator_start(&l->emulator, &l->network);
    if (error == 0)
        error =
            lab_probe(&l->result.accuracy, &l->network, l->emulator, (uint32_t)s->nodes + 1, (uint32_t)s->nodes + 2);
    if (error < 0)
        fprintf(stderr, "throng-lab: cannot emulate: %s\n", strerror(-error));
    return error == 0;
}

static double processor_s(int who)
{
    struct rusage used;
    getrusage(who, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* After the server's end: it is one of ours as soon as it is waited for. */
static void note_machine(lab_result *result)
{
    result->cpu_s = processor_s(RUSAGE_SELF);
    result->server_cpu_s = processor_s(RUSAGE_CHILDREN);
    if (getloadavg(&result->load, 1) != 1)
        result->load = 0;
}

/* The lines alone. */
static int probe_in(lab *l)
{
    if (!start_network(l))
        return EXIT_FAILED_RUN;
    lab_result_print_probe(stdout, &l->result.accuracy);
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED_RUN;
}

static int hold_in(lab *l)
{
    if (!start_network(l))
        return EXIT_FAILED_RUN;
    lab_hold_config hold = {.emulator = l->emulator,
                            .nodes = l->nodes,
                            .nodes_count = (uint32_t)l->scenario.nodes + 1,
                            .accuracy = &l->result.accuracy};
    return lab_hold(&hold) ? EXIT_OK : EXIT_FAILED_RUN;
}

static bool start_site(lab *l, const char *throng, const char *rival)
{
    const lab_scenario *s = &l->scenario;
    lab_site_config site = {
        .throng = throng,
        .mode = s->clients == LAB_CLIENTS_HTTP ? "calm" : lab_modes[(int)s->server_mode],
        .uplink_bps = (uint64_t)(s->server_cap_bps > 0 ? s->server_cap_bps : s->server.up_bps),
        .object_size = (uint64_t)s->object_size,
        .objects = (uint32_t)s->objects,
        .netns = l->nodes[0].fd,
        .rival = s->clients == LAB_CLIENTS_BITTORRENT ? rival : NULL,
        .nodes = l->nodes,
        .nodes_count = l->nodes_count,
        .group_size = s->groups > 0 && s->near > 0 ? lab_scenario_group_size(s) : 0,
        .groups = (uint32_t)s->groups,
    };
    return lab_site_start(&l->site, &site);
}

static int run_in(lab *l, const arguments *a)
{
    const lab_scenario *s = &l->scenario;
    bool interrupted = false;
    bool ran = start_network(l) && lab_site_wait(&l->site);
    lab_flows *flows = NULL;
    if (ran) {
        flows = lab_flows_start(s, l->nodes, (uint32_t)s->nodes, l->nodes_count - 1);
        ran = flows != NULL;
    }
    if (ran) {
        lab_crowd_config crowd = {
            .scenario = s,
            .emulator = l->emulator,
            .nodes = l->nodes,
            .access = l->access,
            .class_of = l->class_of,
            .site = &l->site,
            .live = a->live ? stderr : NULL,
            .csv = a->csv,
        };
        ran = lab_crowd_run(&l->result, &crowd, &interrupted);
    }
    lab_flows_stop(flows);
    lab_site_stop(&l->site);
    note_machine(&l->result);
    if (!ran)
        return EXIT_FAILED_RUN;
    if (a->json)
        lab_result_print_json(stdout, s, &l->result);
    else
        lab_result_print(stdout, s, &l->result);
    return interrupted ? EXIT_INTERRUPTED : fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED_RUN;
}

/* Nodes, then the server, which forks and so comes before any thread, then the run. */
static int run_lab(lab *l, const arguments *a)
{
    char throng[LAB_PATH_MAX], rival[LAB_PATH_MAX];
    if (!find_program(throng, a->throng, "../cli/throng", "throng"))
        return complain_missing("throng", "--throng");
    if (l->scenario.clients == LAB_CLIENTS_BITTORRENT &&
        !find_program(rival, a->bittorrent, "../../lab/bittorrent", "bittorrent"))
        return complain_missing("bittorrent", "--bittorrent");
    int code = make_nodes(l, a->probe);
    if (code == EXIT_OK && a->probe)
        code = probe_in(l);
    else if (code == EXIT_OK && a->hold)
        code = hold_in(l);
    else if (code == EXIT_OK)
        code = start_site(l, throng, rival) ? run_in(l, a) : EXIT_FAILED_RUN;
    return code;
}

static void release(lab *l)
{
    lab_emulator_stop(l->emulator);
    if (l->nodes)
        lab_netns_close(l->nodes, l->nodes_count);
    free(l->nodes);
    free(l->access);
    free(l->class_of);
    free(l->result.times_s);
    free(l);
}

int main(int argc, char **argv)
{
    static const struct argp parser = {options,
                                       parse_option,
                                       "SCENARIO",
                                       "Runs the real programs, a server and a crowd, on emulated lines. As root.\v"
                                       "Exit codes: 0 done, 1 failed, 2 usage, 3 bad scenario, 4 interrupted, 77 no "
                                       "root or no /dev/net/tun.",
                                       NULL,
                                       NULL,
                                       NULL};
    arguments a = {0};
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &a) != 0)
        return EXIT_USAGE;
    if (a.keys) {
        lab_scenario_print_keys(stdout);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED_RUN;
    }
    lab *l = calloc(1, sizeof *l);
    if (!l)
        return EXIT_FAILED_RUN;
    raise_files();
    signal(SIGPIPE, SIG_IGN);
    int code = read_scenario(&l->scenario, &a) ? run_lab(l, &a) : EXIT_SCENARIO;
    release(l);
    return code;
}
