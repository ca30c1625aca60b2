/* Readings of one directory of the archive: see listing.h.
 *
 * readdir is no snapshot. So a directory whose modification time moved while it was read, or is so
 * young that its clock tick may hide a change, is read again until two readings agree, of which the
 * later saw no change: two that were both disturbed may have missed the same file, once before and
 * once after it was renamed. Plain files are opened within the same reading and held: whatever is
 * renamed or sealed afterwards, the descriptor stays. */
#include "collector/query/listing.h"

#include "common/array.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/glob.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	READINGS_MAX = 200, /* of one directory that keeps changing */
};

/* A directory last changed longer ago than this has no change that its timestamp could hide (a tick
 * of the kernel's coarse clock is at most 10 ms). */
#define SETTLED_NS (2 * NUM_SEC_NS)

/* One of the readings. */
struct reading {
	const struct listing_request *request;
	bool first; /* trouble is told once */
	bool last;  /* a file that vanishes is simply not there */
};

bool listing_chosen(const char *name, const char *const *globs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (glob_match_name(globs[i], name))
			return true;
	return n == 0;
}

DIR *listing_open_directory(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	DIR *dir = fdopendir(fd);
	if (!dir)
		close(fd);
	return dir;
}

void listing_forget(struct listing *l, struct segment *seg)
{
	if (seg->held && l->held_left)
		atomic_fetch_add(l->held_left, 1);
	file_close(&seg->fd);
	free(seg->host);
	free(seg->name);
}

/* May one more be held open? */
static bool take_hold(struct listing *l)
{
	if (!l->held_left)
		return true;
	size_t left = atomic_load(l->held_left);
	while (left)
		if (atomic_compare_exchange_weak(l->held_left, &left, left - 1))
			return true;
	return false;
}

void listing_free(struct listing *l)
{
	listing_cut(l, 0);
	free(l->items);
	l->items = NULL;
	l->cap = 0;
}

int listing_take(struct listing *l, struct listing *lists, size_t n)
{
	size_t all = l->n;
	for (size_t i = 0; i < n; i++)
		all += lists[i].n;
	if (all > l->cap) {
		struct segment *items = realloc(l->items, all * sizeof(*items));
		if (!items)
			return -ENOMEM;
		l->items = items;
		l->cap = all;
	}
	for (size_t i = 0; i < n; i++) {
		if (lists[i].n)
			memcpy(l->items + l->n, lists[i].items, lists[i].n * sizeof(*l->items));
		l->n += lists[i].n;
		lists[i].n = 0;
	}
	return 0;
}

void listing_cut(struct listing *l, size_t from)
{
	while (l->n > from)
		listing_forget(l, &l->items[--l->n]);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct segment *)a)->name, ((const struct segment *)b)->name);
}

