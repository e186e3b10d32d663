/* tidy ROOT: walks the tree and holds every file to the rules. Exits 1 if there is a finding. */
#define _DEFAULT_SOURCE /* scandir, lstat */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tidy.h"

static void (*const rules[])(tidy *, const tidy_source *) = {
    tidy_rule_layers, tidy_rule_length,     tidy_rule_state,  tidy_rule_banned, tidy_rule_marks,
    tidy_rule_guard,  tidy_rule_documented, tidy_rule_listed, tidy_rule_corpus,
};

/* What is not ours to keep tidy: build trees, version control, the bad examples of this test and what is
 * said of them, inputs of the fuzzers. */
static bool is_skipped(const char *path, const char *name)
{
    static const char *const skipped[] = {"tests/tidy/bad", "tests/tidy/expected", "fuzz/corpus"};
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
        if (strcmp(path, skipped[i]) == 0)
            return true;
    bool build_tree = strchr(path, '/') == NULL && (strcmp(name, "build") == 0 || strncmp(name, "build-", 6) == 0);
    return build_tree || strcmp(name, "node_modules") == 0 || (name[0] == '.' && strcmp(name, ".ci") != 0);
}

static void check_file(tidy *t, const char *path)
{
    tidy_source source;
    if (!tidy_source_read(&source, t->root, path))
        return;
    t->files++;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        rules[i](t, &source);
    tidy_source_free(&source);
}

static void walk(tidy *t, const char *folder)
{
    char full[TIDY_PATH_MAX], path[TIDY_PATH_MAX];
    snprintf(full, sizeof full, "%s/%s", t->root, folder);
    struct dirent **entries;
    int count = scandir(full, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        struct stat info;
        int length = snprintf(path, sizeof path, "%s%s%s", folder, folder[0] == '\0' ? "" : "/", name);
        int whole = snprintf(full, sizeof full, "%s/%s", t->root, path);
        bool fits = length < (int)sizeof path && whole < (int)sizeof full;
        if (fits && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !is_skipped(path, name) &&
            lstat(full, &info) == 0) {
            if (S_ISDIR(info.st_mode))
                walk(t, path);
            else if (S_ISREG(info.st_mode))
                check_file(t, path);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: tidy ROOT\n");
        return 2;
    }
    tidy t = {.root = argv[1]};
    tidy_exceptions_read(&t);
    walk(&t, "");
    for (int i = 0; i < t.exceptions_count; i++)
        if (!t.exceptions[i].used)
            tidy_report(&t, "tests/tidy/exceptions", 1, "exceptions", "%s %s is no longer there: remove its line",
                        t.exceptions[i].path, t.exceptions[i].name);
    printf("%d files, %d findings\n", t.files, t.findings);
    if (t.files == 0) {
        fprintf(stderr, "tidy: no files under %s\n", argv[1]);
        return 2;
    }
    return t.findings > 0;
}
