/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/cli/command.h"

#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/cli/views.h"

const struct command_object command_objects[] = {
	{"status", "how this node is"},
	{"vip", "virtual IPs and their services"},
	{"pool", "pools of real servers"},
	{"real", "real servers"},
	{"bgp", "sessions with the routers"},
	{"counters", "what became of every packet"},
	{"explain", "what would happen to a packet"},
	{"config", "the configuration: check, compare, apply, save"},
	{"node", "this node as a whole"},
	{"journal", "what the daemon did and noticed"},
	{"doctor", "look for trouble"},
	{"completion", "completion scripts for shells"},
};
const size_t command_object_count = ARRAY_SIZE(command_objects);

const struct command_option command_options[] = {
	{"--json", NULL, "print one JSON document instead of tables", false},
	{"--socket", "PATH", "the daemon's socket (default /run/fairway/fairwayd.sock)", false},
	{"--timeout", "SECONDS", "how long to wait for the daemon (default 10)", false},
	{"--force", NULL, "do it although a brake holds it back", true},
	{"--help", NULL, "explain the command; works at every level", false},
	{"--version", NULL, "print the version of this program", false},
};
const size_t command_option_count = ARRAY_SIZE(command_options);

/* The arguments that several commands share. */
#define ARG_VIP                                                                                    \
	{                                                                                          \
		NULL, "NAME", "name", VALUE_VIP, false, false, "the VIP's name"                    \
	}
#define ARG_POOL                                                                                   \
	{                                                                                          \
		NULL, "NAME", "name", VALUE_POOL, false, false, "the pool's name"                  \
	}
#define ARG_REAL_POOL                                                                              \
	{                                                                                          \
		NULL, "POOL", "pool", VALUE_POOL, true, false,                                     \
			"the real's pool; needed only when the address lies in several pools"      \
	}
#define ARG_REAL                                                                                   \
	{                                                                                          \
		NULL, "ADDRESS", "address", VALUE_REAL, false, false, "the real's address"         \
	}
#define ARG_FILE_OR_OWN                                                                            \
	{                                                                                          \
		NULL, "FILE", "text", VALUE_FILE, true, false,                                     \
			"a configuration, - for standard input (default: the daemon's own file)"   \
	}

#define DETAIL_UNSAVED                                                                             \
	"In force at once, and until the daemon stops: `fairway config save` makes it last."
#define DETAIL_INTENT                                                                              \
	"This is intent, not configuration: `config apply` and `config save` leave it alone,\n"    \
	"and it outlasts a restart of the daemon."

