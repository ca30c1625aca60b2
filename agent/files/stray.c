/* Strays: see discover_inside.h. A file whose name is that of a rotated one (NAME.1, NAME.2.gz),
 * and of which nothing is known, may be
 *
 *     the rest of a stream that has lost its file     the stream goes on in it (rest.c)
 *     a copy that is being made, of a file that       it is held until that one is cut (then it is its rest), until
 *     stands (copytruncate's first half)              everything that it has has arrived, or for ten minutes
 *     a copy of what has arrived long ago             not shipped again: remembered, and left alone
 *     a log that came and was rotated away before     a stream of its own, read even when it is compressed
 *     anybody looked
 *
 * Only its bytes tell. So it is opened as soon as it is seen, and held as STRAY, or as COPY once
 * that is known, while it is compared with all streams of its family. One that no input names is
 * looked at only when an input names what it was rotated from, and only when it was made and
 * written since everything was seen last: an old archive that is copied, unpacked or compressed
 * again never ships. One that an input names and that is like no other ships in any case, unless it
 * is compressed and old.
 *
 * Failure modes: it cannot be read: it is no copy, and following it says what is wrong; it is
 * deleted: its descriptor keeps it, as long as it may still be wanted; it was deleted before it
 * could be opened: it is one that nobody has seen (unseen.c). */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/follow.h"
#include "agent/files/past.h"
#include "agent/files/rotation.h"
#include "agent/files/zreader.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/num.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#define TRY_AGAIN_NS     (2 * NUM_SEC_NS)
#define COPY_QUIET_NS    (600 * NUM_SEC_NS)
#define COMPARE_AGAIN_NS (5 * NUM_SEC_NS)
#define GLANCE           ((size_t)64 * 1024)
#define COMPARED_AT_ONCE ((uint64_t)4 * 1024 * 1024) /* more would stop the loop */

/* --- which files --- */

bool stray_is_young(const struct discover *d, const struct identity *id)
{
	int64_t birth_ns = id->btime_ns ? id->btime_ns : id->mtime_ns;
	int64_t first_ns = d->since_real_ns - REGISTRY_CLOCK_SLACK_NS;
	return d->since_real_ns && birth_ns >= first_ns && id->mtime_ns >= first_ns;
}

/* Does an input want the name in `dir` that `name` was rotated from? Its path into `path`. */
static struct input *wanted_original(const struct discover *d, const char *dir, struct span name,
				     char *path)
{
	char text[PATH_MAX];
	for (int step = 0; rotation_original(name, step, text, sizeof(text)); step++) {
		int n = snprintf(path, PATH_MAX, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, text);
		struct input *input = n > 0 && n < PATH_MAX ? wanted_by(&d->wanted, path) : NULL;
		if (input)
			return input;
	}
	return NULL;
}

static bool comes_from(const struct discover *d, const struct dir *from, const struct dir *rotated,
		       struct span name, struct origin *ret, char *path)
{
	char dir[PATH_MAX];
	ret->input = wanted_original(d, from->path, name, path);
	if (!ret->input || from == rotated)
		return ret->input != NULL;
	return scan_rotated_dir(dir, from->path, ret->input->rotated_dir) &&
	       strcmp(dir, rotated->path) == 0;
}

bool stray_origin(const struct discover *d, const struct dir *dir, const char *text,
		  struct origin *ret, char *path)
{
	char own[PATH_MAX];
	const char *glob;
	struct span name = span_of(text);
	*ret = (struct origin){.path = path};
	if (!rotation_rotated(name) || dir->orphan || dir->refusal || !scan_join(own, dir, text) ||
	    wanted_excluded_by(&d->wanted, own, &glob))
		return false;
	if (dir->listed && comes_from(d, dir, dir, name, ret, path))
		return true;
	if (!dir->rotated)
		return false;
	for (struct list_node *n = list_first(&d->tree.dirs); n; n = list_next(&d->tree.dirs, n)) {
		const struct dir *from = LIST_ENTRY(n, struct dir, node);
		if (from != dir && from->listed && from->full && !from->orphan &&
		    comes_from(d, from, dir, name, ret, path))
			return true;
	}
	return false;
}

