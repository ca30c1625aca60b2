/* The tree below DATA_DIR: see tree.h. The append thread, the checkpoint and recovery use it.
 *
 * Renames and removals open the directory first, beneath the root, and then name the last part
 * only: so they cannot be led astray either. */
#include "collector/store/tree.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FILE_MODE = 0640,
	DIR_MODE = 0750,
	GROUP_BUFFER = 16384,
	ASIDE_TRIES = 1000,
	COPY_STEP = 1 << 16
};

/* --- opening --- */

static int open_beneath(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	for (;;) {
		long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0)
			return (int)fd;
		/* EAGAIN: something was renamed meanwhile, and the kernel could not be sure. */
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

/* Who may not give the group away leaves it as it is. */
static void own(const struct tree *t, int fd, mode_t mode)
{
	if (t->has_group)
		(void)!fchown(fd, (uid_t)-1, t->group);
	(void)fchmod(fd, mode);
}

/* "a/b/c" is split into the directory "a/b" ("." when there is none) and "c". */
static int split(const char *path, char dir[TREE_PATH_MAX], const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	if (len >= TREE_PATH_MAX)
		return -ENAMETOOLONG;
	if (slash)
		memcpy(dir, path, len);
	else
		dir[len++] = '.';
	dir[len] = '\0';
	*ret_name = slash ? slash + 1 : path;
	return 0;
}

int tree_open_dir(const struct tree *t, const char *path)
{
	return open_beneath(t->root, path, O_RDONLY | O_DIRECTORY, 0);
}

int tree_writable(const struct tree *t, const char *path)
{
	int dir = tree_open_dir(t, path);
	if (dir < 0)
		return dir;
	int r = faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
	file_close(&dir);
	return r;
}

static int open_parent(const struct tree *t, const char *path, const char **ret_name)
{
	char dir[TREE_PATH_MAX];
	int r = split(path, dir, ret_name);
	return r < 0 ? r : tree_open_dir(t, dir);
}

static int make_dir(const struct tree *t, const char *path)
{
	const char *name;
	int parent = open_parent(t, path, &name);
	if (parent < 0)
		return parent;
	int r = 0;
	if (mkdirat(parent, name, DIR_MODE) == 0) {
		int fd = open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0);
		if (fd >= 0)
			own(t, fd, DIR_MODE);
		file_close(&fd);
	} else if (errno != EEXIST) {
		r = -errno;
	}
	file_close(&parent);
	return r;
}

int tree_make_dirs(const struct tree *t, const char *path)
{
	char part[TREE_PATH_MAX];
	size_t len = strlen(path);
	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		int r = make_dir(t, part);
		if (r < 0)
			return r;
	}
	return 0;
}

int tree_open_file(const struct tree *t, const char *path, int flags)
{
	int fd = open_beneath(t->root, path, flags | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, FILE_MODE);
	if (fd == -ENOENT && flags & O_CREAT) {
		char dir[TREE_PATH_MAX];
		const char *name;
		int r = split(path, dir, &name);
		if (r == 0)
			r = tree_make_dirs(t, dir);
		if (r < 0)
			return r;
		fd = open_beneath(t->root, path, flags | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
				  FILE_MODE);
	}
	struct stat st;
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		file_close(&fd);
		return -EINVAL;
	}
	if (fd >= 0 && flags & O_CREAT)
		own(t, fd, FILE_MODE);
	return fd;
}

/* --- names --- */

