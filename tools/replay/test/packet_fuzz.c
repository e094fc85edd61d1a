/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/test/packet_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_input in;

	fuzz_read(&in, bytes, len);
	fuzz_run(&in, NULL);
	return 0;
}
