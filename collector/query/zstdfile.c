/* Sealed segments, zstd: see zstdfile.h.
 *
 * haul seals independent frames of about 1 MiB that end at line ends; such a frame is inflated in
 * one go into one window. Any other .zst is read too: a frame that is larger, or does not say how
 * large it is, comes out piecemeal, its lines put together in a linebuf.
 *
 * Behind a damaged frame the next one is looked for by the bytes that frames begin with. What only
 * looks like one is told from one by its end, so it is no damage of its own. */
#include "collector/query/zstdfile.h"

#include "common/file.h"

#include <zstd.h>

#include <errno.h>
#include <stdlib.h>

enum {
	READ_BYTES = 256 * 1024,
	FRAME_MAX = 4 * 1024 * 1024, /* compressed; a larger frame is streamed */
	FRAME_INFLATED_MAX = 4 * 1024 * 1024,
	STREAM_WINDOW = 512 * 1024,
	MAGIC_BYTES = 4,
	HEADER_MAX = 18, /* of a frame */
};

static const char magic[MAGIC_BYTES] = {0x28, (char)0xb5, 0x2f, (char)0xfd};

enum state {
	BETWEEN_FRAMES,
	STREAMING, /* inside a frame */
	SEARCHING, /* for a frame behind damage */
	ENDED,
};

struct zstdfile {
	ZSTD_DCtx *context;
	struct zstd_input in;
	uint64_t to;
	struct linebuf lines;
	enum state state;
	struct place frame; /* of what linebuf gives next */
	size_t held;        /* bytes of it that were not given yet, for it may be damaged */
	bool doubtful;      /* found behind damage: it may be none */
	uint64_t error_at;
	const char *error;
};

/* --- compressed bytes --- */

static void input_start(struct zstd_input *in, int fd, uint64_t size, uint64_t at)
{
	in->fd = fd;
	in->at = at;
	in->size = size;
	in->given = 0;
	buf_clear(&in->bytes);
}

static struct span input_have(const struct zstd_input *in)
{
	return span_from(buf_span(&in->bytes), in->given);
}

static void input_take(struct zstd_input *in, size_t len)
{
	in->given += len;
	in->at += len;
}

/* Reads on. 1: more is there; 0: the end of the file. */
static int input_more(struct zstd_input *in)
{
	buf_consume(&in->bytes, in->given);
	in->given = 0;
	uint64_t at = in->at + in->bytes.len;
	if (at >= in->size)
		return 0;
	size_t want = in->size - at < READ_BYTES ? (size_t)(in->size - at) : READ_BYTES;
	int r = buf_reserve(&in->bytes, want);
	if (r < 0)
		return r;
	ssize_t n = file_pread_full(in->fd, in->bytes.ptr + in->bytes.len, want, at);
	if (n > 0)
		in->bytes.len += (size_t)n;
	return n < 0 ? (int)n : n > 0;
}

/* Makes the whole next frame available. 1 and its length; 0: it is too large, damaged or cut
 * short. */
static int whole_frame(struct zstd_input *in, size_t *ret_len)
{
	for (;;) {
		struct span have = input_have(in);
		size_t len = have.len >= MAGIC_BYTES
				     ? ZSTD_findFrameCompressedSize(have.ptr, have.len)
				     : 0;
		if (have.len >= MAGIC_BYTES && !ZSTD_isError(len)) {
			*ret_len = len;
			return 1;
		}
		if (have.len >= FRAME_MAX)
			return 0;
		int r = input_more(in);
		if (r <= 0)
			return r;
	}
}

static bool is_skippable(struct span s)
{
	if (s.len < MAGIC_BYTES)
		return false;
	const unsigned char *b = (const unsigned char *)s.ptr;
	return (b[0] & 0xf0) == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18;
}

int zstdfile_walk(int fd, uint64_t size, int (*each)(void *user, uint64_t at, uint64_t length),
		  void *user)
{
	struct zstd_input in = {.bytes = BUF_EMPTY};
	int r = 0;
	input_start(&in, fd, size, 0);
	while (in.at < size) {
		size_t len;
		r = whole_frame(&in, &len);
		if (r <= 0)
			break;
		r = is_skippable(input_have(&in)) ? 0 : each(user, in.at, len);
		if (r < 0)
			break;
		input_take(&in, len);
	}
	if (r == 0 && in.at < size)
		r = each(user, in.at, size - in.at);
	buf_free(&in.bytes);
	return r < 0 ? r : 0;
}

/* --- a piece --- */

struct zstdfile *zstdfile_new(void)
{
	struct zstdfile *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->context = ZSTD_createDCtx();
	if (!f->context) {
		free(f);
		return NULL;
	}
	return f;
}

void zstdfile_free(struct zstdfile *f)
{
	if (!f)
		return;
	ZSTD_freeDCtx(f->context);
	buf_free(&f->in.bytes);
	linebuf_free(&f->lines);
	free(f);
}

void zstdfile_start(struct zstdfile *f, int fd, uint64_t size, uint64_t from, uint64_t to)
{
	input_start(&f->in, fd, size, from);
	f->to = to < size ? to : size;
	linebuf_reset(&f->lines);
	f->state = BETWEEN_FRAMES;
	f->doubtful = false;
	f->error = NULL;
}

