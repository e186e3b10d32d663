#include "line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <net/alarm.h>
#include <net/landmarks.h>

/* A rate is that of the best stretch of so long. */
#define STRETCH (500 * THRONG_MS)
#define STRETCH_LEAST (100 * THRONG_MS)

enum { RECORDS_MAX = 32, HOST_MAX = 128, PATH_BYTES_MAX = 1024, STRETCH_BYTES_LEAST = 32768, VALID_S = 86400 };

/* Of the network itself, where `host` is "-": the class; of a site: the delays to its landmarks. */
typedef struct record {
    uint32_t network;
    uint64_t learned_s;
    char host[HOST_MAX];
    throng_traits traits;
} record;

struct throng_line {
    uv_loop_t *loop;
    uint32_t network; /* where we are */
    record records[RECORDS_MAX];
    uint32_t count;
    bool changed;
    throng_peer *peer; /* who is in a crowd; NULL: nobody */
    char host[HOST_MAX];
    bool public_only;
    throng_measuring *measuring;
    uint16_t measured; /* the list that it is about */
    char measured_host[HOST_MAX];
    throng_time since; /* of the present stretch */
    uint64_t bytes;
};

/* FNV-1a over the addresses of all interfaces, in any order: another network, another sum. */
static uint32_t network_now(void)
{
    uv_interface_address_t *all;
    int count = 0;
    uint32_t sum = 0;
    if (uv_interface_addresses(&all, &count) != 0)
        return 0;
    for (int i = 0; i < count; i++) {
        bool ipv6 = all[i].address.address4.sin_family == AF_INET6;
        const uint8_t *bytes = ipv6 ? (const uint8_t *)&all[i].address.address6.sin6_addr
                                    : (const uint8_t *)&all[i].address.address4.sin_addr;
        uint32_t hash = 2166136261u;
        for (int at = 0; at < (ipv6 ? 8 : 4); at++)
            hash = (hash ^ bytes[at]) * 16777619u;
        sum += all[i].is_internal ? 0 : hash;
    }
    uv_free_interface_addresses(all, count);
    return sum;
}

/* ---- records ---- */

static uint64_t now_s(void)
{
    return (uint64_t)time(NULL);
}

static record *find(const throng_line *line, const char *host)
{
    for (uint32_t i = 0; i < line->count; i++) {
        const record *r = &line->records[i];
        if (r->network == line->network && strcmp(r->host, host) == 0)
            return (record *)(uintptr_t)r;
    }
    return NULL;
}

/* The one of this host here, the oldest giving way to it. */
static record *make(throng_line *line, const char *host)
{
    record *r = find(line, host);
    if (r == NULL && line->count < RECORDS_MAX)
        r = &line->records[line->count++];
    if (r == NULL) {
        r = &line->records[0];
        for (uint32_t i = 1; i < line->count; i++)
            r = line->records[i].learned_s < r->learned_s ? &line->records[i] : r;
    }
    *r = (record){.network = line->network, .learned_s = now_s()};
    snprintf(r->host, sizeof r->host, "%s", host);
    line->changed = true;
    return r;
}

static throng_traits traits_for(const throng_line *line, const char *host)
{
    const record *own = find(line, "-"), *site = find(line, host);
    throng_traits traits = site != NULL ? site->traits : (throng_traits){0};
    traits.bandwidth = own != NULL ? own->traits.bandwidth : 0;
    return traits;
}

/* Between "://" and the path, without user and password. */
static void host_of(char ret[HOST_MAX], const char *url)
{
    const char *start = strstr(url, "://");
    start = start != NULL ? start + 3 : url;
    size_t size = strcspn(start, "/?#");
    for (const char *at = start; (at = memchr(at, '@', size - (size_t)(at - start))) != NULL;) {
        size -= (size_t)(at + 1 - start);
        start = ++at;
    }
    snprintf(ret, HOST_MAX, "%.*s", (int)(size < HOST_MAX ? size : HOST_MAX - 1), start);
    for (char *c = ret; *c != '\0'; c++)
        *c = *c <= ' ' ? '_' : *c;
}

/* ---- on disk ---- */

static bool path_of(char ret[PATH_BYTES_MAX], const char *name, bool make_directories)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char base[PATH_BYTES_MAX - 64];
    bool own = cache != NULL && cache[0] == '/';
    if (!own && (home == NULL || home[0] != '/'))
        return false;
    if (snprintf(base, sizeof base, "%s%s", own ? cache : home, own ? "" : "/.cache") >= (int)sizeof base)
        return false;
    if (make_directories) {
        (void)mkdir(base, 0700);
        snprintf(ret, PATH_BYTES_MAX, "%s/throng", base);
        (void)mkdir(ret, 0700);
    }
    snprintf(ret, PATH_BYTES_MAX, "%s/throng/%s", base, name);
    return true;
}

/* A line each: network, when learned, traits as the header has them, host. What is old or makes no sense is left out.
 */
