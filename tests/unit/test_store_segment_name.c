/* Paths of segments: written, read back, and everything else refused. */
#include "collector/store/segment_name.h"

#include "common/civil.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static const struct {
	const char *path;
	int32_t year, month, day;
	const char *service, *host;
	uint32_t number;
	enum segment_form form;
} good[] = {
	{"2026-11-22/checkout/web-01.log", 2026, 11, 22, "checkout", "web-01", 0, SEGMENT_LIVE},
	{"2026-11-22/checkout/web-01.0001.log", 2026, 11, 22, "checkout", "web-01", 1,
	 SEGMENT_CLOSED},
	{"2026-11-22/checkout/web-01.0001.log.zst", 2026, 11, 22, "checkout", "web-01", 1,
	 SEGMENT_ZSTD},
	{"2026-11-22/prod.cart/a.b.12345.log.gz", 2026, 11, 22, "prod.cart", "a.b", 12345,
	 SEGMENT_GZIP},
	{"1969-12-31/s/h.4294967295.log", 1969, 12, 31, "s", "h", 4294967295, SEGMENT_CLOSED},
	{"2026-01-01/log/web.log.log", 2026, 1, 1, "log", "web.log", 0, SEGMENT_LIVE},
	{"2026-01-01/s/web.123.log", 2026, 1, 1, "s", "web.123", 0, SEGMENT_LIVE},
};

START_TEST(path_and_back)
{
	struct segment_name n;
	ck_assert_int_eq(segment_name_parse(span_of(good[_i].path), &n), 0);
	ck_assert_int_eq(
		n.day, civil_days(good[_i].year, (unsigned)good[_i].month, (unsigned)good[_i].day));
	ck_assert(span_is(n.service, good[_i].service));
	ck_assert(span_is(n.host, good[_i].host));
	ck_assert_uint_eq(n.number, good[_i].number);
	ck_assert_int_eq((int)n.form, (int)good[_i].form);

	char path[SEGMENT_PATH_MAX];
	ck_assert_uint_eq(segment_name_path(path, &n), strlen(good[_i].path));
	ck_assert_str_eq(path, good[_i].path);
}
END_TEST

static const char *const bad[] = {
	"",
	"2026-11-22",
	"2026-11-22/checkout",
	"2026-11-22/checkout/",
	"2026-11-22/checkout/web-01",
	"2026-11-22/checkout/.log",
	"2026-11-22/checkout/.0001.log",
	"2026-11-22/checkout/web-01.log.zst",   /* sealed ones have a number */
	"2026-11-22/checkout/web-01.0000.log",  /* numbers begin at 1 */
	"2026-11-22/checkout/web-01.00001.log", /* no second way to write 1 */
	"2026-11-22/checkout/web-01.4294967296.log",
	"2026-11-22/checkout/web-01.0001.log.tmp",
	"2026-11-22/checkout/sub/web-01.log",
	"2026-11-22/../web-01.log",
	"2026-11-31/checkout/web-01.log",
	"2026-11-2/checkout/web-01.log",
	"today/checkout/web-01.log",
};

START_TEST(refused)
{
	struct segment_name n;
	ck_assert_int_eq(segment_name_parse(span_of(bad[_i]), &n), -EINVAL);
}
END_TEST

START_TEST(longest)
{
	char name[NAME_MAX_LEN], path[SEGMENT_PATH_MAX];
	memset(name, 'a', sizeof(name));
	struct segment_name n = {.service = span_make(name, sizeof(name)),
				 .host = span_make(name, sizeof(name)),
				 .number = UINT32_MAX,
				 .form = SEGMENT_ZSTD};
	ck_assert_uint_eq(segment_name_path(path, &n), SEGMENT_PATH_MAX - 1);
	struct segment_name back;
	ck_assert_int_eq(segment_name_parse(span_of(path), &back), 0);
	ck_assert_uint_eq(back.number, UINT32_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("segment_name");
	TCase *t = tcase_create("all");
	tcase_add_loop_test(t, path_and_back, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(t, refused, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(t, longest);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
