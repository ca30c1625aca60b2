/* Reading at the cursor: see follow.h. The pump calls it for the source whose turn it is.
 *
 * Each read of the file takes the up to 4 KiB before it in the same pread and compares their
 * checksum with what was read there: a file that was truncated and has grown again is found out in
 * the moment in which its new bytes would be taken for the old one's continuation. (Truncated and
 * regrown with the same 4 KiB before the cursor cannot be told.) After a restart, when that
 * checksum is not known, at least 64 KiB are compared from the ladder's nearest rung on.
 *
 *     dst   [ 4 KiB: check bytes ][ replay, if there is any ][ the file's new bytes ... ]
 *                                 ^ cursor                   ^ tail_at: check bytes end here
 *
 * Failure modes: the file cannot be opened or read (said once; tried again when it changes, and by
 * the rescan); it was cut: discover is told (source_notice) and finds out what became of its bytes.
 * What has come back from a batch is read from memory in any case. */
#include "agent/files/follow.h"

#include "agent/files/descriptor.h"
#include "agent/files/sniff.h"
#include "agent/files/zreader.h"
#include "agent/lines/envelope.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

enum {
	HOLE_MIN = 64,                /* fewer NUL bytes in a row are part of a line */
	VERIFY_NEAR = 64 * 1024,      /* compare at least so much after a restart */
	VERIFY_FAR = 8 * 1024 * 1024, /* and at most so much, for it stops the loop */
	STEP = 64 * 1024,
	SNIFF_ENOUGH = 16, /* fewer bytes cannot tell what a file is */
};

ssize_t follow_read_file(const struct source *s, void *dst, size_t len, uint64_t at)
{
	if (!s->compressed)
		return file_pread_full(s->fd, dst, len, at);
	return s->zreader ? zreader_read(s->zreader, dst, len, at) : -ENOMEM;
}

/* New bytes. A line that comes alone costs one call: whoever saw it come saw the file's size. What
 * a file has is only asked to the end when it is about to be closed. */
static ssize_t read_on(const struct source *s, void *dst, size_t len, uint64_t at)
{
	if (s->compressed || s->closing)
		return follow_read_file(s, dst, len, at);
	return file_pread_past(s->fd, dst, len, at, s->size);
}

static size_t check_len(uint64_t at)
{
	return at < FOLLOW_CHECK_BYTES ? (size_t)at : FOLLOW_CHECK_BYTES;
}

static void failed(struct source *s, int error)
{
	s->last_error = -error;
	log_gated(&s->error_gate, LOG_LEVEL_WARNING, "%s cannot be read: %s; it is tried again",
		  s->path, strerror(-error));
}

static void mark_cut(struct source_table *t, struct source *s)
{
	s->cut = true;
	source_notice(t, s);
}

/* --- is it still the same file? --- */

/* The checksum of the file's [from, to) appended to what `*crc` stands for. */
static int checksum(const struct source *s, uint64_t from, uint64_t to, uint64_t *crc)
{
	char bytes[STEP];
	while (from < to) {
		size_t want = to - from < sizeof(bytes) ? (size_t)(to - from) : sizeof(bytes);
		ssize_t got = follow_read_file(s, bytes, want, from);
		if (got < 0)
			return (int)got;
		*crc = crc64_add(*crc, bytes, (size_t)got);
		if ((size_t)got < want)
			return -ENODATA;
		from += want;
	}
	return 0;
}

/* From where to compare; false: nothing is remembered that could be. */
static bool place_to_compare_from(const struct source *s, struct rung *ret)
{
	const struct rung *near = NULL, *far = NULL;
	if (s->ladder.base == s->cursor.base) {
		near = ladder_find(&s->ladder, s->tail_at ? s->tail_at - 1 : 0);
		far = s->tail_at > VERIFY_NEAR ? ladder_find(&s->ladder, s->tail_at - VERIFY_NEAR)
					       : NULL;
	}
	*ret = (struct rung){s->cursor.base, CRC64_EMPTY};
	if (far && s->tail_at - far->offset <= VERIFY_FAR)
		*ret = *far;
	else if (near && s->tail_at - s->cursor.base > VERIFY_FAR)
		*ret = *near;
	return s->tail_at > ret->offset && s->tail_at - ret->offset <= VERIFY_FAR;
}

/* 1: the bytes before tail_at are as remembered, and tail_hash is known from now on; 0: they are
 * not. */
static int verify(struct source *s)
{
	char tail[FOLLOW_CHECK_BYTES];
	size_t chk = check_len(s->tail_at);
	ssize_t got = follow_read_file(s, tail, chk, s->tail_at - chk);
	if (got < 0)
		return (int)got;
	if ((size_t)got < chk)
		return 0;
	struct rung from;
	if (place_to_compare_from(s, &from)) {
		uint64_t crc = from.crc;
		int r = checksum(s, from.offset, s->tail_at, &crc);
		if (r < 0)
			return r == -ENODATA ? 0 : r;
		if (crc != crc64_add(s->cursor.crc, s->replay.ptr, s->replay.len))
			return 0;
	}
	s->tail_hash = crc64_add(CRC64_EMPTY, tail, chk);
	s->tail_known = true;
	return 1;
}

