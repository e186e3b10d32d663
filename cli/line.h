/* What is known of this machine's line, for the server to name like and near peers by (throng/traits.h): its class, by
 * what came in, and its delays to the landmarks of sites that have some. Kept between runs in
 * $XDG_CACHE_HOME/throng/line, for a day and for the network that it was learned in; never waited for. */
#ifndef THRONG_CLI_LINE_H
#define THRONG_CLI_LINE_H

#include <net/peer.h>

typedef struct throng_line throng_line;

/* NULL: out of memory. */
throng_line *throng_line_new(uv_loop_t *loop);
/* Keeps what is new. NULL is fine; so is it for all the others: nothing is known then. */
void throng_line_free(throng_line *line);
/* The header that tells the site of this URL what is known, in `text`; NULL if that is nothing. */
enum { THRONG_LINE_HEADER_MAX = 64 };
const char *throng_line_header(const throng_line *line, const char *url, char text[THRONG_LINE_HEADER_MAX]);
/* The peer that joins a crowd of this URL tells the seeder, too; until it has left. public_only: landmarks at private
 * addresses are left alone. */
void throng_line_join(throng_line *line, throng_peer *peer, const char *url, bool public_only);
void throng_line_leave(throng_line *line, const throng_peer *peer);
/* The seeder has told of landmarks: measures the delays to them, unless they are known. */
void throng_line_landmarks(throng_line *line, const throng_peer *peer, const throng_landmarks *landmarks);
/* So many bytes came, whoever sent them. Not to be told while the user limits the rate. */
void throng_line_received(throng_line *line, throng_time now, uint64_t bytes);

#endif
