/* What happened: always as a hash, on demand as text. */
#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "../core/message/message.h"

static uint64_t mix(uint64_t hash, uint64_t value)
{
    uint64_t h = (hash ^ value) * 0x9e3779b97f4a7c15;
    return h ^ h >> 29;
}

static uint64_t mix_packet(uint64_t hash, const sim_packet *packet)
{
    hash = mix(hash, (uint64_t)packet->from.slot << 32 | packet->to.slot);
    hash = mix(hash, (uint64_t)packet->from.port << 48 | (uint64_t)packet->to.port << 32 | packet->wire_size);
    const uint8_t *head = sim_packet_head(packet);
    for (uint32_t i = 0; i < packet->head_size; i += 8) {
        uint64_t word = 0;
        uint32_t size = packet->head_size - i < 8 ? packet->head_size - i : 8;
        memcpy(&word, head + i, size);
        hash = mix(hash, word);
    }
    return hash;
}

/* Numbers of packets say nothing that a reader could use: time and kind suffice, but for a packet that is delivered,
 * which counts whole. Each host has a hash of its own, over its events one after another; the run's is their sum, so
 * that it tells nothing of the order in which hosts were run. */
void sim_trace_event(sim_shard *s, const sim_event *event)
{
    uint32_t slot = sim_event_slot(event);
    sim_host *host = slot < s->w->slots ? s->w->hosts[slot] : NULL;
    uint64_t hash = mix(host ? host->trace : slot, sim_event_time(event) << 4 | sim_event_kind(event));
    if (sim_event_kind(event) == SIM_DELIVER)
        hash = mix_packet(hash, sim_packets_get(&s->packets, sim_event_index(event)));
    if (host)
        host->trace = hash;
    else
        s->trace += hash;
}

uint64_t sim_trace_of(const sim_host *host)
{
    return mix(mix(host->trace, host->at.slot), host->at.port);
}

typedef struct text {
    char *at;
    char *end;
} text;

static void say(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at, (size_t)(t->end - t->at), format, args);
    va_end(args);
    if (n > 0)
        t->at = n < t->end - t->at ? t->at + n : t->end - 1;
}

static void say_set(text *t, const char *name, const throng_chunk_set *set)
{
    throng_chunk_walk walk = throng_chunk_set_walk(set);
    throng_interval interval;
    say(t, " %s", name);
    const char *between = "=";
    while (throng_chunk_walk_next(&walk, &interval)) {
        if (interval.end == interval.first + 1)
            say(t, "%s%u", between, interval.first);
        else
            say(t, "%s%u-%u", between, interval.first, interval.end - 1);
        between = ",";
    }
    if (*between == '=')
        say(t, "=none");
}

static void say_addr(text *t, const throng_addr *addr)
{
    say(t, " %u", sim_endpoint_of(addr).slot);
}

static void say_peers(text *t, const throng_peers *peers)
{
    say(t, " peers");
    for (uint32_t i = 0; i < peers->count; i++)
        say_addr(t, &peers->addrs[i]);
}

/* DATA's body is not there, only its header. */
static int say_data(text *t, throng_reader *r)
{
    throng_read_tag(r);
    uint64_t request = throng_read_varint(r);
    uint64_t chunk = throng_read_varint(r);
    if (r->failed)
        return THRONG_ERR_MALFORMED;
    say(t, "DATA %" PRIu64 " request=%" PRIu64, chunk, request);
    r->at = r->end;
    return 0;
}

static int say_request(text *t, throng_reader *r)
{
    throng_request request;
    int result = throng_request_decode(&request, r);
    if (result < 0)
        return result;
    say(t, "REQUEST %u any=%u", request.request, request.any);
    say_set(t, "have", &request.have);
    say_set(t, "want", &request.want);
    return 0;
}

static int say_have(text *t, throng_reader *r, const char *name)
{
    throng_have have;
    int result = throng_have_decode(&have, r);
    if (result < 0)
        return result;
    say(t, "%s", name);
    say_set(t, "have", &have.have);
    return 0;
}

static int say_tag(text *t, throng_reader *r, const char *name)
{
    throng_tag tag;
    say(t, "%s", name);
    return throng_tag_frame_decode(&tag, r);
}

static int say_introductions(text *t, throng_reader *r, throng_frame type)
{
    throng_welcome welcome;
    throng_introduce introduce;
    throng_peers peers;
    int result;
    if (type == THRONG_FRAME_WELCOME) {
        result = throng_welcome_decode(&welcome, r);
        say(t, "WELCOME");
        if (result >= 0)
            say_peers(t, &welcome.peers);
    } else if (type == THRONG_FRAME_INTRODUCE) {
        result = throng_introduce_decode(&introduce, r);
        say(t, "INTRODUCE");
        if (result >= 0)
            say_addr(t, &introduce.newcomer);
    } else {
        result = throng_peers_decode(&peers, r);
        say(t, "PEERS");
        if (result >= 0)
            say_peers(t, &peers);
    }
    return result;
}

