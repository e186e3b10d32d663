/* SERVE: a member holds all of an object, and serves it by HTTP at its own address. It is believed once the host has
 * fetched a piece of it there (a probe), and named from then on, for as long as it says so again; probed again now and
 * then.
 *
 * What a member can have the host do is one connection in HTTP_AGAIN to a port of the very address that it has proven
 * is its own. */
#include "state.h"

#include <throng/http_path.h>

#include <string.h>

enum {
    PORT_MIN = 1024,  /* what is below belongs to others' services */
    FAILURES_MAX = 6, /* of which each doubles the time until it is tried again */
};

#define HTTP_AGAIN (60 * THRONG_SECOND)    /* a peer that is named is probed so often in the mean, at random */
#define HTTP_RETRY (10 * THRONG_SECOND)    /* after a failure, doubled with each one more */
#define HTTP_GIVEN_UP (30 * THRONG_SECOND) /* a probe that the host never came back from */
#define DOUBT_PROBE (5 * THRONG_SECOND)    /* a doubt has a peer probed, but not sooner than this after the last time */
#define DOUBT_HALVED (60 * THRONG_SECOND)  /* doubts in the peers of an object count half after this */
#define SHUNNED_FOR (600 * THRONG_SECOND)  /* who is doubted more than the others is not named again for so long */

/* ---- queues ---- */

static void enqueue(throng_seed *seed, seed_http *http, uint32_t queue, throng_time due)
{
    seed_http_queue *q = &seed->http_queues[queue];
    http->queue = (uint8_t)queue;
    http->due = due;
    http->next = NULL;
    http->previous = q->last;
    *(q->last ? &q->last->next : &q->first) = http;
    q->last = http;
}

static void dequeue(throng_seed *seed, seed_http *http)
{
    seed_http_queue *q = &seed->http_queues[http->queue];
    if (http->queue == HTTP_QUEUE_NONE)
        return;
    *(http->previous ? &http->previous->next : &q->first) = http->next;
    *(http->next ? &http->next->previous : &q->last) = http->previous;
    http->queue = HTTP_QUEUE_NONE;
}

static void enqueue_at(throng_seed *seed, seed_http *http, throng_time second)
{
    enqueue(seed, http, HTTP_QUEUE_AGAIN + second % HTTP_SECONDS, second * THRONG_SECOND);
}

/* At a second that nobody can tell: who serves probes alone well would have to serve all well. */
static void enqueue_again(throng_seed *seed, seed_http *http, throng_time now)
{
    uint32_t most = 2 * (HTTP_AGAIN / THRONG_SECOND) - 1;
    enqueue_at(seed, http, now / THRONG_SECOND + 1 + throng_seed_random_below(seed, most));
}

static void enqueue_doubted(throng_seed *seed, seed_http *http, throng_time now)
{
    throng_time soonest = http->probed + DOUBT_PROBE;
    if (http->queue == HTTP_QUEUE_NONE || http->due <= soonest + THRONG_SECOND)
        return;
    dequeue(seed, http);
    if (now >= soonest)
        enqueue(seed, http, HTTP_QUEUE_NEW, now);
    else
        enqueue_at(seed, http, soonest / THRONG_SECOND + 1);
}

/* ---- the directory ---- */

static void unlist(throng_seed *seed, seed_http *http)
{
    if (!http->is_listed)
        return;
    throng_directory_drop(seed->directory, http->member->object->http_listed, http->listed);
    throng_directory_remove_peer(seed->directory, http->listed);
    http->is_listed = false;
    seed->http_listed--;
}

/* Room in the directory is for clients first: a sixteenth of it is for what they serve. */
static void list(throng_seed *seed, throng_time now, seed_http *http)
{
    seed_object *object = http->member->object;
    if (http->is_listed || seed->http_listed >= seed->config.peers_max / 16)
        return;
    if (!object->has_http && throng_directory_add_object(seed->directory, object->tag, &object->http_listed) < 0)
        return;
    object->has_http = true;
    if (throng_directory_add_peer(seed->directory, now, &http->addr, &http->member->client->place, &http->listed) < 0)
        return;
    http->is_listed = true;
    seed->http_listed++;
    throng_directory_hold(seed->directory, now, object->http_listed, http->listed, true);
}

/* ---- members ---- */

/* Addresses that one person may have any number of count as one. */
static bool same_network(const throng_addr *a, const throng_addr *b)
{
    return memcmp(a->ip, b->ip, throng_addr_is_ipv4(a) ? 16 : 8) == 0;
}

