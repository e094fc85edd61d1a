/* SPDX-License-Identifier: BSD-2-Clause */
#include "testbed/load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: load --target ADDRESS:PORT [option ...]\n"
	"\n"
	"Opens TCP connections, asks HTTP GET on them, and counts what became of each and which\n"
	"server answered (the first line of the answer's body). Totals come as JSON on stdout.\n"
	"\n"
	"  --target ADDRESS:PORT   where to; again for more, which take turns; [ADDRESS]:PORT for IPv6\n"
	"  --path PATH             what to ask for (/)\n"
	"  --short N               so many short connections, one request each\n"
	"  --rate R                begin so many of them per second (as fast as --concurrency lets);\n"
	"                          without --short they go on to the end\n"
	"  --concurrency C         at most so many short ones at once (64)\n"
	"  --long N                keep so many connections open; a broken one is opened again\n"
	"  --every MS              a request on each long one every MS (500)\n"
	"  --timeout MS            for connecting and for an answer (3000)\n"
	"  --duration S            end after S seconds (when the short ones are done, or on a signal)\n"
	"  --report FILE           write the totals there ten times a second\n"
	"                          (SIGUSR1 sets slowest_ms, the longest wait, back to 0)\n"
	"  --progress              one line per second on stderr\n";

static int parse_number(const char *name, const char *text, unsigned long long max,
			unsigned long long *ret)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || n > max) {
		fprintf(stderr, "load: --%s %s: not a number from 0 to %llu\n", name, text, max);
		return -EINVAL;
	}
	*ret = n;
	return 0;
}

/* Splits ADDRESS:PORT or [ADDRESS]:PORT at its last colon. */
static int parse_target(struct load_options *opt, const char *text)
{
	char host[64];
	unsigned long long port;
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool bracket = len >= 2 && text[0] == '[' && text[len - 1] == ']';

	if (opt->n_targets == LOAD_TARGETS_MAX) {
		fprintf(stderr, "load: more than %d targets\n", LOAD_TARGETS_MAX);
		return -EINVAL;
	}
	if (len == 0 || len >= sizeof(host) || parse_number("target", colon + 1, 65535, &port))
		goto bad;
	snprintf(host, sizeof(host), "%.*s", (int)(len - (bracket ? 2 : 0)), text + bracket);

	struct sockaddr_storage *ss = &opt->targets[opt->n_targets];
	if (bracket ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)ss)
		    : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)ss))
		goto bad;
	snprintf(opt->host_headers[opt->n_targets], sizeof(opt->host_headers[0]), "%s", text);
	opt->n_targets++;
	return 0;
bad:
	fprintf(stderr, "load: --target %s: not 192.0.2.1:80 or [2001:db8::1]:80\n", text);
	return -EINVAL;
}

static int check(const struct load_options *opt)
{
	if (opt->n_targets == 0) {
		fprintf(stderr, "load: no --target; see --help\n");
		return -EINVAL;
	}
	if (!opt->short_count && !opt->rate_per_s && !opt->long_count) {
		fprintf(stderr, "load: nothing to do: give --short, --rate or --long\n");
		return -EINVAL;
	}
	if (!opt->concurrency || !opt->every_ms || !opt->timeout_ms) {
		fprintf(stderr, "load: --concurrency, --every and --timeout can't be 0\n");
		return -EINVAL;
	}
	return 0;
}

int load_options_parse(struct load_options *opt, int argc, char **argv)
{
	enum {
		TARGET,
		PATH,
		SHORT,
		RATE,
		CONCURRENCY,
		LONG,
		EVERY,
		TIMEOUT,
		DURATION,
		REPORT,
		PROGRESS,
		HELP
	};
	static const struct option longopts[] = {
		{"target", required_argument, NULL, TARGET},
		{"path", required_argument, NULL, PATH},
		{"short", required_argument, NULL, SHORT},
		{"rate", required_argument, NULL, RATE},
		{"concurrency", required_argument, NULL, CONCURRENCY},
		{"long", required_argument, NULL, LONG},
		{"every", required_argument, NULL, EVERY},
		{"timeout", required_argument, NULL, TIMEOUT},
		{"duration", required_argument, NULL, DURATION},
		{"report", required_argument, NULL, REPORT},
		{"progress", no_argument, NULL, PROGRESS},
		{"help", no_argument, NULL, HELP},
		{NULL, 0, NULL, 0},
	};
	int which, index = 0;

	*opt = (struct load_options){
		.path = "/", .concurrency = 64, .every_ms = 500, .timeout_ms = 3000};
	while ((which = getopt_long(argc, argv, "", longopts, &index)) != -1) {
		unsigned long long n = 0;
		bool is_number = which != '?' && which != TARGET && which != PATH &&
				 which != REPORT && longopts[index].has_arg;

		if (is_number && parse_number(longopts[index].name, optarg, 1000000000, &n))
			return -EINVAL;
		switch (which) {
		case TARGET:
			if (parse_target(opt, optarg))
				return -EINVAL;
			break;
		case PATH:
			opt->path = optarg;
			break;
		case SHORT:
			opt->short_count = n;
			break;
		case RATE:
			opt->rate_per_s = (unsigned)n;
			break;
		case CONCURRENCY:
			opt->concurrency = (unsigned)n;
			break;
		case LONG:
			opt->long_count = (unsigned)n;
			break;
		case EVERY:
			opt->every_ms = (unsigned)n;
			break;
		case TIMEOUT:
			opt->timeout_ms = (unsigned)n;
			break;
		case DURATION:
			opt->duration_s = (unsigned)n;
			break;
		case REPORT:
			opt->report_path = optarg;
			break;
		case PROGRESS:
			opt->progress = true;
			break;
		case HELP:
			fputs(help, stdout);
			return 1;
		default:
			return -EINVAL; /* getopt has said why */
		}
	}
	if (optind < argc) {
		fprintf(stderr, "load: %s: not an option; see --help\n", argv[optind]);
		return -EINVAL;
	}
	return check(opt);
}
