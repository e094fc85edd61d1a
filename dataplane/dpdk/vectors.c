/* SPDX-License-Identifier: BSD-2-Clause */
/* How wide the vectors are that bursts are computed with. */
#include <errno.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_cpuflags.h>

#include "dataplane/dpdk/burst.h"

#ifdef DPDK_WIDE_VECTORS
static bool has_256(void)
{
	return rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) == 1 &&
	       rte_cpu_get_flag_enabled(RTE_CPUFLAG_BMI2) == 1;
}

static bool has_512(void)
{
	return has_256() && rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512F) == 1 &&
	       rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512BW) == 1 &&
	       rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512DQ) == 1 &&
	       rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512VL) == 1;
}

/* CPUs before those that have VBMI2 slow down for a while when such vectors are used. */
static bool is_good_at_512(void)
{
	return has_512() && rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512VBMI2) == 1;
}
#endif

static bool has_any(void)
{
	return true;
}

/* Widest first. */
static const struct width {
	uint32_t bits;
	bool (*has)(void);
	bool (*is_good_at)(void);
	dpdk_columns_fn *columns;
} widths[] = {
#ifdef DPDK_WIDE_VECTORS
	{512, has_512, is_good_at_512, dpdk_columns_512},
	{256, has_256, has_256, dpdk_columns_256},
#endif
	{128, has_any, has_any, dpdk_columns_128},
};

static const struct width *in_use;

static const struct width *best(void)
{
	const struct width *w = widths;

	while (!w->is_good_at())
		w++;
	return w;
}

/* Any thread may be the first to ask; all come to the same. */
static const struct width *current(void)
{
	const struct width *w = __atomic_load_n(&in_use, __ATOMIC_RELAXED);

	if (unlikely(!w)) {
		w = best();
		__atomic_store_n(&in_use, w, __ATOMIC_RELAXED);
	}
	return w;
}

dpdk_columns_fn *dpdk_columns(void)
{
	return current()->columns;
}

uint32_t dpdk_vectors(void)
{
	return current()->bits;
}

int dpdk_vectors_use(uint32_t bits)
{
	for (size_t i = 0; i < RTE_DIM(widths); i++) {
		if (widths[i].bits != bits || !widths[i].has())
			continue;
		__atomic_store_n(&in_use, &widths[i], __ATOMIC_RELAXED);
		return 0;
	}
	return -ENOTSUP;
}
