/* SPDX-License-Identifier: BSD-2-Clause */

/* Checks of a configuration, before any of it takes effect. */

#include "controlplane/bgp/bgp.h"

#include <errno.h>
#include <string.h>

#include "controlplane/bgp/wire.h"

#define HOLD_TIME_MAX_MS 65535000u

static int check_asn(uint32_t asn, const char *whose, struct err *err)
{
	if (asn && asn != BGP_AS_TRANS && asn != UINT32_MAX)
		return 0;
	return err_set(err, -EINVAL,
		       "%s AS number %u is reserved; use 1 to 4294967294, but not 23456", whose,
		       asn);
}

static bool usable_peer(const struct addr *a)
{
	static const struct addr any4 = {.family = 4}, any6 = {.family = 6};

	if (a->family == 4)
		return !addr_equal(a, &any4) && a->bytes[0] < 224;
	return a->family == 6 && !addr_equal(a, &any6) && a->bytes[0] != 0xff;
}

static int check_hold_time(uint32_t ms, struct err *err)
{
	if (!ms || (ms >= BGP_HOLD_TIME_MIN_MS && ms <= HOLD_TIME_MAX_MS && ms % 1000 == 0))
		return 0;
	return err_set(err, -EINVAL,
		       "a hold time of %u.%03u s isn't possible; use 0 for none, or whole seconds "
		       "from 3 to 65535 (9 s is a good value)",
		       ms / 1000, ms % 1000);
}

static int check_addresses(const struct bgp_neighbor *nb, struct err *err)
{
	const struct addr *a = &nb->address;

	if (!usable_peer(a))
		return err_set(err, -EINVAL, "its address isn't that of a host");
	if (a->family == 6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80)
		return err_set(
			err, -EINVAL,
			"link-local neighbours aren't supported: use a global address of it");
	if (nb->local_address.family && nb->local_address.family != a->family)
		return err_set(err, -EINVAL,
			       "its local address isn't IPv%u like the neighbour's own: use one of "
			       "this node's IPv%u addresses",
			       a->family, a->family);
	if (nb->next_hop_ipv4.family && nb->next_hop_ipv4.family != 4)
		return err_set(err, -EINVAL, "its IPv4 next hop is an IPv6 address");
	if (nb->next_hop_ipv6.family && nb->next_hop_ipv6.family != 6)
		return err_set(err, -EINVAL, "its IPv6 next hop is an IPv4 address");
	return 0;
}

static int check_neighbor(const struct bgp_config *cfg, size_t i, struct err *err)
{
	const struct bgp_neighbor *nb = &cfg->neighbors[i];
	int ret = check_addresses(nb, err);

	if (!ret)
		ret = check_asn(nb->asn, "its", err);
	if (!ret)
		ret = check_hold_time(nb->hold_time_ms, err);
	if (ret)
		return ret;
	if (strnlen(nb->password, sizeof(nb->password)) > BGP_PASSWORD_MAX)
		return err_set(err, -EINVAL, "its password is longer than %d bytes",
			       BGP_PASSWORD_MAX);
	if (nb->passive && cfg->listen_off)
		return err_set(err, -EINVAL,
			       "it is passive, but this node doesn't listen: nobody would connect");
	for (size_t j = 0; j < i; j++) {
		if (addr_equal(&nb->address, &cfg->neighbors[j].address))
			return err_set(err, -EINVAL, "it is there twice: remove one");
	}
	return 0;
}

int bgp_config_check(const struct bgp_config *cfg, struct err *err)
{
	char text[ADDR_STRLEN];
	int ret;

	if (!cfg || !cfg->n_neighbors)
		return 0;
	ret = check_asn(cfg->asn, "our", err);
	if (ret)
		return ret;
	if (!cfg->router_id)
		return err_set(err, -EINVAL,
			       "the router id is 0.0.0.0; use an IPv4 address of this node");
	for (size_t i = 0; i < cfg->n_neighbors; i++) {
		ret = check_neighbor(cfg, i, err);
		if (ret)
			return err_prefix(err, ret, "BGP neighbour %s",
					  addr_format(&cfg->neighbors[i].address, text));
	}
	return 0;
}
