/* SPDX-License-Identifier: BSD-2-Clause */
/* fairwayd: read the command line and the configuration, then run. Exit 0 after a clean stop, 1
 * when something is wrong, 2 for a wrong command line. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/daemon.h"

static const char usage_text[] =
	"Usage: fairwayd [--config FILE] [--socket PATH] [--bpffs DIR] [--tables DIR]\n"
	"                [--state DIR] [--log-level LEVEL] [--check]\n"
	"\n"
	"The Fairway load balancer's daemon.\n"
	"\n"
	"  --config FILE      configuration (default /etc/fairway/fairway.yaml)\n"
	"  --socket PATH      where the API listens (default /run/fairway/fairwayd.sock)\n"
	"  --bpffs DIR        where program and tables are pinned, a directory on a bpffs\n"
	"                     (default /sys/fs/bpf/fairway)\n"
	"  --tables DIR       where tables are files, with node.dpdk.tables: file\n"
	"                     (default /run/fairway/tables)\n"
	"  --state DIR        what must outlive the daemon (default /var/lib/fairway)\n"
	"  --log-level LEVEL  debug, info, warn or error (default info)\n"
	"  --check            check the configuration as a start would, say what is wrong, exit\n"
	"  --version          print the version\n"
	"  --help             print this\n"
	"\n"
	"Several nodes on one host each need their own --socket, --bpffs (or --tables) and --state,\n"
	"and a network namespace.\n";

struct args {
	struct daemon_options opt;
	bool check;
};

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "fairwayd: %s%s%s\nTry fairwayd --help.\n", what, value ? " " : "",
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
						{"socket", required_argument, NULL, 's'},
						{"bpffs", required_argument, NULL, 'b'},
						{"tables", required_argument, NULL, 't'},
						{"state", required_argument, NULL, 'd'},
						{"log-level", required_argument, NULL, 'l'},
						{"check", no_argument, NULL, 'k'},
						{"version", no_argument, NULL, 'v'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->opt.config = optarg;
			break;
		case 's':
			a->opt.socket = optarg;
			break;
		case 'b':
			a->opt.bpffs = optarg;
			break;
		case 't':
			a->opt.tables = optarg;
			break;
		case 'd':
			a->opt.state = optarg;
			break;
		case 'l':
			if (set_log_level(optarg) != 0)
				return 2;
			break;
		case 'k':
			a->check = true;
			break;
		case 'v':
			printf("fairwayd %s\n", FAIRWAY_VERSION);
			return 0;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		default:
			fputs("Try fairwayd --help.\n", stderr);
			return 2;
		}
	}
	if (optind < argc)
		return usage_error("takes no argument", argv[optind]);
	return -1;
}

int main(int argc, char **argv)
{
	struct args a = {.opt = {.config = "/etc/fairway/fairway.yaml",
				 .socket = "/run/fairway/fairwayd.sock",
				 .bpffs = "/sys/fs/bpf/fairway",
				 .tables = "/run/fairway/tables",
				 .state = "/var/lib/fairway"}};
	static struct config_errors errs;
	struct config *cfg;
	struct stat st;
	int rc = parse_args(argc, argv, &a);

	if (rc >= 0)
		return rc;
	signal(SIGPIPE, SIG_IGN);
	rc = daemon_config_load(a.opt.config, NULL, NULL, &cfg, &errs, &st);
	config_warnings_print(&errs, stderr);
	if (rc < 0) {
		config_errors_print(&errs, stderr);
		return 1;
	}
	if (a.check) {
		printf("%s: ok\n", a.opt.config);
		config_free(cfg);
		return 0;
	}
	daemon_raise_descriptors();
	return daemon_run(&a.opt, cfg, &st);
}
