/* What leaves next. Nothing is queued as bytes but a request: each datagram is made from what its neighbour is due at
 * that moment, so that a later state replaces an earlier one, and control rides on content where there is content. */
#include "peer.h"

#include <string.h>

#define UPLOAD_PATIENCE (500 * THRONG_MS)
#define JOIN_BACKOFF (300 * THRONG_MS)

enum { JOIN_BACKOFF_SHIFT_MAX = 5, RUN_DATAGRAMS = 4, NEWS_ROOM = 80 };
enum { MANIFEST_ROOM = THRONG_MANIFEST_PART_SIZE + 24 };

/* --- content -------------------------------------------------------------------------------------------- */

static throng_upload *upload_head(throng_neighbour *n)
{
    return n->uploads_count ? &n->uploads[n->uploads_head] : NULL;
}

static void upload_advance(throng_node *node, throng_neighbour *n)
{
    throng_upload *upload = upload_head(n);
    upload->first++;
    n->uploads_chunks--;
    node->uploads_chunks--;
    if (upload->first == upload->end) {
        n->uploads_head = (n->uploads_head + 1) & (n->uploads_capacity - 1);
        n->uploads_count--;
        throng_uploads_rest(node, n);
    }
}

/* What waited too long, for want of credit, met the silence that tit-for-tat prescribes. */
static void expire_uploads(throng_node *node, throng_neighbour *n)
{
    throng_upload *upload;
    while ((upload = upload_head(n)) && (uint32_t)node->now - upload->asked_at > UPLOAD_PATIENCE) {
        node->stats.tit_for_tat_refused++;
        uint32_t left = upload->end - upload->first;
        n->uploads_chunks -= left;
        node->uploads_chunks -= left;
        n->uploads_head = (n->uploads_head + 1) & (n->uploads_capacity - 1);
        n->uploads_count--;
        throng_uploads_rest(node, n);
    }
}

static uint32_t on_the_wire(uint32_t payload)
{
    return payload + THRONG_SEAL_OVERHEAD + UDP_IP_BYTES;
}

static bool unproven_allows(const throng_neighbour *n, uint32_t payload)
{
    return n->proven || n->unproven_out + on_the_wire(payload) <= AMPLIFICATION_MAX * n->unproven_in;
}

static bool may_upload(const throng_node *node, throng_neighbour *n)
{
    const throng_upload *upload = upload_head(n);
    if (!upload)
        return false;
    uint32_t bytes = throng_geometry_chunk_bytes(&upload->object->geometry, upload->first);
    return throng_credit_allows(node, n, bytes) && unproven_allows(n, bytes + 40);
}

/* What we gave beyond what we got. */
static int64_t owes(const throng_neighbour *n)
{
    return (int64_t)(n->sent_bytes - n->received_bytes);
}

/* Where messages are dear, one goes to the same as the last one did, until a unit has gone: they can go together. */
static bool in_run(const throng_node *node, const throng_neighbour *n)
{
    return node->run_left > 0 && node->run_to == n->serial;
}

/* Who owes us least, of those whose content may go now. Who waits for nothing any more leaves the list. */
static throng_neighbour *next_upload(throng_node *node)
{
    throng_neighbour *best = NULL;
    for (throng_neighbour **at = &node->uploaders; *at;) {
        throng_neighbour *n = *at;
        expire_uploads(node, n);
        if (n->uploads_count == 0) {
            n->uploader = false;
            *at = n->uploader_next;
            continue;
        }
        if (!n->gone && may_upload(node, n) &&
            (!best || in_run(node, n) || (!in_run(node, best) && owes(n) < owes(best))))
            best = n;
        at = &n->uploader_next;
    }
    return best;
}

static bool append_content(throng_node *node, throng_neighbour *n, throng_writer *w, throng_datagram *ret)
{
    const throng_upload *upload = upload_head(n);
    const throng_object *object = upload->object;
    uint32_t chunk = upload->first;
    uint32_t size = throng_geometry_chunk_bytes(&object->geometry, chunk);
    size_t before = throng_writer_size(w);
    const throng_link *link = throng_link_find(n, object);
    throng_data_encode(w, link ? throng_link_tag(node, link) : object->tag, upload->request, chunk);
    if (w->failed || throng_writer_left(w) < size || !unproven_allows(n, (uint32_t)throng_writer_size(w) + size)) {
        w->at = w->start + before;
        w->failed = false;
        return false;
    }
    ret->body_size = (uint16_t)size;
    ret->content = object->content;
    ret->body_offset = (uint64_t)chunk * object->geometry.chunk_size;
    if (chunk >= object->geometry.data_chunks) {
        size_t page_size;
        uint32_t unit = throng_geometry_unit_of(&object->geometry, chunk);
        if (throng_hashes_page(object->hashes, unit, &ret->body, &page_size) < 0)
            ret->body_size = 0;
    }
    upload_advance(node, n);
    if (ret->body_size == 0) {
        w->at = w->start + before;
        return false;
    }
    n->sent_bytes += size;
    node->stats.content_uploaded += size;
    throng_overlay_traded(node, n);
    return true;
}

