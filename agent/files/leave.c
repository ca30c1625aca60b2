/* Files that go: see discover_inside.h. A source that no followed name leads to is kept until
 * everything it can still give is read and acknowledged; then its stream is ended and it is let go.
 *
 *     no name left      until nobody has it open for writing (a lease on the open file tells, where the agent
 *                       may take one), or it has not grown for 60 s
 *     a rotated name    stays as it is, for a writer may come back to it; after 60 s without growth its
 *                       last line goes out although it has no LF
 *     moved out of      let go after ten minutes without growth, since no event says what becomes of it
 *     sight
 *
 * A descriptor that is let go frees the disk space of a deleted file: so it is kept no longer than
 * that. */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/elder.h"
#include "agent/files/past.h"
#include "agent/files/rotation.h"
#include "agent/files/zreader.h"
#include "common/clock.h"
#include "common/num.h"

#include <fcntl.h>
#include <signal.h>

#define HIDDEN_QUIET_NS (10 * DISCOVER_QUIET_NS)
#define LOOK_AGAIN_NS   NUM_SEC_NS
#define HIDDEN_LOOK_NS  (5 * NUM_SEC_NS)
#define STAYS           INT64_MIN /* it leaves no more */

void leave_add(struct discover *d, struct source *s)
{
	if (!s->leaving && sources_add(&d->leaving, s))
		s->leaving = true;
	d->leave_due_ns = 0;
}

void leave_remove(struct discover *d, struct source *s)
{
	if (s->leaving)
		sources_remove(&d->leaving, s);
	s->leaving = false;
}

/* Has nobody the file open for writing? A read lease is granted only then; false as well when it
 * cannot be told. It is given back at once; should somebody ask for the file in that moment, the
 * signal is one that does nothing. */
