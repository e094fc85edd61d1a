/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/native/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

#define IN_FORCE   "tables"
#define DIMS       "lb_dims"
#define SET_PREFIX "set-"
#define SET_STRLEN 32

enum {
#define TABLE_ENUM(name, field, bytes) TABLE_##name,
	LB_TABLES(TABLE_ENUM)
#undef TABLE_ENUM
		TABLES
};

static const char *const table_names[TABLES] = {
#define TABLE_NAME(name, field, bytes) #name,
	LB_TABLES(TABLE_NAME)
#undef TABLE_NAME
};

struct native_files {
	char *dir;
	int dir_fd; /* locked */
	bool adopted;
	char set[SET_STRLEN]; /* in force; "" while there is none */
	struct lb_tables tables;
	struct lb_page *page;
};

static int fail(const struct native_files *f, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What failed, with errno in words; returns -errno. */
static int fail(const struct native_files *f, struct err *err, const char *fmt, ...)
{
	int code = errno;
	char what[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(err, -code, "%s: %s: %s%s", f->dir, what, strerror(code),
		       code == ENOSPC ? " (free some space, or name another directory: --tables)"
				      : "");
}

static void **table_pointer(struct lb_tables *t, int table)
{
	switch (table) {
#define TABLE_POINTER(name, field, bytes)                                                          \
	case TABLE_##name:                                                                         \
		return (void **)&t->field;
		LB_TABLES(TABLE_POINTER)
#undef TABLE_POINTER
	}
	abort();
}

static size_t table_bytes(const struct lb_dims *d, int table)
{
	switch (table) {
#define TABLE_BYTES(name, field, bytes)                                                            \
	case TABLE_##name:                                                                         \
		return bytes;
		LB_TABLES(TABLE_BYTES)
#undef TABLE_BYTES
	}
	abort();
}

static size_t mapped_bytes(size_t bytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static struct lb_dims complete_dims(const struct lb_dims *dims)
{
	const uint32_t per_page = 4096 / sizeof(struct lb_counter);
	const uint32_t counters = LB_COUNTER_REASONS + dims->services + dims->reals;
	struct lb_dims d = *dims;

	d.counter_stride = (counters + per_page - 1) / per_page * per_page;
	return d;
}

/* ---- a set ---- */

static void unmap(struct lb_tables *t)
{
	for (int i = 0; i < TABLES; i++) {
		void **p = table_pointer(t, i);

		if (*p)
			munmap(*p, mapped_bytes(table_bytes(&t->dims, i)));
		*p = NULL;
	}
}

/* A file of at least so many bytes; one that was just created gets them. */
static int map_file(const struct native_files *f, int fd, const char *name, size_t bytes,
		    bool created, void **ret_memory, struct err *err)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st))
		return fail(f, err, "look at %s", name);
	created &= st.st_size == 0;
	if (!created && (size_t)st.st_size < bytes)
		return err_set(err, -EPROTO,
			       "%s/%s has %lld bytes, not %zu: end fairway-dpdk, remove the "
			       "directory and start again",
			       f->dir, name, (long long)st.st_size, bytes);
	/* The memory is taken now: a full disk would kill who writes to the table later. */
	if (created && (errno = posix_fallocate(fd, 0, (off_t)mapped_bytes(bytes))))
		return fail(f, err, "make room for %s", name);
	p = mmap(NULL, mapped_bytes(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return fail(f, err, "map %s", name);
	*ret_memory = p;
	return 0;
}

static int map_set(const struct native_files *f, int set_fd, int flags, struct lb_tables *t,
		   struct err *err)
{
	for (int i = 0; i < TABLES; i++) {
		AUTO_CLOSE int fd =
			openat(set_fd, table_names[i], O_RDWR | O_CLOEXEC | flags, 0600);
		int rc = fd < 0 ? fail(f, err, "open %s", table_names[i])
				: map_file(f, fd, table_names[i], table_bytes(&t->dims, i),
					   flags & O_CREAT, table_pointer(t, i), err);

		if (rc) {
			unmap(t);
			return rc;
		}
	}
	return 0;
}

static int write_dims(const struct native_files *f, int set_fd, const struct lb_dims *dims,
		      struct err *err)
{
	AUTO_CLOSE int fd = openat(set_fd, DIMS, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, dims, sizeof(*dims)) != sizeof(*dims))
		return fail(f, err, "write %s", DIMS);
	return 0;
}

/* Remove a set's files and the set; best effort, the next writer tries again. */
static void remove_set(const struct native_files *f, const char *set)
{
	int fd = openat(f->dir_fd, set, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i < TABLES; i++)
		unlinkat(fd, table_names[i], 0);
	unlinkat(fd, DIMS, 0);
	close(fd);
	unlinkat(f->dir_fd, set, AT_REMOVEDIR);
}

/* Every set but the one in force. */
static void sweep(const struct native_files *f)
{
	int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		cleanup_close(&fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, SET_PREFIX, strlen(SET_PREFIX)) &&
		    strcmp(entry->d_name, f->set) != 0)
			remove_set(f, entry->d_name);
	closedir(dir);
}

