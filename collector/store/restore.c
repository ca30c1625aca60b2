/* Files after a crash: see restore.h. Recovery calls it, before any thread runs.
 *
 * Which file is which. A segment's closed name (HOST.0001.log) says its number; the live name does not.
 * Segments of a shard are looked at from the oldest on: one that is not the newest belongs under its
 * closed name, and when it is not there, the file under the live name is it, and the rename that a crash
 * cut short is made up for. (The next one is made only after that rename.) An inode that the ledger knows
 * decides; where the tree was copied from somewhere else, so that inodes mean nothing, length and
 * checksum do.
 *
 * What may stand at a place already: nothing (the file ends before it), the same bytes, or zeros where a
 * power cut took what was not synced. Anything else was written by somebody else. */
#include "collector/store/restore.h"

#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/log.h"
#include "common/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { OPEN_MAX = 256, STEP = 1 << 16 };

struct restore_file {
	struct segment *segment; /* number, length and sums of what stands there for sure */
	bool known;              /* to the ledger, with its inode */
	bool gone;               /* a move said that it has no file */
	bool present, closed;    /* the file is there; under its closed name */
	bool sealed;             /* only its sealed form is there: all its lines were written */
	bool touched;            /* something is new: its row is to be written */
	bool walked;             /* found by the walk: whatever is there counts */
	int fd;
	uint64_t size;
};

struct key {
	const struct shard *shard;
	uint32_t number;
};

static bool has_key(const void *entry, const void *key)
{
	const struct restore_file *f = entry;
	const struct key *k = key;
	return f->segment->shard == k->shard && f->segment->number == k->number;
}

static uint64_t hash_of(const struct restore *r, const struct key *k)
{
	char bytes[sizeof(k->shard) + sizeof(k->number)];
	memcpy(bytes, &k->shard, sizeof(k->shard));
	memcpy(bytes + sizeof(k->shard), &k->number, sizeof(k->number));
	return map_hash(&r->files, span_make(bytes, sizeof(bytes)));
}

void restore_init(struct restore *r, struct store *s)
{
	*r = (struct restore){.s = s};
	map_init(&r->files, has_key);
}

static void close_fd(struct restore *r, struct restore_file *f)
{
	if (f->fd >= 0)
		r->n_open--;
	file_close(&f->fd);
}

void restore_free(struct restore *r)
{
	size_t cursor = 0;
	for (struct restore_file *f; (f = map_next(&r->files, &cursor));) {
		close_fd(r, f);
		segment_free(f->segment);
		free(f);
	}
	map_free(&r->files);
	free(r->sorted);
}

static struct restore_file *get_file(struct restore *r, struct shard *shard, uint32_t number)
{
	struct key k = {.shard = shard, .number = number};
	uint64_t hash = hash_of(r, &k);
	struct restore_file *f = map_find(&r->files, hash, &k);
	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	struct segment *segment = f ? segment_new(shard, number) : NULL;
	if (!segment) {
		free(f);
		return NULL;
	}
	f->segment = segment;
	f->fd = -1;
	if (map_add(&r->files, hash, f) < 0) {
		segment_free(segment);
		free(f);
		return NULL;
	}
	if (number > shard->last_number)
		shard->last_number = number;
	return f;
}

/* --- what is known beforehand --- */

int restore_known(struct restore *r, const struct segment_row *row)
{
	struct shard *shard = shards_get(&r->s->shards, row->day, row->service, row->host);
	if (!shard)
		return -ENOMEM;
	if (row->state != SEGMENT_STATE_LIVE) {
		if (row->number >= shard->last_number)
			shard_set_next(&r->s->shards, shard,
				       (struct place){.number = row->number + 1});
		return 0;
	}
	struct restore_file *f = get_file(r, shard, row->number);
	if (!f)
		return -ENOMEM;
	struct segment *s = f->segment;
	f->known = true;
	s->inode = row->inode;
	s->length = s->end = s->pushed = row->length;
	s->lines = row->lines;
	s->first_us = row->lines ? row->first_us : INT64_MAX;
	s->last_us = row->lines ? row->last_us : INT64_MIN;
	s->crc = row->crc;
	s->crc_known = row->crc_known;
	shard_set_next(&r->s->shards, shard,
		       (struct place){.number = row->number, .position = row->length});
	return 0;
}

