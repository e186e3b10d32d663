#include "scenario.h"

#include "netns.h"

#define IN(field) SCENARIO_FIELD(lab_scenario, field)
#define OF_CLASS(field) SCENARIO_FIELD(lab_class, field)
#define HOUR 3600e6

const char *const lab_modes[] = {"auto", "crowd", "calm"};
const char *const lab_kinds[] = {"throng", "http", "bittorrent"};
const char *const lab_congestions[] = {"cubic", "bbr", "reno"};

const scenario_key lab_keys[] = {
    {"object", "size", SCENARIO_BYTES, IN(object_size), 1, 1 << 30, NULL, "bytes of the file that all want"},
    {"object", "count", SCENARIO_COUNT, IN(objects), 1, 64, NULL, "files; each client in turn wants the next"},

    {"arrivals", "kind", SCENARIO_CHOICE, IN(arrivals), 0, 0, "poisson|once",
     "poisson: `rate` a second; once: `count` over `spread`"},
    {"arrivals", "rate", SCENARIO_NUMBER, IN(rate), 0.01, 1000, NULL, "clients a second (poisson)"},
    {"arrivals", "count", SCENARIO_COUNT, IN(count), 1, 100000, NULL, "clients (once)"},
    {"arrivals", "spread", SCENARIO_TIME, IN(spread_us), 0, HOUR, NULL, "time over which they come (once)"},

    {"run", "seed", SCENARIO_COUNT, IN(seed), 0, 9e15, NULL, "of arrivals, places and losses"},
    {"run", "duration", SCENARIO_TIME, IN(duration_us), 1, HOUR, NULL, "arrivals stop then"},
    {"run", "warmup", SCENARIO_TIME, IN(warmup_us), 0, HOUR, NULL, "who arrives before is not measured"},
    {"run", "drain", SCENARIO_TIME, IN(drain_us), 0, HOUR, NULL, "the run ends so long after `duration` at the latest"},
    {"run", "nodes", SCENARIO_COUNT, IN(nodes), 1, LAB_NODES_MAX - 2, NULL,
     "clients at once; beyond, arrivals are turned away, and counted"},
    {"run", "loops", SCENARIO_COUNT, IN(loops), 1, 16, NULL, "threads that the clients are shared among"},

    {"network", "rtt", SCENARIO_TIME, IN(rtt_us), 0, 10e6, NULL, "mean round trip between two nodes, without queues"},
    {"network", "groups", SCENARIO_COUNT, IN(groups), 0, 256, NULL,
     "networks, each a prefix, that nodes are in; `rtt` is then that between two of them; 0: nodes lie at random "
     "places"},
    {"network", "group_rtt", SCENARIO_TIME, IN(group_rtt_us), 0, 10e6, NULL, "round trip within a network"},
    {"network", "near", SCENARIO_CHOICE, IN(near), 0, 0, "no|yes",
     "the server knows the networks (--networks of `throng serve`)"},
    {"network", "jitter", SCENARIO_TIME, IN(jitter_us), 0, 10e6, NULL,
     "each packet is late by up to this, evenly; pairs differ, between half of it and one and a half"},
    {"network", "reorder", SCENARIO_CHOICE, IN(reorder), 0, 0, "no|yes", "jitter may let packets of a pair overtake"},
    {"network", "loss", SCENARIO_SHARE, IN(loss), 0, 0.9, NULL, "share of packets lost on the way"},

    {"server", "cap", SCENARIO_RATE, IN(server_cap_bps), 0, 1e9, NULL,
     "uplink that the server is told; 0: what its line has"},
    {"server", "mode", SCENARIO_CHOICE, IN(server_mode), 0, 0, "auto|crowd|calm", "--mode of `throng serve`"},
    {"server", "kill_at", SCENARIO_TIME, IN(server_kill_at_us), 0, HOUR, NULL,
     "throngd is killed then, as by a crash; `throng serve` starts another; 0: never"},

    {"clients", "kind", SCENARIO_CHOICE, IN(clients), 0, 0, "throng|http|bittorrent",
     "throng: they can follow directions; http: plain HTTP, as everybody; bittorrent: libtorrent"},
    {"clients", "per_node", SCENARIO_COUNT, IN(per_node), 1, 64, NULL, "clients that share a node and its line"},
    {"clients", "linger", SCENARIO_TIME, IN(linger_us), 0, HOUR, NULL, "how long who has all stays"},
    {"clients", "give_percent", SCENARIO_COUNT, IN(give_percent), 0, 1000, NULL,
     "what it gives at the most, of what it got; 0: the default"},
    {"clients", "patience", SCENARIO_TIME, IN(patience_us), 0, HOUR, NULL,
     "mean time after which one goes, complete or not (exponential); 0: none goes"},
    {"clients", "vanish", SCENARIO_SHARE, IN(vanish), 0, 1, NULL, "share that leaves without a word"},
    {"clients", "leech", SCENARIO_SHARE, IN(leech), 0, 1, NULL, "share that gives no content"},
    {"clients", "poison", SCENARIO_SHARE, IN(poison), 0, 1, NULL, "share that gives false content"},
    {"clients", "profile", SCENARIO_CHOICE, IN(profile), 0, 0, "throng|paper", "of the protocol"},
    {"clients", "know_uplink", SCENARIO_CHOICE, IN(know_uplink), 0, 0, "no|yes",
     "told to the peer, or estimated by it, as `throng get` does"},

    {"beside", "flows", SCENARIO_COUNT, IN(flows), 0, 16, NULL, "TCP flows over the line of the last node"},
    {"beside", "congestion", SCENARIO_CHOICE, IN(congestion), 0, 0, "cubic|bbr|reno", "their congestion control"},
    {"beside", "direction", SCENARIO_CHOICE, IN(flow_up), 0, 0, "down|up", "over the node's downlink or uplink"},
    {"beside", "at", SCENARIO_TIME, IN(flow_at_us), 0, HOUR, NULL, "they begin then"},

    {"class", "share", SCENARIO_SHARE, OF_CLASS(share), 0, 1, NULL, "share of the nodes (not of [server], [clients])"},
    {"class", "nodes", SCENARIO_COUNT, OF_CLASS(nodes), 0, LAB_NODES_MAX, NULL, "… or so many, the last ones"},
    {"class", "up", SCENARIO_RATE, OF_CLASS(up_bps), 8e3, 1e9, NULL, "uplink"},
    {"class", "down", SCENARIO_RATE, OF_CLASS(down_bps), 8e3, 1e9, NULL, "downlink"},
    {"class", "queue", SCENARIO_BYTES, OF_CLASS(queue_bytes), LAB_MTU, 1e8, NULL, "bytes that may wait, each way"},
    {"class", "aqm", SCENARIO_CHOICE, OF_CLASS(aqm), 0, 0, "none|codel",
     "none: drop-tail; codel: RFC 8289 before that"},
    {"class", "loss", SCENARIO_SHARE, OF_CLASS(loss), 0, 0.9, NULL, "share lost on the line, each way"},
    {"class", "delay", SCENARIO_TIME, OF_CLASS(delay_us), 0, 10e6, NULL, "added to every way over the line"},
    {"class", "nat", SCENARIO_CHOICE, OF_CLASS(nat), 0, 0, "none|full|restricted|port|symmetric",
     "a NAT box before each node (not of [server])"},
    {"class", "fail_at", SCENARIO_TIME, OF_CLASS(fail_at_us), 0, HOUR, NULL, "the links fail then; 0: never"},
    {"class", "heal_at", SCENARIO_TIME, OF_CLASS(heal_at_us), 0, HOUR, NULL, "… and work again; 0: never"},
    {"class", "fail_every", SCENARIO_TIME, OF_CLASS(fail_every_us), 0, HOUR, NULL,
     "the same again each so long; 0: once"},
};
const size_t lab_keys_count = sizeof lab_keys / sizeof *lab_keys;
_Static_assert(sizeof lab_keys / sizeof *lab_keys <= LAB_KEYS_MAX, "raise LAB_KEYS_MAX");
