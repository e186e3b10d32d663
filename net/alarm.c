#include "alarm.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct throng_alarm {
    uv_poll_t poll;
    int fd;
    throng_time armed; /* what the kernel will ring at; THRONG_NEVER: nothing */
    void (*ring)(void *user);
    void *user;
};

throng_time throng_now(void)
{
    return uv_hrtime() / 1000;
}

static void on_ring(uv_poll_t *poll, int status, int events)
{
    throng_alarm *alarm = poll->data;
    uint64_t times;
    if (read(alarm->fd, &times, sizeof times) != sizeof times)
        return;
    alarm->armed = THRONG_NEVER;
    alarm->ring(alarm->user);
}

int throng_alarm_new(throng_alarm **ret, uv_loop_t *loop, void (*ring)(void *user), void *user)
{
    throng_alarm *alarm = malloc(sizeof *alarm);
    if (!alarm)
        return -ENOMEM;
    *alarm = (throng_alarm){.ring = ring, .user = user, .armed = THRONG_NEVER};
    alarm->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int error = alarm->fd < 0 ? -errno : uv_poll_init(loop, &alarm->poll, alarm->fd);
    if (error < 0) {
        if (alarm->fd >= 0)
            close(alarm->fd);
        free(alarm);
        return error;
    }
    alarm->poll.data = alarm;
    uv_poll_start(&alarm->poll, UV_READABLE, on_ring);
    *ret = alarm;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    throng_alarm *alarm = handle->data;
    close(alarm->fd);
    free(alarm);
}

void throng_alarm_free(throng_alarm *alarm)
{
    if (alarm)
        uv_close((uv_handle_t *)&alarm->poll, on_closed);
}

/* A deadline that moves later, as most do, costs no system call: the alarm rings early once and is set anew. */
void throng_alarm_set(throng_alarm *alarm, throng_time at)
{
    if (at >= alarm->armed)
        return;
    alarm->armed = at;
    if (at == 0)
        at = 1; /* zero would disarm */
    struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t)(at / THRONG_SECOND), .tv_nsec = (long)(at % THRONG_SECOND) * 1000}};
    timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME, &spec, NULL);
}
