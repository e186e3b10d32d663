/* Plain HTTP and FTP: asking, receiving in order, resuming after a break. It is also how the server is asked whether
 * there is a crowd: the header `Throng: 1` says that directions would be understood. */
#include "transfer.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "again.h"
#include "crowd.h"
#include "line.h"
#include "proof.h"

/* How long a server is waited for that says 503 with Retry-After. */
#define PATIENCE (120 * THRONG_SECOND)

uint64_t throng_retry_after_s(const char *value, int64_t now_unix_s)
{
    enum { DAY_S = 86400 };
    char *end = NULL;
    if (value == NULL) {
        return 0;
    }
    long long seconds = strtoll(value, &end, 10);
    if (end == value || *end != '\0') {
        time_t date = curl_getdate(value, NULL);
        seconds = date < 0 ? 0 : (long long)date - now_unix_s;
    }
    if (seconds <= 0) {
        return 0;
    }
    return seconds > DAY_S ? DAY_S : (uint64_t)seconds;
}

/* What proves on resuming that the object is still the same: a strong ETag, or the date (RFC 9110 section 13.1.5). */
static const char *validator_of(throng_fetch *fetch)
{
    const char *validator = throng_fetch_header(fetch, "ETag", 0);
    if (validator == NULL || strncmp(validator, "W/", 2) == 0) {
        validator = throng_fetch_header(fetch, "Last-Modified", 0);
    }
    return validator == NULL || strlen(validator) >= THRONG_STORE_VALIDATOR_MAX ? "" : validator;
}

static bool open_sink(throng_transfer *transfer, const char *validator, bool keep)
{
    throng_exit code = throng_sink_open_plain(transfer->sink, transfer->size, validator, keep);
    if (code != THRONG_EXIT_OK) {
        throng_transfer_fail_sink(transfer, code);
    }
    return code == THRONG_EXIT_OK;
}

/* ---- the head of an answer ---- */

/* A stream can't begin anew: it goes on only if this is provably the version that it has the beginning of. */
static bool take_whole_again(throng_transfer *transfer, const char *validator)
{
    bool same = validator[0] != '\0' && strcmp(validator, throng_sink_validator(transfer->sink)) == 0 &&
                transfer->size == throng_sink_size(transfer->sink);
    if (!same) {
        throng_transfer_fail(transfer, THRONG_EXIT_CUT,
                             "broke off, and the server has no way to send the rest of the same version");
        return false;
    }
    transfer->skip = throng_sink_position(transfer->sink);
    return true;
}

/* The whole object, though perhaps a part was asked for. */
static bool take_whole(throng_transfer *transfer, throng_fetch *fetch, const throng_fetch_response *response)
{
    const char *validator = validator_of(fetch);
    transfer->attempt_first = 0;
    transfer->size = response->object_size;
    if (throng_sink_is_stream(transfer->sink) && throng_sink_position(transfer->sink) > 0) {
        return take_whole_again(transfer, validator);
    }
    transfer->here_already = transfer->size >= 0 && throng_sink_finished_size(transfer->sink) == transfer->size &&
                             !transfer->options->checksum_given && !transfer->options->key_given;
    if (transfer->here_already) {
        return false;
    }
    transfer->shares.left_over = 0;
    transfer->shares.origin = 0;
    return open_sink(transfer, validator, false);
}

static bool take_part(throng_transfer *transfer, throng_fetch *fetch, const throng_fetch_response *response)
{
    if (!response->ranged || response->range_first != transfer->attempt_first) {
        throng_transfer_fail(transfer, THRONG_EXIT_RANGE, "the server sent another part than the one asked for");
        return false;
    }
    if (response->object_size >= 0) {
        transfer->size = response->object_size;
    }
    if (!open_sink(transfer, validator_of(fetch), true)) {
        return false;
    }
    transfer->restart = throng_sink_position(transfer->sink) != transfer->attempt_first;
    return !transfer->restart; /* what was left over is of no use after all */
}

static void take_directions(throng_transfer *transfer, throng_fetch *fetch, const throng_fetch_response *response,
                            const char *location)
{
    transfer->directed = true;
    transfer->server = response->peer;
    if (throng_directions_decode(&transfer->directions, location, strlen(location)) < 0) {
        transfer->no_crowd = true; /* unreadable: ask again as those do who know no crowds */
    }
}

static bool is_throng_uri(const char *location)
{
    return location != NULL && strncasecmp(location, "throng:", 7) == 0;
}

/* Plain content is held against --key by a manifest beside it, unless directions come, and with them a manifest. For a
 * stream that is too late: it has passed on what came by then. */
static bool key_is_hopeless(throng_transfer *transfer, bool later)
{
    if (!transfer->options->key_given) {
        return false;
    }
    if (throng_sink_is_stream(transfer->sink)) {
        throng_transfer_fail(
            transfer, THRONG_EXIT_UNVERIFIED,
            "not fetched: there is no crowd, and what is written as it comes can't be held against --key "
            "before; with -o it can");
    } else {
        throng_proof_begin(transfer, !later);
    }
    return transfer->code != THRONG_EXIT_OK;
}

