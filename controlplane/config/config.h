/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CONFIG_CONFIG_H
#define FAIRWAY_CONFIG_CONFIG_H

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"
#include "controlplane/base/ports.h"
#include "controlplane/base/server_id.h"
#include "controlplane/config/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The configuration as plain structs, and the way from YAML to them and back.
 *
 * A struct config owns everything below it: lists are heap arrays, strings are fixed arrays. One
 * table (schema.c) describes every key; decoding, emitting, comparing, cloning, freeing and the
 * reference documentation all walk that table, so they can't disagree. docs/configuration.md
 * explains each key for operators.
 *
 * A configuration that left config_load(), config_parse() or config_validate() with 0 holds
 * everything its comments promise: names unique, pools found, addresses sane, and so on. */

#define CONFIG_NAME_MAX      63
#define CONFIG_INTERFACE_MAX 15
#define CONFIG_PASSWORD_MAX  80 /* the kernel's limit for TCP MD5 keys */
#define CONFIG_PATH_MAX      255
#define CONFIG_HOST_MAX      253
#define CONFIG_GUE_PORT      6080 /* IANA: gue */
#define CONFIG_FILE_MAX      (16 * 1024 * 1024)
#define CONFIG_DEVICE_MAX    127
#define CONFIG_ARGUMENT_MAX  127
#define CONFIG_CORES_MAX     128
#define CONFIG_CPU_MAX       1023
#define CONFIG_PORTS_MAX     16

enum config_engine { CONFIG_ENGINE_XDP, CONFIG_ENGINE_DPDK };
enum config_xdp_mode { CONFIG_XDP_NATIVE, CONFIG_XDP_GENERIC };
enum config_encap { CONFIG_ENCAP_IPIP, CONFIG_ENCAP_L2DSR, CONFIG_ENCAP_GUE };
/* What a flow's slot is chosen by. */
enum config_hash {
	CONFIG_HASH_5TUPLE,
	CONFIG_HASH_SOURCE,
	CONFIG_HASH_SOURCE_DESTINATION,
	CONFIG_HASH_DESTINATION_PORT
};
enum config_health_type { CONFIG_HEALTH_TCP, CONFIG_HEALTH_HTTP, CONFIG_HEALTH_HTTPS };
enum config_health_via { CONFIG_HEALTH_DIRECT };
enum config_protocol { CONFIG_TCP = 6, CONFIG_UDP = 17 }; /* the IP protocol numbers */
enum config_announce_when {
	CONFIG_ANNOUNCE_HEALTHY,
	CONFIG_ANNOUNCE_ALWAYS,
	CONFIG_ANNOUNCE_NEVER
};

/* How what isn't ours reaches the kernel from a port of the DPDK engine. */
enum config_exception {
	CONFIG_EXCEPTION_TAP,
	CONFIG_EXCEPTION_VIRTIO_USER,
	CONFIG_EXCEPTION_KERNEL
};
enum config_rss { CONFIG_RSS_FLOW, CONFIG_RSS_SYMMETRIC };
enum config_idle { CONFIG_IDLE_POLL, CONFIG_IDLE_SLEEP };
enum config_tables { CONFIG_TABLES_BPF, CONFIG_TABLES_FILE };
enum config_fallback { CONFIG_FALLBACK_NONE, CONFIG_FALLBACK_XDP };

/* Where an object stood in its file, counted from 1; line 0: it didn't come from a file. The first
 * member of every struct below, and never part of a comparison. */
struct config_mark {
	uint32_t line;
	uint32_t column;
};

struct config_interface {
	struct config_mark mark;
	char name[CONFIG_INTERFACE_MAX + 1];
};

/* Outer source per outer family: an address (full length) or a prefix whose host bits carry the
 * flow's entropy. addr.family 0: not configured (then no pool of ipip or gue has a real of this
 * family). */
struct config_tunnel_source {
	struct config_mark mark;
	struct prefix ipv4;
	struct prefix ipv6;
};

/* How many answers the node gives per second, of each kind; 0: any number. */
struct config_icmp {
	struct config_mark mark;
	uint32_t echo_rate;
	uint32_t too_big_rate;
};

struct config_tracking {
	struct config_mark mark;
	uint32_t flows; /* entries of the flow table */
	uint32_t settle_time_ms;
	uint32_t idle_time_ms;
};

/* CPUs in the order they were named in, none twice. */
struct config_cores {
	uint16_t n;
	uint16_t cpu[CONFIG_CORES_MAX];
};

struct config_dpdk_port {
	struct config_mark mark;
	char device[CONFIG_DEVICE_MAX + 1];       /* none twice */
	char interface[CONFIG_INTERFACE_MAX + 1]; /* one of node.interfaces, none twice */
	enum config_exception exception;
	uint16_t queues; /* 0: as many as there are cores */
	uint16_t mtu;    /* 0: what the device has */
};