static int say_manifest(text *t, throng_reader *r, throng_frame type)
{
    throng_manifest_get get;
    throng_manifest_part part;
    int result;
    if (type == THRONG_FRAME_MANIFEST_GET) {
        result = throng_manifest_get_decode(&get, r);
        if (result >= 0)
            say(t, "MANIFEST_GET %u", get.offset);
    } else {
        result = throng_manifest_part_decode(&part, r);
        if (result >= 0)
            say(t, "MANIFEST %u+%zu of %u", part.offset, part.size, part.total);
    }
    return result;
}

static int say_small(text *t, throng_reader *r, throng_frame type)
{
    throng_busy busy;
    throng_join join;
    throng_time_frame time;
    uint64_t cookie;
    int result;
    switch (type) {
    case THRONG_FRAME_BUSY:
        result = throng_busy_decode(&busy, r);
        if (result >= 0)
            say(t, "BUSY request=%u wait=%ums", busy.request, busy.wait_ms);
        return result;
    case THRONG_FRAME_JOIN:
        result = throng_join_decode(&join, r);
        say(t, "JOIN");
        if (result >= 0)
            say_set(t, "have", &join.have);
        return result;
    case THRONG_FRAME_TIME:
        result = throng_time_decode(&time, r);
        say(t, "TIME");
        return result;
    case THRONG_FRAME_CHALLENGE:
    case THRONG_FRAME_ANSWER:
        say(t, type == THRONG_FRAME_ANSWER ? "ANSWER" : "CHALLENGE");
        return throng_cookie_decode(&cookie, r);
    case THRONG_FRAME_BYE:
        say(t, "BYE");
        return 0;
    default:
        return THRONG_ERR_MALFORMED;
    }
}

static int say_frame(text *t, throng_reader *r, throng_frame type)
{
    switch (type) {
    case THRONG_FRAME_DATA:
        return say_data(t, r);
    case THRONG_FRAME_REQUEST:
        return say_request(t, r);
    case THRONG_FRAME_HAVE:
        return say_have(t, r, "HAVE");
    case THRONG_FRAME_FIRST_HANDSHAKE:
        return say_have(t, r, "FIRST_HANDSHAKE");
    case THRONG_FRAME_OFFER:
        return say_have(t, r, "OFFER");
    case THRONG_FRAME_NO_FILE:
        return say_tag(t, r, "NO_FILE");
    case THRONG_FRAME_SEEK:
        return say_tag(t, r, "SEEK");
    case THRONG_FRAME_WELCOME:
    case THRONG_FRAME_INTRODUCE:
    case THRONG_FRAME_PEERS:
        return say_introductions(t, r, type);
    case THRONG_FRAME_MANIFEST_GET:
    case THRONG_FRAME_MANIFEST:
        return say_manifest(t, r, type);
    default:
        return say_small(t, r, type);
    }
}

void sim_describe(const uint8_t *head, size_t size, char *out, size_t out_max)
{
    text t = {.at = out, .end = out + out_max};
    throng_reader r = throng_reader_on(head, size);
    *out = '\0';
    while (throng_reader_left(&r) > 0 && !r.failed) {
        uint8_t type = throng_read_u8(&r);
        if (type == THRONG_FRAME_PAD)
            continue;
        if (t.at > out)
            say(&t, "; ");
        if (say_frame(&t, &r, (throng_frame)type) < 0) {
            say(&t, "malformed (type 0x%02x)", type);
            return;
        }
    }
}

void sim_trace_packet(sim_shard *s, sim_moment moment, const sim_packet *packet, const char *why)
{
    static const char *const moments[] = {"sent", "got", "lost"};
    static const char *const kinds[] = {"", "SYN", "SYN-ACK", "GET", "DIRECTIONS", ""};
    if (s->w->options.hooks.packet)
        s->w->options.hooks.packet(s->w->options.hooks.user, moment, packet);
    if (!s->w->options.trace)
        return;
    char described[600];
    if (packet->kind == SIM_PACKET_UDP)
        sim_describe(sim_packet_head(packet), packet->head_size, described, sizeof described);
    else
        snprintf(described, sizeof described, "%s", kinds[packet->kind]);
    fprintf(s->w->options.trace, "%.6f %s %u>%u %u %s%s%s%s\n", (double)s->now / 1e6, moments[moment],
            packet->from.slot, packet->to.slot, packet->wire_size, described, packet->poisoned ? " (false)" : "",
            why ? " : " : "", why ? why : "");
}

void sim_trace_client(sim_shard *s, const sim_host *host, const char *what)
{
    static const char *const roles[] = {"", " (leech)", " (poisoner)"};
    if (s->w->options.trace)
        fprintf(s->w->options.trace, "%.6f client %u%s %s\n", (double)s->now / 1e6, host->at.slot, roles[host->role],
                what);
}
