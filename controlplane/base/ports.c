/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/base/ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int ports_cmp(struct ports a, struct ports b)
{
	if (a.first != b.first)
		return a.first < b.first ? -1 : 1;
	return (a.last > b.last) - (a.last < b.last);
}

const char *ports_format(struct ports p, char buf[PORTS_STRLEN])
{
	if (ports_any(p))
		strcpy(buf, "any");
	else if (p.first == p.last)
		snprintf(buf, PORTS_STRLEN, "%u", p.first);
	else
		snprintf(buf, PORTS_STRLEN, "%u-%u", p.first, p.last);
	return buf;
}

/* A port without leading zeros at *text, which then stands behind it. */
static int port_parse(const char **text, uint16_t *ret_port)
{
	const char *c = *text;
	uint32_t n = 0;

	if (*c < '1' || *c > '9')
		return -EINVAL;
	for (; *c >= '0' && *c <= '9'; c++) {
		n = 10 * n + (uint32_t)(*c - '0');
		if (n > UINT16_MAX)
			return -EINVAL;
	}
	*text = c;
	*ret_port = (uint16_t)n;
	return 0;
}

int ports_parse(const char *text, struct ports *ret_ports)
{
	struct ports p;

	if (strcmp(text, "any") == 0) {
		*ret_ports = PORTS_ANY;
		return 0;
	}
	if (port_parse(&text, &p.first))
		return -EINVAL;
	p.last = p.first;
	if (*text == '-') {
		text++;
		if (port_parse(&text, &p.last) || p.last <= p.first)
			return -EINVAL;
	}
	if (*text)
		return -EINVAL;
	*ret_ports = p;
	return 0;
}

size_t ports_cut(struct ports p, struct port_block blocks[PORTS_BLOCKS_MAX])
{
	uint32_t at = p.first, end = (uint32_t)p.last + 1;
	size_t n = 0;

	while (at < end) {
		uint8_t bits = 0;

		while (bits < 16 && (at & ((2U << bits) - 1)) == 0 && at + (2U << bits) <= end)
			bits++;
		blocks[n++] = (struct port_block){(uint16_t)at, bits};
		at += 1U << bits;
	}
	return n;
}
