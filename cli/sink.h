/* Where what is fetched goes: a file or a stream.
 *
 * A file grows in a throng_store (net/store.h): FILE.part, which gets its final name when it is whole, and which -C
 * takes up. A stream (standard output, a device, a named pipe) is written in order. Crowd mode needs random access, so
 * a stream then has a spool, a store in the directory for temporary files, from which it is passed on in order as units
 * verify. */
#ifndef THRONG_CLI_SINK_H
#define THRONG_CLI_SINK_H

#include <net/exit_codes.h>
#include <net/store.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <throng/manifest.h>

typedef struct throng_sink throng_sink;

/* path: NULL or "-" is standard output. resume: take up what an earlier run left. Anything but OK: throng_sink_problem
 * says what is wrong; free the sink all the same. Nothing is created yet. */
throng_exit throng_sink_new(throng_sink **ret, const char *path, bool resume);
/* What is not committed and was not abandoned for keeping, goes. */
void throng_sink_free(throng_sink *sink);
/* A clause for people about the last failure: "cannot write: no space left on the device". */
const char *throng_sink_problem(const throng_sink *sink);
/* As it was given; "-" for standard output. */
const char *throng_sink_name(const throng_sink *sink);
bool throng_sink_is_stream(const throng_sink *sink);

/* Bytes from the start that an earlier run left over plain HTTP, and their validator ("" if unknown): only before
 * anything is opened, and only for -C. */
uint64_t throng_sink_left_over(const throng_sink *sink, const char **ret_validator);
/* With -C: the size of a file that is there under its final name, with nothing left over beside it; -1 otherwise. */
int64_t throng_sink_finished_size(const throng_sink *sink);

/* For bytes in order. size -1: not known. keep: what is left over or written already stays; otherwise begins anew. */
throng_exit throng_sink_open_plain(throng_sink *sink, int64_t size, const char *validator, bool keep);
throng_exit throng_sink_append(throng_sink *sink, const uint8_t *bytes, size_t size);
/* Bytes in order so far: of a file what is there, of a stream what was passed on. */
uint64_t throng_sink_position(const throng_sink *sink);
/* The validator and size that throng_sink_open_plain was given last. */
const char *throng_sink_validator(const throng_sink *sink);
int64_t throng_sink_size(const throng_sink *sink);

/* For units in any order; the store stays the sink's. Plain bytes that are there or left over are no part of it: what
 * throng_sink_take_plain gave before can be written into it as if it came by HTTP. */
throng_exit throng_sink_open_crowd(throng_sink *sink, const throng_hash *object, const throng_geometry *geometry);
throng_store *throng_sink_store(throng_sink *sink);
/* Takes plain bytes away from the sink: a descriptor of an unlinked file and how many of its bytes are good; -1 if
 * there are none. The caller closes it. */
int throng_sink_take_plain(throng_sink *sink, uint64_t *ret_size);
/* A stream in crowd mode: passes on what is verified up to `end`, as far as its reader takes it now. When nothing more
 * goes, it returns with throng_sink_position short of `end`: call again later. */
throng_exit throng_sink_pass_on(throng_sink *sink, uint64_t end);

/* SHA-256 of the whole: of the file, or of all that was passed on. */
throng_exit throng_sink_digest(throng_sink *sink, throng_hash *ret);
/* Whether all that is here is what the manifest has the hashes of. THRONG_EXIT_CHECKSUM: it is not. Not of a stream. */
throng_exit throng_sink_covered(throng_sink *sink, const throng_manifest *manifest);
/* It is whole: the file gets its name. verified: every unit must be. The store can still be read. */
throng_exit throng_sink_commit(throng_sink *sink, bool verified);
/* It will not be whole. keep: leave what is there for -C. Returns the name of what is left, NULL if nothing is. */
const char *throng_sink_abandon(throng_sink *sink, bool keep);

#endif
