/* Deleted files: see discover_inside.h. What is deleted is held open until the collector has it,
 * and so is its disk space, which nobody else can see or free. max_deleted bounds that.
 *
 * Beyond it files are given up: first one that is larger than the bound by itself, for it could not
 * be held whatever else goes; then the oldest, whose lines are the least likely to be looked for.
 * What had been read of the file is in memory and still goes to the collector; the rest is a loss
 * with cause `limit` and its exact range, unless a compressed version of the file has it.
 *
 * Not given up: compressed rests, for it is not known how many bytes of lines they have (they are
 * small, and do not grow); files whose bytes are being compared; those of which a loss is still to
 * be told (at the next look). */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "common/num.h"

#include <inttypes.h>

#define LOOK_OFTEN_NS  NUM_SEC_NS
#define LOOK_SELDOM_NS (10 * NUM_SEC_NS)

/* What the file holds of its disk. Holes take nothing, and a file of a few bytes is not counted as
 * a block. */
static uint64_t held_by(const struct source *s, struct identity *ret)
{
	if (s->fd < 0 || s->names || identity_of_fd(s->fd, ret) < 0 || ret->nlink)
		return 0;
	return ret->disk_bytes < ret->size ? ret->disk_bytes : ret->size;
}

uint64_t deleted_bytes(const struct discover *d)
{
	struct identity id;
	uint64_t sum = 0;
	for (const struct source *s = source_first(d->table); s; s = source_after(d->table, s))
		sum += held_by(s, &id);
	return sum;
}

static uint64_t look_at_all(struct discover *d)
{
	struct identity id;
	uint64_t sum = 0;
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s)) {
		uint64_t held = held_by(s, &id);
		/* It may still be written, and no event tells. */
		if (held && s->state == SOURCE_UNLINKED && !s->held)
			grown_look(d, s, &id);
		sum += held;
	}
	return sum;
}

static bool may_go(const struct source *s)
{
	return !source_is_stray(s) && !s->compressed && !s->held && !s->cut &&
	       s->lost_to <= s->lost_from;
}

/* The next one that goes; NULL: none may. */
static struct source *choose(const struct discover *d, struct identity *ret)
{
	struct source *oldest = NULL;
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s)) {
		struct identity id;
		uint64_t held = held_by(s, &id);
		if (!held || !may_go(s) || (oldest && held <= d->max_deleted))
			continue;
		oldest = s;
		*ret = id;
		if (held > d->max_deleted)
			break;
	}
	return oldest;
}

static void say(struct discover *d, const struct source *s, uint64_t size, uint64_t sum)
{
	log_gated(&d->deleted_gate, LOG_LEVEL_ERROR,
		  "%s: bytes %" PRIu64 " to %" PRIu64
		  " are given up, and recorded as lost unless a copy "
		  "has them: it was deleted, and %" PRIu64
		  " bytes of deleted files were held open, more "
		  "than max_deleted",
		  s->path, s->tail_at, size, sum);
}

static void give_up(struct discover *d, struct source *s, uint64_t size, uint64_t sum)
{
	if (size > s->tail_at)
		say(d, s, size, sum);
	descriptor_close(d->table, s);
	s->closing = true;
	s->cut_cause = "limit";
	s->sure_size = size > s->tail_at ? size : s->tail_at;
	if (s->state == SOURCE_UNLINKED) {
		rest_search(d, s); /* a compressed version may have it; else it ends here */
		return;
	}
	/* The collector's streams are not known yet: the loss is told once they are. */
	s->cut = s->searched = true;
	s->lost_from = s->tail_at;
	s->lost_to = s->sure_size;
	s->lost_cause = s->cut_cause;
	leave_add(d, s);
}

void deleted_check(struct discover *d)
{
	struct identity id;
	uint64_t sum = look_at_all(d);
	while (sum > d->max_deleted) {
		struct source *s = choose(d, &id);
		if (!s)
			break;
		uint64_t held = held_by(s, &id);
		give_up(d, s, id.size, sum);
		sum = sum > held ? sum - held : 0;
	}
	bool close = sum > d->max_deleted / 2;
	d->deleted_due_ns = !sum ? INT64_MAX : d->now_ns + (close ? LOOK_OFTEN_NS : LOOK_SELDOM_NS);
}