int restore_move(struct restore *r, const struct walrecord_move *m)
{
	struct shard *shard = shards_get(&r->s->shards, m->day, m->service, m->host);
	struct restore_file *from = shard ? get_file(r, shard, m->move.from.number) : NULL;
	if (!from || !get_file(r, shard, m->move.to.number))
		return -ENOMEM;
	from->gone |= m->move.gone;
	return shard_add_move(shard, m->move);
}

int restore_expect(struct restore *r, struct span service, struct span host,
		   const struct walrecord_lines *lines)
{
	struct shard *shard = shards_get(&r->s->shards, lines->day, service, host);
	if (!shard)
		return -ENOMEM;
	struct place p = shard_resolve(shard, lines->place);
	struct restore_file *f = get_file(r, shard, p.number);
	if (!f)
		return -ENOMEM;
	/* Whose lines come with their records is not known by its size alone. */
	if (f->walked && p.position < f->segment->length)
		f->segment->length = p.position;
	/* In the order of records: the last one tells where the next lines were to be. */
	p.position += lines->length;
	shard_set_next(&r->s->shards, shard, p);
	return 0;
}

/* --- the walk --- */

struct walk {
	struct restore *r;
	int dir; /* the directory at hand */
	struct segment_name
		name; /* of what is looked at; day and service are those of the directory */
};

/* Calls `each` for the names in the directory at `path`. */
static int walk_dir(struct walk *w, const char *path, int (*each)(struct walk *w, const char *name))
{
	int fd = tree_open_dir(&w->r->s->tree, path);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		file_close(&fd);
		return 0; /* not one of ours, or nobody may look: then nothing is known of it */
	}
	int e = 0;
	for (struct dirent *at; e == 0 && (at = readdir(d));) {
		w->dir = fd;
		e = each(w, at->d_name);
	}
	(void)closedir(d);
	return e;
}

/* A segment that the ledger does not have: of a closed one there is only the file to go by. */
static int walk_closed(struct restore *r, struct shard *shard, const struct segment_name *name,
		       const struct stat *st)
{
	if (name->number < shard->unknown_from)
		return 0;
	struct segment *s = segment_new(shard, name->number);
	if (!s)
		return -ENOMEM;
	s->inode = st->st_ino;
	s->length = (uint64_t)st->st_size;
	s->crc_known = false;
	int e = appender_retired(&r->s->appender, s,
				 name->form == SEGMENT_CLOSED ? SEGMENT_STATE_CLOSED
							      : SEGMENT_STATE_SEALED);
	segment_free(s);
	/* Numbers come in no order here; a live file is given its own when all are known. */
	if (e == 0 && shard->next.position == 0 && name->number >= shard->next.number)
		shard_set_next(&r->s->shards, shard, (struct place){.number = name->number + 1});
	return e;
}

