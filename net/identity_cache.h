/* As whom we last heard from an address: it is answered under the key that it knows.
 *
 * A table of fixed size that forgets what it has no room for; what it does not know is answered under the newest key.
 */
#ifndef THRONG_NET_IDENTITY_CACHE_H
#define THRONG_NET_IDENTITY_CACHE_H

#include <throng/base.h>

typedef struct throng_identity_cache throng_identity_cache;

/* About twice `addresses` places, 24 bytes each, touched as they are used. THRONG_ERR_NO_MEMORY. */
int throng_identity_cache_new(throng_identity_cache **ret, uint32_t addresses);
void throng_identity_cache_free(throng_identity_cache *cache);
void throng_identity_cache_put(throng_identity_cache *cache, const throng_addr *addr, int identity);
/* THRONG_ERR_NOT_FOUND. */
int throng_identity_cache_get(const throng_identity_cache *cache, const throng_addr *addr);

#endif
