#include "member.h"

#include <inttypes.h>
#include <net/fetch_url.h>
#include <net/manifest_make.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "crowd.h"
#include "crowd_state.h"
#include "line.h"

enum {
    KEPT_MAX = 256, /* objects offered at once: two descriptors each */
    HOST_MAX = 272,
    SITE_MAX = 288,
    SERVED_MAX = 16, /* … the latest of them by HTTP: the seeder is told of each every 1.6 s */
    NEIGHBOURS_MAX = 64,
    /* Whoever opted in gives what it has to its group, beyond tit-for-tat's tab: who asks has nothing of this object
     * to give in return. --limit-rate bounds it. */
    TAB_BYTES = 16 << 20,
};

typedef struct kept_object {
    throng_hash object;
    uint64_t url; /* 0: of no URL of the group's */
    throng_sink *sink;
    bool http; /* served by HTTP, too */
} kept_object;

typedef struct seen_url {
    uint64_t url;
    uint64_t version; /* the newest manifest of it */
} seen_url;

struct throng_member {
    uv_loop_t *loop;
    const throng_get_options *options;
    throng_hasher *hasher;
    throng_http_peer *http; /* NULL: nothing is served by HTTP */
    throng_line *line;
    throng_peer *peer;
    uv_timer_t timer;
    char site[SITE_MAX]; /* "https://host:port" of the first directions; empty: none came */
    bool key_known;
    uint8_t key[THRONG_PUBLIC_KEY_SIZE];
    throng_directions directions; /* the latest: key and sender id under which we speak */
    throng_addr server;
    throng_crowd *crowd;      /* the one under way */
    throng_transfer *finding; /* whose URL is being looked for */
    uint32_t number;          /* of that question */
    kept_object kept[KEPT_MAX];
    size_t kept_count;
    seen_url *seen; /* as many as there may be URLs */
    size_t seen_count;
    void (*on_left)(void *user);
    void *user;
    bool leaving;
};

/* ---- URLs ---- */

/* Site, host as manifests have it (with a port that is not the scheme's), path and query. */
typedef struct url_parts {
    char site[SITE_MAX];
    char host[HOST_MAX];
    char path[2048];
} url_parts;

static bool part(CURLU *url, CURLUPart which, unsigned flags, char *ret, size_t size)
{
    char *text = NULL;
    if (curl_url_get(url, which, &text, flags) != CURLUE_OK) {
        return false;
    }
    int length = snprintf(ret, size, "%s", text);
    curl_free(text);
    return length >= 0 && (size_t)length < size;
}

static bool split(const char *text, url_parts *ret)
{
    int error = 0;
    char scheme[8], host[256], port[8], query[1024];
    CURLU *url = throng_url_parse(text, &error);
    if (url == NULL) {
        return false;
    }
    bool good = part(url, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)) &&
                part(url, CURLUPART_HOST, 0, host, sizeof(host)) &&
                part(url, CURLUPART_PATH, 0, ret->path, sizeof(ret->path) - sizeof(query) - 2);
    bool with_port = part(url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT, port, sizeof(port));
    if (good && part(url, CURLUPART_QUERY, 0, query, sizeof(query))) {
        size_t at = strlen(ret->path);
        snprintf(ret->path + at, sizeof(ret->path) - at, "?%s", query);
    }
    curl_url_cleanup(url);
    for (char *c = host; good && *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
    }
    if (!good) {
        return false;
    }
    snprintf(ret->host, sizeof(ret->host), with_port ? "%s:%s" : "%s", host, port);
    snprintf(ret->site, sizeof(ret->site), "%s://%s", scheme, ret->host);
    return true;
}

/* What the group knows this transfer's URL by; false: it is of another site, or the site's key is not known. */
static bool id_of(throng_member *member, const throng_transfer *transfer, throng_hash *ret)
{
    url_parts parts;
    if (!member->key_known || !split(transfer->url, &parts) || strcmp(parts.site, member->site) != 0) {
        return false;
    }
    throng_url_hash(member->hasher, member->key, parts.host, parts.path, ret->bytes);
    return true;
}

