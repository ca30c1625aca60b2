/* The ferry between the two threads that follow files. */
#include "agent/ship/ferry.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static struct ferry *ferry;
static struct way way;
static char told[512]; /* what the far side heard, in order */

static void hear(const char *what)
{
	(void)strncat(told, what, sizeof(told) - strlen(told) - 1);
}

static void on_keeps(void *user, int64_t keeps_ns)
{
	char text[64];
	(void)user;
	(void)snprintf(text, sizeof(text), "keeps %d, ", (int)keeps_ns);
	hear(text);
}

static void on_row(void *user, const struct stream_row *row)
{
	char text[64];
	(void)user;
	(void)snprintf(text, sizeof(text), "row %.*s at %d, ", (int)row->path.len, row->path.ptr,
		       (int)row->offset);
	hear(text);
}

static void on_rows_end(void *user)
{
	(void)user;
	hear("end, ");
}

static void on_verdict(void *user, size_t index, const struct chunk_verdict *v)
{
	char text[64];
	(void)user;
	(void)snprintf(text, sizeof(text), "verdict %zu %s, ", index, v->error ? v->error : "ok");
	hear(text);
}

static void on_answered(void *user)
{
	(void)user;
	hear("answered, ");
}

static void on_too_large(void *user, const char *why)
{
	(void)user;
	hear(why);
	hear(", ");
}

static void on_lost(void *user)
{
	(void)user;
	hear("lost, ");
}

static void set_up(void)
{
	const struct uplink_calls calls = {
		.keeps = on_keeps,
		.row = on_row,
		.rows_end = on_rows_end,
		.verdict = on_verdict,
		.answered = on_answered,
		.too_large = on_too_large,
		.session_lost = on_lost,
	};
	ck_assert_int_eq(ferry_new(&ferry), 0);
	way = ferry_way(ferry, &calls);
	told[0] = '\0';
}

static void tear_down(void)
{
	ferry_free(ferry);
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

/* The far side's turn: what it hears. */
#define HEARS(text)                                                                                \
	do {                                                                                       \
		told[0] = '\0';                                                                    \
		way.tick(way.self, 0);                                                             \
		ck_assert_str_eq(told, text);                                                      \
	} while (0)
#define STATE(s) ck_assert_int_eq(way.state(way.self), s)

START_TEST(there_and_back)
{
	struct span body;
	struct stream_row row = {
		.path = SPAN_LITERAL("/far/a.log"), .service = SPAN_LITERAL("a"), .offset = 41};
	STATE(UPLINK_LISTING);
	HEARS("");
	ferry_keeps(ferry, 7);
	ferry_row(ferry, &row);
	ferry_rows_end(ferry);
	ck_assert(is_readable(ferry_far_fd(ferry)));
	HEARS("keeps 7, row /far/a.log at 41, end, ");
	ck_assert(!is_readable(ferry_far_fd(ferry)));
	STATE(UPLINK_READY);
	ck_assert(!ferry_take(ferry, &body));
	way.send(way.self, SPAN_LITERAL("one"));
	STATE(UPLINK_SENDING);
	ck_assert(is_readable(ferry_near_fd(ferry)));
	ferry_near_woken(ferry);
	ck_assert(ferry_take(ferry, &body) && span_is(body, "one"));
	ck_assert(!ferry_take(ferry, &body));
	ferry_verdict(ferry, 0, &(struct chunk_verdict){.status = CHUNK_COMMITTED});
	ferry_verdict(ferry, 1, &(struct chunk_verdict){.status = CHUNK_REFUSED, .error = "bad"});
	STATE(UPLINK_SENDING); /* until it has its turn */
	ferry_answered(ferry);
	HEARS("verdict 0 ok, verdict 1 bad, answered, ");
	STATE(UPLINK_READY);
	way.send(way.self, SPAN_LITERAL("two"));
	ck_assert(ferry_take(ferry, &body));
	ferry_too_large(ferry, "413");
	HEARS("413, ");
	STATE(UPLINK_READY);
}
END_TEST

/* What was cut before the far side knew where its streams stand does not leave. */
START_TEST(streams_are_listed_while_a_batch_is_offered)
{
	struct span body;
	ferry_rows_end(ferry);
	HEARS("end, ");
	way.send(way.self, SPAN_LITERAL("old"));
	ferry_rows_end(ferry);
	ck_assert(!ferry_take(ferry, &body));
	HEARS("lost, end, ");
	ck_assert(!ferry_take(ferry, &body));
	STATE(UPLINK_READY);
	way.send(way.self, SPAN_LITERAL("new"));
	ck_assert(ferry_take(ferry, &body) && span_is(body, "new"));
}
END_TEST

START_TEST(the_session_is_lost)
{
	struct span body;
	ferry_rows_end(ferry);
	HEARS("end, ");
	way.send(way.self, SPAN_LITERAL("old"));
	ck_assert(ferry_take(ferry, &body));
	ferry_lost(ferry);
	HEARS("lost, ");
	STATE(UPLINK_LISTING); /* nothing is cut until the streams are known */
	ck_assert(!ferry_take(ferry, &body));
	ferry_rows_end(ferry);
	HEARS("end, ");
	STATE(UPLINK_READY);
}
END_TEST

START_TEST(it_asks_for_its_streams)
{
	ferry_rows_end(ferry);
	HEARS("end, ");
	ck_assert(!ferry_wants_resync(ferry));
	way.resync(way.self);
	STATE(UPLINK_LISTING);
	ck_assert(is_readable(ferry_near_fd(ferry)));
	ck_assert(ferry_wants_resync(ferry));
	ck_assert(!ferry_wants_resync(ferry));
}
END_TEST

/* The far side hangs, and the near one has more to say than is kept. */
START_TEST(too_much_to_say)
{
	struct span body;
	ferry_rows_end(ferry);
	HEARS("end, ");
	way.send(way.self, SPAN_LITERAL("old"));
	for (int i = 0; i < 150000; i++)
		ferry_answered(ferry);
	way.tick(way.self, 0);
	ck_assert(ferry_wants_resync(ferry));
	STATE(UPLINK_LISTING);
	ck_assert(!ferry_take(ferry, &body));
	ferry_rows_end(ferry);
	HEARS("end, ");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ferry");
	TCase *tcase = tcase_create("ferry");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, there_and_back);
	tcase_add_test(tcase, streams_are_listed_while_a_batch_is_offered);
	tcase_add_test(tcase, the_session_is_lost);
	tcase_add_test(tcase, it_asks_for_its_streams);
	tcase_add_test(tcase, too_much_to_say);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
