/* Links and files that somebody has put where the store's own are to stand: they lead nowhere and
 * stop nobody. */
#include "collector/store/core.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/num.h"
#include "tests/lib/make_batch.h"
#include "tests/lib/one_store.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* `what` below the directory of today. */
static void today_path(const char *what, char ret[128])
{
	char text[CIVIL_DAY_LEN + 1] = "";
	civil_format_day(text, civil_day_of_us(clock_real_ns() / NUM_US_NS));
	(void)snprintf(ret, 128, "%s/%s%s", dir, text, what);
}

static void plant(const char *what, const char *target)
{
	char path[128];
	today_path(what, path);
	if (target)
		ck_assert_int_eq(symlink(target, path), 0);
	else
		ck_assert_int_eq(close(creat(path, 0600)), 0);
}

static void take_away(const char *what)
{
	char path[128], command[300];
	today_path(what, path);
	(void)snprintf(command, sizeof(command), "mv %s %s/away-$$", path, dir);
	ck_assert_int_eq(system(command), 0);
}

static void expect_aside(unsigned n)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "test $(ls %s/.haul/quarantine | wc -l) = %u", dir,
		       n);
	ck_assert_int_eq(system(command), 0);
}

/* Whatever stands where a directory has to be, and whenever: it is put aside, nothing is written
 * through it, all lines are there, and the others never notice. */
START_TEST(a_planted_link_leads_nowhere_and_stops_nobody)
{
	static const char *const where[] = {"", "/checkout"};
	char target[128];
	unsigned aside = 0;
	(void)snprintf(target, sizeof(target), "%s/elsewhere", dir);
	ck_assert_int_eq(mkdir(target, 0700), 0);
	for (unsigned i = 0; i < 8; i++) {
		/* At the day or at the service, a link or a file, while it runs or is down. */
		const char *what = where[i & 1];
		bool link = i & 2, down = i & 4;
		char a_name[8], b_name[8];
		(void)snprintf(a_name, sizeof(a_name), "a%u", i);
		(void)snprintf(b_name, sizeof(b_name), "b%u", i);
		struct make_source a, b;
		make_source(&a, "checkout", a_name);
		make_source(&b, "cart", b_name);
		if (down) {
			/* Lines that the log has and no file. */
			ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 5),
					 CHUNK_COMMITTED);
			store_close(store);
		}
		if (i) /* else nothing is there yet */
			take_away(what);
		plant(what, link ? target : NULL);
		if (down) {
			store = make_store(dir, NULL);
			session = make_session(store, "web-01", "m1", NULL);
		}
		ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 3), CHUNK_COMMITTED);
		ck_assert_int_eq((int)make_send(store, "web-01", session, &b, 4), CHUNK_COMMITTED);
		ck_assert_int_eq(store_checkpoint(store), 0);
		char text[128];
		ck_assert_int_eq(store_failure(store, text, sizeof(text)), 0);
		one_store_expect(b_name, 4);
		struct make_lines l;
		make_read_archive(dir, &l);
		size_t found = 0;
		for (size_t k = 0; k < l.n; k++)
			found += strcmp(l.names[k], a_name) == 0;
		make_lines_free(&l);
		ck_assert_uint_ge(found, 3); /* those before were taken away with their directory */
		expect_aside(++aside);
	}
	ck_assert_int_eq(rmdir(target), 0); /* it is empty */
}
END_TEST

/* The live file is open, its directory is moved and linked to: nothing fails when it has to be
 * opened again, or closed. */
START_TEST(a_directory_that_is_moved_and_linked_is_begun_anew)
{
	struct store_config small = {.segment_bytes = 2000, .checkpoint_bytes = 1000};
	char path[128], target[128], command[600];
	store_close(store);
	store = make_store(dir, &small);
	session = make_session(store, "web-01", "m1", NULL);
	struct make_source a, b;
	make_source(&a, "checkout", "a");
	make_source(&b, "cart", "b");
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 3), CHUNK_COMMITTED);
		ck_assert_int_eq(store_checkpoint(store), 0);
		today_path("/checkout", path);
		(void)snprintf(target, sizeof(target), "%s/moved%u", dir, i);
		(void)snprintf(command, sizeof(command), "mv %s %s && ln -s %s %s", path, target,
			       target, path);
		ck_assert_int_eq(system(command), 0);
		if (i == 3) { /* in recovery */
			store_close(store);
			store = make_store(dir, &small);
			session = make_session(store, "web-01", "m1", NULL);
		}
		/* Full: the checkpoint closes it. */
		ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 50), CHUNK_COMMITTED);
		ck_assert_int_eq((int)make_send(store, "web-01", session, &b, 50), CHUNK_COMMITTED);
		ck_assert_int_eq(store_checkpoint(store), 0);
		ck_assert_int_eq(store_checkpoint(store), 0);
		char text[128];
		ck_assert_int_eq(store_failure(store, text, sizeof(text)), 0);
	}
	one_store_expect("b", 200);
}
END_TEST

/* SQLite opens by name; a link in the ledger's place is not what it opens. */
START_TEST(a_link_for_a_ledger_is_not_followed)
{
	char link[128], target[128], uuid[UUID_LEN + 1];
	struct make_source a;
	make_source(&a, "checkout", "a");
	(void)make_send(store, "web-01", session, &a, 3);
	(void)snprintf(uuid, sizeof(uuid), "%s", store_uuid(store));
	store_close(store);
	(void)snprintf(target, sizeof(target), "%s/elsewhere", dir);
	static const char *const names[] = {"ledger.db", "ledger.db-journal"};
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(link, sizeof(link), "%s/.haul/%s", dir, names[i]);
		(void)unlink(link);
		ck_assert_int_eq(symlink(target, link), 0);
	}
	store = make_store(dir, NULL);
	struct stat st;
	ck_assert_int_lt(stat(target, &st), 0); /* nothing was made through it */
	ck_assert_str_eq(store_uuid(store), uuid);
	one_store_expect("a", 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_planted");
	TCase *tcase = tcase_create("store_planted");
	tcase_add_checked_fixture(tcase, one_store_set_up, one_store_tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_planted_link_leads_nowhere_and_stops_nobody);
	tcase_add_test(tcase, a_directory_that_is_moved_and_linked_is_begun_anew);
	tcase_add_test(tcase, a_link_for_a_ledger_is_not_followed);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
