/* The receive path over real HTTP, with a store that only pretends: what is answered to whom and when, and that
 * every byte of memory comes back. */
#include "collector/ingest/request.h"
#include "collector/ingest/scratch.h"

#include "collector/store/store.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/gzip.h"
#include "common/line.h"
#include "common/num.h"

#include <arpa/inet.h>
#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEN(a)      (int)(sizeof(a) / sizeof((a)[0]))
#define DEADLINE_NS (20 * NUM_SEC_NS)
#define UUID        "11111111-2222-4333-8444-555555555555"

/* --- the store that pretends --- */

struct store {
	pthread_mutex_t lock;
	bool hold;       /* submissions stay unanswered until let_go */
	int result;      /* what they are answered */
	int admit;       /* of store_admit */
	size_t blocked;  /* of store_blocked */
	int session;     /* of store_session_open's done */
	uint64_t opened; /* sessions */
	struct submission *held;
	_Atomic uint64_t lines;
	struct report report;
	uint64_t report_session;
};

static struct store fake;
static atomic_int submissions; /* alive */

const char *store_uuid(const struct store *s)
{
	(void)s;
	return UUID;
}

int store_failure(struct store *s, char *ret_what, size_t size)
{
	(void)s, (void)ret_what, (void)size;
	return 0;
}

size_t store_blocked(const struct store *s, char *ret_what, size_t size)
{
	if (s->blocked)
		(void)snprintf(ret_what, size, "2026-11-23/cart cannot be written");
	return s->blocked;
}

int store_admit(struct store *s, uint64_t wal_bytes, uint64_t rendered_bytes)
{
	(void)wal_bytes, (void)rendered_bytes;
	return s->admit;
}

struct render_terms store_terms(struct store *s, struct span service, int64_t received_us)
{
	(void)s, (void)service;
	return (struct render_terms){
		.received_us = received_us, .oldest_day = INT32_MIN, .newest_us = INT64_MAX};
}

int store_session_open(struct store *s, const struct session_request *request,
		       void (*done)(void *user, int result, uint64_t session), void *user)
{
	if (span_is(request->host, "no-thread"))
		return -EIO;
	done(user, s->session, ++s->opened);
	return 0;
}

void store_report(struct store *s, struct span host, uint64_t session, const struct report *report,
		  int64_t received_us)
{
	(void)s, (void)host, (void)received_us;
	fake.report = *report;
	fake.report_session = session;
}

/* Session 7 is web-01's, 6 was, 8 is db-01's; those from 100 on are a crowd's. */
int store_session_host(struct store *s, uint64_t session, char ret_host[NAME_MAX_LEN + 1])
{
	(void)s;
	if (session == 6)
		return -ESTALE;
	if (session >= 100)
		(void)snprintf(ret_host, NAME_MAX_LEN + 1, "crowd-%d", (int)session);
	else if (session != 7 && session != 8)
		return -ENOENT;
	else
		(void)strcpy(ret_host, session == 7 ? "web-01" : "db-01");
	return 0;
}

struct submission *submission_new(void)
{
	struct submission *sub = calloc(1, sizeof(*sub));
	sub->refs = 1;
	atomic_fetch_add(&submissions, 1);
	return sub;
}

void submission_unref(struct submission *sub)
{
	if (!sub || __atomic_sub_fetch(&sub->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (size_t i = 0; sub->rendered && i < sub->batch.n_chunks; i++)
		rendered_chunk_free(&sub->rendered[i]);
	batch_free(&sub->batch);
	buf_free(&sub->gzip_body);
	buf_free(&sub->body);
	free(sub->terms);
	free(sub->rendered);
	free(sub->verdicts);
	if (sub->released)
		sub->released(sub->released_user);
	free(sub);
	atomic_fetch_sub(&submissions, 1);
}

static void judge(struct submission *sub)
{
	for (size_t i = 0; i < sub->batch.n_chunks; i++) {
		const struct batch_chunk *c = &sub->batch.chunks[i];
		fake.lines += c->header.lines;
		sub->verdicts[i] = (struct chunk_verdict){
			.stream = c->header.stream,
			.status = c->refused ? CHUNK_REFUSED : CHUNK_COMMITTED,
			.offset = c->refused ? c->header.from : c->header.to,
			.crc = c->header.crc,
			.error = c->refused};
	}
	sub->result = fake.result;
	sub->beyond = "the host has enough";
}

static void *answer_elsewhere(void *user)
{
	struct submission *sub = user;
	judge(sub);
	sub->answered(sub, sub->user);
	submission_unref(sub);
	return NULL;
}

static void spawn_answer(struct submission *sub)
{
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, answer_elsewhere, sub), 0);
	pthread_detach(thread);
}

