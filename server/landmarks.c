#include "landmarks.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_codes.h"

enum { HOST_MAX = 256, LIST_MAX = 8192, LINE_MAX_SIZE = 512 };

static throng_addr addr_of(const struct sockaddr *sockaddr)
{
    throng_addr addr = {.port = 0};
    if (sockaddr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sockaddr;
        const uint8_t *ip = (const uint8_t *)&in->sin_addr;
        return throng_addr_from_ipv4(ip[0], ip[1], ip[2], ip[3], ntohs(in->sin_port));
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sockaddr;
    memcpy(addr.ip, &in6->sin6_addr, sizeof addr.ip);
    addr.port = ntohs(in6->sin6_port);
    return addr;
}

static bool is_port(const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port >= 1 && port <= 65535;
}

/* HOST:PORT, or [ADDRESS]:PORT. `where` begins the complaint. */
static int add(throng_landmarks *l, char *text, const char *where)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found;
    char *colon = strrchr(text, ':'), *host = text;
    if (colon == NULL || colon == text || !is_port(colon + 1)) {
        server_complain("%s: a landmark is HOST:PORT, not '%.200s'", where, text);
        return SERVER_EXIT_USAGE;
    }
    if (l->count == THRONG_LANDMARKS_MAX) {
        server_complain("%s: more than %d landmarks", where, THRONG_LANDMARKS_MAX);
        return SERVER_EXIT_USAGE;
    }
    *colon = '\0';
    if (host[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        host++;
    }
    int error = getaddrinfo(host, colon + 1, &hints, &found);
    if (error != 0) {
        server_complain("%s: no landmark '%.200s': %s", where, host, gai_strerror(error));
        return SERVER_EXIT_USAGE;
    }
    l->addrs[l->count++] = addr_of(found->ai_addr);
    freeaddrinfo(found);
    return SERVER_EXIT_OK;
}

static char *trimmed(char *text)
{
    text[strcspn(text, "#\r\n")] = '\0';
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        text[--size] = '\0';
    return text;
}

static int read_file(throng_landmarks *l, const char *path)
{
    char line[LINE_MAX_SIZE], where[LINE_MAX_SIZE];
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        server_complain("cannot read --landmarks %s: %s", path, strerror(errno));
        return SERVER_EXIT_NETWORKS;
    }
    int code = SERVER_EXIT_OK;
    for (int number = 1; code == SERVER_EXIT_OK && fgets(line, sizeof line, in) != NULL; number++) {
        char *text = trimmed(line);
        snprintf(where, sizeof where, "%.400s, line %d", path, number);
        if (*text != '\0')
            code = add(l, text, where);
    }
    fclose(in);
    return code;
}

static int read_list(throng_landmarks *l, const char *list)
{
    char text[LIST_MAX], *rest;
    if (snprintf(text, sizeof text, "%s", list) >= (int)sizeof text) {
        server_complain("--landmarks is too long");
        return SERVER_EXIT_USAGE;
    }
    int code = SERVER_EXIT_OK;
    for (char *one = strtok_r(text, ",", &rest); code == SERVER_EXIT_OK && one != NULL;
         one = strtok_r(NULL, ",", &rest))
        code = add(l, trimmed(one), "--landmarks");
    return code;
}

int landmarks_read(throng_landmarks *ret, const char *list)
{
    throng_landmarks l = {.count = 0};
    int code = strchr(list, '/') != NULL ? read_file(&l, list) : read_list(&l, list);
    if (code != SERVER_EXIT_OK)
        return code;
    if (l.count < 2) {
        server_complain("--landmarks: two at the least, or they tell nothing; ten are a good number");
        return SERVER_EXIT_USAGE;
    }
    l.id = throng_landmarks_id(l.addrs, l.count);
    *ret = l;
    return SERVER_EXIT_OK;
}
