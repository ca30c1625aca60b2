/* Copies: see discover_inside.h. What a file's content was read from may go on elsewhere: logrotate's copytruncate
 * makes a copy and truncates the file, and compression makes a new file of a rotated one.
 *
 *     search    a source whose file was cut, or is missing, looks among the rotated versions of its name (beside
 *               it, and in rotated_dir) for one that begins with the bytes it remembers. It goes on in that
 *               one, as the same stream; when there is none, what is known to have been unread is lost.
 *     twin      a new file with the name of a rotated version of a file that stands may be a copy that is
 *               being made: while both have the same bytes it is held, until the other one is cut (then it is
 *               the rest of it) or ten minutes have gone by (then it is a file of its own).
 *
 * A file counts as a copy only by its bytes *and* its name, and only when it was made after the stream began: a few
 * bytes that many logs begin with prove nothing. Offset 0 never matches. Bytes are compared a piece at a time,
 * and meanwhile the sources concerned are not read.
 *
 * Failure modes: a copy that cannot be read just now is tried for ten seconds (to pass it over would ship it twice); a
 * gzip file that is being written is waited for. */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/follow.h"
#include "agent/files/past.h"
#include "agent/files/probe.h"
#include "agent/files/rotation.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BUDGET           ((size_t)4 * 1024 * 1024)
#define GLANCE           ((size_t)64 * 1024)
#define STEP_EVERY       (20 * NUM_MS_NS)
#define TRY_AGAIN_NS     (2 * NUM_SEC_NS)
#define TWIN_QUIET_NS    (600 * NUM_SEC_NS)
#define COMPARE_AGAIN_NS (5 * NUM_SEC_NS)
#define BIRTH_SLACK      (5 * NUM_SEC_NS)
#define READABLE_NS      (10 * NUM_SEC_NS)

/* One file compared with one stream. */
struct job {
	struct job *next;
	struct source *owner; /* whose copy it may be; NULL: of `past` */
	struct past past;
	struct source *file; /* the source that was made for the file; NULL: none */
	char *path;
	struct identity id;
	int fd;
	uint64_t base;      /* the bytes that it is compared with: */
	struct rung *rungs; /* ... a copy of the ladder as it was */
	size_t n;
	struct probe *probe; /* NULL: it could not be read yet */
	int64_t until_ns;    /* tried so long; 0: it could be read so far */
	uint32_t round;      /* in which it was stepped last */
	bool over;           /* one of the two is spoken for */
};

static void free_job(struct job *j)
{
	if (j->owner)
		j->owner->searching--;
	if (j->file)
		j->file->searching--;
	probe_free(j->probe);
	file_close(&j->fd);
	free(j->rungs);
	free(j->path);
	free(j);
}

void copies_free(struct discover *d)
{
	for (struct job *j; (j = d->jobs) != NULL;) {
		d->jobs = j->next;
		free_job(j);
	}
}

/* No job decides about the source any more; one about both ends without a word. */
void copies_forget(struct discover *d, struct source *s)
{
	for (struct job *j = d->jobs; j; j = j->next) {
		if (j->owner == s || j->file == s) {
			j->over = true;
			s->searching--;
		}
		if (j->owner == s)
			j->owner = NULL;
		if (j->file == s)
			j->file = NULL;
	}
}

/* Has the source no file, and has it had one? */
static bool is_gone(const struct source *s)
{
	if (!s->ladder.n || !s->input)
		return false;
	switch (s->state) {
	case SOURCE_MISSING: return true;
	case SOURCE_FOLLOWING:
	case SOURCE_ROTATED:
	case SOURCE_UNLINKED: return !s->copied && (s->cut || (s->fd < 0 && !s->names));
	case SOURCE_NEW:
	case SOURCE_DRAINED:
	case SOURCE_ENDED: return false;
	}
	return false;
}

/* How much content a file has; 0: that cannot be told. */
static uint64_t content_size(int fd, const struct identity *id)
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

/* --- making jobs ------------------------------------------------------------------------------------ */

