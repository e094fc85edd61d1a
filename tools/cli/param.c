/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/cli/param.h"

#include <errno.h>
#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/config/config.h"

#define LIMIT_MAX 1000

static const char *const announce_words[] = {"healthy", "always", "never", NULL};
static const char *const protocol_words[] = {"tcp", "udp", NULL};
static const char *const shell_words[] = {"bash", "zsh", NULL};

const char *const *param_words(enum value_kind kind)
{
	switch (kind) {
	case VALUE_ANNOUNCE:
		return announce_words;
	case VALUE_PROTOCOL:
		return protocol_words;
	case VALUE_SHELL:
		return shell_words;
	default:
		return NULL;
	}
}

static int new_string(const char *text, json_t **ret_value, struct err *err)
{
	json_t *value = json_string(text);

	if (!value)
		return err_set(err, -EINVAL, "'%s' isn't valid UTF-8", text);
	*ret_value = value;
	return 0;
}

static int parse_name(const char *text, json_t **ret_value, struct err *err)
{
	char name[CONFIG_NAME_MAX + 1];
	int ret = config_name_parse(text, name, err);

	return ret < 0 ? ret : new_string(name, ret_value, err);
}

static int parse_address(const char *text, json_t **ret_value, struct err *err)
{
	char canonical[ADDR_STRLEN];
	struct addr addr;
	int ret = config_address_parse(text, &addr, err);

	return ret < 0 ? ret : new_string(addr_format(&addr, canonical), ret_value, err);
}

static int parse_prefix(const char *text, json_t **ret_value, struct err *err)
{
	char canonical[ADDR_STRLEN];
	struct prefix prefix;
	int ret = config_vip_address_parse(text, &prefix, err);

	return ret < 0 ? ret : new_string(prefix_format_short(&prefix, canonical), ret_value, err);
}

static int parse_endpoint(const char *text, json_t **ret_value, struct err *err)
{
	char canonical[ADDR_STRLEN];
	struct addr addr;
	uint16_t port;

	if (addr_port_parse(text, &addr, &port) < 0)
		return err_set(err, -EINVAL,
			       "'%s' isn't an address and a port like 192.0.2.1:443 or "
			       "[2001:db8::1]:443",
			       text);
	return new_string(addr_port_format(&addr, port, canonical), ret_value, err);
}

static int parse_weight(const char *text, json_t **ret_value, struct err *err)
{
	uint32_t weight;
	int ret = config_weight_parse(text, &weight, err);

	if (ret < 0)
		return ret;
	*ret_value = json_integer(weight);
	return *ret_value ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int parse_mac(const char *text, json_t **ret_value, struct err *err)
{
	struct config_mac mac;
	int ret;

	if (strcmp(text, "none") == 0) {
		*ret_value = json_null();
		return 0;
	}
	ret = config_mac_parse(text, &mac, err);
	return ret < 0 ? ret : new_string(text, ret_value, err);
}

static int parse_server_id(const char *text, json_t **ret_value, struct err *err)
{
	struct server_id id;
	int ret;

	if (strcmp(text, "none") == 0) {
		*ret_value = json_null();
		return 0;
	}
	ret = config_server_id_parse(text, &id, err);
	return ret < 0 ? ret : new_string(text, ret_value, err);
}

static int parse_limit(const char *text, json_t **ret_value, struct err *err)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || count < 1 || count > LIMIT_MAX)
		return err_set(err, -EINVAL, "'%s' isn't a number from 1 to %d", text, LIMIT_MAX);
	*ret_value = json_integer((json_int_t)count);
	return *ret_value ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* One of a few words, exactly. */
static int parse_word(enum value_kind kind, const char *text, json_t **ret_value, struct err *err)
{
	const char *const *words = param_words(kind);
	char all[128];
	size_t at = 0;

	for (size_t i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0)
			return new_string(text, ret_value, err);
		at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", i ? ", " : "", words[i]);
	}
	return err_set(err, -EINVAL, "'%s' isn't one of: %s", text, all);
}

