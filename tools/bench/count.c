/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench/count.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/utsname.h>

#include "controlplane/base/cleanup.h"
#include "tools/bench/frames.h"
#include "tools/bench/object.h"
#include "tools/bench/vm.h"

/* What the compiler of the BPF programs calls itself; figures hold for one. */
#ifndef BENCH_BPF_COMPILER
#error "meson.build defines BENCH_BPF_COMPILER"
#endif

struct subject {
	struct bench_object *object;
	struct vm *vm;
};

/* Means over a kind's flows. */
struct tally {
	uint32_t action;
	uint64_t instructions, calls;
	uint64_t calls_of[VM_HELPERS];
	uint32_t flows;
};

static const char *const action_names[] = {
	[XDP_ABORTED] = "aborted", [XDP_DROP] = "drop",         [XDP_PASS] = "pass",
	[XDP_TX] = "tx",           [XDP_REDIRECT] = "redirect",
};

static const char *action_name(uint32_t action)
{
	return action < ARRAY_SIZE(action_names) ? action_names[action] : "unknown";
}

/* The same frame through the kernel: the counting machine must have come to the same end. */
static int check_against_kernel(const struct subject *subject, const struct frame *frame,
				const struct vm_outcome *outcome, struct err *err)
{
	uint8_t out[FRAME_MAX + 256];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes,
		    .data_size_in = (__u32)frame->len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);

	if (bpf_prog_test_run_opts(bench_object_fd(subject->object), &opts))
		return err_set(err, -errno, "run the packet in the kernel: %s", strerror(errno));
	if (opts.retval != outcome->action)
		return err_set(err, -EPROTO, "the kernel says %s, the counting machine %s",
			       action_name(opts.retval), action_name(outcome->action));
	if (opts.data_size_out != outcome->len || memcmp(out, outcome->frame, outcome->len) != 0)
		return err_set(err, -EPROTO,
			       "the kernel leaves another frame (%u bytes) than the counting "
			       "machine (%zu bytes)",
			       opts.data_size_out, outcome->len);
	return 0;
}

static void add(struct tally *tally, const struct vm_outcome *outcome)
{
	tally->action = outcome->action;
	tally->instructions += outcome->instructions;
	tally->calls += outcome->calls;
	for (int i = 0; i < VM_HELPERS; i++)
		tally->calls_of[i] += outcome->calls_of[i];
	tally->flows++;
}

/* A packet is seen three times: counted, by the kernel, and counted again. */
static int count_flow(const struct subject *subject, const struct frame_case *c, uint32_t flow,
		      struct tally *tally, struct err *err)
{
	struct vm_outcome first, again, before;
	struct frame frame;
	int ret;

	if (c->before) {
		c->before(&frame, flow);
		ret = vm_run(subject->vm, frame.bytes, frame.len, &before, err);
		if (ret < 0)
			return ret;
	}
	c->build(&frame, flow);
	ret = vm_run(subject->vm, frame.bytes, frame.len, &first, err);
	if (ret == 0)
		ret = check_against_kernel(subject, &frame, &first, err);
	if (ret == 0)
		ret = vm_run(subject->vm, frame.bytes, frame.len, &again, err);
	if (ret == 0)
		ret = check_against_kernel(subject, &frame, &again, err);
	if (ret == 0)
		add(tally, c->first ? &first : &again);
	return ret;
}

static int count_case(const struct subject *subject, const struct frame_case *c,
		      struct tally *ret_tally, struct err *err)
{
	struct tally tally = {0};

	for (uint32_t flow = 0; flow < c->flows; flow++) {
		int ret = count_flow(subject, c, flow, &tally, err);

		if (ret < 0)
			return err_prefix(err, ret, "%s, flow %u", c->name, flow);
	}
	*ret_tally = tally;
	return 0;
}

static const char *helper_name(int helper)
{
#define HELPER_NAME(name) [BPF_FUNC_##name] = #name
	static const char *const names[] = {__BPF_FUNC_MAPPER(HELPER_NAME)};
#undef HELPER_NAME

	return (size_t)helper < ARRAY_SIZE(names) && names[helper] ? names[helper] : "unknown";
}

static json_t *helpers_json(const struct tally *tally)
{
	json_t *helpers = json_object();

	for (int i = 0; i < VM_HELPERS; i++)
		if (tally->calls_of[i])
			json_object_set_new(helpers, helper_name(i),
					    json_real((double)tally->calls_of[i] / tally->flows));
	return helpers;
}

static json_t *case_json(const struct frame_case *c, const struct tally *tally)
{
	return json_pack("{s:s, s:s, s:f, s:f, s:o}", "help", c->help, "action",
			 action_name(tally->action), "instructions",
			 (double)tally->instructions / tally->flows, "calls",
			 (double)tally->calls / tally->flows, "helpers", helpers_json(tally));
}

/* What the program is as a whole, by the kernel. */
static int program_json(const struct bench_object *object, json_t **ret_json, struct err *err)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);
	size_t n;

	if (bpf_obj_get_info_by_fd(bench_object_fd(object), &info, &len))
		return err_set(err, -errno, "ask the kernel about the program: %s",
			       strerror(errno));
	bench_object_insns(object, &n);
	*ret_json = json_pack("{s:I, s:I, s:I, s:I, s:I}", "instructions", (json_int_t)n,
			      "stack_bytes", (json_int_t)bench_object_stack_bytes(object),
			      "verified_instructions", (json_int_t)info.verified_insns,
			      "translated_instructions", (json_int_t)info.xlated_prog_len / 8,
			      "machine_code_bytes", (json_int_t)info.jited_prog_len);
	return 0;
}

