/* The form of scenario files, read strictly: [section], key = value, # comment. What sections and keys there are is the
 * program's. Every error is one line that names file (or option) and line. */
#ifndef SCENARIO_READER_H
#define SCENARIO_READER_H

#include "value.h"

enum { SCENARIO_NAME_MAX = 32 };

/* Takes what is read. Each returns 0, or -1 with what is wrong in `error`; where it stands is added by the reader. */
typedef struct scenario_taker {
    void *self;
    int (*open)(void *self, const char *section, char error[SCENARIO_ERROR_MAX]);
    int (*assign)(void *self, const char *section, const char *name, const char *value, char error[SCENARIO_ERROR_MAX]);
} scenario_taker;

/* The text of a file, to be freed; NULL, with the reason in `error`. */
char *scenario_load(const char *path, char error[SCENARIO_ERROR_MAX]);
/* 0, or -1 with the first error; `path` stands in it. */
int scenario_parse(const scenario_taker *taker, const char *path, const char *text, char error[SCENARIO_ERROR_MAX]);
/* One "section.key=value", as --set gives it. */
int scenario_set(const scenario_taker *taker, const char *assignment, char error[SCENARIO_ERROR_MAX]);
/* A file's name without folders and what follows the first point. */
void scenario_name_of(const char *path, char ret[SCENARIO_NAME_MAX]);

#endif
