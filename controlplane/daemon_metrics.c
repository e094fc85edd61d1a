/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/daemon.h"

void daemon_metrics_configure(struct daemon *d)
{
	(void)d;
}

void daemon_metrics_stop(struct daemon *d)
{
	(void)d;
}
