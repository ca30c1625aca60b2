/* The log's files: made longer than what they hold, used again with all their old bytes, and read
 * by recovery as if they were neither. */
#include "collector/store/tree.h"
#include "collector/store/wal.h"
#include "collector/store/wal_end.h"
#include "common/crc64.h"
#include "common/file.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES = 1 << 16, BODY = 3000 };

static char dir[128];
static struct tree tree;
static struct room room;
static struct wal_files *files;
static struct wal *wal;
static int wal_dir;
static uint64_t lsn;

static void setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/haul-test-wal-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(tree_open(dir, &tree), 0);
	room_init(&room, &tree, (struct conf_amount){0});
	wal_dir = tree_open_dir(&tree, TREE_WAL);
	ck_assert_int_ge(wal_dir, 0);
	ck_assert_int_eq(wal_files_open(wal_dir, &room, FILE_BYTES, 1, &files), 0);
	ck_assert_int_eq(wal_files_prepare(files), 0);
	ck_assert_int_eq(wal_open(files, "01234567-89ab-cdef-0123-456789abcdef", &wal), 0);
	lsn = 0;
	wal_switch(wal, 1);
}

static void teardown(void)
{
	wal_close(wal);
	wal_files_close(files);
	room_destroy(&room);
	file_close(&wal_dir);
	tree_close(&tree);
	char command[256];
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* A record whose body is so long and full of its LSN. */
static void write_record(size_t len)
{
	static char body[FILE_BYTES];
	struct wal_group g = {0};
	memset(body, (int)('a' + ++lsn % 26), len);
	ck_assert_int_eq(wal_group_begin(&g), 0);
	ck_assert_int_eq(buf_add(&g.bytes, "meta", 4), 0);
	ck_assert_int_eq(
		wal_group_end(&g, 1, lsn, span_make(body, len), crc64_add(CRC64_EMPTY, body, len)),
		0);
	ck_assert_int_eq(wal_write(wal, &g), 0);
	ck_assert_int_eq(wal_sync(wal, lsn), 0);
	wal_group_free(&g);
}

static bool nothing_stands(void *user, const struct wal_entry *e)
{
	(void)user;
	(void)e;
	return false;
}

/* Recovery finds all records behind `base`, whole, and nothing to cut or to tell. Of those before
 * it nothing is asked: the thread that makes files ready may take theirs while this looks. */
static void expect(uint64_t base)
{
	struct wal_log log;
	uint64_t next = base + 1;
	ck_assert_int_eq(wal_scan(wal_dir, 0, &log), 0);
	for (size_t i = 0; i < log.n_entries; i++) {
		if (log.entries[i].head.lsn <= base)
			continue;
		ck_assert_int_eq((int)log.entries[i].state, WAL_ENTRY_GOOD);
		ck_assert_uint_eq(log.entries[i].head.lsn, next++);
	}
	ck_assert_uint_eq(next, lsn + 1);
	ck_assert_uint_eq(log.n_junk, 0);
	struct wal_end end = wal_find_end(&log, base, nothing_stands, NULL);
	ck_assert_uint_eq(end.last_lsn, lsn);
	ck_assert(!end.cut);
	wal_log_free(&log);
}

static uint64_t size_of(uint64_t sequence)
{
	char name[WAL_NAME_LEN + 1];
	struct stat st;
	wal_format_name(name, WAL_RECORDS, sequence);
	return fstatat(wal_dir, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

START_TEST(a_file_has_room_behind_its_records)
{
	for (size_t i = 0; i < 40; i++) {
		write_record(i * 37);
		expect(0);
	}
	ck_assert_uint_gt(size_of(1), 0);
	ck_assert_uint_eq(size_of(1) % WAL_BLOCK, 0);
}
END_TEST

/* The log goes over to the next file, and comes around to the first. */
START_TEST(files_are_used_again)
{
	for (int round = 0; round < 20; round++) {
		uint64_t before = lsn;
		write_record(BODY + (size_t)rand() % BODY);
		write_record((size_t)rand() % BODY);
		ck_assert_int_eq(wal_files_prepare(files), 0);
		wal_switch(wal, lsn + 1);
		ck_assert_int_eq(wal_files_drop(files, before, true), 0);
		expect(before);
		ck_assert_uint_le(wal_files_count(files), 2);
	}
	ck_assert_int_eq(wal_files_drop(files, lsn, false), 0);
	ck_assert_uint_eq(size_of(1), 0);
	expect(lsn);
}
END_TEST

/* When much comes in, files are there before they are needed, and then there are always the same
 * few. */
START_TEST(a_full_file_is_followed_by_the_next)
{
	uint64_t base = 0;
	for (int i = 1; i <= 400; i++) {
		write_record((size_t)rand() % BODY);
		if (i % 20 == 0) {
			ck_assert_int_eq(wal_files_drop(files, base, true), 0);
			expect(base);
			base = lsn - 10;
		}
	}
	write_record(2 * FILE_BYTES / 3);
	write_record(2 * FILE_BYTES / 3);
	write_record(FILE_BYTES); /* more than a file is made for */
	write_record(0);
	expect(base);
}
END_TEST

/* A record that a crash has left unfinished in a file with old bytes behind it: what is whole
 * stays, the rest goes. */
START_TEST(torn_among_old_bytes)
{
	for (int i = 0; i < 4; i++)
		write_record(BODY);
	while (size_of(1)) { /* until it is another one */
		ck_assert_int_eq(wal_files_prepare(files), 0);
		wal_switch(wal, lsn + 1);
		write_record(100);
		ck_assert_int_eq(wal_files_drop(files, lsn, true), 0);
	}
	uint64_t whole = lsn;
	write_record(BODY);
	struct wal_log log;
	ck_assert_int_eq(wal_scan(wal_dir, 0, &log), 0);
	const struct wal_entry *e = &log.entries[log.n_entries - 1];
	ck_assert_uint_eq(e->head.lsn, lsn);
	char name[WAL_NAME_LEN + 1];
	wal_format_name(name, WAL_RECORDS, log.files[e->file].sequence);
	int fd = openat(wal_dir, name, O_RDWR | O_CLOEXEC);
	/* Its head, its meta, or its body. */
	uint64_t at = e->at + (uint64_t[]){20, WAL_RECORD_HEAD + 1, WAL_RECORD_HEAD + 1000}[_i];
	ck_assert_int_eq(pwrite(fd, "torn", 4, (off_t)at), 4);
	file_close(&fd);
	wal_log_free(&log);

	ck_assert_int_eq(wal_scan(wal_dir, 0, &log), 0);
	struct wal_end end = wal_find_end(&log, 0, nothing_stands, NULL);
	ck_assert_uint_eq(end.last_lsn, whole);
	ck_assert(end.cut);
	ck_assert_int_eq(wal_cut(wal_dir, &log, &end), 0);
	wal_log_free(&log);
	ck_assert_int_eq(wal_scan(wal_dir, 0, &log), 0);
	ck_assert_uint_eq(log.entries[log.n_entries - 1].head.lsn, whole);
	ck_assert_uint_eq(log.n_junk, 0);
	wal_log_free(&log);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_wal");
	TCase *tcase = tcase_create("wal");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_file_has_room_behind_its_records);
	tcase_add_test(tcase, files_are_used_again);
	tcase_add_test(tcase, a_full_file_is_followed_by_the_next);
	tcase_add_loop_test(tcase, torn_among_old_bytes, 0, 3);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
