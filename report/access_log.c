#include "access_log.h"

#include <string.h>

/* What is left of the line. */
typedef struct rest {
    const char *at, *end;
} rest;

/* "17/May/2015:10:05:03 +0000" */
enum { TIME_SIZE = 26, YEAR_MIN = 1970, YEAR_MAX = 2099 };

static int malformed(const char **ret_what, const char *what)
{
    *ret_what = what;
    return THRONG_ERR_MALFORMED;
}

static bool expect(rest *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* A number of exactly `digits` at a place that is there; -1: something else stands there. */
static int32_t number_at(const char *at, int digits)
{
    int32_t value = 0;
    for (int i = 0; i < digits; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

static int32_t month_at(const char *at)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int32_t i = 0; i < 12; i++)
        if (memcmp(at, names + (size_t)i * 3, 3) == 0)
            return i + 1;
    return -1;
}

static bool is_leap(int32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970 to a date in the Gregorian calendar, or -1 if there is no such date. */
static int64_t days_to(int32_t year, int32_t month, int32_t day)
{
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || day < 1)
        return -1;
    int32_t leap = is_leap(year), last = before[month] - before[month - 1] + (month == 2 ? leap : 0);
    if (day > last)
        return -1;
    int32_t y = year - 1; /* leap days lie in the years before */
    int64_t leaps = y / 4 - y / 100 + y / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    return (int64_t)(year - 1970) * 365 + leaps + before[month - 1] + (month > 2 ? leap : 0) + day - 1;
}

/* "17/May/2015:10:05:03 +0200": that many seconds east of UTC are taken away. */
static int64_t time_at(const char *at)
{
    int64_t days = at[2] == '/' && at[6] == '/' && at[11] == ':'
                       ? days_to(number_at(at + 7, 4), month_at(at + 3), number_at(at, 2))
                       : -1;
    int32_t hour = number_at(at + 12, 2), minute = number_at(at + 15, 2), second = number_at(at + 18, 2);
    int32_t zone_hours = number_at(at + 22, 2), zone_minutes = number_at(at + 24, 2);
    bool valid = days >= 0 && at[14] == ':' && at[17] == ':' && at[20] == ' ' && (at[21] == '+' || at[21] == '-') &&
                 hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 &&
                 second <= 60 && /* a leap second */
                 zone_hours >= 0 && zone_hours <= 14 && zone_minutes >= 0 && zone_minutes <= 59;
    if (!valid)
        return -1;
    int64_t east = (int64_t)zone_hours * 3600 + (int64_t)zone_minutes * 60;
    return days * 86400 + (int64_t)hour * 3600 + (int64_t)minute * 60 + second + (at[21] == '+' ? -east : east);
}

/* The quote that ends the request; before it, quotes stand behind a backslash (Apache) or as \x22 (nginx). */
static const char *closing_quote(const rest *r)
{
    for (const char *at = r->at; (at = memchr(at, '"', (size_t)(r->end - at))) != NULL; at++) {
        size_t backslashes = 0;
        while (at - backslashes > r->at && at[-1 - (ptrdiff_t)backslashes] == '\\')
            backslashes++;
        if (backslashes % 2 == 0)
            return at;
    }
    return NULL;
}

/* METHOD URL [PROTOCOL]. What is not a request (garbage on the port, nothing at all) leaves method and URL empty. */
static void read_request(const char *at, const char *end, report_request *ret)
{
    const char *space = memchr(at, ' ', (size_t)(end - at));
    if (space == NULL || space == at)
        return;
    for (const char *c = at; c < space; c++)
        if (*c < 'A' || *c > 'Z')
            return;
    const char *url = space + 1, *last = end;
    /* A URL with a space in it is taken as it is: the protocol is behind the last one. */
    for (const char *c = end; c > url; c--) {
        if (c[-1] == ' ') {
            last = end - c >= 5 && memcmp(c, "HTTP/", 5) == 0 ? c - 1 : end;
            break;
        }
    }
    if (url >= last)
        return;
    ret->method = at;
    ret->method_size = (size_t)(space - at);
    ret->url = url;
    ret->url_size = (size_t)(last - url);
}

static int read_status(rest *r, report_request *ret, const char **ret_what)
{
    if (!expect(r, ' ') || r->end - r->at < 3 || number_at(r->at, 3) < 100)
        return malformed(ret_what, "no status behind the request");
    ret->status = (uint32_t)number_at(r->at, 3);
    r->at += 3;
    if (!expect(r, ' '))
        return malformed(ret_what, "no number of bytes behind the status");
    const char *start = r->at;
    uint64_t bytes = 0;
    if (!expect(r, '-'))
        for (; r->at < r->end && *r->at >= '0' && *r->at <= '9' && bytes < UINT64_MAX / 16; r->at++)
            bytes = bytes * 10 + (uint64_t)(*r->at - '0');
    if (r->at == start || (r->at < r->end && *r->at != ' '))
        return malformed(ret_what, "no number of bytes behind the status");
    ret->bytes = bytes;
    return 1;
}

/* "192.0.2.1", or what could be one of IPv6. */
static bool is_address(const char *at, size_t size)
{
    size_t dots = 0, colons = 0;
    for (size_t i = 0; i < size; i++) {
        bool hex = (at[i] >= '0' && at[i] <= '9') || (at[i] >= 'a' && at[i] <= 'f');
        dots += at[i] == '.';
        colons += at[i] == ':';
        if (!hex && at[i] != '.' && at[i] != ':')
            return false;
    }
    return dots == 3 || colons >= 2;
}

/* CLIENT IDENT USER, and what `at` stands on then is the bracket of the time. */
static int read_who(rest *r, report_request *ret, const char **ret_what)
{
    const char *space = memchr(r->at, ' ', (size_t)(r->end - r->at));
    if (space == NULL || space == r->at)
        return malformed(ret_what, "no client at the start");
    const char *bracket = memchr(space, '[', (size_t)(r->end - space));
    while (bracket != NULL && bracket[-1] != ' ') /* of a user's name */
        bracket = memchr(bracket + 1, '[', (size_t)(r->end - bracket - 1));
    if (bracket == NULL)
        return malformed(ret_what, "no [time]");
    const char *second = memchr(space + 1, ' ', (size_t)(bracket - space - 1));
    if (second == NULL)
        return malformed(ret_what, "less than three fields before the time");
    if (!is_address(r->at, (size_t)(space - r->at)) && is_address(space + 1, (size_t)(second - space - 1)))
        return malformed(ret_what, "the client is not the first field (a log with virtual hosts?)");
    ret->client = r->at;
    ret->client_size = (size_t)(space - r->at);
    r->at = bracket + 1;
    return 1;
}

int report_access_line(const char *line, size_t size, report_request *ret, const char **ret_what)
{
    report_request request = {.method = line, .url = line};
    rest r = {line, line + size};
    if (size > 0 && r.end[-1] == '\r')
        r.end--;
    if (r.at == r.end || *r.at == '#')
        return 0;
    int result = read_who(&r, &request, ret_what);
    if (result < 0)
        return result;
    int64_t time = r.end - r.at > TIME_SIZE ? time_at(r.at) : -1;
    if (time < 0)
        return malformed(ret_what, "no time as in [17/May/2015:10:05:03 +0000]");
    r.at += TIME_SIZE;
    if (!expect(&r, ']') || !expect(&r, ' ') || !expect(&r, '"'))
        return malformed(ret_what, "no \"request\" behind the time");
    const char *quote = closing_quote(&r);
    if (quote == NULL)
        return malformed(ret_what, "the request does not end");
    read_request(r.at, quote, &request);
    r.at = quote + 1;
    result = read_status(&r, &request, ret_what);
    if (result < 0)
        return result;
    request.time_s = (uint64_t)time;
    *ret = request;
    return 1;
}
