#include "crowd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "command.h"
#include "crowd_state.h"
#include "line.h"
#include "member.h"

enum {
    TICK_MS = 20,
    CHECKS_A_TICK = 256,            /* units hashed without looking at the network: 4 MiB */
    PLAIN_A_TICK = 4 * 1024 * 1024, /* bytes taken over from an earlier plain download */
    HTTP_FAILURES_MAX = 3,
};

/* Without a chunk for so long the swarm is taken for stuck. */
#define SILENCE_MAX (10 * THRONG_SECOND)
/* … and a copy that the group named, for lost: the server is asked instead. */
#define GROUP_SILENCE_MAX (2 * THRONG_SECOND)
/* Everything is here, but the manifest or a page of it does not come: waited for so long. */
#define MANIFEST_PATIENCE (3 * THRONG_SECOND)

/* Pages that were asked for and did not come are asked for again. */
#define PAGES_AGAIN (1 * THRONG_SECOND)

/* ---- counting ---- */

uint64_t throng_crowd_unit_size(const throng_crowd *crowd)
{
    return (uint64_t)crowd->geometry.metachunk_chunks * crowd->geometry.chunk_size;
}

uint64_t throng_crowd_unit_offset(const throng_crowd *crowd, uint32_t unit)
{
    uint64_t offset = (uint64_t)unit * crowd->geometry.metachunk_chunks * crowd->geometry.chunk_size;
    return offset < crowd->geometry.size ? offset : crowd->geometry.size;
}

static uint64_t unit_bytes(const throng_crowd *crowd, uint32_t unit)
{
    return throng_crowd_unit_offset(crowd, unit + 1) - throng_crowd_unit_offset(crowd, unit);
}

static void count_verified(throng_crowd *crowd, uint32_t unit, uint64_t *share_bytes)
{
    uint64_t bytes = unit_bytes(crowd, unit);
    crowd->verified_bytes += bytes;
    crowd->last_progress = throng_transfer_now(crowd->transfer);
    if (share_bytes != NULL) {
        *share_bytes += bytes;
    }
}

void throng_crowd_unit_verified(throng_crowd *crowd, uint32_t unit, uint64_t *share_bytes)
{
    uint32_t first = 0;
    uint32_t end = 0;
    count_verified(crowd, unit, share_bytes);
    throng_geometry_unit_chunks(&crowd->geometry, unit, &first, &end);
    throng_peer_supply(crowd->peer, &crowd->object, first, end);
}

uint64_t throng_crowd_progress(const throng_crowd *crowd)
{
    return crowd->verified_bytes;
}

throng_shares throng_crowd_shares(const throng_crowd *crowd)
{
    throng_shares shares = {.left_over = crowd->left_over_bytes, .origin = crowd->origin_bytes};
    throng_peer_stats stats = {0};
    if (crowd->peer == NULL) {
        return shares;
    }
    throng_peer_stats_get(crowd->peer, &stats);
    /* The node counts chunks, hash pages and those of failed units among them; what is shared out here is the verified
     * bytes of the object that came from the swarm. */
    uint64_t swarm = crowd->verified_bytes - shares.left_over - shares.origin;
    uint64_t peers = stats.node.content_from_peers - crowd->before.node.content_from_peers;
    uint64_t counted = stats.node.content_from_seeder - crowd->before.node.content_from_seeder + peers;
    shares.peers = counted == 0 ? 0 : (uint64_t)((double)swarm * (double)peers / (double)counted);
    shares.seeder = swarm - shares.peers;
    shares.uploaded = stats.node.content_uploaded - crowd->before.node.content_uploaded + crowd->http_given;
    if (crowd->http_serves) {
        shares.uploaded += throng_http_peer_given(crowd->transfer->http, throng_hash_tag(&crowd->object));
    }
    return shares;
}

/* ---- the swarm's share of units ---- */

