/* GET /v1/status: see status.h. Called by request.c. Takes the picture; status_json.c and
 * status_text.c show it. */
#include "collector/ingest/status.h"

#include "collector/ingest/health.h"
#include "collector/ingest/status_picture.h"
#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int take_picture(struct intake *in, struct http *http, struct picture *p)
{
	p->listen = http_address(http);
	p->archive = &in->archive;
	p->now_us = clock_real_ns() / NUM_US_NS;
	p->started_us = in->started_us;
	p->health = health_look(in, p->reason, sizeof(p->reason));
	p->connections = http_connections(http);
	p->requests = http_exchanges(http);
	p->receiving = budget_state(in->receiving);
	p->working = budget_state(in->working);
	p->full_s = FORECAST_NEVER;
	char reason[DOOR_REASON_MAX];
	struct store *s = door_enter(in->door, false, reason);
	if (!s)
		return 0;
	p->has_store = true;
	(void)snprintf(p->uuid, sizeof(p->uuid), "%s", store_uuid(s));
	store_counters(s, &p->counters);
	int r = roster_take(&p->roster, s, p->now_us);
	door_leave(in->door);
	p->full_s = forecast_full_s(in->forecast, p->counters.free_bytes, p->counters.reserve_bytes,
				    &p->fill_rate);
	return r;
}

static void status_run(struct request *r)
{
	struct buf out = BUF_EMPTY;
	struct picture *p = calloc(1, sizeof(*p));
	bool text = span_is(http_argument(r->x, "format"), "text");
	int result = p ? take_picture(r->intake, http_server(r->x), p) : -ENOMEM;
	if (result == 0)
		result = text ? picture_text(p, &out) : picture_json(p, &out);
	if (result < 0)
		request_put_off(r, 503, 1, "the collector is short of memory");
	request_answer(r, text ? NULL : "application/json", &out);
	buf_free(&out);
	if (p)
		roster_free(&p->roster);
	free(p);
}

const struct route status_route = {
	.path = "/v1/status",
	.method = "GET",
	.access = ROUTE_OPERATOR,
	.run = status_run,
};
