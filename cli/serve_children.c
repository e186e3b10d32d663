#include "serve_children.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

uint64_t children_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void children_prepare(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGCHLD);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGHUP);
    sigprocmask(SIG_BLOCK, ret_signals, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* In the child, until exec: what is ours and not its is taken back. Never returns. */
static void become(const child *c, pid_t parent, int report)
{
    sigset_t none;
    setpgid(0, 0);
    /* Dies when we do, however that happens; and if that was just now, there is nobody left to tell. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    for (int i = 0; i < c->inherit_count; i++)
        fcntl(c->inherit[i], F_SETFD, 0);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (c->environment != NULL)
        putenv((char *)(uintptr_t)c->environment);
    execv(c->argv[0], c->argv);
    int error = errno;
    if (write(report, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(127);
}

int child_start(child *c)
{
    int report[2]; /* closed by exec: nothing to read means that it runs */
    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        close(report[0]);
        close(report[1]);
        return error;
    }
    if (pid == 0)
        become(c, parent, report[1]);
    setpgid(pid, pid); /* whoever of us comes first */
    close(report[1]);
    int error = 0;
    ssize_t n;
    do
        n = read(report[0], &error, sizeof(error));
    while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n > 0) {
        waitpid(pid, NULL, 0);
        return error;
    }
    c->pid = pid;
    c->started_ms = children_now_ms();
    c->starts++;
    return 0;
}

static bool group_lives(pid_t group)
{
    return kill(-group, 0) == 0 || errno == EPERM;
}

/* Forgets groups of which nobody is left, before their number can go to strangers: their last member was ours to
 * reap, so this runs after each reaping. */
static void forget_groups(child *c)
{
    int kept = 0;
    for (int i = 0; i < c->groups_count; i++)
        if (group_lives(c->groups[i]))
            c->groups[kept++] = c->groups[i];
    c->groups_count = kept;
}

/* Remembers a group whose leader is gone. When too many are left, the oldest is ended at once. */
static void remember_group(child *c, pid_t group)
{
    if (!group_lives(group))
        return;
    kill(-group, c->drain_orphans ? SIGQUIT : SIGKILL);
    if (c->groups_count == CHILD_GROUPS_MAX) {
        kill(-c->groups[0], SIGKILL);
        memmove(c->groups, c->groups + 1, (CHILD_GROUPS_MAX - 1) * sizeof(c->groups[0]));
        c->groups_count--;
    }
    c->groups[c->groups_count++] = group;
}

static void ended(child *c, int status, bool restart)
{
    uint64_t now = children_now_ms();
    pid_t group = c->pid;
    c->pid = 0;
    c->last_status = status;
    remember_group(c, group);
    if (!restart)
        return;
    if (now - c->started_ms >= CHILD_STEADY_MS || c->backoff_ms == 0)
        c->backoff_ms = CHILD_BACKOFF_FIRST_MS;
    else if ((c->backoff_ms *= 2) > CHILD_BACKOFF_MAX_MS)
        c->backoff_ms = CHILD_BACKOFF_MAX_MS;
    c->restart_ms = now + c->backoff_ms;
    if (WIFSIGNALED(status))
        throng_complain("%s was ended by signal %d; restarting it", c->name, WTERMSIG(status));
    else
        throng_complain("%s ended with code %d; restarting it", c->name, WEXITSTATUS(status));
}

static void reap(child *children, int count, bool restart)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int i = 0; i < count; i++)
            if (children[i].pid == pid)
                ended(&children[i], status, restart);
    for (int i = 0; i < count; i++)
        forget_groups(&children[i]);
}

static void restart_due(child *children, int count)
{
    uint64_t now = children_now_ms();
    for (int i = 0; i < count; i++) {
        child *c = &children[i];
        if (c->pid != 0 || now < c->restart_ms)
            continue;
        int error = child_start(c);
        if (error != 0) {
            throng_complain("%s cannot be started (%s); trying again", c->argv[0], strerror(error));
            c->restart_ms = now + CHILD_BACKOFF_MAX_MS;
        }
    }
}

static uint32_t until_restart(const child *children, int count, uint32_t timeout_ms)
{
    uint64_t now = children_now_ms();
    for (int i = 0; i < count; i++) {
        if (children[i].pid != 0)
            continue;
        uint64_t wait = children[i].restart_ms > now ? children[i].restart_ms - now : 0;
        if (wait < timeout_ms)
            timeout_ms = (uint32_t)wait;
    }
    return timeout_ms;
}

int children_wait(child *children, int count, const sigset_t *signals, uint32_t timeout_ms, bool restart)
{
    if (restart)
        timeout_ms = until_restart(children, count, timeout_ms);
    struct timespec timeout = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    int got = sigtimedwait(signals, NULL, &timeout);
    reap(children, count, restart);
    if (restart)
        restart_due(children, count);
    return got > 0 && got != SIGCHLD ? got : 0;
}

static bool any_left(const child *children, int count)
{
    for (int i = 0; i < count; i++) {
        if (children[i].pid != 0)
            return true;
        for (int j = 0; j < children[i].groups_count; j++)
            if (group_lives(children[i].groups[j]))
                return true;
    }
    return false;
}

static void signal_all(const child *children, int count, int signal_masters, int signal_groups)
{
    for (int i = 0; i < count; i++) {
        if (children[i].pid != 0)
            kill(signal_masters == SIGKILL ? -children[i].pid : children[i].pid, signal_masters);
        for (int j = 0; j < children[i].groups_count; j++)
            kill(-children[i].groups[j], signal_groups);
    }
}

void children_stop(child *children, int count, const sigset_t *signals)
{
    uint64_t deadline = children_now_ms() + CHILD_STOP_MS;
    signal_all(children, count, SIGTERM, SIGTERM);
    while (any_left(children, count) && children_now_ms() < deadline)
        children_wait(children, count, signals, 20, false);
    deadline = children_now_ms() + CHILD_STOP_MS;
    while (any_left(children, count) && children_now_ms() < deadline) {
        signal_all(children, count, SIGKILL, SIGKILL);
        children_wait(children, count, signals, 20, false);
    }
}
