/* A source file, and its code alone. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidy.h"

static char *read_whole(const char *root, const char *path, size_t *ret_size)
{
    char name[TIDY_PATH_MAX];
    snprintf(name, sizeof name, "%s/%s", root, path);
    FILE *file = fopen(name, "rb");
    if (file == NULL)
        return NULL;
    char *text = NULL;
    size_t size = 0, room = 0;
    for (size_t got = 1; got > 0; size += got) {
        if (room - size < 4096) {
            room = room * 2 + 65536;
            text = realloc(text, room);
            if (text == NULL)
                abort();
        }
        got = fread(text + size, 1, room - size - 1, file);
    }
    fclose(file);
    text[size] = '\0';
    *ret_size = size;
    return text;
}

static void blank(char *code, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (code[i] != '\n')
            code[i] = ' ';
}

/* Past the end of the string or character constant that begins at `at`. */
static size_t skip_quoted(const char *text, size_t at)
{
    char quote = text[at++];
    while (text[at] != '\0' && text[at] != quote && text[at] != '\n')
        at += text[at] == '\\' && text[at + 1] != '\0' ? 2 : 1;
    return text[at] == quote ? at + 1 : at;
}

static size_t skip_comment(const char *text, size_t at)
{
    if (text[at + 1] == '/') {
        while (text[at] != '\0' && text[at] != '\n')
            at++;
        return at;
    }
    const char *end = strstr(text + at + 2, "*/");
    return end == NULL ? at + strlen(text + at) : (size_t)(end - text) + 2;
}

static void blank_comments_and_strings(char *code, const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        if (text[at] == '/' && (text[at + 1] == '*' || text[at + 1] == '/')) {
            size_t end = skip_comment(text, at);
            blank(code, at, end);
            at = end;
        } else if (text[at] == '"' || text[at] == '\'') {
            size_t end = skip_quoted(text, at);
            blank(code, at + 1, end > at + 1 ? end - 1 : end);
            at = end;
        } else
            at++;
    }
}

/* Preprocessor lines with what continues them. */
static void blank_preprocessor(char *code, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t first = at + strspn(code + at, " \t");
        size_t end = first + strcspn(code + first, "\n");
        if (code[first] == '#') {
            while (end < size && code[end - 1] == '\\')
                end += 1 + strcspn(code + end + 1, "\n");
            blank(code, at, end);
        }
        at = end + 1;
    }
}

bool tidy_source_read(tidy_source *ret, const char *root, const char *path)
{
    size_t size;
    char *text = read_whole(root, path, &size);
    if (text == NULL)
        return false;
    char *code = malloc(size + 2);
    if (code == NULL)
        abort();
    memcpy(code, text, size + 1);
    code[size + 1] = '\0';
    blank_comments_and_strings(code, text, size);
    blank_preprocessor(code, size);
    *ret = (tidy_source){.path = path, .text = text, .code = code, .size = size};
    return true;
}

void tidy_source_free(tidy_source *source)
{
    free(source->text);
    free(source->code);
}

int tidy_source_line(const tidy_source *source, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset && i < source->size; i++)
        line += source->text[i] == '\n';
    return line;
}

void tidy_report(tidy *t, const char *path, int line, const char *rule, const char *format, ...)
{
    va_list args;
    printf("%s:%d: %s: ", path, line, rule);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    t->findings++;
}

bool tidy_has_suffix(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

bool tidy_in_folder(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

bool tidy_is_product(const char *path)
{
    static const char *const folders[] = {"core", "net", "scenario", "server", "cli", "sim", "nginx", "lab", "report"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (tidy_in_folder(path, folders[i]))
            return true;
    return false;
}

void tidy_exceptions_read(tidy *t)
{
    char name[TIDY_PATH_MAX], line[512];
    snprintf(name, sizeof name, "%s/tests/tidy/exceptions", t->root);
    FILE *file = fopen(name, "r");
    if (file == NULL)
        return;
    for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        tidy_exception *e = &t->exceptions[t->exceptions_count];
        int reason_at = 0;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        int fields = sscanf(line, "%255s %127s %d %n", e->path, e->name, &e->lines_max, &reason_at);
        if (fields < 3 || line[reason_at] == '\0' || t->exceptions_count == TIDY_EXCEPTIONS_MAX - 1)
            tidy_report(t, "tests/tidy/exceptions", number, "exceptions",
                        "not `path function lines reason`, or too many: write the reason down, or shorten some");
        else
            t->exceptions_count++;
    }
    fclose(file);
}

int tidy_lines_allowed(tidy *t, const char *path, const char *name, int by_rule)
{
    for (int i = 0; i < t->exceptions_count; i++) {
        tidy_exception *e = &t->exceptions[i];
        if (strcmp(e->path, path) == 0 && strcmp(e->name, name) == 0) {
            e->used = true;
            return e->lines_max;
        }
    }
    return by_rule;
}
