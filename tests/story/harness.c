#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void count_set(const throng_chunk_set *set, uint32_t *ret_chunks, uint32_t *ret_intervals)
{
    throng_chunk_walk walk = throng_chunk_set_walk(set);
    throng_interval interval;
    while (throng_chunk_walk_next(&walk, &interval)) {
        *ret_chunks += interval.end - interval.first;
        ++*ret_intervals;
    }
}

static int read_request(story_frame *frame, throng_reader *r)
{
    throng_request request;
    uint32_t intervals = 0;
    int result = throng_request_decode(&request, r);
    if (result < 0)
        return result;
    frame->object = request.object;
    frame->request = request.request;
    frame->any = request.any;
    count_set(&request.have, &frame->have_chunks, &frame->have_intervals);
    count_set(&request.want, &frame->want_chunks, &intervals);
    return 0;
}

static int read_data(story_frame *frame, throng_reader *r)
{
    frame->object = throng_read_tag(r);
    frame->request = (uint32_t)throng_read_varint(r);
    frame->chunk = (uint32_t)throng_read_varint(r);
    r->at = r->end;
    return r->failed ? THRONG_ERR_MALFORMED : 0;
}

static int read_have(story_frame *frame, throng_reader *r)
{
    throng_have have;
    int result = throng_have_decode(&have, r);
    if (result < 0)
        return result;
    frame->object = have.object;
    count_set(&have.have, &frame->have_chunks, &frame->have_intervals);
    return 0;
}

/* The rest is recorded by its type alone. */
static int skip_frame(throng_frame type, throng_reader *r)
{
    union {
        throng_join join;
        throng_welcome welcome;
        throng_introduce introduce;
        throng_peers peers;
        throng_busy busy;
        throng_manifest_get get;
        throng_manifest_part part;
        throng_time_frame time;
        throng_tag tag;
    } u;
    switch (type) {
    case THRONG_FRAME_JOIN:
        return throng_join_decode(&u.join, r);
    case THRONG_FRAME_WELCOME:
        return throng_welcome_decode(&u.welcome, r);
    case THRONG_FRAME_INTRODUCE:
        return throng_introduce_decode(&u.introduce, r);
    case THRONG_FRAME_PEERS:
        return throng_peers_decode(&u.peers, r);
    case THRONG_FRAME_BUSY:
        return throng_busy_decode(&u.busy, r);
    case THRONG_FRAME_MANIFEST_GET:
        return throng_manifest_get_decode(&u.get, r);
    case THRONG_FRAME_MANIFEST:
        return throng_manifest_part_decode(&u.part, r);
    case THRONG_FRAME_TIME:
        return throng_time_decode(&u.time, r);
    case THRONG_FRAME_PAD:
    case THRONG_FRAME_BYE:
        return 0;
    default:
        return throng_tag_frame_decode(&u.tag, r);
    }
}

static int read_frame(story_frame *frame, throng_reader *r)
{
    switch (frame->type) {
    case THRONG_FRAME_REQUEST:
        return read_request(frame, r);
    case THRONG_FRAME_DATA:
        return read_data(frame, r);
    case THRONG_FRAME_HAVE:
    case THRONG_FRAME_FIRST_HANDSHAKE:
    case THRONG_FRAME_OFFER:
        return read_have(frame, r);
    default:
        return skip_frame(frame->type, r);
    }
}

static void record(story *s, const story_frame *frame)
{
    if (s->frames_count == s->frames_size) {
        s->frames_size = s->frames_size ? s->frames_size * 2 : 1024;
        s->frames = realloc(s->frames, s->frames_size * sizeof *s->frames);
        assert_non_null(s->frames);
    }
    s->frames[s->frames_count++] = *frame;
}

static void on_packet(void *user, sim_moment moment, const sim_packet *packet)
{
    story *s = user;
    throng_reader r = throng_reader_on(sim_packet_head(packet), packet->head_size);
    while (packet->kind == SIM_PACKET_UDP && throng_reader_left(&r) > 0) {
        story_frame frame = {
            .at = sim_world_now(s->world),
            .moment = moment,
            .from = packet->from.slot,
            .to = packet->to.slot,
            .type = (throng_frame)throng_read_u8(&r),
            .body_size = packet->body_size,
            .wire_size = packet->wire_size,
            .poisoned = packet->poisoned,
        };
        if (read_frame(&frame, &r) < 0)
            return;
        for (uint32_t i = 0; throng_tag_is_brief(frame.object) && i < s->world->scenario.objects; i++)
            if (throng_tag_brief(story_tag(s, i)) == frame.object)
                frame.object = story_tag(s, i);
        record(s, &frame);
    }
}

