/* Control frames that wait to be sent, in a ring of fixed size; and challenges, in a small one of their own, since
 * strangers can cause them. What a frame says is settled when it leaves: peers that it names are the freshest then. */
#include "state.h"

#include <string.h>

#include "../directions/siphash.h"

seed_control *throng_seed_control_push(throng_seed *seed, control_kind kind, const throng_addr *to, throng_tag tag)
{
    if (seed->controls_count == CONTROL_MAX)
        return NULL;
    seed_control *control = &seed->controls[(seed->controls_head + seed->controls_count++) % CONTROL_MAX];
    control->kind = kind;
    control->to = *to;
    control->tag = tag;
    return control;
}

void throng_seed_control_bytes(throng_seed *seed, const throng_addr *to, throng_tag tag, const throng_writer *w)
{
    size_t size = throng_writer_size(w);
    if (w->failed || size > CONTROL_BYTES_MAX)
        return;
    seed_control *control = throng_seed_control_push(seed, CONTROL_BYTES, to, tag);
    if (!control)
        return;
    memcpy(control->bytes, w->start, size);
    control->size = (uint32_t)size;
}

void throng_seed_tell_no_file(throng_seed *seed, const throng_addr *to, throng_tag tag)
{
    uint8_t bytes[16];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_tag_frame_encode(&w, THRONG_FRAME_NO_FILE, tag);
    throng_seed_control_bytes(seed, to, tag, &w);
}

static void introduce(throng_seed *seed, const throng_addr *newcomer, throng_tag tag, const throng_addr *peer)
{
    /* The last places of the ring are for answers. */
    if (seed->controls_count >= CONTROL_MAX / 2)
        return;
    seed_control *control = throng_seed_control_push(seed, CONTROL_INTRODUCE, peer, tag);
    control->newcomer = *newcomer;
    seed->stats.introductions++;
}

/* A browser cannot be told to expect somebody: it hears of a newcomer when that one signals. */
static uint32_t pick(throng_seed *seed, throng_time now, seed_object *object, const seed_client *client,
                     throng_peers *ret)
{
    bool browser = throng_addr_is_browser(&client->addr);
    ret->object = object->tag;
    ret->count = throng_seed_directory_pick(seed, now, object, client, ret->addrs,
                                            browser ? seed->config.browser_peers : seed->config.welcome_peers);
    return browser ? 0 : seed->config.introductions;
}

static bool write_welcome(throng_seed *seed, throng_time now, const seed_control *control, throng_writer *w)
{
    seed_object *object = throng_seed_object_find(seed, control->tag);
    seed_client *client = throng_seed_client_find(seed, &control->to);
    seed_member *member = object && client ? throng_seed_member_find(client, object) : NULL;
    if (!member)
        return false;
    member->welcome_queued = false;
    throng_welcome welcome = {.observed = client->addr};
    uint32_t introductions = pick(seed, now, object, client, &welcome.peers);
    throng_welcome_encode(w, &welcome);
    for (uint32_t i = 0; !member->introduced && i < welcome.peers.count && i < introductions; i++)
        introduce(seed, &client->addr, object->tag, &welcome.peers.addrs[i]);
    member->introduced = true;
    return true;
}

static bool write_peers(throng_seed *seed, throng_time now, const seed_control *control, throng_writer *w)
{
    seed_object *object = throng_seed_object_find(seed, control->tag);
    seed_client *client = throng_seed_client_find(seed, &control->to);
    if (!object || !client)
        return false;
    throng_peers peers;
    pick(seed, now, object, client, &peers);
    throng_peers_encode(w, &peers);
    return true;
}

