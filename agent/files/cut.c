/* Files that were cut, are gone, or were replaced unseen: see discover_inside.h.
 *
 *     cut        the bytes before the cursor are not those that were read, or the file is shorter: the source
 *                ends with what was read of it, and a new one begins in its file. A copy may have what was
 *                not read yet; without one, what is known to have stood there is lost.
 *     missing    the registry or the collector knows a source, and there is no file for it. Its copies are
 *                searched; when there is none and no file turns up within a minute, it is given up.
 *                (Where its file system is not mounted, a day.) */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/elder.h"
#include "agent/files/follow.h"
#include "agent/files/past.h"
#include "agent/files/rotation.h"
#include "common/num.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define LOOK_AGAIN_NS (2 * NUM_SEC_NS)
#define MISSING_NS    DISCOVER_QUIET_NS
#define UNMOUNTED_NS  (24 * 3600 * NUM_SEC_NS)

/* --- cut --- */

/* The file goes on as another source. */
static struct source *begin_anew(struct discover *d, struct source *s)
{
	struct identity id = {.ino = s->ino, .btime_ns = s->btime_ns, .dev = s->dev};
	struct source *fresh = look_find(d, &id);
	if (fresh) {
		/* Since then an event has led to the file; or it is the file of one that is looked
		 * for. */
		names_hand_over(d, s, fresh);
		if (fresh->state == SOURCE_MISSING && fresh->input &&
		    descriptor_open(d->table, s) == 0 && identity_of_fd(s->fd, &id) == 0)
			names_found(d, fresh, &id);
		return fresh;
	}
	fresh = look_make(d, s->path, &id, s->input, s->path);
	if (!fresh)
		return NULL;
	int fd = descriptor_take(d->table, s);
	if (fd >= 0)
		descriptor_give(d->table, fresh, fd);
	if (descriptor_open(d->table, fresh) == 0 && identity_of_fd(fresh->fd, &id) == 0)
		fresh->size = fresh->sure_size = id.size;
	names_hand_over(d, s, fresh);
	grown_remember_head(d, fresh);
	return fresh;
}

bool cut_part(struct discover *d, struct source *s)
{
	struct source *fresh = NULL;
	if (!s->copied) {
		fresh = begin_anew(d, s);
		if (!fresh)
			return false;
		log_info("%s was truncated or replaced after %" PRIu64
			 " bytes were read: what it has now is a new stream",
			 s->path, s->tail_at);
	}
	descriptor_close(d->table, s);
	s->closing = true;
	source_move(d->table, s, SOURCE_UNLINKED);
	if (fresh && fresh->state == SOURCE_NEW && !fresh->born)
		begin_stream(d, fresh);
	return true;
}

void cut_source(struct discover *d, struct source *s)
{
	if (s->closing)
		return; /* this has been done */
	if (!cut_part(d, s))
		source_notice(d->table, s); /* when there is memory */
	else if (s->copied)
		cut_search_over(d, s, false);
	else
		rest_search(d, s);
}

static void count_loss(struct source *s, const char *cause)
{
	if (s->sure_size <= s->tail_at || s->lost_to > s->lost_from)
		return;
	s->lost_from = s->tail_at;
	s->lost_to = s->sure_size;
	s->lost_cause = cause;
	if (s->cut_cause)
		return; /* that has been said */
	log_warning("%s: bytes %" PRIu64 " to %" PRIu64 " were %s before they could be read: "
		    "recorded as lost",
		    s->path, s->lost_from, s->lost_to, cause);
}

/* --- whose bytes they were --- */

bool cut_is_nobodys(const struct source *s)
{
	return s->early && s->cut && !s->born && s->tail_at == s->start;
}

static bool is_of_family(const struct source *s, const struct source *o)
{
	return o != s && o->born && !source_is_stray(o) &&
	       rotation_family(path_name(o->path)) == rotation_family(path_name(s->path));
}

bool cut_others_search(const struct discover *d, const struct source *s)
{
	for (const struct source *o = source_first(d->table); o; o = source_after(d->table, o))
		if (is_of_family(s, o) && rest_is_wanted(o) && (o->searching || !o->searched))
			return true;
	return d->checks != NULL;
}

/* Is it a stream that has found its file by now? Then that file has what was seen, and is as
 * long. */
