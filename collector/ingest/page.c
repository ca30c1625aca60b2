/* GET /metrics: see page.h. Called by request.c.
 *
 * Every metric is one row of a table below; a test holds the manual against the page. Without a
 * store (it is being opened again) the page has ingest's own figures only: a scrape never fails
 * because of what it is to show. */
#include "collector/ingest/page.h"

#include "collector/ingest/health.h"
#include "collector/ingest/request.h"
#include "collector/ingest/roster.h"
#include "collector/store/store.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "common/num.h"

#include <stdio.h>

#define PREFIX "haul_collector_"

struct row {
	const char *name;
	const char *help;
	double value;
	enum metric_type type;
	bool fraction; /* not a whole number */
};

static int add_rows(struct buf *out, const struct row *rows, size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = metrics_head(out, rows[i].name, rows[i].type, rows[i].help);
		if (r < 0)
			break;
		r = rows[i].fraction ? metrics_double(out, rows[i].name, NULL, (struct span){0},
						      rows[i].value)
				     : metrics_u64(out, rows[i].name, NULL, (struct span){0},
						   (uint64_t)rows[i].value);
	}
	return r;
}

#define COUNTER(n, v, h)                                                                           \
	{                                                                                          \
		.name = PREFIX n, .type = METRIC_COUNTER, .value = (double)(v), .help = (h)        \
	}
#define GAUGE(n, v, h)                                                                             \
	{                                                                                          \
		.name = PREFIX n, .type = METRIC_GAUGE, .value = (double)(v), .help = (h)          \
	}
#define SECONDS(n, v, h)                                                                           \
	{                                                                                          \
		.name = PREFIX n, .type = METRIC_COUNTER, .value = (v), .fraction = true,          \
		.help = (h)                                                                        \
	}
#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

/* Whole ones. */
static uint64_t seconds_of(int64_t us)
{
	return us > 0 ? (uint64_t)(us / NUM_SEC_US) : 0;
}

static int add_answers(struct buf *out, struct meters *m)
{
	static const char name[] = PREFIX "http_answers_total";
	int r = metrics_head(out, name, METRIC_COUNTER, "Answers by HTTP status.");
	for (size_t i = 0; i <= METERS_N_STATUSES && r == 0; i++) {
		char status[16];
		(void)snprintf(status, sizeof(status), "%u", meters_status(i));
		r = metrics_u64(out, name, "status",
				meters_status(i) ? span_of(status) : SPAN_LITERAL("other"),
				meters_get(&m->answers[i]));
	}
	return r;
}

static int add_ingest(struct buf *out, struct intake *in, struct http *http)
{
	struct meters *m = &in->meters;
	struct conns_state c = http_connections(http);
	struct budget_state rx = budget_state(in->receiving), work = budget_state(in->working);
	char reason[DOOR_REASON_MAX + 32];
	const struct row rows[] = {
		GAUGE("ready", health_look(in, reason, sizeof(reason)) == HEALTH_READY,
		      "1 while batches of all streams are taken."),
		GAUGE("start_time_seconds", seconds_of(in->started_us),
		      "When the program started."),
		GAUGE("http_connections", c.connections, "Open connections."),
		GAUGE("http_connections_silent", c.silent, "Open connections without a request."),
		COUNTER("http_connections_accepted_total", c.accepted, "Connections taken."),
		COUNTER("http_connections_refused_total", c.refused,
			"Connections closed because there was no room."),
		COUNTER("http_connections_evicted_total", c.evicted,
			"Silent connections closed to make room."),
		COUNTER("http_connections_timed_out_total", c.timed_out,
			"Connections closed because their time was over."),
		GAUGE("http_requests_in_flight", http_exchanges(http), "Requests under way."),
		COUNTER("http_dropped_total", meters_get(&m->dropped),
			"Requests that ended without an answer."),
		COUNTER("body_bytes_total", meters_get(&m->body_bytes),
			"Bytes of batches as they came, compressed."),
		COUNTER("inflated_bytes_total", meters_get(&m->inflated_bytes),
			"Bytes of batches, inflated."),
		SECONDS("work_seconds_total", (double)meters_get(&m->work_ns) / 1e9,
			"Time spent on inflating, checking and rendering."),
		COUNTER("memory_waits_total", meters_get(&m->waits),
			"Batches that had to wait for memory."),
		GAUGE("memory_in_flight_bytes", rx.taken + work.taken, "Memory taken by batches."),
		GAUGE("memory_limit_bytes", rx.total + work.total, "Memory that batches may take."),
		GAUGE("memory_waiting", rx.waiting + work.waiting, "Batches that wait for memory."),
		GAUGE("tokens", auth_token_count(in->auth), "Tokens in the tokens file."),
	};
	int r = add_rows(out, rows, COUNT(rows));
	return r < 0 ? r : add_answers(out, m);
}

