/* Descriptors: see descriptor.h. Called by follow for its reads, and by discover, which opens files
 * as it finds them and keeps those that have no name any more.
 *
 * Opening again is the weak moment: the name may lead to another file by now. So every way of
 * opening ends with a comparison of inode and birth time, and where the file system knows no birth
 * time the bytes before the cursor are compared before the next read in any case.
 *
 * Failure modes: the process is out of descriptors (idle ones are given up first, then named files
 * with unread bytes, for these can be opened again at their turn); the file was renamed while it
 * was closed (its handle finds it, for which the kernel wants CAP_DAC_READ_SEARCH; without it its
 * directory is searched); it was deleted while it was closed: -ENOENT, and its unread bytes are
 * gone. */
#include "agent/files/descriptor.h"

#include "agent/files/sniff.h"
#include "agent/files/source_table.h"
#include "agent/files/zreader.h"
#include "common/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OTHERS = 32 /* descriptors that the rest of the agent needs */ };

void descriptor_limit(struct source_table *t, uint64_t max_open_files)
{
	struct rlimit limit;
	t->max_open = max_open_files < SIZE_MAX ? (size_t)max_open_files : SIZE_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < limit.rlim_max && limit.rlim_cur < t->max_open + OTHERS) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < t->max_open + OTHERS)
		t->max_open =
			limit.rlim_cur > 2 * OTHERS ? limit.rlim_cur - OTHERS : limit.rlim_cur / 2;
	if (t->max_open == 0)
		t->max_open = 1;
}

/* --- closing --- */

static void forget(struct source_table *t, struct source *s)
{
	zreader_free(s->zreader);
	s->zreader = NULL;
	list_remove(&s->open);
	s->fd = -1;
	t->n_open--;
}

void descriptor_close(struct source_table *t, struct source *s)
{
	int fd = s->fd;
	if (fd < 0)
		return;
	forget(t, s);
	file_close(&fd);
}

/* What is needed to find the file again under whatever name. Without it there is the name. */
static void keep_handle(struct source *s)
{
	struct {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
	} h = {.head = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount;
	if (s->handle || name_to_handle_at(s->fd, "", &h.head, &mount, AT_EMPTY_PATH) < 0)
		return;
	size_t size = sizeof(h.head) + h.head.handle_bytes;
	s->handle = malloc(size);
	if (s->handle)
		memcpy(s->handle, &h, size);
}

static bool closable(const struct source *s, bool idle_only)
{
	if (s->names == 0 || s->cut || s->compressed)
		return false;
	return !idle_only || (!list_linked(&s->ready) && s->tail_at >= s->size);
}

static bool close_one(struct source_table *t, bool idle_only)
{
	for (struct list_node *n = list_first(&t->open); n; n = list_next(&t->open, n)) {
		struct source *s = LIST_ENTRY(n, struct source, open);
		if (closable(s, idle_only)) {
			keep_handle(s);
			descriptor_close(t, s);
			return true;
		}
	}
	return false;
}

bool descriptor_make_room(struct source_table *t)
{
	while (t->n_open >= t->max_open)
		if (!close_one(t, true))
			return false;
	return true;
}

/* --- opening --- */

void descriptor_used(struct source_table *t, struct source *s)
{
	if (s->fd < 0)
		return;
	list_remove(&s->open);
	list_add_last(&t->open, &s->open);
}

/* Reading a log that grows would else write its inode each time, for the time of access. Only its
 * owner and root may ask for that. */
static void leave_no_trace(int fd)
{
	(void)fcntl(fd, F_SETFL, O_NONBLOCK | O_NOATIME);
}

void descriptor_give(struct source_table *t, struct source *s, int fd)
{
	assert(fd >= 0);
	descriptor_close(t, s);
	leave_no_trace(fd);
	s->fd = fd;
	t->n_open++;
	list_add_last(&t->open, &s->open);
	/* Without it reading fails for want of memory, and is tried again. */
	if (s->compressed && zreader_new(fd, &s->zreader) < 0)
		s->zreader = NULL;
}

void descriptor_compressed(struct source_table *t, struct source *s, bool compressed)
{
	if (s->compressed == compressed)
		return;
	s->compressed = compressed;
	ladder_free(&s->ladder); /* what it remembers was read the other way */
	int fd = descriptor_take(t, s);
	if (fd >= 0)
		descriptor_give(t, s, fd);
}

bool descriptor_is_gzip(int fd)
{
	char magic[SNIFF_BYTES];
	ssize_t n = file_pread_full(fd, magic, sizeof(magic), 0);
	return n > 0 && sniff_gzip(span_make(magic, (size_t)n));
}

int descriptor_take(struct source_table *t, struct source *s)
{
	int fd = s->fd;
	if (fd >= 0)
		forget(t, s);
	return fd;
}

/* The descriptor when it is the source's file, else it is closed. */
static int checked(const struct source *s, int fd, const struct identity *id)
{
	if (id->ino == s->ino && id->btime_ns == s->btime_ns &&
	    (id->btime_ns != 0 || id->dev == s->dev))
		return fd;
	close(fd);
	return -ESTALE;
}

static int open_by_path(const struct source *s, const char *path)
{
	struct identity id;
	int fd, r = identity_open(path, &id, &fd);
	if (r < 0)
		return r;
	return checked(s, fd, &id);
}

static int open_dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash && slash != path ? strndup(path, (size_t)(slash - path)) : strdup("/");
	if (!dir)
		return -ENOMEM;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : fd;
	free(dir);
	return r;
}

static int open_by_handle(const struct source *s, int dirfd)
{
	struct identity id;
	if (!s->handle)
		return -ESTALE;
	int fd = open_by_handle_at(dirfd, s->handle, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = identity_of_fd(fd, &id);
	if (r < 0 || !S_ISREG(id.mode)) {
		close(fd);
		return r < 0 ? r : -ESTALE;
	}
	return checked(s, fd, &id);
}

/* Takes the directory's descriptor over. */
static int open_by_search(const struct source *s, int dirfd)
{
	DIR *dir = fdopendir(dirfd);
	if (!dir) {
		close(dirfd);
		return -errno;
	}
	int fd = -ESTALE;
	for (struct dirent *e; fd < 0 && (e = readdir(dir)) != NULL;) {
		struct identity id;
		if (e->d_ino != s->ino || identity_of_entry(dirfd, e->d_name, false, &id) < 0 ||
		    !S_ISREG(id.mode))
			continue;
		int opened = openat(dirfd, e->d_name,
				    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
		if (opened < 0)
			fd = -errno;
		else if (identity_of_fd(opened, &id) == 0)
			fd = checked(s, opened, &id);
		else
			close(opened);
	}
	closedir(dir);
	return fd;
}

static int open_anyhow(const struct source *s)
{
	int fd = open_by_path(s, s->path);
	if (fd != -ESTALE && fd != -ENOENT)
		return fd;
	int dirfd = open_dir_of(s->path);
	if (dirfd < 0)
		return fd;
	int found = open_by_handle(s, dirfd);
	if (found < 0)
		found = open_by_search(s, dirfd);
	else
		close(dirfd);
	return found < 0 ? fd : found;
}

int descriptor_open(struct source_table *t, struct source *s)
{
	if (s->fd >= 0)
		return 0;
	while (t->n_open >= t->max_open)
		if (!close_one(t, true) && !close_one(t, false))
			break;
	int fd = open_anyhow(s);
	while ((fd == -EMFILE || fd == -ENFILE) && (close_one(t, true) || close_one(t, false)))
		fd = open_anyhow(s);
	if (fd < 0)
		return fd;
	descriptor_give(t, s, fd);
	return 0;
}
