/* HTTP beside a swarm: range requests for what is missing, without the Throng header, verified like all else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "crowd_state.h"

/* How long nothing may come at all: from a server that can't be reached, and from one that refuses. */
#define UNREACHABLE_MAX (60 * THRONG_SECOND)
#define REFUSED_MAX (300 * THRONG_SECOND)

/* ---- which part ---- */

static bool wanted(const throng_crowd *crowd, uint32_t unit, bool open_too)
{
    throng_unit_state state = throng_store_unit(crowd->store, unit);
    return state == THRONG_UNIT_MISSING || (open_too && (state == THRONG_UNIT_OPEN || state == THRONG_UNIT_COMPLETE));
}

typedef struct unit_run {
    uint32_t first;
    uint32_t end;
} unit_run;

/* The longest run of units that are not here, and how many such units there are. Units that the swarm is in the middle
 * of are left to it, unless it is stuck. */
static unit_run longest_run(const throng_crowd *crowd, bool open_too, uint64_t *ret_units)
{
    unit_run best = {0, 0};
    uint64_t units = 0;
    for (uint32_t unit = 0; unit < crowd->geometry.metachunks; unit++) {
        uint32_t first = unit;
        while (unit < crowd->geometry.metachunks && wanted(crowd, unit, open_too)) {
            unit++;
        }
        units += unit - first;
        if (unit - first > best.end - best.first) {
            best = (unit_run){first, unit};
        }
    }
    *ret_units = units;
    return best;
}

/* ---- the answer ---- */

static bool same_version(throng_crowd *crowd, throng_fetch *fetch)
{
    const char *validator = throng_fetch_header(fetch, "ETag", 0);
    if (crowd->hashes != NULL || validator == NULL || strlen(validator) >= sizeof(crowd->validator)) {
        return true; /* the manifest will tell */
    }
    if (crowd->validator[0] == '\0') {
        snprintf(crowd->validator, sizeof(crowd->validator), "%s", validator);
    }
    return strcmp(crowd->validator, validator) == 0;
}

static bool on_headers(throng_fetch *fetch, const throng_fetch_response *response, void *user)
{
    throng_crowd *crowd = user;
    throng_crowd_part *part = &crowd->part;
    const char *location = throng_fetch_header(fetch, "Location", 0);
    if (response->status == 307 && location != NULL && strncasecmp(location, "throng:", 7) == 0) {
        part->refused = true;
        part->directed = throng_directions_decode(&part->directions, location, strlen(location)) >= 0;
        crowd->transfer->server = response->peer;
        return true;
    }
    bool right_size = response->object_size < 0 || (uint64_t)response->object_size == crowd->geometry.size;
    if (response->status == 206 && response->ranged && right_size && response->range_first == part->at) {
        crowd->http_useless = crowd->http_useless || !same_version(crowd, fetch);
        return !crowd->http_useless;
    }
    if (response->status == 200 && right_size && (part->at == 0 || crowd->race.stuck)) {
        part->at = 0; /* no ranges: the whole once more, if nothing else helps */
        return true;
    }
    part->refused = true;
    if (response->status == 503 || response->status == 429) {
        const char *after = throng_fetch_header(fetch, "Retry-After", 0);
        part->retry_after = throng_retry_after_s(after, (int64_t)time(NULL)) * THRONG_SECOND;
        return true;
    }
    crowd->http_useless = response->status < 500; /* no ranges, another object, gone */
    return false;
}

static throng_fetch_verdict on_body(throng_fetch *fetch, const uint8_t *bytes, size_t size, void *user)
{
    throng_crowd *crowd = user;
    throng_crowd_part *part = &crowd->part;
    if (part->refused) {
        return THRONG_FETCH_TAKEN;
    }
    if (!throng_crowd_put(crowd, part->at, bytes, size, &crowd->origin_bytes) || crowd->http_useless) {
        return THRONG_FETCH_ABANDON;
    }
    throng_peer_spend(crowd->peer, size);
    part->at += size;
    part->got += size;
    crowd->last_progress = throng_transfer_now(crowd->transfer);
    return THRONG_FETCH_TAKEN;
}

/* Is there nothing left that could bring the rest? A server that can't be reached or says 503 is waited for, for a
 * while: whoever gave directions is likely to come back. */
static void judge_hopeless(throng_crowd *crowd, int error)
{
    throng_transfer *transfer = crowd->transfer;
    throng_time idle = throng_transfer_now(transfer) - crowd->last_progress;
    if (!crowd->race.stuck || crowd->done) {
        return;
    }
    if (crowd->http_useless) {
        throng_crowd_give_up(crowd, "it is stuck, and the server has another version now");
    } else if (error != 0 && error != THRONG_FETCH_ERR_ABANDONED && idle > UNREACHABLE_MAX) {
        throng_transfer_fail(transfer, throng_transfer_code_of(error), "the crowd is stuck, and the server: %s",
                             throng_fetch_error_text(error));
    } else if (idle > REFUSED_MAX) {
        throng_transfer_fail(transfer, THRONG_EXIT_HTTP, "the crowd is stuck, and the server refuses");
    }
}