static bool is_anothers(struct discover *d, const struct source *s)
{
	for (struct source *o = source_first(d->table); o; o = source_after(d->table, o))
		if (is_of_family(s, o) && o->sure_size >= s->sure_size &&
		    stray_begins_alike(d, s, o))
			return true;
	return false;
}

/* The source ends here: it has no file to go on in. */
static void end_here(struct discover *d, struct source *s, const char *cause)
{
	count_loss(s, cause);
	s->closing = true;
	source_move(d->table, s, SOURCE_UNLINKED);
	leave_add(d, s);
	source_set_ready(d->table, s);
}

void cut_search_over(struct discover *d, struct source *s, bool found)
{
	s->held = false;
	if (!found && s->unfinished && d->now_ns - s->last_growth_ns < DISCOVER_QUIET_NS) {
		s->unfinished = s->searched = false; /* there is time */
		return;
	}
	if (!found && cut_is_nobodys(s)) {
		if (cut_others_search(d, s)) {
			s->searched = false;
			d->missing_due_ns = d->now_ns;
			return;
		}
		if (is_anothers(d, s))
			s->sure_size = s->tail_at;
	}
	elder_wake(d->table, s);
	if (s->state == SOURCE_MISSING) {
		if (!found)
			return; /* cut_missing decides */
		source_move(d->table, s, SOURCE_NEW);
		names_begin(d, s);
		if (s->state == SOURCE_MISSING)
			return; /* no input wants it any more */
	}
	if (!found || s->cut) {
		const char *cause = s->cut ? "truncated" : "deleted";
		s->cut = s->cut || s->cut_cause;
		end_here(d, s, s->cut_cause ? s->cut_cause : cause);
		return;
	}
	s->cut_cause = NULL;
	s->closing = false;
	if (s->state == SOURCE_UNLINKED)
		source_move(d->table, s, SOURCE_ROTATED);
	s->last_growth_ns = d->now_ns;
	leave_add(d, s);
	source_set_ready(d->table, s);
}

/* --- missing --- */

/* Its file system may not be there: what is above it is on another one. */
static bool may_be_unmounted(const struct source *s)
{
	char at[PATH_MAX];
	struct identity id;
	(void)snprintf(at, sizeof(at), "%s", s->path);
	for (bool parent = true;; parent = false) {
		char *slash = strrchr(at, '/');
		if (!slash || slash == at)
			return true;
		*slash = '\0';
		if (identity_of_path(at, true, &id) == 0)
			return s->dev ? id.dev != s->dev : !parent;
	}
}

static void give_up(struct discover *d, struct source *s)
{
	log_info("%s is gone, and no copy of it was found: its stream ends at %" PRIu64, s->path,
		 s->committed.offset);
	if (s->sure_size > s->tail_at || s->replay.len)
		end_here(d, s, "deleted");
	else
		leave_finish(d, s);
}

/* One that waits for its rest: the file that may be it is being written. */
static void look_for_rest(struct discover *d, struct source *s)
{
	if (s->searched || !s->closing || !rest_is_wanted(s))
		return;
	rest_search(d, s);
	if (!s->searched)
		d->missing_due_ns = d->now_ns + LOOK_AGAIN_NS;
}

void cut_missing(struct discover *d)
{
	d->missing_due_ns = INT64_MAX;
	for (struct source *s = source_first(d->table), *next; s; s = next) {
		next = source_after(d->table, s);
		if (s->searching || s->refusal)
			continue;
		if (s->state != SOURCE_MISSING) {
			look_for_rest(d, s);
			continue;
		}
		if (stray_was_copy(d, s)) {
			source_move(d->table, s, SOURCE_ENDED);
			continue;
		}
		if (!s->input)
			s->input = look_input(d, s);
		if (!s->input)
			continue; /* nobody wants it: its place is kept */
		int64_t waited_ns = d->now_ns - s->last_growth_ns;
		bool over = waited_ns >= UNMOUNTED_NS ||
			    (waited_ns >= MISSING_NS && !may_be_unmounted(s));
		if (!source_was_stray(s) && (!s->searched || over))
			rest_search(d, s);
		if (s->state == SOURCE_MISSING && over && !s->searching) {
			give_up(d, s);
			continue;
		}
		int64_t pause_ns = source_was_stray(s) ? LOOK_AGAIN_NS : MISSING_NS / 4;
		if (d->missing_due_ns > d->now_ns + pause_ns)
			d->missing_due_ns = d->now_ns + pause_ns;
	}
}
