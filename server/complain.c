#include <stdarg.h>
#include <stdio.h>

#include "exit_codes.h"

void server_complain(const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    /* A stranger's words may be in it: what could break the line or move the cursor is shown as '?'. */
    for (char *at = line; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    fprintf(stderr, "throngd: %s\n", line);
}
