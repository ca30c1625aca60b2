/* The uplink: see uplink.h. Called by the agent's loop.
 *
 * What can go wrong, and what is done:
 *
 *     no answer, or one that is not haul's      back-off, the next url, the same request again
 *     no progress for `timeout` with a batch    the batch is cut smaller
 *     401 403 404 415 5xx                       the same request again; nothing is set aside
 *     429 503 507                               the same after Retry-After
 *     409                                       the session is over: back-off, then a new one
 *     400 413 for a batch                       it is cut smaller
 *     an answer that cannot be read             as no answer
 *     another collector's uuid                  nothing is sent, unless failover is allowed; asked
 *                                               again later
 *
 * Back-off: 0.5 s doubling to 30 s with full jitter. */
#include "agent/ship/uplink.h"

#include "agent/ship/exchange.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { PAGE_ROWS = 1000 };

#define BACKOFF_FIRST_NS (NUM_SEC_NS / 2)
#define BACKOFF_MAX_NS   (30 * NUM_SEC_NS)
#define HELD_NS          (30 * NUM_SEC_NS)
/* An agent with nothing to send says so: else a dead host and a quiet one look the same. */
#define REPORT_NS (60 * NUM_SEC_NS)
/* And soon after a batch that said what was behind before it was taken. */
#define REPORT_SOON_NS (5 * NUM_SEC_NS)

struct uplink {
	struct uplink_config config;
	struct uplink_calls calls;
	struct exchange *exchange;
	enum uplink_state state;
	size_t url;       /* which of them is in use */
	uint64_t session; /* 0: none yet */
	char collector[UUID_LEN + 1];
	struct stream_id after; /* LISTING: the last row of the page before */
	bool first_page;
	struct buf session_body; /* SESSION: the request */
	struct span body;        /* SENDING: the batch */
	bool waiting;            /* a request is under way */
	int64_t not_before_ns;   /* the next request leaves then */
	int64_t backoff_ns;      /* what the next failure costs at most */
	int64_t sent_ns;         /* when the newest request left */
	bool told_behind;        /* that request said that there is something to send */
	char problem[512];
	int64_t problem_since_ns; /* real time */
	struct log_gate gate;
	struct uplink_counters counters;
};

int uplink_new(const struct uplink_config *config, const struct uplink_calls *calls,
	       struct uplink **ret)
{
	struct uplink *u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->config = *config;
	u->calls = *calls;
	(void)snprintf(u->collector, sizeof(u->collector), "%s", config->collector_uuid);
	struct exchange_config x = {
		.token_file = config->token_file,
		.ca_file = config->ca_file,
		.pin = config->pin,
		.client_cert = config->client_cert,
		.client_key = config->client_key,
		.timeout_ns = config->timeout_ns,
		.max_rate = config->max_rate,
	};
	int r = exchange_new(&x, &u->exchange);
	if (r < 0) {
		free(u);
		return r;
	}
	*ret = u;
	return 0;
}

void uplink_free(struct uplink *u)
{
	if (!u)
		return;
	exchange_free(u->exchange);
	buf_free(&u->session_body);
	free(u);
}

enum uplink_state uplink_state(const struct uplink *u)
{
	return u->state;
}

const char *uplink_problem(const struct uplink *u)
{
	return u->problem[0] ? u->problem : NULL;
}

int64_t uplink_problem_since_ns(const struct uplink *u)
{
	return u->problem[0] ? u->problem_since_ns : 0;
}

const struct uplink_counters *uplink_counters(const struct uplink *u)
{
	return &u->counters;
}

/* --- failing and recovering --- */

