/* The links under today/: see today.h. The append thread calls both, so that they never meet. */
#include "collector/store/today.h"

#include "collector/store/segment_name.h"
#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Links lie two directories deep. */
#define UP         "../../"
#define UP_LEN     (sizeof(UP) - 1)
#define TARGET_MAX (UP_LEN + SEGMENT_PATH_MAX)

/* No valid name begins with a dot: globs and readers do not see it. */
#define NEW_LINK ".new-link"

static bool points_to(int dir, const char *name, const char *target)
{
	char now[TARGET_MAX + 1];
	ssize_t n = readlinkat(dir, name, now, sizeof(now));
	return n >= 0 && span_is(span_make(now, (size_t)n), target);
}

static int replace_link(int dir, const char *name, const char *target)
{
	if (unlinkat(dir, NEW_LINK, 0) < 0 && errno != ENOENT)
		return -errno;
	if (symlinkat(target, dir, NEW_LINK) < 0 || renameat(dir, NEW_LINK, dir, name) < 0)
		return -errno;
	return 0;
}

int today_link(const struct tree *t, int32_t day, struct span service, struct span host)
{
	struct segment_name live = {.day = day, .service = service, .host = host};
	char target[TARGET_MAX + 1] = UP;
	size_t dir_len = segment_name_dir(target + UP_LEN, day, service);
	segment_name_path(target + UP_LEN, &live);
	const char *name = target + UP_LEN + dir_len + 1;

	char path[sizeof(TREE_TODAY) + 1 + NAME_MAX_LEN + 1];
	(void)snprintf(path, sizeof(path), "%s/%.*s", TREE_TODAY, (int)service.len, service.ptr);
	int r = tree_make_dirs(t, path);
	int dir = r < 0 ? r : tree_open_dir(t, path);
	if (dir < 0)
		return dir;
	r = points_to(dir, name, target) ? 0 : replace_link(dir, name, target);
	file_close(&dir);
	return r;
}

/* Is this one of our links, to the live file of another day? */
static bool is_stale(int dir, const char *name, int32_t today)
{
	if (strcmp(name, NEW_LINK) == 0)
		return true;
	char target[TARGET_MAX + 1];
	ssize_t n = readlinkat(dir, name, target, sizeof(target));
	struct span path = span_make(target, n < 0 ? 0 : (size_t)n);
	struct segment_name to;
	return span_starts_with(path, SPAN_LITERAL(UP)) &&
	       segment_name_parse(span_from(path, UP_LEN), &to) == 0 && to.day != today;
}

/* Calls `each` for every entry of a directory but . and .. */
static int walk(int fd, int (*each)(int dir, const char *name, int32_t today), int32_t today)
{
	DIR *d = fdopendir(fd);
	if (!d) {
		int r = -errno;
		file_close(&fd);
		return r;
	}
	int first = 0;
	for (struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		int r = each(dirfd(d), e->d_name, today);
		if (r < 0 && first == 0)
			first = r;
	}
	(void)closedir(d);
	return first;
}

static int sweep_link(int dir, const char *name, int32_t today)
{
	if (!is_stale(dir, name, today) || unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

static int sweep_service(int dir, const char *name, int32_t today)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
	int r = walk(fd, sweep_link, today);
	/* Goes only when it is empty. */
	(void)unlinkat(dir, name, AT_REMOVEDIR);
	return r;
}

int today_sweep(const struct tree *t, int32_t today)
{
	int fd = tree_open_dir(t, TREE_TODAY);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return walk(fd, sweep_service, today);
}
