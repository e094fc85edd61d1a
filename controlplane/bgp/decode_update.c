/* SPDX-License-Identifier: BSD-2-Clause */

/* Received UPDATEs (RFC 4271 4.3 and 6.3 as revised by RFC 7606). We take no routes, so that an
 * attribute's value matters to nobody here; what matters is that the message's framing holds,
 * because a peer that frames wrongly can't be followed any further. Faults that RFC 7606 answers
 * with "treat as withdraw" or "attribute discard" are noted and the session goes on; those it
 * answers with a session reset become a NOTIFICATION. */

#include "controlplane/bgp/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/bgp/bytes.h"

struct attr {
	uint8_t flags;
	uint8_t type;
	size_t len; /* Of the value. */
	const uint8_t *value;
	const uint8_t *start; /* Of flags, type, length and value together. */
};

struct update {
	bool as4, ibgp;
	uint8_t seen[32]; /* A bit for each attribute type. */
	struct bgp_update_summary sum;
};

static void __attribute__((format(printf, 2, 3))) tolerate(struct update *u, const char *fmt, ...)
{
	va_list ap;

	if (u->sum.tolerated)
		return;
	u->sum.tolerated = true;
	va_start(ap, fmt);
	vsnprintf(u->sum.detail, sizeof(u->sum.detail), fmt, ap);
	va_end(ap);
}

static bool seen(const struct update *u, uint8_t type)
{
	return u->seen[type / 8] & 1u << type % 8;
}

int bgp_nlri_next(const uint8_t *p, size_t len, uint8_t family, struct prefix *ret_prefix)
{
	unsigned max = family == 6 ? 128 : 32;
	struct prefix out = {.addr = {.family = family}};
	size_t bytes;

	if (!len)
		return 0;
	bytes = (p[0] + 7u) / 8u;
	if (p[0] > max || bytes > len - 1)
		return -EPROTO;
	out.len = p[0];
	memcpy(out.addr.bytes, p + 1, bytes);
	if (p[0] % 8) /* RFC 4271 4.3: trailing bits are irrelevant. */
		out.addr.bytes[bytes - 1] &= (uint8_t)(0xff00 >> p[0] % 8);
	*ret_prefix = out;
	return (int)(1 + bytes);
}

static int count_nlri(const uint8_t *p, size_t len, uint8_t family, uint32_t *count,
		      struct bgp_error *ret_error)
{
	struct prefix prefix;
	int n;

	while ((n = bgp_nlri_next(p, len, family, &prefix)) > 0) {
		p += n;
		len -= (size_t)n;
		(*count)++;
	}
	if (n < 0)
		return bgp_error_set(ret_error, BGP_ERR_UPDATE, BGP_UPDATE_BAD_NETWORK,
				     "an IPv%u prefix in the peer's UPDATE is malformed", family);
	return 0;
}

static int bad_attribute(const struct attr *a, uint8_t subcode, const char *what,
			 struct bgp_error *ret_error)
{
	bgp_error_set(ret_error, BGP_ERR_UPDATE, subcode, "%s (attribute %u) in the peer's UPDATE",
		      what, a->type);
	bgp_error_add_data(ret_error, a->start, (size_t)(a->value - a->start) + a->len);
	return -EPROTO;
}

/* NLRI of MP_REACH or MP_UNREACH; families that weren't negotiated are skipped unread. */
static int count_mp(const struct attr *a, size_t skip, uint32_t *count, struct bgp_error *ret_error)
{
	uint16_t afi = get_be16(a->value);
	struct bgp_error inner;

	if (a->value[2] != SAFI_UNICAST || (afi != AFI_IPV4 && afi != AFI_IPV6))
		return 0;
	if (count_nlri(a->value + skip, a->len - skip, afi == AFI_IPV6 ? 6 : 4, count, &inner))
		return bad_attribute(a, BGP_UPDATE_BAD_OPTIONAL, "a malformed prefix", ret_error);
	return 0;
}

static int check_mp_reach(struct update *u, const struct attr *a, struct bgp_error *ret_error)
{
	if (a->len < 5 || a->value[3] > a->len - 5)
		return bad_attribute(a, BGP_UPDATE_BAD_OPTIONAL, "malformed MP_REACH_NLRI",
				     ret_error);
	return count_mp(a, 5u + a->value[3], &u->sum.n_announced, ret_error);
}

static int check_mp_unreach(struct update *u, const struct attr *a, struct bgp_error *ret_error)
{
	if (a->len < 3)
		return bad_attribute(a, BGP_UPDATE_BAD_OPTIONAL, "malformed MP_UNREACH_NLRI",
				     ret_error);
	return count_mp(a, 3, &u->sum.n_withdrawn, ret_error);
}

static bool as_path_fits(const struct attr *a, size_t as_len)
{
	const uint8_t *p = a->value;
	size_t left = a->len;

	while (left) {
		size_t n;

		if (left < 2 || p[0] < 1 || p[0] > 4 || !p[1])
			return false;
		n = 2 + p[1] * as_len;
		if (n > left)
			return false;
		p += n;
		left -= n;
	}
	return true;
}

