/* Shards that are followed: see shards.h.
 *
 * A shard's live file is held open and read from where we are. When another file stands under its
 * name, ours has been closed: it is read to its end, then the segments that were closed since (by
 * their numbers: ours is the lowest above those that were there when we opened it), then the new
 * live file from its start. Thus nothing is missed however fast segments follow each other, and
 * sealing what we hold does not matter. */
#include "collector/query/shards.h"

#include "collector/query/linebuf.h"
#include "collector/query/reader.h"
#include "common/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024 };

struct shard {
	char *host;
	uint64_t number; /* of shards, for who follows */
	int fd;          /* the live file; -1: there is none */
	uint64_t ino;
	uint64_t offset; /* read so far */
	uint32_t above;  /* the highest number that was there when the live file was opened */
	bool dirty;      /* there may be more to read */
	struct linebuf lines;
	struct follow_state state;
	struct shard *next; /* in its directory */
};

static void shard_free(const struct shard_common *c, struct shard *s)
{
	c->ops.forget(c->ops.user, &s->state);
	file_close(&s->fd);
	linebuf_free(&s->lines);
	free(s->host);
	free(s);
}

static struct shard *shard_find(const struct shards *all, const char *host)
{
	for (struct shard *s = all->first; s; s = s->next)
		if (strcmp(s->host, host) == 0)
			return s;
	return NULL;
}

static struct shard *shard_add(struct shard_common *c, struct shards *all, const char *host)
{
	struct shard *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->host = strdup(host);
	if (!s->host) {
		free(s);
		return NULL;
	}
	s->fd = -1;
	s->number = c->n_shards++;
	s->next = all->first;
	all->first = s;
	return s;
}

