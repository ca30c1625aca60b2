/* The collector's store, killed at every write, sync and rename that it makes: before it, after it, and in
 * the middle of a write; while it works, and again while it recovers. And the same calls failing, one at a
 * time, with EIO or ENOSPC: then it may say no, but what it has said yes to stays.
 *
 * A child process plays the agents: it opens a session, asks where its streams stand, goes on from there,
 * and writes down in shared memory what was acknowledged. It ends at the I/O call that it was told. The
 * oracle: whatever was acknowledged is on disk, once and in order, and the streams say so. */
#include "tests/lib/wrap_io.h"

#include "common/crc64.h"
#include "tests/lib/make_batch.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { SOURCES = 4, ROUNDS = 6, LINES = 7 };

/* What outlives a child. */
struct shared {
	struct make_source sources[SOURCES]; /* as they were made */
	uint64_t acknowledged[SOURCES], sent[SOURCES];
	unsigned calls; /* I/O calls of the child */
};

static struct shared *shared;
static char dir[64];

/* --- ending at the n-th call --- */

static unsigned end_at; /* 0: never */
static enum wrap_action end_how;

static enum wrap_action count_and_end(const struct wrap_call *c)
{
	if (c->kind == WRAP_WRITE && c->fd == STDERR_FILENO)
		return WRAP_PASS;
	unsigned n = __atomic_add_fetch(&shared->calls, 1, __ATOMIC_RELAXED);
	return n == end_at ? end_how : WRAP_PASS;
}

/* --- an agent --- */

struct rows {
	bool done, failed;
	struct buf text;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t come = PTHREAD_COND_INITIALIZER;

static void rows_done(void *user, int result, struct span rows)
{
	struct rows *r = user;
	pthread_mutex_lock(&lock);
	if (result == 0)
		ck_assert_int_eq(buf_add_span(&r->text, rows), 0);
	r->failed = result < 0;
	r->done = true;
	pthread_cond_signal(&come);
	pthread_mutex_unlock(&lock);
}

static const char *host_of(size_t i)
{
	return i % 2 ? "web-02" : "web-01";
}

/* Lets the source go on where the collector stands: the lines up to there are made again. */
static void seek(struct make_source *s, uint64_t offset, uint64_t crc)
{
	struct buf ignored = BUF_EMPTY;
	while (s->offset < offset)
		make_chunk(&ignored, s, "h", 1);
	buf_free(&ignored);
	ck_assert_uint_eq(s->offset, offset);
	ck_assert_uint_eq(s->crc, crc);
}

static bool go_on(struct store *store, const char *host, struct make_source *sources)
{
	struct rows r = {0};
	ck_assert_int_eq(store_streams(store, span_of(host), NULL, 1000, rows_done, &r), 0);
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
		for (size_t i = 0; i < SOURCES; i++)
			if (stream_id_equal(&row.stream, &sources[i].stream))
				seek(&sources[i], row.offset, row.crc);
		buf_free(&scratch);
		rest = span_from(rest, end + 1);
	}
	buf_free(&r.text);
	return !r.failed;
}

static struct store_config config(void)
{
	/* Segments fill after some rounds, and checkpoints come often. */
	return (struct store_config){.segment_bytes = 2000, .checkpoint_bytes = 1500};
}

/* True: all was committed. False, only when `may_fail`: the store has failed and said so. */
static bool work(bool may_fail)
{
	struct store_config c = config();
	c.data_dir = dir;
	struct conf_error err;
	struct store *store = NULL;
	int opened = store_open(&c, &store, &err);
	ck_assert_msg(opened == 0 || may_fail, "store_open: %s", err.text);
	if (opened < 0)
		return false;
	uint64_t sessions[2];
	struct make_source sources[SOURCES];
	memcpy(sources, shared->sources, sizeof(sources));
	for (size_t i = 0; i < 2; i++) {
		int result;
		sessions[i] = make_session(store, host_of(i), "m", &result);
		ck_assert(result == 0 || (may_fail && result == -EIO));
		if (result < 0) {
			store_close(store);
			return false;
		}
		if (!go_on(store, host_of(i), sources)) {
			ck_assert(may_fail);
			store_close(store);
			return false;
		}
	}
	for (size_t i = 0; i < SOURCES; i++)
		ck_assert_uint_ge(sources[i].lines, shared->acknowledged[i]);
	bool failed = false;
	for (int round = 0; round < ROUNDS && !failed; round++) {
		struct make_answer answers[SOURCES];
		for (size_t i = 0; i < SOURCES; i++) {
			struct buf body = BUF_EMPTY;
			make_chunk(&body, &sources[i], host_of(i), LINES);
			if (sources[i].lines > shared->sent[i])
				shared->sent[i] = sources[i].lines;
			make_submit(store, host_of(i), sessions[i % 2], buf_span(&body),
				    &answers[i]);
			buf_free(&body);
		}
		for (size_t i = 0; i < SOURCES; i++) {
			make_wait(&answers[i]);
			ck_assert(answers[i].result == 0 ||
				  (may_fail && answers[i].result == -EIO));
			failed |= answers[i].result < 0;
			if (answers[i].result == 0) {
				ck_assert_int_eq((int)answers[i].verdicts[0].status,
						 CHUNK_COMMITTED);
				shared->acknowledged[i] = sources[i].lines;
			}
			make_answer_free(&answers[i]);
		}
	}
	store_close(store);
	return !failed;
}

