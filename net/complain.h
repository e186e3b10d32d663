/* How programs tell of what went wrong: one line on standard error. */
#ifndef THRONG_NET_COMPLAIN_H
#define THRONG_NET_COMPLAIN_H

#include <stdarg.h>

/* "PROGRAM: …", cut at 1,023 bytes. Never give it a secret. A stranger's words may be in it: what could break the line
 * or move the cursor is shown as '?'. */
void throng_complain_as(const char *program, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