/* One further argument for DPDK's environment abstraction layer. */
struct config_argument {
	struct config_mark mark;
	char text[CONFIG_ARGUMENT_MAX + 1];
};

/* Of engine dpdk. Then there is one port for each of node.interfaces. */
struct config_dpdk {
	struct config_mark mark;
	struct config_cores cores; /* at least one */
	struct config_dpdk_port *ports;
	size_t n_ports;
	enum config_rss rss;
	bool hugepages;
	uint32_t memory_mib;
	uint16_t descriptors; /* per queue */
	enum config_idle idle;
	struct config_argument *eal; /* may be empty */
	size_t n_eal;
	enum config_tables tables;
	enum config_fallback
		fallback; /* xdp only with tables bpf, and exception kernel everywhere */
};

struct config_node {
	struct config_mark mark;
	char name[CONFIG_NAME_MAX + 1];
	struct config_interface *interfaces; /* at least one */
	size_t n_interfaces;
	enum config_engine engine;
	enum config_xdp_mode xdp_mode;
	bool has_dpdk; /* always true of engine dpdk */
	struct config_dpdk dpdk;
	struct config_tunnel_source tunnel_source;
	uint8_t hash_seed[16];
	uint32_t drain_time_ms; /* how long to forward after a withdrawal */
	struct config_icmp icmp;
	struct config_tracking tracking;
};

struct config_endpoint {
	struct addr addr; /* family 0: turned off */
	uint16_t port;
};

struct config_metrics {
	struct config_mark mark;
	struct config_endpoint listen;
};

struct config_next_hop {
	struct config_mark mark;
	struct addr ipv4; /* family 0: the session's own address */
	struct addr ipv6;
};

struct config_neighbor {
	struct config_mark mark;
	struct addr address;
	uint32_t asn;
	uint32_t hold_time_ms; /* whole seconds; 0, or 3 s to 65535 s */
	uint16_t port;
	char password[CONFIG_PASSWORD_MAX + 1]; /* TCP MD5; "" for none */
	struct config_next_hop next_hop;
	bool ttl_security; /* GTSM, RFC 5082 */
	bool passive;      /* wait for the neighbour to connect */
};

struct config_bgp {
	struct config_mark mark;
	uint32_t asn;
	struct addr router_id; /* always IPv4 */
	struct config_neighbor *neighbors;
	size_t n_neighbors;
};

struct config_health {
	struct config_mark mark;
	enum config_health_type type;
	uint16_t port;
	char path[CONFIG_PATH_MAX + 1]; /* http and https; "/" unless told */
	char host[CONFIG_HOST_MAX + 1]; /* Host header and TLS name; "" for the real's address */
	uint32_t interval_ms;
	uint32_t timeout_ms; /* never above the interval */
	uint32_t rise;
	uint32_t fall;
	enum config_health_via via;
};

struct config_mac {
	bool set;
	uint8_t bytes[6];
};

struct config_real {
	struct config_mark mark;
	struct addr address;
	uint32_t weight; /* 0..1000; 0: no new connections */
	struct config_mac mac;
	struct server_id server_id; /* length 0: follows from the address */
};

/* QUIC-LB: the server id stands in plain text in connection ids of this config rotation. */
struct config_quic {
	struct config_mark mark;
	uint32_t server_id_length; /* 1..15 */
	uint32_t rotation;         /* 0..6 */
};

struct config_pool {
	struct config_mark mark;
	char name[CONFIG_NAME_MAX + 1];
	enum config_encap encap;
	uint16_t gue_port;   /* of gue */
	uint32_t table_size; /* prime */
	uint32_t min_healthy;
	bool has_health; /* false: every real counts as healthy */
	struct config_health health;
	bool has_quic;
	struct config_quic quic;
	struct config_real *reals; /* may be empty */
	size_t n_reals;
};

struct config_source {
	struct config_mark mark;
	struct prefix prefix;
};

struct config_service {
	struct config_mark mark;
	enum config_protocol protocol;
	struct ports ports; /* no other service of the protocol has any of them, PORTS_ANY aside */
	char pool[CONFIG_NAME_MAX + 1];
	enum config_hash hash;
	struct config_source *deny; /* sources that are refused; may be empty */
	size_t n_deny;
	uint32_t syn_rate;  /* SYNs per second; 0: any number */
	uint32_t syn_burst; /* 0: see config_syn_burst() */
	bool quic;          /* by connection id; the pool then has quic */
};

struct config_announce {
	struct config_mark mark;
	enum config_announce_when when;
};

