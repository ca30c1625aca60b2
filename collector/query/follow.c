/* Following the archive: see follow.h. Called by tail.
 *
 * Three levels of directories are watched: the archive for days, a day for services, a service's directory for
 * files. A shard's live file is held open and read from where we are. When another file stands under its name,
 * ours has been closed: it is read to its end, then the segments that were closed since (by their numbers: ours
 * is the lowest above those that were there when we opened it), then the new live file from its start. Thus
 * nothing is missed however fast segments follow each other, and sealing what we hold does not matter.
 *
 * An event only says where to look; what is there says what to do. So lost events cost time, not lines. */
#include "collector/query/follow.h"

#include "collector/query/linebuf.h"
#include "collector/query/reader.h"
#include "collector/query/watch.h"
#include "common/file.h"
#include "common/map.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024 };

#define POLL_NS (500 * NUM_MS_NS)

enum level { LEVEL_ARCHIVE, LEVEL_DAY, LEVEL_SERVICE };

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

struct directory {
	enum level level;
	char path[SEGMENT_PATH_MAX]; /* below the archive; "" the archive itself */
	int watch;
	bool dirty; /* entries may have changed */
	bool gone;
	struct shard *shards;
	struct directory *next;
};

struct follow {
	int archive_fd;
	const char *data_dir;
	const struct segment_choice *choice;
	struct trouble *trouble;
	struct follow_ops ops;
	struct watch *watch;
	struct reader *reader;
	struct directory *directories; /* the newest first; the archive is the last */
	struct map by_path;            /* directories */
	uint64_t n_shards;
	int32_t first_day; /* older ones are not followed */
};

/* --- directories --- */

static bool same_path(const void *entry, const void *key)
{
	return strcmp(((const struct directory *)entry)->path, key) == 0;
}

static struct directory *directory_find(const struct follow *f, const char *path)
{
	return map_find(&f->by_path, map_hash(&f->by_path, span_of(path)), path);
}

static void shard_free(struct follow *f, struct shard *s)
{
	f->ops.forget(f->ops.user, &s->state);
	file_close(&s->fd);
	linebuf_free(&s->lines);
	free(s->host);
	free(s);
}

static void directory_free(struct follow *f, struct directory *d)
{
	while (d->shards) {
		struct shard *s = d->shards;
		d->shards = s->next;
		shard_free(f, s);
	}
	free(d);
}

/* 1: made; 0: it was there; -ENOENT it is gone again. */
static int directory_add(struct follow *f, enum level level, const char *path,
			 struct directory **ret)
{
	*ret = directory_find(f, path);
	if (*ret)
		return 0;
	char *full;
	struct directory *d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->level = level;
	d->dirty = true;
	(void)snprintf(d->path, sizeof(d->path), "%s", path);
	int r = asprintf(&full, "%s/%s", f->data_dir, path) < 0 ? -ENOMEM : 0;
	if (r == 0) {
		r = watch_add(f->watch, full, d, &d->watch);
		free(full);
	}
	if (r == 0)
		r = map_add(&f->by_path, map_hash(&f->by_path, span_of(path)), d);
	if (r < 0) {
		free(d);
		return r;
	}
	d->next = f->directories;
	f->directories = d;
	*ret = d;
	return 1;
}

/* Takes those out that are gone. */
static void drop_gone(struct follow *f)
{
	for (struct directory **at = &f->directories; *at;) {
		struct directory *d = *at;
		if (!d->gone) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		watch_drop(f->watch, d->watch);
		(void)map_remove(&f->by_path, map_hash(&f->by_path, span_of(d->path)), d->path);
		directory_free(f, d);
	}
}

/* --- shards --- */

static struct shard *shard_find(const struct directory *d, const char *host)
{
	for (struct shard *s = d->shards; s; s = s->next)
		if (strcmp(s->host, host) == 0)
			return s;
	return NULL;
}