static void claim_units(throng_crowd *crowd, uint32_t first, uint32_t end, bool claim)
{
    uint32_t chunk_first = 0;
    uint32_t chunk_end = 0;
    uint32_t ignored = 0;
    if (first >= end || crowd->peer == NULL) {
        return;
    }
    throng_geometry_unit_chunks(&crowd->geometry, first, &chunk_first, &ignored);
    throng_geometry_unit_chunks(&crowd->geometry, end - 1, &ignored, &chunk_end);
    throng_peer_claim(crowd->peer, &crowd->object, chunk_first, chunk_end, claim);
}

void throng_crowd_claim(throng_crowd *crowd, uint32_t first, uint32_t end)
{
    claim_units(crowd, first, end, true);
}

static bool is_missing(const throng_crowd *crowd, uint32_t unit)
{
    throng_unit_state state = throng_store_unit(crowd->store, unit);
    return state == THRONG_UNIT_MISSING || state == THRONG_UNIT_OPEN;
}

void throng_crowd_release(throng_crowd *crowd, uint32_t first, uint32_t end)
{
    end = end < crowd->geometry.metachunks ? end : crowd->geometry.metachunks;
    for (uint32_t unit = first; unit < end;) {
        uint32_t run = unit;
        while (run < end && is_missing(crowd, run)) {
            run++;
        }
        claim_units(crowd, unit, run, false);
        unit = run + 1;
    }
}

/* ---- bytes that do not come through the node ---- */

static bool store_failed(throng_crowd *crowd, int error)
{
    throng_transfer *transfer = crowd->transfer;
    throng_exit code = error == THRONG_ERR_NO_MEMORY ? THRONG_EXIT_MEMORY : THRONG_EXIT_WRITE;
    throng_transfer_fail(transfer, code, "%s: cannot write: %s", throng_sink_name(transfer->sink),
                         throng_disk_error_text(error));
    return false;
}

static void http_unit_failed(throng_crowd *crowd, uint32_t unit)
{
    crowd->http_failures++;
    if (crowd->http_failures >= HTTP_FAILURES_MAX) {
        crowd->http_useless = true;
    }
    throng_crowd_release(crowd, unit, unit + 1);
}

/* At most one unit's bytes. */
static bool put_piece(throng_crowd *crowd, uint32_t unit, uint64_t offset, const uint8_t *bytes, size_t size,
                      uint64_t *share_bytes)
{
    if (throng_store_unit(crowd->store, unit) == THRONG_UNIT_VERIFIED) {
        return true;
    }
    int error = throng_store_write_http(crowd->store, offset, bytes, size);
    if (error == THRONG_ERR_TAMPERED) {
        http_unit_failed(crowd, unit);
        return true;
    }
    if (error == THRONG_ERR_AGAIN) { /* no buffer: the unit stays incomplete, and is fetched again */
        return true;
    }
    if (error != 0) {
        return store_failed(crowd, error);
    }
    if (throng_store_unit(crowd->store, unit) == THRONG_UNIT_VERIFIED) {
        throng_crowd_unit_verified(crowd, unit, share_bytes);
    }
    return true;
}

bool throng_crowd_put(throng_crowd *crowd, uint64_t offset, const uint8_t *bytes, size_t size, uint64_t *share_bytes)
{
    uint64_t per_unit = (uint64_t)crowd->geometry.metachunk_chunks * crowd->geometry.chunk_size;
    while (size > 0 && offset < crowd->geometry.size) {
        uint32_t unit = (uint32_t)(offset / per_unit);
        uint64_t room = throng_crowd_unit_offset(crowd, unit + 1) - offset;
        size_t piece = size < room ? size : (size_t)room;
        if (!put_piece(crowd, unit, offset, bytes, piece, share_bytes)) {
            return false;
        }
        bytes += piece;
        size -= piece;
        offset += piece;
    }
    return true;
}

/* A unit came by HTTP, but not the page that holds its hash: the swarm fetches pages with the units that need them, so
 * it is let have one unit of each such page, too. */
