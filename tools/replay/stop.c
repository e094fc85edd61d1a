/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t requested;

static void request(int signal)
{
	requested = signal;
}

/* Writes go on where the signal met them, so that no line is torn; only waiting for input ends. */
void stop_install(void)
{
	struct sigaction action = {.sa_handler = request,
				   .sa_flags = SA_RESTART | (int)SA_RESETHAND};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int stop_requested(void)
{
	return requested;
}

int stop_wait_readable(int fd)
{
	struct pollfd poll = {.fd = fd, .events = POLLIN};
	sigset_t stops, before;
	int ret = 0;

	/* A signal between the look and the wait must not be slept through. */
	sigemptyset(&stops);
	sigaddset(&stops, SIGINT);
	sigaddset(&stops, SIGTERM);
	sigprocmask(SIG_BLOCK, &stops, &before);
	while (!requested && (ret = ppoll(&poll, 1, NULL, &before)) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return requested ? -EINTR : 0;
}
