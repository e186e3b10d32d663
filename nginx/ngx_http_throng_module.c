/* Throng in nginx: the glue between nginx's responses and the board that throngd publishes.
 *
 * Everything is decided in one place, the header filter, when nginx has made the response and is about to send its
 * header: by then its size, its validators and whom it may be shown to are known, for files and proxied content alike,
 * and every hit has been counted. In a crowd a capable client gets directions in its place if they are for this very
 * version. So content is current by construction, with nothing to revalidate: what the file system, the cache or the
 * origin says now is compared with what was published. The price is that a proxied response is asked for (and broken
 * off after its header, unless it is being cached) for each visitor: put proxy_cache before an origin that minds.
 *
 *   throng          off | on | auto       on: always a crowd; auto: judged by offered load
 *   throng_uplink   RATE                  what the machine may send, bits per second with k, m, g; else throngd's
 *   throng_daemon   PATH                  the board that throngd publishes (/run/throng/throngd)
 *   throng_reserve  PERCENT               the share of the line for ordinary service in a crowd (25)
 *   throng_min_size SIZE                  not larger than this is served ordinarily (4k)
 *   throng_browsers DIR [nobadge] | off    visitors' browsers may be peers: the files of their side; off by default
 *   throng_status                         in a location: answers with JSON
 *
 * A quarter is reserved because who can't join a crowd would otherwise see nothing, while the crowd lives on three
 * quarters: with directions at 700 bytes and a copy sent now and then its need falls as it grows. The seeder gets what
 * the reserve leaves unused, so a larger reserve costs only when it is asked for.
 *
 * The board holds keys. It belongs to throngd's user and the group of the workers (Debian: www-data), mode 0660;
 * workers open it themselves, after nginx has given up root. While there is none, or the daemon is silent, service is
 * ordinary. */
#include "ngx_http_throng_module.h"

enum { NGX_HTTP_THRONG_REFRESH_MS = 1000 }; /* how often a worker looks after its board */
#define NGX_HTTP_THRONG_RATE_MAX UINT64_C(1000000000000)
#define NGX_HTTP_THRONG_DAEMON "/run/throng/throngd"

