/* Files compared with streams: see discover_inside.h. A comparison is one file and one stream; it
 * goes on a piece at a time between other work. rest.c makes them for a stream that has lost its
 * file, stray.c for a file whose name is that of a rotated one; both learn the answer here.
 *
 * Few bytes prove little: many logs begin with the same line. So nothing is decided before
 * everything that a file (or a stream without one) is compared with has been; then the match that
 * reaches furthest counts, and of two equal ones that of the longer file. A source that was seen
 * before the collector's streams came, and cut since, may be one of them: those choose first.
 *
 * Failure modes: a file that cannot be read just now is tried for ten seconds (to pass it over
 * would ship it twice); one that cannot be read at all is no copy. */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/elder.h"
#include "agent/files/past.h"
#include "common/file.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define BUDGET      ((size_t)4 * 1024 * 1024)
#define GLANCE      ((size_t)64 * 1024)
#define STEP_EVERY  (20 * NUM_MS_NS)
#define READABLE_NS (10 * NUM_SEC_NS)

static void free_one(struct comparison *c)
{
	probe_free(c->probe);
	file_close(&c->fd);
	free(c->rungs);
	free(c->path);
	free(c);
}

static void free_all(struct comparison **list)
{
	for (struct comparison *c; (c = *list) != NULL;) {
		*list = c->next;
		free_one(c);
	}
}

void match_free(struct discover *d)
{
	free_all(&d->comparing);
	free_all(&d->matches);
}

/* Has it to do with the source? One that ended with it counts no more. */
static void forget_in(struct discover *d, struct comparison *list, struct source *s)
{
	for (struct comparison *c = list; c; c = c->next) {
		if (c->owner != s && c->file != s)
			continue;
		c->over = true;
		if (c->owner && c->owner != s && --c->owner->searching == 0) {
			c->owner->searched = false; /* it is to search again: nobody has told it */
			d->missing_due_ns = 0;
		}
		if (c->file && c->file != s) {
			c->file->searching--;
			c->file->candidate_size = UINT64_MAX; /* it is to be compared again */
		}
		c->owner = c->file = NULL;
	}
}

void match_forget(struct discover *d, struct source *s)
{
	forget_in(d, d->comparing, s);
	forget_in(d, d->matches, s);
	s->searching = 0;
}

/* --- making them --- */

/* A stray's file may have no name any more. */
static int open_file(struct discover *d, struct comparison *c)
{
	if (!c->file || descriptor_open(d->table, c->file) < 0)
		return identity_open(c->path, &c->id, &c->fd);
	c->fd = fcntl(c->file->fd, F_DUPFD_CLOEXEC, 0);
	return c->fd < 0 ? -errno : identity_of_fd(c->fd, &c->id);
}

/* May what could not be read for this reason be readable soon? */
static bool passes(int error)
{
	return error == -EIO || error == -EINTR || error == -EAGAIN || error == -ENOMEM ||
	       error == -EMFILE || error == -ENFILE;
}

/* Compares on. PROBE_MORE also when the file cannot be read just now; PROBE_UNFINISHED when that
 * has lasted. */
static int step(struct discover *d, struct comparison *c, size_t *budget)
{
	int r = c->probe ? 0 : open_file(d, c);
	if (r == 0 && !c->probe)
		r = probe_new(c->fd, c->id.size, c->base, c->rungs, c->n, &c->probe);
	if (r == 0)
		r = probe_step(c->probe, budget);
	if (r >= 0 || !passes(r))
		return r;
	probe_free(c->probe);
	c->probe = NULL;
	file_close(&c->fd);
	if (!c->until_ns)
		c->until_ns = d->now_ns + READABLE_NS;
	return d->now_ns < c->until_ns ? (int)PROBE_MORE : (int)PROBE_UNFINISHED;
}

/* There is no memory for a comparison: before anything is said of the two they are compared
 * again. */
static void compare_later(struct discover *d, const struct comparison *from)
{
	discover_short_of_memory(d);
	if (from->file)
		from->file->unfinished = true;
	if (from->owner)
		rest_may_come(d, from->owner, from->owner->candidate_size);
}

