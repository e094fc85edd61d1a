/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/test/packet_fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/config/config.h"
#include "controlplane/publish/memory_engine.h"
#include "dataplane/core/memory_target.h"
#include "dataplane/native/native.h"
#include "tools/replay/setup.h"

#include "dataplane/core/forward.h"

static struct publish_memory memory;

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The tables of the configuration that most scenarios run on. */
static void setup_once(void)
{
	static struct config_errors errors;
	struct publish_engine engine;
	struct publish *publish;
	struct config *config;
	struct lb_dims dims = publish_dims(32, 8, 8, 251, 4096);
	struct err err = {""};

	if (memory.tables.node)
		return;
	MUST(config_load(CONFIG_FOLDER "/edge.yaml", &config, &errors) == 0);
	MUST(publish_memory_init(&memory, &dims, 1) == 0);
	engine = publish_memory_engine(&memory);
	MUST(publish_new(&engine, &publish, &err) == 0);
	MUST(setup_tables(config, NULL, 0, &engine, publish, &err) == 0);
	publish_free(publish);
	config_free(config);
}

/* A forwarded frame: the inner packet as it came, whole or without padding, behind a new header. */
static void check_forwarded(const struct native_frame *out, const uint8_t *frame, size_t len,
			    const struct lb_trace *trace)
{
	const struct lb_real *real = &memory.tables.reals[trace->real];
	size_t grown = real->encap == LB_ENCAP_L2DSR ? 0 : real->family == 4 ? 20 : 40;
	size_t inner = out->len - 14 - grown;

	MUST(trace->service > 0 && trace->service < memory.tables.dims.services);
	MUST(trace->real > 0 && trace->real < memory.tables.dims.reals);
	MUST(out->len > 14 + grown && out->len <= len + grown);
	MUST(out->headroom == NATIVE_HEADROOM - grown);
	MUST(memcmp(out->data + 14 + grown, frame + 14, inner) == 0);
	MUST(grown || inner == len - 14);
}

/* What the short way for common packets decides, the full rules decide too. */
static void check_common(const uint8_t *frame, size_t len)
{
	const struct lb_target t =
		lb_memory_target(&memory.tables, 0, (__u32)len, &(struct lb_moment){0});
	struct lb_decision quick = {0}, full = {0};

	if (!lb_decide_common(&t, frame, frame + len, &quick))
		return;
	MUST(lb_decide_any(&t, frame, frame + len, &full) == LB_REASON_forwarded);
	MUST(quick.service == full.service && quick.service_record == full.service_record);
	MUST(quick.real == full.real && quick.real_record == full.real_record);
	MUST(quick.slot == full.slot && quick.nexthop == full.nexthop);
	MUST(quick.iface == full.iface && quick.entropy == full.entropy);
	MUST(quick.ip_length == full.ip_length && quick.inner_family == full.inner_family);
	MUST(quick.grow_bytes == full.grow_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *frame, size_t len)
{
	struct native_frame out = {.len = len, .headroom = NATIVE_HEADROOM};
	struct lb_trace trace = {0};
	uint8_t *buffer;

	setup_once();
	buffer = malloc(NATIVE_HEADROOM + len);
	MUST(buffer);
	out.data = buffer + NATIVE_HEADROOM;
	if (len)
		memcpy(out.data, frame, len);
	check_common(out.data, len);
	native_process(&memory.tables, 0, &(struct lb_moment){0}, &out, &trace);
	MUST(trace.reason < LB_REASON_COUNT);
	MUST(trace.verdict == publish_reason_verdict((enum lb_reason)trace.reason));
	MUST(trace.reason != LB_REASON_table_error && trace.reason != LB_REASON_no_headroom);
	if (trace.verdict == LB_FORWARD) {
		check_forwarded(&out, frame, len, &trace);
	} else {
		MUST(out.data == buffer + NATIVE_HEADROOM && out.len == len);
		MUST(len == 0 || memcmp(out.data, frame, len) == 0);
	}
	free(buffer);
	return 0;
}
