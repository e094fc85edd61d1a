/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/real/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

static int sysctl_open(const char *name, int flags)
{
	char path[SYSCTL_NAMELEN + 16];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *name, int *ret_value, struct err *e)
{
	AUTO_CLOSE int fd = sysctl_open(name, O_RDONLY);
	char text[32], *end;
	ssize_t n;
	long value;

	if (fd < 0)
		return err_set(e, fd, "sysctl %s can't be read: %s", name, strerror(-fd));
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return err_set(e, -errno, "sysctl %s can't be read: %s", name, strerror(errno));
	text[n] = '\0';
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text)
		return err_set(e, -EINVAL, "sysctl %s holds \"%s\", not a number", name, text);
	*ret_value = (int)value;
	return 0;
}

int sysctl_write(const char *name, int value, struct err *e)
{
	AUTO_CLOSE int fd = sysctl_open(name, O_WRONLY);
	char text[32];
	ssize_t n;
	int code = fd;

	if (fd >= 0) {
		int len = snprintf(text, sizeof(text), "%d\n", value);

		n = write(fd, text, (size_t)len);
		if (n == len)
			return 0;
		code = n < 0 ? -errno : -EIO;
	}
	if (code == -EROFS || code == -EACCES || code == -EPERM)
		return err_set(
			e, code,
			"sysctl %s can't be set to %d: %s; in a container set it from outside "
			"(docker run --sysctl, or nsenter -n from the host), then run this again",
			name, value, strerror(-code));
	return err_set(e, code, "sysctl %s can't be set to %d: %s", name, value, strerror(-code));
}