static bool has_no_writer(int fd)
{
	if (fcntl(fd, F_SETSIG, SIGURG) < 0 || fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return false;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	return true;
}

void leave_finish(struct discover *d, struct source *s)
{
	descriptor_close(d->table, s);
	source_move(d->table, s, SOURCE_DRAINED);
	if (s->born)
		source_set_ready(d->table, s);
	else
		source_move(d->table, s, SOURCE_ENDED);
}

/* Everything it has is read: does it go? Returns when to look again. */
static int64_t leave_read(struct discover *d, struct source *s, bool quiet)
{
	if (s->names && s->state == SOURCE_ROTATED)
		return STAYS;
	if (s->cursor.offset != s->committed.offset)
		return INT64_MAX; /* the acknowledgement brings it back here */
	if (s->state == SOURCE_UNLINKED) {
		if (!quiet ||
		    elder_is_needed(
			    d->table,
			    s)) /* no event tells of what is written to a file without a name */
			return d->now_ns + LOOK_AGAIN_NS;
		leave_finish(d, s);
		return STAYS;
	}
	if (d->now_ns - s->last_growth_ns < HIDDEN_QUIET_NS || elder_is_needed(d->table, s))
		return d->now_ns + HIDDEN_LOOK_NS;
	leave_finish(d, s);
	return STAYS;
}

/* There is no file any more: only what came back from batches, and the word about what is lost. */
static int64_t leave_without_file(struct discover *d, struct source *s)
{
	s->closing = true;
	if (s->replay.len || s->lost_to > s->lost_from || s->cursor.offset != s->committed.offset) {
		source_set_ready(d->table, s);
		return INT64_MAX;
	}
	if (elder_is_needed(d->table, s))
		return d->now_ns + LOOK_AGAIN_NS;
	leave_finish(d, s);
	return STAYS;
}

static bool is_quiet(const struct discover *d, const struct source *s, const struct identity *id)
{
	if (d->now_ns - s->last_growth_ns >= DISCOVER_QUIET_NS)
		return true;
	if (s->state == SOURCE_UNLINKED)
		return has_no_writer(s->fd);
	int64_t age_ns = clock_real_ns() - id->mtime_ns;
	return age_ns >= DISCOVER_QUIET_NS && age_ns < INT64_MAX / 2;
}

/* A compressed rest does not grow any more once it is whole: it is let go when it is read. Its size
 * does not tell that, but a turn that gave nothing; it may have to wait for that turn. */
static int64_t leave_compressed(struct discover *d, struct source *s, bool quiet)
{
	if (s->spent_at != s->cursor.offset) {
		source_set_ready(d->table, s);
		return d->now_ns + LOOK_AGAIN_NS;
	}
	if (!s->closing) {
		s->closing = quiet || (s->zreader && zreader_complete(s->zreader));
		if (s->closing) {
			s->spent_at = UINT64_MAX; /* its last line may go now */
			elder_wake(d->table, s);
		}
		source_set_ready(d->table, s);
		return d->now_ns + LOOK_AGAIN_NS;
	}
	if (s->size > s->tail_at || s->cursor.offset != s->committed.offset) {
		source_set_ready(d->table, s);
		return d->now_ns + LOOK_AGAIN_NS;
	}
	if (elder_is_needed(d->table, s))
		return d->now_ns + LOOK_AGAIN_NS;
	leave_finish(d, s);
	return STAYS;
}

static int64_t leave_file(struct discover *d, struct source *s)
{
	struct identity id;
	if (s->fd < 0 && descriptor_open(d->table, s) < 0)
		return s->names ? STAYS : leave_without_file(d, s);
	if (identity_of_fd(s->fd, &id) < 0)
		return d->now_ns + LOOK_AGAIN_NS;
	grown_look(d, s, &id);
	if (s->cut)
		return INT64_MAX;
	if (s->state == SOURCE_ROTATED && !s->names && id.nlink == 0) {
		source_move(d->table, s, SOURCE_UNLINKED);
		s->last_growth_ns = d->now_ns;
	}
	bool quiet = is_quiet(d, s, &id);
	if (s->compressed)
		return leave_compressed(d, s, quiet);
	if (s->tail_at >= id.size)
		return leave_read(d, s, quiet);
	if (!quiet)
		return s->last_growth_ns + DISCOVER_QUIET_NS;
	s->closing = true;
	source_set_ready(d->table, s);
	return d->now_ns + LOOK_AGAIN_NS;
}

static int64_t leave_one(struct discover *d, struct source *s)
{
	switch (s->state) {
	case SOURCE_ROTATED:
	case SOURCE_UNLINKED: break;
	case SOURCE_NEW:
	case SOURCE_STRAY:
	case SOURCE_COPY:
	case SOURCE_MISSING:
	case SOURCE_FOLLOWING:
	case SOURCE_DRAINED:
	case SOURCE_ENDING:
	case SOURCE_ENDED: return STAYS;
	}
	if (rest_is_wanted(s) && (s->searching || !s->searched))
		return STAYS; /* the search ends in bringing it back here */
	if (s->held || s->refusal)
		return s->refusal && !s->names ? leave_without_file(d, s) : STAYS;
	return s->cut ? leave_without_file(d, s) : leave_file(d, s);
}

void leave_check(struct discover *d)
{
	d->leave_due_ns = INT64_MAX;
	for (size_t i = 0; i < d->leaving.n;) {
		struct source *s = d->leaving.items[i];
		int64_t due_ns = leave_one(d, s);
		if (due_ns == STAYS) {
			leave_remove(d, s);
			continue;
		}
		if (due_ns < d->leave_due_ns)
			d->leave_due_ns = due_ns;
		i++;
	}
}

/* --- what discover was asked to look at --- */

static void bury(struct discover *d, struct source *s)
{
	struct past p;
	bool kept = past_of(s, &p);
	if (kept)
		past_add(source_past(d->table), &p);
	registry_forget(d->registry, s, kept ? &p : NULL);
	names_drop(d, s);
	source_drop(d->table, s);
}

static void notice(struct discover *d, struct source *s)
{
	if (s->state == SOURCE_ENDED) {
		bury(d, s);
	} else if (s->refusal) {
		if (s->sniffed) {
			d->counters.skipped_binary_files++;
			s->sniffed = false;
			s->sure_size = s->tail_at; /* nothing of it is wanted, so nothing is lost */
			source_redefine(d->table, s);
			log_info("%s is not followed: it is %s", s->path, s->refusal);
		}
		descriptor_close(d->table, s);
	} else if (s->cut && !s->closing && d->settled && s->state != SOURCE_MISSING) {
		cut_source(d, s);
	} else {
		leave_add(d, s);
	}
}

void leave_noticed(struct discover *d)
{
	for (struct source *s; (s = source_next_noticed(d->table)) != NULL;)
		notice(d, s);
}
