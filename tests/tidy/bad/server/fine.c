#include "../core/inner.h"
#include "../net/udp.h"
#include "../nginx/module.h"
