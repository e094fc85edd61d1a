/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CONFIG_SCHEMA_H
#define FAIRWAY_CONFIG_SCHEMA_H

#include "controlplane/config/config.h"

/* The table of every key, private to this folder and its tests. Everything that knows keys walks
 * it, so a new key is one new row (and one in docs/configuration.md, which a test demands). */

enum value_type {
	VALUE_NAME,      /* char[]: [A-Za-z0-9._-], at most size - 1 */
	VALUE_INTERFACE, /* char[] */
	VALUE_SECRET,    /* char[]: printable ASCII */
	VALUE_TEXT,      /* char[]: printable ASCII that errors may show */
	VALUE_URL_PATH,  /* char[]: "/..." */
	VALUE_HOST,      /* char[]: a host name or an address */
	VALUE_NUMBER,    /* uint16_t or uint32_t */
	VALUE_PRIME,     /* uint32_t */
	VALUE_ASN,       /* uint32_t */
	VALUE_PORTS,     /* struct ports */
	VALUE_CORES,     /* struct config_cores */
	VALUE_BOOL,
	VALUE_DURATION,  /* uint32_t, milliseconds */
	VALUE_CHOICE,    /* an enum */
	VALUE_ADDRESS,   /* struct addr */
	VALUE_IPV4,      /* struct addr */
	VALUE_IPV6,      /* struct addr */
	VALUE_PREFIX,    /* struct prefix */
	VALUE_PREFIX4,   /* struct prefix */
	VALUE_PREFIX6,   /* struct prefix */
	VALUE_ENDPOINT,  /* struct config_endpoint */
	VALUE_MAC,       /* struct config_mac */
	VALUE_SERVER_ID, /* struct server_id */
	VALUE_SEED,      /* uint8_t[16] */
	VALUE_OBJECT,    /* a struct that starts with its mark */
	VALUE_LIST,      /* a pointer to such structs, and a size_t count */
};

/* One word of a VALUE_CHOICE. A word with a refusal is understood but not to be had. */
struct choice {
	const char *word;
	int value;
	const char *refusal;
};

struct field {
	const char *key;
	enum value_type type;
	bool required;
	size_t offset;
	size_t size;
	size_t extra_offset;  /* LIST: of the count; OBJECT: of the bool that says "there" */
	bool optional_object; /* OBJECT: has such a bool */
	const char *fallback; /* as the file would write it; NULL: stays zero */
	const char *example;  /* of a required key: what to add */
	uint64_t min, max;    /* numbers; durations in milliseconds */
	const struct choice *choices; /* ends with word NULL */
	const struct schema *object;  /* OBJECT, LIST */
};

struct schema {
	const char *noun; /* "a pool" */
	size_t size;
	bool flow;         /* written on one line: {a: b, c: d} */
	bool single_value; /* a list element that is one bare value, its only field */
	const struct field *fields;
	size_t n_fields;
};

extern const struct schema schema_config, schema_node, schema_dpdk, schema_bgp, schema_neighbor,
	schema_metrics, schema_pool, schema_health, schema_real, schema_vip, schema_service;

extern const struct choice choices_engine[], choices_xdp_mode[], choices_exception[], choices_rss[],
	choices_idle[], choices_tables[], choices_fallback[], choices_encap[], choices_hash[],
	choices_health_type[], choices_health_via[], choices_protocol[], choices_announce[];

/* Where a field lies in its object. */
static inline void *field_at(const struct field *f, const void *object)
{
	return (char *)(uintptr_t)object + f->offset;
}

static inline bool *field_present(const struct field *f, const void *object)
{
	return (bool *)((char *)(uintptr_t)object + f->extra_offset);
}

static inline size_t *list_count(const struct field *f, const void *object)
{
	return (size_t *)((char *)(uintptr_t)object + f->extra_offset);
}

static inline void **list_items(const struct field *f, const void *object)
{
	return (void **)((char *)(uintptr_t)object + f->offset);
}

static inline void *list_item(const struct field *f, const void *object, size_t i)
{
	return (char *)*list_items(f, object) + i * f->object->size;
}

static inline bool field_is_scalar(const struct field *f)
{
	return f->type != VALUE_OBJECT && f->type != VALUE_LIST;
}

static inline bool value_is_text(const struct field *f)
{
	return f->type == VALUE_NAME || f->type == VALUE_INTERFACE || f->type == VALUE_SECRET ||
	       f->type == VALUE_TEXT || f->type == VALUE_URL_PATH || f->type == VALUE_HOST;
}

/* The row of a key; NULL when there is none. */
const struct field *schema_field(const struct schema *schema, const char *key);

#define FIELD_TYPE_STRLEN 160
/* What the field takes, in words: "number 1 to 65535", "`xdp` or `dpdk`". Returns buf. */
const char *field_type_text(const struct field *f, char buf[FIELD_TYPE_STRLEN]);

/* Call visit for every key, depth first, with its whole path ("pools[].health.port"). */
void schema_walk(void (*visit)(void *arg, const char *path, const struct field *f), void *arg);

/* ---- One value (value.c) ---- */

#define VALUE_STRLEN 640 /* CONFIG_CORES_MAX CPUs in no order */
#define VALUE_SIZE   272 /* no scalar's member is larger */

/* Read text into *ret_value, which must hold f->size bytes and stays untouched on failure; then
 * problem's text and hint say what and how to mend it. quoted: the file had quotes around it. 0 or
 * -EINVAL. */
int value_parse(const struct field *f, const char *text, bool quoted, void *ret_value,
		struct config_error *problem) __attribute__((warn_unused_result));

/* The text value_parse() reads back; "" for an optional value that isn't set. Returns buf. */
const char *value_format(const struct field *f, const void *value, char buf[VALUE_STRLEN]);

/* Equal when they would be written the same. */
bool value_equal(const struct field *f, const void *a, const void *b);

/* "9s", "500ms", "2m", "1h". Returns buf. */
const char *duration_format(uint32_t ms, char buf[VALUE_STRLEN]);

/* ---- One object (object.c) ---- */

/* Zero the object and give each field its fallback, objects inside included. */
void object_init(const struct schema *schema, void *object);
/* Free what the object owns, not the object. */
void object_fini(const struct schema *schema, void *object);
/* Deep copy into uninitialised memory. 0, or -ENOMEM, then *dst needs no object_fini(). */
int object_clone(const struct schema *schema, void *dst, const void *src)
	__attribute__((warn_unused_result));
bool object_equal(const struct schema *schema, const void *a, const void *b);

#endif
