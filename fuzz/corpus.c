/* Runs a fuzz target on the files of its corpus: what libFuzzer's -runs=0 does, for any compiler.
 *   corpus-NAME FOLDER|FILE...
 * Each input lies in a block of exactly its size, so that ASan sees a read past its end. */
#define _DEFAULT_SOURCE /* scandir, fileno */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    if (file == NULL || fstat(fileno(file), &info) != 0) {
        perror(path);
        if (file != NULL)
            fclose(file);
        return -1;
    }
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        perror(path);
        free(data);
        fclose(file);
        return -1;
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

/* Returns how many files were run, or -1. */
static int run_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        perror(path);
        return -1;
    }
    int files = 0;
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && files >= 0)
            files = run_file(name) == 0 ? files + 1 : -1;
        free(entries[i]);
    }
    free(entries);
    return files;
}

int main(int argc, char **argv)
{
    int inputs = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        bool folder = stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode);
        int run = folder ? run_folder(argv[i]) : run_file(argv[i]) == 0 ? 1 : -1;
        if (run < 0)
            return 1;
        inputs += run;
    }
    printf("%d inputs\n", inputs);
    if (inputs == 0) {
        fprintf(stderr, "%s: no inputs: a target without a corpus tests nothing\n", argv[0]);
        return 1;
    }
    return 0;
}
