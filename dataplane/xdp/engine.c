/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

/* Rows and stride of the counters follow from the rest: a row per possible CPU and one for the
 * control plane, each of whole pages so that no two CPUs share one. */
uint32_t xdp_counter_rows(void)
{
	return (uint32_t)libbpf_num_possible_cpus() + 1;
}

static struct lb_dims complete_dims(const struct lb_dims *dims)
{
	const uint32_t per_page = 4096 / sizeof(struct lb_counter);
	struct lb_dims d = *dims;
	uint32_t counters = LB_COUNTER_REASONS + d.services + d.reals;

	d.counter_stride = (counters + per_page - 1) / per_page * per_page;
	d.counter_rows = xdp_counter_rows();
	return d;
}

static int check_bpffs(const char *path, struct err *err)
{
	struct statfs fs;

	if (mkdir(path, 0700) && errno != EEXIST)
		return err_set(err, -errno,
			       "create %s: %s (mount a bpffs first: mount -t bpf bpf /sys/fs/bpf)",
			       path, strerror(errno));
	if (statfs(path, &fs))
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (fs.f_type != BPF_FS_MAGIC)
		return err_set(err, -EINVAL,
			       "%s is not on a bpffs, so nothing can be pinned there (mount one: "
			       "mount -t bpf bpf %s)",
			       path, path);
	return 0;
}

static int program_tag(int fd, uint8_t tag[BPF_TAG_SIZE])
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	memcpy(tag, info.tag, BPF_TAG_SIZE);
	return 0;
}

/* Is the pinned program, instruction for instruction, what this build would load? */
static bool same_program(int a, int b)
{
	uint8_t tag_a[BPF_TAG_SIZE], tag_b[BPF_TAG_SIZE];

	return !program_tag(a, tag_a) && !program_tag(b, tag_b) &&
	       memcmp(tag_a, tag_b, BPF_TAG_SIZE) == 0;
}

/* Keep the pinned maps; keep the pinned program too when it is the same, else put ours in its
 * place everywhere. */
static int adopt(struct xdp_engine *e, int pinned_fd, struct err *err)
{
	int rc = xdp_set_adopt(&e->set, pinned_fd, err);
	int old_fd;

	if (rc) {
		close(pinned_fd);
		return err_prefix(err, rc, "adopt what is pinned in %s", e->bpffs);
	}
	old_fd = e->set.prog_fd;
	e->set.prog_fd = -1;
	e->adopted = true;
	rc = xdp_set_load(&e->set, err);
	if (!rc)
		rc = xdp_set_map(&e->set, err);
	if (!rc && e->set.tables.node->layout_version != LB_LAYOUT_VERSION &&
	    e->set.tables.node->layout_version != 0)
		rc = err_set(err, -EPROTO,
			     "%s holds tables of layout %u, this program knows %u: stop the old "
			     "balancer, remove %s and start again",
			     e->bpffs, e->set.tables.node->layout_version, LB_LAYOUT_VERSION,
			     e->bpffs);
	if (!rc && same_program(old_fd, e->set.prog_fd)) {
		close(e->set.prog_fd);
		e->set.prog_fd = old_fd;
		struct bpf_prog_info info = {0};
		__u32 len = sizeof(info);

		if (!bpf_obj_get_info_by_fd(old_fd, &info, &len))
			e->set.prog_id = info.id;
		return xdp_pin_set(e, &e->set, err);
	}
	if (!rc)
		rc = xdp_links_update(e, &e->set, err);
	if (!rc)
		rc = xdp_pin_set(e, &e->set, err);
	close(old_fd);
	return rc;
}

static bool power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

/* Growing doubles these tables, and the VIP index is masked. */
static int check_dims(const struct lb_dims *d, struct err *err)
{
	if (power_of_two(d->vip_entries) && power_of_two(d->services) && power_of_two(d->reals) &&
	    power_of_two(d->deny_entries) && power_of_two(d->limits))
		return 0;
	return err_set(err, -EINVAL,
		       "tables of %u VIP entries, %u services, %u reals, %u denied prefixes, %u "
		       "limits: each must be a power of two",
		       d->vip_entries, d->services, d->reals, d->deny_entries, d->limits);
}

static int create(struct xdp_engine *e, const struct lb_dims *dims, struct err *err)
{
	int rc = check_dims(dims, err);

	if (rc)
		return rc;

	e->set.tables.dims = complete_dims(dims);
	rc = xdp_set_load(&e->set, err);
	if (!rc)
		rc = xdp_set_map(&e->set, err);
	if (!rc && e->bpffs)
		rc = xdp_pin_set(e, &e->set, err);
	return rc;
}

/* Updating a map of maps returns only after an RCU grace period (bpf(2), maybe_wait_bpf_programs in
 * the kernel's bpf/syscall.c): the one way user space has to wait for running programs. */
static int make_grace(struct xdp_engine *e, struct err *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	e->grace_inner_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_grace_in", 4, 4, 1, NULL);
	if (e->grace_inner_fd >= 0) {
		opts.inner_map_fd = (__u32)e->grace_inner_fd;
		e->grace_outer_fd =
			bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "lb_grace", 4, 4, 1, &opts);
	}
	if (e->grace_outer_fd < 0)
		return err_set(err, -errno, "create the grace period map: %s", strerror(errno));
	return 0;
}

