/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/intent.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

#define INTENT_VERSION 1

static void cleanup_json(json_t **j)
{
	json_decref(*j);
}

const char *vip_intent_name(enum vip_intent_kind kind)
{
	switch (kind) {
	case VIP_INTENT_ENABLE:
		return "enable";
	case VIP_INTENT_DRAIN:
		return "drain";
	case VIP_INTENT_DISABLE:
		return "disable";
	}
	return "?";
}

void vip_intent_fini(struct vip_intent *in)
{
	free(in->reals);
	memset(in, 0, sizeof(*in));
}

static struct vip_intent_real *find(const struct vip_intent *in, const char *pool,
				    const struct addr *real)
{
	for (size_t i = 0; i < in->n_reals; i++) {
		if (strcmp(in->reals[i].pool, pool) == 0 && addr_equal(&in->reals[i].real, real))
			return &in->reals[i];
	}
	return NULL;
}

enum vip_intent_kind vip_intent_get(const struct vip_intent *in, const char *pool,
				    const struct addr *real)
{
	const struct vip_intent_real *r = find(in, pool, real);

	return r ? r->kind : VIP_INTENT_ENABLE;
}

static void drop(struct vip_intent *in, size_t at)
{
	memmove(&in->reals[at], &in->reals[at + 1], (in->n_reals - at - 1) * sizeof(*in->reals));
	in->n_reals--;
}

int vip_intent_set(struct vip_intent *in, const char *pool, const struct addr *real,
		   enum vip_intent_kind kind)
{
	struct vip_intent_real *r = find(in, pool, real), *grown;