/* One who claims to be a thousand is two. */
static bool has_room(const throng_seed *seed, throng_time now, const seed_object *object, const throng_addr *addr)
{
    uint32_t all = 0, near = 0;
    for (uint32_t i = 0; i < HTTP_SHUNNED_MAX; i++)
        if (now < seed->http_shunned[i].until && same_network(&seed->http_shunned[i].addr, addr))
            return false;
    for (const seed_http *http = object->http; http; http = http->next_of_object) {
        all++;
        near += same_network(&http->addr, addr);
    }
    return all < HTTP_HOLDERS_MAX && near < HTTP_OF_A_NETWORK_MAX;
}

void throng_seed_http_forget(throng_seed *seed, seed_member *member)
{
    seed_http *http = member->http;
    if (!http)
        return;
    unlist(seed, http);
    dequeue(seed, http);
    for (seed_http **at = &member->object->http; *at; at = &(*at)->next_of_object)
        if (*at == http) {
            *at = http->next_of_object;
            break;
        }
    member->http = NULL;
    throng_seed_give_back(seed, http, sizeof *http);
}

static void begin(throng_seed *seed, throng_time now, seed_member *member, const throng_addr *addr)
{
    if (!has_room(seed, now, member->object, addr))
        return;
    seed_http *http = throng_seed_take(seed, sizeof *http);
    if (!http)
        return;
    http->member = member;
    http->addr = *addr;
    http->mark = throng_http_mark(seed->config.token_key, addr);
    http->queue = HTTP_QUEUE_NONE;
    http->next_of_object = member->object->http;
    member->object->http = http;
    member->http = http;
    enqueue(seed, http, HTTP_QUEUE_NEW, now);
}

static void answer(throng_seed *seed, const seed_arrival *arrival, const seed_member *member, const throng_addr *addr)
{
    uint8_t bytes[CONTROL_BYTES_MAX];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_served served = {.object = member->object->tag, .now_unix_s = arrival->now_unix_s};
    throng_http_key(served.key, seed->config.token_key, addr);
    throng_served_encode(&w, &served);
    throng_seed_control_bytes(seed, arrival->from, member->object->tag, &w);
}

/* Said again: still there. At another port: another one. */
static void serves(throng_seed *seed, throng_time now, seed_member *member, const throng_addr *addr)
{
    seed_http *http = member->http;
    if (http && !throng_addr_equal(&http->addr, addr)) {
        throng_seed_http_forget(seed, member);
        http = NULL;
    }
    if (!http) {
        begin(seed, now, member, addr);
        return;
    }
    if (http->is_listed) {
        throng_directory_heard(seed->directory, now, http->listed);
        throng_directory_hold(seed->directory, now, member->object->http_listed, http->listed, false);
    }
    if (http->queue == HTTP_QUEUE_NONE && now >= http->due)
        enqueue(seed, http, HTTP_QUEUE_NEW, now);
}

int throng_seed_recv_serve(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_serve serve;
    if (throng_serve_decode(&serve, r) < 0)
        return THRONG_ERR_MALFORMED;
    seed_object *object = throng_seed_object_find(seed, serve.object);
    if (!object) {
        throng_seed_tell_no_file(seed, arrival->from, serve.object);
        return 0;
    }
    if (serve.port < PORT_MIN || throng_addr_is_browser(arrival->from) || object->geometry.size == 0)
        return 0;
    seed_member *member;
    int error = throng_seed_member_get(seed, arrival->now, arrival->client, object, &member);
    if (error < 0)
        return error;
    throng_addr addr = *arrival->from;
    addr.port = serve.port;
    if (serve.asks_key)
        answer(seed, arrival, member, &addr);
    serves(seed, arrival->now, member, &addr);
    return 0;
}

/* ---- probes ---- */

static seed_http *next_due(throng_seed *seed, throng_time now)
{
    seed_http *first = seed->http_queues[HTTP_QUEUE_NEW].first;
    if (first && first->due <= now)
        return first;
    throng_time second = now / THRONG_SECOND, looked = seed->http_looked;
    looked = looked + HTTP_SECONDS < second ? second - HTTP_SECONDS + 1 : looked;
    for (; looked <= second; looked++) {
        first = seed->http_queues[HTTP_QUEUE_AGAIN + looked % HTTP_SECONDS].first;
        if (first && first->due <= now)
            break;
        first = NULL;
    }
    seed->http_looked = looked < second ? looked : second;
    return first;
}

/* As clients ask: from the start, from where a split begins (a multiple of 1 MiB: aria2), from where another source
 * broke off. */
