/* A private nginx in a temporary directory, and raw HTTP to it. */
#ifndef THRONG_TESTS_SITE_H
#define THRONG_TESTS_SITE_H

#include <stddef.h>
#include <sys/types.h>
#include <throng/board.h>

enum { SITE_RESPONSE_MAX = 512 * 1024 };

typedef struct site {
    char dir[64];
    char module[1024]; /* ngx_http_throng_module.so */
    const char *user;  /* of the workers, if nginx runs as root; "root" */
    pid_t nginx;
} site;

typedef struct response {
    int status;
    size_t size; /* of everything received */
    char *head;  /* NUL-terminated, without the empty line */
    char *body;
    size_t body_size;
    char bytes[SITE_RESPONSE_MAX + 1];
} response;

/* What may be listened for at 127.0.0.1: by the server with the module, by an origin behind it, by one that speaks
 * HTTP/2. */
typedef enum site_service { SITE_MODULE, SITE_ORIGIN, SITE_H2, SITE_SERVICES } site_service;

/* The port of each: free when the first was asked for, the same for as long as the program runs. */
uint16_t site_port(site_service service);
/* Makes the directory with an empty www/ in it. */
void site_init(site *s, const char *module);
/* Ends nginx and removes the directory. */
void site_free(site *s);
/* Writes www/NAME: `size` bytes of `fill`, modified at mtime_s. */
void site_file(const site *s, const char *name, size_t size, char fill, long mtime_s);
void site_write(const site *s, const char *name, const char *text);
char *site_path(const site *s, const char *name, char path[1200]);
/* Writes nginx.conf: http-wide directives, then those of the one server with the module, then whole further servers.
 * "@DIR@" stands for the directory, "@ORIGIN@" and "@H2@" for address and port of those. */
void site_configure(const site *s, int with_module, const char *http, const char *server, const char *servers);
/* Starts nginx and waits until it answers. */
void site_start(site *s);
/* Has nginx read its configuration again, and waits until the old workers take no more connections. */
void site_reload(const site *s);
void site_stop(site *s);
/* Kills every worker, as a crash would, and waits until others have taken their place. */
void site_kill_workers(const site *s);
/* Runs `nginx -t`; returns its exit code and what it wrote. */
int site_check(const site *s, char *text, size_t text_max);

int site_connect(int port);
/* Sends a request and reads one response: to its Content-Length, or to the end of the connection. */
void site_exchange(int fd, const char *request, response *ret);
/* GET over a connection of its own. `headers`: "Name: value\r\n" each. */
void site_get(int port, const char *path, const char *headers, response *ret);
/* The value of a header, or NULL; in a buffer of the response. */
const char *response_header(const response *r, const char *name, char value[1024]);

throng_time site_now(void);

#endif
