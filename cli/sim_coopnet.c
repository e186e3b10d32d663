/* throng sim coopnet: what cooperating clients could have given each other, by an access log. */
#include "sim_coopnet.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <net/prefix_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum {
    OPTION_LOG = 0x100,
    OPTION_SYNTHETIC,
    OPTION_SET,
    OPTION_KEYS,
    OPTION_CLIENTS,
    OPTION_LISTS,
    OPTION_NAMING,
    OPTION_CHANGE,
    OPTION_STAY,
    OPTION_EVERY,
    OPTION_NETWORKS,
    OPTION_PLOT,
    OPTION_WRITE_LOG,
};

typedef struct coopnet_arguments {
    coopnet_study study;
    coopnet_source source;
    const char *networks, *plot, *write_log;
    bool synthetic, json, keys;
} coopnet_arguments;

static const struct argp_option options[] = {
    {"log", OPTION_LOG, "FILE", 0,
     "an access log, common or combined format, packed or not; - is standard input; may be repeated", 0},
    {"synthetic", OPTION_SYNTHETIC, NULL, 0, "no log, but a flash crowd at a news site as in the paper", 0},
    {"set", OPTION_SET, "KEY=VALUE", 0, "a key of that crowd; may be repeated", 0},
    {"keys", OPTION_KEYS, NULL, 0, "print those keys with their values, and end", 0},
    {"clients", OPTION_CLIENTS, "N", 0, "how many clients cooperate, drawn at random; or all (200)", 0},
    {"lists", OPTION_LISTS, "N,...", 0, "peers that a client is told of (5,10,20,30,50)", 0},
    {"naming", OPTION_NAMING, "KIND", 0,
     "recent: the site's latest clients, as in the paper; holders: of the object, as Throng does; groups (recent)", 0},
    {"change", OPTION_CHANGE, "SECONDS", 0, "pessimistic: every object changes so often (1)", 0},
    {"stay", OPTION_STAY, "SECONDS", 0, "a client answers others for so long after its last request (0: always)", 0},
    {"every", OPTION_EVERY, "SECONDS", 0, "length of a step of the series (300)", 0},
    {"networks", OPTION_NETWORKS, "FILE", 0, "address prefixes, as for throng serve: peers near first, and who is near",
     0},
    {"seed", 'n', "N", 0, "of the crowd, of who cooperates, and of choices (1)", 0},
    {"plot", OPTION_PLOT, "PREFIX", 0, "draw PREFIX-hits.svg and PREFIX-load.svg by gnuplot", 0},
    {"write-log", OPTION_WRITE_LOG, "FILE", 0, "write the synthetic crowd as an access log, and end", 0},
    {"json", 'j', NULL, 0, "one line of JSON", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static uint32_t parse_count(struct argp_state *state, const char *name, const char *text, uint32_t least, uint32_t most)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < least || value > most)
        argp_error(state, "--%s %s: a whole number from %" PRIu32 " to %" PRIu32 " is wanted", name, text, least, most);
    return (uint32_t)value;
}

