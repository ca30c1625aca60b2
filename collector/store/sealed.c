/* Segments read block by block: see sealed.h. Called by seal.c, indexer.c and whoever checks an
 * archive.
 *
 * The input is a sliding window over the file: bytes before it are done with, and it grows until a
 * block is in it as a whole. Damage ends the walk: where the next block begins is only known from
 * the one before. */
#include "collector/store/sealed.h"

#include "common/buf.h"
#include "common/crc64.h"
#include "common/file.h"

#include <zlib.h>
#include <zstd.h>

#include <errno.h>
#include <limits.h>

enum { READ_BYTES = 256 * 1024 };

struct walk {
	int fd;
	uint64_t at, size; /* the window's place in the file; the file's size */
	struct buf window, plain;
	size_t looked; /* bytes of the window without a line end */
	ZSTD_DCtx *zstd;
	int (*each)(void *user, const struct sealed_block *block);
	void *user;
};

static bool window_reaches_end(const struct walk *w)
{
	return w->at + w->window.len >= w->size;
}

/* Makes the window larger. -EBADMSG: the file ends before its size. */
static int more(struct walk *w)
{
	uint64_t left = w->size - w->at - w->window.len;
	size_t wanted = left < READ_BYTES ? (size_t)left : READ_BYTES;
	int r = buf_reserve(&w->window, wanted);
	if (r < 0)
		return r;
	ssize_t n = file_pread_full(w->fd, w->window.ptr + w->window.len, wanted,
				    w->at + w->window.len);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return -EBADMSG;
	w->window.len += (size_t)n;
	return 0;
}

static int give(struct walk *w, size_t length, struct span plain)
{
	struct sealed_block b = {.offset = w->at, .length = length, .plain = plain};
	int r = w->each(w->user, &b);
	buf_consume(&w->window, length);
	w->at += length;
	w->looked = 0;
	return r < 0 ? r : 0;
}

/* --- plain --- */

/* The length of the next block in the window; 0: it needs more. */
static size_t plain_block(struct walk *w)
{
	struct span s = buf_span(&w->window);
	if (s.len < SEALED_BLOCK_BYTES && !window_reaches_end(w))
		return 0;
	if (s.len <= SEALED_BLOCK_BYTES && window_reaches_end(w))
		return s.len;
	const char *end = memrchr(s.ptr, '\n', SEALED_BLOCK_BYTES);
	if (end)
		return (size_t)(end - s.ptr) + 1;
	size_t from = w->looked > SEALED_BLOCK_BYTES ? w->looked : SEALED_BLOCK_BYTES;
	size_t at = from + span_find(span_from(s, from), '\n');
	w->looked = s.len;
	if (at < s.len)
		return at + 1;
	return window_reaches_end(w) ? s.len : 0;
}