static int walk_file(struct walk *w, const char *file)
{
	struct stat st;
	if (segment_name_parse_file(span_of(file), &w->name) < 0 ||
	    fstatat(w->dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	struct restore *r = w->r;
	struct shard *shard = shards_get(&r->s->shards, w->name.day, w->name.service, w->name.host);
	if (!shard)
		return -ENOMEM;
	if (w->name.form != SEGMENT_LIVE)
		return walk_closed(r, shard, &w->name, &st);
	shard->walked = true;
	return 0;
}

static int walk_service(struct walk *w, const char *service)
{
	char path[SEGMENT_PATH_MAX], kept[NAME_MAX_LEN + 1];
	if (!name_valid(span_of(service)))
		return 0;
	memcpy(kept, service, strlen(service) + 1);
	w->name.service = span_of(kept);
	segment_name_dir(path, w->name.day, w->name.service);
	return walk_dir(w, path, walk_file);
}

static int walk_day(struct walk *w, const char *day)
{
	return civil_parse_day(span_of(day), &w->name.day) < 0 ? 0 : walk_dir(w, day, walk_service);
}

/* Live files whose shard has no live segment in the ledger. */
static int walk_live(struct restore *r, struct shard *shard)
{
	if (!shard->walked || shard->next.position)
		return 0;
	struct segment_name name = shard_segment_name(shard, 0);
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	segment_name_path(path, &name);
	struct restore_file *f = get_file(r, shard, shard->next.number);
	if (!f)
		return -ENOMEM;
	if (tree_stat(&r->s->tree, path, &st) < 0)
		return 0;
	f->known = f->walked = f->touched = true;
	f->segment->inode = st.st_ino;
	f->segment->length = (uint64_t)st.st_size;
	f->segment->crc_known = false;
	shard_set_next(
		&r->s->shards, shard,
		(struct place){.number = shard->next.number, .position = f->segment->length});
	return 0;
}

int restore_walk(struct restore *r)
{
	struct walk w = {.r = r};
	size_t cursor = 0;
	for (struct shard *shard; (shard = map_next(&r->s->shards.by_key, &cursor));)
		shard->unknown_from = shard->next.number + (shard->next.position > 0);
	int e = walk_dir(&w, ".", walk_day);
	cursor = 0;
	for (struct shard *shard; e == 0 && (shard = map_next(&r->s->shards.by_key, &cursor));)
		e = walk_live(r, shard);
	return e;
}

/* --- the files of segments --- */

static bool is_newest(const struct restore_file *f)
{
	return f->segment->number == f->segment->shard->next.number;
}

static void name_file(const struct restore_file *f, bool closed, char path[SEGMENT_PATH_MAX])
{
	struct segment_name name =
		shard_segment_name(f->segment->shard, closed ? f->segment->number : 0);
	segment_name_path(path, &name);
}

static int open_fd(struct restore *r, struct restore_file *f, int flags)
{
	if (f->fd >= 0)
		return 0;
	if (r->n_open >= OPEN_MAX)
		for (size_t i = 0; i < r->n_sorted; i++)
			close_fd(r, r->sorted[i]);
	char path[SEGMENT_PATH_MAX];
	name_file(f, f->closed, path);
	int fd = tree_open_file(&r->s->tree, path, O_RDWR | flags);
	if (fd < 0)
		return fd;
	f->fd = fd;
	r->n_open++;
	return 0;
}

/* The checksum of the first `length` bytes; those before them must be there. */
static int sum_file(struct restore *r, struct restore_file *f, uint64_t from, uint64_t to,
		    uint64_t *crc, uint64_t *lines, char *last)
{
	int e = open_fd(r, f, 0);
	char step[STEP];
	while (e == 0 && from < to) {
		size_t want = to - from < STEP ? (size_t)(to - from) : STEP;
		ssize_t n = file_pread_full(f->fd, step, want, from);
		if (n < 0 || (size_t)n != want)
			return n < 0 ? (int)n : -EIO;
		*crc = crc64_add(*crc, step, want);
		for (const char *at = step; (at = memchr(at, '\n', (size_t)(step + want - at)));
		     at++)
			++*lines;
		*last = step[want - 1];
		from += want;
	}
	return e;
}

/* The ledger knows another inode: a copy of the tree, or somebody else's file? */
static bool has_our_bytes(struct restore *r, struct restore_file *f, uint64_t size)
{
	const struct segment *s = f->segment;
	if (size < s->length)
		return false;
	if (!s->crc_known)
		return true;
	uint64_t crc = CRC64_EMPTY, lines = 0;
	char last;
	bool ours = sum_file(r, f, 0, s->length, &crc, &lines, &last) == 0 && crc == s->crc;
	close_fd(r, f);
	return ours;
}

/* Takes the file under this name if it is the segment's. */
static int try_name(struct restore *r, struct restore_file *f, bool closed)
{
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	name_file(f, closed, path);
	int e = tree_stat(&r->s->tree, path, &st);
	if (e < 0)
		return e == -ENOENT || e == -ENOTDIR ? 0 : e;
	if (!S_ISREG(st.st_mode))
		return 0;
	f->closed = closed;
	if (f->known && st.st_ino != f->segment->inode &&
	    !has_our_bytes(r, f, (uint64_t)st.st_size))
		return 0;
	f->touched |= f->known && st.st_ino != f->segment->inode;
	f->present = true;
	f->segment->inode = st.st_ino;
	f->size = (uint64_t)st.st_size;
	return 0;
}

static int retire(struct restore *r, struct restore_file *f)
{
	close_fd(r, f);
	int e = segment_retire(&r->s->tree, f->segment);
	if (e == 0) {
		f->closed = f->touched = true;
		r->s->appender.names_changed = true;
	}
	return e;
}

/* A segment is sealed when no record is ever to be written to it any more; that records of it are left
 * and read again is no reason to make its file anew. */
static bool is_sealed(const struct restore *r, const struct restore_file *f)
{
	static const enum segment_form forms[] = {SEGMENT_ZSTD, SEGMENT_GZIP};
	struct segment_name name = shard_segment_name(f->segment->shard, f->segment->number);
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		name.form = forms[i];
		segment_name_path(path, &name);
		if (tree_stat(&r->s->tree, path, &st) == 0 && S_ISREG(st.st_mode))
			return true;
	}
	return false;
}

static int find_file(struct restore *r, struct restore_file *f)
{
	int e = try_name(r, f, true);
	f->sealed = e == 0 && !f->present && is_sealed(r, f);
	if (f->sealed)
		return 0;
	if (e == 0 && !f->present && !f->gone)
		e = try_name(r, f, false);
	if (e == 0 && f->present && !f->closed && !is_newest(f))
		e = retire(r, f);
	return e;
}

static int by_number(const void *a, const void *b)
{
	const struct segment *x = (*(struct restore_file *const *)a)->segment;
	const struct segment *y = (*(struct restore_file *const *)b)->segment;
	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int sort_files(struct restore *r)
{
	struct restore_file **sorted = realloc(r->sorted, (r->files.count + 1) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	r->sorted = sorted;
	r->n_sorted = 0;
	size_t cursor = 0;
	for (struct restore_file *f; (f = map_next(&r->files, &cursor));)
		sorted[r->n_sorted++] = f;
	if (r->n_sorted)
		qsort(sorted, r->n_sorted, sizeof(struct restore_file *), by_number);
	return 0;
}

int restore_begin(struct restore *r)
{
	int e = sort_files(r);
	for (size_t i = 0; e >= 0 && i < r->n_sorted; i++) {
		e = segment_clear_way(&r->s->tree, r->sorted[i]->segment);
		if (e >= 0)
			e = find_file(r, r->sorted[i]);
	}
	return e;
}

/* --- what stands --- */

static struct restore_file *file_at(struct restore *r, struct span service, struct span host,
				    const struct walrecord_lines *lines, struct place *ret)
{
	struct shard *shard = shards_get(&r->s->shards, lines->day, service, host);
	if (!shard)
		return NULL;
	*ret = shard_resolve(shard, lines->place);
	return get_file(r, shard, ret->number);
}

static bool bytes_match(int fd, uint64_t at, uint64_t length, uint64_t crc, struct buf *bytes)
{
	if (buf_reserve(bytes, (size_t)length) < 0)
		return false;
	ssize_t n = file_pread_full(fd, bytes->ptr + bytes->len, (size_t)length, at);
	if (n < 0 || (uint64_t)n != length ||
	    crc64_add(CRC64_EMPTY, bytes->ptr + bytes->len, (size_t)length) != crc)
		return false;
	bytes->len += (size_t)length;
	return true;
}

bool restore_stood(const struct store *s, struct span service, struct span host,
		   const struct walrecord_lines *lines)
{
	bool stood = false;
	for (int closed = 0; closed < 2 && !stood; closed++) {
		struct segment_name name = {.day = lines->day,
					    .service = service,
					    .host = host,
					    .number = lines->place.number,
					    .form = closed ? SEGMENT_CLOSED : SEGMENT_LIVE};
		char path[SEGMENT_PATH_MAX];
		segment_name_path(path, &name);
		int fd = tree_open_file(&s->tree, path, O_RDONLY);
		struct buf bytes = BUF_EMPTY;
		stood = fd >= 0 &&
			bytes_match(fd, lines->place.position, lines->length, lines->crc, &bytes);
		buf_free(&bytes);
		file_close(&fd);
	}
	return stood;
}

bool restore_stands(struct restore *r, struct span service, struct span host,
		    const struct walrecord_lines *lines, struct buf *ret)
{
	struct place p;
	struct restore_file *f = file_at(r, service, host, lines, &p);
	if (!f || !f->present || f->size < p.position + lines->length || open_fd(r, f, 0) < 0)
		return false;
	struct buf bytes = BUF_EMPTY;
	bool stands = bytes_match(f->fd, p.position, lines->length, lines->crc, ret ? ret : &bytes);
	buf_free(&bytes);
	return stands;
}

/* --- moves --- */

int restore_log_move(struct store *s, const struct walrecord_move *m)
{
	struct wal_group g = {0};
	int r = wal_group_begin(&g);
	if (r == 0)
		r = walrecord_encode_move(m, &g.bytes);
	if (r == 0)
		r = wal_group_end(&g, WALRECORD_MOVE, s->lsn + 1, (struct span){0}, CRC64_EMPTY);
	if (r == 0)
		r = wal_write(s->wal, &g);
	if (r == -ENOSPC && room_drop_ballast(&s->tree))
		r = wal_write(s->wal, &g);
	if (r == 0)
		r = wal_sync(s->wal, s->lsn + 1);
	if (r == 0)
		s->durable_lsn = ++s->lsn;
	wal_group_free(&g);
	return r;
}

/* What stands behind `p` in the file is to go to a new segment; the file's end is here. */
static int move_away(struct restore *r, struct restore_file *f, struct place p, const char *why)
{
	struct shard *shard = f->segment->shard;
	char path[SEGMENT_PATH_MAX];
	name_file(f, f->closed, path);
	bool newest = is_newest(f);
	struct walrecord_move m = {
		.day = shard->day,
		.service = shard_service(shard),
		.host = shard_host(shard),
		.move = {.from = p, .to = {.number = shard->last_number + 1}, .gone = !f->present}};
	int e = restore_log_move(r->s, &m);
	if (e == 0)
		e = shard_add_move(shard, m.move);
	if (e < 0)
		return e;
	log_warning("%s: %s; lines from byte %llu on go to segment %u", path, why,
		    (unsigned long long)p.position, m.move.to.number);
	if (!get_file(r, shard, m.move.to.number))
		return -ENOMEM;
	if (newest)
		shard_set_next(&r->s->shards, shard, m.move.to);
	e = newest && f->present && !f->closed ? retire(r, f) : 0;
	return e == 0 ? sort_files(r) : e;
}

/* --- writing --- */

static int make_file(struct restore *r, struct restore_file *f)
{
	char path[SEGMENT_PATH_MAX], aside[TREE_PATH_MAX];
	f->closed = !is_newest(f);
	name_file(f, f->closed, path);
	int e = open_fd(r, f, O_CREAT | O_EXCL);
	if (e == -EEXIST) {
		e = tree_set_aside(&r->s->tree, path, strrchr(path, '/') + 1, aside);
		if (e < 0)
			return e;
		log_warning("%s: not written by haul; moved to %s", path, aside);
		e = open_fd(r, f, O_CREAT | O_EXCL);
	}
	struct stat st;
	if (e == 0 && fstat(f->fd, &st) < 0)
		e = -errno;
	if (e != 0)
		return e;
	f->present = true;
	f->segment->inode = st.st_ino;
	r->s->appender.names_changed = true;
	return 0;
}

/* How many of the bytes at the place are not foreign: `bytes` itself when all. */
static int find_foreign(struct restore *r, struct restore_file *f, uint64_t at, struct span bytes,
			size_t *ret_fine)
{
	int e = open_fd(r, f, 0);
	size_t i = 0, there = f->size > at ? (size_t)(f->size - at) : 0;
	if (there > bytes.len)
		there = bytes.len;
	while (e == 0 && i < there) {
		char step[STEP];
		size_t want = there - i < STEP ? there - i : STEP;
		ssize_t n = file_pread_full(f->fd, step, want, at + i);
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		for (ssize_t k = 0; k < n; k++, i++) {
			if (step[k] != bytes.ptr[i] && step[k] != '\0') {
				*ret_fine = i;
				return 0;
			}
		}
	}
	*ret_fine = bytes.len;
	return e;
}

static int write_at(struct restore *r, struct restore_file *f, uint64_t at, struct span bytes)
{
	int e = open_fd(r, f, 0);
	if (e == 0)
		e = file_pwrite_all(f->fd, bytes, at);
	if (e == -ENOSPC && room_drop_ballast(&r->s->tree))
		e = file_pwrite_all(f->fd, bytes, at);
	if (e < 0)
		return e;
	if (at + bytes.len > f->size)
		f->size = at + bytes.len;
	return 0;
}

static uint64_t count_lines(struct span bytes)
{
	uint64_t n = 0;
	for (size_t end; (end = span_find(bytes, '\n')) < bytes.len;
	     bytes = span_from(bytes, end + 1))
		n++;
	return n;
}

/* Up to and with the last LF within the first `len` bytes. */
static size_t whole_lines(struct span bytes, size_t len)
{
	while (len && bytes.ptr[len - 1] != '\n')
		len--;
	return len;
}

/* Writes what can be written at the place; *rest is what must go elsewhere, and why. */
static int write_here(struct restore *r, struct restore_file *f, uint64_t at,
		      const struct walrecord_lines *lines, struct span *rest, const char **ret_why)
{
	struct segment *s = f->segment;
	if (!f->present && at == 0 && s->length == 0) {
		int e = make_file(r, f);
		if (e < 0)
			return e;
	}
	*ret_why = !f->present      ? "the file is gone"
		   : at < s->length ? "its place is taken"
		   : f->size < at   ? "the file was cut"
				    : NULL;
	if (*ret_why)
		return 0;
	size_t fine;
	int e = find_foreign(r, f, at, *rest, &fine);
	if (e < 0)
		return e;
	if (at > s->length) {
		/* Lines of a damaged record, written before the crash. */
		s->length = at;
		s->crc_known = false;
	}
	if (fine < rest->len) {
		*ret_why = "the file has bytes that haul did not write";
		fine = whole_lines(*rest, fine);
	}
	struct segment_lines part = {.bytes = span_first(*rest, fine),
				     .lines = count_lines(span_first(*rest, fine)),
				     .first_us = lines->first_us,
				     .last_us = lines->last_us};
	e = write_at(r, f, at, part.bytes);
	if (e < 0)
		return e;
	if (part.lines)
		segment_note(s, &part);
	s->length += fine;
	f->touched |= fine > 0;
	r->lines += part.lines;
	r->bytes += fine;
	*rest = span_from(*rest, fine);
	return 0;
}

int restore_write(struct restore *r, struct span service, struct span host,
		  const struct walrecord_lines *lines, struct span bytes)
{
	struct walrecord_lines left = *lines;
	while (bytes.len) {
		struct place p;
		struct restore_file *f = file_at(r, service, host, &left, &p);
		if (!f)
			return -ENOMEM;
		if (f->sealed)
			return 0;
		const char *why;
		size_t before = bytes.len;
		int e = write_here(r, f, p.position, lines, &bytes, &why);
		if (e < 0)
			return e;
		left.place.position += before - bytes.len;
		p.position += before - bytes.len;
		if (bytes.len)
			e = move_away(r, f, p, why);
		if (e < 0)
			return e;
	}
	return 0;
}

/* --- what is there now --- */

static int note(struct restore *r, const struct restore_file *f, const char *what, uint64_t from,
		uint64_t to)
{
	char path[SEGMENT_PATH_MAX];
	name_file(f, f->closed, path);
	log_warning("%s: bytes %llu to %llu are %s", path, (unsigned long long)from,
		    (unsigned long long)to, strcmp(what, "foreign") == 0 ? "not haul's" : what);
	return appender_note(&r->s->appender, f->segment, what, from, to);
}

/* Bytes behind everything that any record names: a note somebody appended, or lines whose record is lost.
 * They stay; the next lines go behind them, unless that would glue two lines together. */
static int take_tail(struct restore *r, struct restore_file *f, bool *ret_whole)
{
	struct segment *s = f->segment;
	uint64_t crc = s->crc, lines = 0;
	char last = '\n';
	int e = note(r, f, "foreign", s->length, f->size);
	if (e == 0)
		e = sum_file(r, f, s->length, f->size, &crc, &lines, &last);
	if (e < 0)
		return e;
	s->crc = crc;
	s->lines += lines;
	s->length = f->size;
	f->touched = true;
	*ret_whole = last == '\n';
	return 0;
}

static int end_file(struct restore *r, struct restore_file *f)
{
	struct segment *s = f->segment;
	struct shard *shard = s->shard;
	bool newest = is_newest(f), whole = true;
	int e = 0;
	if (f->sealed) {
		if (newest)
			shard_set_next(&r->s->shards, shard,
				       (struct place){.number = shard->last_number + 1});
		s->crc_known = false; /* what the sealed file holds counts */
		return f->known ? appender_retired(&r->s->appender, s, SEGMENT_STATE_CLOSED) : 0;
	}
	if (!f->present) {
		if (s->length)
			e = note(r, f, "gone", 0, s->length);
		if (e == 0 && (f->known || s->length))
			e = appender_retired(&r->s->appender, s, SEGMENT_STATE_GONE);
		if (newest)
			shard_set_next(&r->s->shards, shard,
				       (struct place){.number = s->length || f->known
									? shard->last_number + 1
									: s->number});
		return e;
	}
	if (f->size < s->length) {
		e = note(r, f, "cut", f->size, s->length);
		s->length = f->size;
		f->touched = true;
		s->crc_known = whole = false;
	} else if (f->size > s->length) {
		e = take_tail(r, f, &whole);
	}
	if (e == 0 && newest && !whole && !f->closed)
		e = retire(r, f);
	if (e < 0)
		return e;
	if (!newest || f->closed) {
		if (newest)
			shard_set_next(&r->s->shards, shard,
				       (struct place){.number = shard->last_number + 1});
		return f->touched || f->known
			       ? appender_retired(&r->s->appender, s, SEGMENT_STATE_CLOSED)
			       : 0;
	}
	shard_set_next(&r->s->shards, shard,
		       (struct place){.number = s->number, .position = s->length});
	s->made = true;
	s->end = s->pushed = s->length;
	appender_adopt(&r->s->appender, s);
	if (f->touched)
		appender_changed(&r->s->appender, s);
	f->segment = NULL;
	return 0;
}

int restore_finish(struct restore *r)
{
	int e = sort_files(r);
	for (size_t i = 0; e == 0 && i < r->n_sorted; i++)
		e = end_file(r, r->sorted[i]);
	size_t cursor = 0;
	for (struct shard *shard; (shard = map_next(&r->s->shards.by_key, &cursor));)
		shard_forget_moves(shard);
	return e;
}
