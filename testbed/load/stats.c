/* SPDX-License-Identifier: BSD-2-Clause */
#include "testbed/load/load.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *const outcome_names[LOAD_OUTCOMES] = {
	[LOAD_OK] = "ok",
	[LOAD_LOCAL] = "local",
	[LOAD_REFUSED] = "refused",
	[LOAD_UNREACHABLE] = "unreachable",
	[LOAD_CONNECT_TIMEOUT] = "connect_timeout",
	[LOAD_RESET] = "reset",
	[LOAD_CLOSED] = "closed",
	[LOAD_ANSWER_TIMEOUT] = "answer_timeout",
	[LOAD_BAD_ANSWER] = "bad_answer",
};

/* First line of name, kept to characters that need no quoting in JSON. */
static void clean_name(char *ret_name, const char *name)
{
	size_t i;

	for (i = 0; i < LOAD_NAME_MAX - 1 && name[i] && name[i] != '\n' && name[i] != '\r'; i++)
		ret_name[i] =
			name[i] <= ' ' || name[i] > '~' || strchr("\"\\", name[i]) ? '?' : name[i];
	ret_name[i] = '\0';
}

struct load_server *load_stats_answer(struct load_stats *st, const char *name, bool is_long)
{
	char clean[LOAD_NAME_MAX];
	unsigned i = 0;

	clean_name(clean, name);
	while (i < st->n_servers && strcmp(st->servers[i].name, clean))
		i++;
	if (i == st->n_servers && st->n_servers < LOAD_SERVERS_MAX)
		memcpy(st->servers[st->n_servers++].name, clean, sizeof(clean));
	else if (i == LOAD_SERVERS_MAX)
		memcpy(st->servers[--i].name, "others", sizeof("others"));
	if (is_long)
		st->servers[i].long_answers++;
	else
		st->servers[i].short_answers++;
	return &st->servers[i];
}

static uint64_t sum(const uint64_t *outcome, enum load_outcome from, enum load_outcome to)
{
	uint64_t n = 0;

	for (unsigned i = from; i <= to; i++)
		n += outcome[i];
	return n;
}

static void json_outcomes(const uint64_t *outcome, FILE *out)
{
	fprintf(out, "\"never_established\":%" PRIu64 ",\"broken\":%" PRIu64,
		sum(outcome, LOAD_LOCAL, LOAD_CONNECT_TIMEOUT),
		sum(outcome, LOAD_RESET, LOAD_BAD_ANSWER));
	for (unsigned i = LOAD_LOCAL; i < LOAD_OUTCOMES; i++)
		fprintf(out, ",\"%s\":%" PRIu64, outcome_names[i], outcome[i]);
}

void load_stats_json(const struct load_stats *st, FILE *out)
{
	fprintf(out,
		"{\"schema_version\":1,\"elapsed_ms\":%" PRIu64 ",\"stalled\":%" PRIu64
		",\"slowest_ms\":%" PRIu64 ",",
		(uv_hrtime() - st->start_ns) / 1000000, load_conn_stalled(),
		st->slowest_ns / 1000000);
	fprintf(out,
		"\"short\":{\"started\":%" PRIu64 ",\"in_flight\":%" PRIu64 ",\"ok\":%" PRIu64 ",",
		st->short_started, st->short_in_flight, st->short_outcome[LOAD_OK]);
	json_outcomes(st->short_outcome, out);
	fprintf(out,
		"},\"long\":{\"opened\":%" PRIu64 ",\"open\":%" PRIu64 ",\"answers\":%" PRIu64
		",\"moved\":%" PRIu64 ",",
		st->long_opened, st->long_open, st->long_outcome[LOAD_OK], st->long_moved);
	json_outcomes(st->long_outcome, out);
	fprintf(out, "},\"servers\":{");
	for (unsigned i = 0; i < st->n_servers; i++) {
		const struct load_server *sv = &st->servers[i];

		fprintf(out,
			"%s\"%s\":{\"short\":%" PRIu64 ",\"long\":%" PRIu64
			",\"long_open\":%" PRIu64 "}",
			i ? "," : "", sv->name, sv->short_answers, sv->long_answers, sv->long_open);
	}
	fprintf(out, "}}\n");
}

int load_stats_report(const struct load_stats *st, const char *path)
{
	char new_path[4096];

	if ((size_t)snprintf(new_path, sizeof(new_path), "%s.new", path) >= sizeof(new_path))
		return -ENAMETOOLONG;
	FILE *f = fopen(new_path, "we");
	if (!f)
		return -errno;
	load_stats_json(st, f);
	bool failed = ferror(f);
	if (fclose(f) || failed)
		return -EIO;
	return rename(new_path, path) ? -errno : 0;
}

void load_stats_progress(const struct load_stats *st, FILE *out)
{
	const uint64_t *s = st->short_outcome, *l = st->long_outcome;

	fprintf(out,
		"%6.1f s  short: %" PRIu64 " ok, %" PRIu64 " not established, %" PRIu64
		" broken   long: %" PRIu64 " open, %" PRIu64 " broken\n",
		(double)(uv_hrtime() - st->start_ns) / 1e9, s[LOAD_OK],
		sum(s, LOAD_LOCAL, LOAD_CONNECT_TIMEOUT), sum(s, LOAD_RESET, LOAD_BAD_ANSWER),
		st->long_open, sum(l, LOAD_RESET, LOAD_BAD_ANSWER));
}