/* ---- finding ---- */

static void on_found(throng_peer *peer, const throng_group_event *event, void *user)
{
    throng_member *member = user;
    throng_transfer *transfer = member->finding;
    if (transfer == NULL || event->number != member->number) {
        return;
    }
    member->finding = NULL;
    if (event->type != THRONG_GROUP_FOUND) {
        throng_plain_start(transfer);
        return;
    }
    throng_directions *directions = &transfer->directions;
    *directions = member->directions; /* its key and sender id, nothing else */
    directions->object = event->copy.object;
    directions->size = event->copy.size;
    directions->chunk_size = event->copy.chunk_size;
    directions->seeder.port = 0;
    directions->peers_count = event->holders_count;
    memcpy(directions->peers, event->holders, event->holders_count * sizeof(event->holders[0]));
    transfer->server = member->server;
    transfer->from_group = true;
    transfer->copy_age_s = event->copy.age_s;
    throng_crowd_enter(transfer, 0);
}

bool throng_member_find(throng_member *member, throng_transfer *transfer, const throng_hash *wrong)
{
    throng_hash url;
    if (member->peer == NULL || !id_of(member, transfer, &url)) {
        return false;
    }
    throng_tag tag = wrong == NULL ? 0 : throng_hash_tag(wrong);
    transfer->group_asks++;
    if (throng_peer_find(member->peer, ++member->number, throng_hash_tag(&url), &tag, wrong == NULL ? 0 : 1) < 0) {
        return false;
    }
    member->finding = transfer;
    transfer->phase = THRONG_TRANSFER_PLAIN;
    return true;
}

void throng_member_done(throng_member *member, throng_transfer *transfer)
{
    throng_hash url;
    member->finding = member->finding == transfer ? NULL : member->finding;
    if (!transfer->held && member->peer != NULL && id_of(member, transfer, &url)) {
        throng_peer_release(member->peer, throng_hash_tag(&url)); /* nobody need wait for us */
    }
}

/* ---- what is found ---- */

/* What the site's Cache-Control lets a group give on without asking the site: false, nothing; seconds since it was
 * named by the server, otherwise. */
static bool may_be_given(const throng_manifest *manifest, uint32_t *ret_seconds)
{
    static const char *const forbidding[] = {"no-cache", "no-store", "private"};
    char text[256];
    *ret_seconds = UINT32_MAX;
    for (size_t at = 0; at < manifest->headers_size;) {
        const char *line = manifest->headers + at;
        const char *end = memchr(line, '\n', manifest->headers_size - at);
        size_t size = end == NULL ? manifest->headers_size - at : (size_t)(end - line) + 1;
        at += size;
        snprintf(text, sizeof(text), "%.*s", (int)size, line);
        if (strcasestr(text, "application/vnd.throng.page") != NULL) { /* of the same URL, but not what it names */
            return false;
        }
        if (size < 14 || strncasecmp(line, "Cache-Control:", 14) != 0) {
            continue;
        }
        snprintf(text, sizeof(text), "%.*s", (int)(size - 14), line + 14);
        for (size_t i = 0; i < sizeof(forbidding) / sizeof(forbidding[0]); i++) {
            if (strcasestr(text, forbidding[i]) != NULL) {
                return false;
            }
        }
        const char *age = strcasestr(text, "max-age=");
        if (age != NULL) {
            unsigned long long seconds = strtoull(age + 8, NULL, 10);
            *ret_seconds = seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
        }
    }
    return true;
}

