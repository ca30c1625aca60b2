/* The store's keeper, with a store that only pretends: opening, failing, opening again, stopping at
 * any moment. */
#include "collector/keeper.h"

#include "common/clock.h"
#include "common/num.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define DEADLINE_NS (20 * NUM_SEC_NS)

/* --- the store that pretends --- */

struct store {
	uint64_t segment_bytes;
};

static struct store fake;
static atomic_int openings, closings, open_now;
static atomic_int fail_from, fail_to; /* openings of these numbers fail */
static atomic_bool block;             /* an opening waits as long as this is set */
static atomic_int blocked, unblocked; /* places of the store; those that can be written again */

int store_open(const struct store_config *config, struct store **ret, struct conf_error *err)
{
	int number = atomic_fetch_add(&openings, 1);
	while (atomic_load(&block))
		(void)poll(NULL, 0, 1);
	if (number >= atomic_load(&fail_from) && number < atomic_load(&fail_to)) {
		(void)snprintf(err->text, sizeof(err->text), "%s: no luck", config->data_dir);
		return -EIO;
	}
	fake.segment_bytes = config->segment_bytes;
	ck_assert_int_eq(atomic_fetch_add(&open_now, 1), 0);
	*ret = &fake;
	return 0;
}

void store_close(struct store *s)
{
	ck_assert_ptr_eq(s, &fake);
	ck_assert_int_eq(atomic_fetch_sub(&open_now, 1), 1);
	atomic_fetch_add(&closings, 1);
}

size_t store_blocked(const struct store *s, char *ret_what, size_t size)
{
	(void)s, (void)ret_what, (void)size;
	return (size_t)atomic_load(&blocked);
}

bool store_unblocked(const struct store *s)
{
	ck_assert_ptr_eq(s, &fake);
	return atomic_exchange(&unblocked, 0) > 0;
}

const char *store_uuid(const struct store *s)
{
	(void)s;
	return "11111111-2222-4333-8444-555555555555";
}

/* The janitor works while the store is open, and only then. */
struct janitor {
	bool runs;
};

static struct janitor fake_janitor;

int janitor_start(const struct janitor_config *janitor_config, struct store *store,
		  struct janitor **ret)
{
	(void)janitor_config;
	ck_assert_ptr_eq(store, &fake);
	ck_assert_int_eq(atomic_load(&open_now), 1);
	ck_assert(!fake_janitor.runs);
	fake_janitor.runs = true;
	*ret = &fake_janitor;
	return 0;
}

void janitor_stop(struct janitor *j)
{
	if (!j)
		return;
	ck_assert(j->runs);
	ck_assert_int_eq(atomic_load(&open_now), 1);
	j->runs = false;
}

/* --- tests --- */

static struct door *door;
static struct keeper *keeper;
static const struct janitor_config janitor;
static const struct store_config config = {.data_dir = "/data", .segment_bytes = 1};

static void setup(void)
{
	atomic_store(&openings, 0);
	atomic_store(&closings, 0);
	atomic_store(&fail_from, 0);
	atomic_store(&fail_to, 0);
	atomic_store(&block, false);
	door = door_new("not yet");
	ck_assert_int_eq(keeper_start(&config, &janitor, door, &keeper), 0);
}

static void finish(void)
{
	keeper_stop(keeper);
	ck_assert_int_eq(atomic_load(&open_now), 0);
	ck_assert(!fake_janitor.runs);
	door_free(door);
}

/* Waits on the keeper's descriptor, as the program does. */
static void wait_for(enum keeper_state state)
{
	int64_t until_ns = clock_mono_ns() + DEADLINE_NS;
	while (keeper_state(keeper) != state) {
		struct pollfd p = {.fd = keeper_fd(keeper), .events = POLLIN};
		ck_assert_msg(clock_mono_ns() < until_ns, "never in state %d", (int)state);
		(void)poll(&p, 1, 100);
	}
}

static bool is_open(void)
{
	char reason[DOOR_REASON_MAX];
	struct store *s = door_enter(door, false, reason);
	if (s)
		door_leave(door);
	return s != NULL;
}

START_TEST(opens_and_closes)
{
	char uuid[UUID_LEN + 1];
	wait_for(KEEPER_OPEN);
	ck_assert(is_open());
	keeper_uuid(keeper, uuid);
	ck_assert_str_eq(uuid, store_uuid(NULL));
	finish();
	ck_assert_int_eq(atomic_load(&closings), 1);
}
END_TEST