int tree_stat(const struct tree *t, const char *path, struct stat *ret)
{
	return fstatat(t->root, path, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int tree_rename(const struct tree *t, const char *from, const char *to, bool replace)
{
	const char *from_name, *to_name;
	char to_dir[TREE_PATH_MAX];
	int r = split(to, to_dir, &to_name);
	if (r < 0)
		return r;
	int dir = open_parent(t, from, &from_name);
	if (dir < 0)
		return dir;
	if (renameat2(dir, from_name, dir, to_name, replace ? 0 : RENAME_NOREPLACE) < 0)
		r = -errno;
	file_close(&dir);
	return r;
}

int tree_move(const struct tree *t, const char *from, const char *to)
{
	const char *from_name, *to_name;
	int from_dir = open_parent(t, from, &from_name);
	if (from_dir < 0)
		return from_dir;
	int to_dir = open_parent(t, to, &to_name);
	int r = to_dir < 0 ? to_dir : 0;
	if (r == 0 && renameat(from_dir, from_name, to_dir, to_name) < 0)
		r = -errno;
	file_close(&to_dir);
	file_close(&from_dir);
	return r;
}

int tree_remove_dir(const struct tree *t, const char *path)
{
	const char *name;
	int dir = open_parent(t, path, &name);
	if (dir < 0)
		return dir;
	int r = unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0;
	file_close(&dir);
	return r;
}

int tree_remove(const struct tree *t, const char *path)
{
	const char *name;
	int dir = open_parent(t, path, &name);
	if (dir < 0)
		return dir;
	int r = unlinkat(dir, name, 0) < 0 ? -errno : 0;
	file_close(&dir);
	return r;
}

int tree_link(const struct tree *t, const char *path, const char *name)
{
	const char *from_name, *to_name;
	int from = open_parent(t, path, &from_name);
	if (from < 0)
		return from;
	int to = open_parent(t, name, &to_name);
	int r = to < 0 ? to : 0;
	if (r == 0 && linkat(from, from_name, to, to_name, 0) < 0)
		r = -errno;
	file_close(&to);
	file_close(&from);
	return r;
}

int tree_set_aside(const struct tree *t, const char *path, const char *name,
		   char ret_path[TREE_PATH_MAX])
{
	int r = tree_make_dirs(t, TREE_QUARANTINE);
	const char *from_name;
	int from = r < 0 ? r : open_parent(t, path, &from_name);
	if (from < 0)
		return from;
	int to = tree_open_dir(t, TREE_QUARANTINE);
	r = to < 0 ? to : -EEXIST;
	long long time = clock_real_ns() / NUM_SEC_NS;
	for (int i = 0; r == -EEXIST && i < ASIDE_TRIES; i++) {
		char as[TREE_PATH_MAX - sizeof(TREE_QUARANTINE)];
		(void)snprintf(as, sizeof(as), i ? "%s-%lld.%d" : "%s-%lld", name, time, i);
		r = renameat2(from, from_name, to, as, RENAME_NOREPLACE) < 0 ? -errno : 0;
		if (r == 0)
			(void)snprintf(ret_path, TREE_PATH_MAX, "%s/%s", TREE_QUARANTINE, as);
	}
	file_close(&to);
	file_close(&from);
	return r;
}

int tree_copy_aside(const struct tree *t, const char *path, uint64_t from, uint64_t to,
		    const char *name)
{
	char as[TREE_PATH_MAX], step[COPY_STEP];
	(void)snprintf(as, sizeof(as), "%s/%s", TREE_QUARANTINE, name);
	int in = tree_open_file(t, path, O_RDONLY);
	int out = in < 0 ? in : tree_open_file(t, as, O_WRONLY | O_CREAT | O_TRUNC);
	int r = out < 0 ? out : 0;
	for (uint64_t at = from; r == 0 && at < to;) {
		size_t want = to - at < sizeof(step) ? (size_t)(to - at) : sizeof(step);
		ssize_t n = file_pread_full(in, step, want, at);
		r = n < 0    ? (int)n
		    : n == 0 ? -EIO
			     : file_pwrite_all(out, span_make(step, (size_t)n), at - from);
		at += n > 0 ? (uint64_t)n : 0;
	}
	file_close(&out);
	file_close(&in);
	return r;
}

/* --- durability --- */

int tree_sync_dir(const struct tree *t, const char *path)
{
	int dir = tree_open_dir(t, path);
	if (dir < 0)
		return dir;
	int r = fsync(dir) < 0 ? -errno : 0;
	file_close(&dir);
	return r;
}

int tree_sync_all(const struct tree *t)
{
	/* On the descriptor that was opened before anything was written: it sees every error
	 * since. */
	return syncfs(t->root) < 0 ? -errno : 0;
}

/* --- the whole --- */

static void find_group(struct tree *t)
{
	char *text = malloc(GROUP_BUFFER);
	struct group g, *found = NULL;
	if (text && getgrnam_r("haul", &g, text, GROUP_BUFFER, &found) == 0 && found) {
		t->group = found->gr_gid;
		t->has_group = true;
	}
	free(text);
}

static int open_root(const char *data_dir, struct tree *t)
{
	int r = file_make_dirs(data_dir, DIR_MODE);
	if (r < 0)
		return r;
	t->root = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->root < 0 ? -errno : 0;
}

int tree_open(const char *data_dir, struct tree *ret)
{
	struct tree t = {.root = -1, .lock = -1};
	find_group(&t);
	int r = open_root(data_dir, &t);
	if (r == 0)
		r = tree_make_dirs(&t, TREE_WAL);
	if (r == 0)
		r = t.lock = file_lock(t.root, TREE_HAUL "/lock");
	if (r < 0) {
		tree_close(&t);
		return r;
	}
	*ret = t;
	return 0;
}

void tree_close(struct tree *t)
{
	file_close(&t->lock);
	file_close(&t->root);
}
