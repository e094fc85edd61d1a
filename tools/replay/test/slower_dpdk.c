/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/test/slower.h"

#include "dataplane/dpdk/process.c"
