#ifndef X_H
#define X_H

/* Documented, with its group. */
THRONG_API int x_one(void);
THRONG_API int x_two(void);

THRONG_API int x_three(void);

#endif
