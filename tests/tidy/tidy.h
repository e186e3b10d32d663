/* Holds the tree to its rules. Every finding says where, which rule, and what to do instead. */
#ifndef THRONG_TIDY_H
#define THRONG_TIDY_H

#include <stdbool.h>
#include <stddef.h>

enum { TIDY_PATH_MAX = 1024, TIDY_FILE_LINES_MAX = 800, TIDY_FUNCTION_LINES_MAX = 60, TIDY_EXCEPTIONS_MAX = 64 };

/* A longer function or file that is allowed, and why: a line of tests/tidy/exceptions. */
typedef struct tidy_exception {
    char path[256];
    char name[128]; /* function, or * for the file itself */
    int lines_max;
    bool used;
} tidy_exception;

typedef struct tidy {
    const char *root;
    int findings;
    int files;
    int exceptions_count;
    tidy_exception exceptions[TIDY_EXCEPTIONS_MAX];
} tidy;

typedef struct tidy_source {
    const char *path; /* from the root on */
    char *text;       /* as it stands, NUL at the end */
    char *code;       /* the same length and lines; comments, contents of strings and preprocessor lines are blanks */
    size_t size;
} tidy_source;

/* Reads root/path. False when it can't be read. `path` is kept, not copied. */
bool tidy_source_read(tidy_source *ret, const char *root, const char *path);
void tidy_source_free(tidy_source *source);
/* The line of an offset, from 1. */
int tidy_source_line(const tidy_source *source, size_t offset);

/* Prints a finding and counts it. */
void tidy_report(tidy *t, const char *path, int line, const char *rule, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Reads root/tests/tidy/exceptions, if there is one. */
void tidy_exceptions_read(tidy *t);
/* How many lines are allowed, by the rule or by an exception. */
int tidy_lines_allowed(tidy *t, const char *path, const char *name, int by_rule);

bool tidy_has_suffix(const char *text, const char *suffix);
bool tidy_in_folder(const char *path, const char *folder);
/* core, net, server, cli, sim, nginx, lab, report: what the program is made of. */
bool tidy_is_product(const char *path);

/* A rule looks at one file. */
void tidy_rule_layers(tidy *t, const tidy_source *source);
void tidy_rule_length(tidy *t, const tidy_source *source);
void tidy_rule_state(tidy *t, const tidy_source *source);
void tidy_rule_banned(tidy *t, const tidy_source *source);
void tidy_rule_marks(tidy *t, const tidy_source *source);
void tidy_rule_guard(tidy *t, const tidy_source *source);
void tidy_rule_documented(tidy *t, const tidy_source *source);
void tidy_rule_listed(tidy *t, const tidy_source *source);
void tidy_rule_corpus(tidy *t, const tidy_source *source);

#endif
