/* throng sim: a crowd in virtual time, from a scenario file. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../sim/sim.h"
#include "command.h"
#include "sim_coopnet.h"

enum { SETTINGS_MAX = 64, OPTION_KEYS = 256, OPTION_SET, OPTION_THREADS };

typedef struct sim_arguments {
    const char *path;
    const char *trace;
    const char *settings[SETTINGS_MAX];
    size_t settings_count;
    const char *seed;
    const char *threads;
    bool json;
    bool keys;
} sim_arguments;

static const struct argp_option options[] = {
    {"seed", 'n', "N", 0, "the run's seed, in place of the scenario's", 0},
    {"threads", OPTION_THREADS, "N", 0,
     "processors to use; 0, the default: all; the result is the same with any number", 0},
    {"json", 'j', NULL, 0, "one line of JSON", 0},
    {"trace", 't', "FILE", 0, "a line for each packet and turn of a client; - is standard output", 0},
    {"set", OPTION_SET, "SECTION.KEY=VALUE", 0, "a key, in place of the scenario's; may be repeated", 0},
    {"keys", OPTION_KEYS, NULL, 0, "print all keys with their defaults, and end", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    sim_arguments *arguments = state->input;
    switch (key) {
    case 'n':
        arguments->seed = value;
        return 0;
    case OPTION_THREADS:
        arguments->threads = value;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case 't':
        arguments->trace = value;
        return 0;
    case OPTION_SET:
        if (arguments->settings_count == SETTINGS_MAX)
            argp_error(state, "--set more than %d times", SETTINGS_MAX);
        else
            arguments->settings[arguments->settings_count++] = value;
        return 0;
    case OPTION_KEYS:
        arguments->keys = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path)
            argp_error(state, "one scenario at a time");
        arguments->path = value;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->path && !arguments->keys)
            argp_error(state, "no scenario given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "SCENARIO\ncoopnet --log FILE",
    .doc = "Simulate a crowd: the protocol itself, in virtual time, on modelled lines.\v"
           "`throng sim coopnet --help` tells of the other form, which replays an access log. "
           "docs/SIMULATOR.md tells what scenario files hold and what the model leaves out.",
};

static int set_option(sim_scenario *scenario, const char *key, const char *value, char error[SIM_ERROR_MAX])
{
    char setting[64];
    if (!value)
        return 0;
    snprintf(setting, sizeof setting, "%s=%.40s", key, value);
    return sim_scenario_set(scenario, setting, error);
}

static int read_scenario(sim_scenario *scenario, const sim_arguments *arguments)
{
    char error[SIM_ERROR_MAX];
    if (access(arguments->path, R_OK) < 0) {
        throng_complain("%s: no such scenario can be read", arguments->path);
        return THRONG_EXIT_READ;
    }
    int result = sim_scenario_read(scenario, arguments->path, error);
    for (size_t i = 0; result >= 0 && i < arguments->settings_count; i++)
        result = sim_scenario_set(scenario, arguments->settings[i], error);
    if (result >= 0)
        result = set_option(scenario, "run.seed", arguments->seed, error);
    if (result >= 0)
        result = set_option(scenario, "run.threads", arguments->threads, error);
    if (result >= 0)
        result = sim_scenario_check(scenario, arguments->path, error);
    if (result >= 0)
        return THRONG_EXIT_OK;
    throng_complain("%s", error);
    return THRONG_EXIT_USAGE;
}

static json_t *json_times(const sim_times *times)
{
    return json_pack("{s:I, s:f, s:f, s:f, s:f}", "clients", (json_int_t)times->count, "mean", times->mean, "median",
                     times->median, "p95", times->p95, "longest", times->max);
}

static json_t *json_bytes(const sim_result *r)
{
    uint64_t content = r->content_from_seeder + r->content_from_peers + r->content_duplicate;
    uint64_t other = r->datagram_bytes > content ? r->datagram_bytes - content : 0;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "seeder", (json_int_t)r->content_from_seeder, "peers",
                     (json_int_t)r->content_from_peers, "duplicate", (json_int_t)r->content_duplicate, "overhead",
                     (json_int_t)other, "discarded", (json_int_t)r->content_discarded, "http",
                     (json_int_t)r->http_bytes, "seeder_sent", (json_int_t)r->seeder_sent_bytes, "seeder_line",
                     (json_int_t)r->seeder_line_bytes);
}

static json_t *json_pool(const sim_result *r)
{
    json_t *samples = json_array();
    for (uint32_t i = 0; i < r->pool_samples; i++)
        json_array_append_new(samples, json_integer(r->pool[i]));
    return json_pack("{s:f, s:I, s:b, s:i, s:o}", "mean", r->pool_mean, "most", (json_int_t)r->pool_max, "stabilised",
                     r->pool_stabilised_s >= 0, "stabilised_after_s", (int)r->pool_stabilised_s, "each_second",
                     samples);
}

static json_t *json_traffic(const sim_result *r)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "packets_sent",
                     (json_int_t)r->packets_sent, "packets_delivered", (json_int_t)r->packets_delivered, "packets_lost",
                     (json_int_t)r->packets_lost, "packets_overflowed", (json_int_t)r->packets_overflowed,
                     "packets_to_nobody", (json_int_t)r->packets_gone, "requests", (json_int_t)r->nodes.requests_sent,
                     "chunks_lost", (json_int_t)r->nodes.chunks_lost, "requests_timed_out",
                     (json_int_t)r->nodes.requests_timed_out, "requests_busy", (json_int_t)r->nodes.requests_refused,
                     "tit_for_tat_refused", (json_int_t)r->nodes.tit_for_tat_refused, "units_failed",
                     (json_int_t)r->nodes.units_failed, "liars", (json_int_t)r->nodes.liars);
}

static json_t *json_clients(const sim_result *r)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "arrived", (json_int_t)r->arrived, "completed",
                     (json_int_t)r->completed, "stuck", (json_int_t)r->stuck, "left_early", (json_int_t)r->impatient,
                     "unfinished", (json_int_t)r->unfinished, "turned_away", (json_int_t)r->turned_away, "most_at_once",
                     (json_int_t)r->peers_max);
}

static int print_json(const sim_scenario *scenario, const sim_result *r)
{
    char hash[20];
    snprintf(hash, sizeof hash, "%016" PRIx64, r->trace_hash);
    json_t *line = json_pack(
        "{s:s, s:s, s:I, s:s, s:o, s:o, s:o, s:o, s:f, s:f, s:o, s:o, s:o, s:f, s:f, s:I, s:f, s:I, s:s}", "scenario",
        scenario->name, "profile", scenario->node.profile == THRONG_PROFILE_PAPER ? "paper" : "throng", "seed",
        (json_int_t)scenario->seed, "version", sim_version(), "clients", json_clients(r), "seconds",
        json_times(&r->measured), "seconds_leeches", json_times(&r->leeches), "seconds_poisoners",
        json_times(&r->poisoners), "seconds_join_mean", r->join_mean_s, "upload_ratio_worst", r->upload_ratio_worst,
        "bytes", json_bytes(r), "pool", json_pool(r), "traffic", json_traffic(r), "virtual_s", r->virtual_s, "wall_s",
        r->wall_s, "events", (json_int_t)r->events, "events_per_s", (double)r->events / (r->wall_s + 1e-9),
        "memory_max", (json_int_t)r->memory_max, "trace", hash);
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(line);
    if (!text) {
        throng_complain("out of memory");
        return THRONG_EXIT_MEMORY;
    }
    puts(text);
    free(text);
    return THRONG_EXIT_OK;
}

/* Everything it takes to see the failure again. */
static void report_violation(const sim_world *world, const sim_scenario *scenario, const sim_arguments *arguments)
{
    throng_complain("%s: an invariant failed %s", arguments->path, sim_world_violation(world));
    fprintf(stderr, "  seed %" PRIu64 ", version %s; run it again with\n  throng sim %s --seed %" PRIu64,
            scenario->seed, sim_version(), arguments->path, scenario->seed);
    for (size_t i = 0; i < arguments->settings_count; i++)
        fprintf(stderr, " --set '%s'", arguments->settings[i]);
    fprintf(stderr, " --trace trace.txt\n");
}