static void on_event(void *user, sim_host *host, const throng_event *event)
{
    story *s = user;
    if (event->type == THRONG_EVENT_LIAR) {
        s->liars++;
        s->liar = event->liar.addr;
    } else if (event->type == THRONG_EVENT_STUCK) {
        s->stuck++;
    } else if (event->type == THRONG_EVENT_DONE) {
        s->done[host->at.slot]++;
    }
}

static bool on_lose(void *user, const sim_packet *packet)
{
    story *s = user;
    if (packet->from.slot < STORY_HOSTS_MAX && packet->to.slot < STORY_HOSTS_MAX &&
        s->cut[packet->from.slot][packet->to.slot])
        return true;
    return s->lose && s->lose(s, packet);
}

static bool on_hold(void *user, const throng_event *verify)
{
    story *s = user;
    if (!s->hold)
        return false;
    assert_true(s->held_count < STORY_HELD_MAX);
    s->held[s->held_count++] = verify->request;
    return true;
}

void story_scenario(sim_scenario *scenario, throng_profile profile)
{
    sim_scenario_default(scenario);
    scenario->chunk_size = 1024; /* sizes in kilobytes are whole chunks */
    throng_node_config_default(&scenario->node, profile);
    scenario->profile = profile;
    scenario->rtt = 40 * THRONG_MS;
    scenario->duration = 3600 * THRONG_SECOND;
    scenario->seeder.up_bps = scenario->seeder.down_bps = 8000000;
    scenario->seeder_rate_bps = 8000000;
    scenario->classes[0].up_bps = scenario->classes[0].down_bps = 8000000;
}

story *story_new(const sim_scenario *scenario)
{
    story *s = calloc(1, sizeof *s);
    assert_non_null(s);
    sim_options options = {
        .manual = true,
        .hooks = {.user = s, .packet = on_packet, .event = on_event, .lose = on_lose, .hold = on_hold},
        .trace = getenv("THRONG_STORY_TRACE") ? stderr : NULL,
    };
    assert_int_equal(sim_world_new(&s->world, scenario, &options), 0);
    s->hosts[0] = s->world->seeder;
    s->hosts_count = 1;
    return s;
}

void story_free(story *s)
{
    sim_world_free(s->world);
    free(s->frames);
    free(s);
}

uint32_t story_puppet(story *s)
{
    sim_host *host = sim_client_come(s->world);
    assert_non_null(host);
    assert_true(s->hosts_count < STORY_HOSTS_MAX);
    assert_int_equal(host->at.slot, s->hosts_count);
    s->hosts[s->hosts_count] = host;
    return s->hosts_count++;
}

uint32_t story_client(story *s)
{
    uint32_t who = story_puppet(s);
    sim_client_start(s->world->shards[0], s->hosts[who]);
    assert_non_null(s->hosts[who]->node);
    return who;
}

void story_role(story *s, uint32_t who, sim_role role)
{
    s->hosts[who]->role = s->world->places[s->hosts[who]->at.slot].role = (uint8_t)role;
}

void story_line(story *s, uint32_t who, uint32_t class_index)
{
    s->hosts[who]->class_index = s->world->places[s->hosts[who]->at.slot].class_index = (uint8_t)class_index;
}

throng_node *story_node(story *s, uint32_t who)
{
    assert_non_null(s->hosts[who]);
    return s->hosts[who]->node;
}

void story_join(story *s, uint32_t who, uint32_t object, const uint32_t *peers, uint32_t count)
{
    sim_endpoint at[STORY_HOSTS_MAX];
    for (uint32_t i = 0; i < count; i++)
        at[i] = s->hosts[peers[i]]->at;
    assert_int_equal(sim_client_join(s->world->shards[0], s->hosts[who], &s->world->objects[object], at, count), 0);
    sim_client_drain(s->world->shards[0], s->hosts[who]);
}

void story_offer(story *s, uint32_t who, uint32_t object)
{
    sim_object *o = &s->world->objects[object];
    assert_int_equal(throng_node_offer(story_node(s, who), sim_world_now(s->world), &o->id, o->manifest,
                                       o->manifest_size, o->hashes, o),
                     0);
    sim_client_drain(s->world->shards[0], s->hosts[who]);
}

