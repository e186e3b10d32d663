/* One node in an instance of WebAssembly, and what JavaScript calls. Its calls are numbers in, numbers out; what is
 * more stands in web_host's fields, whose offsets are part of the interface (web/src/core.ts reads them).
 *
 * A peer is a 64-bit id, which the core meets as an address of the discard prefix 100::/64 (RFC 6666), port 1: no
 * program outside a browser could send there. Time is in microseconds, a double: exact below 2^53. */
#include <throng/node.h>

#include <string.h>

#include "memory.h"

enum {
    IO_SIZE = THRONG_MANIFEST_SIZE_MAX,
    PEER_PORT = 1,
    DEGREE_MAX = 12, /* LINKS_MAX of web/src/mesh.ts, and some that are being met */
    NEIGHBOUR_WINDOW = 8,
    GIVE_AHEAD_BYTES = 65536,
};
/* A message costs a browser over half a millisecond of processor time, whatever its size: few and full ones. */
#define HAVE_INTERVAL (1000 * THRONG_MS)
#define SEEK_INTERVAL (500 * THRONG_MS)
#define TIMERS_LATE (40 * THRONG_MS) /* a turn of web/src/peer.ts, and what else a page does */

typedef struct web_host {
    /* --- the interface: offsets in core.ts ------------------------------------------------------------- */
    double offset;        /* 0: first byte of the content that an event or datagram is about */
    double request;       /* 8: of an event, for web_complete */
    uint64_t peer;        /* 16: whom a datagram is for, or an event is about */
    uint32_t content;     /* 24: number that the host gave to the object */
    uint32_t size;        /* 28: bytes, from `offset` or `bytes` on */
    const uint8_t *bytes; /* 32: bytes of an event, or of a datagram's body that the core holds */
    const uint8_t *other; /* 36: the hash expected; a datagram's head */
    uint32_t other_size;  /* 40: of the head */
    uint32_t value;       /* 44: unit or source, or an error */
    const uint8_t *key;   /* 48: of a manifest: its public key */
    uint8_t io[IO_SIZE];  /* 52: what goes in */
    /* --- ours ------------------------------------------------------------------------------------------ */
    web_memory *memory;
    throng_node *node;
    throng_directions directions; /* the last ones: their token counts for every object of the site */
    throng_datagram datagram;
} web_host;

_Static_assert(offsetof(web_host, io) == 52, "core.ts knows where io is");

static throng_addr addr_of(uint64_t peer)
{
    throng_addr addr = {.ip = {1}, .port = PEER_PORT};
    for (int i = 15; i >= 8; i--, peer >>= 8)
        addr.ip[i] = (uint8_t)peer;
    return addr;
}

/* 0, which is nobody, for an address that is none of a peer. */
static uint64_t peer_of(const throng_addr *addr)
{
    uint64_t peer = 0;
    for (int i = 8; i < 16; i++)
        peer = peer << 8 | addr->ip[i];
    throng_addr back = addr_of(peer);
    return throng_addr_equal(&back, addr) ? peer : 0;
}

static throng_alloc alloc_of(web_host *h)
{
    return (throng_alloc){.resize = web_memory_resize, .user = h->memory};
}

web_host *web_new(void)
{
    web_memory *memory = web_memory_new();
    web_host *h = web_memory_resize(memory, NULL, 0, sizeof *h);
    if (h) {
        memset(h, 0, sizeof *h);
        h->memory = memory;
    }
    return h;
}

/* Makes the node. io: 32 bytes of entropy. A visitor gives to newcomers who have nothing to give in return (tab_bytes),
 * but in all never more than it got (give_percent). */
int web_start(web_host *h, double uplink_bps, double upload_limit_bps, uint32_t tab_bytes, uint32_t give_percent)
{
    throng_node_config config;
    throng_alloc alloc = alloc_of(h);
    throng_node_config_default(&config, THRONG_PROFILE_THRONG);
    config.uplink_bps = (uint64_t)uplink_bps;
    config.upload_limit_bps = (uint64_t)upload_limit_bps;
    config.tab_bytes = tab_bytes;
    config.give_percent = give_percent;
    config.give_ahead_bytes = GIVE_AHEAD_BYTES;
    config.degree_max = DEGREE_MAX;
    config.window_max = THRONG_BROWSER_WINDOW;
    config.host_jitter = TIMERS_LATE;
    config.neighbour_window = NEIGHBOUR_WINDOW;
    config.have_interval = HAVE_INTERVAL;
    config.seek_interval = SEEK_INTERVAL;
    memcpy(config.entropy, h->io, sizeof config.entropy);
    memset(h->io, 0, sizeof config.entropy);
    return throng_node_new(&h->node, &config, &alloc);
}

