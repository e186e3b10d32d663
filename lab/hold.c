#include "hold.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static bool print_line(json_t *line)
{
    bool printed = line && json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) == 0;
    json_decref(line);
    return printed && putchar('\n') != EOF && fflush(stdout) == 0;
}

static json_t *places_json(const lab_hold_config *config)
{
    json_t *nodes = json_array();
    for (uint32_t i = 0; i < config->nodes_count; i++) {
        char ip[INET_ADDRSTRLEN];
        struct in_addr address = {htonl(lab_node_ip(i))};
        inet_ntop(AF_INET, &address, ip, sizeof ip);
        json_array_append_new(nodes, json_pack("{si ss}", "fd", config->nodes[i].fd, "ip", ip));
    }
    return json_pack("{si so}", "pid", (int)getpid(), "nodes", nodes);
}

static uint64_t sum(const uint64_t bytes[LAB_KINDS])
{
    uint64_t total = 0;
    for (int i = 0; i < LAB_KINDS; i++)
        total += bytes[i];
    return total;
}

static json_t *traffic_json(const lab_hold_config *config)
{
    json_t *nodes = json_array();
    for (uint32_t i = 0; i < config->nodes_count; i++) {
        lab_traffic t;
        lab_emulator_traffic(config->emulator, i, &t);
        json_array_append_new(nodes, json_pack("{so so so so so so}", "sent", integer(sum(t.up_bytes)), "received",
                                               integer(sum(t.down_bytes)), "sent_tcp", integer(t.up_bytes[LAB_TCP]),
                                               "received_tcp", integer(t.down_bytes[LAB_TCP]), "up_dropped",
                                               integer(t.up_dropped), "down_dropped", integer(t.down_dropped)));
    }
    return nodes;
}

static json_t *emulator_json(const lab_hold_config *config)
{
    lab_lateness l;
    const lab_accuracy *a = config->accuracy;
    lab_emulator_lateness(config->emulator, &l);
    return json_pack("{so so so so sf sf sf sf sb sf sf sf sf}", "packets", integer(l.packets), "cut", integer(l.cut),
                     "filtered", integer(l.filtered), "no_room", integer(l.no_room), "late_us", l.median_us,
                     "late_p99_us", l.p99_us, "late_max_us", l.max_us, "busy", l.busy, "realtime", l.realtime ? 1 : 0,
                     "delay_us", a->delay_us, "delay_error_us", a->delay_error_us, "rate_bps", a->rate_bps,
                     "rate_measured_bps", a->rate_measured_bps);
}

bool lab_hold(const lab_hold_config *config)
{
    char *line = NULL;
    size_t size = 0;
    bool told = print_line(places_json(config));
    while (told && getline(&line, &size, stdin) > 0)
        told = print_line(json_pack("{so so}", "nodes", traffic_json(config), "emulator", emulator_json(config)));
    free(line);
    return told;
}
