/* Connections: each phase has its time, and who is silent makes room. */
#include "collector/ingest/conns.h"

#include "common/clock.h"
#include "common/num.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t now_ns;

static int64_t test_clock(void)
{
	return now_ns;
}

static const struct conns_limits limits = {.max = 4,
					   .per_peer = 2,
					   .fresh_ns = 10 * NUM_SEC_NS,
					   .idle_ns = 100 * NUM_SEC_NS,
					   .stall_ns = 20 * NUM_SEC_NS,
					   .answer_ns = 50 * NUM_SEC_NS,
					   .body_rate = 100,
					   .pressed_rate = 1000};

struct pair {
	int ours, theirs;
	struct conn *conn;
};

static struct conns *cs;

static void setup(void)
{
	now_ns = 1000 * NUM_SEC_NS;
	clock_replace(test_clock, NULL);
	cs = conns_new(limits);
}

static void teardown(void)
{
	conns_free(cs);
	clock_replace(NULL, NULL);
}

static struct pair add(const char *ip)
{
	int fds[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	struct sockaddr_in a = {.sin_family = AF_INET};
	ck_assert_int_eq(inet_pton(AF_INET, ip, &a.sin_addr), 1);
	return (struct pair){fds[0], fds[1], conns_add(cs, fds[0], (struct sockaddr *)&a)};
}

static void gone(struct pair *p)
{
	conns_remove(cs, p->conn);
	(void)close(p->ours);
	(void)close(p->theirs);
}

static bool is_cut(const struct pair *p)
{
	char c;
	return recv(p->theirs, &c, 1, 0) == 0;
}

static unsigned tick_at(int64_t s, bool pressed)
{
	return conns_tick(cs, (1000 + s) * NUM_SEC_NS, pressed);
}

START_TEST(fresh_time_is_not_renewed)
{
	struct pair p = add("10.0.0.1");
	ck_assert_uint_eq(tick_at(10, false), 0);
	ck_assert(!is_cut(&p));
	ck_assert_uint_eq(tick_at(11, false), 1);
	ck_assert(is_cut(&p));
	ck_assert_uint_eq(tick_at(12, false), 0); /* once */
	gone(&p);
}
END_TEST

START_TEST(phases)
{
	static const struct {
		enum conn_phase phase;
		int64_t lives_s; /* 0: for ever */
	} rows[] = {{CONN_FRESH, 10},
		    {CONN_IDLE, 100},
		    {CONN_RECEIVING, 20},
		    {CONN_WORKING, 0},
		    {CONN_ANSWERING, 50}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pair p = add("10.0.0.1");
		conns_enter(cs, p.conn, rows[i].phase);
		int64_t lives_s = rows[i].lives_s ? rows[i].lives_s : 1000000;
		ck_assert_uint_eq(tick_at(lives_s, false), 0);
		ck_assert_uint_eq(tick_at(lives_s + 1, false), rows[i].lives_s ? 1 : 0);
		gone(&p);
	}
}
END_TEST

static void receive_at(struct pair *p, int64_t s, uint64_t bytes)
{
	now_ns = (1000 + s) * NUM_SEC_NS;
	conns_received(cs, p->conn, bytes);
}

START_TEST(a_slow_body)
{
	struct pair p = add("10.0.0.1");
	conns_enter(cs, p.conn, CONN_RECEIVING);
	for (int64_t s = 1; s <= 60; s++) {
		receive_at(&p, s, 150);
		ck_assert_uint_eq(tick_at(s, false), 0);
	}
	ck_assert_uint_eq(tick_at(60, true), 1); /* others wait for its memory */
	gone(&p);
}
END_TEST

START_TEST(a_dripping_body)
{
	struct pair p = add("10.0.0.1");
	conns_enter(cs, p.conn, CONN_RECEIVING);
	int64_t s = 0;
	do
		receive_at(&p, ++s, 1);
	while (tick_at(s, false) == 0);
	ck_assert_int_eq(s, 21);
	gone(&p);
}
END_TEST

START_TEST(the_longest_silent_makes_room)
{
	struct pair p[5] = {add("10.0.0.1"), add("10.0.0.2"), add("10.0.0.3"), add("10.0.0.4")};
	now_ns += NUM_SEC_NS;
	conns_enter(cs, p[0].conn, CONN_WORKING);
	conns_enter(cs, p[1].conn, CONN_IDLE); /* silent, but for less long than 2 and 3 */
	conns_enter(cs, p[3].conn, CONN_RECEIVING);
	p[4] = add("10.0.0.5");
	ck_assert_ptr_nonnull(p[4].conn);
	ck_assert(is_cut(&p[2]));
	ck_assert(!is_cut(&p[0]) && !is_cut(&p[1]) && !is_cut(&p[3]) && !is_cut(&p[4]));
	ck_assert_uint_eq(conns_state(cs).evicted, 1);
	for (int i = 0; i < 5; i++)
		gone(&p[i]);
}
END_TEST

START_TEST(nobody_busy_makes_room)
{
	struct pair p[5] = {add("10.0.0.1"), add("10.0.0.2"), add("10.0.0.3"), add("10.0.0.4")};
	for (int i = 0; i < 4; i++)
		conns_enter(cs, p[i].conn, CONN_WORKING);
	p[4] = add("10.0.0.5");
	ck_assert_ptr_null(p[4].conn);
	ck_assert_uint_eq(conns_state(cs).refused, 1);
	for (int i = 0; i < 5; i++)
		gone(&p[i]);
}
END_TEST

START_TEST(one_peer_has_its_share)
{
	struct pair other = add("10.0.0.9"), p[4];
	for (int i = 0; i < 4; i++) {
		now_ns += NUM_SEC_NS;
		p[i] = add("10.0.0.1");
		ck_assert_ptr_nonnull(p[i].conn);
	}
	ck_assert(is_cut(&p[0]) &&
		  is_cut(&p[1])); /* its own, not the other's, which is silent for longer */
	ck_assert(!is_cut(&p[2]) && !is_cut(&p[3]) && !is_cut(&other));
	conns_enter(cs, p[2].conn, CONN_WORKING);
	conns_enter(cs, p[3].conn, CONN_WORKING);
	struct pair more = add("10.0.0.1");
	ck_assert_ptr_null(more.conn);
	for (int i = 0; i < 4; i++)
		gone(&p[i]);
	gone(&more);
	gone(&other);
}
END_TEST

START_TEST(silent_ones_are_cut_at_the_end)
{
	struct pair p[3] = {add("10.0.0.1"), add("10.0.0.2"), add("10.0.0.3")};
	conns_enter(cs, p[1].conn, CONN_RECEIVING);
	conns_enter(cs, p[2].conn, CONN_IDLE);
	ck_assert_uint_eq(conns_state(cs).silent, 2);
	conns_cut_silent(cs);
	ck_assert(is_cut(&p[0]) && !is_cut(&p[1]) && is_cut(&p[2]));
	ck_assert_uint_eq(conns_state(cs).silent, 0);
	for (int i = 0; i < 3; i++)
		gone(&p[i]);
	ck_assert_uint_eq(conns_state(cs).connections, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest_conns");
	TCase *tcase = tcase_create("ingest_conns");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, fresh_time_is_not_renewed);
	tcase_add_test(tcase, phases);
	tcase_add_test(tcase, a_slow_body);
	tcase_add_test(tcase, a_dripping_body);
	tcase_add_test(tcase, the_longest_silent_makes_room);
	tcase_add_test(tcase, nobody_busy_makes_room);
	tcase_add_test(tcase, one_peer_has_its_share);
	tcase_add_test(tcase, silent_ones_are_cut_at_the_end);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
