/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/progress.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/base/clock.h"

/* The clock is looked at after so many packets, a power of two. */
#define LOOK_PACKETS 64U
#define FIRST_NS     NS_PER_S
#define TERMINAL_NS  (NS_PER_S / 5)
#define LINES_NS     NS_PER_S

void progress_init(struct progress *p, FILE *out, bool asked, bool hushed)
{
	bool terminal = isatty(fileno(out)) == 1;

	memset(p, 0, sizeof(*p));
	p->terminal = terminal;
	p->asked = asked;
	p->out = asked || (terminal && !hushed) ? out : NULL;
	if (p->out)
		p->start_ns = p->shown_ns = clock_now_ns();
}

static void show(const struct progress *p, const struct progress_state *state, uint64_t now_ns)
{
	double s = (double)(now_ns - p->start_ns) / NS_PER_S;

	fprintf(p->out, "%sfairway-replay: %" PRIu64 " packets", p->terminal ? "\r" : "",
		state->packets);
	if (s > 0)
		fprintf(p->out, ", %.0f per second", (double)state->packets / s);
	if (state->bytes_in_all)
		fprintf(p->out, ", %" PRIu64 " %% of the capture",
			state->bytes >= state->bytes_in_all
				? 100
				: state->bytes * 100 / state->bytes_in_all);
	fputs(p->terminal ? "\033[K" : "\n", p->out);
	fflush(p->out);
}

void progress_step(struct progress *p, const struct progress_state *state)
{
	uint64_t now_ns, pause_ns = p->terminal ? TERMINAL_NS : LINES_NS;

	if (!p->out || state->packets % LOOK_PACKETS)
		return;
	now_ns = clock_now_ns();
	if (now_ns - p->shown_ns < (p->shown ? pause_ns : FIRST_NS))
		return;
	show(p, state, now_ns);
	p->shown_ns = now_ns;
	p->shown = true;
}

void progress_end(struct progress *p, const struct progress_state *state)
{
	if (!p->out)
		return;
	if (p->asked)
		show(p, state, clock_now_ns());
	if (p->terminal && (p->asked || p->shown))
		fputs(p->asked ? "\n" : "\r\033[K", p->out);
	fflush(p->out);
}
