/* The store as a whole, without HTTP: what is acknowledged stands on disk, once, and what it says
 * is what it will say after a restart. */
#include "collector/store/core.h"
#include "common/clock.h"
#include "common/num.h"
#include "tests/lib/make_batch.h"
#include "tests/lib/one_store.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

START_TEST(a_line_arrives)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 100), CHUNK_COMMITTED);
	ck_assert_int_eq(store_checkpoint(store), 0);
	one_store_expect("a", 101);
	one_store_reopen();
	one_store_expect("a", 101);
	session = make_session(store, "web-01", "m1", NULL);
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	one_store_reopen();
	one_store_expect("a", 102);
}
END_TEST

START_TEST(a_repeat_is_a_duplicate_also_after_a_restart)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	struct make_source before = a;
	ck_assert_int_eq(make_send(store, "web-01", session, &a, 10), CHUNK_COMMITTED);
	struct make_source again = before;
	ck_assert_int_eq(make_send(store, "web-01", session, &again, 10), CHUNK_DUPLICATE);
	one_store_reopen();
	session = make_session(store, "web-01", "m1", NULL);
	again = before;
	ck_assert_int_eq(make_send(store, "web-01", session, &again, 10), CHUNK_DUPLICATE);
	one_store_reopen();
	one_store_expect("a", 10);
}
END_TEST

START_TEST(an_older_session_is_refused)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	uint64_t newer = make_session(store, "web-01", "m1", NULL);
	ck_assert_uint_gt(newer, session);
	struct buf body = BUF_EMPTY;
	make_chunk(&body, &a, "web-01", 1);
	struct make_answer answer;
	make_submit(store, "web-01", session, buf_span(&body), &answer);
	make_wait(&answer);
	ck_assert_int_eq(answer.result, -ESTALE);
	make_answer_free(&answer);
	char host[NAME_MAX_LEN + 1];
	ck_assert_int_eq(store_session_host(store, session, host), -ESTALE);
	ck_assert_int_eq(store_session_host(store, newer + 1, host), -ENOENT);
	ck_assert_int_eq(store_session_host(store, 0, host), -ENOENT);
	ck_assert_int_eq(store_session_host(store, newer, host), 0);
	ck_assert_str_eq(host, "web-01");
	make_submit(store, "web-01", newer, buf_span(&body), &answer);
	make_wait(&answer);
	ck_assert_int_eq((int)answer.verdicts[0].status, CHUNK_COMMITTED);
	make_answer_free(&answer);
	buf_free(&body);
	/* Numbers are never used again, also not after a restart. */
	one_store_reopen();
	ck_assert_uint_gt(make_session(store, "db-01", "m2", NULL), newer);
}
END_TEST

static _Atomic int64_t later_ns;

static int64_t real_later(void)
{
	return later_ns;
}

START_TEST(another_machine_waits_until_the_first_is_silent)
{
	int result;
	(void)make_session(store, "web-01", "m2", &result);
	ck_assert_int_eq(result, -EBUSY);
	(void)make_session(store, "web-01", "", &result);
	ck_assert_int_eq(result, 0);
	(void)make_session(store, "web-02", "m2", &result);
	ck_assert_int_eq(result, 0);
	/* The machine of web-01 is not known any more: nobody can be another one. */
	(void)make_session(store, "web-01", "m1", &result);
	ck_assert_int_eq(result, 0);
	one_store_reopen();
	(void)make_session(store, "web-01", "m2", &result);
	ck_assert_int_eq(result, -EBUSY);
	later_ns = clock_real_ns() + 301 * NUM_SEC_NS;
	clock_replace(NULL, real_later);
	(void)make_session(store, "web-01", "m2", &result);
	clock_replace(NULL, NULL);
	ck_assert_int_eq(result, 0);
}
END_TEST

