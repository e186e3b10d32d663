#include "serve_config.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

bool serve_config_path_fits(const char *path)
{
    for (; *path != '\0'; path++)
        if ((unsigned char)*path < 0x20 || *path == 0x7f || *path == '$')
            return false;
    return true;
}

static size_t origin_scheme_size(const char *origin)
{
    if (strncmp(origin, "http://", 7) == 0)
        return 7;
    return strncmp(origin, "https://", 8) == 0 ? 8 : 0;
}

bool serve_config_origin_fits(const char *origin)
{
    size_t scheme = origin_scheme_size(origin);
    if (scheme == 0)
        return false;
    const char *host = origin + scheme;
    size_t host_size = strcspn(host, "/");
    size_t name_size = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[]:");
    if (host_size == 0 || name_size != host_size || host[0] == ':' || host[0] == '.')
        return false;
    for (const char *at = host + host_size; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("/._~%-+@!&'()*,=", *at) == NULL)
            return false;
    return true;
}

/* A parameter in double quotes. */
static void quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void directive(FILE *out, const char *name, const char *directory, const char *rest)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s%s", directory, rest);
    fputs(name, out);
    fputc(' ', out);
    quoted(out, path);
    fputs(";\n", out);
}

static void write_main(const serve_config *c, FILE *out)
{
    directive(out, "load_module", c->module, "");
    if (c->user != NULL)
        fprintf(out, "user %s;\n", c->user);
    fputs("daemon off;\n"
          "worker_processes auto;\n"
          "worker_shutdown_timeout 60s;\n",
          out);
    directive(out, "pid", c->runtime, "/nginx.pid");
    directive(out, "error_log", c->state, "/error.log");
    /* Under the soft limit of 1,024 descriptors that most systems have, unless that is raised. */
    fputs("events {\n"
          "    worker_connections 4096;\n"
          "}\n"
          "worker_rlimit_nofile 16384;\n",
          out);
}

static void write_types(const serve_config *c, FILE *out)
{
    if (c->mime_types != NULL)
        directive(out, "    include", c->mime_types, "");
    else
        fputs("    types {\n"
              "        text/html html htm;\n"
              "        text/css css;\n"
              "        text/plain txt;\n"
              "        application/javascript js mjs;\n"
              "        application/json json;\n"
              "        application/wasm wasm;\n"
              "        image/png png;\n"
              "        image/jpeg jpeg jpg;\n"
              "        image/svg+xml svg;\n"
              "        image/webp webp;\n"
              "        video/mp4 mp4;\n"
              "        video/webm webm;\n"
              "        font/woff2 woff2;\n"
              "    }\n",
              out);
    fputs("    default_type application/octet-stream;\n", out);
}

static void write_browsers(const serve_config *c, FILE *out)
{
    if (c->browsers == NULL) {
        fputs("    throng_browsers off;\n", out); /* workers of earlier days are told to go */
        return;
    }
    fputs("    throng_browsers ", out);
    quoted(out, c->browsers);
    fputs(c->no_badge ? " nobadge;\n" : ";\n", out);
}

/* The address must be nginx's own word, whatever the browser says. */
static void write_signal_location(const char *socket_directory, FILE *out)
{
    fprintf(out,
            "        location = /.throng/ws {\n"
            "            throng off;\n"
            "            proxy_pass \"http://unix:%s\";\n"
            "            proxy_http_version 1.1;\n"
            "            proxy_set_header Upgrade $http_upgrade;\n"
            "            proxy_set_header Connection upgrade;\n"
            "            proxy_set_header Host $http_host;\n"
            "            proxy_set_header X-Forwarded-For $remote_addr;\n"
            "            proxy_buffer_size 4k;\n"
            "            proxy_read_timeout 120s;\n"
            "            proxy_send_timeout 120s;\n"
            "        }\n",
            socket_directory);
}