/* --- comparing --- */

/* One whose file is gone since the agent ended has no copies: a file with its bytes is a stray
 * itself. */
static bool is_lost_stray(const struct source *s)
{
	return s->state == SOURCE_MISSING && source_was_stray(s);
}

/* What it is taken for stays until that is over: younger files would wait for it meanwhile, each
 * time. With those only that have begun, or ended, since that real time. */
static void compare_with_family_since(struct discover *d, struct source *file, int64_t since_ns)
{
	uint64_t family = rotation_family(path_name(file->path));
	struct identity id;
	size_t cursor = 0;
	file->copy_of = (struct stream_id){0};
	file->arrived = file->unfinished = false;
	file->compared_ns = d->now_ns;
	file->compared_real_ns = clock_real_ns();
	d->strays_due_ns = 0;
	if (descriptor_open(d->table, file) < 0 || identity_of_fd(file->fd, &id) < 0)
		return;
	file->candidate_size = id.size;
	file->searching++;
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s))
		if (s != file && s->begun_ns >= since_ns && !source_is_stray(s) &&
		    s->state != SOURCE_ENDED && !is_lost_stray(s) && s->input && !s->refusal &&
		    rest_made_later(&id, s->created_ns) &&
		    rotation_family(path_name(s->path)) == family)
			match_stream(d, s, file->path, file);
	for (const struct past *p;
	     (p = past_of_family(source_past(d->table), family, &cursor)) != NULL;)
		if ((p->ended_s + 1) * NUM_SEC_NS >= since_ns)
			match_past(d, p, file);
	file->searching--;
}

static void compare_with_family(struct discover *d, struct source *file)
{
	compare_with_family_since(d, file, INT64_MIN);
}

/* It has not changed, and is like none of those that it was compared with: that stays so. A host
 * that was away for sixty rotations has as many strays, each of which is compared again whenever
 * another one turns out to be a log of its own; with all of them each time it would be the cube of
 * their number. */
static void compare_with_new(struct discover *d, struct source *file)
{
	compare_with_family_since(d, file, file->unfinished ? INT64_MIN : file->compared_real_ns);
}

bool stray_hold(struct discover *d, struct source *file)
{
	if (!rotation_rotated(path_name(file->path)) || file->cursor.offset != 0)
		return false;
	source_move(d->table, file, SOURCE_STRAY);
	file->was = SOURCE_NEW;
	compare_with_family(d, file);
	return true;
}

void stray_names_owner(struct discover *d, const struct source *file)
{
	struct source *owner =
		file->state == SOURCE_COPY ? source_by_id(d->table, &file->copy_of) : NULL;
	if (owner && owner->state == SOURCE_UNLINKED && !owner->names && file->names &&
	    source_set_path(d->table, owner, file->path) < 0)
		discover_short_of_memory(d);
}

/* --- a copy of what has ended --- */

/* Has a compressed file more than `size` bytes of content? 1, 0; -EAGAIN: it is being written;
 * -errno. */
static int has_more(struct probe *p, uint64_t size)
{
	struct zreader *z = probe_take_reader(p);
	char byte;
	if (!z)
		return 0;
	ssize_t n = zreader_read(z, &byte, 1, size);
	int r = n != 0 ? (int)n : zreader_complete(z) ? 0 : -EAGAIN;
	zreader_free(z);
	return r;
}

/* The source of an ended stream that goes on after all. NULL: memory is short. */
static struct source *revive(struct discover *d, const struct past *p, const struct source *file)
{
	struct source *s;
	struct position at;
	struct source_config c = {
		.id = p->id,
		.path = file->path,
		.service = file->service,
		.instance = file->instance,
		.ino = p->ino,
		.btime_ns = p->btime_ns,
		.start = p->start,
		.input = file->input,
		.missing = true,
	};
	if (source_add(d->table, &c, &s) < 0) {
		discover_short_of_memory(d);
		return NULL;
	}
	position_init(&at, p->start);
	at.offset = p->end.offset;
	at.base = p->base;
	at.crc = p->end.crc;
	source_place(d->table, s, &at);
	s->born = s->announced = true;
	past_remove(source_past(d->table), &p->id);
	return s;
}

