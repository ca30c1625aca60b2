/* POST /v1/batches: see batches.h. Called by request.c.
 *
 * Everything that needs the CPU is done here, on the thread of the connection and before any lock:
 * inflating, cutting into chunks, checking every line, rendering. The store judges and makes
 * durable; the answer is given only when it has called back.
 *
 * All or nothing before the store: a body that is malformed, belongs to another host or does not
 * fit is refused as a whole. A chunk whose lines or names are not acceptable is a matter between it
 * and its agent (status refused) and does not spoil the others.
 *
 * Memory: the compressed body is the submission's once it is inflated, for the store writes it as
 * it came. What it inflates to is lent (scratch.h) and given back when it is rendered. What was
 * charged for the rest goes with the submission and is given back when the store has let go of it,
 * which is after the answer. */
#include "collector/ingest/batches.h"

#include "collector/ingest/agent_header.h"
#include "collector/ingest/health.h"
#include "collector/ingest/report.h"
#include "collector/ingest/request.h"
#include "collector/ingest/scratch.h"
#include "collector/store/store.h"
#include "common/clock.h"
#include "common/gzip.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A host at a limit stays there until the day or its configuration changes. */
enum { FAILED_RETRY_S = 5, MEMORY_RETRY_S = 1, LIMIT_RETRY_S = 10 };
/* What a body that has not come yet is taken to inflate to. */
enum { LIKELY_RATIO = 6 };

/* A batch may be rendered to so much whatever memory there is. */
#define RENDERED_ALWAYS (UINT64_C(64) << 20)
enum { GZIP_LEAST = 20 }; /* of an empty member: header 10, deflate 2, trailer 8 */

struct own {
	char host[NAME_MAX_LEN + 1];
	uint64_t session;
	bool counted;           /* among the host's batches that are under way */
	struct submission *sub; /* one reference, from inflating to the answer */
};

/* --- the header --- */

static bool is_media_type(struct span value)
{
	value = span_trim(span_first(value, span_find(value, ';')));
	return value.len == sizeof(CHUNK_MEDIA_TYPE) - 1 &&
	       strncasecmp(value.ptr, CHUNK_MEDIA_TYPE, value.len) == 0;
}

static bool is_gzip(struct span value)
{
	value = span_trim(value);
	return value.len == 4 && strncasecmp(value.ptr, "gzip", 4) == 0;
}

static void check_types(struct request *r)
{
	if (!is_media_type(http_header(r->x, "Content-Type")))
		request_refuse(r, 415, "Content-Type must be %s", CHUNK_MEDIA_TYPE);
	else if (!is_gzip(http_header(r->x, "Content-Encoding")))
		request_refuse(r, 415, "Content-Encoding must be gzip");
}

static void admit(struct request *r, struct store *s, uint64_t body, uint64_t rendered)
{
	if (store_admit(s, body, rendered) == 0)
		return;
	atomic_store(&r->intake->full_ns, clock_mono_ns());
	request_put_off(r, 507, DISK_RETRY_S, "the disk is low: nothing is taken for now");
}

/* The host of the session, whether this one may speak for it, and whether there is room for what it
 * announces. */
static void find_host(struct request *r, struct own *own)
{
	char reason[DOOR_REASON_MAX];
	struct store *s = door_enter(r->intake->door, r->pass, reason);
	if (!s) {
		request_put_off(r, 503, FAILED_RETRY_S, "not ready: %s", reason);
		return;
	}
	int result = store_session_host(s, own->session, own->host);
	uint64_t announced = r->announced == HTTP_LENGTH_UNKNOWN ? 0 : r->announced;
	if (result == 0 && principal_allows(&r->principal, span_of(own->host))) {
		report_take(r, s, span_of(own->host), own->session);
		admit(r, s, announced, announced * LIKELY_RATIO);
	}
	door_leave(r->intake->door);
	if (result == -ESTALE)
		request_refuse(r, 409,
			       "session %" PRIu64 " is over: a newer session of its host is open",
			       own->session);
	else if (result < 0)
		request_refuse(r, 409, "session %" PRIu64 " is not known here: open one",
			       own->session);
	else if (!principal_allows(&r->principal, span_of(own->host)))
		request_refuse(r, 403, "these credentials are not for host %s", own->host);
	else if (!r->refusal.status)
		own->counted = inflight_enter(r->intake->inflight, own->host);
	if (!r->refusal.status && !own->counted)
		request_put_off(r, 429, MEMORY_RETRY_S, "host %s has too many batches under way",
				own->host);
}

