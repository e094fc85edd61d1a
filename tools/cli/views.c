/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/cli/views.h"

#include <string.h>

#include "controlplane/base/cleanup.h"

/* One view for each document of docs/api.md. Cells below compose what people want to read in one
 * place from several keys of the same row; they know nothing that isn't in the document. */

static const char *text_at(const json_t *row, const char *path)
{
	return json_string_value(display_find(row, path));
}

static bool true_at(const json_t *row, const char *path)
{
	return json_is_true(display_find(row, path));
}

static json_int_t integer_at(const json_t *row, const char *path)
{
	return json_integer_value(display_find(row, path));
}

static void put_of(FILE *out, const json_t *row, const char *part, const char *whole)
{
	if (display_find(row, part) && display_find(row, whole))
		fprintf(out, "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
			integer_at(row, part), integer_at(row, whole));
}

/* "tcp/443", "tcp/8000-8999"; port 0 is any. */
static void put_service(FILE *out, const json_t *service)
{
	const char *protocol = text_at(service, "protocol");
	json_int_t port = integer_at(service, "port"), last = integer_at(service, "port_last");

	if (!protocol)
		return;
	display_text(out, protocol, false);
	if (port == 0)
		fputs("/any", out);
	else
		fprintf(out, "/%" JSON_INTEGER_FORMAT, port);
	if (port != 0 && last > port)
		fprintf(out, "-%" JSON_INTEGER_FORMAT, last);
}

static void cell_service(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	put_service(out, value);
}

/* In the words that `vip add` takes: "tcp/443=web udp/443=web". */
static void cell_services(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *service = json_array_get(value, i);
		const char *pool = text_at(service, "pool");

		fputs(i ? " " : "", out);
		put_service(out, service);
		fputc('=', out);
		display_text(out, pool ? pool : "?", false);
	}
}

static void cell_announced(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	if (!value)
		return;
	if (!true_at(value, "announced")) {
		fputs("no", out);
		return;
	}
	fputs("yes ", out);
	put_of(out, value, "peers_announced", "peers_total");
}

static void cell_reals(FILE *out, const json_t *row, const json_t *value)
{
	(void)value;
	put_of(out, row, "reals_up", "reals_total");
}

/* The service that has the least: the VIP is as good as that. */
static void cell_services_reals(FILE *out, const json_t *row, const json_t *value)
{
	const json_t *least = NULL;

	(void)row;
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *service = json_array_get(value, i);

		if (!least || integer_at(service, "reals_up") < integer_at(least, "reals_up"))
			least = service;
	}
	put_of(out, least, "reals_up", "reals_total");
}

static void cell_next_hop(FILE *out, const json_t *row, const json_t *value)
{
	const char *interface = text_at(value, "interface"), *gateway = text_at(value, "gateway");

	if (!value)
		return;
	if (!true_at(value, "resolved")) {
		fputs("unresolved", out);
		if (text_at(value, "reason"))
			fputs(": ", out);
		cell_text(out, row, display_find(value, "reason"));
		return;
	}
	cell_text(out, row, display_find(value, "mac"));
	if (interface)
		fputs(" dev ", out);
	cell_text(out, row, display_find(value, "interface"));
	if (gateway)
		fputs(" via ", out);
	cell_text(out, row, display_find(value, "gateway"));
	if (true_at(value, "pinned"))
		fputs(" (pinned)", out);
}

static void cell_last_check(FILE *out, const json_t *row, const json_t *value)
{
	char age[DISPLAY_UNIT_LEN];

	if (!value)
		return;
	fputs(true_at(value, "ok") ? "ok " : "FAILED ", out);
	fprintf(out, "%s ago", display_age((unsigned long long)integer_at(value, "age_ms"), age));
	if (display_find(value, "latency_ms") && true_at(value, "ok")) {
		fputs(", ", out);
		cell_ms(out, row, display_find(value, "latency_ms"));
	}
}

static void cell_state_since(FILE *out, const json_t *row, const json_t *value)
{
	cell_text(out, row, value);
	if (display_find(row, "age_ms")) {
		fputc(' ', out);
		cell_age(out, row, display_find(row, "age_ms"));
	}
}

