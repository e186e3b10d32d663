/* TCP flows beside the crowd: the last client's node opens connections to the fast node after all others, and as much
 * as TCP lets through goes down or up. */
#ifndef LAB_FLOWS_H
#define LAB_FLOWS_H

#include "netns.h"
#include "scenario.h"

typedef struct lab_flows lab_flows;

/* They begin by themselves when their time has come, in threads of their own. NULL after a line on standard error: this
 * kernel may lack the congestion control. A scenario without flows gives flows that do nothing. */
lab_flows *lab_flows_start(const lab_scenario *scenario, const lab_netns *nodes, uint32_t client, uint32_t source);
void lab_flows_stop(lab_flows *flows);

#endif
