/* Delays to landmarks, measured with a few STUN Binding requests (RFC 8489) on a libuv loop: three of 20 bytes to each,
 * 200 ms apart, one second of patience. Nothing waits for it. */
#ifndef THRONG_NET_LANDMARKS_H
#define THRONG_NET_LANDMARKS_H

#include <throng/traits.h>
#include <uv.h>

typedef struct throng_measuring throng_measuring;

/* `delays`: throng_traits'; 0 of whom nothing came. The measuring is over and freed after this. */
typedef void throng_measured(void *user, const uint8_t delays[THRONG_LANDMARKS_MAX]);

/* Begins; `public_only`: whoever is at a private or reserved address is left alone. 0 or a negative errno. */
int throng_landmarks_measure(throng_measuring **ret, uv_loop_t *loop, const throng_landmarks *landmarks,
                             bool public_only, throng_measured *done, void *user);
/* Ends it now, with what came so far: calls `done`. NULL is fine. Memory goes when the loop has run the closing
 * callbacks. */
void throng_measuring_end(throng_measuring *measuring);

#endif
