/* The answer to a request acknowledges it, too. Linux acknowledges the first data of a connection at once, with a
 * packet of its own, which is 52 of the 750 bytes that a newcomer costs the line; what is set for the listening socket
 * its connections inherit (tcp(7), TCP_QUICKACK). In a crowd alone: calm, nothing is changed. */
#include "ngx_http_throng_module.h"

static ngx_uint_t ngx_http_throng_any_crowd(ngx_http_throng_main_conf_t *tmcf)
{
    ngx_http_throng_board_t **tb = tmcf->boards.elts;
    ngx_uint_t i;

    for (i = 0; i < tmcf->boards.nelts; i++) {
        if (tb[i]->memory != NULL &&
            (tb[i]->forced || (tb[i]->judged && ngx_http_throng_judged(tb[i]) == THRONG_CROWD))) {
            return 1;
        }
    }
    return 0;
}

void ngx_http_throng_spare_acks(ngx_http_throng_main_conf_t *tmcf)
{
#if (NGX_LINUX)
    ngx_listening_t *ls = ngx_cycle->listening.elts;
    ngx_uint_t i, crowd = ngx_http_throng_any_crowd(tmcf);
    int at_once = !crowd;

    if (tmcf->acks_spared == crowd) {
        return;
    }
    tmcf->acks_spared = crowd;
    for (i = 0; i < ngx_cycle->listening.nelts; i++) {
        if (ls[i].fd != (ngx_socket_t)-1 && ls[i].type == SOCK_STREAM && ls[i].sockaddr->sa_family != AF_UNIX) {
            /* Without it a crowd costs the line more, and nothing else. */
            (void)setsockopt(ls[i].fd, IPPROTO_TCP, TCP_QUICKACK, &at_once, sizeof(at_once));
        }
    }
#endif
}