static int run(const sim_scenario *scenario, const sim_arguments *arguments, FILE *trace)
{
    sim_options world_options = {.trace = trace, .progress = isatty(STDERR_FILENO) ? stderr : NULL};
    sim_world *world;
    int result = sim_world_new(&world, scenario, &world_options);
    if (result < 0) {
        throng_complain("%s: %s", arguments->path, throng_error_text(result));
        return result == THRONG_ERR_NO_MEMORY ? THRONG_EXIT_MEMORY : THRONG_EXIT_FAILED;
    }
    int code = THRONG_EXIT_FAILED;
    if (sim_world_run(world) < 0) {
        report_violation(world, scenario, arguments);
    } else {
        sim_result sums;
        sim_world_result(world, &sums);
        code = THRONG_EXIT_OK;
        if (arguments->json)
            code = print_json(scenario, &sums);
        else
            sim_print(stdout, scenario, &sums);
    }
    sim_world_free(world);
    return code;
}

static int close_checked(FILE *file, const char *name)
{
    bool failed = ferror(file) || fflush(file) != 0;
    if (file != stdout)
        failed = fclose(file) != 0 || failed;
    if (failed)
        throng_complain("%s: cannot write", name);
    return failed ? THRONG_EXIT_WRITE : THRONG_EXIT_OK;
}

int cmd_sim(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "coopnet") == 0)
        return cmd_sim_coopnet(argc - 1, argv + 1);
    sim_arguments arguments = {0};
    argp_err_exit_status = THRONG_EXIT_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &arguments) != 0)
        return THRONG_EXIT_USAGE;
    if (arguments.keys) {
        sim_print_keys(stdout);
        return close_checked(stdout, "standard output");
    }
    sim_scenario scenario;
    int code = read_scenario(&scenario, &arguments);
    if (code != THRONG_EXIT_OK)
        return code;
    FILE *trace = NULL;
    if (arguments.trace)
        trace = strcmp(arguments.trace, "-") == 0 ? stdout : fopen(arguments.trace, "w");
    if (arguments.trace && !trace) {
        throng_complain("%s: cannot be written", arguments.trace);
        return THRONG_EXIT_WRITE;
    }
    code = run(&scenario, &arguments, trace);
    int trace_code = trace && trace != stdout ? close_checked(trace, arguments.trace) : THRONG_EXIT_OK;
    int out_code = close_checked(stdout, "standard output");
    return code ? code : trace_code ? trace_code : out_code;
}
