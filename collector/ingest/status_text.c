/* The status as a table for people: see status_picture.h. Called by status.c. */
#include "collector/ingest/status_picture.h"
#include "common/num.h"

#include <inttypes.h>
#include <stdio.h>

const char *picture_bytes(double bytes, char dst[32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t i = 0;
	for (; bytes >= 1024 && i + 1 < sizeof(units) / sizeof(*units); i++)
		bytes /= 1024;
	(void)snprintf(dst, 32, i ? "%.1f %s" : "%.0f %s", bytes, units[i]);
	return dst;
}

const char *picture_time(int64_t seconds, char dst[32])
{
	if (seconds < 120)
		(void)snprintf(dst, 32, "%" PRId64 "s", seconds);
	else if (seconds < 7200)
		(void)snprintf(dst, 32, "%" PRId64 "m", seconds / 60);
	else if (seconds < 172800)
		(void)snprintf(dst, 32, "%" PRId64 "h", seconds / 3600);
	else
		(void)snprintf(dst, 32, "%" PRId64 "d", seconds / 86400);
	return dst;
}

/* "12s ago" */
static const char *ago_text(int64_t now_us, int64_t then_us, char dst[48])
{
	char span[32];
	int64_t s = (now_us - then_us) / NUM_SEC_US;
	if (then_us == 0)
		(void)snprintf(dst, 48, "never");
	else
		(void)snprintf(dst, 48, s < 0 ? "in %s" : "%s ago",
			       picture_time(s < 0 ? -s : s, span));
	return dst;
}

static int text_problem(void *user, const char *text)
{
	return buf_printf(user, "! %s\n", text);
}

static int text_problems(struct buf *out, const struct picture *p)
{
	size_t before = out->len;
	int r = picture_problems(p, text_problem, out);
	if (r == 0 && out->len == before)
		r = buf_add_str(out, "all is well\n");
	return r < 0 ? r : buf_add_char(out, '\n');
}

static int text_disk(struct buf *out, const struct picture *p)
{
	const struct store_counters *c = &p->counters;
	char a[32], b[32], full[80] = "";
	if (c->free_bytes <= c->reserve_bytes)
		(void)snprintf(full, sizeof(full), "; full, min_free is %s",
			       picture_bytes((double)c->reserve_bytes, a));
	else if (p->full_s != FORECAST_NEVER)
		(void)snprintf(full, sizeof(full), "; full in %s at %s an hour",
			       picture_time(p->full_s, a), picture_bytes(p->fill_rate * 3600, b));
	return buf_printf(out, "disk        %s free of %s%s\n",
			  picture_bytes((double)c->free_bytes, a),
			  picture_bytes((double)c->total_bytes, b), full);
}

static int text_store(struct buf *out, const struct picture *p)
{
	const struct store_counters *c = &p->counters;
	char a[48], b[32];
	int r = text_disk(out, p);
	if (r == 0)
		r = buf_printf(out,
			       "chunks      %" PRIu64 " committed, %" PRIu64 " duplicate, %" PRIu64
			       " conflict, %" PRIu64 " refused\n",
			       c->committed, c->duplicates, c->conflicts, c->refused);
	if (r == 0)
		r = buf_printf(out, "taken       %" PRIu64 " lines, %s; %" PRIu64 " losses of %s\n",
			       c->lines, picture_bytes((double)c->payload_bytes, a), c->losses,
			       picture_bytes((double)c->lost_bytes, b));
	if (r == 0)
		r = buf_printf(out, "behind      %" PRIu64 " batches, %s\n", c->queued_submissions,
			       picture_bytes((double)c->queued_bytes, a));
	if (r == 0)
		r = buf_printf(out, "checkpoint  %s\n",
			       ago_text(p->now_us, c->last_checkpoint_us, a));
	return r;
}

static int text_archive(struct buf *out, const struct archive_meters *m)
{
	char a[32], b[32], level[32] = "";
	if (atomic_load(&m->level))
		(void)snprintf(level, sizeof(level), ", level %d", atomic_load(&m->level));
	int r = buf_printf(out, "archive     %" PRIu64 " segments, %s; %" PRIu64 " wait, %s%s\n",
			   meters_get(&m->archive_segments),
			   picture_bytes((double)meters_get(&m->archive_bytes), a),
			   meters_get(&m->waiting_segments),
			   picture_bytes((double)meters_get(&m->waiting_bytes), b), level);
	if (r == 0 && atomic_load(&m->clock_suspect))
		r = buf_add_str(out, "retention   suspended: the clock is not plausible\n");
	return r;
}

/* What the agent has said of itself, or dashes. */
struct report_text {
	char lag[32], behind[32], clock[32], files[48];
};

static void format_report(const struct store_host *h, struct report_text *t)
{
	*t = (struct report_text){"-", "-", "-", "-"};
	if (!h->report_us)
		return;
	(void)picture_bytes((double)h->report.lag_bytes, t->lag);
	(void)picture_time((int64_t)(h->report.lag_ms / 1000), t->behind);
	(void)snprintf(t->clock, sizeof(t->clock), "%+.1fs", roster_clock_offset_s(h));
	(void)snprintf(t->files, sizeof(t->files), "%" PRIu64, h->report.files);
}

static int text_hosts(struct buf *out, const struct picture *p)
{
	int width = 4;
	for (size_t i = 0; i < p->roster.n; i++)
		if ((int)strlen(p->roster.rows[i].host) > width)
			width = (int)strlen(p->roster.rows[i].host);
	int r = buf_printf(out, "\n%-*s  %-12s %10s %7s %12s %9s %10s %7s %14s %12s\n", width,
			   "HOST", "LAST CONTACT", "LAG", "BEHIND", "RATE", "CLOCK", "LOST",
			   "FILES", "LINES", "BYTES");
	for (size_t i = 0; i < p->roster.n && r == 0; i++) {
		const struct store_host *h = &p->roster.rows[i].h;
		char ago[48], bytes[32], lost[32], rate[40];
		struct report_text t;
		format_report(h, &t);
		size_t len = strlen(picture_bytes(h->rate, rate));
		(void)snprintf(rate + len, sizeof(rate) - len, "/s");
		r = buf_printf(out, "%-*s  %-12s %10s %7s %12s %9s %10s %7s %14" PRIu64 " %12s\n",
			       width, p->roster.rows[i].host,
			       ago_text(p->now_us, h->last_contact_us, ago), t.lag, t.behind, rate,
			       t.clock,
			       h->lost_bytes ? picture_bytes((double)h->lost_bytes, lost) : "-",
			       t.files, h->lines, picture_bytes((double)h->bytes, bytes));
	}
	return r;
}

int picture_text(const struct picture *p, struct buf *out)
{
	char a[48], b[32];
	bool ready = p->health == HEALTH_READY;
	int r = buf_printf(out, "haul-collector %s, started %s, on %s\n", HAUL_VERSION,
			   ago_text(p->now_us, p->started_us, a), p->listen);
	if (r == 0)
		r = text_problems(out, p);
	if (r == 0)
		r = buf_printf(out, "state       %s%s\n",
			       ready ? "ready" : "not ready: ", ready ? "" : p->reason);
	if (r == 0)
		r = buf_printf(out, "requests    %u in flight, %u connections, %s of %s memory\n",
			       p->requests, p->connections.connections,
			       picture_bytes((double)(p->receiving.taken + p->working.taken), a),
			       picture_bytes((double)(p->receiving.total + p->working.total), b));
	if (r == 0 && p->has_store)
		r = text_store(out, p);
	if (r == 0 && p->has_store)
		r = text_archive(out, p->archive);
	if (r == 0 && p->roster.n)
		r = text_hosts(out, p);
	return r;
}
