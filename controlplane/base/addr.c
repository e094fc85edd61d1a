/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int addr_parse(const char *text, struct addr *ret_addr)
{
	struct addr a = {0};

	if (inet_pton(AF_INET, text, a.bytes) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.family = 6;
	else
		return -EINVAL;
	*ret_addr = a;
	return 0;
}

/* A decimal number without sign, blanks or leading zeros, at most max. */
static int number_parse(const char *text, unsigned long max, unsigned long *ret)
{
	char *end;
	unsigned long n;

	if (*text < '0' || *text > '9' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end != '\0' || n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

int prefix_parse(const char *text, struct prefix *ret_prefix)
{
	char head[ADDR_STRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct prefix p = {0};
	unsigned long len;

	if (n >= sizeof(head))
		return -EINVAL;
	memcpy(head, text, n);
	head[n] = '\0';
	if (addr_parse(head, &p.addr))
		return -EINVAL;
	len = addr_bits(&p.addr);
	if (slash && number_parse(slash + 1, len, &len))
		return -EINVAL;
	p.len = (uint8_t)len;
	*ret_prefix = p;
	return 0;
}

const char *addr_format(const struct addr *a, char buf[ADDR_STRLEN])
{
	if (!a->family || !inet_ntop(addr_af(a), a->bytes, buf, ADDR_STRLEN))
		snprintf(buf, ADDR_STRLEN, "none");
	return buf;
}

const char *prefix_format(const struct prefix *p, char buf[ADDR_STRLEN])
{
	size_t n;

	addr_format(&p->addr, buf);
	n = strlen(buf);
	snprintf(buf + n, ADDR_STRLEN - n, "/%u", p->len);
	return buf;
}

const char *addr_port_format(const struct addr *a, uint16_t port, char buf[ADDR_STRLEN])
{
	char host[ADDR_STRLEN];

	addr_format(a, host);
	if (a->family == 6)
		snprintf(buf, ADDR_STRLEN, "[%.45s]:%u", host, port);
	else
		snprintf(buf, ADDR_STRLEN, "%.45s:%u", host, port);
	return buf;
}

int addr_port_parse(const char *text, struct addr *ret_addr, uint16_t *ret_port)
{
	char host[ADDR_STRLEN];
	const char *colon = strrchr(text, ':');
	size_t n;
	struct addr a;
	unsigned long port;

	if (!colon || number_parse(colon + 1, 65535, &port))
		return -EINVAL;
	n = (size_t)(colon - text);
	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		if (addr_parse(host + 1, &a) || a.family != 6)
			return -EINVAL;
	} else if (addr_parse(host, &a) || a.family != 4) {
		return -EINVAL;
	}
	*ret_addr = a;
	*ret_port = (uint16_t)port;
	return 0;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_cmp(a, b) == 0;
}

unsigned addr_bits(const struct addr *a)
{
	return a->family == 4 ? 32 : a->family == 6 ? 128 : 0;
}

int addr_af(const struct addr *a)
{
	return a->family == 4 ? AF_INET : a->family == 6 ? AF_INET6 : AF_UNSPEC;
}

int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
	int d = addr_cmp(&a->addr, &b->addr);

	return d ? d : (a->len > b->len) - (a->len < b->len);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return prefix_cmp(a, b) == 0;
}

struct prefix prefix_of(const struct addr *a)
{
	return (struct prefix){.addr = *a, .len = (uint8_t)addr_bits(a)};
}

bool prefix_is_addr(const struct prefix *p)
{
	return p->len == addr_bits(&p->addr);
}

const char *prefix_format_short(const struct prefix *p, char buf[ADDR_STRLEN])
{
	return prefix_is_addr(p) ? addr_format(&p->addr, buf) : prefix_format(p, buf);
}

struct prefix prefix_masked(const struct addr *a, uint8_t len)
{
	struct prefix p = {.addr = *a, .len = len};

	for (unsigned bit = len; bit < addr_bits(a); bit++)
		p.addr.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return p;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	if (p->addr.family != a->family || memcmp(p->addr.bytes, a->bytes, whole) != 0)
		return false;
	if (!rest)
		return true;
	return ((p->addr.bytes[whole] ^ a->bytes[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ret_ss)
{
	memset(ret_ss, 0, sizeof(*ret_ss));
	if (a->family == 4) {
		struct sockaddr_in *sin = (struct sockaddr_in *)ret_ss;

		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		memcpy(&sin->sin_addr, a->bytes, 4);
		return sizeof(*sin);
	}
	if (a->family == 6) {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret_ss;

		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(port);
		memcpy(&sin6->sin6_addr, a->bytes, 16);
		return sizeof(*sin6);
	}
	return 0;
}

int addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret_addr, uint16_t *ret_port)
{
	struct addr a = {0};
	uint16_t port;

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)sa;

		a.family = 4;
		memcpy(a.bytes, &sin->sin_addr, 4);
		port = ntohs(sin->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sa;

		a.family = 6;
		memcpy(a.bytes, &sin6->sin6_addr, 16);
		port = ntohs(sin6->sin6_port);
	} else {
		return -EAFNOSUPPORT;
	}
	*ret_addr = a;
	if (ret_port)
		*ret_port = port;
	return 0;
}
