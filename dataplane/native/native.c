/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/native/native.h"

#include "dataplane/core/memory_target.h"

#include "dataplane/core/forward.h"

static enum lb_reason forward(const struct lb_target *t, struct native_frame *f,
			      struct lb_decision *d)
{
	f->len -= lb_padding_bytes(f->data, f->data + f->len, d);
	if (f->headroom < d->grow_bytes)
		return LB_REASON_no_headroom;
	f->data -= d->grow_bytes;
	f->len += d->grow_bytes;
	f->headroom -= d->grow_bytes;
	if (lb_write_headers(f->data, f->data + f->len, d))
		return LB_REASON_no_headroom;
	lb_count_forwarded(t, d);
	return LB_REASON_forwarded;
}

void native_process(const struct lb_tables *tables, uint32_t worker, struct native_frame *frame,
		    struct lb_trace *ret_trace)
{
	struct lb_target t = lb_memory_target(tables, worker);
	struct lb_decision d = {0};
	enum lb_reason reason = lb_decide(&t, frame->data, frame->data + frame->len, &d);

	if (reason == LB_REASON_forwarded) {
		reason = forward(&t, frame, &d);
		if (reason != LB_REASON_forwarded)
			lb_count(&t, reason, d.ip_length);
	}
	*ret_trace = lb_trace_of(reason, &d);
}
