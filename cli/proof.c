#include "proof.h"

#include <net/fetch_url.h>
#include <net/manifest_make.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"

enum { REDIRECTS_MAX = 10, PATIENCE_MS = 15000 };

struct throng_proof {
    throng_fetch *fetch; /* NULL: it came, or did not */
    throng_manifest manifest;
    bool good;             /* the manifest is signed with --key */
    bool last;             /* nothing else can bring one */
    bool complete;         /* the content waits for it */
    uint64_t content_size; /* … then */
    size_t size;
    uint8_t bytes[THRONG_MANIFEST_SIZE_MAX];
};

/* URL.manifest: behind the path, before a query. To be freed by curl_free; NULL. */
static char *url_of(const char *url)
{
    int error = 0;
    char *path = NULL, *longer = NULL, *text = NULL;
    CURLU *parsed = throng_url_parse(url, &error);
    if (parsed != NULL && curl_url_get(parsed, CURLUPART_PATH, &path, 0) == CURLUE_OK &&
        asprintf(&longer, "%s.manifest", path) >= 0 && curl_url_set(parsed, CURLUPART_PATH, longer, 0) == CURLUE_OK) {
        curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0);
        (void)curl_url_get(parsed, CURLUPART_URL, &text, 0);
    }
    free(longer);
    curl_free(path);
    curl_url_cleanup(parsed);
    return text;
}

static void fail_missing(throng_transfer *transfer)
{
    throng_transfer_fail(transfer, THRONG_EXIT_UNVERIFIED,
                         "not verified: nothing signed with --key came, neither from a crowd nor as %s.manifest",
                         transfer->shown_url);
}

static bool on_headers(throng_fetch *fetch, const throng_fetch_response *response, void *user)
{
    return response->status == 200;
}

static throng_fetch_verdict on_body(throng_fetch *fetch, const uint8_t *bytes, size_t size, void *user)
{
    const throng_transfer *transfer = user;
    throng_proof *proof = transfer->proof;
    if (size > sizeof(proof->bytes) - proof->size) {
        return THRONG_FETCH_ABANDON; /* no manifest is that long */
    }
    memcpy(proof->bytes + proof->size, bytes, size);
    proof->size += size;
    return THRONG_FETCH_TAKEN;
}

static bool judge(throng_transfer *transfer)
{
    throng_proof *proof = transfer->proof;
    throng_hasher *hasher = NULL;
    if (throng_hasher_new(&hasher) != 0) {
        throng_transfer_fail(transfer, THRONG_EXIT_MEMORY, "out of memory");
        return false;
    }
    int error = throng_manifest_check(&proof->manifest, hasher, proof->bytes, proof->size, NULL, transfer->options->key,
                                      (uint64_t)time(NULL));
    throng_hasher_free(hasher);
    if (error != 0) {
        throng_transfer_fail(
            transfer, THRONG_EXIT_UNVERIFIED, "not verified with --key: %s.manifest: %s", transfer->shown_url,
            error == THRONG_ERR_MALFORMED || error == THRONG_ERR_VERSION ? "not a manifest of a version that is known"
                                                                         : throng_error_text(error));
    }
    return error == 0;
}

static void on_done(throng_fetch *fetch, int error, void *user)
{
    throng_transfer *transfer = user;
    throng_proof *proof = transfer->proof;
    const throng_fetch_response *response = throng_fetch_response_get(fetch);
    proof->fetch = NULL;
    if (transfer->phase != THRONG_TRANSFER_PLAIN && transfer->phase != THRONG_TRANSFER_PAUSE) {
        return; /* a crowd brings its own, or it is over */
    }
    if (error != 0 || response == NULL || response->status != 200) {
        if (proof->last || proof->complete) {
            fail_missing(transfer);
        }
        return;
    }
    proof->good = judge(transfer);
    if (proof->good && proof->complete) {
        throng_transfer_complete(transfer, proof->content_size);
    } else if (proof->good && proof->last && transfer->fetch != NULL) {
        throng_fetch_resume(transfer->fetch);
    }
}

static void ask(throng_transfer *transfer)
{
    throng_proof *proof = transfer->proof;
    const throng_get_options *options = transfer->options;
    throng_fetch_request request;
    char *url = url_of(transfer->url);
    throng_fetch_request_default(&request);
    request.url = url;
    request.redirects_max = REDIRECTS_MAX;
    request.connect_timeout_ms = options->connect_timeout_s * 1000;
    request.total_timeout_ms = PATIENCE_MS;
    request.callbacks = (throng_fetch_callbacks){on_headers, on_body, on_done};
    request.user = transfer;
    if (url == NULL || throng_fetch_start(&proof->fetch, transfer->fetcher, &request) != 0) {
        proof->fetch = NULL;
    }
    curl_free(url);
}

void throng_proof_begin(throng_transfer *transfer, bool last)
{
    if (transfer->proof == NULL) {
        transfer->proof = calloc(1, sizeof(*transfer->proof));
        if (transfer->proof == NULL) {
            throng_transfer_fail(transfer, THRONG_EXIT_MEMORY, "out of memory");
            return;
        }
        ask(transfer);
    }
    throng_proof *proof = transfer->proof;
    proof->last = proof->last || last;
    if (proof->last && proof->fetch == NULL && !proof->good) {
        fail_missing(transfer);
    }
}

bool throng_proof_awaited(const throng_transfer *transfer)
{
    return transfer->proof != NULL && transfer->proof->last && transfer->proof->fetch != NULL;
}

bool throng_proof_holds(throng_transfer *transfer, uint64_t size)
{
    throng_proof_begin(transfer, false);
    throng_proof *proof = transfer->proof;
    if (transfer->code != THRONG_EXIT_OK) {
        return false;
    }
    if (proof->fetch != NULL) {
        proof->complete = true;
        proof->content_size = size;
        return false;
    }
    if (!proof->good) {
        fail_missing(transfer);
        return false;
    }
    throng_exit code = THRONG_EXIT_CHECKSUM;
    if (proof->manifest.geometry.size == size) {
        code = throng_sink_covered(transfer->sink, &proof->manifest);
    }
    if (code == THRONG_EXIT_CHECKSUM) {
        throng_transfer_fail(transfer, code, "the content is not what was signed with --key");
    } else if (code != THRONG_EXIT_OK) {
        throng_transfer_fail_sink(transfer, code);
    }
    return code == THRONG_EXIT_OK;
}

void throng_proof_end(throng_transfer *transfer)
{
    if (transfer->proof != NULL && transfer->proof->fetch != NULL) {
        throng_fetch_cancel(transfer->proof->fetch);
    }
    free(transfer->proof);
    transfer->proof = NULL;
}