	if (kind == VIP_INTENT_ENABLE) {
		if (r)
			drop(in, (size_t)(r - in->reals));
		return 0;
	}
	if (r) {
		r->kind = kind;
		return 0;
	}
	grown = realloc(in->reals, (in->n_reals + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	in->reals = grown;
	r = &grown[in->n_reals++];
	memset(r, 0, sizeof(*r));
	snprintf(r->pool, sizeof(r->pool), "%s", pool);
	r->real = *real;
	r->kind = kind;
	return 0;
}

size_t vip_intent_prune(struct vip_intent *in, const struct config *cfg)
{
	size_t dropped = 0;

	for (size_t i = in->n_reals; i-- > 0;) {
		const struct config_pool *pool = config_find_pool(cfg, in->reals[i].pool);

		if (pool && config_find_real(pool, &in->reals[i].real))
			continue;
		drop(in, i);
		dropped++;
	}
	return dropped;
}

static int decode_real(const json_t *j, struct vip_intent *in, struct err *err)
{
	const char *pool = json_string_value(json_object_get(j, "pool"));
	const char *address = json_string_value(json_object_get(j, "address"));
	const char *word = json_string_value(json_object_get(j, "intent"));
	enum vip_intent_kind kind;
	struct addr real;

	if (!pool || !address || !word || strlen(pool) > CONFIG_NAME_MAX)
		return err_set(err, -EINVAL,
			       "an entry of \"reals\" lacks \"pool\", \"address\" or \"intent\"");
	if (addr_parse(address, &real) < 0)
		return err_set(err, -EINVAL, "'%s' is no IP address", address);
	if (strcmp(word, "drain") == 0)
		kind = VIP_INTENT_DRAIN;
	else if (strcmp(word, "disable") == 0)
		kind = VIP_INTENT_DISABLE;
	else
		return err_set(err, -EINVAL, "intent '%s' is neither drain nor disable", word);
	if (vip_intent_set(in, pool, &real, kind) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int decode(const json_t *root, struct vip_intent *in, struct err *err)
{
	const json_t *drained = json_object_get(root, "node_drained");
	const json_t *reals = json_object_get(root, "reals"), *item;
	size_t i;
	int rc;

	if (json_integer_value(json_object_get(root, "version")) != INTENT_VERSION)
		return err_set(err, -EINVAL, "\"version\" is not %d", INTENT_VERSION);
	if (!json_is_boolean(drained) || !json_is_array(reals))
		return err_set(err, -EINVAL, "\"node_drained\" or \"reals\" is missing");
	in->node_drained = json_is_true(drained);
	json_array_foreach(reals, i, item)
	{
		rc = decode_real(item, in, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int move_aside(const char *path, struct err *err)
{
	char aside[PATH_MAX];

	snprintf(aside, sizeof(aside), "%s.corrupt", path);
	if (rename(path, aside) < 0)
		return err_prefix(err, -errno, "%s: unreadable, and can't be renamed to %s (%s)",
				  path, aside, strerror(errno));
	return err_prefix(
		err, -EINVAL,
		"%s: not an intent file, moved to %s; drain or disable by hand again what "
		"it held",
		path, aside);
}

int vip_intent_load(const char *path, struct vip_intent *ret_in, struct err *err)
{
	CLEANUP(cleanup_json) json_t *root = NULL;
	struct vip_intent in = {0};
	json_error_t jerr;
	FILE *f = fopen(path, "re");
	int rc;

	memset(ret_in, 0, sizeof(*ret_in));
	if (!f)
		return errno == ENOENT ? 0 : err_set(err, -errno, "%s: %s", path, strerror(errno));
	root = json_loadf(f, JSON_REJECT_DUPLICATES, &jerr);
	fclose(f);
	if (!root) {
		err_set(err, -EINVAL, "line %d: %s", jerr.line, jerr.text);
		return move_aside(path, err);
	}
	rc = decode(root, &in, err);
	if (rc == -ENOMEM) {
		vip_intent_fini(&in);
		return rc;
	}
	if (rc < 0) {
		vip_intent_fini(&in);
		return move_aside(path, err);
	}
	*ret_in = in;
	return 0;
}

static json_t *encode(const struct vip_intent *in)
{
	json_t *root = json_pack("{s:i, s:b, s:[]}", "version", INTENT_VERSION, "node_drained",
				 in->node_drained, "reals");
	json_t *reals = json_object_get(root, "reals");

	for (size_t i = 0; root && i < in->n_reals; i++) {
		char buf[ADDR_STRLEN];
		json_t *r = json_pack("{s:s, s:s, s:s}", "pool", in->reals[i].pool, "address",
				      addr_format(&in->reals[i].real, buf), "intent",
				      vip_intent_name(in->reals[i].kind));

		if (json_array_append_new(reals, r) < 0) {
			json_decref(root);
			return NULL;
		}
	}
	return root;
}

static int sync_directory(const char *path)
{
	char copy[PATH_MAX];
	AUTO_CLOSE int fd = -1;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int write_synced(const char *path, json_t *root)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	if (fd < 0)
		return -errno;
	if (json_dumpfd(root, fd, JSON_INDENT(2)) < 0 || write(fd, "\n", 1) != 1)
		return errno ? -errno : -EIO;
	return fsync(fd) < 0 ? -errno : 0;
}

int vip_intent_save(const char *path, const struct vip_intent *in, struct err *err)
{
	CLEANUP(cleanup_json) json_t *root = encode(in);
	char temp[PATH_MAX];
	int rc;

	if (!root)
		return err_set(err, -ENOMEM, "out of memory");
	if (snprintf(temp, sizeof(temp), "%s.new", path) >= (int)sizeof(temp))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	errno = 0;
	rc = write_synced(temp, root);
	if (rc == 0 && rename(temp, path) < 0)
		rc = -errno;
	if (rc < 0) {
		unlink(temp);
		return err_set(err, rc, "%s: can't be written: %s", path, strerror(-rc));
	}
	rc = sync_directory(path);
	if (rc < 0)
		return err_set(err, rc, "%s: written, but its directory can't be synced: %s", path,
			       strerror(-rc));
	return 0;
}
