#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netns.h"

enum {
    READY_MS = 30000,
    LOOK_MS = 50,
    GRACE_LOOKS = 160, /* 8 s for the server to end by itself */
    FD_LIFE = 3,       /* of the keeper */
    FD_NETNS = 4,
    FD_REST = 5,
};

/* ---- the directory ---- */

static bool write_object(const char *path, uint64_t size)
{
    uint8_t block[4096];
    FILE *out = fopen(path, "wbe");
    if (!out)
        return false;
    bool written = true;
    while (size > 0 && written) {
        size_t part = size < sizeof block ? (size_t)size : sizeof block;
        written = getrandom(block, sizeof block, 0) == sizeof block && fwrite(block, 1, part, out) == part;
        size -= part;
    }
    return fclose(out) == 0 && written && chmod(path, 0644) == 0;
}

static bool make_directory(lab_site *site, uint32_t objects, uint64_t object_size)
{
    char path[LAB_PATH_MAX + 32];
    /* In memory if there is such a place: the lab is to measure lines, not disks. */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(site->directory, sizeof site->directory, "%s/throng-lab-XXXXXX", base);
    if (!mkdtemp(site->directory)) {
        fprintf(stderr, "throng-lab: cannot make a directory in %s: %s\n", base, strerror(errno));
        site->directory[0] = '\0';
        return false;
    }
    bool made = chmod(site->directory, 0755) == 0;
    snprintf(path, sizeof path, "%s/site", site->directory);
    made = made && mkdir(path, 0755) == 0 && chmod(path, 0755) == 0;
    for (uint32_t i = 0; i < objects && made; i++) {
        snprintf(path, sizeof path, "%s/site/object-%u", site->directory, i);
        made = write_object(path, object_size);
    }
    if (!made)
        fprintf(stderr, "throng-lab: cannot write %s: %s\n", path, strerror(errno));
    return made;
}

/* A line for each prefix, as `throng serve --networks` reads it. */
static bool write_networks(const lab_site *site, const lab_site_config *config)
{
    char path[LAB_PATH_MAX + 16];
    uint32_t last = lab_node_network(config->nodes_count, config->group_size);
    int length = 32;
    for (uint32_t size = config->group_size; size > 1; size /= 2)
        length--;
    snprintf(path, sizeof path, "%s/networks", site->directory);
    FILE *out = fopen(path, "we");
    if (!out)
        return false;
    for (uint32_t i = 0; i <= last; i++) {
        uint32_t ip = lab_network_ip(i, config->group_size);
        fprintf(out, "%u.%u.%u.%u/%d %u\n", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255, length,
                1 + i % config->groups);
    }
    return fclose(out) == 0 && chmod(path, 0644) == 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    remove(path);
    return 0;
}