static int64_t jittered(int64_t max_ns)
{
	uint64_t random = 0;
	/* Without randomness the longest pause is taken. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		return max_ns;
	return (int64_t)(random % (uint64_t)max_ns) + 1;
}

static const char *collector_url(const struct uplink *u)
{
	return u->config.urls.items[u->url];
}

/* Says what failed (once, then in sums) and sets the time of the next attempt. */
static void back_off(struct uplink *u, int64_t pause_ns, const char *why)
{
	u->counters.failures++;
	if (!u->backoff_ns)
		u->backoff_ns = BACKOFF_FIRST_NS;
	if (!pause_ns) {
		pause_ns = jittered(u->backoff_ns);
		u->backoff_ns =
			u->backoff_ns * 2 > BACKOFF_MAX_NS ? BACKOFF_MAX_NS : u->backoff_ns * 2;
	}
	u->not_before_ns = clock_mono_ns() + pause_ns;
	if (!u->problem[0])
		u->problem_since_ns = clock_real_ns();
	(void)snprintf(u->problem, sizeof(u->problem), "collector %s: %s", collector_url(u), why);
	log_gated(&u->gate, LOG_LEVEL_WARNING, "%s; the files keep what is not sent, trying again",
		  u->problem);
	if (u->config.urls.n > 1)
		u->url = (u->url + 1) % u->config.urls.n;
}

static void all_well(struct uplink *u)
{
	u->backoff_ns = 0;
	u->problem[0] = '\0';
	log_gate_clear(&u->gate, "collector %s: takes batches again", collector_url(u));
}

/* --- requests --- */

static void start(struct uplink *u, const char *path, const struct request *request)
{
	struct buf url = BUF_EMPTY;
	char agent[128], report_text[REPORT_MAX], why[256] = "out of memory";
	struct report report = {0};
	int r = -ENOMEM;
	(void)snprintf(agent, sizeof(agent), "%s %" PRIu64 " haul-agent/" HAUL_VERSION,
		       u->config.agent_uuid, u->session);
	u->config.report(u->config.report_user, &report);
	report.time_us = clock_real_ns() / NUM_US_NS;
	u->told_behind = report.lag_bytes > 0;
	report_format(report_text, &report);
	struct span base = span_of(collector_url(u));
	while (base.len && base.ptr[base.len - 1] == '/')
		base.len--;
	if (buf_add_span(&url, base) == 0 && buf_add_str(&url, path) == 0) {
		struct request q = *request;
		q.url = buf_cstr(&url);
		q.agent = agent;
		q.report = report_text;
		if (q.url)
			r = exchange_start(u->exchange, &q, why, sizeof(why));
	}
	buf_free(&url);
	if (r < 0) {
		back_off(u, 0, why);
		return;
	}
	u->counters.requests++;
	u->waiting = true;
	u->sent_ns = clock_mono_ns();
}

static void ask_session(struct uplink *u)
{
	struct buf *body = &u->session_body; /* curl does not copy it: kept until the answer */
	buf_clear(body);
	if (buf_add_str(body, "{\"host\":") < 0 ||
	    json_add_string(body, span_of(u->config.host)) < 0 ||
	    buf_add_str(body, ",\"machine\":") < 0 ||
	    json_add_string(body, span_of(u->config.machine)) < 0 || buf_add_str(body, "}") < 0) {
		back_off(u, 0, "out of memory");
		return;
	}
	start(u, "/v1/session",
	      &(struct request){.content_type = "application/json", .body = buf_span(body)});
}

/* A question that any collector of this version of the protocol answers; the answer is of no
 * interest. */
static void send_report(struct uplink *u)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "/v1/streams?host=%s&limit=1", u->config.host);
	start(u, path, &(struct request){0});
}

static void ask_streams(struct uplink *u)
{
	char path[512], after[STREAM_ID_HEX + 8] = "";
	if (!u->first_page) {
		memcpy(after, "&after=", 7);
		stream_id_format(after + 7, &u->after);
		after[7 + STREAM_ID_HEX] = '\0';
	}
	(void)snprintf(path, sizeof(path), "/v1/streams?host=%s&limit=%d%s", u->config.host,
		       PAGE_ROWS, after);
	start(u, path, &(struct request){0});
}

static void post_batch(struct uplink *u)
{
	start(u, "/v1/batches",
	      &(struct request){.content_type = CHUNK_MEDIA_TYPE, .gzip = true, .body = u->body});
}

void uplink_send(struct uplink *u, struct span body)
{
	assert(u->state == UPLINK_READY);
	u->state = UPLINK_SENDING;
	u->body = body;
	u->not_before_ns = 0;
	post_batch(u);
}

void uplink_resync(struct uplink *u)
{
	assert(u->state == UPLINK_READY);
	u->state = UPLINK_DOWN;
	u->not_before_ns = 0;
}

/* --- answers --- */

