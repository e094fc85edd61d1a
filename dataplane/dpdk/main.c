/* SPDX-License-Identifier: BSD-2-Clause */
/* fairway-dpdk: the DPDK engine as a service beside fairwayd, with the same configuration file.
 * Exit 0 after a clean end, 1 when something is wrong, 2 for a wrong command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/log.h"
#include "controlplane/config/config.h"
#include "dataplane/dpdk/engine.h"

static const char usage_text[] =
	"Usage: fairway-dpdk [--config FILE] [--bpffs DIR] [--tables DIR] [--log-level LEVEL]\n"
	"                    [--check]\n"
	"\n"
	"The Fairway load balancer's DPDK engine: forwards packets by the tables that fairwayd\n"
	"publishes, with the CPUs and ports of node.dpdk in the configuration.\n"
	"\n"
	"  --config FILE      configuration (default /etc/fairway/fairway.yaml)\n"
	"  --bpffs DIR        where fairwayd pins its tables (default /sys/fs/bpf/fairway)\n"
	"  --tables DIR       where they are with `tables: file` (default /run/fairway/tables)\n"
	"  --log-level LEVEL  debug, info, warn or error (default info)\n"
	"  --check            check the configuration, say what is wrong, exit\n"
	"  --version          print the version\n"
	"  --help             print this\n"
	"\n"
	"It waits until fairwayd has published tables, and goes on when fairwayd ends.\n";

struct args {
	const char *config, *bpffs, *tables;
	bool check;
};

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "fairway-dpdk: %s%s%s\nTry fairway-dpdk --help.\n", what, value ? " " : "",
		value ? value : "");
	return 2;
}

static int set_log_level(const char *word)
{
	static const char *const words[] = {"debug", "info", "warn", "error"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], word) == 0) {
			log_set_level((enum log_level)i);
			return 0;
		}
	}
	return usage_error("--log-level is debug, info, warn or error, not", word);
}

/* -1: go on; otherwise the exit code. */
static int parse_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"bpffs", required_argument, NULL, 'b'},
						{"tables", required_argument, NULL, 't'},
						{"log-level", required_argument, NULL, 'l'},
						{"check", no_argument, NULL, 'k'},
						{"version", no_argument, NULL, 'v'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 'b':
			a->bpffs = optarg;
			break;
		case 't':
			a->tables = optarg;
			break;
		case 'l':
			if (set_log_level(optarg) != 0)
				return 2;
			break;
		case 'k':
			a->check = true;
			break;
		case 'v':
			printf("fairway-dpdk %s\n", FAIRWAY_VERSION);
			return 0;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		default:
			fputs("Try fairway-dpdk --help.\n", stderr);
			return 2;
		}
	}
	if (optind < argc)
		return usage_error("takes no argument", argv[optind]);
	return -1;
}

/* ---- from the configuration ---- */

static enum dpdk_exception exception_of(enum config_exception exception)
{
	switch (exception) {
	case CONFIG_EXCEPTION_TAP:
		return DPDK_EXCEPTION_TAP;
	case CONFIG_EXCEPTION_VIRTIO_USER:
		return DPDK_EXCEPTION_VIRTIO_USER;
	case CONFIG_EXCEPTION_KERNEL:
		return DPDK_EXCEPTION_KERNEL;
	}
	return DPDK_EXCEPTION_TAP;
}

/* What the engine is run with; it points into the configuration. The lists are the caller's. */
static int options_of(const struct config *cfg, const struct args *a, struct dpdk_options *ret)
{
	const struct config_dpdk *dpdk = &cfg->node.dpdk;
	struct dpdk_port_options *ports = calloc(dpdk->n_ports, sizeof(*ports));
	const char **eal = calloc(dpdk->n_eal ? dpdk->n_eal : 1, sizeof(*eal));

	if (!ports || !eal) {
		free(ports);
		free(eal);
		return -1;
	}
	for (size_t i = 0; i < dpdk->n_ports; i++)
		ports[i] = (struct dpdk_port_options){
			.device = dpdk->ports[i].device,
			.interface = dpdk->ports[i].interface,
			.exception = exception_of(dpdk->ports[i].exception),
			.queues = dpdk->ports[i].queues,
			.mtu = dpdk->ports[i].mtu,
		};
	for (size_t i = 0; i < dpdk->n_eal; i++)
		eal[i] = dpdk->eal[i].text;
	*ret = (struct dpdk_options){
		.node = cfg->node.name,
		.dir = dpdk->tables == CONFIG_TABLES_BPF ? a->bpffs : a->tables,
		.bpf = dpdk->tables == CONFIG_TABLES_BPF,
		.ports = ports,
		.n_ports = (uint16_t)dpdk->n_ports,
		.cores = dpdk->cores.cpu,
		.n_cores = (uint16_t)dpdk->cores.n,
		.eal = eal,
		.n_eal = dpdk->n_eal,
		.symmetric = dpdk->rss == CONFIG_RSS_SYMMETRIC,
		.hugepages = dpdk->hugepages,
		.memory_mib = dpdk->memory_mib,
		.descriptors = dpdk->descriptors,
		.sleep = dpdk->idle == CONFIG_IDLE_SLEEP,
		.fallback = dpdk->fallback == CONFIG_FALLBACK_XDP,
	};
	return 0;
}

static int run(const struct config *cfg, const struct args *a)
{
	struct dpdk_options options;
	struct err err;
	int rc;

	if (options_of(cfg, a, &options) < 0) {
		fputs("fairway-dpdk: out of memory\n", stderr);
		return 1;
	}
	rc = dpdk_engine_run(&options, &err);
	if (rc < 0)
		fprintf(stderr, "fairway-dpdk: %s\n", err.text);
	free((void *)(uintptr_t)options.ports);
	free((void *)(uintptr_t)options.eal);
	return rc < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct args a = {.config = "/etc/fairway/fairway.yaml",
			 .bpffs = "/sys/fs/bpf/fairway",
			 .tables = "/run/fairway/tables"};
	static struct config_errors errs;
	struct config *cfg;
	int rc = parse_args(argc, argv, &a);

	if (rc >= 0)
		return rc;
	rc = config_load(a.config, &cfg, &errs);
	config_warnings_print(&errs, stderr);
	if (rc < 0) {
		config_errors_print(&errs, stderr);
		return 1;
	}
	if (cfg->node.engine != CONFIG_ENGINE_DPDK) {
		fprintf(stderr,
			"fairway-dpdk: %s says `engine: %s`: fairway-dpdk has nothing to do; set "
			"`engine: dpdk`, or don't start it\n",
			a.config, config_engine_name(cfg->node.engine));
		rc = 1;
	} else if (a.check) {
		printf("%s: ok\n", a.config);
		rc = 0;
	} else {
		rc = run(cfg, &a);
	}
	config_free(cfg);
	return rc;
}