struct config_vip {
	struct config_mark mark;
	char name[CONFIG_NAME_MAX + 1];
	struct prefix address; /* no other VIP has the same; the longest owns an address */
	struct config_service *services; /* may be empty */
	size_t n_services;
	struct config_announce announce;
};

struct config {
	struct config_mark mark;
	struct config_node node;
	bool has_bgp;
	struct config_bgp bgp;
	struct config_metrics metrics;
	struct config_pool *pools;
	size_t n_pools;
	struct config_vip *vips;
	size_t n_vips;
	char *file; /* what marks refer to; NULL when it didn't come from a file; not compared */
};

/* ---- From and to YAML (parse.c, emit.c, save.c) ---- */

/* Read and check a file, or text that came from elsewhere (file names it in errors). errs is
 * overwritten: on failure it holds up to CONFIG_ERRORS_MAX errors, and always the warnings.
 * *ret_cfg is the caller's to config_free(). 0, -EINVAL for content, the errno of open or read for
 * a file that can't be read, -EFBIG above CONFIG_FILE_MAX, -ENOMEM. */
int config_load(const char *path, struct config **ret_cfg, struct config_errors *errs)
	__attribute__((warn_unused_result));
int config_parse(const char *text, size_t len, const char *file, struct config **ret_cfg,
		 struct config_errors *errs) __attribute__((warn_unused_result));

/* The checks that need no file: for configurations that were edited. errs is overwritten; its
 * errors have no line but name the object. 0, -EINVAL or -ENOMEM. */
int config_validate(const struct config *cfg, struct config_errors *errs)
	__attribute__((warn_unused_result));

/* Write canonical YAML that parses to an equal configuration; defaults are left out. 0, -EIO or
 * -ENOMEM. The string is the caller's to free(). */
int config_emit(const struct config *cfg, FILE *out) __attribute__((warn_unused_result));
int config_emit_string(const struct config *cfg, char **ret_text)
	__attribute__((warn_unused_result));

/* Replace the file at path, or leave it exactly as it was: a new file beside it is written, synced
 * and renamed over it. Mode and owner of an existing file are kept (a new one gets 0640), and a
 * symbolic link is followed. Comments of the old file are lost. */
int config_save(const char *path, const struct config *cfg, struct err *err)
	__attribute__((warn_unused_result));

/* ---- Whole objects (object.c) ---- */

/* A deep copy, marks included; NULL out of memory. */
struct config *config_clone(const struct config *cfg) __attribute__((warn_unused_result));
void config_free(struct config *cfg);

/* Equal in everything an operator can write; order in lists counts, marks don't. */
bool config_equal(const struct config *a, const struct config *b);
bool config_node_equal(const struct config_node *a, const struct config_node *b);
bool config_dpdk_equal(const struct config_dpdk *a, const struct config_dpdk *b);
bool config_bgp_equal(const struct config_bgp *a, const struct config_bgp *b);
bool config_neighbor_equal(const struct config_neighbor *a, const struct config_neighbor *b);
bool config_metrics_equal(const struct config_metrics *a, const struct config_metrics *b);
bool config_pool_equal(const struct config_pool *a, const struct config_pool *b);
bool config_health_equal(const struct config_health *a, const struct config_health *b);
bool config_real_equal(const struct config_real *a, const struct config_real *b);
bool config_vip_equal(const struct config_vip *a, const struct config_vip *b);
bool config_service_equal(const struct config_service *a, const struct config_service *b);

/* Lookups; NULL when there is none. What they return lives until the next edit. */
struct config_pool *config_find_pool(const struct config *cfg, const char *name);
struct config_vip *config_find_vip(const struct config *cfg, const char *name);
struct config_real *config_find_real(const struct config_pool *pool, const struct addr *address);
struct config_service *config_find_service(const struct config_vip *vip,
					   enum config_protocol protocol, struct ports ports);
/* The service that takes packets to a port. */
struct config_service *config_service_at(const struct config_vip *vip,
					 enum config_protocol protocol, uint16_t port);
/* The VIP that owns an address, or NULL. */
struct config_vip *config_vip_at(const struct config *cfg, const struct addr *address);
struct config_neighbor *config_find_neighbor(const struct config_bgp *bgp,
					     const struct addr *address);

/* The engine's port that the kernel knows by this name, or NULL. */
struct config_dpdk_port *config_find_port(const struct config_dpdk *dpdk, const char *interface);

/* How many SYNs may come at once: syn_burst, or a second's worth. */
uint32_t config_syn_burst(const struct config_service *service);
/* The server id of a pool's real: the one it was given, or the last bytes of its address, with
 * zeros in front. Length 0 when the pool has no quic. */
