#include "command.h"

#include <net/complain.h>
#include <stdarg.h>

void throng_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    throng_complain_as("throng", format, arguments);
    va_end(arguments);
}
