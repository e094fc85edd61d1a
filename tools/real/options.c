/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/real/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"

static const char help_all[] =
	"fairway-real: the real server's side of Fairway's direct server return.\n"
	"\n"
	"usage: fairway-real setup  --vip ADDRESS [--vip ADDRESS ...] [options]\n"
	"       fairway-real remove [--vip ADDRESS ...] [--state DIR]\n"
	"       fairway-real check  [--json] [--state DIR]\n"
	"       fairway-real COMMAND --help | --help | --version\n"
	"\n"
	"  setup   make this host answer for the VIPs: decapsulation, VIPs on lo, no ARP for\n"
	"          them, reverse path filter, MSS; again with more VIPs it adds them\n"
	"  remove  undo all that setup did, or only for the VIPs named\n"
	"  check   say of each thing whether it is in place, and how to mend it\n"
	"\n"
	"exit status: 0 done, 1 refused or failed (then nothing was changed), 2 usage,\n"
	"4 check found trouble. All need root. See fairway-real(8).\n";

static const char help_setup[] =
	"usage: fairway-real setup [--vip ADDRESS ...] [options]\n"
	"\n"
	"Makes this host a real server for the VIPs. All or nothing: when a step fails, the\n"
	"earlier ones are undone. Run again it adds VIPs and mends what was lost; without any\n"
	"--vip it mends only. Nothing survives a reboot: run it from a service at boot.\n"
	"\n"
	"  --vip ADDRESS       a virtual address to answer for, IPv4 or IPv6; repeatable\n"
	"  --interface NAME    where the balancer's packets arrive and answers leave;\n"
	"                      repeatable (default: the default route's device, else eth0)\n"
	"  --encap ipip|gue|l2dsr\n"
	"                      how the pool is configured on the balancer (default ipip):\n"
	"                      ipip: IP in IP, all of 4in4, 6in6, 4in6 and 6in4\n"
	"                      gue: the same within UDP (and IP in IP as well)\n"
	"                      l2dsr: only the MAC address is rewritten; nothing to decapsulate\n"
	"  --decap auto|kernel|bpf\n"
	"                      kernel: the kernel's ipip, sit and ip6tnl devices, guarded by a\n"
	"                      BPF filter; bpf: a BPF program at tc ingress of the interface;\n"
	"                      auto (default): kernel where it has those devices, else bpf;\n"
	"                      GUE is always decapsulated by bpf\n"
	"  --gue-port N        the UDP port that GUE arrives at (default 6080)\n"
	"  --outer ADDRESS     the address of this host that the balancer sends to, as under\n"
	"                      `reals` there; repeatable (default: all global addresses of the\n"
	"                      interface, as they are now)\n"
	"  --mtu BYTES         largest packet, outer header included, that the way from the\n"
	"                      balancer carries, if smaller than the interface's MTU; the MSS\n"
	"                      in SYN-ACKs follows from it\n"
	"  --tc-priority N     where our filters stand among others at tc (default 1)\n"
	"  --state DIR         where the changes are recorded (default " REAL_STATE_DIR "/\n"
	"                      netns-N, N being the kernel's number of the namespace)\n";

static const char help_remove[] =
	"usage: fairway-real remove [--vip ADDRESS ...] [--state DIR]\n"
	"\n"
	"Undoes what setup recorded: filters, tunnel devices, addresses, and settings, which get\n"
	"their former values back. What someone changed since then is left, and named. Removing\n"
	"twice does no harm.\n"
	"\n"
	"  --vip ADDRESS       stop answering for this VIP only; repeatable (default: all)\n"
	"  --state DIR         where setup recorded the changes, if it was told so\n";

static const char help_check[] =
	"usage: fairway-real check [--json] [--state DIR]\n"
	"\n"
	"Looks at everything setup put in place and prints each item, as ok or MISSING, with\n"
	"what to do. Exit status 0: all in place; 4: something is not.\n"
	"\n"
	"  --json              one JSON document, with the counters of the BPF programs\n"
	"  --state DIR         where setup recorded the changes, if it was told so\n";

const char *real_options_help(enum real_command topic)
{
	switch (topic) {
	case REAL_SETUP:
		return help_setup;
	case REAL_REMOVE:
		return help_remove;
	case REAL_CHECK:
		return help_check;
	case REAL_HELP:
	case REAL_VERSION:
		break;
	}
	return help_all;
}

enum option_id {
	OPT_VIP = 256,
	OPT_INTERFACE,
	OPT_ENCAP,
	OPT_DECAP,
	OPT_GUE_PORT,
	OPT_OUTER,
	OPT_MTU,
	OPT_PRIORITY,
	OPT_STATE,
	OPT_JSON,
	OPT_HELP,
};

#define LONG_OPTION(name, arg, id)                                                                 \
	{                                                                                          \
		name, arg, NULL, id                                                                \
	}

static const struct option setup_options[] = {
	LONG_OPTION("vip", required_argument, OPT_VIP),
	LONG_OPTION("interface", required_argument, OPT_INTERFACE),
	LONG_OPTION("encap", required_argument, OPT_ENCAP),
	LONG_OPTION("decap", required_argument, OPT_DECAP),
	LONG_OPTION("gue-port", required_argument, OPT_GUE_PORT),
	LONG_OPTION("outer", required_argument, OPT_OUTER),
	LONG_OPTION("mtu", required_argument, OPT_MTU),
	LONG_OPTION("tc-priority", required_argument, OPT_PRIORITY),
	LONG_OPTION("state", required_argument, OPT_STATE),
	LONG_OPTION("help", no_argument, OPT_HELP),
	LONG_OPTION(NULL, 0, 0),
};