static void ask_for_page(throng_crowd *crowd, uint32_t unit)
{
    uint32_t page = 0;
    throng_time now = throng_transfer_now(crowd->transfer);
    if (throng_hashes_page_of(crowd->hashes, unit, &page) != 0 || page == crowd->page_asked ||
        (page < crowd->page_asked && now < crowd->pages_again)) {
        return;
    }
    crowd->pages_again = now + PAGES_AGAIN;
    crowd->page_asked = page;
    claim_units(crowd, unit, unit + 1, false);
}

/* What plain bytes at this offset count as. */
static uint64_t *plain_share(throng_crowd *crowd, uint64_t offset)
{
    return offset < crowd->plain_before ? &crowd->left_over_bytes : &crowd->origin_bytes;
}

/* Units that came before their hashes were known. */
static bool check_written(throng_crowd *crowd)
{
    uint32_t unit = 0;
    const uint8_t *expected = NULL;
    for (int i = 0; i < CHECKS_A_TICK && crowd->hashes != NULL; i++) {
        if (!throng_store_next_unit(crowd->store, THRONG_UNIT_WRITTEN, crowd->written_from, &unit)) {
            crowd->written_from = 0;
            return true;
        }
        crowd->written_from = unit + 1;
        if (throng_hashes_expected(crowd->hashes, unit, &expected) != 0) {
            ask_for_page(crowd, unit);
            continue;
        }
        int error = throng_store_verify(crowd->store, unit, expected);
        bool before = throng_crowd_unit_offset(crowd, unit + 1) <= crowd->plain_size;
        if (error == 0) {
            throng_crowd_unit_verified(crowd, unit, plain_share(crowd, throng_crowd_unit_offset(crowd, unit)));
        } else if (error == THRONG_ERR_TAMPERED && before) {
            throng_crowd_release(crowd, unit, unit + 1);
        } else if (error == THRONG_ERR_TAMPERED) {
            http_unit_failed(crowd, unit);
        } else {
            return store_failed(crowd, error);
        }
    }
    return true;
}

/* What plain HTTP brought before there was a crowd: claimed at the start, now put where it belongs. */
static bool take_over_plain(throng_crowd *crowd)
{
    enum { BLOCK = 64 * 1024 };
    uint8_t block[BLOCK];
    for (size_t taken = 0; crowd->plain_fd >= 0 && taken < PLAIN_A_TICK;) {
        ssize_t got = pread(crowd->plain_fd, block, sizeof(block), (off_t)crowd->plain_at);
        if (got <= 0 || crowd->plain_at >= crowd->plain_size) {
            close(crowd->plain_fd);
            crowd->plain_fd = -1;
            throng_crowd_release(crowd, 0, (uint32_t)(crowd->plain_size / unit_bytes(crowd, 0) + 1));
            return true;
        }
        if (!throng_crowd_put(crowd, crowd->plain_at, block, (size_t)got, plain_share(crowd, crowd->plain_at))) {
            return false;
        }
        crowd->plain_at += (uint64_t)got;
        taken += (size_t)got;
    }
    return true;
}

/* ---- the end ---- */

/* A stream gets what is verified, in order. True when it has all. */
static bool pass_on(throng_crowd *crowd)
{
    throng_transfer *transfer = crowd->transfer;
    uint64_t position = throng_sink_position(transfer->sink);
    uint64_t per_unit = (uint64_t)crowd->geometry.metachunk_chunks * crowd->geometry.chunk_size;
    uint32_t unit = (uint32_t)(position / per_unit);
    while (unit < crowd->geometry.metachunks && throng_store_unit(crowd->store, unit) == THRONG_UNIT_VERIFIED) {
        unit++;
    }
    throng_exit code = throng_sink_pass_on(transfer->sink, throng_crowd_unit_offset(crowd, unit));
    if (code != THRONG_EXIT_OK) {
        throng_transfer_fail_sink(transfer, code);
        return false;
    }
    return throng_sink_position(transfer->sink) == crowd->geometry.size;
}

