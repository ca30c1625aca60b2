/* Batches over real HTTP, with a store that only pretends: what is answered to which header and
 * body, and that nothing is answered before the store has spoken. */
#include "collector/ingest/request.h"
#include "common/gzip.h"
#include "common/num.h"
#include "tests/lib/fakes/receiver.h"

#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>

START_TEST(taken)
{
	post_and_expect(batch_of("web-01", 20), 200,
			"{\"chunks\":[{\"stream\":\"9f000000000000000000000000000000\",\"status\":"
			"\"committed\",\"offset\":1000,\"crc\":\"0000000000000005\"}]}");
	ck_assert_uint_eq(fake.lines, 20);
}
END_TEST

START_TEST(two_chunks_one_refused)
{
	struct buf plain = BUF_EMPTY;
	add_chunk(&plain, "web-01", "app", 2);
	add_chunk(&plain, "web-01", "../etc", 2);
	post_and_expect(gzip(buf_span(&plain)), 200, "\"refused\"");
	buf_free(&plain);
}
END_TEST

START_TEST(no_chunk)
{
	post_and_expect(gzip(SPAN_LITERAL("")), 200, "{\"chunks\":[]}");
}
END_TEST

START_TEST(another_host)
{
	struct buf plain = BUF_EMPTY;
	add_chunk(&plain, "web-01", "app", 2);
	add_chunk(&plain, "db-01", "app", 2);
	post_and_expect(gzip(buf_span(&plain)), 403, "chunk 1: host db-01");
	ck_assert_uint_eq(fake.lines, 0);
	buf_free(&plain);
}
END_TEST

static const struct {
	const char *what, *type, *encoding, *agent;
	long status;
	const char *text;
} HEADERS[] = {
	{"type", "text/plain", "gzip", "9f2c 7 haul-agent/1", 415, "Content-Type"},
	{"no type", "", "gzip", "9f2c 7 haul-agent/1", 415, "Content-Type"},
	{"longer type", "application/vnd.haul.batches", "gzip", "9f2c 7 haul-agent/1", 415,
	 "Content-Type"},
	{"parameter", "Application/vnd.haul.batch; v=1", "GZIP", "9f2c 7 haul-agent/1", 200,
	 "committed"},
	{"plain", CHUNK_MEDIA_TYPE, "identity", "9f2c 7 haul-agent/1", 415, "Content-Encoding"},
	{"no encoding", CHUNK_MEDIA_TYPE, "", "9f2c 7 haul-agent/1", 415, "Content-Encoding"},
	{"zstd", CHUNK_MEDIA_TYPE, "gzip, zstd", "9f2c 7 haul-agent/1", 415, "Content-Encoding"},
	{"no agent", CHUNK_MEDIA_TYPE, "gzip", "", 400, "Haul-Agent"},
	{"bad agent", CHUNK_MEDIA_TYPE, "gzip", "9f2c seven haul-agent/1", 400, "Haul-Agent"},
	{"old session", CHUNK_MEDIA_TYPE, "gzip", "9f2c 6 haul-agent/1", 409, "newer session"},
	{"no such session", CHUNK_MEDIA_TYPE, "gzip", "9f2c 99 haul-agent/1", 409, "not known"},
	{"another's session", CHUNK_MEDIA_TYPE, "gzip", "9f2c 8 haul-agent/1", 403, "host web-01"},
};

START_TEST(headers)
{
	char type[128], encoding[128], agent[128];
	(void)snprintf(type, sizeof(type), "Content-Type: %s", HEADERS[_i].type);
	(void)snprintf(encoding, sizeof(encoding), "Content-Encoding: %s", HEADERS[_i].encoding);
	(void)snprintf(agent, sizeof(agent), "Haul-Agent: %s", HEADERS[_i].agent);
	const char *const list[] = {type, encoding, agent, NULL};
	struct buf body = batch_of("web-01", 2);
	expect(request("POST", "/v1/batches", list, &body), HEADERS[_i].status, HEADERS[_i].text);
	buf_free(&body);
}
END_TEST

