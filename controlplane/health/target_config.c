/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health/target_config.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "controlplane/base/cleanup.h"

static int check_times(const struct health_target_config *c, struct err *err)
{
	if (c->interval_ms < HEALTH_INTERVAL_MIN_MS || c->interval_ms > HEALTH_INTERVAL_MAX_MS)
		return err_set(err, -EINVAL, "interval %u ms: must be %u to %u ms", c->interval_ms,
			       HEALTH_INTERVAL_MIN_MS, HEALTH_INTERVAL_MAX_MS);
	if (c->timeout_ms < 1 || c->timeout_ms > HEALTH_TIMEOUT_MAX_MS)
		return err_set(err, -EINVAL, "timeout %u ms: must be 1 to %u ms", c->timeout_ms,
			       HEALTH_TIMEOUT_MAX_MS);
	if (c->rise > HEALTH_COUNT_MAX)
		return err_set(err, -EINVAL, "rise %u: must be at most %u", c->rise,
			       HEALTH_COUNT_MAX);
	if (c->fall > HEALTH_COUNT_MAX)
		return err_set(err, -EINVAL, "fall %u: must be at most %u", c->fall,
			       HEALTH_COUNT_MAX);
	return 0;
}

/* What stands in a request line must not be able to end it. */
static int check_path(const char *path, struct err *err)
{
	if (path[0] != '/')
		return err_set(err, -EINVAL, "path \"%s\": must start with /", path);
	if (strlen(path) > HEALTH_PATH_MAX)
		return err_set(err, -EINVAL, "path is longer than %u bytes", HEALTH_PATH_MAX);
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || *p == '#')
			return err_set(
				err, -EINVAL,
				"path \"%s\": write blanks, # and bytes outside ASCII as %%XX",
				path);
	return 0;
}

static int check_host(const char *host, struct err *err)
{
	const char *port = strchr(host, ':');

	if (strlen(host) > HEALTH_HOST_MAX)
		return err_set(err, -EINVAL, "host is longer than %u bytes", HEALTH_HOST_MAX);
	for (const char *p = host; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".-_:", *p))
			return err_set(
				err, -EINVAL,
				"host \"%s\": must be a name, or name:port, without blanks or /",
				host);
	if (port && (port == host || !port[1] || port[1 + strspn(port + 1, "0123456789")]))
		return err_set(err, -EINVAL, "host \"%s\": must be a name, or name:port", host);
	return 0;
}

static int check_http(const struct health_target_config *c, struct err *err)
{
	int ret;

	ret = check_path(c->path, err);
	if (ret == 0)
		ret = check_host(c->host, err);
	if (ret < 0)
		return ret;
	if (c->status_min < 200 || c->status_max > 599 || c->status_min > c->status_max)
		return err_set(err, -EINVAL,
			       "expected status %u-%u: must be a range within 200 to 599",
			       c->status_min, c->status_max);
	return 0;
}

static int check(const struct health_target_config *c, struct err *err)
{
	int ret;

	if (addr_af(&c->address) == AF_UNSPEC)
		return err_set(err, -EINVAL, "no address to check");
	if (c->port == 0)
		return err_set(err, -EINVAL, "port 0 cannot be checked: give 1 to 65535");
	ret = check_times(c, err);
	if (ret < 0)
		return ret;
	switch (c->type) {
	case HEALTH_TCP:
		return 0;
	case HEALTH_HTTP:
	case HEALTH_HTTPS:
		return check_http(c, err);
	}
	return err_set(err, -EINVAL, "check type %d: must be tcp, http or https", (int)c->type);
}

static const char *or_default(const char *text, const char *fallback)
{
	return text && *text ? text : fallback;
}

int target_config_copy(const struct health_target_config *config,
		       struct health_target_config *ret_copy, struct err *err)
{
	AUTO_FREE char *path = strdup(or_default(config->path, "/"));
	AUTO_FREE char *host = strdup(or_default(config->host, ""));
	struct health_target_config copy = *config;
	int ret;

	if (!path || !host)
		return err_set(err, -ENOMEM, "out of memory");
	copy.path = path;
	copy.host = host;
	if (copy.status_min == 0 && copy.status_max == 0) {
		copy.status_min = 200;
		copy.status_max = 299;
	}
	ret = check(&copy, err);
	if (ret < 0)
		return ret;
	*ret_copy = copy;
	path = NULL;
	host = NULL;
	return 0;
}

void target_config_fini(struct health_target_config *copy)
{
	free((char *)copy->path);
	free((char *)copy->host);
	copy->path = NULL;
	copy->host = NULL;
}

bool target_config_equal(const struct health_target_config *a, const struct health_target_config *b)
{
	return a->type == b->type && addr_equal(&a->address, &b->address) && a->port == b->port &&
	       strcmp(a->path, b->path) == 0 && strcmp(a->host, b->host) == 0 &&
	       a->status_min == b->status_min && a->status_max == b->status_max &&
	       a->tls_verify == b->tls_verify && a->interval_ms == b->interval_ms &&
	       a->timeout_ms == b->timeout_ms && a->rise == b->rise && a->fall == b->fall;
}
