/* The hosts that clients measure their delays to, as the owner names them. */
#ifndef SERVER_LANDMARKS_H
#define SERVER_LANDMARKS_H

#include <throng/traits.h>

/* A list of HOST:PORT with commas between, or the path (anything with a slash) of a file with one in each line; #
 * begins a comment. Names are looked up, which may take its time. Complains of the first that is wrong, and returns an
 * exit code. */
int landmarks_read(throng_landmarks *ret, const char *list);

#endif
