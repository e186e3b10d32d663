/* throng: one program, a table of subcommands. */
#include "command.h"

#include <argp.h>
#include <net/standard_files.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "throng " THRONG_VERSION;

struct command {
    const char *name;
    const char *full_name; /* as argv[0] of the command */
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
#define X(name, help) {#name, "throng " #name, cmd_##name, help},
    THRONG_COMMANDS(X)
#undef X
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_usage(FILE *to)
{
    fputs("Usage: throng COMMAND [OPTION...]\n\nCommands:\n", to);
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    }
    fputs("\n  throng help COMMAND   tells a command's options (so does throng COMMAND --help)\n"
          "  throng help codes     tells what the exit codes mean\n"
          "  throng --version      tells the version\n",
          to);
}

static void print_exit_codes(void)
{
#define X(name, code, text) printf("%3d  %s\n", code, text);
    THRONG_EXIT_CODES(X)
#undef X
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int run(const struct command *command, int argc, char **argv)
{
    char name[32];
    snprintf(name, sizeof(name), "%s", command->full_name);
    argv[0] = name;
    return command->run(argc, argv);
}

static int unknown(const char *name)
{
    throng_complain("no command '%s'; 'throng help' lists them", name);
    return THRONG_EXIT_USAGE;
}

static int help(const char *about)
{
    if (about == NULL) {
        print_usage(stdout);
        return THRONG_EXIT_OK;
    }
    if (strcmp(about, "codes") == 0) {
        print_exit_codes();
        return THRONG_EXIT_OK;
    }
    const struct command *command = find(about);
    if (command == NULL) {
        return unknown(about);
    }
    char name[] = "throng";
    char option[] = "--help";
    char *arguments[] = {name, option, NULL};
    return run(command, 2, arguments);
}

int main(int argc, char **argv)
{
    throng_keep_standard_files();
    argp_err_exit_status = THRONG_EXIT_USAGE;
    signal(SIGPIPE, SIG_IGN); /* a closed output is a write error like others, with its message and code */
    if (argc < 2) {
        print_usage(stderr);
        return THRONG_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts(argp_program_version);
        return THRONG_EXIT_OK;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return help(argc > 2 ? argv[2] : NULL);
    }
    const struct command *command = find(argv[1]);
    return command == NULL ? unknown(argv[1]) : run(command, argc - 1, argv + 1);
}
