/* A real nginx with the module, before a board of the test's own. main sets `module`. */
#ifndef THRONG_TESTS_MODULE_FIXTURE_H
#define THRONG_TESTS_MODULE_FIXTURE_H

#include "site.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <throng/directions.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILM_SIZE = 100000, SMALL_SIZE = 1000, MTIME = 1600000000 };
#define CROWD "throng on; throng_uplink 80m; throng_daemon @DIR@/board;"

static const char *module;
static const throng_board_limits limits = {.objects_max = 16, .peers_max = 16, .holders_max = 16, .wants_max = 16};
static response got; /* large */

typedef struct fixture {
    site site;
    throng_board board;
    void *memory;
} fixture;

static inline void make_board(fixture *f)
{
    char path[1200];
    throng_board_secrets secrets;
    size_t size = throng_board_size(&limits);
    int fd = open(site_path(&f->site, "board.new", path), O_RDWR | O_CREAT | O_EXCL, 0660);

    assert_true(fd >= 0);
    assert_int_equal(posix_fallocate(fd, 0, (off_t)size), 0);
    f->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    assert_true(f->memory != MAP_FAILED);
    memset(&secrets, 0x5a, sizeof secrets);
    assert_int_equal(throng_board_format(&f->board, f->memory, size, &limits, &secrets), 0);
    throng_board_set_seeder_port(&f->board, 4433);
    throng_board_beat(&f->board, site_now());
    char to[1200];
    assert_int_equal(rename(path, site_path(&f->site, "board", to)), 0);
}

static inline void drop_board(fixture *f)
{
    if (f->memory != NULL)
        munmap(f->memory, throng_board_size(&limits));
    f->memory = NULL;
}

static inline throng_board_key key_of(const fixture *f, int port, const char *uri)
{
    throng_board_key key;
    throng_board_url url = {.server = {.port = (uint16_t)port},
                            .host = "example.org",
                            .host_size = 11,
                            .uri = uri,
                            .uri_size = strlen(uri)};
    assert_int_equal(throng_board_key_of(&f->board, &url, &key), 0);
    return key;
}

/* Sixteen peers that hold it, for as long as the test lasts. */
static inline void add_holders(fixture *f, throng_board_entry *entry)
{
    throng_directory *directory = &f->board.directory;
    throng_directory_clear(directory);
    throng_directory_set_times(directory, THRONG_SECOND, THRONG_NEVER);
    assert_int_equal(throng_directory_add_object(directory, throng_hash_tag(&entry->object), &entry->holders), 0);
    for (uint32_t i = 0; i < limits.peers_max; i++) {
        throng_addr addr = throng_addr_from_ipv4(192, 0, 2, (uint8_t)i, (uint16_t)(5000 + i));
        uint32_t peer;
        assert_int_equal(throng_directory_add_peer(directory, 0, &addr, &(throng_place){0}, &peer), 0);
        throng_directory_hold(directory, 0, entry->holders, peer, true);
    }
}

/* Publishes what `port` serves at `uri` now, as throngd would: by asking for it. */
static inline void publish(fixture *f, int port, const char *uri)
{
    char value[1024];
    struct tm tm = {0};
    throng_board_entry entry = {.chunk_size = 1024};
    throng_board_key key = key_of(f, port, uri);

    site_get(port, uri, "Throng-Fetch: 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\r\nConnection: close\r\n", &got);
    assert_int_equal(got.status, 200);
    memset(entry.object.bytes, 0xab, sizeof entry.object.bytes);
    entry.validators.size = got.body_size;
    if (response_header(&got, "ETag", value) != NULL)
        entry.validators.etag = throng_board_etag(&f->board, value, strlen(value));
    if (response_header(&got, "Last-Modified", value) != NULL &&
        strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm) != NULL)
        entry.validators.last_modified_s = (uint64_t)timegm(&tm);
    add_holders(f, &entry);
    assert_int_equal(throng_board_publish(&f->board, &key, &entry), 0);
}

/* A crowd, the film published, two files in www/. */
static inline int set_up_with(void **state, const char *http, const char *server, const char *servers)
{
    fixture *f = calloc(1, sizeof *f);

    site_init(&f->site, module);
    site_file(&f->site, "film", FILM_SIZE, 'f', MTIME);
    site_file(&f->site, "small", SMALL_SIZE, 's', MTIME);
    make_board(f);
    site_configure(&f->site, 1, http, server, servers);
    site_start(&f->site);
    *state = f;
    return 0;
}

static inline int set_up(void **state)
{
    set_up_with(state, CROWD, "location = /status { throng_status; }", "");
    publish(*state, site_port(SITE_MODULE), "/film");
    return 0;
}

static inline int tear_down(void **state)
{
    fixture *f = *state;
    drop_board(f);
    site_free(&f->site);
    free(f);
    return 0;
}

static inline uint64_t counter(const _Atomic uint64_t *c)
{
    return atomic_load(c);
}

static inline void get(fixture *f, const char *path, const char *headers)
{
    throng_board_beat(&f->board, site_now());
    site_get(site_port(SITE_MODULE), path, headers, &got);
}

static inline void decode(throng_directions *d)
{
    char location[1024];
    assert_int_equal(got.status, 307);
    assert_non_null(response_header(&got, "Location", location));
    assert_int_equal(throng_directions_decode(d, location, strlen(location)), 0);
}

/* "Throng: later" and Vary with a body, or without one; or neither. */
static inline void expect(fixture *f, const char *path, const char *headers, int status, bool later)
{
    char value[1024];
    get(f, path, headers);
    assert_int_equal(got.status, status);
    assert_int_equal(response_header(&got, "Throng", value) != NULL, later);
    assert_int_equal(response_header(&got, "Vary", value) != NULL, later);
}

#endif
