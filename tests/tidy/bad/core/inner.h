#ifndef I
#define I
#endif