/* --- control -------------------------------------------------------------------------------------------- */

static throng_object *join_due(const throng_node *node, const throng_neighbour *n)
{
    for (uint32_t i = 0; n->seeder && i < node->objects_count; i++)
        if (node->objects[i]->join_at <= node->now)
            return node->objects[i];
    return NULL;
}

static bool link_due(const throng_node *node, const throng_link *link)
{
    return link->tell_have || link->give_offer || link->get_manifest || link->give_manifest;
}

/* An ANSWER to a peer waits for what needs it: whoever has not asked for content may be sent little, and needs no more.
 */
bool throng_control_due(const throng_node *node, const throng_neighbour *n)
{
    if (n->gone)
        return n->say_bye;
    if (n->asked || n->busy_due || n->say_bye || n->no_file_due || n->seek_due || n->peers_due ||
        (n->answer_due && n->seeder) || join_due(node, n) || throng_traits_due(node, n) ||
        (n->challenge_due && !n->proven))
        return true;
    for (uint32_t i = 0; i < n->links_count; i++)
        if (link_due(node, &n->links[i]))
            return true;
    return false;
}

static void append_join(throng_node *node, throng_neighbour *n, throng_writer *w)
{
    throng_object *object = join_due(node, n);
    if (!object)
        return;
    uint32_t again = object->joins < JOIN_BACKOFF_SHIFT_MAX ? object->joins : JOIN_BACKOFF_SHIFT_MAX;
    throng_time backoff = JOIN_BACKOFF << again;
    object->join_at = node->now + backoff + throng_node_random_below(node, (uint32_t)(backoff / 4));
    object->joins++;
    if (node->traits)
        node->traits->due = true;
    throng_join_encode(w, object->tag, &object->token, false, object->have, node->config.handshake_intervals);
    throng_link *link = throng_link_find(n, object);
    if (!link || object->geometry.chunks > GIFT_CHUNKS_MAX || !object->wanted)
        return;
    uint32_t most = throng_limit_chunks(node, link->any_left);
    if (most == 0)
        return;
    link->any_request = throng_request_number(node, n);
    link->any_left = throng_window_of(node, n);
    link->any_left = link->any_left < most ? link->any_left : most;
    link->any_at = (uint32_t)node->now;
    link->any_timed = false;
    throng_request_encode(w, object->tag, link->any_request, link->any_left, object->have,
                          node->config.handshake_intervals, NULL, 0);
}

static void append_manifest_gets(throng_node *node, throng_link *link, throng_writer *w)
{
    throng_object *object = link->object;
    link->get_manifest = false;
    if (object->manifest_known || object->manifest_checking)
        return;
    uint32_t parts = throng_manifest_parts_to_ask(object);
    for (uint32_t part = 0; part < parts && throng_writer_left(w) > 16; part++)
        if (!(object->manifest_parts[part / 64] >> (part % 64) & 1))
            throng_manifest_get_encode(w, &(throng_manifest_get){.object = throng_link_tag(node, link),
                                                                 .offset = part * THRONG_MANIFEST_PART_SIZE});
}

static bool parts_left(const throng_link *link)
{
    uint8_t any = 0;
    for (uint32_t i = 0; i < sizeof link->give_parts; i++)
        any |= link->give_parts[i];
    return any != 0;
}

/* One part a datagram: it fills it. */
static void append_manifest_part(throng_node *node, throng_neighbour *n, throng_link *link, throng_writer *w)
{
    throng_object *object = link->object;
    uint32_t part = link->give_manifest ? 0 : MANIFEST_PARTS_MAX;
    while (part < MANIFEST_PARTS_MAX && !(link->give_parts[part / 8] >> (part % 8) & 1))
        part++;
    if (part == MANIFEST_PARTS_MAX || throng_writer_left(w) < MANIFEST_ROOM)
        return;
    uint32_t offset = part * THRONG_MANIFEST_PART_SIZE;
    uint32_t size = object->manifest_size - offset;
    size = size < THRONG_MANIFEST_PART_SIZE ? size : THRONG_MANIFEST_PART_SIZE;
    link->give_parts[part / 8] &= (uint8_t) ~(1u << (part % 8));
    link->give_manifest = parts_left(link);
    if (!unproven_allows(n, (uint32_t)throng_writer_size(w) + size + 24)) {
        node->stats.unproven_withheld++;
        return;
    }
    throng_manifest_part_encode(w, &(throng_manifest_part){.object = throng_link_tag(node, link),
                                                           .total = object->manifest_size,
                                                           .offset = offset,
                                                           .bytes = object->manifest + offset,
                                                           .size = size});
}

