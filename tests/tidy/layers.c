/* Which folder may include what: the table of ARCHITECTURE.md, "Layers". */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tidy.h"

typedef struct layer {
    const char *folder;
    const char *may_use[5]; /* folders, besides its own */
    bool public_core_only;  /* of core, what core/include/throng/ has and no more */
    bool freestanding;      /* of the system, C11's freestanding headers and <string.h> */
} layer;

static const layer layers[] = {
    {.folder = "core", .freestanding = true},
    {.folder = "net", .may_use = {"core"}},
    {.folder = "scenario"},
    {.folder = "sim", .may_use = {"core", "scenario"}},
    {.folder = "report", .may_use = {"core"}},
    {.folder = "server", .may_use = {"core", "net"}},
    {.folder = "cli", .may_use = {"core", "net", "sim", "report"}}, /* whose subcommands it has */
    {.folder = "lab", .may_use = {"core", "net", "scenario"}},
    {.folder = "nginx", .may_use = {"core"}, .public_core_only = true},
    {.folder = "web", .may_use = {"core"}, .public_core_only = true, .freestanding = true},
};

/* C11 section 4, paragraph 6, and <stdatomic.h>: the compiler brings it, and its lock-free part needs no library. */
static const char *const freestanding[] = {"float.h",  "iso646.h",      "limits.h",  "stdalign.h",
                                           "stdarg.h", "stdatomic.h",   "stdbool.h", "stddef.h",
                                           "stdint.h", "stdnoreturn.h", "string.h"};

static const layer *layer_of(const char *path)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (tidy_in_folder(path, layers[i].folder))
            return &layers[i];
    return NULL;
}

/* folder/of/file.c and ../to/x.h give folder/to/x.h. */
static void resolve(char ret[TIDY_PATH_MAX], const char *from, const char *name)
{
    char joined[2 * TIDY_PATH_MAX];
    const char *slash = strrchr(from, '/');
    int folder = slash == NULL ? 0 : (int)(slash - from);
    snprintf(joined, sizeof joined, "%.*s/%s", folder, from, name);
    ret[0] = '\0';
    for (char *save = NULL, *part = strtok_r(joined, "/", &save); part != NULL; part = strtok_r(NULL, "/", &save)) {
        char *last = strrchr(ret, '/');
        if (strcmp(part, "..") == 0)
            *(last == NULL ? ret : last) = '\0';
        else if (strcmp(part, ".") != 0)
            snprintf(ret + strlen(ret), TIDY_PATH_MAX - strlen(ret), "%s%s", ret[0] == '\0' ? "" : "/", part);
    }
}

/* Where an include leads, from the root on; "" when it is not in the tree (made by the build, or the system's). */
static void find(char ret[TIDY_PATH_MAX], const tidy *t, const char *from, const char *name, bool quoted)
{
    char full[2 * TIDY_PATH_MAX];
    static const char *const bases[] = {"", "core/include/"};
    if (quoted) {
        resolve(ret, from, name);
        snprintf(full, sizeof full, "%s/%s", t->root, ret);
        if (access(full, F_OK) == 0)
            return;
    }
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        snprintf(ret, TIDY_PATH_MAX, "%s%s", bases[i], name);
        snprintf(full, sizeof full, "%s/%s", t->root, ret);
        if (access(full, F_OK) == 0)
            return;
    }
    ret[0] = '\0';
}

static bool may_use(const layer *l, const char *target)
{
    if (tidy_in_folder(target, l->folder))
        return true;
    if (l->public_core_only && tidy_in_folder(target, "core"))
        return tidy_in_folder(target, "core/include");
    for (size_t i = 0; i < sizeof l->may_use / sizeof *l->may_use && l->may_use[i] != NULL; i++)
        if (tidy_in_folder(target, l->may_use[i]))
            return true;
    return false;
}

static bool is_freestanding(const char *name)
{
    for (size_t i = 0; i < sizeof freestanding / sizeof *freestanding; i++)
        if (strcmp(name, freestanding[i]) == 0)
            return true;
    return false;
}

static void check_include(tidy *t, const tidy_source *source, const layer *l, int line, const char *name, bool quoted)
{
    char target[TIDY_PATH_MAX];
    find(target, t, source->path, name, quoted);
    if (target[0] == '\0') {
        if (!quoted && l->freestanding && !is_freestanding(name))
            tidy_report(
                t, source->path, line, "layers",
                "%s/ may not use <%s>: only freestanding headers and <string.h>; let the host do it and hand in "
                "the result",
                l->folder, name);
    } else if (!may_use(l, target))
        tidy_report(t, source->path, line, "layers",
                    "%s/ may not use %s: see the table of layers in ARCHITECTURE.md; move what both need down to %s",
                    l->folder, target, l->public_core_only ? "core/include/throng/" : "a layer below both");
}

void tidy_rule_layers(tidy *t, const tidy_source *source)
{
    const layer *l = layer_of(source->path);
    if (l == NULL || (!tidy_has_suffix(source->path, ".c") && !tidy_has_suffix(source->path, ".h")))
        return;
    int number = 1;
    for (const char *line = source->text; *line != '\0'; number++) {
        char name[256], open;
        const char *hash = line + strspn(line, " \t");
        if (*hash == '#' && sscanf(hash + 1, " include %c%255[^>\"\n]", &open, name) == 2 &&
            (open == '<' || open == '"'))
            check_include(t, source, l, number, name, open == '"');
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
}