static void write_http(const serve_config *c, FILE *out)
{
    static const char *const temporaries[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};
    for (size_t i = 0; i < sizeof(temporaries) / sizeof(temporaries[0]); i++) {
        char name[64], rest[64];
        snprintf(name, sizeof(name), "    %s_temp_path", temporaries[i]);
        snprintf(rest, sizeof(rest), "/tmp/%s", temporaries[i]);
        directive(out, name, c->runtime, rest);
    }
    write_types(c, out);
    fputs("    access_log off;\n"
          "    log_not_found off;\n"
          "    server_tokens off;\n"
          "    absolute_redirect off;\n"
          "    keepalive_timeout 65s;\n"
          "    sendfile on;\n"
          "    sendfile_max_chunk 512k;\n",
          out);
    fprintf(out, "    throng %s;\n    throng_uplink %" PRIu64 ";\n", c->mode, c->uplink_bps);
    directive(out, "    throng_daemon", c->runtime, "/" SERVE_BOARD);
    write_browsers(c, out);
}

/* Requests of one visitor's own pass by the cache, and so does what states neither validator nor freshness. A second of
 * caching for the rest keeps a crowd from the origin, which then sees about one request a second for each object. */
static void write_origin_cache(const serve_config *c, FILE *out)
{
    fputs("    proxy_cache_path ", out);
    char path[4096];
    snprintf(path, sizeof(path), "%s/origin", c->state);
    quoted(out, path);
    fprintf(out, " levels=1:2 keys_zone=origin:16m max_size=%" PRIu64 " inactive=1h use_temp_path=off;\n",
            c->cache_bytes);
    fputs(
        "    map \"$http_authorization$http_cookie\" $throng_own {\n"
        "        \"\" 0;\n"
        "        default 1;\n"
        "    }\n"
        "    map \"$upstream_http_etag$upstream_http_last_modified$upstream_http_cache_control$upstream_http_expires\" "
        "$throng_untracked {\n"
        "        \"\" 1;\n"
        "        default 0;\n"
        "    }\n",
        out);
}

static void write_origin_location(const serve_config *c, FILE *out)
{
    const char *host = c->origin + origin_scheme_size(c->origin);
    bool open_path = strchr(host, '/') != NULL && c->origin[strlen(c->origin) - 1] != '/';
    fputs("        location / {\n", out);
    /* Without a path nginx hands the request's own URI on, as it came. */
    directive(out, "            proxy_pass", c->origin, open_path ? "/" : "");
    fputs("            proxy_http_version 1.1;\n"
          "            proxy_set_header Connection \"\";\n"
          "            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
          "            proxy_set_header X-Forwarded-Host $http_host;\n",
          out);
    /* Not $scheme: throngd, who asks by the socket, must be given what visitors are. */
    fprintf(out, "            proxy_set_header X-Forwarded-Proto %s;\n", c->tls_cert != NULL ? "https" : "http");
    if (c->trusted != NULL) {
        directive(out, "            proxy_ssl_trusted_certificate", c->trusted, "");
        fputs("            proxy_ssl_verify on;\n"
              "            proxy_ssl_verify_depth 5;\n"
              "            proxy_ssl_server_name on;\n",
              out);
    }
    fputs("            proxy_cache origin;\n"
          "            proxy_cache_lock on;\n"
          "            proxy_cache_revalidate on;\n"
          "            proxy_cache_background_update on;\n"
          "            proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;\n"
          "            proxy_cache_valid 200 1s;\n"
          "            proxy_cache_bypass $throng_own;\n"
          "            proxy_no_cache $throng_own $throng_untracked;\n"
          "        }\n",
          out);
}

static void write_listen(const serve_config *c, FILE *out)
{
    fprintf(out, "        listen %s%s;\n", c->listen, c->tls_cert != NULL ? " ssl http2" : "");
    fprintf(out, "        listen \"unix:%s/" SERVE_ORIGIN_SOCKET "\";\n", c->runtime);
    if (c->tls_cert == NULL)
        return;
    directive(out, "        ssl_certificate", c->tls_cert, "");
    directive(out, "        ssl_certificate_key", c->tls_key, "");
    fputs("        ssl_protocols TLSv1.2 TLSv1.3;\n"
          "        ssl_session_cache shared:tls:10m;\n"
          "        ssl_session_timeout 1d;\n"
          "        ssl_session_tickets off;\n",
          out);
}