struct server_id config_server_id(const struct config_pool *pool, const struct config_real *real);

/* The word the file uses, e.g. "l2dsr"; "?" for a value out of range. */
const char *config_engine_name(enum config_engine engine);
const char *config_xdp_mode_name(enum config_xdp_mode mode);
const char *config_exception_name(enum config_exception exception);
const char *config_rss_name(enum config_rss rss);
const char *config_idle_name(enum config_idle idle);
const char *config_tables_name(enum config_tables tables);
const char *config_fallback_name(enum config_fallback fallback);
const char *config_encap_name(enum config_encap encap);
const char *config_hash_name(enum config_hash hash);
const char *config_health_type_name(enum config_health_type type);
const char *config_health_via_name(enum config_health_via via);
const char *config_protocol_name(enum config_protocol protocol);
const char *config_announce_name(enum config_announce_when when);

/* ---- Edits (edit.c) ----
 * Made on a clone, followed by config_validate(). Each either happens whole or returns -EEXIST,
 * -ENOENT, -EINVAL or -ENOMEM with the reason in err and changes nothing. What is passed in is
 * copied deep and stays the caller's. */

/* Defaults for an object to add; names, addresses and services are then the caller's to set. */
void config_vip_init(struct config_vip *vip);
void config_real_init(struct config_real *real);
/* Free the services of a VIP that the caller built. */
void config_vip_fini(struct config_vip *vip);

int config_add_vip(struct config *cfg, const struct config_vip *vip, struct err *err)
	__attribute__((warn_unused_result));
int config_remove_vip(struct config *cfg, const char *name, struct err *err)
	__attribute__((warn_unused_result));
/* Replace the VIP of the same name. */
int config_set_vip(struct config *cfg, const struct config_vip *vip, struct err *err)
	__attribute__((warn_unused_result));
int config_set_vip_address(struct config *cfg, const char *vip, const struct prefix *address,
			   struct err *err) __attribute__((warn_unused_result));
int config_set_vip_announce(struct config *cfg, const char *vip, enum config_announce_when when,
			    struct err *err) __attribute__((warn_unused_result));

int config_add_service(struct config *cfg, const char *vip, const struct config_service *service,
		       struct err *err) __attribute__((warn_unused_result));
int config_remove_service(struct config *cfg, const char *vip, enum config_protocol protocol,
			  struct ports ports, struct err *err) __attribute__((warn_unused_result));
int config_set_service_pool(struct config *cfg, const char *vip, enum config_protocol protocol,
			    struct ports ports, const char *pool, struct err *err)
	__attribute__((warn_unused_result));

int config_add_real(struct config *cfg, const char *pool, const struct config_real *real,
		    struct err *err) __attribute__((warn_unused_result));
int config_remove_real(struct config *cfg, const char *pool, const struct addr *address,
		       struct err *err) __attribute__((warn_unused_result));
int config_set_real_weight(struct config *cfg, const char *pool, const struct addr *address,
			   uint32_t weight, struct err *err) __attribute__((warn_unused_result));
/* mac->set false takes the pin away. */
int config_set_real_mac(struct config *cfg, const char *pool, const struct addr *address,
			const struct config_mac *mac, struct err *err)
	__attribute__((warn_unused_result));

int config_set_real_server_id(struct config *cfg, const char *pool, const struct addr *address,
			      const struct server_id *id, struct err *err)
	__attribute__((warn_unused_result));

/* Single values as the file writes them, for command lines and the API. 0, or -EINVAL with the
 * reason and the fix in err. */
int config_name_parse(const char *text, char ret_name[CONFIG_NAME_MAX + 1], struct err *err)
	__attribute__((warn_unused_result));
int config_address_parse(const char *text, struct addr *ret_address, struct err *err)
	__attribute__((warn_unused_result));
int config_protocol_parse(const char *text, enum config_protocol *ret_protocol, struct err *err)
	__attribute__((warn_unused_result));
/* An address, or a prefix. */
int config_vip_address_parse(const char *text, struct prefix *ret_address, struct err *err)
	__attribute__((warn_unused_result));
/* A port, a range, or any. */
int config_ports_parse(const char *text, struct ports *ret_ports, struct err *err)
	__attribute__((warn_unused_result));
int config_server_id_parse(const char *text, struct server_id *ret_id, struct err *err)
	__attribute__((warn_unused_result));
int config_weight_parse(const char *text, uint32_t *ret_weight, struct err *err)
	__attribute__((warn_unused_result));
int config_mac_parse(const char *text, struct config_mac *ret_mac, struct err *err)
	__attribute__((warn_unused_result));
int config_announce_parse(const char *text, enum config_announce_when *ret_when, struct err *err)
	__attribute__((warn_unused_result));

#endif
