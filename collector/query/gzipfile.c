/* Sealed segments, gzip: see gzipfile.h.
 *
 * A member does not say how long it is, so a file is read from a member's start on by
 * inflating. Members end at line ends when haul made them; in any other file a line may
 * go on in the next member, and stands at the place where it began. A damaged member ends
 * the piece: what follows cannot be found. Zeros behind the last member are padding, as
 * gzip has it. */
#include "collector/query/gzipfile.h"

#include "common/file.h"

#include <isa-l/igzip_lib.h>

#include <errno.h>
#include <stdlib.h>

enum {
	INPUT_BYTES = 128 * 1024,
	WINDOW_BYTES = 512 * 1024,
};

enum state {
	BETWEEN_MEMBERS,
	INSIDE,
	ENDED,
};

struct gzipfile {
	struct inflate_state inflate;
	int fd;
	uint64_t at, to, size; /* of the file: what has been read */
	unsigned char *input;
	struct linebuf lines;
	enum state state;
	struct place member; /* of what linebuf gives next */
	uint64_t member_at;  /* where the member begins that is being inflated */
	const char *error;
};

struct gzipfile *gzipfile_new(void)
{
	struct gzipfile *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->input = malloc(INPUT_BYTES);
	if (!f->input) {
		free(f);
		return NULL;
	}
	isal_inflate_init(&f->inflate);
	return f;
}

void gzipfile_free(struct gzipfile *f)
{
	if (!f)
		return;
	free(f->input);
	linebuf_free(&f->lines);
	free(f);
}

void gzipfile_start(struct gzipfile *f, int fd, uint64_t size, uint64_t from, uint64_t to)
{
	f->fd = fd;
	f->at = from;
	f->to = to < size ? to : size;
	f->size = size;
	f->inflate.avail_in = 0;
	f->inflate.next_in = f->input;
	linebuf_reset(&f->lines);
	f->state = BETWEEN_MEMBERS;
	f->error = NULL;
}

const char *gzipfile_error(const struct gzipfile *f, uint64_t *ret_at)
{
	*ret_at = f->member_at;
	return f->error;
}

static int damaged(struct gzipfile *f, const char *why)
{
	f->error = why;
	f->state = ENDED;
	linebuf_reset(&f->lines);
	return -EBADMSG;
}

/* Reads more compressed bytes when none are left. 1, or 0 at the end of the file. */
static int fill(struct gzipfile *f)
{
	if (f->inflate.avail_in)
		return 1;
	size_t want = f->size - f->at < INPUT_BYTES ? (size_t)(f->size - f->at) : INPUT_BYTES;
	ssize_t n = want ? file_pread_full(f->fd, f->input, want, f->at) : 0;
	if (n <= 0)
		return (int)n;
	f->at += (uint64_t)n;
	f->inflate.next_in = f->input;
	f->inflate.avail_in = (uint32_t)n;
	return 1;
}

/* 1: a member begins; 0: the piece is at its end. */
static int begin_member(struct gzipfile *f)
{
	int r;
	for (;;) {
		if (f->at - f->inflate.avail_in >= f->to)
			return 0;
		r = fill(f);
		if (r <= 0)
			return r;
		if (*f->inflate.next_in != 0)
			break;
		f->inflate.next_in++;
		f->inflate.avail_in--;
	}
	f->member_at = f->at - f->inflate.avail_in;
	if (linebuf_waiting(&f->lines) == 0)
		f->member = (struct place){.block = f->member_at};
	isal_inflate_reset(&f->inflate);
	f->inflate.crc_flag = ISAL_GZIP;
	f->state = INSIDE;
	return 1;
}

static int inflate_on(struct gzipfile *f)
{
	int r = fill(f);
	if (r < 0)
		return r;
	if (r == 0)
		return damaged(f, "cut short");
	r = linebuf_room(&f->lines, WINDOW_BYTES);
	if (r < 0)
		return r;
	f->inflate.next_out = (uint8_t *)linebuf_end(&f->lines);
	f->inflate.avail_out = WINDOW_BYTES;
	r = isal_inflate(&f->inflate);
	if (r == ISAL_INCORRECT_CHECKSUM)
		return damaged(f, "wrong checksum");
	if (r != ISAL_DECOMP_OK)
		return damaged(f, "not gzip data");
	linebuf_filled(&f->lines, WINDOW_BYTES - f->inflate.avail_out);
	if (f->inflate.block_state == ISAL_BLOCK_FINISH)
		f->state = BETWEEN_MEMBERS;
	return 1;
}

static bool give(struct gzipfile *f, bool end, struct window *ret)
{
	if (!linebuf_take(&f->lines, end, &ret->lines))
		return false;
	ret->at.block = f->member.block;
	ret->at.offset = f->member.offset;
	f->member.offset += ret->lines.len;
	return true;
}

int gzipfile_next(struct gzipfile *f, struct window *ret)
{
	for (;;) {
		int r = 0;
		if (f->state != ENDED && give(f, false, ret))
			return 1;
		switch (f->state) {
		case BETWEEN_MEMBERS:
			r = begin_member(f);
			if (r == 0) {
				/* The piece ends here; so does its last line. */
				f->state = ENDED;
				return give(f, true, ret);
			}
			break;
		case INSIDE: r = inflate_on(f); break;
		case ENDED: return 0;
		}
		if (r < 0)
			return r;
	}
}
