/* `throng get --group`: all transfers of a run are one member of the site's peer group (net/peer.h, throng/group.h). It
 * finds URLs in the group before the server is asked, offers what it verified, and stays until the last one is done.
 *
 * The site is that of the first directions that come: their manifest's key is the only one whose manifests are taken
 * from the group. URLs of other sites are fetched as ever. One transfer at a time. */
#ifndef THRONG_CLI_MEMBER_H
#define THRONG_CLI_MEMBER_H

#include <net/peer.h>

#include "transfer.h"

typedef struct throng_member throng_member;

/* `http` serves what is offered, `line` is told of landmarks; either may be NULL, both must outlive the member. NULL:
 * out of memory. */
throng_member *throng_member_new(uv_loop_t *loop, const throng_get_options *options, throng_http_peer *http,
                                 throng_line *line);
/* At once. Transfers must be closed before. */
void throng_member_free(throng_member *member);
/* All transfers are done: goes on serving for --stay, says goodbye, then calls back from the loop. */
void throng_member_finish(throng_member *member, void (*on_left)(void *user), void *user);
/* A signal: ends the stay. */
void throng_member_interrupt(throng_member *member);
/* Bytes of content that were given to others by UDP. */
uint64_t throng_member_uploaded(const throng_member *member);

/* Looks for the transfer's URL in the group: throng_crowd_enter with what is found, throng_plain_start if nothing is.
 * False: there is no group to ask yet. `wrong`: an object that turned out not to be what it should, or NULL. */
bool throng_member_find(throng_member *member, throng_transfer *transfer, const throng_hash *wrong);
/* The transfer has ended, well or not. */
void throng_member_done(throng_member *member, throng_transfer *transfer);

/* ---- for crowd.c ---- */

/* The peer that all share; opened at first. 0 or a negative errno. */
int throng_member_peer(throng_member *member, throng_crowd *crowd, throng_peer **ret);
/* The server gave these directions: the peers in them may be of a group. */
void throng_member_directed(throng_member *member, const throng_transfer *transfer,
                            const throng_directions *directions);
/* The crowd's manifest came: right for its URL, as far as the group is concerned? Of a copy from the group this decides
 * whether it is taken. Tells the group that it is held. */
bool throng_member_takes(throng_member *member, throng_crowd *crowd, const throng_manifest *manifest);
/* The crowd is no more; unless the transfer is to be kept, neither is its object. */
void throng_member_left(throng_member *member, throng_crowd *crowd);
/* The transfer's object is whole, and is offered from this sink from now on, which is the member's. */
void throng_member_keep(throng_member *member, const throng_transfer *transfer, throng_sink *sink);

#endif
