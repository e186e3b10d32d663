/* Requests for the evaluation: of access logs, or made up. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <report/names.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "command.h"
#include "sim_coopnet.h"

#define NAMES_MAX UINT32_MAX
#define NAMES_BYTES_MAX ((size_t)8 << 30)

typedef struct log_reader {
    coopnet_source *source;
    coopnet_trace *trace;
    report_names *clients, *objects;
} log_reader;

/* Names other than addresses are clients that nothing is known of. */
static coopnet_client client_at(const coopnet_source *s, const report_request *request)
{
    coopnet_client client = {.prefix = THRONG_PREFIX_NONE};
    char text[INET6_ADDRSTRLEN];
    throng_addr addr = throng_addr_from_ipv4(0, 0, 0, 0, 0);
    if (request->client_size >= sizeof text)
        return client;
    memcpy(text, request->client, request->client_size);
    text[request->client_size] = '\0';
    client.is_ipv6 = memchr(text, ':', request->client_size) != NULL;
    if (inet_pton(client.is_ipv6 ? AF_INET6 : AF_INET, text, client.is_ipv6 ? addr.ip : addr.ip + 12) != 1)
        return (coopnet_client){.prefix = THRONG_PREFIX_NONE};
    client.is_ipv6 = !throng_addr_is_ipv4(&addr);
    client.prefix = throng_prefixes_find(&s->networks, addr.ip);
    client.near = throng_prefixes_network(&s->networks, client.prefix).near;
    return client;
}

/* What a browser would get, and a peer could have given: successful GETs, and those whose answer was "as before". */
static bool is_wanted(const report_request *request)
{
    bool ok = (request->status >= 200 && request->status < 300) || request->status == 304;
    return ok && request->url_size > 0 && request->method_size == 3 && memcmp(request->method, "GET", 3) == 0;
}

static int take(void *user, const report_request *request)
{
    log_reader *r = user;
    coopnet_request taken = {.time_s = (uint32_t)request->time_s};
    if (!is_wanted(request)) {
        r->source->left_out++;
        return 0;
    }
    int result = report_names_take(r->clients, request->client, request->client_size, &taken.client);
    if (result == 1) {
        coopnet_client client = client_at(r->source, request);
        result = coopnet_trace_add_client(r->trace, &client);
    }
    if (result == 0)
        result = report_names_take(r->objects, request->url, request->url_size, &taken.object);
    return result < 0 ? result : coopnet_trace_add(r->trace, &taken);
}

static int exit_code_of(int error)
{
    return error == THRONG_ERR_NO_MEMORY   ? THRONG_EXIT_MEMORY
           : error == THRONG_ERR_NOT_FOUND ? THRONG_EXIT_READ
                                           : THRONG_EXIT_FAILED;
}

static report_names *names_new(void)
{
    report_names_config config = {.names_max = NAMES_MAX, .bytes_max = NAMES_BYTES_MAX};
    if (getrandom(config.key, sizeof config.key, 0) != sizeof config.key)
        return NULL;
    return report_names_new(&config);
}

static int read_logs(coopnet_source *s, coopnet_trace *trace)
{
    char error[REPORT_ERROR_MAX] = "out of memory";
    log_reader reader = {.source = s, .trace = trace, .clients = names_new(), .objects = names_new()};
    int result = reader.clients != NULL && reader.objects != NULL ? 0 : THRONG_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < s->logs_count && result == 0; i++)
        result = report_log_read(s->logs[i], take, &reader, &s->tally, error);
    if (result < 0)
        throng_complain("%s", error);
    else
        s->memory = report_names_memory(reader.clients) + report_names_memory(reader.objects);
    report_names_free(reader.clients);
    report_names_free(reader.objects);
    return result < 0 ? exit_code_of(result) : THRONG_EXIT_OK;
}

static void tell_broken(const report_log_tally *t)
{
    if (t->broken > 0)
        throng_complain("%" PRIu64 " of %" PRIu64 " lines are broken and left out; the first is %s", t->broken,
                        t->lines, t->first_broken);
    if (t->cut > 0)
        throng_complain("%s", t->first_cut);
}

int coopnet_source_read(coopnet_source *s, coopnet_trace *ret)
{
    coopnet_trace trace;
    if (s->logs_count == 0) {
        int result = coopnet_workload_make(ret, &s->workload, &s->networks);
        if (result < 0)
            throng_complain("the workload: %s", throng_error_text(result));
        return result < 0 ? exit_code_of(result) : THRONG_EXIT_OK;
    }
    coopnet_trace_init(&trace, COOPNET_REQUESTS_MAX);
    int code = read_logs(s, &trace);
    if (code == THRONG_EXIT_OK) {
        tell_broken(&s->tally);
        if (trace.count == 0) {
            bool any_good = s->tally.broken < s->tally.lines || s->tally.lines == 0;
            throng_complain("%s: %s in it", s->logs[0],
                            any_good ? "no successful GET" : "not one line of an access log");
            code = THRONG_EXIT_READ;
        } else if (coopnet_trace_sort(&trace) < 0) {
            throng_complain("out of memory");
            code = THRONG_EXIT_MEMORY;
        }
    }
    if (code == THRONG_EXIT_OK)
        *ret = trace;
    else
        coopnet_trace_free(&trace);
    return code;
}

static void write_line(FILE *out, const coopnet_request *r, const coopnet_workload *workload)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    throng_addr addr = coopnet_workload_addr(workload, r->client);
    struct tm t;
    time_t at = r->time_s;
    gmtime_r(&at, &t);
    fprintf(out, "%u.%u.%u.%u - - [%02d/%.3s/%d:%02d:%02d:%02d +0000] \"GET /object/%" PRIu32 " HTTP/1.1\" 200 20000\n",
            addr.ip[12], addr.ip[13], addr.ip[14], addr.ip[15], t.tm_mday, months + (ptrdiff_t)t.tm_mon * 3,
            t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec, r->object);
}

int coopnet_log_write(const char *path, const coopnet_trace *trace, const coopnet_workload *workload)
{
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        throng_complain("%s: cannot be written", path);
        return THRONG_EXIT_WRITE;
    }
    for (size_t i = 0; i < trace->count; i++)
        write_line(out, &trace->requests[i], workload);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    if (failed)
        throng_complain("%s: cannot write", path);
    return failed ? THRONG_EXIT_WRITE : THRONG_EXIT_OK;
}
