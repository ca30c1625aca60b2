/* Retention by service, and what only shows when options are seen together. */
#include "collector/policy.h"

#include "collector/options.h"
#include "common/file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEN(a) (int)(sizeof(a) / sizeof((a)[0]))
#define DAY_US INT64_C(86400000000)

static struct policy *make(const char *text)
{
	struct conf *conf;
	struct conf_error err;
	ck_assert_msg(conf_read_text(options_sections, options_n_sections, "test", span_of(text),
				     &conf, &err) == 0,
		      "%s", err.text);
	struct policy *p = policy_new(conf);
	conf_free(conf);
	ck_assert_ptr_nonnull(p);
	return p;
}

static const struct {
	const char *service, *glob;
} WINS[] = {
	{"audit-db", "audit-db"}, {"audit-web", "audit-*"},     {"audit-long-name", "audit-long*"},
	{"checkout", ""},         {"payment1", "payment[0-9]"}, {"twins", "t*s"},
};

START_TEST(most_specific)
{
	struct policy *p =
		make("[retention audit-long*]\n[retention audit-*]\n[retention audit-db]\n"
		     "[retention]\nmax_age = 9d\n[retention payment[0-9]]\n[retention tw*]\n"
		     "[retention t*s]\n[retention audit-d?]\n");
	ck_assert_str_eq(policy_find(p, span_of(WINS[_i].service))->glob, WINS[_i].glob);
	policy_free(p);
}
END_TEST

START_TEST(what_is_not_said_is_as_for_all)
{
	struct policy *p =
		make("[retention]\nmax_age = 10d\nmax_bytes = 1G\n[retention a]\nmax_age "
		     "= 365d\n"
		     "[retention b]\nmax_bytes = 2G\n[retention c]\nmax_age =\n");
	const struct policy_rule *a = policy_find(p, SPAN_LITERAL("a"));
	ck_assert_int_eq(a->max_age_ns / 1000 / DAY_US, 365);
	ck_assert_uint_eq(a->max_bytes, 1 << 30);
	const struct policy_rule *b = policy_find(p, SPAN_LITERAL("b"));
	ck_assert_int_eq(b->max_age_ns / 1000 / DAY_US, 10);
	ck_assert_uint_eq(b->max_bytes, UINT64_C(2) << 30);
	ck_assert_int_eq(policy_find(p, SPAN_LITERAL("c"))->max_age_ns, 0);
	policy_free(p);
}
END_TEST

START_TEST(oldest_day)
{
	struct policy *p = make("[retention]\nmax_age = 2d\n[retention ever]\nmax_age = 0\n");
	struct span s = SPAN_LITERAL("s");
	ck_assert_int_eq(policy_oldest_day(p, s, 100 * DAY_US), 98);
	ck_assert_int_eq(policy_oldest_day(p, s, 100 * DAY_US - 1), 97);
	ck_assert_int_eq(policy_oldest_day(p, SPAN_LITERAL("ever"), 100 * DAY_US), INT32_MIN);
	policy_free(p);
}
END_TEST

static const struct {
	const char *text;
	int64_t days;
} KEEPS[] = {
	{"", 30},
	{"[retention]\nmax_age = 7d\n", 7},
	{"[retention audit-*]\nmax_age = 365d\n[retention x]\nmax_age = 1d\n", 365},
	{"[retention]\nmax_age =\nmax_bytes = 1G\n[retention x]\nmax_age = 1d\n", 0},
	{"[retention x]\nmax_age = 0\n", 0},
	{"[retention x]\nmax_age = 1d\nhold = yes\n", 0},
};

START_TEST(keeps)
{
	struct policy *p = make(KEEPS[_i].text);
	ck_assert_int_eq(policy_keeps_ns(p), KEEPS[_i].days * DAY_US * 1000);
	policy_free(p);
}
END_TEST

START_TEST(by_default_thirty_days)
{
	struct policy *p = make("");
	ck_assert_int_eq(policy_oldest_day(p, SPAN_LITERAL("s"), 100 * DAY_US), 70);
	policy_free(p);
}
END_TEST

