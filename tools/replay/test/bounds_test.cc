/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include "tools/replay/test/cases.h"

extern "C" {
#include "tools/replay/test/packet_fuzz.h"
}

/* With AddressSanitizer a read of one byte behind the frame ends the test. */
TEST(Bounds, NoFrameIsReadPastItsEndWhereverItIsCut)
{
	for (const Case &c : cases) {
		Bytes whole = c.packet.frame();

		for (size_t len = 0; len <= whole.size() && len <= 200; len++)
			LLVMFuzzerTestOneInput(whole.data(), len);
		LLVMFuzzerTestOneInput(whole.data(), whole.size());
	}
}

/* Every byte of the headers with every value: versions, lengths, protocols, flags. */
TEST(Bounds, NoHeaderByteLeadsOutOfTheFrame)
{
	for (const char *name : {"Tcp4in4", "Udp4in6", "Tcp6in6", "UdpL2dsr6", "IpOptions4"}) {
		for (const Case &c : cases) {
			if (strcmp(c.name, name) != 0)
				continue;
			Bytes frame = c.packet.frame();
			for (size_t at = 0; at < frame.size() && at < 90; at++) {
				uint8_t was = frame[at];

				for (unsigned value = 0; value < 256; value++) {
					frame[at] = (uint8_t)value;
					LLVMFuzzerTestOneInput(frame.data(), frame.size());
				}
				frame[at] = was;
			}
		}
	}
}