static void complete_if_all_is_here(throng_crowd *crowd)
{
    throng_transfer *transfer = crowd->transfer;
    bool passed_on = throng_sink_is_stream(transfer->sink) ? pass_on(crowd) : true;
    if (crowd->leaving || !crowd->done || !passed_on || transfer->phase != THRONG_TRANSFER_CROWD) {
        return;
    }
    throng_crowd_http_cancel(crowd);
    transfer->units_verified = true;
    transfer->verified = true;
    throng_transfer_complete(transfer, crowd->geometry.size);
}

static const char *why_unverified(const throng_crowd *crowd, const char *otherwise)
{
    throng_peer_stats stats;
    throng_peer_stats_get(crowd->peer, &stats);
    if (crowd->hashes != NULL) {
        return "some hashes did not come";
    }
    switch (stats.manifest_error) {
    case 0:
        return otherwise;
    case THRONG_ERR_TAMPERED:
        return "the manifest was tampered with: it does not match its hash";
    default:
        return throng_error_text(stats.manifest_error);
    }
}

/* HTTP brought all, but not all can be verified: the manifest or a page of hashes never came. That is what plain HTTP
 * would have given, and it is told apart (verified: false). */
static void complete_unverified(throng_crowd *crowd, throng_time now)
{
    throng_transfer *transfer = crowd->transfer;
    uint32_t written = throng_store_units_written(crowd->store);
    bool all = (uint64_t)throng_store_units_verified(crowd->store) + written == crowd->geometry.metachunks;
    bool hopeless = crowd->race.stuck || (crowd->hashes == NULL && !transfer->options->key_given);
    bool busy = crowd->done || crowd->leaving || crowd->part.fetch != NULL || crowd->plain_fd >= 0;
    if (busy || !all || written == 0 || !hopeless || now - crowd->last_progress < MANIFEST_PATIENCE) {
        return;
    }
    const char *why = why_unverified(crowd, "no manifest came");
    if (throng_sink_is_stream(transfer->sink) || transfer->options->key_given) {
        throng_crowd_give_up(crowd, why);
        return;
    }
    if (!transfer->options->silent) {
        throng_complain("%s: unverified, as over plain HTTP: %s", transfer->shown_url, why);
    }
    crowd->origin_bytes += crowd->geometry.size - crowd->verified_bytes;
    crowd->verified_bytes = crowd->geometry.size;
    throng_transfer_complete(transfer, crowd->geometry.size);
}

static void look_at_swarm(throng_crowd *crowd, throng_time now, uint64_t bytes)
{
    if (bytes > crowd->race.swarm_bytes) {
        crowd->last_chunk = now;
    }
    throng_race_swarm(&crowd->race, now, bytes);
    if (crowd->transfer->from_group && !crowd->done && now - crowd->last_chunk > GROUP_SILENCE_MAX) {
        throng_crowd_give_up(crowd, "nobody in the group gives it");
        return;
    }
    throng_race_stuck(&crowd->race, crowd->stuck || now - crowd->last_chunk > SILENCE_MAX);
}

/* What came by datagram since the last look says what the line can do, unless the user limits it. */
static void count_for_line(throng_crowd *crowd, const throng_peer_stats *stats)
{
    const throng_transfer *transfer = crowd->transfer;
    uint64_t received = stats->node.received_bytes;
    if (transfer->options->rate_limit_bps == 0 && received > crowd->line_counted) {
        throng_line_received(transfer->line, throng_transfer_now(transfer), received - crowd->line_counted);
    }
    crowd->line_counted = received;
}

