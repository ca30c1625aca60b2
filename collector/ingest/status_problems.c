/* What is wrong: see status_picture.h. Called by both forms of the status.
 *
 * The limits are those at which a person would want to look: five missed reports, a minute behind,
 * a clock that puts lines into another minute, a disk that is full before tomorrow. */
#include "collector/ingest/status_picture.h"
#include "common/num.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
	SILENT_S = 5 * 60,
	GONE_S = 7 * 86400, /* who was not heard of for so long has been taken down */
	BEHIND_MS = 60 * 1000,
	CLOCK_S = 10,
	FULL_S = 24 * 3600,
};

struct teller {
	int (*each)(void *user, const char *text);
	void *user;
};

static int tell(const struct teller *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int tell(const struct teller *t, const char *fmt, ...)
{
	char text[REFUSAL_TEXT_MAX];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return t->each(t->user, text);
}

static int tell_host(const struct teller *t, const struct picture *p, const struct roster_row *row)
{
	const struct store_host *h = &row->h;
	char a[32], b[32];
	int64_t silent_s = (p->now_us - h->last_contact_us) / NUM_SEC_US;
	/* Reports are not in the ledger: after a start, quiet hosts get the time to be heard
	 * again. */
	bool had_time = p->now_us - p->started_us > SILENT_S * NUM_SEC_US;
	double ahead_s = roster_clock_offset_s(h);
	int r = 0;
	if (silent_s > GONE_S)
		return 0;
	if (silent_s > SILENT_S && had_time)
		return tell(t, "%s has not been heard of for %s", row->host,
			    picture_time(silent_s, a));
	if (h->beyond)
		r = tell(t, "%s is put off with 429: %s; its lines wait there", row->host,
			 h->beyond);
	if (r == 0 && h->report_us && h->report.lag_ms > BEHIND_MS)
		r = tell(t, "%s is %s and %s behind", row->host,
			 picture_bytes((double)h->report.lag_bytes, a),
			 picture_time((int64_t)(h->report.lag_ms / 1000), b));
	if (r == 0 && h->report_us && h->report.failing)
		r = tell(t,
			 "%s cannot read %" PRIu64
			 " of its files: haul-agent status there says which",
			 row->host, h->report.failing);
	if (r == 0 && (ahead_s > CLOCK_S || ahead_s < -CLOCK_S))
		r = tell(t, "the clock of %s is %s %s", row->host,
			 picture_time((int64_t)(ahead_s < 0 ? -ahead_s : ahead_s), a),
			 ahead_s < 0 ? "behind" : "ahead");
	return r;
}

static int tell_disk(const struct teller *t, const struct picture *p)
{
	char a[32], b[32];
	if (p->counters.free_bytes <= p->counters.reserve_bytes)
		return tell(t, "the disk is full: %s are free, min_free is %s; agents wait",
			    picture_bytes((double)p->counters.free_bytes, a),
			    picture_bytes((double)p->counters.reserve_bytes, b));
	if (p->full_s < FULL_S)
		return tell(t, "the disk is full in %s: it fills by %s an hour",
			    picture_time(p->full_s, a), picture_bytes(p->fill_rate * 3600, b));
	return 0;
}

int picture_problems(const struct picture *p, int (*each)(void *user, const char *text), void *user)
{
	const struct teller t = {each, user};
	char a[32];
	int r = p->health == HEALTH_SHUT ? tell(&t, "no batches are taken: %s", p->reason)
		: p->health == HEALTH_BLOCKED
			? tell(&t, "%s; the lines of %" PRIu64 " such places wait at their agents",
			       p->reason, p->counters.blocked_places)
			: 0;
	if (r == 0 && p->has_store)
		r = tell_disk(&t, p);
	if (r == 0 && p->counters.losses)
		r = tell(&t,
			 "%" PRIu64
			 " losses of %s were reported since the start: haul verify says which",
			 p->counters.losses, picture_bytes((double)p->counters.lost_bytes, a));
	if (r == 0 && p->counters.refused)
		r = tell(&t,
			 "%" PRIu64 " chunks were refused since the start: their lines are losses",
			 p->counters.refused);
	if (r == 0 && meters_get(&p->archive->errors))
		r = tell(&t,
			 "sealing, indexing or retention failed %" PRIu64
			 " times: the messages say why",
			 meters_get(&p->archive->errors));
	if (r == 0 && meters_get(&p->archive->damaged_segments))
		r = tell(&t, "%" PRIu64 " sealed files were found damaged: haul verify says which",
			 meters_get(&p->archive->damaged_segments));
	if (r == 0 && atomic_load(&p->archive->clock_suspect))
		r = tell(&t, "nothing is deleted, for the clock is not plausible");
	for (size_t i = 0; i < p->roster.n && r == 0; i++)
		r = tell_host(&t, p, &p->roster.rows[i]);
	return r;
}