/* Looks at one file: its inode and size; a plain one is opened. */
static int look_at(struct listing *l, int dir_fd, struct segment *seg)
{
	struct stat st;
	if (!segment_is_plain(seg)) {
		if (fstatat(dir_fd, seg->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	} else {
		seg->fd = openat(dir_fd, seg->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (seg->fd < 0 || fstat(seg->fd, &st) < 0)
			return -errno;
		seg->held = take_hold(l);
		if (!seg->held)
			file_close(&seg->fd);
	}
	if (!S_ISREG(st.st_mode))
		return -ELOOP;
	seg->ino = st.st_ino;
	seg->size = (uint64_t)st.st_size;
	return 0;
}

/* 1: added; 0: not chosen. */
static int try_file(struct listing *l, int dir_fd, const char *name,
		    const struct listing_request *request)
{
	struct segment seg = {.fd = -1, .service = request->service};
	struct segment_name parsed;
	if (segment_name_parse_file(span_of(name), &parsed) < 0)
		return 0;
	seg.form = parsed.form;
	seg.number = parsed.form == SEGMENT_LIVE ? SEGMENT_LAST : parsed.number;
	seg.name = strdup(name);
	seg.host = strndup(parsed.host.ptr, parsed.host.len);
	int r = seg.name && seg.host ? array_room(&l->items, l->n, &l->cap, sizeof(*l->items))
				     : -ENOMEM;
	if (r == 0 && listing_chosen(seg.host, request->choice->hosts, request->choice->n_hosts)) {
		r = look_at(l, dir_fd, &seg);
		if (r == 0) {
			l->items[l->n++] = seg;
			return 1;
		}
	}
	listing_forget(l, &seg);
	return r;
}

static int add_file(struct listing *l, int dir_fd, const char *name, const struct reading *how)
{
	const struct listing_request *request = how->request;
	int r = try_file(l, dir_fd, name, request);
	if (r == -ENOMEM || (r == -ENOENT && !how->last))
		return r;
	if (r < 0 && r != -ENOENT && how->first)
		trouble_tell(request->trouble, "%s/%s/%s: %s; it is left out", request->day,
			     request->service, name,
			     r == -ELOOP ? "not a regular file" : strerror(-r));
	return 0;
}

/* How sure it is that nothing moved during a reading. */
enum rest {
	MOVED,
	QUIET,   /* its time says so, which may hide a change within a tick of the clock */
	SETTLED, /* nothing can have moved */
};

/* One reading, appended to the list. Errors: -ENOENT a file vanished under way; -errno. */
static int read_directory(struct listing *l, DIR *dir, const struct reading *how, enum rest *ret)
{
	struct stat before, after;
	int fd = dirfd(dir);
	if (fstat(fd, &before) < 0)
		return -errno;
	rewinddir(dir);
	errno = 0;
	for (const struct dirent *e; (e = readdir(dir)); errno = 0) {
		int r = add_file(l, fd, e->d_name, how);
		if (r < 0)
			return r;
	}
	if (errno)
		return -errno;
	if (fstat(fd, &after) < 0)
		return -errno;
	int64_t changed_ns = after.st_mtim.tv_sec * NUM_SEC_NS + after.st_mtim.tv_nsec;
	if (before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
	    before.st_mtim.tv_nsec != after.st_mtim.tv_nsec)
		*ret = MOVED;
	else
		*ret = changed_ns + SETTLED_NS < clock_real_ns() ? SETTLED : QUIET;
	return 0;
}

/* Is what stands from `from` to `second` the same as from there to the end? */
static bool same_reading(const struct listing *l, size_t from, size_t second)
{
	if (l->n - second != second - from)
		return false;
	for (size_t i = from; i < second; i++) {
		const struct segment *a = &l->items[i], *b = &l->items[second + i - from];
		if (a->ino != b->ino || strcmp(a->name, b->name) != 0)
			return false;
	}
	return true;
}

/* Forgets the earlier of two readings, keeping the later one (its sizes are newer). */
static void keep_later(struct listing *l, size_t from, size_t second)
{
	if (second == from)
		return;
	for (size_t i = from; i < second; i++)
		listing_forget(l, &l->items[i]);
	memmove(&l->items[from], &l->items[second], (l->n - second) * sizeof(*l->items));
	l->n -= second - from;
}

int listing_add_directory(struct listing *l, DIR *dir, const struct listing_request *request)
{
	size_t from = l->n;
	bool have_one = false;
	enum rest rest = MOVED;
	for (unsigned i = 0; i < READINGS_MAX; i++) {
		size_t second = l->n;
		const struct reading how = {
			.request = request, .first = i == 0, .last = i + 1 == READINGS_MAX};
		int r = read_directory(l, dir, &how, &rest);
		if (r == -ENOENT) {
			listing_cut(l, from);
			have_one = false;
			continue;
		}
		if (r < 0)
			return r;
		if (l->n > second)
			qsort(l->items + second, l->n - second, sizeof(*l->items), compare_names);
		bool same = have_one && same_reading(l, from, second);
		if (have_one)
			keep_later(l, from, second);
		if (rest == SETTLED || (rest == QUIET && same))
			return 0;
		have_one = true;
	}
	return 0; /* it keeps changing: the last reading is as good as any */
}
