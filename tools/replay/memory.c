/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/native/native.h"

/* A frame stands so that its IP header is aligned, behind the room for an outer one. */
#define FRAME_START (NATIVE_HEADROOM + 2)

static int reserve(struct memory_buffer *buffer, size_t size, struct err *err)
{
	uint8_t *grown;

	if (buffer->size >= size)
		return 0;
	grown = realloc(buffer->bytes, size);
	if (!grown)
		return err_set(err, -ENOMEM, "no memory for a frame of %zu bytes", size);
	buffer->bytes = grown;
	buffer->size = size;
	return 0;
}

int memory_run(const struct lb_tables *tables, struct memory_buffer *buffer,
	       const struct replay_frame *frame, struct replay_outcome *ret_outcome,
	       struct err *err)
{
	int ret = reserve(buffer, FRAME_START + frame->len, err);
	struct native_frame native;

	if (ret < 0)
		return ret;
	native = (struct native_frame){
		.data = buffer->bytes + FRAME_START,
		.len = frame->len,
		.headroom = NATIVE_HEADROOM,
	};
	if (frame->len)
		memcpy(native.data, frame->bytes, frame->len);
	native_process(tables, 0, &native, &ret_outcome->trace);
	ret_outcome->frame = (struct replay_frame){native.data, native.len};
	return 0;
}

void memory_buffer_fini(struct memory_buffer *buffer)
{
	free(buffer->bytes);
	memset(buffer, 0, sizeof(*buffer));
}
