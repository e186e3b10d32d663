/* Pictures like figure 2 of the paper: gnuplot draws them, this writes what it reads. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "sim_coopnet.h"

extern char **environ;

static double share(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100 * (double)part / (double)whole : 0;
}

/* A block of data for each list: minutes, and what was so far repeated, fresher, all hits, and could be at best. */
static void hits_data(FILE *to, const coopnet_study *s)
{
    for (uint32_t i = 0; i < s->runs_count; i++) {
        fprintf(to, "$list%" PRIu32 " << END\n", i);
        for (uint32_t bins = 1; bins <= s->runs[i].pessimistic.bins_count; bins++) {
            coopnet_counts p = coopnet_result_until(&s->runs[i].pessimistic, bins);
            coopnet_counts o = coopnet_result_until(&s->runs[i].optimistic, bins);
            fprintf(to, "%g %.3f %.3f %.3f %.3f\n", bins * (double)s->config.bin_s / 60, share(p.repeated, p.requests),
                    share(p.fresher_hits, p.requests), share(o.current + o.new_hits, o.requests),
                    share(o.current + o.new_bound, o.requests));
        }
        fputs("END\n", to);
    }
}

static void hits_script(FILE *to, const coopnet_study *s)
{
    hits_data(to, s);
    fputs("set title 'Hits, per cent of all requests so far'\nset xlabel 'minutes'\nset yrange [0:100]\n"
          "set key outside right\nplot $list0 using 1:5 with lines lw 2 lc rgb 'black' title 'best possible', "
          "$list0 using 1:2 with lines lw 2 lc rgb 'gray50' title 'repeated'",
          to);
    for (uint32_t i = 0; i < s->runs_count; i++)
        fprintf(to,
                ", $list%" PRIu32 " using 1:4 with linespoints lc %" PRIu32 " title 'all hits, list %" PRIu32 "'"
                ", $list%" PRIu32 " using 1:3 with linespoints dt 3 lc %" PRIu32 " title 'fresher, list %" PRIu32 "'",
                i, i + 1, s->runs[i].list, i, i + 1, s->runs[i].list);
    fputc('\n', to);
}

static void load_script(FILE *to, const coopnet_study *s)
{
    for (uint32_t i = 0; i < s->runs_count; i++) {
        const coopnet_load *load = &s->runs[i].pessimistic.load;
        fprintf(to, "$list%" PRIu32 " << END\n", i);
        for (uint32_t n = 1; n <= (load->most > 0 ? load->most : 1) && n <= COOPNET_LOAD_MAX; n++)
            fprintf(to, "%" PRIu32 " %.3f\n", n, 100 * coopnet_load_at_most(load, n));
        fputs("END\n", to);
    }
    fputs("set title 'Load on peers while they serve'\nset xlabel 'objects served in a second'\n"
          "set ylabel 'per cent of the time at most so many'\nset yrange [0:100]\nset logscale x\n"
          "set key right bottom\nplot ",
          to);
    for (uint32_t i = 0; i < s->runs_count; i++)
        fprintf(to,
                "%s$list%" PRIu32 " using 1:2 with steps lw 2 title sprintf('list %%d (idle %%.1f %%%%)', %" PRIu32
                ", %.2f)",
                i > 0 ? ", " : "", i, s->runs[i].list, 100 * coopnet_load_idle(&s->runs[i].pessimistic.load));
    fputc('\n', to);
}

/* A name goes to gnuplot between single quotes, in which two stand for one. */
static void write_name(FILE *to, const char *prefix, const char *ending)
{
    fputs("set output '", to);
    for (const char *c = prefix; *c != '\0'; c++) {
        fputc(*c, to);
        if (*c == '\'')
            fputc(*c, to);
    }
    fprintf(to, "%s'\n", ending);
}

/* gnuplot, reading from *ret_script. 0 or an errno. */
static int start_gnuplot(FILE **ret_script, pid_t *ret_pid)
{
    char *const arguments[] = {(char *)(uintptr_t) "gnuplot", NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
        if (error == 0)
            error = posix_spawnp(ret_pid, "gnuplot", &actions, NULL, arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[0]);
    *ret_script = error == 0 ? fdopen(ends[1], "w") : NULL;
    if (*ret_script == NULL)
        close(ends[1]);
    return error;
}

static void write_script(FILE *to, const coopnet_study *s, const char *prefix)
{
    fputs("set terminal svg size 900,520 noenhanced background 'white'\nset grid\n", to);
    write_name(to, prefix, "-hits.svg");
    hits_script(to, s);
    fputs("reset\nset grid\n", to);
    write_name(to, prefix, "-load.svg");
    load_script(to, s);
}

int coopnet_plot(const coopnet_study *s, const char *prefix)
{
    FILE *script = NULL;
    pid_t pid = -1;
    int status = -1;
    if (strpbrk(prefix, "\n\r") != NULL) {
        throng_complain("--plot: a name of one line, please");
        return THRONG_EXIT_USAGE;
    }
    int error = start_gnuplot(&script, &pid);
    if (error != 0) {
        throng_complain("gnuplot cannot be started (Debian: gnuplot-nox): %s", strerror(error));
        return THRONG_EXIT_PROGRAM;
    }
    if (script != NULL) {
        write_script(script, s, prefix);
        fclose(script); /* what could not be written, gnuplot misses, and says so */
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (script == NULL || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throng_complain("gnuplot failed: is the folder of %s-hits.svg there?", prefix);
        return THRONG_EXIT_PROGRAM;
    }
    return THRONG_EXIT_OK;
}
