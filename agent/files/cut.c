/* Files that were cut, are gone, or were replaced unseen: see discover_inside.h.
 *
 *     cut        the bytes before the cursor are not those that were read, or the file is shorter: the source
 *                ends with what was read of it, and a new one begins in its file. A copy may have what was
 *                not read yet; without one, what is known to have stood there is lost.
 *     missing    the registry or the collector knows a source, and there is no file for it. Its copies are
 *                searched; when there is none and no file turns up within a minute, it is given up.
 *                (Where its file system is not mounted, a day.)
 *     replaced   a followed name had one file at the last look (before a restart, say) and has another now, and
 *                the rename was not seen: there may have been more between the two. Rotated versions of
 *                the name that are younger than the last look are taken for these. */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/follow.h"
#include "agent/files/past.h"
#include "agent/files/rotation.h"
#include "common/clock.h"
#include "common/num.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MISSING_NS   DISCOVER_QUIET_NS
#define UNMOUNTED_NS (24 * 3600 * NUM_SEC_NS)
#define BIRTH_SLACK  (2 * NUM_SEC_NS)

struct replaced {
	char *path;
	struct stream_id before; /* what it led to */
	bool known;              /* ... if that is known */
	int64_t since_real_ns;
	bool at_start;
};

/* --- cut -------------------------------------------------------------------------------------------- */

/* The file goes on as another source. */
static struct source *begin_anew(struct discover *d, struct source *s)
{
	struct identity id = {.ino = s->ino, .btime_ns = s->btime_ns, .dev = s->dev};
	struct source *fresh = look_find(d, &id);
	if (fresh) {
		/* Since then an event has led to the file. */
		look_rename_all(d, s, fresh);
		return fresh;
	}
	fresh = look_make(d, s->path, &id, s->input, s->path);
	if (!fresh)
		return NULL;
	int fd = descriptor_take(d->table, s);
	if (fd >= 0) {
		descriptor_give(d->table, fresh, fd);
		if (identity_of_fd(fd, &id) == 0)
			fresh->size = fresh->sure_size = id.size;
	}
	look_rename_all(d, s, fresh);
	look_remember_head(d, fresh);
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
	cut_replaced(d, s->path, s);
	if (fresh && !fresh->twin)
		settle_new_stream(d, fresh);
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
		copies_search(d, s);
}

static void count_loss(struct source *s, const char *cause)
{
	if (s->sure_size <= s->tail_at || s->lost_to > s->lost_from)
		return;
	s->lost_from = s->tail_at;
	s->lost_to = s->sure_size;
	s->lost_cause = cause;
	log_warning("%s: bytes %" PRIu64 " to %" PRIu64 " were %s before they could be read: "
		    "recorded as lost",
		    s->path, s->lost_from, s->lost_to, cause);
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
	if (s->state == SOURCE_MISSING) {
		if (!found)
			return; /* cut_missing decides */
		source_move(d->table, s, SOURCE_NEW);
		look_begin(d, s);
	}
	if (!found || s->cut) {
		end_here(d, s, s->cut ? "truncated" : "deleted");
		return;
	}
	s->closing = false;
	if (s->state == SOURCE_UNLINKED)
		source_move(d->table, s, SOURCE_ROTATED);
	s->last_growth_ns = d->now_ns;
	leave_add(d, s);
	source_set_ready(d->table, s);
}

/* --- missing ---------------------------------------------------------------------------------------- */

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

void cut_missing(struct discover *d)
{
	d->missing_due_ns = INT64_MAX;
	for (struct source *s = source_first(d->table), *next; s; s = next) {
		next = source_after(d->table, s);
		if (s->state != SOURCE_MISSING || s->searching || s->refusal)
			continue;
		if (!s->input)
			s->input = look_input(d, s);
		if (!s->input)
			continue; /* nobody wants it: its place is kept */
		int64_t waited_ns = d->now_ns - s->last_growth_ns;
		bool over = waited_ns >= UNMOUNTED_NS ||
			    (waited_ns >= MISSING_NS && !may_be_unmounted(s));
		if (!s->searched || over) {
			s->searched = true;
			copies_search(d, s);
		}
		if (s->state == SOURCE_MISSING && over && !s->searching) {
			give_up(d, s);
		} else if (d->missing_due_ns > d->now_ns + MISSING_NS / 4) {
			d->missing_due_ns = d->now_ns + MISSING_NS / 4;
		}
	}
}

/* --- replaced unseen -------------------------------------------------------------------------------- */

