/* Who may ask for what over real HTTP: tokens, sessions, streams, status, metrics, and what the
 * manual says of these. */
#include "collector/ingest/request.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"
#include "tests/lib/fakes/receiver.h"

#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* --- who may --- */

static void add_token(const char *hosts, char header[TOKEN_LEN + 64])
{
	char token[TOKEN_LEN + 1];
	struct conf_error err;
	ck_assert_msg(tokens_add(tokens_path, hosts, NULL, token, &err) == 0, "%s", err.text);
	(void)snprintf(header, TOKEN_LEN + 64, "Authorization: Bearer %s", token);
}

static struct reply post_with(const char *authorization, const struct buf *body)
{
	const char *const list[] = {agent_headers[0], agent_headers[1], agent_headers[2],
				    authorization, NULL};
	return request("POST", "/v1/batches", list, body);
}

START_TEST(tokens)
{
	char web[TOKEN_LEN + 64], db[TOKEN_LEN + 64], all[TOKEN_LEN + 64];
	struct buf body = batch_of("web-01", 1);
	size_t n;
	struct conf_error err;
	expect(post(&body), 200, "committed");
	add_token("web-01", web);
	expect_head(post(&body), 401, "WWW-Authenticate: Bearer");
	expect(post_with("Authorization: Bearer haul_x", &body), 401, "not known");
	expect(post_with("Authorization: Basic eDp5", &body), 401, "token is needed");
	expect(post_with(web, &body), 200, "committed");
	add_token("db-*", db);
	expect(post_with(db, &body), 403, "not for host web-01");
	add_token("*", all);
	expect(post_with(all, &body), 200, "committed");
	ck_assert_int_eq(tokens_revoke(tokens_path, "web-01", &n, &err), 0);
	expect(post_with(web, &body), 401, "not known");
	expect(post_with(all, &body), 200, "committed");
	buf_free(&body);
}
END_TEST

START_TEST(a_damaged_tokens_file_changes_nothing)
{
	char web[TOKEN_LEN + 64];
	struct buf body = batch_of("web-01", 1);
	add_token("web-01", web);
	expect(post_with(web, &body), 200, "committed");
	ck_assert_int_eq(file_replace(AT_FDCWD, tokens_path, SPAN_LITERAL("rubbish\n"), 0600), 0);
	expect(post_with(web, &body), 200, "committed");
	expect(post(&body), 401, "token is needed");
	buf_free(&body);
}
END_TEST

START_TEST(nobody_without_tokens_beyond_loopback)
{
	struct conf_error err;
	struct buf body = batch_of("web-01", 1);
	struct auth_config closed = {.tokens_file = tokens_path, .anonymous_allowed = false};
	ck_assert_int_eq(auth_reload(intake.auth, &closed, &err), 0);
	expect(post(&body), 401, "no tokens yet");
	expect(get("/healthz"), 200, "alive");
	buf_free(&body);
}
END_TEST

START_TEST(operators)
{
	const char *const passed_on[] = {"X-Forwarded-For: 10.0.0.1", NULL};
	expect(get("/metrics"), 200, "haul_collector_ready 1");
	expect(request("GET", "/metrics", passed_on, NULL), 401, "with a token");
	const char *const passed_on_twice[] = {passed_on[0], passed_on[0], NULL};
	expect(request("GET", "/metrics", passed_on_twice, NULL), 401, "with a token");
	expect(request("GET", "/v1/status", passed_on, NULL), 401, "with a token");
	char any[TOKEN_LEN + 64];
	add_token("prometheus", any);
	const char *const with_token[] = {"X-Forwarded-For: 10.0.0.1", any, NULL};
	expect(request("GET", "/metrics", with_token, NULL), 200, "haul_collector_ready 1");
}
END_TEST

/* --- the other routes --- */

static const struct {
	const char *body;
	int result;
	long status;
	const char *text;
} SESSIONS[] = {
	{"{\"host\":\"web-01\",\"machine\":\"m\"}", 0, 200, "{\"session\":1}"},
	{"{\"host\":\"web-01\"}", 0, 200, "{\"session\":1}"},
	{"{\"host\":\"web-01\",\"more\":[1,{}]}", 0, 200, "{\"session\":1}"},
	{"{\"host\":\"web-01\"}", -EBUSY, 409, "another machine"},
	{"{\"host\":\"web-01\"}", -EIO, 503, "could not"},
	{"{\"host\":\"no-thread\"}", 0, 503, "could not"},
	{"{\"machine\":\"m\"}", 0, 400, "\"host\" is missing"},
	{"{\"host\":\"\"}", 0, 400, "must match"},
	{"{\"host\":\"../etc\"}", 0, 400, "must match"},
	{"{\"host\":\"web.0001\"}", 0, 400, "must match"},
	{"{\"host\":7}", 0, 400, "a string, once"},
	{"{\"host\":\"a\",\"host\":\"b\"}", 0, 400, "a string, once"},
	{"{\"host\":\"web-01\"", 0, 400, "one JSON object"},
	{"", 0, 400, "one JSON object"},
	{"[]", 0, 400, "one JSON object"},
};

