/* The agent's own account: see status.h. The pages are made when somebody asks, from what
 * the parts count anyway. `haul-agent status` is the only code here that runs in another
 * process than the agent: it asks over HTTP. */
#include "agent/status.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/metrics.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>

static uint64_t lag_bytes(const struct source *s)
{
	return s->size > s->committed.offset ? s->size - s->committed.offset : 0;
}

static double lag_seconds(const struct source *s, int64_t now_ns)
{
	if (!lag_bytes(s) || !s->behind_since_ns)
		return 0;
	return (double)(now_ns - s->behind_since_ns) / (double)NUM_SEC_NS;
}

/* A file that stands still has no rate, whatever it was when the last bytes went. */
static double rate_now(const struct source *s, int64_t now_ns)
{
	return now_ns - s->rate_ns > 30 * NUM_SEC_NS ? 0 : s->rate;
}

/* --- JSON
 * -------------------------------------------------------------------------------------------
 */

/* "key":"value" with a comma before it unless it is the first of its object. */
static int add_text(struct buf *out, const char *key, const char *value)
{
	int r = buf_printf(out, "%s\"%s\":", out->ptr[out->len - 1] == '{' ? "" : ",", key);
	if (r == 0)
		r = value ? json_add_string(out, span_of(value)) : buf_add_str(out, "null");
	return r;
}

static int add_u64(struct buf *out, const char *key, uint64_t v)
{
	return buf_printf(out, "%s\"%s\":%" PRIu64, out->ptr[out->len - 1] == '{' ? "" : ",", key,
			  v);
}

static int add_double(struct buf *out, const char *key, double v)
{
	return buf_printf(out, ",\"%s\":%.3f", key, v);
}

static int add_source(struct buf *out, const struct source *s, int64_t now_ns)
{
	char id[STREAM_ID_HEX + 1] = "";
	stream_id_format(id, &s->id);
	int r = buf_add_char(out, '{');
	if (r == 0)
		r = add_text(out, "path", s->path);
	if (r == 0)
		r = add_text(out, "service", s->service);
	if (r == 0)
		r = add_text(out, "instance", s->instance);
	if (r == 0)
		r = add_text(out, "stream", id);
	if (r == 0)
		r = add_text(out, "state", source_state_name(s->state));
	if (r == 0)
		r = add_u64(out, "offset", s->committed.offset);
	if (r == 0)
		r = add_u64(out, "size", s->size);
	if (r == 0)
		r = add_u64(out, "lag_bytes", lag_bytes(s));
	if (r == 0)
		r = add_double(out, "lag_seconds", lag_seconds(s, now_ns));
	if (r == 0)
		r = add_double(out, "rate_bytes_per_second", rate_now(s, now_ns));
	if (r == 0)
		r = add_u64(out, "lines", s->lines);
	if (r == 0)
		r = add_u64(out, "dropped", s->dropped);
	if (r == 0)
		r = add_text(out, "error", s->last_error ? strerror(s->last_error) : NULL);
	if (r == 0)
		r = buf_add_char(out, '}');
	return r;
}

static int add_files(const struct status_view *v, struct buf *out)
{
	int64_t now_ns = clock_mono_ns();
	int r = buf_add_str(out, ",\"files\":[");
	bool first = true;
	for (const struct source *s = source_first_of_all(v->table); r == 0 && s;
	     s = source_after_of_all(v->table, s)) {
		if (s->state == SOURCE_ENDED || s->state == SOURCE_MISSING)
			continue;
		if (!first)
			r = buf_add_char(out, ',');
		first = false;
		if (r == 0)
			r = add_source(out, s, now_ns);
	}
	return r == 0 ? buf_add_char(out, ']') : r;
}

static int add_journals(const struct status_view *v, struct buf *out)
{
	struct journal_status j;
	int r = buf_add_str(out, ",\"journals\":[");
	for (size_t i = 0; r == 0 && journals_status(v->journals, i, &j); i++) {
		r = buf_add_str(out, i ? ",{" : "{");
		if (r == 0)
			r = add_text(out, "path", j.path);
		if (r == 0)
			r = add_text(out, "input", j.input);
		if (r == 0)
			r = add_u64(out, "streams", j.streams);
		if (r == 0)
			r = add_u64(out, "held_bytes", j.held_bytes);
		if (r == 0)
			r = add_text(out, "error", j.error);
		if (r == 0)
			r = buf_add_char(out, '}');
	}
	return r == 0 ? buf_add_char(out, ']') : r;
}

