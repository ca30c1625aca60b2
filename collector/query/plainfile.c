/* A range of a plain file as windows of whole lines: see plainfile.h.
 *
 * Ranges part a file among threads: a line belongs to the range in which it begins. Bytes are read,
 * not mapped: a file that is truncated under a mapping kills the reader, and a window that fits the
 * second level cache is searched there. Where only lines with some string are wanted, what has none
 * of them is passed over without a copy (glance.h).
 *
 * A live file may end in the middle of a line that is just being appended. Its rest is waited for,
 * for the writer may be put aside by a busy machine between two pages; a line that stays without LF
 * (the collector died over it) is shown as it is, as grep would, and at once when the file was not
 * written to for some seconds. */
#include "collector/query/plainfile.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <sys/stat.h>
#include <time.h>

/* A file that was written to more recently may be written to. */
#define WRITTEN_NS (10 * NUM_SEC_NS)

enum {
	WINDOW_BYTES = 256 * 1024,
	TAIL_BYTES = 64 * 1024,   /* read behind the range for the end of its last line */
	TAIL_TRIES = 200,         /* a millisecond each */
	GLANCE_BEYOND = 8 * 1024, /* looked at behind the range for the end of its last line */
};

void plainfile_start(struct plainfile *f, int fd, uint64_t size, uint64_t from, uint64_t to,
		     bool live)
{
	linebuf_reset(&f->lines);
	glance_end(&f->glance);
	f->fd = fd;
	f->size = size;
	f->live = live;
	f->to = to < size ? to : size;
	f->skip = from > 0;
	f->at = f->place = from > 0 ? from - 1 : 0;
	f->ended = false;
}

/* Reads on, at most to `end`. Returns the count, 0 at the end of the file. */
static ssize_t fill(struct plainfile *f, size_t max, uint64_t end)
{
	size_t want = end - f->at < max ? (size_t)(end - f->at) : max;
	int r = linebuf_room(&f->lines, want);
	if (r < 0)
		return r;
	ssize_t n = file_pread_full(f->fd, linebuf_end(&f->lines), want, f->at);
	if (n > 0) {
		linebuf_filled(&f->lines, (size_t)n);
		f->at += (uint64_t)n;
	}
	return n;
}

/* May somebody be in the middle of a line just now? */
static bool is_written(const struct plainfile *f)
{
	struct stat st;
	return f->live && fstat(f->fd, &st) == 0 &&
	       clock_real_ns() - ((int64_t)st.st_mtim.tv_sec * NUM_SEC_NS) < WRITTEN_NS;
}

/* The range is read; the last line may go on behind it. */
static int finish_line(struct plainfile *f)
{
	static const struct timespec pause = {.tv_nsec = 1000000};
	unsigned tries = 0;
	for (;;) {
		size_t had = f->lines.bytes.len;
		if (had > f->lines.given && f->lines.bytes.ptr[had - 1] == '\n')
			return 0;
		if (linebuf_waiting(&f->lines) == 0)
			return 0;
		bool beyond = f->at >= f->size;
		ssize_t n = fill(f, TAIL_BYTES, beyond ? UINT64_MAX : f->size);
		if (n < 0)
			return (int)n;
		if (n == 0 && (!beyond || ++tries == TAIL_TRIES || (tries == 1 && !is_written(f))))
			return 0;
		if (n == 0) {
			(void)nanosleep(&pause, NULL);
			continue;
		}
		/* Only the end of this line is ours. */
		struct buf *bytes = &f->lines.bytes;
		const char *lf = memchr(bytes->ptr + bytes->len - n, '\n', (size_t)n);
		if (lf) {
			bytes->len = (size_t)(lf + 1 - bytes->ptr);
			return 0;
		}
	}
}

/* The first line of the range begins behind the first LF at or after the byte before it. */
static void skip_first(struct plainfile *f, struct span *lines)
{
	size_t len = span_find(*lines, '\n') + 1;
	*lines = span_from(*lines, len);
	f->place += len;
	f->skip = false;
}

/* What waits in the buffer is the beginning of the line at `place`. */
void plainfile_pass(struct plainfile *f, const struct finder *strings)
{
	if (f->ended || f->at >= f->to)
		return;
	uint64_t beyond = f->size - f->to < GLANCE_BEYOND ? f->size : f->to + GLANCE_BEYOND;
	uint64_t place = glance_pass(&f->glance, f->fd, strings, f->place, beyond);
	if (place == f->place)
		return;
	linebuf_reset(&f->lines);
	f->at = f->place = place;
	f->skip = false;
}

int plainfile_next(struct plainfile *f, struct window *ret)
{
	struct span lines;
	while (!f->ended) {
		if (f->at >= f->to)
			f->ended = true;
		if (!f->ended) {
			ssize_t n = fill(f, WINDOW_BYTES, f->to);
			if (n < 0)
				return (int)n;
			if (n == 0) /* truncated meanwhile */
				f->to = f->size = f->at;
		}
		if (f->at >= f->to) {
			int r = finish_line(f);
			if (r < 0)
				return r;
			f->ended = true;
		}
		if (!linebuf_take(&f->lines, f->ended, &lines))
			continue;
		if (f->skip)
			skip_first(f, &lines);
		ret->lines = lines;
		ret->at.block = 0;
		ret->at.offset = f->place;
		f->place += lines.len;
		if (lines.len)
			return 1;
	}
	return 0;
}

void plainfile_free(struct plainfile *f)
{
	glance_end(&f->glance);
	linebuf_free(&f->lines);
}
