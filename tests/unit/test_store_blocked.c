/* A directory of the archive that the collector may not write: what is to stand there waits,
 * everything else goes on; and wherever the process is killed while it finds out, or while it makes
 * up for it, each line stands once in the end. */
#include "tests/lib/wrap_io.h"

#include "tests/lib/make_batch.h"
#include "tests/lib/temp_dir.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HOST   "web-01"
#define NOBODY 65534

static char dir[64];
static struct store *store;
static uint64_t session;
static struct make_source *shut, *fine; /* shared with children */

/* Root may write everywhere. */
static void be_nobody(void)
{
	ck_assert_int_eq(chown(dir, NOBODY, NOBODY), 0);
	ck_assert_int_eq(seteuid(NOBODY), 0);
}

static void setup(void)
{
	shut = mmap(NULL, 2 * sizeof(*shut), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	ck_assert_ptr_ne(shut, MAP_FAILED);
	fine = shut + 1;
}

static void begin(void)
{
	(void)snprintf(dir, sizeof(dir), "%s/haul-test-blocked-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	temp_dir_make(dir);
	if (geteuid() == 0)
		be_nobody();
	make_source(shut, "shut", "shut");
	make_source(fine, "fine", "fine");
}

static void set_mode(mode_t mode)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "chmod %o %s/[0-9]*/shut", (unsigned)mode, dir);
	ck_assert_int_eq(system(command), 0);
}

static void finish(void)
{
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	temp_dir_remove(dir);
}

static void open_store(void)
{
	store = make_store(dir, NULL);
	session = make_session(store, HOST, "m", NULL);
}

static void close_it(void)
{
	store_close(store);
	store = NULL;
}

static enum chunk_status send(struct make_source *s, size_t n)
{
	struct make_source tried = *s;
	enum chunk_status status = make_send(store, HOST, session, &tried, n);
	if (status == CHUNK_COMMITTED)
		*s = tried;
	return status;
}

static void expect_all(void)
{
	struct make_lines l;
	make_read_archive(dir, &l);
	make_check(&l, "shut", shut->lines, shut->lines);
	make_check(&l, "fine", fine->lines, fine->lines);
	make_lines_free(&l);
}

/* --- dying --- */

static unsigned calls_left; /* 0: any number */

static enum wrap_action end_at_last(const struct wrap_call *c)
{
	if (c->kind == WRAP_WRITE && c->fd == STDERR_FILENO)
		return WRAP_PASS;
	return calls_left && --calls_left == 0 ? WRAP_END_BEFORE : WRAP_PASS;
}

/* True: it ended at that call. */
static bool in_child(void (*work)(void), unsigned calls)
{
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		calls_left = calls;
		wrap_hook = end_at_last;
		work();
		_exit(0);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == WRAP_EXIT_CODE);
	return WEXITSTATUS(status) == WRAP_EXIT_CODE;
}

/* Some lines are in the ledger, others only in the log and in the files. */
static void write_and_die(void)
{
	open_store();
	ck_assert_int_eq((int)send(shut, 10), CHUNK_COMMITTED);
	ck_assert_int_eq((int)send(fine, 10), CHUNK_COMMITTED);
	ck_assert_int_eq(store_checkpoint(store), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq((int)send(shut, 10), CHUNK_COMMITTED);
		ck_assert_int_eq((int)send(fine, 10), CHUNK_COMMITTED);
	}
	wrap_end();
}

static void open_and_close(void)
{
	store = make_store(dir, NULL);
	close_it();
}

/* --- tests --- */

START_TEST(found_out_and_made_up_for_at_every_call)
{
	bool first = true, second = true;
	unsigned step = getenv("HAUL_TORTURE") ? 2 : 8;
	for (unsigned n = 1 + (unsigned)_i; first || second; n += step) {
		begin();
		ck_assert(in_child(write_and_die, 0));
		set_mode(0);
		first = in_child(open_and_close, n);
		ck_assert(!in_child(open_and_close, 0));
		set_mode(0750);
		second = in_child(open_and_close, n);
		open_store();
		char what[256];
		ck_assert_uint_eq(store_blocked(store, what, sizeof(what)), 0);
		ck_assert_int_eq((int)send(shut, 3), CHUNK_COMMITTED);
		ck_assert_int_eq((int)send(fine, 3), CHUNK_COMMITTED);
		close_it();
		expect_all();
		finish();
	}
}
END_TEST

START_TEST(while_it_runs)
{
	char what[256] = "";
	begin();
	open_store();
	ck_assert_int_eq((int)send(shut, 10), CHUNK_COMMITTED);
	ck_assert_int_eq(store_checkpoint(store), 0);
	set_mode(0);
	ck_assert_int_eq((int)send(shut, 10), CHUNK_COMMITTED); /* it is in the log */
	while (store_failure(store, what, sizeof(what)) == 0)
		(void)usleep(1000); /* the test's own time limit ends it */
	close_it();

	open_store();
	ck_assert_uint_eq(store_blocked(store, what, sizeof(what)), 1);
	ck_assert_ptr_nonnull(strstr(what, "/shut cannot be written: Permission denied"));
	ck_assert_int_eq((int)send(shut, 5), CHUNK_CONFLICT);
	ck_assert_int_eq((int)send(fine, 5), CHUNK_COMMITTED);
	struct make_source other;
	make_source(&other, "shut", "another");
	ck_assert_int_eq((int)make_send(store, HOST, session, &other, 1), CHUNK_CONFLICT);
	struct store_counters counters;
	store_counters(store, &counters);
	ck_assert_uint_eq(counters.blocked_chunks, 2);
	ck_assert_uint_eq(counters.blocked_places, 1);
	ck_assert(!store_unblocked(store));
	set_mode(0750);
	ck_assert(store_unblocked(store));
	close_it();

	open_store();
	ck_assert_int_eq((int)send(shut, 5), CHUNK_COMMITTED);
	close_it();
	expect_all();
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_blocked");
	TCase *c = tcase_create("store_blocked");
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, found_out_and_made_up_for_at_every_call, 0, 2);
	tcase_add_test(c, while_it_runs);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
