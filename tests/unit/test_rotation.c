/* Names: stems, rotated versions, services. */
#include "agent/files/rotation.h"
#include "agent/files/service_name.h"
#include "agent/files/wanted.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static const char *const stems[][2] = {
	{"syslog", "syslog"},
	{"app.log", "app"},
	{"app.out", "app"},
	{"app.err", "app"},
	{"app.txt", "app"},
	{"app.json", "app"},
	{"app.log.1", "app"},
	{"app.log.10.gz", "app"},
	{"app.log-20261122", "app"},
	{"app.log-20261122.gz", "app"},
	{"app.log-2026-11-22", "app"},
	{"app.log.2026-11-22", "app"},
	{"app.log_2026.11.22", "app"},
	{"app.log-20261122-05", "app"},
	{"app.log-2026112205", "app"},
	{"app.log-1795327401", "app"},
	{"app.log.20261122-054000", "app"},
	{"app.log.2026-11-22T05:40:00Z", "app"},
	{"0.log.20261122-054000.gz", "0"},
	{"app.log.1.2.gz", "app"},
	{"app.gz.log", "app.gz"},
	{"app.log.log", "app.log"},
	{"app-20261122.log", "app-20261122"},     /* the date is no suffix of the name */
	{"app.log-20261322", "app.log-20261322"}, /* no such month */
	{"app.log-9999", "app.log-9999"},
	{"app.conf", "app.conf"},
	{".log", ".log"},
	{".1", ".1"},
	{"1", "1"},
	{"", ""},
	{".gz", ".gz"},
	{"app.LOG", "app.LOG"},
	{"db-2", "db-2"},
	{"v1.2", "v1"},
};

START_TEST(stem)
{
	struct span s = rotation_stem(span_of(stems[_i][0]));
	ck_assert_msg(span_is(s, stems[_i][1]), "%s: %.*s", stems[_i][0], (int)s.len, s.ptr);
}
END_TEST

static const struct {
	const char *name, *original;
	bool is;
} versions[] = {
	{"app.log.1", "app.log", true},        {"app.log.1.gz", "app.log", true},
	{"app.log.2.gz", "app.log.2", true},   {"app.log-20261122", "app.log", true},
	{"app.log.old", "app.log", true},      {"app.log.bak", "app.log", true},
	{"app-20261122.log", "app.log", true}, {"app.1.log", "app.log", true},
	{"app.1.log.gz", "app.log", true},     {"app-2026-11-22T05.log", "app.log", true},
	{"app.log.gz.tmp", "app.log", true},   {"app.log", "app.log", false},
	{"app.log", "app.log.1", false},       {"app.log.err", "app.log", false},
	{"app-web.log", "app.log", false},     {"app2.log", "app.log", false},
	{"other.log.1", "app.log", false},     {"app.log1", "app.log", false},
	{"syslog.1", "syslog", true},          {"app.log.1x", "app.log", false},
};

START_TEST(version)
{
	struct span name = span_of(versions[_i].name), original = span_of(versions[_i].original);
	ck_assert_msg(rotation_of(name, original) == versions[_i].is, "%s of %s", name.ptr,
		      original.ptr);
	if (versions[_i].is) {
		ck_assert_uint_eq(rotation_family(name), rotation_family(original));
		ck_assert(rotation_rotated(name));
	}
}
END_TEST

START_TEST(originals)
{
	static const char *const expected[][5] = {
		{"app.log.2.gz", "app.log.2", "app.log", NULL},
		{"app-20261122.1.log.gz", "app-20261122.1.log", "app-20261122.log", "app.log",
		 NULL},
		{"syslog.1", "syslog", NULL},
		{"syslog", NULL},
	};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		char text[64];
		int step = 0;
		for (; expected[i][step + 1]; step++) {
			ck_assert(rotation_original(span_of(expected[i][0]), step, text,
						    sizeof(text)));
			ck_assert_str_eq(text, expected[i][step + 1]);
		}
		ck_assert(!rotation_original(span_of(expected[i][0]), step, text, sizeof(text)));
	}
	char small[4];
	ck_assert(!rotation_original(SPAN_LITERAL("long.1"), 0, small, sizeof(small)));
}
END_TEST

