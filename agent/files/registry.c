/* The registry's file: see registry.h; registry_format.h has its lines. Called by the agent's loop.
 *
 *     STATE_DIR/lock                held as long as the agent runs
 *     STATE_DIR/identity            see uuids.h
 *     STATE_DIR/registry            "haul-registry 1" LF, then deltas
 *     STATE_DIR/registry.damaged    what was found damaged at the last start that found damage
 *
 * Happy path: touched sources become lines, which are appended by one write each second; every 30 s
 * they are synced; when the file is several times as long as its content, it is replaced by its
 * content.
 *
 * Failure modes:
 * - a crash loses the lines of the last second and, with the machine, those since the
 * last sync: the collector's rows cover them (its word counts anyway);
 * - a torn last line, zeroed blocks, lines of another age: each line has its checksum,
 * those that are wrong are passed over, and so are sources that had not been shipped; the file is
 * set aside and written anew;
 * - the disk is full or read-only: what could not be written is not lost, since the whole
 * content is written anew as soon as that works (tried every few seconds). Until then the memory is
 * the registry;
 * - the directory cannot be used at all: the same, with an agent uuid that lasts as long
 * as the process. */
#include "agent/files/registry.h"

#include "agent/files/past.h"
#include "agent/files/registry_format.h"
#include "agent/files/uuids.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER "haul-registry 1\n"

#define WRITE_EVERY_NS NUM_SEC_NS
#define SYNC_EVERY_NS  (30 * NUM_SEC_NS)
#define RETRY_NS       (5 * NUM_SEC_NS)
#define FILE_MAX_BYTES ((size_t)1024 * 1024 * 1024)
#define REPLACE_FACTOR 4
#define REPLACE_MIN    ((uint64_t)1024 * 1024)

struct registry {
	struct source_table *table;
	char *dir_path;
	int dir, lock, fd; /* -1: not open */
	struct uuids uuids;
	bool first_start;
	bool damaged;          /* the file that was read had damage */
	int64_t first_run_ns;  /* the directory was first used, by another run; 0: never before */
	int64_t last_alive_ns; /* of the last run; 0: the file does not say */
	int64_t alive_ns, alive_written_ns; /* of this one; 0: not yet */

	struct buf pending; /* lines that are to be appended */
	uint64_t size;      /* of the file */
	uint64_t content;   /* what it was after it was last replaced */
	bool replace;       /* an append failed or there is no file: write everything anew */
	bool unsynced;
	int64_t write_due_ns; /* INT64_MAX: nothing to write */
	int64_t sync_due_ns;
	struct log_gate gate;
	char problem[PATH_MAX + 256]; /* "" all well */
};

/* --- loading --- */

/* Returns how many lines were wrong. One at the end that was not written whole is none of them: a
 * crash does that. */
static uint64_t take_lines(struct registry *r, struct span text)
{
	uint64_t wrong = 0;
	if (span_starts_with(text, SPAN_LITERAL(HEADER)))
		text = span_from(text, sizeof(HEADER) - 1);
	else if (text.len)
		wrong++; /* whose lines they are is told by their checksums */
	while (text.len) {
		size_t n = span_find(text, '\n');
		if (n == text.len)
			r->replace = true;
		else if (registry_take_line(span_first(text, n), r->table, &r->last_alive_ns) < 0)
			wrong++;
		text = span_from(text, n < text.len ? n + 1 : n);
	}
	return wrong;
}

/* By a second name: what could be read of it is known from nowhere else before a new registry has
 * taken its place. */
static void set_aside(struct registry *r)
{
	if ((unlinkat(r->dir, "registry.damaged", 0) < 0 && errno != ENOENT) ||
	    linkat(r->dir, "registry", r->dir, "registry.damaged", 0) < 0)
		log_warning("%s/registry cannot be set aside: %s", r->dir_path, strerror(errno));
}

/* What had not been shipped may have been given up since, in a line that is wrong now, for its
 * bytes came as another stream. If its file is there it is found again, and compared with what the
 * collector has. */
static void drop_unborn(struct registry *r)
{
	for (struct source *s = source_first_of_all(r->table), *next; s; s = next) {
		next = source_after_of_all(r->table, s);
		if (!s->born && s->committed.offset == 0)
			source_drop(r->table, s);
	}
}

