/* Who is of our group. Everyone who is knows all the others: a newcomer says GROUP to the peers that the server named,
 * joins the group of one that answers, and says GROUP to all whom that one lists. Groups that meet become one if there
 * is room, the newer moving to the older; so groups stay apart only where two of them would not fit into one. */
#include "group.h"

#include <string.h>

#include "../directions/siphash.h"

/* Murmur3's finaliser: every bit of the result depends on every bit given. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

/* The same for everyone: no secret in it. */
static uint64_t weight_seed(const throng_addr *addr)
{
    static const uint8_t key[THRONG_KEY_SIZE] = {0};
    uint8_t bytes[18];
    memcpy(bytes, addr->ip, 16);
    bytes[16] = (uint8_t)(addr->port >> 8);
    bytes[17] = (uint8_t)addr->port;
    return throng_siphash(key, bytes, sizeof bytes);
}

uint32_t throng_group_root(const throng_group *group, uint64_t url, uint32_t rank)
{
    uint64_t weight[RANKS] = {0};
    uint32_t serial[RANKS] = {NOBODY};
    for (uint32_t i = 0; i <= group->peers_count; i++) {
        bool ours = i == group->peers_count;
        const group_peer *peer = ours ? NULL : &group->peers[i];
        if (ours ? group->self.port == 0 : !peer->member || peer->suspect)
            continue;
        uint64_t w = mix(url ^ (ours ? weight_seed(&group->self) : peer->weight_seed));
        uint32_t at = RANKS;
        for (; at > 0 && (serial[at - 1] == NOBODY || w > weight[at - 1]); at--)
            if (at < RANKS) {
                weight[at] = weight[at - 1];
                serial[at] = serial[at - 1];
            }
        if (at < RANKS) {
            weight[at] = w;
            serial[at] = ours ? OURSELVES : peer->serial;
        }
    }
    return serial[rank];
}

group_peer *throng_group_peer(throng_group *group, const throng_addr *addr)
{
    for (uint32_t i = 0; i < group->peers_count; i++)
        if (throng_addr_equal(&group->peers[i].addr, addr))
            return &group->peers[i];
    return NULL;
}

group_peer *throng_group_by_serial(throng_group *group, uint32_t serial)
{
    for (uint32_t i = 0; serial > OURSELVES && i < group->peers_count; i++)
        if (group->peers[i].serial == serial)
            return &group->peers[i];
    return NULL;
}

void throng_group_say(group_peer *peer, bool asks)
{
    peer->say_due = true;
    peer->say_asks |= asks;
}

group_peer *throng_group_contact(throng_group *group, const throng_addr *addr)
{
    group_peer *peer = throng_group_peer(group, addr);
    bool room = group->peers_count < group->peers_max &&
                group->peers_count - group->members < group->config.contacts_max + group->config.members_max / 2;
    if (peer || !room || throng_addr_equal(addr, &group->self))
        return peer;
    peer = &group->peers[group->peers_count++];
    *peer = (group_peer){.addr = *addr,
                         .weight_seed = weight_seed(addr),
                         .serial = ++group->serial,
                         .nonce = (uint32_t)throng_group_random(group) | 1,
                         .made_at = group->now,
                         .heard_at = group->now,
                         .budget = group->config.asks_a_second_max,
                         .budget_at = group->now};
    return peer;
}

void throng_group_forget(throng_group *group, group_peer *peer)
{
    group->members -= peer->member;
    group->roots_changed |= peer->member;
    *peer = group->peers[--group->peers_count];
}

void throng_group_suspect(throng_group *group, group_peer *peer)
{
    group->roots_changed |= peer->member && !peer->suspect;
    peer->suspect = true;
    throng_group_say(peer, true);
}

/* A group of our own: not as old as any that is. */
static void found(throng_group *group)
{
    uint64_t born = group->config.born_unix_ms + group->now / THRONG_MS;
    group->id = born << 16 | (throng_group_random(group) & 0xffff);
}

static void admit(throng_group *group, group_peer *peer)
{
    if (peer->member)
        return;
    peer->member = true;
    peer->suspect = false;
    group->members++;
    group->roots_changed = true;
}

/* It is of another group, or of none: still somebody to talk to for a while. */
static void dismiss(throng_group *group, group_peer *peer)
{
    group->members -= peer->member;
    group->roots_changed |= peer->member;
    peer->member = false;
    peer->tries = 0;
    peer->made_at = group->now;
}

/* To an older group: those who are of ours are told, and are likely to follow. */
static void move(throng_group *group, uint64_t to)
{
    group->id = to;
    group->moved_at = group->now;
    group->stats.moves += group->members > 0;
    for (uint32_t i = 0; i < group->peers_count; i++)
        if (group->peers[i].member) {
            dismiss(group, &group->peers[i]);
            throng_group_say(&group->peers[i], true);
        }
}

/* No room for us where we thought we were, say two: a group of our own, which others may join. */
static void leave_full(throng_group *group, group_peer *by)
{
    bool again = group->full_at != 0 && group->now < group->full_at + MOVE_AGAIN &&
                 !throng_addr_equal(&by->addr, &group->full_by);
    group->full_by = by->addr;
    group->full_at = group->now;
    if (!by->proven || !(again || group->members < 3))
        return;
    group->full_at = 0;
    group->shunned = group->id;
    group->shunned_until = group->now + SHUN_FOR;
    group->moved_at = group->now;
    for (uint32_t i = 0; i < group->peers_count; i++)
        if (group->peers[i].member) {
            dismiss(group, &group->peers[i]);
            throng_group_say(&group->peers[i], false);
        }
    found(group);
}