static void on_tick(uv_timer_t *timer)
{
    throng_crowd *crowd = timer->data;
    throng_transfer *transfer = crowd->transfer;
    throng_time now = throng_transfer_now(transfer);
    throng_peer_stats stats;
    if (transfer->phase != THRONG_TRANSFER_CROWD) {
        return;
    }
    throng_peer_stats_get(crowd->peer, &stats);
    count_for_line(crowd, &stats);
    look_at_swarm(crowd, now,
                  stats.node.content_from_seeder + stats.node.content_from_peers -
                      crowd->before.node.content_from_seeder - crowd->before.node.content_from_peers);
    if (crowd->leaving || !take_over_plain(crowd) || !check_written(crowd)) {
        return;
    }
    complete_if_all_is_here(crowd);
    if (transfer->phase == THRONG_TRANSFER_CROWD) {
        complete_unverified(crowd, now);
    }
    if (transfer->phase == THRONG_TRANSFER_CROWD) {
        throng_crowd_http_tick(crowd, now);
    }
}

/* ---- what the swarm tells ---- */

static void on_manifest(throng_peer *peer, const throng_hash *object, const throng_manifest *manifest, void *user)
{
    throng_crowd *crowd = user;
    const uint8_t *bytes = NULL;
    size_t size = 0;
    throng_member *member = crowd->transfer->member;
    if (crowd->leaving) {
        return;
    }
    if (member != NULL && !throng_member_takes(member, crowd, manifest)) {
        throng_crowd_give_up(crowd, "the group named another object");
        return;
    }
    if (throng_node_manifest(throng_peer_node(peer), object, &bytes, &size, &crowd->hashes) == 0) {
        throng_store_set_hashes(crowd->store, crowd->hashes);
    }
}

static void on_unit(throng_peer *peer, const throng_hash *object, uint32_t unit, void *user)
{
    throng_crowd *crowd = user;
    if (unit < crowd->geometry.metachunks) {
        count_verified(crowd, unit, NULL);
    }
}

static void on_swarm_done(throng_peer *peer, const throng_hash *object, void *user)
{
    throng_crowd *crowd = user;
    crowd->done = true; /* the tick completes: this may be in the middle of a supply */
}

static void on_stuck(throng_peer *peer, const throng_hash *object, int error, void *user)
{
    throng_crowd *crowd = user;
    crowd->stuck = true;
    throng_race_stuck(&crowd->race, true);
    if (crowd->hashes == NULL) {
        throng_crowd_give_up(crowd,
                             error == 0 ? "nobody there answers" : why_unverified(crowd, throng_error_text(error)));
    }
}

static void on_store_failed(throng_peer *peer, const throng_hash *object, int error, void *user)
{
    (void)store_failed(user, error);
}

/* ---- serving by HTTP ---- */

static void on_served(throng_peer *peer, const throng_hash *object, const uint8_t key[THRONG_KEY_SIZE],
                      uint32_t now_unix_s, void *user)
{
    throng_crowd *crowd = user;
    if (crowd->http_serves) {
        (void)throng_http_peer_set_key(crowd->transfer->http, throng_hash_tag(object), key, now_unix_s);
    }
}

static bool read_verified(void *user, uint64_t offset, void *buffer, size_t size)
{
    const throng_crowd *crowd = user;
    return throng_store_read(crowd->store, offset, buffer, size) == 0;
}

void throng_crowd_serve(throng_crowd *crowd)
{
    throng_http_peer *http = crowd->transfer->http;
    const throng_http_object object = {
        .tag = throng_hash_tag(&crowd->object), .size = crowd->geometry.size, .read = read_verified, .user = crowd};
    if (http != NULL && crowd->peer != NULL && !crowd->leaving && throng_http_peer_add(http, &object) == 0) {
        crowd->http_serves = throng_peer_serve(crowd->peer, &crowd->object, throng_http_peer_port(http)) == 0;
        if (!crowd->http_serves) {
            throng_http_peer_remove(http, object.tag);
        }
    }
}