/* Of a file of which nothing has been read: does it begin as it did when it was looked at first? */
static int same_head(const struct source *s)
{
	char head[FOLLOW_CHECK_BYTES];
	const struct rung *r = s->ladder.n ? &s->ladder.rungs[0] : NULL;
	if (!r || s->ladder.base != s->start || r->offset - s->start > sizeof(head))
		return 1;
	size_t n = (size_t)(r->offset - s->start);
	ssize_t got = follow_read_file(s, head, n, s->start);
	if (got < 0)
		return (int)got;
	return (size_t)got == n && crc64_add(CRC64_EMPTY, head, n) == r->crc;
}

/* --- holes --- */

static size_t count_zeros(const char *p, size_t len)
{
	size_t n = 0;
	while (n < len && p[n] == '\0')
		n++;
	return n;
}

/* How many NUL bytes stand at `at`, of which `n` have been seen; UINT64_MAX: they reach the end. */
static uint64_t hole_length(const struct source *s, uint64_t at, uint64_t n)
{
	char bytes[STEP];
	for (int steps = 0; steps < 16; steps++) {
		off_t data = s->compressed ? -1 : lseek(s->fd, (off_t)(at + n), SEEK_DATA);
		if (data < 0 && errno == ENXIO && !s->compressed)
			return UINT64_MAX;
		if (data > 0 && (uint64_t)data > at + n)
			n = (uint64_t)data - at;
		ssize_t got = follow_read_file(s, bytes, sizeof(bytes), at + n);
		if (got <= 0)
			return got == 0 ? UINT64_MAX : n;
		size_t zeros = count_zeros(bytes, (size_t)got);
		n += zeros;
		if (zeros < (size_t)got)
			return n;
	}
	return n;
}

/* Where in the data a hole begins: at its front, or behind a line end; `len` when there is none. */
static size_t find_hole(const struct source *s, const char *data, size_t len)
{
	if (s->in_hole && len && data[0] == '\0')
		return 0;
	for (size_t at = 0; at < len;) {
		const char *nul = memchr(data + at, '\0', len - at);
		if (!nul)
			break;
		at = (size_t)(nul - data);
		size_t zeros = count_zeros(nul, len - at);
		if (zeros >= HOLE_MIN && (at == 0 || data[at - 1] == '\n'))
			return at;
		at += zeros;
	}
	return len;
}

/* --- reading --- */

/* Reads the file behind what replay gave (`have` bytes in `data`): returns the count of new bytes,
 * 0 at the end, -ESTALE when it was cut, or what failed. */
static ssize_t read_new(struct source_table *t, struct source *s, char *data, size_t have,
			size_t room)
{
	int r = descriptor_open(t, s);
	if (r < 0)
		return r;
	descriptor_used(t, s);
	r = s->tail_at == s->start ? same_head(s) : 1;
	if (r > 0 && !s->tail_known)
		r = verify(s);
	if (r <= 0)
		return r < 0 ? r : -ESTALE;
	size_t chk = check_len(s->tail_at), want = chk + room - have;
	char *at = data + have - chk;
	ssize_t got = read_on(s, at, want, s->tail_at - chk);
	if (got < 0)
		return got;
	if ((size_t)got < chk || crc64_add(CRC64_EMPTY, at, chk) != s->tail_hash)
		return -ESTALE;
	uint64_t size = s->tail_at + (size_t)got - chk;
	struct identity id;
	if ((size_t)got == want && !s->compressed && identity_of_fd(s->fd, &id) == 0 &&
	    id.size > size)
		size = id.size;
	s->last_read_ns = clock_mono_ns();
	if (size != s->size)
		s->last_growth_ns = s->last_read_ns;
	if (size > s->tail_at && !s->behind_since_ns)
		s->behind_since_ns = s->last_read_ns;
	s->size = s->sure_size = size;
	list_remove(&s->stirred);
	if (s->last_error)
		log_gate_clear(&s->error_gate, "%s can be read again", s->path);
	s->last_error = 0;
	return got - (ssize_t)chk;
}

/* The bytes in `data`, as far as they may be taken now. `end`: the file has no more. */
static int judge(struct source_table *t, struct source *s, const char *data, size_t len, bool end,
		 struct span *ret, uint64_t *ret_hole)
{
	uint64_t at = s->cursor.offset;
	size_t take = find_hole(s, data, len);
	if (take == 0 && len) {
		uint64_t hole = count_zeros(data, len);
		if (hole == len && !s->cut)
			hole = hole_length(s, at, hole);
		if (hole == UINT64_MAX && s->closing)
			hole = s->size - at;
		if (hole == UINT64_MAX)
			return FOLLOW_END;
		s->in_hole = true;
		*ret_hole = hole;
		return FOLLOW_HOLE;
	}
	s->in_hole = false;
	if (take < len) {
		source_set_ready(t, s);
		end = false;
	}
	*ret = span_make(data, take);
	/* An LF that stayed behind a line that is open is no line. */
	size_t rest = take && s->cursor.frame.at_lf ? 1 : 0;
	if (end && s->closing && !memchr(data + rest, '\n', take - rest))
		return FOLLOW_LAST;
	return take ? FOLLOW_DATA : FOLLOW_END;
}

