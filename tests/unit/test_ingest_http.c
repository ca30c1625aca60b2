/* The HTTP server against raw sockets: what it reads, suspends, answers, cuts off. */
#include "collector/ingest/http.h"

#include "common/clock.h"
#include "common/num.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEADLINE_NS (20 * NUM_SEC_NS)

/* --- a handler that answers with the number of bytes it was sent --- */

struct call {
	struct http_exchange *x;
	uint64_t bytes;
	bool hold_first, hold_last;
};

static atomic_uint begun, gone;
static _Atomic(struct http_exchange *) held; /* one that waits for the test to resume it */

static void answer(struct call *c, unsigned status)
{
	struct buf body = BUF_EMPTY;
	ck_assert_int_eq(buf_printf(&body, "%llu", (unsigned long long)c->bytes), 0);
	http_answer(c->x,
		    (struct http_answer){.status = status, .body = &body, .retry_after_s = 3});
	buf_free(&body);
}

static void hold(struct http_exchange *x)
{
	http_suspend(x);
	atomic_store(&held, x);
}

static void *resume_elsewhere(void *x)
{
	http_resume(x);
	return NULL;
}

static void on_begin(void *user, struct http_exchange *x)
{
	(void)user;
	struct call *c = calloc(1, sizeof(*c));
	c->x = x;
	http_set_user(x, c);
	atomic_fetch_add(&begun, 1);
	c->hold_first = strcmp(http_path(x), "/hold-first") == 0;
	c->hold_last = strcmp(http_path(x), "/hold-last") == 0;
	if (strcmp(http_path(x), "/early") == 0)
		answer(c, 413);
	else if (strcmp(http_path(x), "/drop") == 0)
		http_drop(x);
	else if (c->hold_first)
		hold(x);
}

static void on_body(struct http_exchange *x, struct span piece)
{
	((struct call *)http_user(x))->bytes += piece.len;
}

static void on_end(struct http_exchange *x)
{
	struct call *c = http_user(x);
	if (c->hold_last) {
		hold(x);
	} else if (strcmp(http_path(x), "/elsewhere") == 0) {
		pthread_t thread; /* resumes perhaps before this returns */
		http_suspend(x);
		ck_assert_int_eq(pthread_create(&thread, NULL, resume_elsewhere, x), 0);
		pthread_detach(thread);
	} else {
		answer(c, 200);
	}
}

static void on_resumed(struct http_exchange *x)
{
	struct call *c = http_user(x);
	if (!c->hold_first)
		answer(c, 200);
}

static void on_gone(struct http_exchange *x)
{
	free(http_user(x));
	atomic_fetch_add(&gone, 1);
}

static const struct http_handler handler = {on_begin, on_body, on_end, on_resumed, on_gone};

/* --- a client that writes bytes --- */

static struct http *server;
static uint16_t port;

static void start(unsigned threads, struct conns_limits limits)
{
	struct http_config config = {.listen = "127.0.0.1:0",
				     .threads = threads,
				     .limits = limits,
				     .uuid = "11111111-2222-4333-8444-555555555555",
				     .handler = &handler};
	struct conf_error err;
	ck_assert_msg(http_start(&config, &server, &err) == 0, "%s", err.text);
	port = (uint16_t)atoi(strrchr(http_address(server), ':') + 1);
	ck_assert_uint_ne(port, 0);
}

static const struct conns_limits roomy = {.max = 1000,
					  .per_peer = 1000,
					  .fresh_ns = 60 * NUM_SEC_NS,
					  .idle_ns = 60 * NUM_SEC_NS,
					  .stall_ns = 60 * NUM_SEC_NS,
					  .answer_ns = 60 * NUM_SEC_NS};