static void parse_lists(struct argp_state *state, coopnet_study *study, const char *text)
{
    char copy[128], *rest = NULL;
    study->runs_count = 0;
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        argp_error(state, "--lists: too long");
    for (char *part = strtok_r(copy, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
        if (study->runs_count == COOPNET_RUNS_MAX)
            argp_error(state, "--lists: more than %d", COOPNET_RUNS_MAX);
        else
            study->lists[study->runs_count++] = parse_count(state, "lists", part, 1, COOPNET_LIST_MAX);
    }
    if (study->runs_count == 0)
        argp_error(state, "--lists: no number");
}

static void parse_naming(struct argp_state *state, coopnet_config *config, const char *text)
{
    for (uint32_t i = COOPNET_RECENT; i <= COOPNET_GROUPS; i++) {
        if (strcmp(text, coopnet_naming_text((coopnet_naming)i)) == 0) {
            config->naming = (coopnet_naming)i;
            return;
        }
    }
    argp_error(state, "--naming %s: recent, holders or groups is wanted", text);
}

static void parse_seed(struct argp_state *state, coopnet_arguments *a, const char *text)
{
    char *end = NULL;
    errno = 0;
    a->study.config.seed = a->source.workload.seed = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        argp_error(state, "--seed %s: a whole number is wanted", text);
}

static void add_log(struct argp_state *state, coopnet_source *source, const char *path)
{
    if (source->logs_count == COOPNET_LOGS_MAX)
        argp_error(state, "--log more than %d times", COOPNET_LOGS_MAX);
    else
        source->logs[source->logs_count++] = path;
}

static void check(struct argp_state *state, const coopnet_arguments *a)
{
    bool log = a->source.logs_count > 0;
    if (a->keys)
        return;
    if (log == a->synthetic)
        argp_error(state, log ? "either --log or --synthetic" : "no requests: give --log FILE or --synthetic");
    if (a->write_log != NULL && log)
        argp_error(state, "--write-log is for --synthetic");
}

/* Where the requests come from. */
static error_t parse_source(int key, char *value, struct argp_state *state)
{
    coopnet_arguments *a = state->input;
    char error[COOPNET_ERROR_MAX];
    switch (key) {
    case OPTION_LOG:
        add_log(state, &a->source, value);
        return 0;
    case OPTION_SYNTHETIC:
        a->synthetic = true;
        return 0;
    case OPTION_SET:
        if (coopnet_workload_set(&a->source.workload, value, error) < 0)
            argp_error(state, "--set %s", error);
        return 0;
    case OPTION_KEYS:
        a->keys = true;
        return 0;
    case OPTION_NETWORKS:
        a->networks = value;
        return 0;
    case OPTION_WRITE_LOG:
        a->write_log = value;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: an access log is given with --log", value);
        return 0;
    case ARGP_KEY_END:
        check(state, a);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What is made of them. */
static error_t parse_option(int key, char *value, struct argp_state *state)
{
    coopnet_arguments *a = state->input;
    coopnet_config *config = &a->study.config;
    switch (key) {
    case OPTION_CLIENTS:
        a->study.clients = strcmp(value, "all") == 0 ? 0 : parse_count(state, "clients", value, 1, UINT32_MAX);
        return 0;
    case OPTION_LISTS:
        parse_lists(state, &a->study, value);
        return 0;
    case OPTION_NAMING:
        parse_naming(state, config, value);
        return 0;
    case OPTION_CHANGE:
        config->change_s = parse_count(state, "change", value, 1, UINT32_MAX);
        return 0;
    case OPTION_STAY:
        config->stay_s = parse_count(state, "stay", value, 0, UINT32_MAX);
        return 0;
    case OPTION_EVERY:
        config->bin_s = parse_count(state, "every", value, 1, UINT32_MAX);
        return 0;
    case OPTION_PLOT:
        a->plot = value;
        return 0;
    case 'n':
        parse_seed(state, a, value);
        return 0;
    case 'j':
        a->json = true;
        return 0;
    default:
        return parse_source(key, value, state);
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "--log FILE | --synthetic",
    .doc = "Replay an access log, and tell what clients could have had from each other: the evaluation of CoopNet "
           "(Padmanabhan and Sripanidkulchai, 2002, section III).\v"
           "docs/results/coopnet.md tells what the figures mean, and how they compare with the paper's.",
};

static int load_networks(coopnet_arguments *a, void **ret_memory)
{
    char error[THRONG_PREFIX_ERROR_MAX];
    size_t size;
    if (a->networks == NULL)
        return THRONG_EXIT_OK;
    int result = throng_prefix_file_load(a->networks, ret_memory, &size, error);
    if (result == 0)
        result = throng_prefixes_attach(&a->source.networks, *ret_memory, size);
    if (result == 0)
        return THRONG_EXIT_OK;
    throng_complain("%s", *ret_memory == NULL ? error : throng_error_text(result));
    return THRONG_EXIT_READ;
}

static int evaluate(coopnet_arguments *a, const coopnet_trace *trace)
{
    int code = THRONG_EXIT_OK;
    a->study.networks = a->networks != NULL || a->synthetic;
    int result = coopnet_study_run(&a->study, trace);
    if (result < 0) {
        throng_complain("the evaluation: %s", throng_error_text(result));
        code = result == THRONG_ERR_NO_MEMORY ? THRONG_EXIT_MEMORY : THRONG_EXIT_FAILED;
    } else if (a->json) {
        code = coopnet_json_print(&a->study, &a->source);
    } else {
        coopnet_print(stdout, &a->study);
    }
    if (code == THRONG_EXIT_OK && a->plot != NULL)
        code = coopnet_plot(&a->study, a->plot);
    coopnet_study_free(&a->study);
    return code;
}

static int run(coopnet_arguments *a)
{
    coopnet_trace trace;
    void *memory = NULL;
    int code = load_networks(a, &memory);
    if (code == THRONG_EXIT_OK)
        code = coopnet_source_read(&a->source, &trace);
    if (code == THRONG_EXIT_OK) {
        code =
            a->write_log != NULL ? coopnet_log_write(a->write_log, &trace, &a->source.workload) : evaluate(a, &trace);
        coopnet_trace_free(&trace);
    }
    free(memory);
    return code;
}

int cmd_sim_coopnet(int argc, char **argv)
{
    coopnet_arguments a = {.study = {.config = {.change_s = 1, .bin_s = 300, .seed = 1},
                                     .lists = {5, 10, 20, 30, 50},
                                     .runs_count = 5,
                                     .clients = 200}};
    char name[] = "throng sim coopnet";
    argv[0] = name;
    argp_err_exit_status = THRONG_EXIT_USAGE;
    coopnet_workload_default(&a.source.workload);
    if (argp_parse(&parser, argc, argv, 0, NULL, &a) != 0)
        return THRONG_EXIT_USAGE;
    int code = THRONG_EXIT_OK;
    if (a.keys)
        coopnet_workload_print(stdout, &a.source.workload);
    else
        code = run(&a);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        throng_complain("standard output: cannot write");
        return code != THRONG_EXIT_OK ? code : THRONG_EXIT_WRITE;
    }
    return code;
}
