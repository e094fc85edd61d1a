/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/schema.h"

#include "controlplane/config/check.h"
#include "controlplane/config/report.h"
#include "controlplane/config/suggest.h"
#include "controlplane/config/tree.h"

#include "controlplane/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* From text to structs: tree.c reads YAML into nodes, the decoder here lays the schema over them,
 * and check.c judges what the values mean together. One pass finds every error: a value that can't
 * be read is reported and left at its default, and the checks of meaning pass over such holes. */

struct decoder {
	struct config_errors *errs;
	struct places places;
	bool out_of_memory;
};

static void remember(struct decoder *d, const void *value, const struct config_mark *mark, bool bad)
{
	if (places_add(&d->places, value, mark, bad))
		d->out_of_memory = true;
}

static void decode_object(struct decoder *d, const struct schema *schema,
			  const struct tree_node *node, void *object);

static const char *shape_name(const struct tree_node *node)
{
	static const char *const names[] = {"a single value", "a list", "keys and values"};

	if (node->type == TREE_SCALAR && !node->quoted && !*node->text)
		return "nothing";
	return names[node->type];
}

/* True when the node has the shape; else says what belongs there. */
static bool expect(struct decoder *d, const struct tree_node *node, enum tree_type type,
		   const char *what)
{
	static const char *const wanted[] = {
		"write one value",
		"begin each item with '- ' on a line of its own, or put [ ] around them",
		"write 'key: value' lines under it",
	};

	if (node->type == type)
		return true;
	report_error(d->errs, &node->mark, wanted[type], "%s takes %s, found %s", what,
		     type == TREE_SCALAR ? "a single value"
		     : type == TREE_LIST ? "a list"
					 : "keys and values",
		     shape_name(node));
	return false;
}

static void decode_scalar(struct decoder *d, const struct field *f, const struct tree_node *node,
			  void *object)
{
	struct config_error problem;
	bool bad = !expect(d, node, TREE_SCALAR, f->key);

	if (!bad && value_parse(f, node->text, node->quoted, field_at(f, object), &problem)) {
		report_error(d->errs, &node->mark, problem.hint, "%s", problem.text);
		bad = true;
	}
	remember(d, field_at(f, object), &node->mark, bad);
}

static void decode_item(struct decoder *d, const struct schema *schema,
			const struct tree_node *node, void *object)
{
	object_init(schema, object);
	if (!schema->single_value) {
		decode_object(d, schema, node, object);
		return;
	}
	*(struct config_mark *)object = node->mark;
	decode_scalar(d, &schema->fields[0], node, object);
}

static void empty_list(struct decoder *d, const struct field *f, const struct tree_node *node)
{
	char hint[256];

	snprintf(hint, sizeof(hint), "name at least one, as in %s", f->example);
	report_error(d->errs, &node->mark, hint, "%s is empty", f->key);
}

static void decode_list(struct decoder *d, const struct field *f, const struct tree_node *node,
			void *object)
{
	size_t i = 0;

	if (!expect(d, node, TREE_LIST, f->key)) {
		remember(d, field_at(f, object), &node->mark, true);
		return;
	}
	remember(d, field_at(f, object), &node->mark, false);
	if (!node->n_children) {
		if (f->required)
			empty_list(d, f, node);
		return;
	}
	*list_items(f, object) = calloc(node->n_children, f->object->size);
	if (!*list_items(f, object)) {
		d->out_of_memory = true;
		return;
	}
	*list_count(f, object) = node->n_children;
	for (const struct tree_node *item = node->first; item; item = item->next)
		decode_item(d, f->object, item, list_item(f, object, i++));
}

static void decode_field(struct decoder *d, const struct field *f, const struct tree_node *node,
			 void *object)
{
	if (f->type == VALUE_LIST) {
		decode_list(d, f, node, object);
	} else if (f->type == VALUE_OBJECT) {
		if (f->optional_object)
			*field_present(f, object) = true;
		decode_object(d, f->object, node, field_at(f, object));
	} else {
		decode_scalar(d, f, node, object);
	}
}

