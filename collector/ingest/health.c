/* Health: see health.h. Called by request.c; status.c and page.c show the same word. */
#include "collector/ingest/health.h"

#include "collector/ingest/request.h"
#include "collector/store/store.h"
#include "common/clock.h"
#include "common/num.h"

#include <stdio.h>

enum { READY_RETRY_S = 2 };

/* A batch did not fit a short while ago. Another that is smaller might; but agents that are sent
 * away would come to one that says it is ready. */
static bool was_full(struct intake *intake)
{
	int64_t full_ns = atomic_load(&intake->full_ns);
	return full_ns && clock_mono_ns() - full_ns < (DISK_RETRY_S + READY_RETRY_S) * NUM_SEC_NS;
}

enum health health_look(struct intake *intake, char *ret_reason, size_t size)
{
	char reason[DOOR_REASON_MAX];
	struct store *s = door_enter(intake->door, false, reason);
	if (!s) {
		(void)snprintf(ret_reason, size, "%s", reason);
		return HEALTH_SHUT;
	}
	char what[DOOR_REASON_MAX];
	enum health health = HEALTH_SHUT;
	if (store_failure(s, what, sizeof(what)) < 0)
		(void)snprintf(ret_reason, size, "the store has failed: %s", what);
	else if (store_admit(s, 0, 0) < 0 || was_full(intake))
		(void)snprintf(ret_reason, size, "the disk is low: less than min_free is free");
	else
		health = store_blocked(s, ret_reason, size) ? HEALTH_BLOCKED : HEALTH_READY;
	door_leave(intake->door);
	return health;
}

static void say(struct request *r, const char *text)
{
	struct buf body = BUF_EMPTY;
	if (buf_add_str(&body, text) < 0)
		buf_clear(&body); /* the status alone says it */
	request_answer(r, NULL, &body);
	buf_free(&body);
}

static void health_run(struct request *r)
{
	say(r, "alive\n");
}

static void ready_run(struct request *r)
{
	char reason[DOOR_REASON_MAX + 32];
	if (health_look(r->intake, reason, sizeof(reason)) != HEALTH_READY)
		request_put_off(r, 503, READY_RETRY_S, "%s", reason);
	say(r, "ready\n");
}

const struct route health_route = {
	.path = "/healthz",
	.method = "GET",
	.access = ROUTE_ANYONE,
	.run = health_run,
};

const struct route ready_route = {
	.path = "/readyz",
	.method = "GET",
	.access = ROUTE_ANYONE,
	.run = ready_run,
};
