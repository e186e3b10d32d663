/* The shape of the code: lengths of files and functions, mutable state, banned functions. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tidy.h"

static bool is_c(const char *path)
{
    return tidy_has_suffix(path, ".c") || tidy_has_suffix(path, ".h");
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Does the word stand in code[from, to)? */
static bool has_word(const char *code, size_t from, size_t to, const char *word)
{
    size_t length = strlen(word);
    for (size_t at = from; at + length <= to; at++)
        if (strncmp(code + at, word, length) == 0 && (at == 0 || !is_word(code[at - 1])) && !is_word(code[at + length]))
            return true;
    return false;
}

static size_t skip_blanks(const char *code, size_t at)
{
    return at + strspn(code + at, " \t\n");
}

/* Past the brace that closes the one at `at`. */
static size_t skip_braces(const char *code, size_t at)
{
    int depth = 0;
    do {
        depth += (code[at] == '{') - (code[at] == '}');
        at++;
    } while (depth > 0 && code[at] != '\0');
    return at;
}

/* One thing at file scope: a function, a declaration, a type. */
typedef struct item {
    size_t from;  /* first character */
    size_t brace; /* the first `{`, or end */
    size_t end;   /* past the closing brace or semicolon */
    bool function;
} item;

static bool next_item(const char *code, size_t at, item *ret)
{
    at = skip_blanks(code, at);
    if (code[at] == '\0')
        return false;
    item found = {.from = at};
    while (code[at] != '\0' && code[at] != ';') {
        if (code[at] != '{') {
            at++;
            continue;
        }
        size_t before = at;
        while (before > found.from && isspace((unsigned char)code[before - 1]))
            before--;
        if (found.brace == 0) {
            found.brace = at;
            found.function = code[before - 1] == ')' && memchr(code + found.from, '=', at - found.from) == NULL;
        }
        at = skip_braces(code, at);
        if (found.function)
            break;
    }
    if (!found.function && code[at] == ';')
        at++;
    found.end = at;
    if (found.brace == 0)
        found.brace = found.end;
    *ret = found;
    return true;
}

/* The word before the first parenthesis. */
static void name_of(const char *code, const item *it, char ret[128])
{
    size_t end = it->from;
    while (end < it->brace && code[end] != '(')
        end++;
    while (end > it->from && !is_word(code[end - 1]))
        end--;
    size_t from = end;
    while (from > it->from && is_word(code[from - 1]))
        from--;
    snprintf(ret, 128, "%.*s", (int)(end - from), code + from);
}

void tidy_rule_length(tidy *t, const tidy_source *source)
{
    if (!is_c(source->path) || !(tidy_is_product(source->path) || tidy_in_folder(source->path, "fuzz") ||
                                 tidy_in_folder(source->path, "tests") || tidy_in_folder(source->path, "bench")))
        return;
    int lines = tidy_source_line(source, source->size) - 1;
    int allowed = tidy_lines_allowed(t, source->path, "*", TIDY_FILE_LINES_MAX);
    if (lines > allowed)
        tidy_report(t, source->path, lines, "length", "%d lines, %d allowed: split it, one thing a file", lines,
                    allowed);
    if (!tidy_is_product(source->path))
        return;
    item it;
    for (size_t at = 0; next_item(source->code, at, &it); at = it.end) {
        if (!it.function)
            continue;
        char name[128];
        name_of(source->code, &it, name);
        int first = tidy_source_line(source, it.from);
        lines = tidy_source_line(source, it.end - 1) - first + 1;
        allowed = tidy_lines_allowed(t, source->path, name, TIDY_FUNCTION_LINES_MAX);
        if (lines > allowed)
            tidy_report(t, source->path, first, "length",
                        "%s has %d lines, %d allowed: give its parts names of their own", name, lines, allowed);
    }
}

/* Is the declaration code[from, to) of something that can change? Its initialiser does not matter; of a pointer, the
 * pointer itself must be const. */
static bool is_mutable(const char *code, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (code[i] == '=' || code[i] == '{')
            to = i;
    size_t star = from;
    for (size_t i = from; i < to; i++)
        if (code[i] == '*')
            star = i;
    return !has_word(code, star, to, "const");
}