/* The first bytes tell most files apart: then there is nothing more to compare. */
static void add(struct discover *d, const struct comparison *from, uint64_t base,
		const struct rung *rungs, size_t n)
{
	struct comparison *c = n ? calloc(1, sizeof(*c)) : NULL;
	size_t glance = GLANCE;
	if (!c && n)
		compare_later(d, from);
	if (!c)
		return;
	*c = *from;
	c->fd = -1;
	c->base = base;
	c->n = n;
	c->path = strdup(from->path);
	c->rungs = calloc(n, sizeof(*rungs));
	int r = -ENOMEM;
	if (c->path && c->rungs) {
		memcpy(c->rungs, rungs, n * sizeof(*rungs));
		r = step(d, c, &glance);
	}
	if (r == -ENOMEM)
		compare_later(d, from);
	if (r < 0 || r == PROBE_NO) {
		free_one(c);
		return;
	}
	if (c->owner)
		c->owner->searching++;
	if (c->file)
		c->file->searching++;
	c->next = d->comparing;
	d->comparing = c;
	d->match_due_ns = 0;
}

void match_stream(struct discover *d, struct source *owner, const char *path, struct source *file)
{
	const struct ladder *l = &owner->ladder;
	struct comparison c = {.owner = owner, .path = (char *)path, .file = file};
	add(d, &c, l->base, l->rungs, l->n);
}

void match_past(struct discover *d, const struct past *p, struct source *file)
{
	struct comparison c = {.past = *p, .of_past = true, .path = file->path, .file = file};
	struct rung rungs[2];
	size_t n = 0;
	if (p->head.offset > p->base && p->head.offset < p->end.offset)
		rungs[n++] = p->head;
	if (p->end.offset > p->base)
		rungs[n++] = p->end;
	add(d, &c, p->base, rungs, n);
}

uint64_t match_content_size(int fd, const struct identity *id)
{
	unsigned char end[4];
	if (!descriptor_is_gzip(fd))
		return id->size;
	if (id->size < sizeof(end) ||
	    file_pread_full(fd, end, sizeof(end), id->size - sizeof(end)) != (ssize_t)sizeof(end))
		return 0;
	return (uint64_t)end[0] | (uint64_t)end[1] << 8 | (uint64_t)end[2] << 16 |
	       (uint64_t)end[3] << 24;
}

/* --- what came of them --- */

static void release(struct discover *d, struct comparison *c)
{
	struct source *owner = c->owner, *file = c->file;
	if (owner)
		owner->searching--;
	if (file)
		file->searching--;
	free_one(c);
	if (owner && !owner->searching && rest_is_wanted(owner))
		cut_search_over(d, owner, false);
	if (file && !file->searching)
		d->strays_due_ns = 0;
}

static bool is_nobodys(const struct comparison *c)
{
	return c->owner && cut_is_nobodys(c->owner);
}

static bool same_file(const struct comparison *a, const struct comparison *b)
{
	return (a->file && a->file == b->file) ||
	       (a->id.ino == b->id.ino && a->id.btime_ns == b->id.btime_ns &&
		a->id.dev == b->id.dev);
}

/* Do both say something about the same file, or about the same stream that has none? */
static bool rivals(const struct comparison *a, const struct comparison *b)
{
	return (a->file && a->file == b->file) ||
	       ((is_nobodys(a) || is_nobodys(b)) && same_file(a, b)) ||
	       (a->owner && a->owner == b->owner && rest_is_wanted(a->owner));
}

static bool has_rival(const struct comparison *list, const struct comparison *c)
{
	for (; list; list = list->next)
		if (!list->over && rivals(list, c))
			return true;
	return false;
}

static bool is_better(const struct comparison *a, const struct comparison *b)
{
	bool nobodys = is_nobodys(a);
	if (nobodys != is_nobodys(b))
		return !nobodys;
	uint64_t to_a = probe_matched(a->probe).offset, to_b = probe_matched(b->probe).offset;
	if (to_a != to_b)
		return to_a > to_b;
	if (a->of_past != b->of_past)
		return b->of_past;
	return match_content_size(a->fd, &a->id) > match_content_size(b->fd, &b->id);
}

static void take_out(struct comparison **list, const struct comparison *c)
{
	while (*list != c)
		list = &(*list)->next;
	*list = c->next;
}

/* Is it still open what others have to say about it? */
static bool has_to_wait(const struct discover *d, const struct comparison *c)
{
	return has_rival(d->comparing, c) || (is_nobodys(c) && cut_others_search(d, c->owner));
}

