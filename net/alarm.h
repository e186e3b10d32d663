/* A timer on a libuv loop that is exact to some tens of microseconds; libuv's own count milliseconds. By timerfd. */
#ifndef THRONG_NET_ALARM_H
#define THRONG_NET_ALARM_H

#include <throng/base.h>
#include <uv.h>

typedef struct throng_alarm throng_alarm;

/* The time that alarms and the hosts go by: CLOCK_MONOTONIC. */
throng_time throng_now(void);

/* 0 or a negative errno. */
int throng_alarm_new(throng_alarm **ret, uv_loop_t *loop, void (*ring)(void *user), void *user);
/* Never rings again; memory goes when the loop has run the closing callback. */
void throng_alarm_free(throng_alarm *alarm);

/* Rings at `at`, or soon if that is past; THRONG_NEVER: not. It may ring too early when it was set to something sooner
 * before: look at the time. */
void throng_alarm_set(throng_alarm *alarm, throng_time at);

#endif
