/* gzip: what we write zlib reads; what zlib writes, at every level and with every header field, we
 * read; damage, truncation, bombs and trailing bytes are refused and leave the output as it was. */
#include "common/gzip.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const struct gzip_limits WIDE = {.inflated_max = (size_t)64 << 20};

/* check keeps a record of every assertion that it passes: too dear for one a line. */
static void must(int r)
{
	if (r != 0)
		ck_abort_msg("%s", strerror(-r));
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

enum kind { TEXT, NOISE, ZEROS, MIXED, KINDS };

/* `len` bytes of a kind; the caller frees. */
static struct buf make_data(enum kind kind, size_t len)
{
	struct buf b = BUF_EMPTY;
	uint64_t seed = 88172645463325252u + len;
	while (b.len < len) {
		uint64_t r = next_random(&seed);
		enum kind now = kind == MIXED ? (enum kind)(r >> 60) % MIXED : kind;
		switch (now) {
		case TEXT:
			ck_assert_int_eq(
				buf_printf(&b,
					   "2026-11-22T05:40:00.%06uZF {\"level\":\"info\","
					   "\"id\":\"%016llx\"}\n",
					   (unsigned)(r % 1000000), (unsigned long long)r),
				0);
			break;
		case NOISE: must(buf_add(&b, &r, sizeof(r))); break;
		case ZEROS: must(buf_add(&b, "\0\0\0\0\0\0\0\0", 8)); break;
		case MIXED:
		case KINDS: ck_abort();
		}
	}
	b.len = len;
	return b;
}

static struct buf zlib_deflate_with(struct span data, int level, int strategy, gz_header *header)
{
	z_stream z = {0};
	ck_assert_int_eq(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, strategy), Z_OK);
	if (header)
		ck_assert_int_eq(deflateSetHeader(&z, header), Z_OK);
	struct buf out = BUF_EMPTY;
	size_t bound = deflateBound(&z, data.len);
	ck_assert_int_eq(buf_reserve(&out, bound), 0);
	z.next_in = (Bytef *)(uintptr_t)data.ptr;
	z.avail_in = (uInt)data.len;
	z.next_out = (Bytef *)out.ptr;
	z.avail_out = (uInt)bound;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	out.len = bound - z.avail_out;
	ck_assert_int_eq(deflateEnd(&z), Z_OK);
	return out;
}

static struct buf zlib_deflate(struct span data, int level, int strategy)
{
	return zlib_deflate_with(data, level, strategy, NULL);
}

/* What zlib makes of a body: the inflated bytes when it is exactly one good member. */
static bool zlib_inflate(struct span body, struct buf *out)
{
	z_stream z = {0};
	must(inflateInit2(&z, 15 + 16));
	z.next_in = (Bytef *)(uintptr_t)body.ptr;
	z.avail_in = (uInt)body.len;
	int r;
	do {
		must(buf_reserve(out, 65536));
		z.next_out = (Bytef *)out->ptr + out->len;
		z.avail_out = 65536;
		r = inflate(&z, Z_NO_FLUSH);
		out->len += 65536 - z.avail_out;
	} while (r == Z_OK && z.avail_out == 0);
	bool good = r == Z_STREAM_END && z.avail_in == 0;
	must(inflateEnd(&z));
	return good;
}

static void assert_inflates_to(struct span body, struct span data)
{
	struct buf out = BUF_EMPTY;
	must(buf_add_str(&out, "before"));
	must(gzip_inflate(body, WIDE, &out));
	ck_assert_uint_eq(out.len, data.len + 6);
	ck_assert(span_equal(span_from(buf_span(&out), 6), data));
	buf_free(&out);
}

static void assert_refused(struct span body, struct gzip_limits limits, int error)
{
	struct buf out = BUF_EMPTY;
	must(buf_add_str(&out, "before"));
	int r = gzip_inflate(body, limits, &out);
	if (r != error || !span_is(buf_span(&out), "before"))
		ck_abort_msg("%d for %d, %zu bytes", r, error, out.len);
	buf_free(&out);
}

static const size_t SIZES[] = {0,     1,     2,      31,     4095,   32767,  32768,  32769,
			       65535, 65536, 131072, 262143, 262144, 262145, 300000, 600000};
enum { N_SIZES = sizeof(SIZES) / sizeof(*SIZES), LARGEST = 600000 };

