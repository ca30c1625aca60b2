/* The rest of a stream whose file was cut or is gone: see discover_inside.h. What was read from one
 * file goes on in another: logrotate's copytruncate makes a copy and truncates, compression makes a
 * new file and deletes. The rotated versions of its name (beside it, in rotated_dir, and files that
 * are open without a name) are compared with what is remembered of its bytes; in the one that has
 * them it goes on, as the same stream. When there is none, what is known to have been unread is
 * lost.
 *
 * A file counts only by its bytes *and* its name, and only when it was made after the stream began.
 * Offset 0 never matches. One of which nothing is remembered, for it could not be opened, is known
 * by its size, when no other stream began like the file.
 *
 * Failure modes: a directory that cannot be listed has nothing; a gzip file that is being written
 * is waited for. */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/past.h"
#include "agent/files/rotation.h"
#include "agent/files/zreader.h"
#include "common/file.h"
#include "common/num.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define TRY_AGAIN_NS (2 * NUM_SEC_NS)
#define BIRTH_SLACK  (5 * NUM_SEC_NS)
#define HEAD_BYTES   ((size_t)64 * 1024)

bool rest_is_wanted(const struct source *s)
{
	if (!s->input || s->refusal)
		return false;
	switch (s->state) {
	case SOURCE_MISSING: return !source_was_stray(s);
	case SOURCE_FOLLOWING:
	case SOURCE_ROTATED:
	case SOURCE_UNLINKED: return s->cut ? !s->copied : s->fd < 0 && !s->names;
	case SOURCE_NEW:
	case SOURCE_STRAY:
	case SOURCE_COPY:
	case SOURCE_DRAINED:
	case SOURCE_ENDING:
	case SOURCE_ENDED: return false;
	}
	return false;
}

bool rest_made_later(const struct identity *id, int64_t than_ns)
{
	int64_t birth_ns = id->btime_ns ? id->btime_ns : id->mtime_ns;
	return birth_ns >= than_ns - BIRTH_SLACK;
}

/* --- found --- */

/* A name for the file in the tree, so that what is done to it is noticed. */
static void give_name(struct discover *d, struct source *s, const char *path)
{
	char dir_text[PATH_MAX];
	struct span dir_path = path_dir(path);
	struct name *n = NULL;
	(void)snprintf(dir_text, sizeof(dir_text), "%.*s", (int)dir_path.len, dir_path.ptr);
	struct dir *dir = scan_enter_unlisted(d, dir_text);
	if (dir)
		n = tree_name(&d->tree, dir, path_name(path).ptr);
	if (dir && !n && tree_add_name(&d->tree, dir, path_name(path).ptr, &n) < 0)
		n = NULL;
	if (n && !n->source) {
		n->source = s;
		s->names++;
	}
}

/* How far it is known to go, in its new file. What was written between the copying and the
 * truncation is lost. */
static void measure(struct source *s, const struct identity *id)
{
	uint64_t sure_size = s->sure_size;
	uint64_t content = match_content_size(s->fd, id);
	if (s->compressed) {
		s->size = s->tail_at;
		s->sure_size = content > s->tail_at ? content : s->tail_at;
		return;
	}
	s->size = s->sure_size = id->size;
	if (id->size < s->tail_at) {
		/* The copy stops before what was read: it has nothing new. */
		s->cut = true;
		s->sure_size = sure_size;
	} else if (sure_size > id->size) {
		s->lost_from = id->size;
		s->lost_to = sure_size;
		s->lost_cause = "truncated";
	}
}

void rest_take(struct discover *d, struct comparison *c)
{
	struct source *s = c->owner, *file = c->file;
	match_forget(d, s);
	s->copied = true;
	if (file) {
		names_hand_over(d, file, s);
		names_drop(d, file);
	} else {
		give_name(d, s, c->path);
	}
	source_set_file(d->table, s, c->id.ino, c->id.btime_ns, c->id.dev);
	if (source_set_path(d->table, s, file ? file->path : c->path) < 0)
		discover_short_of_memory(d);
	s->cut = s->compressed = false;
	s->bound = 0; /* what younger files wait for is here now */
	s->spent_at = UINT64_MAX;
	descriptor_give(d->table, s, c->fd);
	c->fd = -1;
	s->zreader = probe_take_reader(c->probe);
	s->compressed = s->zreader != NULL;
	log_info("%s is the rest of a stream that was read up to %" PRIu64, s->path, s->tail_at);
	measure(s, &c->id);
	cut_search_over(d, s, true);
}

/* --- searching --- */

