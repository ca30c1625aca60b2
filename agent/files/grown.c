/* What has become of a source's file: see discover_inside.h. An event, a scan or a comparison says
 * that it may have changed; size and identity are looked at, and only the bytes that tell it from
 * another file are read.
 *
 * Failure modes: it cannot be opened (said once, tried again at its next event and by the rescan);
 * it is not the file that it was: it is noticed as cut, and cut.c goes on from there. */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/follow.h"
#include "agent/files/sniff.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"

/* Opens a file at once: it may have no name a moment later. */
void grown_open(struct discover *d, struct source *s, const char *path)
{
	struct identity id;
	int fd = -1, r;
	if (!descriptor_make_room(d->table))
		return;
	r = identity_open(path, &id, &fd);
	if (r < 0) {
		s->last_error = -r;
		log_gated(&s->error_gate, LOG_LEVEL_WARNING,
			  "%s cannot be opened: %s; it is tried again", path, strerror(-r));
		return;
	}
	if (id.ino != s->ino || id.btime_ns != s->btime_ns || id.dev != s->dev)
		file_close(&fd);
	else
		descriptor_give(d->table, s, fd);
	grown_remember_head(d, s);
}

/* The first bytes of a file of which nothing has been read yet: should it be compressed or copied
 * before that, they tell which one it was. */
void grown_remember_head(struct discover *d, struct source *s)
{
	char head[FOLLOW_CHECK_BYTES];
	const struct rung *known = ladder_find(&s->ladder, UINT64_MAX);
	uint64_t end = s->start + sizeof(head) < s->size ? s->start + sizeof(head) : s->size;
	/* Of one that was known before the start it is not sure yet that it is the same. */
	if (s->recorded && s->state == SOURCE_NEW)
		return;
	if (s->tail_at != s->start || s->fd < 0 || s->compressed || end <= s->start ||
	    (known && known->offset >= end))
		return;
	if (known && follow_check(s) <= 0)
		return;
	size_t n = (size_t)(end - s->start);
	if (file_pread_full(s->fd, head, n, s->start) != (ssize_t)n ||
	    sniff_gzip(span_make(head, n)))
		return;
	if (!s->ladder.n)
		s->begun_ns = clock_real_ns(); /* only now others can be compared with it */
	ladder_add(&s->ladder, s->start, end, crc64_add(CRC64_EMPTY, head, n));
	source_touch(d->table, s);
}

void grown_look(struct discover *d, struct source *s, const struct identity *id)
{
	if (s->cut || s->refusal)
		return;
	if (!s->compressed && id->size < s->tail_at) {
		s->cut = true;
		source_notice(d->table, s);
		return;
	}
	s->dev = id->dev;
	if (s->compressed) {
		if (id->size != s->candidate_size) {
			s->candidate_size = id->size;
			s->last_growth_ns = d->now_ns;
			source_set_ready(d->table, s);
		}
		return;
	}
	if (id->size != s->size) {
		int same = follow_check(s);
		if (same == 0) {
			s->cut = true;
			source_notice(d->table, s);
			return;
		}
		s->size = id->size;
		if (same > 0)
			s->sure_size = s->size;
		grown_remember_head(d, s);
		s->last_growth_ns = d->now_ns;
		s->closing = false;
		if (s->state == SOURCE_ROTATED)
			leave_add(d, s);
	}
	if (s->size > s->tail_at || s->last_error) {
		if (!s->behind_since_ns)
			s->behind_since_ns = d->now_ns;
		source_set_ready(d->table, s);
	}
}

static void look_now(struct discover *d, struct source *s)
{
	struct identity id;
	if (s->fd >= 0 && identity_of_fd(s->fd, &id) == 0)
		grown_look(d, s, &id);
	source_set_ready(d->table, s);
}

/* Is it a file that is just being followed, of which something was read, and that will be read on?
 * Then its turn finds out all that a look would: each read compares the bytes before it. */
static bool is_read_soon(const struct source *s)
{
	return s->state == SOURCE_FOLLOWING && s->fd >= 0 && s->tail_known &&
	       s->tail_at != s->start && !s->compressed && !s->cut && !s->closing && !s->held &&
	       !s->last_error;
}

void grown_stirred(struct discover *d)
{
	for (struct source *s; (s = source_next_stirred(d->table)) != NULL;)
		look_now(d, s);
}

void grown_event(struct discover *d, struct source *s)
{
	if (s->event == d->turn)
		return;
	s->event = d->turn;
	if (s->refusal)
		return;
	/* Opened at the first event: the next one may be that it was deleted. */
	if (s->fd < 0 && s->state != SOURCE_MISSING && descriptor_make_room(d->table) &&
	    descriptor_open(d->table, s) < 0) {
		source_set_ready(d->table, s); /* reading it says what is wrong */
		return;
	}
	if (!d->restless && is_read_soon(s)) {
		source_stir(d->table, s);
		source_set_ready(d->table, s);
		return;
	}
	look_now(d, s);
}
