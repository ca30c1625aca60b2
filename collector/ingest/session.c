/* POST /v1/session: see session.h. Called by request.c. */
#include "collector/ingest/session.h"

#include "collector/ingest/agent_header.h"
#include "collector/ingest/request.h"
#include "collector/store/store.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { FAILED_RETRY_S = 5 };

struct own {
	struct buf host, machine; /* as in the body */
	bool has_host, has_machine;
	const char *wrong;
	int result;
	uint64_t session;
};

static void session_forget(struct request *r)
{
	struct own *own = r->own;
	buf_free(&own->host);
	buf_free(&own->machine);
	free(own);
}

static int take_string(struct own *own, struct buf *field, bool *has, struct json_value v,
		       const char *wrong)
{
	if (v.type != JSON_STRING || *has) {
		own->wrong = wrong;
		return -EBADMSG;
	}
	*has = true;
	return buf_add_span(field, v.text);
}

static int on_key(void *user, struct span key, struct json_value v)
{
	struct own *own = user;
	if (span_is(key, "host"))
		return take_string(own, &own->host, &own->has_host, v,
				   "\"host\" must be a string, once");
	if (span_is(key, "machine"))
		return take_string(own, &own->machine, &own->has_machine, v,
				   "\"machine\" must be a string, once");
	return 0;
}

static bool body_is_fine(struct request *r, struct own *own)
{
	int result = json_read_object(buf_span(&r->body), on_key, own);
	if (result == -ENOMEM)
		request_put_off(r, 503, FAILED_RETRY_S, "the collector is short of memory");
	else if (result < 0)
		request_refuse(r, 400, "body: %s",
			       own->wrong ? own->wrong : "it must be one JSON object");
	else if (!own->has_host)
		request_refuse(r, 400, "body: \"host\" is missing");
	else if (!name_valid_host(buf_span(&own->host)))
		request_refuse(r, 400,
			       "body: \"host\" must match "
			       "[A-Za-z0-9][A-Za-z0-9._-]{0,127} and not end "
			       "in a dot and four or more digits");
	else if (own->machine.len > SESSION_MACHINE_MAX)
		request_refuse(r, 400, "body: \"machine\" must have at most %d bytes",
			       SESSION_MACHINE_MAX);
	else if (!principal_allows(&r->principal, buf_span(&own->host)))
		request_refuse(r, 403, "these credentials are not for host %.*s",
			       (int)own->host.len, own->host.ptr);
	return !r->refusal.status;
}

static void done(void *user, int result, uint64_t session)
{
	struct request *r = user;
	struct own *own = r->own;
	own->result = result;
	own->session = session;
	request_go_on(r);
}

/* True when `done` will be called. */
static bool open_session(struct request *r, struct own *own, struct agent_header agent)
{
	char reason[DOOR_REASON_MAX];
	struct store *s = door_enter(r->intake->door, r->pass, reason);
	if (!s) {
		request_put_off(r, 503, FAILED_RETRY_S, "not ready: %s", reason);
		return false;
	}
	struct session_request request = {.host = buf_span(&own->host),
					  .machine = buf_span(&own->machine),
					  .agent = agent.uuid,
					  .received_us = clock_real_ns() / NUM_US_NS};
	request_submit(r);
	int result = store_session_open(s, &request, done, r);
	door_leave(r->intake->door);
	if (result < 0)
		done(r, result, 0);
	return true;
}

static void session_run(struct request *r)
{
	struct own *own = calloc(1, sizeof(*own));
	if (!own) {
		request_put_off(r, 503, FAILED_RETRY_S, "the collector is short of memory");
		request_answer(r, NULL, NULL);
		return;
	}
	r->own = own;
	own->host.max = own->machine.max = SESSION_BODY_MAX;
	/* The header's session is not known yet; who has no header at all is taken too. */
	struct agent_header agent = {0};
	struct span header = http_header(r->x, AGENT_HEADER);
	const char *why;
	if (header.len && agent_header_parse(header, &agent, &why) < 0)
		request_refuse(r, 400, "%s: %s", AGENT_HEADER, why);
	if (r->refusal.status || !body_is_fine(r, own) || !open_session(r, own, agent))
		request_answer(r, NULL, NULL);
}

static int write_answer(const struct request *r, uint64_t session, struct buf *out)
{
	uint64_t keeps_s = atomic_load(&r->intake->keeps_s);
	int result = buf_printf(out, "{\"session\":%" PRIu64, session);
	if (result == 0 && keeps_s)
		result = buf_printf(out, ",\"keeps_s\":%" PRIu64, keeps_s);
	return result == 0 ? buf_add_str(out, "}\n") : result;
}

static void session_go_on(struct request *r)
{
	struct own *own = r->own;
	struct buf body = BUF_EMPTY;
	if (own->result == -EBUSY)
		request_refuse(r, 409,
			       "another machine's agent is active under host %.*s: two "
			       "machines with one "
			       "name (a clone?); it would be let in five minutes after "
			       "the other's last word",
			       (int)own->host.len, own->host.ptr);
	else if (own->result < 0)
		request_put_off(r, 503, FAILED_RETRY_S,
				"the collector could not write the session");
	else if (write_answer(r, own->session, &body) < 0)
		request_put_off(r, 503, FAILED_RETRY_S, "the collector is short of memory");
	request_answer(r, "application/json", &body);
	buf_free(&body);
}

const struct route session_route = {
	.path = "/v1/session",
	.method = "POST",
	.access = ROUTE_AGENT,
	.writes = true,
	.body_max = SESSION_BODY_MAX,
	.run = session_run,
	.go_on = session_go_on,
	.forget = session_forget,
};
