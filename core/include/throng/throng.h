/* Throng's core: everything, in one include. */
#ifndef THRONG_THRONG_H
#define THRONG_THRONG_H

#include <throng/base.h>
#include <throng/datagram.h>
#include <throng/directions.h>
#include <throng/directory.h>
#include <throng/group.h>
#include <throng/http_path.h>
#include <throng/intervals.h>
#include <throng/manifest.h>
#include <throng/node.h>
#include <throng/prefixes.h>
#include <throng/seed.h>
#include <throng/traits.h>

#endif