const char *zstdfile_error(const struct zstdfile *f, uint64_t *ret_at)
{
	*ret_at = f->error_at;
	return f->error;
}

/* Damage is told once: not for each of the bytes behind it that look like a frame. */
static int damaged(struct zstdfile *f, const char *why)
{
	f->state = SEARCHING;
	linebuf_reset(&f->lines);
	if (f->doubtful)
		return 1;
	f->error = why;
	f->error_at = f->frame.block;
	return -EBADMSG;
}

/* Behind the start of a damaged frame. 1: another one may begin; 0: none does in this piece. */
static int find_frame(struct zstdfile *f)
{
	struct zstd_input *in = &f->in;
	input_start(in, in->fd, in->size, f->frame.block + 1);
	while (in->at < f->to) {
		int r = input_more(in);
		if (r <= 0)
			return r;
		struct span have = input_have(in);
		const char *found = memmem(have.ptr, have.len, magic, MAGIC_BYTES);
		if (found) {
			input_take(in, (size_t)(found - have.ptr));
			f->doubtful = true;
			f->state = BETWEEN_FRAMES;
			return in->at < f->to;
		}
		/* The next read may complete what the last bytes begin. */
		input_take(in, have.len < MAGIC_BYTES ? 0 : have.len - MAGIC_BYTES + 1);
	}
	return 0;
}

/* Gives what the linebuf has. */
static bool give(struct zstdfile *f, bool end, struct window *ret)
{
	if (!linebuf_take(&f->lines, end, &ret->lines))
		return false;
	ret->at.block = f->frame.block;
	ret->at.offset = f->frame.offset;
	f->frame.offset += ret->lines.len;
	return true;
}

/* The frame is there as a whole and says that it is small: into the linebuf with it. */
static int inflate_frame(struct zstdfile *f, size_t len, size_t inflated)
{
	int r = linebuf_room(&f->lines, inflated);
	if (r < 0)
		return r;
	size_t n = ZSTD_decompressDCtx(f->context, linebuf_end(&f->lines), inflated,
				       input_have(&f->in).ptr, len);
	input_take(&f->in, len);
	if (ZSTD_isError(n))
		return damaged(f, ZSTD_getErrorName(n));
	linebuf_filled(&f->lines, n);
	f->doubtful = false;
	return 0;
}

/* The next frame: inflated, or streaming begins. 1: look into the linebuf; 0: the piece is at its
 * end. */
static int begin_frame(struct zstdfile *f)
{
	if (f->in.at >= f->to)
		return 0;
	f->frame.block = f->in.at;
	f->frame.offset = 0;
	size_t len;
	int r = whole_frame(&f->in, &len);
	if (r < 0)
		return r;
	struct span have = input_have(&f->in);
	if (r > 0 && is_skippable(have)) {
		input_take(&f->in, len);
		return 1;
	}
	unsigned long long inflated =
		have.len ? ZSTD_getFrameContentSize(have.ptr, have.len) : ZSTD_CONTENTSIZE_ERROR;
	if (inflated == ZSTD_CONTENTSIZE_ERROR)
		return damaged(f, have.len < HEADER_MAX ? "cut short" : "not a zstd frame");
	if (r > 0 && inflated <= FRAME_INFLATED_MAX) {
		r = inflate_frame(f, len, (size_t)inflated);
		return r < 0 ? r : 1;
	}
	ZSTD_DCtx_reset(f->context, ZSTD_reset_session_only);
	f->held = 0;
	f->state = STREAMING;
	return 1;
}

/* Inflates on inside a frame. */
static int stream(struct zstdfile *f)
{
	struct span have = input_have(&f->in);
	if (have.len == 0) {
		int r = input_more(&f->in);
		if (r < 0)
			return r;
		if (r == 0)
			return damaged(f, "cut short");
		have = input_have(&f->in);
	}
	int r = linebuf_room(&f->lines, STREAM_WINDOW);
	if (r < 0)
		return r;
	ZSTD_inBuffer in = {have.ptr, have.len, 0};
	ZSTD_outBuffer out = {linebuf_end(&f->lines), STREAM_WINDOW, 0};
	size_t left = ZSTD_decompressStream(f->context, &out, &in);
	input_take(&f->in, in.pos);
	if (ZSTD_isError(left))
		return damaged(f, ZSTD_getErrorName(left));
	linebuf_filled(&f->lines, out.pos);
	f->held += out.pos;
	if (left == 0)
		f->state = BETWEEN_FRAMES;
	if (left == 0 || f->held >= LINEBUF_HELD_MAX)
		f->doubtful = false;
	return 1;
}

int zstdfile_next(struct zstdfile *f, struct window *ret)
{
	f->error = NULL;
	for (;;) {
		int r = 0;
		switch (f->state) {
		case BETWEEN_FRAMES:
			/* A frame's last line ends with it, LF or not. */
			if (give(f, true, ret))
				return 1;
			r = begin_frame(f);
			break;
		case STREAMING:
			if (f->held >= LINEBUF_HELD_MAX && give(f, false, ret))
				return 1;
			r = stream(f);
			break;
		case SEARCHING:
			r = find_frame(f);
			if (r == 0)
				f->state = ENDED;
			break;
		case ENDED: return 0;
		}
		if (r <= 0)
			return r;
	}
}
