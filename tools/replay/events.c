/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/events.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/replay/setup.h"

#define WEIGHT_MAX 1000

struct event {
	uint64_t before;
	json_t *what; /* the line's object */
};

struct events {
	const struct config *config;
	struct event *list;
	size_t n, next;
	struct setup_real *reals; /* every address that events may name, as it is now */
	size_t n_reals;
};

/* ---- the reals of a configuration ---- */

static struct setup_real *find_real(const struct events *e, const struct addr *address)
{
	for (size_t i = 0; i < e->n_reals; i++)
		if (addr_equal(&e->reals[i].address, address))
			return &e->reals[i];
	return NULL;
}

static int collect_reals(struct events *e, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < e->config->n_pools; i++)
		n += e->config->pools[i].n_reals;
	e->reals = calloc(n + 1, sizeof(*e->reals));
	if (!e->reals)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < e->config->n_pools; i++) {
		const struct config_pool *pool = &e->config->pools[i];

		for (size_t j = 0; j < pool->n_reals; j++)
			if (!find_real(e, &pool->reals[j].address))
				e->reals[e->n_reals++].address = pool->reals[j].address;
	}
	return 0;
}

static struct setup_real *named_real(const struct events *e, const char *text)
{
	struct addr address;

	return text && addr_parse(text, &address) == 0 ? find_real(e, &address) : NULL;
}

/* ---- reading ---- */

static int check_weights(const struct events *e, json_t *weights, struct err *err)
{
	const char *name;
	json_t *weight;

	if (!json_is_object(weights))
		return err_set(err, -EINVAL, "weight must be {\"ADDRESS\": N}");
	json_object_foreach(weights, name, weight)
	{
		if (!named_real(e, name))
			return err_set(err, -EINVAL, "no pool has a real '%s'", name);
		if (!json_is_integer(weight) || json_integer_value(weight) < 0 ||
		    json_integer_value(weight) > WEIGHT_MAX)
			return err_set(err, -EINVAL, "the weight of %s must be 0 to %d", name,
				       WEIGHT_MAX);
	}
	return 0;
}

static int check_event(const struct events *e, json_t *line, struct err *err)
{
	static const char *const verbs[] = {"down", "up", "drain", "enable"};
	const json_t *before = json_object_get(line, "before");
	uint64_t last = e->n ? e->list[e->n - 1].before : 0;

	if (!json_is_integer(before) || json_integer_value(before) < 0)
		return err_set(err, -EINVAL, "\"before\" must be the index of a packet");
	if ((uint64_t)json_integer_value(before) < last)
		return err_set(err, -EINVAL, "\"before\" must not go back: %llu came already",
			       (unsigned long long)last);
	if (json_object_size(line) == 2 && json_object_get(line, "weight"))
		return check_weights(e, json_object_get(line, "weight"), err);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const json_t *real = json_object_get(line, verbs[i]);

		if (!real || json_object_size(line) != 2)
			continue;
		if (!named_real(e, json_string_value(real)))
			return err_set(err, -EINVAL, "\"%s\": no pool has a real '%s'", verbs[i],
				       json_is_string(real) ? json_string_value(real) : "?");
		return 0;
	}
	return err_set(err, -EINVAL,
		       "besides \"before\" there must be one of down, up, drain, enable, weight");
}

static int add_event(struct events *e, const char *text, struct err *err)
{
	json_error_t problem;
	json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
	struct event *grown;
	int ret;

	if (!line)
		return err_set(err, -EINVAL, "not JSON: %s", problem.text);
	ret = check_event(e, line, err);
	grown = ret < 0 ? NULL : realloc(e->list, (e->n + 1) * sizeof(*grown));
	if (!grown) {
		json_decref(line);
		return ret < 0 ? ret : err_set(err, -ENOMEM, "out of memory");
	}
	e->list = grown;
	e->list[e->n++] = (struct event){
		.before = (uint64_t)json_integer_value(json_object_get(line, "before")),
		.what = line,
	};
	return 0;
}

static int read_lines(struct events *e, FILE *file, const char *path, struct err *err)
{
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	int ret = 0;

	for (unsigned number = 1; ret == 0 && getline(&line, &size, file) >= 0; number++) {
		if (line[strspn(line, " \t\r\n")] == '\0')
			continue;
		ret = add_event(e, line, err);
		if (ret < 0)
			return err_prefix(err, ret, "%s:%u", path, number);
	}
	return ferror(file) ? err_set(err, -EIO, "%s: can't read", path) : ret;
}

int events_load(const char *path, const struct config *config, struct events **ret_events,
		struct err *err)
{
	struct events *e = calloc(1, sizeof(*e));
	FILE *file;
	int ret;

	if (!e)
		return err_set(err, -ENOMEM, "out of memory");
	e->config = config;
	file = fopen(path, "re");
	ret = file ? collect_reals(e, err)
		   : err_set(err, -errno, "%s: can't open: %s", path, strerror(errno));
	if (ret == 0)
		ret = read_lines(e, file, path, err);
	if (file)
		fclose(file);
	if (ret < 0) {
		events_free(e);
		return ret;
	}
	*ret_events = e;
	return 0;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n; i++)
		json_decref(e->list[i].what);
	free(e->list);
	free(e->reals);
	free(e);
}

/* ---- happening ---- */

static void take_event(struct events *e, json_t *what)
{
	const char *name;
	json_t *value;

	json_object_foreach(what, name, value)
	{
		struct setup_real *real = named_real(e, json_string_value(value));
		const char *address;
		json_t *weight;

		if (strcmp(name, "down") == 0 || strcmp(name, "up") == 0)
			real->down = name[0] == 'd';
		else if (strcmp(name, "drain") == 0 || strcmp(name, "enable") == 0)
			real->drained = name[0] == 'd';
		else if (strcmp(name, "weight") == 0)
			json_object_foreach(value, address, weight)
			{
				real = named_real(e, address);
				real->has_weight = true;
				real->weight = (uint32_t)json_integer_value(weight);
			}
	}
}

int events_apply(struct events *e, struct replay *replay, uint64_t index, uint64_t now_ns,
		 struct err *err)
{
	int ret = 0;

	/* One after another, as it would be: each change begins where the last one ended. */
	for (; ret == 0 && e->next < e->n && e->list[e->next].before <= index; e->next++) {
		take_event(e, e->list[e->next].what);
		ret = replay_change(replay, e->config, e->reals, e->n_reals, now_ns, err);
	}
	return ret;
}