static void serve_no_more(throng_crowd *crowd)
{
    throng_tag tag = throng_hash_tag(&crowd->object);
    if (crowd->http_serves) {
        crowd->http_given = throng_http_peer_given(crowd->transfer->http, tag);
        throng_http_peer_remove(crowd->transfer->http, tag);
        crowd->http_serves = false;
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void throng_crowd_free(throng_crowd *crowd)
{
    if (crowd == NULL) {
        return;
    }
    throng_transfer *transfer = crowd->transfer;
    throng_crowd_http_cancel(crowd);
    serve_no_more(crowd);
    if (transfer->member != NULL) {
        throng_member_left(transfer->member, crowd);
    }
    if (crowd->store != NULL && !transfer->kept) {
        throng_store_set_hashes(crowd->store, NULL);
    }
    if (transfer->member == NULL) { /* its peer stays, and what becomes known of the line is told by it */
        throng_line_leave(transfer->line, crowd->peer);
        throng_peer_free(crowd->peer);
    }
    if (crowd->plain_fd >= 0) {
        close(crowd->plain_fd);
    }
    uv_close((uv_handle_t *)&crowd->tick, on_timer_closed);
}

static void say_left(throng_crowd *crowd)
{
    crowd->on_left(crowd, crowd->transfer); /* may still look at us */
    throng_crowd_free(crowd);
}

static void on_peer_left(throng_peer *peer, void *user)
{
    say_left(user);
}

static void on_nothing_to_leave(uv_timer_t *timer)
{
    say_left(timer->data);
}

void throng_crowd_leave(throng_crowd *crowd, void (*on_left)(throng_crowd *crowd, void *transfer))
{
    if (crowd->leaving) {
        return;
    }
    crowd->leaving = true;
    crowd->on_left = on_left;
    throng_crowd_http_cancel(crowd);
    serve_no_more(crowd);
    uv_timer_stop(&crowd->tick);
    throng_transfer *transfer = crowd->transfer;
    if (crowd->peer != NULL) {
        throng_peer_stats stats;
        throng_peer_stats_get(crowd->peer, &stats);
        count_for_line(crowd, &stats);
    }
    transfer->kept = transfer->member != NULL && crowd->done && transfer->code == THRONG_EXIT_OK &&
                     transfer->phase == THRONG_TRANSFER_LEAVE;
    if (crowd->peer != NULL && transfer->member == NULL) {
        throng_peer_leave(crowd->peer);
    } else {
        uv_timer_start(&crowd->tick, on_nothing_to_leave, 0, 0);
    }
}

static void on_left_for_plain(throng_crowd *crowd, void *user)
{
    throng_transfer *transfer = user;
    transfer->crowd = NULL;
    if (transfer->phase != THRONG_TRANSFER_CROWD) { /* interrupted meanwhile */
        throng_transfer_end(transfer);
        return;
    }
    transfer->phase = THRONG_TRANSFER_PLAIN;
    throng_plain_start(transfer);
}

/* What the group named was not there, or not what it should be: that costs one more question, then the server. */
static void on_left_for_server(throng_crowd *crowd, void *user)
{
    enum { GROUP_ASKS_MAX = 2 };
    throng_transfer *transfer = user;
    throng_hash wrong = crowd->object;
    transfer->crowd = NULL;
    if (transfer->phase != THRONG_TRANSFER_CROWD) { /* interrupted meanwhile */
        throng_transfer_end(transfer);
        return;
    }
    transfer->phase = THRONG_TRANSFER_PLAIN;
    transfer->from_group = false;
    transfer->copy_age_s = 0;
    if (transfer->group_asks >= GROUP_ASKS_MAX || !throng_member_find(transfer->member, transfer, &wrong)) {
        throng_plain_start(transfer);
    }
}

void throng_crowd_give_up(throng_crowd *crowd, const char *why)
{
    throng_transfer *transfer = crowd->transfer;
    if (crowd->leaving) {
        return;
    }
    if (transfer->from_group) {
        throng_crowd_leave(crowd, on_left_for_server);
        return;
    }
    if (transfer->options->key_given) { /* plain HTTP brings nothing that could be held against it */
        throng_transfer_fail(transfer, THRONG_EXIT_UNVERIFIED, "not verified with --key: %s", why);
        return;
    }
    if (!transfer->options->silent) {
        throng_complain("%s: no crowd: %s; going on over plain HTTP", transfer->shown_url, why);
    }
    transfer->no_crowd = true;
    throng_crowd_leave(crowd, on_left_for_plain);
}

/* ---- joining ---- */

/* From a server with a public address, peers at private ones are not followed: a page on the Internet must not make us
 * send datagrams into our own network. (Those whom others name later, the node leaves out.) */
static void drop_private_peers(throng_directions *directions, const throng_addr *server)
{
    uint32_t kept = 0;
    if (throng_addr_is_private(server)) {
        return;
    }
    for (uint32_t i = 0; i < directions->peers_count; i++) {
        if (!throng_addr_is_private(&directions->peers[i])) {
            directions->peers[kept++] = directions->peers[i];
        }
    }
    directions->peers_count = kept;
}

/* What the swarm must not be asked for: what is to come from an earlier plain download. */
static void claim_for_others(throng_crowd *crowd)
{
    uint32_t here = crowd->plain_fd < 0 ? 0 : (uint32_t)(crowd->plain_size / unit_bytes(crowd, 0));
    claim_units(crowd, 0, here < crowd->geometry.metachunks ? here : crowd->geometry.metachunks, true);
}

/* Runs of units that the store holds verified: from an earlier run (then they count), or from before joining again. */
static void supply_verified(throng_crowd *crowd, bool count)
{
    uint32_t first = 0;
    uint32_t end = 0;
    for (uint32_t unit = 0; throng_store_next_unit(crowd->store, THRONG_UNIT_VERIFIED, unit, &unit); unit++) {
        if (count) {
            count_verified(crowd, unit, &crowd->left_over_bytes);
        }
        throng_geometry_unit_chunks(&crowd->geometry, unit, &first, &end);
        throng_peer_supply(crowd->peer, &crowd->object, first, end);
    }
}

static int join(throng_crowd *crowd, const throng_directions *directions, const throng_addr *server)
{
    throng_directions followed = *directions;
    throng_addr seeder = *server;
    seeder.port = followed.seeder.port;
    drop_private_peers(&followed, server);
    if (crowd->transfer->from_group) {
        seeder.port = 0; /* members whom we know, and nobody else */
    } else if (crowd->transfer->member != NULL) {
        throng_member_directed(crowd->transfer->member, crowd->transfer, &followed);
    }
    throng_line_join(crowd->transfer->line, crowd->peer, crowd->transfer->url, !throng_addr_is_private(server));
    int error = throng_peer_join(crowd->peer, &followed, &seeder, crowd->store);
    if (error == 0) {
        claim_for_others(crowd);
    }
    return error;
}

void throng_crowd_redirected(throng_crowd *crowd, const throng_directions *directions, const throng_addr *server)
{
    if (memcmp(&directions->object, &crowd->object, sizeof(crowd->object)) != 0) {
        throng_crowd_give_up(crowd, "the object has changed meanwhile");
        return;
    }
    throng_store_set_hashes(crowd->store, NULL);
    crowd->hashes = NULL;
    throng_peer_drop(crowd->peer, &crowd->object);
    if (join(crowd, directions, server) == 0) {
        supply_verified(crowd, false);
        crowd->stuck = false;
        crowd->last_chunk = throng_transfer_now(crowd->transfer);
    }
}

static void on_landmarks(throng_peer *peer, const throng_landmarks *landmarks, void *user)
{
    const throng_crowd *crowd = user;
    throng_line_landmarks(crowd->transfer->line, peer, landmarks);
}

static const throng_peer_hooks hooks = {.manifest = on_manifest,
                                        .unit = on_unit,
                                        .done = on_swarm_done,
                                        .stuck = on_stuck,
                                        .store_failed = on_store_failed,
                                        .served = on_served,
                                        .landmarks = on_landmarks,
                                        .left = on_peer_left};

const throng_peer_hooks *throng_crowd_hooks(void)
{
    return &hooks;
}

static int open_peer(throng_crowd *crowd)
{
    const throng_get_options *options = crowd->transfer->options;
    if (crowd->transfer->member != NULL) {
        int error = throng_member_peer(crowd->transfer->member, crowd, &crowd->peer);
        if (error == 0) {
            throng_peer_stats_get(crowd->peer, &crowd->before);
        }
        return error;
    }
    throng_peer_config config;
    throng_peer_config_default(&config, THRONG_PROFILE_THRONG);
    config.node.objects_max = 1;
    config.pinned_key = options->key_given ? options->key : NULL;
    config.node.upload_limit_bps = options->rate_limit_bps;
    config.node.download_limit_bps = options->rate_limit_bps;
    config.node.public_only = !throng_addr_is_private(&crowd->transfer->server);
    config.hooks = hooks;
    config.user = crowd;
    return throng_peer_new(&crowd->peer, crowd->transfer->loop, &config);
}

static void start_race(throng_crowd *crowd, throng_time now, throng_time ask_time)
{
    const throng_get_options *options = crowd->transfer->options;
    throng_race_config config;
    uint64_t random = 0;
    throng_race_config_default(&config);
    config.only_when_stuck = options->crowd_only || crowd->transfer->from_group;
    config.rate_max = options->rate_limit_bps / 8;
    (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
    throng_race_init(&crowd->race, &config, now, ask_time, random);
    crowd->last_progress = now;
    crowd->last_chunk = now;
}

static throng_crowd *make(throng_transfer *transfer)
{
    throng_crowd *crowd = calloc(1, sizeof(*crowd));
    if (crowd == NULL) {
        return NULL;
    }
    crowd->transfer = transfer;
    crowd->object = transfer->directions.object;
    crowd->plain_fd = -1;
    uv_timer_init(transfer->loop, &crowd->tick);
    crowd->tick.data = crowd;
    transfer->crowd = crowd;
    transfer->phase = THRONG_TRANSFER_CROWD;
    return crowd;
}

void throng_crowd_enter(throng_transfer *transfer, throng_time ask_time)
{
    throng_directions *directions = &transfer->directions;
    throng_geometry geometry;
    if (throng_geometry_init(&geometry, directions->size, directions->chunk_size) != 0 || geometry.metachunks == 0) {
        transfer->no_crowd = true; /* empty, or nonsense: not worth a crowd */
        throng_plain_start(transfer);
        return;
    }
    throng_crowd *crowd = make(transfer);
    if (crowd == NULL) {
        throng_transfer_fail(transfer, THRONG_EXIT_MEMORY, "out of memory");
        return;
    }
    crowd->geometry = geometry;
    transfer->size = (int64_t)geometry.size;
    crowd->plain_before = transfer->shares.left_over;
    transfer->shares = (throng_shares){0};
    crowd->plain_fd = throng_sink_take_plain(transfer->sink, &crowd->plain_size);
    throng_exit code = throng_sink_open_crowd(transfer->sink, &crowd->object, &geometry);
    crowd->store = throng_sink_store(transfer->sink);
    if (code != THRONG_EXIT_OK && throng_sink_is_stream(transfer->sink)) {
        throng_crowd_give_up(crowd, throng_sink_problem(transfer->sink)); /* plain HTTP needs no spool */
        return;
    }
    if (code != THRONG_EXIT_OK) {
        throng_transfer_fail_sink(transfer, code);
        return;
    }
    int error = open_peer(crowd);
    if (error != 0) {
        throng_crowd_give_up(crowd, uv_strerror(error));
        return;
    }
    start_race(crowd, throng_transfer_now(transfer), ask_time);
    error = join(crowd, directions, &transfer->server);
    if (error != 0) {
        throng_crowd_give_up(crowd, throng_error_text(error));
        return;
    }
    supply_verified(crowd, true);
    uv_timer_start(&crowd->tick, on_tick, TICK_MS, TICK_MS);
}
