#include "value.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60e6

typedef struct suffix {
    const char *text;
    double factor;
} suffix;

typedef struct form {
    suffix suffixes[6];
    bool whole;
    const char *wanted;
} form;

static const form forms[] = {
    [SCENARIO_BYTES] = {{{"", 1}, {"K", 1024}, {"M", 1048576}, {"G", 1073741824}},
                        true,
                        "a size (a number, then K, M or G if need be)"},
    [SCENARIO_RATE] = {{{"", 1}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}},
                       true,
                       "a rate (bits a second, then k, m or g if need be)"},
    [SCENARIO_TIME] = {{{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", MINUTE}, {"h", 60 * MINUTE}},
                       true,
                       "a time (a number and us, ms, s, m or h)"},
    [SCENARIO_COUNT] = {{{"", 1}}, true, "a whole number"},
    [SCENARIO_NUMBER] = {{{"", 1}}, false, "a number"},
    [SCENARIO_SHARE] = {{{"", 1}, {"%", 0.01}}, false, "a share (0 to 1, or a percentage)"},
};

int scenario_complain(char error[SCENARIO_ERROR_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, SCENARIO_ERROR_MAX, format, args);
    va_end(args);
    return -1;
}

static int parse_choice(const scenario_key *key, const char *text, double *ret, char error[SCENARIO_ERROR_MAX])
{
    const char *word = key->choices;
    size_t length = strlen(text);
    for (int place = 0;; place++) {
        size_t word_length = strcspn(word, "|");
        if (word_length == length && memcmp(word, text, length) == 0) {
            *ret = place;
            return 0;
        }
        if (!word[word_length])
            return scenario_complain(error, "%s = %s: not one of %s", key->name, text, key->choices);
        word += word_length + 1;
    }
}

/* strtod would take "inf", "0x10" and leading blanks: only plain decimals are wanted, and then a suffix of the form. */
static int parse_number(const form *f, const char *text, double *ret)
{
    size_t digits = strspn(text, "0123456789.");
    if (digits == 0 || digits > 30 || text[0] == '.')
        return -1;
    char *end;
    double value = strtod(text, &end);
    if ((size_t)(end - text) != digits)
        return -1;
    const suffix *s = f->suffixes;
    while (s->text && strcmp(s->text, end) != 0)
        s++;
    bool zero = value == 0 && *end == '\0'; /* needs no unit */
    if (!s->text && !zero)
        return -1;
    value *= zero ? 1 : s->factor;
    if (f->whole && value < 9e15 && value != (double)(uint64_t)value)
        return -1;
    *ret = value;
    return 0;
}

int scenario_value_parse(const scenario_key *key, const char *text, double *ret, char error[SCENARIO_ERROR_MAX])
{
    if (key->type == SCENARIO_CHOICE)
        return parse_choice(key, text, ret, error);
    const form *f = &forms[key->type];
    double value;
    if (parse_number(f, text, &value) < 0)
        return scenario_complain(error, "%s = %s: not %s", key->name, text, f->wanted);
    if (value < key->min || value > key->max) {
        char min[32], max[32];
        scenario_value_format(key, key->min, min, sizeof min);
        scenario_value_format(key, key->max, max, sizeof max);
        return scenario_complain(error, "%s = %s: out of range (%s to %s)", key->name, text, min, max);
    }
    *ret = value;
    return 0;
}

static void format_choice(const scenario_key *key, int place, char *text, size_t size_max)
{
    const char *word = key->choices;
    for (int n = 0; n < place; n++)
        word += strcspn(word, "|") + 1;
    snprintf(text, size_max, "%.*s", (int)strcspn(word, "|"), word);
}

void scenario_value_format(const scenario_key *key, double value, char *text, size_t size_max)
{
    if (key->type == SCENARIO_CHOICE) {
        format_choice(key, (int)value, text, size_max);
        return;
    }
    if (key->type == SCENARIO_SHARE) {
        snprintf(text, size_max, "%g%%", value * 100);
        return;
    }
    /* The largest unit that leaves a whole number. */
    const suffix *best = NULL;
    for (const suffix *s = forms[key->type].suffixes; s->text && value != 0; s++) {
        double scaled = value / s->factor;
        if (scaled == (double)(uint64_t)scaled && scaled >= 1)
            best = s;
    }
    snprintf(text, size_max, "%.10g%s", value / (best ? best->factor : 1), best ? best->text : "");
}