/* RFC 7606 7: the value of each attribute we know by name. */
static bool value_fits(const struct update *u, const struct attr *a)
{
	switch (a->type) {
	case ATTR_ORIGIN:
		return a->len == 1 && a->value[0] <= 2;
	case ATTR_AS_PATH:
		return as_path_fits(a, u->as4 ? 4 : 2);
	case ATTR_NEXT_HOP:
	case ATTR_MED:
		return a->len == 4;
	case ATTR_LOCAL_PREF:
		return !u->ibgp || a->len == 4;
	case ATTR_ATOMIC:
		return a->len == 0;
	case ATTR_AGGREGATOR:
		return a->len == (u->as4 ? 8 : 6);
	case ATTR_COMMUNITIES:
		return a->len % 4 == 0 && a->len > 0;
	case ATTR_AS4_PATH:
		return as_path_fits(a, 4);
	default:
		return true;
	}
}

static bool well_known(uint8_t type)
{
	return type == ATTR_ORIGIN || type == ATTR_AS_PATH || type == ATTR_NEXT_HOP ||
	       type == ATTR_LOCAL_PREF || type == ATTR_ATOMIC;
}

static int check_attr(struct update *u, const struct attr *a, struct bgp_error *ret_error)
{
	bool mp = a->type == ATTR_MP_REACH || a->type == ATTR_MP_UNREACH;
	bool again = seen(u, a->type);

	u->seen[a->type / 8] |= (uint8_t)(1u << a->type % 8);
	if (again && mp)
		return bgp_error_set(ret_error, BGP_ERR_UPDATE, BGP_UPDATE_BAD_LIST,
				     "attribute %u twice in the peer's UPDATE", a->type);
	if (again) {
		tolerate(u, "attribute %u twice", a->type);
		return 0;
	}
	if (!(a->flags & ATTR_OPTIONAL) && !well_known(a->type) && a->type > ATTR_AS4_PATH)
		return bad_attribute(a, BGP_UPDATE_UNKNOWN_WELL_KNOWN,
				     "an unknown attribute marked well-known", ret_error);
	if (!!(a->flags & ATTR_OPTIONAL) == well_known(a->type))
		tolerate(u, "attribute %u with wrong flags %#x", a->type, a->flags);
	if (a->type == ATTR_MP_REACH)
		return check_mp_reach(u, a, ret_error);
	if (a->type == ATTR_MP_UNREACH)
		return check_mp_unreach(u, a, ret_error);
	if (!value_fits(u, a))
		tolerate(u, "attribute %u malformed (%zu bytes)", a->type, a->len);
	return 0;
}

/* One attribute off the front. False when it overruns what is left. */
static bool next_attr(const uint8_t *p, size_t left, struct attr *ret)
{
	size_t head = left && p[0] & ATTR_EXTENDED_LEN ? 4 : 3;
	size_t len;

	if (left < head)
		return false;
	len = head == 4 ? get_be16(p + 2) : p[2];
	if (len > left - head)
		return false;
	*ret = (struct attr){
		.flags = p[0], .type = p[1], .len = len, .value = p + head, .start = p};
	return true;
}

static int check_attrs(struct update *u, const uint8_t *p, size_t left, struct bgp_error *ret_error)
{
	while (left) {
		struct attr a;
		int ret;

		if (!next_attr(p, left, &a)) {
			/* RFC 7606 4: the total length still tells where NLRI begins. */
			tolerate(u, "an attribute overruns the attributes' total length");
			return 0;
		}
		ret = check_attr(u, &a, ret_error);
		if (ret)
			return ret;
		p = a.value + a.len;
		left -= (size_t)(p - a.start);
	}
	return 0;
}

static void check_mandatory(struct update *u, bool classic_nlri)
{
	if (!classic_nlri && !seen(u, ATTR_MP_REACH))
		return;
	if (!seen(u, ATTR_ORIGIN) || !seen(u, ATTR_AS_PATH) ||
	    (classic_nlri && !seen(u, ATTR_NEXT_HOP)))
		tolerate(u, "a mandatory attribute (ORIGIN, AS_PATH or NEXT_HOP) is missing");
}

int bgp_decode_update(const uint8_t *msg, size_t len, bool as4, bool ibgp,
		      struct bgp_update_summary *ret_summary, struct bgp_error *ret_error)
{
	const uint8_t *p = msg + BGP_HEADER_LEN, *end = msg + len, *attrs;
	struct update u = {.as4 = as4, .ibgp = ibgp};
	size_t n;
	int ret;

	n = get_be16(p);
	if (n + 4 > (size_t)(end - p))
		return bgp_error_set(ret_error, BGP_ERR_UPDATE, BGP_UPDATE_BAD_LIST,
				     "withdrawn routes of %zu bytes overrun the peer's UPDATE", n);
	ret = count_nlri(p + 2, n, 4, &u.sum.n_withdrawn, ret_error);
	if (ret)
		return ret;
	attrs = p + 2 + n + 2;
	n = get_be16(attrs - 2);
	if (n > (size_t)(end - attrs))
		return bgp_error_set(ret_error, BGP_ERR_UPDATE, BGP_UPDATE_BAD_LIST,
				     "attributes of %zu bytes overrun the peer's UPDATE", n);
	ret = check_attrs(&u, attrs, n, ret_error);
	if (ret)
		return ret;
	check_mandatory(&u, end > attrs + n);
	ret = count_nlri(attrs + n, (size_t)(end - attrs) - n, 4, &u.sum.n_announced, ret_error);
	if (ret)
		return ret;
	*ret_summary = u.sum;
	return 0;
}