static int add_verdicts(struct buf *out, const struct store_counters *c)
{
	static const char name[] = PREFIX "chunks_total";
	int r = metrics_head(out, name, METRIC_COUNTER, "Chunks by verdict.");
	const struct {
		const char *verdict;
		uint64_t n;
	} rows[] = {{"committed", c->committed},
		    {"duplicate", c->duplicates},
		    {"conflict", c->conflicts},
		    {"refused", c->refused}};
	for (size_t i = 0; i < COUNT(rows) && r == 0; i++)
		r = metrics_u64(out, name, "status", span_of(rows[i].verdict), rows[i].n);
	return r;
}

static int add_store(struct buf *out, const struct store_counters *c)
{
	const struct row rows[] = {
		COUNTER("batches_total", c->batches, "Batches judged."),
		COUNTER("lines_total", c->lines, "Lines taken."),
		COUNTER("payload_bytes_total", c->payload_bytes, "Bytes of lines taken."),
		COUNTER("wal_bytes_total", c->wal_bytes, "Bytes written to the write-ahead log."),
		COUNTER("rendered_bytes_total", c->rendered_bytes, "Bytes written to shards."),
		COUNTER("losses_total", c->losses, "Losses that agents have reported."),
		COUNTER("lost_bytes_total", c->lost_bytes, "Bytes of these losses."),
		GAUGE("blocked_places", c->blocked_places,
		      "Directories and files of the archive that cannot be written."),
		COUNTER("blocked_chunks_total", c->blocked_chunks,
			"Chunks put off because their place cannot be written."),
		COUNTER("batches_beyond_limits_total", c->beyond_limits,
			"Batches put off because their host is at a limit."),
		COUNTER("wal_syncs_total", c->wal_syncs, "Syncs of the write-ahead log."),
		SECONDS("wal_sync_seconds_total", c->wal_sync_seconds, "Time spent in them."),
		COUNTER("checkpoints_total", c->checkpoints, "Checkpoints."),
		SECONDS("checkpoint_seconds_total", c->checkpoint_seconds, "Time spent in them."),
		GAUGE("last_checkpoint_time_seconds", seconds_of(c->last_checkpoint_us),
		      "When the last checkpoint ended."),
		GAUGE("streams", c->streams, "Streams known."),
		GAUGE("shards_open", c->shards_open, "Live files that are open."),
		GAUGE("wal_files", c->wal_files, "Files of the write-ahead log."),
		GAUGE("queued_batches", c->queued_submissions, "Batches not yet in their shards."),
		GAUGE("queued_bytes", c->queued_bytes, "Bytes of lines not yet in their shards."),
		GAUGE("disk_free_bytes", c->free_bytes, "Free bytes where the data directory is."),
		GAUGE("disk_size_bytes", c->total_bytes, "Size of that file system."),
	};
	int r = add_rows(out, rows, COUNT(rows));
	return r < 0 ? r : add_verdicts(out, c);
}

static int add_archive(struct buf *out, const struct archive_meters *m)
{
	const struct row rows[] = {
		GAUGE("archive_segments", meters_get(&m->archive_segments), "Segments sealed."),
		GAUGE("archive_bytes", meters_get(&m->archive_bytes), "Bytes of their files."),
		GAUGE("live_indexed_bytes", meters_get(&m->live_indexed_bytes),
		      "Bytes of large live files that are indexed."),
		GAUGE("seal_waiting_segments", meters_get(&m->waiting_segments),
		      "Closed segments that wait to be sealed."),
		GAUGE("seal_waiting_bytes", meters_get(&m->waiting_bytes), "Bytes of these."),
		GAUGE("seal_level", atomic_load(&m->level), "Level of the segment sealed last."),
		COUNTER("sealed_segments_total", meters_get(&m->sealed_segments),
			"Segments sealed since the start."),
		COUNTER("sealed_plain_bytes_total", meters_get(&m->sealed_plain_bytes),
			"Bytes of these before."),
		COUNTER("sealed_bytes_total", meters_get(&m->sealed_bytes),
			"Bytes of these after."),
		SECONDS("seal_seconds_total", (double)meters_get(&m->seal_ns) / 1e9,
			"Time spent on sealing and indexing."),
		COUNTER("retention_deleted_segments_total", meters_get(&m->deleted_segments),
			"Segments that retention deleted."),
		COUNTER("retention_deleted_bytes_total", meters_get(&m->deleted_bytes),
			"Bytes of these."),
		GAUGE("retention_clock_suspect", atomic_load(&m->clock_suspect),
		      "1 while nothing is deleted, for the clock is not plausible."),
		GAUGE("archive_damaged_segments", (double)meters_get(&m->damaged_segments),
		      "Sealed files found damaged since the start: haul verify reads all."),
		COUNTER("archive_errors_total", meters_get(&m->errors),
			"Times that sealing, indexing or retention failed and is tried again."),
	};
	return add_rows(out, rows, COUNT(rows));
}

