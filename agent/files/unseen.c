/* Files that came and went before they could be opened: see discover_inside.h. An engine that
 * rotates at each few hundred lines, and keeps few files, is at times faster than any look. What
 * nobody could read is gone; that it was there the kernel's events tell, which come in the order in
 * which things happened:
 *
 *     made              a birth: it is followed from name to name, by the events alone, until
 *     deleted, replaced or moved out of sight      it is over.
 *
 * Looks find files meanwhile. When all events are taken a birth whose name leads to a file that was
 * found is that file's. For each file that was found and has no name any more one of the births of
 * its log that are over is taken off: which, cannot be told, nor need it be, for their number is
 * right. What is left over, and was written to, nobody has found: it is lost, unless it was
 * compressed first: then its bytes are the compressed file's, which is lost in its place if that
 * goes unseen, too.
 *
 * They are recorded log by log, some at a time, as a stream of its own that is nothing but a loss
 * with cause `unseen`: a byte stands for each file, for nobody knows how many it had. Not before it
 * is known whether a compressed file has one of them.
 *
 * Failure modes: events were lost (IN_Q_OVERFLOW): nothing is known of what came and went
 * meanwhile, which is said and counted; memory is short: said, and the file is not recorded. */
#include "agent/files/discover_inside.h"

#include "agent/files/rotation.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORD_NS (100 * NUM_MS_NS) /* what is lost within that time is one record */

static void free_birth(struct birth *b)
{
	free(b->path);
	free(b->origin);
}

static void remove_birth(struct unseen *u, struct birth *b)
{
	free_birth(b);
	memmove(b, b + 1, (size_t)(u->births + u->n_births - b - 1) * sizeof(*b));
	u->n_births--;
}

/* The one that is not over; NULL: there is none. */
static struct birth *birth_at(struct unseen *u, const char *path)
{
	for (size_t i = 0; i < u->n_births; i++)
		if (!u->births[i].over && !u->births[i].cookie &&
		    strcmp(u->births[i].path, path) == 0)
			return &u->births[i];
	return NULL;
}

/* --- what is lost --- */

static struct unseen_files *files_of(struct unseen *u, const char *origin)
{
	for (size_t i = 0; i < u->n_files; i++)
		if (strcmp(u->files[i].origin, origin) == 0)
			return &u->files[i];
	struct unseen_files *files = realloc(u->files, (u->n_files + 1) * sizeof(*files));
	if (!files)
		return NULL;
	u->files = files;
	char *copy = strdup(origin);
	if (!copy)
		return NULL;
	files[u->n_files] = (struct unseen_files){.origin = copy};
	return &files[u->n_files++];
}

void unseen_lose(struct discover *d, const char *origin)
{
	struct unseen_files *f = files_of(&d->unseen, origin);
	if (!f) {
		discover_short_of_memory(d);
		return;
	}
	f->n++;
	if (d->unseen.due_ns == INT64_MAX)
		d->unseen.due_ns = d->now_ns + RECORD_NS;
}

static bool record(struct discover *d, const struct unseen_files *f)
{
	const struct identity none = {.ino = 0};
	struct input *input = wanted_by(&d->wanted, f->origin);
	if (!input)
		return true; /* not any more */
	struct source *s = look_make(d, f->origin, &none, input, f->origin);
	if (!s)
		return false;
	log_gated(&d->unseen_gate, LOG_LEVEL_ERROR,
		  "%s: %" PRIu64 " files came and were deleted before they could be opened: "
		  "recorded as lost; rotate less often, or keep more files",
		  f->origin, f->n);
	d->counters.unseen_files += f->n;
	s->input = NULL; /* it is no file of the log: none waits for it, or is compared with it */
	s->cut = s->searched = s->closing = true;
	s->cut_cause = s->lost_cause = "unseen";
	s->lost_to = s->sure_size = f->n;
	source_move(d->table, s, SOURCE_UNLINKED);
	leave_add(d, s);
	return true;
}

