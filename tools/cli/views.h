/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CLI_VIEWS_H
#define FAIRWAY_CLI_VIEWS_H

#include "tools/cli/display.h"

/* How people see each document of docs/api.md. */
extern const struct view view_status, view_vip_list, view_vip_show, view_pool_list, view_pool_show,
	view_real_list, view_bgp_show, view_counters, view_explain, view_change, view_config_check,
	view_config_diff, view_config_save, view_config_show, view_journal, view_doctor;

/* What an error of the API carries besides its message: findings, a plan. */
extern const struct view view_error_data;

/* All of them, for tests; NULL-terminated. */
extern const struct view *const views_all[];

#endif