struct host_metric {
	const char *name, *help;
	enum metric_type type;
	double (*value)(const struct store_host *h);
};

static double last_contact_of(const struct store_host *h)
{
	return (double)h->last_contact_us / 1e6;
}
static double lag_seconds_of(const struct store_host *h)
{
	return (double)h->report.lag_ms / 1000;
}
static double lag_bytes_of(const struct store_host *h)
{
	return (double)h->report.lag_bytes;
}
static double bytes_of(const struct store_host *h)
{
	return (double)h->bytes;
}
static double lost_bytes_of(const struct store_host *h)
{
	return (double)h->lost_bytes;
}

/* What agents have said of themselves is there for those that have. */
static int add_hosts(struct buf *out, const struct roster *hosts)
{
	static const struct host_metric metrics[] = {
		{PREFIX "host_last_contact_time_seconds", "When the host was last heard of.",
		 METRIC_GAUGE, last_contact_of},
		{PREFIX "host_bytes_total", "Bytes of lines stored of the host.", METRIC_COUNTER,
		 bytes_of},
		{PREFIX "host_lost_bytes_total", "Bytes of its files that it reported as lost.",
		 METRIC_COUNTER, lost_bytes_of},
		{PREFIX "host_lag_bytes", "Bytes that its agent has yet to send.", METRIC_GAUGE,
		 lag_bytes_of},
		{PREFIX "host_lag_seconds", "Age of the oldest of them.", METRIC_GAUGE,
		 lag_seconds_of},
		{PREFIX "host_clock_offset_seconds", "How far its clock is ahead.", METRIC_GAUGE,
		 roster_clock_offset_s},
	};
	enum { FIRST_OF_REPORT = 3 };
	int r = 0;
	for (size_t m = 0; m < COUNT(metrics) && r == 0; m++) {
		r = metrics_head(out, metrics[m].name, metrics[m].type, metrics[m].help);
		for (size_t i = 0; i < hosts->n && r == 0; i++) {
			const struct roster_row *row = &hosts->rows[i];
			if (m < FIRST_OF_REPORT || row->h.report_us)
				r = metrics_double(out, metrics[m].name, "host", span_of(row->host),
						   metrics[m].value(&row->h));
		}
	}
	return r;
}

static int add_page(struct buf *out, struct intake *in, struct http *http)
{
	int r = add_ingest(out, in, http);
	if (r == 0)
		r = add_archive(out, &in->archive);
	char reason[DOOR_REASON_MAX];
	struct store *s = r == 0 ? door_enter(in->door, false, reason) : NULL;
	if (!s)
		return r;
	struct store_counters counters;
	struct roster hosts = {0};
	store_counters(s, &counters);
	r = roster_take(&hosts, s, clock_real_ns() / NUM_US_NS);
	door_leave(in->door);
	if (r == 0)
		r = add_store(out, &counters);
	if (r == 0)
		r = add_hosts(out, &hosts);
	roster_free(&hosts);
	return r;
}

static void page_run(struct request *r)
{
	struct buf page = BUF_EMPTY;
	if (add_page(&page, r->intake, http_server(r->x)) < 0)
		request_put_off(r, 503, 1, "the collector is short of memory");
	request_answer(r, METRICS_CONTENT_TYPE, &page);
	buf_free(&page);
}

const struct route page_route = {
	.path = "/metrics",
	.method = "GET",
	.access = ROUTE_OPERATOR,
	.run = page_run,
};
