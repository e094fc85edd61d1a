/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/check.h"

#include "controlplane/config/schema.h"

#include <ctype.h>
#include <string.h>

/* The DPDK engine: its ports are the node's interfaces, and what it leaves to others is possible.
 */

/* "3b:00.0" or "0000:3b:00.0", as `lspci -D` and `ethtool -i` write it, maybe with arguments. */
static bool is_pci(const char *device)
{
	static const char *const shapes[] = {"xxxx:xx:xx.x", "xx:xx.x"};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const char *s = shapes[i], *d = device;

		while (*s && (*s == 'x' ? isxdigit((unsigned char)*d) : *d == *s))
			s++, d++;
		if (!*s && (!*d || *d == ','))
			return true;
	}
	return false;
}

static bool is_virtual(const char *device)
{
	return !strncmp(device, "net_", 4) || !strncmp(device, "eth_", 4);
}

static bool is_af_xdp(const char *device)
{
	return !strncmp(device, "net_af_xdp", strlen("net_af_xdp"));
}

/* The value of iface= in a device's arguments, or NULL; *ret_len characters. */
static const char *device_iface(const char *device, size_t *ret_len)
{
	const char *at = strstr(device, ",iface=");

	if (!at)
		return NULL;
	at += strlen(",iface=");
	*ret_len = strcspn(at, ",");
	return at;
}

/* DPDK's TAP driver hands no larger packets to the kernel. */
#define TAP_MTU_MAX 1500

static void check_mtu(const struct check *c, const struct config_dpdk_port *p)
{
	if (p->exception == CONFIG_EXCEPTION_TAP && p->mtu > TAP_MTU_MAX)
		report_error(c->errs, check_mark(c, &p->mtu, &p->mark),
			     "use exception: virtio-user, or an mtu of at most 1500",
			     "exception tap can't have an mtu of %u", p->mtu);
}

static void check_device(const struct check *c, const struct config_dpdk_port *p)
{
	const struct config_mark *at = check_mark(c, p->device, &p->mark);
	const char *iface;
	size_t len;

	if (!p->device[0] || !p->interface[0])
		return;
	if (!is_pci(p->device) && !is_virtual(p->device)) {
		report_error(
			c->errs, at,
			"write a PCI address ('ethtool -i' shows it as bus-info), or a virtual "
			"device such as \"net_af_xdp0,iface=eth0\"",
			"device '%.64s' is no device of DPDK", p->device);
		return;
	}
	iface = is_af_xdp(p->device) ? device_iface(p->device, &len) : NULL;
	if (is_af_xdp(p->device) && !iface)
		report_error(c->errs, at, "add ,iface= and the interface's name",
			     "device '%.64s' doesn't say on which interface", p->device);
	if (p->exception != CONFIG_EXCEPTION_KERNEL)
		return;
	if (!is_af_xdp(p->device))
		report_error(c->errs, check_mark(c, &p->exception, &p->mark),
			     "use exception tap, or a net_af_xdp device",
			     "device '%.64s' leaves no packets to the kernel", p->device);
	else if (iface && (len != strlen(p->interface) || memcmp(iface, p->interface, len) != 0))
		report_error(c->errs, check_mark(c, p->interface, &p->mark),
			     "name the same interface in both",
			     "device '%.64s' is not on interface '%s'", p->device, p->interface);
}

static bool has_interface(const struct config_node *n, const char *name)
{
	for (size_t i = 0; i < n->n_interfaces; i++)
		if (!strcmp(n->interfaces[i].name, name))
			return true;
	return false;
}

/* One port for each of the node's interfaces, and none else. */
static void check_interfaces(const struct check *c)
{
	const struct config_node *n = &c->cfg->node;
	const struct config_dpdk *d = &n->dpdk;

	for (size_t i = 0; i < d->n_ports; i++) {
		const struct config_dpdk_port *p = &d->ports[i];

		if (p->interface[0] && !has_interface(n, p->interface))
			report_error(c->errs, check_mark(c, p->interface, &p->mark),
				     "add it there, or remove the port",
				     "interface '%s' is not one of node.interfaces", p->interface);
	}
	for (size_t i = 0; i < n->n_interfaces; i++) {
		const struct config_interface *ifc = &n->interfaces[i];

		if (n->engine == CONFIG_ENGINE_DPDK && ifc->name[0] && d->n_ports &&
		    !config_find_port(d, ifc->name))
			report_error(c->errs, check_mark(c, ifc->name, &ifc->mark),
				     "add a port with it, or remove the interface",
				     "interface '%s' has no port in dpdk.ports", ifc->name);
	}
}