static int64_t birth_of(const struct identity *id)
{
	return id->btime_ns ? id->btime_ns : id->mtime_ns;
}

static bool made_later(const struct identity *id, int64_t than_ns)
{
	return birth_of(id) >= than_ns - BIRTH_SLACK;
}

/* May what could not be read for this reason be readable soon? */
static bool passes(int error)
{
	return error == -EIO || error == -EINTR || error == -EAGAIN || error == -ENOMEM ||
	       error == -EMFILE || error == -ENFILE;
}

/* Compares on. PROBE_MORE also when the file cannot be read just now; PROBE_UNFINISHED when that has lasted. */
static int step(const struct discover *d, struct job *j, size_t *budget)
{
	int r = j->probe ? 0 : identity_open(j->path, &j->id, &j->fd);
	if (r == 0 && !j->probe)
		r = probe_new(j->fd, j->id.size, j->base, j->rungs, j->n, &j->probe);
	if (r == 0)
		r = probe_step(j->probe, budget);
	if (r >= 0 || !passes(r))
		return r;
	probe_free(j->probe);
	j->probe = NULL;
	file_close(&j->fd);
	if (!j->until_ns)
		j->until_ns = d->now_ns + READABLE_NS;
	return d->now_ns < j->until_ns ? PROBE_MORE : PROBE_UNFINISHED;
}

/* The first bytes tell most files apart: then there is no job (-ENOENT). */
static int add_job(struct discover *d, const struct job *from, uint64_t base,
		   const struct rung *rungs, size_t n)
{
	struct job *j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	*j = *from;
	j->path = strdup(from->path);
	j->fd = -1;
	j->base = base;
	j->n = n;
	j->rungs = calloc(n, sizeof(*rungs));
	if (j->owner)
		j->owner->searching++;
	if (j->file)
		j->file->searching++;
	size_t glance = GLANCE;
	int r = -ENOMEM;
	if (j->path && j->rungs) {
		memcpy(j->rungs, rungs, n * sizeof(*rungs));
		r = step(d, j, &glance);
	}
	if (r == PROBE_NO)
		r = -ENOENT;
	if (r < 0) {
		free_job(j);
		return r;
	}
	j->next = d->jobs;
	d->jobs = j;
	d->copies_due_ns = 0;
	return 0;
}

/* There was no memory for a job: the file is compared again before anything is said of it. */
static void compare_later(struct discover *d, struct source *owner, struct source *file)
{
	discover_short_of_memory(d);
	if (file)
		file->unfinished = true;
	if (owner && owner->state == SOURCE_MISSING)
		owner->searched = false;
}

/* Compares the file with a source that has lost its own. */
static bool compare_with(struct discover *d, struct source *owner, const char *path,
			 struct source *file)
{
	struct job j = {.owner = owner, .path = (char *)path, .file = file};
	const struct ladder *l = &owner->ladder;
	int r = l->n ? add_job(d, &j, l->base, l->rungs, l->n) : -ENOENT;
	if (r == -ENOMEM)
		compare_later(d, owner, file);
	return r == 0;
}

static void compare_with_past(struct discover *d, const struct past *p, const char *path,
			      struct source *file)
{
	struct job j = {.past = *p, .path = (char *)path, .file = file};
	struct rung rungs[2];
	size_t n = 0;
	if (p->head.offset > p->base && p->head.offset < p->end.offset)
		rungs[n++] = p->head;
	if (p->end.offset > p->base)
		rungs[n++] = p->end;
	if (n && add_job(d, &j, p->base, rungs, n) == -ENOMEM)
		compare_later(d, NULL, file);
}

/* --- found ------------------------------------------------------------------------------------------ */

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

