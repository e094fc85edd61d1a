/* SPDX-License-Identifier: BSD-2-Clause */

/* NOTIFICATION codes in words: what each is called (RFC 4271 4.5, 4486, 6608, 7313, 9384, 9687)
 * and what an operator does when the peer sends it. */

#include "controlplane/bgp/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/base/cleanup.h"

struct error_words {
	uint8_t code;
	uint8_t subcode;
	const char *name;
	const char *advice; /* When the peer sent it; NULL: the name says it all. */
};

static const char *const code_names[] = {
	[BGP_ERR_HEADER] = "message header error",
	[BGP_ERR_OPEN] = "OPEN message error",
	[BGP_ERR_UPDATE] = "UPDATE message error",
	[BGP_ERR_HOLD_TIMER] = "hold timer expired",
	[BGP_ERR_FSM] = "finite state machine error",
	[BGP_ERR_CEASE] = "Cease",
	[BGP_ERR_ROUTE_REFRESH] = "ROUTE-REFRESH message error",
	[BGP_ERR_SEND_HOLD_TIMER] = "send hold timer expired",
};

#define REPORT_BUG "this is a fault in one of the two speakers: capture the session and report it"

static const struct error_words words[] = {
	{BGP_ERR_HEADER, 1, "connection not synchronized", REPORT_BUG},
	{BGP_ERR_HEADER, 2, "bad message length", REPORT_BUG},
	{BGP_ERR_HEADER, 3, "bad message type", REPORT_BUG},
	{BGP_ERR_OPEN, 1, "unsupported version number", "the peer doesn't speak BGP-4"},
	{BGP_ERR_OPEN, 2, "bad peer AS",
	 "the peer expects another AS number from us: compare bgp.asn here with the peer's entry for "
	 "this node"},
	{BGP_ERR_OPEN, 3, "bad BGP identifier",
	 "another speaker, or the peer itself, has our router id: give each node its own "
	 "bgp.router_id"},
	{BGP_ERR_OPEN, 4, "unsupported optional parameter",
	 "the peer doesn't know capabilities (RFC 5492), which are needed: upgrade it"},
	{BGP_ERR_OPEN, 5, "authentication failure", "compare the passwords on both sides"},
	{BGP_ERR_OPEN, 6, "unacceptable hold time",
	 "the peer demands a longer hold time: raise this neighbour's hold_time, or lower the peer's "
	 "minimum"},
	{BGP_ERR_OPEN, 7, "unsupported capability",
	 "the peer requires a capability that this speaker doesn't offer (docs/bgp.md lists them): "
	 "make it optional on the peer"},
	{BGP_ERR_OPEN, 11, "role mismatch", "turn off BGP roles (RFC 9234) for us on the peer"},
	{BGP_ERR_UPDATE, 1, "malformed attribute list", REPORT_BUG},
	{BGP_ERR_UPDATE, 2, "unrecognized well-known attribute", REPORT_BUG},
	{BGP_ERR_UPDATE, 3, "missing well-known attribute", REPORT_BUG},
	{BGP_ERR_UPDATE, 4, "attribute flags error", REPORT_BUG},
	{BGP_ERR_UPDATE, 5, "attribute length error", REPORT_BUG},
	{BGP_ERR_UPDATE, 6, "invalid ORIGIN attribute", REPORT_BUG},
	{BGP_ERR_UPDATE, 8, "invalid NEXT_HOP attribute",
	 "the next hop we announce isn't reachable for the peer: set this neighbour's next hop to an "
	 "address on the link between the two"},
	{BGP_ERR_UPDATE, 9, "optional attribute error", REPORT_BUG},
	{BGP_ERR_UPDATE, 10, "invalid network field", REPORT_BUG},
	{BGP_ERR_UPDATE, 11, "malformed AS_PATH",
	 "the AS path doesn't suit the peer: compare bgp.asn here with the peer's entry for this "
	 "node"},
	{BGP_ERR_HOLD_TIMER, 0, "hold timer expired",
	 "our messages didn't reach the peer in time: look for packet loss, a filter or an overloaded "
	 "host between the two"},
	{BGP_ERR_FSM, 0, "unspecified", REPORT_BUG},
	{BGP_ERR_FSM, 1, "unexpected message in OpenSent", REPORT_BUG},
	{BGP_ERR_FSM, 2, "unexpected message in OpenConfirm", REPORT_BUG},
	{BGP_ERR_FSM, 3, "unexpected message in Established", REPORT_BUG},
	{BGP_ERR_CEASE, 1, "maximum number of prefixes reached",
	 "raise the peer's prefix limit for this node, or announce fewer VIPs; the peer may need to "
	 "clear the session by hand"},
	{BGP_ERR_CEASE, 2, "administrative shutdown",
	 "an operator of the peer shut the session down and must bring it up again"},
	{BGP_ERR_CEASE, 3, "peer de-configured",
	 "the peer removed this node from its configuration"},
	{BGP_ERR_CEASE, 4, "administrative reset", "the session comes back by itself"},
	{BGP_ERR_CEASE, 5, "connection rejected",
	 "the peer doesn't want this session: see whether it knows our address and isn't shut down"},
	{BGP_ERR_CEASE, 6, "other configuration change", "the session comes back by itself"},
	{BGP_ERR_CEASE, 7, "connection collision resolution", "the other connection goes on"},
	{BGP_ERR_CEASE, 8, "out of resources", "the peer lacks memory: see its log"},
	{BGP_ERR_CEASE, 9, "hard reset", "an operator of the peer cleared the session"},
	{BGP_ERR_CEASE, 10, "BFD down",
	 "the peer's BFD session with this node failed: look at the link, or turn off BFD for us on "
	 "the peer (this speaker has none)"},
	{BGP_ERR_ROUTE_REFRESH, 1, "invalid message length", REPORT_BUG},
	{BGP_ERR_SEND_HOLD_TIMER, 0, "send hold timer expired",
	 "the peer couldn't get rid of its messages to us for minutes: look for packet loss or an "
	 "overloaded host"},
};