/* The newest version of a URL only ever grows: a copy that is older than what was here is refused. */
static bool is_newest(throng_member *member, uint64_t url, uint64_t version)
{
    for (size_t i = 0; i < member->seen_count; i++) {
        if (member->seen[i].url == url) {
            bool good = version >= member->seen[i].version;
            member->seen[i].version = good ? version : member->seen[i].version;
            return good;
        }
    }
    if (member->seen_count < member->options->urls_count) {
        member->seen[member->seen_count++] = (seen_url){url, version};
    }
    return true;
}

bool throng_member_takes(throng_member *member, throng_crowd *crowd, const throng_manifest *manifest)
{
    throng_transfer *transfer = crowd->transfer;
    throng_hash url;
    uint32_t seconds = 0;
    if (!transfer->from_group && member->site[0] != '\0') {
        url_parts parts;
        bool ours = split(transfer->url, &parts) && strcmp(parts.site, member->site) == 0;
        if (ours) { /* the server's word: this is its key now */
            memcpy(member->key, manifest->public_key, sizeof(member->key));
            member->key_known = true;
        }
    }
    bool known = id_of(member, transfer, &url);
    bool right = known && memcmp(manifest->path, url.bytes, sizeof(url.bytes)) == 0 &&
                 memcmp(manifest->public_key, member->key, sizeof(member->key)) == 0 &&
                 may_be_given(manifest, &seconds) && transfer->copy_age_s <= seconds &&
                 is_newest(member, throng_hash_tag(&url), manifest->version);
    if (!right) {
        return !transfer->from_group;
    }
    throng_copy copy = {.object = crowd->object,
                        .size = crowd->geometry.size,
                        .chunk_size = crowd->geometry.chunk_size,
                        .version = manifest->version,
                        .age_s = transfer->copy_age_s};
    transfer->held = throng_peer_hold(member->peer, throng_hash_tag(&url), &copy) == 0;
    transfer->held_url = throng_hash_tag(&url);
    return true;
}

void throng_member_directed(throng_member *member, const throng_transfer *transfer, const throng_directions *directions)
{
    url_parts parts;
    if (!split(transfer->url, &parts)) {
        return;
    }
    if (member->site[0] == '\0') {
        memcpy(member->site, parts.site, sizeof(member->site));
    }
    if (strcmp(parts.site, member->site) != 0) {
        return;
    }
    member->directions = *directions;
    member->server = transfer->server;
    for (uint32_t i = 0; i < directions->peers_count; i++) {
        throng_peer_meet(member->peer, &directions->peers[i]);
    }
}

/* ---- the shared peer ---- */

static throng_crowd *crowd_of(const throng_member *member, const throng_hash *object)
{
    throng_crowd *crowd = member->crowd;
    return crowd != NULL && throng_hash_equal(&crowd->object, object) ? crowd : NULL;
}

static void on_manifest(throng_peer *peer, const throng_hash *object, const throng_manifest *manifest, void *user)
{
    throng_crowd *crowd = crowd_of(user, object);
    if (crowd != NULL) {
        throng_crowd_hooks()->manifest(peer, object, manifest, crowd);
    }
}

static void on_unit(throng_peer *peer, const throng_hash *object, uint32_t unit, void *user)
{
    throng_crowd *crowd = crowd_of(user, object);
    if (crowd != NULL) {
        throng_crowd_hooks()->unit(peer, object, unit, crowd);
    }
}

static void on_done(throng_peer *peer, const throng_hash *object, void *user)
{
    throng_crowd *crowd = crowd_of(user, object);
    if (crowd != NULL) {
        throng_crowd_hooks()->done(peer, object, crowd);
    }
}

static void on_stuck(throng_peer *peer, const throng_hash *object, int error, void *user)
{
    throng_crowd *crowd = crowd_of(user, object);
    if (crowd != NULL) {
        throng_crowd_hooks()->stuck(peer, object, error, crowd);
    }
}

static void on_store_failed(throng_peer *peer, const throng_hash *object, int error, void *user)
{
    throng_crowd *crowd = crowd_of(user, object);
    if (crowd != NULL) {
        throng_crowd_hooks()->store_failed(peer, object, error, crowd);
    }
}

