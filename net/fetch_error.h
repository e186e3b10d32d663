/* What libcurl says went wrong, as one of fetch.h's codes. */
#ifndef THRONG_NET_FETCH_ERROR_H
#define THRONG_NET_FETCH_ERROR_H

#include <curl/curl.h>

/* 0 or a THRONG_FETCH_ERR_ code. */
int throng_fetch_error_of(CURLcode code);

#endif