static void load(struct registry *r)
{
	struct buf text = BUF_EMPTY;
	int e = file_read(r->dir, "registry", FILE_MAX_BYTES, &text);
	if (e == -ENOENT) {
		r->replace = true;
		return;
	}
	uint64_t wrong = e < 0 ? 0 : take_lines(r, buf_span(&text));
	if (e < 0 || wrong) {
		r->damaged = r->replace = true;
		if (e < 0)
			log_warning("%s/registry cannot be read: %s; it is set aside as "
				    "registry.damaged, the "
				    "collector's streams fill in",
				    r->dir_path, strerror(-e));
		else
			log_warning("%s/registry is damaged: %" PRIu64
				    " lines are wrong, %zu sources could be "
				    "read; it is set aside as registry.damaged, the "
				    "collector's streams fill in",
				    r->dir_path, wrong, source_count(r->table));
		set_aside(r);
		drop_unborn(r);
	} else {
		r->replace = r->replace || text.len < sizeof(HEADER) - 1;
		r->size = text.len;
	}
	buf_free(&text);
}

/* Was nothing of what it has shipped? */
static bool none_begun(const struct registry *r)
{
	for (const struct source *s = source_first_of_all(r->table); s;
	     s = source_after_of_all(r->table, s))
		if (s->born || s->committed.offset > s->start)
			return false;
	return true;
}

/* What loading has touched is what the file has. */
static void settle(struct registry *r)
{
	r->first_start =
		!r->damaged && !r->last_alive_ns && source_past(r->table)->n == 0 && none_begun(r);
	if (r->damaged)
		r->last_alive_ns = 0; /* what was seen until then may have stood in what is gone */
	while (source_next_touched(r->table))
		;
	for (struct source *s = source_first_of_all(r->table); s;
	     s = source_after_of_all(r->table, s))
		s->known = s->recorded = true;
}

/* --- trouble --- */

static void trouble(struct registry *r, const char *what, int error)
{
	(void)snprintf(r->problem, sizeof(r->problem), "%s/%s: %s", r->dir_path, what,
		       strerror(-error));
	log_gated(&r->gate, LOG_LEVEL_ERROR,
		  "the registry cannot be written (%s): places are kept in memory only; "
		  "shipping goes on, "
		  "and a restart relies on the collector",
		  r->problem);
}

static void no_trouble(struct registry *r)
{
	if (*r->problem)
		log_gate_clear(&r->gate, "%s/registry is written again", r->dir_path);
	r->problem[0] = '\0';
}