static void on_served(throng_peer *peer, const throng_hash *object, const uint8_t key[THRONG_KEY_SIZE],
                      uint32_t now_unix_s, void *user)
{
    const throng_member *member = user;
    (void)throng_http_peer_set_key(member->http, throng_hash_tag(object), key, now_unix_s);
}

static void on_landmarks(throng_peer *peer, const throng_landmarks *landmarks, void *user)
{
    const throng_member *member = user;
    throng_line_landmarks(member->line, peer, landmarks);
}

static void on_peer_left(throng_peer *peer, void *user)
{
    throng_member *member = user;
    member->on_left(member->user);
}

static int open_peer(throng_member *member, bool public_only)
{
    throng_peer_config config;
    throng_group_config group;
    throng_peer_config_default(&config, THRONG_PROFILE_THRONG);
    throng_group_config_default(&group);
    config.node.objects_max = KEPT_MAX + 2;
    config.node.degree_max = NEIGHBOURS_MAX;
    config.node.tab_bytes = TAB_BYTES;
    config.keys_max = THRONG_GET_URLS_MAX + 1;
    config.pinned_key = member->options->key_given ? member->options->key : NULL;
    config.node.upload_limit_bps = member->options->rate_limit_bps;
    config.node.download_limit_bps = member->options->rate_limit_bps;
    config.node.public_only = group.public_only = public_only;
    config.hooks = (throng_peer_hooks){.manifest = on_manifest,
                                       .unit = on_unit,
                                       .done = on_done,
                                       .stuck = on_stuck,
                                       .store_failed = on_store_failed,
                                       .found = on_found,
                                       .served = on_served,
                                       .landmarks = on_landmarks,
                                       .left = on_peer_left};
    config.user = member;
    int error = throng_peer_new(&member->peer, member->loop, &config);
    return error == 0 && throng_peer_group_open(member->peer, &group) < 0 ? UV_ENOMEM : error;
}

static void serve_no_more(throng_member *member, kept_object *kept)
{
    if (kept->http) {
        throng_http_peer_remove(member->http, throng_hash_tag(&kept->object));
        kept->http = false;
    }
}

static void drop_kept(throng_member *member, size_t index)
{
    kept_object *gone = &member->kept[index];
    serve_no_more(member, gone);
    throng_peer_drop(member->peer, &gone->object);
    throng_peer_release(member->peer, gone->url);
    throng_sink_free(gone->sink);
    memmove(gone, gone + 1, (--member->kept_count - index) * sizeof(*gone));
}

/* The same once more: what is here of it makes place. */
static void drop_same(throng_member *member, const throng_hash *object)
{
    for (size_t i = member->kept_count; i-- > 0;) {
        if (throng_hash_equal(&member->kept[i].object, object)) {
            drop_kept(member, i);
        }
    }
}

int throng_member_peer(throng_member *member, throng_crowd *crowd, throng_peer **ret)
{
    int error = member->peer == NULL ? open_peer(member, !throng_addr_is_private(&crowd->transfer->server)) : 0;
    if (error != 0) {
        throng_peer_free(member->peer);
        member->peer = NULL;
        return error;
    }
    drop_same(member, &crowd->object);
    member->crowd = crowd;
    *ret = member->peer;
    return 0;
}

void throng_member_left(throng_member *member, throng_crowd *crowd)
{
    const throng_transfer *transfer = crowd->transfer;
    member->crowd = member->crowd == crowd ? NULL : member->crowd;
    if (member->peer == NULL || transfer->kept) {
        return;
    }
    throng_peer_drop(member->peer, &crowd->object);
    if (transfer->held) {
        throng_peer_release(member->peer, transfer->held_url);
    }
}

/* ---- what is offered ---- */

static bool read_verified(void *user, uint64_t offset, void *buffer, size_t size)
{
    return throng_store_read(user, offset, buffer, size) == 0;
}