/* Pieces of every length, so that some stay in the stage and some pass it by. */
static void encode(struct gzip_encoder *e, struct span data, size_t longest, struct buf *out)
{
	uint64_t seed = 2463534242u + data.len;
	gzip_encoder_start(e, out);
	while (data.len) {
		size_t n = next_random(&seed) % (longest + 1);
		n = n < data.len ? n : data.len;
		must(gzip_encoder_add(e, span_first(data, n)));
		data = span_from(data, n);
	}
	ck_assert_int_eq(gzip_encoder_finish(e), 0);
}

START_TEST(what_we_write_zlib_reads)
{
	static const size_t longest[] = {7, 400, 40000, 2000000};
	struct gzip_encoder *e = gzip_encoder_new();
	ck_assert_ptr_nonnull(e);
	struct buf data = make_data((enum kind)_i, LARGEST);
	for (size_t i = 0; i < N_SIZES; i++) {
		for (size_t k = 0; k < sizeof(longest) / sizeof(*longest); k++) {
			struct span part = span_first(buf_span(&data), SIZES[i]);
			struct buf body = BUF_EMPTY, back = BUF_EMPTY;
			ck_assert_int_eq(buf_add_str(&body, "kept"), 0);
			encode(e, part, longest[k], &body);
			ck_assert(span_starts_with(buf_span(&body), span_of("kept")));
			struct span member = span_from(buf_span(&body), 4);
			ck_assert(zlib_inflate(member, &back));
			ck_assert(span_equal(buf_span(&back), part));
			assert_inflates_to(member, part);
			buf_free(&body);
			buf_free(&back);
		}
	}
	buf_free(&data);
	gzip_encoder_free(e);
}
END_TEST

START_TEST(what_zlib_writes_we_read)
{
	static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE,
					 Z_FIXED};
	for (size_t k = 0; k < KINDS; k++) {
		struct buf data = make_data((enum kind)k, LARGEST);
		for (size_t i = 0; i < N_SIZES; i++) {
			struct span part = span_first(buf_span(&data), SIZES[i]);
			struct buf body = zlib_deflate(part, _i, strategies[(i + k) % 5]);
			assert_inflates_to(buf_span(&body), part);
			buf_free(&body);
		}
		buf_free(&data);
	}
}
END_TEST

/* Every combination of the optional header fields, small and large. */
START_TEST(headers_of_all_kinds)
{
	static Bytef extra[65535];
	static Bytef name[70000], comment[70000];
	memset(extra, 'e', sizeof(extra));
	memset(name, 'n', sizeof(name) - 1);
	memset(comment, 'c', sizeof(comment) - 1);
	for (unsigned bits = 0; bits < 32; bits++) {
		bool large = bits & 16;
		gz_header h = {.os = 3, .time = 1795327401};
		if (bits & 1) {
			h.extra = extra;
			h.extra_len = large ? sizeof(extra) : 6;
		}
		if (bits & 2)
			h.name = large ? name : (Bytef *)(uintptr_t) "a.log";
		if (bits & 4)
			h.comment = large ? comment : (Bytef *)(uintptr_t) "";
		h.hcrc = bits & 8 ? 1 : 0;
		struct span data = SPAN_LITERAL("some lines\nof text\n");
		struct buf out = zlib_deflate_with(data, 6, Z_DEFAULT_STRATEGY, &h);
		assert_inflates_to(buf_span(&out), data);
		if (h.hcrc) { /* a header whose checksum is wrong */
			out.ptr[4] ^= 1;
			assert_refused(buf_span(&out), WIDE, -EBADMSG);
			out.ptr[4] ^= 1;
		}
		out.ptr[3] |= 0x20; /* a reserved flag */
		assert_refused(buf_span(&out), WIDE, -EBADMSG);
		buf_free(&out);
	}
}
END_TEST

START_TEST(truncation_anywhere_is_refused)
{
	struct buf data = make_data(TEXT, 700);
	for (int level = 0; level <= 9; level += 3) {
		struct buf body = zlib_deflate(buf_span(&data), level, Z_DEFAULT_STRATEGY);
		for (size_t len = 0; len < body.len; len++) {
			/* Of its own length, so that the sanitizer sees a byte read too many. */
			char *exact = malloc(len ? len : 1);
			ck_assert_ptr_nonnull(exact);
			memcpy(exact, body.ptr, len);
			assert_refused(span_make(exact, len), WIDE, -EBADMSG);
			free(exact);
		}
		buf_free(&body);
	}
	buf_free(&data);
}
END_TEST

