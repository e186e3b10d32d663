/* URLs as fetch.c needs them, on libcurl's own parser. */
#ifndef THRONG_NET_FETCH_URL_H
#define THRONG_NET_FETCH_URL_H

#include <curl/curl.h>
#include <stdbool.h>

/* Schemes that we speak, and those of them that a redirect may lead to; NULL at the end. */
extern const char *const throng_url_spoken[];
extern const char *const throng_url_followed[];

bool throng_url_has_scheme(CURLU *url, const char *const *schemes);
/* Reads a URL; NULL and an error when it is none of ours. */
CURLU *throng_url_parse(const char *text, int *ret_error);
/* The URL without user and password, to be given to curl_free. */
int throng_url_bare(CURLU *url, char **ret);

#endif