static const struct {
	const char *text;
	const char *why; /* NULL: fine */
} WHOLE[] = {
	{"", NULL},
	{"[collector]\nlisten = [::1]:0\n", NULL},
	{"[collector]\nlisten = 0.0.0.0:8514\n", ":2: [collector] listen: beyond loopback [tls]"},
	{"[collector]\nlisten = 0.0.0.0:8514\ninsecure = yes\n", NULL},
	{"[collector]\nlisten = 8514\n", ":2: "},
	{"[collector]\ndata_dir = data\n", ":2: "},
	{"[collector]\nseal_level = best\n", ":2: "},
	{"[collector]\nmax_batch = 1\n", ":2: "},
	{"[collector]\nmax_batches = 1\n", ":2: "},
	{"[tls]\ncert = /nowhere/cert.pem\n", ":2: [tls] cert: key is missing"},
	{"[tls]\nkey = /nowhere/key.pem\n", ":2: [tls] key: cert is missing"},
	{"[tls]\nclient_ca = /nowhere/ca.pem\n", ":2: [tls] client_ca: cert and key"},
	{"[tls]\ncert = /nowhere/cert.pem\nkey = /nowhere/key.pem\n", "cert.pem: No such file"},
	{"[auth]\ntokens_file = /nowhere/at/all\n", NULL},
	{"[auth]\ntokens_file = /proc/version\n", "/proc/version:1: "},
};

START_TEST(whole)
{
	char path[] = "/tmp/haul-options.XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(file_write_all(fd, span_of(WHOLE[_i].text)), 0);
	(void)close(fd);
	struct options *o = NULL;
	struct conf_error err = {""};
	int r = options_read(path, false, &o, &err);
	if (r == 0)
		r = options_check(o, &err);
	(void)unlink(path);
	ck_assert_msg((r == 0) == !WHOLE[_i].why, "%s", err.text);
	if (r < 0)
		ck_assert_msg(strstr(err.text, WHOLE[_i].why), "%s", err.text);
	options_free(o);
}
END_TEST

/* Every option stands in the manual, in its section, and every one of the manual in the tables. */
START_TEST(options_are_documented)
{
	struct buf manual = BUF_EMPTY;
	int documented = 0, defined = 0;
	ck_assert_int_eq(file_read(AT_FDCWD, "man/haul-collector.conf.5", 1 << 20, &manual), 0);
	ck_assert_ptr_nonnull(buf_cstr(&manual));
	for (const char *at = manual.ptr; (at = strstr(at, "\n.It Cm ")) != NULL; at++)
		documented++;
	for (size_t i = 0; i < options_n_sections; i++) {
		const struct conf_section *section = &options_sections[i];
		char text[128];
		(void)snprintf(text, sizeof(text), "\n.Ss [%s]\n", section->name);
		char *begin = strstr(manual.ptr, text);
		ck_assert_msg(begin != NULL, "no section %s", section->name);
		char *end = strstr(begin + 1, "\n.S");
		for (size_t k = 0; k < section->n_options; k++, defined++) {
			(void)snprintf(text, sizeof(text), "\n.It Cm %s\n",
				       section->options[k].key);
			const char *at = strstr(begin, text);
			ck_assert_msg(at && at < end, "[%s] %s is not in the manual", section->name,
				      section->options[k].key);
			ck_assert_ptr_nonnull(section->options[k].help);
		}
	}
	ck_assert_int_eq(documented, defined);
	buf_free(&manual);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest_options");
	TCase *tcase = tcase_create("ingest_options");
	tcase_add_loop_test(tcase, most_specific, 0, LEN(WINS));
	tcase_add_test(tcase, what_is_not_said_is_as_for_all);
	tcase_add_test(tcase, oldest_day);
	tcase_add_loop_test(tcase, keeps, 0, LEN(KEEPS));
	tcase_add_test(tcase, by_default_thirty_days);
	tcase_add_test(tcase, options_are_documented);
	tcase_add_loop_test(tcase, whole, 0, LEN(WHOLE));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
