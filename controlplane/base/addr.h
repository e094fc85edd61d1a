/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BASE_ADDR_H
#define FAIRWAY_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Long enough for any address, any prefix and "[address]:port". */
#define ADDR_STRLEN 64

/* An IPv4 or IPv6 address. Bytes stand in network order; an IPv4 address fills the first four and
 * leaves the others zero, so that whole structs can be compared and hashed. */
struct addr {
	uint8_t family; /* 4, 6, or 0 for "no address" */
	uint8_t bytes[16];
};

/* An address and how many of its leading bits count (0..32 or 0..128). */
struct prefix {
	struct addr addr;
	uint8_t len;
};

/* Parse "192.0.2.1" or "2001:db8::1". 0, or -EINVAL when text is neither; *ret_addr then stays. */
int addr_parse(const char *text, struct addr *ret_addr) __attribute__((warn_unused_result));

/* Parse "192.0.2.0/24"; a bare address gets its full length. 0 or -EINVAL. */
int prefix_parse(const char *text, struct prefix *ret_prefix) __attribute__((warn_unused_result));

/* Canonical text (RFC 5952 for IPv6) into buf; returns buf. Family 0 gives "none". */
const char *addr_format(const struct addr *a, char buf[ADDR_STRLEN]);
const char *prefix_format(const struct prefix *p, char buf[ADDR_STRLEN]);

/* "192.0.2.1:80" or "[2001:db8::1]:80"; returns buf. */
const char *addr_port_format(const struct addr *a, uint16_t port, char buf[ADDR_STRLEN]);

/* Parse the form addr_port_format() writes. 0 or -EINVAL. */
int addr_port_parse(const char *text, struct addr *ret_addr, uint16_t *ret_port)
	__attribute__((warn_unused_result));

/* Total order: IPv4 before IPv6, then by bytes. <0, 0, >0 like memcmp. */
int addr_cmp(const struct addr *a, const struct addr *b);
bool addr_equal(const struct addr *a, const struct addr *b);

/* 32 or 128; 0 for "no address". */
unsigned addr_bits(const struct addr *a);
/* AF_INET, AF_INET6 or AF_UNSPEC. */
int addr_af(const struct addr *a);
/* By address, then by length: <0, 0, >0. */
int prefix_cmp(const struct prefix *a, const struct prefix *b);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
/* The prefix that is just this address. */
struct prefix prefix_of(const struct addr *a);
/* True when it is a single address. */
bool prefix_is_addr(const struct prefix *p);
/* The address alone for a single one, else with its length. Returns buf. */
const char *prefix_format_short(const struct prefix *p, char buf[ADDR_STRLEN]);
/* The address with all bits behind the first `len` cleared. */
struct prefix prefix_masked(const struct addr *a, uint8_t len);
/* True when a lies inside p. */
bool prefix_contains(const struct prefix *p, const struct addr *a);

/* Convert to and from socket addresses; the length is returned, 0 for "no address". */
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ret_ss);
/* 0, or -EAFNOSUPPORT. ret_port may be NULL. */
int addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret_addr, uint16_t *ret_port);

#endif
