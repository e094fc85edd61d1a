/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/native/native.h"

#include <stdbool.h>

#include "dataplane/core/memory_target.h"

#include "dataplane/core/forward.h"

/* Move the frame's start by so many bytes into its headroom. */
static bool grow_head(struct native_frame *f, int bytes)
{
	if (bytes > 0 && f->headroom < (size_t)bytes)
		return false;
	f->data -= bytes;
	f->len += (size_t)bytes;
	f->headroom -= (size_t)bytes;
	return true;
}

static enum lb_reason forward(const struct lb_target *t, struct native_frame *f,
			      enum lb_reason reason, const struct lb_decision *d)
{
	const int grow = (int)d->grow_bytes + 4 * (d->n_tags_out - d->n_tags);

	if (d->grow_bytes)
		f->len -= d->padding;
	if (!grow_head(f, grow) ||
	    lb_write_headers(f->data, f->data + f->len, d, d->grow_bytes, d->n_tags_out))
		return LB_REASON_no_headroom;
	lb_count_forwarded(t, reason, d);
	return reason;
}

static int write_too_big(struct native_frame *f, const struct lb_decision *d)
{
	f->len = lb_quoted_frame_bytes(d);
	if (!grow_head(f, (int)lb_too_big_grow(d)))
		return -1;
	return lb_write_too_big(f->data, f->data + f->len, d);
}

static enum lb_reason reply(const struct lb_target *t, struct native_frame *f,
			    enum lb_reason reason, const struct lb_decision *d)
{
	const int rc = d->reply == LB_REPLY_ECHO ? lb_write_echo(f->data, f->data + f->len, d)
						 : write_too_big(f, d);

	if (rc)
		return LB_REASON_no_headroom;
	lb_count(t, reason, lb_frame_bytes(t));
	return reason;
}

void native_process(const struct lb_tables *tables, uint32_t worker, const struct lb_moment *moment,
		    struct native_frame *frame, struct lb_trace *ret_trace)
{
	struct lb_target t = lb_memory_target(tables, worker, (uint32_t)frame->len, moment);
	struct lb_decision d = {0};
	enum lb_reason reason = lb_decide(&t, frame->data, frame->data + frame->len, &d);
	const enum lb_verdict verdict = lb_reason_verdict(reason);

	if (verdict == LB_FORWARD)
		reason = forward(&t, frame, reason, &d);
	else if (verdict == LB_REPLY)
		reason = reply(&t, frame, reason, &d);
	if (reason == LB_REASON_no_headroom)
		lb_count(&t, reason, lb_frame_bytes(&t));
	*ret_trace = lb_trace_of(reason, &d);
}
