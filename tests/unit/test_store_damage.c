/* What somebody or something has done to the archive, the WAL or the ledger: the store opens, says it, and
 * loses nothing that is still anywhere.
 *
 * A child process is the collector that dies (kill -9 at a chosen moment); then the test does the damage,
 * and the agent comes back as agents do: it asks where its stream stands and goes on from there, back, too,
 * for it has kept its file. */
#include "tests/lib/wrap_io.h"

#include "collector/store/wal_scan.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/num.h"
#include "tests/lib/make_batch.h"

#include <check.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HOST "web-01"

static char dir[64];
static struct store *store;
static uint64_t session;
static struct make_source *a, *b; /* shared with children */

/* --- a collector that dies --- */

static int appends_left = -1; /* -1: any number; the process ends before the next one */

static enum wrap_action end_before_append(const struct wrap_call *c)
{
	bool append = c->kind == WRAP_WRITE && c->offset < 0 && c->fd != STDERR_FILENO;
	return append && appends_left-- == 0 ? WRAP_END_BEFORE : WRAP_PASS;
}

static void in_child(void (*work)(void))
{
	pid_t pid = fork();
	if (pid == 0) {
		store = make_store(dir, NULL);
		session = make_session(store, HOST, "m", NULL);
		work();
		wrap_end();
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, WRAP_EXIT_CODE << 8);
}

static void send(struct make_source *s, size_t n)
{
	ck_assert_int_eq((int)make_send(store, HOST, session, s, n), CHUNK_COMMITTED);
}

/* So that the lines of the one before are in the files: the next answer comes after its append began, a
 * checkpoint when it has ended. */
static void wait_for_appends(void)
{
	struct store_counters n;
	do
		store_counters(store, &n);
	while (n.queued_submissions);
}

/* Ten records, alternating; all is written, nothing is in the ledger but the session. */
static void ten_records(void)
{
	for (int i = 0; i < 5; i++) {
		send(a, 10);
		send(b, 10);
	}
	wait_for_appends();
}

static void ten_records_and_a_checkpoint(void)
{
	ten_records();
	ck_assert_int_eq(store_checkpoint(store), 0);
	ten_records();
}

/* --- an agent that comes back --- */

