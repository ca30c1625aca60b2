/* A trial of a collector: see trial.h. Called by join, in a program of its own: it may wait.
 *
 * The session that it opens ends that of an agent that runs on this host, which then opens its own
 * again: nothing is lost, and nothing is taken twice. */
#include "agent/ship/trial.h"

#include "common/chunk.h"
#include "common/clock.h"
#include "common/gzip.h"
#include "common/json.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define PATIENCE_NS (60 * NUM_SEC_NS) /* for one answer */

enum { URL_MAX = 512, AGENT_MAX = 128 };

struct trial {
	const struct trial_config *config;
	struct exchange *exchange;
	struct answer answer;
	uint64_t session;
	char *why;
	size_t why_size;
};

static int say(struct trial *t, int r, const char *why)
{
	(void)snprintf(t->why, t->why_size, "%s", why);
	return r;
}

/* What an answer that is not 200 means, for who typed the join string. */
static int refused(struct trial *t)
{
	const struct answer *a = &t->answer;
	struct span text = span_first(a->body, span_find(a->body, '\n'));
	int len = (int)(text.len < 200 ? text.len : 200);
	const char *bytes = text.ptr ? text.ptr : "";
	if (a->status == 0)
		(void)snprintf(t->why, t->why_size, "it cannot be reached: %s", a->error);
	else if (!a->haul)
		(void)snprintf(t->why, t->why_size,
			       "HTTP %ld from something that is not a haul collector", a->status);
	else if (a->status == 401)
		(void)snprintf(t->why, t->why_size,
			       "it does not know this token, which may have been revoked: %.*s",
			       len, bytes);
	else
		(void)snprintf(t->why, t->why_size, "HTTP %ld: %.*s", a->status, len, bytes);
	return a->haul && a->status ? -EACCES : -ENOTCONN;
}

static int ask(struct trial *t, const char *path, const struct request *request)
{
	char url[URL_MAX], agent[AGENT_MAX];
	struct request q = *request;
	(void)snprintf(url, sizeof(url), "%s%s", t->config->url, path);
	(void)snprintf(agent, sizeof(agent),
		       "00000000-0000-4000-8000-000000000000 %" PRIu64 " haul-agent/" HAUL_VERSION,
		       t->session);
	q.url = url;
	q.agent = agent;
	int r = exchange_start(t->exchange, &q, t->why, t->why_size);
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	while (r == 0 && !exchange_poll(t->exchange, &t->answer)) {
		int64_t left_ns = until_ns - clock_mono_ns();
		if (left_ns <= 0) {
			exchange_cancel(t->exchange);
			return say(t, -ENOTCONN, "it does not answer");
		}
		r = exchange_wait(t->exchange, NULL, 0, left_ns);
	}
	if (r < 0)
		return r;
	return t->answer.haul && t->answer.status == 200 ? 0 : refused(t);
}

static int session_key(void *user, struct span key, struct json_value v)
{
	uint64_t *session = user;
	if (span_is(key, "session") && v.type == JSON_NUMBER)
		return num_parse_u64(v.text, session);
	return 0;
}

static int open_session(struct trial *t)
{
	struct buf body = BUF_EMPTY;
	int r = say(t, -ENOMEM, "out of memory");
	if (buf_add_str(&body, "{\"host\":") == 0 &&
	    json_add_string(&body, span_of(t->config->host)) == 0 &&
	    buf_add_str(&body, ",\"machine\":") == 0 &&
	    json_add_string(&body, span_of(t->config->machine)) == 0 &&
	    buf_add_str(&body, "}") == 0)
		r = ask(t, "/v1/session",
			&(struct request){.content_type = "application/json",
					  .body = buf_span(&body)});
	buf_free(&body);
	if (r == 0 &&
	    (json_read_object(t->answer.body, session_key, &t->session) < 0 || t->session == 0))
		r = say(t, -ENOTCONN, "its answer to the session request cannot be read");
	return r;
}

static int send_nothing(struct trial *t)
{
	struct buf body = BUF_EMPTY;
	struct gzip_encoder *gzip = gzip_encoder_new();
	int r = say(t, -ENOMEM, "out of memory");
	if (gzip) {
		gzip_encoder_start(gzip, &body);
		if (gzip_encoder_finish(gzip) == 0)
			r = ask(t, "/v1/batches",
				&(struct request){.content_type = CHUNK_MEDIA_TYPE,
						  .gzip = true,
						  .body = buf_span(&body)});
	}
	gzip_encoder_free(gzip);
	buf_free(&body);
	return r;
}

int trial_run(const struct trial_config *config, char ret_uuid[UUID_LEN + 1], char *ret_why,
	      size_t why_size)
{
	struct trial t = {.config = config, .why = ret_why, .why_size = why_size};
	int r = exchange_new(&config->exchange, &t.exchange);
	if (r < 0)
		return say(&t, r, "libcurl cannot be used");
	r = open_session(&t);
	if (r == 0)
		r = send_nothing(&t);
	if (r == 0)
		memcpy(ret_uuid, t.answer.collector, sizeof(t.answer.collector));
	exchange_free(t.exchange);
	return r;
}
