#include "fetch_error.h"

#include "fetch.h"

const char *throng_fetch_error_text(int error)
{
    switch (error) {
#define X(name, value, text)                                                                                           \
    case value:                                                                                                        \
        return text;
        THRONG_FETCH_ERRORS(X)
#undef X
    default:
        return throng_error_text(error);
    }
}

int throng_fetch_error_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return THRONG_FETCH_ERR_URL;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return THRONG_FETCH_ERR_RESOLVE;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return THRONG_FETCH_ERR_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_USE_SSL_FAILED:
        return THRONG_FETCH_ERR_TLS;
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_FTP_ACCEPT_TIMEOUT:
        return THRONG_FETCH_ERR_TIMEOUT;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return THRONG_FETCH_ERR_CUT;
    case CURLE_REMOTE_FILE_NOT_FOUND:
    case CURLE_FTP_COULDNT_RETR_FILE:
        return THRONG_FETCH_ERR_MISSING;
    case CURLE_BAD_DOWNLOAD_RESUME:
        return THRONG_FETCH_ERR_RANGE;
    case CURLE_LOGIN_DENIED:
    case CURLE_REMOTE_ACCESS_DENIED:
        return THRONG_FETCH_ERR_DENIED;
    case CURLE_OUT_OF_MEMORY:
        return THRONG_FETCH_ERR_MEMORY;
    default:
        return THRONG_FETCH_ERR_PROTOCOL;
    }
}
