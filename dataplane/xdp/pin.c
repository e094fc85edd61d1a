/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int xdp_pin_path(const struct xdp_engine *e, const char *name, char *buf, size_t len)
{
	int n = snprintf(buf, len, "%s/%s", e->bpffs, name);

	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

int xdp_pin(const struct xdp_engine *e, const char *name, int fd, struct err *err)
{
	char path[512], aside[512 + 8];

	if (xdp_pin_path(e, name, path, sizeof(path)))
		return err_set(err, -ENAMETOOLONG, "%s/%s: path too long", e->bpffs, name);
	snprintf(aside, sizeof(aside), "%s_new", path);
	if (unlink(aside) && errno != ENOENT)
		return err_set(err, -errno, "remove %s: %s", aside, strerror(errno));
	if (bpf_obj_pin(fd, aside))
		return err_set(err, -errno, "pin %s: %s", aside, strerror(errno));
	if (rename(aside, path))
		return err_set(err, -errno, "rename %s to %s: %s", aside, path, strerror(errno));
	return 0;
}

int xdp_unpin(const struct xdp_engine *e, const char *name, struct err *err)
{
	char path[512];

	if (xdp_pin_path(e, name, path, sizeof(path)))
		return err_set(err, -ENAMETOOLONG, "%s/%s: path too long", e->bpffs, name);
	if (unlink(path) && errno != ENOENT)
		return err_set(err, -errno, "remove %s: %s", path, strerror(errno));
	return 0;
}

int xdp_pin_set(const struct xdp_engine *e, const struct xdp_set *s, struct err *err)
{
	int rc;

	for (int i = 0; i < XDP_MAPS; i++) {
		rc = xdp_pin(e, xdp_pin_names[i], s->fd[i], err);
		if (rc)
			return rc;
	}
	/* Last: who finds the program finds its maps. */
	return xdp_pin(e, "balancer", s->prog_fd, err);
}
