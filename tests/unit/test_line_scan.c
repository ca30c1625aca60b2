/* The scanner, in both of its forms, against the rules written down plainly: every pair of bytes,
 * every character of Unicode, every sequence of three bytes that could be one, random lines at
 * every length and alignment, and buffers that end where memory does. */
#include "common/line_scan.h"

#include "common/line.h"
#include "common/utf8.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* line.h, word by word. Returns the index of the first unclean byte. */
static size_t reference(struct span s, bool plain)
{
	size_t at = 0;
	while (at < s.len) {
		uint32_t code = 0;
		size_t n = utf8_take(span_from(s, at), &code);
		bool last_cr = !plain && s.ptr[at] == '\r' && at + 1 == s.len;
		bool control = (code < 0x20 && code != '\t') || (code >= 0x7f && code < 0xa0);
		if (n == 0 || (control && !last_cr) || (plain && code == '\\'))
			return at;
		at += n;
	}
	return at;
}

static void assert_as_reference(struct span s)
{
	bool clean = reference(s, false) == s.len;
	bool good = line_clean(s) == clean && line_clean_portable(s) == clean &&
		    line_scan_plain(s) == reference(s, true) &&
		    line_scan_plain_portable(s) == reference(s, true);
	if (good)
		return;
	char hex[200] = "";
	for (size_t i = 0; i < s.len && i < 64; i++)
		(void)snprintf(hex + 3 * i, 4, "%02x ", (unsigned char)s.ptr[i]);
	ck_abort_msg("%s: clean %d, is %d, portable %d; plain %zu, is %zu", hex, clean,
		     line_clean(s), line_clean_portable(s), reference(s, true), line_scan_plain(s));
}

/* The bytes alone, and at every place of a longer line. */
static void assert_anywhere(const char *bytes, size_t len, size_t step)
{
	char line[80];
	assert_as_reference(span_make(bytes, len));
	for (size_t before = 0; before + len <= sizeof(line); before += step) {
		memset(line, '.', sizeof(line));
		memcpy(line + before, bytes, len);
		assert_as_reference(span_make(line, sizeof(line)));
		assert_as_reference(span_make(line, before + len));
	}
}

START_TEST(every_pair_of_bytes)
{
	for (unsigned pair = 0; pair < 65536; pair++) {
		char bytes[2] = {(char)(pair >> 8), (char)pair};
		assert_anywhere(bytes, 2, pair % 16 ? 13 : 1);
	}
}
END_TEST

START_TEST(every_lead_with_all_that_may_follow)
{
	static const char edges[] = "\x00\x41\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xe0\xf0\xff";
	enum { N = sizeof(edges) - 1 };
	for (unsigned lead = 0xc0; lead < 256; lead++) {
		for (unsigned rest = 0; rest < N * N * N; rest++) {
			char bytes[4] = {(char)lead, edges[rest % N], edges[rest / N % N],
					 edges[rest / N / N]};
			assert_anywhere(bytes, 4, 29);
		}
	}
}
END_TEST

static size_t encode(uint32_t code, char *dst)
{
	if (code < 0x80)
		return dst[0] = (char)code, 1;
	if (code < 0x800)
		return dst[0] = (char)(0xc0 | code >> 6), dst[1] = (char)(0x80 | (code & 63)), 2;
	if (code < 0x10000) {
		dst[0] = (char)(0xe0 | code >> 12);
		dst[1] = (char)(0x80 | (code >> 6 & 63));
		dst[2] = (char)(0x80 | (code & 63));
		return 3;
	}
	dst[0] = (char)(0xf0 | code >> 18);
	dst[1] = (char)(0x80 | (code >> 12 & 63));
	dst[2] = (char)(0x80 | (code >> 6 & 63));
	dst[3] = (char)(0x80 | (code & 63));
	return 4;
}