static void batches_check(struct request *r)
{
	check_types(r);
	struct own *own = r->refusal.status ? NULL : calloc(1, sizeof(*own));
	if (!own) {
		request_put_off(r, 503, MEMORY_RETRY_S, "the collector is short of memory");
		return;
	}
	r->own = own;
	struct agent_header agent;
	const char *why;
	if (agent_header_parse(http_header(r->x, AGENT_HEADER), &agent, &why) < 0) {
		request_refuse(r, 400, "%s: %s", AGENT_HEADER, why);
		return;
	}
	own->session = agent.session;
	find_host(r, own);
}

static void batches_forget(struct request *r)
{
	struct own *own = r->own;
	if (own->counted)
		inflight_leave(r->intake->inflight, own->host);
	submission_unref(own->sub);
	free(own);
}

/* --- inflating --- */

/* What the gzip trailer says of the inflated size. Of a body that was cut short it says anything,
 * so nothing is refused on its word alone; but more than it says never comes out of a good body. */
static uint64_t promised_size(struct span gz)
{
	const unsigned char *p = (const unsigned char *)gz.ptr + gz.len - 4;
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

/* The most that may come out of a body of this length. */
static uint64_t size_limit(uint64_t body)
{
	uint64_t limit = body * BATCHES_RATIO_MAX;
	if (limit < BATCHES_RATIO_FREE)
		limit = BATCHES_RATIO_FREE;
	return limit < BATCHES_INFLATED_MAX ? limit : BATCHES_INFLATED_MAX;
}

/* The most that will come out of this one. */
static uint64_t size_expected(struct span gz)
{
	uint64_t promised = promised_size(gz), limit = size_limit(gz.len);
	return promised < limit ? promised : limit;
}

/* Inflated once, and rendered, which puts host and service before each line. What it really was is
 * known after rendering. */
static uint64_t memory_guess(uint64_t inflated)
{
	return inflated + inflated + inflated / 4 + 4096;
}

static int inflate(struct request *r, struct buf *out)
{
	struct span gz = buf_span(&r->body);
	uint64_t expected = size_expected(gz);
	/* Exactly so much is taken. */
	int result = scratch_take(r->intake->scratch, expected ? expected : 1, out);
	if (result == 0)
		result = gzip_inflate(gz, (struct gzip_limits){.inflated_max = out->max}, out);
	if (result == -ENOMEM)
		request_put_off(r, 503, MEMORY_RETRY_S, "the collector is short of memory");
	else if (result == -EMSGSIZE && promised_size(gz) > expected)
		request_refuse(r, 413,
			       "the body inflates to more than %" PRIu64
			       " bytes or %d times its size",
			       (uint64_t)BATCHES_INFLATED_MAX, BATCHES_RATIO_MAX);
	else if (result < 0)
		request_refuse(r, 400, "the body is not one whole gzip member");
	return result;
}

/* --- cutting and checking --- */

static int parse(struct request *r, struct submission *sub)
{
	char why[256] = "";
	int result = batch_parse(buf_span(&sub->body), &sub->batch, why, sizeof(why));
	if (result == -ENOMEM)
		request_put_off(r, 503, MEMORY_RETRY_S, "the collector is short of memory");
	else if (result < 0)
		request_refuse(r, 400, "%s", why);
	return result;
}

static int check_hosts(struct request *r, const struct batch *batch, const char *host)
{
	for (size_t i = 0; i < batch->n_chunks; i++) {
		struct span claimed = batch->chunks[i].header.host;
		if (span_is(claimed, host))
			continue;
		request_refuse(r, 403, "chunk %zu: host %.*s: this session is of host %s", i,
			       (int)(claimed.len < NAME_MAX_LEN ? claimed.len : NAME_MAX_LEN),
			       claimed.ptr ? claimed.ptr : "", host);
		return -EPERM;
	}
	return 0;
}

/* --- rendering --- */

static uint64_t rendered_bytes(const struct rendered_chunk *c)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < c->n_days; i++)
		bytes += c->days[i].bytes.cap;
	return bytes;
}