START_TEST(trailing_bytes_are_refused)
{
	struct buf data = make_data(TEXT, 5000);
	struct buf body = zlib_deflate(buf_span(&data), 6, Z_DEFAULT_STRATEGY);
	size_t len = body.len;
	for (size_t more = 1; more < 20; more++) {
		body.len = len;
		for (size_t i = 0; i < more; i++)
			ck_assert_int_eq(buf_add_char(&body, '\0'), 0);
		assert_refused(buf_span(&body), WIDE, -EBADMSG);
	}
	body.len = len; /* a second member */
	struct buf twice = BUF_EMPTY;
	ck_assert_int_eq(buf_add_span(&twice, buf_span(&body)), 0);
	ck_assert_int_eq(buf_add_span(&twice, buf_span(&body)), 0);
	assert_refused(buf_span(&twice), WIDE, -EBADMSG);
	assert_inflates_to(buf_span(&body), buf_span(&data));
	buf_free(&data);
	buf_free(&body);
	buf_free(&twice);
}
END_TEST

/* The checksum and the length in the trailer catch whatever the blocks let pass. Four bytes of
 * time, one of extra flags and one of the system are free to change. */
START_TEST(every_flipped_bit_is_noticed)
{
	struct buf data = make_data(TEXT, 600);
	for (int level = 0; level <= 9; level += 3) {
		struct buf body = zlib_deflate(buf_span(&data), level, Z_DEFAULT_STRATEGY);
		for (size_t bit = 0; bit < body.len * 8; bit++) {
			size_t at = bit / 8;
			body.ptr[at] ^= (char)(1 << bit % 8);
			struct buf out = BUF_EMPTY, zout = BUF_EMPTY;
			int r = gzip_inflate(buf_span(&body), WIDE, &out);
			bool same = r == 0 && span_equal(buf_span(&out), buf_span(&data));
			bool free_field = (at >= 4 && at < 10) || bit == 24; /* FTEXT too */
			if (free_field)
				ck_assert(same);
			else
				ck_assert_msg(r == -EBADMSG || same, "byte %zu: %d", at, r);
			ck_assert_int_eq(r == 0, zlib_inflate(buf_span(&body), &zout));
			buf_free(&out);
			buf_free(&zout);
			body.ptr[at] ^= (char)(1 << bit % 8);
		}
		buf_free(&body);
	}
	buf_free(&data);
}
END_TEST

START_TEST(limits_are_exact)
{
	struct buf data = make_data(NOISE, LARGEST);
	for (size_t i = 0; i < N_SIZES; i++) {
		struct span part = span_first(buf_span(&data), SIZES[i]);
		struct buf body = zlib_deflate(part, (int)(i % 3) * 3, Z_DEFAULT_STRATEGY);
		struct gzip_limits limits = {.inflated_max = part.len};
		struct buf out = BUF_EMPTY;
		ck_assert_int_eq(gzip_inflate(buf_span(&body), limits, &out), 0);
		ck_assert(span_equal(buf_span(&out), part));
		buf_free(&out);
		if (part.len) {
			limits.inflated_max = part.len - 1;
			assert_refused(buf_span(&body), limits, -EMSGSIZE);
			limits.inflated_max = 0;
			assert_refused(buf_span(&body), limits, -EMSGSIZE);
			/* The buffer's own limit counts as well. */
			out = (struct buf){.max = part.len};
			ck_assert_int_eq(gzip_inflate(buf_span(&body), WIDE, &out), 0);
			buf_free(&out);
			out = (struct buf){.max = part.len};
			ck_assert_int_eq(buf_add_char(&out, '!'), 0);
			ck_assert_int_eq(gzip_inflate(buf_span(&body), WIDE, &out), -EMSGSIZE);
			ck_assert_uint_eq(out.len, 1);
			buf_free(&out);
		}
		buf_free(&body);
	}
	buf_free(&data);
}
END_TEST