/* Returns the field that was probably meant, or NULL. */
static const struct field *unknown_key(struct decoder *d, const struct schema *schema,
				       const struct tree_node *key)
{
	char show[SHOW_STRLEN], hint[256];
	struct suggest s;
	size_t n;

	if (report_full(d->errs)) {
		d->errs->n_errors_dropped++;
		return NULL;
	}
	suggest_init(&s, key->text);
	for (size_t i = 0; i < schema->n_fields; i++)
		suggest_offer(&s, schema->fields[i].key);
	if (s.best) {
		snprintf(hint, sizeof(hint), "did you mean '%s'?", s.best);
	} else {
		n = (size_t)snprintf(hint, sizeof(hint), "%s has", schema->noun);
		for (size_t i = 0; i < schema->n_fields && n < sizeof(hint); i++)
			n += (size_t)snprintf(hint + n, sizeof(hint) - n, "%s %s", i ? "," : "",
					      schema->fields[i].key);
	}
	report_error(d->errs, &key->mark, hint, "unknown key '%s'", show_value(key->text, show));
	return s.best ? schema_field(schema, s.best) : NULL;
}

/* Every schema has fewer keys than this. */
#define FIELDS_MAX 16
#define MISSPELT   UINT32_MAX

static void decode_pair(struct decoder *d, const struct schema *schema, const struct tree_node *key,
			uint32_t seen[FIELDS_MAX], void *object)
{
	const struct field *f;
	uint32_t *line;

	if (key->type != TREE_SCALAR) {
		report_error(d->errs, &key->mark, "write 'key: value'", "a key must be one word");
		return;
	}
	f = schema_field(schema, key->text);
	if (!f) {
		f = unknown_key(d, schema, key);
		if (f && !seen[f - schema->fields])
			seen[f - schema->fields] = MISSPELT;
		return;
	}
	line = &seen[f - schema->fields];
	if (*line && *line != MISSPELT) {
		report_error(d->errs, &key->mark, "remove one of them",
			     "key '%s' stands here twice, first on line %u", f->key, *line);
		return;
	}
	*line = key->mark.line;
	decode_field(d, f, key->next, object);
}

/* object has been through object_init(). seen: the line of each key, 0 for none. */
static void decode_object(struct decoder *d, const struct schema *schema,
			  const struct tree_node *node, void *object)
{
	uint32_t seen[FIELDS_MAX] = {0};

	*(struct config_mark *)object = node->mark;
	if (!expect(d, node, TREE_MAP, schema->noun))
		return;
	for (const struct tree_node *key = node->first; key; key = key->next->next)
		decode_pair(d, schema, key, seen, object);
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct field *f = &schema->fields[i];
		char hint[256];

		if (!f->required || seen[i])
			continue;
		snprintf(hint, sizeof(hint), "add %s", f->example);
		report_error(d->errs, &node->mark, hint, "%s has no %s", schema->noun, f->key);
	}
}

/* Defaults that follow from other keys. */
static void complete_health(struct config_health *h)
{
	if (!h->timeout_ms)
		h->timeout_ms = h->interval_ms < 1000 ? h->interval_ms : 1000;
	if (h->type != CONFIG_HEALTH_TCP && !h->path[0])
		strcpy(h->path, "/");
}

static int finish(struct decoder *d, struct config *cfg, const char *file)
{
	for (size_t i = 0; i < cfg->n_pools; i++)
		if (cfg->pools[i].has_health)
			complete_health(&cfg->pools[i].health);
	cfg->file = strdup(file);
	if (d->out_of_memory || !cfg->file)
		return -ENOMEM;
	return check_meaning(cfg, d->errs, &d->places);
}

static int decode(const struct tree_node *root, const char *file, struct config **ret_cfg,
		  struct config_errors *errs)
{
	struct decoder d = {.errs = errs};
	struct config *cfg = malloc(sizeof(*cfg));
	int r;

