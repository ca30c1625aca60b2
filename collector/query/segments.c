/* The segments of one day: see segments.h. Called by the search for each day, by ls and tail.
 *
 * Plain files are held open from the listing on. When descriptors are short a live file is
 * remembered by its inode instead; if another inode stands there later, the one we want has become
 * the lowest number above those we know. A closed file keeps its number and contents when it is
 * sealed, only the ending changes. */
#include "collector/query/segments.h"

#include "collector/query/services.h"
#include "common/array.h"
#include "common/civil.h"
#include "common/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DESCRIPTORS_KEPT = 96, /* for everything but plain files */
};

struct segments {
	int archive_fd;
	int32_t day;
	char day_text[CIVIL_DAY_LEN + 1];
	struct listing list;
	atomic_size_t held_left;
	struct services services;
	uint64_t bytes;
	/* guards all of a segment from `fd` on, and its form, name and size */
	pthread_mutex_t lock;
};

/* --- days --- */

int segments_open_archive(const char *data_dir, int *ret_fd)
{
	int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int compare_days(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x > y) - (x < y);
}

int segments_days(int archive_fd, int32_t first, int32_t last, int32_t **ret_days, size_t *ret_n)
{
	DIR *dir = listing_open_directory(archive_fd, ".");
	if (!dir)
		return -errno;
	int32_t *days = NULL;
	size_t n = 0, cap = 0;
	int r = 0;
	for (const struct dirent *e; (e = readdir(dir));) {
		int32_t day;
		if (civil_parse_day(span_of(e->d_name), &day) < 0 || day < first || day > last)
			continue;
		r = array_room(&days, n, &cap, sizeof(*days));
		if (r < 0)
			break;
		days[n++] = day;
	}
	closedir(dir);
	if (r < 0) {
		free(days);
		return r;
	}
	if (n)
		qsort(days, n, sizeof(*days), compare_days);
	*ret_days = days;
	*ret_n = n;
	return 0;
}

/* --- the day --- */

static size_t held_allowance(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= DESCRIPTORS_KEPT)
		return 0;
	return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit.rlim_cur - DESCRIPTORS_KEPT;
}

/* Of one closed segment that stands there as plain text and sealed, for the sealing is just done,
 * one is enough. Both are complete; the sealed one stays. The list is in path order: they are
 * neighbours. */
static void drop_doubles(struct segments *s)
{
	struct segment *items = s->list.items;
	size_t kept = 0;
	for (size_t i = 0; i < s->list.n; i++) {
		struct segment *last = kept ? &items[kept - 1] : NULL;
		if (last && last->service == items[i].service && last->number == items[i].number &&
		    last->form != items[i].form && strcmp(last->host, items[i].host) == 0) {
			listing_forget(&s->list, last);
			kept--;
		}
		items[kept++] = items[i];
	}
	s->list.n = kept;
}

static int compare_in_shard(const void *pa, const void *pb, void *items)
{
	const struct segment *a = (struct segment *)items + *(const uint32_t *)pa;
	const struct segment *b = (struct segment *)items + *(const uint32_t *)pb;
	if (a->service != b->service)
		return strcmp(a->service, b->service);
	int r = strcmp(a->host, b->host);
	return r ? r : (a->number > b->number) - (a->number < b->number);
}

static int link_shards(struct segments *s)
{
	assert(s->list.items);
	uint32_t *order = malloc(s->list.n * sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->list.n; i++)
		order[i] = i;
	/* Mostly they are in this order already. */
	size_t sorted = 1;
	while (sorted < s->list.n &&
	       compare_in_shard(&order[sorted - 1], &order[sorted], s->list.items) < 0)
		sorted++;
	if (sorted < s->list.n)
		qsort_r(order, s->list.n, sizeof(*order), compare_in_shard, s->list.items);
	for (size_t i = 0; i < s->list.n; i++) {
		struct segment *seg = &s->list.items[order[i]];
		const struct segment *after =
			i + 1 < s->list.n ? &s->list.items[order[i + 1]] : NULL;
		bool same = after && after->service == seg->service &&
			    strcmp(after->host, seg->host) == 0;
		seg->rank = (uint32_t)i;
		seg->next = same ? order[i + 1] : SEGMENT_NONE;
		if (i == 0 || s->list.items[order[i - 1]].next != order[i])
			seg->before = SEGMENT_NONE;
		if (same)
			s->list.items[order[i + 1]].before = order[i];
	}
	free(order);
	return 0;
}

static int list_day(struct segments *s, const struct segment_choice *choice,
		    struct trouble *trouble, unsigned threads)
{
	DIR *dir = listing_open_directory(s->archive_fd, s->day_text);
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir) {
		trouble_tell(trouble, "%s: %s; this day is left out", s->day_text, strerror(errno));
		return 0;
	}
	const struct listing_request request = {
		.day = s->day_text, .choice = choice, .trouble = trouble};
	int r = services_list(&s->services, dir, &request, threads, &s->list);
	closedir(dir);
	return r;
}