static struct shard *shard_add(struct follow *f, struct directory *d, const char *host)
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
	s->number = f->n_shards++;
	s->next = d->shards;
	d->shards = s;
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
static int shard_read(struct follow *f, struct shard *s, bool end)
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
			r = f->ops.lines(f->ops.user, s->number, &s->state, lines);
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
static int read_segment(struct follow *f, struct shard *s, const struct directory *d,
			const struct segment *seg)
{
	struct window w;
	char path[SEGMENT_PATH_MAX + NAME_MAX_LEN];
	(void)snprintf(path, sizeof(path), "%s/%s", d->path, seg->name);
	int fd = seg->fd >= 0 ? fcntl(seg->fd, F_DUPFD_CLOEXEC, 0)
			      : openat(f->archive_fd, path,
				       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0, told = 0;
	if (r == 0)
		r = reader_start(f->reader, seg->form, fd, seg->size,
				 (struct piece){0, 0, seg->size});
	while (r == 0 && told == 0 && (r = reader_next(f->reader, &w)) != 0) {
		if (r > 0)
			told = f->ops.lines(f->ops.user, s->number, &s->state, w.lines);
		else if (r == -EBADMSG)
			reader_tell(f->reader, f->trouble, path, r);
		else
			break;
		r = 0;
	}
	file_close(&fd);
	if (told < 0 || r == 0 || r == -ENOMEM || r == -ENOENT)
		return told < 0 ? told : r;
	reader_tell(f->reader, f->trouble, path, r);
	return 0;
}

/* --- a service's directory --- */

/* The shard's segments: [from, to) of the listing, in order of their numbers, the live one last. */
static int update_shard(struct follow *f, struct directory *d, struct segment *segments, size_t n)
{
	struct segment *live = segments[n - 1].number == SEGMENT_LAST ? &segments[n - 1] : NULL;
	size_t closed = live ? n - 1 : n;
	uint32_t highest = closed ? segments[closed - 1].number : 0;
	struct shard *s = shard_find(d, segments[0].host);
	if (!s && !(s = shard_add(f, d, segments[0].host)))
		return -ENOMEM;
	if (s->fd >= 0 && live && live->ino == s->ino)
		return 0;
	if (s->fd >= 0 && highest <= s->above && !live)
		return 0; /* between two names */
	int r = shard_read(f, s, true);
	/* Ours, if we had one, is the first that was closed since. What was given out is noted at once: this
	 * may have to be done again. */
	bool skip = s->fd >= 0;
	for (size_t i = 0; r == 0 && i < closed; i++) {
		if (segments[i].number <= s->above)
			continue;
		if (!skip)
			r = read_segment(f, s, d, &segments[i]);
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

static int update_shards(struct follow *f, struct directory *d, struct listing *list)
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
		int r = update_shard(f, d, &items[from], to - from);
		/* A segment vanished since the listing: the directory is looked at again. */
		if (r == -ENOENT)
			d->dirty = true;
		else if (r < 0)
			return r;
	}
	return 0;
}

static int look_at_service(struct follow *f, struct directory *d)
{
	struct listing list = {.n = 0};
	char day[CIVIL_DAY_LEN + 1];
	memcpy(day, d->path, CIVIL_DAY_LEN);
	day[CIVIL_DAY_LEN] = '\0';
	DIR *dir = listing_open_directory(f->archive_fd, d->path);
	if (!dir) {
		d->gone = errno == ENOENT;
		return 0;
	}
	const struct listing_request request = {.day = day,
						.service = d->path + CIVIL_DAY_LEN + 1,
						.choice = f->choice,
						.trouble = f->trouble};
	int r = listing_add_directory(&list, dir, &request);
	closedir(dir);
	if (r == 0) {
		r = update_shards(f, d, &list);
	} else if (r != -ENOMEM) {
		trouble_tell(f->trouble, "%s: %s; it is looked at again later", d->path,
			     strerror(-r));
		r = 0;
	}
	listing_cut(&list, 0);
	free(list.items);
	return r;
}

/* --- the directories above --- */

static bool is_wanted(const struct follow *f, enum level level, const char *name)
{
	int32_t day;
	if (level == LEVEL_ARCHIVE)
		return civil_parse_day(span_of(name), &day) == 0 && day >= f->first_day;
	return name_valid(span_of(name)) &&
	       listing_chosen(name, f->choice->services, f->choice->n_services);
}

static int look_at_names(struct follow *f, struct directory *d)
{
	DIR *dir = listing_open_directory(f->archive_fd, *d->path ? d->path : ".");
	if (!dir) {
		d->gone = errno == ENOENT && d->level != LEVEL_ARCHIVE;
		return 0;
	}
	int r = 0;
	for (const struct dirent *e; r >= 0 && (e = readdir(dir));) {
		char path[SEGMENT_PATH_MAX];
		struct directory *below;
		if (!is_wanted(f, d->level, e->d_name))
			continue;
		if (snprintf(path, sizeof(path), "%s%s%s", d->path, *d->path ? "/" : "",
			     e->d_name) >= (int)sizeof(path))
			continue;
		r = directory_add(f, d->level + 1, path, &below);
		if (r == -ENOENT || r == -ENOTDIR)
			r = 0;
	}
	closedir(dir);
	return r < 0 ? r : 0;
}

static int look_at(struct follow *f, struct directory *d)
{
	d->dirty = false;
	return d->level == LEVEL_SERVICE ? look_at_service(f, d) : look_at_names(f, d);
}

/* What came into view while looking is looked at too. */
static int look_at_dirty(struct follow *f)
{
	for (bool again = true; again;) {
		again = false;
		for (struct directory *d = f->directories; d; d = d->next) {
			if (!d->dirty || d->gone)
				continue;
			int r = look_at(f, d);
			if (r < 0)
				return r;
			again = again || d->level != LEVEL_SERVICE;
		}
	}
	drop_gone(f);
	return 0;
}

/* --- */

int follow_new(int archive_fd, const char *data_dir, int32_t first_day,
	       const struct segment_choice *choice, struct trouble *trouble,
	       const struct follow_ops *ops, struct follow **ret)
{
	struct directory *archive;
	struct follow *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->archive_fd = archive_fd;
	f->data_dir = data_dir;
	f->choice = choice;
	f->trouble = trouble;
	f->ops = *ops;
	f->first_day = first_day;
	map_init(&f->by_path, same_path);
	f->watch = watch_new(POLL_NS);
	f->reader = reader_new();
	int r = f->watch && f->reader ? directory_add(f, LEVEL_ARCHIVE, "", &archive) : -ENOMEM;
	if (r < 0) {
		follow_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	while (f->directories) {
		struct directory *d = f->directories;
		f->directories = d->next;
		directory_free(f, d);
	}
	map_free(&f->by_path);
	watch_free(f->watch);
	reader_free(f->reader);
	free(f);
}

int follow_adopt(struct follow *f, const struct segments *segments)
{
	for (uint32_t i = 0; i < segments_count(segments); i++) {
		const struct segment *seg = segments_get(segments, i);
		char path[SEGMENT_PATH_MAX], day[CIVIL_DAY_LEN + 1] = "";
		struct directory *d;
		civil_format_day(day, segments_day(segments));
		int r = directory_add(f, LEVEL_DAY, day, &d);
		(void)segment_name_dir(path, segments_day(segments), span_of(seg->service));
		if (r >= 0)
			r = directory_add(f, LEVEL_SERVICE, path, &d);
		if (r == -ENOENT || r == -ENOTDIR)
			continue;
		if (r < 0)
			return r;
		struct shard *s = shard_find(d, seg->host);
		if (!s && !(s = shard_add(f, d, seg->host)))
			return -ENOMEM;
		if (seg->number != SEGMENT_LAST)
			s->above = seg->number > s->above ? seg->number : s->above;
		else if (seg->fd >= 0 && (r = shard_open(s, seg, seg->size)) < 0)
			return r;
	}
	return 0;
}

static void mark_directory(struct directory *d)
{
	d->dirty = true;
	for (struct shard *s = d->shards; s; s = s->next)
		s->dirty = true;
}

static void mark_all(struct follow *f)
{
	for (struct directory *d = f->directories; d; d = d->next)
		mark_directory(d);
}

/* A file was written to: if it is a live one its shard is read. */
static void mark_shard(struct directory *d, struct span name)
{
	struct segment_name parsed;
	char host[NAME_MAX_LEN + 1];
	if (d->level != LEVEL_SERVICE || segment_name_parse_file(name, &parsed) < 0 ||
	    parsed.form != SEGMENT_LIVE)
		return;
	(void)snprintf(host, sizeof(host), "%.*s", (int)parsed.host.len, parsed.host.ptr);
	struct shard *s = shard_find(d, host);
	if (s)
		s->dirty = true;
}

int follow_wait(struct follow *f, int fd, int64_t timeout_ns)
{
	int r = watch_wait(f->watch, fd, timeout_ns);
	return r < 0 ? r : 0;
}

static void take_events(struct follow *f)
{
	struct watch_event e;
	while (watch_next(f->watch, &e)) {
		struct directory *d = e.user;
		switch (e.kind) {
		case WATCH_ENTRY: d->dirty = true; break;
		case WATCH_GREW: mark_shard(d, e.name); break;
		case WATCH_GONE:
			d->gone = true;
			d->watch = -1;
			mark_directory(d);
			break;
		case WATCH_LOOK_ALL: mark_all(f); break;
		}
	}
}

int follow_read(struct follow *f)
{
	take_events(f);
	for (struct directory *d = f->directories; d; d = d->next) {
		for (struct shard *s = d->shards; s; s = s->next) {
			int r = s->dirty ? shard_read(f, s, d->gone) : 0;
			if (r < 0)
				return r;
		}
	}
	int r = look_at_dirty(f);
	if (r < 0)
		return r;
	/* Files that were found just now have their first lines already. */
	for (struct directory *d = f->directories; d; d = d->next) {
		for (struct shard *s = d->shards; s; s = s->next) {
			r = s->dirty ? shard_read(f, s, false) : 0;
			if (r < 0)
				return r;
		}
	}
	return 0;
}
