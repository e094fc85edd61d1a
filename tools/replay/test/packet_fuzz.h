/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_TEST_PACKET_FUZZ_H
#define FAIRWAY_REPLAY_TEST_PACKET_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Run one frame through the native core, in a buffer that ends where the frame ends, and abort()
 * when what comes out breaks a promise. libFuzzer's entry, and the unit tests'. */
int LLVMFuzzerTestOneInput(const uint8_t *frame, size_t len);

#endif
