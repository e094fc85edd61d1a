/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/real/program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/decap.skel.h"
#include "controlplane/base/cleanup.h"

/* The handle within the priority: other bpf filters may share the priority, not the handle. */
#define FILTER_HANDLE 0xfa1

#define VERIFIER_LOG_BYTES (1 << 20)

struct program {
	struct decap_bpf *skel;
};

static const char *const role_names[] = {
	[PROGRAM_DECAP] = DECAP_PROG_DECAP,
	[PROGRAM_CLAMP] = DECAP_PROG_CLAMP,
	[PROGRAM_GUARD] = DECAP_PROG_GUARD,
};

const char *program_role_name(enum program_role role)
{
	return role_names[role];
}

static struct decap_addr key_of(const struct addr *a)
{
	struct decap_addr key = {{0, 0, htobe32(0xffff), 0}};

	if (a->family == 4)
		memcpy(&key.words[3], a->bytes, 4);
	else
		memcpy(key.words, a->bytes, 16);
	return key;
}

static int fill_set(int fd, const struct addr_set *set, unsigned room, const char *what,
		    struct err *e)
{
	for (size_t i = 0; i < set->n; i++) {
		struct decap_addr key = key_of(&set->items[i]);
		uint32_t one = 1;
		int ret = bpf_map_update_elem(fd, &key, &one, BPF_ANY);

		if (ret == -E2BIG)
			return err_set(e, ret, "too many %s: %zu, there is room for %u", what,
				       set->n, room);
		if (ret)
			return err_set(e, ret, "can't fill the BPF map of %s: %s", what,
				       strerror(-ret));
	}
	return 0;
}

static int fill(const struct decap_bpf *skel, const struct program_tables *t, struct err *e)
{
	uint32_t zero = 0;
	int ret = fill_set(bpf_map__fd(skel->maps.vips), t->vips, DECAP_MAX_VIPS, "VIPs", e);

	if (!ret)
		ret = fill_set(bpf_map__fd(skel->maps.outers), t->outers, DECAP_MAX_OUTERS,
			       "outer addresses", e);
	if (ret)
		return ret;
	ret = bpf_map_update_elem(bpf_map__fd(skel->maps.settings), &zero, &t->settings, BPF_ANY);
	if (ret)
		return err_set(e, ret, "can't fill the BPF map of settings: %s", strerror(-ret));
	return 0;
}

/* The last words of libbpf: they name the missing helper or map type where errno is mute. */
static char libbpf_said[256];

static int on_libbpf_message(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_WARN)
		vsnprintf(libbpf_said, sizeof(libbpf_said), fmt, args);
	libbpf_said[strcspn(libbpf_said, "\n")] = '\0';
	return 0;
}

static int refused(int code, const char *log, const char *dir, struct err *e)
{
	char path[512], kept[600] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/verifier.log", dir);
	f = log[0] ? fopen(path, "we") : NULL;
	if (f) {
		bool written = fputs(log, f) >= 0;

		if (fclose(f) == 0 && written)
			snprintf(kept, sizeof(kept), "; the verifier's log is in %s", path);
	}
	if (code == -EPERM)
		return err_set(e, code,
			       "the kernel does not let this process load BPF programs: it needs "
			       "CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN)");
	return err_set(e, code,
		       "the kernel refused the BPF program: %s (%s); Linux 6.1 or later is "
		       "needed%s",
		       strerror(-code), libbpf_said, kept);
}

int program_load(const struct program_tables *tables, int counters_fd, const char *dir,
		 struct program **ret_program, struct err *e)
{
	AUTO_FREE char *log = calloc(1, VERIFIER_LOG_BYTES);
	struct program *p = calloc(1, sizeof(*p));
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	int ret;

	if (!log || !p) {
		free(p);
		return err_set(e, -ENOMEM, "out of memory");
	}
	libbpf_set_print(on_libbpf_message);
	opts.kernel_log_buf = log;
	opts.kernel_log_size = VERIFIER_LOG_BYTES;
	p->skel = decap_bpf__open_opts(&opts);
	if (!p->skel) {
		ret = err_set(e, -errno, "the BPF program built into this file is broken: %s",
			      strerror(errno));
		goto fail;
	}
	/* Counters of another layout start anew; then the map isn't taken over. */
	if (counters_fd >= 0)
		(void)bpf_map__reuse_fd(p->skel->maps.counters, counters_fd);
	ret = decap_bpf__load(p->skel);
	if (ret)
		ret = refused(ret, log, dir, e);
	else
		ret = fill(p->skel, tables, e);
	if (ret)
		goto fail;
	*ret_program = p;
	return 0;
fail:
	program_free(p);
	return ret;
}

