/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/schema.h"

#include "controlplane/config/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* One scalar of the file to one member of a struct and back. A scalar is text here: YAML 1.1 would
 * read 022 as eighteen, 1:30 as ninety and `on` as true, so this file reads text itself, strictly,
 * and says what it wants to see instead. */

static int refuse(struct config_error *problem, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void advise(struct config_error *problem, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(struct config_error *problem, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(problem->text, sizeof(problem->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void advise(struct config_error *problem, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(problem->hint, sizeof(problem->hint), fmt, ap);
	va_end(ap);
}

/* "use a number 1 to 65535" */
static void advise_type(const struct field *f, const char *article, struct config_error *problem)
{
	char type[FIELD_TYPE_STRLEN];

	field_type_text(f, type);
	for (char *c = type; (c = strchr(c, '`'));)
		*c = '\'';
	advise(problem, "use %s%s", article, type);
}

/* ---- Text ---- */

static int store_text(const struct field *f, const char *text, void *ret_value,
		      struct config_error *problem)
{
	size_t n = strlen(text);

	if (n >= f->size) {
		advise(problem, "use at most %zu", f->size - 1);
		return refuse(problem, "%s has %zu characters", f->key, n);
	}
	memset(ret_value, 0, f->size);
	memcpy(ret_value, text, n);
	return 0;
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

static bool is_host_char(char c)
{
	return is_name_char(c) || c == ':';
}

static bool is_visible_char(char c)
{
	return c > ' ' && c < 0x7f;
}

/* A '#' would begin what browsers don't send. */
static bool is_path_char(char c)
{
	return is_visible_char(c) && c != '#';
}

static bool is_printable_char(char c)
{
	return c >= ' ' && c < 0x7f;
}

static bool is_interface_char(char c)
{
	return is_visible_char(c) && c != '/' && c != ':';
}

/* The character rules of the text types, and how to say them. */
static const struct text_rule {
	bool (*allows)(char c);
	const char *advice;
} text_rules[] = {
	[VALUE_NAME] = {is_name_char, "use letters, digits, '.', '_' and '-'"},
	[VALUE_INTERFACE] = {is_interface_char, "use the name that 'ip link' shows"},
	[VALUE_SECRET] = {is_printable_char, "use printable ASCII characters"},
	[VALUE_TEXT] = {is_printable_char, "use printable ASCII characters"},
	[VALUE_URL_PATH] = {is_path_char, "write it percent-encoded, as in a URL"},
	[VALUE_HOST] = {is_host_char, "use a name, or name:port"},
};

/* name or name:port */
static bool is_host(const char *text)
{
	const char *colon = strchr(text, ':');

	return !colon || (colon != text && colon[1] && !colon[1 + strspn(colon + 1, "0123456789")]);
}

static int parse_text(const struct field *f, const char *text, bool quoted, void *ret_value,
		      struct config_error *problem)
{
	const struct text_rule *rule = &text_rules[f->type];
	char show[SHOW_STRLEN];

	(void)quoted;
	for (const char *c = text; *c; c++) {
		if (rule->allows(*c))
			continue;
		advise(problem, "%s", rule->advice);
		if (f->type == VALUE_SECRET)
			return refuse(problem, "%s has a character that can't be used", f->key);
		return refuse(problem, "%s '%s' has a character that can't be used", f->key,
			      show_value(text, show));
	}
	if (f->type == VALUE_URL_PATH && *text != '/') {
		advise(problem, "begin it with '/'");
		return refuse(problem, "%s '%s' is not a URL path", f->key, show_value(text, show));
	}
	if (f->type == VALUE_HOST && !is_host(text)) {
		advise(problem, "%s", rule->advice);
		return refuse(problem, "%s '%s' is not a host", f->key, show_value(text, show));
	}
	if (f->type == VALUE_INTERFACE && (!strcmp(text, ".") || !strcmp(text, ".."))) {
		advise(problem, "%s", rule->advice);
		return refuse(problem, "'%s' is no interface", text);
	}
	return store_text(f, text, ret_value, problem);
}

/* ---- Numbers ---- */

static int refuse_number(const struct field *f, const char *text, const char *why,
			 struct config_error *problem)
{
	char show[SHOW_STRLEN];

	if (!problem->hint[0])
		advise_type(f, "a ", problem);
	return refuse(problem, "%s '%s' %s", f->key, show_value(text, show), why);
}

/* Decimal digits up to *end; saturates. */
static uint64_t digits(const char *text, const char **ret_end)
{
	uint64_t n = 0;

	for (; isdigit((unsigned char)*text); text++)
		n = n > UINT64_MAX / 10 - 9 ? UINT64_MAX / 10 : n * 10 + (uint64_t)(*text - '0');
	*ret_end = text;
	return n;
}

static bool is_prime(uint64_t n)
{
	for (uint64_t d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return n > 1;
}

static int check_number(const struct field *f, const char *text, uint64_t n,
			struct config_error *problem)
{
	uint64_t prime = n;

	if (f->type == VALUE_ASN && (n == 0 || n == 23456))
		return refuse_number(f, text,
				     n ? "is AS_TRANS, which nobody owns (RFC 6793)"
				       : "is reserved (RFC 7607)",
				     problem);
	if (n < f->min || n > f->max)
		return refuse_number(f, text, "is out of range", problem);
	if (f->type != VALUE_PRIME || is_prime(n))
		return 0;
	while (!is_prime(prime))
		prime++;
	advise(problem, "the next one is %" PRIu64, prime);
	return refuse_number(f, text, "is not a prime", problem);
}

static void store_number(const struct field *f, uint64_t n, void *ret_value)
{
	if (f->size == sizeof(uint16_t))
		*(uint16_t *)ret_value = (uint16_t)n;
	else
		*(uint32_t *)ret_value = (uint32_t)n;
}

static uint64_t load_number(const struct field *f, const void *value)
{
	return f->size == sizeof(uint16_t) ? *(const uint16_t *)value : *(const uint32_t *)value;
}

static int parse_number(const struct field *f, const char *text, bool quoted, void *ret_value,
			struct config_error *problem)
{
	const char *end;
	uint64_t n = digits(text, &end);
	int r;

	if (end == text || *end)
		return refuse_number(f, text, "is not a whole number", problem);
	if (quoted) {
		advise(problem, "remove the quotes");
		return refuse_number(f, text, "is text, not a number", problem);
	}
	if (*text == '0' && text[1]) {
		/* Octal to YAML 1.1, decimal to YAML 1.2 and to people. */
		advise(problem, "write %" PRIu64, n);
		return refuse_number(f, text, "begins with a zero", problem);
	}
	r = check_number(f, text, n, problem);
	if (r)
		return r;
	store_number(f, n, ret_value);
	return 0;
}

/* One port as any number, with the words of numbers; a range or any as such. */
static int parse_ports(const struct field *f, const char *text, bool quoted, void *ret_value,
		       struct config_error *problem)
{
	struct field one = *f;
	struct ports ports;
	uint16_t port;
	int r;

	if (!strcmp(text, "any") || (*text != '-' && strchr(text, '-'))) {
		if (ports_parse(text, &ports)) {
			advise(problem, "write the lower and the higher port, such as 8000-8999");
			return refuse_number(f, text, "is not a range of ports", problem);
		}
		*(struct ports *)ret_value = ports;
		return 0;
	}
	one.size = sizeof(port);
	r = parse_number(&one, text, quoted, &port, problem);
	if (!r)
		*(struct ports *)ret_value = ports_one(port);
	return r;
}

static int refuse_cores(const struct field *f, const char *text, const char *why,
			struct config_error *problem)
{
	char show[SHOW_STRLEN];

	if (!problem->hint[0])
		advise(problem, "write CPUs 0 to %u and ranges of them, such as \"1-4,7\"",
		       (unsigned)f->max);
	return refuse(problem, "%s '%s' %s", f->key, show_value(text, show), why);
}

static bool has_core(const struct config_cores *c, uint64_t cpu)
{
	for (uint16_t i = 0; i < c->n; i++)
		if (c->cpu[i] == cpu)
			return true;
	return false;
}

/* One CPU, or a range of them, at *text; leaves *text behind it. */
static int parse_core_range(const struct field *f, const char *whole, const char **text,
			    struct config_cores *c, struct config_error *problem)
{
	const char *end;
	uint64_t first = digits(*text, &end), last = first;
	char why[64];

	if (end == *text)
		return refuse_cores(f, whole, "is no list of CPUs", problem);
	if (*end == '-') {
		*text = end + 1;
		last = digits(*text, &end);
		if (end == *text)
			return refuse_cores(f, whole, "has a range without an end", problem);
	}
	*text = end;
	if (first > f->max || last > f->max)
		return refuse_cores(f, whole, "names a CPU that can't be", problem);
	if (first > last) {
		advise(problem, "write %u-%u", (unsigned)last, (unsigned)first);
		return refuse_cores(f, whole, "has a range that ends before it begins", problem);
	}
	for (uint64_t cpu = first; cpu <= last; cpu++) {
		if (has_core(c, cpu)) {
			advise(problem, "name it once");
			snprintf(why, sizeof(why), "names CPU %u twice", (unsigned)cpu);
			return refuse_cores(f, whole, why, problem);
		}
		if (c->n == CONFIG_CORES_MAX) {
			advise(problem, "use at most %u", CONFIG_CORES_MAX);
			return refuse_cores(f, whole, "names too many CPUs", problem);
		}
		c->cpu[c->n++] = (uint16_t)cpu;
	}
	return 0;
}

static int parse_cores(const struct field *f, const char *text, bool quoted, void *ret_value,
		       struct config_error *problem)
{
	struct config_cores cores = {0};
	const char *at = text;
	int r;

	(void)quoted;
	do {
		r = parse_core_range(f, text, &at, &cores, problem);
		if (r)
			return r;
	} while (*at == ',' && *++at);
	if (*at || at[-1] == ',')
		return refuse_cores(f, text, "is no list of CPUs", problem);
	*(struct config_cores *)ret_value = cores;
	return 0;
}

/* ---- Durations ---- */

static const struct unit {
	const char *suffix;
	uint32_t ms;
} units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

#define N_UNITS (sizeof(units) / sizeof(units[0]))

const char *duration_format(uint32_t ms, char buf[VALUE_STRLEN])
{
	for (size_t i = 0; i < N_UNITS; i++)
		if (ms && ms % units[i].ms == 0) {
			snprintf(buf, VALUE_STRLEN, "%u%s", ms / units[i].ms, units[i].suffix);
			return buf;
		}
	snprintf(buf, VALUE_STRLEN, "0s");
	return buf;
}

static int parse_duration(const struct field *f, const char *text, bool quoted, void *ret_value,
			  struct config_error *problem)
{
	const char *end;
	uint64_t n = digits(text, &end);
	uint32_t scale = 0;

	(void)quoted;
	if (end != text && !*end) {
		advise(problem, "add one, such as %.10ss or %.10sms", text, text);
		return refuse_number(f, text, "has no unit", problem);
	}
	for (size_t i = 0; i < N_UNITS; i++)
		if (end != text && !strcmp(end, units[i].suffix))
			scale = units[i].ms;
	if (!scale) {
		advise(problem, "use a whole number with ms, s, m or h, such as 1500ms");
		return refuse_number(f, text, "is not a duration", problem);
	}
	if (n > UINT32_MAX || n * scale < f->min || n * scale > f->max)
		return refuse_number(f, text, "is out of range", problem);
	*(uint32_t *)ret_value = (uint32_t)(n * scale);
	return 0;
}

/* ---- Words ---- */

static int parse_choice(const struct field *f, const char *text, bool quoted, void *ret_value,
			struct config_error *problem)
{
	const struct choice *c = f->choices;
	char show[SHOW_STRLEN];

	(void)quoted;
	while (c->word && strcmp(c->word, text) != 0)
		c++;
	if (!c->word) {
		advise_type(f, "", problem);
		return refuse(problem, "unknown %s '%s'", f->key, show_value(text, show));
	}
	if (c->refusal) {
		advise(problem, "%s", c->refusal);
		return refuse(problem, "%s '%s' is not supported in this version", f->key, text);
	}
	*(int *)ret_value = c->value;
	return 0;
}

static int parse_bool(const struct field *f, const char *text, bool quoted, void *ret_value,
		      struct config_error *problem)
{
	char show[SHOW_STRLEN];
	bool yes = !strcmp(text, "true");

	if (quoted || (!yes && strcmp(text, "false") != 0)) {
		advise(problem, "write true or false%s", quoted ? " without quotes" : "");
		return refuse(problem, "%s '%s' is not true or false", f->key,
			      show_value(text, show));
	}
	*(bool *)ret_value = yes;
	return 0;
}

/* ---- Addresses ---- */

static int parse_address(const struct field *f, const char *text, bool quoted, void *ret_value,
			 struct config_error *problem)
{
	static const char *const wanted[] = {
		[VALUE_ADDRESS] = "an IPv4 or IPv6 address, such as 192.0.2.1 or \"2001:db8::1\"",
		[VALUE_IPV4] = "an IPv4 address, such as 192.0.2.1",
		[VALUE_IPV6] = "an IPv6 address, such as \"2001:db8::1\"",
	};
	char show[SHOW_STRLEN];
	struct addr a;

	(void)quoted;
	if (addr_parse(text, &a) || (f->type == VALUE_IPV4 && a.family != 4) ||
	    (f->type == VALUE_IPV6 && a.family != 6)) {
		advise(problem, "write %s", wanted[f->type]);
		return refuse(problem, "%s '%s' is not an %saddress", f->key,
			      show_value(text, show),
			      f->type == VALUE_IPV4   ? "IPv4 "
			      : f->type == VALUE_IPV6 ? "IPv6 "
						      : "");
	}
	*(struct addr *)ret_value = a;
	return 0;
}

static int parse_prefix(const struct field *f, const char *text, bool quoted, void *ret_value,
			struct config_error *problem)
{
	uint8_t family = f->type == VALUE_PREFIX4 ? 4 : f->type == VALUE_PREFIX6 ? 6 : 0;
	char show[SHOW_STRLEN], fixed[ADDR_STRLEN];
	struct prefix p, masked;

	(void)quoted;
	if (prefix_parse(text, &p) || (family && p.addr.family != family)) {
		advise(problem, family == 4 ? "write one such as 192.0.2.10 or 192.0.2.0/24"
				: family == 6
					? "write one such as \"2001:db8::10\" or \"2001:db8::/64\""
					: "write one such as 192.0.2.10, 192.0.2.0/24 or "
					  "\"2001:db8::/64\"");
		return refuse(problem, "%s '%s' is not an %saddress or prefix", f->key,
			      show_value(text, show),
			      family == 4   ? "IPv4 "
			      : family == 6 ? "IPv6 "
					    : "");
	}
	masked = prefix_masked(&p.addr, p.len);
	if (!addr_equal(&masked.addr, &p.addr)) {
		advise(problem, "write %s, or the address alone", prefix_format(&masked, fixed));
		return refuse(problem, "%s '%s' has bits set behind its length", f->key, text);
	}
	*(struct prefix *)ret_value = p;
	return 0;
}

static int parse_endpoint(const struct field *f, const char *text, bool quoted, void *ret_value,
			  struct config_error *problem)
{
	struct config_endpoint e;
	char show[SHOW_STRLEN];

	(void)quoted;
	memset(&e, 0, sizeof(e));
	if (strcmp(text, "none") != 0 && (addr_port_parse(text, &e.addr, &e.port) || !e.port)) {
		advise(problem,
		       "write address:port, such as 127.0.0.1:9477 or \"[::1]:9477\", or none");
		return refuse(problem, "%s '%s' is not an address and port", f->key,
			      show_value(text, show));
	}
	memcpy(ret_value, &e, sizeof(e));
	return 0;
}

/* ---- Bytes ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n bytes, two digits each, separated by sep unless it is 0; false when text is anything else. */
static bool hex_bytes(const char *text, char sep, size_t n, uint8_t *ret_bytes)
{
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0)
			return false;
		ret_bytes[i] = (uint8_t)(high << 4 | low);
		text += 2;
		if (sep && i + 1 < n && *text++ != sep)
			return false;
	}
	return *text == '\0';
}

static int parse_mac(const struct field *f, const char *text, bool quoted, void *ret_value,
		     struct config_error *problem)
{
	static const uint8_t zero[6];
	struct config_mac mac = {.set = true};
	char show[SHOW_STRLEN];

	(void)quoted;
	advise(problem, "write one machine's address, such as \"02:00:00:00:00:0b\"");
	if (!hex_bytes(text, ':', sizeof(mac.bytes), mac.bytes))
		return refuse(problem, "%s '%s' is not a MAC address", f->key,
			      show_value(text, show));
	if (mac.bytes[0] & 1 || !memcmp(mac.bytes, zero, sizeof(zero)))
		return refuse(problem, "%s '%s' belongs to no single machine", f->key, text);
	problem->hint[0] = '\0';
	*(struct config_mac *)ret_value = mac;
	return 0;
}

static int parse_server_id(const struct field *f, const char *text, bool quoted, void *ret_value,
			   struct config_error *problem)
{
	size_t n = strlen(text);
	struct server_id id = {.length = (uint8_t)(n / 2)};
	char show[SHOW_STRLEN];

	(void)quoted;
	if (n % 2 || n > 2 * sizeof(id.bytes) || !hex_bytes(text, 0, n / 2, id.bytes)) {
		advise(problem, "write two hex digits for each byte, such as \"0a01\"");
		return refuse(problem, "%s '%s' is not 1 to %u bytes in hex", f->key,
			      show_value(text, show), SERVER_ID_MAX);
	}
	*(struct server_id *)ret_value = id;
	return 0;
}

static int parse_seed(const struct field *f, const char *text, bool quoted, void *ret_value,
		      struct config_error *problem)
{
	uint8_t seed[16];

	(void)quoted;
	if (!hex_bytes(text, 0, sizeof(seed), seed)) {
		advise(problem, "write 32 hex digits; 'openssl rand -hex 16' makes them");
		if (strlen(text) != 2 * sizeof(seed))
			return refuse(problem, "%s has %zu characters, not 32", f->key,
				      strlen(text));
		return refuse(problem, "%s has a character that is not a hex digit", f->key);
	}
	memcpy(ret_value, seed, sizeof(seed));
	return 0;
}

/* ---- All of them ---- */

static bool is_null(const char *text)
{
	return !*text || !strcmp(text, "~") || !strcmp(text, "null") || !strcmp(text, "Null") ||
	       !strcmp(text, "NULL");
}

int value_parse(const struct field *f, const char *text, bool quoted, void *ret_value,
		struct config_error *problem)
{
	static int (*const parsers[])(const struct field *, const char *, bool, void *,
				      struct config_error *) = {
		[VALUE_NAME] = parse_text,           [VALUE_INTERFACE] = parse_text,
		[VALUE_SECRET] = parse_text,         [VALUE_URL_PATH] = parse_text,
		[VALUE_TEXT] = parse_text,           [VALUE_CORES] = parse_cores,
		[VALUE_HOST] = parse_text,           [VALUE_NUMBER] = parse_number,
		[VALUE_PRIME] = parse_number,        [VALUE_ASN] = parse_number,
		[VALUE_PORTS] = parse_ports,         [VALUE_BOOL] = parse_bool,
		[VALUE_DURATION] = parse_duration,   [VALUE_CHOICE] = parse_choice,
		[VALUE_ADDRESS] = parse_address,     [VALUE_IPV4] = parse_address,
		[VALUE_IPV6] = parse_address,        [VALUE_PREFIX] = parse_prefix,
		[VALUE_PREFIX4] = parse_prefix,      [VALUE_PREFIX6] = parse_prefix,
		[VALUE_ENDPOINT] = parse_endpoint,   [VALUE_MAC] = parse_mac,
		[VALUE_SERVER_ID] = parse_server_id, [VALUE_SEED] = parse_seed,
	};

	problem->text[0] = problem->hint[0] = '\0';
	if (quoted ? !*text : is_null(text)) {
		advise(problem, "%s",
		       !quoted && *text ? "give it one, with quotes if this word is meant"
		       : f->required    ? "give it one"
					: "give it one, or remove the key");
		return refuse(problem, "%s has no value", f->key);
	}
	return parsers[f->type](f, text, quoted, ret_value, problem);
}

static void format_bytes(const uint8_t *bytes, size_t n, const char *sep, char buf[VALUE_STRLEN])
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(buf + at, VALUE_STRLEN - at, "%s%02x", i ? sep : "",
				       bytes[i]);
}

/* A number that may be left out, has no default and can't be 0 isn't set while it is 0. */
static void format_number(const struct field *f, uint64_t n, char buf[VALUE_STRLEN])
{
	if (n || f->required || f->fallback || !f->min)
		snprintf(buf, VALUE_STRLEN, "%" PRIu64, n);
}

static void format_address(const struct addr *a, char buf[VALUE_STRLEN])
{
	buf[0] = '\0';
	if (a->family)
		addr_format(a, buf);
}

static void format_prefix(const struct prefix *p, char buf[VALUE_STRLEN])
{
	buf[0] = '\0';
	if (!p->addr.family)
		return;
	if (p->len == addr_bits(&p->addr))
		addr_format(&p->addr, buf);
	else
		prefix_format(p, buf);
}

static void format_choice(const struct field *f, int value, char buf[VALUE_STRLEN])
{
	const struct choice *c = f->choices;

	while (c->word && (c->value != value || c->refusal))
		c++;
	snprintf(buf, VALUE_STRLEN, "%s", c->word ? c->word : "?");
}

static void format_endpoint(const struct config_endpoint *e, char buf[VALUE_STRLEN])
{
	if (e->addr.family)
		addr_port_format(&e->addr, e->port, buf);
	else
		strcpy(buf, "none");
}

/* CPUs that follow each other as a range. */
static void format_cores(const struct config_cores *c, char buf[VALUE_STRLEN])
{
	size_t at = 0;

	for (uint16_t i = 0, last; i < c->n; i = (uint16_t)(last + 1)) {
		last = i;
		while (last + 1 < c->n && c->cpu[last + 1] == c->cpu[last] + 1)
			last++;
		at += (size_t)snprintf(buf + at, VALUE_STRLEN - at, "%s%u", i ? "," : "",
				       c->cpu[i]);
		if (last > i)
			at += (size_t)snprintf(buf + at, VALUE_STRLEN - at, "-%u", c->cpu[last]);
	}
}

const char *value_format(const struct field *f, const void *value, char buf[VALUE_STRLEN])
{
	const struct server_id *id = value;

	buf[0] = '\0';
	switch (f->type) {
	case VALUE_NAME:
	case VALUE_INTERFACE:
	case VALUE_SECRET:
	case VALUE_TEXT:
	case VALUE_URL_PATH:
	case VALUE_HOST:
		snprintf(buf, VALUE_STRLEN, "%.*s", (int)f->size, (const char *)value);
		break;
	case VALUE_NUMBER:
	case VALUE_PRIME:
	case VALUE_ASN:
		format_number(f, load_number(f, value), buf);
		break;
	case VALUE_PORTS:
		if (((const struct ports *)value)->last)
			ports_format(*(const struct ports *)value, buf);
		break;
	case VALUE_CORES:
		format_cores(value, buf);
		break;
	case VALUE_BOOL:
		strcpy(buf, *(const bool *)value ? "true" : "false");
		break;
	case VALUE_DURATION:
		duration_format(*(const uint32_t *)value, buf);
		break;
	case VALUE_CHOICE:
		format_choice(f, *(const int *)value, buf);
		break;
	case VALUE_ADDRESS:
	case VALUE_IPV4:
	case VALUE_IPV6:
		format_address(value, buf);
		break;
	case VALUE_PREFIX:
	case VALUE_PREFIX4:
	case VALUE_PREFIX6:
		format_prefix(value, buf);
		break;
	case VALUE_ENDPOINT:
		format_endpoint(value, buf);
		break;
	case VALUE_MAC:
		if (((const struct config_mac *)value)->set)
			format_bytes(((const struct config_mac *)value)->bytes, 6, ":", buf);
		break;
	case VALUE_SERVER_ID:
		format_bytes(id->bytes, id->length, "", buf);
		break;
	case VALUE_SEED:
		format_bytes(value, 16, "", buf);
		break;
	case VALUE_OBJECT:
	case VALUE_LIST:
		break;
	}
	return buf;
}

bool value_equal(const struct field *f, const void *a, const void *b)
{
	char text_a[VALUE_STRLEN], text_b[VALUE_STRLEN];

	if (!memcmp(a, b, f->size))
		return true;
	return !strcmp(value_format(f, a, text_a), value_format(f, b, text_b));
}
