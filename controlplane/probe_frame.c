/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/probe_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define ETH_LEN 14
#define TAG_LEN 4 /* of a VLAN tag, which stands before the EtherType */
#define IP4_LEN 20
#define IP6_LEN 40
#define TCP_LEN 20
#define UDP_LEN 16 /* with its 8 bytes of payload */

#define PROTO_TCP 6

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t sum16(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

static unsigned fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static size_t put_ip(uint8_t *ip, const struct probe_flow *flow, size_t l4_len)
{
	if (flow->destination.family == 4) {
		ip[0] = 0x45;
		put16(ip + 2, (unsigned)(IP4_LEN + l4_len));
		put16(ip + 6, 0x4000); /* don't fragment */
		ip[8] = 64;
		ip[9] = flow->protocol;
		memcpy(ip + 12, flow->source.bytes, 4);
		memcpy(ip + 16, flow->destination.bytes, 4);
		put16(ip + 10, fold(sum16(ip, IP4_LEN)));
		return IP4_LEN;
	}
	ip[0] = 0x60;
	put16(ip + 4, (unsigned)l4_len);
	ip[6] = flow->protocol;
	ip[7] = 64;
	memcpy(ip + 8, flow->source.bytes, 16);
	memcpy(ip + 24, flow->destination.bytes, 16);
	return IP6_LEN;
}

static void put_l4(uint8_t *l4, const struct probe_flow *flow, size_t l4_len)
{
	size_t addr_len = flow->destination.family == 4 ? 4 : 16;
	uint32_t pseudo = sum16(flow->source.bytes, addr_len) +
			  sum16(flow->destination.bytes, addr_len) + flow->protocol +
			  (uint32_t)l4_len;
	unsigned sum;

	put16(l4, flow->source_port);
	put16(l4 + 2, flow->destination_port);
	if (flow->protocol == PROTO_TCP) {
		l4[12] = (TCP_LEN / 4) << 4;
		l4[13] = flow->ongoing ? 0x10 : 0x02; /* ACK or SYN */
		put16(l4 + 14, 65535);
		put16(l4 + 16, fold(pseudo + sum16(l4, l4_len)));
		return;
	}
	put16(l4 + 4, (unsigned)l4_len);
	sum = fold(pseudo + sum16(l4, l4_len));
	put16(l4 + 6, sum ? sum : 0xffff);
}

size_t probe_frame_build(const struct probe_flow *flow, uint8_t frame[PROBE_FRAME_MAX])
{
	static const uint8_t macs[12] = {0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1};
	size_t l4_len = flow->protocol == PROTO_TCP ? TCP_LEN : UDP_LEN;
	size_t ip_len;

	memset(frame, 0, PROBE_FRAME_MAX);
	memcpy(frame, macs, sizeof(macs));
	put16(frame + 12, flow->destination.family == 4 ? 0x0800 : 0x86dd);
	ip_len = put_ip(frame + ETH_LEN, flow, l4_len);
	put_l4(frame + ETH_LEN + ip_len, flow, l4_len);
	return ETH_LEN + ip_len + l4_len;
}

int probe_frame_addresses(const uint8_t *frame, size_t len, struct addr *ret_source,
			  struct addr *ret_destination)
{
	struct addr src = {0}, dst = {0};
	const uint8_t *ip;

	/* From here on as if the frame had no tags. */
	while (len > ETH_LEN + TAG_LEN && ((frame[12] == 0x81 && frame[13] == 0x00) ||
					   (frame[12] == 0x88 && frame[13] == 0xa8))) {
		frame += TAG_LEN;
		len -= TAG_LEN;
	}
	ip = frame + ETH_LEN;
	if (len >= ETH_LEN + IP4_LEN && frame[12] == 0x08 && frame[13] == 0x00) {
		src.family = dst.family = 4;
		memcpy(src.bytes, ip + 12, 4);
		memcpy(dst.bytes, ip + 16, 4);
	} else if (len >= ETH_LEN + IP6_LEN && frame[12] == 0x86 && frame[13] == 0xdd) {
		src.family = dst.family = 6;
		memcpy(src.bytes, ip + 8, 16);
		memcpy(dst.bytes, ip + 24, 16);
	} else {
		return -EINVAL;
	}
	*ret_source = src;
	*ret_destination = dst;
	return 0;
}
