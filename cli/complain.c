#include "command.h"

#include <stdarg.h>
#include <stdio.h>

/* Text from a server may end up in a message: what could move the cursor or break the line is shown as '?'. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = '?';
        }
    }
}

void throng_complain(const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    make_printable(line);
    fprintf(stderr, "throng: %s\n", line);
}