/* "tcp/443", and with want_pool "tcp/443=web". */
static int parse_service(const char *text, bool want_pool, json_t **ret_value, struct err *err)
{
	const char *form =
		want_pool ? "PROTOCOL/PORT=POOL, e.g. tcp/443=web" : "PROTOCOL/PORT, e.g. tcp/443";
	AUTO_FREE char *copy = strdup(text);
	char *port_text, *pool = NULL, name[CONFIG_NAME_MAX + 1];
	enum config_protocol protocol;
	struct ports ports;
	int ret;

	if (!copy)
		return err_set(err, -ENOMEM, "out of memory");
	port_text = strchr(copy, '/');
	if (port_text && want_pool)
		pool = strchr(port_text, '=');
	if (!port_text || (want_pool && !pool))
		return err_set(err, -EINVAL, "'%s' doesn't have the form %s", text, form);
	*port_text++ = '\0';
	if (pool)
		*pool++ = '\0';
	ret = config_protocol_parse(copy, &protocol, err);
	if (ret == 0)
		ret = config_ports_parse(port_text, &ports, err);
	if (ret == 0 && pool)
		ret = config_name_parse(pool, name, err);
	if (ret < 0)
		return err_prefix(err, ret, "'%s'", text);
	*ret_value = json_pack("{s:s, s:i}", "protocol", config_protocol_name(protocol), "port",
			       (int)ports.first);
	if (!*ret_value ||
	    (ports.first && ports.last > ports.first &&
	     json_object_set_new(*ret_value, "port_last", json_integer(ports.last)) < 0) ||
	    (pool && json_object_set_new(*ret_value, "pool", json_string(name)) < 0))
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int param_parse(enum value_kind kind, const char *text, json_t **ret_value, struct err *err)
{
	switch (kind) {
	case VALUE_NEW_NAME:
	case VALUE_VIP:
	case VALUE_POOL:
		return parse_name(text, ret_value, err);
	case VALUE_REAL:
	case VALUE_ADDRESS:
		return parse_address(text, ret_value, err);
	case VALUE_PREFIX:
		return parse_prefix(text, ret_value, err);
	case VALUE_SERVICE:
		return parse_service(text, true, ret_value, err);
	case VALUE_SERVICE_NAME:
		return parse_service(text, false, ret_value, err);
	case VALUE_WEIGHT:
		return parse_weight(text, ret_value, err);
	case VALUE_MAC:
		return parse_mac(text, ret_value, err);
	case VALUE_SERVER_ID:
		return parse_server_id(text, ret_value, err);
	case VALUE_ENDPOINT:
		return parse_endpoint(text, ret_value, err);
	case VALUE_LIMIT:
		return parse_limit(text, ret_value, err);
	case VALUE_ANNOUNCE:
	case VALUE_PROTOCOL:
	case VALUE_SHELL:
		return parse_word(kind, text, ret_value, err);
	case VALUE_FILE:
	case VALUE_KIND_COUNT:
		break;
	}
	return err_set(err, -EINVAL, "value of unknown kind %d: please report this", (int)kind);
}

/* ---- files ---- */

static int open_input(const char *path, int *ret_fd, struct err *err)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	*ret_fd = fd;
	return 0;
}

/* Grow *text to hold more; 0 or -ENOMEM. */
static int grow(char **text, size_t *size)
{
	size_t larger = *size ? *size * 2 : 65536;
	char *moved = realloc(*text, larger);

	if (!moved)
		return -ENOMEM;
	*text = moved;
	*size = larger;
	return 0;
}

static int read_all(int fd, const char *path, size_t limit, char **ret_text, size_t *ret_len,
		    struct err *err)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0, len = 0;

	for (;;) {
		ssize_t got;

		if (len + 1 >= size && grow(&text, &size) < 0)
			return err_set(err, -ENOMEM, "cannot read %s: out of memory", path);
		got = read(fd, text + len, size - len - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
		if (got == 0)
			break;
		len += (size_t)got;
		if (len > limit)
			return err_set(err, -EFBIG,
				       "%s is larger than %zu MiB: is it the right file?", path,
				       limit / (1024 * 1024));
	}
	text[len] = '\0';
	*ret_text = STEAL(text);
	*ret_len = len;
	return 0;
}

/* The text travels in JSON, which can hold neither. */
static int check_text(const char *text, size_t len, const char *path, struct err *err)
{
	json_t *probe;

	if (memchr(text, '\0', len))
		return err_set(err, -EINVAL, "%s has NUL bytes: it isn't a text file", path);
	probe = json_stringn(text, len);
	if (!probe)
		return err_set(err, -EINVAL, "%s isn't UTF-8 text", path);
	json_decref(probe);
	return 0;
}

int param_read_file(const char *path, size_t limit, char **ret_text, size_t *ret_len,
		    struct err *err)
{
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int fd = -1;
	size_t len = 0;
	int ret = open_input(path, &fd, err);

	if (ret == 0)
		ret = read_all(fd, path, limit, &text, &len, err);
	if (ret == 0)
		ret = check_text(text, len, path, err);
	if (ret < 0)
		return ret;
	*ret_text = STEAL(text);
	*ret_len = len;
	return 0;
}