/* Is a file of that log being compared, and may be one of those that are missed? */
static bool may_turn_up(const struct discover *d, const char *origin)
{
	uint64_t family = rotation_family(path_name(origin));
	for (const struct source *s = source_first(d->table); s; s = source_after(d->table, s))
		if (s->state == SOURCE_STRAY && rotation_family(path_name(s->path)) == family)
			return true;
	return false;
}

void unseen_record(struct discover *d)
{
	struct unseen *u = &d->unseen;
	size_t kept = 0;
	for (size_t i = 0; i < u->n_files; i++) {
		struct unseen_files f = u->files[i];
		if (f.n && (may_turn_up(d, f.origin) || !record(d, &f)))
			u->files[kept++] = f;
		else
			free(f.origin);
	}
	u->n_files = kept;
	u->due_ns = kept ? d->now_ns + RECORD_NS : INT64_MAX;
}

void unseen_turned_up(struct discover *d, const struct source *file)
{
	if (file->carries)
		return;
	uint64_t family = rotation_family(path_name(file->path));
	for (size_t i = 0; i < d->unseen.n_files; i++) {
		struct unseen_files *f = &d->unseen.files[i];
		if (f->n && rotation_family(path_name(f->origin)) == family) {
			f->n--;
			return;
		}
	}
}

/* --- events --- */

void unseen_made(struct discover *d, const char *path, bool written)
{
	struct unseen *u = &d->unseen;
	struct birth *births = realloc(u->births, (u->n_births + 1) * sizeof(*births));
	if (births)
		u->births = births;
	struct birth b = {
		.path = births ? strdup(path) : NULL,
		.origin = births ? strdup(path) : NULL,
		.family = rotation_family(path_name(path)),
		.written = written,
	};
	if (b.path && b.origin) {
		births[u->n_births++] = b;
		return;
	}
	free(b.path);
	free(b.origin);
	discover_short_of_memory(d);
}

void unseen_written(struct discover *d, const char *path)
{
	struct birth *b = birth_at(&d->unseen, path);
	if (b)
		b->written = true;
}

/* The one that gzip(1) has made of it, when it deletes it. */
static struct birth *compressed_of(struct unseen *u, const struct birth *b)
{
	size_t len = strlen(b->path);
	for (struct birth *z = u->births + u->n_births - 1; z > b; z--)
		if (!z->over && !z->cookie && strncmp(z->path, b->path, len) == 0 &&
		    strcmp(z->path + len, ".gz") == 0)
			return z;
	return NULL;
}

void unseen_gone(struct discover *d, const char *path)
{
	struct birth *b = birth_at(&d->unseen, path);
	if (!b)
		return;
	struct birth *z = b->written ? compressed_of(&d->unseen, b) : NULL;
	char *origin = z ? strdup(b->origin) : NULL;
	b->over = true;
	if (!origin)
		return;
	free(z->origin);
	z->origin = origin;
	z->written = z->carries = b->packed = true;
}

void unseen_moves(struct discover *d, const char *path, uint32_t cookie)
{
	struct birth *b = birth_at(&d->unseen, path);
	if (!b)
		return;
	b->cookie = cookie;
	b->absent = false;
}

bool unseen_moved(struct discover *d, const char *path, uint32_t cookie)
{
	struct unseen *u = &d->unseen;
	unseen_gone(d, path);
	for (size_t i = 0; i < u->n_births; i++) {
		struct birth *b = &u->births[i];
		char *copy = b->cookie == cookie ? strdup(path) : NULL;
		if (!copy)
			continue;
		free(b->path);
		b->path = copy;
		b->cookie = 0;
		return true;
	}
	return false;
}

void unseen_found(struct discover *d, const struct source *s)
{
	struct unseen *u = &d->unseen;
	/* One that is compressed is a copy, or turns out to be none later. */
	if (span_ends_with(path_name(s->path), span_of(".gz")) ||
	    (s->fd < 0 && s->last_error == ENOENT && !s->size))
		return;
	struct found *found = realloc(u->found, (u->n_found + 1) * sizeof(*found));
	if (!found) {
		discover_short_of_memory(d);
		return;
	}
	u->found = found;
	found[u->n_found++] =
		(struct found){.id = s->id, .family = rotation_family(path_name(s->path))};
}

