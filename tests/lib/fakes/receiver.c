/* See receiver.h. */
#include "tests/lib/fakes/receiver.h"

#include "collector/ingest/scratch.h"
#include "common/clock.h"
#include "common/gzip.h"
#include "common/line.h"
#include "common/num.h"

#include <check.h>
#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEADLINE_NS (20 * NUM_SEC_NS)

/* --- the house around it --- */

struct intake intake;
struct http *server;
char tokens_path[] = "/tmp/haul-request.XXXXXX";
char url_base[64];

void receiver_setup(void)
{
	struct conf_error err;
	fake = (struct store){.lock = PTHREAD_MUTEX_INITIALIZER};
	memcpy(tokens_path + sizeof(tokens_path) - 7, "XXXXXX", 6);
	int fd = mkstemp(tokens_path);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	atomic_init(&intake.max_batch, 64 << 10);
	atomic_init(&intake.keeps_s, 0);
	intake.door = door_new("starting");
	intake.complaints = complaints_new();
	intake.inflight = inflight_new();
	intake.scratch = scratch_new();
	ck_assert_int_eq(forecast_new(&intake.forecast), 0);
	intake.receiving = budget_new(1 << 20);
	intake.working = budget_new(4 << 20);
	struct auth_config auth = {.tokens_file = tokens_path, .anonymous_allowed = true};
	ck_assert_int_eq(auth_new(&auth, &intake.auth, &err), 0);
	door_open(intake.door, &fake);
	struct http_config config = {.listen = "127.0.0.1:0",
				     .threads = 2,
				     .limits = {.max = 100,
						.per_peer = 100,
						.fresh_ns = 60 * NUM_SEC_NS,
						.idle_ns = 60 * NUM_SEC_NS,
						.stall_ns = 60 * NUM_SEC_NS,
						.answer_ns = 60 * NUM_SEC_NS},
				     .uuid = FAKE_UUID,
				     .handler = &request_handler,
				     .user = &intake};
	ck_assert_msg(http_start(&config, &server, &err) == 0, "%s", err.text);
	(void)snprintf(url_base, sizeof(url_base), "http://%s", http_address(server));
}

bool all_over(void)
{
	return http_exchanges(server) == 0 && atomic_load(&fake_submissions) == 0;
}

void wait_for(bool (*condition)(void))
{
	int64_t until_ns = clock_mono_ns() + DEADLINE_NS;
	while (!condition()) {
		ck_assert_msg(clock_mono_ns() < until_ns, "not in time");
		(void)poll(NULL, 0, 2);
	}
}

void receiver_teardown(void)
{
	http_quiesce(server);
	wait_for(all_over);
	ck_assert_uint_eq(door_passes(intake.door), 0);
	ck_assert_uint_eq(budget_state(intake.receiving).taken, 0);
	ck_assert_uint_eq(budget_state(intake.working).taken, 0);
	http_stop(server);
	(void)door_shut(intake.door, "over");
	auth_free(intake.auth);
	budget_free(intake.receiving);
	budget_free(intake.working);
	door_free(intake.door);
	complaints_free(intake.complaints);
	inflight_free(intake.inflight);
	scratch_free(intake.scratch);
	forecast_free(intake.forecast);
	(void)unlink(tokens_path);
}

/* --- the client --- */

static size_t collect(char *bytes, size_t size, size_t n, void *user)
{
	return buf_add(user, bytes, size * n) == 0 ? size * n : 0;
}

const char *const agent_headers[] = {"Content-Type: application/vnd.haul.batch",
				     "Content-Encoding: gzip", "Haul-Agent: 9f2c 7 haul-agent/0.1",
				     NULL};

void free_reply(struct reply *r)
{
	buf_free(&r->head);
	buf_free(&r->body);
}

