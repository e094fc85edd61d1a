/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DAEMON_PAGE_H
#define FAIRWAY_DAEMON_PAGE_H

#include <stdio.h>

#include "controlplane/daemon.h"

/* The status page: one HTML document, read-only, without scripts. */
void daemon_page_write(struct daemon *d, FILE *out);

#endif
