/* The page of /metrics: see status.h. haul-agent(8) has the same list, and a test holds the two
 * against each other. */
#include "agent/status.h"

#include "agent/far.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "common/num.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* --- by input --- */

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
			/* Another thread may count in it (remote = yes). */
			const uint64_t *at =
				(const void *)((const char *)&in->items[i] + metrics[m].offset);
			r = metrics_u64(out, metrics[m].name, "input", span_of(in->items[i].name),
					__atomic_load_n(at, __ATOMIC_RELAXED));
		}
	}
	return r;
}

/* --- by cause --- */

static int add_loss_metric(const struct shipper_counters *c, const char *name, const char *help,
			   bool bytes, struct buf *out)
{
	/* Those that an alert asks for are there before the first loss. */
	static const char *const always[] = {"truncated", "deleted", "unseen", "refused", "limit"};
	int r = metrics_head(out, name, METRIC_COUNTER, help);
	for (size_t i = 0; r == 0 && i < c->n_lost; i++)
		r = metrics_u64(out, name, "cause", span_of(c->lost[i].cause),
				bytes ? c->lost[i].bytes : c->lost[i].records);
	for (size_t k = 0; r == 0 && k < sizeof(always) / sizeof(always[0]); k++) {
		bool there = false;
		for (size_t i = 0; i < c->n_lost; i++)
			there = there || strcmp(c->lost[i].cause, always[k]) == 0;
		if (!there)
			r = metrics_u64(out, name, "cause", span_of(always[k]), 0);
	}
	return r;
}

static int add_loss_metrics(const struct shipper_counters *c, struct buf *out)
{
	int r = add_loss_metric(c, "haul_agent_losses_total", "Loss records sent, by cause.", false,
				out);
	return r < 0 ? r
		     : add_loss_metric(c, "haul_agent_lost_bytes_total",
				       "Bytes of sources that were lost, by cause.", true, out);
}

/* --- the process --- */

