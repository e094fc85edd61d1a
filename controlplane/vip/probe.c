/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/probe.h"

/* The first address behind a prefix; false when it is the last of all. */
static bool behind(const struct prefix *prefix, struct addr *ret_address)
{
	struct addr a = prefix->addr;

	for (unsigned bit = prefix->len; bit-- > 0;) {
		a.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		if (a.bytes[bit / 8] & 0x80 >> bit % 8) {
			*ret_address = a;
			return true;
		}
	}
	return false;
}

bool vip_probe_address(const struct config *cfg, const struct config_vip *vip,
		       struct addr *ret_address)
{
	struct addr a = vip->address.addr;
	const struct config_vip *owner;

	while ((owner = config_vip_at(cfg, &a)) != vip) {
		if (!owner || !behind(&owner->address, &a) || !prefix_contains(&vip->address, &a))
			return false;
	}
	*ret_address = a;
	return true;
}

uint16_t vip_probe_port(const struct config_vip *vip, const struct config_service *service)
{
	uint32_t port = service->ports.first ? service->ports.first : 1;

	for (; port <= service->ports.last; port++)
		if (config_service_at(vip, service->protocol, (uint16_t)port) == service)
			return (uint16_t)port;
	return 0;
}