/* The owner goes on in the file. */
static void take_over(struct discover *d, struct job *j)
{
	struct source *s = j->owner;
	uint64_t sure_size = s->sure_size;
	copies_forget(d, s);
	s->copied = true;
	if (j->file) {
		struct source *file = j->file;
		j->file = NULL;
		look_rename_all(d, file, s);
		look_drop(d, file);
	} else {
		give_name(d, s, j->path);
	}
	source_set_file(d->table, s, j->id.ino, j->id.btime_ns, j->id.dev);
	if (source_set_path(d->table, s, j->path) < 0)
		discover_short_of_memory(d);
	s->cut = false;
	s->compressed = false;
	descriptor_give(d->table, s, j->fd);
	j->fd = -1;
	s->zreader = probe_take_reader(j->probe);
	s->compressed = s->zreader != NULL;
	s->size = s->sure_size = s->compressed ? s->tail_at : j->id.size;
	log_info("%s is the rest of a stream that was read up to %" PRIu64, j->path, s->tail_at);
	if (!s->compressed && j->id.size < s->tail_at) {
		/* The copy stops before what was read: it has nothing new. */
		s->cut = true;
		s->sure_size = sure_size;
	} else if (!s->compressed && sure_size > j->id.size) {
		/* Written between the copying and the truncation. */
		s->lost_from = j->id.size;
		s->lost_to = sure_size;
		s->lost_cause = "truncated";
	}
	cut_search_over(d, s, true);
}

/* Has a compressed file more than `size` bytes of content? 1, 0; -EAGAIN: it is being written; -errno. */
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

/* The file begins with what an ended stream has. When it has nothing else it is only remembered as a copy;
 * otherwise the stream goes on. false: that cannot be told yet. */
static bool recognise(struct discover *d, struct job *j)
{
	struct past p = j->past;
	int more = j->id.size > p.end.offset && !probe_is_compressed(j->probe);
	if (probe_is_compressed(j->probe))
		more = has_more(j->probe, p.end.offset);
	if (more == -EAGAIN)
		return false;
	j->owner = more > 0 ? revive(d, &p, j->file) : NULL;
	if (j->owner) {
		j->owner->searching++;
		if (probe_is_compressed(j->probe) && probe_open_reader(j->probe) < 0)
			discover_short_of_memory(d);
		take_over(d, j);
		return true;
	}
	p.ino = j->id.ino;
	p.btime_ns = j->id.btime_ns;
	past_add(source_past(d->table), &p);
	log_info("%s is a copy of a stream that has ended: it is not shipped again", j->path);
	struct source *file = j->file;
	j->file = NULL;
	look_drop(d, file);
	return true;
}

/* --- searching -------------------------------------------------------------------------------------- */

/* Is this entry one that the source's rest may be in? */
static bool may_be_rest(const struct discover *d, const struct source *s, const char *path,
			struct source **ret_file)
{
	struct identity id;
	struct span name = path_name(path);
	if (!rotation_rotated(name) ||
	    rotation_family(name) != rotation_family(path_name(s->path)) ||
	    identity_of_path(path, false, &id) < 0 || !S_ISREG(id.mode) || !id.size)
		return false;
	*ret_file = look_find(d, &id);
	if (*ret_file && !((*ret_file)->state == SOURCE_NEW && (*ret_file)->twin))
		return false;
	return *ret_file != s && made_later(&id, s->created_ns) &&
	       !past_by_file(source_past(d->table), id.ino, id.btime_ns);
}

/* Nothing was read of the source, so nothing but its size can be compared. That is enough: the file is none that
 * is known, and it was made of one of this name. */
static bool take_unread(struct discover *d, struct source *s, const char *path, struct source *file)
{
	struct job j = {.owner = s, .file = file, .path = (char *)path, .fd = -1};
	if (s->tail_at || !s->sure_size || identity_open(path, &j.id, &j.fd) < 0)
		return false;
	bool same = content_size(j.fd, &j.id) == s->sure_size &&
		    probe_new(j.fd, j.id.size, 0, NULL, 0, &j.probe) == 0;
	if (same) {
		s->searching++;
		if (file)
			file->searching++;
		take_over(d, &j);
		s->searching--;
	}
	probe_free(j.probe);
	file_close(&j.fd);
	return same;
}