/* A file of the listing becomes the shard's live one. */
static int shard_open(struct shard *s, const struct segment *live, uint64_t offset)
{
	int fd = fcntl(live->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	file_close(&s->fd);
	s->fd = fd;
	s->ino = live->ino;
	s->offset = offset;
	s->dirty = true;
	linebuf_reset(&s->lines);
	return 0;
}

/* Reads what the live file has. With `end` it is closed: its last line ends with it. */
static int shard_read(const struct shard_common *c, struct shard *s, bool end)
{
	s->dirty = false;
	while (s->fd >= 0) {
		struct span lines;
		int r = linebuf_room(&s->lines, READ_BYTES);
		if (r < 0)
			return r;
		ssize_t n = file_pread_full(s->fd, linebuf_end(&s->lines), READ_BYTES, s->offset);
		if (n > 0) {
			linebuf_filled(&s->lines, (size_t)n);
			s->offset += (uint64_t)n;
		}
		if (linebuf_take(&s->lines, end && n <= 0, &lines)) {
			r = c->ops.lines(c->ops.user, s->number, &s->state, lines);
			if (r < 0)
				return r;
		}
		/* What cannot be read now is tried again later. */
		if (n <= 0 || (!end && n < READ_BYTES))
			return 0;
	}
	return 0;
}

/* A whole segment that was closed before we had it. -ENOENT: it has another name by now. */
static int read_segment(const struct shard_common *c, struct shard *s, const char *directory,
			const struct segment *seg)
{
	struct window w;
	char path[SEGMENT_PATH_MAX + NAME_MAX_LEN];
	(void)snprintf(path, sizeof(path), "%s/%s", directory, seg->name);
	int fd = seg->fd >= 0 ? fcntl(seg->fd, F_DUPFD_CLOEXEC, 0)
			      : openat(c->archive_fd, path,
				       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0, told = 0;
	if (r == 0)
		r = reader_start(c->reader, seg->form, fd, seg->size,
				 (struct piece){0, 0, seg->size});
	while (r == 0 && told == 0 && (r = reader_next(c->reader, &w)) != 0) {
		if (r > 0)
			told = c->ops.lines(c->ops.user, s->number, &s->state, w.lines);
		else if (r == -EBADMSG)
			reader_tell(c->reader, c->trouble, path, r);
		else
			break;
		r = 0;
	}
	file_close(&fd);
	if (told < 0 || r == 0 || r == -ENOMEM || r == -ENOENT)
		return told < 0 ? told : r;
	reader_tell(c->reader, c->trouble, path, r);
	return 0;
}

/* The shard's segments: [from, to) of the listing, in order of their numbers, the live one last. */
static int update_shard(struct shard_common *c, struct shards *all, const char *directory,
			struct segment *segments, size_t n)
{
	struct segment *live = segments[n - 1].number == SEGMENT_LAST ? &segments[n - 1] : NULL;
	size_t closed = live ? n - 1 : n;
	uint32_t highest = closed ? segments[closed - 1].number : 0;
	struct shard *s = shard_find(all, segments[0].host);
	if (!s && !(s = shard_add(c, all, segments[0].host)))
		return -ENOMEM;
	if (s->fd >= 0 && live && live->ino == s->ino)
		return 0;
	if (s->fd >= 0 && highest <= s->above && !live)
		return 0; /* between two names */
	int r = shard_read(c, s, true);
	/* Ours, if we had one, is the first that was closed since. What was given out is noted at
	 * once: this may have to be done again. */
	bool skip = s->fd >= 0;
	for (size_t i = 0; r == 0 && i < closed; i++) {
		if (segments[i].number <= s->above)
			continue;
		if (!skip)
			r = read_segment(c, s, directory, &segments[i]);
		if (r < 0)
			break;
		skip = false;
		s->above = segments[i].number;
		file_close(&s->fd);
	}
	if (r < 0)
		return r;
	file_close(&s->fd);
	return live ? shard_open(s, live, 0) : 0;
}

static int compare_in_directory(const void *pa, const void *pb)
{
	const struct segment *a = pa, *b = pb;
	int r = strcmp(a->host, b->host);
	if (r == 0)
		r = (a->number > b->number) - (a->number < b->number);
	/* Of one that is there twice, plain and sealed, the plain one comes first. */
	return r ? r : (int)a->form - (int)b->form;
}

int shards_update(struct shard_common *c, struct shards *all, const char *directory,
		  struct listing *list, bool *ret_again)
{
	struct segment *items = list->items;
	size_t n = 0;
	if (list->n == 0)
		return 0;
	assert(items);
	qsort(items, list->n, sizeof(*items), compare_in_directory);
	for (size_t i = 0; i < list->n; i++) {
		if (n && items[n - 1].number == items[i].number &&
		    strcmp(items[n - 1].host, items[i].host) == 0)
			listing_forget(list, &items[i]);
		else
			items[n++] = items[i];
	}
	list->n = n;
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n; to++)
			if (strcmp(items[to].host, items[from].host) != 0)
				break;
		int r = update_shard(c, all, directory, &items[from], to - from);
		/* A segment vanished since the listing: the directory is looked at again. */
		if (r == -ENOENT)
			*ret_again = true;
		else if (r < 0)
			return r;
	}
	return 0;
}

/* --- for who follows --- */

void shards_free(const struct shard_common *c, struct shards *all)
{
	while (all->first) {
		struct shard *s = all->first;
		all->first = s->next;
		shard_free(c, s);
	}
}

int shards_adopt(struct shard_common *c, struct shards *all, const struct segment *seg)
{
	struct shard *s = shard_find(all, seg->host);
	if (!s && !(s = shard_add(c, all, seg->host)))
		return -ENOMEM;
	if (seg->number != SEGMENT_LAST)
		s->above = seg->number > s->above ? seg->number : s->above;
	else if (seg->fd >= 0)
		return shard_open(s, seg, seg->size);
	return 0;
}

void shards_mark(struct shards *all)
{
	for (struct shard *s = all->first; s; s = s->next)
		s->dirty = true;
}

void shards_mark_file(struct shards *all, struct span name)
{
	struct segment_name parsed;
	char host[NAME_MAX_LEN + 1];
	if (segment_name_parse_file(name, &parsed) < 0 || parsed.form != SEGMENT_LIVE)
		return;
	(void)snprintf(host, sizeof(host), "%.*s", (int)parsed.host.len, parsed.host.ptr);
	struct shard *s = shard_find(all, host);
	if (s)
		s->dirty = true;
}

int shards_read(const struct shard_common *c, struct shards *all, bool end)
{
	for (struct shard *s = all->first; s; s = s->next) {
		int r = s->dirty ? shard_read(c, s, end) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
