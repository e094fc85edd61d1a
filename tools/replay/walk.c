/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/walk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/replay/progress.h"
#include "tools/replay/stop.h"

/* Standard output shows the answer, on the terminal where progress would be shown. */
static bool answer_on_terminal(const struct replay_options *o)
{
	bool answers = o->has_explain || o->compare[0] || (o->out && strcmp(o->out, "-") == 0) ||
		       (o->verdicts && strcmp(o->verdicts, "-") == 0);

	return answers && isatty(STDOUT_FILENO);
}

static int walk_packet(const struct walk *walk, const struct capture_packet *packet,
		       struct walk_report *report, struct err *err)
{
	int ret = walk->packet(walk->arg, packet, err);

	if (ret < 0)
		return ret;
	report->n_packets++;
	report->n_matched += packet->matches;
	report->n_cut += packet->matches && packet->len < packet->wire_len;
	return ret;
}

int walk_capture(struct capture_in *in, const struct walk *walk, const struct replay_options *o,
		 struct walk_report *ret_report, struct err *err)
{
	struct progress_state state = {0};
	struct capture_packet packet;
	struct progress progress;
	int ret = 0;

	memset(ret_report, 0, sizeof(*ret_report));
	progress_init(&progress, stderr, o->progress, answer_on_terminal(o));
	stop_install();
	while (ret == 0 && (ret = capture_in_next(in, &packet, err)) == 1) {
		ret = walk_packet(walk, &packet, ret_report, err);
		state.packets = ret_report->n_packets;
		capture_in_position(in, &state.bytes, &state.bytes_in_all);
		progress_step(&progress, &state);
	}
	progress_end(&progress, &state);
	if (ret == -EINTR)
		ret_report->stopped = stop_requested();
	return ret < 0 ? ret : 0;
}
