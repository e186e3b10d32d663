/* The objects that the site has in the crowd: from a want that the web server posted to an entry on the board, and out
 * again when room is needed or nobody asked for an hour.
 *
 *   want -> fetched through the web server -> judged -> body to the cache -> manifest made and signed -> seeded,
 *   published -> asked about again while it has peers -> replaced when it changed -> withdrawn
 *
 * What an earlier run left in the cache is hashed again and published without waiting for a want.
 *
 * Bounds: the web server compares what the board says with each response, so what nobody fetches is not asked about.
 * An object with peers is at most `revalidate_ms` old against the web server (ten times that if the response states
 * such a freshness itself); one without validators is current for its stated freshness only. A replaced version is
 * seeded until its peers are gone, RETIRED_MAX of them and RETIRED_TIME at most. */
#ifndef SERVER_CATALOG_H
#define SERVER_CATALOG_H

#include <throng/board.h>
#include <uv.h>

#include "cache.h"
#include "metrics.h"
#include "net/fetch.h"
#include "net/seeder.h"
#include "net/sign.h"

/* All of it outlives the catalog. */
typedef struct catalog_config {
    uv_loop_t *loop;
    throng_board *board;
    throng_seeder *seeder;
    throng_fetcher *fetcher;
    cache *cache;
    const throng_signer *signer;
    metrics *metrics; /* counts failures, fetches and manifests here */
    const char *origin_url;
    const char *origin_socket; /* NULL: none */
    uint32_t objects_max;
    uint32_t revalidate_ms;
    uint32_t manifest_hours;
    shareable_limits limits;
    bool pages; /* makes page objects, for browsers */
} catalog_config;

typedef struct catalog catalog;

int catalog_new(catalog **ret, const catalog_config *config);
/* Takes in wants: visitors wait for what comes of them. To be called every 20 ms or so. */
void catalog_take_wants(catalog *c, throng_time now);
/* The same, keeps the directory on the board, asks about what is in use. To be called every 50 ms or so. */
void catalog_tick(catalog *c, throng_time now);
/* Withdraws everything and begins no more; what threads are at is told to stop. */
void catalog_stop(catalog *c);
bool catalog_is_busy(const catalog *c);
/* After catalog_stop, when the loop has run until it is no longer busy; before seeder and fetcher are freed. */
void catalog_free(catalog *c);

/* A browser that came for a page object joined this, too, soon after: the page pulls it in. */
void catalog_learn(catalog *c, const throng_hash *page_object, throng_tag joined);

uint32_t catalog_known(const catalog *c);
uint32_t catalog_ready(const catalog *c);

#endif
