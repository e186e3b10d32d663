/* The server's node: a directory with the files that are asked for, and the real `throng serve` on it.
 *
 * A keeper process stands between the driver and the server. It holds one end of a pipe whose other end is the driver's
 * alone: when that closes, because the driver is done or was killed, the keeper ends the server and removes the
 * directory. */
#ifndef LAB_SITE_H
#define LAB_SITE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { LAB_PATH_MAX = 256, LAB_PORT = 8080 };

typedef struct lab_site_config {
    const char *throng; /* the program */
    const char *mode;   /* auto, crowd or calm */
    uint64_t uplink_bps;
    uint64_t object_size;
    uint32_t objects; /* object-0, object-1, … */
    int netns;        /* of the server */
    /* A program to be run in the server's place, with the directory and the numbers of the nodes' namespaces as
     * descriptors of ours after its name (rival.h); NULL: throng. */
    const char *rival;
    const struct lab_netns *nodes;
    uint32_t nodes_count;
    /* Nodes are in networks of so many, of which those of the same number modulo `groups` are one: the server is told.
     * 0: it is not. */
    uint32_t group_size;
    uint32_t groups;
} lab_site_config;

typedef struct lab_site {
    char directory[LAB_PATH_MAX]; /* private to this run; clients put their files into it, too */
    pid_t keeper;
    int life;     /* our end of the pipe */
    int ready;    /* the server's standard output */
    int commands; /* its standard input */
} lab_site;

/* Before any thread is started, since it forks. Makes the directory and starts the server. False after a line on
 * standard error. */
bool lab_site_start(lab_site *ret, const lab_site_config *config);
/* Waits until the server answers; false after a line on standard error. */
bool lab_site_wait(lab_site *site);
/* Kills throngd, as a crash would. False if there is none. */
bool lab_site_kill_daemon(const lab_site *site);
/* Ends the server, removes the directory, waits for that. */
void lab_site_stop(lab_site *site);

#endif