START_TEST(sessions)
{
	fake.session = SESSIONS[_i].result;
	struct buf body = BUF_EMPTY;
	ck_assert_int_eq(buf_add_str(&body, SESSIONS[_i].body), 0);
	expect(request("POST", "/v1/session", NULL, &body), SESSIONS[_i].status, SESSIONS[_i].text);
	buf_free(&body);
}
END_TEST

START_TEST(session_says_what_is_kept)
{
	struct buf body = BUF_EMPTY;
	atomic_store(&intake.keeps_s, 2592000);
	ck_assert_int_eq(buf_add_str(&body, "{\"host\":\"web-01\"}"), 0);
	expect(request("POST", "/v1/session", NULL, &body), 200,
	       "{\"session\":1,\"keeps_s\":2592000}");
	buf_free(&body);
}
END_TEST

START_TEST(session_limits)
{
	struct buf body = BUF_EMPTY;
	ck_assert_int_eq(buf_printf(&body, "{\"host\":\"web-01\",\"machine\":\"%0200d\"}", 0), 0);
	expect(request("POST", "/v1/session", NULL, &body), 400, "at most 128");
	ck_assert_int_eq(buf_printf(&body, "%5000d", 0), 0);
	expect(request("POST", "/v1/session", NULL, &body), 413, "at most 4096");
	buf_free(&body);
}
END_TEST

static const struct {
	const char *query;
	long status;
	const char *text;
} STREAMS[] = {
	{"?host=web-01", 200, "{\"after\":0,\"limit\":1000}"},
	{"?host=web-01&limit=5&after=9f000000000000000000000000000000", 200,
	 "{\"after\":1,\"limit\":5}"},
	{"?host=web-01&limit=5000", 200, "\"limit\":1000"},
	{"", 400, "host: "},
	{"?host=..", 400, "host: "},
	{"?host=web-01&after=x", 400, "after: "},
	{"?host=web-01&limit=0", 400, "limit: "},
	{"?host=web-01&limit=-1", 400, "limit: "},
};

START_TEST(streams)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "/v1/streams%s", STREAMS[_i].query);
	expect(get(path), STREAMS[_i].status, STREAMS[_i].text);
}
END_TEST

START_TEST(streams_of_others)
{
	char web[TOKEN_LEN + 64];
	add_token("web-01", web);
	const char *const list[] = {web, NULL};
	expect(request("GET", "/v1/streams?host=web-01", list, NULL), 200, "after");
	expect(request("GET", "/v1/streams?host=db-01", list, NULL), 403, "not for host db-01");
	expect(get("/v1/streams?host=web-01"), 401, "token");
}
END_TEST

START_TEST(paths)
{
	expect(get("/"), 404, "nothing is known");
	expect(get("/v1/batches/"), 404, "/v1/batches/");
	expect_head(get("/v1/batches"), 405, "Allow: POST");
	struct buf body = batch_of("web-01", 1);
	expect_head(request("POST", "/metrics", NULL, &body), 405, "Allow: GET");
	expect(request("PUT", "/v1/batches", agent_headers, &body), 405, "only POST");
	expect(request("DELETE", "/%0a%1b[2J", NULL, NULL), 404,
	       "/??[2J\n"); /* no control characters come back */
	buf_free(&body);
}
END_TEST

START_TEST(status)
{
	expect(get("/v1/status"), 200, "\"ready\":true");
	expect(get("/v1/status"), 200, "{\"host\":\"db-01\",\"session\":8");
	expect(get("/v1/status"), 200, "\"lag_bytes\":3145728,\"lag_seconds\":150.500,\"files\":9");
	expect(get("/v1/status"), 200, "\"clock_offset_seconds\":30.000}}");
	expect(get("/v1/status"), 200, "\"rate_bytes_per_second\":0.0,\"report\":null}]");
	expect(get("/v1/status"), 200, "\"disk_full_in_seconds\":null");
	expect(get("/v1/status?format=text"), 200, "state       ready\n");
	expect(get("/v1/status?format=text"), 200, "\nweb-01  6m ago ");
	expect(get("/v1/status?format=text"), 200, "    3.0 MiB      2m    2.0 KiB/s    +30.0s");
}
END_TEST