/* Of two headers neither holds. */
START_TEST(headers_twice)
{
	struct buf body = batch_of("web-01", 2);
	static const struct {
		const char *second;
		long status;
	} rows[] = {{"Content-Type: text/plain", 415},
		    {"Content-Encoding: identity", 415},
		    {"Haul-Agent: 9f2c 8 haul-agent/0.1", 400}};
	for (int i = 0; i < LEN(rows); i++) {
		const char *const list[] = {agent_headers[0], agent_headers[1], agent_headers[2],
					    rows[i].second, NULL};
		expect(request("POST", "/v1/batches", list, &body), rows[i].status, "");
	}
	buf_free(&body);
}
END_TEST

/* --- bodies that are none --- */

START_TEST(malformed)
{
	post_and_expect(gzip(SPAN_LITERAL("no header\n")), 400, "chunk 0: ");
	struct buf plain = BUF_EMPTY;
	add_chunk(&plain, "web-01", "app", 1);
	plain.len--; /* its last byte is missing */
	post_and_expect(gzip(buf_span(&plain)), 400, "chunk 0: ");
	buf_free(&plain);
	ck_assert_uint_eq(fake.lines, 0);
}
END_TEST

START_TEST(not_one_gzip_member)
{
	struct buf one = batch_of("web-01", 2), body = BUF_EMPTY;
	post_and_expect(body, 400, "not gzip");
	ck_assert_int_eq(buf_add_str(&body, "this is surely no gzip member at all"), 0);
	body.len = 28; /* what stands at the end is taken for a size: let it be a small one */
	memcpy(body.ptr + 24, "\x10\0\0\0", 4);
	post_and_expect(body, 400, "gzip");
	struct buf empty = gzip(SPAN_LITERAL(""));
	body = BUF_EMPTY;
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(buf_add_span(&body, buf_span(&empty)), 0);
	buf_free(&empty);
	post_and_expect(body, 400, "gzip");
	body = batch_of("web-01", 2);
	ck_assert_int_eq(buf_add_span(&body, buf_span(&one)), 0);
	post_and_expect(body, 400, "gzip");
	body = batch_of("web-01", 2);
	body.len -= 9; /* cut short */
	memcpy(body.ptr + body.len - 4, "\xff\0\0\0", 4);
	post_and_expect(body, 400, "gzip");
	body = batch_of("web-01", 2);
	body.ptr[body.len - 4]--; /* promises less than there is */
	post_and_expect(body, 400, "gzip");
	buf_free(&one);
}
END_TEST

START_TEST(bomb)
{
	struct buf zeros = BUF_EMPTY;
	ck_assert_int_eq(buf_reserve(&zeros, 8 << 20), 0);
	memset(zeros.ptr, 0, 8 << 20);
	zeros.len = 8 << 20;
	struct buf gz = gzip(buf_span(&zeros));
	ck_assert_uint_lt(gz.len, 64 << 10);
	post_and_expect(gz, 413, "200 times");
	gz = gzip(SPAN_LITERAL("x"));
	memcpy(gz.ptr + gz.len - 4, "\xff\xff\xff\xff", 4); /* promises 4 GiB */
	post_and_expect(gz, 400, "gzip");
	/* What is no bomb, only the same again and again, is taken for what it is. */
	zeros.len = 3 << 20;
	post_and_expect(gzip(buf_span(&zeros)), 400, "chunk 0: ");
	buf_free(&zeros);
}
END_TEST

START_TEST(too_large)
{
	struct buf body = BUF_EMPTY;
	ck_assert_int_eq(buf_reserve(&body, 65537), 0);
	memset(body.ptr, 'x', 65537);
	body.len = 65537;
	post_and_expect(body, 413, "at most 65536");
	/* Chunked, so that it is found while it comes in. */
	body = BUF_EMPTY;
	ck_assert_int_eq(buf_reserve(&body, 65537), 0);
	memset(body.ptr, 'x', 65537);
	body.len = 65537;
	const char *const list[] = {agent_headers[0], agent_headers[1], agent_headers[2],
				    "Transfer-Encoding: chunked", NULL};
	expect(request("POST", "/v1/batches", list, &body), 413, "more than 65536");
	buf_free(&body);
}
END_TEST