/* A week without a line: the clock is as sure at its end as it was at its beginning. */
START_TEST(the_clock_is_believed_while_nothing_happens)
{
	struct store_counters c;
	store_close(store);
	store = make_store(dir, &(struct store_config){.clock_ns = NUM_MS_NS});
	ck_assert_int_eq(store_checkpoint(store), 0);
	later_ns = clock_real_ns();
	store_counters(store, &c);
	uint64_t checkpoints = c.checkpoints;
	ck_assert_int_ge(c.sure_clock_us, (later_ns - NUM_SEC_NS) / NUM_US_NS);
	clock_replace(NULL, real_later);
	int64_t deadline_ns = clock_mono_ns() + 60 * NUM_SEC_NS;
	for (int day = 0; day < 7; day++) {
		later_ns += NUM_DAY_SEC * NUM_SEC_NS;
		do {
			ck_assert_int_lt(clock_mono_ns(), deadline_ns);
			(void)usleep(1000);
			store_counters(store, &c);
		} while (c.sure_clock_us != later_ns / NUM_US_NS);
	}
	ck_assert_uint_eq(c.checkpoints, checkpoints);
	/* A jump of days is not. */
	later_ns += 3 * NUM_DAY_SEC * NUM_SEC_NS;
	store_counters(store, &c);
	ck_assert_int_eq(store_checkpoint(store), 0);
	store_counters(store, &c);
	ck_assert_int_eq(c.sure_clock_us, later_ns / NUM_US_NS - 3 * NUM_DAY_SEC * 1000000);
	clock_replace(NULL, NULL);
}
END_TEST

START_TEST(another_host_s_stream_id_is_another_stream)
{
	struct make_source a, b;
	make_source(&a, "checkout", "a");
	make_source(&b, "checkout", "b");
	b.stream = a.stream;
	uint64_t other = make_session(store, "web-02", "m2", NULL);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 5), CHUNK_COMMITTED);
	ck_assert_int_eq((int)make_send(store, "web-02", other, &b, 7), CHUNK_COMMITTED);
	store_close(store);
	store = make_store(dir, NULL);
	one_store_expect("a", 5);
	one_store_expect("b", 7);
}
END_TEST

/* Chunks of one stream in one batch: each is judged on what the one before has made of it. */
START_TEST(chunks_in_one_batch)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	struct buf body = BUF_EMPTY;
	make_chunk(&body, &a, "web-01", 3);
	struct make_source fork = a;
	make_chunk(&body, &a, "web-01", 3);
	make_chunk(&body, &fork, "web-01", 2); /* overlaps: ends below the offset */
	struct make_source ahead = a;
	struct buf ignored = BUF_EMPTY;
	make_chunk(&ignored, &ahead, "web-01", 1);
	make_chunk(&body, &ahead, "web-01", 1); /* leaves a hole */
	make_chunk(&body, &a, "web-01", 1);
	struct make_answer answer;
	make_submit(store, "web-01", session, buf_span(&body), &answer);
	make_wait(&answer);
	static const enum chunk_status want[] = {CHUNK_COMMITTED, CHUNK_COMMITTED, CHUNK_DUPLICATE,
						 CHUNK_CONFLICT, CHUNK_COMMITTED};
	ck_assert_uint_eq(answer.n, 5);
	for (size_t i = 0; i < 5; i++)
		ck_assert_int_eq((int)answer.verdicts[i].status, (int)want[i]);
	ck_assert_uint_eq(answer.verdicts[4].offset, a.offset);
	make_answer_free(&answer);
	buf_free(&body);
	buf_free(&ignored);
	one_store_reopen();
	one_store_expect("a", 7);
}
END_TEST

START_TEST(a_refused_chunk_does_not_spoil_the_others)
{
	struct make_source a, b;
	make_source(&a, "check/out", "a"); /* no valid name */
	make_source(&b, "checkout", "b");
	struct buf body = BUF_EMPTY;
	make_chunk(&body, &a, "web-01", 3);
	make_chunk(&body, &b, "web-01", 3);
	struct chunk far = {.host = SPAN_LITERAL("web-01"),
			    .service = SPAN_LITERAL("checkout"),
			    .to = UINT64_C(1) << 63};
	make_raw_chunk(&body, &far, (struct span){0});
	struct make_answer answer;
	make_submit(store, "web-01", session, buf_span(&body), &answer);
	make_wait(&answer);
	ck_assert_int_eq((int)answer.verdicts[0].status, CHUNK_REFUSED);
	ck_assert_ptr_nonnull(answer.verdicts[0].error);
	ck_assert_int_eq((int)answer.verdicts[1].status, CHUNK_COMMITTED);
	ck_assert_int_eq((int)answer.verdicts[2].status, CHUNK_REFUSED);
	make_answer_free(&answer);
	buf_free(&body);
}
END_TEST

