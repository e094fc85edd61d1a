/* SPDX-License-Identifier: BSD-2-Clause */
/* The state on disk: DIR/state.json, written anew and renamed at each step, so that a run that dies
 * half way leaves behind exactly what `remove` needs. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"
#include "tools/real/state.h"

#define SCHEMA_VERSION 1

static const char *const kind_names[] = {
	[RECORD_SYSCTL] = "sysctl", [RECORD_ADDRESS] = "address", [RECORD_TUNNEL] = "tunnel",
	[RECORD_QDISC] = "qdisc",   [RECORD_FILTER] = "filter",   [RECORD_ROUTE] = "route",
};

static void cleanup_json(json_t **j)
{
	json_decref(*j);
}
#define AUTO_JSON CLEANUP(cleanup_json)

static int path_format(char *path, size_t len, const char *dir, const char *file, struct err *e)
{
	if ((size_t)snprintf(path, len, "%s/%s", dir, file) >= len)
		return err_set(e, -ENAMETOOLONG, "%s: the directory's name is too long", dir);
	return 0;
}

static json_t *addrs_to_json(const struct addr_set *set)
{
	json_t *array = json_array();
	char buf[ADDR_STRLEN];

	for (size_t i = 0; array && i < set->n; i++)
		json_array_append_new(array, json_string(addr_format(&set->items[i], buf)));
	return array;
}

static json_t *record_to_json(const struct record *r)
{
	const char *kind = kind_names[r->kind];
	char buf[ADDR_STRLEN];

	switch (r->kind) {
	case RECORD_SYSCTL:
		return json_pack("{ss ss si si}", "kind", kind, "name", r->sysctl, "before",
				 r->before, "after", r->after);
	case RECORD_ADDRESS:
	case RECORD_TUNNEL:
		return json_pack("{ss ss ss}", "kind", kind, "device", r->dev, "address",
				 addr_format(&r->addr, buf));
	case RECORD_FILTER:
		return json_pack("{ss ss ss}", "kind", kind, "device", r->dev, "hook",
				 hook_name(r->hook));
	case RECORD_ROUTE:
		return json_pack("{ss ss}", "kind", kind, "address", addr_format(&r->addr, buf));
	case RECORD_QDISC:
		break;
	}
	return json_pack("{ss ss}", "kind", kind, "device", r->dev);
}

static json_t *state_to_json(const struct real_state *state, const char *namespace_id)
{
	const struct real_config *c = &state->config;
	json_t *interfaces = json_array(), *records = json_array();

	for (size_t i = 0; interfaces && i < c->n_interfaces; i++)
		json_array_append_new(interfaces, json_string(c->interfaces[i]));
	for (size_t i = 0; records && i < state->n_records; i++)
		json_array_append_new(records, record_to_json(&state->records[i]));
	return json_pack("{si ss ss ss si si si sb so so so so}", "schema_version", SCHEMA_VERSION,
			 "namespace", namespace_id, "encap", real_encap_name(c->encap), "decap",
			 real_decap_name(c->decap), "tc_priority", (int)c->tc_priority, "mtu",
			 (int)c->mtu, "gue_port", (int)c->gue_port, "outers_given", c->outers_given,
			 "interfaces", interfaces, "vips", addrs_to_json(&c->vips), "outers",
			 addrs_to_json(&c->outers), "changes", records);
}

/* The file must be whole on a disk before it takes the old one's name. */
static int write_file(const char *path, const char *text, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return err_set(e, -errno, "%s can't be written: %s", path, strerror(errno));
	n = write(fd, text, len);
	if (n != (ssize_t)len || fsync(fd)) {
		int code = n >= 0 && n != (ssize_t)len ? -ENOSPC : -errno;

		return err_set(e, code, "%s can't be written: %s", path, strerror(-code));
	}
	return 0;
}

int real_state_save(const struct real_state *state, const char *dir, struct err *e)
{
	char path[512], new_path[512], namespace_id[REAL_NAMESPACE_LEN];
	AUTO_JSON json_t *json = NULL;
	AUTO_FREE char *text = NULL;
	int ret = real_namespace_id(namespace_id, e);

	if (ret)
		return ret;
	json = state_to_json(state, namespace_id);
	text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	if (!text)
		return err_set(e, -ENOMEM, "out of memory");
	ret = path_format(path, sizeof(path), dir, "state.json", e);
	if (!ret)
		ret = path_format(new_path, sizeof(new_path), dir, "state.json.new", e);
	if (!ret)
		ret = write_file(new_path, text, e);
	if (ret)
		return ret;
	if (rename(new_path, path))
		return err_set(e, -errno, "%s can't be replaced: %s", path, strerror(errno));
	return 0;
}

static int addrs_from_json(const json_t *array, struct addr_set *set)
{
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item)
	{
		const char *text = json_string_value(item);
		struct addr a;

		if (!text || addr_parse(text, &a) || addr_set_add(set, &a))
			return -EINVAL;
	}
	return 0;
}

static int interfaces_from_json(const json_t *array, struct real_config *c)
{
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item)
	{
		const char *text = json_string_value(item);

		if (!text || c->n_interfaces == REAL_MAX_INTERFACES)
			return -EINVAL;
		snprintf(c->interfaces[c->n_interfaces++], IFNAMSIZ, "%s", text);
	}
	return 0;
}

