#include "reader.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_SIZE_MAX = 65536, LINE_SIZE_MAX = 256, PLACE_MAX = 200 };

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

static int open_section(const scenario_taker *taker, char section[LINE_SIZE_MAX], char *line,
                        char error[SCENARIO_ERROR_MAX])
{
    char *end = strchr(line, ']');
    if (!end || end[1])
        return scenario_complain(error, "%s: not a section ([name], alone on its line)", line);
    *end = '\0';
    memcpy(section, line + 1, strlen(line));
    return taker->open(taker->self, section, error);
}

static int parse_line(const scenario_taker *taker, char section[LINE_SIZE_MAX], char *line,
                      char error[SCENARIO_ERROR_MAX])
{
    line[strcspn(line, "#")] = '\0';
    line = trim(line);
    if (!*line)
        return 0;
    if (*line == '[')
        return open_section(taker, section, line, error);
    char *equals = strchr(line, '=');
    if (!equals)
        return scenario_complain(error, "%s: neither a [section] nor key = value", line);
    *equals = '\0';
    if (!*section)
        return scenario_complain(error, "%s: stands before the first [section]", trim(line));
    return taker->assign(taker->self, section, trim(line), trim(equals + 1), error);
}

static int prefix(char error[SCENARIO_ERROR_MAX], const char *place)
{
    char what[SCENARIO_ERROR_MAX];
    memcpy(what, error, sizeof what);
    return scenario_complain(error, "%s: %s", place, what);
}

int scenario_parse(const scenario_taker *taker, const char *path, const char *text, char error[SCENARIO_ERROR_MAX])
{
    char section[LINE_SIZE_MAX] = "";
    for (int number = 1; *text; number++) {
        char line[LINE_SIZE_MAX], place[PLACE_MAX];
        size_t length = strcspn(text, "\n");
        int result;
        if (length < sizeof line) {
            memcpy(line, text, length);
            line[length] = '\0';
            result = parse_line(taker, section, line, error);
        } else
            result = scenario_complain(error, "line longer than %d bytes", LINE_SIZE_MAX - 1);
        if (result < 0) {
            snprintf(place, sizeof place, "%s:%d", path, number);
            return prefix(error, place);
        }
        text += length + (text[length] == '\n');
    }
    return 0;
}

int scenario_set(const scenario_taker *taker, const char *assignment, char error[SCENARIO_ERROR_MAX])
{
    char text[LINE_SIZE_MAX], place[LINE_SIZE_MAX + 8];
    if (strlen(assignment) >= sizeof text)
        return scenario_complain(error, "--set %.60s…: too long", assignment);
    memcpy(text, assignment, strlen(assignment) + 1);
    snprintf(place, sizeof place, "--set %s", text);
    char *equals = strchr(text, '=');
    char *dot = strchr(text, '.');
    if (!equals || !dot || dot > equals)
        return scenario_complain(error, "%s: not section.key=value", place);
    *equals = *dot = '\0';
    if (taker->open(taker->self, text, error) < 0 || taker->assign(taker->self, text, dot + 1, equals + 1, error) < 0)
        return prefix(error, place);
    return 0;
}

char *scenario_load(const char *path, char error[SCENARIO_ERROR_MAX])
{
    FILE *file = fopen(path, "rbe");
    if (!file) {
        scenario_complain(error, "%s: no such scenario can be read", path);
        return NULL;
    }
    char *text = malloc(FILE_SIZE_MAX);
    size_t size = text ? fread(text, 1, FILE_SIZE_MAX, file) : 0;
    bool failed = !text || ferror(file);
    fclose(file);
    const char *why = failed                  ? "can't be read"
                      : size == FILE_SIZE_MAX ? "too long for a scenario"
                      : memchr(text, 0, size) ? "not a text file"
                                              : NULL;
    if (!why) {
        text[size] = '\0';
        return text;
    }
    free(text);
    scenario_complain(error, "%s: %s", path, why);
    return NULL;
}

void scenario_name_of(const char *path, char ret[SCENARIO_NAME_MAX])
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    snprintf(ret, SCENARIO_NAME_MAX, "%.*s", (int)strcspn(name, "."), name);
}