static bool is_binary(struct source_table *t, struct source *s, const char *data, size_t len)
{
	if (s->sniffed || !len || s->cursor.offset != 0)
		return false;
	size_t zeros = count_zeros(data, len);
	if (zeros == len)
		return false;
	/* Holes say nothing. */
	s->refusal = sniff(span_make(data + zeros, find_hole(s, data + zeros, len - zeros)));
	s->sniffed = s->refusal || len >= SNIFF_ENOUGH;
	if (s->refusal)
		source_notice(t, s);
	return s->refusal != NULL;
}

int follow_read(struct source_table *t, struct source *s, char *dst, size_t size, struct span *ret,
		uint64_t *ret_hole)
{
	char *data = dst + FOLLOW_CHECK_BYTES;
	size_t room = size - FOLLOW_CHECK_BYTES, have = s->replay.len;
	ssize_t new = 0;
	bool to_loss = s->lost_to > s->lost_from && s->lost_from - s->cursor.offset <= room;
	assert(size >= (size_t)2 * FOLLOW_CHECK_BYTES);
	if (to_loss)
		room = (size_t)(s->lost_from - s->cursor.offset);
	if (have > room)
		have = room;
	if (have)
		memcpy(data, s->replay.ptr, have);
	bool no_file = s->cut || (s->closing && s->fd < 0 && !s->names);
	if (have < room && !no_file) {
		new = read_new(t, s, data, have, room);
		if (new < 0 && have)
			memcpy(data, s->replay.ptr, have); /* the check bytes lay over it */
		if (new == -ESTALE)
			mark_cut(t, s);
		else if (new < 0)
			failed(s, (int)new);
	}
	if (new < 0 && !have && !s->cut)
		return (int)new;
	if (!have && (s->cut || no_file))
		return FOLLOW_GONE;
	if (new < 0)
		new = 0;
	if (!have && is_binary(t, s, data, (size_t) new))
		return FOLLOW_END;
	size_t len = have + (size_t) new;
	bool end = to_loss ? len == room : len < room && (s->cut || no_file || !s->last_error);
	return judge(t, s, data, len, end, ret, ret_hole);
}

/* --- moving on --- */

void follow_advance(struct source *s, struct span bytes, const struct position *to)
{
	assert(to->offset == s->cursor.offset + bytes.len);
	ladder_climb(&s->ladder, &s->cursor, bytes, to);
	s->cursor = *to;
	buf_consume(&s->replay, bytes.len < s->replay.len ? bytes.len : s->replay.len);
	if (s->replay.len == 0)
		buf_free(&s->replay);
	if (to->offset > s->tail_at) {
		size_t chk = check_len(to->offset);
		s->tail_hash = crc64_add(CRC64_EMPTY, bytes.ptr + bytes.len - chk, chk);
		s->tail_at = to->offset;
		s->tail_known = true;
	}
}

void follow_skip(struct source *s, const struct position *to)
{
	uint64_t skipped = to->offset - s->cursor.offset;
	bool hole = to->base == s->cursor.base;
	buf_consume(&s->replay, skipped < s->replay.len ? (size_t)skipped : s->replay.len);
	if (s->replay.len == 0)
		buf_free(&s->replay);
	if (hole)
		ladder_add(&s->ladder, to->base, to->offset, to->crc);
	s->cursor = *to;
	if (to->offset <= s->tail_at)
		return;
	s->tail_at = to->offset;
	s->tail_known = hole && skipped >= check_len(to->offset);
	if (s->tail_known)
		s->tail_hash = crc64_add_zeros(CRC64_EMPTY, check_len(to->offset));
}

int follow_verify(struct source *s)
{
	if (s->fd < 0)
		return -EAGAIN;
	return s->tail_known || s->tail_at == s->start ? follow_check(s) : verify(s);
}

int follow_check(const struct source *s)
{
	char tail[FOLLOW_CHECK_BYTES];
	size_t chk = check_len(s->tail_at);
	if (s->fd < 0 || s->compressed)
		return -EAGAIN;
	if (s->tail_at == s->start)
		return same_head(s);
	if (!s->tail_known)
		return -EAGAIN;
	ssize_t got = file_pread_full(s->fd, tail, chk, s->tail_at - chk);
	if (got < 0)
		return (int)got;
	return (size_t)got == chk && crc64_add(CRC64_EMPTY, tail, chk) == s->tail_hash;
}

ssize_t follow_peek(struct source *s, uint64_t from, void *dst, size_t len)
{
	uint64_t at = s->cursor.offset;
	if (s->replay.len && from >= at && from < at + s->replay.len) {
		size_t have = (size_t)(at + s->replay.len - from);
		memcpy(dst, s->replay.ptr + (from - at), len < have ? len : have);
		return (ssize_t)(len < have ? len : have);
	}
	if (s->fd < 0 || s->cut)
		return -EBADF;
	return follow_read_file(s, dst, len, from);
}
