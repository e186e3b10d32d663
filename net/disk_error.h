/* What can go wrong with files, as codes beside the core's. The caller knows which file it was and names it. */
#ifndef THRONG_NET_DISK_ERROR_H
#define THRONG_NET_DISK_ERROR_H

#include <throng/base.h>

#define THRONG_DISK_ERRORS(X)                                                                                          \
    X(FULL, -200, "no space left on the device")                                                                       \
    X(DENIED, -201, "permission denied")                                                                               \
    X(READ_ONLY, -202, "read-only file system")                                                                        \
    X(NO_FOLDER, -203, "no such directory")                                                                            \
    X(NO_FILE, -204, "no such file")                                                                                   \
    X(EXISTS, -205, "file exists already")                                                                             \
    X(FOLDER, -206, "is a directory")                                                                                  \
    X(SPECIAL, -214, "is not a regular file")                                                                          \
    X(BUSY, -207, "another download is writing this file")                                                             \
    X(TOO_LARGE, -208, "larger than the file system or a quota allows")                                                \
    X(NAME, -209, "file name too long or not allowed")                                                                 \
    X(CHANGED, -210, "file changed while it was read")                                                                 \
    X(KEY_EXPOSED, -211, "private key can be read by others; run chmod 600 on it")                                     \
    X(KEY_MALFORMED, -212, "not an Ed25519 private key in PEM form")                                                   \
    X(STOPPED, -213, "stopped on request")                                                                             \
    X(IO, -219, "input/output error")

enum throng_disk_error {
#define X(name, value, text) THRONG_DISK_ERR_##name = (value),
    THRONG_DISK_ERRORS(X)
#undef X
};

/* A static English text for 0, a THRONG_DISK_ERR_ code or one of the core's; never NULL. */
const char *throng_disk_error_text(int error);
/* The code for a value of errno after open, write, rename and the like failed. */
int throng_disk_error_of(int errno_value);

#endif
