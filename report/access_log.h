/* One line of an access log as web servers write it: the common log format, and the combined one, which has referrer
 * and browser behind. Nothing is copied: texts point into the line. */
#ifndef REPORT_ACCESS_LOG_H
#define REPORT_ACCESS_LOG_H

#include <throng/base.h>

typedef struct report_request {
    const char *client; /* address or name, as the log has it */
    size_t client_size;
    const char *method; /* this and `url` are empty where the client sent something else than a request */
    size_t method_size;
    const char *url; /* as requested, with its query */
    size_t url_size;
    uint64_t time_s; /* seconds since 1970, UTC */
    uint64_t bytes;  /* of the body that was sent; 0 for "-" */
    uint32_t status; /* 100 … 999 */
} report_request;

/* A line without its end. 1: a request; 0: nothing on it, or a comment; THRONG_ERR_MALFORMED, and *ret_what tells why
 * (a static text). Times from 1970 to 2099. */
int report_access_line(const char *line, size_t size, report_request *ret, const char **ret_what);

#endif