static const char *uplink_state_name(enum uplink_state s)
{
	switch (s) {
	case UPLINK_DOWN: return "down";
	case UPLINK_SESSION: return "session";
	case UPLINK_LISTING: return "listing";
	case UPLINK_READY: return "ready";
	case UPLINK_SENDING: return "sending";
	}
	return "unknown";
}

int status_json(const struct status_view *v, struct buf *out)
{
	const struct uplink *u = shipper_uplink(v->shipper);
	struct discover_counters d;
	struct shipper_counters sh;
	discover_counters(v->discover, &d);
	shipper_counters(v->shipper, &sh);
	int r = buf_add_char(out, '{');
	if (r == 0)
		r = add_text(out, "version", HAUL_VERSION);
	if (r == 0)
		r = add_text(out, "host", v->host);
	if (r == 0)
		r = add_text(out, "collector", v->url);
	if (r == 0)
		r = add_text(out, "collector_state", uplink_state_name(uplink_state(u)));
	if (r == 0)
		r = add_text(out, "problem", uplink_problem(u));
	if (r == 0)
		r = add_text(out, "registry_problem", registry_problem(v->registry));
	if (r == 0)
		r = add_double(out, "uptime_seconds",
			       (double)(clock_real_ns() - v->started_ns) / (double)NUM_SEC_NS);
	if (r == 0)
		r = add_u64(out, "open_files", d.open_files);
	if (r == 0)
		r = add_u64(out, "watches", d.watches);
	if (r == 0)
		r = add_u64(out, "polled_dirs", d.polled_dirs);
	if (r == 0)
		r = add_u64(out, "skipped_binary_files", d.skipped_binary_files);
	if (r == 0)
		r = add_u64(out, "skipped_old_files", d.skipped_old_files);
	if (r == 0)
		r = add_u64(out, "deleted_open_bytes", d.deleted_open_bytes);
	if (r == 0)
		r = add_u64(out, "losses", sh.losses);
	if (r == 0)
		r = add_u64(out, "lost_bytes", sh.lost_bytes);
	if (r == 0)
		r = add_journals(v, out);
	if (r == 0)
		r = add_files(v, out);
	return r == 0 ? buf_add_str(out, "}\n") : r;
}

/* --- metrics
 * ----------------------------------------------------------------------------------------
 */

struct metric {
	const char *name;
	enum metric_type type;
	const char *help;
	double value;
};

static int add_metrics(struct buf *out, const struct metric *m, size_t n)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = metrics_head(out, m[i].name, m[i].type, m[i].help);
		if (r == 0)
			r = metrics_double(out, m[i].name, NULL, (struct span){NULL, 0},
					   m[i].value);
	}
	return r;
}

struct input_metric {
	const char *name;
	const char *help;
	size_t offset; /* of the uint64_t in struct input */
};

static int add_input_metrics(const struct inputs *in, struct buf *out)
{
	static const struct input_metric metrics[] = {
		{"haul_agent_lines_total", "Lines put into batches.",
		 offsetof(struct input, lines_total)},
		{"haul_agent_bytes_total", "Bytes of sources put into batches.",
		 offsetof(struct input, bytes_total)},
		{"haul_agent_dropped_lines_total", "Lines that keep and drop left out.",
		 offsetof(struct input, dropped_total)},
		{"haul_agent_masked_total", "Places masked.", offsetof(struct input, masked_total)},
	};
	int r = 0;
	for (size_t m = 0; r == 0 && m < sizeof(metrics) / sizeof(metrics[0]); m++) {
		r = metrics_head(out, metrics[m].name, METRIC_COUNTER, metrics[m].help);
		for (size_t i = 0; r == 0 && i < in->n; i++) {
			uint64_t v;
			memcpy(&v, (const char *)&in->items[i] + metrics[m].offset, sizeof(v));
			r = metrics_u64(out, metrics[m].name, "input", span_of(in->items[i].name),
					v);
		}
	}
	return r;
}

struct totals {
	uint64_t files, lag_bytes, errors;
	double lag_seconds;
};

static struct totals add_up(const struct source_table *t)
{
	struct totals sum = {0};
	int64_t now_ns = clock_mono_ns();
	for (const struct source *s = source_first_of_all(t); s; s = source_after_of_all(t, s)) {
		if (s->state == SOURCE_ENDED || s->state == SOURCE_MISSING)
			continue;
		double lag = lag_seconds(s, now_ns);
		sum.files++;
		sum.lag_bytes += lag_bytes(s);
		sum.errors += s->last_error != 0;
		sum.lag_seconds = lag > sum.lag_seconds ? lag : sum.lag_seconds;
	}
	return sum;
}

