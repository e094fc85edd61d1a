/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/daemon_page.h"

#include <stdarg.h>

#include "controlplane/methods.h"
#include "controlplane/metrics/text.h"

static const char head[] =
	"<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width\">"
	"<meta http-equiv=\"refresh\" content=\"5\"><title>Fairway</title><style>"
	"body{font:15px/1.4 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
	"table{border-collapse:collapse;width:100%;margin-bottom:1.5em}"
	"th,td{text-align:left;padding:.25em .6em;border-bottom:1px solid #ddd;vertical-align:top}"
	"td.n{text-align:right;font-variant-numeric:tabular-nums}"
	".good{color:#176f2c}.bad{color:#a4161a;font-weight:600}.warn{background:#fff3cd;"
	"padding:.4em .8em;margin:.3em 0}"
	"@media(prefers-color-scheme:dark){body{background:#16181a;color:#ddd}"
	"th,td{border-color:#333}.warn{background:#4d3d0c}.good{color:#6fcf84}.bad{color:#ff7b7b}}"
	"</style></head><body>";

static void cell(FILE *out, const char *class, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void cell(FILE *out, const char *class, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(out, "<td class=\"%s\">", class);
	metrics_html(out, text);
	fputs("</td>", out);
}

static void put_warnings(struct daemon *d, FILE *out)
{
	json_t *list = doc_warnings(d), *w;
	size_t i;

	json_array_foreach(list, i, w)
	{
		fputs("<div class=\"warn\">", out);
		metrics_html(out, json_string_value(json_object_get(w, "text")));
		fputs("</div>", out);
	}
	json_decref(list);
}

static void put_vips(struct daemon *d, FILE *out)
{
	fputs("<h2>VIPs</h2><table><tr><th>VIP<th>address<th>announced<th>why</tr>", out);
	for (size_t i = 0; i < d->cfg->n_vips; i++) {
		const struct config_vip *vip = &d->cfg->vips[i];
		const struct vip_entry *v = daemon_find_vip(d, vip->name);
		bool on = vip_state_announced(&d->loaded, &vip->address);
		char buf[ADDR_STRLEN];

		fputs("<tr>", out);
		cell(out, "", "%s", vip->name);
		cell(out, "", "%s", prefix_format_short(&vip->address, buf));
		cell(out, on ? "good" : "bad", "%s", on ? "yes" : "no");
		cell(out, "", "%s", v ? v->reason : "");
		fputs("</tr>", out);
	}
	fputs("</table>", out);
}

static void put_reals(struct daemon *d, FILE *out)
{
	fputs("<h2>Reals</h2><table><tr><th>pool<th>real<th>state<th>last check<th>share"
	      "<th>packets</tr>",
	      out);
	for (size_t p = 0; p < d->desired.n_pools; p++) {
		const struct vip_pool_report *pool = &d->desired.pools[p];

		for (size_t r = 0; r < pool->pool->n_reals; r++) {
			const struct vip_real_report *real = &pool->reals[r];
			const struct addr *addr = &real->real->address;
			const struct real_entry *e = daemon_find_real(d, pool->pool->name, addr);
			struct health_snapshot s = {.last_result = ""};
			struct publish_count c = {0};
			uint32_t slots = 0, ring = 0;
			char buf[ADDR_STRLEN];

			if (e && e->target)
				health_target_snapshot(e->target, &s);
			if (publish_count_real(d->publish, pool->pool->name, addr, &c) < 0)
				c.packets = 0;
			if (publish_pool_slots(d->publish, pool->pool->name, addr, &slots, &ring) <
			    0)
				slots = 0;
			fputs("<tr>", out);
			cell(out, "", "%s", pool->pool->name);
			cell(out, "", "%s", addr_format(addr, buf));
			cell(out, real->state == VIP_REAL_UP ? "good" : "bad", "%s",
			     vip_real_state_name(real->state));
			cell(out, "", "%s", s.last_result);
			cell(out, "n", "%.1f %%", ring ? 100.0 * slots / ring : 0.0);
			cell(out, "n", "%llu", (unsigned long long)c.packets);
			fputs("</tr>", out);
		}
	}
	fputs("</table>", out);
}

static void put_peers(struct daemon *d, FILE *out)
{
	struct bgp_peer_snapshot s;

	if (!d->cfg->has_bgp)
		return;
	fputs("<h2>BGP</h2><table><tr><th>neighbour<th>AS<th>state<th>prefixes<th>last error</tr>",
	      out);
	for (size_t i = 0; bgp_peer_snapshot(d->bgp, i, &s) == 0; i++) {
		char buf[ADDR_STRLEN];

		fputs("<tr>", out);
		cell(out, "", "%s", addr_format(&s.address, buf));
		cell(out, "", "%u", s.asn);
		cell(out, s.state == BGP_STATE_ESTABLISHED ? "good" : "bad", "%s",
		     bgp_state_name(s.state));
		cell(out, "n", "%u", s.prefixes_announced);
		cell(out, "", "%s", s.last_error);
		fputs("</tr>", out);
	}
	fputs("</table>", out);
}

static void put_reasons(struct daemon *d, FILE *out)
{
	fputs("<h2>Packets</h2><table><tr><th>verdict<th>reason<th>packets<th>meaning</tr>", out);
	for (int r = 0; r < LB_REASON_COUNT; r++) {
		enum lb_reason reason = (enum lb_reason)r;
		struct publish_count c;

		publish_count_reason(d->publish, reason, &c);
		if (c.packets == 0)
			continue;
		fputs("<tr>", out);
		cell(out, "", "%s", publish_verdict_name(publish_reason_verdict(reason)));
		cell(out, "", "%s", publish_reason_name(reason));
		cell(out, "n", "%llu", (unsigned long long)c.packets);
		cell(out, "", "%s", publish_reason_help(reason));
		fputs("</tr>", out);
	}
	fputs("</table>", out);
}

void daemon_page_write(struct daemon *d, FILE *out)
{
	fputs(head, out);
	fputs("<h1>", out);
	metrics_html(out, d->cfg->node.name);
	fprintf(out, "</h1><p>Fairway %s, engine %s</p>", FAIRWAY_VERSION,
		config_engine_name(d->cfg->node.engine));
	put_warnings(d, out);
	put_vips(d, out);
	put_reals(d, out);
	put_peers(d, out);
	daemon_engine_page(d, out);
	put_reasons(d, out);
	fputs("<p><a href=\"/metrics\">metrics</a> <a href=\"/healthz\">health</a></p></body></html>"
	      "\n",
	      out);
}
