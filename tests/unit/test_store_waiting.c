/* Lines that wait beside the log: what was added is read again, in order; a record that a crash has
 * cut ends the file and is written over; damage is left out and keeps nothing else; what is kept is
 * kept. */
#include "collector/store/waiting.h"

#include "common/civil.h"
#include "tests/lib/temp_dir.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH ".haul/waiting"

static char dir[] = "/tmp/haul-test-waiting-XXXXXX";
static struct tree tree;
static struct waiting waiting;

static void setup(void)
{
	temp_dir_make(dir);
	ck_assert_int_eq(tree_open(dir, &tree), 0);
	ck_assert_int_eq(waiting_open(&waiting, &tree, true), 0);
}

static void finish(void)
{
	waiting_close(&waiting);
	tree_close(&tree);
	temp_dir_remove(dir);
}

static void open_again(void)
{
	waiting_close(&waiting);
	ck_assert_int_eq(waiting_open(&waiting, &tree, true), 0);
}

static struct waiting_record record(uint32_t number)
{
	static const char *const lines[] = {"one\n", "two and more\n", "three\nlines\nhere\n"};
	return (struct waiting_record){.day = civil_day_of_us(0) + (int32_t)number,
				       .service = SPAN_LITERAL("checkout"),
				       .host = SPAN_LITERAL("web-01.example.org"),
				       .place = {.number = number, .position = UINT64_MAX - number},
				       .bytes = span_of(lines[number % 3])};
}

static void add(uint32_t number)
{
	struct waiting_record r = record(number);
	ck_assert_int_eq(waiting_add(&waiting, &r), 0);
}

static char seen[64];

static int see(void *user, const struct waiting_record *r)
{
	struct waiting_record want = record(r->place.number);
	(void)user;
	ck_assert_int_eq(r->day, want.day);
	ck_assert_uint_eq(r->place.position, want.place.position);
	ck_assert(span_equal(r->service, want.service) && span_equal(r->host, want.host));
	ck_assert(span_equal(r->bytes, want.bytes));
	size_t len = strlen(seen);
	(void)snprintf(seen + len, sizeof(seen) - len, "%u ", r->place.number);
	return 0;
}

static const char *all(void)
{
	seen[0] = '\0';
	ck_assert_int_eq(waiting_each(&waiting, see, NULL), 0);
	return seen;
}

static off_t size(void)
{
	struct stat st;
	return tree_stat(&tree, PATH, &st) == 0 ? st.st_size : -1;
}

static bool keep_odd(void *user, const struct waiting_record *r)
{
	(void)user;
	return r->place.number % 2;
}

static bool keep_none(void *user, const struct waiting_record *r)
{
	(void)user, (void)r;
	return false;
}

START_TEST(what_is_added_is_read)
{
	ck_assert_str_eq(all(), "");
	ck_assert_int_eq(size(), -1);
	for (uint32_t i = 1; i <= 5; i++)
		add(i);
	ck_assert_int_eq(waiting_sync(&waiting), 0);
	ck_assert_str_eq(all(), "1 2 3 4 5 ");
	open_again();
	add(6);
	ck_assert_str_eq(all(), "1 2 3 4 5 6 ");
	finish();
}
END_TEST

START_TEST(a_cut_record_ends_it)
{
	add(1);
	off_t whole = size();
	add(2);
	off_t end = size();
	for (off_t cut = whole; cut < end; cut++) {
		ck_assert_int_eq(ftruncate(waiting.fd, cut), 0);
		open_again();
		ck_assert_str_eq(all(), "1 ");
		add(2);
		ck_assert_str_eq(all(), "1 2 ");
		ck_assert_int_eq(size(), end);
	}
	finish();
}
END_TEST

/* All bytes that were copied aside, or moved there. */
static off_t set_aside(void)
{
	struct dirent *e;
	struct stat st;
	off_t bytes = 0;
	int fd = tree_open_dir(&tree, TREE_QUARANTINE);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, "waiting-", 8) == 0) {
			ck_assert_int_eq(fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
			bytes += st.st_size;
		}
	if (d)
		closedir(d);
	return bytes;
}

static void clear_aside(void)
{
	struct dirent *e;
	int fd = tree_open_dir(&tree, TREE_QUARANTINE);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			ck_assert_int_eq(unlinkat(fd, e->d_name, 0), 0);
	if (d)
		closedir(d);
}

/* Whichever byte of a record is wrong, its header's or its lines', and whether it is the first or
 * one in the middle: the others are read, and its bytes, no more and no less, are copied aside. */
START_TEST(damage_keeps_nothing_else)
{
	off_t ends[4] = {0};
	for (uint32_t i = 1; i <= 3; i++) {
		add(i);
		ends[i] = size();
	}
	for (int i = 1; i <= 3; i++)
		for (off_t at = ends[i - 1]; at < ends[i]; at++) {
			static const char *const left[] = {"2 3 ", "1 3 ", "1 2 "};
			char was, now;
			ck_assert_int_eq(pread(waiting.fd, &was, 1, at), 1);
			now = (char)(was == '1' ? '0' : '1');
			ck_assert_int_eq(pwrite(waiting.fd, &now, 1, at), 1);
			open_again();
			ck_assert_str_eq(all(), left[i - 1]);
			ck_assert_int_eq(set_aside(), ends[i] - ends[i - 1]);
			clear_aside();
			ck_assert_int_eq(pwrite(waiting.fd, &was, 1, at), 1);
		}
	open_again();
	ck_assert_str_eq(all(), "1 2 3 ");
	ck_assert_int_eq(set_aside(), 0);
	finish();
}
END_TEST

START_TEST(no_file_of_ours_is_put_aside)
{
	waiting_close(&waiting);
	ck_assert_int_eq(
		_i ? tree_make_dirs(&tree, PATH) : symlinkat("/etc/passwd", tree.root, PATH), 0);
	open_again();
	ck_assert_str_eq(all(), "");
	ck_assert_int_gt(set_aside(), 0);
	add(1);
	ck_assert_str_eq(all(), "1 ");
	finish();
}
END_TEST

START_TEST(what_is_kept_stays)
{
	for (uint32_t i = 1; i <= 5; i++)
		add(i);
	ck_assert_int_eq(waiting_keep(&waiting, keep_odd, NULL), 0);
	ck_assert_str_eq(all(), "1 3 5 ");
	open_again();
	ck_assert_str_eq(all(), "1 3 5 ");
	ck_assert_int_eq(waiting_keep(&waiting, keep_none, NULL), 0);
	ck_assert_int_eq(size(), -1);
	ck_assert_str_eq(all(), "");
	add(7);
	ck_assert_str_eq(all(), "7 ");
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_waiting");
	TCase *c = tcase_create("store_waiting");
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, what_is_added_is_read);
	tcase_add_test(c, a_cut_record_ends_it);
	tcase_add_test(c, damage_keeps_nothing_else);
	tcase_add_loop_test(c, no_file_of_ours_is_put_aside, 0, 2);
	tcase_add_test(c, what_is_kept_stays);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