static int dial(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until `needle` is there, or the end; polls with a deadline. */
static void hear(int fd, char *dst, size_t size, const char *needle)
{
	size_t len = 0;
	dst[0] = '\0';
	while (len + 1 < size && (!needle || !strstr(dst, needle))) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ck_assert_msg(poll(&p, 1, (int)(DEADLINE_NS / NUM_MS_NS)) == 1, "nothing but: %s",
			      dst);
		ssize_t n = recv(fd, dst + len, size - len - 1, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
		dst[len] = '\0';
	}
}

static void wait_for(bool (*condition)(void))
{
	int64_t until_ns = clock_mono_ns() + DEADLINE_NS;
	while (!condition()) {
		ck_assert_msg(clock_mono_ns() < until_ns, "not in time");
		(void)poll(NULL, 0, 2);
	}
}

static bool all_gone(void)
{
	return atomic_load(&begun) == atomic_load(&gone) && http_exchanges(server) == 0;
}

static bool is_held(void)
{
	return atomic_load(&held) != NULL;
}

static bool nobody_connected(void)
{
	return http_connections(server).connections == 0;
}

static void setup(void)
{
	atomic_store(&begun, 0);
	atomic_store(&gone, 0);
	atomic_store(&held, NULL);
	server = NULL;
}

static void finish(void)
{
	http_quiesce(server);
	wait_for(all_gone);
	http_stop(server);
}

static void ask(const char *path, const char *more, const char *body, const char *expected)
{
	int fd = dial();
	char request[512], got[4096];
	(void)snprintf(request, sizeof(request),
		       "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s", path, more,
		       strlen(body), body);
	say(fd, request);
	hear(fd, got, sizeof(got), expected);
	ck_assert_msg(strstr(got, expected) != NULL, "%s", got);
	(void)close(fd);
}

static const struct {
	const char *path, *expected;
} ANSWERS[] = {
	{"/", "\r\n\r\n5"},
	{"/elsewhere", "\r\n\r\n5"},
	{"/", "HTTP/1.1 200"},
	{"/early", "HTTP/1.1 413"},
	{"/", "Haul-Protocol: 1\r\n"},
	{"/", "Retry-After: 3\r\n"},
	{"/early", "Haul-Collector: 11111111-2222-4333-8444-555555555555\r\n"},
};

START_TEST(answers)
{
	start(1 + (unsigned)_i % 2, roomy);
	ask(ANSWERS[_i].path, "", "12345", ANSWERS[_i].expected);
	finish();
}
END_TEST

START_TEST(kept_alive_and_chunked)
{
	start(2, roomy);
	int fd = dial();
	char got[4096];
	for (int i = 0; i < 3; i++) {
		say(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
			"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
		hear(fd, got, sizeof(got), "\r\n\r\n7");
		ck_assert_ptr_nonnull(strstr(got, "\r\n\r\n7"));
	}
	(void)close(fd);
	finish();
}
END_TEST

START_TEST(held_before_its_body)
{
	start(2, roomy);
	int fd = dial();
	char got[4096];
	say(fd, "POST /hold-first HTTP/1.1\r\nHost: x\r\nExpect: "
		"100-continue\r\nContent-Length: 3\r\n\r\n");
	wait_for(is_held);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, 50), 0); /* no word yet, so nothing is sent yet */
	ck_assert_uint_eq(http_suspended(server), 1);
	http_resume(atomic_load(&held));
	hear(fd, got, sizeof(got), "100 Continue\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(got, "100 Continue"));
	say(fd, "abc");
	hear(fd, got, sizeof(got), "\r\n\r\n3");
	ck_assert_ptr_nonnull(strstr(got, "\r\n\r\n3"));
	(void)close(fd);
	finish();
}
END_TEST

/* The peer goes while its request is held: nothing happens until it is resumed, and then it is over
 * once. */
START_TEST(gone_while_held)
{
	start(2, roomy);
	int fd = dial();
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	say(fd, "POST /hold-last HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	wait_for(is_held);
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	(void)close(fd);
	http_tick(server, clock_mono_ns() + 3600 * NUM_SEC_NS, true); /* who works is never cut */
	(void)poll(NULL, 0, 20);
	ck_assert_uint_eq(atomic_load(&gone), 0);
	http_resume(atomic_load(&held));
	wait_for(all_gone);
	wait_for(nobody_connected);
	ck_assert_uint_eq(atomic_load(&gone), 1);
	finish();
}
END_TEST

START_TEST(dropped)
{
	start(2, roomy);
	int fd = dial();
	char got[256];
	say(fd, "POST /drop HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n");
	hear(fd, got, sizeof(got), NULL);
	ck_assert_str_eq(got, "");
	(void)close(fd);
	finish();
}
END_TEST

static const char *const DRIPS[] = {
	"",                                 /* connects and says nothing */
	"POST / HTTP/1.1\r\nHost: x\r\nX-", /* a header without an end */
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", /* a length that
									 lies */
};

START_TEST(whose_time_is_over)
{
	start(2, roomy);
	int fd = dial();
	char got[256];
	say(fd, DRIPS[_i]);
	if (strstr(DRIPS[_i], "abc")) {
		int64_t until_ns = clock_mono_ns() + DEADLINE_NS;
		while (atomic_load(&begun) == 0 && clock_mono_ns() < until_ns)
			(void)poll(NULL, 0, 2);
	}
	while (http_connections(server).connections == 0)
		(void)poll(NULL, 0, 2);
	say(fd, " "); /* a further byte does not buy time */
	http_tick(server, clock_mono_ns() + 61 * NUM_SEC_NS, false);
	hear(fd, got, sizeof(got), NULL);
	ck_assert_str_eq(got, "");
	ck_assert_uint_eq(http_connections(server).timed_out, 1);
	(void)close(fd);
	finish();
}
END_TEST

/* Many who say nothing do not lock out the one who does. */
START_TEST(silent_crowd)
{
	enum { CROWD = 300 };
	struct conns_limits limits = roomy;
	limits.max = 50;
	limits.per_peer = 40;
	int fds[CROWD];
	start(2, limits);
	for (int i = 0; i < CROWD; i++)
		fds[i] = dial();
	ask("/", "", "12345", "\r\n\r\n5");
	ck_assert_uint_gt(http_connections(server).evicted, CROWD - 50);
	for (int i = 0; i < CROWD; i++)
		(void)close(fds[i]);
	finish();
}
END_TEST

START_TEST(nobody_can_connect_after_quiesce)
{
	start(2, roomy);
	int idle = dial();
	char got[64];
	while (http_connections(server).connections == 0)
		(void)poll(NULL, 0, 2);
	http_quiesce(server);
	hear(idle, got, sizeof(got), NULL);
	ck_assert_str_eq(got, "");
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_lt(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	(void)close(fd);
	(void)close(idle);
	finish();
}
END_TEST

START_TEST(a_port_that_is_taken)
{
	start(1, roomy);
	struct http *second;
	struct conf_error err = {""};
	struct http_config config = {.listen = http_address(server),
				     .threads = 1,
				     .limits = roomy,
				     .uuid = "",
				     .handler = &handler};
	ck_assert_int_eq(http_start(&config, &second, &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, "listen = 127.0.0.1:"));
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest_http");
	TCase *tcase = tcase_create("ingest_http");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, answers, 0, (int)(sizeof(ANSWERS) / sizeof(*ANSWERS)));
	tcase_add_test(tcase, kept_alive_and_chunked);
	tcase_add_test(tcase, held_before_its_body);
	tcase_add_test(tcase, gone_while_held);
	tcase_add_test(tcase, dropped);
	tcase_add_loop_test(tcase, whose_time_is_over, 0, (int)(sizeof(DRIPS) / sizeof(*DRIPS)));
	tcase_add_test(tcase, silent_crowd);
	tcase_add_test(tcase, nobody_can_connect_after_quiesce);
	tcase_add_test(tcase, a_port_that_is_taken);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