void stray_is_of_past(struct discover *d, struct comparison *c)
{
	struct past p = c->past;
	int more = c->id.size > p.end.offset && !probe_is_compressed(c->probe);
	if (probe_is_compressed(c->probe))
		more = has_more(c->probe, p.end.offset);
	if (more == -EAGAIN) {
		c->file->unfinished = true;
		return;
	}
	c->owner = more > 0 ? revive(d, &p, c->file) : NULL;
	if (c->owner) {
		if (probe_is_compressed(c->probe) && probe_open_reader(c->probe) < 0)
			discover_short_of_memory(d);
		rest_take(d, c);
		return;
	}
	p.ino = c->id.ino;
	p.btime_ns = c->id.btime_ns;
	past_add(source_past(d->table), &p);
	log_info("%s is a copy of a stream that has ended: it is not shipped again", c->path);
	names_drop(d, c->file);
}

/* --- judging --- */

/* The source of the file whose rotated version this name is. */
static struct source *original_of(struct discover *d, const struct source *file)
{
	char text[PATH_MAX], dir_text[PATH_MAX];
	struct span dir_path = path_dir(file->path), name = path_name(file->path);
	(void)snprintf(dir_text, sizeof(dir_text), "%.*s", (int)dir_path.len, dir_path.ptr);
	struct dir *dir = tree_dir(&d->tree, dir_text);
	for (int step = 0; dir && rotation_original(name, step, text, sizeof(text)); step++) {
		struct name *n = tree_name(&d->tree, dir, text);
		if (n && n->source && n->source != file)
			return n->source;
	}
	return NULL;
}

/* Has the file the same first bytes as the original has now? */
static bool same_so_far(struct discover *d, struct source *original, struct source *file)
{
	char a[FOLLOW_CHECK_BYTES], b[FOLLOW_CHECK_BYTES];
	if (descriptor_open(d->table, original) < 0 || descriptor_open(d->table, file) < 0)
		return false;
	ssize_t n = file_pread_full(file->fd, b, sizeof(b), 0);
	if (n <= 0 || file->size > original->size)
		return n == 0;
	return file_pread_full(original->fd, a, (size_t)n, 0) == n && memcmp(a, b, (size_t)n) == 0;
}

/* Is the original cut, so that the file may be its rest? */
static bool is_cut(struct discover *d, struct source *s)
{
	if (!s->cut && descriptor_open(d->table, s) == 0 && follow_verify(s) == 0) {
		s->cut = true;
		source_notice(d->table, s);
	}
	return s->cut;
}

/* Has a stream begun since, whose bytes it may have? */
static bool has_new_relative(const struct discover *d, const struct source *file)
{
	uint64_t family = rotation_family(path_name(file->path));
	for (const struct source *s = source_first(d->table); s; s = source_after(d->table, s))
		if (s != file && !source_is_stray(s) && s->state != SOURCE_ENDED &&
		    s->begun_ns >= file->compared_real_ns &&
		    rotation_family(path_name(s->path)) == family)
			return true;
	return false;
}

/* It is read as what it was before it was compressed. Its first bytes tell it from others, as those
 * of any file. */
static void follow_compressed(struct discover *d, struct source *file, const struct identity *id)
{
	char head[FOLLOW_CHECK_BYTES];
	descriptor_compressed(d->table, file, true);
	file->size = file->tail_at;
	file->sure_size = match_content_size(file->fd, id);
	ladder_free(&file->ladder);
	ssize_t n = follow_read_file(file, head, sizeof(head), file->start);
	if (n > 0)
		ladder_add(&file->ladder, file->start, file->start + (size_t)n,
			   crc64_add(CRC64_EMPTY, head, (size_t)n));
}

/* It is a file of its own. */
static void release(struct discover *d, struct source *file)
{
	struct identity id;
	if (file->between && descriptor_open(d->table, file) == 0 && descriptor_is_gzip(file->fd) &&
	    identity_of_fd(file->fd, &id) == 0) {
		follow_compressed(d, file, &id);
		unseen_turned_up(d, file);
	}
	if (file->between)
		log_info("%s came and was rotated away unseen: it is followed", file->path);
	file->begun_ns = clock_real_ns();
	source_move(d->table, file, SOURCE_NEW);
	begin_stream(d, file);
}