struct rows {
	bool done;
	struct buf text;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t come = PTHREAD_COND_INITIALIZER;

static void rows_done(void *user, int result, struct span rows)
{
	struct rows *r = user;
	ck_assert_int_eq(result, 0);
	pthread_mutex_lock(&lock);
	ck_assert_int_eq(buf_add_span(&r->text, rows), 0);
	r->done = true;
	pthread_cond_signal(&come);
	pthread_mutex_unlock(&lock);
}

static bool position(const struct make_source *s, uint64_t *ret_offset, uint64_t *ret_crc)
{
	struct rows r = {0};
	bool found = false;
	ck_assert_int_eq(store_streams(store, SPAN_LITERAL(HOST), NULL, 100, rows_done, &r), 0);
	pthread_mutex_lock(&lock);
	while (!r.done)
		pthread_cond_wait(&come, &lock);
	pthread_mutex_unlock(&lock);
	for (struct span rest = buf_span(&r.text); rest.len;) {
		size_t end = span_find(rest, '\n');
		struct buf scratch = BUF_EMPTY;
		struct stream_row row;
		const char *why;
		ck_assert_int_eq(stream_row_decode(span_first(rest, end), &scratch, &row, &why), 0);
		if (stream_id_equal(&row.stream, &s->stream)) {
			*ret_offset = row.offset;
			*ret_crc = row.crc;
			found = true;
		}
		buf_free(&scratch);
		rest = span_from(rest, end + 1);
	}
	buf_free(&r.text);
	return found;
}

/* The agent sends what the collector does not have. */
static void resend(struct make_source *s)
{
	uint64_t offset = 0, crc = 0;
	(void)position(s, &offset, &crc);
	struct make_source again = *s;
	again.offset = again.crc = again.lines = 0;
	struct buf ignored = BUF_EMPTY;
	while (again.offset < offset)
		make_chunk(&ignored, &again, HOST, 1);
	buf_free(&ignored);
	ck_assert_uint_eq(again.offset, offset);
	ck_assert_uint_eq(again.crc, crc);
	if (again.lines < s->lines)
		send(&again, s->lines - again.lines);
	ck_assert_uint_eq(again.offset, s->offset);
}

static void open_again(void)
{
	store = make_store(dir, NULL);
	session = make_session(store, HOST, "m", NULL);
}

static void close_it(void)
{
	store_close(store);
	store = NULL;
}

static void expect(const struct make_source *s)
{
	struct make_lines l;
	make_read_archive(dir, &l);
	make_check(&l, s->name, s->lines, s->lines);
	make_lines_free(&l);
}

/* As every test ends: the agent is back, all lines are there once; so they are after another restart,
 * which finds nothing to do. */
static void all_is_well(void)
{
	open_again();
	resend(a);
	resend(b);
	send(a, 3);
	send(b, 3);
	close_it();
	expect(a);
	expect(b);
	open_again();
	uint64_t offset, crc;
	ck_assert(position(a, &offset, &crc));
	ck_assert_uint_eq(offset, a->offset);
	close_it();
	expect(a);
	expect(b);
}

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

/* A command of the shell, in which $D is the data directory. */
static void shell(const char *command)
{
	ck_assert_int_eq(setenv("D", dir, 1), 0);
	ck_assert_msg(system(command) == 0, "%s", command);
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
	uint64_t offset, crc;
	ck_assert(position(a, &offset, &crc));
	ck_assert_uint_eq(offset, a->offset);
	ck_assert(position(b, &offset, &crc));
	ck_assert_uint_eq(offset, b->offset);
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

/* --- files, while the collector is down --- */

START_TEST(segment_cut_before_it_was_in_the_ledger)
{
	in_child(ten_records);
	/* All of it is still in the WAL. */
	shell("truncate -s -500 $D/20*/checkout/web-01.log");
	all_is_well();
}
END_TEST

START_TEST(segment_deleted_before_it_was_in_the_ledger)
{
	in_child(ten_records);
	shell("rm $D/20*/checkout/web-01.log");
	all_is_well();
}
END_TEST

START_TEST(note_with_lf_appended)
{
	in_child(ten_records);
	shell("echo 'checked by ops' >>$(ls $D/20*/checkout/web-01.log)");
	all_is_well();
	shell("grep -rqx 'checked by ops' $D/20*");
}
END_TEST

START_TEST(note_without_lf_appended)
{
	in_child(ten_records);
	shell("printf 'checked by ops' >>$(ls $D/20*/checkout/web-01.log)");
	open_again();
	resend(a);
	send(a, 1);
	close_it();
	/* The note's file was closed as it is; our lines are in the next one. */
	shell("tail -c 14 $D/20*/checkout/web-01.0001.log | grep -qx 'checked by ops'");
	shell("test -s $D/20*/checkout/web-01.log");
	shell("echo >>$(ls $D/20*/checkout/web-01.0001.log)");
	expect(a);
}
END_TEST

static void die_before_an_append(void)
{
	send(a, 10);
	wait_for_appends();
	appends_left = 0;
	wrap_hook = end_before_append;
	send(a, 10);
	wait_for_appends();
}

START_TEST(note_appended_where_lines_were_to_stand)
{
	in_child(die_before_an_append);
	shell("echo 'checked by ops' >>$(ls $D/20*/checkout/web-01.log)");
	struct buf ignored = BUF_EMPTY;
	struct make_source again = *a;
	again.offset = again.crc = again.lines = 0;
	make_chunk(&ignored, &again, HOST, 20);
	buf_free(&ignored);
	*a = again;
	all_is_well();
	shell("grep -rqx 'checked by ops' $D/20*");
}
END_TEST

START_TEST(segment_cut_that_only_the_ledger_knows)
{
	in_child(ten_records_and_a_checkpoint);
	open_again();
	close_it(); /* now nothing of it is in the WAL */
	shell("truncate -s 100 $D/20*/checkout/web-01.log");
	open_again();
	send(a, 5);
	send(b, 5);
	close_it();
	/* What was cut is gone; what came since stands in the next segment, and nothing is there twice. */
	shell("test $(stat -c %s $D/20*/checkout/web-01.0001.log) = 100");
	shell("test $(wc -l <$(ls $D/20*/checkout/web-01.log)) = 10");
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/.haul/ledger.db", dir);
	sqlite3 *db;
	sqlite3_stmt *s;
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_prepare_v2(db, "SELECT what, from_byte FROM archive_note", -1, &s, NULL),
		SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(s, 0), "cut");
	ck_assert_int_eq(sqlite3_column_int(s, 1), 100);
	sqlite3_finalize(s);
	sqlite3_close(db);
}
END_TEST

START_TEST(tree_copied_elsewhere)
{
	in_child(ten_records_and_a_checkpoint);
	/* Other inodes everywhere. */
	shell("cp -a $D $D.copy && rm -rf $D");
	shell("mv $D.copy $D");
	all_is_well();
	shell("test ! -e $D/.haul/quarantine");
}
END_TEST

/* --- files, while the collector runs --- */

static const char *const deeds[] = {
	": >$(ls $D/20*/checkout/web-01.log)",                        /* > file */
	"truncate -s 100 $D/20*/checkout/web-01.log",                 /* cut */
	"rm $D/20*/checkout/web-01.log",                              /* find -delete */
	"rm -r $D/20*",                                               /* the whole day */
	"f=$(ls $D/20*/checkout/web-01.log); mv $f $f.1",             /* logrotate, no create */
	"f=$(ls $D/20*/checkout/web-01.log); mv $f $f.1; : >$f",      /* create */
	"f=$(ls $D/20*/checkout/web-01.log); mv $f $f.1; echo x >$f", /* somebody's own */
	"f=$(ls $D/20*/checkout/web-01.log); cp $f $f.1; : >$f",      /* copytruncate */
	"echo note >>$(ls $D/20*/checkout/web-01.log)",
	"printf note >>$(ls $D/20*/checkout/web-01.log)",
};

START_TEST(while_it_runs)
{
	open_again();
	send(a, 10);
	wait_for_appends();
	shell(deeds[_i]);
	for (int i = 0; i < 3; i++) {
		send(a, 10);
		wait_for_appends();
	}
	close_it();
	/* What came after the deed is there, whole, in one live file. */
	shell("test $(grep -c ' a [0-9]*$' $(ls $D/20*/checkout/web-01.log)) = 30");
	open_again();
	send(a, 10);
	close_it();
	shell("test $(grep -c ' a [0-9]*$' $(ls $D/20*/checkout/web-01.log)) = 40");
}
END_TEST

/* The same, and it dies right behind the move: recovery puts the lines where they belong. */
static unsigned calls_left;

static enum wrap_action end_after_calls(const struct wrap_call *c)
{
	if (c->kind == WRAP_WRITE && c->fd == STDERR_FILENO)
		return WRAP_PASS;
	return __atomic_fetch_sub(&calls_left, 1, __ATOMIC_RELAXED) == 1 ? WRAP_END_BEFORE
									 : WRAP_PASS;
}

static const char *deed;

static void do_deed_and_die(void)
{
	send(a, 10);
	wait_for_appends();
	shell(deed);
	wrap_hook = end_after_calls;
	for (int i = 0; i < 3; i++)
		send(a, 10);
	store_close(store);
}

/* The file that was taken away had the first ten lines. What of it is still in the WAL comes back. */
static void expect_from_1_or_11(const struct make_source *s)
{
	struct make_lines l;
	make_read_archive(dir, &l);
	ck_assert_uint_gt(l.n, 0);
	ck_assert(l.numbers[0] == 1 || l.numbers[0] == 11);
	for (size_t i = 0; i < l.n; i++)
		ck_assert_uint_eq(l.numbers[i], l.numbers[0] + i);
	ck_assert_uint_eq(l.numbers[l.n - 1], s->lines);
	make_lines_free(&l);
}

START_TEST(while_it_runs_and_dies)
{
	static const int kind[] = {4, 5, 6, 7, 8};
	for (unsigned n = 1; n < 40; n++) {
		deed = deeds[kind[_i]];
		calls_left = n;
		in_child(do_deed_and_die);
		shell("rm -f $D/20*/checkout/web-01.log.1");
		open_again();
		uint64_t offset = 0, crc;
		ck_assert(position(a, &offset, &crc));
		struct make_source again = *a;
		again.offset = again.crc = again.lines = 0;
		struct buf ignored = BUF_EMPTY;
		while (again.offset < offset)
			make_chunk(&ignored, &again, HOST, 10);
		buf_free(&ignored);
		*a = again;
		send(a, 1);
		close_it();
		expect_from_1_or_11(a);
		shell("rm -rf $D/* $D/.haul");
		make_source(a, "checkout", "a");
	}
}
END_TEST

static void setup(void)
{
	(void)snprintf(dir, sizeof(dir), "%s/haul-test-damage-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	struct make_source *shared = mmap(NULL, 2 * sizeof(*shared), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	a = &shared[0];
	b = &shared[1];
	make_source(a, "checkout", "a");
	make_source(b, "checkout", "b");
}

static void teardown(void)
{
	shell("rm -rf $D");
	munmap(a, 2 * sizeof(*a));
}

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
	tcase_add_test(tcase, segment_cut_before_it_was_in_the_ledger);
	tcase_add_test(tcase, segment_deleted_before_it_was_in_the_ledger);
	tcase_add_test(tcase, note_with_lf_appended);
	tcase_add_test(tcase, note_without_lf_appended);
	tcase_add_test(tcase, note_appended_where_lines_were_to_stand);
	tcase_add_test(tcase, segment_cut_that_only_the_ledger_knows);
	tcase_add_test(tcase, tree_copied_elsewhere);
	tcase_add_loop_test(tcase, while_it_runs, 0, (int)(sizeof(deeds) / sizeof(deeds[0])));
	tcase_add_loop_test(tcase, while_it_runs_and_dies, 0, 5);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
