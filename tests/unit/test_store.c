/* The store as a whole, without HTTP: what is acknowledged stands on disk, once, and what it says is
 * what it will say after a restart. */
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/num.h"
#include "tests/lib/make_batch.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct store *store;
static uint64_t session;

static void setup(void)
{
	(void)strcpy(dir, "/tmp/haul-test-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	store = make_store(dir, NULL);
	session = make_session(store, "web-01", "m1", NULL);
}

static void teardown(void)
{
	store_close(store);
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void reopen(void)
{
	store_close(store);
	store = make_store(dir, NULL);
}

static void expect(const char *name, uint64_t lines)
{
	struct make_lines l;
	make_read_archive(dir, &l);
	make_check(&l, name, lines, lines);
	make_lines_free(&l);
}

START_TEST(a_line_arrives)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 100), CHUNK_COMMITTED);
	ck_assert_int_eq(store_checkpoint(store), 0);
	expect("a", 101);
	reopen();
	expect("a", 101);
	session = make_session(store, "web-01", "m1", NULL);
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	reopen();
	expect("a", 102);
}
END_TEST

START_TEST(a_repeat_is_a_duplicate_also_after_a_restart)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	struct make_source before = a;
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 10), CHUNK_COMMITTED);
	struct make_source again = before;
	ck_assert_int_eq(make_send(store, "web-01", session, &again, 10), CHUNK_DUPLICATE);
	reopen();
	session = make_session(store, "web-01", "m1", NULL);
	again = before;
	ck_assert_int_eq(make_send(store, "web-01", session, &again, 10), CHUNK_DUPLICATE);
	reopen();
	expect("a", 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tcase = tcase_create("store");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_line_arrives);
	tcase_add_test(tcase, a_repeat_is_a_duplicate_also_after_a_restart);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
