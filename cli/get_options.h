/* What `throng get` was asked to do. */
#ifndef THRONG_CLI_GET_OPTIONS_H
#define THRONG_CLI_GET_OPTIONS_H

#include <net/exit_codes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { THRONG_GET_URLS_MAX = 1024 };

typedef struct throng_get_options {
    const char **urls;
    const char **outputs; /* as long as urls: the file's name, or NULL for standard output */
    size_t urls_count;
    size_t parallel; /* transfers at once */
    const char *ca_file;
    uint8_t checksum[32];
    uint8_t key[32];
    uint64_t rate_limit_bps; /* 0: none */
    uint64_t stay_s;
    uint16_t http_port; /* for serving by HTTP while staying; 0: any */
    bool http_peer;     /* serve by HTTP at all */
    uint64_t connect_timeout_s;
    uint64_t total_timeout_s; /* 0: none */
    uint32_t redirects_max;
    uint32_t retries_max;
    bool checksum_given;
    bool key_given;
    bool resume;
    bool group;      /* take part in the site's peer group */
    bool peers;      /* ask for the crowd at all */
    bool crowd_only; /* --mode crowd: no HTTP beside the swarm until that is stuck */
    bool silent;
    bool json;
} throng_get_options;

/* Complains and returns a code other than OK when they make no sense. --help and its like end the program. */
throng_exit throng_get_options_parse(throng_get_options *ret, int argc, char **argv);
void throng_get_options_free(throng_get_options *options);

#endif