	if (!cfg)
		return -ENOMEM;
	object_init(&schema_config, cfg);
	decode_object(&d, &schema_config, root, cfg);
	r = finish(&d, cfg, file);
	places_fini(&d.places);
	report_sort(errs);
	if (!r && errs->n_errors)
		r = -EINVAL;
	if (r) {
		config_free(cfg);
		return r;
	}
	*ret_cfg = cfg;
	return 0;
}

static void begin(struct config_errors *errs, const char *file)
{
	memset(errs, 0, sizeof(*errs));
	snprintf(errs->file, sizeof(errs->file), "%s", file ? file : "");
}

int config_parse(const char *text, size_t len, const char *file, struct config **ret_cfg,
		 struct config_errors *errs)
{
	struct tree_node *root = NULL;
	int r;

	begin(errs, file);
	if (len > CONFIG_FILE_MAX) {
		report_error(errs, NULL, "is this the right file?", "bigger than 16 MiB");
		return -EFBIG;
	}
	if (memchr(text, '\0', len)) {
		report_error(errs, NULL, "is this the right file?", "not a text file");
		return -EINVAL;
	}
	r = tree_parse(text, len, &root, errs);
	if (r)
		goto out;
	r = decode(root, file ? file : "", ret_cfg, errs);
	tree_free(root);
out:
	if (r == -ENOMEM)
		report_error(errs, NULL, "", "out of memory");
	return r;
}

static int refuse_file(struct config_errors *errs, int r, const char *what, const char *hint)
{
	report_error(errs, NULL, hint, "%s", what);
	return r;
}

static int open_file(const char *path, int *ret_fd, struct config_errors *errs)
{
	/* Nonblocking, or a FIFO that nobody writes to would hold us here. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int r = fd < 0 ? -errno : 0;

	if (!r && fstat(fd, &st))
		r = -errno;
	if (r) {
		if (fd >= 0)
			close(fd);
		return refuse_file(errs, r, strerror(-r),
				   r == -ENOENT   ? "check the path, or create the file"
				   : r == -EACCES ? "run as root, or let this user read it"
						  : "");
	}
	if (S_ISREG(st.st_mode) && st.st_size <= CONFIG_FILE_MAX) {
		*ret_fd = fd;
		return 0;
	}
	close(fd);
	if (S_ISDIR(st.st_mode))
		return refuse_file(errs, -EISDIR, "is a directory", "name the file in it");
	if (!S_ISREG(st.st_mode))
		return refuse_file(errs, -EINVAL, "is not a regular file", "name a file");
	return refuse_file(errs, -EFBIG, "bigger than 16 MiB", "is this the right file?");
}

/* Up to CONFIG_FILE_MAX bytes and one more, so that a file that grew is seen. */
static int read_all(int fd, char **ret_text, size_t *ret_len)
{
	AUTO_FREE char *text = NULL;
	size_t len = 0, cap = 0;
	ssize_t n;

	do {
		if (len == cap) {
			char *more = realloc(text, cap = cap ? 2 * cap : 65536);

			if (!more)
				return -ENOMEM;
			text = more;
		}
		n = read(fd, text + len, cap - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	} while (n != 0 && len <= CONFIG_FILE_MAX);
	*ret_text = STEAL(text);
	*ret_len = len;
	return 0;
}

int config_load(const char *path, struct config **ret_cfg, struct config_errors *errs)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	int r;

	begin(errs, path);
	r = open_file(path, &fd, errs);
	if (r)
		return r;
	r = read_all(fd, &text, &len);
	if (r)
		return refuse_file(errs, r, strerror(-r), "");
	return config_parse(text, len, path, ret_cfg, errs);
}

int config_validate(const struct config *cfg, struct config_errors *errs)
{
	int r;

	begin(errs, NULL);
	check_values(cfg, errs);
	r = check_meaning(cfg, errs, NULL);
	if (r == -ENOMEM)
		report_error(errs, NULL, "", "out of memory");
	return !r && errs->n_errors ? -EINVAL : r;
}
