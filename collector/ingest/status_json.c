/* The status as JSON: see status_picture.h. Called by status.c. */
#include "collector/ingest/status_picture.h"
#include "common/json.h"

#include <inttypes.h>

static int json_store(struct buf *out, const struct store_counters *c)
{
	return buf_printf(
		out,
		",\"store\":{\"batches\":%" PRIu64 ",\"chunks\":%" PRIu64 ",\"committed\":%" PRIu64
		",\"duplicates\":%" PRIu64 ",\"conflicts\":%" PRIu64 ",\"refused\":%" PRIu64
		",\"lines\":%" PRIu64 ",\"payload_bytes\":%" PRIu64 ",\"wal_bytes\":%" PRIu64
		",\"rendered_bytes\":%" PRIu64 ",\"losses\":%" PRIu64 ",\"lost_bytes\":%" PRIu64
		",\"wal_syncs\":%" PRIu64 ",\"wal_sync_seconds\":%.6f,\"checkpoints\":%" PRIu64
		",\"checkpoint_seconds\":%.6f,\"last_checkpoint_us\":%" PRId64
		",\"streams\":%" PRIu64 ",\"shards_open\":%" PRIu64 ",\"wal_files\":%" PRIu64
		",\"queued_batches\":%" PRIu64 ",\"queued_bytes\":%" PRIu64
		",\"free_bytes\":%" PRIu64 ",\"total_bytes\":%" PRIu64 ",\"reserve_bytes\":%" PRIu64
		"}",
		c->batches, c->chunks, c->committed, c->duplicates, c->conflicts, c->refused,
		c->lines, c->payload_bytes, c->wal_bytes, c->rendered_bytes, c->losses,
		c->lost_bytes, c->wal_syncs, c->wal_sync_seconds, c->checkpoints,
		c->checkpoint_seconds, c->last_checkpoint_us, c->streams, c->shards_open,
		c->wal_files, c->queued_submissions, c->queued_bytes, c->free_bytes, c->total_bytes,
		c->reserve_bytes);
}

static int json_archive(struct buf *out, const struct archive_meters *m)
{
	return buf_printf(out,
			  ",\"archive\":{\"segments\":%" PRIu64 ",\"bytes\":%" PRIu64
			  ",\"waiting_segments\":%" PRIu64 ",\"waiting_bytes\":%" PRIu64
			  ",\"level\":%d,\"sealed_segments\":%" PRIu64
			  ",\"sealed_plain_bytes\":%" PRIu64 ",\"sealed_bytes\":%" PRIu64
			  ",\"deleted_segments\":%" PRIu64 ",\"deleted_bytes\":%" PRIu64
			  ",\"errors\":%" PRIu64 ",\"damaged_segments\":%" PRIu64
			  ",\"clock_suspect\":%s}",
			  meters_get(&m->archive_segments), meters_get(&m->archive_bytes),
			  meters_get(&m->waiting_segments), meters_get(&m->waiting_bytes),
			  atomic_load(&m->level), meters_get(&m->sealed_segments),
			  meters_get(&m->sealed_plain_bytes), meters_get(&m->sealed_bytes),
			  meters_get(&m->deleted_segments), meters_get(&m->deleted_bytes),
			  meters_get(&m->errors), meters_get(&m->damaged_segments),
			  atomic_load(&m->clock_suspect) ? "true" : "false");
}

static int json_forecast(struct buf *out, const struct picture *p)
{
	int r = buf_printf(out, ",\"disk_fill_bytes_per_second\":%.1f,\"disk_full_in_seconds\":",
			   p->fill_rate);
	if (r < 0)
		return r;
	return p->full_s == FORECAST_NEVER ? buf_add_str(out, "null")
					   : buf_printf(out, "%" PRId64, p->full_s);
}

/* What the agent has said of itself; null while it has not. */
static int json_report(struct buf *out, const struct store_host *h)
{
	if (!h->report_us)
		return buf_add_str(out, ",\"report\":null");
	return buf_printf(out,
			  ",\"report\":{\"time_us\":%" PRId64 ",\"lag_bytes\":%" PRIu64
			  ",\"lag_seconds\":%.3f,\"files\":%" PRIu64 ",\"failing_files\":%" PRIu64
			  ",\"clock_offset_seconds\":%.3f}",
			  h->report_us, h->report.lag_bytes, (double)h->report.lag_ms / 1000,
			  h->report.files, h->report.failing, roster_clock_offset_s(h));
}

static int json_hosts(struct buf *out, const struct picture *p)
{
	int r = buf_add_str(out, ",\"hosts\":[");
	for (size_t i = 0; i < p->roster.n && r == 0; i++) {
		const struct store_host *h = &p->roster.rows[i].h;
		r = buf_printf(out,
			       "%s{\"host\":\"%s\",\"session\":%" PRIu64
			       ",\"first_contact_us\":%" PRId64 ",\"last_contact_us\":%" PRId64
			       ",\"streams\":%" PRIu64 ",\"lines\":%" PRIu64 ",\"bytes\":%" PRIu64
			       ",\"lost_bytes\":%" PRIu64 ",\"rate_bytes_per_second\":%.1f",
			       i ? "," : "", p->roster.rows[i].host, h->session,
			       h->first_contact_us, h->last_contact_us, h->streams, h->lines,
			       h->bytes, h->lost_bytes, h->rate);
		if (r == 0)
			r = json_report(out, h);
		if (r == 0)
			r = buf_add_char(out, '}');
	}
	return r < 0 ? r : buf_add_str(out, "]");
}

static int json_problem(void *user, const char *text)
{
	struct buf *out = user;
	int r = out->ptr[out->len - 1] == '[' ? 0 : buf_add_char(out, ',');
	return r < 0 ? r : json_add_string(out, span_of(text));
}

static int json_problems(struct buf *out, const struct picture *p)
{
	int r = buf_add_str(out, ",\"problems\":[");
	if (r == 0)
		r = picture_problems(p, json_problem, out);
	return r < 0 ? r : buf_add_char(out, ']');
}

int picture_json(const struct picture *p, struct buf *out)
{
	int r = buf_printf(
		out,
		"{\"version\":\"" HAUL_VERSION "\",\"collector\":\"%s\",\"now_us\":%" PRId64
		",\"started_us\":%" PRId64 ",\"ready\":%s,\"reason\":",
		p->uuid, p->now_us, p->started_us, p->health == HEALTH_READY ? "true" : "false");
	if (r == 0)
		r = json_add_string(out, span_of(p->health == HEALTH_READY ? "" : p->reason));
	if (r == 0)
		r = buf_printf(out,
			       ",\"listen\":\"%s\",\"connections\":%u,\"requests_in_flight\":%u"
			       ",\"memory_bytes\":%" PRIu64 ",\"memory_limit_bytes\":%" PRIu64
			       ",\"waiting_for_memory\":%" PRIu64,
			       p->listen, p->connections.connections, p->requests,
			       p->receiving.taken + p->working.taken,
			       p->receiving.total + p->working.total,
			       p->receiving.waiting + p->working.waiting);
	if (r == 0 && p->has_store)
		r = json_store(out, &p->counters);
	if (r == 0 && p->has_store)
		r = json_archive(out, p->archive);
	if (r == 0 && p->has_store)
		r = json_forecast(out, p);
	if (r == 0)
		r = json_hosts(out, p);
	if (r == 0)
		r = json_problems(out, p);
	return r < 0 ? r : buf_add_str(out, "}\n");
}
