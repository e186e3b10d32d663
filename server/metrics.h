/* What throngd tells of itself, in Prometheus' text format (version 0.0.4) and as JSON. No label ever holds a peer, an
 * address or a URL. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdint.h>
#include <throng/base.h>

#include "shareable.h"
#include "text.h"

/* Why a fetch from the origin, or what followed it, came to nothing. */
#define METRICS_FAILURES(X)                                                                                            \
    X(ORIGIN_UNREACHABLE, "origin_unreachable")                                                                        \
    X(ORIGIN_TIMEOUT, "origin_timeout")                                                                                \
    X(ORIGIN_BROKEN, "origin_broken")                                                                                  \
    X(STORE, "store")                                                                                                  \
    X(MANIFEST, "manifest")                                                                                            \
    X(SEEDER_FULL, "seeder_full")                                                                                      \
    X(BOARD_FULL, "board_full")

typedef enum metrics_failure {
#define X(name, label) METRICS_FAILURE_##name,
    METRICS_FAILURES(X)
#undef X
        METRICS_FAILURES_COUNT,
} metrics_failure;

/* Counters, in the order in which they are told: X(field, metric, labels, help). Lines of one metric stand together. */
#define METRICS_COUNTERS(X)                                                                                            \
    X(requests, "throng_http_requests_total", "", "Responses to clients, throngd's own requests left out.")            \
    X(offered_bytes, "throng_http_offered_bytes_total", "",                                                            \
      "Bytes that clients asked for, whether sent or redirected.")                                                     \
    X(http_bytes, "throng_http_sent_bytes_total", "", "Bytes that the web server sent.")                               \
    X(http_line_bytes, "throng_http_line_bytes_total", "", "The same with headers of IP and TCP.")                     \
    X(directions, "throng_directions_total", "", "Requests answered with directions instead of the body.")             \
    X(bootstraps, "throng_bootstraps_total", "", "Navigations answered with the bootstrap page.")                      \
    X(directed_bytes, "throng_directed_bytes_total", "", "Sizes of the objects that directions led to.")               \
    X(reserved, "throng_http_reserved_total", "", "Ordinary answers in crowd mode, from the reserved share.")          \
    X(held, "throng_http_held_total", "", "Requests in crowd mode that waited a moment for directions.")               \
    X(refused_requests, "throng_http_refused_total", "", "Requests put off with 503, the reserved share being spent.") \
    X(wants_posted, "throng_wants_total", "result=\"posted\"", "URLs that the web server wanted published.")           \
    X(wants_dropped, "throng_wants_total", "result=\"dropped\"", "")                                                   \
    X(crowds, "throng_crowds_total", "", "Times that the mode went from calm to crowd.")                               \
    X(seed_sent_bytes, "throng_seed_sent_bytes_total", "",                                                             \
      "Bytes that the seeder sent, headers of IP and UDP included.")                                                   \
    X(seed_received_bytes, "throng_seed_received_bytes_total", "", "Bytes of datagrams that the seeder received.")     \
    X(content_http_bytes, "throng_content_bytes_total", "source=\"http\"",                                             \
      "Bytes that clients were sent, by who sent them: the web server with headers, the seeder content alone.")        \
    X(content_seeder_bytes, "throng_content_bytes_total", "source=\"seeder\"", "")                                     \
    X(origin_bytes, "throng_origin_fetched_bytes_total", "", "Bytes of objects that throngd fetched to publish.")      \
    X(joins, "throng_joins_total", "", "Peers that joined a swarm.")                                                   \
    X(joins_repeated, "throng_joins_repeated_total", "", "Joins heard again and recognised.")                          \
    X(byes, "throng_byes_total", "", "Peers that took leave.")                                                         \
    X(forgotten, "throng_peers_forgotten_total", "", "Peers forgotten: silent too long, or no room.")                  \
    X(introductions, "throng_introductions_total", "", "Peers named to each other by the seeder.")                     \
    X(dropped_malformed, "throng_datagrams_dropped_total", "cause=\"malformed\"", "Datagrams dropped, by cause.")      \
    X(dropped_foreign, "throng_datagrams_dropped_total", "cause=\"foreign\"", "")                                      \
    X(dropped_unsealed, "throng_datagrams_dropped_total", "cause=\"unsealed\"", "")                                    \
    X(dropped_replayed, "throng_datagrams_dropped_total", "cause=\"replayed\"", "")                                    \
    X(tokens_refused, "throng_tokens_refused_total", "", "Joins whose token was wrong or too old.")                    \
    X(traits, "throng_traits_total", "result=\"told\"",                                                                \
      "What clients told of themselves by datagram, by what became of it.")                                            \
    X(traits_clamped, "throng_traits_total", "result=\"clamped\"", "")                                                 \
    X(traits_refused, "throng_traits_refused_total", "",                                                               \
      "Traits in requests that were malformed, or absurd and clamped.")                                                \
    X(unproven_withheld, "throng_unproven_withheld_total", "", "Answers withheld from unproven addresses.")            \
    X(pages_made, "throng_pages_made_total", "", "Page objects made.")                                                 \
    X(browser_opened, "throng_browser_connections_total", "result=\"opened\"", "WebSockets of browsers.")              \
    X(browser_refused_origin, "throng_browser_connections_total", "result=\"foreign_origin\"", "")                     \
    X(browser_refused_address, "throng_browser_connections_total", "result=\"address_full\"", "")                      \
    X(browser_refused_full, "throng_browser_connections_total", "result=\"full\"", "")                                 \
    X(browser_hellos, "throng_browser_hellos_total", "", "Browsers that were welcomed.")                               \
    X(browser_closed_malformed, "throng_browser_closed_total", "cause=\"malformed\"", "WebSockets closed by us.")      \
    X(browser_closed_token, "throng_browser_closed_total", "cause=\"token\"", "")                                      \
    X(browser_closed_large, "throng_browser_closed_total", "cause=\"too_large\"", "")                                  \
    X(browser_closed_replaced, "throng_browser_closed_total", "cause=\"replaced\"", "")                                \
    X(browser_closed_silent, "throng_browser_closed_total", "cause=\"no_hello\"", "")                                  \
    X(browser_signals, "throng_browser_signals_total", "result=\"relayed\"", "Signals of browsers to browsers.")       \
    X(browser_signals_foreign, "throng_browser_signals_total", "result=\"nobody\"", "")                                \
    X(browser_signals_limited, "throng_browser_signals_total", "result=\"limited\"", "")                               \
    X(browser_datagrams_in, "throng_browser_datagrams_total", "way=\"in\"", "Datagrams of browsers and to them.")      \
    X(browser_datagrams_out, "throng_browser_datagrams_total", "way=\"out\"", "")                                      \
    X(browser_datagrams_dropped, "throng_browser_datagrams_total", "way=\"dropped\"", "")                              \
    X(metalinks, "throng_metalinks_total", "body=\"sent\"", "Answers that name peers that serve by HTTP.")             \
    X(metalinks_instead, "throng_metalinks_total", "body=\"none\"", "")                                                \
    X(probes, "throng_http_probes_total", "", "Looks at what peers serve by HTTP.")                                    \
    X(probes_failed, "throng_http_probes_failed_total", "", "Probes that did not bring what they should.")             \
    X(http_doubts, "throng_http_doubts_total", "", "Peers that clients had been sent to who came back.")               \
    X(http_shunned, "throng_http_shunned_total", "", "Peers no longer named for that.")                                \
    X(stun_answered, "throng_stun_requests_total", "result=\"answered\"", "STUN Binding requests.")                    \
    X(stun_dropped, "throng_stun_requests_total", "result=\"dropped\"", "")                                            \
    X(fetches, "throng_origin_fetches_total", "result=\"fetched\"", "Requests to the origin, by result.")              \
    X(fetches_unchanged, "throng_origin_fetches_total", "result=\"unchanged\"", "")                                    \
    X(fetches_refused, "throng_origin_fetches_total", "result=\"not_shareable\"", "")                                  \
    X(fetches_failed, "throng_origin_fetches_total", "result=\"failed\"", "")                                          \
    X(manifests_made, "throng_manifests_total", "source=\"made\"", "Manifests put in use, by where they came from.")   \
    X(manifests_reused, "throng_manifests_total", "source=\"cached\"", "")                                             \
    X(manifests_renewed, "throng_manifests_total", "source=\"renewed\"", "")