/* "http port 8080 /healthz every 2.0s, fall 3". */
static void cell_health(FILE *out, const json_t *row, const json_t *value)
{
	char interval[DISPLAY_UNIT_LEN];

	if (!value) {
		fputs("none", out);
		return;
	}
	cell_text(out, row, display_find(value, "type"));
	fprintf(out, " port %" JSON_INTEGER_FORMAT, integer_at(value, "port"));
	if (text_at(value, "path"))
		fputc(' ', out);
	cell_text(out, row, display_find(value, "path"));
	fprintf(out, " every %s, rise %" JSON_INTEGER_FORMAT ", fall %" JSON_INTEGER_FORMAT,
		display_age((unsigned long long)integer_at(value, "interval_ms"), interval),
		integer_at(value, "rise"), integer_at(value, "fall"));
}

/* A column; one of numbers; one that is left out where nothing is there. */
#define COL(header, path, cell)                                                                    \
	{                                                                                          \
		header, path, cell, false, false                                                   \
	}
#define NUM(header, path, cell)                                                                    \
	{                                                                                          \
		header, path, cell, true, false                                                    \
	}
#define OPT(header, path, cell)                                                                    \
	{                                                                                          \
		header, path, cell, false, true                                                    \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, NULL, false, false                                                     \
	}
#define COLUMNS(...) ((const struct view_column[]){__VA_ARGS__, END})

#define VIEW(name, ...)                                                                            \
	static const struct view_block blocks_##name[] = {__VA_ARGS__};                            \
	const struct view view_##name = {blocks_##name, ARRAY_SIZE(blocks_##name)}

/* ---- status ---- */

static void cell_daemon(FILE *out, const json_t *row, const json_t *value)
{
	char up[DISPLAY_UNIT_LEN];

	cell_text(out, row, value);
	fprintf(out, ", pid %" JSON_INTEGER_FORMAT ", up %s", integer_at(row, "pid"),
		display_age((unsigned long long)integer_at(row, "uptime_ms"), up));
}

static void cell_engine(FILE *out, const json_t *row, const json_t *value)
{
	cell_text(out, row, value);
	if (text_at(row, "mode"))
		fputc(' ', out);
	cell_text(out, row, display_find(row, "mode"));
}

static void cell_program(FILE *out, const json_t *row, const json_t *value)
{
	if (!value) {
		fputs("none attached", out);
		return;
	}
	fprintf(out, "id %" JSON_INTEGER_FORMAT " at ", integer_at(value, "id"));
	cell_text(out, row, display_find(value, "pinned_at"));
	if (true_at(value, "adopted"))
		fputs(", adopted from the daemon before", out);
}

/* The engine's process, with the DPDK engine. */
static void cell_process(FILE *out, const json_t *row, const json_t *value)
{
	char up[DISPLAY_UNIT_LEN];

	if (!value)
		return;
	if (!true_at(value, "serves")) {
		cell_text(out, row, display_find(value, "reason"));
	} else {
		fputs("fairway-dpdk ", out);
		cell_text(out, row, display_find(value, "version"));
		fprintf(out, ", pid %" JSON_INTEGER_FORMAT ", up %s", integer_at(value, "pid"),
			display_age((unsigned long long)integer_at(value, "uptime_ms"), up));
	}
	if (true_at(value, "fallback_in_force"))
		fputs(", XDP FORWARDS IN ITS PLACE", out);
}

static void cell_config(FILE *out, const json_t *row, const json_t *value)
{
	cell_text(out, row, display_find(value, "file"));
	if (display_find(value, "age_ms")) {
		fputs(", as of ", out);
		cell_age(out, row, display_find(value, "age_ms"));
		fputs(" ago", out);
	}
	if (true_at(value, "unsaved_changes"))
		fputs(", UNSAVED CHANGES", out);
	if (true_at(value, "changed_on_disk"))
		fputs(", EDITED SINCE", out);
}

static void cell_bgp_summary(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	if (!true_at(value, "configured")) {
		fputs("not configured: nothing is announced", out);
		return;
	}
	put_of(out, value, "peers_up", "peers_total");
	fputs(" sessions established", out);
}

static void cell_vips_summary(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	put_of(out, value, "announced", "total");
	fputs(" announced", out);
}

static void cell_pools_summary(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	put_of(out, value, "ok", "total");
	fputs(" ok", out);
}

static void cell_reals_summary(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	put_of(out, value, "up", "total");
	fputs(" up", out);
}