START_TEST(the_first_opening_fails)
{
	struct conf_error err;
	keeper_stop(keeper);
	atomic_store(&openings, 0);
	atomic_store(&fail_to, 1);
	ck_assert_int_eq(keeper_start(&config, &janitor, door, &keeper), 0);
	wait_for(KEEPER_FAILED);
	keeper_error(keeper, &err);
	ck_assert_str_eq(err.text, "/data: no luck");
	ck_assert(!is_open());
	finish();
	ck_assert_int_eq(atomic_load(&openings),
			 1); /* not tried again: the program says it and ends */
}
END_TEST

START_TEST(opens_again_after_a_failure)
{
	wait_for(KEEPER_OPEN);
	atomic_store(&fail_from, 1);
	atomic_store(&fail_to, 2); /* once in vain: after a second it works */
	keeper_reopen(keeper, "the disk is broken");
	keeper_reopen(keeper, "the disk is broken");
	wait_for(KEEPER_REOPENING);
	wait_for(KEEPER_OPEN);
	ck_assert(is_open());
	ck_assert_int_eq(atomic_load(&openings), 3);
	ck_assert_int_eq(atomic_load(&closings), 1);
	finish();
}
END_TEST

/* What was blocked is let in by a start, once it can be written again and not before. */
START_TEST(opens_again_for_what_was_blocked)
{
	keeper_stop(keeper);
	atomic_store(&openings, 0);
	atomic_store(&blocked, 1);
	ck_assert_int_eq(keeper_start(&config, &janitor, door, &keeper), 0);
	wait_for(KEEPER_OPEN);
	ck_assert_int_eq(atomic_load(&openings), 1);
	atomic_store(&unblocked, 1);
	int64_t until_ns = clock_mono_ns() + DEADLINE_NS;
	while (atomic_load(&openings) < 2 && clock_mono_ns() < until_ns)
		(void)poll(NULL, 0, 1);
	wait_for(KEEPER_OPEN);
	ck_assert_int_eq(atomic_load(&openings), 2);
	finish();
}
END_TEST

START_TEST(stops_while_it_tries)
{
	wait_for(KEEPER_OPEN);
	atomic_store(&fail_from, 1);
	atomic_store(&fail_to, INT_MAX);
	keeper_reopen(keeper, "the disk is broken");
	int64_t until_ns = clock_mono_ns() + DEADLINE_NS;
	while (atomic_load(&openings) < 2 && clock_mono_ns() < until_ns)
		(void)poll(NULL, 0, 1);
	char reason[DOOR_REASON_MAX];
	ck_assert_ptr_null(door_enter(door, true, reason));
	ck_assert_str_eq(reason, "the disk is broken");
	finish();
}
END_TEST

/* Requests that have begun are let out before the store is opened with other settings. */
static void *give_back_later(void *user)
{
	(void)user;
	char reason[DOOR_REASON_MAX];
	int64_t until_ns = clock_mono_ns() + DEADLINE_NS;
	while (door_pass(door, reason) && clock_mono_ns() < until_ns) { /* until it is closing */
		door_return(door);
		(void)poll(NULL, 0, 1);
	}
	struct store *s = door_enter(door, true, reason);
	ck_assert_ptr_nonnull(s);
	door_leave(door);
	ck_assert_int_eq(atomic_load(&closings), 0);
	door_return(door);
	return NULL;
}

START_TEST(other_settings)
{
	char reason[DOOR_REASON_MAX];
	pthread_t thread;
	struct store_config other = config;
	other.segment_bytes = 2;
	wait_for(KEEPER_OPEN);
	ck_assert(door_pass(door, reason));
	ck_assert_int_eq(pthread_create(&thread, NULL, give_back_later, NULL), 0);
	keeper_reconfigure(keeper, &other);
	pthread_join(thread, NULL);
	wait_for(KEEPER_OPEN);
	ck_assert_uint_eq(fake.segment_bytes, 2);
	finish();
}
END_TEST

START_TEST(says_that_it_is_still_opening)
{
	wait_for(KEEPER_OPEN);
	keeper_stop(keeper);
	atomic_store(&block, true);
	ck_assert_int_eq(keeper_start(&config, &janitor, door, &keeper), 0);
	ck_assert_int_eq(keeper_state(keeper), KEEPER_OPENING);
	ck_assert(!is_open());
	atomic_store(&block, false);
	wait_for(KEEPER_OPEN);
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest_keeper");
	TCase *tcase = tcase_create("ingest_keeper");
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, opens_and_closes);
	tcase_add_test(tcase, the_first_opening_fails);
	tcase_add_test(tcase, opens_again_after_a_failure);
	tcase_add_test(tcase, opens_again_for_what_was_blocked);
	tcase_add_test(tcase, stops_while_it_tries);
	tcase_add_test(tcase, other_settings);
	tcase_add_test(tcase, says_that_it_is_still_opening);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