/* The best of those that are rivals, once nothing can come in between; NULL: none is ripe. */
static struct comparison *take_ripe(struct discover *d)
{
	for (struct comparison *c = d->matches; c; c = c->next) {
		struct comparison *best = c;
		if (has_to_wait(d, c))
			continue;
		for (struct comparison *o = d->matches; o; o = o->next)
			if (o != best && !o->over && !best->over && rivals(o, best) &&
			    !has_to_wait(d, o) && is_better(o, best))
				best = o;
		take_out(&d->matches, best);
		return best;
	}
	return NULL;
}

static void mark_copy(struct discover *d, struct source *file, const struct source *owner)
{
	if (!source_is_stray(file))
		return; /* its input has let it go meanwhile */
	file->copy_of = owner->id;
	source_move(d->table, file, SOURCE_COPY);
	stray_names_owner(d, file);
	elder_wake(d->table, file);
}

/* What is nobody's cannot go on in that file any more. It learns that when its comparison is
 * released. */
static void turn_away(struct discover *d, const struct comparison *taken)
{
	for (struct comparison *c = d->matches; c; c = c->next) {
		if (c->over || c->owner == taken->owner || !is_nobodys(c) || !same_file(c, taken))
			continue;
		c->over = true;
		if (c->file)
			c->file->searching--;
		c->file = NULL;
	}
}

/* What is no better than the best is a copy of the same stream. */
static void mark_others(struct discover *d, const struct comparison *best)
{
	for (struct comparison *c = d->matches; c; c = c->next) {
		if (c->over || c->owner != best->owner || same_file(c, best))
			continue;
		if (c->file)
			mark_copy(d, c->file, best->owner);
		if (!is_nobodys(best))
			turn_away(d, c);
	}
}

/* That a source was cut may have been noticed only just now: what its file has is another one's
 * first. */
static bool has_parted(struct discover *d, struct source *s)
{
	return s->state == SOURCE_MISSING || !s->cut || s->closing || cut_part(d, s);
}

static void act(struct discover *d, struct comparison *c)
{
	if (is_nobodys(c) && c->file && c->file->state == SOURCE_COPY)
		c->over = true; /* of one that has its file */
	bool wanted = c->owner && rest_is_wanted(c->owner) && has_parted(d, c->owner);
	if (!c->over && (c->of_past || wanted)) {
		/* Both are free to go. */
		if (c->owner)
			c->owner->searching--;
		if (c->file)
			c->file->searching--;
		turn_away(d, c);
		if (wanted) {
			mark_others(d, c);
			rest_take(d, c);
		} else {
			stray_is_of_past(d, c);
		}
		d->strays_due_ns = 0;
		free_one(c);
		return;
	}
	if (!c->over && c->owner && c->file)
		mark_copy(d, c->file, c->owner);
	release(d, c);
}

static void finish(struct discover *d, struct comparison *c, int result)
{
	struct source *owner = c->over ? NULL : c->owner, *file = c->over ? NULL : c->file;
	if (result == PROBE_COPY && !c->over) {
		c->next = d->matches;
		d->matches = c;
		return;
	}
	if (result == PROBE_UNFINISHED && file)
		file->unfinished = true;
	if (result == PROBE_UNFINISHED && owner)
		rest_may_come(d, owner, c->id.size);
	release(d, c);
}

static struct comparison *next_to_step(struct discover *d)
{
	for (struct comparison **at = &d->comparing; *at; at = &(*at)->next) {
		struct comparison *c = *at;
		if (c->round != d->match_round) {
			*at = c->next;
			return c;
		}
	}
	return NULL;
}

void match_step(struct discover *d)
{
	size_t budget = BUDGET;
	d->match_round++;
	for (struct comparison *c; (c = next_to_step(d)) != NULL;) {
		int r = c->over ? (int)PROBE_NO : step(d, c, &budget);
		if (r == PROBE_MORE) {
			c->round = d->match_round;
			c->next = d->comparing;
			d->comparing = c;
		} else {
			finish(d, c, r);
		}
	}
	for (struct comparison *c; (c = take_ripe(d)) != NULL;)
		act(d, c);
	d->match_due_ns = d->comparing || d->matches ? d->now_ns + STEP_EVERY : INT64_MAX;
}