static void next_set(const struct native_files *f, char ret[SET_STRLEN])
{
	unsigned long n = f->set[0] ? strtoul(f->set + strlen(SET_PREFIX), NULL, 10) : 0;

	snprintf(ret, SET_STRLEN, SET_PREFIX "%lu", n + 1);
}

static int open_set(const struct native_files *f, const char *set, struct err *err)
{
	int fd = openat(f->dir_fd, set, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? fail(f, err, "open %s", set) : fd;
}

/* ---- which set is in force ---- */

/* Make name a link to target, in place of what is there. */
static int link_to(const struct native_files *f, const char *name, const char *target,
		   struct err *err)
{
	char aside[64];

	snprintf(aside, sizeof(aside), "%s.new", name);
	if (unlinkat(f->dir_fd, aside, 0) && errno != ENOENT)
		return fail(f, err, "remove %s", aside);
	if (symlinkat(target, f->dir_fd, aside))
		return fail(f, err, "create %s", aside);
	if (renameat(f->dir_fd, aside, f->dir_fd, name))
		return fail(f, err, "rename %s to %s", aside, name);
	return 0;
}

/* DIR/lb_vips leads to DIR/tables/lb_vips and so on. */
static int link_names(const struct native_files *f, struct err *err)
{
	char target[64], now[64];

	for (int i = 0; i < TABLES; i++) {
		int n = snprintf(target, sizeof(target), IN_FORCE "/%s", table_names[i]);
		int rc = 0;

		if (readlinkat(f->dir_fd, table_names[i], now, sizeof(now)) != n ||
		    memcmp(now, target, (size_t)n) != 0)
			rc = link_to(f, table_names[i], target, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* 0 with f->set, -ENOENT when no set was ever in force. */
static int find_set(struct native_files *f, struct err *err)
{
	ssize_t n = readlinkat(f->dir_fd, IN_FORCE, f->set, sizeof(f->set) - 1);

	if (n < 0 && errno == ENOENT)
		return -ENOENT;
	if (n < 0)
		return fail(f, err, "read the link %s", IN_FORCE);
	f->set[n] = '\0';
	if (strncmp(f->set, SET_PREFIX, strlen(SET_PREFIX)) != 0)
		return err_set(err, -EPROTO,
			       "%s/%s leads to %s, which is no set of tables: remove it, or name "
			       "another directory (--tables)",
			       f->dir, IN_FORCE, f->set);
	return 0;
}

static int read_dims(const struct native_files *f, int set_fd, struct lb_dims *ret_dims,
		     struct err *err)
{
	AUTO_CLOSE int fd = openat(set_fd, DIMS, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(f, err, "open %s/%s", f->set, DIMS);
	if (read(fd, ret_dims, sizeof(*ret_dims)) != sizeof(*ret_dims))
		return err_set(err, -EPROTO,
			       "%s/%s/%s is cut off: end fairway-dpdk, remove the directory and "
			       "start again",
			       f->dir, f->set, DIMS);
	return 0;
}

static int adopt(struct native_files *f, const struct lb_dims *want, struct err *err)
{
	AUTO_CLOSE int set_fd = open_set(f, f->set, err);
	int rc = set_fd < 0 ? set_fd : read_dims(f, set_fd, &f->tables.dims, err);

	if (!rc && f->tables.dims.counter_rows < want->counter_rows)
		rc = err_set(err, -EPROTO,
			     "%s has counters for %u workers, %u are needed: end fairway-dpdk, "
			     "remove the directory and start again",
			     f->dir, f->tables.dims.counter_rows - 1, want->counter_rows - 1);
	if (!rc)
		rc = map_set(f, set_fd, 0, &f->tables, err);
	f->adopted = !rc;
	return rc;
}

/* A new set, mapped, that nothing leads to. */
static int make_set(const struct native_files *f, const char *set, const struct lb_dims *dims,
		    int (*share)(const struct native_files *f, int set_fd,
				 const struct lb_dims *dims, struct err *err),
		    struct lb_tables *ret_tables, struct err *err)
{
	struct lb_tables t = {.dims = *dims};
	AUTO_CLOSE int set_fd = -1;
	int rc;

	remove_set(f, set);
	if (mkdirat(f->dir_fd, set, 0700))
		return fail(f, err, "create %s", set);
	set_fd = open_set(f, set, err);
	rc = set_fd < 0 ? set_fd : 0;
	if (!rc && share)
		rc = share(f, set_fd, dims, err);
	if (!rc)
		rc = map_set(f, set_fd, O_CREAT, &t, err);
	if (!rc)
		rc = write_dims(f, set_fd, dims, err);
	if (rc) {
		unmap(&t);
		remove_set(f, set);
		return rc;
	}
	*ret_tables = t;
	return 0;
}

static int create(struct native_files *f, const struct lb_dims *dims, struct err *err)
{
	char set[SET_STRLEN];
	int rc;

	f->set[0] = '\0';
	next_set(f, set);
	rc = make_set(f, set, dims, NULL, &f->tables, err);
	if (!rc)
		rc = link_to(f, IN_FORCE, set, err);
	if (!rc)
		memcpy(f->set, set, sizeof(set));
	return rc;
}

/* ---- the page ---- */

/* Beside its place until it has its size, so that an engine never maps an empty file. */
static int make_page(const struct native_files *f, struct err *err)
{
	AUTO_CLOSE int fd = openat(f->dir_fd, LB_PAGE_NAME ".new",
				   O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(f, err, "create %s", LB_PAGE_NAME);
	errno = posix_fallocate(fd, 0, (off_t)mapped_bytes(sizeof(struct lb_page)));
	if (errno)
		return fail(f, err, "make room for %s", LB_PAGE_NAME);
	if (renameat(f->dir_fd, LB_PAGE_NAME ".new", f->dir_fd, LB_PAGE_NAME))
		return fail(f, err, "rename %s", LB_PAGE_NAME);
	return 0;
}

static int open_page(struct native_files *f, struct err *err)
{
	AUTO_CLOSE int fd = -1;
	void *memory;
	int rc = 0;

	if (faccessat(f->dir_fd, LB_PAGE_NAME, F_OK, 0))
		rc = make_page(f, err);
	if (rc)
		return rc;
	fd = openat(f->dir_fd, LB_PAGE_NAME, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail(f, err, "open %s", LB_PAGE_NAME);
	rc = map_file(f, fd, LB_PAGE_NAME, sizeof(struct lb_page), false, &memory, err);
	if (!rc)
		f->page = memory;
	return rc;
}

/* ---- the whole ---- */

static int open_dir(struct native_files *f, struct err *err)
{
	if (mkdir(f->dir, 0700) && errno != EEXIST)
		return fail(f, err, "create it");
	f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return fail(f, err, "open it");
	if (flock(f->dir_fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK
			       ? err_set(err, -EBUSY,
					 "%s: another fairwayd has its tables there: give each its "
					 "own --tables",
					 f->dir)
			       : fail(f, err, "lock it");
	return 0;
}

static int open_all(struct native_files *f, const struct lb_dims *dims, struct err *err)
{
	const struct lb_dims complete = complete_dims(dims);
	int rc = open_dir(f, err);

	if (!rc)
		rc = open_page(f, err);
	if (rc)
		return rc;
	rc = find_set(f, err);
	if (!rc)
		rc = adopt(f, &complete, err);
	else if (rc == -ENOENT)
		rc = create(f, &complete, err);
	if (!rc)
		rc = link_names(f, err);
	if (!rc)
		sweep(f);
	return rc;
}

int native_files_open(const char *dir, const struct lb_dims *dims, struct native_files **ret_files,
		      struct err *err)
{
	struct native_files *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return err_set(err, -ENOMEM, "out of memory");
	f->dir_fd = -1;
	f->dir = strdup(dir);
	rc = f->dir ? open_all(f, dims, err) : err_set(err, -ENOMEM, "out of memory");
	if (rc) {
		native_files_free(f);
		return rc;
	}
	*ret_files = f;
	return 0;
}

void native_files_free(struct native_files *f)
{
	if (!f)
		return;
	unmap(&f->tables);
	if (f->page)
		munmap(f->page, mapped_bytes(sizeof(*f->page)));
	cleanup_close(&f->dir_fd);
	free(f->dir);
	free(f);
}

bool native_files_adopted(const struct native_files *f)
{
	return f->adopted;
}

struct lb_tables *native_files_tables(struct native_files *f)
{
	return &f->tables;
}

struct lb_page *native_files_page(struct native_files *f)
{
	return f->page;
}

/* Tables that engines write are the same files in the new set as long as they keep their size, so
 * that nothing is lost that a packet enters meanwhile. */
static int share_files(const struct native_files *f, int set_fd, const struct lb_dims *to,
		       struct err *err)
{
	const struct lb_dims *from = &f->tables.dims;
	const struct {
		int table;
		bool same;
	} shared[] = {
		{TABLE_lb_flows, to->flow_buckets == from->flow_buckets},
		{TABLE_lb_fragments, to->fragment_buckets == from->fragment_buckets},
		{TABLE_lb_limits, to->limits == from->limits},
	};
	AUTO_CLOSE int old_fd = open_set(f, f->set, err);

	if (old_fd < 0)
		return old_fd;
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		const char *name = table_names[shared[i].table];

		if (shared[i].same && linkat(old_fd, name, set_fd, name, 0))
			return fail(f, err, "share %s", name);
	}
	return 0;
}

int native_files_grow(struct native_files *f, const struct lb_dims *dims,
		      const struct native_files_move *move, struct err *err)
{
	struct lb_dims complete = complete_dims(dims);
	struct lb_tables grown = {0};
	char set[SET_STRLEN], old[SET_STRLEN];
	int rc;

	next_set(f, set);
	rc = make_set(f, set, &complete, share_files, &grown, err);
	if (!rc)
		rc = move->fill(move->arg, &grown, &f->tables, err);
	if (!rc)
		rc = link_to(f, IN_FORCE, set, err);
	if (rc) {
		unmap(&grown);
		remove_set(f, set);
		return err_prefix(err, rc, "grow the tables");
	}
	memcpy(old, f->set, sizeof(old));
	memcpy(f->set, set, sizeof(set));
	move->moved(move->arg, &grown.dims);
	move->carry(move->arg, &grown, &f->tables);
	unmap(&f->tables);
	f->tables = grown;
	/* Who hasn't gone over to the new set keeps the old one's memory. */
	remove_set(f, old);
	return 0;
}
