/* What goes out. */
#include "group.h"

/* What a FIND with a copy takes, and an answer at most. */
enum { FIND_ROOM = 110, COPIES_ROOM = 240, ADDR_IPV4_SIZE = 7, ADDR_SIZE_MAX = 19, LIST_SHORT = 4 };

/* Bytes of payload that may go to this address: three times what came from it, unless it is its own. */
static size_t allowed(const group_peer *peer)
{
    if (peer->proven || peer->trusted)
        return THRONG_PAYLOAD_MAX;
    size_t in = 3 * (size_t)peer->unproven_in;
    in = in > THRONG_SEAL_OVERHEAD ? in - THRONG_SEAL_OVERHEAD : 0;
    return in < THRONG_PAYLOAD_MAX ? in : THRONG_PAYLOAD_MAX;
}

/* Members, beginning anywhere; all that fit to who does not know all of them. A stranger whom a member named gets none
 * before it has spoken. */
static void list_members(throng_group *group, const group_peer *to, size_t room, throng_group_frame *ret)
{
    bool all = to->knows < group->members + 1;
    uint32_t limit = all ? THRONG_GROUP_MEMBERS_MAX : LIST_SHORT;
    if (!to->heard && !to->trusted)
        return;
    for (uint32_t i = 0, used = 0; i < group->peers_count && ret->count < limit; i++) {
        const group_peer *peer = &group->peers[(group->greet_next + i) % group->peers_count];
        size_t size = throng_addr_is_ipv4(&peer->addr) ? ADDR_IPV4_SIZE : ADDR_SIZE_MAX;
        if (!peer->member || peer == to || peer->suspect || used + size > room)
            continue;
        used += (uint32_t)size;
        ret->addrs[ret->count++] = peer->addr;
    }
}

static bool group_to(throng_group *group, group_peer *peer, throng_writer *w)
{
    enum { HEAD = 1 + 8 + 1 + 4 + 4 + 1 + ADDR_SIZE_MAX + 1 };
    size_t room = allowed(peer);
    bool asks = peer->say_asks;
    if (room < HEAD && peer->heard)
        return false;
    throng_group_frame frame = {.group = group->id,
                                .nonce = peer->nonce,
                                .echo = peer->theirs,
                                .members = (uint8_t)(group->members + 1),
                                .observed = peer->addr};
    frame.flags = (uint8_t)((asks ? THRONG_GROUP_ASKS : 0) | (peer->say_full ? THRONG_GROUP_FULL : 0) |
                            (peer->say_goes ? THRONG_GROUP_GOES : 0));
    if (!peer->say_goes && !peer->say_full)
        list_members(group, peer, room > HEAD ? room - HEAD : 0, &frame);
    throng_group_frame_encode(w, &frame);
    while (peer->first_word && throng_writer_size(w) < FIRST_SIZE)
        throng_write_u8(w, THRONG_FRAME_PAD);
    return true;
}

static bool poll_group(throng_group *group, throng_writer *w, throng_addr *ret_to)
{
    for (uint32_t i = 0; i < group->peers_count; i++) {
        group_peer *peer = &group->peers[i];
        if (!peer->say_due)
            continue;
        bool sent = group_to(group, peer, w);
        if (sent && peer->say_asks && peer->asked_at == 0)
            peer->asked_at = group->now;
        peer->said_at = group->now;
        peer->say_due = peer->say_asks = peer->say_full = peer->say_goes = peer->first_word = false;
        if (!peer->proven && !peer->trusted)
            peer->unproven_in -= peer->unproven_in < (throng_writer_size(w) + THRONG_SEAL_OVERHEAD) / 3
                                     ? peer->unproven_in
                                     : (uint32_t)(throng_writer_size(w) + THRONG_SEAL_OVERHEAD) / 3;
        *ret_to = peer->addr;
        if (sent)
            return true;
    }
    return false;
}

static bool poll_reply(throng_group *group, throng_writer *w, throng_addr *ret_to)
{
    uint32_t to = NOBODY;
    while (group->replies_count > 0 && throng_writer_left(w) >= COPIES_ROOM) {
        const group_reply *reply = &group->replies[group->replies_first];
        const group_peer *peer = throng_group_by_serial(group, reply->to);
        if (to != NOBODY && reply->to != to)
            break;
        if (peer) {
            throng_copies copies;
            to = reply->to;
            *ret_to = peer->addr;
            throng_group_answer(group, reply->to, &reply->find, &copies);
            throng_copies_encode(w, &copies);
            group->stats.answered++;
        }
        group->replies_first = (group->replies_first + 1) % REPLIES_MAX;
        group->replies_count--;
    }
    return to != NOBODY;
}

static bool poll_find(throng_group *group, throng_writer *w, throng_addr *ret_to)
{
    const group_peer *peer = throng_group_find_due(group);
    throng_find find;
    if (!peer)
        return false;
    *ret_to = peer->addr;
    while (throng_writer_left(w) >= FIND_ROOM && throng_group_next_find(group, peer->serial, &find))
        throng_find_encode(w, &find);
    return throng_writer_size(w) > 0;
}

bool throng_group_poll_send(throng_group *group, throng_time now, throng_datagram *ret)
{
    group->now = now > group->now ? now : group->now;
    throng_writer w = throng_writer_on(ret->head, sizeof ret->head);
    throng_addr to;
    bool any = poll_reply(group, &w, &to) || poll_find(group, &w, &to) || poll_group(group, &w, &to);
    if (!any)
        return false;
    ret->to = to;
    ret->head_size = (uint16_t)throng_writer_size(&w);
    ret->body_size = 0;
    ret->body = NULL;
    ret->content = NULL;
    group->stats.sent_bytes += ret->head_size;
    return true;
}