int segments_list(int archive_fd, int32_t day, const struct segment_choice *choice,
		  struct trouble *trouble, unsigned threads, struct segments **ret)
{
	struct segments *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->archive_fd = archive_fd;
	s->day = day;
	civil_format_day(s->day_text, day);
	atomic_init(&s->held_left, held_allowance());
	s->list.held_left = &s->held_left;
	pthread_mutex_init(&s->lock, NULL);
	int r = list_day(s, choice, trouble, threads);
	if (r == 0 && s->list.n) {
		drop_doubles(s);
		r = link_shards(s);
	}
	if (r < 0) {
		segments_free(s);
		return r;
	}
	for (size_t i = 0; i < s->list.n; i++)
		s->bytes += s->list.items[i].size;
	*ret = s;
	return 0;
}

void segments_free(struct segments *s)
{
	if (!s)
		return;
	listing_free(&s->list);
	services_free(&s->services);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

size_t segments_count(const struct segments *s)
{
	return s->list.n;
}

const struct segment *segments_get(const struct segments *s, uint32_t ordinal)
{
	return &s->list.items[ordinal];
}

int32_t segments_day(const struct segments *s)
{
	return s->day;
}

uint64_t segments_bytes(const struct segments *s)
{
	return s->bytes;
}

int segments_path(const struct segments *s, uint32_t ordinal, struct buf *out)
{
	const struct segment *seg = &s->list.items[ordinal];
	return buf_printf(out, "%s/%s/%s", s->day_text, seg->service, seg->name);
}

/* --- opening --- */

static int open_as(const struct segments *s, const struct segment *seg, enum segment_form form,
		   uint32_t number)
{
	char path[SEGMENT_PATH_MAX];
	const struct segment_name name = {.day = s->day,
					  .service = span_of(seg->service),
					  .host = span_of(seg->host),
					  .number = number,
					  .form = form};
	(void)segment_name_path(path, &name);
	int fd = openat(s->archive_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A segment whose number is known, under whatever name it has now; but under the one it was listed
 * with as long as that is there: the plain file beside a sealed one is about to go, and it may have
 * to be opened again. */
static int open_number(const struct segments *s, struct segment *seg, uint32_t number)
{
	static const enum segment_form forms[] = {SEGMENT_CLOSED, SEGMENT_ZSTD, SEGMENT_GZIP};
	int fd = seg->form == SEGMENT_LIVE ? -ENOENT : open_as(s, seg, seg->form, number);
	for (size_t i = 0; fd == -ENOENT && i < sizeof(forms) / sizeof(*forms); i++) {
		fd = open_as(s, seg, forms[i], number);
		if (fd >= 0)
			seg->form = forms[i];
	}
	return fd;
}

/* The lowest number above `above` that the shard has now; SEGMENT_LAST: none. */
static uint32_t lowest_number(const struct segments *s, const struct segment *seg, uint32_t above)
{
	char path[SEGMENT_PATH_MAX];
	uint32_t lowest = SEGMENT_LAST;
	(void)segment_name_dir(path, s->day, span_of(seg->service));
	DIR *dir = listing_open_directory(s->archive_fd, path);
	if (!dir)
		return lowest;
	for (const struct dirent *e; (e = readdir(dir));) {
		struct segment_name name;
		if (segment_name_parse_file(span_of(e->d_name), &name) == 0 &&
		    name.form != SEGMENT_LIVE && span_is(name.host, seg->host) &&
		    name.number > above && name.number < lowest)
			lowest = name.number;
	}
	closedir(dir);
	return lowest;
}

/* A live file that was not held open. */
static int open_live(const struct segments *s, struct segment *seg)
{
	struct stat st;
	int fd = open_as(s, seg, SEGMENT_LIVE, 0);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == seg->ino)
		return fd;
	uint32_t above = seg->before == SEGMENT_NONE ? 0 : s->list.items[seg->before].number;
	uint32_t number = lowest_number(s, seg, above);
	if (number == SEGMENT_LAST)
		return fd;
	file_close(&fd);
	return open_number(s, seg, number);
}

static int open_segment(struct segments *s, struct segment *seg)
{
	struct stat st;
	int fd = seg->number == SEGMENT_LAST ? open_live(s, seg) : open_number(s, seg, seg->number);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		file_close(&fd);
		return -EINVAL;
	}
	/* Places in it were given out under the form it had; it must not get another one. */
	if (seg->settled && seg->form != seg->settled_form) {
		file_close(&fd);
		return -ENOENT;
	}
	seg->settled = true;
	seg->settled_form = seg->form;
	seg->size = (uint64_t)st.st_size;
	seg->fd = fd;
	return 0;
}

int segments_acquire(struct segments *s, uint32_t ordinal, int *ret_fd)
{
	struct segment *seg = &s->list.items[ordinal];
	int r = 0;
	pthread_mutex_lock(&s->lock);
	if (seg->gone)
		r = -ENOENT;
	else if (seg->fd < 0)
		r = open_segment(s, seg);
	if (r == 0) {
		seg->users++;
		*ret_fd = seg->fd;
	} else if (r == -ENOENT) {
		seg->gone = true;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

void segments_release(struct segments *s, uint32_t ordinal)
{
	struct segment *seg = &s->list.items[ordinal];
	pthread_mutex_lock(&s->lock);
	if (--seg->users == 0 && !seg->held)
		file_close(&seg->fd);
	pthread_mutex_unlock(&s->lock);
}