static bool is_variable(const char *code, const item *it)
{
    static const char *const others[] = {"typedef", "extern", "_Static_assert"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (has_word(code, it->from, it->brace, others[i]))
            return false;
    if (it->function)
        return false;
    const char *equals = memchr(code + it->from, '=', it->brace - it->from);
    const char *open = memchr(code + it->from, '(', it->brace - it->from);
    if (equals == NULL && open != NULL)
        return strncmp(open, "(*", 2) == 0; /* a prototype, or a pointer to a function */
    if (equals == NULL && it->brace < it->end) {
        /* A type, unless something is declared behind its closing brace. */
        size_t after = skip_blanks(code, skip_braces(code, it->brace));
        return code[after] != ';';
    }
    return it->end > it->from + 1;
}

static void check_statics_inside(tidy *t, const tidy_source *source, const item *it)
{
    const char *code = source->code;
    for (size_t at = it->brace; at < it->end; at++) {
        if (strncmp(code + at, "static", 6) != 0 || is_word(code[at - 1]) || is_word(code[at + 6]))
            continue;
        size_t end = at + strcspn(code + at, ";");
        if (is_mutable(code, at, end))
            tidy_report(t, source->path, tidy_source_line(source, at), "state",
                        "a static that can change: keep it in the object that owns it");
    }
}

void tidy_rule_state(tidy *t, const tidy_source *source)
{
    if (!tidy_has_suffix(source->path, ".c") || !tidy_in_folder(source->path, "core"))
        return;
    item it;
    for (size_t at = 0; next_item(source->code, at, &it); at = it.end) {
        if (it.function)
            check_statics_inside(t, source, &it);
        else if (is_variable(source->code, &it) && is_mutable(source->code, it.from, it.end))
            tidy_report(t, source->path, tidy_source_line(source, it.from), "state",
                        "mutable at file scope: keep it in the object that owns it, or make it const");
    }
}

typedef struct ban {
    const char *folder; /* NULL: everywhere */
    const char *name;
    const char *instead;
} ban;

static const ban bans[] = {
    {NULL, "strcpy", "snprintf, or memcpy of a known size"},
    {NULL, "strcat", "snprintf at a known offset"},
    {NULL, "strncpy", "snprintf, or memcpy of a known size"},
    {NULL, "strncat", "snprintf at a known offset"},
    {NULL, "sprintf", "snprintf"},
    {NULL, "vsprintf", "vsnprintf"},
    {NULL, "gets", "fgets"},
    {NULL, "strtok", "strtok_r, or strcspn"},
    {NULL, "atoi", "strtoul, with its end and range checked"},
    {NULL, "atol", "strtoul, with its end and range checked"},
    {NULL, "atof", "strtod, with its end checked"},
    {NULL, "alloca", "an array of a fixed size, or memory from the allocator"},
    {NULL, "rand", "getrandom or RAND_bytes; the node's entropy in core/; the scenario's seed in sim/"},
    {NULL, "srand", "getrandom or RAND_bytes; the node's entropy in core/; the scenario's seed in sim/"},
    {NULL, "random", "getrandom or RAND_bytes; the node's entropy in core/; the scenario's seed in sim/"},
    {NULL, "gettimeofday", "the `now` that was given; clock_gettime at the edge"},
    {NULL, "localtime", "localtime_r"},
    {NULL, "gmtime", "gmtime_r"},
    {NULL, "ctime", "strftime"},
    {NULL, "tmpnam", "mkstemp or mkdtemp"},
    {NULL, "mktemp", "mkstemp or mkdtemp"},
    {NULL, "system", "posix_spawn, which no shell reads"},
    {NULL, "popen", "posix_spawn, which no shell reads"},
    {"core", "malloc", "throng_alloc"},
    {"core", "calloc", "throng_alloc"},
    {"core", "realloc", "throng_alloc"},
    {"core", "free", "throng_alloc"},
    {"core", "printf", "a return code, or a typed event"},
    {"core", "fprintf", "a return code, or a typed event"},
    {"core", "snprintf", "the writer of core/wire/cursor.h"},
    {"core", "puts", "a return code, or a typed event"},
    {"core", "abort", "an assert of our own mistakes; a return code for anything else"},
    {"core", "exit", "a return code"},
    {"core", "getenv", "a field of the configuration"},
    {"core", "clock_gettime", "the `now` that was given"},
    {"core", "time", "the `now` that was given"},
    {"sim", "time", "the world's virtual `now`"},
    {"nginx", "time", "ngx_time()"},
    {"core", "qsort", "a sort of bounded size that allocates nothing"},
};

static void check_call(tidy *t, const tidy_source *source, size_t at, size_t length)
{
    for (size_t i = 0; i < sizeof bans / sizeof *bans; i++) {
        if (strlen(bans[i].name) != length || strncmp(source->code + at, bans[i].name, length) != 0)
            continue;
        if (bans[i].folder == NULL || tidy_in_folder(source->path, bans[i].folder))
            tidy_report(t, source->path, tidy_source_line(source, at), "banned", "%s: use %s", bans[i].name,
                        bans[i].instead);
    }
}

void tidy_rule_banned(tidy *t, const tidy_source *source)
{
    if (!is_c(source->path) || !tidy_is_product(source->path))
        return;
    const char *code = source->code;
    for (size_t at = 0; at < source->size;) {
        size_t length = 0;
        while (is_word(code[at + length]))
            length++;
        if (length == 0) {
            at++;
            continue;
        }
        /* A member of that name (x.time, x->free) is no call of the library's. */
        bool member = at > 0 && (code[at - 1] == '.' || code[at - 1] == '>');
        if (!member && code[skip_blanks(code, at + length)] == '(')
            check_call(t, source, at, length);
        at += length;
    }
}
