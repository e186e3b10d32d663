/* Where what is fetched goes.
 *
 * A file is written as NAME.throng beside its final name, and renamed over that when it is whole: nobody ever sees a
 * partial file under the final name. NAME.throng.json says what the partial file is, for -C. A stream (standard output,
 * a device, a pipe) is written in order. Crowd mode needs random access: a file has it, a stream gets a spool, an
 * unlinked file. */
#ifndef THRONG_CLI_SINK_H
#define THRONG_CLI_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exit_codes.h"

typedef struct throng_sink throng_sink;

/* What a partial file is part of. All may be unknown. */
typedef struct throng_sink_origin {
    char validator[256]; /* a strong ETag or a Last-Modified, for If-Range (RFC 9110 section 13.1.5); "" if none */
    int64_t size;        /* of the whole; -1 unknown */
    bool sparse;         /* written in no order: only hashes tell which parts are there */
} throng_sink_origin;

/* path: NULL or "-" is standard output. resume: take up what an earlier run left. Anything but OK: throng_sink_problem
 * says what is wrong; free the sink all the same. Nothing is created yet. */
throng_exit throng_sink_new(throng_sink **ret, const char *path, bool resume);
void throng_sink_free(throng_sink *sink);
/* A clause for people about the last failure: "cannot write: No space left on device". */
const char *throng_sink_problem(const throng_sink *sink);
/* The final name; "-" for standard output. */
const char *throng_sink_name(const throng_sink *sink);
bool throng_sink_is_stream(const throng_sink *sink);

/* Bytes from the beginning that an earlier run left (0 unless resumed and not sparse), and of what. */
uint64_t throng_sink_left_over(const throng_sink *sink);
const throng_sink_origin *throng_sink_origin_get(const throng_sink *sink);

/* Opens for writing. keep: what an earlier run left stays; otherwise begins anew. origin is remembered on disk. Room
 * for origin->size bytes is reserved, so that a full disk is known now rather than later. May be called again. */
throng_exit throng_sink_open(throng_sink *sink, const throng_sink_origin *origin, bool keep);
/* In order, after what is there. */
throng_exit throng_sink_append(throng_sink *sink, const uint8_t *bytes, size_t size);
/* Bytes in order so far, leftovers counted. */
uint64_t throng_sink_position(const throng_sink *sink);

/* For random access: a descriptor open for reading and writing, the sink's own; -1 before throng_sink_open. A stream is
 * given its spool here. */
int throng_sink_random(throng_sink *sink);
/* A stream in crowd mode: passes on what the spool holds up to `end`, as far as the reader takes it now. The first call
 * that can pass on no more returns with throng_sink_position short of `end`: call again later. */
throng_exit throng_sink_pass_on(throng_sink *sink, uint64_t end);

/* SHA-256 of the whole: of the file, or of all that was passed on. */
throng_exit throng_sink_digest(throng_sink *sink, uint8_t ret[static 32]);
/* It is whole: cuts at `size`, renames to the final name, forgets the leftovers. throng_sink_random stays open. */
throng_exit throng_sink_commit(throng_sink *sink, uint64_t size);
/* It will not be whole. keep: leave the partial file for -C (true if there is one now). */
bool throng_sink_abandon(throng_sink *sink, bool keep);
/* The partial file's name, for messages. */
const char *throng_sink_partial_name(const throng_sink *sink);

#endif