static void cell_traffic(FILE *out, const json_t *row, const json_t *value)
{
	static const char *const verdicts[] = {"forward", "reply", "pass", "drop"};
	const char *gap = "";

	(void)row;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		const json_t *total = display_find(value, verdicts[i]);
		char bytes[DISPLAY_UNIT_LEN];

		if (integer_at(total, "packets") == 0 && i > 0)
			continue;
		fprintf(out, "%s%s %" JSON_INTEGER_FORMAT " packets (%s bytes)", gap, verdicts[i],
			integer_at(total, "packets"),
			display_bytes((unsigned long long)integer_at(total, "bytes"), bytes));
		gap = ", ";
	}
}

static void cell_tracking(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	fprintf(out,
		"%" JSON_INTEGER_FORMAT " flows, %" JSON_INTEGER_FORMAT
		" of them need it; %" JSON_INTEGER_FORMAT
		" slots changed lately, %" JSON_INTEGER_FORMAT " confirmed flows evicted",
		integer_at(value, "entries"), integer_at(value, "at_risk"),
		integer_at(value, "unsettled_slots"), integer_at(value, "evicted_confirmed"));
}

static void cell_table_share(FILE *out, const json_t *row, const json_t *value)
{
	json_int_t max = integer_at(row, "max");

	(void)value;
	if (max > 0)
		fprintf(out, "%.1f %%", 100.0 * (double)integer_at(row, "used") / (double)max);
}

VIEW(status,
     {VIEW_FIELDS, NULL, "",
      COLUMNS(COL("Node", "node", cell_text), COL("State", "state", cell_text),
	      COL("Daemon", "version", cell_daemon), COL("Engine", "engine", cell_engine),
	      OPT("Process", "process", cell_process), COL("Program", "program", cell_program),
	      COL("Config", "config", cell_config), COL("BGP", "bgp", cell_bgp_summary),
	      COL("VIPs", "vips", cell_vips_summary), COL("Pools", "pools", cell_pools_summary),
	      COL("Reals", "reals", cell_reals_summary), COL("Traffic", "totals", cell_traffic),
	      COL("Tracking", "tracking", cell_tracking)),
      NULL},
     {VIEW_TABLE, "", "interfaces",
      COLUMNS(COL("INTERFACE", "name", cell_text), COL("ATTACHED", "attached", cell_yes_no),
	      COL("MODE", "mode", cell_text), COL("MAC", "mac", cell_text),
	      NUM("MTU", "mtu", cell_text), COL("REASON", "reason", cell_text)),
      NULL},
     {VIEW_TABLE, "", "process.ports",
      COLUMNS(COL("PORT", "device", cell_text), COL("DRIVER", "driver", cell_text),
	      COL("INTERFACE", "interface", cell_text), COL("LINK", "link", cell_yes_no),
	      NUM("QUEUES", "queues", cell_text), NUM("MISSED", "rx_missed", cell_text),
	      NUM("ERRORS", "rx_errors", cell_text)),
      NULL},
     {VIEW_TABLE, "", "process.workers",
      COLUMNS(COL("WORKER", "number", cell_text), NUM("CPU", "cpu", cell_text),
	      NUM("THREAD", "thread", cell_text), COL("STALLED", "stalled", cell_yes_no),
	      NUM("RECEIVED", "received", cell_text), NUM("SENT", "sent", cell_text),
	      NUM("DROPPED", "tx_dropped", cell_text), NUM("TO KERNEL", "to_kernel", cell_text)),
      NULL},
     {VIEW_TABLE, "", "tables",
      COLUMNS(COL("TABLE", "name", cell_text), NUM("USED", "used", cell_text),
	      NUM("MAX", "max", cell_text), NUM("SHARE", "max", cell_table_share)),
      NULL},
     {VIEW_LINES, "", "warnings",
      COLUMNS(OPT("warning: ", "text", cell_text), OPT("\n    see: ", "hint", cell_text)), NULL});

/* ---- VIPs, pools, reals ---- */

#define COLUMNS_TRAFFIC NUM("PACKETS", "packets", cell_text), NUM("BYTES", "bytes", cell_bytes)