/* io: directions, as they stand in Location. Afterwards io: u32 chunk size, f64 at 8 size, the object's id at 16. */
int web_directions(web_host *h, uint32_t size)
{
    int error = throng_directions_decode(&h->directions, (const char *)h->io, size);
    if (error < 0)
        return error;
    double object_size = (double)h->directions.size;
    memcpy(h->io, &h->directions.chunk_size, 4);
    memcpy(h->io + 8, &object_size, sizeof object_size);
    memcpy(h->io + 16, h->directions.object.bytes, THRONG_HASH_SIZE);
    return 0;
}

/* Joins the object whose id is in io, as `content`: that of the last directions, or another one of the same site, for
 * which their token counts as well. */
int web_join(web_host *h, double now, uint32_t content, double size, uint32_t chunk_size)
{
    throng_addr seeder = addr_of(0);
    throng_directions directions = h->directions;
    if (memcmp(directions.object.bytes, h->io, THRONG_HASH_SIZE) != 0)
        directions.peers_count = 0;
    memcpy(directions.object.bytes, h->io, THRONG_HASH_SIZE);
    directions.size = (uint64_t)size;
    directions.chunk_size = chunk_size;
    return throng_node_join(h->node, (throng_time)now, &directions, &seeder, (void *)(uintptr_t)content);
}

/* Has a whole object. io: its id, then its manifest of `size` bytes. */
int web_offer(web_host *h, double now, uint32_t content, uint32_t size)
{
    throng_hash id;
    throng_manifest manifest;
    throng_hashes *hashes;
    throng_alloc alloc = alloc_of(h);
    memcpy(id.bytes, h->io, sizeof id.bytes);
    int error = throng_manifest_decode(&manifest, h->io + sizeof id.bytes, size);
    if (error == 0)
        error = throng_hashes_new(&hashes, &alloc, &manifest.geometry, manifest.hashes);
    if (error < 0)
        return error;
    error = throng_node_offer(h->node, (throng_time)now, &id, h->io + sizeof id.bytes, size, hashes,
                              (void *)(uintptr_t)content);
    if (error < 0)
        throng_hashes_free(hashes); /* else the node's for the instance's life */
    return error;
}

/* io: id of the object. */
int web_drop(web_host *h, double now)
{
    throng_hash id;
    memcpy(id.bytes, h->io, sizeof id.bytes);
    return throng_node_drop(h->node, (throng_time)now, &id);
}

/* io: id of the object. Its chunks [first, end) come by other means (claim 1), or no longer (0), or have come (2). */
int web_claim(web_host *h, double now, uint32_t first, uint32_t end, int claim)
{
    throng_hash id;
    memcpy(id.bytes, h->io, sizeof id.bytes);
    if (claim == 2)
        return throng_node_supply(h->node, (throng_time)now, &id, first, end);
    return throng_node_claim(h->node, (throng_time)now, &id, first, end, claim == 1);
}

/* io: id of the object. Its bytes [offset, offset + size) are needed before all others; size 0: none are. */
int web_prefer(web_host *h, double now, double offset, double size)
{
    throng_hash id;
    throng_object_info info;
    memcpy(id.bytes, h->io, sizeof id.bytes);
    int error = throng_node_object(h->node, &id, &info);
    if (error < 0)
        return error;
    const throng_geometry *g = &info.geometry;
    uint64_t last = (uint64_t)(offset + size) + g->chunk_size - 1;
    uint64_t end = last / g->chunk_size < g->data_chunks ? last / g->chunk_size : g->data_chunks;
    uint64_t first = (uint64_t)offset / g->chunk_size < end ? (uint64_t)offset / g->chunk_size : end;
    return throng_node_prefer(h->node, (throng_time)now, &id, (uint32_t)first,
                              size > 0 ? (uint32_t)end : (uint32_t)first);
}

int web_leave(web_host *h, double now)
{
    return throng_node_leave(h->node, (throng_time)now);
}

/* io: a payload of `size` bytes. */
int web_receive(web_host *h, double now, uint64_t peer, uint32_t size)
{
    throng_addr from = addr_of(peer);
    return throng_node_recv(h->node, (throng_time)now, &from, h->io, size);
}

int web_tick(web_host *h, double now)
{
    return throng_node_tick(h->node, (throng_time)now);
}

/* Beyond 2^53: never. */
double web_deadline(web_host *h)
{
    return (double)throng_node_next_deadline(h->node);
}

/* 1 when there is a datagram: peer, its head (other, other_size), and as its body `size` bytes at `bytes`, or, if that
 * is 0, at `offset` of `content`. */
