#include "log_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER_SIZE = 1 << 20 };

typedef struct reading {
    const char *path;
    report_log_sink *sink;
    void *user;
    report_log_tally *tally;
    uint64_t line; /* of this file, from 1 */
    bool skipping; /* in a line that is too long */
} reading;

static void broken(reading *r, const char *what)
{
    r->tally->broken++;
    if (r->tally->first_broken[0] == '\0')
        snprintf(r->tally->first_broken, sizeof r->tally->first_broken, "%.300s:%llu: %s", r->path,
                 (unsigned long long)r->line, what);
}

static int take_line(reading *r, const char *line, size_t size)
{
    report_request request;
    const char *what = NULL;
    r->line++;
    r->tally->lines++;
    int found = size <= REPORT_LINE_MAX ? report_access_line(line, size, &request, &what) : THRONG_ERR_MALFORMED;
    if (found < 0) {
        broken(r, what != NULL ? what : "longer than 64 KiB");
        return 0;
    }
    r->tally->requests += (uint64_t)found;
    return found == 0 ? 0 : r->sink(r->user, &request);
}

/* Takes all whole lines of what is in the buffer, and moves the rest to its front. */
static int take_lines(reading *r, char *buffer, size_t *size, bool last)
{
    const char *at = buffer, *end = buffer + *size;
    int result = 0;
    while (result >= 0 && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL && !last)
            break;
        const char *stop = newline != NULL ? newline : end;
        if (!r->skipping)
            result = take_line(r, at, (size_t)(stop - at));
        r->skipping = false;
        at = newline != NULL ? newline + 1 : end;
    }
    *size = (size_t)(end - at);
    if (*size > REPORT_LINE_MAX) { /* it is too long already: told once, and passed over */
        if (!r->skipping)
            result = take_line(r, at, *size);
        r->skipping = true;
        *size = 0;
    }
    memmove(buffer, at, *size);
    return result < 0 ? result : 0;
}

static int read_all(reading *r, gzFile in, char *buffer)
{
    size_t size = 0;
    int result = 0, got = 1;
    while (result == 0 && got > 0) {
        got = gzread(in, buffer + size, (unsigned)(BUFFER_SIZE - size));
        size += got > 0 ? (size_t)got : 0;
        r->tally->bytes += got > 0 ? (uint64_t)got : 0;
        result = take_lines(r, buffer, &size, got <= 0);
    }
    return result;
}

/* Packed content that is damaged: what came before is good; that there should be more is told. */
static int note_end(reading *r, gzFile in, char *error)
{
    int status = Z_OK;
    const char *why = gzerror(in, &status);
    if (status == Z_ERRNO) {
        snprintf(error, REPORT_ERROR_MAX, "%.400s: %s", r->path, strerror(errno));
        return THRONG_ERR_NOT_FOUND;
    }
    if (status == Z_OK || status == Z_STREAM_END)
        return 0;
    if (r->tally->cut++ == 0)
        snprintf(r->tally->first_cut, sizeof r->tally->first_cut,
                 "%.300s:%llu: nothing can be read from here on: %.80s", r->path, (unsigned long long)r->line + 1, why);
    return 0;
}

static gzFile open_log(const char *path)
{
    if (strcmp(path, "-") != 0)
        return gzopen(path, "rbe");
    int fd = dup(STDIN_FILENO);
    gzFile in = fd >= 0 ? gzdopen(fd, "rb") : NULL;
    if (in == NULL && fd >= 0)
        close(fd);
    return in;
}

int report_log_read(const char *path, report_log_sink *sink, void *user, report_log_tally *tally,
                    char error[REPORT_ERROR_MAX])
{
    reading r = {.path = path, .sink = sink, .user = user, .tally = tally};
    errno = 0;
    gzFile in = open_log(path);
    if (in == NULL) {
        snprintf(error, REPORT_ERROR_MAX, "%.400s: %s", path, errno != 0 ? strerror(errno) : "out of memory");
        return errno != 0 ? THRONG_ERR_NOT_FOUND : THRONG_ERR_NO_MEMORY;
    }
    char *buffer = malloc(BUFFER_SIZE);
    if (buffer == NULL) {
        gzclose_r(in);
        snprintf(error, REPORT_ERROR_MAX, "out of memory");
        return THRONG_ERR_NO_MEMORY;
    }
    gzbuffer(in, BUFFER_SIZE);
    int result = read_all(&r, in, buffer);
    if (result < 0)
        snprintf(error, REPORT_ERROR_MAX, "%.300s:%llu: %s", path, (unsigned long long)r.line,
                 throng_error_text(result));
    else
        result = note_end(&r, in, error);
    free(buffer);
    gzclose_r(in);
    return result;
}
