/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/daemon.h"

int daemon_lock(const char *state_dir, int *ret_fd, struct err *err)
{
	char path[PATH_MAX], pid[32] = "";
	AUTO_CLOSE int fd = -1;

	if (mkdir(state_dir, 0750) < 0 && errno != EEXIST)
		return err_set(err, -errno, "--state %s: can't be created: %s", state_dir,
			       strerror(errno));
	if (snprintf(path, sizeof(path), "%s/lock", state_dir) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "--state %s: path too long", state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

		if (errno != EWOULDBLOCK)
			return err_set(err, -errno, "%s: can't be locked: %s", path,
				       strerror(errno));
		pid[n > 0 ? n : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		return err_set(err, -EBUSY,
			       "--state %s: in use by another fairwayd (process %s); several nodes "
			       "on one host need a --state, --bpffs and --socket each",
			       state_dir, pid[0] ? pid : "unknown");
	}
	snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
		return err_set(err, -errno, "%s: can't be written: %s", path, strerror(errno));
	*ret_fd = fd;
	fd = -1;
	return 0;
}

void daemon_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
			return;
		log_warn("daemon", "the limit of open files can't be raised", "error=%s",
			 strerror(errno));
	}
}

void daemon_notify(const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rc = sd_notify(0, text);
	if (rc < 0)
		log_warn("daemon", "systemd can't be notified", "error=%s", strerror(-rc));
}

uint64_t daemon_watchdog_ms(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? us / 1000 : 0;
}
