/* Child processes that are restarted when they end, and end when we do. */
#ifndef CLI_SERVE_CHILDREN_H
#define CLI_SERVE_CHILDREN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CHILD_ARGS_MAX = 32,
    CHILD_GROUPS_MAX = 8,
    CHILD_BACKOFF_FIRST_MS = 50,
    CHILD_BACKOFF_MAX_MS = 10000,
    CHILD_STEADY_MS = 10000, /* after so long it counts as started well */
    CHILD_STOP_MS = 5000,    /* then it is killed */
};

typedef struct child {
    const char *name;
    char *argv[CHILD_ARGS_MAX]; /* argv[0] is the program's path; NULL at the end */
    const int *inherit;         /* descriptors that it keeps, besides 0 to 2 */
    int inherit_count;
    const char *environment; /* "NAME=value" to add, or NULL */
    /* nginx's workers outlive a master that is killed: on to serve what they have begun, and no more. */
    bool drain_orphans;

    pid_t pid;                      /* 0: not running; also its process group */
    pid_t groups[CHILD_GROUPS_MAX]; /* earlier ones of which processes may be left */
    int groups_count;
    uint64_t started_ms;
    uint64_t restart_ms; /* when not running */
    uint32_t backoff_ms;
    uint32_t starts;
    int last_status; /* as waitpid tells it */
} child;

uint64_t children_now_ms(void);
/* Blocks the signals that children_wait waits for, and has orphans of our children become ours. */
void children_prepare(sigset_t *ret_signals);
/* Starts it. 0 or an errno. */
int child_start(child *c);
/* Waits for a signal, at most timeout_ms; reaps; restarts what is due. Returns SIGINT, SIGTERM or SIGHUP when one came,
 * else 0. With restart false, ended children stay so. */
int children_wait(child *children, int count, const sigset_t *signals, uint32_t timeout_ms, bool restart);
/* Ends all, and every process that they left. */
void children_stop(child *children, int count, const sigset_t *signals);

#endif