/* By HTTP only what the server introduced us for: of what came from the group it does not know that we have it. */
static void serve(throng_member *member, kept_object *kept, const throng_transfer *transfer)
{
    size_t served = 0;
    throng_store *store = throng_sink_store(kept->sink);
    const throng_http_object object = {
        .tag = throng_hash_tag(&kept->object), .size = (uint64_t)transfer->size, .read = read_verified, .user = store};
    if (member->http == NULL || member->peer == NULL || store == NULL || transfer->from_group ||
        throng_http_peer_add(member->http, &object) != 0) {
        return;
    }
    kept->http = throng_peer_serve(member->peer, &kept->object, throng_http_peer_port(member->http)) == 0;
    if (!kept->http) {
        throng_http_peer_remove(member->http, object.tag);
    }
    for (size_t i = member->kept_count; i-- > 0;) {
        served += member->kept[i].http;
        if (member->kept[i].http && served > SERVED_MAX) {
            (void)throng_peer_serve(member->peer, &member->kept[i].object, 0);
            serve_no_more(member, &member->kept[i]);
        }
    }
}

void throng_member_keep(throng_member *member, const throng_transfer *transfer, throng_sink *sink)
{
    if (member->kept_count == KEPT_MAX) {
        drop_kept(member, 0);
    }
    kept_object *kept = &member->kept[member->kept_count++];
    *kept = (kept_object){.object = transfer->directions.object, .url = transfer->held_url, .sink = sink};
    serve(member, kept, transfer);
}

uint64_t throng_member_uploaded(const throng_member *member)
{
    throng_peer_stats stats = {0};
    if (member->peer != NULL) {
        throng_peer_stats_get(member->peer, &stats);
    }
    return stats.node.content_uploaded;
}

/* ---- beginning and end ---- */

throng_member *throng_member_new(uv_loop_t *loop, const throng_get_options *options, throng_http_peer *http,
                                 throng_line *line)
{
    throng_member *member = calloc(1, sizeof(*member));
    if (member == NULL) {
        return NULL;
    }
    member->loop = loop;
    member->options = options;
    member->http = http;
    member->line = line;
    member->seen = calloc(options->urls_count, sizeof(*member->seen));
    if (member->seen == NULL || throng_hasher_new(&member->hasher) < 0) {
        free(member->seen);
        free(member);
        return NULL;
    }
    uv_timer_init(loop, &member->timer);
    member->timer.data = member;
    return member;
}

static void on_closed(uv_handle_t *handle)
{
    throng_member *member = handle->data;
    free(member->seen);
    free(member);
}

void throng_member_free(throng_member *member)
{
    if (member == NULL) {
        return;
    }
    throng_line_leave(member->line, member->peer);
    throng_peer_free(member->peer);
    for (size_t i = 0; i < member->kept_count; i++) {
        serve_no_more(member, &member->kept[i]);
        throng_sink_free(member->kept[i].sink);
    }
    throng_hasher_free(member->hasher);
    uv_close((uv_handle_t *)&member->timer, on_closed);
}

static void leave(throng_member *member)
{
    if (member->leaving) {
        return;
    }
    member->leaving = true;
    if (member->peer != NULL) {
        throng_peer_leave(member->peer);
    } else {
        member->on_left(member->user);
    }
}

static void on_stayed(uv_timer_t *timer)
{
    leave(timer->data);
}

void throng_member_finish(throng_member *member, void (*on_left)(void *user), void *user)
{
    member->on_left = on_left;
    member->user = user;
    bool any = member->kept_count > 0;
    uv_timer_start(&member->timer, on_stayed, any ? member->options->stay_s * 1000 : 0, 0);
}

void throng_member_interrupt(throng_member *member)
{
    if (member->on_left != NULL) {
        uv_timer_start(&member->timer, on_stayed, 0, 0);
    }
}
