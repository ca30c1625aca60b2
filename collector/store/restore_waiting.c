/* Lines that wait beside the log for their place: see restore.h and waiting.h. Recovery calls it;
 * store_open when the first checkpoint went through.
 *
 * A place that the ledger knows as filled, or a segment that it knows as closed, has the lines
 * already: a crash came before they were forgotten. So everything here may be done twice. */
#include "collector/store/restore_file.h"

#include "common/log.h"
#include "common/num.h"

#include <errno.h>

static int plan(void *user, const struct waiting_record *w)
{
	struct restore *r = user;
	struct shard *shard = shards_get(&r->s->shards, w->day, w->service, w->host);
	if (!shard)
		return -ENOMEM;
	struct place next = shard->next;
	bool live = next.position && next.number == w->place.number;
	if (w->place.number < next.number)
		return 0;
	struct restore_file *f = restore_file_get(r, shard, w->place.number);
	if (!f)
		return -ENOMEM;
	f->waits = true;
	struct place end = {.number = w->place.number,
			    .position = w->place.position + w->bytes.len};
	if (!live || end.position > next.position)
		shard_set_next(&r->s->shards, shard, end);
	return 0;
}

int restore_plan_waiting(struct restore *r)
{
	int e = waiting_open(&r->waiting, &r->s->tree, true);
	return e < 0 ? e : waiting_each(&r->waiting, plan, r);
}

static int write_waiting(void *user, const struct waiting_record *w)
{
	struct restore *r = user;
	struct walrecord_lines lines = {.day = w->day,
					.place = w->place,
					/* wide, never narrow */
					.first_us = w->day * NUM_DAY_US,
					.last_us = (w->day + 1) * NUM_DAY_US - 1};
	struct span bytes = w->bytes;
	struct place p;
	struct shard *shard = shards_find(&r->s->shards, w->day, w->service, w->host);
	struct restore_file *f = shard ? restore_file_get(r, shard, w->place.number) : NULL;
	if (!f || !f->waits || f->blocked)
		return 0;
	f = restore_file_at(r, w->service, w->host, &lines, &p);
	if (!f)
		return -ENOMEM;
	uint64_t there = f->segment->length > p.position ? f->segment->length - p.position : 0;
	size_t skip = there < bytes.len ? (size_t)there : bytes.len;
	lines.place.position += skip;
	return restore_write(r, w->service, w->host, &lines, span_from(bytes, skip));
}

int restore_waiting(struct restore *r)
{
	uint64_t before = r->lines;
	int e = waiting_each(&r->waiting, write_waiting, r);
	if (e == 0 && r->lines > before)
		log_notice("%llu lines that waited for their place stand there now",
			   (unsigned long long)(r->lines - before));
	return e;
}

static bool is_blocked(void *user, const struct waiting_record *w)
{
	const struct store *s = user;
	const struct shard *shard = shards_find(&s->shards, w->day, w->service, w->host);
	return shard && shard->blocked;
}

int restore_settle_waiting(struct store *s)
{
	struct waiting w;
	int e = waiting_open(&w, &s->tree, false);
	if (e == 0)
		e = waiting_keep(&w, is_blocked, s);
	waiting_close(&w);
	return e;
}