START_TEST(a_loss_is_in_the_ledger_once)
{
	struct make_source a;
	make_source(&a, "checkout", "a");
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 2), CHUNK_COMMITTED);
	struct chunk c = {.stream = a.stream,
			  .host = SPAN_LITERAL("web-01"),
			  .service = SPAN_LITERAL("checkout"),
			  .path = SPAN_LITERAL("/var/log/a.log"),
			  .from = a.offset,
			  .to = a.offset + 100,
			  .base = a.offset + 100,
			  .crc_from = a.crc,
			  .loss = SPAN_LITERAL("truncated")};
	struct buf body = BUF_EMPTY;
	make_raw_chunk(&body, &c, (struct span){0});
	for (int i = 0; i < 2; i++) { /* the second is a duplicate */
		struct make_answer answer;
		make_submit(store, "web-01", session, buf_span(&body), &answer);
		make_wait(&answer);
		ck_assert_int_eq((int)answer.verdicts[0].status,
				 i ? CHUNK_DUPLICATE : CHUNK_COMMITTED);
		ck_assert_uint_eq(answer.verdicts[0].offset, c.to);
		make_answer_free(&answer);
	}
	buf_free(&body);
	one_store_reopen();
	char command[256];
	(void)snprintf(command, sizeof(command),
		       "test $(sqlite3 -batch %s/.haul/ledger-export.db "
		       "\"SELECT count(*) || cause FROM loss\") = 1truncated",
		       dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(room_is_kept)
{
	ck_assert_int_eq(store_admit(store, 1000, 5000), 0);
	ck_assert_int_eq(store_admit(store, UINT64_C(1) << 60, 0), -ENOSPC);
	ck_assert_int_eq(store_admit(store, UINT64_MAX, UINT64_MAX), -ENOSPC);
	struct store_config all = {.segment_bytes = 1 << 20,
				   .min_free = {.is_percent = true, .value = 100}};
	store_close(store);
	store = make_store(dir, &all);
	ck_assert_int_eq(store_admit(store, 1, 1), -ENOSPC);
}
END_TEST

START_TEST(one_collector_a_directory)
{
	struct store_config c = {.data_dir = dir, .segment_bytes = 1 << 20};
	struct store *second;
	struct conf_error err;
	ck_assert_int_eq(store_open(&c, &second, &err), -EWOULDBLOCK);
	ck_assert_ptr_nonnull(strstr(err.text, dir));
	char uuid[UUID_LEN + 1];
	(void)snprintf(uuid, sizeof(uuid), "%s", store_uuid(store));
	one_store_reopen();
	ck_assert_str_eq(store_uuid(store), uuid);
}
END_TEST

START_TEST(full_segments_are_closed_by_number)
{
	struct store_config small = {.segment_bytes = 2000, .checkpoint_bytes = 1000};
	store_close(store);
	store = make_store(dir, &small);
	session = make_session(store, "web-01", "m1", NULL);
	struct make_source a;
	make_source(&a, "checkout", "a");
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 50), CHUNK_COMMITTED);
		ck_assert_int_eq(store_checkpoint(store), 0);
	}
	char command[128];
	(void)snprintf(command, sizeof(command), "test $(ls %s/20*/checkout | wc -l) = 5", dir);
	ck_assert_int_eq(system(command), 0);
	one_store_expect("a", 250);
	(void)snprintf(command, sizeof(command), "test -s %s/20*/checkout/web-01.0005.log", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tcase = tcase_create("store");
	tcase_add_checked_fixture(tcase, one_store_set_up, one_store_tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_line_arrives);
	tcase_add_test(tcase, a_repeat_is_a_duplicate_also_after_a_restart);
	tcase_add_test(tcase, an_older_session_is_refused);
	tcase_add_test(tcase, another_machine_waits_until_the_first_is_silent);
	tcase_add_test(tcase, the_clock_is_believed_while_nothing_happens);
	tcase_add_test(tcase, another_host_s_stream_id_is_another_stream);
	tcase_add_test(tcase, chunks_in_one_batch);
	tcase_add_test(tcase, a_refused_chunk_does_not_spoil_the_others);
	tcase_add_test(tcase, a_loss_is_in_the_ledger_once);
	tcase_add_test(tcase, room_is_kept);
	tcase_add_test(tcase, one_collector_a_directory);
	tcase_add_test(tcase, full_segments_are_closed_by_number);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
