/* GET /v1/streams: see streams.h. Called by request.c. The answer waits until what it says is
 * durable. */
#include "collector/ingest/streams.h"

#include "collector/ingest/agent_header.h"
#include "collector/ingest/report.h"
#include "collector/ingest/request.h"
#include "collector/store/store.h"
#include "common/num.h"
#include "common/stream_id.h"

#include <stdlib.h>

enum { FAILED_RETRY_S = 5 };

struct own {
	int result;
	struct buf rows;
};

static void streams_forget(struct request *r)
{
	struct own *own = r->own;
	buf_free(&own->rows);
	free(own);
}

struct question {
	struct span host;
	struct stream_id after;
	bool has_after;
	size_t limit;
};

static bool read_question(struct request *r, struct question *q)
{
	struct span after = http_argument(r->x, "after"), limit = http_argument(r->x, "limit");
	uint64_t number = STREAMS_LIMIT;
	q->host = http_argument(r->x, "host");
	q->has_after = after.len > 0;
	if (!name_valid_host(q->host))
		request_refuse(r, 400, "host: it must be the name of a host");
	else if (after.len && stream_id_parse(after, &q->after) < 0)
		request_refuse(r, 400, "after: it must be a stream, 32 lower-case hex digits");
	else if (limit.len && (num_parse_u64(limit, &number) < 0 || number == 0))
		request_refuse(r, 400, "limit: it must be a number, 1 or more");
	else if (!principal_allows(&r->principal, q->host))
		request_refuse(r, 403, "these credentials are not for host %.*s", (int)q->host.len,
			       q->host.ptr);
	q->limit = number < STREAMS_LIMIT ? (size_t)number : STREAMS_LIMIT;
	return !r->refusal.status;
}

static void done(void *user, int result, struct span rows)
{
	struct request *r = user;
	struct own *own = r->own;
	own->result = result < 0 ? result : buf_add_span(&own->rows, rows);
	request_go_on(r);
}

static bool ask(struct request *r, const struct question *q)
{
	char reason[DOOR_REASON_MAX];
	struct store *s = door_enter(r->intake->door, r->pass, reason);
	if (!s) {
		request_put_off(r, 503, FAILED_RETRY_S, "not ready: %s", reason);
		return false;
	}
	struct agent_header agent;
	const char *why;
	if (agent_header_parse(http_header(r->x, AGENT_HEADER), &agent, &why) == 0)
		report_take(r, s, q->host, agent.session);
	request_submit(r);
	int result = store_streams(s, q->host, q->has_after ? &q->after : NULL, q->limit, done, r);
	door_leave(r->intake->door);
	if (result < 0)
		done(r, result, (struct span){0});
	return true;
}

static void streams_run(struct request *r)
{
	struct question q;
	r->own = calloc(1, sizeof(struct own));
	if (!r->own)
		request_put_off(r, 503, FAILED_RETRY_S, "the collector is short of memory");
	if (!r->own || !read_question(r, &q) || !ask(r, &q))
		request_answer(r, NULL, NULL);
}

static void streams_go_on(struct request *r)
{
	struct own *own = r->own;
	if (own->result < 0)
		request_put_off(r, 503, FAILED_RETRY_S, "the collector cannot say for now");
	request_answer(r, "application/x-ndjson", &own->rows);
}

const struct route streams_route = {
	.path = "/v1/streams",
	.method = "GET",
	.access = ROUTE_AGENT,
	.writes = true, /* it waits for the store, so the store may not go meanwhile */
	.body_max = 0,
	.run = streams_run,
	.go_on = streams_go_on,
	.forget = streams_forget,
};