/* Has everything that it has arrived from the file that it is a copy of? */
static bool has_arrived(struct discover *d, struct source *file)
{
	struct identity id;
	const struct source *s = source_by_id(d->table, &file->copy_of);
	const struct past *p = past_by_id(source_past(d->table), &file->copy_of);
	if (file->state != SOURCE_COPY || file->unfinished || descriptor_open(d->table, file) < 0 ||
	    identity_of_fd(file->fd, &id) < 0)
		return false;
	/* A stream that is neither has ended without a byte: at its end, as its input says. */
	uint64_t arrived = s ? s->committed.offset : p ? p->end.offset : UINT64_MAX;
	return arrived >= match_content_size(file->fd, &id);
}

/* Has it other bytes than when it was compared? */
static bool has_grown(struct discover *d, struct source *file)
{
	struct identity id;
	return descriptor_open(d->table, file) == 0 && identity_of_fd(file->fd, &id) == 0 &&
	       id.size != file->candidate_size;
}

/* What made it a copy may have been a first line that all files of the log begin with. Now that so
 * much of the stream has arrived, all of it is remembered, and tells for sure. */
static void compare_with_arrived(struct discover *d, struct source *file)
{
	compare_with_family(d, file);
	file->arrived = true;
}

/* It has been compared with all of its family, and none that is without a file has its bytes. */
static void judge(struct discover *d, struct source *file)
{
	if (file->state == SOURCE_COPY && stream_id_equal(&file->copy_of, &(struct stream_id){0}))
		source_move(d->table, file, SOURCE_STRAY);
	if (has_grown(d, file)) {
		compare_with_family(d, file);
		return;
	}
	struct source *original = original_of(d, file);
	int64_t quiet_ns = d->now_ns - file->last_growth_ns;
	bool standing = original && original->state != SOURCE_NEW && !source_is_stray(original) &&
			original->state != SOURCE_MISSING;
	if (standing && is_cut(d, original))
		return; /* its search takes this file, or leaves it for the next look */
	bool same = file->state == SOURCE_COPY || !file->candidate_size ||
		    (standing && !file->unfinished && same_so_far(d, original, file));
	bool is_another = !same && (!file->unfinished || quiet_ns >= DISCOVER_QUIET_NS);
	bool is_of_use = file->followed || !has_arrived(d, file);
	bool is_old = quiet_ns >= COPY_QUIET_NS;
	bool is_known = is_another && has_new_relative(d, file); /* or may be */
	/* The collector may know a stream of this family whose file is still looked for. */
	if (is_another && d->checks)
		return;
	if ((is_another && !is_known) || (is_old && file->followed))
		release(d, file);
	else if (!is_another && !is_of_use && !file->arrived)
		compare_with_arrived(d, file);
	else if (!is_another && (!is_of_use || (is_old && file->names)))
		names_drop(d, file); /* a copy that somebody made, and no input wants it */
	else if (is_known)
		compare_with_new(d, file);
	else if (d->now_ns - file->compared_ns >= COMPARE_AGAIN_NS)
		compare_with_family(d, file);
}

/* Does the file of that source, compressed or not, begin with the bytes that the rung stands
 * for? */
static bool begins_with(struct discover *d, struct source *s, const struct rung *rung)
{
	struct identity id;
	struct probe *p;
	size_t budget = (size_t)rung->offset + GLANCE;
	if (descriptor_open(d->table, s) < 0 || identity_of_fd(s->fd, &id) < 0 ||
	    probe_new(s->fd, id.size, 0, rung, 1, &p) < 0)
		return false;
	int r = probe_step(p, &budget);
	probe_free(p);
	return r == PROBE_COPY;
}

/* Has the stream that ended the same first bytes, as far as both are remembered? */
static bool is_like_past(const struct ladder *l, const struct past *p)
{
	for (size_t i = 0; p->base == 0 && i < l->n; i++)
		if (memcmp(&p->head, &l->rungs[i], sizeof(p->head)) == 0 ||
		    memcmp(&p->end, &l->rungs[i], sizeof(p->end)) == 0)
			return true;
	return false;
}

