/* The links below today/: made, replaced in place when the day changes, swept when they are of
 * another day; what is not ours stays, and nothing that is planted there is followed. */
#include "collector/store/today.h"

#include "common/span.h"
#include "tests/lib/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY 20779 /* 2026-11-22 */

static char dir[] = "/tmp/haul-test-today-XXXXXX";
static struct tree tree;

static void setup(void)
{
	temp_dir_make(dir);
	ck_assert_int_eq(tree_open(dir, &tree), 0);
}

static void teardown(void)
{
	tree_close(&tree);
	temp_dir_remove(dir);
}

static void link_to(int32_t day, const char *service, const char *host)
{
	ck_assert_int_eq(today_link(&tree, day, span_of(service), span_of(host)), 0);
}

/* NULL: there is no such link. */
static const char *target(const char *path)
{
	static char text[512];
	ssize_t n = readlinkat(tree.root, path, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? NULL : text;
}

START_TEST(a_link_follows_the_day)
{
	struct stat before, after;
	link_to(DAY, "checkout", "web-01");
	ck_assert_str_eq(target("today/checkout/web-01.log"),
			 "../../2026-11-22/checkout/web-01.log");
	ck_assert_int_eq(
		fstatat(tree.root, "today/checkout/web-01.log", &before, AT_SYMLINK_NOFOLLOW), 0);
	link_to(DAY, "checkout", "web-01"); /* as it is */
	ck_assert_int_eq(
		fstatat(tree.root, "today/checkout/web-01.log", &after, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	link_to(DAY + 1, "checkout", "web-01");
	ck_assert_str_eq(target("today/checkout/web-01.log"),
			 "../../2026-11-23/checkout/web-01.log");
	ck_assert_int_lt(
		faccessat(tree.root, "today/checkout/.new-link", F_OK, AT_SYMLINK_NOFOLLOW), 0);
}
END_TEST

START_TEST(what_a_crash_left_is_no_obstacle)
{
	ck_assert_int_eq(mkdirat(tree.root, "today", 0750), 0);
	ck_assert_int_eq(mkdirat(tree.root, "today/checkout", 0750), 0);
	ck_assert_int_eq(symlinkat("half", tree.root, "today/checkout/.new-link"), 0);
	link_to(DAY, "checkout", "web-01");
	ck_assert_str_eq(target("today/checkout/web-01.log"),
			 "../../2026-11-22/checkout/web-01.log");
	ck_assert_int_eq(symlinkat("half", tree.root, "today/checkout/.new-link"), 0);
	ck_assert_int_eq(today_sweep(&tree, DAY), 0);
	ck_assert_ptr_null(target("today/checkout/.new-link"));
}
END_TEST

START_TEST(other_days_are_swept)
{
	ck_assert_int_eq(today_sweep(&tree, DAY), 0); /* nothing is there yet */
	link_to(DAY - 1, "cart", "web-01");
	link_to(DAY - 1, "checkout", "web-01");
	link_to(DAY, "checkout", "web-02");
	/* Neither of these is one of ours. */
	ck_assert_int_eq(symlinkat("/etc/passwd", tree.root, "today/checkout/mine"), 0);
	ck_assert_int_eq(symlinkat("../../elsewhere/file", tree.root, "today/checkout/other"), 0);
	int fd = openat(tree.root, "today/note", O_WRONLY | O_CREAT, 0640);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(today_sweep(&tree, DAY), 0);
	ck_assert_ptr_null(target("today/checkout/web-01.log"));
	ck_assert_ptr_nonnull(target("today/checkout/web-02.log"));
	ck_assert_ptr_nonnull(target("today/checkout/mine"));
	ck_assert_ptr_nonnull(target("today/checkout/other"));
	ck_assert_int_eq(faccessat(tree.root, "today/note", F_OK, 0), 0);
	ck_assert_int_lt(faccessat(tree.root, "today/cart", F_OK, 0), 0);
}
END_TEST

START_TEST(a_planted_link_is_not_followed)
{
	ck_assert_int_eq(mkdirat(tree.root, "outside", 0750), 0);
	ck_assert_int_eq(mkdirat(tree.root, "today", 0750), 0);
	ck_assert_int_eq(symlinkat("../outside", tree.root, "today/checkout"), 0);
	ck_assert_int_lt(today_link(&tree, DAY, SPAN_LITERAL("checkout"), SPAN_LITERAL("web-01")),
			 0);
	ck_assert_ptr_null(target("outside/web-01.log"));
	ck_assert_int_eq(symlinkat("../2026-11-01/checkout/a.log", tree.root, "outside/a.log"), 0);
	ck_assert_int_eq(today_sweep(&tree, DAY), 0);
	ck_assert_ptr_nonnull(target("outside/a.log"));
	ck_assert_ptr_nonnull(target("today/checkout"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("today");
	TCase *c = tcase_create("today");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, a_link_follows_the_day);
	tcase_add_test(c, what_a_crash_left_is_no_obstacle);
	tcase_add_test(c, other_days_are_swept);
	tcase_add_test(c, a_planted_link_is_not_followed);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
