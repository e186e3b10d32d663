/* Which line each node has. */
#ifndef LAB_CLASSES_H
#define LAB_CLASSES_H

#include "emulator.h"
#include "scenario.h"

/* After the clients' nodes: two that measure the lines, and one that TCP flows beside the crowd come from or go to. */
enum { LAB_PROBE_NODES = 2, LAB_EXTRA_NODES = LAB_PROBE_NODES + 1 };

/* Access and class of 1 + scenario->nodes + LAB_EXTRA_NODES nodes: the server, the clients, the extra ones. The class
 * of those that are no clients is LAB_CLASSES_MAX. The same seed gives the same. */
void lab_classes_assign(const lab_scenario *scenario, lab_access *ret_access, uint8_t *ret_class);

#endif
