/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PUBLISH_XDP_BACKEND_H
#define FAIRWAY_PUBLISH_XDP_BACKEND_H

/* How tables reach the XDP engine, for a control plane that knows no engine. Attaching, probing and
 * tracing are the engine's own functions: see dataplane/xdp/engine.h for what each promises. */

#include "controlplane/publish/publish.h"
#include "dataplane/xdp/engine.h"

/* The writer's view of an engine; the engine must outlive it. */
struct publish_engine publish_xdp_engine(struct xdp_engine *e);

#endif
