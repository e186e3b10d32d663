#include "again.h"

#include <string.h>
#include <strings.h>

#include "crowd.h"
#include "line.h"

enum {
    ASKS_MAX = 6,                /* the last one some 20 s after the answer began */
    FIRST_MS = 300,              /* a small object is fetched, hashed and signed by then */
    WORTHWHILE_BYTES = 64 * 1024 /* less is here sooner than a crowd is joined */
};

static void ask_later(throng_transfer *transfer);

static bool on_headers(throng_fetch *fetch, const throng_fetch_response *response, void *user)
{
    throng_transfer *transfer = user;
    throng_again *again = &transfer->again;
    const char *location = throng_fetch_header(fetch, "Location", 0);
    const char *hint = throng_fetch_header(fetch, "Throng", 0);
    if (response->status == 307 && location != NULL && strncasecmp(location, "throng:", 7) == 0) {
        again->directed = throng_directions_decode(&again->directions, location, strlen(location)) >= 0;
        again->server = response->peer;
        return true;
    }
    again->later = response->status == 204 && hint != NULL && strcasecmp(hint, "later") == 0;
    return response->status == 204; /* anything else has a body that comes already */
}

static throng_fetch_verdict on_body(throng_fetch *fetch, const uint8_t *bytes, size_t size, void *user)
{
    return THRONG_FETCH_TAKEN;
}

/* The plain answer is still coming, and there is enough of it left. */
static bool still_of_use(const throng_transfer *transfer)
{
    return transfer->phase == THRONG_TRANSFER_PLAIN && transfer->fetch != NULL && transfer->body_wanted &&
           transfer->size >= 0 && throng_sink_position(transfer->sink) + WORTHWHILE_BYTES < (uint64_t)transfer->size;
}

static void on_done(throng_fetch *fetch, int error, void *user)
{
    throng_transfer *transfer = user;
    throng_again *again = &transfer->again;
    again->fetch = NULL;
    if (!still_of_use(transfer)) {
        return;
    }
    if (again->directed && again->directions.size == (uint64_t)transfer->size) {
        throng_fetch_cancel(transfer->fetch);
        transfer->fetch = NULL;
        transfer->directions = again->directions;
        transfer->server = again->server;
        throng_crowd_enter(transfer, throng_transfer_now(transfer) - again->asked);
    } else if (again->later) {
        ask_later(transfer);
    }
}

static void on_timer(uv_timer_t *timer)
{
    throng_transfer *transfer = timer->data;
    char traits[THRONG_LINE_HEADER_MAX];
    const char *const headers[] = {"Throng: again", throng_line_header(transfer->line, transfer->url, traits), NULL};
    throng_again *again = &transfer->again;
    throng_fetch_request request;
    if (!still_of_use(transfer) || again->fetch != NULL) {
        return;
    }
    throng_fetch_request_default(&request);
    request.url = transfer->url;
    request.redirects_max = transfer->options->redirects_max;
    request.connect_timeout_ms = transfer->options->connect_timeout_s * 1000;
    request.headers = headers;
    request.callbacks = (throng_fetch_callbacks){on_headers, on_body, on_done};
    request.user = transfer;
    again->directed = false;
    again->later = false;
    again->asked = throng_transfer_now(transfer);
    if (throng_fetch_start(&again->fetch, transfer->fetcher, &request) != 0) {
        again->fetch = NULL;
    }
}

/* With a quarter of jitter to either side, so that those who came together do not ask together. */
static void ask_later(throng_transfer *transfer)
{
    throng_again *again = &transfer->again;
    if (again->asks >= ASKS_MAX) {
        return;
    }
    uint64_t wait_ms = (uint64_t)FIRST_MS << again->asks;
    again->asks++;
    uv_timer_start(&again->timer, on_timer, wait_ms * 3 / 4 + uv_hrtime() / 1000 % (wait_ms / 2), 0);
}

void throng_again_begin(throng_transfer *transfer)
{
    /* Of a stream, what was passed on can't be checked any more. */
    if (transfer->again.asks == 0 && !throng_sink_is_stream(transfer->sink)) {
        ask_later(transfer);
    }
}

void throng_again_end(throng_transfer *transfer)
{
    throng_again *again = &transfer->again;
    uv_timer_stop(&again->timer);
    if (again->fetch != NULL) {
        throng_fetch_cancel(again->fetch);
        again->fetch = NULL;
    }
}