static const struct error_words *find_words(const struct bgp_error *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (words[i].code == e->code && words[i].subcode == e->subcode)
			return &words[i];
	}
	return NULL;
}

int bgp_error_set(struct bgp_error *e, uint8_t code, uint8_t subcode, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	e->subcode = subcode;
	e->data_len = 0;
	va_start(ap, fmt);
	vsnprintf(e->detail, sizeof(e->detail), fmt, ap);
	va_end(ap);
	return -EPROTO;
}

void bgp_error_add_data(struct bgp_error *e, const void *data, size_t len)
{
	size_t room = sizeof(e->data) - e->data_len;

	if (len > room)
		len = room;
	if (len)
		memcpy(e->data + e->data_len, data, len);
	e->data_len = (uint16_t)(e->data_len + len);
}

const char *bgp_error_name(const struct bgp_error *e, char *buf, size_t len)
{
	const struct error_words *w = find_words(e);
	const char *code = e->code < ARRAY_SIZE(code_names) ? code_names[e->code] : NULL;

	if (!code)
		snprintf(buf, len, "unknown error (%u/%u)", e->code, e->subcode);
	else if (w && strcmp(w->name, code) != 0)
		snprintf(buf, len, "%s / %s (%u/%u)", code, w->name, e->code, e->subcode);
	else
		snprintf(buf, len, "%s (%u/%u)", code, e->code, e->subcode);
	return buf;
}

const char *bgp_error_text(const struct bgp_error *e, bool sent_by_us, char *buf, size_t len)
{
	const struct error_words *w = find_words(e);
	const char *advice = !sent_by_us && w ? w->advice : NULL;
	char name[128];

	bgp_error_name(e, name, sizeof(name));
	snprintf(buf, len, "%s: %s%s%s%s%s",
		 sent_by_us ? "we ended the session" : "the peer ended it", name,
		 e->detail[0] ? ": " : "", e->detail, advice ? "; " : "", advice ? advice : "");
	return buf;
}
