/* The trace-driven evaluation of CoopNet (section III): given who asked for what and when, how much of it could
 * cooperating clients have had from each other? Lists of peers come from the directory that throngd keeps
 * (core/directory), networks from its prefix tables (core/prefix). */
#ifndef SIM_COOPNET_H
#define SIM_COOPNET_H

#include <stdio.h>
#include <throng/directory.h>
#include <throng/prefixes.h>

/* ---- What was asked for ---- */

typedef struct coopnet_request {
    uint32_t time_s; /* since 1970 */
    uint32_t client;
    uint32_t object;
} coopnet_request;

typedef struct coopnet_client {
    int32_t prefix; /* THRONG_PREFIX_NONE: not known */
    uint16_t near;  /* throng_network; 0: not known */
    bool is_ipv6;
} coopnet_client;

enum { COOPNET_REQUESTS_MAX = 1 << 28, COOPNET_CLIENTS_MAX = 1 << 28, COOPNET_LIST_MAX = 62 };

/* Clients and objects are numbers from 0 on. Requests take 12 bytes each (24 while they are sorted), clients 8. */
typedef struct coopnet_trace {
    coopnet_request *requests; /* by time, once sorted */
    size_t count, capacity, max;
    coopnet_client *clients;
    uint32_t clients_count, clients_capacity;
    uint32_t objects_count;
} coopnet_trace;

/* An empty trace with room for at most so many requests; takes no memory yet. */
void coopnet_trace_init(coopnet_trace *trace, size_t requests_max);
void coopnet_trace_free(coopnet_trace *trace);
/* The next number is this client's. THRONG_ERR_NO_MEMORY, THRONG_ERR_FULL. */
int coopnet_trace_add_client(coopnet_trace *trace, const coopnet_client *client);
/* The client is one that was added. */
int coopnet_trace_add(coopnet_trace *trace, const coopnet_request *request);
/* By time; those of one second stay in their order. THRONG_ERR_NO_MEMORY. */
int coopnet_trace_sort(coopnet_trace *trace);
/* How many different objects are in it. -1: out of memory. */
int64_t coopnet_trace_objects(const coopnet_trace *trace);
/* Those of `clients` clients alone, drawn at random from all who asked for anything (0: all of them), with new numbers.
 * `trace` is sorted. */
int coopnet_trace_draw(coopnet_trace *ret, const coopnet_trace *trace, uint32_t clients, uint64_t seed);

/* A flash crowd at a news site. Clients come, look at pages, go, and come back; a view asks for a page's objects within
 * a second, and is one that the client has had before (a reload) or a new one. Objects are drawn by
 * Zipf and Mandelbrot: the r-th most popular with a probability proportional to (r + shift)^-exponent. */
typedef struct coopnet_workload {
    uint64_t seed;
    uint32_t clients;
    uint32_t duration_s;
    uint32_t objects;  /* files of the site */
    uint32_t networks; /* that clients may be in; the r-th one's share is as 1 / r */
    double exponent, shift;
    double page_objects; /* mean of a page, geometric */
    double think_s;      /* mean between two views of a client (exponential) */
    double session_s;    /* mean of a visit (exponential) */
    double away_s;       /* mean between two visits (exponential) */
    double present;      /* share of the clients who are there when it begins */
    double reload;       /* share of views that are a page the client has had */
} coopnet_workload;

/* What CoopNet tells of MSNBC on 11 September 2001; docs/results/coopnet.md has where each value comes from. */
void coopnet_workload_default(coopnet_workload *workload);
/* "KEY=VALUE" as in the table that coopnet_workload_print shows. -1 and one line in `error`. */
enum { COOPNET_ERROR_MAX = 400 };
int coopnet_workload_set(coopnet_workload *workload, const char *setting, char error[COOPNET_ERROR_MAX]);
void coopnet_workload_print(FILE *out, const coopnet_workload *workload);
/* The IPv4 address of a client: the same for the same seed. Of thousands of clients some share one, as behind a NAT. */
throng_addr coopnet_workload_addr(const coopnet_workload *workload, uint32_t client);
/* Makes the trace, sorted, as into a new one. Networks are those of the table, or where that is empty the workload's
 * own. THRONG_ERR_NO_MEMORY; THRONG_ERR_FULL if it is more than COOPNET_REQUESTS_MAX. */
int coopnet_workload_make(coopnet_trace *ret, const coopnet_workload *workload, const throng_prefixes *networks);

/* ---- What peers could have given ---- */

typedef enum coopnet_naming {
    COOPNET_RECENT,  /* as in the paper's evaluation: a client has one list, of the site's most recent clients, asks
                        those on it, and gets a new one when it has to ask the server */
    COOPNET_HOLDERS, /* as Throng does: the server is asked each time, and names holders of that very version */
    COOPNET_GROUPS,  /* section II-E: clients are put into groups in the order they come, and ask their group */
} coopnet_naming;