static bool write_manifest(throng_seed *seed, const seed_control *control, throng_writer *w)
{
    seed_object *object = throng_seed_object_find(seed, control->tag);
    if (!object || control->offset >= object->manifest_size)
        return false;
    size_t left = object->manifest_size - control->offset;
    throng_manifest_part part = {
        .object = object->tag,
        .total = (uint32_t)object->manifest_size,
        .offset = control->offset,
        .bytes = object->manifest + control->offset,
        .size = left < THRONG_MANIFEST_PART_SIZE ? left : THRONG_MANIFEST_PART_SIZE,
    };
    throng_manifest_part_encode(w, &part);
    return true;
}

static bool write_control(throng_seed *seed, throng_time now, const seed_control *control, throng_writer *w)
{
    switch (control->kind) {
    case CONTROL_WELCOME:
        return write_welcome(seed, now, control, w);
    case CONTROL_PEERS:
        return write_peers(seed, now, control, w);
    case CONTROL_MANIFEST:
        return write_manifest(seed, control, w);
    case CONTROL_INTRODUCE:
        /* Whom others are introduced to has joined. */
        throng_introduce_encode(
            w, &(throng_introduce){.object = throng_tag_brief(control->tag), .newcomer = control->newcomer});
        return true;
    case CONTROL_LANDMARKS:
        throng_landmarks_encode(w, &seed->landmarks);
        return seed->landmarks.id != 0;
    case CONTROL_BYTES:
        throng_write_bytes(w, control->bytes, control->size);
        return true;
    }
    return false;
}

static void address(throng_datagram *ret, const throng_addr *to, const throng_writer *w)
{
    ret->to = *to;
    ret->head_size = (uint16_t)throng_writer_size(w);
    ret->body_size = 0;
    ret->body = NULL;
    ret->content = NULL;
    ret->body_offset = 0;
}

bool throng_seed_control_next(throng_seed *seed, throng_time now, throng_datagram *ret)
{
    while (seed->controls_count > 0) {
        /* A copy: writing a WELCOME queues introductions. */
        seed_control control = seed->controls[seed->controls_head];
        seed->controls_head = (seed->controls_head + 1) % CONTROL_MAX;
        seed->controls_count--;
        throng_writer w = throng_writer_on(ret->head, sizeof ret->head);
        if (write_control(seed, now, &control, &w)) {
            address(ret, &control.to, &w);
            return true;
        }
    }
    return false;
}

void throng_seed_challenge_push(throng_seed *seed, const throng_addr *to, uint32_t sender_id)
{
    if (seed->challenges_count == CHALLENGES_MAX) {
        seed->stats.unproven_withheld++;
        return;
    }
    uint32_t at = (seed->challenges_head + seed->challenges_count++) % CHALLENGES_MAX;
    seed->challenges[at] = (seed_challenge){.to = *to, .sender_id = sender_id};
}

bool throng_seed_challenge_next(throng_seed *seed, throng_time now, throng_datagram *ret)
{
    if (seed->challenges_count == 0 || !throng_seed_pace_allows(&seed->challenge_pace, now))
        return false;
    const seed_challenge *challenge = &seed->challenges[seed->challenges_head];
    seed->challenges_head = (seed->challenges_head + 1) % CHALLENGES_MAX;
    seed->challenges_count--;
    throng_writer w = throng_writer_on(ret->head, sizeof ret->head);
    uint64_t cookie = throng_seed_cookie(seed, now, &challenge->to, challenge->sender_id);
    throng_cookie_encode(&w, THRONG_FRAME_CHALLENGE, cookie);
    address(ret, &challenge->to, &w);
    return true;
}

/* Of the address, the sender and the time: nothing is remembered of whom a challenge went to. */
uint64_t throng_seed_cookie(const throng_seed *seed, throng_time now, const throng_addr *addr, uint32_t sender_id)
{
    uint8_t bytes[30];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_bytes(&w, addr->ip, sizeof addr->ip);
    throng_write_u16(&w, addr->port);
    throng_write_u32(&w, sender_id);
    throng_write_u64(&w, now / COOKIE_PERIOD);
    return throng_siphash(seed->cookie_key, bytes, sizeof bytes);
}