struct reply request(const char *method, const char *path, const char *const *headers,
		     const struct buf *body)
{
	struct reply r = {0};
	CURL *curl = curl_easy_init();
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	char url[512];
	(void)snprintf(url, sizeof(url), "%s%s", url_base, path);
	for (; headers && *headers; headers++)
		list = curl_slist_append(list, *headers);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &r.body);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &r.head);
	if (body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->len ? body->ptr : "");
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body->len);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	CURLcode e = curl_easy_perform(curl);
	ck_assert_msg(e == CURLE_OK, "%s %s: %s", method, path, curl_easy_strerror(e));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &r.status);
	curl_slist_free_all(list);
	curl_easy_cleanup(curl);
	ck_assert_ptr_nonnull(buf_cstr(&r.head));
	ck_assert_ptr_nonnull(buf_cstr(&r.body));
	ck_assert_msg(strstr(r.head.ptr, "Haul-Protocol: 1\r\n") != NULL, "%s", r.head.ptr);
	ck_assert_msg(strstr(r.head.ptr, "Haul-Collector: " FAKE_UUID "\r\n") != NULL, "%s",
		      r.head.ptr);
	return r;
}

struct reply get(const char *path)
{
	return request("GET", path, NULL, NULL);
}

void expect(struct reply r, long status, const char *text)
{
	ck_assert_msg(r.status == status, "%ld: %s", r.status, r.body.ptr);
	ck_assert_msg(strstr(r.body.ptr, text) != NULL, "%s", r.body.ptr);
	free_reply(&r);
}

void expect_head(struct reply r, long status, const char *line)
{
	ck_assert_msg(r.status == status, "%ld: %s", r.status, r.body.ptr);
	ck_assert_msg(strstr(r.head.ptr, line) != NULL, "%s", r.head.ptr);
	free_reply(&r);
}

/* --- batches --- */

void add_chunk(struct buf *out, const char *host, const char *service, unsigned lines)
{
	struct buf payload = BUF_EMPTY;
	struct line_flags flags = {.kind = LINE_HEAD};
	for (unsigned i = 0; i < lines; i++)
		ck_assert_int_eq(line_add_payload(&payload, INT64_C(1795327200000000) + i, flags,
						  SPAN_LITERAL("hello, world")),
				 0);
	struct chunk c = {.host = span_of(host),
			  .service = span_of(service),
			  .path = SPAN_LITERAL("/var/log/app.log"),
			  .ino = 131,
			  .to = 1000,
			  .crc = 5,
			  .lines = lines,
			  .bytes = payload.len};
	c.stream.bytes[0] = 0x9f;
	ck_assert_int_eq(chunk_encode(&c, out), 0);
	ck_assert_int_eq(buf_add_span(out, buf_span(&payload)), 0);
	buf_free(&payload);
}

struct buf gzip(struct span plain)
{
	struct buf out = BUF_EMPTY;
	struct gzip_encoder *e = gzip_encoder_new();
	gzip_encoder_start(e, &out);
	ck_assert_int_eq(gzip_encoder_add(e, plain), 0);
	ck_assert_int_eq(gzip_encoder_finish(e), 0);
	gzip_encoder_free(e);
	return out;
}

struct buf batch_of(const char *host, unsigned lines)
{
	struct buf plain = BUF_EMPTY;
	add_chunk(&plain, host, "app", lines);
	struct buf gz = gzip(buf_span(&plain));
	buf_free(&plain);
	return gz;
}

struct reply post(const struct buf *body)
{
	return request("POST", "/v1/batches", agent_headers, body);
}

void post_and_expect(struct buf body, long status, const char *text)
{
	expect(post(&body), status, text);
	buf_free(&body);
}

static void *post_in_thread(void *user)
{
	struct poster *p = user;
	p->reply = post(&p->body);
	atomic_store(&p->answered, true);
	return NULL;
}

void start_post(struct poster *p, unsigned lines)
{
	p->body = batch_of("web-01", lines);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, post_in_thread, p), 0);
}

struct reply end_post(struct poster *p)
{
	pthread_join(p->thread, NULL);
	buf_free(&p->body);
	return p->reply;
}

bool one_held(void)
{
	return count_held() == 1;
}