static void remove_directory(const char *directory)
{
    if (directory[0])
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the keeper ---- */

static void run_server(const lab_site *site, const lab_site_config *config)
{
    char listen[32], uplink[32], state[LAB_PATH_MAX + 16], served[LAB_PATH_MAX + 16];
    char networks[LAB_PATH_MAX + 16];
    uint32_t ip = lab_node_ip(0);
    snprintf(listen, sizeof listen, "%u.%u.%u.%u:%d", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255, LAB_PORT);
    snprintf(uplink, sizeof uplink, "%llu", (unsigned long long)config->uplink_bps);
    snprintf(state, sizeof state, "%s/state", site->directory);
    snprintf(served, sizeof served, "%s/site", site->directory);
    snprintf(networks, sizeof networks, "%s/networks", site->directory);
    const char *const arguments[] = {"throng",     "serve",    served, "--listen",
                                     listen,       "--uplink", uplink, "--mode",
                                     config->mode, "--state",  state,  config->group_size > 0 ? "--networks" : NULL,
                                     networks,     NULL};
    if (getppid() != 1)
        execv(config->throng, (char *const *)(uintptr_t)arguments);
    fprintf(stderr, "throng-lab: cannot start %s: %s\n", config->throng, strerror(errno));
    _exit(127);
}

/* The driver's process, then its descriptors of the namespaces: text, to be freed. */
static char *list_namespaces(const lab_site_config *config, pid_t driver)
{
    size_t size = 32 + (size_t)config->nodes_count * 12, used;
    char *text = malloc(size);
    if (!text)
        return NULL;
    used = (size_t)snprintf(text, size, "%d", (int)driver);
    for (uint32_t i = 0; i < config->nodes_count; i++)
        used += (size_t)snprintf(text + used, size - used, " %d", config->nodes[i].fd);
    return text;
}

static void run_rival(const lab_site *site, const lab_site_config *config, pid_t driver)
{
    char object[LAB_PATH_MAX + 16];
    snprintf(object, sizeof object, "%s/site/object-0", site->directory);
    char *namespaces = list_namespaces(config, driver);
    if (namespaces && getppid() != 1)
        execl(config->rival, config->rival, site->directory, object, namespaces, (char *)NULL);
    fprintf(stderr, "throng-lab: cannot start %s: %s\n", config->rival, strerror(errno));
    _exit(127);
}

static void become_server(const lab_site *site, const lab_site_config *config, pid_t driver)
{
    sigset_t none;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* should the keeper be killed */
    close(FD_LIFE);
    if (config->rival)
        run_rival(site, config, driver);
    run_server(site, config);
}

static bool ended(pid_t server)
{
    int status;
    return waitpid(server, &status, WNOHANG) == server;
}

/* Waits for the driver's end; what the server does meanwhile shows on the pipe of its output. */
static void keep(const char *directory, pid_t server)
{
    struct pollfd life = {.fd = FD_LIFE, .events = POLLIN};
    bool gone = false;
    for (;;) {
        gone = gone || ended(server);
        if (poll(&life, 1, LOOK_MS) > 0)
            break;
        if (gone)
            close(STDOUT_FILENO); /* the driver, which waits for it to be ready, finds out */
    }
    if (!gone)
        kill(server, SIGTERM);
    for (int i = 0; i < GRACE_LOOKS && !gone; i++) {
        poll(NULL, 0, LOOK_MS);
        gone = ended(server);
    }
    if (!gone) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    remove_directory(directory);
}

/* What else the keeper held of the driver's would outlive it: the namespaces above all. */
static bool keep_only(int life, int netns, int in, int out)
{
    int life_aside = fcntl(life, F_DUPFD, FD_REST);
    int netns_aside = fcntl(netns, F_DUPFD, FD_REST);
    return life_aside >= 0 && netns_aside >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
           dup2(life_aside, FD_LIFE) >= 0 && dup2(netns_aside, FD_NETNS) >= 0 && close_range(FD_REST, ~0u, 0) == 0;
}

static void run_keeper(const lab_site *site, const lab_site_config *config, int life, int in, int out)
{
    pid_t driver = getppid();
    setsid(); /* what is typed at the driver's terminal is not for us */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    if (!keep_only(life, config->netns, in, out) || lab_netns_enter(FD_NETNS) < 0)
        _exit(126);
    close(FD_NETNS);
    pid_t server = fork();
    if (server == 0)
        become_server(site, config, driver);
    if (server < 0)
        _exit(126);
    keep(site->directory, server);
    _exit(0);
}

bool lab_site_start(lab_site *ret, const lab_site_config *config)
{
    int life[2], ready[2], commands[2];
    *ret = (lab_site){.life = -1, .ready = -1, .commands = -1};
    if (!make_directory(ret, config->objects, config->object_size) ||
        (config->group_size > 0 && !write_networks(ret, config))) {
        remove_directory(ret->directory);
        return false;
    }
    if (pipe2(life, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0 || pipe2(commands, O_CLOEXEC) < 0 ||
        (ret->keeper = fork()) < 0) {
        fprintf(stderr, "throng-lab: cannot start the server: %s\n", strerror(errno));
        remove_directory(ret->directory);
        return false;
    }
    if (ret->keeper == 0)
        run_keeper(ret, config, life[0], commands[0], ready[1]);
    close(life[0]);
    close(commands[0]);
    close(ready[1]);
    ret->life = life[1];
    ret->ready = ready[0];
    ret->commands = commands[1];
    return true;
}

bool lab_site_wait(lab_site *site)
{
    char text[64];
    struct pollfd ready = {.fd = site->ready, .events = POLLIN};
    if (poll(&ready, 1, READY_MS) > 0 && read(site->ready, text, sizeof text) >= 5 && memcmp(text, "ready", 5) == 0)
        return true;
    fprintf(stderr, "throng-lab: the server in node 0 does not answer\n");
    return false;
}

/* The first process below `parent` that has this name; 0: none. */
static pid_t find_below(pid_t parent, const char *name, int depth)
{
    char path[64], comm[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)parent);
    FILE *in = fopen(path, "re");
    bool read_it = in && fgets(comm, sizeof comm, in);
    if (in)
        fclose(in);
    comm[strcspn(comm, "\n")] = '\0';
    if (!read_it || depth > 4)
        return 0;
    if (strcmp(comm, name) == 0)
        return parent;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    pid_t found = 0;
    int child;
    in = fopen(path, "re");
    while (in && !found && fscanf(in, "%d", &child) == 1)
        found = find_below(child, name, depth + 1);
    if (in)
        fclose(in);
    return found;
}

bool lab_site_kill_daemon(const lab_site *site)
{
    pid_t daemon = find_below(site->keeper, "throngd", 0);
    return daemon > 0 && kill(daemon, SIGKILL) == 0;
}

void lab_site_stop(lab_site *site)
{
    if (site->life < 0)
        return;
    close(site->commands);
    close(site->life);
    close(site->ready);
    waitpid(site->keeper, NULL, 0);
    site->life = site->ready = site->commands = -1;
}