static double cpu_seconds(void)
{
	struct rusage u;
	if (getrusage(RUSAGE_SELF, &u) < 0)
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double resident_bytes(void)
{
	unsigned long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	(void)fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static int add_process(const struct status_view *v, struct buf *out)
{
	const struct metric metrics[] = {
		{"haul_agent_start_time_seconds", METRIC_GAUGE, "When it was started, since 1970.",
		 (double)v->started_ns / (double)NUM_SEC_NS},
		{"haul_agent_cpu_seconds_total", METRIC_COUNTER, "CPU time that it took.",
		 cpu_seconds()},
		{"haul_agent_resident_memory_bytes", METRIC_GAUGE, "Memory that it takes.",
		 resident_bytes()},
	};
	int r = metrics_head(out, "haul_agent_build_info", METRIC_GAUGE,
			     "1; the label has the version.");
	if (r == 0)
		r = metrics_u64(out, "haul_agent_build_info", "version", span_of(HAUL_VERSION), 1);
	return r < 0 ? r : add_metrics(out, metrics, sizeof(metrics) / sizeof(metrics[0]));
}

/* --- files and their way --- */

static int add_files(const struct status_view *v, const struct status_side *s, struct buf *out)
{
	const struct discover_counters *d = &s->discover;
	double hangs_s = v->far ? (double)far_hangs_ns(v->far, clock_mono_ns()) / 1e9 : 0;
	const struct metric metrics[] = {
		{"haul_agent_files", METRIC_GAUGE, "Files followed.", (double)s->files},
		{"haul_agent_files_failing", METRIC_GAUGE, "Files that cannot be read now.",
		 (double)s->failing},
		{"haul_agent_lag_bytes", METRIC_GAUGE,
		 "Bytes not yet acknowledged, over all files.", (double)s->lag_bytes},
		{"haul_agent_lag_seconds", METRIC_GAUGE,
		 "Age of the oldest byte not yet acknowledged.", s->lag_seconds},
		{"haul_agent_open_files", METRIC_GAUGE, "Descriptors of followed files.",
		 (double)d->open_files},
		{"haul_agent_deleted_open_bytes", METRIC_GAUGE,
		 "Disk space of deleted files that are held open.", (double)d->deleted_open_bytes},
		{"haul_agent_max_deleted_bytes", METRIC_GAUGE, "Its bound, max_deleted.",
		 (double)v->max_deleted},
		{"haul_agent_watches", METRIC_GAUGE, "Directories watched by inotify.",
		 (double)d->watches},
		{"haul_agent_polled_directories", METRIC_GAUGE, "Directories that are polled.",
		 (double)d->polled_dirs},
		{"haul_agent_remote_hang_seconds", METRIC_GAUGE,
		 "How long a network file system has not answered; 0: it does.", hangs_s},
		{"haul_agent_event_overflows_total", METRIC_COUNTER,
		 "Times the kernel dropped file events.", (double)d->overflows},
		{"haul_agent_unseen_files_total", METRIC_COUNTER,
		 "Files that were deleted before they could be opened.", (double)d->unseen_files},
		{"haul_agent_rescans_total", METRIC_COUNTER, "Rescans of the watched directories.",
		 (double)d->rescans},
		{"haul_agent_skipped_old_files", METRIC_GAUGE,
		 "Files older than the collector keeps.", (double)d->skipped_old_files},
		{"haul_agent_skipped_old_bytes", METRIC_GAUGE, "Their bytes.",
		 (double)d->skipped_old_bytes},
		{"haul_agent_skipped_binary_files", METRIC_GAUGE, "Files that are not text.",
		 (double)d->skipped_binary_files},
		{"haul_agent_container_held_bytes", METRIC_GAUGE,
		 "Bytes of containers' lines whose end has not been seen.",
		 (double)s->shipper.containers.held_bytes},
		{"haul_agent_container_malformed_lines_total", METRIC_COUNTER,
		 "Lines of container logs that no runtime wrote; sent as they stand.",
		 (double)s->shipper.containers.malformed_lines},
		{"haul_agent_container_lost_pieces_total", METRIC_COUNTER,
		 "Containers' lines whose first pieces could not be read again.",
		 (double)s->shipper.containers.lost_pieces},
	};
	return add_metrics(out, metrics, sizeof(metrics) / sizeof(metrics[0]));
}

static int add_uplink(const struct status_view *v, const struct status_side *s, struct buf *out)
{
	const struct uplink *u = shipper_uplink(v->shipper);
	const struct uplink_counters *c = uplink_counters(u);
	const struct shipper_counters *sh = &s->shipper;
	const struct metric metrics[] = {
		{"haul_agent_collector_up", METRIC_GAUGE, "1 when the collector takes batches.",
		 status_is_up(u) ? 1 : 0},
		{"haul_agent_registry_ok", METRIC_GAUGE, "1 when the registry can be written.",
		 *s->registry_problem ? 0 : 1},
		{"haul_agent_requests_total", METRIC_COUNTER, "Requests sent to the collector.",
		 (double)c->requests},
		{"haul_agent_request_failures_total", METRIC_COUNTER,
		 "Requests that were not answered as hoped.", (double)c->failures},
		{"haul_agent_batches_acked_total", METRIC_COUNTER, "Batches acknowledged.",
		 (double)c->batches_acked},
		{"haul_agent_last_ack_time_seconds", METRIC_GAUGE,
		 "When a batch was last acknowledged, since 1970; 0: none yet.",
		 (double)c->last_ack_real_ns / (double)NUM_SEC_NS},
		{"haul_agent_sent_bytes_total", METRIC_COUNTER, "Compressed bytes acknowledged.",
		 (double)c->bytes_sent},
		{"haul_agent_batch_seconds_total", METRIC_COUNTER,
		 "Time from sending to acknowledgement.", c->round_trip_seconds},
		{"haul_agent_conflicts_total", METRIC_COUNTER,
		 "Times the collector stood elsewhere.", (double)sh->conflicts},
		{"haul_agent_duplicates_total", METRIC_COUNTER, "Chunks the collector had already.",
		 (double)sh->duplicates},
		{"haul_agent_refused_total", METRIC_COUNTER, "Chunks the collector refused.",
		 (double)sh->refused},
		{"haul_agent_rewinds_total", METRIC_COUNTER,
		 "Times batches were given up and cut anew.", (double)sh->rewinds},
		{"haul_agent_arena_bytes", METRIC_GAUGE,
		 "Bytes of sources held until their verdict.", (double)sh->arena_used_bytes},
	};
	return add_metrics(out, metrics, sizeof(metrics) / sizeof(metrics[0]));
}

int status_metrics(const struct status_view *v, struct buf *out)
{
	struct status_side side, far = {0};
	struct buf rows = BUF_EMPTY, losses = BUF_EMPTY;
	status_side(v->table, v->discover, v->shipper, v->registry, &side);
	int r = v->far ? far_status(v->far, &far, &rows, &losses) : 0;
	buf_free(&rows);
	buf_free(&losses);
	status_side_add(&side, &far);
	if (r == 0)
		r = add_process(v, out);
	if (r == 0)
		r = add_files(v, &side, out);
	if (r == 0)
		r = add_uplink(v, &side, out);
	if (r == 0)
		r = add_loss_metrics(&side.shipper, out);
	return r == 0 ? add_input_metrics(v->inputs, out) : r;
}