static void add_replaced(struct discover *d, const char *path, const struct source *before,
			 bool at_start)
{
	struct replaced *list = realloc(d->replaced, (d->n_replaced + 1) * sizeof(*list));
	if (list)
		d->replaced = list;
	char *copy = list ? strdup(path) : NULL;
	if (!copy) {
		discover_short_of_memory(d);
		return;
	}
	struct replaced *r = &list[d->n_replaced++];
	*r = (struct replaced){
		.path = copy, .since_real_ns = d->since_real_ns, .at_start = at_start};
	if (before)
		r->before = before->id;
	r->known = before != NULL;
}

void cut_replaced(struct discover *d, const char *path, const struct source *before)
{
	if (before && d->settled)
		add_replaced(d, path, before, false);
}

void cut_remember_names(struct discover *d)
{
	if (!d->since_real_ns)
		return;
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s))
		if (s->was_followed)
			add_replaced(d, s->path, s, true);
}

void cut_new_name(struct discover *d, const struct source *s)
{
	/* Later ones are seen as they come. */
	if (d->since_real_ns && !d->settled_before && !d->first_start)
		add_replaced(d, s->path, NULL, true);
}

void cut_free(struct discover *d)
{
	for (size_t i = 0; i < d->n_replaced; i++)
		free(d->replaced[i].path);
	free(d->replaced);
	d->replaced = NULL;
	d->n_replaced = 0;
}

struct between {
	struct discover *d;
	const struct replaced *r;
	struct origin origin;
};

static bool came_between(const struct between *b, const char *path)
{
	struct identity id;
	if (identity_of_path(path, false, &id) < 0 || !S_ISREG(id.mode) || !id.size)
		return false;
	int64_t birth_ns = id.btime_ns ? id.btime_ns : id.mtime_ns;
	if (birth_ns < b->r->since_real_ns - BIRTH_SLACK ||
	    past_by_file(source_past(b->d->table), id.ino, id.btime_ns))
		return false;
	struct source *known = look_find(b->d, &id);
	/* One that a glob names as well: it is read even when it is compressed. */
	if (known && known->twin)
		known->between = true;
	return !known;
}

static void between_dir(void *user, const char *path)
{
	struct between *b = user;
	struct dir *dir = tree_dir(&b->d->tree, path);
	struct buf names = BUF_EMPTY;
	DIR *list = opendir(path);
	if (!dir)
		dir = scan_enter_unlisted(b->d, path);
	for (struct dirent *e; list && (e = readdir(list)) != NULL;) {
		char text[PATH_MAX];
		int n = snprintf(text, sizeof(text), "%s/%s", path, e->d_name);
		if (n < PATH_MAX && rotation_of(span_of(e->d_name), path_name(b->r->path)) &&
		    came_between(b, text) && buf_add(&names, e->d_name, strlen(e->d_name) + 1) < 0)
			discover_short_of_memory(b->d);
	}
	if (list)
		closedir(list);
	uint64_t dropped = b->d->tree.dropped;
	for (size_t at = 0; dir && at < names.len && b->d->tree.dropped == dropped;
	     at += strlen(names.ptr + at) + 1) {
		log_info("%s/%s came and was rotated away unseen: it is followed", path,
			 names.ptr + at);
		look_at(b->d, dir, names.ptr + at, &b->origin);
	}
	buf_free(&names);
}

/* Has the source its file and its name, as it was? */
static bool is_as_it_was(struct discover *d, struct source *s, const struct replaced *r)
{
	if (s->state != SOURCE_FOLLOWING || s->cut || strcmp(s->path, r->path) != 0)
		return false;
	if (s->tail_at == s->start && !s->ladder.n)
		return false; /* there is nothing to tell it by */
	if (s->size == s->tail_at || descriptor_open(d->table, s) < 0 || follow_verify(s) != 0)
		return true;
	s->cut = true;
	source_notice(d->table, s);
	return false;
}

static void look_between(struct discover *d, const struct replaced *r)
{
	struct source *s = r->known ? source_by_id(d->table, &r->before) : NULL;
	struct input *input = wanted_by(&d->wanted, r->path);
	if (!input || (r->known && (!s || (r->at_start && is_as_it_was(d, s, r)))))
		return;
	struct between b = {d, r, {input, r->path}};
	struct source at = {.path = (char *)r->path, .input = input};
	copies_each_dir(&at, between_dir, &b);
}

void cut_between(struct discover *d)
{
	struct replaced *list = d->replaced;
	size_t n = d->n_replaced;
	d->replaced = NULL;
	d->n_replaced = 0;
	for (size_t i = 0; i < n; i++) {
		look_between(d, &list[i]);
		free(list[i].path);
	}
	free(list);
}