#define COLUMNS_REALS                                                                              \
	COLUMNS(COL("POOL", "pool", cell_text), COL("ADDRESS", "address", cell_text),              \
		COL("STATE", "state", cell_state_since), NUM("WEIGHT", "weight", cell_text),       \
		NUM("SHARE", "share_percent", cell_percent),                                       \
		NUM("TRACKED", "tracked_flows", cell_text),                                        \
		COL("NEXT HOP", "next_hop", cell_next_hop),                                        \
		OPT("SERVER ID", "server_id", cell_text),                                          \
		COL("CHECK", "last_check", cell_last_check), COLUMNS_TRAFFIC,                      \
		COL("REASON", "reason", cell_text))

VIEW(vip_list, {VIEW_TABLE, NULL, "vips",
		COLUMNS(COL("NAME", "name", cell_text), COL("ADDRESS", "address", cell_text),
			COL("ANNOUNCED", "announce", cell_announced),
			COL("SERVICES", "services", cell_services),
			NUM("REALS", "services", cell_services_reals), COLUMNS_TRAFFIC,
			COL("REASON", "announce.reason", cell_text)),
		"no VIPs: add one with `fairway vip add`"});

VIEW(vip_show,
     {VIEW_FIELDS, NULL, "vip",
      COLUMNS(COL("VIP", "name", cell_text), COL("Address", "address", cell_text),
	      COL("Announce", "announce.when", cell_text),
	      COL("Announced", "announce", cell_announced),
	      COL("Reason", "announce.reason", cell_text),
	      COL("Since", "announce.age_ms", cell_age), COL("Packets", "packets", cell_text),
	      COL("Bytes", "bytes", cell_bytes)),
      NULL},
     {VIEW_TABLE, "", "vip.services",
      COLUMNS(COL("SERVICE", "", cell_service), COL("POOL", "pool", cell_text),
	      COL("ENCAP", "encap", cell_text), NUM("REALS", "reals_up", cell_reals),
	      COL("FORWARDING", "forwarding", cell_yes_no), COLUMNS_TRAFFIC,
	      COL("REASON", "reason", cell_text)),
      "no services: add one with `fairway vip set NAME service PROTOCOL/PORT=POOL`"},
     {VIEW_TABLE, "", "pools.reals", COLUMNS_REALS, NULL});

VIEW(pool_list, {VIEW_TABLE, NULL, "pools",
		 COLUMNS(COL("NAME", "name", cell_text), COL("STATE", "state", cell_text),
			 NUM("REALS", "reals_up", cell_reals), COL("ENCAP", "encap", cell_text),
			 COL("CHECK", "health", cell_health), COL("VIPS", "vips", cell_text),
			 COLUMNS_TRAFFIC, COL("REASON", "reason", cell_text)),
		 "no pools: add them to the configuration file, then `fairway config apply`"});

VIEW(pool_show,
     {VIEW_FIELDS, NULL, "pool",
      COLUMNS(COL("Pool", "name", cell_text), COL("State", "state", cell_text),
	      COL("Reason", "reason", cell_text), COL("Reals up", "reals_up", cell_reals),
	      COL("Least healthy", "min_healthy", cell_text), COL("Encap", "encap", cell_text),
	      COL("Check", "health", cell_health), COL("Table size", "table_size", cell_text),
	      COL("VIPs", "vips", cell_text), COL("Packets", "packets", cell_text),
	      COL("Bytes", "bytes", cell_bytes)),
      NULL},
     {VIEW_TABLE, "", "reals", COLUMNS_REALS, "no reals: add one with `fairway real add`"});

VIEW(real_list,
     {VIEW_TABLE, NULL, "reals", COLUMNS_REALS, "no reals: add one with `fairway real add`"});

/* ---- BGP ---- */

static void cell_unsendable(FILE *out, const json_t *row, const json_t *value)
{
	if (!value)
		return;
	cell_text(out, row, display_find(row, "address"));
	fprintf(out, " can't have %" JSON_INTEGER_FORMAT " of the prefixes: ",
		integer_at(row, "prefixes_unsendable"));
	cell_text(out, row, value);
}

