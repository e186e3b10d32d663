#include "outcome.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "units.h"

static double seconds_of(const throng_transfer *transfer)
{
    return (double)(transfer->ended - transfer->began) / (double)THRONG_SECOND;
}

static uint64_t sum(const throng_shares *shares)
{
    return shares->left_over + shares->origin + shares->seeder + shares->peers;
}

char *throng_outcome_json(const throng_transfer *transfer)
{
    const throng_shares *shares = &transfer->shares;
    bool good = transfer->code == THRONG_EXIT_OK;
    double seconds = (double)(int64_t)(seconds_of(transfer) * 1000 + 0.5) / 1000;
    json_t *root =
        json_pack("{s:s, s:s, s:I, s:f, s:{s:I, s:I, s:I}, s:I, s:b, s:I, s:i}", "url",
                  transfer->shown_url == NULL ? "" : transfer->shown_url, "file", throng_sink_name(transfer->sink),
                  "bytes", (json_int_t)(good ? (uint64_t)transfer->size : sum(shares)), "seconds", seconds, "from",
                  "origin", (json_int_t)shares->origin, "seeder", (json_int_t)shares->seeder, "peers",
                  (json_int_t)shares->peers, "uploaded", (json_int_t)shares->uploaded, "verified",
                  transfer->verified ? 1 : 0, "left_over", (json_int_t)shares->left_over, "exit", (int)transfer->code);
    if (root != NULL && transfer->member != NULL) {
        json_object_set_new(root, "found_by", json_string(transfer->from_group ? "group" : "server"));
    }
    if (root != NULL && transfer->code != THRONG_EXIT_OK) {
        json_object_set_new(root, "error", json_string(transfer->problem));
    }
    char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(12));
    json_decref(root);
    return text;
}

static size_t add(char *ret, size_t size, size_t at, const char *before, uint64_t bytes, const char *after)
{
    char figure[8];
    if (at >= size) {
        return at;
    }
    throng_size_format(bytes, figure);
    return at + (size_t)snprintf(ret + at, size - at, "%s%s%s", before, figure, after);
}

static size_t add_share(char *ret, size_t size, size_t at, bool *first, uint64_t bytes, const char *after)
{
    if (bytes == 0) {
        return at;
    }
    at = add(ret, size, at, *first ? ": " : ", ", bytes, after);
    *first = false;
    return at;
}

void throng_outcome_summary(const throng_transfer *transfer, char *ret, size_t size)
{
    const throng_shares *shares = &transfer->shares;
    char took[32];
    bool first = true;
    snprintf(took, sizeof(took), " in %.1f s", seconds_of(transfer));
    size_t at = add(ret, size, 0, "got ", (uint64_t)transfer->size, took);
    at = add_share(ret, size, at, &first, shares->peers, " from peers");
    at = add_share(ret, size, at, &first, shares->seeder, " from the seeder");
    at = add_share(ret, size, at, &first, shares->origin, " from the origin");
    at = add_share(ret, size, at, &first, shares->left_over, " was here");
    if (shares->uploaded > 0) {
        at = add(ret, size, at, "; gave ", shares->uploaded, " to peers");
    }
    if (at < size) {
        snprintf(ret + at, size - at, "%s", transfer->verified ? "; verified" : "");
    }
}

static void format_bar(uint64_t done, uint64_t size, size_t width, char *ret)
{
    size_t full = size == 0 ? width : (size_t)((double)done / (double)size * (double)width);
    full = full < width ? full : width;
    memset(ret, '#', full);
    memset(ret + full, '.', width - full);
    ret[width] = '\0';
}

static unsigned percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (unsigned)((double)part * 100 / (double)whole + 0.5);
}

void throng_progress_format(const throng_progress *progress, size_t columns, char *ret, size_t size)
{
    enum { BAR = 20, LONG = 96, SHORT = 48 };
    char done[8];
    char rate[8];
    char left[16];
    char bar[BAR + 1];
    char who[64] = "";
    char head[64];
    const throng_shares *shares = &progress->shares;
    uint64_t got = shares->origin + shares->seeder + shares->peers;
    throng_size_format(progress->done, done);
    throng_size_format(progress->rate, rate);
    if (progress->size >= 0) {
        uint64_t whole = (uint64_t)progress->size;
        uint64_t missing = whole > progress->done ? whole - progress->done : 0;
        throng_duration_format(progress->rate == 0 ? UINT64_MAX : missing / progress->rate, left);
        format_bar(progress->done, whole, BAR, bar);
        snprintf(head, sizeof(head), "%3u%% [%s] ", whole == 0 ? 100 : percent(progress->done, whole), bar);
    } else {
        snprintf(left, sizeof(left), "--:--");
        snprintf(head, sizeof(head), "     ");
    }
    if (got > 0 && columns >= LONG) {
        snprintf(who, sizeof(who), "  peers %u%% seeder %u%% origin %u%%", percent(shares->peers, got),
                 percent(shares->seeder, got), percent(shares->origin, got));
    }
    snprintf(ret, size, "%s%5s  %5s/s  %s left%s", columns >= SHORT ? head : "", done, rate, left, who);
    if (strlen(ret) >= columns && columns > 0) {
        ret[columns - 1] = '\0';
    }
}