void program_free(struct program *p)
{
	if (!p)
		return;
	decap_bpf__destroy(p->skel);
	free(p);
}

int program_fd(const struct program *p, enum program_role role)
{
	switch (role) {
	case PROGRAM_DECAP:
		return bpf_program__fd(p->skel->progs.fairway_decap);
	case PROGRAM_CLAMP:
		return bpf_program__fd(p->skel->progs.fairway_clamp);
	case PROGRAM_GUARD:
		return bpf_program__fd(p->skel->progs.fairway_guard);
	}
	return -1;
}

static void place_hook(const struct program_place *place, struct bpf_tc_hook *ret_hook,
		       struct bpf_tc_opts *ret_opts)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = place->ifindex,
		    .attach_point = place->hook == HOOK_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = place->priority);

	libbpf_set_print(on_libbpf_message);
	*ret_hook = hook;
	*ret_opts = opts;
}

void program_seen_fini(struct program_seen *seen)
{
	int *fds[] = {&seen->prog_fd, &seen->vips_fd, &seen->outers_fd, &seen->settings_fd,
		      &seen->counters_fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		cleanup_close(fds[i]);
		*fds[i] = -1;
	}
}

/* Keep the map open under its name; a map of another name or layout is none of ours. */
static int see_map(struct program_seen *seen, uint32_t id)
{
	const struct {
		const char *name;
		uint32_t key_size, value_size;
		int *fd;
	} known[] = {
		{"vips", sizeof(struct decap_addr), sizeof(uint32_t), &seen->vips_fd},
		{"outers", sizeof(struct decap_addr), sizeof(uint32_t), &seen->outers_fd},
		{"settings", sizeof(uint32_t), sizeof(struct decap_settings), &seen->settings_fd},
		{"counters", sizeof(uint32_t), sizeof(uint64_t), &seen->counters_fd},
	};
	AUTO_CLOSE int fd = bpf_map_get_fd_by_id(id);
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int ret;

	if (fd < 0)
		return fd;
	ret = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (ret)
		return ret;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(info.name, known[i].name) || info.key_size != known[i].key_size ||
		    info.value_size != known[i].value_size || *known[i].fd >= 0)
			continue;
		*known[i].fd = fd;
		fd = -1;
		break;
	}
	return 0;
}

static int see_program(struct program_seen *seen, uint32_t id)
{
	struct bpf_prog_info info = {0};
	uint32_t map_ids[16], len = sizeof(info);
	int ret;

	seen->prog_fd = bpf_prog_get_fd_by_id(id);
	if (seen->prog_fd < 0)
		return seen->prog_fd;
	info.map_ids = (uint64_t)(uintptr_t)map_ids;
	info.nr_map_ids = ARRAY_SIZE(map_ids);
	ret = bpf_obj_get_info_by_fd(seen->prog_fd, &info, &len);
	if (ret)
		return ret;
	snprintf(seen->name, sizeof(seen->name), "%s", info.name);
	for (uint32_t i = 0; i < info.nr_map_ids && i < ARRAY_SIZE(map_ids); i++) {
		ret = see_map(seen, map_ids[i]);
		if (ret)
			return ret;
	}
	return 0;
}

int program_find(const struct program_place *place, struct program_seen *ret_seen, struct err *e)
{
	struct program_seen seen = {"", -1, -1, -1, -1, -1};
	struct bpf_tc_hook hook;
	struct bpf_tc_opts opts;
	int ret;

	place_hook(place, &hook, &opts);
	ret = bpf_tc_query(&hook, &opts);
	/* EINVAL: no clsact qdisc, so no filter either. */
	if (ret == -ENOENT || ret == -EINVAL)
		return err_set(e, -ENOENT, "no filter there");
	if (ret)
		return err_set(e, ret, "can't look at the tc filters: %s", strerror(-ret));
	ret = see_program(&seen, opts.prog_id);
	if (ret) {
		program_seen_fini(&seen);
		return err_set(e, ret, "can't look at the filter's BPF program %u: %s",
			       opts.prog_id, strerror(-ret));
	}
	*ret_seen = seen;
	return 0;
}