static uint32_t lacking(const throng_link *link, throng_interval *ret, uint32_t most)
{
    uint32_t count = 0;
    throng_interval held, gap;
    for (uint32_t at = 0; count < most && throng_intervals_at_or_after(link->object->have, at, &held);) {
        at = held.first > at ? held.first : at;
        if (throng_holdings_next_gap(&link->have, at, held.end, &gap))
            ret[count++] = gap;
        else
            gap.end = held.end;
        at = gap.end;
    }
    return count;
}

/* The paper's FIRST HANDSHAKE REPLY: what we have and the asker lacks. */
static void append_offer(throng_node *node, throng_link *link, throng_writer *w)
{
    throng_interval offered[THRONG_CHUNK_SET_INTERVALS_MAX];
    uint32_t most = node->config.handshake_intervals;
    most = most < THRONG_CHUNK_SET_INTERVALS_MAX ? most : THRONG_CHUNK_SET_INTERVALS_MAX;
    link->give_offer = false;
    uint32_t count = lacking(link, offered, most);
    throng_offer_encode(w, link->object->tag, offered, count);
}

static void append_link(throng_node *node, throng_neighbour *n, throng_link *link, throng_writer *w)
{
    const throng_object *object = link->object;
    if (link->tell_have) {
        throng_intervals *latest = throng_news_of(node, link);
        throng_have_encode(w, THRONG_FRAME_HAVE, throng_link_tag(node, link), latest ? latest : object->have,
                           node->config.handshake_intervals);
        throng_intervals_free(latest);
        link->tell_have = false;
        link->told_version = object->have_version;
        link->told_some = object->have_version > 0;
        link->told_at = (uint32_t)node->now;
    }
    if (link->give_offer)
        append_offer(node, link, w);
    if (link->get_manifest)
        append_manifest_gets(node, link, w);
    append_manifest_part(node, n, link, w);
}

static void append_peers(throng_node *node, throng_neighbour *n, throng_writer *w)
{
    throng_peers peers = {.object = n->notices->peers_object};
    n->peers_due = false;
    peers.count = throng_overlay_recommend(node, n, peers.addrs, RECOMMENDED);
    if (peers.count > 0)
        throng_peers_encode(w, &peers);
}

/* With content, whose delay tells of queues, and in answer to it. */
static void append_time(const throng_node *node, throng_neighbour *n, throng_writer *w)
{
    n->time_due = false;
    throng_time_encode(w, &(throng_time_frame){.sent_ms = (uint16_t)(node->now / THRONG_MS),
                                               .echo_ms = n->time_heard ? n->time_echo_ms : THRONG_TIME_NO_ECHO});
}

static void append_control(throng_node *node, throng_neighbour *n, throng_writer *w)
{
    if (n->say_bye) {
        throng_bye_encode(w);
        n->say_bye = false;
        return;
    }
    if (n->answer_due)
        throng_cookie_encode(w, THRONG_FRAME_ANSWER, n->notices->answer_cookie);
    n->answer_due = false;
    if (n->challenge_due && !n->proven)
        throng_cookie_encode(w, THRONG_FRAME_CHALLENGE, throng_neighbour_cookie(node, n));
    n->challenge_due = false;
    append_join(node, n, w);
    throng_traits_append(node, n, w);
    if (n->asked && throng_writer_left(w) >= n->asked_size) {
        throng_write_bytes(w, n->asked, n->asked_size);
        throng_node_release(node, n->asked, n->asked_size);
        n->asked = NULL;
        n->asked_size = 0;
    }
    if (n->busy_due)
        throng_busy_encode(w, &n->notices->busy);
    n->busy_due = false;
    if (n->no_file_due)
        throng_tag_frame_encode(w, THRONG_FRAME_NO_FILE, n->notices->no_file);
    n->no_file_due = false;
    if (n->seek_due) {
        throng_tag_frame_encode(w, THRONG_FRAME_SEEK, n->notices->seek_object);
        n->sought = true;
    }
    n->seek_due = false;
    if (n->peers_due)
        append_peers(node, n, w);
    throng_neighbour_notices_said(node, n);
    for (uint32_t i = 0; i < n->links_count && throng_writer_left(w) >= HAVE_ROOM; i++)
        append_link(node, n, &n->links[i], w);
}

/* --- datagrams ------------------------------------------------------------------------------------------ */