/* Opens directory and lock, as far as they are not open. */
static int open_dir(struct registry *r)
{
	if (r->dir < 0) {
		int e = file_make_dirs(r->dir_path, 0750);
		if (e < 0 && e != -EEXIST && e != -EROFS)
			return e;
		r->dir = open(r->dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (r->dir < 0)
			return -errno;
	}
	if (r->lock < 0) {
		struct stat st;
		if (fstatat(r->dir, "lock", &st, 0) == 0)
			r->first_run_ns = st.st_mtim.tv_sec * NUM_SEC_NS + st.st_mtim.tv_nsec;
		int e = file_lock(r->dir, "lock");
		if (e < 0)
			return e;
		r->lock = e;
	}
	return 0;
}

/* --- writing --- */

/* One that has ended is what is kept of it, if anything is: it will be in the table no more. */
static int add_ended(struct buf *out, const struct source *s)
{
	struct past p;
	return past_of(s, &p) ? registry_add_past(out, &p) : registry_add_forgotten(out, &s->id);
}

static int add_whole(struct buf *out, struct source *s)
{
	if (s->state == SOURCE_ENDED)
		return add_ended(out, s);
	int e = registry_add_source(out, s);
	if (e == 0 && s->ladder.n)
		e = registry_add_ladder(out, s);
	if (e == 0)
		e = registry_add_commit(out, s);
	return e;
}

/* Files that are not followed need no memory; those that nobody has looked at yet neither. But
 * while the collector's streams have not come, all that is followed is waiting: if it is rotated
 * away over a restart, that it is no old archive is known from here. */
static bool worth_keeping(const struct registry *r, const struct source *s)
{
	bool waits = !r->alive_ns && s->followed;
	return !s->refusal && (s->state != SOURCE_NEW || s->recorded || s->between || waits ||
			       s->committed.offset > 0);
}

static int everything(struct registry *r, struct buf *out)
{
	int64_t alive_ns = r->alive_ns ? r->alive_ns : r->last_alive_ns;
	int e = buf_add_str(out, HEADER);
	for (struct source *s = source_first_of_all(r->table); s && e == 0;
	     s = source_after_of_all(r->table, s))
		if (worth_keeping(r, s))
			e = add_whole(out, s);
	const struct past_list *past = source_past(r->table);
	for (size_t i = 0; i < past->n && e == 0; i++)
		e = registry_add_past(out, &past->items[i]);
	if (e == 0 && alive_ns)
		e = registry_add_alive(out, alive_ns);
	return e;
}

static void all_written(struct registry *r)
{
	while (source_next_touched(r->table))
		; /* none is left to write */
	for (struct source *s = source_first_of_all(r->table); s;
	     s = source_after_of_all(r->table, s))
		if (worth_keeping(r, s))
			s->known = s->recorded = true;
	buf_free(&r->pending);
}

/* The file becomes its content, and nothing is left to be appended. */
static int replace_file(struct registry *r)
{
	struct buf text = BUF_EMPTY;
	int e = open_dir(r);
	if (e == 0)
		e = everything(r, &text);
	if (e == 0)
		e = file_replace(r->dir, "registry", buf_span(&text), 0600);
	if (e == 0) {
		file_close(&r->fd);
		r->fd = openat(r->dir, "registry", O_WRONLY | O_APPEND | O_CLOEXEC);
		e = r->fd < 0 ? -errno : 0;
	}
	if (e == 0) {
		r->size = r->content = text.len;
		r->replace = r->unsynced = false;
		all_written(r);
		if (!r->uuids.kept)
			uuids_write(&r->uuids, r->dir);
	}
	buf_free(&text);
	return e;
}

/* Behind the lines of what was seen until then: where a crash cuts, the time goes first. */
static void collect_alive(struct registry *r)
{
	if (r->alive_ns <= r->alive_written_ns)
		return;
	if (registry_add_alive(&r->pending, r->alive_ns) < 0)
		r->replace = true;
	r->alive_written_ns = r->alive_ns;
}

/* The touched sources' lines; one that does not fit into memory is kept for a replacement. */
static void collect(struct registry *r)
{
	for (struct source *s; (s = source_next_touched(r->table)) != NULL;) {
		if (!worth_keeping(r, s))
			continue;
		if (s->state == SOURCE_ENDED) {
			if (s->recorded && add_ended(&r->pending, s) < 0)
				r->replace = true;
			continue;
		}
		int e = s->known ? 0 : registry_add_source(&r->pending, s);
		/* Commits make rungs; what is remembered of an unread file is not among them. */
		if (e == 0 && s->ladder.n && s->committed.offset == s->start)
			e = registry_add_ladder(&r->pending, s);
		if (e == 0)
			e = registry_add_commit(&r->pending, s);
		if (e < 0)
			r->replace = true;
		else
			s->known = s->recorded = true;
	}
	if (r->pending.len) /* an idle agent does not write */
		collect_alive(r);
}

static int append(struct registry *r)
{
	if (r->fd < 0) {
		r->fd = openat(r->dir, "registry", O_WRONLY | O_APPEND | O_CLOEXEC);
		if (r->fd < 0)
			return -errno;
	}
	int e = file_write_all(r->fd, buf_span(&r->pending));
	if (e < 0) {
		r->replace = true; /* it may have a torn line in it */
		return e;
	}
	r->size += r->pending.len;
	r->unsynced = r->unsynced || r->pending.len;
	buf_free(&r->pending); /* the first lines of 20,000 files are megabytes */
	return 0;
}

static void write_now(struct registry *r, int64_t now_ns)
{
	int e = 0;
	collect(r);
	r->write_due_ns = INT64_MAX;
	if (r->size > REPLACE_MIN && r->size / REPLACE_FACTOR > r->content)
		r->replace = true;
	if (r->replace)
		e = replace_file(r);
	else if (r->pending.len)
		e = append(r);
	if (e == 0) {
		no_trouble(r);
		if (r->unsynced && r->sync_due_ns == INT64_MAX)
			r->sync_due_ns = now_ns + SYNC_EVERY_NS;
		return;
	}
	/* Everything is in memory; the file gets it as a whole. */
	buf_free(&r->pending);
	r->replace = true;
	r->write_due_ns = now_ns + RETRY_NS;
	trouble(r, "registry", e);
}

static void sync_now(struct registry *r)
{
	r->sync_due_ns = INT64_MAX;
	if (r->fd < 0 || !r->unsynced)
		return;
	r->unsynced = false;
	if (fdatasync(r->fd) < 0) {
		/* What the kernel has dropped it will not try again. */
		trouble(r, "registry", -errno);
		r->replace = true;
		r->write_due_ns = 0;
	}
}

void registry_touch(struct registry *r, struct source *s)
{
	source_touch(r->table, s);
}

void registry_forget(struct registry *r, const struct source *s, const struct past *past)
{
	if (!s->recorded)
		return;
	int e = past ? registry_add_past(&r->pending, past)
		     : registry_add_forgotten(&r->pending, &s->id);
	if (e < 0)
		r->replace = true;
	r->write_due_ns = 0;
}

void registry_announce(struct registry *r)
{
	write_now(r, clock_mono_ns());
	for (struct source *s = source_first_of_all(r->table); s;
	     s = source_after_of_all(r->table, s))
		if (worth_keeping(r, s))
			s->announced = true;
}

int64_t registry_tick(struct registry *r, int64_t now_ns)
{
	if (r->write_due_ns == INT64_MAX && (source_any_touched(r->table) || r->pending.len))
		r->write_due_ns = now_ns + WRITE_EVERY_NS;
	if (now_ns >= r->write_due_ns)
		write_now(r, now_ns);
	if (now_ns >= r->sync_due_ns)
		sync_now(r);
	return r->write_due_ns < r->sync_due_ns ? r->write_due_ns : r->sync_due_ns;
}

/* --- open and close --- */

int registry_open(const char *state_dir, struct source_table *t, struct registry **ret)
{
	struct registry *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->table = t;
	r->dir = r->lock = r->fd = -1;
	r->write_due_ns = r->sync_due_ns = INT64_MAX;
	r->dir_path = strdup(state_dir);
	int e = r->dir_path ? open_dir(r) : -ENOMEM;
	if (e == -EWOULDBLOCK || e == -ENOMEM) {
		registry_close(r);
		return e;
	}
	if (e < 0) {
		trouble(r, "", e);
		r->replace = true;
		r->write_due_ns = 0;
	}
	if (r->dir >= 0)
		load(r);
	settle(r);
	if (r->replace)
		r->write_due_ns = 0;
	e = uuids_load(&r->uuids, r->dir, r->dir_path);
	if (e < 0) {
		registry_close(r);
		return e;
	}
	*ret = r;
	return 0;
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	if (*r->uuids.agent) {
		collect(r);
		collect_alive(r);
		write_now(r, clock_mono_ns());
		sync_now(r);
	}
	file_close(&r->fd);
	file_close(&r->lock);
	file_close(&r->dir);
	buf_free(&r->pending);
	free(r->dir_path);
	free(r);
}

const char *registry_agent_uuid(const struct registry *r)
{
	return r->uuids.agent;
}

const char *registry_collector_uuid(const struct registry *r)
{
	return r->uuids.collector;
}

int registry_set_collector_uuid(struct registry *r, const char *uuid)
{
	return uuids_set_collector(&r->uuids, r->dir, uuid);
}

void registry_alive(struct registry *r, int64_t real_ns)
{
	r->alive_ns = real_ns;
}

bool registry_is_first_start(const struct registry *r)
{
	return r->first_start;
}

int64_t registry_last_alive_ns(const struct registry *r)
{
	if (r->last_alive_ns || !r->first_run_ns)
		return r->last_alive_ns;
	/* No slack: files and lock have the same clock, and what has the same time may have been
	 * there before. */
	return r->first_run_ns + REGISTRY_CLOCK_SLACK_NS + 1;
}

const char *registry_problem(const struct registry *r)
{
	return *r->problem ? r->problem : NULL;
}
