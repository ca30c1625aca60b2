/* The agent's own account: see status.h. The pages are made when somebody asks, from what the parts
 * count anyway; those of the thread that reads network file systems come from what it said last
 * (agent/far.h). */
#include "agent/status.h"

#include "agent/far.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/num.h"

#include <inttypes.h>
#include <stdio.h>

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

/* One that is not sent waits for nothing. */
static bool is_sent(const struct source *s)
{
	return !s->refusal && !source_is_stray(s);
}

static bool is_shown(const struct source *s)
{
	return s->state != SOURCE_ENDED && s->state != SOURCE_MISSING;
}

/* --- figures --- */

void status_side(const struct source_table *t, const struct discover *d, const struct shipper *s,
		 const struct registry *r, struct status_side *ret)
{
	int64_t now_ns = clock_mono_ns();
	const struct source *worst = NULL;
	*ret = (struct status_side){0};
	discover_counters(d, &ret->discover);
	shipper_counters(s, &ret->shipper);
	for (const struct source *at = source_first_of_all(t); at;
	     at = source_after_of_all(t, at)) {
		if (!is_shown(at) || !is_sent(at))
			continue;
		double lag = lag_seconds(at, now_ns);
		ret->files++;
		ret->failing += at->last_error != 0;
		ret->lag_bytes += lag_bytes(at);
		ret->rate_bytes_per_second += rate_now(at, now_ns);
		if (lag > ret->lag_seconds) {
			ret->lag_seconds = lag;
			worst = at;
		}
	}
	const char *problem = registry_problem(r);
	(void)snprintf(ret->most_behind, sizeof(ret->most_behind), "%s", worst ? worst->path : "");
	(void)snprintf(ret->registry_problem, sizeof(ret->registry_problem), "%s",
		       problem ? problem : "");
}

static void add_losses(struct shipper_counters *to, const struct shipper_counters *more)
{
	for (size_t i = 0; i < more->n_lost; i++) {
		size_t k = 0;
		while (k < to->n_lost && strcmp(to->lost[k].cause, more->lost[i].cause) != 0)
			k++;
		if (k == LOSSES_CAUSES)
			k--;
		else if (k == to->n_lost)
			to->lost[to->n_lost++] = (struct loss_sum){more->lost[i].cause, 0, 0};
		to->lost[k].records += more->lost[i].records;
		to->lost[k].bytes += more->lost[i].bytes;
	}
}

void status_side_add(struct status_side *to, const struct status_side *more)
{
	struct discover_counters *d = &to->discover;
	struct shipper_counters *s = &to->shipper;
	d->watches += more->discover.watches;
	d->open_files += more->discover.open_files;
	d->rescans += more->discover.rescans;
	d->overflows += more->discover.overflows;
	d->polled_dirs += more->discover.polled_dirs;
	d->skipped_old_files += more->discover.skipped_old_files;
	d->skipped_old_bytes += more->discover.skipped_old_bytes;
	d->skipped_binary_files += more->discover.skipped_binary_files;
	d->unseen_files += more->discover.unseen_files;
	d->deleted_open_bytes += more->discover.deleted_open_bytes;
	s->conflicts += more->shipper.conflicts;
	s->duplicates += more->shipper.duplicates;
	s->refused += more->shipper.refused;
	s->losses += more->shipper.losses;
	s->lost_bytes += more->shipper.lost_bytes;
	s->rewinds += more->shipper.rewinds;
	s->arena_used_bytes += more->shipper.arena_used_bytes;
	s->containers.held_bytes += more->shipper.containers.held_bytes;
	s->containers.malformed_lines += more->shipper.containers.malformed_lines;
	s->containers.lost_pieces += more->shipper.containers.lost_pieces;
	add_losses(s, &more->shipper);
	to->files += more->files;
	to->failing += more->failing;
	to->lag_bytes += more->lag_bytes;
	to->rate_bytes_per_second += more->rate_bytes_per_second;
	if (more->lag_seconds > to->lag_seconds) {
		to->lag_seconds = more->lag_seconds;
		memcpy(to->most_behind, more->most_behind, sizeof(to->most_behind));
	}
	if (!*to->registry_problem)
		memcpy(to->registry_problem, more->registry_problem, sizeof(to->registry_problem));
}

void status_report(const struct status_view *v, struct report *ret)
{
	struct buf rows = BUF_EMPTY, losses = BUF_EMPTY;
	struct status_side side, far = {0};
	status_side(v->table, v->discover, v->shipper, v->registry, &side);
	if (v->far && far_status(v->far, &far, &rows, &losses) == 0)
		status_side_add(&side, &far);
	buf_free(&rows);
	buf_free(&losses);
	*ret = (struct report){.lag_bytes = side.lag_bytes,
			       .lag_ms = (uint64_t)(side.lag_seconds * 1000),
			       .files = side.files,
			       .failing = side.failing};
}