static int walk_plain(struct walk *w)
{
	while (w->at < w->size) {
		size_t length = plain_block(w);
		int r = length ? give(w, length, span_first(buf_span(&w->window), length))
			       : more(w);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- zstd --- */

static int inflate_frame(struct walk *w, size_t length)
{
	unsigned long long plain = ZSTD_getFrameContentSize(w->window.ptr, length);
	if (plain == ZSTD_CONTENTSIZE_UNKNOWN || plain > SEALED_INFLATED_MAX)
		return -EFBIG;
	if (plain == ZSTD_CONTENTSIZE_ERROR)
		return -EBADMSG;
	buf_clear(&w->plain);
	int r = buf_reserve(&w->plain, (size_t)plain);
	if (r < 0)
		return r;
	size_t n = ZSTD_decompressDCtx(w->zstd, w->plain.ptr, (size_t)plain, w->window.ptr, length);
	if (ZSTD_isError(n) || n != plain)
		return -EBADMSG;
	w->plain.len = n;
	return give(w, length, buf_span(&w->plain));
}

static int walk_zstd(struct walk *w)
{
	w->zstd = ZSTD_createDCtx();
	int r = w->zstd ? 0 : -ENOMEM;
	while (r == 0 && w->at < w->size) {
		size_t length = ZSTD_findFrameCompressedSize(w->window.ptr, w->window.len);
		if (!ZSTD_isError(length))
			r = inflate_frame(w, length);
		else if (window_reaches_end(w) || w->window.len > SEALED_INFLATED_MAX)
			r = -EBADMSG;
		else
			r = more(w);
	}
	ZSTD_freeDCtx(w->zstd);
	return r;
}

/* --- gzip --- */

/* Inflates one member. -EAGAIN: the window ends before the member does. */
static int inflate_member(struct walk *w, z_stream *z, size_t *ret_length)
{
	if (inflateReset(z) != Z_OK)
		return -EBADMSG;
	buf_clear(&w->plain);
	size_t given = w->window.len < UINT_MAX ? w->window.len : UINT_MAX;
	z->next_in = (Bytef *)w->window.ptr;
	z->avail_in = (unsigned)given;
	for (;;) {
		if (w->plain.len > SEALED_INFLATED_MAX)
			return -EFBIG;
		int r = buf_reserve(&w->plain, READ_BYTES);
		if (r < 0)
			return r;
		z->next_out = (Bytef *)w->plain.ptr + w->plain.len;
		z->avail_out = READ_BYTES;
		int code = inflate(z, Z_NO_FLUSH);
		w->plain.len += READ_BYTES - z->avail_out;
		if (code == Z_STREAM_END)
			break;
		if (code != Z_OK && code != Z_BUF_ERROR)
			return code == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
		if (z->avail_in == 0 && z->avail_out)
			return -EAGAIN;
	}
	*ret_length = given - z->avail_in;
	return 0;
}

static int walk_gzip(struct walk *w)
{
	z_stream z = {0};
	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return -ENOMEM;
	int r = 0;
	while (r == 0 && w->at < w->size) {
		size_t length;
		r = w->window.len ? inflate_member(w, &z, &length) : -EAGAIN;
		if (r == 0)
			r = give(w, length, buf_span(&w->plain));
		else if (r == -EAGAIN)
			r = window_reaches_end(w) ? -EBADMSG : more(w);
	}
	(void)inflateEnd(&z);
	return r;
}

/* --- all --- */

int sealed_walk(int fd, enum segment_form form, uint64_t size,
		int (*each)(void *user, const struct sealed_block *block), void *user)
{
	struct walk w = {.fd = fd, .size = size, .each = each, .user = user};
	int r = -EINVAL;
	switch (form) {
	case SEGMENT_LIVE:
	case SEGMENT_CLOSED: r = walk_plain(&w); break;
	case SEGMENT_ZSTD: r = walk_zstd(&w); break;
	case SEGMENT_GZIP: r = walk_gzip(&w); break;
	}
	buf_free(&w.window);
	buf_free(&w.plain);
	return r;
}

int sealed_walk_plain(int fd, uint64_t from, uint64_t to,
		      int (*each)(void *user, const struct sealed_block *block), void *user)
{
	struct walk w = {.fd = fd, .at = from, .size = to, .each = each, .user = user};
	int r = walk_plain(&w);
	buf_free(&w.window);
	return r;
}

struct sum {
	uint64_t bytes, crc;
	int (*stop)(void *user);
	void *user;
};

static int sum_block(void *user, const struct sealed_block *block)
{
	struct sum *s = user;
	s->bytes += block->plain.len;
	s->crc = crc64_add(s->crc, block->plain.ptr, block->plain.len);
	return s->stop ? s->stop(s->user) : 0;
}

int sealed_sum(int fd, enum segment_form form, uint64_t size, int (*stop)(void *user), void *user,
	       uint64_t *ret_bytes, uint64_t *ret_crc)
{
	struct sum s = {.crc = CRC64_EMPTY, .stop = stop, .user = user};
	int r = sealed_walk(fd, form, size, sum_block, &s);
	if (r < 0)
		return r;
	*ret_bytes = s.bytes;
	*ret_crc = s.crc;
	return 0;
}
