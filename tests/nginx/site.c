#include "site.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000, PORTS_FROM = 20000, PORTS = 10000, PORT_TRIES = 100 };

static void die(const char *what)
{
    perror(what);
    abort();
}

throng_time site_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (throng_time)t.tv_sec * THRONG_SECOND + (throng_time)t.tv_nsec / 1000;
}

char *site_path(const site *s, const char *name, char path[1200])
{
    snprintf(path, 1200, "%s/%s", s->dir, name);
    return path;
}

static bool bind_loopback(int fd, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return bind(fd, (struct sockaddr *)&in, sizeof in) == 0;
}

/* All of them are free. */
static bool are_free(uint16_t first)
{
    bool free = true;
    int fds[SITE_SERVICES];
    for (int i = 0; i < SITE_SERVICES; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        free = free && fds[i] >= 0 && bind_loopback(fds[i], (uint16_t)(first + i));
    }
    for (int i = 0; i < SITE_SERVICES; i++)
        close(fds[i]);
    return free;
}

uint16_t site_port(site_service service)
{
    static uint16_t first; /* below what the system gives to clients */
    for (int i = 0; first == 0 && i < PORT_TRIES; i++) {
        uint16_t tried = (uint16_t)(PORTS_FROM + ((uint64_t)getpid() * 7 + site_now() / THRONG_MS) % PORTS);
        if (are_free(tried))
            first = tried;
        else
            poll(NULL, 0, 1);
    }
    if (first == 0)
        die("free ports");
    return (uint16_t)(first + service);
}