static size_t map_entries(int fd)
{
	struct decap_addr key, *before = NULL;
	size_t n = 0;

	while (!bpf_map_get_next_key(fd, before, &key)) {
		before = &key;
		n++;
	}
	return n;
}

static bool set_equal(int fd, const struct addr_set *set, const char *what, struct err *why)
{
	char buf[ADDR_STRLEN];

	for (size_t i = 0; i < set->n; i++) {
		struct decap_addr key = key_of(&set->items[i]);
		uint32_t value;

		if (bpf_map_lookup_elem(fd, &key, &value))
			return err_set(why, 0, "%s %s is missing from it", what,
				       addr_format(&set->items[i], buf));
	}
	if (map_entries(fd) != set->n)
		return err_set(why, 0, "it knows %zu instead of %zu: %ss that aren't set up",
			       map_entries(fd), set->n, what);
	return true;
}

bool program_seen_holds(const struct program_seen *seen, const struct program_tables *tables,
			struct err *why)
{
	struct decap_settings set;
	uint32_t zero = 0;

	bool has_settings = strcmp(seen->name, DECAP_PROG_GUARD) != 0;

	if (seen->vips_fd < 0 || (has_settings && seen->settings_fd < 0))
		return err_set(why, 0, "it is of another version");
	if (!set_equal(seen->vips_fd, tables->vips, "VIP", why))
		return false;
	if (seen->outers_fd >= 0 &&
	    !set_equal(seen->outers_fd, tables->outers, "outer address", why))
		return false;
	if (seen->settings_fd < 0)
		return true;
	if (bpf_map_lookup_elem(seen->settings_fd, &zero, &set))
		return err_set(why, 0, "its settings can't be read");
	if (set.mss_ipv4 != tables->settings.mss_ipv4 || set.mss_ipv6 != tables->settings.mss_ipv6)
		return err_set(why, 0,
			       "it sets MSS %u (IPv4) and %u (IPv6), and %u and %u are right",
			       set.mss_ipv4, set.mss_ipv6, tables->settings.mss_ipv4,
			       tables->settings.mss_ipv6);
	if (set.gue_port != tables->settings.gue_port)
		return err_set(why, 0, "its GUE port is %u, and %u is right (0: none)",
			       set.gue_port, tables->settings.gue_port);
	return true;
}

int program_seen_count(const struct program_seen *seen, uint64_t ret_values[DECAP_CNT_MAX])
{
	int cpus = libbpf_num_possible_cpus();
	AUTO_FREE uint64_t *values = cpus > 0 ? calloc((size_t)cpus, sizeof(*values)) : NULL;

	if (cpus < 0)
		return cpus;
	if (!values)
		return -ENOMEM;
	if (seen->counters_fd < 0)
		return -ENOENT;
	for (uint32_t i = 0; i < DECAP_CNT_MAX; i++) {
		int ret = bpf_map_lookup_elem(seen->counters_fd, &i, values);

		if (ret)
			return ret;
		ret_values[i] = 0;
		for (int cpu = 0; cpu < cpus; cpu++)
			ret_values[i] += values[cpu];
	}
	return 0;
}

int program_attach(const struct program_place *place, int prog_fd, struct err *e)
{
	struct bpf_tc_hook hook;
	struct bpf_tc_opts opts;
	int ret;

	place_hook(place, &hook, &opts);
	opts.prog_fd = prog_fd;
	opts.flags = BPF_TC_F_REPLACE;
	ret = bpf_tc_attach(&hook, &opts);
	if (ret)
		return err_set(
			e, ret,
			"can't attach the BPF program at tc %s, priority %u: %s (%s); if "
			"another classifier holds that priority, choose one by --tc-priority",
			hook_name(place->hook), place->priority, strerror(-ret), libbpf_said);
	return 0;
}

int program_detach(const struct program_place *place, struct err *e)
{
	struct bpf_tc_hook hook;
	struct bpf_tc_opts opts;
	int ret;

	place_hook(place, &hook, &opts);
	ret = bpf_tc_detach(&hook, &opts);
	if (ret && ret != -ENOENT && ret != -EINVAL)
		return err_set(e, ret, "can't take the BPF program off tc %s: %s",
			       hook_name(place->hook), strerror(-ret));
	return 0;
}
