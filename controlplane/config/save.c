/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/config.h"

#include "controlplane/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Replacing the file on disk: all of it or nothing, whenever the power goes or the disk is full. */

#define NEW_FILE_MODE 0640 /* it may hold BGP passwords */

static int fail(struct err *err, int r, const char *path, const char *doing)
{
	const char *hint = r == -ENOSPC || r == -EDQUOT ? "free some space"
			   : r == -EROFS ? "remount it writable, or save to another path"
			   : r == -EACCES || r == -EPERM ? "run as root"
			   : r == -ENOENT                ? "create the directory first"
							 : "the old file is unchanged";

	return err_set(err, r, "%s: cannot %s: %s: %s", path, doing, strerror(-r), hint);
}

/* What will be written must load again, and mean the same: an invalid configuration never lands on
 * disk, where it would stop the next start. */
static int check_text(const char *path, const char *text, const struct config *cfg, struct err *err)
{
	AUTO_FREE struct config_errors *errs = malloc(sizeof(*errs));
	struct config *again = NULL;
	bool same;
	int r;

	if (!errs)
		return err_set(err, -ENOMEM, "out of memory");
	r = config_validate(cfg, errs);
	if (!r)
		r = config_parse(text, strlen(text), path, &again, errs);
	if (r)
		return err_set(err, r, "%s: not saved, it would not load again: %s: %s", path,
			       errs->errors[0].text, errs->errors[0].hint);
	same = config_equal(cfg, again);
	config_free(again);
	if (!same)
		return err_set(err, -EINVAL,
			       "%s: not saved, it would not load as the same configuration", path);
	return 0;
}

/* The file behind symbolic links, and its mode and owner when it exists. */
static int resolve(const char *path, char ret_target[PATH_MAX], struct stat *ret_st,
		   bool *ret_exists, struct err *err)
{
	struct stat link;

	*ret_exists = realpath(path, ret_target) != NULL;
	if (!*ret_exists) {
		if (errno != ENOENT)
			return fail(err, -errno, path, "find it");
		if (!lstat(path, &link) && S_ISLNK(link.st_mode))
			return err_set(err, -ENOENT,
				       "%s: is a symbolic link to a file that doesn't exist: "
				       "mend or remove the link",
				       path);
		if (strlen(path) >= PATH_MAX)
			return fail(err, -ENAMETOOLONG, path, "find it");
		strcpy(ret_target, path);
		return 0;
	}
	if (stat(ret_target, ret_st))
		return fail(err, -errno, path, "look at it");
	if (!S_ISREG(ret_st->st_mode))
		return err_set(err, -EINVAL, "%s: is not a regular file: name the file to save to",
			       path);
	return 0;
}

/* "dir/.name.XXXXXX" beside the target, for mkostemp(). */
static int temp_name(const char *target, char **ret_temp)
{
	const char *slash = strrchr(target, '/');
	int dir_len = slash ? (int)(slash - target) + 1 : 0;

	return asprintf(ret_temp, "%.*s.%s.XXXXXX", dir_len, target, target + dir_len) < 0 ? -ENOMEM
											   : 0;
}

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			left -= (size_t)n;
		}
	}
	return 0;
}

/* st is NULL for a new file. */
static int fill(int fd, const char *text, const struct stat *st)
{
	struct stat now;
	int r;

	if (st) {
		if (fstat(fd, &now))
			return -errno;
		if ((now.st_uid != st->st_uid || now.st_gid != st->st_gid) &&
		    fchown(fd, st->st_uid, st->st_gid))
			return -errno;
	}
	if (fchmod(fd, st ? st->st_mode & 07777 : NEW_FILE_MODE))
		return -errno;
	r = write_all(fd, text);
	if (r)
		return r;
	return fsync(fd) ? -errno : 0;
}

/* The new name is only as durable as its directory. */
static int sync_directory(const char *target)
{
	const char *slash = strrchr(target, '/');
	AUTO_FREE char *dir = slash ? strndup(target, (size_t)(slash - target) + 1) : strdup(".");
	AUTO_CLOSE int fd = -1;

	if (!dir)
		return -ENOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) ? -errno : 0;
}

static int replace(const char *path, const char *target, const char *text, const struct stat *st,
		   struct err *err)
{
	AUTO_FREE char *temp = NULL;
	int fd, r;

	if (temp_name(target, &temp)) {
		temp = NULL;
		return err_set(err, -ENOMEM, "out of memory");
	}
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return fail(err, -errno, path, "create a file beside it");
	r = fill(fd, text, st);
	if (close(fd) && !r)
		r = -errno;
	if (!r && rename(temp, target))
		r = -errno;
	if (r) {
		unlink(temp);
		return fail(err, r, path, "write it");
	}
	r = sync_directory(target);
	return r ? err_set(err, r, "%s: saved, but its directory could not be synced: %s", path,
			   strerror(-r))
		 : 0;
}

int config_save(const char *path, const struct config *cfg, struct err *err)
{
	AUTO_FREE char *text = NULL;
	char target[PATH_MAX];
	struct stat st;
	bool exists;
	int r;

	if (config_emit_string(cfg, &text))
		return err_set(err, -ENOMEM, "out of memory");
	r = check_text(path, text, cfg, err);
	if (r)
		return r;
	r = resolve(path, target, &st, &exists, err);
	if (r)
		return r;
	return replace(path, target, text, exists ? &st : NULL, err);
}
