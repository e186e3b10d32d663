/* What goes over a node's line, counted by the emulator's thread and read by others. */
#ifndef LAB_TRAFFIC_H
#define LAB_TRAFFIC_H

#include <stdatomic.h>
#include <stdint.h>

/* Of IP packets. Those of UDP that carry a whole chunk are told from all others by their size alone, as they are
 * sealed. */
typedef enum lab_kind { LAB_CHUNKS, LAB_UDP, LAB_TCP, LAB_OTHER, LAB_KINDS } lab_kind;

enum { LAB_CHUNK_PACKET_MIN = 1000 /* bytes, headers and all */ };

/* Bytes of whole IP packets. What a queue refused is counted as dropped alone. */
typedef struct lab_traffic {
    uint64_t up_bytes[LAB_KINDS];
    uint64_t down_bytes[LAB_KINDS];
    uint64_t up_packets[LAB_KINDS];
    uint64_t down_packets[LAB_KINDS];
    uint64_t up_dropped;   /* packets, by the uplink's queue */
    uint64_t down_dropped; /* … by the downlink's */
    uint64_t given_second; /* most bytes given to the uplink within a second */
    uint64_t left_second;  /* most bytes that left it within a second */
} lab_traffic;

/* The busiest second, whenever it began, to a tenth. */
enum { LAB_TENTHS = 10 };
typedef struct lab_second {
    uint64_t tenth; /* that the last of bytes[] stands for */
    uint32_t bytes[LAB_TENTHS];
    atomic_ullong most;
} lab_second;

typedef struct lab_counters {
    atomic_ullong up_bytes[LAB_KINDS];
    atomic_ullong down_bytes[LAB_KINDS];
    atomic_ullong up_packets[LAB_KINDS];
    atomic_ullong down_packets[LAB_KINDS];
    atomic_ullong up_dropped;
    atomic_ullong down_dropped;
    lab_second given;
    lab_second left;
} lab_counters;

/* Of one writer: cheaper than an atomic addition. */
void lab_count(atomic_ullong *counter, uint64_t what);
uint64_t lab_counted(const atomic_ullong *counter);
void lab_second_add(lab_second *second, uint64_t now_ns, uint32_t bytes);
/* Each number is right, though not all of the same instant. */
void lab_counters_read(const lab_counters *counters, lab_traffic *ret);
lab_kind lab_kind_of(uint8_t protocol, uint32_t size);

#endif