START_TEST(bombs_stop_early)
{
	struct buf zeros = make_data(ZEROS, (size_t)12 << 20);
	struct buf body = zlib_deflate(buf_span(&zeros), 9, Z_DEFAULT_STRATEGY);
	struct buf out = BUF_EMPTY;
	struct gzip_limits limits = {.inflated_max = (size_t)128 << 20, .ratio_max = 200};
	ck_assert_int_eq(gzip_inflate(buf_span(&body), limits, &out), -EMSGSIZE);
	/* No more memory than the limit allows, and the doubling of a buffer. */
	ck_assert_uint_le(out.cap, 2 * (200 * body.len + 65536));
	buf_free(&out);
	limits = (struct gzip_limits){.inflated_max = 1 << 20};
	ck_assert_int_eq(gzip_inflate(buf_span(&body), limits, &out), -EMSGSIZE);
	ck_assert_uint_le(out.cap, 2 << 20);
	buf_free(&out);
	limits = (struct gzip_limits){.inflated_max = (size_t)128 << 20, .ratio_max = 1100};
	ck_assert_int_eq(gzip_inflate(buf_span(&body), limits, &out), 0);
	buf_free(&out);
	buf_free(&body);

	/* Nor does a high limit take memory for a small body. */
	body = zlib_deflate(SPAN_LITERAL("small"), 6, Z_DEFAULT_STRATEGY);
	ck_assert_int_eq(gzip_inflate(buf_span(&body), WIDE, &out), 0);
	ck_assert_uint_le(out.cap, 262144);
	buf_free(&out);
	buf_free(&body);

	/* The first 64 KiB may have any ratio, not a byte more. */
	limits.ratio_max = 2;
	body = zlib_deflate(span_first(buf_span(&zeros), 65536), 9, Z_DEFAULT_STRATEGY);
	ck_assert_int_eq(gzip_inflate(buf_span(&body), limits, &out), 0);
	buf_free(&out);
	buf_free(&body);
	body = zlib_deflate(span_first(buf_span(&zeros), 65537), 9, Z_DEFAULT_STRATEGY);
	assert_refused(buf_span(&body), limits, -EMSGSIZE);
	buf_free(&body);
	buf_free(&zeros);
}
END_TEST

static const char *const NOT_GZIP[] = {
	"",
	"\x1f",
	"\x1f\x8b",
	"plain text that is long enough to be a header",
	"\x78\x9c\x03",
	"\x1f\x8b\x07\x00\x00\x00\x00\x00\x00\x03 another method",
	"\x28\xb5\x2f\xfd zstd, of all things",
	NULL,
};

START_TEST(other_formats_are_refused)
{
	assert_refused(span_of(NOT_GZIP[_i]), WIDE, -EBADMSG);
}
END_TEST

START_TEST(short_output_fails_and_the_next_member_is_well)
{
	struct buf data = make_data(NOISE, 300000);
	struct gzip_encoder *e = gzip_encoder_new();
	ck_assert_ptr_nonnull(e);
	struct buf small = {.max = 1000};
	gzip_encoder_start(e, &small);
	int r = 0;
	for (size_t i = 0; i < 300 && r == 0; i++)
		r = gzip_encoder_add(e, span_make(data.ptr + i * 1000, 1000));
	ck_assert_int_eq(r, -EMSGSIZE);
	ck_assert_int_eq(gzip_encoder_add(e, SPAN_LITERAL("more")), -EMSGSIZE);
	small.max = 0; /* too late */
	ck_assert_int_eq(gzip_encoder_finish(e), -EMSGSIZE);
	ck_assert_uint_le(small.len, 1000);
	buf_free(&small);

	struct buf body = BUF_EMPTY;
	encode(e, buf_span(&data), 5000, &body);
	assert_inflates_to(buf_span(&body), buf_span(&data));
	/* A limit that fits to the byte is no error; a byte less is one. */
	for (size_t less = 0; less < 2; less++) {
		struct buf exact = {.max = body.len - less};
		gzip_encoder_start(e, &exact);
		r = gzip_encoder_add(e, buf_span(&data));
		if (r == 0)
			r = gzip_encoder_finish(e);
		ck_assert_int_eq(r, less ? -EMSGSIZE : 0);
		buf_free(&exact);
	}
	gzip_encoder_free(e);
	gzip_encoder_free(NULL);
	buf_free(&body);
	buf_free(&data);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("gzip");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, what_we_write_zlib_reads, 0, KINDS);
	tcase_add_loop_test(tc, what_zlib_writes_we_read, 0, 10);
	tcase_add_test(tc, headers_of_all_kinds);
	tcase_add_test(tc, truncation_anywhere_is_refused);
	tcase_add_test(tc, trailing_bytes_are_refused);
	tcase_add_test(tc, every_flipped_bit_is_noticed);
	tcase_add_test(tc, limits_are_exact);
	tcase_add_test(tc, bombs_stop_early);
	tcase_add_loop_test(tc, other_formats_are_refused, 0, sizeof(NOT_GZIP) / sizeof(*NOT_GZIP));
	tcase_add_test(tc, short_output_fails_and_the_next_member_is_well);
	Suite *s = suite_create("gzip");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