/* Gauges: X(field, metric, help, divisor): the value is field / divisor. */
#define METRICS_GAUGES(X)                                                                                              \
    X(crowd, "throng_crowd", "1 in crowd mode, 0 when calm.", 1)                                                       \
    X(uplink_bps, "throng_uplink_bytes_per_second", "The configured uplink.", 8)                                       \
    X(seed_rate_bps, "throng_seed_rate_bytes_per_second", "What the seeder may send just now.", 8)                     \
    X(objects, "throng_objects", "Objects ready to be seeded.", 1)                                                     \
    X(objects_known, "throng_objects_known", "URLs that throngd keeps an eye on, shareable or not.", 1)                \
    X(pages, "throng_pages", "Page objects ready to be seeded.", 1)                                                    \
    X(browsers, "throng_browsers", "Browsers connected now.", 1)                                                       \
    X(peers, "throng_peers", "Peers present now, over all objects.", 1)                                                \
    X(http_peers, "throng_http_peers", "Peers that serve by HTTP, reached by us.", 1)                                  \
    X(cache_bytes, "throng_cache_bytes", "Bytes of object bodies in the state directory.", 1)                          \
    X(start_unix_ms, "throng_start_time_seconds", "When throngd started, since the Unix epoch.", 1000)

typedef struct metrics {
#define X(field, metric, labels, help) uint64_t field;
    METRICS_COUNTERS(X)
#undef X
#define X(field, metric, help, divisor) uint64_t field;
    METRICS_GAUGES(X)
#undef X
    uint64_t refused[SHAREABLE_VERDICTS_COUNT]; /* responses not shared, by verdict; YES unused */
    uint64_t failures[METRICS_FAILURES_COUNT];
    char public_key[2 * THRONG_PUBLIC_KEY_SIZE + 1]; /* the site's, hexadecimal: in the JSON alone */
} metrics;

/* Enough for either text. */
enum { METRICS_TEXT_MAX = 32 * 1024 };

void metrics_write_prometheus(const metrics *m, text_out *out);
void metrics_write_json(const metrics *m, text_out *out);

#endif
