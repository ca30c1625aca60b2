/* The collector's store, killed at every write, sync and rename that it makes: before it, after it,
 * and in the middle of a write; while it works, and again while it recovers. And the same calls
 * failing, one at a time, with EIO or ENOSPC: then it may say no, but what it has said yes to
 * stays.
 *
 * A child process plays the agents: it opens a session, asks where its streams stand, goes on from
 * there, and writes down in shared memory what was acknowledged. It ends at the I/O call that it
 * was told. The oracle: whatever was acknowledged is on disk, once and in order, and the streams
 * say so. */
#include "tests/lib/wrap_io.h"

#include "tests/lib/make_agents.h"

#include <assert.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* What outlives a child. */
struct shared {
	struct make_agents agents;
	unsigned calls; /* I/O calls of the child */
	char uuid[UUID_LEN + 1];
};

static struct shared *shared;

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
		(void)make_agents_work(&shared->agents, how == WRAP_FAIL);
		_exit(0);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "ended by signal %d at call %u", WTERMSIG(status), n);
	ck_assert_msg(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == WRAP_EXIT_CODE,
		      "exit %d at call %u", WEXITSTATUS(status), n);
	return WEXITSTATUS(status) == WRAP_EXIT_CODE;
}

static void setup(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
}

static unsigned calls_of_a_run(void)
{
	make_agents_begin(&shared->agents);
	ck_assert(!work_until(0, WRAP_PASS));
	unsigned calls = shared->calls;
	make_agents_check(&shared->agents);
	make_agents_end(&shared->agents);
	return calls;
}

static const enum wrap_action hows[] = {WRAP_END_BEFORE, WRAP_END_AFTER, WRAP_END_HALF};

/* Ended once, anywhere; then it works to the end. */
START_TEST(at_every_call)
{
	unsigned calls = calls_of_a_run();
	/* All of them with HAUL_TORTURE; else every fifth, beginning at another one for each way to
	 * end. */
	unsigned step = getenv("HAUL_TORTURE") ? 1 : 5;
	for (unsigned n = 1 + (unsigned)_i; n < calls; n += step) {
		make_agents_begin(&shared->agents);
		(void)work_until(n, hows[_i]);
		ck_assert(!work_until(0, WRAP_PASS));
		make_agents_check(&shared->agents);
		make_agents_end(&shared->agents);
	}
}
END_TEST

/* Ended in the work, then in the recovery, then in the recovery of that, ... */
START_TEST(again_and_again)
{
	unsigned calls = calls_of_a_run();
	assert(calls);
	srand((unsigned)_i + 1);
	make_agents_begin(&shared->agents);
	for (int i = 0; i < 40; i++)
		(void)work_until(1 + (unsigned)rand() % (i % 3 ? 60 : calls), hows[rand() % 3]);
	ck_assert(!work_until(0, WRAP_PASS));
	make_agents_check(&shared->agents);
	make_agents_end(&shared->agents);
}
END_TEST

/* One call fails, once; the store is closed, opened again, and works to the end. */
START_TEST(failing)
{
	static const int errors[] = {EIO, ENOSPC};
	wrap_errno = errors[_i];
	unsigned calls = calls_of_a_run(), step = getenv("HAUL_TORTURE") ? 1 : 4;
	for (unsigned n = 1 + (unsigned)_i; n < calls; n += step) {
		make_agents_begin(&shared->agents);
		ck_assert(!work_until(n, WRAP_FAIL));
		ck_assert(!work_until(0, WRAP_PASS));
		make_agents_check(&shared->agents);
		make_agents_end(&shared->agents);
	}
}
END_TEST

/* --- a disk that is full from the n-th call on --- */

static enum wrap_action full_from(const struct wrap_call *c)
{
	return count_and_end(c) != WRAP_PASS || shared->calls > end_at ? WRAP_FAIL : WRAP_PASS;
}

/* A store is opened, and says who it is. False: it was not. */
static bool introduces_itself(unsigned full_at)
{
	*shared->uuid = '\0';
	shared->calls = 0;
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct store *store;
		struct conf_error err;
		struct store_config config = {.data_dir = shared->agents.dir};
		end_at = full_at;
		end_how = WRAP_FAIL;
		wrap_errno = ENOSPC;
		wrap_hook = full_at ? full_from : count_and_end;
		if (store_open(&config, &store, &err) == 0)
			memcpy(shared->uuid, store_uuid(store), sizeof(shared->uuid));
		_exit(0);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return *shared->uuid != '\0';
}

/* What agents bind themselves to stays so. */
START_TEST(the_uuid_that_was_given_out)
{
	make_agents_begin(&shared->agents);
	ck_assert(introduces_itself(0));
	unsigned calls = shared->calls, refused = 0;
	make_agents_end(&shared->agents);
	for (unsigned n = 1; n <= calls + 1; n++) {
		char uuid[UUID_LEN + 1];
		make_agents_begin(&shared->agents);
		if (introduces_itself(n)) {
			memcpy(uuid, shared->uuid, sizeof(uuid));
			ck_assert(introduces_itself(0));
			ck_assert_str_eq(shared->uuid, uuid);
		} else {
			refused++;
		}
		make_agents_end(&shared->agents);
	}
	ck_assert_uint_gt(refused, 0);
	ck_assert_uint_le(refused, calls);
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
	tcase_add_test(tcase, the_uuid_that_was_given_out);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
