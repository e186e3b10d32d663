#include <string.h>

#include <stdio.h>
#include <throng/x.h>

#include "../net/udp.h"

enum { FINE = 1 };
typedef struct fine {
    int n;
} fine;
static const int fine_table[] = {1, 2};
static const char *const fine_names[] = {"static int fine;", "}"};
int fine_prototype(int (*callback)(void));

static int counter;
static const char *name = "x";
static struct {
    int n;
} anonymous;
static int (*callback)(void);
static int table[2] = {1, 2};

int fine_prototype(int (*given)(void))
{
    static const int fine_inside = 1;
    static int calls;
    /* malloc(1) in a comment, "malloc(1)" in a string: fine */
    const char *text = "malloc(1)";
    given_struct.free(text);
    return calls++ + fine_inside + (int)strlen(text) + (malloc (4) != NULL);
}
