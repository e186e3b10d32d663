#include <ngx_core.h>
#include <throng/x.h>
#include "../core/inner.h"
#include "../net/udp.h"
