/* The files of the browser's side: read once, kept in memory, so that they are whole, whatever becomes of the directory
 * meanwhile, and answered while throngd is dead. */
#include "ngx_http_throng_browser.h"

enum {
    NGX_HTTP_THRONG_FILE_MAX = 256 * 1024,
    NGX_HTTP_THRONG_FILES_MAX = 2 * 1024 * 1024,
};

static ngx_str_t ngx_http_throng_marker = ngx_string("%THRONG%");
static ngx_str_t ngx_http_throng_bootstrap = ngx_string("bootstrap.html");
static ngx_str_t ngx_http_throng_worker = ngx_string("worker.js");

static ngx_uint_t ngx_http_throng_ends(ngx_str_t *text, const char *end)
{
    size_t len = ngx_strlen(end);

    return text->len > len && ngx_strncmp(text->data + text->len - len, end, len) == 0;
}

static void ngx_http_throng_type(ngx_str_t *ret, ngx_str_t *name)
{
    static const struct {
        const char *end;
        ngx_str_t type;
    } types[] = {
        {".js", ngx_string("text/javascript; charset=utf-8")},
        {".html", ngx_string("text/html; charset=utf-8")},
        {".wasm", ngx_string("application/wasm")},
        {".css", ngx_string("text/css; charset=utf-8")},
        {".svg", ngx_string("image/svg+xml")},
        {".json", ngx_string("application/json")},
    };
    ngx_uint_t i;

    ngx_str_set(ret, "application/octet-stream");
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (ngx_http_throng_ends(name, types[i].end)) {
            *ret = types[i].type;
        }
    }
}

ngx_http_throng_file_t *ngx_http_throng_files_find(ngx_http_throng_files_t *files, ngx_str_t *name)
{
    ngx_http_throng_file_t *file = files->files.elts;
    ngx_uint_t i;

    for (i = 0; i < files->files.nelts; i++) {
        if (file[i].name.len == name->len && ngx_strncmp(file[i].name.data, name->data, name->len) == 0) {
            return &file[i];
        }
    }
    return NULL;
}

/* A file's content. NGX_DECLINED if it is too large or can't be read; said why. */
static ngx_int_t ngx_http_throng_load(ngx_conf_t *cf, u_char *path, ngx_str_t *ret)
{
    ngx_fd_t fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    ngx_file_info_t fi;
    ssize_t n = -1;

    if (fd == NGX_INVALID_FILE || ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "\"throng_browsers\": cannot read \"%s\"", path);
    } else if (ngx_file_size(&fi) > NGX_HTTP_THRONG_FILE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"throng_browsers\": \"%s\" is larger than %d bytes", path,
                           NGX_HTTP_THRONG_FILE_MAX);
    } else {
        ret->len = (size_t)ngx_file_size(&fi);
        ret->data = ngx_pnalloc(cf->pool, ret->len + 1);
        n = ret->data == NULL ? -1 : ngx_read_fd(fd, ret->data, ret->len);
    }
    if (fd != NGX_INVALID_FILE) {
        ngx_close_file(fd);
    }
    return n >= 0 && (size_t)n == ret->len ? NGX_OK : NGX_DECLINED;
}

/* `name` is "NAME", "NAME.br" or "NAME.gz", below the directory. */
static ngx_int_t ngx_http_throng_add_file(ngx_conf_t *cf, ngx_http_throng_files_t *files, ngx_str_t *name)
{
    ngx_uint_t coding = NGX_HTTP_THRONG_PLAIN;
    ngx_http_throng_file_t *file;
    ngx_str_t plain = *name;
    u_char *path;

    if (ngx_http_throng_ends(name, ".br")) {
        coding = NGX_HTTP_THRONG_BROTLI;
        plain.len -= 3;
    } else if (ngx_http_throng_ends(name, ".gz")) {
        coding = NGX_HTTP_THRONG_GZIP;
        plain.len -= 3;
    }
    file = ngx_http_throng_files_find(files, &plain);
    if (file == NULL) {
        file = ngx_array_push(&files->files);
        if (file == NULL) {
            return NGX_ERROR;
        }
        ngx_memzero(file, sizeof(*file));
        file->name.data = ngx_pstrdup(cf->pool, &plain);
        file->name.len = plain.len;
        ngx_http_throng_type(&file->type, &plain);
    }
    path = ngx_pnalloc(cf->pool, files->path.len + name->len + 2);
    if (path == NULL || file->name.data == NULL) {
        return NGX_ERROR;
    }
    ngx_sprintf(path, "%V/%V%Z", &files->path, name);
    if (ngx_http_throng_load(cf, path, &file->text[coding]) != NGX_OK) {
        return NGX_ERROR;
    }
    files->size += file->text[coding].len;
    if (files->size > NGX_HTTP_THRONG_FILES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"throng_browsers\": \"%V\" holds more than %d bytes", &files->path,
                           NGX_HTTP_THRONG_FILES_MAX);
        return NGX_ERROR;
    }
    return NGX_OK;
}