VIEW(bgp_show,
     {VIEW_FIELDS, NULL, "",
      COLUMNS(COL("Configured", "configured", cell_yes_no), COL("AS", "asn", cell_text),
	      COL("Router ID", "router_id", cell_text), COL("Listening", "listening", cell_yes_no),
	      OPT("Listen error", "listen_error", cell_text)),
      NULL},
     {VIEW_TABLE, "", "peers",
      COLUMNS(COL("PEER", "address", cell_text), NUM("AS", "asn", cell_text),
	      COL("STATE", "state", cell_state_since),
	      NUM("ANNOUNCED", "prefixes_announced", cell_text),
	      NUM("PENDING", "prefixes_pending", cell_text),
	      NUM("UNSENDABLE", "prefixes_unsendable", cell_text),
	      NUM("HOLD", "hold_time_ms", cell_age), NUM("RETRY IN", "retry_in_ms", cell_age),
	      COL("LAST ERROR", "last_error", cell_text),
	      NUM("ERROR AGE", "last_error_age_ms", cell_age)),
      NULL},
     {VIEW_LINES, NULL, "peers", COLUMNS(OPT("", "unsendable_reason", cell_unsendable)), NULL},
     {VIEW_TABLE, "", "prefixes",
      COLUMNS(COL("PREFIX", "prefix", cell_text), COL("VIP", "vip", cell_text)), NULL});

/* ---- counters, explain ---- */

VIEW(counters,
     {VIEW_TABLE, NULL, "reasons",
      COLUMNS(COL("VERDICT", "verdict", cell_text), COL("REASON", "name", cell_text),
	      COLUMNS_TRAFFIC, COL("MEANING", "help", cell_text)),
      NULL},
     {VIEW_TABLE, "", "services",
      COLUMNS(COL("VIP", "vip", cell_text), COL("ADDRESS", "address", cell_text),
	      COL("SERVICE", "", cell_service), COLUMNS_TRAFFIC),
      NULL},
     {VIEW_TABLE, "", "reals",
      COLUMNS(COL("POOL", "pool", cell_text), COL("REAL", "address", cell_text), COLUMNS_TRAFFIC),
      NULL});

VIEW(explain,
     {VIEW_FIELDS, NULL, "",
      COLUMNS(COL("Verdict", "verdict", cell_text), COL("Reason", "reason", cell_text),
	      COL("Meaning", "help", cell_text), OPT("VIP", "vip", cell_text),
	      OPT("Service", "service", cell_service), OPT("Pool", "pool", cell_text),
	      OPT("Slot", "slot", cell_text), OPT("Real", "real", cell_text),
	      OPT("Encap", "encap", cell_text), OPT("Outer source", "outer_source", cell_text),
	      OPT("Outer destination", "outer_destination", cell_text),
	      OPT("Next hop", "next_hop", cell_next_hop)),
      NULL},
     {VIEW_LINES, "", "steps", COLUMNS(OPT("", "", cell_text)), NULL},
     {VIEW_LINES, "", "warnings", COLUMNS(OPT("warning: ", "", cell_text)), NULL});

/* ---- changes and configuration ---- */

/* Did the change touch the configuration? What drain, disable and enable do is intent, and has no
 * place in the file. */
static bool changes_config(const json_t *change)
{
	static const char *const not_config[] = {"drain", "disable", "enable", "announce",
						 "withdraw"};
	const json_t *plan = display_find(change, "plan");

	for (size_t i = 0; i < json_array_size(plan); i++) {
		const char *action = text_at(json_array_get(plan, i), "action");
		bool config = action != NULL;

		for (size_t j = 0; config && j < ARRAY_SIZE(not_config); j++)
			config = strcmp(action, not_config[j]) != 0;
		if (config)
			return true;
	}
	return false;
}

static void cell_change_note(FILE *out, const json_t *row, const json_t *value)
{
	(void)value;
	if (json_is_false(display_find(row, "changed")))
		fputs("nothing to change: it is so already", out);
	else if (json_array_size(display_find(row, "plan")) == 0)
		fputs("done", out);
	if (true_at(row, "unsaved_changes") && true_at(row, "changed") && changes_config(row))
		fputs("unsaved: `fairway config save` writes the running configuration to its file",
		      out);
}

/* "fairway.yaml:12:7: unknown key 'prot': did you mean 'port'?" */
static void put_finding(FILE *out, const json_t *finding, const char *kind)
{
	if (text_at(finding, "file")) {
		display_text(out, text_at(finding, "file"), false);
		if (integer_at(finding, "line") > 0)
			fprintf(out, ":%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT,
				integer_at(finding, "line"), integer_at(finding, "column"));
		fputs(": ", out);
	}
	fputs(kind, out);
	cell_text(out, finding, display_find(finding, "message"));
	if (text_at(finding, "hint")) {
		fputs(": ", out);
		cell_text(out, finding, display_find(finding, "hint"));
	}
}