/* Where we are is what members say; two who agree can correct it. */
static void observe(throng_group *group, const group_peer *by, const throng_addr *observed)
{
    if (throng_addr_equal(observed, &group->self))
        return;
    bool again =
        throng_addr_equal(observed, &group->self_doubt) && !throng_addr_equal(&by->addr, &group->self_doubt_by);
    group->self_doubt = *observed;
    group->self_doubt_by = by->addr;
    if (group->self.port == 0 || again) {
        group->self = *observed;
        group->roots_changed = true;
    }
}

static void meet_told(throng_group *group, const throng_group_frame *frame)
{
    if (group->now >= group->told_from + THRONG_SECOND) {
        group->told_from = group->now;
        group->told_left = TOLD_A_SECOND;
    }
    for (uint32_t i = 0; i < frame->count && group->told_left > 0; i++) {
        const throng_addr *addr = &frame->addrs[i];
        if (throng_group_peer(group, addr) || (group->config.public_only && throng_addr_is_private(addr)))
            continue;
        group_peer *told = throng_group_contact(group, addr);
        group->told_left -= told != NULL;
    }
}

static bool fits(const throng_group *group, const throng_group_frame *frame)
{
    bool shunned = frame->group == group->shunned && group->now < group->shunned_until;
    return !shunned && group->members + 1 + frame->members <= group->config.join_max;
}

/* Of our group, by its own word. Members are those whose address is known to be theirs. */
static void of_ours(throng_group *group, group_peer *peer, const throng_group_frame *frame)
{
    uint32_t serial = peer->serial;
    if (!peer->member && group->members + 1 >= group->config.members_max) {
        peer->say_due = peer->say_full = true;
        return;
    }
    if (peer->proven || peer->trusted)
        admit(group, peer);
    else
        throng_group_say(peer, true);
    meet_told(group, frame);
    peer = throng_group_by_serial(group, serial);
    if (peer && frame->count > 0 && frame->members < group->members)
        throng_group_say(peer, false); /* it does not know all of us */
}

void throng_group_heard(throng_group *group, group_peer *peer, const throng_group_frame *frame)
{
    peer->proven |= frame->echo == peer->nonce;
    peer->theirs = frame->nonce;
    if (frame->echo == peer->nonce)
        observe(group, peer, &frame->observed);
    if (frame->flags & THRONG_GROUP_GOES) {
        throng_group_forget(group, peer);
        return;
    }
    if (frame->flags & THRONG_GROUP_ASKS)
        throng_group_say(peer, false);
    if (frame->flags & THRONG_GROUP_FULL && frame->group == group->id) {
        leave_full(group, peer);
        return;
    }
    if (frame->group == group->id) {
        of_ours(group, peer, frame);
        return;
    }
    bool was_ours = peer->member;
    if (was_ours)
        dismiss(group, peer);
    bool may_move = group->members == 0 || group->now >= group->moved_at + MOVE_AGAIN;
    if (frame->group < group->id && fits(group, frame) && may_move && (peer->proven || peer->trusted)) {
        move(group, frame->group);
        of_ours(group, peer, frame);
    } else if (frame->group < group->id && !peer->proven) {
        throng_group_say(peer, true); /* proven by its answer, we may follow */
    } else if (frame->group > group->id && fits(group, frame) && !(frame->flags & THRONG_GROUP_ASKS)) {
        throng_group_say(peer, false); /* it may follow us */
    }
}

/* One member after another is greeted, so that who went without a word is found out, and lists become complete. */
static void greet(throng_group *group)
{
    if (group->now < group->greet_at || group->members == 0)
        return;
    group->greet_at = group->now + group->config.greet_interval;
    for (uint32_t i = 0; i < group->peers_count; i++) {
        group_peer *peer = &group->peers[++group->greet_next % group->peers_count];
        if (!peer->member)
            continue;
        throng_group_say(peer, true);
        return;
    }
}

/* Gone: not heard for long, or asked in vain. */
static bool lost(throng_group *group, group_peer *peer)
{
    throng_time within = peer->member ? group->config.answer_within : CONTACT_AGAIN;
    if (peer->asked_at != 0 && group->now >= peer->asked_at + within) {
        if (++peer->tries >= CONTACT_TRIES)
            return true;
        peer->asked_at = 0;
        throng_group_suspect(group, peer);
    }
    if (peer->member)
        return group->now >= peer->heard_at + group->config.silence_max;
    return peer->heard && !peer->foreign && group->now >= peer->made_at + 4 * CONTACT_AGAIN;
}

/* A few peers of other groups are kept, and asked now and then how many they are. */
static void keep_in_touch(throng_group *group)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < group->peers_count; i++) {
        group_peer *peer = &group->peers[i];
        peer->foreign = peer->heard && peer->proven && !peer->member && kept < FOREIGN_MAX;
        kept += peer->foreign;
        if (peer->foreign && group->now >= peer->said_at + FOREIGN_AGAIN)
            throng_group_say(peer, true);
    }
}

void throng_group_members_tick(throng_group *group)
{
    keep_in_touch(group);
    for (uint32_t i = group->peers_count; i-- > 0;) {
        group_peer *peer = &group->peers[i];
        if (!peer->heard && peer->tries == 0 && peer->said_at == 0 && !peer->say_due) {
            throng_group_say(peer, true);
            peer->first_word = peer->trusted;
        }
        if (lost(group, peer))
            throng_group_forget(group, peer);
    }
    greet(group);
}

void throng_group_meet(throng_group *group, throng_time now, const throng_addr *addr)
{
    group->now = now > group->now ? now : group->now;
    group_peer *peer = throng_group_contact(group, addr);
    if (peer)
        peer->trusted = peer->proven = true;
}