/* --- when all events are taken --- */

static void forget_found(struct unseen *u, const struct source *s)
{
	for (size_t i = 0; i < u->n_found; i++)
		if (stream_id_equal(&u->found[i].id, &s->id))
			u->found[i--] = u->found[--u->n_found];
}

/* What has the name now? */
static void look_for(struct discover *d, struct birth *b)
{
	struct identity id;
	char dir_text[PATH_MAX];
	struct span dir_path = path_dir(b->path);
	(void)snprintf(dir_text, sizeof(dir_text), "%.*s", (int)dir_path.len, dir_path.ptr);
	struct dir *dir = b->cookie ? NULL : tree_dir(&d->tree, dir_text);
	struct name *n = dir ? tree_name(&d->tree, dir, path_name(b->path).ptr) : NULL;
	if (n && n->source) {
		n->source->carries = b->carries;
		forget_found(&d->unseen, n->source);
		remove_birth(&d->unseen, b);
	} else if (!b->cookie && identity_of_path(b->path, false, &id) == 0) {
		if (b->carries)
			unseen_lose(d, b->origin);
		remove_birth(&d->unseen, b); /* nothing that is followed */
	} else if (b->absent) {
		b->over = true;
	} else {
		b->absent = true; /* the event about that is there by the next time */
	}
}

static struct birth *over_of(struct unseen *u, uint64_t family, bool written, bool packed)
{
	for (size_t i = 0; i < u->n_births; i++)
		if (u->births[i].over && u->births[i].family == family &&
		    u->births[i].written == written && u->births[i].packed == packed)
			return &u->births[i];
	return NULL;
}

/* One that was compressed is told by its name. */
static struct birth *packed_at(struct unseen *u, const char *path)
{
	for (size_t i = 0; i < u->n_births; i++)
		if (u->births[i].packed && strcmp(u->births[i].path, path) == 0)
			return &u->births[i];
	return NULL;
}

/* The file that was found: is its birth one of those that are over? False: it is not told yet. */
static bool account_for(struct discover *d, const struct found *f)
{
	const struct source *s = source_by_id(d->table, &f->id);
	bool written = !s || s->size;
	if (s && s->names)
		return false;
	struct birth *b = s ? packed_at(&d->unseen, s->path) : NULL;
	if (!b)
		b = over_of(&d->unseen, f->family, written, false);
	if (!b)
		b = over_of(&d->unseen, f->family, !written, false);
	if (!b)
		b = over_of(&d->unseen, f->family, true, true);
	if (b)
		remove_birth(&d->unseen, b);
	return b != NULL;
}

static void account_for_all(struct discover *d)
{
	struct unseen *u = &d->unseen;
	size_t kept = 0;
	for (size_t i = 0; i < u->n_found; i++) {
		struct found f = u->found[i];
		/* What was there before the directory was watched is never told. */
		if (account_for(d, &f) || f.waited)
			continue;
		f.waited = true;
		u->found[kept++] = f;
	}
	u->n_found = kept;
	if (!kept) { /* it was long at the start */
		free(u->found);
		u->found = NULL;
	}
}

void unseen_settle(struct discover *d)
{
	struct unseen *u = &d->unseen;
	for (size_t i = u->n_births; i-- > 0;)
		if (!u->births[i].over)
			look_for(d, &u->births[i]);
	account_for_all(d);
	for (size_t i = u->n_births; i-- > 0;) {
		struct birth *b = &u->births[i];
		if (b->over && b->written && !b->packed)
			unseen_lose(d, b->origin);
		if (b->over)
			remove_birth(u, b);
	}
}

void unseen_overflow(struct discover *d)
{
	struct unseen *u = &d->unseen;
	for (size_t i = 0; i < u->n_births; i++)
		free_birth(&u->births[i]);
	u->n_births = 0;
	u->n_found = 0;
}

void unseen_free(struct discover *d)
{
	struct unseen *u = &d->unseen;
	unseen_overflow(d);
	while (u->n_files)
		free(u->files[--u->n_files].origin);
	free(u->births);
	free(u->files);
	free(u->found);
}