static void ngx_http_throng_refresh_handler(ngx_event_t *ev);
static void *ngx_http_throng_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_throng_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_throng_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t ngx_http_throng_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_throng_init_process(ngx_cycle_t *cycle);
static void ngx_http_throng_exit_process(ngx_cycle_t *cycle);
static char *ngx_http_throng_mode(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_throng_uplink(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_throng_daemon(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_throng_reserve(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_throng_browsers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_throng_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

#define NGX_HTTP_THRONG_ANYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)

static ngx_command_t ngx_http_throng_commands[] = {

    {ngx_string("throng"), NGX_HTTP_THRONG_ANYWHERE | NGX_CONF_TAKE1, ngx_http_throng_mode, NGX_HTTP_LOC_CONF_OFFSET, 0,
     NULL},

    {ngx_string("throng_uplink"), NGX_HTTP_THRONG_ANYWHERE | NGX_CONF_TAKE1, ngx_http_throng_uplink,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},

    {ngx_string("throng_daemon"), NGX_HTTP_THRONG_ANYWHERE | NGX_CONF_TAKE1, ngx_http_throng_daemon,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},

    {ngx_string("throng_reserve"), NGX_HTTP_THRONG_ANYWHERE | NGX_CONF_TAKE1, ngx_http_throng_reserve,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},

    {ngx_string("throng_min_size"), NGX_HTTP_THRONG_ANYWHERE | NGX_CONF_TAKE1, ngx_conf_set_size_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(ngx_http_throng_loc_conf_t, min_size), NULL},

    {ngx_string("throng_browsers"), NGX_HTTP_THRONG_ANYWHERE | NGX_CONF_TAKE12, ngx_http_throng_browsers,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},

    {ngx_string("throng_status"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, ngx_http_throng_status, NGX_HTTP_LOC_CONF_OFFSET,
     0, NULL},

    ngx_null_command};

static ngx_http_module_t ngx_http_throng_module_ctx = {
    NULL,                 /* preconfiguration */
    ngx_http_throng_init, /* postconfiguration */

    ngx_http_throng_create_main_conf, /* create main configuration */
    NULL,                             /* init main configuration */

    NULL, /* create server configuration */
    NULL, /* merge server configuration */

    ngx_http_throng_create_loc_conf, /* create location configuration */
    ngx_http_throng_merge_loc_conf   /* merge location configuration */
};

ngx_module_t ngx_http_throng_module = {NGX_MODULE_V1,
                                       &ngx_http_throng_module_ctx,  /* module context */
                                       ngx_http_throng_commands,     /* module directives */
                                       NGX_HTTP_MODULE,              /* module type */
                                       NULL,                         /* init master */
                                       NULL,                         /* init module */
                                       ngx_http_throng_init_process, /* init process */
                                       NULL,                         /* init thread */
                                       NULL,                         /* exit thread */
                                       ngx_http_throng_exit_process, /* exit process */
                                       NULL,                         /* exit master */
                                       NGX_MODULE_V1_PADDING};

static char *ngx_http_throng_mode(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_throng_loc_conf_t *tlcf = conf;
    ngx_str_t *value = cf->args->elts;

    if (tlcf->mode != NGX_CONF_UNSET_UINT) {
        return (char *)"is duplicate";
    }
    if (ngx_strcmp(value[1].data, "off") == 0) {
        tlcf->mode = NGX_HTTP_THRONG_OFF;
    } else if (ngx_strcmp(value[1].data, "on") == 0) {
        tlcf->mode = NGX_HTTP_THRONG_ON;
    } else if (ngx_strcmp(value[1].data, "auto") == 0) {
        tlcf->mode = NGX_HTTP_THRONG_AUTO;
    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive, it must be \"on\", \"off\" or \"auto\"",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

static char *ngx_http_throng_uplink(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_throng_loc_conf_t *tlcf = conf;
    ngx_str_t *value = cf->args->elts, digits = value[1];
    uint64_t unit = 1;
    ngx_int_t n;

    if (tlcf->uplink != 0) {
        return (char *)"is duplicate";
    }
    switch (digits.len == 0 ? 0 : digits.data[digits.len - 1] | 0x20) {
    case 'k':
        unit = 1000;
        break;
    case 'm':
        unit = 1000000;
        break;
    case 'g':
        unit = 1000000000;
        break;
    default:
        break;
    }
    if (unit != 1) {
        digits.len--;
    }
    n = ngx_atoi(digits.data, digits.len);
    if (n <= 0 || (uint64_t)n > NGX_HTTP_THRONG_RATE_MAX / unit) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\" in \"%V\" directive, it must be bits per second, up to 1000g, "
                           "such as \"800k\", \"20m\" or \"1g\"",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }
    tlcf->uplink = (uint64_t)n * unit;
    return NGX_CONF_OK;
}

static char *ngx_http_throng_daemon(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_throng_loc_conf_t *tlcf = conf;
    ngx_str_t *value = cf->args->elts;

    if (tlcf->daemon.data != NULL) {
        return (char *)"is duplicate";
    }
    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid path \"\" in \"%V\" directive, it must name the board of throngd", &cmd->name);
        return NGX_CONF_ERROR;
    }
    tlcf->daemon = value[1];
    return ngx_conf_full_name(cf->cycle, &tlcf->daemon, 0) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}

static char *ngx_http_throng_reserve(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_throng_loc_conf_t *tlcf = conf;
    ngx_str_t *value = cf->args->elts;
    size_t len = value[1].len;
    ngx_int_t n;

    if (tlcf->reserve != NGX_CONF_UNSET_UINT) {
        return (char *)"is duplicate";
    }
    if (len > 0 && value[1].data[len - 1] == '%') {
        len--;
    }
    n = ngx_atoi(value[1].data, len);
    if (n < 1 || n > 100) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive, it must be a percentage from 1 to 100", &value[1],
                           &cmd->name);
        return NGX_CONF_ERROR;
    }
    tlcf->reserve = (ngx_uint_t)n;
    return NGX_CONF_OK;
}

/* The files of this directory, read once however often it is named. */
static ngx_http_throng_files_t *ngx_http_throng_add_files(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_throng_module);
    ngx_http_throng_files_t **files = tmcf->browsers.elts;
    ngx_uint_t i;

    for (i = 0; i < tmcf->browsers.nelts; i++) {
        if (files[i]->path.len == path->len && ngx_strncmp(files[i]->path.data, path->data, path->len) == 0) {
            return files[i];
        }
    }
    files = ngx_array_push(&tmcf->browsers);
    if (files == NULL) {
        return NULL;
    }
    *files = ngx_http_throng_files_read(cf, path);
    return *files;
}

static char *ngx_http_throng_browsers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_throng_module);
    ngx_http_throng_loc_conf_t *tlcf = conf;
    ngx_str_t *value = cf->args->elts;

    tmcf->answers_browsers = 1;
    if (tlcf->browsers_off != NGX_CONF_UNSET) {
        return (char *)"is duplicate";
    }
    tlcf->browsers_off = ngx_strcmp(value[1].data, "off") == 0;
    tlcf->badge = 1;
    if (cf->args->nelts == 3) {
        if (tlcf->browsers_off || ngx_strcmp(value[2].data, "nobadge") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\" directive, after a directory it may be \"nobadge\"",
                               &value[2], &cmd->name);
            return NGX_CONF_ERROR;
        }
        tlcf->badge = 0;
    }
    if (tlcf->browsers_off) {
        return NGX_CONF_OK;
    }
    if (ngx_conf_full_name(cf->cycle, &value[1], 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    tlcf->browsers = ngx_http_throng_add_files(cf, &value[1]);
    return tlcf->browsers != NULL ? NGX_CONF_OK : NGX_CONF_ERROR;
}

static char *ngx_http_throng_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t *clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    clcf->handler = ngx_http_throng_status_handler;
    return NGX_CONF_OK;
}

