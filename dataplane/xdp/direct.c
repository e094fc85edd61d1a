/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables at constant addresses.
 *
 * The kernel lets a program name the memory of an array map of one element by a constant, with no
 * lookup at all. libbpf arranges that for data sections only, whose size is fixed when the program
 * is compiled. So the program names an empty section for each such table (".data.NAME" for the map
 * NAME), and just before it is loaded the reference is turned to the table itself. In the same way
 * what the program takes from ".data.constants" becomes part of its instructions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "dataplane/xdp/internal.h"

#include "bpf/balancer.h"
/* Needs the above. */
#include "bpf/balancer.skel.h"

/* The section of the object's programs, which libbpf knows by the handler below only. */
#define DIRECT_SECTION "xdp.tables"

static const struct {
	const char *section, *table;
} direct[] = {
	{".data.vips", "lb_vips"},         {".data.services", "lb_services"},
	{".data.reals", "lb_reals"},       {".data.denied", "lb_denied"},
	{".data.limits", "lb_limits"},     {".data.slots", "lb_slots"},
	{".data.counters", "lb_counters"},
};

#define CONSTANTS_SECTION ".data.constants"

/* libbpf's handlers are the process's, and it doesn't tell them the object. */
static _Thread_local const struct bpf_object *loading;

/* The map of constants, by the end of its name, which begins with the object's. */
static const void *constants(size_t *ret_bytes)
{
	static const char suffix[] = ".rodata";
	const struct bpf_map *map;

	bpf_object__for_each_map(map, loading)
	{
		const char *name = bpf_map__name(map);
		size_t n = strlen(name);

		if (n >= sizeof(suffix) - 1 && strcmp(name + n - (sizeof(suffix) - 1), suffix) == 0)
			return bpf_map__initial_value((struct bpf_map *)map, ret_bytes);
	}
	return NULL;
}

/* Make the place of a constant the constant. */
static int set_constant(struct bpf_insn insn[2])
{
	size_t bytes = 0, at = (size_t)insn[1].imm;
	const uint8_t *values = constants(&bytes);
	uint32_t value;

	if (!values || at + sizeof(value) > bytes)
		return -ENOENT;
	memcpy(&value, values + at, sizeof(value));
	insn[0].src_reg = 0;
	insn[0].imm = (__s32)value;
	insn[1].imm = 0;
	return 0;
}

/* The table that a section's map stands for, when it is one element; else fd itself. */
static int table_fd(int fd)
{
	for (size_t i = 0; i < sizeof(direct) / sizeof(*direct); i++) {
		const struct bpf_map *table;

		if (bpf_object__find_map_fd_by_name(loading, direct[i].section) != fd)
			continue;
		table = bpf_object__find_map_by_name(loading, direct[i].table);
		if (!table)
			return -ENOENT;
		return bpf_map__max_entries(table) == 1 ? bpf_map__fd(table) : fd;
	}
	return fd;
}

static int prepare_insn(struct bpf_insn *insn)
{
	if (insn->code != (BPF_LD | BPF_IMM | BPF_DW) || insn->src_reg != BPF_PSEUDO_MAP_VALUE)
		return 0;
	if (bpf_object__find_map_fd_by_name(loading, CONSTANTS_SECTION) == insn->imm)
		return set_constant(insn);
	insn->imm = table_fd(insn->imm);
	return insn->imm < 0 ? insn->imm : 0;
}

/* Called by libbpf when maps exist and the program refers to them, before it is loaded. */
static int prepare_load(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	size_t n = bpf_program__insn_cnt(prog);
	AUTO_FREE struct bpf_insn *insns = calloc(n, sizeof(*insns));

	(void)opts;
	(void)cookie;
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(prog), n * sizeof(*insns));
	for (size_t i = 0; i < n; i++) {
		int rc = prepare_insn(&insns[i]);

		if (rc)
			return rc;
	}
	return bpf_program__set_insns(prog, insns, n);
}

int xdp_direct_init(struct err *err)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = prepare_load);
	static int handler = -1;

	/* Once for good: libbpf 1.1 frees its list twice when the last handler goes. */
	if (handler < 0)
		handler = libbpf_register_prog_handler(DIRECT_SECTION, BPF_PROG_TYPE_XDP, BPF_XDP,
						       &opts);
	if (handler < 0)
		return err_set(err, handler, "prepare the XDP program: %s", strerror(-handler));
	return 0;
}

int xdp_direct_load(struct balancer_bpf *skel)
{
	int rc;

	loading = skel->obj;
	rc = balancer_bpf__load(skel);
	loading = NULL;
	return rc;
}

int xdp_direct_load_object(struct bpf_object *obj)
{
	int rc;

	loading = obj;
	rc = bpf_object__load(obj);
	loading = NULL;
	return rc;
}

int xdp_direct_load_by(struct balancer_bpf *skel,
		       int (*loader)(void *arg, struct bpf_object *obj, struct err *err), void *arg,
		       struct err *err)
{
	int rc;

	loading = skel->obj;
	rc = loader(arg, skel->obj, err);
	loading = NULL;
	return rc;
}