/* What rendering will take: each line gets host, service and instance. A chunk that is refused has
 * none. */
static uint64_t bytes_to_render(const struct batch *b)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < b->n_chunks; i++) {
		const struct chunk *c = &b->chunks[i].header;
		uint64_t columns = c->host.len + c->service.len + c->instance.len + 4;
		if (!b->chunks[i].refused)
			bytes += b->chunks[i].payload.len + c->lines * columns;
	}
	return bytes;
}

/* Short lines under long names become many times as large, and the guess was wrong. Of the small
 * batches each thread can have one of those; a large one gets its memory before it is rendered, or
 * comes again. */
static int take_rendered_memory(struct request *r, const struct submission *sub)
{
	uint64_t bytes = bytes_to_render(&sub->batch), needed = bytes + sub->body.len;
	if (bytes <= RENDERED_ALWAYS || needed <= r->charge->working)
		return 0;
	if (needed > budget_state(r->intake->working).total) {
		request_refuse(
			r, 413,
			"the batch has lines so short under names so long that it would take "
			"%" PRIu64 " bytes of memory: send less at a time",
			needed);
		return -EMSGSIZE;
	}
	if (budget_take_more(r->intake->working, needed - r->charge->working) < 0) {
		request_put_off(r, 429, MEMORY_RETRY_S, "the collector is short of memory");
		return -EAGAIN;
	}
	r->charge->working = needed;
	return 0;
}

static int render_one(struct submission *sub, size_t i)
{
	struct batch_chunk *chunk = &sub->batch.chunks[i];
	int result = render_chunk(chunk, span_of(sub->host), sub->terms[i], &sub->rendered[i]);
	if (result == -E2BIG) { /* the agent halves it */
		chunk->refused = "its lines fall on too many days";
		sub->rendered[i] = (struct rendered_chunk){0};
		result = 0;
	}
	return result;
}

static int render(struct request *r, struct store *s, struct submission *sub)
{
	size_t n = sub->batch.n_chunks;
	sub->terms = calloc(n, sizeof(*sub->terms));
	sub->rendered = calloc(n, sizeof(*sub->rendered));
	sub->verdicts = calloc(n, sizeof(*sub->verdicts));
	int result = sub->terms && sub->rendered && sub->verdicts ? 0 : -ENOMEM;
	int64_t received_us = clock_real_ns() / NUM_US_NS;
	uint64_t bytes = 0;
	for (size_t i = 0; i < n && result == 0; i++) {
		const struct batch_chunk *chunk = &sub->batch.chunks[i];
		sub->terms[i] = store_terms(s, chunk->header.service, received_us);
		if (!chunk->refused)
			result = render_one(sub, i);
		bytes += rendered_bytes(&sub->rendered[i]);
	}
	if (result < 0) {
		request_put_off(r, 503, MEMORY_RETRY_S, "the collector is short of memory");
		return result;
	}
	/* What was inflated is needed no more. */
	scratch_give(r->intake->scratch, &sub->body);
	if (bytes > r->charge->working)
		budget_force(r->intake->working, bytes - r->charge->working);
	else
		budget_give(r->intake->working, r->charge->working - bytes);
	r->charge->working = bytes;
	return 0;
}

/* --- the way to the store --- */

static void answered(struct submission *sub, void *user)
{
	(void)sub;
	request_go_on(user);
}

