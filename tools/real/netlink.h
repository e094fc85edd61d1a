/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_NETLINK_H
#define FAIRWAY_REAL_NETLINK_H

#include <libmnl/libmnl.h>
#include <stddef.h>

#include "controlplane/base/err.h"

/* One rtnetlink conversation, blocking: this is a short-lived command. */
struct nl;

int nl_open(struct nl **ret_nl, struct err *e) __attribute__((warn_unused_result));
void nl_close(struct nl *nl);

/* Begin a message of the given type with extra_len zeroed bytes of family header, which
 * mnl_nlmsg_get_payload() returns. The message lives in nl until the next nl_start(). */
struct nlmsghdr *nl_start(struct nl *nl, int type, int flags, size_t extra_len);

/* Send what nl_start() began and read answers until the kernel is done, cb (may be NULL) seeing
 * each. A dump needs NLM_F_DUMP, anything else gets NLM_F_ACK here. 0 or -errno of the kernel. */
int nl_run(struct nl *nl, mnl_cb_t cb, void *arg) __attribute__((warn_unused_result));

/* The kernel's own words about the last failure, else strerror's. */
const char *nl_why(const struct nl *nl, int code);

#endif