static void on_done(throng_fetch *fetch, int error, void *user)
{
    throng_crowd *crowd = user;
    throng_crowd_part part = crowd->part;
    throng_time now = throng_transfer_now(crowd->transfer);
    crowd->part.fetch = NULL;
    if (crowd->leaving) {
        return;
    }
    throng_crowd_release(crowd, part.unit_first, part.unit_end);
    if (part.got > 0 && error == 0) {
        throng_race_answered(&crowd->race, now, part.got, now - part.began);
    }
    if (part.got == 0 || error != 0) {
        throng_race_refused(&crowd->race, now, part.retry_after);
    }
    if (part.directed) {
        throng_crowd_redirected(crowd, &part.directions, &crowd->transfer->server);
        return;
    }
    judge_hopeless(crowd, error);
}

/* ---- asking ---- */

/* Of --limit-rate, what the swarm leaves; it gives way to what comes by HTTP then. */
static uint64_t rate_left_bps(const throng_crowd *crowd)
{
    uint64_t limit_bps = crowd->transfer->options->rate_limit_bps;
    uint64_t swarm_bps = (uint64_t)(crowd->race.swarm_rate * 8);
    uint64_t least_bps = (limit_bps + 9) / 10;
    return limit_bps > swarm_bps + least_bps ? limit_bps - swarm_bps : least_bps;
}

static void ask(throng_crowd *crowd, unit_run run)
{
    static const char *const headers[] = {"Throng: 1", NULL};
    const throng_get_options *options = crowd->transfer->options;
    throng_crowd_part *part = &crowd->part;
    throng_fetch_request request;
    throng_fetch_request_default(&request);
    *part = (throng_crowd_part){.began = throng_transfer_now(crowd->transfer),
                                .at = throng_crowd_unit_offset(crowd, run.first),
                                .unit_first = run.first,
                                .unit_end = run.end};
    request.url = crowd->transfer->url;
    request.redirects_max = options->redirects_max;
    request.connect_timeout_ms = options->connect_timeout_s * 1000;
    request.stall_timeout_ms = 15000;
    request.rate_limit_bps = rate_left_bps(crowd);
    request.range_first = part->at;
    request.range_end = throng_crowd_unit_offset(crowd, run.end);
    /* Stuck: the server may know fresher peers, so ask for these again; otherwise as those do who know no crowds. */
    request.headers = crowd->stuck ? headers : NULL;
    request.callbacks = (throng_fetch_callbacks){on_headers, on_body, on_done};
    request.user = crowd;
    if (throng_fetch_start(&part->fetch, crowd->transfer->fetcher, &request) != 0) {
        part->fetch = NULL;
        crowd->http_useless = true;
        return;
    }
    throng_race_asked(&crowd->race);
    throng_crowd_claim(crowd, run.first, run.end);
}

/* The swarm has nothing else to do any more: let it try what HTTP is slow to bring. */
static void share_the_rest(throng_crowd *crowd, uint64_t missing_units)
{
    throng_crowd_part *part = &crowd->part;
    uint64_t per_unit = (uint64_t)crowd->geometry.metachunk_chunks * crowd->geometry.chunk_size;
    uint32_t next = (uint32_t)(part->at / per_unit) + 1;
    next = next > part->unit_first ? next : part->unit_first;
    if (part->shared || next >= part->unit_end || missing_units > part->unit_end - next + 1) {
        return;
    }
    part->shared = true;
    throng_crowd_release(crowd, next, part->unit_end);
}

void throng_crowd_http_tick(throng_crowd *crowd, throng_time now)
{
    uint64_t per_unit = (uint64_t)crowd->geometry.metachunk_chunks * crowd->geometry.chunk_size;
    uint64_t units = 0;
    /* The count costs a walk over all units: only when it can matter. */
    if (crowd->done || crowd->plain_fd >= 0 || (crowd->http_useless && !crowd->race.stuck) ||
        (crowd->part.fetch == NULL && throng_race_want(&crowd->race, now, crowd->geometry.size) == 0)) {
        return;
    }
    if (crowd->part.fetch != NULL) {
        if (!crowd->part.shared && now - crowd->part.began > crowd->race.config.slice) {
            longest_run(crowd, true, &units);
            share_the_rest(crowd, units);
        }
        return;
    }
    unit_run run = longest_run(crowd, crowd->race.stuck, &units);
    uint64_t bytes = throng_race_want(&crowd->race, now, units * per_unit);
    uint64_t want = (bytes + per_unit - 1) / per_unit;
    if (want == 0 || run.first == run.end) {
        return;
    }
    if (run.end - run.first > want) {
        run.first = run.end - (uint32_t)want;
    }
    ask(crowd, run);
}

void throng_crowd_http_cancel(throng_crowd *crowd)
{
    if (crowd->part.fetch != NULL) {
        throng_fetch_cancel(crowd->part.fetch);
        crowd->part.fetch = NULL;
    }
}