typedef struct coopnet_config {
    coopnet_naming naming;
    uint32_t list;     /* peers named to a client, or in its group; 1 … COOPNET_LIST_MAX */
    uint32_t change_s; /* every object is a new version so often; 0: never */
    uint32_t stay_s;   /* a client answers others for so long after its last request; 0: to the end */
    uint32_t bin_s;    /* of the series; at least 1 */
    uint64_t seed;
} coopnet_config;

/* Requests of the cooperating clients, by what became of them. */
typedef struct coopnet_counts {
    uint64_t requests;
    uint64_t repeated;      /* the client has had some version of the object */
    uint64_t current;       /* … and that is what there still is: nothing to fetch */
    uint64_t fresher_hits;  /* … or a fresher one was found at a peer */
    uint64_t fresher_bound; /* … or some cooperating client had a fresher one */
    uint64_t new_hits;      /* an object that is new to the client was found at a peer */
    uint64_t new_bound;     /* … or some cooperating client had it */
    uint64_t server;        /* the content came from the server */
    uint64_t directions;    /* the server was asked, be it for directions only */
    uint64_t asked;         /* peers asked … */
    uint64_t gone;          /* … of which so many were there no more */
    uint64_t same_prefix;   /* of the hits: the peer's network is the client's */
    uint64_t same_as;       /* … or its AS is */
} coopnet_counts;

enum { COOPNET_LOAD_MAX = 512 };

typedef struct coopnet_load {
    uint64_t seconds[COOPNET_LOAD_MAX + 1]; /* in which a peer served so many objects; the last one: or more */
    uint64_t peer_seconds;                  /* of all peers, from the first request to the last */
    uint32_t most;                          /* objects served by one peer in a second */
    uint64_t served, served_most;           /* by all, and by the one who served most */
} coopnet_load;

typedef struct coopnet_result {
    coopnet_counts *bins; /* free with coopnet_result_free */
    uint32_t bins_count;
    coopnet_load load;
    uint32_t clients;
} coopnet_result;

/* All requests of the trace are of cooperating clients. THRONG_ERR_NO_MEMORY, THRONG_ERR_FULL (more objects or clients
 * than a directory has, more than a million bins). */
int coopnet_replay(coopnet_result *ret, const coopnet_trace *trace, const coopnet_config *config);
void coopnet_result_free(coopnet_result *result);
/* The sum of the first so many bins. */
coopnet_counts coopnet_result_until(const coopnet_result *result, uint32_t bins);
/* Of the seconds in which a peer serves at all, the share in which it serves at most so many. */
double coopnet_load_at_most(const coopnet_load *load, uint32_t objects);
double coopnet_load_idle(const coopnet_load *load);

/* ---- Who is there (sections III-C and III-D), of all clients of a trace ---- */

enum { COOPNET_MOMENTS_MAX = 32, COOPNET_THRESHOLDS = 2 };

typedef struct coopnet_moment {
    uint32_t after_s;
    uint32_t clients; /* who have come until then */
    uint32_t prefixes;
    uint32_t accompanied; /* clients with another one in their prefix */
} coopnet_moment;

typedef struct coopnet_activity {
    uint32_t threshold_s; /* a longer pause ends a period of activity */
    uint64_t periods;
    uint64_t periods_of_one; /* … all of it in one second, which counts as 0 s */
    double mean_s;
} coopnet_activity;

typedef struct coopnet_crowd {
    coopnet_moment moments[COOPNET_MOMENTS_MAX]; /* after 1, 2, 5, 10, 15, 30 min, 1 h … and at the end */
    uint32_t moments_count;
    coopnet_activity start[COOPNET_THRESHOLDS]; /* of the first 30 minutes, as the paper has it: 1 and 5 minutes */
    coopnet_activity whole[COOPNET_THRESHOLDS];
} coopnet_crowd;

int coopnet_crowd_look(coopnet_crowd *ret, const coopnet_trace *trace);

/* ---- All of it, for a number of list sizes ---- */

enum { COOPNET_RUNS_MAX = 16 };

typedef struct coopnet_run {
    uint32_t list;
    coopnet_result optimistic;  /* nothing ever changes */
    coopnet_result pessimistic; /* everything changes every config.change_s */
} coopnet_run;

typedef struct coopnet_study {
    coopnet_config config; /* but for `list` */
    uint32_t lists[COOPNET_RUNS_MAX];
    uint32_t runs_count;
    uint32_t clients; /* how many cooperate; 0: all */
    bool networks;    /* whether they are known */
    /* Results. */
    coopnet_run runs[COOPNET_RUNS_MAX];
    coopnet_crowd crowd;
    uint64_t requests, cooperating_requests;
    uint32_t all_clients, cooperating, objects, cooperating_objects;
    uint32_t span_s;
} coopnet_study;

/* From the settings to the results; *trace is sorted. What it made is freed with coopnet_study_free, on failure, too.
 */
int coopnet_study_run(coopnet_study *study, const coopnet_trace *trace);
void coopnet_study_free(coopnet_study *study);
/* For people. */
void coopnet_print(FILE *out, const coopnet_study *study);
const char *coopnet_naming_text(coopnet_naming naming);

#endif
