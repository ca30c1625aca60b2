/* Lines of the log written to their places: see restore.h. Replay calls it for each chunk.
 *
 * What may stand at a place already: nothing (the file ends before it), the same bytes, or zeros
 * where a power cut took what was not synced. Anything else was written by somebody else, and the
 * lines move on. */
#include "collector/store/restore_file.h"

#include "common/crc64.h"
#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>

enum { STEP = 1 << 16 };

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
	restore_file_path(f, f->closed, path);
	bool newest = restore_file_is_newest(f);
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
	if (!restore_file_get(r, shard, m.move.to.number))
		return -ENOMEM;
	if (newest)
		shard_set_next(&r->s->shards, shard, m.move.to);
	e = newest && f->present && !f->closed ? restore_file_retire(r, f) : 0;
	return e == 0 ? restore_files_sort(r) : e;
}

/* --- writing --- */

static int make_file(struct restore *r, struct restore_file *f)
{
	char path[SEGMENT_PATH_MAX], aside[TREE_PATH_MAX];
	f->closed = !restore_file_is_newest(f);
	restore_file_path(f, f->closed, path);
	int e = restore_file_open(r, f, O_CREAT | O_EXCL);
	if (e == -EEXIST) {
		e = tree_set_aside(&r->s->tree, path, strrchr(path, '/') + 1, aside);
		if (e < 0)
			return e;
		log_warning("%s: not written by haul; moved to %s", path, aside);
		e = restore_file_open(r, f, O_CREAT | O_EXCL);
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
	int e = restore_file_open(r, f, 0);
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
	int e = restore_file_open(r, f, 0);
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

/* A file that may not be opened: what is in it nobody knows, so nothing goes elsewhere, either. */
static int block_file(struct restore *r, struct restore_file *f, int error)
{
	const struct shard *shard = f->segment->shard;
	struct blocked_place place = {.day = shard->day,
				      .service_len = shard_service(shard).len,
				      .file = true,
				      .error = error};
	restore_file_path(f, f->closed, place.path);
	return restore_file_block(r, f, &place);
}

/* As much of it as can be; *rest is what is left. Its place is another one then, or blocked. */
static int write_some(struct restore *r, struct restore_file *f, struct place p,
		      const struct walrecord_lines *lines, struct span *rest)
{
	const char *why = NULL;
	size_t before = rest->len;
	int e = write_here(r, f, p.position, lines, rest, &why);
	if (blocked_error(e))
		return block_file(r, f, e);
	p.position += before - rest->len;
	return e == 0 && rest->len ? move_away(r, f, p, why) : e;
}

int restore_write(struct restore *r, struct span service, struct span host,
		  const struct walrecord_lines *lines, struct span bytes)
{
	struct walrecord_lines left = *lines;
	while (bytes.len) {
		struct place p;
		struct restore_file *f = restore_file_at(r, service, host, &left, &p);
		if (!f)
			return -ENOMEM;
		if (f->sealed)
			return 0;
		if (f->blocked)
			return waiting_add(&r->waiting, &(struct waiting_record){.day = left.day,
										 .service = service,
										 .host = host,
										 .place = p,
										 .bytes = bytes});
		size_t before = bytes.len;
		int e = write_some(r, f, p, lines, &bytes);
		if (e < 0)
			return e;
		left.place.position += before - bytes.len;
	}
	return 0;
}
