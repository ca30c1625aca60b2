/* Readers: however a segment is parted, every line comes out once, in order, at a place that finds
 * it again. */
#include "collector/query/blocks.h"
#include "collector/query/reader.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static uint64_t random_state = 1;

static unsigned below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return (unsigned)(random_state >> 33) % n;
}

/* Numbered lines, some long, some empty. */
static struct buf make_lines(size_t bytes, unsigned longest)
{
	struct buf b = BUF_EMPTY;
	for (unsigned i = 0; b.len < bytes; i++) {
		unsigned pad = below(20) ? below(200) : below(longest);
		ck_assert_int_eq(buf_printf(&b, "%u ", i), 0);
		ck_assert_int_eq(buf_reserve(&b, pad + 1), 0);
		memset(b.ptr + b.len, 'a' + (int)below(26), pad);
		b.len += pad;
		b.ptr[b.len++] = '\n';
	}
	return b;
}

static int file_of(struct span bytes)
{
	FILE *f = tmpfile();
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
	ck_assert_int_eq(fflush(f), 0);
	int fd = dup(fileno(f));
	fclose(f);
	return fd;
}

static void add_frame(struct buf *out, struct span lines)
{
	size_t bound = ZSTD_compressBound(lines.len);
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ck_assert(!ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, 1)));
	ck_assert(!ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1)));
	ck_assert_int_eq(buf_reserve(out, bound), 0);
	size_t n = ZSTD_compress2(c, out->ptr + out->len, bound, lines.ptr, lines.len);
	ck_assert(!ZSTD_isError(n));
	ZSTD_freeCCtx(c);
	out->len += n;
}