static void *ngx_http_throng_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_pcalloc(cf->pool, sizeof(*tmcf));

    if (tmcf == NULL || ngx_array_init(&tmcf->boards, cf->pool, 1, sizeof(ngx_http_throng_board_t *)) != NGX_OK ||
        ngx_array_init(&tmcf->browsers, cf->pool, 1, sizeof(ngx_http_throng_files_t *)) != NGX_OK) {
        return NULL;
    }
    ngx_str_set(&tmcf->request_name, "throng");
    ngx_str_set(&tmcf->fetch_name, "throng-fetch");
    ngx_str_set(&tmcf->traits_name, "throng-traits");
    tmcf->request_hash = ngx_hash_key(tmcf->request_name.data, tmcf->request_name.len);
    tmcf->fetch_hash = ngx_hash_key(tmcf->fetch_name.data, tmcf->fetch_name.len);
    tmcf->traits_hash = ngx_hash_key(tmcf->traits_name.data, tmcf->traits_name.len);
    return tmcf;
}

static void *ngx_http_throng_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_throng_loc_conf_t *tlcf = ngx_pcalloc(cf->pool, sizeof(*tlcf));

    if (tlcf == NULL) {
        return NULL;
    }
    tlcf->mode = NGX_CONF_UNSET_UINT;
    tlcf->reserve = NGX_CONF_UNSET_UINT;
    tlcf->min_size = NGX_CONF_UNSET_SIZE;
    tlcf->browsers_off = NGX_CONF_UNSET;
    return tlcf;
}

/* The board at this path, a new one if it is named for the first time. */
static ngx_http_throng_board_t *ngx_http_throng_add_board(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_throng_module);
    ngx_http_throng_board_t **tb = tmcf->boards.elts;
    ngx_uint_t i;

    for (i = 0; i < tmcf->boards.nelts; i++) {
        if (tb[i]->path.len == path->len && ngx_strncmp(tb[i]->path.data, path->data, path->len) == 0) {
            return tb[i];
        }
    }
    tb = ngx_array_push(&tmcf->boards);
    if (tb == NULL || (*tb = ngx_pcalloc(cf->pool, sizeof(**tb))) == NULL) {
        return NULL;
    }
    (*tb)->path = *path;
    throng_load_config_default(&(*tb)->load);
    return *tb;
}

