#ifndef M
#define M
#endif