static uint64_t offset_of_probe(throng_seed *seed, uint64_t most)
{
    enum { SPLIT = 1 << 20 };
    uint64_t anywhere =
        ((uint64_t)throng_seed_random_below(seed, UINT32_MAX) << 32 | throng_seed_random_below(seed, UINT32_MAX)) %
        (most + 1);
    switch (throng_seed_random_below(seed, 4)) {
    case 0:
        return 0;
    case 1:
        return anywhere / SPLIT * SPLIT;
    default:
        return anywhere;
    }
}

bool throng_seed_poll_probe(throng_seed *seed, throng_time now, uint32_t now_unix_s, throng_seed_probe *ret)
{
    static const uint8_t anywhere[16];
    uint8_t key[THRONG_KEY_SIZE];
    seed_http *http = next_due(seed, now);
    if (!http)
        return false;
    const seed_object *object = http->member->object;
    uint64_t size = object->geometry.size;
    ret->size = size < THRONG_SEED_PROBE_MAX ? (uint32_t)size : THRONG_SEED_PROBE_MAX;
    ret->offset = offset_of_probe(seed, size - ret->size);
    ret->addr = http->addr;
    ret->client = http->member->client->addr;
    ret->object = object->id;
    ret->object_size = size;
    ret->content = object->content;
    throng_http_key(key, seed->config.token_key, &http->addr);
    throng_http_path_make(ret->path, key, object->tag, now_unix_s, anywhere);
    dequeue(seed, http);
    http->due = now + HTTP_GIVEN_UP; /* until then nothing more is done about it */
    http->probed = now;
    seed->stats.probes++;
    return true;
}

void throng_seed_probed(throng_seed *seed, throng_time now, const throng_seed_probe *probe, bool good)
{
    seed_object *object = throng_seed_object_find(seed, throng_hash_tag(&probe->object));
    seed_client *client = throng_seed_client_find(seed, &probe->client);
    seed_member *member = object && client ? throng_seed_member_find(client, object) : NULL;
    seed_http *http = member ? member->http : NULL;
    if (!http || http->queue != HTTP_QUEUE_NONE || !throng_addr_equal(&http->addr, &probe->addr))
        return; /* gone, or at another port by now */
    if (good) {
        http->failures = 0;
        list(seed, now, http);
        enqueue_again(seed, http, now);
        return;
    }
    seed->stats.probes_failed++;
    unlist(seed, http);
    http->due = now + (HTTP_RETRY << http->failures);
    http->failures += http->failures < FAILURES_MAX;
}

/* ---- doubts ---- */

static seed_http *find_marked(const throng_seed *seed, throng_tag object48, uint16_t mark)
{
    const seed_object *object = seed->objects[object48 & seed->objects_mask];
    while (object && (object->tag ^ object48) << 16 != 0)
        object = object->chain;
    seed_http *http = object ? object->http : NULL;
    while (http && http->mark != mark)
        http = http->next_of_object;
    return http;
}

/* Clients come back for many reasons, which fall on all peers that were named alike. More than those by three standard
 * deviations, and by five more, is this peer's own doing. Of a few who are always named together nothing can be told.
 */
static bool stands_out(const seed_http *http)
{
    int64_t others = 0, sum = 0;
    for (const seed_http *other = http->member->object->http; other; other = other->next_of_object)
        if (other != http && other->is_listed) {
            others++;
            sum += other->doubts;
        }
    int64_t above = (http->doubts - 5) * others - sum; /* times `others` */
    return others > 0 && above > 0 && above * above > 9 * sum * others;
}

static void halve_doubts(throng_time now, seed_object *object)
{
    if (now - object->doubts_halved < DOUBT_HALVED)
        return;
    object->doubts_halved = now;
    for (seed_http *http = object->http; http; http = http->next_of_object)
        http->doubts /= 2;
}

void throng_seed_doubt(throng_seed *seed, throng_time now, throng_tag object, uint16_t mark)
{
    seed_http *http = find_marked(seed, object, mark);
    if (!http || !http->is_listed)
        return;
    seed->stats.doubts++;
    halve_doubts(now, http->member->object);
    http->doubts += http->doubts < UINT16_MAX;
    if (stands_out(http)) {
        seed->stats.shunned++;
        seed->http_shunned[seed->http_shunned_next++ % HTTP_SHUNNED_MAX] =
            (seed_shunned){.addr = http->addr, .until = now + SHUNNED_FOR};
        throng_seed_http_forget(seed, http->member);
    } else {
        enqueue_doubted(seed, http, now);
    }
}

int throng_seed_http_holders(const throng_seed *seed, const throng_hash *id, uint32_t *ret_object)
{
    const seed_object *object = throng_seed_object_find(seed, throng_hash_tag(id));
    if (!object || !object->has_http)
        return THRONG_ERR_NOT_FOUND;
    *ret_object = object->http_listed;
    return 0;
}
