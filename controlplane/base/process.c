/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/base/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

bool process_runs(pid_t pid)
{
	struct pollfd poll_fd = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	bool ended;

	if (poll_fd.fd < 0) /* ESRCH, or no descriptor left to ask by */
		return errno != ESRCH && (kill(pid, 0) == 0 || errno != ESRCH);
	ended = poll(&poll_fd, 1, 0) == 1;
	close(poll_fd.fd);
	return !ended;
}
