/* A collector that dies, somebody who damages what it has left, and an agent that comes back: what
 * the tests of damage to the store have in common.
 *
 * A child process is the collector that dies (kill -9 at a chosen moment); then the test does the
 * damage, and the agent comes back as agents do: it asks where its stream stands and goes on from
 * there, back, too, for it has kept its file.
 *
 * Included by one file of a test program. */
#ifndef HAUL_TESTS_LIB_DAMAGED_STORE_H
#define HAUL_TESTS_LIB_DAMAGED_STORE_H

#include "tests/lib/wrap_io.h"

#include "tests/lib/make_batch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* So that the lines of the one before are in the files: the next answer comes after its append
 * began, a checkpoint when it has ended. */
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

static void look(void *user, const struct stream_row *row)
{
	struct make_source *s = user;
	if (stream_id_equal(&row->stream, &s->stream))
		make_seek(s, row->offset, row->crc);
}

/* The source as the collector knows it; at its start if it does not. */
static struct make_source at_the_collector(const struct make_source *s)
{
	struct make_source again = *s;
	again.offset = again.crc = again.lines = 0;
	ck_assert_int_eq(make_rows(store, HOST, look, &again), 0);
	return again;
}

/* The agent sends what the collector does not have. */
static void resend(struct make_source *s)
{
	struct make_source again = at_the_collector(s);
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

/* As every test ends: the agent is back, all lines are there once; so they are after another
 * restart, which finds nothing to do. */
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
	ck_assert_uint_eq(at_the_collector(a).offset, a->offset);
	close_it();
	expect(a);
	expect(b);
}

/* --- a test --- */

/* A command of the shell, in which $D is the data directory. */
static void shell(const char *command)
{
	ck_assert_int_eq(setenv("D", dir, 1), 0);
	ck_assert_msg(system(command) == 0, "%s", command);
}

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

#endif