static void add_member(struct buf *out, struct span lines)
{
	z_stream z = {0};
	ck_assert_int_eq(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t bound = deflateBound(&z, lines.len);
	ck_assert_int_eq(buf_reserve(out, bound), 0);
	z.next_in = (unsigned char *)lines.ptr;
	z.avail_in = (unsigned)lines.len;
	z.next_out = (unsigned char *)out->ptr + out->len;
	z.avail_out = (unsigned)bound;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += bound - z.avail_out;
	deflateEnd(&z);
}

/* Parts of some `bytes`, cut at line ends, each given to `add`. */
static struct buf pack(struct span lines, size_t bytes, void (*add)(struct buf *, struct span))
{
	struct buf out = BUF_EMPTY;
	while (lines.len) {
		size_t len = lines.len;
		if (len > bytes)
			len = bytes + span_find(span_from(lines, bytes), '\n') + 1;
		add(&out, span_first(lines, len));
		lines = span_from(lines, len);
	}
	return out;
}

/* Reads the pieces and appends what they give; checks that places go up. */
static void read_pieces(enum segment_form form, int fd, uint64_t size, const struct pieces *pieces,
			struct buf *out)
{
	struct reader *r = reader_new();
	struct place last = {.segment = 7};
	bool any = false;
	for (size_t i = 0; i < pieces->n; i++) {
		struct window w;
		int result;
		ck_assert_int_eq(reader_start(r, form, fd, size, pieces->items[i]), 0);
		while ((result = reader_next(r, &w)) > 0) {
			ck_assert_uint_gt(w.lines.len, 0);
			ck_assert_int_eq(w.lines.ptr[w.lines.len - 1], '\n');
			ck_assert_uint_eq(w.at.segment, 7);
			if (any)
				ck_assert_int_lt(place_compare(&last, &w.at), 0);
			last = w.at;
			any = true;
			ck_assert_int_eq(buf_add_span(out, w.lines), 0);
		}
		ck_assert_int_eq(result, 0);
	}
	reader_free(r);
}

static void check_segment(enum segment_form form, struct span file, struct span lines)
{
	const struct segment segment = {.form = form, .size = file.len};
	const struct block_set none = {.n = 0};
	struct pieces pieces = {.items = NULL};
	struct buf out = BUF_EMPTY;
	int fd = file_of(file);
	ck_assert_int_eq(blocks_choose(&segment, 7, fd, NULL, &none, &pieces), 0);
	read_pieces(form, fd, file.len, &pieces, &out);
	ck_assert_uint_eq(out.len, lines.len);
	if (lines.len)
		ck_assert_mem_eq(out.ptr, lines.ptr, lines.len);
	close(fd);
	pieces_free(&pieces);
	buf_free(&out);
}

START_TEST(plain)
{
	struct buf lines = make_lines(3 << 20, 900 * 1000);
	check_segment(SEGMENT_LIVE, buf_span(&lines), buf_span(&lines));
	buf_free(&lines);
	check_segment(SEGMENT_CLOSED, SPAN_LITERAL(""), SPAN_LITERAL(""));
	check_segment(SEGMENT_CLOSED, SPAN_LITERAL("\n"), SPAN_LITERAL("\n"));
}
END_TEST

/* Ranges that are cut anywhere: between lines, inside them, inside the same line several times. */
START_TEST(plain_ranges)
{
	struct buf lines = make_lines(3000, 300);
	int fd = file_of(buf_span(&lines));
	for (unsigned round = 0; round < 200; round++) {
		struct pieces pieces = {.items = NULL};
		struct buf out = BUF_EMPTY;
		uint64_t from = 0;
		while (from < lines.len) {
			uint64_t to = from + 1 + below(round % 2 ? 1000 : 40);
			to = to < lines.len ? to : lines.len;
			ck_assert_int_eq(pieces_add(&pieces, (struct piece){7, from, to}), 0);
			from = to;
		}
		read_pieces(SEGMENT_LIVE, fd, lines.len, &pieces, &out);
		ck_assert_uint_eq(out.len, lines.len);
		ck_assert_mem_eq(out.ptr, lines.ptr, lines.len);
		pieces_free(&pieces);
		buf_free(&out);
	}
	close(fd);
	buf_free(&lines);
}
END_TEST

/* A line without LF at the end of the file is shown; one that got its end meanwhile is shown
 * whole. */
START_TEST(plain_unfinished)
{
	struct window w;
	struct reader *r = reader_new();
	int fd = file_of(SPAN_LITERAL("one\ntw"));
	ck_assert_int_eq(reader_start(r, SEGMENT_LIVE, fd, 6, (struct piece){0, 0, 6}), 0);
	ck_assert_int_eq(reader_next(r, &w), 1);
	ck_assert(span_is(w.lines, "one\ntw\n"));
	ck_assert_int_eq(reader_next(r, &w), 0);
	ck_assert_int_eq(pwrite(fd, "o\nthree\n", 8, 6), 8);
	ck_assert_int_eq(reader_start(r, SEGMENT_LIVE, fd, 6, (struct piece){0, 0, 6}), 0);
	ck_assert_int_eq(reader_next(r, &w), 1);
	ck_assert(span_is(w.lines, "one\ntwo\n"));
	ck_assert_int_eq(reader_next(r, &w), 0);
	/* Truncated meanwhile: what is left. */
	ck_assert_int_eq(ftruncate(fd, 4), 0);
	ck_assert_int_eq(reader_start(r, SEGMENT_LIVE, fd, 14, (struct piece){0, 0, 14}), 0);
	ck_assert_int_eq(reader_next(r, &w), 1);
	ck_assert(span_is(w.lines, "one\n"));
	ck_assert_int_eq(reader_next(r, &w), 0);
	close(fd);
	reader_free(r);
}
END_TEST

static int64_t read_unfinished_ns(enum segment_form form, int fd)
{
	struct reader *r = reader_new();
	struct window w;
	int64_t start_ns = clock_mono_ns();
	ck_assert_int_eq(reader_start(r, form, fd, 4, (struct piece){0, 0, 4}), 0);
	ck_assert_int_eq(reader_next(r, &w), 1);
	ck_assert(span_is(w.lines, "torn\n"));
	reader_free(r);
	return clock_mono_ns() - start_ns;
}

/* A wait is never shorter than 200 ms; of some tries without one some are, however busy the machine
 * is. */
static bool is_waited_for(enum segment_form form, int fd)
{
	for (int i = 0; i < 5; i++)
		if (read_unfinished_ns(form, fd) < 200 * NUM_MS_NS)
			return false;
	return true;
}

/* The rest of a line is waited for only where somebody may be writing it. */
START_TEST(who_is_waited_for)
{
	static const struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	int fd = file_of(span_of("torn"));
	ck_assert(is_waited_for(SEGMENT_LIVE, fd));
	ck_assert(!is_waited_for(SEGMENT_CLOSED, fd));
	ck_assert_int_eq(futimens(fd, long_ago), 0);
	ck_assert(!is_waited_for(SEGMENT_LIVE, fd));
	close(fd);
}
END_TEST

START_TEST(packed)
{
	static const size_t parts[] = {1000, 65536, 1048576, 64 << 20};
	void (*const add[])(struct buf *, struct span) = {add_frame, add_member};
	static const enum segment_form forms[] = {SEGMENT_ZSTD, SEGMENT_GZIP};
	struct buf lines = make_lines(5 << 20, 100 * 1000);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		for (int form = 0; form < 2; form++) {
			struct buf file = pack(buf_span(&lines), parts[i], add[form]);
			check_segment(forms[form], buf_span(&file), buf_span(&lines));
			buf_free(&file);
		}
	}
	check_segment(SEGMENT_ZSTD, SPAN_LITERAL(""), SPAN_LITERAL(""));
	check_segment(SEGMENT_GZIP, SPAN_LITERAL(""), SPAN_LITERAL(""));
	buf_free(&lines);
}
END_TEST

