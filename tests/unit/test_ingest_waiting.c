/* Requests that wait for memory or for the store, over real HTTP: they are let in or sent away, one
 * host does not take what others need, and a peer that goes while it waits takes no memory with
 * it. */
#include "collector/ingest/request.h"
#include "tests/lib/fakes/receiver.h"

#include <arpa/inet.h>
#include <check.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool one_waits(void)
{
	return budget_state(intake.working).waiting == 1;
}

static bool one_waits_to_receive(void)
{
	return budget_state(intake.receiving).waiting == 1;
}

/* The store holds the first request, and the second waits: the budget has room for one. */
static void hold_and_wait(struct poster *held, struct poster *waiting, struct budget *budget,
			  uint64_t room)
{
	budget_resize(budget, room);
	fake.hold = true;
	start_post(held, 2);
	wait_for(one_held);
	start_post(waiting, 2);
	wait_for(budget == intake.working ? one_waits : one_waits_to_receive);
}

START_TEST(waits_for_memory_and_is_let_in)
{
	struct poster a = {0}, b = {0};
	hold_and_wait(&a, &b, intake.working, 1000);
	let_go();
	expect(end_post(&a), 200, "committed");
	expect(end_post(&b), 200, "committed");
}
END_TEST

START_TEST(waits_for_memory_in_vain)
{
	struct poster a = {0}, b = {0};
	hold_and_wait(&a, &b, intake.working, 1000);
	budget_expire(intake.working, INT64_MAX);
	expect_head(end_post(&b), 429, "Retry-After: 1\r\n");
	let_go();
	expect(end_post(&a), 200, "committed");
}
END_TEST

/* Short lines under a long name are six times as large when they are rendered: that is known
 * before. */
START_TEST(short_lines_under_long_names)
{
	struct buf plain = BUF_EMPTY;
	char service[129];
	memset(service, 's', 128);
	service[128] = '\0';
	add_chunk(&plain, "web-01", service, 400000);
	struct buf gz = gzip(buf_span(&plain));
	atomic_store(&intake.max_batch, 8 << 20);
	budget_resize(intake.receiving, 8 << 20);
	budget_resize(intake.working, 64 << 20);
	expect(post(&gz), 413, "send less at a time");
	budget_resize(intake.working, 100 << 20);
	budget_force(intake.working, 50 << 20); /* others' */
	expect(post(&gz), 429, "short of memory");
	budget_give(intake.working, 50 << 20);
	expect(post(&gz), 200, "committed");
	buf_free(&gz);
	buf_free(&plain);
}
END_TEST

START_TEST(waits_before_its_body)
{
	struct poster a = {0}, b = {0};
	hold_and_wait(&a, &b, intake.receiving, 10);
	budget_expire(intake.receiving, INT64_MAX);
	expect_head(end_post(&b), 429, "Retry-After: 1\r\n");
	let_go();
	expect(end_post(&a), 200, "committed");
}
END_TEST

/* A peer that goes while it waits takes no memory with it. */
static int send_and_wait(unsigned session, const struct buf *body, bool (*waits)(void))
{
	char head[256];
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	a.sin_port = htons((uint16_t)atoi(strrchr(url_base, ':') + 1));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	int len = snprintf(head, sizeof(head),
			   "POST /v1/batches HTTP/1.1\r\nHost: x\r\n%s\r\n%s\r\n"
			   "Haul-Agent: 9f2c %u haul-agent/0.1\r\nContent-Length: %zu\r\n\r\n",
			   agent_headers[0], agent_headers[1], session, body->len);
	ck_assert_int_eq(send(fd, head, (size_t)len, 0), len);
	ck_assert_int_eq(send(fd, body->ptr, body->len, 0), (ssize_t)body->len);
	wait_for(waits);
	return fd;
}

static void reset(int fd)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	(void)close(fd);
}

