/* Signs of life: see heartbeat.h. Called by the loop in agent.c. The line counts all sources, so it
 * is made only when a service manager is there to read it. */
#include "agent/heartbeat.h"

#include "common/notify.h"

#include <inttypes.h>
#include <stdio.h>

enum { MS_OF_S = 1000, MIB = 1024 * 1024 };

void heartbeat_start(struct heartbeat *h, int64_t now_ns)
{
	*h = (struct heartbeat){.every_ns = notify_watchdog_interval_ns()};
	h->next_ns = h->every_ns ? now_ns : INT64_MAX;
}

static void tell_how_it_is(const struct status_view *v)
{
	const char *problem = uplink_problem(shipper_uplink(v->shipper));
	char behind[96] = "keeping up";
	struct report r;
	if (!notify_is_heard())
		return;
	status_report(v, &r);
	if (r.lag_ms / MS_OF_S >= STATUS_KEEPING_UP_S)
		(void)snprintf(behind, sizeof(behind), "%.1f MiB wait, for %" PRIu64 " s",
			       (double)r.lag_bytes / (double)MIB, r.lag_ms / MS_OF_S);
	if (problem)
		notify_status("%" PRIu64 " files, %s; %s", r.files, behind, problem);
	else
		notify_status("%" PRIu64 " files, %s; collector %s", r.files, behind, v->url);
}

void heartbeat_tick(struct heartbeat *h, const struct status_view *v, int64_t now_ns)
{
	bool due = now_ns >= h->next_ns, takes = status_is_up(shipper_uplink(v->shipper));
	if (due) {
		notify_watchdog();
		h->next_ns = now_ns + h->every_ns;
	}
	if (due || !h->told || takes != h->taken)
		tell_how_it_is(v);
	h->told = true;
	h->taken = takes;
}
