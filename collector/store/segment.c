/* Live files: see segment.h. The append thread drives it (appender.c), recovery makes and opens
 * files through it.
 *
 * The look before an append and the append itself are two calls; who writes into the file in
 * between (O_APPEND: his bytes and ours stand one after another) is found out by the next look. */
#include "collector/store/segment.h"

#include "collector/store/blocked.h"
#include "collector/store/io.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Write-back begins when so much has gathered: small enough that a sync finds little left, large
 * enough for the disk. */
#define PUSH_BYTES (UINT64_C(1) << 20)

enum { QUEUE_FIRST = 16, IOV_STEP = 256 };

const char *segment_trouble_text(enum segment_trouble trouble)
{
	switch (trouble) {
	case SEGMENT_FINE: return "fine";
	case SEGMENT_MISSING: return "was removed or renamed";
	case SEGMENT_REPLACED: return "was replaced by another file";
	case SEGMENT_CUT: return "was cut";
	case SEGMENT_GROWN: return "has bytes at its end that haul did not write";
	case SEGMENT_LOCKED: return "may not be opened any more";
	}
	abort();
}

struct segment *segment_new(struct shard *shard, uint32_t number)
{
	struct segment *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->shard = shard;
	s->number = number;
	s->first_us = INT64_MAX;
	s->last_us = INT64_MIN;
	s->crc = CRC64_EMPTY;
	s->crc_known = true;
	s->fd = -1;
	return s;
}

void segment_free(struct segment *s)
{
	if (!s)
		return;
	file_close(&s->fd);
	list_remove(&s->all);
	list_remove(&s->open);
	list_remove(&s->changed);
	list_remove(&s->queued);
	free(s->queue);
	free(s);
}

void segment_path(const struct segment *s, char ret[SEGMENT_PATH_MAX])
{
	struct segment_name live = shard_segment_name(s->shard, 0);
	segment_name_path(ret, &live);
}

/* --- the file --- */

/* Another file, or none: unless only the way to it is closed. */
static int is_lost(const struct tree *t, const struct segment *s)
{
	struct blocked_place place;
	bool blocked = blocked_dir(t, s->shard->day, shard_service(s->shard), &place);
	return blocked ? place.error : 0;
}

int segment_look(const struct tree *t, const struct segment *s, enum segment_trouble *ret_trouble,
		 uint64_t *ret_size)
{
	char path[SEGMENT_PATH_MAX];
	segment_path(s, path);
	struct stat st;
	int r = tree_stat(t, path, &st);
	if (r == -ENOENT || r == -ENOTDIR) {
		*ret_trouble = SEGMENT_MISSING;
		return is_lost(t, s);
	}
	if (r < 0)
		return r;
	uint64_t size = (uint64_t)st.st_size;
	*ret_size = size;
	*ret_trouble = !S_ISREG(st.st_mode) || st.st_ino != s->inode ? SEGMENT_REPLACED
		       : size < s->length                            ? SEGMENT_CUT
		       : size > s->length                            ? SEGMENT_GROWN
								     : SEGMENT_FINE;
	return *ret_trouble == SEGMENT_REPLACED ? is_lost(t, s) : 0;
}

/* Something has the name that a file of ours is to have. */
static int clear_the_way(const struct tree *t, const char *path)
{
	const char *slash = strrchr(path, '/');
	char aside[TREE_PATH_MAX];
	int r = tree_set_aside(t, path, slash ? slash + 1 : path, aside);
	if (r == 0)
		log_warning("%s: not written by haul; moved to %s", path, aside);
	return r;
}

int segment_clear_way(const struct tree *t, const struct segment *s)
{
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	int found = 0;
	segment_path(s, path);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int r = tree_stat(t, path, &st);
		if (r == 0 && !S_ISDIR(st.st_mode)) {
			r = clear_the_way(t, path);
			found = 1;
		}
		if (r < 0 && r != -ENOENT)
			return r;
		*slash = '/';
	}
	return found;
}

/* What opening a path says when one of its directories is none. */
static bool is_blocked(int error)
{
	return error == -ELOOP || error == -ENOTDIR;
}

static int take(struct segment *s, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0) {
		int r = -errno;
		file_close(&fd);
		return r;
	}
	s->fd = fd;
	s->inode = st.st_ino;
	s->made = true;
	return 0;
}

int segment_make(const struct tree *t, struct segment *s)
{
	char path[SEGMENT_PATH_MAX];
	segment_path(s, path);
	for (;;) {
		int fd = tree_open_file(t, path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL);
		if (fd >= 0)
			return take(s, fd);
		struct stat st;
		int r = is_blocked(fd) ? segment_clear_way(t, s) : 0;
		if (r > 0)
			continue;
		if (r < 0 || fd != -EEXIST)
			return r < 0 ? r : fd;
		r = tree_stat(t, path, &st);
		/* logrotate's `create` leaves an empty file: it will do. */
		if (r == 0 && S_ISREG(st.st_mode) && st.st_size == 0) {
			fd = tree_open_file(t, path, O_WRONLY | O_APPEND | O_CREAT);
			return fd < 0 ? fd : take(s, fd);
		}
		if (r == 0)
			r = clear_the_way(t, path);
		if (r < 0 && r != -ENOENT)
			return r;
	}
}

int segment_reopen(const struct tree *t, struct segment *s)
{
	char path[SEGMENT_PATH_MAX];
	segment_path(s, path);
	int fd = tree_open_file(t, path, O_WRONLY | O_APPEND), c = 0;
	if (is_blocked(fd))
		c = segment_clear_way(t, s);
	if (fd < 0)
		return c < 0 ? c : c > 0 ? -ESTALE : fd;
	uint64_t inode = s->inode;
	int r = take(s, fd);
	if (r == 0 && s->inode != inode) {
		file_close(&s->fd);
		s->inode = inode;
		r = -ESTALE;
	}
	return r;
}