static bool on_headers(throng_fetch *fetch, const throng_fetch_response *response, void *user)
{
    throng_transfer *transfer = user;
    const char *location = throng_fetch_header(fetch, "Location", 0);
    const char *hint = throng_fetch_header(fetch, "Throng", 0);
    bool later = transfer->options->peers && !transfer->no_crowd && hint != NULL && strcasecmp(hint, "later") == 0;
    transfer->body_wanted = false;
    if (response->status == 307 && is_throng_uri(location) && !transfer->no_crowd) {
        take_directions(transfer, fetch, response, location);
        return true;
    }
    bool content = response->status >= 200 && response->status < 300;
    if (content && key_is_hopeless(transfer, later)) {
        return false;
    }
    if (response->status == 206 && transfer->asked_range) {
        transfer->body_wanted = take_part(transfer, fetch, response);
    } else if (content) {
        transfer->body_wanted = take_whole(transfer, fetch, response);
    } else {
        return true; /* an error or a redirect: judged when it is complete */
    }
    if (transfer->body_wanted && later) {
        throng_again_begin(transfer);
    }
    return transfer->body_wanted;
}

static throng_fetch_verdict on_body(throng_fetch *fetch, const uint8_t *bytes, size_t size, void *user)
{
    throng_transfer *transfer = user;
    if (!transfer->body_wanted) {
        return THRONG_FETCH_TAKEN;
    }
    if (throng_proof_awaited(transfer)) {
        return THRONG_FETCH_PAUSE;
    }
    size_t skipped = transfer->skip < size ? (size_t)transfer->skip : size;
    transfer->skip -= skipped;
    throng_exit code = throng_sink_append(transfer->sink, bytes + skipped, size - skipped);
    if (code != THRONG_EXIT_OK) {
        throng_transfer_fail_sink(transfer, code);
        return THRONG_FETCH_ABANDON;
    }
    transfer->shares.origin += size - skipped;
    if (transfer->options->rate_limit_bps == 0) {
        throng_line_received(transfer->line, throng_transfer_now(transfer), size);
    }
    return THRONG_FETCH_TAKEN;
}

/* ---- the end of an answer ---- */

static void fail_to_resume(throng_transfer *transfer)
{
    throng_transfer_fail(transfer, THRONG_EXIT_RANGE,
                         "cannot resume: %" PRIu64 " bytes are here, the server has another version; leave out -C",
                         transfer->attempt_first);
}

/* 416: the part asked for lies outside. It may be that all is here already; otherwise it is another object now. */
static void judge_unsatisfiable(throng_transfer *transfer, throng_fetch *fetch)
{
    const char *range = throng_fetch_header(fetch, "Content-Range", 0);
    uint64_t size = 0;
    if (range == NULL || sscanf(range, "bytes */%20" SCNu64, &size) != 1 || size != transfer->attempt_first) {
        fail_to_resume(transfer);
        return;
    }
    transfer->size = (int64_t)size;
    if (open_sink(transfer, throng_sink_validator(transfer->sink), true)) {
        throng_transfer_complete(transfer, size);
    }
}

static void on_patience(uv_timer_t *timer)
{
    throng_transfer *transfer = timer->data;
    transfer->phase = THRONG_TRANSFER_PLAIN;
    throng_plain_start(transfer);
}

/* 503 and 429 with Retry-After: come back then, and a little later than all the others. */
static bool wait_politely(throng_transfer *transfer, throng_fetch *fetch, int status)
{
    uint64_t wait_s = throng_retry_after_s(throng_fetch_header(fetch, "Retry-After", 0), (int64_t)time(NULL));
    throng_time now = throng_transfer_now(transfer);
    if ((status != 503 && status != 429) || wait_s == 0) {
        return false;
    }
    if (transfer->patience_ends == 0) {
        transfer->patience_ends = now + PATIENCE;
    }
    if (now + wait_s * THRONG_SECOND > transfer->patience_ends) {
        return false;
    }
    transfer->phase = THRONG_TRANSFER_PAUSE;
    uv_timer_start(&transfer->timer, on_patience, wait_s * 1000 + uv_hrtime() / 1000 % (wait_s * 500), 0);
    return true;
}

static const char *status_meaning(int status)
{
    switch (status) {
    case 401:
        return " (authorisation required)";
    case 403:
        return " (forbidden)";
    case 404:
        return " (not found)";
    case 410:
        return " (gone)";
    case 429:
        return " (too many requests)";
    case 500:
        return " (server error)";
    case 502:
        return " (bad gateway)";
    case 503:
        return " (overloaded)";
    case 504:
        return " (gateway timeout)";
    default:
        return "";
    }
}