static char *ngx_http_throng_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_throng_loc_conf_t *prev = parent, *conf = child;
    ngx_uint_t named = conf->daemon.data != NULL || prev->daemon.data != NULL;

    if (conf->browsers_off == NGX_CONF_UNSET) {
        conf->browsers_off = prev->browsers_off == NGX_CONF_UNSET ? 0 : prev->browsers_off;
        conf->browsers = prev->browsers;
        conf->badge = prev->badge;
    }
    ngx_conf_merge_uint_value(conf->mode, prev->mode, NGX_HTTP_THRONG_OFF);
    ngx_conf_merge_uint_value(conf->reserve, prev->reserve, 25);
    ngx_conf_merge_size_value(conf->min_size, prev->min_size, 4096);
    ngx_conf_merge_str_value(conf->daemon, prev->daemon, "");
    if (conf->uplink == 0) {
        conf->uplink = prev->uplink;
    }
    if (!named && conf->mode == NGX_HTTP_THRONG_OFF) {
        ngx_str_null(&conf->daemon);
        return NGX_CONF_OK;
    }
    if (!named) {
        ngx_str_set(&conf->daemon, NGX_HTTP_THRONG_DAEMON);
    }

    conf->board = ngx_http_throng_add_board(cf, &conf->daemon);
    if (conf->board == NULL) {
        return NGX_CONF_ERROR;
    }
    if (conf->mode == NGX_HTTP_THRONG_ON) {
        conf->board->forced = 1;
    } else if (conf->mode == NGX_HTTP_THRONG_AUTO) {
        conf->board->judged = 1;
    }
    if (conf->uplink != 0 && conf->board->uplink != 0 && conf->uplink != conf->board->uplink) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"throng_uplink\" is both %uL and %uL bits per second for one \"throng_daemon\" \"%V\"",
                           conf->board->uplink, conf->uplink, &conf->daemon);
        return NGX_CONF_ERROR;
    }
    if (conf->uplink != 0) {
        conf->board->uplink = conf->uplink;
    }
    return NGX_CONF_OK;
}

static ngx_int_t ngx_http_throng_init(ngx_conf_t *cf)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_throng_module);
    ngx_http_core_main_conf_t *cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *handler;

    if (tmcf->answers_browsers) {
        handler = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
        if (handler == NULL) {
            return NGX_ERROR;
        }
        *handler = ngx_http_throng_browser_handler;
    }
    return tmcf->boards.nelts == 0 ? NGX_OK : ngx_http_throng_filter_init(cf);
}

/* ---- Workers ---- */

static ngx_int_t ngx_http_throng_init_process(ngx_cycle_t *cycle)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_throng_module);

    if (tmcf == NULL || tmcf->boards.nelts == 0 || ngx_process == NGX_PROCESS_HELPER) {
        return NGX_OK;
    }
    tmcf->refresh.handler = ngx_http_throng_refresh_handler;
    tmcf->refresh.data = tmcf;
    tmcf->refresh.log = cycle->log;
    tmcf->refresh.cancelable = 1;
    tmcf->acks_spared = NGX_CONF_UNSET_UINT; /* a worker before this one may have left it either way */
    ngx_http_throng_refresh_handler(&tmcf->refresh);
    return NGX_OK;
}

static void ngx_http_throng_refresh_handler(ngx_event_t *ev)
{
    ngx_http_throng_main_conf_t *tmcf = ev->data;
    ngx_http_throng_board_t **tb = tmcf->boards.elts;
    ngx_uint_t i;

    for (i = 0; i < tmcf->boards.nelts; i++) {
        ngx_http_throng_board_refresh(tb[i], ev->log);
        if (tb[i]->memory != NULL) {
            ngx_http_throng_networks_refresh(tb[i], ev->log);
            (void)ngx_http_throng_judge(tb[i]); /* a crowd may end in silence */
        }
    }
    ngx_http_throng_spare_acks(tmcf);
    if (!ngx_exiting) {
        ngx_add_timer(ev, NGX_HTTP_THRONG_REFRESH_MS);
    }
}

static void ngx_http_throng_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_throng_module);
    ngx_http_throng_board_t **tb;
    ngx_uint_t i;

    if (tmcf == NULL) {
        return;
    }
    tb = tmcf->boards.elts;
    for (i = 0; i < tmcf->boards.nelts; i++) {
        ngx_http_throng_board_unmap(tb[i]);
    }
}
