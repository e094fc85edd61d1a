/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/test/slower.h"

#include "dataplane/core/ahead.h"
#include "dataplane/core/columns.h"

/* Here the target is made once for a burst: what each packet passes takes longer, too. */
static inline void slower_way(struct lb_columns *c, __u32 i, __u32 word, const struct lb_real *real)
{
	__asm__ volatile(".rept " SLOWER_TEXT(SLOWER_BY) "\n\tnop\n\t.endr");
	lb_columns_way(c, i, word, real);
}

#define lb_columns_way slower_way

#include "dataplane/dpdk/columns.c"
