/* SPDX-License-Identifier: BSD-2-Clause */
/* Which network namespace this is: the state must not be taken for that of another. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"
#include "tools/real/state.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* The kernel gives each namespace a number that it never uses again until the next boot. */
static int read_cookie(uint64_t *ret_cookie, struct err *e)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*ret_cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret_cookie, &len))
		return err_set(e, -errno, "can't tell which network namespace this is: %s",
			       strerror(errno));
	return 0;
}

int real_namespace_id(char ret_id[REAL_NAMESPACE_LEN], struct err *e)
{
	AUTO_CLOSE int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char boot[37] = "";
	uint64_t cookie;
	int ret = read_cookie(&cookie, e);

	if (ret)
		return ret;
	if (fd < 0 || read(fd, boot, sizeof(boot) - 1) != (ssize_t)sizeof(boot) - 1)
		return err_set(e, -EIO, "can't read /proc/sys/kernel/random/boot_id");
	snprintf(ret_id, REAL_NAMESPACE_LEN, "%s/%" PRIu64, boot, cookie);
	return 0;
}

int real_state_default_dir(char *ret_dir, size_t len, struct err *e)
{
	uint64_t cookie;
	int ret = read_cookie(&cookie, e);

	if (!ret)
		snprintf(ret_dir, len, "%s/netns-%" PRIu64, REAL_STATE_DIR, cookie);
	return ret;
}