void site_init(site *s, const char *module)
{
    char path[1200];

    memset(s, 0, sizeof *s);
    snprintf(s->module, sizeof s->module, "%s", module);
    s->user = "root";
    strcpy(s->dir, "/tmp/throng-nginx-XXXXXX");
    if (mkdtemp(s->dir) == NULL || chmod(s->dir, 0755) != 0 || mkdir(site_path(s, "www", path), 0755) != 0)
        die("temporary directory");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void site_free(site *s)
{
    site_stop(s);
    nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void site_write(const site *s, const char *name, const char *text)
{
    char path[1200];
    FILE *f = fopen(site_path(s, name, path), "w");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        die(name);
}

void site_file(const site *s, const char *name, size_t size, char fill, long mtime_s)
{
    char path[1200], in_www[256];
    struct timespec times[2] = {{.tv_sec = mtime_s}, {.tv_sec = mtime_s}};

    snprintf(in_www, sizeof in_www, "www/%s", name);
    FILE *f = fopen(site_path(s, in_www, path), "w");
    if (f == NULL)
        die(path);
    for (size_t i = 0; i < size; i++)
        fputc(fill, f);
    if (fclose(f) != 0 || utimensat(AT_FDCWD, path, times, 0) != 0)
        die(path);
}

/* What a name between two @ stands for; false for any other. */
static bool put_name(FILE *f, const site *s, const char *name, size_t size)
{
    if (size == 3 && memcmp(name, "DIR", size) == 0)
        fputs(s->dir, f);
    else if (size == 6 && memcmp(name, "ORIGIN", size) == 0)
        fprintf(f, "127.0.0.1:%d", site_port(SITE_ORIGIN));
    else if (size == 2 && memcmp(name, "H2", size) == 0)
        fprintf(f, "127.0.0.1:%d", site_port(SITE_H2));
    else
        return false;
    return true;
}

/* Copies `text` with what names stand for in their place. A directive may have an @ of its own. */
static void put_text(FILE *f, const site *s, const char *text)
{
    for (const char *at; (at = strchr(text, '@')) != NULL;) {
        size_t size = strcspn(at + 1, "@");
        fwrite(text, 1, (size_t)(at - text), f);
        text = at + 1;
        if (text[size] == '@' && put_name(f, s, text, size))
            text += size + 1;
        else
            fputc('@', f);
    }
    fputs(text, f);
}

void site_configure(const site *s, int with_module, const char *http, const char *server, const char *servers)
{
    char path[1200];
    FILE *f = fopen(site_path(s, "nginx.conf", path), "w");

    if (f == NULL)
        die(path);
    if (with_module)
        fprintf(f, "load_module %s;\n", s->module);
    if (geteuid() == 0)
        fprintf(f, "user %s;\n", s->user);
    put_text(f, s,
             "daemon off;\nworker_processes 2;\npid nginx.pid;\nerror_log @DIR@/error.log notice;\n"
             "events { worker_connections 256; }\nhttp {\naccess_log off;\n"
             "client_body_temp_path @DIR@/body; proxy_temp_path @DIR@/proxy; fastcgi_temp_path @DIR@/fastcgi;\n"
             "uwsgi_temp_path @DIR@/uwsgi; scgi_temp_path @DIR@/scgi;\n");
    put_text(f, s, http);
    fprintf(f, "\nserver {\nlisten 127.0.0.1:%d;\nlocation / { root %s/www; }\n", site_port(SITE_MODULE), s->dir);
    put_text(f, s, server);
    fputs("\n}\n", f);
    put_text(f, s, servers);
    fputs("\n}\n", f);
    if (fclose(f) != 0)
        die(path);
}

static pid_t run_nginx(const site *s, const char *option, int out)
{
    char prefix[80], log[80];

    snprintf(prefix, sizeof prefix, "%s/", s->dir);
    snprintf(log, sizeof log, "%s/start.log", s->dir);
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that fails in its setup is not torn down */
    if (out >= 0)
        dup2(out, STDERR_FILENO);
    const char *args[] = {"nginx", "-p", prefix, "-c", "nginx.conf", "-e", out >= 0 ? "stderr" : log, option, NULL};
    execvp("nginx", (char *const *)(uintptr_t)args);
    execv("/usr/sbin/nginx", (char *const *)(uintptr_t)args);
    _exit(127);
}

int site_connect(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void site_start(site *s)
{
    throng_time deadline = site_now() + DEADLINE_MS * THRONG_MS;
    int fd;

    s->nginx = run_nginx(s, NULL, -1);
    while ((fd = site_connect(site_port(SITE_MODULE))) < 0) {
        int status;
        if (waitpid(s->nginx, &status, WNOHANG) == s->nginx || site_now() > deadline) {
            fprintf(stderr, "nginx did not start, see %s\n", s->dir);
            abort();
        }
        poll(NULL, 0, 5);
    }
    close(fd);
}

static int count_in_log(const site *s, const char *what)
{
    char path[1200], line[2048];
    FILE *f = fopen(site_path(s, "error.log", path), "r");
    int n = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        n += strstr(line, what) != NULL;
    if (f != NULL)
        fclose(f);
    return n;
}

void site_reload(const site *s)
{
    throng_time deadline = site_now() + DEADLINE_MS * THRONG_MS;
    int before = count_in_log(s, "gracefully shutting down");

    kill(s->nginx, SIGHUP);
    while (count_in_log(s, "gracefully shutting down") < before + 2)
        if (site_now() > deadline || poll(NULL, 0, 5) < 0)
            die("nginx did not reload");
}

void site_kill_workers(const site *s)
{
    char path[64];
    long pid;
    throng_time deadline = site_now() + DEADLINE_MS * THRONG_MS;
    int before = count_in_log(s, "start worker process "), killed = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)s->nginx, (int)s->nginx);
    FILE *f = fopen(path, "r");
    while (f != NULL && fscanf(f, "%ld", &pid) == 1 && kill((pid_t)pid, SIGKILL) == 0)
        killed++;
    if (f == NULL || fclose(f) != 0 || killed == 0)
        die("no workers");
    while (count_in_log(s, "start worker process ") < before + killed)
        if (site_now() > deadline || poll(NULL, 0, 5) < 0)
            die("nginx made no new workers");
}

void site_stop(site *s)
{
    if (s->nginx > 0) {
        kill(s->nginx, SIGTERM);
        waitpid(s->nginx, NULL, 0);
        s->nginx = 0;
    }
}

int site_check(const site *s, char *text, size_t text_max)
{
    int ends[2], status;
    size_t size = 0;
    ssize_t n;

    if (pipe(ends) != 0)
        die("pipe");
    pid_t pid = run_nginx(s, "-t", ends[1]);
    close(ends[1]);
    while (size + 1 < text_max && (n = read(ends[0], text + size, text_max - 1 - size)) > 0)
        size += (size_t)n;
    text[size] = '\0';
    close(ends[0]);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* True once the whole of a response is there. */
static int is_complete(response *r, int head_request)
{
    char *end = strstr(r->bytes, "\r\n\r\n"), value[1024];

    if (end == NULL)
        return 0;
    r->head = r->bytes;
    r->body = end + 4;
    r->body_size = r->size - (size_t)(r->body - r->bytes);
    r->status = atoi(r->bytes + strlen("HTTP/1.1 "));
    if (head_request || r->status == 204 || r->status == 304)
        return 1;
    char saved = end[2];
    end[2] = '\0';
    const char *length = response_header(r, "Content-Length", value);
    end[2] = saved;
    return length != NULL && r->body_size >= strtoul(length, NULL, 10);
}

void site_exchange(int fd, const char *request, response *ret)
{
    int head_request = strncmp(request, "HEAD ", 5) == 0;
    ssize_t n = 1;

    if (fd < 0 || send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        die("request");
    ret->size = 0;
    ret->status = 0;
    ret->bytes[0] = '\0';
    while (n > 0 && !is_complete(ret, head_request)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (ret->size == SITE_RESPONSE_MAX || poll(&p, 1, DEADLINE_MS) != 1)
            die("response");
        n = recv(fd, ret->bytes + ret->size, SITE_RESPONSE_MAX - ret->size, 0);
        ret->size += n > 0 ? (size_t)n : 0;
        ret->bytes[ret->size] = '\0';
    }
    is_complete(ret, head_request);
}

void site_get(int port, const char *path, const char *headers, response *ret)
{
    char request[4096];
    int fd = site_connect(port);

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: example.org\r\n%s\r\n", path, headers);
    site_exchange(fd, request, ret);
    close(fd);
}

const char *response_header(const response *r, const char *name, char value[1024])
{
    size_t size = strlen(name);

    for (const char *line = strstr(r->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (line >= r->body - 2)
            break;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
            const char *at = line + size + 1 + strspn(line + size + 1, " ");
            snprintf(value, 1024, "%.*s", (int)strcspn(at, "\r"), at);
            return value;
        }
    }
    return NULL;
}
