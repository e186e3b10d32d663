/* cmocka, with what it needs before it. */
#ifndef TEST_NET_CHECK_H
#define TEST_NET_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