static void search_dir(struct discover *d, struct source *s, const char *dir)
{
	DIR *list = opendir(dir);
	if (!list)
		return;
	for (struct dirent *e; (e = readdir(list)) != NULL;) {
		char path[PATH_MAX];
		struct source *file;
		int n = snprintf(path, sizeof(path), "%s/%s", strcmp(dir, "/") == 0 ? "" : dir,
				 e->d_name);
		if (n >= PATH_MAX || !may_be_rest(d, s, path, &file))
			continue;
		if (take_unread(d, s, path, file))
			break;
		(void)compare_with(d, s, path, file);
	}
	closedir(list);
}

void copies_each_dir(const struct source *s, void (*each)(void *user, const char *dir), void *user)
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

struct search {
	struct discover *d;
	struct source *s;
};

static void search_each(void *user, const char *dir)
{
	struct search *q = user;
	search_dir(q->d, q->s, dir);
}

void copies_search(struct discover *d, struct source *s)
{
	struct search q = {d, s};
	s->searching++; /* keeps the end of the search until all jobs are there */
	copies_each_dir(s, search_each, &q);
	s->searching--;
	if (!s->searching && !s->copied)
		cut_search_over(d, s, false);
}

/* --- twins ------------------------------------------------------------------------------------------ */

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
static bool original_is_cut(struct discover *d, struct source *s)
{
	if (!s->cut && descriptor_open(d->table, s) == 0 && follow_verify(s) == 0) {
		s->cut = true;
		source_notice(d->table, s);
	}
	return s->cut;
}

/* Compares the file with all streams of its family. */
static void compare_with_family(struct discover *d, struct source *file)
{
	uint64_t family = rotation_family(path_name(file->path));
	struct identity id;
	size_t cursor = 0;
	file->copy = file->unfinished = false;
	if (identity_of_path(file->path, true, &id) < 0)
		return;
	file->compared_ns = d->now_ns;
	file->searching++;
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s))
		if (s != file && !s->twin && s->state != SOURCE_ENDED && s->input && !s->refusal &&
		    made_later(&id, s->created_ns) && rotation_family(path_name(s->path)) == family)
			(void)compare_with(d, s, file->path, file);
	for (const struct past *p;
	     (p = past_of_family(source_past(d->table), family, &cursor)) != NULL;)
		compare_with_past(d, p, file->path, file);
	file->searching--;
	d->twins_due_ns = 0;
}

/* It is a file of its own. */
static void release(struct discover *d, struct source *file)
{
	file->twin = file->held = file->undecided = false;
	source_redefine(d->table, file);
	struct identity id;
	if (file->between && descriptor_open(d->table, file) == 0 && descriptor_is_gzip(file->fd) &&
	    identity_of_fd(file->fd, &id) == 0) {
		descriptor_compressed(d->table, file, true);
		file->size = file->tail_at;
		file->sure_size = content_size(file->fd, &id);
	}
	settle_new_stream(d, file);
}

/* It has been compared with all of its family, and none that is without a file has its bytes. */
static void judge_twin(struct discover *d, struct source *file)
{
	struct source *original = original_of(d, file);
	int64_t quiet_ns = d->now_ns - file->last_growth_ns;
	bool standing =
		original && original->state != SOURCE_NEW && original->state != SOURCE_MISSING;
	if (standing && original_is_cut(d, original))
		return; /* its search takes this file, or leaves it for the next look */
	bool same = file->copy || (standing && !file->unfinished && same_so_far(d, original, file));
	bool is_another = !same && (!file->unfinished || quiet_ns >= DISCOVER_QUIET_NS);
	if (is_another || (quiet_ns >= TWIN_QUIET_NS && file->followed))
		release(d, file);
	else if (quiet_ns >= TWIN_QUIET_NS)
		look_drop(d, file); /* a copy that somebody made, and no input wants it */
	else if (d->now_ns - file->compared_ns >= COMPARE_AGAIN_NS)
		compare_with_family(d, file);
}

