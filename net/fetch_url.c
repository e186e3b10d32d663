#include "fetch_url.h"

#include <string.h>
#include <strings.h>

#include "fetch.h"

bool throng_url_has_scheme(CURLU *url, const char *const *schemes)
{
    char *scheme = NULL;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        return false;
    }
    bool found = false;
    for (size_t i = 0; schemes[i] != NULL && !found; i++) {
        found = strcasecmp(scheme, schemes[i]) == 0;
    }
    curl_free(scheme);
    return found;
}

const char *const throng_url_spoken[] = {"http", "https", "ftp", "ftps", NULL};
const char *const throng_url_followed[] = {"http", "https", NULL};

int throng_url_bare(CURLU *url, char **ret)
{
    CURLU *bare = curl_url_dup(url);
    if (bare == NULL) {
        return THRONG_FETCH_ERR_MEMORY;
    }
    curl_url_set(bare, CURLUPART_USER, NULL, 0);
    curl_url_set(bare, CURLUPART_PASSWORD, NULL, 0);
    CURLUcode code = curl_url_get(bare, CURLUPART_URL, ret, 0);
    curl_url_cleanup(bare);
    return code == CURLUE_OK ? 0 : THRONG_FETCH_ERR_URL;
}

CURLU *throng_url_parse(const char *text, int *ret_error)
{
    CURLU *url = curl_url();
    *ret_error = THRONG_FETCH_ERR_MEMORY;
    if (url == NULL) {
        return NULL;
    }
    if (curl_url_set(url, CURLUPART_URL, text, CURLU_GUESS_SCHEME | CURLU_URLENCODE) != CURLUE_OK ||
        !throng_url_has_scheme(url, throng_url_spoken)) {
        *ret_error = THRONG_FETCH_ERR_URL;
        curl_url_cleanup(url);
        return NULL;
    }
    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    *ret_error = 0;
    return url;
}

char *throng_fetch_shown_url(const char *text)
{
    int error = 0;
    char *shown = NULL;
    char *copy = NULL;
    CURLU *url = throng_url_parse(text, &error);
    if (url == NULL) {
        return NULL;
    }
    if (throng_url_bare(url, &shown) == 0) {
        copy = strdup(shown);
        curl_free(shown);
    }
    curl_url_cleanup(url);
    return copy;
}