static void judge_status(throng_transfer *transfer, throng_fetch *fetch, int status)
{
    if (status == 416 && transfer->asked_range) {
        judge_unsatisfiable(transfer, fetch);
    } else if (status >= 300 && status < 400) {
        throng_transfer_fail(transfer, THRONG_EXIT_REDIRECTS, "redirected (HTTP %d) to where it cannot be followed",
                             status);
    } else if (!wait_politely(transfer, fetch, status)) {
        throng_transfer_fail(transfer, THRONG_EXIT_HTTP, "the server answered HTTP %d%s", status,
                             status_meaning(status));
    }
}

static bool may_retry(int error)
{
    return error == THRONG_FETCH_ERR_CUT || error == THRONG_FETCH_ERR_CONNECT || error == THRONG_FETCH_ERR_TIMEOUT ||
           error == THRONG_FETCH_ERR_RESOLVE || error == THRONG_FETCH_ERR_PROTOCOL;
}

/* Only a transfer that had begun is tried again: that a server can't be reached at all is to be known at once. */
static void judge_error(throng_transfer *transfer, throng_fetch *fetch, int error)
{
    if (error == THRONG_FETCH_ERR_RANGE) {
        fail_to_resume(transfer);
        return;
    }
    bool progress = transfer->body_wanted && throng_sink_position(transfer->sink) > transfer->attempt_first;
    bool begun = throng_sink_position(transfer->sink) > 0;
    if (begun && may_retry(error) && throng_transfer_retry(transfer, progress)) {
        return;
    }
    const char *detail = throng_fetch_detail(fetch);
    throng_transfer_fail(transfer, throng_transfer_code_of(error), "%s",
                         *detail == '\0' ? throng_fetch_error_text(error) : detail);
}

static void start_over_or_end(throng_transfer *transfer)
{
    if (transfer->here_already) {
        transfer->shares.left_over = (uint64_t)transfer->size;
        throng_transfer_here_already(transfer);
        return;
    }
    transfer->restart = false;
    transfer->shares.left_over = 0;
    if (open_sink(transfer, "", false)) {
        throng_plain_start(transfer);
    }
}

static void on_done(throng_fetch *fetch, int error, void *user)
{
    throng_transfer *transfer = user;
    const throng_fetch_response *response = throng_fetch_response_get(fetch);
    transfer->fetch = NULL;
    if (transfer->code != THRONG_EXIT_OK) {
        return; /* a callback has said why already */
    }
    if (transfer->restart || transfer->here_already) {
        start_over_or_end(transfer);
    } else if (error == 0 && transfer->directed) {
        throng_time took = throng_transfer_now(transfer) - transfer->asked;
        if (transfer->no_crowd) {
            throng_plain_start(transfer);
        } else {
            throng_crowd_enter(transfer, took);
        }
    } else if (error != 0 || response == NULL) {
        judge_error(transfer, fetch, error);
    } else if (transfer->body_wanted) {
        throng_transfer_complete(transfer, throng_sink_position(transfer->sink));
    } else {
        judge_status(transfer, fetch, response->status);
    }
}

/* ---- asking ---- */

void throng_plain_start(throng_transfer *transfer)
{
    char if_range[THRONG_STORE_VALIDATOR_MAX + 16];
    char traits[THRONG_LINE_HEADER_MAX];
    const char *headers[4] = {NULL};
    size_t count = 0;
    throng_fetch_request request;
    const throng_get_options *options = transfer->options;
    const char *validator = throng_sink_validator(transfer->sink);
    uint64_t here = throng_sink_position(transfer->sink);
    if (here == 0) {
        here = throng_sink_left_over(transfer->sink, &validator);
        transfer->shares.left_over = here;
    }
    throng_fetch_request_default(&request);
    request.url = transfer->url;
    request.redirects_max = options->redirects_max;
    request.connect_timeout_ms = options->connect_timeout_s * 1000;
    request.rate_limit_bps = options->rate_limit_bps;
    request.callbacks = (throng_fetch_callbacks){on_headers, on_body, on_done};
    request.user = transfer;
    request.headers = headers;
    if (options->peers && !transfer->no_crowd) {
        headers[count++] = "Throng: 1";
        headers[count] = throng_line_header(transfer->line, transfer->url, traits);
        count += headers[count] != NULL;
    }
    if (here > 0) {
        request.range_first = here;
        if (validator[0] != '\0') {
            snprintf(if_range, sizeof(if_range), "If-Range: %s", validator);
            headers[count++] = if_range;
        }
    }
    transfer->asked_range = here > 0;
    transfer->attempt_first = here;
    transfer->directed = false;
    transfer->body_wanted = false;
    transfer->skip = 0;
    transfer->asked = throng_transfer_now(transfer);
    int error = throng_fetch_start(&transfer->fetch, transfer->fetcher, &request);
    if (error != 0) {
        throng_transfer_fail(transfer, throng_transfer_code_of(error), "%s", throng_fetch_error_text(error));
    }
}