void store_submit(struct store *s, struct submission *sub)
{
	__atomic_add_fetch(&sub->refs, 1, __ATOMIC_ACQ_REL);
	pthread_mutex_lock(&s->lock);
	bool held = s->hold;
	if (held) {
		sub->item.next = (struct store_item *)(void *)s->held;
		s->held = sub;
	}
	pthread_mutex_unlock(&s->lock);
	if (!held)
		spawn_answer(sub);
}

/* The fake store's use of the store's own link. */
static struct submission *next_held(const struct submission *sub)
{
	return (struct submission *)(void *)sub->item.next;
}

static unsigned count_held(void)
{
	unsigned n = 0;
	pthread_mutex_lock(&fake.lock);
	for (struct submission *sub = fake.held; sub; sub = next_held(sub))
		n++;
	pthread_mutex_unlock(&fake.lock);
	return n;
}

static void let_go(void)
{
	pthread_mutex_lock(&fake.lock);
	struct submission *held = fake.held;
	fake.held = NULL;
	fake.hold = false;
	pthread_mutex_unlock(&fake.lock);
	while (held) {
		struct submission *sub = held;
		held = next_held(sub);
		spawn_answer(sub);
	}
}

int store_streams(struct store *s, struct span host, const struct stream_id *after, size_t limit,
		  void (*done)(void *user, int result, struct span rows), void *user)
{
	char row[64];
	(void)s, (void)host;
	int len =
		snprintf(row, sizeof(row), "{\"after\":%d,\"limit\":%zu}\n", after != NULL, limit);
	done(user, 0, span_make(row, (size_t)len));
	return 0;
}

void store_counters(struct store *s, struct store_counters *ret)
{
	*ret = (struct store_counters){
		.lines = s->lines, .committed = 3, .free_bytes = UINT64_C(5) << 30};
}

/* web-01 is silent, db-01 far behind with a clock that is ahead, old-01 was taken down, new-01 is well. */
void store_hosts(struct store *s, int64_t now_us,
		 void (*each)(void *user, const struct store_host *h), void *user)
{
	(void)s;
	struct store_host web = {.host = SPAN_LITERAL("web-01"),
				 .session = 7,
				 .last_contact_us = now_us - 400 * NUM_SEC_US};
	struct store_host db = {.host = SPAN_LITERAL("db-01"),
				.session = 8,
				.last_contact_us = now_us,
				.rate = 2048,
				.lost_bytes = 77,
				.report = {.time_us = now_us + 30 * NUM_SEC_US,
					   .lag_bytes = 3 << 20,
					   .lag_ms = 150500,
					   .files = 9,
					   .failing = 1},
				.report_us = now_us};
	struct store_host old = {.host = SPAN_LITERAL("old-01"), .last_contact_us = 1};
	struct store_host new = {.host = SPAN_LITERAL("new-01"),
				 .last_contact_us = now_us,
				 .report = {.time_us = now_us},
				 .report_us = now_us};
	each(user, &web);
	each(user, &db);
	each(user, &old);
	each(user, &new);
}

/* --- the house around it --- */

static struct intake intake;
static struct http *server;
static char tokens_path[] = "/tmp/haul-request.XXXXXX";
static char url_base[64];

static void setup(void)
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
				     .uuid = UUID,
				     .handler = &request_handler,
				     .user = &intake};
	ck_assert_msg(http_start(&config, &server, &err) == 0, "%s", err.text);
	(void)snprintf(url_base, sizeof(url_base), "http://%s", http_address(server));
}

static bool all_over(void)
{
	return http_exchanges(server) == 0 && atomic_load(&submissions) == 0;
}

static void wait_for(bool (*condition)(void))
{
	int64_t until_ns = clock_mono_ns() + DEADLINE_NS;
	while (!condition()) {
		ck_assert_msg(clock_mono_ns() < until_ns, "not in time");
		(void)poll(NULL, 0, 2);
	}
}

/* Whatever a test did: nothing is left, and all memory has come back. */
static void teardown(void)
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

struct reply {
	long status;
	struct buf head, body;
};

static size_t collect(char *bytes, size_t size, size_t n, void *user)
{
	return buf_add(user, bytes, size * n) == 0 ? size * n : 0;
}

static const char *const agent_headers[] = {"Content-Type: application/vnd.haul.batch",
					    "Content-Encoding: gzip",
					    "Haul-Agent: 9f2c 7 haul-agent/0.1", NULL};

static void free_reply(struct reply *r)
{
	buf_free(&r->head);
	buf_free(&r->body);
}

