/* A web server and a seeder that do what a test says: in the place of net/fetch.c and net/seeder.c. */
#ifndef TESTS_FAKE_NET_H
#define TESTS_FAKE_NET_H

#include "net/fetch.h"
#include "net/seeder.h"

enum { FAKE_OBJECTS_MAX = 16, FAKE_REQUEST_HEADERS_MAX = 8 };

struct throng_fetch {
    throng_fetch_request request;
    char url[2048];
    char unix_socket[256];
    char headers[FAKE_REQUEST_HEADERS_MAX][512];
    throng_fetch_response response;
    const char *const *response_headers; /* "Name", "value", … NULL */
};

struct throng_fetcher {
    throng_fetch *open[FAKE_OBJECTS_MAX];
    int open_count;
    int started;
};

struct throng_seeder {
    throng_hash objects[FAKE_OBJECTS_MAX];
    int count;
    int added, removed;
    throng_hash peers_of; /* this object has these peers, others none */
    throng_addr peers[8];
    uint32_t peers_count;
    int add_error;
    throng_hash http_of;     /* this object is served by HTTP, too, others are not */
    throng_hash browsers_of; /* this object has a browser, others none */
    uint8_t *last;           /* the content added last; to be freed */
    uint64_t last_size;
};

/* The header of that name that the fetch asks with; NULL without it. */
const char *fake_asked(const throng_fetch *fetch, const char *name);
/* The open fetch of that path; -1: none. */
int fake_find(const throng_fetcher *fetcher, const char *path);
/* As fake_answer, that one. */
void fake_answer_at(throng_fetcher *fetcher, int at, int status, const char *const *headers, const void *body,
                    size_t size, int64_t content_length, int error);
/* Answers the only open fetch: headers, then the body (if any is wanted still), then the end with `error`. */
void fake_answer(throng_fetcher *fetcher, int status, const char *const *headers, const void *body, size_t size,
                 int64_t content_length, int error);

#endif