/* The first line of an answer's text. */
static struct span first_line(struct span body)
{
	body.len = span_find(body, '\n');
	return span_first(body, body.len < 160 ? body.len : 160);
}

/* Back-off for an answer that is no verdict. */
static void not_taken(struct uplink *u, const struct answer *a)
{
	char why[400];
	struct span text = first_line(a->body);
	if (a->status == 0)
		(void)snprintf(why, sizeof(why), "cannot be reached: %s", a->error);
	else if (!a->haul)
		(void)snprintf(why, sizeof(why),
			       "HTTP %ld from something that is not a haul collector", a->status);
	else
		(void)snprintf(why, sizeof(why), "HTTP %ld: %.*s", a->status, (int)text.len,
			       text.ptr);
	back_off(u, a->haul ? a->retry_after_ns : 0, why);
}

/* Is this the collector that the agent belongs to? Says so when it is not. */
static bool is_our_collector(struct uplink *u, const struct answer *a)
{
	if (strcmp(u->collector, a->collector) == 0)
		return true;
	if (u->collector[0] && !u->config.failover) {
		char why[256];
		(void)snprintf(why, sizeof(why),
			       "another collector answers (%s, this agent belongs to "
			       "%s): nothing is sent "
			       "to it unless failover = yes",
			       a->collector, u->collector);
		back_off(u, HELD_NS, why);
		return false;
	}
	(void)snprintf(u->collector, sizeof(u->collector), "%s", a->collector);
	u->calls.collector(u->calls.user, u->collector);
	return true;
}

struct session_answer {
	uint64_t session;
	uint64_t keeps_s; /* 0: for ever, or it does not say */
};

static int session_key(void *user, struct span key, struct json_value v)
{
	struct session_answer *answer = user;
	if (v.type != JSON_NUMBER)
		return 0;
	if (span_is(key, "session"))
		return num_parse_u64(v.text, &answer->session);
	if (span_is(key, "keeps_s") && num_parse_u64(v.text, &answer->keeps_s) < 0)
		answer->keeps_s = 0;
	return 0;
}

static void on_session(struct uplink *u, const struct answer *a)
{
	struct session_answer answer = {0};
	if (!a->haul || a->status != 200) {
		not_taken(u, a);
		u->state = UPLINK_DOWN;
		return;
	}
	if (json_read_object(a->body, session_key, &answer) < 0 || answer.session == 0) {
		back_off(u, 0, "its answer to the session request cannot be read");
		u->state = UPLINK_DOWN;
		return;
	}
	u->session = answer.session;
	u->state = UPLINK_LISTING;
	u->first_page = true;
	bool for_ever = answer.keeps_s > INT64_MAX / NUM_SEC_NS;
	u->calls.keeps(u->calls.user, for_ever ? 0 : (int64_t)answer.keeps_s * NUM_SEC_NS);
}

/* Gives the rows of one page on; how many there were, or -EBADMSG. */
static int take_rows(struct uplink *u, struct span page)
{
	struct buf scratch = BUF_EMPTY;
	int rows = 0;
	while (page.len) {
		struct span line = span_first(page, span_find(page, '\n'));
		page = span_from(page, line.len < page.len ? line.len + 1 : line.len);
		struct stream_row row;
		const char *why;
		buf_clear(&scratch);
		if (stream_row_decode(line, &scratch, &row, &why) < 0) {
			rows = -EBADMSG;
			break;
		}
		u->calls.row(u->calls.user, &row);
		u->after = row.stream;
		rows++;
	}
	buf_free(&scratch);
	return rows;
}

static void on_streams(struct uplink *u, const struct answer *a)
{
	if (a->haul && a->status == 409) {
		back_off(u, 0, "another agent has opened a session for this host");
		u->state = UPLINK_DOWN;
		return;
	}
	if (!a->haul || a->status != 200) {
		not_taken(u, a);
		return;
	}
	int rows = take_rows(u, a->body);
	if (rows < 0) {
		back_off(u, 0, "its list of streams cannot be read");
		u->state = UPLINK_DOWN;
	} else if (rows < PAGE_ROWS) {
		all_well(u);
		u->state = UPLINK_READY;
		u->calls.rows_end(u->calls.user);
	} else {
		u->first_page = false;
	}
}

/* Whatever the answer is, a batch will find out what follows from it; but that the collector cannot
 * be reached is said now. */
