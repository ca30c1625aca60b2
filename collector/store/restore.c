/* Files after a crash: see restore.h. Recovery calls it, before any thread runs.
 *
 *     restore_file.c    which file is which segment's
 *     restore_walk.c    segments that only the directories know
 *     restore_write.c   lines written to their places
 *     here              what is known beforehand, what stands, what is there in the end */
#include "collector/store/restore.h"

#include "collector/store/restore_file.h"

#include "common/crc64.h"
#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>

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
	struct restore_file *f = restore_file_get(r, shard, row->number);
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
	struct restore_file *from = shard ? restore_file_get(r, shard, m->move.from.number) : NULL;
	if (!from || !restore_file_get(r, shard, m->move.to.number))
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
	struct restore_file *f = restore_file_get(r, shard, p.number);
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

/* --- their files --- */

int restore_begin(struct restore *r)
{
	int e = restore_files_sort(r);
	for (size_t i = 0; e >= 0 && i < r->n_sorted; i++) {
		struct restore_file *f = r->sorted[i];
		const struct shard *shard = f->segment->shard;
		struct blocked_place place;
		if (blocked_dir(&r->s->tree, shard->day, shard_service(shard), &place)) {
			e = restore_file_block(r, f, &place);
			continue;
		}
		e = segment_clear_way(&r->s->tree, f->segment);
		if (e >= 0)
			e = restore_file_find(r, f);
	}
	return e;
}

/* --- what stands --- */

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
	struct restore_file *f = restore_file_at(r, service, host, lines, &p);
	if (!f || !f->present || f->size < p.position + lines->length ||
	    restore_file_open(r, f, 0) < 0)
		return false;
	struct buf bytes = BUF_EMPTY;
	bool stands = bytes_match(f->fd, p.position, lines->length, lines->crc, ret ? ret : &bytes);
	buf_free(&bytes);
	return stands;
}

/* --- what is there now --- */

static int note(struct restore *r, const struct restore_file *f, const char *what, uint64_t from,
		uint64_t to)
{
	char path[SEGMENT_PATH_MAX];
	restore_file_path(f, f->closed, path);
	log_warning("%s: bytes %llu to %llu are %s", path, (unsigned long long)from,
		    (unsigned long long)to, strcmp(what, "foreign") == 0 ? "not haul's" : what);
	return appender_note(&r->s->appender, f->segment, what, from, to);
}

/* Bytes behind everything that any record names: a note somebody appended, or lines whose record is
 * lost. They stay; the next lines go behind them, unless that would glue two lines together. */
static int take_tail(struct restore *r, struct restore_file *f, bool *ret_whole)
{
	struct segment *s = f->segment;
	uint64_t crc = s->crc, lines = 0;
	char last = '\n';
	int e = note(r, f, "foreign", s->length, f->size);
	if (e == 0)
		e = restore_file_sum(r, f, s->length, f->size, &crc, &lines, &last);
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
	bool newest = restore_file_is_newest(f), whole = true;
	int e = 0;
	if (f->blocked) { /* the ledger's word stands */
		list_remove(&shard->live);
		return 0;
	}
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
		e = restore_file_retire(r, f);
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
	int e = waiting_sync(&r->waiting);
	if (e == 0)
		e = restore_files_sort(r);
	for (size_t i = 0; e == 0 && i < r->n_sorted; i++)
		e = end_file(r, r->sorted[i]);
	size_t cursor = 0;
	for (struct shard *shard; (shard = map_next(&r->s->shards.by_key, &cursor));)
		shard_forget_moves(shard);
	return e;
}
