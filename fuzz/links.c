/* Pages and style sheets out of any text: what is found is a path on this site that can be asked for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/links.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool check(const char *uri, void *user)
{
    size_t *left = user;
    if (uri[0] != '/' || strlen(uri) > LINKS_URI_MAX)
        abort();
    for (const char *at = uri; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || *at == '#' || *at == '\\')
            abort();
    return --*left > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const links_base base = {.uri = "/a/b/page.html?q=/x", .host = "example.org:8080", .tls = true};
    size_t left = 128;
    links_in_html((const char *)data, size, &base, check, &left);
    left = 128;
    links_in_css((const char *)data, size, &base, check, &left);
    left = 128;
    links_in_script((const char *)data, size, &base, check, &left);
    return 0;
}