int web_send(web_host *h, double now)
{
    throng_datagram *d = &h->datagram;
    if (!throng_node_poll_send(h->node, (throng_time)now, d))
        return 0;
    h->peer = peer_of(&d->to);
    h->other = d->head;
    h->other_size = d->head_size;
    h->size = d->body_size;
    h->bytes = d->body;
    h->offset = (double)d->body_offset;
    h->content = (uint32_t)(uintptr_t)d->content;
    return 1;
}

/* The peer that named this one to us; 0: the server did. */
uint64_t web_introducer(web_host *h, uint64_t peer)
{
    throng_addr addr = addr_of(peer), introducer;
    return throng_node_introducer(h->node, &addr, &introducer) < 0 ? 0 : peer_of(&introducer);
}

static void locate_unit(web_host *h, const throng_geometry *g, uint32_t unit)
{
    uint32_t first, end;
    throng_geometry_unit_chunks(g, unit, &first, &end);
    h->offset = (double)first * g->chunk_size;
    h->size = 0;
    for (uint32_t chunk = first; chunk < end; chunk++)
        h->size += throng_geometry_chunk_bytes(g, chunk);
}

static void tell_verify(web_host *h, const throng_event *event, const throng_geometry *g)
{
    locate_unit(h, g, event->verify.unit);
    h->bytes = event->verify.bytes;
    h->other = event->verify.expected;
    if (h->bytes)
        h->size = (uint32_t)event->verify.size;
}

static void tell_chunk(web_host *h, const throng_event *event, const throng_geometry *g)
{
    h->offset = (double)event->chunk.index * g->chunk_size;
    h->size = event->chunk.index < g->data_chunks ? event->chunk.size : 0; /* a page's bytes stay with the node */
    h->bytes = event->chunk.bytes;
    h->value = event->chunk.source;
}

/* The next event's type and one, 0 if there is none. */
int web_event(web_host *h)
{
    throng_event event;
    throng_object_info info;
    if (!throng_node_poll_event(h->node, &event))
        return 0;
    h->content = (uint32_t)(uintptr_t)event.content;
    h->request = (double)event.request;
    h->size = 0;
    if (throng_node_object(h->node, &event.object, &info) < 0)
        return 1 + THRONG_EVENT_LIAR + 1; /* dropped since: nothing to do */
    if (event.type == THRONG_EVENT_CHUNK) {
        tell_chunk(h, &event, &info.geometry);
    } else if (event.type == THRONG_EVENT_VERIFY) {
        tell_verify(h, &event, &info.geometry);
    } else if (event.type == THRONG_EVENT_UNIT) {
        if (event.unit.unit < info.geometry.metachunks)
            locate_unit(h, &info.geometry, event.unit.unit);
    } else if (event.type == THRONG_EVENT_MANIFEST) {
        h->bytes = event.manifest.bytes;
        h->size = (uint32_t)event.manifest.size;
    } else if (event.type == THRONG_EVENT_STUCK) {
        h->value = (uint32_t)event.stuck.error;
    } else if (event.type == THRONG_EVENT_LIAR) {
        h->peer = peer_of(&event.liar.addr);
    }
    return 1 + (int)event.type;
}

int web_complete(web_host *h, double now, double request, int result)
{
    return throng_node_complete(h->node, (throng_time)now, (uint64_t)request, result);
}

/* A manifest at `bytes`: value: how many bytes are signed, the signature following; key; other: its response headers
 * (other_size); request: when it expires, Unix seconds. */
int web_manifest(web_host *h, const uint8_t *bytes, uint32_t size)
{
    throng_manifest manifest;
    int error = throng_manifest_decode(&manifest, bytes, size);
    if (error < 0)
        return error;
    h->value = (uint32_t)manifest.signed_size;
    h->key = manifest.public_key;
    h->other = (const uint8_t *)manifest.headers;
    h->other_size = (uint32_t)manifest.headers_size;
    h->request = (double)manifest.expires_unix_s;
    return 0;
}

/* io: u32 neighbours, then from 8 on doubles: content bytes from the seeder, from peers, uploaded, duplicate, and how
 * many units failed and datagrams were malformed. */
int web_stats(web_host *h)
{
    throng_node_stats stats;
    throng_node_stats_get(h->node, &stats);
    double numbers[] = {(double)stats.content_from_seeder, (double)stats.content_from_peers,
                        (double)stats.content_uploaded,    (double)stats.content_duplicate,
                        (double)stats.units_failed,        (double)stats.datagrams_malformed};
    memcpy(h->io, &stats.neighbours, sizeof stats.neighbours);
    memcpy(h->io + 8, numbers, sizeof numbers);
    return 0;
}
