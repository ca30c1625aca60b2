/* What goes, and that it goes: see janitor_inside.h. retention.c decides; here its question is put
 * together from the ledger's rows, and the answer is carried out and told. */
#include "collector/janitor_inside.h"

#include "collector/retention.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <stdlib.h>

enum { DELETE_BATCH = 512 };

uint64_t janitor_wanted_room(const struct janitor *j)
{
	struct store_counters c;
	store_counters(j->store, &c);
	return retention_room(&j->settings.min_free, c.total_bytes, c.free_bytes);
}

/* Of the segments [from, to) those of one service's day that went for one reason are told in one
 * line, by the first of them; nothing is left out and nothing gathered, for this is what is left to
 * say of them. */
static void tell_deleted(struct retention_segment *s, size_t from, size_t to)
{
	const struct retention_segment first = s[from];
	uint64_t bytes = 0, segments = 0;
	for (size_t i = from;
	     i < to && s[i].day == first.day && span_equal(s[i].service, first.service); i++) {
		if (s[i].reason != first.reason)
			continue;
		bytes += s[i].bytes;
		segments++;
		s[i].reason = RETENTION_KEPT; /* told */
	}
	char day[CIVIL_DAY_LEN + 1] = "";
	civil_format_day(day, first.day);
	log_deed("retention: %s of %.*s is deleted: %llu bytes in %llu segments, %s", day,
		 (int)first.service.len, first.service.ptr, (unsigned long long)bytes,
		 (unsigned long long)segments, retention_reason_text(first.reason));
}

/* Rows whose segments go, into a copy of their own; the decided ones carry the row's index. */
struct decision {
	struct retention_segment *segments;
	size_t n;
};

static int decide(struct janitor *j, const struct policy *p, struct decision *ret)
{
	struct store_counters c;
	store_counters(j->store, &c);
	struct retention_request q = {.now_us = clock_real_ns() / NUM_US_NS,
				      .last_checkpoint_us = c.sure_clock_us,
				      .room_bytes =
					      j->settings.expire ? janitor_wanted_room(j) : 0};
	struct retention_segment *s = calloc(j->n_rows + 1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	size_t n = 0;
	for (size_t i = 0; i < j->n_rows; i++) {
		const struct segment_row *row = &j->rows[i];
		if (row->state != SEGMENT_STATE_SEALED)
			continue;
		s[n++] = (struct retention_segment){.day = row->day,
						    .service = row->service,
						    .bytes = j->bytes[i],
						    .sealed = true,
						    .row = i,
						    .rule = policy_find(p, row->service)};
	}
	bool suspect = !retention_clock_plausible(q.now_us, q.last_checkpoint_us);
	if (suspect && !atomic_exchange(&j->config.meters->clock_suspect, true))
		log_error("retention: the clock is more than 48 hours from the last checkpoint; "
			  "nothing "
			  "is deleted until it is plausible");
	else if (!suspect)
		atomic_store(&j->config.meters->clock_suspect, false);
	(void)retention_decide(s, n, &q);
	*ret = (struct decision){s, n};
	return 0;
}

/* Rows of the decided segments [from, to). What is gone is said and counted, also when others are
 * not. */
static int delete_rows(struct janitor *j, const struct decision *d, size_t from, size_t to,
		       struct segment_row *rows)
{
	size_t n = 0;
	for (size_t i = from; i < to; i++)
		if (d->segments[i].reason != RETENTION_KEPT)
			rows[n++] = j->rows[d->segments[i].row];
	int r = n ? archive_remove(j->archive, rows, n) : 0;
	for (size_t i = from, k = 0; i < to; i++) {
		struct retention_segment *s = &d->segments[i];
		if (s->reason == RETENTION_KEPT)
			continue;
		if (rows[k++].state != SEGMENT_STATE_DELETED) {
			s->reason = RETENTION_KEPT;
			continue;
		}
		janitor_count(&j->config.meters->deleted_segments, 1);
		janitor_count(&j->config.meters->deleted_bytes, s->bytes);
	}
	for (size_t i = from; i < to; i++)
		if (d->segments[i].reason != RETENTION_KEPT)
			tell_deleted(d->segments, i, to);
	return r;
}

static int delete_decided(struct janitor *j, const struct decision *d)
{
	struct segment_row *rows = calloc(DELETE_BATCH, sizeof(*rows));
	int r = rows ? 0 : -ENOMEM, worst = r;
	int32_t last_day = INT32_MIN;
	for (size_t from = 0, to; from < d->n && worst != -ENOSPC && r != -ECANCELED && rows;
	     from = to) {
		to = d->n - from < DELETE_BATCH ? d->n : from + DELETE_BATCH;
		for (size_t i = from; i < to; i++)
			if (d->segments[i].reason != RETENTION_KEPT)
				last_day = d->segments[i].day;
		r = delete_rows(j, d, from, to, rows);
		worst = r < 0 ? r : worst;
		if (janitor_is_stopping(j))
			r = -ECANCELED;
	}
	free(rows);
	if (r == -ECANCELED)
		return r;
	r = last_day != INT32_MIN ? archive_sweep(j->archive, last_day) : 0;
	return r < 0 ? r : worst;
}

/* What the ledger says of segments that somebody took away is kept as long as they would have
 * been. */
static int forget_gone(struct janitor *j, const struct policy *p)
{
	int64_t now_us = clock_real_ns() / NUM_US_NS;
	int r = 0;
	for (size_t i = 0; i < j->n_rows && r == 0; i++) {
		const struct segment_row *row = &j->rows[i];
		if (row->state == SEGMENT_STATE_GONE &&
		    row->day < policy_oldest_day(p, row->service, now_us))
			r = store_remove_segments(j->store, row, 1);
	}
	return r;
}

int janitor_retain(struct janitor *j)
{
	struct decision d = {0};
	const struct policy *p = j->config.policy_get(j->config.user);
	int r = decide(j, p, &d);
	if (r == 0 && !atomic_load(&j->config.meters->clock_suspect))
		r = forget_gone(j, p);
	j->config.policy_put(j->config.user);
	if (r == 0)
		r = delete_decided(j, &d);
	free(d.segments);
	return r;
}
