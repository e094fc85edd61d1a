/* SPDX-License-Identifier: BSD-2-Clause */

/* The BGP speaker by itself, for tests against other daemons: commands come in on stdin, one per
 * line, events and answers go out on stdout, one JSON object per line.
 *
 *   set asn 64512 | set router_id 192.0.2.10 | set listen_port 179 | set listen_off 1
 *   neighbor ADDRESS asn=N [hold=S] [port=N] [password=P] [local=A] [ttl=HOPS] [passive=1]
 *            [next_hop4=A] [next_hop6=A]
 *   clear                 forget the neighbours of the configuration under construction
 *   apply                 configure the speaker with it
 *   announce PREFIX [med=N] [local_pref=N] [community=AS:N]...
 *   withdraw PREFIX
 *   sync                  answer once all that came before is done
 *   show                  every neighbour's snapshot
 *   stop [MESSAGE]        and exit
 * The end of stdin exits without a goodbye, like a crash. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uv.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/clock.h"
#include "controlplane/bgp/bgp.h"

#define NEIGHBORS_MAX 16

static struct bgp_speaker *speaker;
static struct bgp_config config;
static struct bgp_neighbor neighbors[NEIGHBORS_MAX];
static uv_loop_t loop;
static uv_poll_t input;
static char line[4096];
static size_t line_len;

static void say(json_t *object)
{
	if (!object || json_dumpf(object, stdout, JSON_COMPACT)) {
		fprintf(stderr, "speaker_cli: cannot write an answer\n");
		exit(1);
	}
	putchar('\n');
	fflush(stdout);
	json_decref(object);
}

static void answer(const char *command, int ret, const char *text)
{
	say(json_pack("{s:s, s:s, s:i, s:s}", "event", "answer", "command", command, "ret", ret,
		      "text", text));
}

static void on_state(void *arg, const struct addr *peer, enum bgp_state from, enum bgp_state to,
		     const char *reason)
{
	char text[ADDR_STRLEN];

	(void)arg;
	say(json_pack("{s:s, s:s, s:s, s:s, s:s, s:f}", "event", "state", "peer",
		      addr_format(peer, text), "from", bgp_state_name(from), "to",
		      bgp_state_name(to), "reason", reason, "at",
		      (double)clock_now_ns() / (double)NS_PER_S));
}

static void on_notice(void *arg, const struct addr *peer, const char *notice)
{
	char text[ADDR_STRLEN];

	(void)arg;
	say(json_pack("{s:s, s:s, s:s}", "event", "notice", "peer",
		      peer ? addr_format(peer, text) : "", "text", notice));
}

static json_t *capabilities(uint32_t bits)
{
	json_t *list = json_array();

	for (unsigned i = 0; bgp_capability_name(i); i++) {
		if (bits & 1u << i)
			json_array_append_new(list, json_string(bgp_capability_name(i)));
	}
	return list;
}

static void show(void)
{
	json_t *list = json_array();
	struct bgp_peer_snapshot s;

	for (size_t i = 0; bgp_peer_snapshot(speaker, i, &s) == 0; i++) {
		char peer[ADDR_STRLEN], local[ADDR_STRLEN];

		json_array_append_new(
			list,
			json_pack(
				"{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
				"s:s, s:s, s:f}",
				"address", addr_format(&s.address, peer), "state",
				bgp_state_name(s.state), "local",
				addr_format(&s.local_address, local), "capabilities",
				capabilities(s.capabilities), "remote_capabilities",
				capabilities(s.remote_capabilities), "hold_time_ms",
				(json_int_t)s.hold_time_ms, "messages_in",
				(json_int_t)s.messages_in, "messages_out",
				(json_int_t)s.messages_out, "updates_in", (json_int_t)s.updates_in,
				"updates_out", (json_int_t)s.updates_out, "announced",
				(json_int_t)s.prefixes_announced, "unsendable",
				(json_int_t)s.prefixes_unsendable, "times_connected",
				(json_int_t)s.times_connected, "unsendable_reason",
				s.unsendable_reason, "last_error", s.last_error, "uptime",
				(double)s.uptime_ns / (double)NS_PER_S));
	}
	say(json_pack("{s:s, s:o, s:s}", "event", "peers", "peers", list, "listen_error",
		      bgp_listen_error(speaker)));
}

static void bad(const char *what, const char *word)
{
	fprintf(stderr, "speaker_cli: bad %s \"%s\"\n", what, word);
	exit(2);
}

static uint32_t number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end)
		bad("number", text);
	return (uint32_t)n;
}

static struct addr address(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		bad("address", text);
	return a;
}

/* "key=value" split in place; the value. */
static char *split(char *word)
{
	char *eq = strchr(word, '=');

	if (!eq)
		bad("key=value", word);
	*eq = '\0';
	return eq + 1;
}

static void set(const char *key, const char *value)
{
	if (strcmp(key, "asn") == 0)
		config.asn = number(value);
	else if (strcmp(key, "listen_port") == 0)
		config.listen_port = (uint16_t)number(value);
	else if (strcmp(key, "listen_off") == 0)
		config.listen_off = number(value) != 0;
	else if (strcmp(key, "router_id") == 0)
		config.router_id = (uint32_t)address(value).bytes[0] << 24 |
				   (uint32_t)address(value).bytes[1] << 16 |
				   (uint32_t)address(value).bytes[2] << 8 | address(value).bytes[3];
	else
		bad("setting", key);
}

