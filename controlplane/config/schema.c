/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/schema.h"

#include "controlplane/base/cleanup.h"

#include <string.h>

/* Every key of fairway.yaml, one row each, in the order in which they are written. */

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define PLACE(s, m) .offset = offsetof(struct s, m), .size = sizeof(((struct s *)0)->m)

#define LIST(s, m, n, element)                                                                     \
	.type = VALUE_LIST, PLACE(s, m), .extra_offset = offsetof(struct s, n), .object = &(element)

#define OBJECT(s, m, schema) .type = VALUE_OBJECT, PLACE(s, m), .object = &(schema)

#define OPTIONAL_OBJECT(s, m, flag, schema)                                                        \
	OBJECT(s, m, schema), .optional_object = true, .extra_offset = offsetof(struct s, flag)

#define SCHEMA(s, a_noun, table, ...)                                                              \
	{                                                                                          \
		.noun = (a_noun), .size = sizeof(struct s), .fields = (table),                     \
		.n_fields = ARRAY_SIZE(table), __VA_ARGS__                                         \
	}

/* clang-format off */
const struct choice choices_engine[] = {
	{"xdp", CONFIG_ENGINE_XDP, NULL},
	{"dpdk", CONFIG_ENGINE_DPDK, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_xdp_mode[] = {
	{"native", CONFIG_XDP_NATIVE, NULL},
	{"generic", CONFIG_XDP_GENERIC, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_exception[] = {
	{"tap", CONFIG_EXCEPTION_TAP, NULL},
	{"virtio-user", CONFIG_EXCEPTION_VIRTIO_USER, NULL},
	{"kernel", CONFIG_EXCEPTION_KERNEL, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_rss[] = {
	{"flow", CONFIG_RSS_FLOW, NULL},
	{"symmetric", CONFIG_RSS_SYMMETRIC, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_idle[] = {
	{"poll", CONFIG_IDLE_POLL, NULL},
	{"sleep", CONFIG_IDLE_SLEEP, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_tables[] = {
	{"bpf", CONFIG_TABLES_BPF, NULL},
	{"file", CONFIG_TABLES_FILE, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_fallback[] = {
	{"none", CONFIG_FALLBACK_NONE, NULL},
	{"xdp", CONFIG_FALLBACK_XDP, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_encap[] = {
	{"ipip", CONFIG_ENCAP_IPIP, NULL},
	{"gue", CONFIG_ENCAP_GUE, NULL},
	{"l2dsr", CONFIG_ENCAP_L2DSR, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_hash[] = {
	{"5tuple", CONFIG_HASH_5TUPLE, NULL},
	{"source", CONFIG_HASH_SOURCE, NULL},
	{"source_destination", CONFIG_HASH_SOURCE_DESTINATION, NULL},
	{"destination_port", CONFIG_HASH_DESTINATION_PORT, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_health_type[] = {
	{"tcp", CONFIG_HEALTH_TCP, NULL},
	{"http", CONFIG_HEALTH_HTTP, NULL},
	{"https", CONFIG_HEALTH_HTTPS, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_health_via[] = {
	{"direct", CONFIG_HEALTH_DIRECT, NULL},
	{"tunnel", -1, "use direct"},
	{NULL, 0, NULL},
};

const struct choice choices_protocol[] = {
	{"tcp", CONFIG_TCP, NULL},
	{"udp", CONFIG_UDP, NULL},
	{NULL, 0, NULL},
};

const struct choice choices_announce[] = {
	{"healthy", CONFIG_ANNOUNCE_HEALTHY, NULL},
	{"always", CONFIG_ANNOUNCE_ALWAYS, NULL},
	{"never", CONFIG_ANNOUNCE_NEVER, NULL},
	{NULL, 0, NULL},
};

static const struct field interface_fields[] = {
	{.key = "name", .type = VALUE_INTERFACE, PLACE(config_interface, name), .required = true},
};
static const struct schema schema_interface =
	SCHEMA(config_interface, "an interface", interface_fields, .single_value = true);

static const struct field tunnel_source_fields[] = {
	{.key = "ipv4", .type = VALUE_PREFIX4, PLACE(config_tunnel_source, ipv4)},
	{.key = "ipv6", .type = VALUE_PREFIX6, PLACE(config_tunnel_source, ipv6)},
};
static const struct schema schema_tunnel_source =
	SCHEMA(config_tunnel_source, "tunnel_source", tunnel_source_fields, .flow = true);

/* Answers cost the node nothing it would miss; their rate is what a flood of packets that ask for
 * them could reflect. */
static const struct field icmp_fields[] = {
	{.key = "echo_rate", .type = VALUE_NUMBER, PLACE(config_icmp, echo_rate),
	 .fallback = "1000", .min = 0, .max = 10000000},
	{.key = "too_big_rate", .type = VALUE_NUMBER, PLACE(config_icmp, too_big_rate),
	 .fallback = "100", .min = 0, .max = 10000000},
};
static const struct schema schema_icmp = SCHEMA(config_icmp, "icmp", icmp_fields, .flow = true);

static const struct field tracking_fields[] = {
	{.key = "flows", .type = VALUE_NUMBER, PLACE(config_tracking, flows),
	 .fallback = "1048576", .min = 1024, .max = 1U << 26},
	{.key = "settle_time", .type = VALUE_DURATION, PLACE(config_tracking, settle_time_ms),
	 .fallback = "5m", .min = SECOND, .max = 24 * HOUR},
	{.key = "idle_time", .type = VALUE_DURATION, PLACE(config_tracking, idle_time_ms),
	 .fallback = "1h", .min = MINUTE, .max = 168U * HOUR},
};
static const struct schema schema_tracking =
	SCHEMA(config_tracking, "tracking", tracking_fields, .flow = true);

static const struct field dpdk_port_fields[] = {
	{.key = "device", .type = VALUE_TEXT, PLACE(config_dpdk_port, device), .required = true,
	 .example = "device: \"0000:3b:00.0\""},
	{.key = "interface", .type = VALUE_INTERFACE, PLACE(config_dpdk_port, interface),
	 .required = true, .example = "interface: eth0"},
	{.key = "exception", .type = VALUE_CHOICE, PLACE(config_dpdk_port, exception),
	 .fallback = "tap", .choices = choices_exception},
	{.key = "queues", .type = VALUE_NUMBER, PLACE(config_dpdk_port, queues), .min = 1,
	 .max = CONFIG_CORES_MAX},
	{.key = "mtu", .type = VALUE_NUMBER, PLACE(config_dpdk_port, mtu), .min = 1280,
	 .max = 65535},
};
static const struct schema schema_dpdk_port =
	SCHEMA(config_dpdk_port, "a port", dpdk_port_fields, .flow = true);

static const struct field argument_fields[] = {
	{.key = "argument", .type = VALUE_TEXT, PLACE(config_argument, text), .required = true},
};
static const struct schema schema_argument =
	SCHEMA(config_argument, "an argument", argument_fields, .single_value = true);

static const struct field dpdk_fields[] = {
	{.key = "cores", .type = VALUE_CORES, PLACE(config_dpdk, cores), .required = true,
	 .max = CONFIG_CPU_MAX, .example = "cores: \"1-4\""},
	{.key = "ports", LIST(config_dpdk, ports, n_ports, schema_dpdk_port), .required = true,
	 .example = "ports: [{device: \"0000:3b:00.0\", interface: eth0}]"},
	{.key = "rss", .type = VALUE_CHOICE, PLACE(config_dpdk, rss), .fallback = "flow",
	 .choices = choices_rss},
	{.key = "hugepages", .type = VALUE_BOOL, PLACE(config_dpdk, hugepages),
	 .fallback = "true"},
	{.key = "memory", .type = VALUE_NUMBER, PLACE(config_dpdk, memory_mib),
	 .fallback = "1024", .min = 64, .max = 1048576},
	{.key = "descriptors", .type = VALUE_NUMBER, PLACE(config_dpdk, descriptors),
	 .fallback = "1024", .min = 64, .max = 32768},
	{.key = "idle", .type = VALUE_CHOICE, PLACE(config_dpdk, idle), .fallback = "poll",
	 .choices = choices_idle},
	{.key = "eal", LIST(config_dpdk, eal, n_eal, schema_argument)},
	{.key = "tables", .type = VALUE_CHOICE, PLACE(config_dpdk, tables), .fallback = "bpf",
	 .choices = choices_tables},
	{.key = "fallback", .type = VALUE_CHOICE, PLACE(config_dpdk, fallback),
	 .fallback = "none", .choices = choices_fallback},
};
const struct schema schema_dpdk = SCHEMA(config_dpdk, "dpdk", dpdk_fields);

static const struct field node_fields[] = {
	{.key = "name", .type = VALUE_NAME, PLACE(config_node, name), .required = true,
	 .example = "name: lb1"},
	{.key = "interfaces", LIST(config_node, interfaces, n_interfaces, schema_interface),
	 .required = true, .example = "interfaces: [eth0]"},
	{.key = "engine", .type = VALUE_CHOICE, PLACE(config_node, engine), .fallback = "xdp",
	 .choices = choices_engine},
	{.key = "xdp_mode", .type = VALUE_CHOICE, PLACE(config_node, xdp_mode),
	 .fallback = "native", .choices = choices_xdp_mode},
	{.key = "dpdk", OPTIONAL_OBJECT(config_node, dpdk, has_dpdk, schema_dpdk)},
	{.key = "tunnel_source", OBJECT(config_node, tunnel_source, schema_tunnel_source)},
	{.key = "hash_seed", .type = VALUE_SEED, PLACE(config_node, hash_seed), .required = true,
	 .example = "hash_seed: \"<32 hex digits>\", the same on every node "
		    "('openssl rand -hex 16' makes one)"},
	{.key = "drain_time", .type = VALUE_DURATION, PLACE(config_node, drain_time_ms),
	 .fallback = "5s", .min = 0, .max = HOUR},
	{.key = "icmp", OBJECT(config_node, icmp, schema_icmp)},
	{.key = "tracking", OBJECT(config_node, tracking, schema_tracking)},
};
const struct schema schema_node = SCHEMA(config_node, "node", node_fields);

static const struct field next_hop_fields[] = {
	{.key = "ipv4", .type = VALUE_IPV4, PLACE(config_next_hop, ipv4)},
	{.key = "ipv6", .type = VALUE_IPV6, PLACE(config_next_hop, ipv6)},
};
static const struct schema schema_next_hop =
	SCHEMA(config_next_hop, "next_hop", next_hop_fields, .flow = true);

static const struct field neighbor_fields[] = {
	{.key = "address", .type = VALUE_ADDRESS, PLACE(config_neighbor, address),
	 .required = true, .example = "address: 192.0.2.1"},
	{.key = "asn", .type = VALUE_ASN, PLACE(config_neighbor, asn), .required = true, .min = 1,
	 .max = UINT32_MAX - 1, .example = "asn: 64500"},
	{.key = "hold_time", .type = VALUE_DURATION, PLACE(config_neighbor, hold_time_ms),
	 .fallback = "9s", .min = 0, .max = 65535 * SECOND},
	{.key = "port", .type = VALUE_NUMBER, PLACE(config_neighbor, port), .fallback = "179",
	 .min = 1, .max = 65535},
	{.key = "password", .type = VALUE_SECRET, PLACE(config_neighbor, password)},
	{.key = "next_hop", OBJECT(config_neighbor, next_hop, schema_next_hop)},
	{.key = "ttl_security", .type = VALUE_BOOL, PLACE(config_neighbor, ttl_security),
	 .fallback = "false"},
	{.key = "passive", .type = VALUE_BOOL, PLACE(config_neighbor, passive),
	 .fallback = "false"},
};
const struct schema schema_neighbor =
	SCHEMA(config_neighbor, "a neighbor", neighbor_fields, .flow = true);

static const struct field bgp_fields[] = {
	{.key = "asn", .type = VALUE_ASN, PLACE(config_bgp, asn), .required = true, .min = 1,
	 .max = UINT32_MAX - 1, .example = "asn: 64512"},
	{.key = "router_id", .type = VALUE_IPV4, PLACE(config_bgp, router_id), .required = true,
	 .example = "router_id: 192.0.2.10"},
	{.key = "neighbors", LIST(config_bgp, neighbors, n_neighbors, schema_neighbor)},
};
const struct schema schema_bgp = SCHEMA(config_bgp, "bgp", bgp_fields);

static const struct field metrics_fields[] = {
	{.key = "listen", .type = VALUE_ENDPOINT, PLACE(config_metrics, listen),
	 .fallback = "127.0.0.1:9477"},
};
const struct schema schema_metrics =
	SCHEMA(config_metrics, "metrics", metrics_fields, .flow = true);

static const struct field health_fields[] = {
	{.key = "type", .type = VALUE_CHOICE, PLACE(config_health, type), .required = true,
	 .choices = choices_health_type, .example = "type: http"},
	{.key = "port", .type = VALUE_NUMBER, PLACE(config_health, port), .required = true,
	 .min = 1, .max = 65535, .example = "port: 8080"},
	{.key = "path", .type = VALUE_URL_PATH, PLACE(config_health, path)},
	{.key = "host", .type = VALUE_HOST, PLACE(config_health, host)},
	{.key = "interval", .type = VALUE_DURATION, PLACE(config_health, interval_ms),
	 .fallback = "2s", .min = 100, .max = HOUR},
	{.key = "timeout", .type = VALUE_DURATION, PLACE(config_health, timeout_ms), .min = 10,
	 .max = MINUTE},
	{.key = "rise", .type = VALUE_NUMBER, PLACE(config_health, rise), .fallback = "2",
	 .min = 1, .max = 1000},
	{.key = "fall", .type = VALUE_NUMBER, PLACE(config_health, fall), .fallback = "3",
	 .min = 1, .max = 1000},
	{.key = "via", .type = VALUE_CHOICE, PLACE(config_health, via), .fallback = "direct",
	 .choices = choices_health_via},
};
const struct schema schema_health = SCHEMA(config_health, "health", health_fields, .flow = true);

static const struct field real_fields[] = {
	{.key = "address", .type = VALUE_ADDRESS, PLACE(config_real, address), .required = true,
	 .example = "address: 10.0.0.11"},
	{.key = "weight", .type = VALUE_NUMBER, PLACE(config_real, weight), .fallback = "100",
	 .min = 0, .max = 1000},
	{.key = "mac", .type = VALUE_MAC, PLACE(config_real, mac)},
	{.key = "server_id", .type = VALUE_SERVER_ID, PLACE(config_real, server_id)},
};
const struct schema schema_real = SCHEMA(config_real, "a real", real_fields, .flow = true);

static const struct field quic_fields[] = {
	{.key = "server_id_length", .type = VALUE_NUMBER, PLACE(config_quic, server_id_length),
	 .required = true, .min = 1, .max = SERVER_ID_MAX, .example = "server_id_length: 4"},
	{.key = "rotation", .type = VALUE_NUMBER, PLACE(config_quic, rotation), .fallback = "0",
	 .min = 0, .max = 6},
};
static const struct schema schema_quic = SCHEMA(config_quic, "quic", quic_fields, .flow = true);

static const struct field pool_fields[] = {
	{.key = "name", .type = VALUE_NAME, PLACE(config_pool, name), .required = true,
	 .example = "name: web"},
	{.key = "encap", .type = VALUE_CHOICE, PLACE(config_pool, encap), .required = true,
	 .choices = choices_encap, .example = "encap: ipip"},
	{.key = "gue_port", .type = VALUE_NUMBER, PLACE(config_pool, gue_port), .fallback = "6080",
	 .min = 1, .max = 65535},
	{.key = "table_size", .type = VALUE_PRIME, PLACE(config_pool, table_size),
	 .fallback = "65537", .min = 251, .max = 1048573},
	{.key = "min_healthy", .type = VALUE_NUMBER, PLACE(config_pool, min_healthy),
	 .fallback = "1", .min = 1, .max = 65535},
	{.key = "health", OPTIONAL_OBJECT(config_pool, health, has_health, schema_health)},
	{.key = "quic", OPTIONAL_OBJECT(config_pool, quic, has_quic, schema_quic)},
	{.key = "reals", LIST(config_pool, reals, n_reals, schema_real)},
};
const struct schema schema_pool = SCHEMA(config_pool, "a pool", pool_fields);

static const struct field source_fields[] = {
	{.key = "prefix", .type = VALUE_PREFIX, PLACE(config_source, prefix), .required = true},
};
static const struct schema schema_source =
	SCHEMA(config_source, "a source", source_fields, .single_value = true);

static const struct field service_fields[] = {
	{.key = "protocol", .type = VALUE_CHOICE, PLACE(config_service, protocol),
	 .required = true, .choices = choices_protocol, .example = "protocol: tcp"},
	{.key = "port", .type = VALUE_PORTS, PLACE(config_service, ports), .required = true,
	 .min = 1, .max = 65535, .example = "port: 443"},
	{.key = "pool", .type = VALUE_NAME, PLACE(config_service, pool), .required = true,
	 .example = "pool: web"},
	{.key = "hash", .type = VALUE_CHOICE, PLACE(config_service, hash), .fallback = "5tuple",
	 .choices = choices_hash},
	{.key = "deny", LIST(config_service, deny, n_deny, schema_source)},
	{.key = "syn_rate", .type = VALUE_NUMBER, PLACE(config_service, syn_rate), .min = 1,
	 .max = 100000000},
	{.key = "syn_burst", .type = VALUE_NUMBER, PLACE(config_service, syn_burst), .min = 1,
	 .max = 100000000},
	{.key = "quic", .type = VALUE_BOOL, PLACE(config_service, quic), .fallback = "false"},
};
const struct schema schema_service =
	SCHEMA(config_service, "a service", service_fields, .flow = true);

static const struct field announce_fields[] = {
	{.key = "when", .type = VALUE_CHOICE, PLACE(config_announce, when), .fallback = "healthy",
	 .choices = choices_announce},
};
static const struct schema schema_announce =
	SCHEMA(config_announce, "announce", announce_fields, .flow = true);

static const struct field vip_fields[] = {
	{.key = "name", .type = VALUE_NAME, PLACE(config_vip, name), .required = true,
	 .example = "name: web"},
	{.key = "address", .type = VALUE_PREFIX, PLACE(config_vip, address), .required = true,
	 .example = "address: 203.0.113.80"},
	{.key = "services", LIST(config_vip, services, n_services, schema_service)},
	{.key = "announce", OBJECT(config_vip, announce, schema_announce)},
};
const struct schema schema_vip = SCHEMA(config_vip, "a vip", vip_fields);

static const struct field config_fields[] = {
	{.key = "node", OBJECT(config, node, schema_node), .required = true,
	 .example = "node: with name, interfaces and hash_seed"},
	{.key = "bgp", OPTIONAL_OBJECT(config, bgp, has_bgp, schema_bgp)},
	{.key = "metrics", OBJECT(config, metrics, schema_metrics)},
	{.key = "pools", LIST(config, pools, n_pools, schema_pool)},
	{.key = "vips", LIST(config, vips, n_vips, schema_vip)},
};
const struct schema schema_config = SCHEMA(config, "the configuration", config_fields);
/* clang-format on */

const struct field *schema_field(const struct schema *schema, const char *key)
{
	for (size_t i = 0; i < schema->n_fields; i++)
		if (!strcmp(schema->fields[i].key, key))
			return &schema->fields[i];
	return NULL;
}

static const char *choices_text(const struct choice *choices, char buf[FIELD_TYPE_STRLEN])
{
	size_t n = 0;

	buf[0] = '\0';
	for (const struct choice *c = choices; c->word; c++)
		if (!c->refusal && n < FIELD_TYPE_STRLEN)
			n += (size_t)snprintf(buf + n, FIELD_TYPE_STRLEN - n, "%s`%s`",
					      n ? " or " : "", c->word);
	return buf;
}

static const char *range_text(const struct field *f, char buf[FIELD_TYPE_STRLEN])
{
	char min[VALUE_STRLEN], max[VALUE_STRLEN];

	switch (f->type) {
	case VALUE_DURATION:
		snprintf(buf, FIELD_TYPE_STRLEN, "duration %.20s to %.20s",
			 duration_format((uint32_t)f->min, min),
			 duration_format((uint32_t)f->max, max));
		break;
	default:
		snprintf(buf, FIELD_TYPE_STRLEN, "%s %llu to %llu%s",
			 f->type == VALUE_PRIME ? "prime" : "number", (unsigned long long)f->min,
			 (unsigned long long)f->max,
			 f->type == VALUE_PORTS ? ", a range such as 8000-8999, or `any`" : "");
	}
	return buf;
}

const char *field_type_text(const struct field *f, char buf[FIELD_TYPE_STRLEN])
{
	static const char *const words[] = {
		[VALUE_NAME] = "name",
		[VALUE_INTERFACE] = "interface name",
		[VALUE_SECRET] = "text",
		[VALUE_TEXT] = "text",
		[VALUE_CORES] = "CPUs such as 1-4,7",
		[VALUE_URL_PATH] = "URL path",
		[VALUE_HOST] = "name or name:port",
		[VALUE_BOOL] = "`true` or `false`",
		[VALUE_ADDRESS] = "address",
		[VALUE_IPV4] = "IPv4 address",
		[VALUE_IPV6] = "IPv6 address",
		[VALUE_PREFIX] = "address or prefix",
		[VALUE_PREFIX4] = "IPv4 address or prefix",
		[VALUE_PREFIX6] = "IPv6 address or prefix",
		[VALUE_ENDPOINT] = "address:port, or `none`",
		[VALUE_MAC] = "MAC address",
		[VALUE_SERVER_ID] = "2 to 30 hex digits",
		[VALUE_SEED] = "32 hex digits",
		[VALUE_OBJECT] = "keys",
	};

	switch (f->type) {
	case VALUE_CHOICE:
		return choices_text(f->choices, buf);
	case VALUE_NUMBER:
	case VALUE_PRIME:
	case VALUE_ASN:
	case VALUE_PORTS:
	case VALUE_DURATION:
		return range_text(f, buf);
	case VALUE_LIST:
		snprintf(buf, FIELD_TYPE_STRLEN, "list of %ss", strchr(f->object->noun, ' ') + 1);
		return buf;
	default:
		snprintf(buf, FIELD_TYPE_STRLEN, "%s", words[f->type]);
		return buf;
	}
}

static void walk(const struct schema *schema, const char *base,
		 void (*visit)(void *arg, const char *path, const struct field *f), void *arg)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct field *f = &schema->fields[i];
		char path[128];

		snprintf(path, sizeof(path), "%s%s", base, f->key);
		visit(arg, path, f);
		if (field_is_scalar(f) || f->object->single_value)
			continue;
		snprintf(path, sizeof(path), "%s%s%s.", base, f->key,
			 f->type == VALUE_LIST ? "[]" : "");
		walk(f->object, path, visit, arg);
	}
}

void schema_walk(void (*visit)(void *arg, const char *path, const struct field *f), void *arg)
{
	walk(&schema_config, "", visit, arg);
}
