/* Sealed segments, gzip: see gzipfile.h.
 *
 * A member does not say how long it is, so a file is read from a member's start on by inflating.
 * Members end at line ends when haul made them; in any other file a line may go on in the next
 * member, and stands at the place where it began. Zeros behind the last member are padding, as gzip
 * has it.
 *
 * Behind a damaged member the next one is looked for by the bytes that members begin with. What
 * only looks like one is told from one by its end, so it is no damage of its own. */
#include "collector/query/gzipfile.h"

#include "common/file.h"
#include "common/isal.h"

#include <errno.h>
#include <stdlib.h>

enum {
	INPUT_BYTES = 128 * 1024,
	WINDOW_BYTES = 512 * 1024,
	START_BYTES = 4, /* of a member: what tells it */
};

enum state {
	BETWEEN_MEMBERS,
	INSIDE,
	SEARCHING, /* for a member behind damage */
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
	size_t held;         /* bytes of it that were not given yet, for it may be damaged */
	bool doubtful;       /* found behind damage: it may be none */
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
	f->doubtful = false;
	f->error = NULL;
}

const char *gzipfile_error(const struct gzipfile *f, uint64_t *ret_at)
{
	*ret_at = f->member_at;
	return f->error;
}

/* Damage is told once: not for each of the bytes behind it that look like a member. */
static int damaged(struct gzipfile *f, const char *why)
{
	f->state = SEARCHING;
	linebuf_reset(&f->lines);
	if (f->doubtful)
		return 1;
	f->error = why;
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

static void begin_member(struct gzipfile *f)
{
	f->member_at = f->at - f->inflate.avail_in;
	if (linebuf_waiting(&f->lines) == 0)
		f->member = (struct place){.block = f->member_at};
	isal_inflate_reset(&f->inflate);
	f->inflate.crc_flag = ISAL_GZIP;
	f->held = 0;
	f->state = INSIDE;
}

/* 1: a member begins; 0: the piece is at its end. */
static int next_member(struct gzipfile *f)
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
	begin_member(f);
	return 1;
}

/* Is there what a member begins with: magic, deflate, no flag that is reserved? */
static bool starts_member(const unsigned char *b)
{
	return b[0] == 0x1f && b[1] == 0x8b && b[2] == 8 && (b[3] & 0xe0) == 0;
}

/* Behind the start of a damaged member. 1: another one may begin; 0: none does in this piece. */
static int find_member(struct gzipfile *f)
{
	f->at = f->member_at + 1;
	f->inflate.avail_in = 0;
	while (f->at < f->to) {
		int r = fill(f);
		if (r <= 0)
			return r;
		while (f->inflate.avail_in >= START_BYTES && !starts_member(f->inflate.next_in)) {
			f->inflate.next_in++;
			f->inflate.avail_in--;
		}
		if (f->at - f->inflate.avail_in >= f->to)
			break;
		if (f->inflate.avail_in >= START_BYTES) {
			f->doubtful = true;
			begin_member(f);
			return 1;
		}
		if (f->at == f->size)
			break;
		f->at -= f->inflate.avail_in; /* the next read begins with what was too short */
		f->inflate.avail_in = 0;
	}
	return 0;
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
	r = isal_inflate_some(&f->inflate);
	if (r == ISAL_INCORRECT_CHECKSUM)
		return damaged(f, "wrong checksum");
	if (r != ISAL_DECOMP_OK)
		return damaged(f, "not gzip data");
	linebuf_filled(&f->lines, WINDOW_BYTES - f->inflate.avail_out);
	f->held += WINDOW_BYTES - f->inflate.avail_out;
	if (f->inflate.block_state == ISAL_BLOCK_FINISH)
		f->state = BETWEEN_MEMBERS;
	if (f->state == BETWEEN_MEMBERS || f->held >= LINEBUF_HELD_MAX)
		f->doubtful = false;
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
	f->error = NULL;
	for (;;) {
		int r = 0;
		if ((f->state != INSIDE || f->held >= LINEBUF_HELD_MAX) && give(f, false, ret))
			return 1;
		switch (f->state) {
		case BETWEEN_MEMBERS: r = next_member(f); break;
		case INSIDE: r = inflate_on(f); break;
		case SEARCHING: r = find_member(f); break;
		case ENDED: return 0;
		}
		if (r < 0)
			return r;
		if (r == 0) {
			/* The piece ends here; so does its last line. */
			f->state = ENDED;
			return give(f, true, ret);
		}
	}
}
