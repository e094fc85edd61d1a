/* SPDX-License-Identifier: BSD-2-Clause */
/* From options, earlier state and the host to a complete configuration. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "tools/real/real.h"

#define IPV4_HEADER       20
#define IPV6_HEADER       40
#define UDP_HEADER        8
#define TCP_HEADER        20
#define DEFAULT_INTERFACE "eth0"
#define DEFAULT_PRIORITY  1
#define DEFAULT_GUE_PORT  6080 /* IANA: gue */

static int add_interface(struct real_config *c, const char *name, struct err *e)
{
	for (size_t i = 0; i < c->n_interfaces; i++)
		if (!strcmp(c->interfaces[i], name))
			return 0;
	if (c->n_interfaces == REAL_MAX_INTERFACES)
		return err_set(e, -E2BIG, "more than %d interfaces", REAL_MAX_INTERFACES);
	snprintf(c->interfaces[c->n_interfaces++], IFNAMSIZ, "%s", name);
	return 0;
}

static int resolve_interfaces(struct real_run *run, const struct real_options *opts, struct err *e)
{
	struct real_config *c = &run->state.config;
	char name[IFNAMSIZ];
	int ret = 0;

	for (size_t i = 0; !ret && i < opts->n_interfaces; i++)
		ret = add_interface(c, opts->interfaces[i], e);
	if (ret || c->n_interfaces)
		return ret;
	ret = link_of_default_route(run->nl, name);
	if (ret == -ENOENT)
		snprintf(name, sizeof(name), "%s", DEFAULT_INTERFACE);
	else if (ret)
		return err_set(e, ret, "can't read the routes: %s", nl_why(run->nl, ret));
	return add_interface(c, name, e);
}

/* Each must exist now: nothing is to be set up for a name mistyped. */
static int require_interfaces(struct real_run *run, struct err *e)
{
	const struct real_config *c = &run->state.config;

	for (size_t i = 0; i < c->n_interfaces; i++) {
		struct link link;
		int ret = link_get(run->nl, c->interfaces[i], &link);

		if (ret == -ENODEV)
			return err_set(
				e, ret,
				"there is no interface %s here (see `ip link`); name the one "
				"the balancer's packets arrive on: --interface NAME",
				c->interfaces[i]);
		if (ret)
			return err_set(e, ret, "interface %s: %s", c->interfaces[i],
				       nl_why(run->nl, ret));
	}
	return 0;
}

static bool is_multicast(const struct addr *a)
{
	return a->family == 4 ? (a->bytes[0] & 0xf0) == 0xe0 || a->bytes[0] == 255
			      : a->bytes[0] == 0xff;
}

static bool is_local_only(const struct addr *a)
{
	static const uint8_t zero[16], loopback[16] = {[15] = 1};

	if (a->family == 4)
		return a->bytes[0] == 127 || a->bytes[0] == 0;
	return !memcmp(a->bytes, zero, 16) || !memcmp(a->bytes, loopback, 16) ||
	       (a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80);
}

static int resolve_vips(struct real_run *run, const struct real_options *opts, struct err *e)
{
	struct addr_set *vips = &run->state.config.vips;
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < opts->vips.n; i++) {
		const struct addr *a = &opts->vips.items[i];

		if (is_multicast(a) || is_local_only(a))
			return err_set(e, -EINVAL,
				       "--vip %s: a VIP is an address that clients reach, not a "
				       "loopback, link-local, multicast or unspecified one",
				       addr_format(a, text));
	}
	if (addr_set_add_all(vips, &opts->vips))
		return err_set(e, -ENOMEM, "out of memory");
	if (!vips->n)
		return err_set(e, -EINVAL, "nothing is set up yet, so name a VIP: --vip ADDRESS");
	if (vips->n > DECAP_MAX_VIPS)
		return err_set(e, -E2BIG, "%zu VIPs, there is room for %u", vips->n,
			       DECAP_MAX_VIPS);
	return 0;
}

