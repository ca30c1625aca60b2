/* Damage to the log and the ledger: the store opens, says it, and loses nothing that is still
 * anywhere. */
#include "tests/lib/damaged_store.h"

#include "collector/store/wal_scan.h"
#include "common/file.h"

#include <check.h>
#include <fcntl.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

/* --- damage --- */

static const char *path_of(const char *pattern)
{
	static char path[256];
	char full[256];
	(void)snprintf(full, sizeof(full), "%s/%s", dir, pattern);
	glob_t g;
	ck_assert_msg(glob(full, 0, NULL, &g) == 0, "%s: no such file", full);
	(void)snprintf(path, sizeof(path), "%s", g.gl_pathv[g.gl_pathc - 1]);
	globfree(&g);
	return path;
}

static void change_byte(const char *path, uint64_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	char c;
	ck_assert_int_eq(pread(fd, &c, 1, (off_t)at), 1);
	c = (char)~c;
	ck_assert_int_eq(pwrite(fd, &c, 1, (off_t)at), 1);
	file_close(&fd);
}

/* The n-th record from the end of the WAL (0: the last). */
static struct wal_entry record(size_t n, char ret_path[256])
{
	(void)snprintf(ret_path, 256, "%s/.haul/wal", dir);
	int fd = open(ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct wal_log log;
	ck_assert_int_eq(wal_scan(fd, 0, &log), 0);
	ck_assert_uint_gt(log.n_entries, n);
	struct wal_entry e = log.entries[log.n_entries - 1 - n];
	char name[WAL_NAME_LEN + 1];
	wal_format_name(name, WAL_RECORDS, log.files[e.file].sequence);
	(void)snprintf(ret_path, 256, "%s/.haul/wal/%s", dir, name);
	wal_log_free(&log);
	file_close(&fd);
	return e;
}

enum part { HEAD, META, BODY };

static void damage_record(size_t n, enum part part)
{
	char path[256];
	struct wal_entry e = record(n, path);
	change_byte(path, e.at + (part == HEAD   ? 8
				  : part == META ? WAL_RECORD_HEAD + 40
						 : WAL_RECORD_HEAD + e.head.meta_len + 20));
}

/* --- the WAL --- */

START_TEST(damaged_lines_on_disk)
{
	in_child(ten_records);
	damage_record((size_t)_i % 10, (enum part)(_i / 10));
	open_again();
	/* Nothing is lost: the streams stand where they stood. */
	ck_assert_uint_eq(at_the_collector(a).offset, a->offset);
	ck_assert_uint_eq(at_the_collector(b).offset, b->offset);
	close_it();
	all_is_well();
}
END_TEST

START_TEST(wal_zeroed_in_the_middle)
{
	in_child(ten_records);
	char path[256];
	struct wal_entry from = record(7, path), to = record(2, path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	for (uint64_t at = from.at - 3; at < to.at + 5; at++)
		ck_assert_int_eq(pwrite(fd, "", 1, (off_t)at), 1);
	file_close(&fd);
	all_is_well();
}
END_TEST

START_TEST(wal_deleted_mirror_left)
{
	in_child(ten_records);
	shell("rm $D/.haul/wal/*.wal");
	all_is_well();
}
END_TEST

static void die_before_the_last_append(void)
{
	send(a, 10);
	send(b, 10);
	send(a, 10);
	wait_for_appends();
	appends_left = 0;
	wrap_hook = end_before_append;
	send(b, 10);
	wait_for_appends();
}

START_TEST(last_record_damaged_lines_nowhere)
{
	in_child(die_before_the_last_append);
	b->lines = 20; /* the agent has it, but died with the collector before the answer came */
	struct buf ignored = BUF_EMPTY;
	struct make_source again = *b;
	again.offset = again.crc = again.lines = 0;
	make_chunk(&ignored, &again, HOST, 20);
	*b = again;
	buf_free(&ignored);
	damage_record(0, (enum part)_i);
	all_is_well();
}
END_TEST

START_TEST(torn_tail)
{
	in_child(ten_records);
	char path[256];
	struct wal_entry e = record(0, path);
	/* Cut in the middle of the last record; its lines are on disk. */
	ck_assert_int_eq(truncate(path, (off_t)(e.at + WAL_RECORD_HEAD + e.head.meta_len + 10)), 0);
	all_is_well();
}
END_TEST

/* --- the ledger --- */

START_TEST(ledger_deleted)
{
	in_child(ten_records_and_a_checkpoint);
	shell("rm $D/.haul/ledger.db");
	all_is_well();
}
END_TEST

START_TEST(everything_called_ledger_deleted)
{
	in_child(ten_records_and_a_checkpoint);
	shell("rm $D/.haul/ledger*");
	all_is_well();
}
END_TEST

START_TEST(ledger_zeroed)
{
	in_child(ten_records_and_a_checkpoint);
	shell("dd if=/dev/zero of=$D/.haul/ledger.db bs=4096 count=8 conv=notrunc status=none");
	all_is_well();
	(void)path_of(".haul/quarantine/ledger.db-*");
}
END_TEST

START_TEST(ledger_emptied)
{
	in_child(ten_records_and_a_checkpoint);
	shell("truncate -s 0 $D/.haul/ledger.db");
	all_is_well();
}
END_TEST

START_TEST(ledger_damaged_in_a_page)
{
	in_child(ten_records_and_a_checkpoint);
	shell("dd if=/dev/urandom of=$D/.haul/ledger.db bs=4096 seek=3 count=5 conv=notrunc "
	      "status=none");
	all_is_well();
}
END_TEST

static void copy_ledger_in_between(void)
{
	ten_records();
	ck_assert_int_eq(store_checkpoint(store), 0);
	shell("cp $D/.haul/ledger.db $D/old.db");
	ten_records();
	ck_assert_int_eq(store_checkpoint(store), 0);
	ten_records();
	ck_assert_int_eq(store_checkpoint(store), 0);
	ten_records();
}

START_TEST(older_ledger_put_back)
{
	in_child(copy_ledger_in_between);
	shell("mv $D/old.db $D/.haul/ledger.db");
	all_is_well();
}
END_TEST

START_TEST(ledger_and_copies_deleted_wal_left)
{
	in_child(ten_records);
	shell("rm -f $D/.haul/ledger* $D/.haul/wal/snapshot.db");
	all_is_well();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_damage");
	TCase *tcase = tcase_create("damage");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, damaged_lines_on_disk, 0, 30);
	tcase_add_test(tcase, wal_zeroed_in_the_middle);
	tcase_add_test(tcase, wal_deleted_mirror_left);
	tcase_add_loop_test(tcase, last_record_damaged_lines_nowhere, 0, 3);
	tcase_add_test(tcase, torn_tail);
	tcase_add_test(tcase, ledger_deleted);
	tcase_add_test(tcase, everything_called_ledger_deleted);
	tcase_add_test(tcase, ledger_zeroed);
	tcase_add_test(tcase, ledger_emptied);
	tcase_add_test(tcase, ledger_damaged_in_a_page);
	tcase_add_test(tcase, older_ledger_put_back);
	tcase_add_test(tcase, ledger_and_copies_deleted_wal_left);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