int segment_retire(const struct tree *t, const struct segment *s)
{
	char live[SEGMENT_PATH_MAX], closed[SEGMENT_PATH_MAX];
	struct segment_name name = shard_segment_name(s->shard, s->number);
	segment_path(s, live);
	segment_name_path(closed, &name);
	int r;
	while ((r = tree_rename(t, live, closed, false)) == -EEXIST) {
		r = clear_the_way(t, closed);
		if (r < 0 && r != -ENOENT)
			break;
	}
	if (!is_blocked(r))
		return r;
	int c = segment_clear_way(t, s);
	return c < 0 ? c : c > 0 ? -ESTALE : r;
}

/* --- lines --- */

static int reserve_queue(struct segment *s, size_t more)
{
	if (s->n_queue + more <= s->queue_capacity)
		return 0;
	size_t capacity = s->queue_capacity ? s->queue_capacity : QUEUE_FIRST;
	while (capacity < s->n_queue + more)
		capacity *= 2;
	struct segment_lines *queue = realloc(s->queue, capacity * sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	s->queue = queue;
	s->queue_capacity = capacity;
	return 0;
}

int segment_queue(struct segment *s, const struct segment_lines *lines)
{
	int r = reserve_queue(s, 1);
	if (r == 0) {
		s->queue[s->n_queue++] = *lines;
		s->end += lines->bytes.len;
	}
	return r;
}

void segment_note(struct segment *s, const struct segment_lines *lines)
{
	s->lines += lines->lines;
	if (lines->first_us < s->first_us)
		s->first_us = lines->first_us;
	if (lines->last_us > s->last_us)
		s->last_us = lines->last_us;
	if (s->crc_known)
		s->crc = crc64_add(s->crc, lines->bytes.ptr, lines->bytes.len);
}

/* Sets the vector to the first entries of the queue, without the bytes that are written already. */
static size_t fill(const struct segment *s, struct iovec iov[IOV_STEP])
{
	uint64_t skip = s->begun;
	size_t n = 0;
	for (size_t i = 0; i < s->n_queue && n < IOV_STEP; i++, n++) {
		struct span rest = s->queue[i].bytes;
		size_t done = skip < rest.len ? (size_t)skip : rest.len;
		rest = span_from(rest, done);
		skip -= done;
		iov[n] = (struct iovec){.iov_base = (char *)rest.ptr, .iov_len = rest.len};
	}
	return n;
}

static void push(struct segment *s)
{
	if (s->length - s->pushed < PUSH_BYTES)
		return;
	/* Only a hint: a file system that does not know it is none the worse. */
	(void)sync_file_range(s->fd, (off_t)s->pushed, (off_t)(s->length - s->pushed),
			      SYNC_FILE_RANGE_WRITE);
	s->pushed = s->length;
}

/* The first `n` entries of the queue are written. */
static void written(struct segment *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		segment_note(s, &s->queue[i]);
	if (n) {
		s->n_queue -= n;
		memmove(s->queue, s->queue + n, s->n_queue * sizeof(*s->queue));
	}
	s->begun = 0;
}

int segment_write(struct segment *s)
{
	while (s->n_queue) {
		struct iovec vector[IOV_STEP], *iov = vector;
		size_t n = fill(s, vector), left = n;
		uint64_t bytes = 0;
		int r = io_appendv(s->fd, &iov, &left, &bytes);
		s->length += bytes;
		if (r < 0) {
			s->begun += bytes;
			return r;
		}
		written(s, n);
	}
	push(s);
	return 0;
}

void segment_settle(struct segment *s)
{
	size_t whole = 0;
	while (whole < s->n_queue && s->begun >= s->queue[whole].bytes.len)
		s->begun -= s->queue[whole++].bytes.len;
	uint64_t begun = s->begun;
	written(s, whole);
	if (begun == 0)
		return;
	/* Bounds of time stay those of all its lines: they may be wide, never narrow. */
	struct segment_lines *rest = &s->queue[0], part = *rest;
	part.bytes.len = 0;
	part.lines = 0;
	struct span seen = span_first(rest->bytes, (size_t)begun);
	for (size_t end; (end = span_find(seen, '\n')) < seen.len;
	     seen = span_from(seen, end + 1)) {
		part.bytes.len += end + 1;
		part.lines++;
	}
	segment_note(s, &part);
	rest->bytes = span_from(rest->bytes, part.bytes.len);
	rest->lines -= part.lines;
	s->length -= begun - part.bytes.len;
}

int segment_hand_over(struct segment *from, struct segment *to)
{
	int r = reserve_queue(to, from->n_queue);
	if (r < 0)
		return r;
	if (from->n_queue)
		memcpy(to->queue + to->n_queue, from->queue, from->n_queue * sizeof(*from->queue));
	to->n_queue += from->n_queue;
	to->end += from->end - from->length;
	from->n_queue = 0;
	return 0;
}

struct segment_row segment_row(const struct segment *s, enum segment_state state)
{
	return (struct segment_row){
		.day = s->shard->day,
		.service = shard_service(s->shard),
		.host = shard_host(s->shard),
		.number = s->number,
		.state = state,
		.inode = s->inode,
		.length = s->length,
		.lines = s->lines,
		.first_us = s->lines ? s->first_us : 0,
		.last_us = s->lines ? s->last_us : 0,
		.crc = s->crc,
		.crc_known = s->crc_known,
	};
}
