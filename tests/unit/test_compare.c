/* One reading of a file, many checksums: each is judged as if it were the only one, in plain and in
 * gzip files. */
#include "agent/files/compare.h"

#include "common/crc64.h"
#include "common/file.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { SIZE = 700000 };

static char content[SIZE];

static uint64_t crc_of(uint64_t from, uint64_t to)
{
	return crc64_add(CRC64_EMPTY, content + from, to - from);
}

static void fill(void)
{
	uint32_t x = 1;
	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525U + 1013904223U;
		content[i] = (char)("abcdefgh\n"[(x >> 24) % 9]);
	}
	memcpy(content + SIZE - 8, "\nno end", 7);
	content[SIZE - 1] = '!';
}

/* The first `len` bytes in a file without a name. */
static int make_file(size_t len, bool compressed)
{
	char path[] = "/tmp/haul-test-compare-XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	if (compressed) {
		gzFile z = gzdopen(dup(fd), "wb");
		ck_assert_ptr_nonnull(z);
		ck_assert_int_eq(gzwrite(z, content, (unsigned)len), (int)len);
		ck_assert_int_eq(gzclose(z), Z_OK);
	} else {
		ck_assert_int_eq(file_write_all(fd, span_make(content, len)), 0);
	}
	ck_assert_int_eq(unlink(path), 0);
	return fd;
}

START_TEST(points)
{
	bool compressed = _i;
	fill();
	int fd = make_file(SIZE, compressed);
	struct compare_point p[] = {
		{.base = 0, .offset = SIZE, .crc = crc_of(0, SIZE), .tag = 0},
		{.base = 0, .offset = 1, .crc = crc_of(0, 1), .tag = 1},
		{.base = 262144, .offset = 300000, .crc = crc_of(262144, 300000), .tag = 2},
		{.base = 300000, .offset = 300001, .crc = crc_of(300000, 300001), .tag = 3},
		{.base = 0, .offset = 262144, .crc = crc_of(0, 262144), .tag = 4},
		{.base = 0, .offset = 262144, .crc = crc_of(0, 262144) ^ 1, .tag = 5},
		{.base = 5, .offset = SIZE + 1, .crc = 1, .tag = 6},
		{.base = 0, .offset = 0, .crc = CRC64_EMPTY, .tag = 7},
		{.base = 10, .offset = 5, .crc = CRC64_EMPTY, .tag = 8},
	};
	struct compare_result r;
	ck_assert_int_eq(compare_file(fd, p, sizeof(p) / sizeof(*p), &r), 0);
	ck_assert_uint_eq(r.size, SIZE);
	ck_assert_uint_eq(r.unfinished, 7);
	ck_assert_int_eq(r.compressed, compressed);
	for (size_t i = 0; i < sizeof(p) / sizeof(*p); i++) {
		bool reached = p[i].tag != 6 && p[i].tag != 8;
		ck_assert_msg(p[i].reached == reached, "%zu", p[i].tag);
		ck_assert_msg(p[i].equal == (reached && p[i].tag != 5), "%zu", p[i].tag);
	}
	file_close(&fd);
}
END_TEST

START_TEST(damaged_gzip)
{
	fill();
	int fd = make_file(SIZE, true);
	struct compare_point p[] = {{.offset = 1000, .crc = crc_of(0, 1000)},
				    {.offset = SIZE, .crc = crc_of(0, SIZE)}};
	struct compare_result r;
	ck_assert_int_eq(ftruncate(fd, 200000), 0);
	ck_assert_int_eq(compare_file(fd, p, 2, &r), -EBADMSG);
	ck_assert(p[0].equal);
	ck_assert(!p[1].reached);
	ck_assert_uint_gt(r.size, 1000);
	file_close(&fd);
}
END_TEST

START_TEST(nothing)
{
	struct compare_result r;
	int fd = make_file(0, false);
	ck_assert_int_eq(compare_file(fd, NULL, 0, &r), 0);
	ck_assert_uint_eq(r.size, 0);
	ck_assert_uint_eq(r.unfinished, 0);
	file_close(&fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("compare");
	TCase *tc = tcase_create("compare");
	tcase_add_loop_test(tc, points, 0, 2);
	tcase_add_test(tc, damaged_gzip);
	tcase_add_test(tc, nothing);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
