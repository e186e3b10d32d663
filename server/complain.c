#include "exit_codes.h"

#include <net/complain.h>
#include <stdarg.h>

void server_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    throng_complain_as("throngd", format, arguments);
    va_end(arguments);
}