const struct command commands[] = {
	{
		.object = "status",
		.summary = "show how this node is",
		.detail =
			"One page: versions, interfaces, what is announced and up, how full the tables are,\n"
			"and everything that wants attention.",
		.method = "status.get",
		.view = &view_status,
		.examples = {{"fairway status", NULL},
			     {"fairway --json status | jq .warnings", "for a monitoring script"}},
	},
	{
		.object = "vip",
		.verb = "list",
		.summary = "list the VIPs: announced or why not, services, traffic",
		.method = "vip.list",
		.view = &view_vip_list,
		.examples = {{"fairway vip list", NULL}},
	},
	{
		.object = "vip",
		.verb = "show",
		.summary = "show one VIP with its services and their reals",
		.method = "vip.show",
		.view = &view_vip_show,
		.args = {ARG_VIP},
		.examples = {{"fairway vip show web", NULL}},
	},
	{
		.object = "vip",
		.verb = "add",
		.summary = "add a VIP",
		.detail =
			"It is announced once it really forwards. Its pools must exist.\n\n" DETAIL_UNSAVED,
		.method = "vip.add",
		.view = &view_change,
		.can_force = true,
		.args = {{NULL, "NAME", "name", VALUE_NEW_NAME, false, false, "a name for it"},
			 {"address", "ADDRESS", "address", VALUE_PREFIX, false, false,
			  "its IPv4 or IPv6 address, or a prefix; no other VIP may have the same"},
			 {"service", "PROTOCOL/PORT=POOL", "services", VALUE_SERVICE, true, true,
			  "what to forward, to which pool; port 443, 8000-8999 or `any` other"},
			 {"announce", "WHEN", "announce", VALUE_ANNOUNCE, true, false,
			  "healthy (default), always or never"}},
		.examples =
			{{"fairway vip add web address 203.0.113.80 service tcp/443=web", NULL},
			 {"fairway vip add dns address 2001:db8::53 service tcp/53=dns service udp/53=dns",
			  "two services"},
			 {"fairway vip add lab address 203.0.113.99 service tcp/any=lab announce never",
			  "not yet for everyone"}},
	},
	{
		.object = "vip",
		.verb = "remove",
		.summary = "withdraw a VIP, then stop forwarding it",
		.detail =
			"Routers are told first; packets still under way are forwarded for node.drain_time.\n\n" DETAIL_UNSAVED,
		.method = "vip.remove",
		.view = &view_change,
		.can_force = true,
		.args = {ARG_VIP},
		.examples = {{"fairway vip remove web", NULL}},
	},
	{
		.object = "vip",
		.verb = "set",
		.summary = "change a VIP: address, services, when it is announced",
		.detail =
			"What isn't named stays as it is. Another address ends all connections of the VIP;\n"
			"another pool ends those of the service.\n\n" DETAIL_UNSAVED,
		.method = "vip.set",
		.view = &view_change,
		.can_force = true,
		.needs_a_key = true,
		.args = {ARG_VIP,
			 {"address", "ADDRESS", "address", VALUE_PREFIX, true, false,
			  "its new address or prefix"},
			 {"service", "PROTOCOL/PORT=POOL", "set_services", VALUE_SERVICE, true,
			  true, "add this service, or send it to another pool"},
			 {"no-service", "PROTOCOL/PORT", "remove_services", VALUE_SERVICE_NAME,
			  true, true, "remove this service"},
			 {"announce", "WHEN", "announce", VALUE_ANNOUNCE, true, false,
			  "healthy, always or never"}},
		.examples = {{"fairway vip set web service udp/443=web", "add a service"},
			     {"fairway vip set web service tcp/443=web2",
			      "send it to another pool"},
			     {"fairway vip set web no-service udp/443", "remove it"},
			     {"fairway vip set web announce never", "take the VIP off this node"}},
	},
	{
		.object = "pool",
		.verb = "list",
		.summary = "list the pools: how many reals are up, check, traffic",
		.detail =
			"Pools are added, removed and given another check in the configuration file:\n"
			"edit it, then `fairway config diff` and `fairway config apply`.",
		.method = "pool.list",
		.view = &view_pool_list,
		.examples = {{"fairway pool list", NULL}},
	},
	{
		.object = "pool",
		.verb = "show",
		.summary = "show one pool with its reals",
		.method = "pool.show",
		.view = &view_pool_show,
		.args = {ARG_POOL},
		.examples = {{"fairway pool show web", NULL}},
	},
	{
		.object = "real",
		.verb = "list",
		.summary = "list the reals: state and why, share, next hop, last check, traffic",
		.method = "real.list",
		.view = &view_real_list,
		.args = {{NULL, "POOL", "pool", VALUE_POOL, true, false,
			  "only this pool (default: all)"}},
		.examples = {{"fairway real list", NULL},
			     {"fairway real list web", "only pool web"}},
	},
	{
		.object = "real",
		.verb = "add",
		.summary = "add a real to a pool",
		.detail = "It gets packets once its check says so.\n\n" DETAIL_UNSAVED,
		.method = "real.add",
		.view = &view_change,
		.can_force = true,
		.args = {{NULL, "POOL", "pool", VALUE_POOL, false, false, "the pool's name"},
			 {NULL, "ADDRESS", "address", VALUE_ADDRESS, false, false,
			  "the real's address"},
			 {"weight", "WEIGHT", "weight", VALUE_WEIGHT, true, false,
			  "share relative to the pool's others, 0 to 1000 (default 100)"},
			 {"mac", "MAC", "mac", VALUE_MAC, true, false,
			  "pin the next hop's MAC address (default: the kernel's neighbour table)"},
			 {"server-id", "HEX", "server_id", VALUE_SERVER_ID, true, false,
			  "its id in QUIC connection ids (default: the end of its address)"}},
		.examples = {{"fairway real add web 10.0.0.13", NULL},
			     {"fairway real add web 10.0.0.13 weight 50",
			      "half the share of the others"}},
	},
	{
		.object = "real",
		.verb = "remove",
		.summary = "remove a real from its pool",
		.detail =
			"Connections on it go on until they end; `real disable` before ends them.\n\n" DETAIL_UNSAVED,
		.method = "real.remove",
		.view = &view_change,
		.can_force = true,
		.args = {ARG_REAL_POOL, ARG_REAL},
		.examples = {{"fairway real remove 10.0.0.13", NULL},
			     {"fairway real remove web 10.0.0.13",
			      "where it lies in several pools"}},
	},
	{
		.object = "real",
		.verb = "set",
		.summary = "change a real's weight or pinned MAC address",
		.detail =
			"What isn't named stays as it is. A smaller weight moves some of the real's slots to\n"
			"the others; the connections it has stay.\n\n" DETAIL_UNSAVED,
		.method = "real.set",
		.view = &view_change,
		.can_force = true,
		.needs_a_key = true,
		.args = {ARG_REAL_POOL,
			 ARG_REAL,
			 {"weight", "WEIGHT", "weight", VALUE_WEIGHT, true, false,
			  "share relative to the pool's others, 0 to 1000"},
			 {"mac", "MAC", "mac", VALUE_MAC, true, false,
			  "pin the next hop's MAC address; `none` takes the pin away"},
			 {"server-id", "HEX", "server_id", VALUE_SERVER_ID, true, false,
			  "its id in QUIC connection ids; `none` has it follow from the address"}},
		.examples = {{"fairway real set 10.0.0.13 weight 50", NULL},
			     {"fairway real set 10.0.0.13 mac none", NULL}},
	},
	{
		.object = "real",
		.verb = "drain",
		.summary = "send a real no new connections",
		.detail =
			"Those it has go on until they end; TRACKED of `fairway real list` tells how many.\n"
			"`real enable` takes it back.\n\n" DETAIL_INTENT,
		.method = "real.drain",
		.view = &view_change,
		.can_force = true,
		.args = {ARG_REAL_POOL, ARG_REAL},
		.examples = {{"fairway real drain 10.0.0.13", NULL}},
	},
	{
		.object = "real",
		.verb = "disable",
		.summary = "take a real out at once",
		.detail =
			"Its connections go to other reals, and end there; `real drain` lets them finish.\n"
			"`real enable` takes it back.\n\n" DETAIL_INTENT,
		.method = "real.disable",
		.view = &view_change,
		.can_force = true,
		.args = {ARG_REAL_POOL, ARG_REAL},
		.examples = {{"fairway real disable 10.0.0.13", NULL}},
	},
	{
		.object = "real",
		.verb = "enable",
		.summary = "take drain or disable back",
		.detail = "The real gets packets once its check says so.",
		.method = "real.enable",
		.view = &view_change,
		.args = {ARG_REAL_POOL, ARG_REAL},
		.examples = {{"fairway real enable 10.0.0.13", NULL}},
	},
	{
		.object = "bgp",
		.verb = "show",
		.summary = "show the sessions, and what is announced in them",
		.method = "bgp.show",
		.view = &view_bgp_show,
		.examples = {{"fairway bgp show", NULL}},
	},
	{
		.object = "counters",
		.summary = "show what became of every packet, reason by reason",
		.detail =
			"Each packet is counted by exactly one reason. Then the services and the reals.",
		.method = "counters.get",
		.view = &view_counters,
		.examples = {{"fairway counters", NULL}},
	},
	{
		.object = "explain",
		.summary = "tell what would happen to a packet of this flow now",
		.detail =
			"Decided by the code and the tables that decide for real packets; nothing is sent\n"
			"and nothing counted.",
		.method = "explain",
		.view = &view_explain,
		.args = {{NULL, "PROTOCOL", "protocol", VALUE_PROTOCOL, false, false, "tcp or udp"},
			 {NULL, "SOURCE:PORT", "source", VALUE_ENDPOINT, false, false,
			  "the client"},
			 {NULL, "DESTINATION:PORT", "destination", VALUE_ENDPOINT, false, false,
			  "the VIP's address and port; IPv6 as [2001:db8::80]:443"}},
		.examples = {{"fairway explain tcp 198.51.100.7:40000 203.0.113.80:443", NULL},
			     {"fairway explain udp '[2001:db8::7]:40000' '[2001:db8::80]:443'",
			      NULL}},
	},
	{
		.object = "config",
		.verb = "check",
		.summary = "check a configuration, change nothing",
		.detail =
			"The daemon checks it as it would for `config apply`: also routes to the reals, and\n"
			"interfaces. Without a daemon this program checks what needs none, and says what it\n"
			"left out. Exit code 4: the configuration has errors.",
		.method = "config.check",
		.view = &view_config_check,
		.run = COMMAND_CHECK,
		.ok_or_trouble = true,
		.args = {ARG_FILE_OR_OWN},
		.examples = {{"fairway config check new.yaml", NULL},
			     {"fairway config check",
			      "/etc/fairway/fairway.yaml, or the daemon's file"}},
	},
	{
		.object = "config",
		.verb = "diff",
		.summary = "show what `config apply` would do, and what it would break",
		.method = "config.diff",
		.view = &view_config_diff,
		.args = {ARG_FILE_OR_OWN},
		.examples = {{"fairway config diff new.yaml", NULL},
			     {"fairway config diff", "what a reload would do"}},
	},
	{
		.object = "config",
		.verb = "apply",
		.summary = "make a configuration the running one",
		.detail =
			"What is the same before and after isn't touched. A configuration with errors changes\n"
			"nothing. `fairway config save` writes the running configuration to the daemon's file.",
		.method = "config.apply",
		.view = &view_change,
		.can_force = true,
		.args = {ARG_FILE_OR_OWN},
		.examples = {{"fairway config apply new.yaml", NULL},
			     {"fairway config apply", "reload the daemon's file, as SIGHUP does"}},
	},
	{
		.object = "config",
		.verb = "save",
		.summary = "write the running configuration to the daemon's file",
		.detail =
			"The file is replaced whole, or stays as it is. Comments in it are lost. Refused when\n"
			"somebody edited the file since the daemon last read it; --force overwrites it.",
		.method = "config.save",
		.view = &view_config_save,
		.can_force = true,
		.examples = {{"fairway config save", NULL}},
	},
	{
		.object = "config",
		.verb = "show",
		.summary = "print the running configuration as YAML",
		.detail = "BGP passwords are in it.",
		.method = "config.show",
		.view = &view_config_show,
		.examples = {{"fairway config show > running.yaml", NULL}},
	},
	{
		.object = "node",
		.verb = "drain",
		.summary = "withdraw every VIP, go on forwarding",
		.detail =
			"Before maintenance: routers send new packets elsewhere. When `fairway counters` shows\n"
			"no more traffic the node can be stopped. `node enable` takes it back.\n\n" DETAIL_INTENT,
		.method = "node.drain",
		.view = &view_change,
		.can_force = true,
		.examples = {{"fairway node drain", NULL}},
	},
	{
		.object = "node",
		.verb = "enable",
		.summary = "announce again after `node drain`",
		.method = "node.enable",
		.view = &view_change,
		.examples = {{"fairway node enable", NULL}},
	},
	{
		.object = "journal",
		.summary = "show what the daemon did and noticed, the latest last",
		.detail =
			"The daemon keeps a fixed number of entries in memory; the system's log has all:\n"
			"`journalctl -u fairwayd`.",
		.method = "journal.get",
		.view = &view_journal,
		.args = {{"limit", "COUNT", "limit", VALUE_LIMIT, true, false,
			  "how many entries, 1 to 1000 (default 100)"}},
		.examples = {{"fairway journal", NULL}, {"fairway journal limit 10", NULL}},
	},
	{
		.object = "doctor",
		.summary = "look at everything that must be so for traffic to flow",
		.detail = "Exit code 4: something is not as it should be.",
		.method = "doctor.run",
		.view = &view_doctor,
		.ok_or_trouble = true,
		.examples = {{"fairway doctor", NULL}},
	},
	{
		.object = "completion",
		.summary = "print the completion script for a shell",
		.detail = "Packages install it where the shell finds it by itself.",
		.run = COMMAND_COMPLETION,
		.args = {{NULL, "SHELL", "shell", VALUE_SHELL, false, false, "bash or zsh"}},
		.examples = {{"source <(fairway completion bash)", "in this shell only"}},
	},
};
const size_t command_count = ARRAY_SIZE(commands);

const struct command_object *command_find_object(const char *word)
{
	for (size_t i = 0; i < command_object_count; i++) {
		if (strcmp(command_objects[i].word, word) == 0)
			return &command_objects[i];
	}
	return NULL;
}

const struct command *command_find(const char *object, const char *verb)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *cmd = &commands[i];

		if (strcmp(cmd->object, object) != 0 || !cmd->verb != !verb)
			continue;
		if (!verb || strcmp(cmd->verb, verb) == 0)
			return cmd;
	}
	return NULL;
}

const struct command_arg *command_find_key(const struct command *cmd, const char *key)
{
	for (const struct command_arg *arg = cmd->args; arg->label; arg++) {
		if (arg->key && strcmp(arg->key, key) == 0)
			return arg;
	}
	return NULL;
}