static int cases_json(const struct subject *subject, json_t **ret_json, struct err *err)
{
	json_t *cases = json_object();

	for (const struct frame_case *c = frame_cases; c->name; c++) {
		struct tally tally = {0};
		int ret = count_case(subject, c, &tally, err);

		if (ret < 0) {
			json_decref(cases);
			return ret;
		}
		json_object_set_new(cases, c->name, case_json(c, &tally));
	}
	*ret_json = cases;
	return 0;
}

static void print_table(const json_t *root, FILE *out)
{
	const json_t *cases = json_object_get(root, "cases");
	json_t *value;
	const char *key;

	fprintf(out, "%-20s  %-8s  %12s  %5s  %s\n", "packet", "action", "instructions", "calls",
		"what");
	json_object_foreach((json_t *)cases, key, value)
		fprintf(out, "%-20s  %-8s  %12.1f  %5.1f  %s\n", key,
			json_string_value(json_object_get(value, "action")),
			json_real_value(json_object_get(value, "instructions")),
			json_real_value(json_object_get(value, "calls")),
			json_string_value(json_object_get(value, "help")));
	fputc('\n', out);
	json_object_foreach(json_object_get(root, "program"), key, value)
		fprintf(out, "%-24s  %lld\n", key, (long long)json_integer_value(value));
}

static int write_report(json_t *root, bool json, FILE *out, struct err *err)
{
	if (json && json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(8)) < 0)
		return err_set(err, -EIO, "standard output: can't write");
	if (json)
		fputc('\n', out);
	else
		print_table(root, out);
	return fflush(out) == EOF ? err_set(err, -EIO, "standard output: can't write") : 0;
}

static int count(const struct subject *subject, bool json, FILE *out, struct err *err)
{
	json_t *program = NULL, *cases = NULL, *root;
	struct utsname host;
	int ret = program_json(subject->object, &program, err);

	if (ret < 0)
		return ret;
	ret = cases_json(subject, &cases, err);
	if (ret < 0) {
		json_decref(program);
		return ret;
	}
	uname(&host);
	root = json_pack("{s:i, s:s, s:s, s:o, s:o}", "schema_version", 1, "compiler",
			 BENCH_BPF_COMPILER, "kernel", host.release, "program", program, "cases",
			 cases);
	if (!root)
		return err_set(err, -ENOMEM, "out of memory");
	ret = write_report(root, json, out, err);
	json_decref(root);
	return ret;
}

static void subject_fini(struct subject *subject)
{
	vm_free(subject->vm);
	bench_object_free(subject->object);
}

static int subject_init(struct subject *subject, const char *path, struct xdp_engine *engine,
			struct err *err)
{
	AUTO_CLOSE int like = bpf_prog_get_fd_by_id(xdp_engine_program_id(engine));
	const struct bpf_insn *insns;
	size_t n;
	int ret;

	if (like < 0)
		return err_set(err, -errno, "find the engine's program: %s", strerror(errno));
	ret = bench_object_new(path, like, &subject->object, err);
	if (ret < 0)
		return ret;
	insns = bench_object_insns(subject->object, &n);
	return vm_new(insns, n, &subject->vm, err);
}

int count_object(const char *path, struct xdp_engine *engine, bool json, FILE *out, struct err *err)
{
	CLEANUP(subject_fini) struct subject subject = {0};
	int ret = subject_init(&subject, path, engine, err);

	return ret < 0 ? ret : count(&subject, json, out, err);
}

static int print_trace(const struct subject *subject, const uint32_t *places, size_t n, FILE *out,
		       struct err *err)
{
	json_t *codes = json_array(), *path = json_array(), *root;
	const struct bpf_insn *insns;
	size_t n_insns;
	int ret = 0;

	insns = bench_object_insns(subject->object, &n_insns);
	for (size_t i = 0; i < n_insns; i++)
		json_array_append_new(codes, json_integer(insns[i].code));
	for (size_t i = 0; i < n; i++)
		json_array_append_new(path, json_integer(places[i]));
	root = json_pack("{s:i, s:o, s:o}", "schema_version", 1, "codes", codes, "path", path);
	if (!root)
		return err_set(err, -ENOMEM, "out of memory");
	if (json_dumpf(root, out, JSON_COMPACT) < 0 || fputc('\n', out) == EOF ||
	    fflush(out) == EOF)
		ret = err_set(err, -EIO, "standard output: can't write");
	json_decref(root);
	return ret;
}

/* The second packet of a flow that has been counted: the way is that of the figures. */
static int trace_case(const struct subject *subject, const struct frame_case *c, FILE *out,
		      struct err *err)
{
	static uint32_t places[1U << 16];
	struct tally tally = {0};
	struct vm_outcome outcome;
	struct frame frame;
	int ret = c->first ? 0 : count_flow(subject, c, 0, &tally, err);

	if (ret < 0)
		return ret;
	c->build(&frame, 0);
	vm_trace(subject->vm, places, ARRAY_SIZE(places));
	ret = vm_run(subject->vm, frame.bytes, frame.len, &outcome, err);
	return ret < 0 ? ret
		       : print_trace(subject, places, vm_trace(subject->vm, NULL, 0), out, err);
}

int count_trace(const char *path, const char *kind, struct xdp_engine *engine, FILE *out,
		struct err *err)
{
	CLEANUP(subject_fini) struct subject subject = {0};
	const struct frame_case *c = frame_cases;
	int ret = subject_init(&subject, path, engine, err);

	if (ret < 0)
		return ret;
	while (c->name && strcmp(c->name, kind) != 0)
		c++;
	if (!c->name)
		return err_set(err, -ENOENT,
			       "--trace: no kind of packet is called '%s'; --count lists them",
			       kind);
	return trace_case(&subject, c, out, err);
}
