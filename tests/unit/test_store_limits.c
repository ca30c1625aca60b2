/* What one host may have: files and streams, and who is told. */
#include "collector/store/core.h"
#include "tests/lib/make_batch.h"
#include "tests/lib/one_store.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

/* One batch of chunks of a line each. Nothing of it is taken when the host is at a limit, and the
 * sources then stand where they stood. */
static int send_together(struct store *s, const char *host, uint64_t number,
			 struct make_source *sources, size_t n)
{
	struct buf body = BUF_EMPTY;
	struct make_answer answer = {0};
	struct make_source before[8];
	ck_assert_uint_le(n, sizeof(before) / sizeof(before[0]));
	for (size_t i = 0; i < n; i++) {
		before[i] = sources[i];
		make_chunk(&body, &sources[i], host, 1);
	}
	make_submit(s, host, number, buf_span(&body), &answer);
	make_wait(&answer);
	for (size_t i = 0; i < n; i++) {
		if (answer.result < 0)
			sources[i] = before[i];
		else
			ck_assert_int_eq((int)answer.verdicts[i].status, CHUNK_COMMITTED);
	}
	int result = answer.result;
	make_answer_free(&answer);
	buf_free(&body);
	return result;
}

static void note_beyond(void *user, const struct store_host *h)
{
	if (h->beyond && span_is(h->host, "web-01"))
		*(bool *)user = true;
}

static bool web_01_is_beyond(void)
{
	bool beyond = false;
	store_hosts(store, 0, note_beyond, &beyond);
	return beyond;
}

/* Beyond it nothing is lost: the batch is put off as a whole, other hosts go on, and so does this
 * one where it needs no new file. */
START_TEST(files_of_a_host_have_a_limit)
{
	struct store_config few = {.segment_bytes = 1 << 20, .host_files = 3};
	struct store_counters counters;
	struct make_source s[4], other;
	store_close(store);
	store = make_store(dir, &few);
	session = make_session(store, "web-01", "m1", NULL);
	make_source(&s[0], "checkout", "a");
	make_source(&s[1], "checkout", "b");
	make_source(&s[2], "cart", "c");
	make_source(&s[3], "search", "d");
	/* Four chunks of three services fit exactly. */
	ck_assert_int_eq(send_together(store, "web-01", session, s, 4), 0);
	ck_assert(!web_01_is_beyond());
	struct make_source more[2];
	make_source(&more[0], "cart", "e");
	make_source(&more[1], "billing", "f");
	ck_assert_int_eq(send_together(store, "web-01", session, more, 2), -EDQUOT);
	ck_assert(web_01_is_beyond());
	store_counters(store, &counters);
	ck_assert_uint_eq(counters.beyond_limits, 1);
	ck_assert_uint_eq(counters.refused, 0);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &more[0], 1), CHUNK_COMMITTED);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &s[3], 1), CHUNK_COMMITTED);
	ck_assert(!web_01_is_beyond());
	make_source(&other, "billing", "g");
	ck_assert_int_eq((int)make_send(store, "web-02", make_session(store, "web-02", "m2", NULL),
					&other, 1),
			 CHUNK_COMMITTED);
	/* Raised, as a reload does it: what waited is taken. */
	few.host_files = 4;
	store_close(store);
	store = make_store(dir, &few);
	session = make_session(store, "web-01", "m1", NULL);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &more[1], 1), CHUNK_COMMITTED);
	ck_assert_int_eq(store_checkpoint(store), 0); /* lines stand in files after the answer */
	one_store_expect("e", 1);
	one_store_expect("f", 1);
	one_store_expect("d", 2);
}
END_TEST

/* What a host's streams take is counted, and has an end. */
START_TEST(streams_of_a_host_have_a_limit)
{
	struct make_source a, b, c;
	make_source(&a, "checkout", "a");
	make_source(&b, "checkout", "b");
	make_source(&c, "checkout", "c");
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	struct host *host = hosts_find(&store->hosts, SPAN_LITERAL("web-01"));
	uint64_t one = host->stream_bytes;
	ck_assert_uint_ge(one, sizeof(struct stream));
	ck_assert_int_eq((int)make_send(store, "web-01", session, &b, 1), CHUNK_COMMITTED);
	ck_assert_uint_eq(host->stream_bytes, 2 * one);
	uint64_t filling = STORE_STREAM_BYTES_PER_HOST - host->stream_bytes;
	host->stream_bytes += filling;
	ck_assert_int_eq(send_together(store, "web-01", session, &c, 1), -EDQUOT);
	ck_assert(web_01_is_beyond());
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	host->stream_bytes -= filling;
	size_t open = host->open.n;
	host->open.n = STORE_STREAMS_PER_HOST;
	ck_assert_int_eq(send_together(store, "web-01", session, &c, 1), -EDQUOT);
	ck_assert_int_eq((int)make_send(store, "web-01", session, &a, 1), CHUNK_COMMITTED);
	host->open.n = open;
	ck_assert_int_eq((int)make_send(store, "web-01", session, &c, 1), CHUNK_COMMITTED);
	uint64_t three = host->stream_bytes;
	ck_assert_uint_gt(three, 2 * one);
	one_store_reopen(); /* they weigh the same when they come from the disk */
	host = hosts_find(&store->hosts, SPAN_LITERAL("web-01"));
	ck_assert_uint_eq(host->stream_bytes, three);
	struct make_source d;
	make_source(&d, "checkout", "d");
	ck_assert_int_eq(
		(int)make_send(store, "web-02", make_session(store, "web-02", "m2", NULL), &d, 1),
		CHUNK_COMMITTED);
	ck_assert_uint_eq(host->stream_bytes, three);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_limits");
	TCase *tcase = tcase_create("store_limits");
	tcase_add_checked_fixture(tcase, one_store_set_up, one_store_tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, files_of_a_host_have_a_limit);
	tcase_add_test(tcase, streams_of_a_host_have_a_limit);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