int xdp_engine_open(const char *bpffs, const struct lb_dims *dims, struct xdp_engine **ret_engine,
		    struct err *err)
{
	struct xdp_engine *e = calloc(1, sizeof(*e));
	char path[512];
	int rc = 0, fd = -1;

	if (!e)
		return err_set(err, -ENOMEM, "out of memory");
	xdp_set_init(&e->set);
	e->twin_fd = e->grace_outer_fd = e->grace_inner_fd = e->next_fd = -1;
	if (bpffs) {
		e->bpffs = strdup(bpffs);
		rc = e->bpffs ? check_bpffs(bpffs, err) : err_set(err, -ENOMEM, "out of memory");
		if (!rc)
			rc = xdp_pin_path(e, "balancer", path, sizeof(path));
		if (!rc)
			fd = bpf_obj_get(path);
		/* Only "not there" means that nothing is pinned; anything else must not be
		 * replaced. */
		if (!rc && fd < 0 && errno != ENOENT)
			rc = err_set(
				err, -errno,
				"open the pinned program %s: %s (it may be in use, so it is left "
				"as it is; mend its permissions, or remove it to start anew)",
				path, strerror(errno));
	}
	if (!rc)
		rc = make_grace(e, err);
	if (!rc)
		rc = fd >= 0 ? adopt(e, fd, err) : create(e, dims, err);
	if (rc) {
		xdp_engine_free(e);
		return rc;
	}
	*ret_engine = e;
	return 0;
}

void xdp_engine_free(struct xdp_engine *e)
{
	if (!e)
		return;
	xdp_twin_drop(e);
	xdp_page_drop(e);
	xdp_set_fini(&e->set);
	cleanup_close(&e->grace_outer_fd);
	cleanup_close(&e->grace_inner_fd);
	free(e->bpffs);
	free(e);
}

bool xdp_engine_adopted(const struct xdp_engine *e)
{
	return e->adopted;
}

struct lb_tables *xdp_engine_tables(struct xdp_engine *e)
{
	return &e->set.tables;
}

uint32_t xdp_engine_program_id(const struct xdp_engine *e)
{
	return e->set.prog_id;
}

void xdp_engine_grace(struct xdp_engine *e)
{
	uint32_t key = 0;

	/* Only a broken fd can make this fail, and then no space may be reused; waiting long enough
	 * for any program run is what is left. */
	if (bpf_map_update_elem(e->grace_outer_fd, &key, &e->grace_inner_fd, BPF_ANY))
		sleep(1);
}

/* Tables that engines write are the same map in the new generation as long as they keep their
 * size, so that nothing is lost that a packet enters meanwhile. */
static int share_maps(struct xdp_set *grown, const struct xdp_set *old, struct err *err)
{
	const struct lb_dims *to = &grown->tables.dims, *from = &old->tables.dims;
	const struct {
		int map;
		bool same;
	} shared[] = {
		{XDP_MAP_lb_flows, to->flow_buckets == from->flow_buckets},
		{XDP_MAP_lb_fragments, to->fragment_buckets == from->fragment_buckets},
		{XDP_MAP_lb_limits, to->limits == from->limits},
	};

	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
		if (!shared[i].same)
			continue;
		grown->fd[shared[i].map] = dup(old->fd[shared[i].map]);
		if (grown->fd[shared[i].map] < 0)
			return err_set(err, -errno, "share map %s: %s",
				       xdp_map_names[shared[i].map], strerror(errno));
	}
	return 0;
}

/* The set's program on every interface and its maps under their names, or all as it was: a reader
 * who opens maps by their names must not find another set than packets do. */
static int put_in_force(const struct xdp_engine *e, const struct xdp_set *s, struct err *err)
{
	int rc = xdp_links_update(e, s, err);
	struct err back;

	if (!rc)
		rc = xdp_next_update(e, s, err);
	if (!rc)
		rc = xdp_pin_set(e, s, err);
	if (rc && (xdp_links_update(e, &e->set, &back) || xdp_next_update(e, &e->set, &back) ||
		   xdp_pin_set(e, &e->set, &back)))
		return err_prefix(err, rc, "half done (%.200s)", back.text);
	return rc;
}

int xdp_engine_grow(struct xdp_engine *e, const struct lb_dims *dims,
		    const struct xdp_engine_move *move, struct err *err)
{
	struct xdp_set grown;
	int rc = check_dims(dims, err);

	if (rc)
		return rc;
	xdp_set_init(&grown);
	grown.tables.dims = complete_dims(dims);
	grown.multi_buffer = e->set.multi_buffer;
	rc = share_maps(&grown, &e->set, err);
	if (!rc)
		rc = xdp_set_load(&grown, err);
	if (!rc)
		rc = xdp_set_map(&grown, err);
	if (!rc)
		rc = move->fill(move->arg, &grown.tables, &e->set.tables, err);
	if (!rc && e->bpffs)
		rc = put_in_force(e, &grown, err);
	if (rc) {
		xdp_set_fini(&grown);
		return err_prefix(err, rc, "grow the tables");
	}
	xdp_twin_drop(e);
	if (move->moved)
		move->moved(move->arg, &grown.tables.dims);
	xdp_engine_grace(e);
	move->carry(move->arg, &grown.tables, &e->set.tables);
	xdp_set_fini(&e->set);
	e->set = grown;
	return 0;
}
