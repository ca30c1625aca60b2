/* Any bytes as a segment: the first byte chooses the form. What the reader gives is whole lines at
 * places that go up, and it comes to an end; of a plain file it is all lines, wherever the file is
 * parted, and all with a string when those without may be passed over. */
#include "collector/query/reader.h"
#include "common/file.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 64 << 20, STEPS_MAX = 1 << 20 };

/* How many bytes of lines a piece has; at most BYTES_MAX, for frames of nothing but headers may
 * inflate to much. */
static uint64_t read_piece(struct reader *r, enum segment_form form, int fd, uint64_t size,
			   struct piece piece)
{
	struct window w;
	struct place last = {0};
	uint64_t bytes = 0, at;
	int steps = 0, result = reader_start(r, form, fd, size, piece);
	assert(result == 0);
	while ((result = reader_next(r, &w)) != 0 && bytes < BYTES_MAX) {
		assert(steps++ < STEPS_MAX);
		if (result < 0) {
			assert(result == -EBADMSG && reader_error(r, &at) && at <= size);
			continue;
		}
		assert(w.lines.len && w.lines.ptr[w.lines.len - 1] == '\n');
		assert(bytes == 0 || place_compare(&last, &w.at) < 0);
		last = w.at;
		bytes += w.lines.len;
	}
	return bytes;
}

/* How many lines of a piece have a string, with or without passing over others. */
static size_t count_lines(struct reader *r, int fd, uint64_t size, struct piece piece,
			  const struct finder *strings, bool pass)
{
	struct window w;
	size_t n = 0;
	int result = reader_start(r, SEGMENT_CLOSED, fd, size, piece);
	for (;;) {
		if (pass)
			reader_pass(r, strings);
		assert(result == 0);
		result = reader_next(r, &w);
		if (result <= 0)
			return n;
		for (result = 0; w.lines.len;) {
			size_t len = span_find(w.lines, '\n');
			n += finder_in(strings, span_first(w.lines, len));
			w.lines = span_from(w.lines, len + 1);
		}
	}
}

/* The string is the bytes in the middle. */
static void pass_lines(struct reader *r, int fd, struct span bytes, uint64_t part)
{
	const struct span string =
		span_first(span_from(bytes, bytes.len / 2), bytes.len > 4 ? 2 : 0);
	struct finder strings;
	if (string.len == 0 || span_find(string, '\n') < string.len)
		return;
	int e = finder_init(&strings, &string, 1, false);
	assert(e == 0);
	const struct piece all = {.to = bytes.len}, first = {.to = part},
			   last = {.from = part, .to = bytes.len};
	size_t n = count_lines(r, fd, bytes.len, all, &strings, false);
	assert(count_lines(r, fd, bytes.len, all, &strings, true) == n);
	assert(count_lines(r, fd, bytes.len, first, &strings, true) +
		       count_lines(r, fd, bytes.len, last, &strings, true) ==
	       n);
	finder_clear(&strings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum segment_form forms[] = {SEGMENT_CLOSED, SEGMENT_ZSTD, SEGMENT_GZIP};
	if (size == 0)
		return 0;
	enum segment_form form = forms[data[0] % 3];
	uint64_t length = size - 1, part = data[0] / 3 * length / 86;
	int fd = memfd_create("segment", MFD_CLOEXEC);
	struct reader *r = reader_new();
	assert(fd >= 0 && r);
	int e = file_pwrite_all(fd, span_make((const char *)data + 1, length), 0);
	assert(e == 0);
	uint64_t whole = read_piece(r, form, fd, length, (struct piece){.to = length});
	if (form == SEGMENT_CLOSED) {
		uint64_t parts =
			read_piece(r, form, fd, length, (struct piece){.to = part}) +
			read_piece(r, form, fd, length, (struct piece){.from = part, .to = length});
		assert(parts == whole);
		pass_lines(r, fd, span_make((const char *)data + 1, length), part);
	}
	reader_free(r);
	file_close(&fd);
	return 0;
}