static int record_from_json(json_t *json, struct record *r)
{
	const char *kind, *dev = "", *hook = "ingress", *addr = NULL, *name = "";
	size_t i;

	if (json_unpack(json, "{ss s?s s?s s?s s?s s?i s?i}", "kind", &kind, "device", &dev, "hook",
			&hook, "address", &addr, "name", &name, "before", &r->before, "after",
			&r->after))
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(kind_names); i++)
		if (!strcmp(kind, kind_names[i]))
			break;
	if (i == ARRAY_SIZE(kind_names))
		return -EINVAL;
	r->kind = (enum record_kind)i;
	r->hook = strcmp(hook, "egress") ? HOOK_INGRESS : HOOK_EGRESS;
	snprintf(r->dev, sizeof(r->dev), "%s", dev);
	snprintf(r->sysctl, sizeof(r->sysctl), "%s", name);
	return addr ? addr_parse(addr, &r->addr) : 0;
}

static int records_from_json(const json_t *array, struct real_state *state)
{
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item)
	{
		struct record r = {0};

		if (record_from_json(item, &r) || real_state_add(state, &r))
			return -EINVAL;
	}
	return 0;
}

static int state_from_json(json_t *json, struct real_state *state)
{
	struct real_config *c = &state->config;
	const char *encap, *decap;
	json_t *interfaces, *vips, *outers, *changes;
	int version, priority, mtu, gue_port = 0, outers_given;

	if (json_unpack(json, "{si ss ss si si s?i sb so so so so}", "schema_version", &version,
			"encap", &encap, "decap", &decap, "tc_priority", &priority, "mtu", &mtu,
			"gue_port", &gue_port, "outers_given", &outers_given, "interfaces",
			&interfaces, "vips", &vips, "outers", &outers, "changes", &changes))
		return -EINVAL;
	if (version != SCHEMA_VERSION || real_encap_parse(encap, &c->encap) ||
	    real_decap_parse(decap, &c->decap) || priority <= 0 || mtu < 0 || gue_port < 0 ||
	    gue_port > 65535)
		return -EINVAL;
	c->tc_priority = (unsigned)priority;
	c->mtu = (unsigned)mtu;
	c->gue_port = (unsigned)gue_port;
	c->outers_given = outers_given;
	if (interfaces_from_json(interfaces, c) || addrs_from_json(vips, &c->vips) ||
	    addrs_from_json(outers, &c->outers) || records_from_json(changes, state))
		return -EINVAL;
	return 0;
}

/* True when the state is of this namespace, or doesn't say: what is wrong with it then shows. */
static bool is_of_here(const json_t *json, const char *namespace_id)
{
	const char *of = json_string_value(json_object_get(json, "namespace"));

	return !of || !strcmp(of, namespace_id);
}

int real_state_load(struct real_state *state, const char *dir, struct err *e)
{
	struct real_state loaded = {0};
	AUTO_JSON json_t *json = NULL;
	json_error_t why;
	char path[512], namespace_id[REAL_NAMESPACE_LEN];
	int ret = path_format(path, sizeof(path), dir, "state.json", e);

	if (!ret)
		ret = real_namespace_id(namespace_id, e);
	if (ret)
		return ret;
	if (access(path, R_OK))
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	json = json_load_file(path, 0, &why);
	if (!json)
		return err_set(e, -EINVAL, "%s:%d: not readable as JSON: %s", path, why.line,
			       why.text);
	if (!is_of_here(json, namespace_id))
		return err_set(e, -ESTALE, "%s is of another network namespace or boot", path);
	if (state_from_json(json, &loaded)) {
		real_state_fini(&loaded);
		return err_set(
			e, -EINVAL,
			"%s was written by another version of fairway-real or edited by hand; "
			"undo its \"changes\" by hand, then delete it",
			path);
	}
	*state = loaded;
	return 0;
}

int real_state_delete(const char *dir, struct err *e)
{
	static const char *const files[] = {"state.json", "state.json.new", "verifier.log"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[512];
		int ret = path_format(path, sizeof(path), dir, files[i], e);

		if (ret)
			return ret;
		if (unlink(path) && errno != ENOENT)
			return err_set(e, -errno, "%s can't be deleted: %s", path, strerror(errno));
	}
	return 0;
}

static bool is_below_default(const char *dir)
{
	return !strncmp(dir, REAL_STATE_DIR "/", sizeof(REAL_STATE_DIR));
}

/* The directory itself is locked. Whoever waited while it was taken away holds a directory without
 * a name and must begin again. */
int real_state_lock(const char *dir, int *ret_fd, struct err *e)
{
	for (;;) {
		struct stat held, named;
		int fd;

		if (is_below_default(dir) && mkdir(REAL_STATE_DIR, 0755) && errno != EEXIST)
			return err_set(e, -errno, "directory " REAL_STATE_DIR " can't be made: %s",
				       strerror(errno));
		if (mkdir(dir, 0755) && errno == ENOENT && is_below_default(dir))
			continue;
		if (access(dir, F_OK))
			return err_set(e, -errno, "directory %s can't be made: %s", dir,
				       strerror(errno));
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return err_set(e, -errno, "directory %s can't be opened: %s", dir,
				       strerror(errno));
		if (flock(fd, LOCK_EX)) {
			int code =
				err_set(e, -errno, "%s can't be locked: %s", dir, strerror(errno));

			close(fd);
			return code;
		}
		if (!fstat(fd, &held) && !stat(dir, &named) && held.st_ino == named.st_ino) {
			*ret_fd = fd;
			return 0;
		}
		close(fd);
	}
}

void real_state_unlock(const char *dir, int fd)
{
	/* Fails, and shall, while the state is in it. */
	if (!rmdir(dir) && is_below_default(dir))
		(void)rmdir(REAL_STATE_DIR);
	close(fd);
}