/* Works in a child that ends at its n-th call. True: it did end there. */
static bool work_until(unsigned n, enum wrap_action how)
{
	shared->calls = 0;
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		end_at = n;
		end_how = how;
		wrap_hook = count_and_end;
		(void)work(how == WRAP_FAIL);
		_exit(0);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "ended by signal %d at call %u", WTERMSIG(status), n);
	ck_assert_msg(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == WRAP_EXIT_CODE,
		      "exit %d at call %u", WEXITSTATUS(status), n);
	return WEXITSTATUS(status) == WRAP_EXIT_CODE;
}

static void check_all(void)
{
	struct make_lines l;
	make_read_archive(dir, &l);
	for (size_t i = 0; i < SOURCES; i++)
		make_check(&l, shared->sources[i].name, shared->acknowledged[i], shared->sent[i]);
	make_lines_free(&l);
}

static void begin(void)
{
	(void)snprintf(dir, sizeof(dir), "%s/haul-test-crash-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	memset(shared, 0, sizeof(*shared));
	for (size_t i = 0; i < SOURCES; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "s%zu", i);
		make_source(&shared->sources[i], i < 3 ? "checkout" : "cart", name);
	}
}

static void end(void)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void setup(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
}

static unsigned calls_of_a_run(void)
{
	begin();
	ck_assert(!work_until(0, WRAP_PASS));
	unsigned calls = shared->calls;
	check_all();
	end();
	return calls;
}

static const enum wrap_action hows[] = {WRAP_END_BEFORE, WRAP_END_AFTER, WRAP_END_HALF};

/* Ended once, anywhere; then it works to the end. */
START_TEST(at_every_call)
{
	unsigned calls = calls_of_a_run();
	/* All of them with HAUL_TORTURE; else every fifth, beginning at another one for each way to end. */
	unsigned step = getenv("HAUL_TORTURE") ? 1 : 5;
	for (unsigned n = 1 + (unsigned)_i; n < calls; n += step) {
		begin();
		(void)work_until(n, hows[_i]);
		ck_assert(!work_until(0, WRAP_PASS));
		check_all();
		end();
	}
}
END_TEST

/* Ended in the work, then in the recovery, then in the recovery of that, ... */
START_TEST(again_and_again)
{
	unsigned calls = calls_of_a_run();
	srand((unsigned)_i + 1);
	begin();
	for (int i = 0; i < 40; i++)
		(void)work_until(1 + (unsigned)rand() % (i % 3 ? 60 : calls), hows[rand() % 3]);
	ck_assert(!work_until(0, WRAP_PASS));
	check_all();
	end();
}
END_TEST

/* One call fails, once; the store is closed, opened again, and works to the end. */
START_TEST(failing)
{
	static const int errors[] = {EIO, ENOSPC};
	wrap_errno = errors[_i];
	unsigned calls = calls_of_a_run(), step = getenv("HAUL_TORTURE") ? 1 : 4;
	for (unsigned n = 1 + (unsigned)_i; n < calls; n += step) {
		begin();
		ck_assert(!work_until(n, WRAP_FAIL));
		ck_assert(!work_until(0, WRAP_PASS));
		check_all();
		end();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_crash");
	TCase *tcase = tcase_create("crash");
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_set_timeout(tcase, 280);
	tcase_add_loop_test(tcase, at_every_call, 0, 3);
	tcase_add_loop_test(tcase, again_and_again, 0, 4);
	tcase_add_loop_test(tcase, failing, 0, 2);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
