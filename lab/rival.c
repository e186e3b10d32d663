#include "rival.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 };

struct lab_rival {
    uv_poll_t poll;
    int commands;
    int events;
    char line[LINE_MAX_BYTES];
    size_t used;
    lab_rival_done *on_done;
    void *user;
};

static void on_line(lab_rival *r)
{
    unsigned long number;
    r->line[r->used] = '\0';
    if (strncmp(r->line, "done ", 5) == 0 && (number = strtoul(r->line + 5, NULL, 10)) > 0)
        r->on_done((uint32_t)number, r->user);
    r->used = 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    lab_rival *r = poll->data;
    char bytes[4096];
    ssize_t size = read(r->events, bytes, sizeof bytes);
    if (size == 0)
        uv_poll_stop(poll);
    for (ssize_t i = 0; i < size; i++)
        if (bytes[i] == '\n')
            on_line(r);
        else if (r->used + 1 < sizeof r->line)
            r->line[r->used++] = bytes[i];
}

lab_rival *lab_rival_new(uv_loop_t *loop, int commands, int events, lab_rival_done *on_done, void *user)
{
    lab_rival *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->commands = commands;
    r->events = events;
    r->on_done = on_done;
    r->user = user;
    fcntl(events, F_SETFL, O_NONBLOCK);
    uv_poll_init(loop, &r->poll, events);
    r->poll.data = r;
    uv_poll_start(&r->poll, UV_READABLE, on_readable);
    return r;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void lab_rival_free(lab_rival *r)
{
    if (!r)
        return;
    uv_poll_stop(&r->poll);
    uv_close((uv_handle_t *)&r->poll, on_closed);
}

static void say(lab_rival *r, const char *text)
{
    (void)!write(r->commands, text, strlen(text)); /* a rival that is gone completes nobody, which shows */
}

void lab_rival_come(lab_rival *r, uint32_t number, uint32_t node)
{
    char text[LINE_MAX_BYTES];
    snprintf(text, sizeof text, "come %u %u\n", number, node);
    say(r, text);
}

void lab_rival_leave(lab_rival *r, uint32_t number)
{
    char text[LINE_MAX_BYTES];
    snprintf(text, sizeof text, "leave %u\n", number);
    say(r, text);
}