/* Frames that do not say how large they are, as a pipe through zstd makes them. */
START_TEST(frames_without_size)
{
	struct buf lines = make_lines(2 << 20, 1000), file = BUF_EMPTY;
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ck_assert(!ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0)));
	ck_assert_int_eq(buf_reserve(&file, ZSTD_compressBound(lines.len)), 0);
	file.len = ZSTD_compress2(c, file.ptr, file.cap, lines.ptr, lines.len);
	ck_assert(!ZSTD_isError(file.len));
	ZSTD_freeCCtx(c);
	check_segment(SEGMENT_ZSTD, buf_span(&file), buf_span(&lines));
	buf_free(&file);
	buf_free(&lines);
}
END_TEST

/* Anybody's gzip: members that end inside a line. */
START_TEST(members_inside_lines)
{
	struct buf file = BUF_EMPTY;
	add_member(&file, SPAN_LITERAL("one\ntw"));
	add_member(&file, SPAN_LITERAL("o\nthree"));
	add_member(&file, SPAN_LITERAL(""));
	add_member(&file, SPAN_LITERAL("\nfour"));
	check_segment(SEGMENT_GZIP, buf_span(&file), SPAN_LITERAL("one\ntwo\nthree\nfour\n"));
	/* Padding behind the last. */
	ck_assert_int_eq(buf_add(&file, "\0\0\0\0", 4), 0);
	check_segment(SEGMENT_GZIP, buf_span(&file), SPAN_LITERAL("one\ntwo\nthree\nfour\n"));
	buf_free(&file);
}
END_TEST

/* --- damage --- */

struct form {
	enum segment_form form;
	void (*add)(struct buf *, struct span);
};

static const struct form sealed_forms[] = {{SEGMENT_ZSTD, add_frame}, {SEGMENT_GZIP, add_member}};

enum { PARTS = 10, SEALED_FORMS = 2 };

/* A sealed file of PARTS frames or members; where each ends in the file, and where its lines do. */
struct sealed {
	struct buf file, lines;
	size_t end[PARTS + 1], lines_end[PARTS + 1];
};

static struct sealed seal(const struct form *form)
{
	struct sealed s = {.file = BUF_EMPTY, .lines = make_lines(PARTS * 20000, 100)};
	for (size_t i = 1; i <= PARTS; i++) {
		struct span rest = span_from(buf_span(&s.lines), s.lines_end[i - 1]);
		size_t len = rest.len;
		if (i < PARTS && len > 20000)
			len = 20000 + span_find(span_from(rest, 20000), '\n') + 1;
		s.lines_end[i] = s.lines_end[i - 1] + len;
		form->add(&s.file, span_first(rest, len));
		s.end[i] = s.file.len;
	}
	return s;
}

static void sealed_free(struct sealed *s)
{
	buf_free(&s->file);
	buf_free(&s->lines);
}

/* Reads [from, to) of `file` and appends what comes. Returns how often damage was told; `ret_at`
 * the last place. */
static int read_damaged(enum segment_form form, struct span file, uint64_t from, uint64_t to,
			struct buf *out, uint64_t *ret_at)
{
	int fd = file_of(file), r, told = 0;
	struct reader *reader = reader_new();
	struct window w;
	ck_assert_int_eq(reader_start(reader, form, fd, file.len, (struct piece){0, from, to}), 0);
	while ((r = reader_next(reader, &w)) != 0) {
		if (r > 0) {
			ck_assert_int_eq(buf_add_span(out, w.lines), 0);
			continue;
		}
		ck_assert_int_eq(r, -EBADMSG);
		ck_assert_ptr_nonnull(reader_error(reader, ret_at));
		ck_assert_int_lt(++told, 10);
	}
	reader_free(reader);
	close(fd);
	return told;
}

/* Without the lines of part `lost` (1 to PARTS). */
static bool is_without(struct span out, const struct sealed *s, size_t lost)
{
	size_t gap = s->lines_end[lost] - s->lines_end[lost - 1];
	return out.len == s->lines.len - gap &&
	       memcmp(out.ptr, s->lines.ptr, s->lines_end[lost - 1]) == 0 &&
	       memcmp(out.ptr + s->lines_end[lost - 1], s->lines.ptr + s->lines_end[lost],
		      out.len - s->lines_end[lost - 1]) == 0;
}