/* Is this entry one that the source's rest may be in? Strays are compared by themselves. */
static bool may_be_in(const struct discover *d, const struct source *s, const char *path)
{
	struct identity id;
	struct span name = path_name(path);
	return rotation_rotated(name) &&
	       rotation_family(name) == rotation_family(path_name(s->path)) &&
	       identity_of_path(path, false, &id) == 0 && S_ISREG(id.mode) && id.size &&
	       !look_find(d, &id) && rest_made_later(&id, s->created_ns) &&
	       !past_by_file(source_past(d->table), id.ino, id.btime_ns);
}

/* What cannot be compared does: it is taken by its own bytes later. */
static bool begins_with(const struct comparison *c, const struct rung *head)
{
	struct probe *p;
	size_t budget = HEAD_BYTES;
	if (probe_new(c->fd, c->id.size, 0, head, 1, &p) < 0)
		return true;
	int r = probe_step(p, &budget);
	probe_free(p);
	return r != PROBE_NO;
}

/* Has the file what another stream of this log began with? Files that are rotated at a size are all
 * as long. */
static bool is_anothers(struct discover *d, const struct comparison *c)
{
	uint64_t family = rotation_family(path_name(c->owner->path));
	size_t cursor = 0;
	for (struct source *o = source_first(d->table); o; o = source_after(d->table, o)) {
		const struct rung *head = ladder_find(&o->ladder, HEAD_BYTES);
		if (o != c->owner && o != c->file && head && !o->ladder.base &&
		    rotation_family(path_name(o->path)) == family && begins_with(c, head))
			return true;
	}
	for (const struct past *p;
	     (p = past_of_family(source_past(d->table), family, &cursor)) != NULL;)
		if (!p->base && p->head.offset && begins_with(c, &p->head))
			return true;
	return false;
}

/* Nothing is remembered of the source, so only its size can be compared. That is enough for a file
 * that is no other stream's, and that was made of one of this name. */
static bool take_unread(struct discover *d, struct source *s, const char *path, struct source *file)
{
	struct comparison c = {.owner = s, .file = file, .path = (char *)path, .fd = -1};
	if (s->ladder.n || s->tail_at || !s->sure_size || identity_open(path, &c.id, &c.fd) < 0)
		return false;
	bool same = match_content_size(c.fd, &c.id) == s->sure_size && !is_anothers(d, &c) &&
		    probe_new(c.fd, c.id.size, 0, NULL, 0, &c.probe) == 0;
	if (same)
		rest_take(d, &c);
	probe_free(c.probe);
	file_close(&c.fd);
	return same;
}

struct search {
	struct discover *d;
	struct source *s;
	bool found;
};

static void search_dir(void *user, const char *dir)
{
	struct search *q = user;
	DIR *list = q->found ? NULL : opendir(dir);
	if (!list)
		return;
	for (struct dirent *e; !q->found && (e = readdir(list)) != NULL;) {
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "%s/%s", strcmp(dir, "/") == 0 ? "" : dir,
				 e->d_name);
		if (n >= PATH_MAX || !may_be_in(q->d, q->s, path))
			continue;
		q->found = take_unread(q->d, q->s, path, NULL);
		if (!q->found)
			match_stream(q->d, q->s, path, NULL);
	}
	closedir(list);
}

static void search_strays(struct search *q)
{
	uint64_t family = rotation_family(path_name(q->s->path));
	for (struct source *f = source_first(q->d->table); f && !q->found;
	     f = source_after(q->d->table, f)) {
		if (!source_is_stray(f) || rotation_family(path_name(f->path)) != family)
			continue;
		q->found = take_unread(q->d, q->s, f->path, f);
		if (!q->found)
			match_stream(q->d, q->s, f->path, f);
	}
}

static void each_dir(const struct source *s, void (*each)(void *user, const char *dir), void *user)
{
	char dir[PATH_MAX];
	struct span own = path_dir(s->path);
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)own.len, own.ptr);
	each(user, dir);
	if (!s->input || !*s->input->rotated_dir)
		return;
	if (*s->input->rotated_dir == '/')
		each(user, s->input->rotated_dir);
	else if (snprintf(dir, sizeof(dir), "%.*s/%s", (int)own.len, own.ptr,
			  s->input->rotated_dir) < (int)sizeof(dir))
		each(user, dir);
}

void rest_search(struct discover *d, struct source *s)
{
	struct search q = {d, s, false};
	s->searched = true;
	s->searching++; /* keeps the end of the search until all comparisons are there */
	search_strays(&q);
	each_dir(s, search_dir, &q);
	if (q.found)
		return;
	s->searching--;
	if (!s->searching)
		cut_search_over(d, s, false);
}

void rest_may_come(struct discover *d, struct source *s, uint64_t size)
{
	if (!rest_is_wanted(s))
		return;
	if (size != s->candidate_size)
		s->last_growth_ns = d->now_ns;
	s->candidate_size = size;
	s->unfinished = true;
	d->missing_due_ns = d->now_ns + TRY_AGAIN_NS;
}