static void set_neighbor(struct bgp_neighbor *nb, char *word)
{
	char *value = split(word);

	if (strcmp(word, "asn") == 0)
		nb->asn = number(value);
	else if (strcmp(word, "hold") == 0)
		nb->hold_time_ms = number(value) * 1000;
	else if (strcmp(word, "port") == 0)
		nb->port = (uint16_t)number(value);
	else if (strcmp(word, "password") == 0)
		snprintf(nb->password, sizeof(nb->password), "%s", value);
	else if (strcmp(word, "local") == 0)
		nb->local_address = address(value);
	else if (strcmp(word, "ttl") == 0)
		nb->ttl_security_hops = (uint8_t)number(value);
	else if (strcmp(word, "passive") == 0)
		nb->passive = number(value) != 0;
	else if (strcmp(word, "next_hop4") == 0)
		nb->next_hop_ipv4 = address(value);
	else if (strcmp(word, "next_hop6") == 0)
		nb->next_hop_ipv6 = address(value);
	else
		bad("neighbour option", word);
}

static void neighbor(char **words, size_t n)
{
	struct bgp_neighbor nb = {.hold_time_ms = 9000};

	if (n < 1 || config.n_neighbors == NEIGHBORS_MAX)
		bad("neighbour", n ? words[0] : "");
	nb.address = address(words[0]);
	for (size_t i = 1; i < n; i++)
		set_neighbor(&nb, words[i]);
	neighbors[config.n_neighbors++] = nb;
}

static void announce(char **words, size_t n)
{
	struct bgp_attrs attrs = {0};
	struct prefix p;
	struct err err = {{0}};

	if (n < 1 || prefix_parse(words[0], &p))
		bad("prefix", n ? words[0] : "");
	for (size_t i = 1; i < n; i++) {
		char *value = split(words[i]);

		if (strcmp(words[i], "med") == 0) {
			attrs.has_med = 1;
			attrs.med = number(value);
		} else if (strcmp(words[i], "local_pref") == 0) {
			attrs.local_pref = number(value);
		} else if (strcmp(words[i], "community") == 0) {
			char *colon = strchr(value, ':');

			if (!colon || attrs.n_communities == BGP_COMMUNITIES_MAX)
				bad("community", value);
			*colon = '\0';
			attrs.communities[attrs.n_communities++] =
				number(value) << 16 | number(colon + 1);
		} else {
			bad("attribute", words[i]);
		}
	}
	answer("announce", bgp_announce(speaker, &p, &attrs, &err), err.text);
}

static void withdraw(char **words, size_t n)
{
	struct prefix p;

	if (n < 1 || prefix_parse(words[0], &p))
		bad("prefix", n ? words[0] : "");
	bgp_withdraw(speaker, &p);
	answer("withdraw", 0, "");
}

static void leave(void *arg)
{
	(void)arg;
	bgp_free(speaker);
	speaker = NULL;
	uv_close((uv_handle_t *)&input, NULL);
}

static void run(char *text)
{
	char *words[64], *save = NULL, *rest = strchr(text, ' ');
	struct err err = {{0}};
	size_t n = 0;

	if (strncmp(text, "stop", 4) == 0) {
		uv_poll_stop(&input);
		bgp_stop(speaker, rest ? rest + 1 : NULL, leave, NULL);
		return;
	}
	for (char *w = strtok_r(text, " ", &save); w && n < ARRAY_SIZE(words);
	     w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	if (!n)
		return;
	if (strcmp(words[0], "set") == 0 && n == 3)
		set(words[1], words[2]);
	else if (strcmp(words[0], "neighbor") == 0)
		neighbor(words + 1, n - 1);
	else if (strcmp(words[0], "clear") == 0)
		config.n_neighbors = 0;
	else if (strcmp(words[0], "apply") == 0)
		answer("apply", bgp_configure(speaker, &config, &err), err.text);
	else if (strcmp(words[0], "announce") == 0)
		announce(words + 1, n - 1);
	else if (strcmp(words[0], "withdraw") == 0)
		withdraw(words + 1, n - 1);
	else if (strcmp(words[0], "sync") == 0)
		answer("sync", 0, "");
	else if (strcmp(words[0], "show") == 0)
		show();
	else
		bad("command", words[0]);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
	char *newline;
	ssize_t n;

	(void)poll;
	(void)events;
	n = read(STDIN_FILENO, line + line_len, sizeof(line) - 1 - line_len);
	if (status < 0 || n <= 0) {
		leave(NULL);
		return;
	}
	line_len += (size_t)n;
	line[line_len] = '\0';
	while (speaker && (newline = strchr(line, '\n'))) {
		*newline = '\0';
		run(line);
		line_len -= (size_t)(newline + 1 - line);
		memmove(line, newline + 1, line_len + 1);
	}
}

int main(void)
{
	static const struct bgp_events events = {.peer_state = on_state, .notice = on_notice};
	int ret = uv_loop_init(&loop);

	if (!ret)
		ret = uv_poll_init(&loop, &input, STDIN_FILENO);
	if (!ret)
		ret = uv_poll_start(&input, UV_READABLE, on_input);
	if (!ret)
		speaker = bgp_new(&loop, &events, NULL);
	if (ret || !speaker) {
		fprintf(stderr, "speaker_cli: cannot start: %s\n",
			ret ? uv_strerror(ret) : "out of memory");
		return 1;
	}
	config.neighbors = neighbors;
	uv_run(&loop, UV_RUN_DEFAULT);
	ret = uv_loop_close(&loop);
	if (ret)
		fprintf(stderr, "speaker_cli: the loop still has handles: %s\n", uv_strerror(ret));
	return ret != 0;
}