/* A byte is wrong: all of its part is left out and nothing else, whichever pieces the file is read
 * in. */
START_TEST(a_wrong_byte)
{
	const struct form *form = &sealed_forms[_i];
	struct sealed s = seal(form);
	for (unsigned round = 0; round < 300; round++) {
		struct buf bad = BUF_EMPTY, out = BUF_EMPTY;
		uint64_t at = 0;
		size_t hit = below(round % 2 ? 40 : (unsigned)s.file.len), lost = 1;
		if (round % 2) /* in the first bytes of a part */
			hit += s.end[below(PARTS)];
		while (s.end[lost] <= hit)
			lost++;
		ck_assert_int_eq(buf_add_span(&bad, buf_span(&s.file)), 0);
		bad.ptr[hit] ^= (char)(1 + below(255));
		size_t cut = s.end[below(PARTS)];
		int told = read_damaged(form->form, buf_span(&bad), 0, cut, &out, &at);
		told += read_damaged(form->form, buf_span(&bad), cut, bad.len, &out, &at);
		if (told == 0) {
			/* A byte that does not count, as a time in a header. */
			ck_assert_uint_eq(out.len, s.lines.len);
			ck_assert_mem_eq(out.ptr, s.lines.ptr, out.len);
		} else {
			ck_assert_msg(is_without(buf_span(&out), &s, lost), "byte %zu", hit);
			ck_assert_int_eq(told, 1);
			ck_assert_uint_eq(at, s.end[lost - 1]);
		}
		buf_free(&bad);
		buf_free(&out);
	}
	sealed_free(&s);
}
END_TEST

/* The file ends too early: the parts before come. */
START_TEST(cut_short)
{
	const struct form *form = &sealed_forms[_i];
	struct sealed s = seal(form);
	for (unsigned round = 0; round < 60; round++) {
		size_t len = 1 + below((unsigned)s.file.len - 1), whole = 0;
		struct buf out = BUF_EMPTY;
		uint64_t at = 0;
		while (s.end[whole + 1] <= len)
			whole++;
		int told = read_damaged(form->form, span_make(s.file.ptr, len), 0, len, &out, &at);
		ck_assert_uint_eq(out.len, s.lines_end[whole]);
		if (out.len)
			ck_assert_mem_eq(out.ptr, s.lines.ptr, out.len);
		ck_assert_int_eq(told, len > s.end[whole]);
		ck_assert(!told || at == s.end[whole]);
		buf_free(&out);
	}
	sealed_free(&s);
}
END_TEST

/* Bytes that are nothing stand before, between and behind: told once each time, and passed over. */
START_TEST(other_bytes_between)
{
	const struct form *form = &sealed_forms[_i];
	struct sealed s = seal(form);
	struct buf bad = BUF_EMPTY, out = BUF_EMPTY, noise = BUF_EMPTY;
	uint64_t at = 0;
	for (unsigned i = 0; i < 200000; i++)
		ck_assert_int_eq(buf_add_char(&noise, (char)(1 + below(255))), 0);
	for (size_t i = 0; i <= PARTS; i++) {
		if (i % 5 == 0)
			ck_assert_int_eq(buf_add_span(&bad, buf_span(&noise)), 0);
		if (i < PARTS)
			ck_assert_int_eq(
				buf_add(&bad, s.file.ptr + s.end[i], s.end[i + 1] - s.end[i]), 0);
	}
	int told = read_damaged(form->form, buf_span(&bad), 0, bad.len, &out, &at);
	ck_assert_int_eq(told, 3);
	ck_assert_uint_eq(at, bad.len - noise.len);
	ck_assert_uint_eq(out.len, s.lines.len);
	ck_assert_mem_eq(out.ptr, s.lines.ptr, out.len);
	buf_free(&bad);
	buf_free(&out);
	buf_free(&noise);
	sealed_free(&s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("query_reader");
	TCase *c = tcase_create("reader");
	tcase_add_test(c, plain);
	tcase_add_test(c, plain_ranges);
	tcase_add_test(c, plain_unfinished);
	tcase_add_test(c, who_is_waited_for);
	tcase_add_test(c, packed);
	tcase_add_test(c, frames_without_size);
	tcase_add_test(c, members_inside_lines);
	tcase_add_loop_test(c, a_wrong_byte, 0, SEALED_FORMS);
	tcase_add_loop_test(c, cut_short, 0, SEALED_FORMS);
	tcase_add_loop_test(c, other_bytes_between, 0, SEALED_FORMS);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
