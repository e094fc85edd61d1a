/* SPDX-License-Identifier: BSD-2-Clause */

/* libFuzzer target for all that reads bytes from a peer. The first input byte holds the session's
 * flags, the rest is what the peer sends. Each message is copied into memory of exactly its size,
 * so that a read past its end is seen. */

#include <stdlib.h>
#include <string.h>

#include "controlplane/bgp/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_error(const struct bgp_error *e, bool ours)
{
	char text[1024];

	check(e->code != 0 || !ours);
	check(e->data_len <= sizeof(e->data));
	check(memchr(e->detail, '\0', sizeof(e->detail)) != NULL);
	bgp_error_text(e, ours, text, sizeof(text));
}

/* What was understood must survive being said again. */
static void check_open(const struct bgp_open *open)
{
	struct bgp_open again;
	struct bgp_error error;
	uint8_t buf[BGP_MESSAGE_MAX], type;
	size_t len = bgp_encode_open(open, buf);

	check(bgp_decode_header(buf, len, &type, &error) == (int)len && type == BGP_MSG_OPEN);
	check(bgp_decode_open(buf, len, &again, &error) == 0);
	check(again.router_id == open->router_id && again.hold_time_s == open->hold_time_s);
}

static void one_message(uint8_t flags, uint8_t type, const uint8_t *bytes, size_t len)
{
	struct bgp_update_summary summary;
	struct bgp_error error;
	struct bgp_open open;
	uint8_t family;
	uint8_t *msg = malloc(len);
	int ret = 0;

	check(msg != NULL);
	memcpy(msg, bytes, len);
	if (type == BGP_MSG_OPEN) {
		ret = bgp_decode_open(msg, len, &open, &error);
		if (!ret)
			check_open(&open);
	} else if (type == BGP_MSG_UPDATE) {
		ret = bgp_decode_update(msg, len, flags & 1, flags & 2, &summary, &error);
	} else if (type == BGP_MSG_NOTIFICATION) {
		bgp_decode_notification(msg, len, &error);
		check_error(&error, false);
	} else if (type == BGP_MSG_ROUTE_REFRESH) {
		ret = bgp_decode_route_refresh(msg, len, &family, &error);
	}
	if (ret)
		check_error(&error, true);
	free(msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags = size ? data[0] : 0;
	size_t at = size ? 1 : 0;

	while (at < size) {
		struct bgp_error error;
		uint8_t type;
		int n = bgp_decode_header(data + at, size - at, &type, &error);

		if (n < 0)
			check_error(&error, true);
		if (n <= 0)
			break;
		check((size_t)n <= size - at);
		one_message(flags, type, data + at, (size_t)n);
		at += (size_t)n;
	}
	return 0;
}