static const struct option remove_options[] = {
	LONG_OPTION("vip", required_argument, OPT_VIP),
	LONG_OPTION("state", required_argument, OPT_STATE),
	LONG_OPTION("help", no_argument, OPT_HELP),
	LONG_OPTION(NULL, 0, 0),
};

static const struct option check_options[] = {
	LONG_OPTION("json", no_argument, OPT_JSON),
	LONG_OPTION("state", required_argument, OPT_STATE),
	LONG_OPTION("help", no_argument, OPT_HELP),
	LONG_OPTION(NULL, 0, 0),
};

static const struct command {
	const char *name;
	enum real_command command;
	const struct option *options;
} commands[] = {
	{"setup", REAL_SETUP, setup_options},
	{"remove", REAL_REMOVE, remove_options},
	{"check", REAL_CHECK, check_options},
};

static int parse_addr(const char *option, const char *text, struct addr_set *set, struct err *e)
{
	struct addr a;

	if (addr_parse(text, &a))
		return err_set(e, -EINVAL,
			       "%s %s: not an IPv4 or IPv6 address (without prefix length or port)",
			       option, text);
	if (addr_set_add(set, &a))
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int parse_interface(const char *text, struct real_options *opts, struct err *e)
{
	if (!text[0] || strlen(text) >= IFNAMSIZ || strchr(text, '/') || !strcmp(text, "lo"))
		return err_set(e, -EINVAL,
			       "--interface %s: not the name of a network interface "
			       "(such as eth0)",
			       text);
	if (opts->n_interfaces == REAL_MAX_INTERFACES)
		return err_set(e, -EINVAL, "more than %d --interface", REAL_MAX_INTERFACES);
	snprintf(opts->interfaces[opts->n_interfaces++], IFNAMSIZ, "%s", text);
	return 0;
}

static int parse_number(const char *option, const char *text, unsigned min, unsigned max,
			unsigned *ret_value, struct err *e)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || value < min || value > max)
		return err_set(e, -EINVAL, "%s %s: must be a number from %u to %u", option, text,
			       min, max);
	*ret_value = (unsigned)value;
	return 0;
}

static int parse_option(int id, const char *arg, struct real_options *opts, struct err *e)
{
	switch (id) {
	case OPT_VIP:
		return parse_addr("--vip", arg, &opts->vips, e);
	case OPT_OUTER:
		return parse_addr("--outer", arg, &opts->outers, e);
	case OPT_INTERFACE:
		return parse_interface(arg, opts, e);
	case OPT_ENCAP:
		opts->encap_given = true;
		if (real_encap_parse(arg, &opts->encap))
			return err_set(e, -EINVAL, "--encap %s: must be ipip, gue or l2dsr", arg);
		return 0;
	case OPT_DECAP:
		opts->decap_given = true;
		if (real_decap_parse(arg, &opts->decap))
			return err_set(e, -EINVAL, "--decap %s: must be auto, kernel or bpf", arg);
		return 0;
	case OPT_GUE_PORT:
		opts->gue_port_given = true;
		return parse_number("--gue-port", arg, 1, 65535, &opts->gue_port, e);
	case OPT_MTU:
		opts->mtu_given = true;
		return parse_number("--mtu", arg, 576, 65535, &opts->mtu, e);
	case OPT_PRIORITY:
		opts->priority_given = true;
		return parse_number("--tc-priority", arg, 1, 65535, &opts->tc_priority, e);
	case OPT_STATE:
		opts->state_dir = arg;
		return arg[0] ? 0 : err_set(e, -EINVAL, "--state needs a directory");
	case OPT_JSON:
		opts->json = true;
		return 0;
	default:
		return err_set(e, -EINVAL, "internal: option %d unhandled", id);
	}
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* getopt_long() would take "--int" for --interface; scripts that do break when an option is added.
 */
static bool abbreviated(const struct option *options, const char *arg)
{
	size_t len = strcspn(arg, "=");

	for (const struct option *o = options; o->name; o++)
		if (strlen(o->name) + 2 == len && !strncmp(arg + 2, o->name, len - 2))
			return false;
	return true;
}

int real_options_parse(int argc, char **argv, enum real_command *ret_command,
		       enum real_command *ret_topic, struct real_options *opts, struct err *e)
{
	const struct command *command;
	int id, ret;

	memset(opts, 0, sizeof(*opts));
	*ret_topic = REAL_HELP;
	if (argc < 2)
		return err_set(e, -EINVAL, "no command given");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		*ret_command = REAL_HELP;
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		*ret_command = REAL_VERSION;
		return 0;
	}
	command = find_command(argv[1]);
	if (!command)
		return err_set(e, -EINVAL, "there is no command \"%s\"", argv[1]);
	*ret_command = *ret_topic = command->command;
	opterr = 0;
	for (;;) {
		const char *arg = optind + 1 < argc ? argv[optind + 1] : "";

		id = getopt_long(argc - 1, argv + 1, "+:", command->options, NULL);
		if (id == -1)
			break;
		if (id == ':')
			return err_set(e, -EINVAL, "%s needs a value", arg);
		if (id == '?' || abbreviated(command->options, arg))
			return err_set(e, -EINVAL, "%s has no option \"%s\"", command->name, arg);
		if (id == OPT_HELP) {
			*ret_command = REAL_HELP;
			return 0;
		}
		ret = parse_option(id, optarg, opts, e);
		if (ret)
			return ret;
	}
	if (optind + 1 < argc)
		return err_set(e, -EINVAL, "\"%s\" is not an option", argv[optind + 1]);
	return 0;
}

void real_options_fini(struct real_options *opts)
{
	addr_set_fini(&opts->vips);
	addr_set_fini(&opts->outers);
}
