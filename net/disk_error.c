#include "disk_error.h"

#include <errno.h>

const char *throng_disk_error_text(int error)
{
    switch (error) {
#define X(name, value, text)                                                                                           \
    case THRONG_DISK_ERR_##name:                                                                                       \
        return text;
        THRONG_DISK_ERRORS(X)
#undef X
    default:
        return throng_error_text(error);
    }
}

int throng_disk_error_of(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
        return THRONG_DISK_ERR_FULL;
    case EACCES:
    case EPERM:
        return THRONG_DISK_ERR_DENIED;
    case EROFS:
        return THRONG_DISK_ERR_READ_ONLY;
    case ENOENT:
    case ENOTDIR:
        return THRONG_DISK_ERR_NO_FOLDER;
    case EEXIST:
        return THRONG_DISK_ERR_EXISTS;
    case EISDIR:
        return THRONG_DISK_ERR_FOLDER;
    case EFBIG:
    case EDQUOT:
        return THRONG_DISK_ERR_TOO_LARGE;
    case ENAMETOOLONG:
    case EILSEQ:
    case ELOOP:
        return THRONG_DISK_ERR_NAME;
    case ENOMEM:
        return THRONG_ERR_NO_MEMORY;
    default:
        return THRONG_DISK_ERR_IO;
    }
}