START_TEST(gone_while_it_waits)
{
	struct poster a = {0};
	struct buf body = batch_of("web-01", 2);
	budget_resize(_i ? intake.working : intake.receiving, 10);
	fake.hold = true;
	start_post(&a, 2);
	wait_for(one_held);
	reset(send_and_wait(7, &body, _i ? one_waits : one_waits_to_receive));
	let_go();
	expect(end_post(&a), 200, "committed");
	buf_free(&body);
	wait_for(all_over);
	ck_assert_uint_eq(http_suspended(server), 0);
}
END_TEST

static bool nothing_under_way(void)
{
	return count_held() + budget_state(intake.working).waiting +
			       budget_state(intake.receiving).waiting ==
		       http_exchanges(server) &&
	       http_suspended(server) == http_exchanges(server);
}

/* The same for many, whose bodies come in pieces. */
START_TEST(a_crowd_that_leaves)
{
	enum { CROWD = 60 };
	struct buf body = BUF_EMPTY;
	int fds[CROWD];
	ck_assert_int_eq(buf_reserve(&body, 60000), 0);
	for (body.len = 0; body.len < 60000; body.len++)
		body.ptr[body.len] = (char)(body.len * 7919 >> 3);
	memcpy(body.ptr + body.len - 4, "\0\1\0\0", 4);
	budget_resize(intake.receiving, 200000);
	budget_resize(intake.working, 10);
	ck_assert_int_eq(budget_try(intake.working, 10), 0);
	for (int i = 0; i < CROWD; i++)
		fds[i] = send_and_wait(100 + (unsigned)i, &body, nothing_under_way);
	for (int i = 0; i < CROWD; i++)
		reset(fds[i]);
	budget_give(intake.working, 10);
	wait_for(all_over);
	ck_assert_uint_eq(http_suspended(server), 0);
	buf_free(&body);
}
END_TEST

static bool all_of_one_host_held(void)
{
	return count_held() == INFLIGHT_PER_HOST;
}

static bool more_than_one_host_held(void)
{
	return count_held() > INFLIGHT_PER_HOST;
}

/* One host does not take what others need. */
START_TEST(too_many_of_one_host)
{
	struct poster many[INFLIGHT_PER_HOST] = {0};
	struct buf body = batch_of("web-01", 2);
	fake.hold = true;
	for (int i = 0; i < INFLIGHT_PER_HOST; i++)
		start_post(&many[i], 2);
	wait_for(all_of_one_host_held);
	expect_head(post(&body), 429, "Retry-After: 1\r\n");
	struct buf other = batch_of("crowd-100", 2);
	reset(send_and_wait(100, &other, more_than_one_host_held));
	let_go();
	for (int i = 0; i < INFLIGHT_PER_HOST; i++)
		expect(end_post(&many[i]), 200, "committed");
	expect(post(&body), 200, "committed");
	buf_free(&body);
	buf_free(&other);
}
END_TEST

START_TEST(gone_while_submitted)
{
	struct buf body = batch_of("web-01", 2);
	fake.hold = true;
	reset(send_and_wait(7, &body, one_held));
	let_go();
	buf_free(&body);
	wait_for(all_over);
	ck_assert_uint_eq(http_suspended(server), 0);
	ck_assert_uint_eq(fake.lines, 2);
}
END_TEST

int main(void)
{
	(void)curl_global_init(CURL_GLOBAL_ALL);
	Suite *suite = suite_create("ingest_waiting");
	TCase *tcase = tcase_create("ingest_waiting");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, receiver_setup, receiver_teardown);
	tcase_add_test(tcase, waits_for_memory_and_is_let_in);
	tcase_add_test(tcase, waits_for_memory_in_vain);
	tcase_add_test(tcase, short_lines_under_long_names);
	tcase_add_test(tcase, waits_before_its_body);
	tcase_add_loop_test(tcase, gone_while_it_waits, 0, 2);
	tcase_add_test(tcase, a_crowd_that_leaves);
	tcase_add_test(tcase, too_many_of_one_host);
	tcase_add_test(tcase, gone_while_submitted);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
