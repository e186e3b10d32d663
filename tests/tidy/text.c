/* What stands in the files besides code: marks, paths of a machine, guards, comments, lists. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidy.h"

/* In two parts each, so that this file passes. */
static const char *const marks[][3] = {
    {"TO", "DO", "do it, or open an issue"},
    {"FIX", "ME", "mend it, or open an issue"},
    {"XX", "X", "say what is meant, or open an issue"},
    {"/wo", "rk/", "a path of one machine: make it relative, or ask the environment"},
    {"/ro", "ot/", "a path of one machine: make it relative, or ask the environment"},
    {"/ho", "me/", "a path of one machine: make it relative, or ask the environment"},
};

void tidy_rule_marks(tidy *t, const tidy_source *source)
{
    if (memchr(source->text, '\0', source->size) != NULL)
        return; /* not a text */
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        char mark[16];
        int length = snprintf(mark, sizeof mark, "%s%s", marks[i][0], marks[i][1]);
        for (const char *at = source->text; (at = strstr(at, mark)) != NULL; at += length) {
            /* mktemp's XXXXXX and the like are no marks */
            bool more = mark[0] == 'X' && (at[length] == 'X' || (at > source->text && at[-1] == 'X'));
            if (!more)
                tidy_report(t, source->path, tidy_source_line(source, (size_t)(at - source->text)), "marks", "%s: %s",
                            mark, marks[i][2]);
        }
    }
}

void tidy_rule_guard(tidy *t, const tidy_source *source)
{
    char ifndef[128] = "", define[128] = "";
    if (!tidy_has_suffix(source->path, ".h"))
        return;
    const char *hash = source->text;
    while ((hash = strchr(hash, '#')) != NULL && hash != source->text && hash[-1] != '\n')
        hash++;
    if (hash == NULL || sscanf(hash, "#ifndef %127s #define %127s", ifndef, define) != 2 || strcmp(ifndef, define) != 0)
        tidy_report(t, source->path, 1, "guard", "no include guard: begin with #ifndef NAME, #define NAME");
}

/* Every exported function stands under a comment, or in a group of lines that does. */
void tidy_rule_documented(tidy *t, const tidy_source *source)
{
    if (!tidy_in_folder(source->path, "core/include/throng"))
        return;
    bool comment = false;
    int number = 1;
    for (const char *line = source->text; *line != '\0'; number++) {
        size_t length = strcspn(line, "\n");
        if (length == 0)
            comment = false;
        for (size_t i = 0; i + 1 < length; i++)
            comment |= (line[i] == '/' && line[i + 1] == '*') || (line[i] == '*' && line[i + 1] == '/');
        if (strncmp(line, "THRONG_API", 10) == 0 && !comment)
            tidy_report(t, source->path, number, "documented",
                        "exported without a comment: say meaning, ownership, units and errors above it");
        line += length;
        line += *line == '\n';
    }
}

/* A source that no meson.build names is built and tested by nobody. */
void tidy_rule_listed(tidy *t, const tidy_source *source)
{
    if (!tidy_has_suffix(source->path, ".c") || !tidy_is_product(source->path))
        return;
    char folder[TIDY_PATH_MAX];
    snprintf(folder, sizeof folder, "%s", source->path);
    for (char *slash; (slash = strrchr(folder, '/')) != NULL;) {
        *slash = '\0';
        char list[TIDY_PATH_MAX + 16], quoted[TIDY_PATH_MAX];
        tidy_source build;
        snprintf(list, sizeof list, "%s/meson.build", folder);
        snprintf(quoted, sizeof quoted, "'%s'", source->path + strlen(folder) + 1);
        if (!tidy_source_read(&build, t->root, list))
            continue;
        bool named = strstr(build.text, quoted) != NULL;
        tidy_source_free(&build);
        if (named)
            return;
    }
    tidy_report(t, source->path, 1, "listed", "in no meson.build: list it in that of its folder, or remove it");
}

static bool folder_has_files(const char *path)
{
    DIR *folder = opendir(path);
    bool found = false;
    if (folder == NULL)
        return false;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        found |= entry->d_name[0] != '.';
    closedir(folder);
    return found;
}

/* A fuzz target is a file with LLVMFuzzerTestOneInput; its corpus has its name. */
void tidy_rule_corpus(tidy *t, const tidy_source *source)
{
    if (!tidy_in_folder(source->path, "fuzz") || !tidy_has_suffix(source->path, ".c"))
        return;
    if (strstr(source->code, "LLVMFuzzerTestOneInput") == NULL)
        return;
    char name[TIDY_PATH_MAX], path[TIDY_PATH_MAX + 64], quoted[TIDY_PATH_MAX];
    snprintf(name, sizeof name, "%s", strrchr(source->path, '/') + 1);
    name[strlen(name) - 2] = '\0';
    /* The runner, and the target that tests it. */
    if (strcmp(name, "corpus") == 0 || strcmp(name, "count") == 0)
        return;
    snprintf(path, sizeof path, "%s/fuzz/corpus/%.900s", t->root, name);
    if (!folder_has_files(path))
        tidy_report(t, source->path, 1, "corpus", "no corpus: put a few inputs into fuzz/corpus/%s", name);
    snprintf(quoted, sizeof quoted, "'%.900s'", name);
    tidy_source build;
    if (!tidy_source_read(&build, t->root, "fuzz/meson.build"))
        return;
    if (strstr(build.text, quoted) == NULL)
        tidy_report(t, source->path, 1, "listed", "not among fuzz_targets in fuzz/meson.build: name it there");
    tidy_source_free(&build);
}