void copies_created(struct discover *d, struct dir *dir, const char *text)
{
	char name[PATH_MAX], path[PATH_MAX];
	for (int step = 0; rotation_original(span_of(text), step, name, sizeof(name)); step++) {
		struct name *n = tree_name(&d->tree, dir, name);
		if (n && n->followed && n->source->tail_at == 0 && scan_join(path, dir, name))
			cut_replaced(d, path, n->source);
	}
}

bool copies_hold(struct discover *d, struct source *file)
{
	if (!rotation_rotated(path_name(file->path)) || file->cursor.offset != 0)
		return false;
	file->held = file->twin = true;
	source_redefine(d->table, file);
	compare_with_family(d, file);
	return true;
}

void copies_twins(struct discover *d)
{
	d->twins_due_ns = INT64_MAX;
	d->n_twins = 0;
	for (struct source *s = source_first(d->table), *next; s; s = next) {
		next = source_after(d->table, s);
		if (!s->twin || s->state != SOURCE_NEW)
			continue;
		if (!s->searching)
			judge_twin(d, s);
		d->n_twins += s->twin;
	}
	if (d->n_twins && d->twins_due_ns > d->now_ns + TRY_AGAIN_NS)
		d->twins_due_ns = d->now_ns + TRY_AGAIN_NS;
}

/* --- steps ------------------------------------------------------------------------------------------ */

/* That a source was cut may have been noticed only just now: what its file has is another one's first. */
static bool has_parted(struct discover *d, struct source *s)
{
	return s->state == SOURCE_MISSING || !s->cut || s->closing || cut_part(d, s);
}

static void finish_job(struct discover *d, struct job *j, enum probe_result result)
{
	struct source *owner = j->owner, *file = j->file;
	if (result == PROBE_COPY && !j->over && owner && is_gone(owner) && has_parted(d, owner)) {
		take_over(d, j);
		free_job(j);
		return;
	}
	if (result == PROBE_COPY && !j->over && !owner && recognise(d, j)) {
		free_job(j);
		return;
	}
	if (result == PROBE_COPY && owner && file)
		file->copy = true;
	else if (result == PROBE_COPY)
		result = PROBE_UNFINISHED;
	bool unfinished = result == PROBE_UNFINISHED && !j->over;
	bool over = j->over;
	uint64_t size = j->id.size;
	free_job(j);
	if (unfinished && owner && owner->state == SOURCE_MISSING) {
		owner->searched = false; /* it may be its rest: there is time */
		if (size != owner->candidate_size)
			owner->last_growth_ns = d->now_ns;
		owner->candidate_size = size;
		d->missing_due_ns = d->now_ns + TRY_AGAIN_NS;
	}
	if (file && unfinished)
		file->unfinished = true;
	if (file && over) {
		/* The stream went on in another file, of which this one may be a copy in turn: a rotated file and its
		 * .gz stand there at the same time. */
		file->unfinished = true;
		file->compared_ns = d->now_ns - COMPARE_AGAIN_NS;
	}
	if (owner && !owner->searching && is_gone(owner))
		cut_search_over(d, owner, false);
	if (file && !file->searching)
		d->twins_due_ns = 0;
}

static struct job *next_job(struct discover *d)
{
	for (struct job **at = &d->jobs; *at; at = &(*at)->next) {
		struct job *j = *at;
		if (j->round != d->copies_round) {
			*at = j->next;
			return j;
		}
	}
	return NULL;
}

void copies_step(struct discover *d)
{
	size_t budget = BUDGET;
	d->copies_round++;
	for (struct job *j; (j = next_job(d)) != NULL;) {
		int r = j->over ? PROBE_NO : step(d, j, &budget);
		if (r == PROBE_MORE) {
			j->round = d->copies_round;
			j->next = d->jobs;
			d->jobs = j;
		} else {
			finish_job(d, j, r < 0 ? PROBE_NO : (enum probe_result)r);
		}
	}
	d->copies_due_ns = d->jobs ? d->now_ns + STEP_EVERY : INT64_MAX;
}