static bool asks_blindly(const throng_neighbour *n)
{
    for (uint32_t i = 0; i < n->links_count; i++)
        if (n->links[i].any_left > 0)
            return true;
    return false;
}

/* The first datagram to a peer that asks it for chunks is as long as a third of one with a chunk, so that a chunk may
 * come back to it. */
static void pad_first(throng_node *node, throng_neighbour *n, throng_writer *w)
{
    static const uint8_t zeroes[FIRST_CONTACT_SIZE] = {0};
    bool first = n->ours && n->trusted && !n->heard && !n->seeder && n->tries <= 1 && asks_blindly(n);
    size_t size = throng_writer_size(w);
    if (first && node->config.profile == THRONG_PROFILE_THRONG && size < FIRST_CONTACT_SIZE)
        throng_write_bytes(w, zeroes, FIRST_CONTACT_SIZE - size);
}

static void account(throng_node *node, throng_neighbour *n, uint32_t payload, bool content)
{
    n->sent_at = (uint32_t)node->now;
    node->stats.sent_bytes += payload;
    if (!n->proven)
        n->unproven_out += on_the_wire(payload);
    if (!n->seeder)
        throng_pace_sent(node, payload);
}

/* Content carries what its sender has, when that is news to whom it goes to, and both go in one packet. */
static void tell_news(const throng_node *node, throng_neighbour *n)
{
    const throng_object *object = upload_head(n)->object;
    uint32_t most = throng_addr_is_browser(&n->addr) ? BROWSER_PAYLOAD_MAX : THRONG_PAYLOAD_MAX;
    if (object->geometry.chunk_size + NEWS_ROOM > most)
        return;
    throng_link *link = throng_link_find(n, object);
    if (link && link->told_version != link->object->have_version && node->config.profile == THRONG_PROFILE_THRONG)
        link->tell_have = true;
}

static bool make(throng_node *node, throng_neighbour *n, bool content, throng_datagram *ret)
{
    throng_writer w = throng_writer_on(ret->head, sizeof ret->head);
    ret->to = n->addr;
    ret->body = NULL;
    ret->content = NULL;
    ret->body_size = 0;
    bool measures = node->config.profile == THRONG_PROFILE_THRONG && !n->seeder && n->heard;
    if (measures && (content || n->time_due))
        append_time(node, n, &w);
    size_t empty = throng_writer_size(&w);
    if (content)
        tell_news(node, n);
    if (throng_control_due(node, n))
        append_control(node, n, &w);
    if (content)
        append_content(node, n, &w, ret);
    pad_first(node, n, &w);
    size_t head = throng_writer_size(&w);
    if (w.failed || (head == empty && ret->body_size == 0))
        return false;
    /* Whom we spoke to first is owed no proof for that; the tries are few. */
    if (!n->ours && !unproven_allows(n, (uint32_t)head + ret->body_size)) {
        node->stats.unproven_withheld++;
        return false;
    }
    ret->head_size = (uint16_t)head;
    account(node, n, (uint32_t)head + ret->body_size, ret->body_size > 0);
    return true;
}

static bool poll_control(throng_node *node, throng_datagram *ret)
{
    while (node->due_head) {
        throng_neighbour *n = node->due_head;
        node->due_head = n->due_next;
        if (!node->due_head)
            node->due_tail = NULL;
        n->due = false;
        if (!throng_control_due(node, n))
            continue;
        bool content = !n->gone && node->pace_next <= node->now && may_upload(node, n);
        bool made = make(node, n, content, ret);
        if (made && throng_control_due(node, n))
            throng_neighbour_due(node, n);
        if (made)
            return true;
    }
    return false;
}

static bool poll_content(throng_node *node, throng_datagram *ret)
{
    for (uint32_t tries = 0; node->uploads_chunks > 0 && tries < 4; tries++) {
        throng_neighbour *n = next_upload(node);
        if (!n)
            return false;
        if (node->pace_next > node->now + 100) {
            node->pace_held = true;
            throng_node_wake(node, node->pace_next);
            return false;
        }
        if (!in_run(node, n) && node->config.host_jitter > 0) {
            node->run_to = n->serial;
            node->run_left = RUN_DATAGRAMS;
        }
        node->run_left -= node->run_left > 0;
        if (make(node, n, true, ret))
            return true;
    }
    return false;
}

bool throng_node_poll_send(throng_node *node, throng_time now, throng_datagram *ret)
{
    node->now = now > node->now ? now : node->now;
    if (node->dirty && !node->leaving) {
        node->dirty = false;
        if (node->config.profile == THRONG_PROFILE_PAPER)
            throng_paper_step(node);
        else
            throng_ask(node);
    }
    throng_pace_judge(node);
    return poll_control(node, ret) || (!node->leaving && poll_content(node, ret));
}