static void cell_error(FILE *out, const json_t *row, const json_t *value)
{
	(void)value;
	put_finding(out, row, "");
}

static void cell_warning(FILE *out, const json_t *row, const json_t *value)
{
	(void)value;
	if (json_is_string(row)) {
		fputs("warning: ", out);
		cell_text(out, NULL, row);
	} else {
		put_finding(out, row, "warning: ");
	}
}

static void cell_check_summary(FILE *out, const json_t *row, const json_t *value)
{
	size_t n = json_array_size(display_find(row, "errors"));

	cell_text(out, row, value);
	if (n > 0)
		fprintf(out, ": %zu error%s", n, n == 1 ? "" : "s");
	else
		fputs(": no errors", out);
}

static void cell_equal(FILE *out, const json_t *row, const json_t *value)
{
	if (!json_is_true(value))
		return;
	fputs("no difference: ", out);
	cell_text(out, row, display_find(row, "file"));
	fputs(" is what runs", out);
}

static void cell_saved(FILE *out, const json_t *row, const json_t *value)
{
	cell_text(out, row, value);
	if (true_at(row, "changed"))
		fprintf(out, ": saved, %" JSON_INTEGER_FORMAT " bytes", integer_at(row, "bytes"));
	else
		fputs(": nothing to save, it is so already", out);
}

#define BLOCK_PLAN                                                                                 \
	{                                                                                          \
		VIEW_LINES, NULL, "plan",                                                          \
			COLUMNS(OPT("", "text", cell_text),                                        \
				OPT("\n    breaks: ", "breaks", cell_text)),                       \
			NULL                                                                       \
	}
#define BLOCK_ERRORS                                                                               \
	{                                                                                          \
		VIEW_LINES, NULL, "errors", COLUMNS(OPT("", "", cell_error)), NULL                 \
	}
#define BLOCK_WARNINGS                                                                             \
	{                                                                                          \
		VIEW_LINES, NULL, "warnings", COLUMNS(OPT("", "", cell_warning)), NULL             \
	}

VIEW(change, BLOCK_PLAN, BLOCK_WARNINGS,
     {VIEW_LINES, NULL, "", COLUMNS(OPT("", "", cell_change_note)), NULL});

VIEW(config_check, BLOCK_ERRORS, BLOCK_WARNINGS,
     {VIEW_LINES, NULL, "not_checked", COLUMNS(OPT("not checked: ", "", cell_text)), NULL},
     {VIEW_LINES, NULL, "", COLUMNS(OPT("", "file", cell_check_summary)), NULL});

VIEW(config_diff, BLOCK_PLAN, BLOCK_WARNINGS,
     {VIEW_LINES, NULL, "",
      COLUMNS(OPT("", "equal", cell_equal), OPT("needs --force: ", "brake", cell_text)), NULL});

VIEW(config_save, {VIEW_LINES, NULL, "", COLUMNS(OPT("", "file", cell_saved)), NULL});

VIEW(config_show, {VIEW_TEXT, NULL, "text", NULL, NULL});

VIEW(error_data, BLOCK_ERRORS, BLOCK_PLAN,
     {VIEW_LINES, NULL, "hint", COLUMNS(OPT("  ", "", cell_text)), NULL});

/* ---- journal, doctor ---- */

VIEW(journal, {VIEW_TABLE, NULL, "entries",
	       COLUMNS(COL("TIME", "at", cell_text), NUM("AGE", "age_ms", cell_age),
		       COL("LEVEL", "level", cell_text), COL("OBJECT", "object", cell_text),
		       COL("NAME", "name", cell_text), COL("WHAT", "text", cell_text)),
	       "nothing yet"});

VIEW(doctor, {VIEW_TABLE, NULL, "checks",
	      COLUMNS(COL("RESULT", "result", cell_text), COL("CHECK", "name", cell_text),
		      COL("WHAT", "text", cell_text), COL("TO MEND IT", "hint", cell_text)),
	      NULL});

const struct view *const views_all[] = {
	&view_status,      &view_vip_list,     &view_vip_show,
	&view_pool_list,   &view_pool_show,    &view_real_list,
	&view_bgp_show,    &view_counters,     &view_explain,
	&view_change,      &view_config_check, &view_config_diff,
	&view_config_save, &view_config_show,  &view_journal,
	&view_doctor,      &view_error_data,   NULL,
};
