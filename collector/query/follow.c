/* Following the archive: see follow.h. Called by tail.
 *
 * Three levels of directories are watched: the archive for days, a day for services, a service's
 * directory for files; what these have is given out by shards.c.
 *
 * An event only says where to look; what is there says what to do. So lost events cost time, not
 * lines. */
#include "collector/query/follow.h"

#include "collector/query/shards.h"
#include "collector/query/watch.h"
#include "common/map.h"
#include "common/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define POLL_NS (500 * NUM_MS_NS)

enum level { LEVEL_ARCHIVE, LEVEL_DAY, LEVEL_SERVICE };

struct directory {
	enum level level;
	char path[SEGMENT_PATH_MAX]; /* below the archive; "" the archive itself */
	int watch;
	bool dirty; /* entries may have changed */
	bool gone;
	struct shards shards;
	struct directory *next;
};

struct follow {
	const char *data_dir;
	const struct segment_choice *choice;
	struct shard_common common;
	struct watch *watch;
	struct directory *directories; /* the newest first; the archive is the last */
	struct map by_path;            /* directories */
	int32_t first_day;             /* older ones are not followed */
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

static void directory_free(struct follow *f, struct directory *d)
{
	shards_free(&f->common, &d->shards);
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

/* --- a service's directory --- */

static int look_at_service(struct follow *f, struct directory *d)
{
	struct listing list = {.n = 0};
	char day[CIVIL_DAY_LEN + 1];
	memcpy(day, d->path, CIVIL_DAY_LEN);
	day[CIVIL_DAY_LEN] = '\0';
	DIR *dir = listing_open_directory(f->common.archive_fd, d->path);
	if (!dir) {
		d->gone = errno == ENOENT;
		return 0;
	}
	const struct listing_request request = {.day = day,
						.service = d->path + CIVIL_DAY_LEN + 1,
						.choice = f->choice,
						.trouble = f->common.trouble};
	int r = listing_add_directory(&list, dir, &request);
	closedir(dir);
	if (r == 0) {
		r = shards_update(&f->common, &d->shards, d->path, &list, &d->dirty);
	} else if (r != -ENOMEM) {
		trouble_tell(f->common.trouble, "%s: %s; it is looked at again later", d->path,
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
	DIR *dir = listing_open_directory(f->common.archive_fd, *d->path ? d->path : ".");
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
	f->data_dir = data_dir;
	f->choice = choice;
	f->common = (struct shard_common){
		.archive_fd = archive_fd, .trouble = trouble, .ops = *ops, .reader = reader_new()};
	f->first_day = first_day;
	map_init(&f->by_path, same_path);
	f->watch = watch_new(POLL_NS);
	int r = f->watch && f->common.reader ? directory_add(f, LEVEL_ARCHIVE, "", &archive)
					     : -ENOMEM;
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
	reader_free(f->common.reader);
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
		if (r >= 0)
			r = shards_adopt(&f->common, &d->shards, seg);
		if (r < 0)
			return r;
	}
	return 0;
}

static void mark_directory(struct directory *d)
{
	d->dirty = true;
	shards_mark(&d->shards);
}

static void mark_all(struct follow *f)
{
	for (struct directory *d = f->directories; d; d = d->next)
		mark_directory(d);
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
		case WATCH_GREW: shards_mark_file(&d->shards, e.name); break;
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
		int r = shards_read(&f->common, &d->shards, d->gone);
		if (r < 0)
			return r;
	}
	int r = look_at_dirty(f);
	if (r < 0)
		return r;
	/* Files that were found just now have their first lines already. */
	for (struct directory *d = f->directories; d; d = d->next) {
		r = shards_read(&f->common, &d->shards, false);
		if (r < 0)
			return r;
	}
	return 0;
}