int status_metrics(const struct status_view *v, struct buf *out)
{
	const struct uplink *u = shipper_uplink(v->shipper);
	const struct uplink_counters *c = uplink_counters(u);
	struct totals sum = add_up(v->table);
	struct discover_counters d;
	struct shipper_counters sh;
	discover_counters(v->discover, &d);
	shipper_counters(v->shipper, &sh);
	enum uplink_state state = uplink_state(u);
	bool up = state == UPLINK_READY || state == UPLINK_SENDING;
	const struct metric metrics[] = {
		{"haul_agent_files", METRIC_GAUGE, "Files followed.", (double)sum.files},
		{"haul_agent_files_failing", METRIC_GAUGE, "Files that cannot be read now.",
		 (double)sum.errors},
		{"haul_agent_lag_bytes", METRIC_GAUGE,
		 "Bytes not yet acknowledged, over all files.", (double)sum.lag_bytes},
		{"haul_agent_lag_seconds", METRIC_GAUGE,
		 "Age of the oldest byte not yet acknowledged.", sum.lag_seconds},
		{"haul_agent_collector_up", METRIC_GAUGE, "1 when the collector takes batches.",
		 up && !uplink_problem(u) ? 1 : 0},
		{"haul_agent_registry_ok", METRIC_GAUGE, "1 when the registry can be written.",
		 registry_problem(v->registry) ? 0 : 1},
		{"haul_agent_requests_total", METRIC_COUNTER, "Requests sent to the collector.",
		 (double)c->requests},
		{"haul_agent_request_failures_total", METRIC_COUNTER,
		 "Requests that were not answered as hoped.", (double)c->failures},
		{"haul_agent_batches_acked_total", METRIC_COUNTER, "Batches acknowledged.",
		 (double)c->batches_acked},
		{"haul_agent_sent_bytes_total", METRIC_COUNTER, "Compressed bytes acknowledged.",
		 (double)c->bytes_sent},
		{"haul_agent_batch_seconds_total", METRIC_COUNTER,
		 "Time from sending to acknowledgement.", c->round_trip_seconds},
		{"haul_agent_conflicts_total", METRIC_COUNTER,
		 "Times the collector stood elsewhere.", (double)sh.conflicts},
		{"haul_agent_duplicates_total", METRIC_COUNTER, "Chunks the collector had already.",
		 (double)sh.duplicates},
		{"haul_agent_refused_total", METRIC_COUNTER, "Chunks the collector refused.",
		 (double)sh.refused},
		{"haul_agent_losses_total", METRIC_COUNTER, "Loss records sent.",
		 (double)sh.losses},
		{"haul_agent_lost_bytes_total", METRIC_COUNTER, "Bytes of sources that were lost.",
		 (double)sh.lost_bytes},
		{"haul_agent_rewinds_total", METRIC_COUNTER,
		 "Times batches were given up and cut anew.", (double)sh.rewinds},
		{"haul_agent_arena_bytes", METRIC_GAUGE,
		 "Bytes of sources held until their verdict.", (double)sh.arena_used_bytes},
		{"haul_agent_open_files", METRIC_GAUGE, "Descriptors of followed files.",
		 (double)d.open_files},
		{"haul_agent_deleted_open_bytes", METRIC_GAUGE, "Bytes of deleted files held open.",
		 (double)d.deleted_open_bytes},
		{"haul_agent_watches", METRIC_GAUGE, "Directories watched by inotify.",
		 (double)d.watches},
		{"haul_agent_polled_directories", METRIC_GAUGE,
		 "Directories polled for want of inotify.", (double)d.polled_dirs},
		{"haul_agent_event_overflows_total", METRIC_COUNTER,
		 "Times the kernel dropped file events.", (double)d.overflows},
		{"haul_agent_rescans_total", METRIC_COUNTER, "Rescans of the watched directories.",
		 (double)d.rescans},
		{"haul_agent_skipped_old_files", METRIC_GAUGE,
		 "Files older than the collector keeps.", (double)d.skipped_old_files},
		{"haul_agent_skipped_old_bytes", METRIC_GAUGE, "Their bytes.",
		 (double)d.skipped_old_bytes},
		{"haul_agent_skipped_binary_files", METRIC_GAUGE, "Files that are not text.",
		 (double)d.skipped_binary_files},
	};
	int r = add_metrics(out, metrics, sizeof(metrics) / sizeof(metrics[0]));
	return r == 0 ? add_input_metrics(v->inputs, out) : r;
}