static const struct {
	const char *template, *path, *service;
} services[] = {
	{"", "/var/log/nginx/access.log", "nginx.access"},
	{"", "/var/log/nginx/access.log.3.gz", "nginx.access"},
	{"", "/var/log/syslog", "syslog"},
	{"", "/srv/logs/app.log", "app"},
	{"", "/srv/app/app.log", "app"},
	{"", "/srv/app/app.log-20261122", "app"},
	{"", "/app.log", "app"},
	{"", "/srv/my app/x.log", "my_app.x"},
	{"", "/var/log/x/.hidden", "x..hidden"},
	{"shop", "/var/log/a.log", "shop"},
	{"{stem}", "/var/log/nginx/access.log", "access"},
	{"{dir}-{stem}-x", "/var/log/nginx/access.log", "nginx-access-x"},
	{"{dir}", "/x.log", "unknown"},
	{"a{b", "/x.log", "a_b"},
};

START_TEST(service)
{
	struct input in = {.type = INPUT_FILE, .service = services[_i].template};
	struct buf out = BUF_EMPTY;
	ck_assert_int_eq(service_name(&in, services[_i].path, &out), 0);
	ck_assert_msg(span_is(buf_span(&out), services[_i].service), "%s: %.*s", services[_i].path,
		      (int)out.len, out.ptr);
	buf_free(&out);
}
END_TEST

START_TEST(templates)
{
	const char *why;
	ck_assert_int_eq(service_template_check(INPUT_FILE, "", &why), 0);
	ck_assert_int_eq(service_template_check(INPUT_FILE, "x-{stem}.{dir}", &why), 0);
	ck_assert_int_eq(service_template_check(INPUT_FILE, "{name}", &why), -EINVAL);
	ck_assert_int_eq(service_template_check(INPUT_FILE, "{stem", &why), -EINVAL);
	ck_assert_int_eq(service_template_check(INPUT_DOCKER, "{name}/{label:com.x}", &why), 0);
	ck_assert_int_eq(service_template_check(INPUT_DOCKER, "{label:}", &why), -EINVAL);
	ck_assert_int_eq(service_template_check(INPUT_CRI, "{namespace}.{container}", &why), 0);
}
END_TEST

START_TEST(wanted)
{
	char *a[] = {"/var/log/nginx/*.log", "/srv/*/logs/**/*.log"}, *b[] = {"/var/log/**"};
	char *not_a[] = {"debug*"}, *not_b[] = {"/var/log/journal/**", "*.gz"};
	struct input inputs[] = {
		{.name = "a", .paths = {a, 2}, .exclude = {not_a, 1}},
		{.name = "b", .paths = {b, 1}, .exclude = {not_b, 2}, .remote = true},
	};
	struct wanted w = {inputs, 2, WANTED_ALL};
	ck_assert_ptr_eq(wanted_by(&w, "/var/log/nginx/access.log"), &inputs[0]);
	ck_assert_ptr_eq(wanted_by(&w, "/var/log/nginx/debug.log"), &inputs[1]);
	ck_assert_ptr_eq(wanted_by(&w, "/var/log/syslog"), &inputs[1]);
	ck_assert_ptr_null(wanted_by(&w, "/var/log/x.gz"));
	ck_assert_ptr_null(wanted_by(&w, "/srv/x/debug.log"));
	ck_assert_ptr_eq(wanted_by(&w, "/srv/x/logs/y/z/a.log"), &inputs[0]);
	ck_assert(wanted_below(&w, "/") && wanted_below(&w, "/srv") && wanted_below(&w, "/srv/x"));
	ck_assert(!wanted_below(&w, "/srv/x/data") && !wanted_below(&w, "/etc"));
	ck_assert(!wanted_below(&w, "/var/log/journal"));
	ck_assert(wanted_only_through(&w, "/") && wanted_only_through(&w, "/var"));
	ck_assert(!wanted_only_through(&w, "/var/log") && !wanted_only_through(&w, "/srv"));
	ck_assert(wanted_through(&w, "/srv/x") && wanted_through(&w, "/var/log"));
	ck_assert(!wanted_through(&w, "/var/log/deep/link"));
	ck_assert(wanted_remote(&w, "/var/log/x") && !wanted_remote(&w, "/srv/x"));
	const char *glob;
	ck_assert_ptr_eq(wanted_excluded_by(&w, "/srv/x/logs/debug.log", &glob), &inputs[0]);
	ck_assert_str_eq(glob, "debug*");
	char next[64];
	size_t cursor = 0;
	ck_assert(wanted_next(&w, "/", &cursor, next, sizeof(next)));
	ck_assert_str_eq(next, "/var");
	ck_assert(wanted_next(&w, "/", &cursor, next, sizeof(next)));
	ck_assert_str_eq(next, "/srv");
	ck_assert(!wanted_next(&w, "/", &cursor, next, sizeof(next)));
	cursor = 0;
	ck_assert(wanted_next(&w, "/var", &cursor, next, sizeof(next)));
	ck_assert_str_eq(next, "/var/log");
	ck_assert(!wanted_next(&w, "/var", &cursor, next, sizeof(next)));
}
END_TEST

