#include "transfer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "command.h"
#include "crowd.h"
#include "member.h"
#include "proof.h"

throng_time throng_transfer_now(const throng_transfer *transfer)
{
    return uv_hrtime() / 1000;
}

void throng_transfer_init(throng_transfer *transfer, const throng_get_options *options, uv_loop_t *loop,
                          throng_fetcher *fetcher, size_t index)
{
    memset(transfer, 0, sizeof(*transfer));
    transfer->options = options;
    transfer->loop = loop;
    transfer->fetcher = fetcher;
    transfer->url = options->urls[index];
    transfer->shown_url = throng_fetch_shown_url(transfer->url);
    transfer->size = -1;
    transfer->code = throng_sink_new(&transfer->sink, options->outputs[index], options->resume);
    uv_timer_init(loop, &transfer->timer);
    transfer->timer.data = transfer;
    uv_timer_init(loop, &transfer->again.timer);
    transfer->again.timer.data = transfer;
    transfer->open_handles = 2;
}

/* ---- the end ---- */

void throng_transfer_end(throng_transfer *transfer)
{
    if (transfer->phase == THRONG_TRANSFER_ENDED) {
        return;
    }
    transfer->phase = THRONG_TRANSFER_ENDED;
    uv_timer_stop(&transfer->timer);
    throng_again_end(transfer);
    if (transfer->member != NULL) {
        throng_member_done(transfer->member, transfer);
    }
    if (transfer->ended == 0) {
        transfer->ended = throng_transfer_now(transfer);
    }
    transfer->on_end(transfer);
}

/* Goodbyes are said, or nobody was there to say them to. */
static void on_left(throng_crowd *crowd, void *user)
{
    throng_transfer *transfer = user;
    transfer->shares = throng_transfer_shares(transfer);
    transfer->crowd = NULL;
    throng_transfer_end(transfer);
}

static void on_end_timer(uv_timer_t *timer)
{
    throng_transfer_end(timer->data);
}

static void leave(throng_transfer *transfer)
{
    if (transfer->phase == THRONG_TRANSFER_LEAVE || transfer->phase == THRONG_TRANSFER_ENDED) {
        return;
    }
    transfer->phase = THRONG_TRANSFER_LEAVE;
    if (transfer->crowd != NULL) {
        throng_crowd_leave(transfer->crowd, on_left);
    } else { /* from the loop, so that no caller finds it ended under its hands */
        uv_timer_start(&transfer->timer, on_end_timer, 0, 0);
    }
}

static void on_stayed(uv_timer_t *timer)
{
    leave(timer->data);
}

static void drop_fetch(throng_transfer *transfer)
{
    throng_again_end(transfer);
    if (transfer->fetch != NULL) {
        throng_fetch_cancel(transfer->fetch);
        transfer->fetch = NULL;
    }
}

void throng_transfer_fail(throng_transfer *transfer, throng_exit code, const char *format, ...)
{
    if (transfer->phase >= THRONG_TRANSFER_STAY || transfer->code != THRONG_EXIT_OK) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(transfer->problem, sizeof(transfer->problem), format, arguments);
    va_end(arguments);
    transfer->code = code;
    transfer->ended = throng_transfer_now(transfer);
    transfer->shares = throng_transfer_shares(transfer);
    drop_fetch(transfer);
    const char *left = throng_sink_abandon(transfer->sink, code != THRONG_EXIT_CHECKSUM);
    if (left != NULL && code != THRONG_EXIT_IN_USE) {
        size_t length = strlen(transfer->problem);
        snprintf(transfer->problem + length, sizeof(transfer->problem) - length, "; -C takes up %s", left);
    }
    leave(transfer);
}

void throng_transfer_fail_sink(throng_transfer *transfer, throng_exit code)
{
    const char *name = throng_sink_name(transfer->sink);
    throng_transfer_fail(transfer, code, "%s: %s", strcmp(name, "-") == 0 ? "standard output" : name,
                         throng_sink_problem(transfer->sink));
}

static bool checksum_matches(throng_transfer *transfer)
{
    throng_hash digest;
    char found[THRONG_HEX_SIZE];
    if (!transfer->options->checksum_given) {
        return true;
    }
    throng_exit code = throng_sink_digest(transfer->sink, &digest);
    if (code != THRONG_EXIT_OK) {
        throng_transfer_fail_sink(transfer, code);
        return false;
    }
    if (memcmp(digest.bytes, transfer->options->checksum, sizeof(digest.bytes)) != 0) {
        throng_hash_to_hex(digest.bytes, found);
        throng_transfer_fail(transfer, THRONG_EXIT_CHECKSUM,
                             "the content is not what --checksum says: it has sha-256=%s", found);
        return false;
    }
    transfer->verified = true;
    return true;
}

void throng_transfer_complete(throng_transfer *transfer, uint64_t size)
{
    transfer->size = (int64_t)size;
    if (!checksum_matches(transfer)) {
        return;
    }
    if (transfer->options->key_given && !transfer->units_verified) {
        transfer->verified = false;
        if (!throng_proof_holds(transfer, size)) {
            return;
        }
        transfer->verified = true;
    }
    throng_exit code = throng_sink_commit(transfer->sink, transfer->units_verified);
    if (code != THRONG_EXIT_OK) {
        throng_transfer_fail_sink(transfer, code);
        return;
    }
    transfer->ended = throng_transfer_now(transfer);
    if (transfer->crowd != NULL && transfer->options->stay_s > 0 && transfer->member == NULL) {
        transfer->phase = THRONG_TRANSFER_STAY;
        throng_crowd_serve(transfer->crowd);
        uv_timer_start(&transfer->timer, on_stayed, transfer->options->stay_s * 1000, 0);
        return;
    }
    leave(transfer);
}

