/* A folder of a test's own, gone after it with all that is in it. */
#ifndef TEST_CONTENT_TEMP_DIR_H
#define TEST_CONTENT_TEMP_DIR_H

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct temp_dir {
    char path[128];
    char file[256]; /* the last made by temp_path */
} temp_dir;

static inline void temp_dir_make(temp_dir *dir)
{
    const char *base = getenv("TMPDIR");
    snprintf(dir->path, sizeof dir->path, "%s/throng-test-XXXXXX", base ? base : "/tmp");
    char *made = mkdtemp(dir->path);
    assert(made);
    (void)made;
}

static inline const char *temp_path(temp_dir *dir, const char *name)
{
    snprintf(dir->file, sizeof dir->file, "%s/%s", dir->path, name);
    return dir->file;
}

static inline int temp_remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void temp_dir_remove(temp_dir *dir)
{
    nftw(dir->path, temp_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
