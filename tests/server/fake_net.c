#include "fake_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void throng_fetch_request_default(throng_fetch_request *request)
{
    memset(request, 0, sizeof(*request));
}

int throng_fetch_start(throng_fetch **ret, throng_fetcher *fetcher, const throng_fetch_request *request)
{
    throng_fetch *fetch = calloc(1, sizeof(*fetch));
    if (fetch == NULL || fetcher->open_count == FAKE_OBJECTS_MAX)
        abort();
    fetch->request = *request;
    snprintf(fetch->url, sizeof(fetch->url), "%s", request->url);
    snprintf(fetch->unix_socket, sizeof(fetch->unix_socket), "%s",
             request->unix_socket != NULL ? request->unix_socket : "");
    for (int i = 0; request->headers[i] != NULL; i++)
        snprintf(fetch->headers[i], sizeof(fetch->headers[i]), "%s", request->headers[i]);
    fetcher->open[fetcher->open_count++] = fetch;
    fetcher->started++;
    /* A test holds the fetcher, a fetch holds it in turn by this. */
    fetch->request.unix_socket = (const char *)fetcher;
    *ret = fetch;
    return 0;
}

static void take_out(throng_fetch *fetch)
{
    throng_fetcher *fetcher = (throng_fetcher *)(uintptr_t)fetch->request.unix_socket;
    for (int i = 0; i < fetcher->open_count; i++)
        if (fetcher->open[i] == fetch)
            fetcher->open[i] = fetcher->open[--fetcher->open_count];
}

void throng_fetch_cancel(throng_fetch *fetch)
{
    take_out(fetch);
    free(fetch);
}

bool throng_fetch_header_next(throng_fetch *fetch, size_t *index, const char **ret_name, const char **ret_value)
{
    if (fetch->response_headers == NULL || fetch->response_headers[2 * *index] == NULL)
        return false;
    *ret_name = fetch->response_headers[2 * *index];
    *ret_value = fetch->response_headers[2 * *index + 1];
    (*index)++;
    return true;
}

const char *fake_asked(const throng_fetch *fetch, const char *name)
{
    for (int i = 0; i < FAKE_REQUEST_HEADERS_MAX; i++)
        if (strncasecmp(fetch->headers[i], name, strlen(name)) == 0 && fetch->headers[i][strlen(name)] == ':')
            return fetch->headers[i] + strlen(name) + 2;
    return NULL;
}

void fake_answer(throng_fetcher *fetcher, int status, const char *const *headers, const void *body, size_t size,
                 int64_t content_length, int error)
{
    if (fetcher->open_count != 1)
        abort();
    fake_answer_at(fetcher, 0, status, headers, body, size, content_length, error);
}

int fake_find(const throng_fetcher *fetcher, const char *path)
{
    for (int i = 0; i < fetcher->open_count; i++) {
        const char *url = strstr(fetcher->open[i]->url, "://");
        if (strcmp(strchr(url + 3, '/'), path) == 0)
            return i;
    }
    return -1;
}

void fake_answer_at(throng_fetcher *fetcher, int at, int status, const char *const *headers, const void *body,
                    size_t size, int64_t content_length, int error)
{
    throng_fetch *fetch = fetcher->open[at];
    const throng_fetch_callbacks *callbacks = &fetch->request.callbacks;
    fetch->response.status = status;
    fetch->response.content_length = content_length;
    fetch->response_headers = headers;
    bool going = status == 0 || callbacks->on_headers(fetch, &fetch->response, fetch->request.user);
    if (going && size > 0)
        going = callbacks->on_body(fetch, body, size, fetch->request.user) == THRONG_FETCH_TAKEN;
    callbacks->on_done(fetch, going ? error : THRONG_FETCH_ERR_ABANDONED, fetch->request.user);
    take_out(fetch);
    free(fetch);
}

int throng_seeder_add(throng_seeder *seeder, const throng_hash *object, const uint8_t *manifest, size_t manifest_size,
                      const throng_hashes *hashes, int fd, uint64_t size)
{
    if (seeder->add_error != 0)
        return seeder->add_error;
    if (seeder->count == FAKE_OBJECTS_MAX)
        abort();
    seeder->objects[seeder->count++] = *object;
    seeder->added++;
    free(seeder->last);
    seeder->last = malloc(size + 1);
    seeder->last_size = size;
    if (pread(fd, seeder->last, size, 0) != (ssize_t)size)
        abort();
    return 0;
}

int throng_seeder_remove(throng_seeder *seeder, const throng_hash *object)
{
    for (int i = 0; i < seeder->count; i++) {
        if (memcmp(&seeder->objects[i], object, sizeof(*object)) == 0) {
            seeder->objects[i] = seeder->objects[--seeder->count];
            seeder->removed++;
            return 0;
        }
    }
    return THRONG_ERR_NOT_FOUND;
}

int throng_seeder_holders(const throng_seeder *seeder, const throng_hash *object, uint32_t *ret_object)
{
    for (int i = 0; i < seeder->count; i++)
        if (memcmp(&seeder->objects[i], object, sizeof(*object)) == 0) {
            *ret_object = object->bytes[0];
            return 0;
        }
    return THRONG_ERR_NOT_FOUND;
}

int throng_seeder_http_holders(const throng_seeder *seeder, const throng_hash *object, uint32_t *ret_object)
{
    if (memcmp(&seeder->http_of, object, sizeof(*object)) != 0)
        return THRONG_ERR_NOT_FOUND;
    *ret_object = 41;
    return 0;
}

uint32_t throng_seeder_browsers(throng_seeder *seeder, const throng_hash *object, uint64_t *ret, uint32_t max)
{
    if (max == 0 || memcmp(&seeder->browsers_of, object, sizeof(*object)) != 0)
        return 0;
    ret[0] = 1;
    return 1;
}

uint32_t throng_seeder_peers(throng_seeder *seeder, const throng_hash *object, throng_addr *ret, uint32_t max)
{
    if (memcmp(&seeder->peers_of, object, sizeof(*object)) != 0)
        return 0;
    uint32_t count = seeder->peers_count < max ? seeder->peers_count : max;
    memcpy(ret, seeder->peers, count * sizeof(*ret));
    return count;
}