/* What throngd tells of the site is the owner's: this machine alone may ask. While throngd is away, the module answers
 * for it. */
static void write_metrics_location(const serve_config *c, FILE *out)
{
    char signal[4096];
    snprintf(signal, sizeof(signal), "%s/" SERVE_SIGNAL_SOCKET, c->runtime);
    if (c->browsers != NULL)
        write_signal_location(signal, out);
    fprintf(out,
            "        location ^~ /.throng/ {\n"
            "            throng off;\n"
            "            allow 127.0.0.1;\n"
            "            allow ::1;\n"
            "            allow unix:;\n"
            "            deny all;\n"
            "            proxy_pass \"http://unix:%s/" SERVE_CONTROL_SOCKET "\";\n"
            "            location = /.throng/status {\n"
            "                proxy_pass \"http://unix:%s/" SERVE_CONTROL_SOCKET "\";\n"
            "                error_page 502 504 =200 @throng_status;\n"
            "            }\n"
            "        }\n"
            "        location @throng_status {\n"
            "            throng_status;\n"
            "        }\n",
            c->runtime, c->runtime);
}

void serve_config_write(const serve_config *c, FILE *out)
{
    write_main(c, out);
    fputs("http {\n", out);
    write_http(c, out);
    if (c->origin != NULL) {
        write_origin_cache(c, out);
    } else {
        /* A changed file is seen within the second. tcp_nopush fills packets when files are sent as they are; with the
         * cache of a proxied origin it would hold back the last one. */
        fputs("    tcp_nopush on;\n"
              "    open_file_cache max=10000 inactive=30s;\n"
              "    open_file_cache_valid 1s;\n",
              out);
    }
    fputs("    server {\n", out);
    write_listen(c, out);
    write_metrics_location(c, out);
    if (c->origin != NULL) {
        write_origin_location(c, out);
    } else {
        directive(out, "        root", c->directory, "");
        /* .git, .htpasswd and their like are never meant for visitors. */
        fputs("        index index.html index.htm;\n"
              "        location ~ \"/\\.(?!well-known/)\" {\n"
              "            return 404;\n"
              "        }\n",
              out);
    }
    fputs("    }\n}\n", out);
}

void serve_config_print_nginx(const serve_config *c, FILE *out)
{
    fputs("# At the top of nginx.conf:\n", out);
    directive(out, "load_module", c->module, "");
    fputs("\n# Within http { }, or within the server or location that shall stand a crowd:\n", out);
    fprintf(out, "throng %s;\nthrong_uplink %" PRIu64 ";   # what this machine may send, in bits per second\n", c->mode,
            c->uplink_bps);
    directive(out, "throng_daemon", c->runtime, "/throngd");
    fputs("\n# Within server { }, so that this machine can read /.throng/metrics and /.throng/status:\n", out);
    fprintf(out,
            "location ^~ /.throng/ {\n"
            "    throng off;\n"
            "    allow 127.0.0.1;\n"
            "    allow ::1;\n"
            "    deny all;\n"
            "    proxy_pass http://unix:%s/control.sock;\n"
            "}\n",
            c->runtime);
    if (c->browsers != NULL) {
        char signal[4096];
        snprintf(signal, sizeof(signal), "%s/signal.sock", c->runtime);
        fputs("\n# Visitors' browsers as peers (docs/HTTPS.md): beside throng_daemon\n", out);
        write_browsers(c, out);
        fputs("# and within server { }:\n", out);
        write_signal_location(signal, out);
    }
    fprintf(out,
            "\n# The daemon, started as root beside nginx (it goes on as the user of nginx's workers):\n"
            "#   throngd --board %s/throngd --control %s/control.sock --signal %s/signal.sock --user %s \\\n"
            "#           --origin http://127.0.0.1 --listen %s --uplink %" PRIu64 " --state %s\n",
            c->runtime, c->runtime, c->runtime, c->user != NULL ? c->user : "USER", c->listen, c->uplink_bps, c->state);
}