/* --- JSON: members one after another; after the first error nothing more is added --- */

struct page {
	struct buf *out;
	int error;
};

static void add(struct page *p, const char *text)
{
	if (p->error == 0)
		p->error = buf_add_str(p->out, text);
}

static void add_key(struct page *p, const char *key)
{
	char last = p->out->len ? p->out->ptr[p->out->len - 1] : '{';
	if (p->error == 0)
		p->error = buf_printf(p->out, "%s\"%s\":", last == '{' ? "" : ",", key);
}

static void add_text(struct page *p, const char *key, const char *value)
{
	add_key(p, key);
	if (p->error == 0)
		p->error = value ? json_add_string(p->out, span_of(value))
				 : buf_add_str(p->out, "null");
}

static void add_u64(struct page *p, const char *key, uint64_t v)
{
	add_key(p, key);
	if (p->error == 0)
		p->error = buf_printf(p->out, "%" PRIu64, v);
}

static void add_double(struct page *p, const char *key, double v)
{
	add_key(p, key);
	if (p->error == 0)
		p->error = buf_printf(p->out, "%.3f", v);
}

static void add_bool(struct page *p, const char *key, bool v)
{
	add_key(p, key);
	add(p, v ? "true" : "false");
}

/* 0: null. */
static void add_time(struct page *p, const char *key, int64_t real_ns)
{
	char text[CIVIL_TIME_LEN + 1] = "";
	if (real_ns)
		civil_format_us(text, real_ns / NUM_US_NS);
	add_text(p, key, real_ns ? text : NULL);
}

/* What an operator calls it. */
static const char *state_name(const struct source *s)
{
	return s->refusal ? "refused" : source_state_name(s->state);
}

static void add_source(struct page *p, const struct source *s, int64_t now_ns)
{
	char id[STREAM_ID_HEX + 1] = "";
	bool waits = s->lost_to > s->lost_from; /* to be told */
	stream_id_format(id, &s->id);
	add(p, "{");
	add_text(p, "path", s->path);
	add_text(p, "service", s->service);
	add_text(p, "instance", s->instance);
	add_text(p, "input", s->input ? s->input->name : NULL);
	add_text(p, "stream", id);
	add_text(p, "state", state_name(s));
	add_u64(p, "offset", s->committed.offset);
	add_u64(p, "size", s->size);
	add_u64(p, "lag_bytes", is_sent(s) ? lag_bytes(s) : 0);
	add_double(p, "lag_seconds", is_sent(s) ? lag_seconds(s, now_ns) : 0);
	add_double(p, "rate_bytes_per_second", rate_now(s, now_ns));
	add_u64(p, "lines", s->lines);
	add_u64(p, "dropped", s->dropped);
	add_u64(p, "lost_bytes", s->lost_bytes + (waits ? s->lost_to - s->lost_from : 0));
	add_text(p, "lost_cause", waits ? s->lost_cause : s->last_loss);
	add_text(p, "error",
		 s->refusal      ? s->refusal
		 : s->last_error ? strerror(s->last_error)
				 : NULL);
	add(p, "}");
}

int status_rows(const struct source_table *t, struct buf *out)
{
	struct page p = {out, 0};
	int64_t now_ns = clock_mono_ns();
	bool first = true;
	for (const struct source *s = source_first_of_all(t); s; s = source_after_of_all(t, s)) {
		if (!is_shown(s))
			continue;
		add(&p, first ? "" : ",");
		add_source(&p, s, now_ns);
		first = false;
	}
	return p.error;
}

int status_losses(const struct shipper *s, struct buf *out)
{
	const struct losses *l = shipper_losses(s);
	struct page p = {out, 0};
	uint64_t first = l->n > LOSSES_LAST ? l->n - LOSSES_LAST : 0;
	for (uint64_t i = first; i < l->n; i++) {
		const struct loss_record *r = &l->last[i % LOSSES_LAST];
		add(&p, i == first ? "{" : ",{");
		add_text(&p, "path", r->path);
		add_u64(&p, "from", r->from);
		add_u64(&p, "to", r->to);
		add_text(&p, "cause", r->cause);
		add_time(&p, "time", r->real_ns);
		add(&p, "}");
	}
	return p.error;
}

static const char *uplink_state_name(enum uplink_state s)
{
	switch (s) {
	case UPLINK_DOWN: return "down";
	case UPLINK_SESSION: return "session";
	case UPLINK_LISTING: return "listing";
	case UPLINK_READY: return "ready";
	case UPLINK_SENDING: return "sending";
	case UPLINK_REPORTING: return "reporting";
	}
	return "unknown";
}

bool status_is_up(const struct uplink *u)
{
	switch (uplink_state(u)) {
	case UPLINK_DOWN:
	case UPLINK_SESSION:
	case UPLINK_LISTING: return false;
	case UPLINK_READY:
	case UPLINK_SENDING:
	case UPLINK_REPORTING: break;
	}
	return !uplink_problem(u);
}

