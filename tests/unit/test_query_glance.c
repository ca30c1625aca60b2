/* Lines that are passed over at a glance: never one with a string that is looked for, wherever it
 * stands; and many of the others. Files that are cut short under the map do no harm. */
#include "collector/query/reader.h"
#include "common/file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t random_state = 1;

static unsigned below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return (unsigned)(random_state >> 33) % n;
}

/* Numbered lines of which one in `rare` has a string; some are `longest`. */
static struct buf make_lines(size_t bytes, unsigned rare, unsigned longest, bool ended)
{
	struct buf b = BUF_EMPTY;
	for (unsigned i = 0; b.len < bytes; i++) {
		unsigned pad = below(2000) ? below(300) : below(longest);
		ck_assert_int_eq(buf_printf(&b, "%u ", i), 0);
		ck_assert_int_eq(buf_reserve(&b, pad + 1), 0);
		memset(b.ptr + b.len, 'a' + (int)below(26), pad);
		b.len += pad;
		if (below(rare) == 0)
			ck_assert_int_eq(buf_add_str(&b, below(2) ? "NEEDLE" : "PIN"), 0);
		ck_assert_int_eq(buf_add_char(&b, '\n'), 0);
	}
	if (!ended)
		b.len--;
	return b;
}

static int file_of(const struct buf *lines)
{
	int fd = memfd_create("lines", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(file_pwrite_all(fd, buf_span(lines), 0), 0);
	return fd;
}

/* Appends the lines that have one of the strings. Returns how many bytes were looked through. */
static size_t pick(const struct finder *strings, struct span lines, struct buf *out)
{
	struct span rest = lines;
	while (rest.len) {
		size_t len = span_find(rest, '\n');
		struct span line = span_first(rest, len);
		if (finder_in(strings, line)) {
			ck_assert_int_eq(buf_add_span(out, line), 0);
			ck_assert_int_eq(buf_add_char(out, '\n'), 0);
		}
		rest = span_from(rest, len < rest.len ? len + 1 : len);
	}
	return lines.len;
}

static size_t pick_piece(struct reader *r, const struct finder *strings, int fd, uint64_t size,
			 struct piece piece, struct buf *out)
{
	struct window w;
	size_t bytes = 0;
	int result;
	ck_assert_int_eq(reader_start(r, SEGMENT_CLOSED, fd, size, piece), 0);
	for (;;) {
		reader_pass(r, strings);
		result = reader_next(r, &w);
		if (result <= 0)
			break;
		bytes += pick(strings, w.lines, out);
	}
	ck_assert_int_eq(result, 0);
	return bytes;
}

static void make_finder(struct finder *f)
{
	const struct span strings[] = {SPAN_LITERAL("NEEDLE"), SPAN_LITERAL("PIN")};
	ck_assert_int_eq(finder_init(f, strings, 2, false), 0);
}

static const struct {
	size_t bytes, piece;
	unsigned rare, longest;
	bool ended;
	size_t most; /* of the file is read, in percent */
} files[] = {
	{20 << 20, 4 << 20, 50000, 1000, true, 50},
	{20 << 20, 64 << 20, 50000, 1000, false, 50},
	{20 << 20, 4 << 20, 100, 1000, true, 101},
	{12 << 20, 1 << 20, 3, 1000, true, 101},
	{30 << 20, 4 << 20, 50000, 9 << 20, true, 101},
	{300000, 1000, 100, 5000, false, 200},
	{1, 1000, 2, 10, false, 100},
};

START_TEST(nothing_is_missed)
{
	struct buf lines =
		make_lines(files[_i].bytes, files[_i].rare, files[_i].longest, files[_i].ended);
	struct buf wanted = BUF_EMPTY, found = BUF_EMPTY;
	struct finder strings;
	struct reader *r = reader_new();
	int fd = file_of(&lines);
	size_t bytes = 0;
	make_finder(&strings);
	(void)pick(&strings, buf_span(&lines), &wanted);
	for (uint64_t from = 0; from < lines.len; from += files[_i].piece) {
		uint64_t to =
			from + files[_i].piece < lines.len ? from + files[_i].piece : lines.len;
		bytes +=
			pick_piece(r, &strings, fd, lines.len, (struct piece){7, from, to}, &found);
	}
	ck_assert_uint_eq(found.len, wanted.len);
	ck_assert(span_equal(buf_span(&found), buf_span(&wanted)));
	ck_assert_uint_le(bytes, lines.len / 100 * files[_i].most + 1000);
	reader_free(r);
	finder_clear(&strings);
	file_close(&fd);
	buf_free(&lines);
	buf_free(&wanted);
	buf_free(&found);
}
END_TEST

/* Somebody cuts the file while it is looked at: what is left of it is found, and nothing else
 * happens. */
START_TEST(a_file_is_cut_short)
{
	struct buf lines = make_lines(4 << 20, 50000, 1000, true), found = BUF_EMPTY;
	struct finder strings;
	struct reader *r = reader_new();
	struct window w;
	int fd = file_of(&lines);
	make_finder(&strings);
	const struct span end = SPAN_LITERAL("\nlast NEEDLE\n");
	ck_assert_int_eq(file_pwrite_all(fd, end, (1 << 20) - end.len), 0);
	ck_assert_int_eq(
		reader_start(r, SEGMENT_LIVE, fd, lines.len, (struct piece){7, 0, lines.len}), 0);
	reader_pass(r, &strings);
	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	bool seen = false;
	int result;
	while ((result = reader_next(r, &w)) > 0) {
		(void)pick(&strings, w.lines, &found);
		reader_pass(r, &strings);
	}
	ck_assert_int_eq(result, 0);
	for (struct span rest = buf_span(&found); rest.len;) {
		size_t len = span_find(rest, '\n');
		seen = span_is(span_first(rest, len), "last NEEDLE");
		rest = span_from(rest, len + 1);
	}
	ck_assert(seen);
	reader_free(r);
	finder_clear(&strings);
	file_close(&fd);
	buf_free(&lines);
	buf_free(&found);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_glance");
	TCase *c = tcase_create("glance");
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, nothing_is_missed, 0, (int)(sizeof(files) / sizeof(*files)));
	tcase_add_test(c, a_file_is_cut_short);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
