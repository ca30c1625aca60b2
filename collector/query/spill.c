/* Records in a temporary file: see spill.h. Written by a sorter whose memory is full, read by the
 * merge.
 *
 * The file has no name, so that nothing stays behind whatever happens. It is private to this
 * process and this run: its layout is the processor's. */
#include "collector/query/spill.h"

#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	WRITE_BYTES = 256 * 1024,
};

struct head {
	int64_t time_us;
	uint64_t block, offset;
	uint32_t segment, rank, key_at, len;
	uint8_t matched, joined;
};

static int open_in(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	char *path;
	if (asprintf(&path, "%s/haul.XXXXXX", dir) < 0)
		return -ENOMEM;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	else
		(void)unlink(path);
	free(path);
	return fd;
}

static int open_spill(struct spill *s)
{
	const char *dirs[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	int r = -ENOENT;
	for (size_t i = 0; i < 3; i++) {
		if (!dirs[i] || !*dirs[i])
			continue;
		r = open_in(dirs[i]);
		if (r >= 0) {
			s->fd = r;
			return 0;
		}
	}
	return r;
}

static int write_pending(struct spill *s)
{
	int r = s->fd < 0 ? open_spill(s) : 0;
	if (r == 0)
		r = file_pwrite_all(s->fd, buf_span(&s->pending), s->end);
	if (r < 0)
		return r;
	s->end += s->pending.len;
	buf_clear(&s->pending);
	return 0;
}

int spill_add(struct spill *s, const struct record *r)
{
	const struct head head = {.time_us = r->time_us,
				  .block = r->at.block,
				  .offset = r->at.offset,
				  .segment = r->at.segment,
				  .rank = r->at.rank,
				  .key_at = r->key_at,
				  .matched = r->matched,
				  .joined = r->joined,
				  .len = (uint32_t)r->body.len};
	if (r->body.len > UINT32_MAX)
		return -EFBIG;
	int result = buf_add(&s->pending, &head, sizeof(head));
	if (result == 0)
		result = buf_add_span(&s->pending, r->body);
	if (result == 0 && s->pending.len >= WRITE_BYTES)
		result = write_pending(s);
	return result;
}

int spill_flush(struct spill *s, uint64_t *ret_end)
{
	int r = write_pending(s);
	if (r == 0)
		*ret_end = s->end;
	return r;
}

void spill_drop(struct spill *s, struct spill_run run)
{
	/* Where the file system cannot do this the room comes back at the end. */
	(void)fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)run.from,
			(off_t)(run.to - run.from));
}

void spill_free(struct spill *s)
{
	file_close(&s->fd);
	buf_free(&s->pending);
}

/* Makes `want` bytes available. */
static int fetch(struct spill_reader *r, size_t want)
{
	if (r->bytes.len - r->at >= want)
		return 0;
	buf_consume(&r->bytes, r->at);
	r->at = 0;
	while (r->bytes.len < want) {
		uint64_t left = r->run.to - r->run.from;
		size_t n = want - r->bytes.len;
		if (n < r->read_bytes)
			n = r->read_bytes;
		n = n > left ? (size_t)left : n;
		int result = n ? buf_reserve(&r->bytes, n) : -EIO;
		if (result < 0)
			return result;
		ssize_t got =
			file_pread_full(r->spill->fd, r->bytes.ptr + r->bytes.len, n, r->run.from);
		if (got <= 0)
			return got < 0 ? (int)got : -EIO;
		r->bytes.len += (size_t)got;
		r->run.from += (uint64_t)got;
	}
	return 0;
}

int spill_read(struct spill_reader *r, struct record *ret)
{
	struct head head;
	if (r->bytes.len == r->at && r->run.from == r->run.to)
		return 0;
	int result = fetch(r, sizeof(head));
	if (result < 0)
		return result;
	memcpy(&head, r->bytes.ptr + r->at, sizeof(head));
	result = fetch(r, sizeof(head) + head.len);
	if (result < 0)
		return result;
	*ret = (struct record){.time_us = head.time_us,
			       .at = {.segment = head.segment,
				      .rank = head.rank,
				      .block = head.block,
				      .offset = head.offset},
			       .key_at = head.key_at,
			       .matched = head.matched,
			       .joined = head.joined,
			       .body = span_make(r->bytes.ptr + r->at + sizeof(head), head.len)};
	r->at += sizeof(head) + head.len;
	return 1;
}

void spill_reader_free(struct spill_reader *r)
{
	buf_free(&r->bytes);
}