static void add_collector(struct page *p, const struct status_view *v)
{
	const struct uplink *u = shipper_uplink(v->shipper);
	add_text(p, "collector", v->url);
	add_bool(p, "collector_up", status_is_up(u));
	add_text(p, "collector_state", uplink_state_name(uplink_state(u)));
	add_text(p, "problem", uplink_problem(u));
	add_time(p, "problem_since", uplink_problem_since_ns(u));
	add_time(p, "last_ack", uplink_counters(u)->last_ack_real_ns);
}

static void add_figures(struct page *p, const struct status_side *s, uint64_t max_deleted)
{
	add_text(p, "registry_problem", *s->registry_problem ? s->registry_problem : NULL);
	add_u64(p, "files_followed", s->files);
	add_u64(p, "files_failing", s->failing);
	add_u64(p, "lag_bytes", s->lag_bytes);
	add_double(p, "lag_seconds", s->lag_seconds);
	add_text(p, "most_behind", *s->most_behind ? s->most_behind : NULL);
	add_double(p, "rate_bytes_per_second", s->rate_bytes_per_second);
	add_u64(p, "open_files", s->discover.open_files);
	add_u64(p, "watches", s->discover.watches);
	add_u64(p, "polled_dirs", s->discover.polled_dirs);
	add_u64(p, "skipped_binary_files", s->discover.skipped_binary_files);
	add_u64(p, "skipped_old_files", s->discover.skipped_old_files);
	add_u64(p, "deleted_open_bytes", s->discover.deleted_open_bytes);
	add_u64(p, "max_deleted_bytes", max_deleted);
	add_u64(p, "losses", s->shipper.losses);
	add_u64(p, "lost_bytes", s->shipper.lost_bytes);
	add_key(p, "lost_by_cause");
	add(p, "{");
	for (size_t i = 0; i < s->shipper.n_lost; i++) {
		add_key(p, s->shipper.lost[i].cause);
		add(p, "{");
		add_u64(p, "records", s->shipper.lost[i].records);
		add_u64(p, "bytes", s->shipper.lost[i].bytes);
		add(p, "}");
	}
	add(p, "}");
}

/* Two lists of objects as one array. */
static void add_array(struct page *p, const char *key, const struct buf *one,
		      const struct buf *other)
{
	add_key(p, key);
	add(p, "[");
	if (p->error == 0)
		p->error = buf_add_span(p->out, buf_span(one));
	if (one->len && other->len)
		add(p, ",");
	if (p->error == 0)
		p->error = buf_add_span(p->out, buf_span(other));
	add(p, "]");
}

static void add_journals(struct page *p, const struct status_view *v)
{
	struct journal_status j;
	add_key(p, "journals");
	add(p, "[");
	for (size_t i = 0; journals_status(v->journals, i, &j); i++) {
		add(p, i ? ",{" : "{");
		add_text(p, "path", j.path);
		add_text(p, "input", j.input);
		add_u64(p, "streams", j.streams);
		add_u64(p, "held_bytes", j.held_bytes);
		add_text(p, "error", j.error);
		add(p, "}");
	}
	add(p, "]");
}

int status_json(const struct status_view *v, struct buf *out)
{
	struct page p = {out, 0};
	struct buf rows = BUF_EMPTY, losses = BUF_EMPTY, far_rows = BUF_EMPTY,
		   far_losses = BUF_EMPTY;
	struct status_side side, far = {0};
	status_side(v->table, v->discover, v->shipper, v->registry, &side);
	p.error = status_rows(v->table, &rows);
	if (p.error == 0)
		p.error = status_losses(v->shipper, &losses);
	if (p.error == 0 && v->far)
		p.error = far_status(v->far, &far, &far_rows, &far_losses);
	status_side_add(&side, &far);
	int64_t hangs_ns = v->far ? far_hangs_ns(v->far, clock_mono_ns()) : 0;
	add(&p, "{");
	add_text(&p, "version", HAUL_VERSION);
	add_text(&p, "host", v->host);
	add_double(&p, "uptime_seconds",
		   (double)(clock_real_ns() - v->started_ns) / (double)NUM_SEC_NS);
	add_bool(&p, "keeping_up",
		 status_is_up(shipper_uplink(v->shipper)) &&
			 side.lag_seconds < STATUS_KEEPING_UP_S && !hangs_ns);
	add_collector(&p, v);
	add_double(&p, "remote_hangs_seconds", (double)hangs_ns / (double)NUM_SEC_NS);
	add_figures(&p, &side, v->max_deleted);
	add_array(&p, "last_losses", &losses, &far_losses);
	add_journals(&p, v);
	add_array(&p, "files", &rows, &far_rows);
	add(&p, "}\n");
	buf_free(&rows);
	buf_free(&losses);
	buf_free(&far_rows);
	buf_free(&far_losses);
	return p.error;
}
