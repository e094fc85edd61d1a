/* SPDX-License-Identifier: BSD-2-Clause */

/* Which of this node's addresses a peer sends the traffic to. */

#include "controlplane/bgp/sock.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/base/cleanup.h"

static void cleanup_ifaddrs(struct ifaddrs **list)
{
	if (*list)
		freeifaddrs(*list);
}

static bool address_of(const struct ifaddrs *it, struct addr *ret_addr)
{
	return it->ifa_addr && addr_from_sockaddr(it->ifa_addr, ret_addr, NULL) == 0;
}

static unsigned prefix_length(const struct ifaddrs *it)
{
	struct addr mask;
	unsigned n = 0;

	if (!it->ifa_netmask || addr_from_sockaddr(it->ifa_netmask, &mask, NULL))
		return 0;
	while (n < addr_bits(&mask) && mask.bytes[n / 8] & 0x80 >> n % 8)
		n++;
	return n;
}

static bool in(const struct addr *a, const char *prefix_text)
{
	struct prefix p;

	return prefix_parse(prefix_text, &p) == 0 && prefix_contains(&p, a);
}

/* How well a serves as a next hop; 0: not at all. Host addresses come last, because VIPs look like
 * that; then private IPv6 ones. */
static unsigned fitness(const struct addr *a, unsigned len)
{
	bool host = len == addr_bits(a);

	if (a->family == 4)
		return in(a, "127.0.0.0/8") || in(a, "169.254.0.0/16") || in(a, "224.0.0.0/3") ? 0
		       : host                                                                  ? 1
											       : 3;
	if (in(a, "fe80::/10") || in(a, "ff00::/8") || in(a, "::/96"))
		return 0;
	return host ? 1 : in(a, "fc00::/7") ? 2 : 3;
}

static const char *interface_of(const struct ifaddrs *list, const struct addr *local)
{
	for (const struct ifaddrs *it = list; it; it = it->ifa_next) {
		struct addr a;

		if (address_of(it, &a) && addr_equal(&a, local))
			return it->ifa_name;
	}
	return NULL;
}

int bgp_next_hop(const struct addr *local, uint8_t family, struct addr *ret_addr, struct err *err)
{
	CLEANUP(cleanup_ifaddrs) struct ifaddrs *list = NULL;
	const char *name;
	char text[ADDR_STRLEN];
	unsigned best = 0;

	if (local->family == family) {
		*ret_addr = *local;
		return 0;
	}
	addr_format(local, text);
	if (getifaddrs(&list))
		return err_set(err, -errno, "cannot list this node's addresses: %s",
			       strerror(errno));
	name = interface_of(list, local);
	if (!name)
		return err_set(err, -ENOENT, "no interface has the session's own address %s", text);
	for (const struct ifaddrs *it = list; it; it = it->ifa_next) {
		struct addr a;
		unsigned f;

		if (strcmp(it->ifa_name, name) != 0 || !address_of(it, &a) || a.family != family)
			continue;
		f = fitness(&a, prefix_length(it));
		if (f > best) {
			best = f;
			*ret_addr = a;
		}
	}
	if (best)
		return 0;
	return err_set(
		err, -ENOENT,
		"interface %s, which has the session's own address %s, has no global IPv%u "
		"address to be the next hop: give it one, or set this neighbour's IPv%u next "
		"hop",
		name, text, family, family);
}