/* Fit to be the balancer's target: global, lasting, and no VIP. */
static bool is_outer(const struct real_config *c, const struct host_addr *h)
{
	if (h->scope >= RT_SCOPE_LINK || addr_set_has(&c->vips, &h->addr))
		return false;
	return h->addr.family == 4 || !(h->flags & (IFA_F_TEMPORARY | IFA_F_DEPRECATED));
}

static int outers_from_host(struct real_run *run, struct err *e)
{
	struct real_config *c = &run->state.config;

	addr_set_fini(&c->outers);
	for (size_t i = 0; i < c->n_interfaces; i++) {
		int index = (int)if_nametoindex(c->interfaces[i]);

		for (size_t k = 0; k < run->addrs.n; k++) {
			const struct host_addr *h = &run->addrs.items[k];

			if (h->ifindex == index && is_outer(c, h) &&
			    addr_set_add(&c->outers, &h->addr))
				return err_set(e, -ENOMEM, "out of memory");
		}
	}
	if (!c->outers.n)
		return err_set(
			e, -EADDRNOTAVAIL,
			"%s has no address that the balancer could send to; give it one, name "
			"another --interface, or name the address: --outer ADDRESS",
			c->interfaces[0]);
	return 0;
}

static int resolve_outers(struct real_run *run, const struct real_options *opts, struct err *e)
{
	struct real_config *c = &run->state.config;
	char text[ADDR_STRLEN];
	int ret = 0;

	if (!real_encap_is_tunnel(c->encap)) {
		if (opts->outers.n)
			return err_set(e, -EINVAL, "--outer means nothing with --encap l2dsr");
		addr_set_fini(&c->outers);
		return 0;
	}
	if (opts->outers.n) {
		c->outers_given = true;
		addr_set_fini(&c->outers);
		ret = addr_set_add_all(&c->outers, &opts->outers);
		if (ret)
			return err_set(e, ret, "out of memory");
	} else if (!c->outers_given) {
		ret = outers_from_host(run, e);
	}
	if (ret)
		return ret;
	if (c->outers.n > DECAP_MAX_OUTERS)
		return err_set(e, -E2BIG,
			       "%zu outer addresses, there is room for %u; name those "
			       "the balancer uses: --outer ADDRESS",
			       c->outers.n, DECAP_MAX_OUTERS);
	for (size_t i = 0; i < c->vips.n; i++)
		if (addr_set_has(&c->outers, &c->vips.items[i]))
			return err_set(
				e, -EINVAL,
				"%s is both VIP and outer address: the balancer must send to "
				"an address of the host's own",
				addr_format(&c->vips.items[i], text));
	return 0;
}

/* Make the tunnel for a moment, down and under a name of its own. */
static int try_tunnel(struct real_run *run, enum tunnel_kind kind, const struct addr *outer)
{
	char name[IFNAMSIZ];
	int ret;

	snprintf(name, sizeof(name), "fwtry%d", (int)getpid());
	ret = tunnel_add(run->nl, name, kind, outer);
	return ret ? ret : link_del(run->nl, name);
}

static bool kernel_can(struct real_run *run)
{
	const struct real_config *c = &run->state.config;

	for (size_t i = 0; i < c->outers.n; i++) {
		const struct addr *outer = &c->outers.items[i];

		if (outer->family == 6 && try_tunnel(run, TUNNEL_IP6TNL, outer))
			return false;
		if (outer->family == 4 &&
		    (try_tunnel(run, TUNNEL_IPIP, outer) || try_tunnel(run, TUNNEL_SIT, outer)))
			return false;
	}
	return true;
}

static void resolve_decap(struct real_run *run, const struct real_options *opts)
{
	struct real_config *c = &run->state.config;

	if (opts->decap_given && opts->decap != REAL_DECAP_AUTO)
		c->decap = opts->decap;
	if (c->encap == REAL_ENCAP_GUE)
		c->decap = REAL_DECAP_BPF;
	if (!real_encap_is_tunnel(c->encap) || c->decap != REAL_DECAP_AUTO)
		return;
	c->decap = kernel_can(run) ? REAL_DECAP_KERNEL : REAL_DECAP_BPF;
}

