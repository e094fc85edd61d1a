/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/eal.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#define WORDS_MAX 128

/* EAL keeps pointers to its arguments, so they are never freed. */
struct words {
	char *word[WORDS_MAX + 1];
	int n;
	bool failed;
};

static void add(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *w, const char *fmt, ...)
{
	va_list ap;

	if (w->n == WORDS_MAX) {
		w->failed = true;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&w->word[w->n], fmt, ap) < 0) {
		w->word[w->n] = NULL;
		w->failed = true;
	} else {
		w->n++;
	}
	va_end(ap);
}

void dpdk_device_name(const char *device, char ret_name[DPDK_DEVICE_NAME_MAX])
{
	snprintf(ret_name, DPDK_DEVICE_NAME_MAX, "%.*s", (int)strcspn(device, ","), device);
}

bool dpdk_is_pci(const char *device)
{
	char name[DPDK_DEVICE_NAME_MAX];

	dpdk_device_name(device, name);
	return strchr(name, ':') != NULL;
}

static bool has_worker(const struct dpdk_options *opt, int cpu)
{
	for (uint16_t i = 0; i < opt->n_cores; i++)
		if (opt->cores[i] == cpu)
			return true;
	return false;
}

/* lcore 0 on the CPUs that are left, or on all when none is, and one lcore for each worker. */
static int add_lcores(struct words *w, const struct dpdk_options *opt, struct err *err)
{
	char set[4096] = "", lcores[4096];
	size_t at = 0;
	cpu_set_t mine;

	if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
		return err_set(err, -errno, "ask for the CPUs of this process: %s",
			       strerror(errno));
	for (uint16_t i = 0; i < opt->n_cores; i++)
		if (opt->cores[i] >= CPU_SETSIZE || !CPU_ISSET(opt->cores[i], &mine))
			return err_set(err, -EINVAL,
				       "node.dpdk.cores: there is no CPU %u here, or this process "
				       "may not use it",
				       opt->cores[i]);
	for (int round = 0; round < 2 && at == 0; round++)
		for (int cpu = 0; cpu < CPU_SETSIZE && at < sizeof(set) - 8; cpu++)
			if (CPU_ISSET(cpu, &mine) && (round == 1 || !has_worker(opt, cpu)))
				at += (size_t)snprintf(set + at, sizeof(set) - at, "%s%d",
						       at ? "," : "", cpu);
	at = (size_t)snprintf(lcores, sizeof(lcores), "0@(%s)", set);
	for (uint16_t i = 0; i < opt->n_cores && at < sizeof(lcores); i++)
		at += (size_t)snprintf(lcores + at, sizeof(lcores) - at, ",%u@%u", DPDK_LCORE(i),
				       opt->cores[i]);
	if (at >= sizeof(lcores))
		return err_set(err, -E2BIG, "node.dpdk.cores: too many");
	add(w, "--lcores=%s", lcores);
	return 0;
}

/* Memory that goes with the process, so that nothing is left behind however it ends. */
static void add_memory(struct words *w, const struct dpdk_options *opt)
{
	if (opt->hugepages) {
		add(w, "--in-memory");
	} else {
		add(w, "--no-huge");
		add(w, "--no-shconf");
	}
	add(w, "-m");
	add(w, "%u", opt->memory_mib);
}

static void add_devices(struct words *w, const struct dpdk_options *opt)
{
	bool pci = false;

	for (uint16_t i = 0; i < opt->n_ports; i++) {
		if (dpdk_is_pci(opt->ports[i].device)) {
			add(w, "-a");
			pci = true;
		} else {
			add(w, "--vdev");
		}
		add(w, "%s", opt->ports[i].device);
	}
	if (!pci)
		add(w, "--no-pci");
}

static const char *hint(const struct dpdk_options *opt)
{
	return opt->hugepages
		       ? "; hugepages may be missing (`grep Huge /proc/meminfo`; reserve some "
			 "with `sysctl vm.nr_hugepages=N`, or set node.dpdk.hugepages: false)"
		       : "";
}

int dpdk_eal_start(const struct dpdk_options *opt, struct err *err)
{
	struct words w = {.n = 0};
	int rc;

	/* The AF_XDP driver's program is to be attached as it is: ours takes its place. */
	if (setenv("LIBXDP_SKIP_DISPATCHER", "1", 0) < 0)
		return err_set(err, -errno, "set LIBXDP_SKIP_DISPATCHER: %s", strerror(errno));
	add(&w, "fairway-dpdk");
	/* EAL makes a directory of this name and never removes it: one for a node, not for a start.
	 */
	add(&w, "--file-prefix=fairway-%s", opt->node);
	add(&w, "--no-telemetry");
	add(&w, "--log-level=*:warning");
	rc = add_lcores(&w, opt, err);
	if (rc < 0)
		return rc;
	add(&w, "--main-lcore=0");
	add_memory(&w, opt);
	add_devices(&w, opt);
	for (size_t i = 0; i < opt->n_eal; i++)
		add(&w, "%s", opt->eal[i]);
	if (w.failed)
		return err_set(err, -ENOMEM, "too many arguments for EAL, or no memory for them");
	if (rte_eal_init(w.n, w.word) < 0)
		return err_set(err, -rte_errno,
			       "DPDK's environment didn't start: %s; what it printed says more%s",
			       rte_strerror(rte_errno), hint(opt));
	return 0;
}
