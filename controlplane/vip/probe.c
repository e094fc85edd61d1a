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

static bool denied(const struct config_service *service, const struct addr *a)
{
	for (size_t i = 0; i < service->n_deny; i++)
		if (prefix_contains(&service->deny[i].prefix, a))
			return true;
	return false;
}

bool vip_probe_source(const struct config_vip *vip, const struct config_service *service,
		      struct addr *ret_source)
{
	/* 192.0.2.255 and 2001:db8::ffff: no real client has such an address. */
	struct addr a = {.family = 4, .bytes = {192, 0, 2, 255}};

	if (vip->address.addr.family == 6)
		a = (struct addr){.family = 6,
				  .bytes = {0x20, 0x01, 0x0d, 0xb8, [14] = 0xff, [15] = 0xff}};
	/* Deny lists often hold those; the probe is never sent, so anybody else's does as well. */
	for (unsigned first = 1; denied(service, &a); first++) {
		if (first == 224)
			return false;
		a.bytes[a.family == 4 ? 0 : 1] = (uint8_t)(first == 127 ? 128 : first);
	}
	*ret_source = a;
	return true;
}