/* Reads `below` (empty, or one name) of the directory. */
static ngx_int_t ngx_http_throng_walk(ngx_conf_t *cf, ngx_http_throng_files_t *files, ngx_str_t *below)
{
    ngx_int_t rc = NGX_OK;
    ngx_str_t path, name;
    ngx_dir_t dir;

    path.data = ngx_pnalloc(cf->pool, files->path.len + below->len + 2);
    if (path.data == NULL) {
        return NGX_ERROR;
    }
    path.len = ngx_sprintf(path.data, "%V/%V%Z", &files->path, below) - path.data - 1;
    if (ngx_open_dir(&path, &dir) == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "\"throng_browsers\": cannot read \"%V\"", &path);
        return NGX_ERROR;
    }
    while (rc == NGX_OK && ngx_read_dir(&dir) == NGX_OK) {
        if (ngx_de_name(&dir)[0] == '.') {
            continue;
        }
        name.data = ngx_pnalloc(cf->pool, below->len + ngx_de_namelen(&dir) + 2);
        if (name.data == NULL) {
            rc = NGX_ERROR;
            break;
        }
        name.len =
            ngx_sprintf(name.data, "%V%s%s%Z", below, below->len != 0 ? "/" : "", ngx_de_name(&dir)) - name.data - 1;
        path.data = ngx_pnalloc(cf->pool, files->path.len + name.len + 2);
        if (path.data == NULL) {
            rc = NGX_ERROR;
            break;
        }
        ngx_sprintf(path.data, "%V/%V%Z", &files->path, &name);
        if (ngx_de_info(path.data, &dir) != NGX_FILE_ERROR && ngx_de_is_dir(&dir)) {
            rc = below->len == 0 ? ngx_http_throng_walk(cf, files, &name) : NGX_OK;
        } else {
            rc = ngx_http_throng_add_file(cf, files, &name);
        }
    }
    ngx_close_dir(&dir);
    return rc;
}

static ngx_int_t ngx_http_throng_split(ngx_conf_t *cf, ngx_http_throng_files_t *files)
{
    ngx_http_throng_file_t *page = ngx_http_throng_files_find(files, &ngx_http_throng_bootstrap);
    ngx_http_throng_file_t *worker = ngx_http_throng_files_find(files, &ngx_http_throng_worker);
    ngx_str_t *text;
    u_char *at;

    if (page == NULL || page->text[NGX_HTTP_THRONG_PLAIN].len == 0 || worker == NULL ||
        worker->text[NGX_HTTP_THRONG_PLAIN].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"throng_browsers\": no \"%V\" in \"%V\"",
                           page == NULL ? &ngx_http_throng_bootstrap : &ngx_http_throng_worker, &files->path);
        return NGX_ERROR;
    }
    text = &page->text[NGX_HTTP_THRONG_PLAIN];
    at = ngx_strnstr(text->data, (char *)ngx_http_throng_marker.data, text->len);
    if (at == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"throng_browsers\": no \"%V\" in \"%V/%V\"", &ngx_http_throng_marker,
                           &files->path, &ngx_http_throng_bootstrap);
        return NGX_ERROR;
    }
    files->head.data = text->data;
    files->head.len = at - text->data;
    files->tail.data = at + ngx_http_throng_marker.len;
    files->tail.len = text->data + text->len - files->tail.data;
    return NGX_OK;
}

ngx_http_throng_files_t *ngx_http_throng_files_read(ngx_conf_t *cf, ngx_str_t *path)
{
    static ngx_str_t top = ngx_null_string;
    ngx_http_throng_files_t *files = ngx_pcalloc(cf->pool, sizeof(*files));

    if (files == NULL || ngx_array_init(&files->files, cf->pool, 8, sizeof(ngx_http_throng_file_t)) != NGX_OK) {
        return NULL;
    }
    files->path = *path;
    if (ngx_http_throng_walk(cf, files, &top) != NGX_OK || ngx_http_throng_split(cf, files) != NGX_OK) {
        return NULL;
    }
    return files;
}