static void load(throng_line *line)
{
    char path[PATH_BYTES_MAX], text[PATH_BYTES_MAX], traits[THRONG_TRAITS_TEXT_MAX];
    FILE *in = path_of(path, "line", false) ? fopen(path, "re") : NULL;
    while (in != NULL && line->count < RECORDS_MAX && fgets(text, sizeof text, in) != NULL) {
        record *r = &line->records[line->count];
        *r = (record){0};
        if (sscanf(text, "%8" SCNx32 " %20" SCNu64 " %31[A-Za-z0-9_-] %127[^ \n]", &r->network, &r->learned_s, traits,
                   r->host) == 4 &&
            throng_traits_from_text(&r->traits, traits, strlen(traits)) == 0 && r->learned_s <= now_s() &&
            now_s() - r->learned_s < VALID_S)
            line->count++;
    }
    if (in != NULL)
        fclose(in);
}

static void save(const throng_line *line)
{
    char path[PATH_BYTES_MAX], temporary[PATH_BYTES_MAX], traits[THRONG_TRAITS_TEXT_MAX];
    if (!path_of(path, "line", true) || !path_of(temporary, "line.new", true))
        return;
    FILE *out = fopen(temporary, "we");
    if (out == NULL)
        return;
    for (uint32_t i = 0; i < line->count; i++) {
        const record *r = &line->records[i];
        throng_traits_to_text(&r->traits, traits);
        fprintf(out, "%08" PRIx32 " %" PRIu64 " %s %s\n", r->network, r->learned_s, traits, r->host);
    }
    if (fclose(out) != 0 || rename(temporary, path) != 0)
        (void)unlink(temporary);
}

/* ---- the class ---- */

static void tell_peer(throng_line *line)
{
    if (line->peer == NULL)
        return;
    throng_traits traits = traits_for(line, line->host);
    (void)throng_peer_set_traits(line->peer, &traits, true);
}

static void end_stretch(throng_line *line, throng_time now)
{
    throng_time took = now - line->since;
    uint64_t bytes = line->bytes;
    line->since = now;
    line->bytes = 0;
    if (bytes < STRETCH_BYTES_LEAST || took < STRETCH_LEAST)
        return;
    uint8_t class = throng_bandwidth_class(bytes * 8 * THRONG_SECOND / took);
    const record *known = find(line, "-");
    if (known != NULL && known->traits.bandwidth >= class)
        return;
    make(line, "-")->traits.bandwidth = class;
    tell_peer(line);
}

void throng_line_received(throng_line *line, throng_time now, uint64_t bytes)
{
    if (line == NULL || bytes == 0)
        return;
    /* Silence before is no part of it. */
    if (line->bytes == 0)
        line->since = now;
    line->bytes += bytes;
    if (now - line->since >= STRETCH)
        end_stretch(line, now);
}

/* ---- delays ---- */

static void on_measured(void *user, const uint8_t delays[THRONG_LANDMARKS_MAX])
{
    throng_line *line = user;
    static const uint8_t nothing[THRONG_LANDMARKS_MAX];
    line->measuring = NULL;
    if (memcmp(delays, nothing, sizeof nothing) == 0)
        return;
    record *r = make(line, line->measured_host);
    r->traits.landmarks = line->measured;
    memcpy(r->traits.delays, delays, sizeof r->traits.delays);
    tell_peer(line);
}

void throng_line_landmarks(throng_line *line, const throng_peer *peer, const throng_landmarks *landmarks)
{
    if (line == NULL || peer != line->peer || line->measuring != NULL)
        return;
    for (uint32_t i = 0; i < line->count; i++) {
        throng_traits traits = line->records[i].traits;
        if (line->records[i].network == line->network && traits.landmarks == landmarks->id) {
            make(line, line->host)->traits = traits; /* another site has the same */
            tell_peer(line);
            return;
        }
    }
    line->measured = landmarks->id;
    memcpy(line->measured_host, line->host, sizeof line->host);
    if (throng_landmarks_measure(&line->measuring, line->loop, landmarks, line->public_only, on_measured, line) != 0)
        line->measuring = NULL;
}

/* ---- life ---- */

throng_line *throng_line_new(uv_loop_t *loop)
{
    throng_line *line = calloc(1, sizeof *line);
    if (line == NULL)
        return NULL;
    line->loop = loop;
    line->network = network_now();
    load(line);
    return line;
}

void throng_line_free(throng_line *line)
{
    if (line == NULL)
        return;
    line->peer = NULL; /* nobody is told any more */
    end_stretch(line, throng_now());
    throng_measuring_end(line->measuring);
    if (line->changed)
        save(line);
    free(line);
}

const char *throng_line_header(const throng_line *line, const char *url, char text[THRONG_LINE_HEADER_MAX])
{
    char host[HOST_MAX], value[THRONG_TRAITS_TEXT_MAX];
    if (line == NULL)
        return NULL;
    host_of(host, url);
    throng_traits traits = traits_for(line, host);
    if (traits.bandwidth == 0 && traits.landmarks == 0)
        return NULL;
    throng_traits_to_text(&traits, value);
    snprintf(text, THRONG_LINE_HEADER_MAX, "Throng-Traits: %s", value);
    return text;
}

void throng_line_join(throng_line *line, throng_peer *peer, const char *url, bool public_only)
{
    if (line == NULL)
        return;
    line->peer = peer;
    line->public_only = public_only;
    host_of(line->host, url);
    tell_peer(line);
}

void throng_line_leave(throng_line *line, const throng_peer *peer)
{
    if (line != NULL && line->peer == peer)
        line->peer = NULL;
}