START_TEST(every_code_point_and_those_that_are_none)
{
	for (uint32_t code = 0; code < 0x120000; code++) {
		char bytes[4];
		size_t n = encode(code, bytes);
		assert_as_reference(span_make(bytes, n));
		if (code % 61 == 0 || code < 0x400 || (code >> 4) % 0x80 == 0)
			assert_anywhere(bytes, n, 7);
	}
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Mostly characters of one to four bytes, with a flaw now and then. */
static size_t random_line(uint64_t *seed, char *dst, size_t max)
{
	size_t len = 0;
	uint64_t kind = next_random(seed) % 5;
	while (len + 4 <= max) {
		uint64_t r = next_random(seed);
		static const uint32_t below[] = {0x7f, 0x800, 0x10000, 0x110000, 0x400};
		uint32_t code = (uint32_t)(r >> 32) % below[kind];
		if ((code < 0x20 || (code >= 0x7f && code < 0xa0) ||
		     (code >= 0xd800 && code < 0xe000)) &&
		    r % 64)
			code = ' ';
		len += encode(code, dst + len);
		if (r % 211 == 0)
			len--;
		if (r % 223 == 0)
			dst[len++] = (char)(r >> 24);
	}
	return len;
}

START_TEST(random_lines_at_every_alignment)
{
	uint64_t seed = 88172645463325252u;
	char line[400];
	for (int round = 0; round < 4000; round++) {
		size_t len = random_line(&seed, line, sizeof(line) - 8);
		size_t from = next_random(&seed) % (len < 70 ? 1 : 70);
		size_t end = len - next_random(&seed) % (len - from + 1);
		assert_as_reference(span_make(line + from, end - from));
	}
}
END_TEST

START_TEST(a_scan_finds_the_lf)
{
	uint64_t seed = 362436069;
	char text[3000];
	for (int round = 0; round < 300; round++) {
		size_t len = 0;
		while (len + 404 < sizeof(text)) {
			len += random_line(&seed, text + len, 4 + next_random(&seed) % 400);
			if (next_random(&seed) % 4 == 0)
				text[len++] = '\r';
			text[len++] = '\n';
		}
		len -= next_random(&seed) % 3;
		for (size_t at = 0; at <= len;) {
			bool clean;
			size_t n = line_scan(text + at, len - at, &clean);
			struct span rest = span_make(text + at, len - at);
			if (n != span_find(rest, '\n') ||
			    clean != (reference(span_first(rest, n), false) == n))
				ck_abort_msg("round %d at %zu", round, at);
			at += n + 1;
		}
	}
}
END_TEST

/* Lines that end at the end of memory, and begin at its beginning. */
START_TEST(nothing_outside_is_read)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(pages != MAP_FAILED);
	char *mine = pages + page;
	ck_assert_int_eq(mprotect(mine, page, PROT_READ | PROT_WRITE), 0);
	static const char *const fills[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xaa",
					    "\\"};
	for (size_t f = 0; f < sizeof(fills) / sizeof(*fills); f++) {
		size_t unit = strlen(fills[f]);
		for (size_t i = 0; i < page; i++)
			mine[i] = fills[f][i % unit];
		for (size_t len = 0; len < 200; len++) {
			assert_as_reference(span_make(mine + page - len, len));
			assert_as_reference(span_make(mine, len));
		}
	}
	ck_assert_int_eq(munmap(pages, 3 * page), 0);
}
END_TEST

START_TEST(empty_spans)
{
	bool clean = false;
	ck_assert_uint_eq(line_scan(NULL, 0, &clean), 0);
	ck_assert(clean);
	ck_assert(line_clean(span_make(NULL, 0)));
	ck_assert(line_clean_portable(span_make(NULL, 0)));
	ck_assert_uint_eq(line_scan_plain(span_make(NULL, 0)), 0);
	ck_assert_uint_eq(line_scan_plain_portable(span_make(NULL, 0)), 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("line_scan");
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, every_pair_of_bytes);
	tcase_add_test(tc, every_lead_with_all_that_may_follow);
	tcase_add_test(tc, every_code_point_and_those_that_are_none);
	tcase_add_test(tc, random_lines_at_every_alignment);
	tcase_add_test(tc, a_scan_finds_the_lf);
	tcase_add_test(tc, nothing_outside_is_read);
	tcase_add_test(tc, empty_spans);
	Suite *s = suite_create("line_scan");
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
