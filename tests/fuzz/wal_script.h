/* Bytes as a script that writes a write-ahead log: whole records with right checksums, and all that
 * can happen to them.
 *
 *     op % 8   0        the next file
 *              1 to 3   a record of that type: bytes of meta and of body (one byte each, twofold), then these
 *              4        other bytes: how many, then these
 *              5        a bit changes: where (two bytes from the end), which
 *              6        some LSNs are left out
 *              7        the file is cut by so many bytes; or, at 255, from now on the mirror is not written
 */
#ifndef HAUL_TESTS_FUZZ_WAL_SCRIPT_H
#define HAUL_TESTS_FUZZ_WAL_SCRIPT_H

#include "collector/store/wal_format.h"
#include "common/crc64.h"
#include "common/file.h"

#include <assert.h>
#include <fcntl.h>
#include <unistd.h>

#define SCRIPT_UUID "01234567-89ab-4cde-8f01-23456789abcd"

struct wal_script {
	struct span in;
	int dir;
	uint64_t sequence, lsn, durable;
	struct buf file, mirror;
	bool unmirrored;
};

static uint8_t script_byte(struct wal_script *s)
{
	if (s->in.len == 0)
		return 0;
	uint8_t b = (uint8_t)s->in.ptr[0];
	s->in = span_from(s->in, 1);
	return b;
}

static struct span script_bytes(struct wal_script *s, size_t n)
{
	struct span b = span_first(s->in, n < s->in.len ? n : s->in.len);
	s->in = span_from(s->in, b.len);
	return b;
}

static void script_write(const struct wal_script *s, enum wal_kind kind, const struct buf *bytes)
{
	char name[WAL_NAME_LEN + 1];
	wal_format_name(name, kind, s->sequence);
	int fd = openat(s->dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert(fd >= 0 && file_pwrite_all(fd, buf_span(bytes), 0) == 0);
	close(fd);
}

static void script_end_file(struct wal_script *s)
{
	if (s->file.len)
		script_write(s, WAL_RECORDS, &s->file);
	if (s->mirror.len)
		script_write(s, WAL_MIRROR, &s->mirror);
}

static void script_next_file(struct wal_script *s)
{
	char head[WAL_FILE_HEAD];
	script_end_file(s);
	struct wal_file_head h = {.sequence = ++s->sequence, .first_lsn = s->lsn + 1};
	memcpy(h.uuid, SCRIPT_UUID, sizeof(h.uuid));
	wal_encode_file_head(head, &h);
	buf_clear(&s->file);
	buf_clear(&s->mirror);
	assert(buf_add(&s->file, head, sizeof(head)) == 0);
	assert(buf_add(&s->mirror, head, sizeof(head)) == 0);
}

static void script_align(struct buf *b)
{
	static const char zeros[WAL_ALIGN];
	assert(buf_add(b, zeros, (size_t)(wal_aligned(b->len) - b->len)) == 0);
}

static void script_record(struct wal_script *s, uint8_t type)
{
	char head[WAL_RECORD_HEAD];
	size_t meta_len = 2 * (size_t)script_byte(s), body_len = 2 * (size_t)script_byte(s);
	struct span meta = script_bytes(s, meta_len), body = script_bytes(s, body_len);
	struct wal_record_head h = {.type = type,
				    .lsn = ++s->lsn,
				    .durable_lsn = s->durable,
				    .time_us = INT64_C(1795327401225242),
				    .meta_len = (uint32_t)meta.len,
				    .body_len = (uint32_t)body.len,
				    .meta_crc = crc64_add(CRC64_EMPTY, meta.ptr, meta.len),
				    .body_crc = crc64_add(CRC64_EMPTY, body.ptr, body.len)};
	s->durable = s->lsn - 1;
	wal_encode_record_head(head, s->sequence, &h);
	struct buf *both[] = {&s->file, s->unmirrored ? NULL : &s->mirror};
	for (size_t i = 0; i < 2 && both[i]; i++) {
		assert(buf_add(both[i], head, sizeof(head)) == 0);
		assert(buf_add_span(both[i], meta) == 0);
		if (i == 0)
			assert(buf_add_span(both[i], body) == 0);
		script_align(both[i]);
	}
}

static void script_flip(struct wal_script *s)
{
	size_t back = script_byte(s) | (size_t)script_byte(s) << 8;
	uint8_t bit = script_byte(s);
	struct buf *b = bit & 8 ? &s->mirror : &s->file;
	if (back < b->len)
		b->ptr[b->len - 1 - back] ^= (char)(1 << bit % 8);
}

static void script_cut(struct wal_script *s)
{
	size_t n = script_byte(s);
	if (n == 255)
		s->unmirrored = true;
	else
		s->file.len -= n < s->file.len ? n : s->file.len;
}

/* Writes the log into an empty directory. */
static void script_run(struct span in, int dir)
{
	struct wal_script s = {.in = in, .dir = dir};
	script_next_file(&s);
	while (s.in.len) {
		uint8_t op = script_byte(&s) % 8;
		switch (op) {
		case 0: script_next_file(&s); break;
		case 4:
			assert(buf_add_span(&s.file, script_bytes(&s, script_byte(&s))) == 0);
			break;
		case 5: script_flip(&s); break;
		case 6: s.lsn += script_byte(&s); break;
		case 7: script_cut(&s); break;
		default: script_record(&s, op);
		}
	}
	script_end_file(&s);
	buf_free(&s.file);
	buf_free(&s.mirror);
}

#endif