START_TEST(problems)
{
	expect(get("/v1/status?format=text"), 200,
	       "! db-01 is 3.0 MiB and 2m behind\n"
	       "! db-01 cannot read 1 of its files: haul-agent status there says which\n"
	       "! the clock of db-01 is 30s ahead\n"
	       "! web-01 has not been heard of for 6m\n\n");
	expect(get("/v1/status"), 200, "\"problems\":[\"db-01 is 3.0 MiB and 2m behind\",");
	intake.started_us =
		clock_real_ns() / NUM_US_NS; /* quiet hosts have yet to be heard again */
	struct reply fresh = get("/v1/status?format=text");
	ck_assert_ptr_null(strstr(fresh.body.ptr, "web-01 has not been heard of"));
	buf_free(&fresh.head);
	buf_free(&fresh.body);
	for (int64_t minute = 0; minute < 30; minute++) /* 1 GiB in twenty minutes, of 5 */
		forecast_note(intake.forecast, (100 + minute) * 60 * NUM_SEC_NS,
			      (UINT64_C(10) << 30) - ((uint64_t)minute << 30) / 20);
	expect(get("/v1/status?format=text"), 200, "m: it fills by 3.0 GiB an hour\n");
	(void)door_shut(intake.door, "shut for a test");
	expect(get("/v1/status?format=text"), 200, "! no batches are taken: ");
}
END_TEST

START_TEST(reports)
{
	static const char *const with_report[] = {"Haul-Agent: a 7 haul-agent/1",
						  "Haul-Report: time_us=5 lag_bytes=6 lag_ms=7",
						  NULL};
	static const char *const damaged[] = {"Haul-Agent: a 7 haul-agent/1", "Haul-Report: 17",
					      NULL};
	expect(request("GET", "/v1/streams?host=web-01&limit=1", with_report, NULL), 200, "");
	ck_assert_int_eq(fake.report.time_us, 5);
	ck_assert_uint_eq(fake.report.lag_bytes, 6);
	ck_assert_uint_eq(fake.report_session, 7);
	expect(request("GET", "/v1/streams?host=web-01&limit=1", damaged, NULL), 200, "");
	ck_assert_int_eq(fake.report.time_us, 5);
	expect(request("GET", "/metrics", NULL, NULL), 200,
	       "haul_collector_host_lag_seconds{host=\"db-01\"} 150.5\n");
	expect(request("GET", "/metrics", NULL, NULL), 200,
	       "haul_collector_host_lost_bytes_total{host=\"db-01\"} 77\n");
}
END_TEST

/* --- the manual --- */

static bool manual_has(const struct buf *manual, const char *name, size_t len)
{
	char line[256];
	(void)snprintf(line, sizeof(line), "\n.It Cm %.*s\n", (int)len, name);
	return strstr(manual->ptr, line) != NULL;
}

/* Every metric of the page stands in the manual, and every one of the manual on the page. */
START_TEST(metrics_are_documented)
{
	struct buf manual = BUF_EMPTY;
	ck_assert_int_eq(file_read(AT_FDCWD, "man/haul-collector.8", 1 << 20, &manual), 0);
	ck_assert_ptr_nonnull(buf_cstr(&manual));
	struct reply page = get("/metrics");
	int shown = 0, documented = 0;
	for (const char *at = page.body.ptr; (at = strstr(at, "# TYPE ")) != NULL; shown++) {
		at += 7;
		size_t len = strcspn(at, " ");
		ck_assert_msg(manual_has(&manual, at, len), "not in the manual: %.*s", (int)len,
			      at);
	}
	for (const char *at = manual.ptr; (at = strstr(at, "\n.It Cm haul_collector_")) != NULL;
	     at++)
		documented++;
	ck_assert_int_gt(shown, 30);
	ck_assert_int_eq(shown, documented);
	free_reply(&page);
	buf_free(&manual);
}
END_TEST

int main(void)
{
	(void)curl_global_init(CURL_GLOBAL_ALL);
	Suite *suite = suite_create("ingest_routes");
	TCase *tcase = tcase_create("ingest_routes");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, receiver_setup, receiver_teardown);
	tcase_add_test(tcase, tokens);
	tcase_add_test(tcase, a_damaged_tokens_file_changes_nothing);
	tcase_add_test(tcase, nobody_without_tokens_beyond_loopback);
	tcase_add_test(tcase, operators);
	tcase_add_loop_test(tcase, sessions, 0, LEN(SESSIONS));
	tcase_add_test(tcase, session_says_what_is_kept);
	tcase_add_test(tcase, session_limits);
	tcase_add_loop_test(tcase, streams, 0, LEN(STREAMS));
	tcase_add_test(tcase, streams_of_others);
	tcase_add_test(tcase, paths);
	tcase_add_test(tcase, status);
	tcase_add_test(tcase, problems);
	tcase_add_test(tcase, reports);
	tcase_add_test(tcase, metrics_are_documented);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