void story_meet(story *s, uint32_t who, uint32_t whom)
{
    throng_addr addr = sim_addr(s->hosts[whom]->at);
    assert_int_equal(throng_node_add_neighbour(story_node(s, who), sim_world_now(s->world), &addr), 0);
    sim_client_drain(s->world->shards[0], s->hosts[who]);
}

void story_send(story *s, uint32_t from, uint32_t to, const throng_writer *payload)
{
    assert_false(payload->failed);
    assert_true(sim_wire_forge(s->world, sim_world_now(s->world), s->hosts[from]->at, s->hosts[to]->at, payload->start,
                               (uint32_t)throng_writer_size(payload)));
}

void story_checked(story *s, uint32_t who)
{
    while (s->held_count > 0)
        assert_int_equal(throng_node_complete(story_node(s, who), sim_world_now(s->world), s->held[--s->held_count], 0),
                         0);
    sim_client_drain(s->world->shards[0], s->hosts[who]);
}

void story_leave(story *s, uint32_t who)
{
    sim_client_leave(s->world->shards[0], s->hosts[who], true);
    s->hosts[who] = NULL;
}

void story_vanish(story *s, uint32_t who)
{
    sim_client_leave(s->world->shards[0], s->hosts[who], false);
    s->hosts[who] = NULL;
}

void story_seeder_dies(story *s)
{
    sim_seeder_die(s->world->shards[0]);
}

void story_cut(story *s, uint32_t a, uint32_t b, bool cut)
{
    s->cut[a][b] = s->cut[b][a] = cut;
}

bool story_until(story *s, story_condition *condition, void *user, throng_time deadline)
{
    while (!condition(s, user)) {
        if (sim_world_next_time(s->world) > deadline)
            return false;
        if (!sim_world_step(s->world)) {
            if (sim_world_violation(s->world))
                fail_msg("an invariant failed %s", sim_world_violation(s->world));
            return false;
        }
    }
    return true;
}

static bool never(story *s, void *user)
{
    return false;
}

void story_run(story *s, throng_time until)
{
    story_until(s, never, NULL, until);
}

bool story_done(story *s, uint32_t who, uint32_t object)
{
    throng_object_info info;
    return s->hosts[who] && throng_node_object(s->hosts[who]->node, &s->world->objects[object].id, &info) >= 0 &&
           info.done;
}

bool story_all_done(story *s, void *user)
{
    for (uint32_t who = 1; who < s->hosts_count; who++)
        if (s->hosts[who] && s->hosts[who]->node && !story_done(s, who, 0))
            return false;
    return true;
}

throng_node_stats story_stats(story *s, uint32_t who)
{
    throng_node_stats stats;
    throng_node_stats_get(story_node(s, who), &stats);
    return stats;
}

bool story_is_neighbour(story *s, uint32_t who, uint32_t whom)
{
    throng_neighbour_info info;
    uint32_t count = story_stats(s, who).neighbours;
    for (uint32_t i = 0; i < count; i++)
        if (throng_node_neighbour(story_node(s, who), i, &info) >= 0 && sim_endpoint_of(&info.addr).slot == whom)
            return true;
    return false;
}

throng_tag story_tag(story *s, uint32_t object)
{
    return throng_hash_tag(&s->world->objects[object].id);
}

static bool matches(const story_frame *frame, sim_moment moment, uint32_t from, uint32_t to, throng_frame type)
{
    return frame->moment == moment && frame->type == type && (from == STORY_ANYONE || frame->from == from) &&
           (to == STORY_ANYONE || frame->to == to);
}

const story_frame *story_next(const story *s, size_t *at, sim_moment moment, uint32_t from, uint32_t to,
                              throng_frame type)
{
    while (*at < s->frames_count) {
        const story_frame *frame = &s->frames[(*at)++];
        if (matches(frame, moment, from, to, type))
            return frame;
    }
    return NULL;
}

uint32_t story_count(const story *s, sim_moment moment, uint32_t from, uint32_t to, throng_frame type,
                     throng_time since)
{
    uint32_t count = 0;
    for (size_t i = 0; i < s->frames_count; i++)
        count += s->frames[i].at >= since && matches(&s->frames[i], moment, from, to, type);
    return count;
}

uint64_t story_content(const story *s, sim_moment moment, uint32_t from, uint32_t to, throng_time since)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->frames_count; i++)
        if (s->frames[i].at >= since && matches(&s->frames[i], moment, from, to, THRONG_FRAME_DATA))
            bytes += s->frames[i].body_size;
    return bytes;
}
