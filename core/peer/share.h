/* For a host of many nodes in one process: what all of them would hold alike is held once. */
#ifndef THRONG_PEER_SHARE_H
#define THRONG_PEER_SHARE_H

#include <throng/node.h>

/* The node uses this manifest, and these hashes of an object without pages, in place of its own copies, which must say
 * the same; they have to outlive it. THRONG_ERR_AGAIN while it has none, THRONG_ERR_STATE while an event waits (which
 * may point into what would be freed), THRONG_ERR_INVALID for another manifest. */
int throng_node_share_manifest(throng_node *node, const throng_hash *object, const uint8_t *manifest, size_t size,
                               const throng_hashes *hashes);

/* Gives back memory that a node needs only while it is called: no event may wait. It takes it again when it is needed.
 */
void throng_node_trim(throng_node *node);

#endif
