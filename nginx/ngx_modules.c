/* What nginx looks for in a dynamic module; its own build writes such a file.
 *
 * The place among the filters: "before" the range filter means that ours runs after all that change headers
 * (add_header, expires, gzip, ranges) and before those that write them, for HTTP/1 and HTTP/2 alike. */
#include <ngx_config.h>

#include <ngx_core.h>

#define EXPORTED __attribute__((visibility("default")))

extern ngx_module_t ngx_http_throng_module;

EXPORTED ngx_module_t *ngx_modules[] = {&ngx_http_throng_module, NULL};

EXPORTED char *ngx_module_names[] = {(char *)"ngx_http_throng_module", NULL};

EXPORTED char *ngx_module_order[] = {(char *)"ngx_http_throng_module", (char *)"ngx_http_range_header_filter_module",
                                     NULL};