void throng_transfer_here_already(throng_transfer *transfer)
{
    transfer->ended = throng_transfer_now(transfer);
    leave(transfer);
}

void throng_transfer_interrupt(throng_transfer *transfer)
{
    if (transfer->phase == THRONG_TRANSFER_STAY) {
        leave(transfer); /* what was asked for is here */
    } else {
        throng_transfer_fail(transfer, THRONG_EXIT_INTERRUPTED, "interrupted");
    }
}

/* ---- beginning and trying again ---- */

void throng_transfer_start(throng_transfer *transfer)
{
    transfer->began = throng_transfer_now(transfer);
    transfer->phase = THRONG_TRANSFER_PLAIN;
    if (transfer->code != THRONG_EXIT_OK) { /* the sink's */
        throng_exit code = transfer->code;
        transfer->code = THRONG_EXIT_OK;
        throng_transfer_fail_sink(transfer, code);
    } else if (transfer->shown_url == NULL) {
        throng_transfer_fail(transfer, THRONG_EXIT_URL, "malformed URL, or neither http, https nor ftp");
    } else if (transfer->member == NULL || !throng_member_find(transfer->member, transfer, NULL)) {
        throng_plain_start(transfer);
    }
}

static void on_pause_over(uv_timer_t *timer)
{
    throng_transfer *transfer = timer->data;
    transfer->phase = THRONG_TRANSFER_PLAIN;
    throng_plain_start(transfer);
}

bool throng_transfer_retry(throng_transfer *transfer, bool progress)
{
    enum { FIRST_MS = 250, LAST_MS = 8000 };
    transfer->retries = progress ? 0 : transfer->retries;
    if (transfer->retries >= transfer->options->retries_max) {
        return false;
    }
    uint64_t wait_ms = (uint64_t)FIRST_MS << (transfer->retries < 5 ? transfer->retries : 5);
    wait_ms = wait_ms < LAST_MS ? wait_ms : LAST_MS;
    transfer->retries++;
    transfer->phase = THRONG_TRANSFER_PAUSE;
    /* Jitter, so that those whom one failure hit do not all come back at once. */
    uv_timer_start(&transfer->timer, on_pause_over, wait_ms + uv_hrtime() / 1000 % wait_ms, 0);
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    throng_transfer *transfer = handle->data;
    if (--transfer->open_handles == 0) {
        transfer->phase = THRONG_TRANSFER_IDLE;
    }
}

void throng_transfer_close(throng_transfer *transfer)
{
    drop_fetch(transfer);
    throng_proof_end(transfer);
    throng_crowd_free(transfer->crowd);
    transfer->crowd = NULL;
    if (transfer->kept) {
        throng_member_keep(transfer->member, transfer, transfer->sink);
    } else {
        throng_sink_free(transfer->sink);
    }
    transfer->sink = NULL;
    free(transfer->shown_url);
    transfer->shown_url = NULL;
    uv_close((uv_handle_t *)&transfer->timer, on_closed);
    uv_close((uv_handle_t *)&transfer->again.timer, on_closed);
}

/* ---- looking at it ---- */

uint64_t throng_transfer_progress(throng_transfer *transfer)
{
    return transfer->crowd != NULL ? throng_crowd_progress(transfer->crowd) : throng_sink_position(transfer->sink);
}

throng_shares throng_transfer_shares(const throng_transfer *transfer)
{
    if (transfer->crowd == NULL) {
        return transfer->shares;
    }
    throng_shares shares = throng_crowd_shares(transfer->crowd);
    return shares;
}

throng_exit throng_transfer_code_of(int fetch_error)
{
    switch (fetch_error) {
    case 0:
        return THRONG_EXIT_OK;
    case THRONG_FETCH_ERR_URL:
        return THRONG_EXIT_URL;
    case THRONG_FETCH_ERR_RESOLVE:
        return THRONG_EXIT_RESOLVE;
    case THRONG_FETCH_ERR_CONNECT:
        return THRONG_EXIT_CONNECT;
    case THRONG_FETCH_ERR_TLS:
        return THRONG_EXIT_TLS;
    case THRONG_FETCH_ERR_TIMEOUT:
        return THRONG_EXIT_TIMEOUT;
    case THRONG_FETCH_ERR_CUT:
        return THRONG_EXIT_CUT;
    case THRONG_FETCH_ERR_REDIRECTS:
        return THRONG_EXIT_REDIRECTS;
    case THRONG_FETCH_ERR_MISSING:
        return THRONG_EXIT_MISSING;
    case THRONG_FETCH_ERR_DENIED:
        return THRONG_EXIT_DENIED;
    case THRONG_FETCH_ERR_RANGE:
        return THRONG_EXIT_RANGE;
    case THRONG_FETCH_ERR_MEMORY:
        return THRONG_EXIT_MEMORY;
    default:
        return THRONG_EXIT_FAILED;
    }
}