static void on_report(struct uplink *u, const struct answer *a)
{
	u->state = UPLINK_READY;
	if (a->haul && a->status == 200)
		all_well(u);
	else
		not_taken(u, a);
}

static int on_verdict(void *user, size_t index, const struct chunk_verdict *v)
{
	struct uplink *u = user;
	u->calls.verdict(u->calls.user, index, v);
	return 0;
}

static void cut_smaller(struct uplink *u, const char *why)
{
	u->state = UPLINK_READY;
	u->calls.too_large(u->calls.user, why);
}

static void on_batch(struct uplink *u, const struct answer *a)
{
	char why[200];
	struct span text = first_line(a->body);
	(void)snprintf(why, sizeof(why), "HTTP %ld: %.*s", a->status, (int)text.len, text.ptr);
	if (a->timed_out) {
		back_off(u, 0, "no progress within the timeout");
		cut_smaller(u, "no progress within the timeout");
	} else if (a->haul && a->status == 200) {
		if (chunk_decode_answer(a->body, on_verdict, u) < 0) {
			back_off(u, 0, "its answer to a batch cannot be read");
			return;
		}
		u->counters.batches_acked++;
		u->counters.last_ack_real_ns = clock_real_ns();
		u->counters.bytes_sent += u->body.len;
		u->counters.round_trip_seconds +=
			(double)(clock_mono_ns() - u->sent_ns) / (double)NUM_SEC_NS;
		all_well(u);
		u->state = UPLINK_READY;
		u->calls.answered(u->calls.user);
	} else if (a->haul && a->status == 409) {
		back_off(u, 0, "another agent has opened a session for this host");
		u->state = UPLINK_DOWN;
		u->calls.session_lost(u->calls.user);
	} else if (a->haul && (a->status == 400 || a->status == 413)) {
		cut_smaller(u, why);
	} else {
		not_taken(u, a);
	}
}

static void on_answer(struct uplink *u, const struct answer *a)
{
	u->waiting = false;
	if (a->haul && !is_our_collector(u, a)) {
		if (u->state == UPLINK_SENDING)
			u->calls.session_lost(u->calls.user);
		u->state = UPLINK_DOWN;
		return;
	}
	switch (u->state) {
	case UPLINK_SESSION: on_session(u, a); break;
	case UPLINK_LISTING: on_streams(u, a); break;
	case UPLINK_SENDING: on_batch(u, a); break;
	case UPLINK_REPORTING: on_report(u, a); break;
	case UPLINK_DOWN:
	case UPLINK_READY: break;
	}
}

/* --- moving on --- */

static int64_t report_due_ns(const struct uplink *u)
{
	int64_t due_ns = u->sent_ns + (u->told_behind ? REPORT_SOON_NS : REPORT_NS);
	return due_ns > u->not_before_ns ? due_ns : u->not_before_ns;
}

/* Sends what the state wants sent, when its time has come. */
static void next_request(struct uplink *u, int64_t now_ns)
{
	if (u->waiting || now_ns < u->not_before_ns)
		return;
	switch (u->state) {
	case UPLINK_DOWN:
		u->state = UPLINK_SESSION;
		ask_session(u);
		break;
	case UPLINK_SESSION: ask_session(u); break;
	case UPLINK_LISTING: ask_streams(u); break;
	case UPLINK_SENDING: post_batch(u); break;
	case UPLINK_READY:
		if (now_ns < report_due_ns(u))
			break;
		u->state = UPLINK_REPORTING;
		send_report(u);
		break;
	case UPLINK_REPORTING: /* it could not even begin */ u->state = UPLINK_READY; break;
	}
}

void uplink_tick(struct uplink *u, int64_t now_ns)
{
	struct answer a;
	while (exchange_poll(u->exchange, &a))
		on_answer(u, &a);
	next_request(u, now_ns);
}

int uplink_wait(struct uplink *u, struct curl_waitfd *fds, unsigned n, int64_t timeout_ns)
{
	return exchange_wait(u->exchange, fds, n, timeout_ns);
}

int64_t uplink_next_ns(const struct uplink *u)
{
	if (u->waiting)
		return INT64_MAX;
	return u->state == UPLINK_READY ? report_due_ns(u) : u->not_before_ns;
}