/* What lies below the literal directory of a glob with remote = yes is its thread's alone. */
START_TEST(two_sides)
{
	char *a[] = {"/srv/**/*.log", "/mnt/*.log"}, *b[] = {"/srv/nfs/logs/*.log"};
	struct input inputs[] = {
		{.name = "a", .paths = {a, 2}},
		{.name = "b", .paths = {b, 1}, .remote = true},
	};
	struct wanted near = {inputs, 2, WANTED_NEAR}, far = {inputs, 2, WANTED_FAR};
	ck_assert_ptr_eq(wanted_by(&near, "/srv/x.log"), &inputs[0]);
	ck_assert_ptr_eq(wanted_by(&near, "/srv/nfs/x.log"), &inputs[0]);
	ck_assert_ptr_null(wanted_by(&near, "/srv/nfs/logs/x.log"));
	ck_assert_ptr_null(wanted_by(&near, "/srv/nfs/logs/deep/x.log"));
	ck_assert_ptr_eq(wanted_by(&far, "/srv/nfs/logs/x.log"), &inputs[1]);
	ck_assert_ptr_null(wanted_by(&far, "/srv/x.log"));
	ck_assert(wanted_below(&near, "/srv/nfs") && !wanted_below(&near, "/srv/nfs/logs"));
	ck_assert(!wanted_below(&near, "/srv/nfs/logs/deep"));
	ck_assert(wanted_below(&near, "/srv/nfs/logs2"));
	ck_assert(wanted_below(&far, "/srv/nfs/logs") && !wanted_below(&far, "/mnt"));
	ck_assert(wanted_is_far(&near, "/srv/nfs/logs") && !wanted_is_far(&near, "/srv/nfs"));
	ck_assert(wanted_is_far(&far, "/srv/nfs/logs/x.log"));
	char next[64];
	size_t cursor = 0;
	ck_assert(wanted_next(&far, "/", &cursor, next, sizeof(next)));
	ck_assert_str_eq(next, "/srv");
	ck_assert(!wanted_next(&far, "/", &cursor, next, sizeof(next)));
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *suite = suite_create("rotation");
	TCase *tcase = tcase_create("rotation");
	tcase_add_loop_test(tcase, stem, 0, COUNT(stems));
	tcase_add_loop_test(tcase, version, 0, COUNT(versions));
	tcase_add_test(tcase, originals);
	tcase_add_loop_test(tcase, service, 0, COUNT(services));
	tcase_add_test(tcase, templates);
	tcase_add_test(tcase, wanted);
	tcase_add_test(tcase, two_sides);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
