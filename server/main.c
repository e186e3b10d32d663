/* throngd: the daemon beside a web server with Throng's module. */
#include <net/standard_files.h>
#include <signal.h>
#include <sys/stat.h>

#include "daemon.h"
#include "exit_codes.h"

int main(int argc, char **argv)
{
    server_options options;
    throng_keep_standard_files();
    signal(SIGPIPE, SIG_IGN);
    umask(007); /* what is shared is the group's; nothing is the world's */
    int code = server_options_parse(&options, argc, argv);
    return code == SERVER_EXIT_OK ? daemon_run(&options) : code;
}
