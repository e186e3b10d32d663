#include "fetch_text.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "transfer.h"

struct document {
    uint8_t *bytes;
    size_t size;
    size_t size_max;
    int error;
    int status;
    char detail[256];
};

static throng_fetch_verdict on_body(throng_fetch *fetch, const uint8_t *bytes, size_t size, void *user)
{
    struct document *document = user;
    if (size > document->size_max - document->size) {
        return THRONG_FETCH_ABANDON;
    }
    memcpy(document->bytes + document->size, bytes, size);
    document->size += size;
    return THRONG_FETCH_TAKEN;
}

static void on_done(throng_fetch *fetch, int error, void *user)
{
    struct document *document = user;
    const throng_fetch_response *response = throng_fetch_response_get(fetch);
    const char *detail = throng_fetch_detail(fetch);
    document->error = error;
    document->status = response == NULL ? 0 : response->status;
    snprintf(document->detail, sizeof(document->detail), "%s",
             *detail == '\0' ? throng_fetch_error_text(error) : detail);
}

static int run(struct document *document, const char *url)
{
    uv_loop_t loop;
    throng_fetcher *fetcher = NULL;
    throng_fetch *fetch = NULL;
    throng_fetcher_config config;
    throng_fetch_request request;
    throng_fetcher_config_default(&config);
    throng_fetch_request_default(&request);
    request.url = url;
    request.redirects_max = 10;
    request.stall_timeout_ms = 15000;
    request.callbacks = (throng_fetch_callbacks){NULL, on_body, on_done};
    request.user = document;
    if (uv_loop_init(&loop) != 0) {
        return THRONG_FETCH_ERR_MEMORY;
    }
    int error = throng_fetcher_new(&fetcher, &loop, &config);
    if (error == 0) {
        error = throng_fetch_start(&fetch, fetcher, &request);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    throng_fetcher_free(fetcher);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return error;
}

static throng_exit judge(const struct document *document, const char *url)
{
    char *shown = throng_fetch_shown_url(url);
    throng_exit code = throng_transfer_code_of(document->error);
    if (code != THRONG_EXIT_OK) {
        throng_complain("%s: %s", shown == NULL ? "URL" : shown,
                        document->error == THRONG_FETCH_ERR_ABANDONED ? "far longer than what was expected there"
                                                                      : document->detail);
    } else if (document->status < 200 || document->status >= 300) {
        throng_complain("%s: the server answered HTTP %d", shown, document->status);
        code = THRONG_EXIT_HTTP;
    }
    free(shown);
    return code;
}

throng_exit throng_fetch_text(const char *url, size_t size_max, uint8_t **ret_bytes, size_t *ret_size)
{
    struct document document = {.size_max = size_max, .bytes = malloc(size_max + 1)};
    if (document.bytes == NULL) {
        throng_complain("out of memory");
        return THRONG_EXIT_MEMORY;
    }
    int error = run(&document, url);
    if (error != 0) {
        document.error = error;
        snprintf(document.detail, sizeof(document.detail), "%s", throng_fetch_error_text(error));
    }
    throng_exit code = judge(&document, url);
    if (code != THRONG_EXIT_OK) {
        free(document.bytes);
        return code;
    }
    document.bytes[document.size] = '\0';
    *ret_bytes = document.bytes;
    *ret_size = document.size;
    return THRONG_EXIT_OK;
}