/* `body` NULL: GET. */
static struct reply request(const char *method, const char *path, const char *const *headers,
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
	ck_assert_msg(strstr(r.head.ptr, "Haul-Collector: " UUID "\r\n") != NULL, "%s", r.head.ptr);
	return r;
}

static struct reply get(const char *path)
{
	return request("GET", path, NULL, NULL);
}

static void expect(struct reply r, long status, const char *text)
{
	ck_assert_msg(r.status == status, "%ld: %s", r.status, r.body.ptr);
	ck_assert_msg(strstr(r.body.ptr, text) != NULL, "%s", r.body.ptr);
	free_reply(&r);
}

static void expect_head(struct reply r, long status, const char *line)
{
	ck_assert_msg(r.status == status, "%ld: %s", r.status, r.body.ptr);
	ck_assert_msg(strstr(r.head.ptr, line) != NULL, "%s", r.head.ptr);
	free_reply(&r);
}

/* --- batches --- */

static void add_chunk(struct buf *out, const char *host, const char *service, unsigned lines)
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

static struct buf gzip(struct span plain)
{
	struct buf out = BUF_EMPTY;
	struct gzip_encoder *e = gzip_encoder_new();
	gzip_encoder_start(e, &out);
	ck_assert_int_eq(gzip_encoder_add(e, plain), 0);
	ck_assert_int_eq(gzip_encoder_finish(e), 0);
	gzip_encoder_free(e);
	return out;
}

static struct buf batch_of(const char *host, unsigned lines)
{
	struct buf plain = BUF_EMPTY;
	add_chunk(&plain, host, "app", lines);
	struct buf gz = gzip(buf_span(&plain));
	buf_free(&plain);
	return gz;
}

static struct reply post(const struct buf *body)
{
	return request("POST", "/v1/batches", agent_headers, body);
}

static void post_and_expect(struct buf body, long status, const char *text)
{
	expect(post(&body), status, text);
	buf_free(&body);
}

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

struct poster {
	pthread_t thread;
	struct buf body;
	struct reply reply;
	atomic_bool answered;
};

static void *post_in_thread(void *user)
{
	struct poster *p = user;
	p->reply = post(&p->body);
	atomic_store(&p->answered, true);
	return NULL;
}

static void start_post(struct poster *p, unsigned lines)
{
	p->body = batch_of("web-01", lines);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, post_in_thread, p), 0);
}

static struct reply end_post(struct poster *p)
{
	pthread_join(p->thread, NULL);
	buf_free(&p->body);
	return p->reply;
}

static bool one_held(void)
{
	return count_held() == 1;
}

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

/* --- memory --- */

static bool one_waits(void)
{
	return budget_state(intake.working).waiting == 1;
}

START_TEST(waits_for_memory_and_is_let_in)
{
	struct poster a = {0}, b = {0};
	budget_resize(intake.working, 1000);
	fake.hold = true;
	start_post(&a, 2);
	wait_for(one_held);
	start_post(&b, 2);
	wait_for(one_waits);
	let_go();
	expect(end_post(&a), 200, "committed");
	expect(end_post(&b), 200, "committed");
}
END_TEST

START_TEST(waits_for_memory_in_vain)
{
	struct poster a = {0}, b = {0};
	budget_resize(intake.working, 1000);
	fake.hold = true;
	start_post(&a, 2);
	wait_for(one_held);
	start_post(&b, 2);
	wait_for(one_waits);
	budget_expire(intake.working, INT64_MAX);
	expect_head(end_post(&b), 429, "Retry-After: 1\r\n");
	let_go();
	expect(end_post(&a), 200, "committed");
}
END_TEST

/* Short lines under a long name are six times as large when they are rendered: that is known before. */
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

static bool one_waits_to_receive(void)
{
	return budget_state(intake.receiving).waiting == 1;
}

START_TEST(waits_before_its_body)
{
	struct poster a = {0}, b = {0};
	budget_resize(intake.receiving, 10);
	fake.hold = true;
	start_post(&a, 2);
	wait_for(one_held);
	start_post(&b, 2);
	wait_for(one_waits_to_receive);
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
	Suite *suite = suite_create("ingest_request");
	TCase *tcase = tcase_create("ingest_request");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
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
	tcase_add_test(tcase, waits_for_memory_and_is_let_in);
	tcase_add_test(tcase, waits_for_memory_in_vain);
	tcase_add_test(tcase, short_lines_under_long_names);
	tcase_add_test(tcase, waits_before_its_body);
	tcase_add_loop_test(tcase, gone_while_it_waits, 0, 2);
	tcase_add_test(tcase, a_crowd_that_leaves);
	tcase_add_test(tcase, too_many_of_one_host);
	tcase_add_test(tcase, gone_while_submitted);
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