static void check_fallback(const struct check *c)
{
	const struct config_dpdk *d = &c->cfg->node.dpdk;

	if (d->fallback != CONFIG_FALLBACK_XDP)
		return;
	if (d->tables != CONFIG_TABLES_BPF)
		report_error(c->errs, check_mark(c, &d->tables, &d->mark),
			     "use tables: bpf, or fallback: none",
			     "fallback xdp can't read tables that are files");
	for (size_t i = 0; i < d->n_ports; i++) {
		const struct config_dpdk_port *p = &d->ports[i];

		if (p->exception != CONFIG_EXCEPTION_KERNEL)
			report_error(c->errs, check_mark(c, &p->exception, &p->mark),
				     "use a net_af_xdp device with exception: kernel, or fallback: "
				     "none",
				     "fallback xdp needs a port whose interface the kernel keeps");
	}
}

static int compare_devices(const void *a, const void *b)
{
	const char *x = ((const struct config_dpdk_port *)a)->device;
	const char *y = ((const struct config_dpdk_port *)b)->device;
	size_t n = strcspn(x, ","), m = strcspn(y, ",");
	int r = strncmp(x, y, n < m ? n : m);

	return r ? r : (n > m) - (n < m);
}

static int compare_ports(const void *a, const void *b)
{
	return strcmp(((const struct config_dpdk_port *)a)->interface,
		      ((const struct config_dpdk_port *)b)->interface);
}

static void tell_device(const struct check *c, const void *owner, const void *first,
			const void *again)
{
	const struct config_dpdk_port *a = first, *b = again;
	char line[CHECK_LINE_STRLEN];

	(void)owner;
	if (b->device[0])
		report_error(c->errs, check_mark(c, b->device, &b->mark),
			     "give each port a device of its own", "device '%.*s' has two ports%s",
			     (int)strcspn(b->device, ","), b->device,
			     check_line(c, &a->mark, line));
}

static void tell_port(const struct check *c, const void *owner, const void *first,
		      const void *again)
{
	const struct config_dpdk_port *a = first, *b = again;
	char line[CHECK_LINE_STRLEN];

	(void)owner;
	if (b->interface[0])
		report_error(c->errs, check_mark(c, b->interface, &b->mark),
			     "give each port an interface of its own",
			     "interface '%s' has two ports%s", b->interface,
			     check_line(c, &a->mark, line));
}

int check_dpdk(const struct check *c)
{
	const struct config_node *n = &c->cfg->node;
	const struct config_dpdk *d = &n->dpdk;
	int r;

	if (!n->has_dpdk) {
		if (n->engine == CONFIG_ENGINE_DPDK)
			report_error(c->errs, check_mark(c, &n->engine, &n->mark),
				     "add dpdk: with cores and ports, or set engine: xdp",
				     "engine dpdk has no dpdk");
		return 0;
	}
	if (d->n_ports > CONFIG_PORTS_MAX)
		report_error(c->errs, check_mark(c, &d->ports, &d->mark), "use 16 at most",
			     "dpdk has %zu ports", d->n_ports);
	for (size_t i = 0; i < d->n_ports; i++) {
		check_device(c, &d->ports[i]);
		check_mtu(c, &d->ports[i]);
	}
	check_interfaces(c);
	check_fallback(c);
	r = check_duplicates(c, d->ports, d->n_ports, sizeof(*d->ports), compare_devices,
			     tell_device, NULL);
	return r ? r
		 : check_duplicates(c, d->ports, d->n_ports, sizeof(*d->ports), compare_ports,
				    tell_port, NULL);
}