START_TEST(chunked)
{
	const char *const list[] = {agent_headers[0], agent_headers[1], agent_headers[2],
				    "Transfer-Encoding: chunked", NULL};
	struct buf body = batch_of("web-01", 3);
	expect(request("POST", "/v1/batches", list, &body), 200, "committed");
	buf_free(&body);
}
END_TEST

/* --- before it is durable --- */

START_TEST(no_answer_before_the_store_has_spoken)
{
	struct poster p = {0};
	fake.hold = true;
	start_post(&p, 2);
	wait_for(one_held);
	ck_assert_uint_eq(http_suspended(server), 1);
	expect(get("/healthz"), 200, "alive"); /* others go on */
	ck_assert(!atomic_load(&p.answered));
	let_go();
	expect(end_post(&p), 200, "committed");
}
END_TEST

START_TEST(store_says_no)
{
	fake.result = -EIO;
	struct buf body = batch_of("web-01", 2);
	expect_head(post(&body), 503, "Retry-After: ");
	fake.result = -ESTALE;
	expect(post(&body), 409, "newer session");
	fake.result = -EDQUOT;
	expect(post(&body), 429, "the host has enough");
	expect_head(post(&body), 429, "Retry-After: ");
	fake.result = 0;
	fake.admit = -ENOSPC;
	expect_head(post(&body), 507, "Retry-After: ");
	expect(get("/readyz"), 503, "disk is low");
	/* Another batch might fit; but who was sent away finds no door that says it is open. */
	fake.admit = 0;
	expect(get("/readyz"), 503, "disk is low");
	expect(post(&body), 200, "committed");
	atomic_fetch_sub(&intake.full_ns, 60 * NUM_SEC_NS);
	expect(get("/readyz"), 200, "ready");
	fake.blocked = 1;
	expect(get("/readyz"), 503, "2026-11-23/cart cannot be written");
	expect(get("/metrics"), 200, "haul_collector_ready 0");
	expect(get("/v1/status"), 200, "\"ready\":false");
	expect(get("/v1/status?format=text"), 200, "wait at their agents");
	fake.blocked = 0;
	expect(get("/readyz"), 200, "ready");
	buf_free(&body);
}
END_TEST

START_TEST(the_door_is_shut)
{
	struct buf body = batch_of("web-01", 2);
	struct poster p = {0};
	fake.hold = true;
	start_post(&p, 2);
	wait_for(one_held);
	door_close(intake.door, "stopping for a test");
	expect(post(&body), 503, "stopping for a test"); /* new ones */
	expect(get("/readyz"), 503, "stopping for a test");
	expect(get("/healthz"), 200, "alive");
	ck_assert_uint_eq(door_passes(intake.door), 1);
	let_go();
	expect(end_post(&p), 200, "committed"); /* what had begun */
	(void)door_shut(intake.door, "shut for a test");
	expect_head(post(&body), 503, "Retry-After: ");
	expect(get("/metrics"), 200, "haul_collector_ready 0");
	expect(get("/v1/status"), 200, "\"reason\":\"shut for a test\"");
	door_open(intake.door, &fake);
	buf_free(&body);
}
END_TEST

int main(void)
{
	(void)curl_global_init(CURL_GLOBAL_ALL);
	Suite *suite = suite_create("ingest_request");
	TCase *tcase = tcase_create("ingest_request");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, receiver_setup, receiver_teardown);
	tcase_add_test(tcase, taken);
	tcase_add_test(tcase, two_chunks_one_refused);
	tcase_add_test(tcase, no_chunk);
	tcase_add_test(tcase, another_host);
	tcase_add_loop_test(tcase, headers, 0, LEN(HEADERS));
	tcase_add_test(tcase, headers_twice);
	tcase_add_test(tcase, malformed);
	tcase_add_test(tcase, not_one_gzip_member);
	tcase_add_test(tcase, bomb);
	tcase_add_test(tcase, too_large);
	tcase_add_test(tcase, chunked);
	tcase_add_test(tcase, no_answer_before_the_store_has_spoken);
	tcase_add_test(tcase, store_says_no);
	tcase_add_test(tcase, the_door_is_shut);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