static void submit(struct request *r, struct own *own, struct store *s)
{
	struct submission *sub = own->sub;
	sub->answered = answered;
	sub->user = r;
	sub->released = charge_release;
	sub->released_user = r->charge;
	r->charge = NULL;
	request_submit(r);
	store_submit(s, sub);
}

/* From here on the compressed body belongs to the submission. */
static int prepare(struct request *r, struct own *own)
{
	struct submission *sub = own->sub = submission_new();
	if (!sub) {
		request_put_off(r, 503, MEMORY_RETRY_S, "the collector is short of memory");
		return -ENOMEM;
	}
	memcpy(sub->host, own->host, sizeof(sub->host)); /* stands in every line that is rendered */
	sub->session = own->session;
	int result = inflate(r, &sub->body);
	meters_add(&r->intake->meters.body_bytes, r->body.len);
	meters_add(&r->intake->meters.inflated_bytes, sub->body.len);
	sub->gzip_body = r->body;
	r->body = BUF_EMPTY;
	if (result == 0)
		result = parse(r, sub);
	if (result == 0)
		result = check_hosts(r, &sub->batch, own->host);
	return result;
}

/* True when the store has it. */
static bool work(struct request *r, struct own *own)
{
	if (prepare(r, own) < 0 || own->sub->batch.n_chunks == 0)
		return false;
	char reason[DOOR_REASON_MAX];
	struct store *s = door_enter(r->intake->door, r->pass, reason);
	if (!s) {
		request_put_off(r, 503, FAILED_RETRY_S, "not ready: %s", reason);
		return false;
	}
	const struct submission *sub = own->sub;
	admit(r, s, sub->gzip_body.len, sub->body.len + sub->body.len / 4);
	bool ready = !r->refusal.status && take_rendered_memory(r, sub) == 0 &&
		     render(r, s, own->sub) == 0;
	if (ready)
		submit(r, own, s);
	door_leave(r->intake->door);
	return ready;
}

static void answer_batch(struct request *r, struct own *own)
{
	struct buf body = BUF_EMPTY;
	struct submission *sub = own->sub;
	if (!r->refusal.status &&
	    chunk_encode_answer(sub->verdicts, sub->batch.n_chunks, &body) < 0)
		request_put_off(r, 503, MEMORY_RETRY_S, "the collector is short of memory");
	request_answer(r, "application/json", &body);
	buf_free(&body);
	submission_unref(sub); /* its memory goes now, not when the peer has read its answer */
	own->sub = NULL;
}

static void batches_run(struct request *r)
{
	struct own *own = r->own;
	if (r->body.len < GZIP_LEAST) {
		request_refuse(r, 400, "the body is not gzip: it has %zu bytes", r->body.len);
		request_answer(r, NULL, NULL);
		return;
	}
	uint64_t inflated = size_expected(buf_span(&r->body));
	if (r->charge->working == 0 && !request_take_memory(r, memory_guess(inflated)))
		return; /* held: called again when there is memory */
	int64_t began_ns = clock_mono_ns();
	bool submitted = work(r, own);
	meters_add(&r->intake->meters.work_ns, (uint64_t)(clock_mono_ns() - began_ns));
	if (!submitted)
		answer_batch(r, own);
}

static void batches_go_on(struct request *r)
{
	struct own *own = r->own;
	int result = own->sub->result;
	if (result == -ESTALE)
		request_refuse(r, 409,
			       "session %" PRIu64 " is over: a newer session of host %s is open",
			       own->session, own->host);
	else if (result == -EDQUOT)
		request_put_off(r, 429, LIMIT_RETRY_S, "%s: nothing of this was taken",
				own->sub->beyond);
	else if (result < 0)
		request_put_off(r, 503, FAILED_RETRY_S,
				"the collector could not write: nothing of this was taken");
	answer_batch(r, own);
}

const struct route batches_route = {
	.path = "/v1/batches",
	.method = "POST",
	.access = ROUTE_AGENT,
	.writes = true,
	.batch = true,
	.check = batches_check,
	.run = batches_run,
	.go_on = batches_go_on,
	.forget = batches_forget,
};