static int resolve_gue(struct real_run *run, const struct real_options *opts, struct err *e)
{
	struct real_config *c = &run->state.config;

	if (c->encap != REAL_ENCAP_GUE) {
		c->gue_port = 0;
		if (opts->gue_port_given)
			return err_set(e, -EINVAL, "--gue-port means nothing with --encap %s",
				       real_encap_name(c->encap));
		return 0;
	}
	if (opts->decap_given && opts->decap == REAL_DECAP_KERNEL)
		return err_set(
			e, -EINVAL,
			"--decap kernel takes no GUE; use --decap bpf, or see \"By hand\" in "
			"real-servers.md for the kernel's fou");
	if (opts->gue_port_given)
		c->gue_port = opts->gue_port;
	else if (!c->gue_port)
		c->gue_port = DEFAULT_GUE_PORT;
	return 0;
}

/* The largest packet, outer header included, that reaches this host whole. */
static int smallest_mtu(struct real_run *run, unsigned *ret_mtu, struct err *e)
{
	const struct real_config *c = &run->state.config;
	unsigned mtu = c->mtu;

	for (size_t i = 0; i < c->n_interfaces; i++) {
		struct link link;
		int ret = link_get(run->nl, c->interfaces[i], &link);

		if (ret == -ENODEV)
			continue;
		if (ret)
			return err_set(e, ret, "interface %s: %s", c->interfaces[i],
				       nl_why(run->nl, ret));
		if (!mtu || link.mtu < mtu)
			mtu = link.mtu;
	}
	*ret_mtu = mtu;
	return 0;
}

int real_resolve_settings(struct real_run *run, struct err *e)
{
	const struct real_config *c = &run->state.config;
	unsigned mtu = 0, outer = IPV4_HEADER;
	int ret = smallest_mtu(run, &mtu, e);

	memset(&run->settings, 0, sizeof(run->settings));
	run->settings.gue_port = (uint16_t)c->gue_port;
	if (ret || !real_encap_is_tunnel(c->encap) || !mtu)
		return ret;
	for (size_t i = 0; i < c->outers.n; i++)
		if (c->outers.items[i].family == 6)
			outer = IPV6_HEADER;
	if (c->encap == REAL_ENCAP_GUE)
		outer += UDP_HEADER;
	if (mtu < 576)
		return err_set(e, -EINVAL, "MTU %u is too small for a tunnel; 576 is the least",
			       mtu);
	if (mtu > 65535)
		mtu = 65535;
	run->settings.mss_ipv4 = (uint16_t)(mtu - outer - IPV4_HEADER - TCP_HEADER);
	run->settings.mss_ipv6 = (uint16_t)(mtu - outer - IPV6_HEADER - TCP_HEADER);
	return 0;
}

int real_resolve(struct real_run *run, const struct real_options *opts, bool present, struct err *e)
{
	struct real_config *c = &run->state.config;
	unsigned priority = opts->priority_given ? opts->tc_priority : DEFAULT_PRIORITY;
	int ret;

	if (present && opts->priority_given && priority != c->tc_priority)
		return err_set(
			e, -EBUSY,
			"set up with --tc-priority %u; to change it run `fairway-real remove` "
			"first",
			c->tc_priority);
	if (!present)
		c->tc_priority = priority;
	if (opts->encap_given)
		c->encap = opts->encap;
	if (opts->mtu_given)
		c->mtu = opts->mtu;
	ret = resolve_gue(run, opts, e);
	if (!ret)
		ret = resolve_vips(run, opts, e);
	if (!ret)
		ret = resolve_interfaces(run, opts, e);
	if (!ret)
		ret = require_interfaces(run, e);
	if (!ret)
		ret = resolve_outers(run, opts, e);
	if (ret)
		return ret;
	resolve_decap(run, opts);
	return real_resolve_settings(run, e);
}