bool stray_begins_alike(struct discover *d, const struct source *s, struct source *other)
{
	const struct rung *head = ladder_find(&s->ladder, COMPARED_AT_ONCE);
	return head && !s->ladder.base && begins_with(d, other, head);
}

/* Into `dst`; 0: it is empty, or cannot be read. */
static size_t read_first(struct discover *d, struct source *s, char dst[FOLLOW_CHECK_BYTES])
{
	ssize_t n = descriptor_open(d->table, s) < 0
			    ? -1
			    : file_pread_full(s->fd, dst, FOLLOW_CHECK_BYTES, 0);
	return n < 0 ? 0 : (size_t)n;
}

/* A copy that is being made may still be shorter than what is remembered of the file that it is
 * of. */
static bool is_made_from(struct discover *d, struct source *file, struct source *other)
{
	char copy[FOLLOW_CHECK_BYTES], original[FOLLOW_CHECK_BYTES];
	size_t n = read_first(d, file, copy);
	return n && read_first(d, other, original) >= n && memcmp(copy, original, n) == 0;
}

bool stray_is_like_another(struct discover *d, struct source *file)
{
	uint64_t family = rotation_family(path_name(file->path));
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s)) {
		const struct rung *head = ladder_find(&s->ladder, GLANCE);
		if (s == file || s->ladder.base || rotation_family(path_name(s->path)) != family)
			continue;
		if (head && begins_with(d, file, head))
			return true;
		/* In a thousand directories there may be files of that name: not all are opened. */
		if (s->family == file->family && is_made_from(d, file, s))
			return true;
	}
	return false;
}

bool stray_was_copy(struct discover *d, const struct source *file)
{
	/* It may have been read some way before it became a stray. */
	const struct rung *head = ladder_find(&file->ladder, COMPARED_AT_ONCE);
	uint64_t family = rotation_family(path_name(file->path));
	size_t cursor = 0;
	if (file->was != SOURCE_STRAY || !head || file->ladder.base)
		return file->was == SOURCE_COPY;
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s))
		if (s != file && s->state != SOURCE_MISSING && s->state != SOURCE_ENDED &&
		    rotation_family(path_name(s->path)) == family && begins_with(d, s, head))
			return true;
	for (const struct past *p;
	     (p = past_of_family(source_past(d->table), family, &cursor)) != NULL;)
		if (is_like_past(&file->ladder, p))
			return true;
	return false;
}

/* Was its file gone before it could be opened? */
static bool has_gone(struct discover *d, struct source *file)
{
	if (!source_is_stray(file) || file->searching || file->names || file->fd >= 0)
		return false;
	int r = descriptor_open(d->table, file);
	return r == -ENOENT || r == -ESTALE;
}

/* Nobody will learn what it had, unless a copy of it is here: that is a file of its own then. It
 * goes before any of those is judged, so that it is missed before it turns up. */
static void drop_gone(struct discover *d)
{
	for (struct source *s = source_first(d->table), *next; s; s = next) {
		char path[PATH_MAX], dir[PATH_MAX];
		struct span text = path_dir(s->path);
		next = source_after(d->table, s);
		if (!has_gone(d, s))
			continue;
		(void)snprintf(dir, sizeof(dir), "%.*s", (int)text.len, text.ptr);
		if (s->state == SOURCE_STRAY && s->size &&
		    wanted_original(d, dir, path_name(s->path), path))
			unseen_lose(d, path);
		names_drop(d, s);
	}
}

void stray_step(struct discover *d)
{
	bool any = false;
	drop_gone(d);
	d->strays_due_ns = INT64_MAX;
	for (struct source *s = source_first(d->table), *next; s; s = next) {
		next = source_after(d->table, s);
		if (source_is_stray(s) && !s->searching)
			judge(d, s);
		any = any || source_is_stray(s);
	}
	if (any && d->strays_due_ns > d->now_ns + TRY_AGAIN_NS)
		d->strays_due_ns = d->now_ns + TRY_AGAIN_NS;
}
