/* Files of one log: see elder.h. The pump asks before it reads the first byte of a file, the
 * envelope when a line is open at a file's end; only then the family is walked.
 *
 * Invariants: nobody waits for ever. A file is waited for without a limit only while each of its
 * turns reads something, and then only up to its bound; a turn without that leaves a mark
 * (spent_at), and from then on it is done, or patience counts. So a circle, should names make one,
 * ends too. */
#include "agent/files/elder.h"

#include "agent/files/descriptor.h"
#include "agent/files/follow.h"
#include "agent/files/identity.h"
#include "agent/files/rotation.h"
#include "agent/files/source_table.h"
#include "agent/files/zreader.h"
#include "agent/lines/container.h"
#include "agent/lines/cri.h"
#include "agent/lines/docker.h"
#include "common/num.h"

#include <errno.h>

#define ASK_AGAIN_NS NUM_SEC_NS

enum {
	GENERATION_DIGITS = 5,    /* longer ones are dates */
	FIRST_LINES = 256 * 1024, /* of a container's log: the time stands behind the text */
};

/* --- relatives --- */

static bool is_container(const struct source *s)
{
	return s->input && s->input->type != INPUT_FILE && s->input->type != INPUT_JOURNAL;
}

/* Has it no lines of its own? A copy has not, nor has a file that was empty and is gone, or of
 * which nobody knew what it was before it went: whoever has its bytes is asked himself. */
static bool is_nothing(const struct source *s)
{
	switch (s->state) {
	case SOURCE_STRAY: return !s->size;
	case SOURCE_COPY: return true;
	case SOURCE_MISSING: return source_was_stray(s) || (!s->born && !s->sure_size);
	case SOURCE_ENDED: return true;
	case SOURCE_NEW:
	case SOURCE_FOLLOWING:
	case SOURCE_ROTATED:
	case SOURCE_UNLINKED:
	case SOURCE_DRAINED:
	case SOURCE_ENDING: break;
	}
	return false;
}

/* Is the other one a file of the same log? */
static bool is_relative(const struct source *s, const struct source *o)
{
	if (o == s || !o->input || !s->input || o->input->type != s->input->type || o->refusal ||
	    is_nothing(o))
		return false;
	if (o->family != s->family &&
	    rotation_family(path_name(o->path)) != rotation_family(path_name(s->path)))
		return false;
	return is_container(s) ||
	       (strcmp(o->service, s->service) == 0 && strcmp(o->instance, s->instance) == 0);
}

/* Rotated files may have a directory of their own: then all are walked. */
static bool is_scattered(const struct source *s)
{
	return s->input && s->input->type == INPUT_FILE && *s->input->rotated_dir;
}

static struct source *next_relative(const struct source_table *t, const struct source *s,
				    const struct source *after)
{
	bool all = is_scattered(s);
	struct source *o = !after ? (all ? source_first(t) : source_family(t, s))
			   : all  ? source_after(t, after)
				  : after->same_family;
	while (o && !is_relative(s, o))
		o = all ? source_after(t, o) : o->same_family;
	return o;
}

/* --- the order of names --- */

static struct span without(struct span name, const char *suffix)
{
	if (span_ends_with(name, span_of(suffix)))
		name.len -= strlen(suffix);
	return name;
}

/* The name as it was before it was compressed. */
static struct span plain_name(const char *path)
{
	return without(without(path_name(path), ".tmp"), ".gz");
}

/* Where the numbers that tell two names apart begin. */
static size_t difference(struct span a, struct span b)
{
	size_t at = 0;
	while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at])
		at++;
	while (at > 0 && a.ptr[at - 1] >= '0' && a.ptr[at - 1] <= '9')
		at--;
	return at;
}

/* NAME.1 of a file that has few of them; else 0. */
static uint64_t generation(struct span name, size_t at)
{
	uint64_t n;
	if (at == 0 || name.ptr[at - 1] != '.' || name.len - at > GENERATION_DIGITS ||
	    num_parse_u64(span_from(name, at), &n) < 0)
		return 0;
	return n;
}

/* Negative: `a` is older; positive: `b` is; 0: the names do not tell. The name without a suffix is
 * the youngest, of dates the least is the oldest, of numbers the greatest. */
static int compare_names(struct span a, struct span b)
{
	if (span_equal(a, b))
		return 0;
	if (span_starts_with(a, b))
		return -1;
	if (span_starts_with(b, a))
		return 1;
	size_t at = difference(a, b);
	uint64_t ga = generation(a, at), gb = generation(b, at);
	if (ga && gb)
		return ga > gb ? -1 : 1;
	int r = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
	return r < 0 ? -1 : r > 0;
}

/* Those that had the same name one after the other were seen one after the other. */
static int compare_files(const struct source *a, const struct source *b)
{
	int r = compare_names(plain_name(a->path), plain_name(b->path));
	if (r == 0)
		r = a->created_ns < b->created_ns ? -1 : a->created_ns > b->created_ns;
	return r;
}

/* --- the order of first lines --- */

/* The first bytes of a file's content. */
static ssize_t read_head(struct source_table *t, struct source *s, char *dst, size_t len)
{
	struct zreader *z = NULL;
	int r = descriptor_open(t, s);
	if (r < 0)
		return r;
	if (s->compressed || !descriptor_is_gzip(s->fd))
		return follow_read_file(s, dst, len, s->start);
	r = zreader_new(s->fd, &z);
	ssize_t n = r < 0 ? r : zreader_read(z, dst, len, s->start);
	zreader_free(z);
	return n;
}

static int64_t time_of_line(const struct source *s, struct span line, struct buf *scratch)
{
	struct container_line l;
	int r = s->input->type == INPUT_DOCKER ? docker_decode(line, false, scratch, &l)
					       : cri_decode(line, false, &l);
	return r == 0 && l.time_us >= 0 ? l.time_us : INT64_MIN;
}

static int64_t time_of_head(const struct source *s, struct span head)
{
	struct buf scratch = BUF_EMPTY;
	int64_t us = INT64_MIN;
	while (us == INT64_MIN) {
		size_t n = span_find(head, '\n');
		if (n == head.len)
			break;
		us = time_of_line(s, span_first(head, n), &scratch);
		head = span_from(head, n + 1);
	}
	buf_free(&scratch);
	return us;
}

/* When the first line of a container's file was written; INT64_MIN: that is not known. Once it is
 * known it stays so. */
static int64_t first_us(struct source_table *t, struct source *s)
{
	struct buf head = BUF_EMPTY;
	if (s->cursor.frame.first_us != INT64_MIN || s->state == SOURCE_MISSING || s->cut)
		return s->cursor.frame.first_us;
	if (buf_reserve(&head, FIRST_LINES) < 0)
		return INT64_MIN;
	ssize_t n = read_head(t, s, head.ptr, FIRST_LINES);
	int64_t us = n > 0 ? time_of_head(s, span_make(head.ptr, (size_t)n)) : INT64_MIN;
	buf_free(&head);
	/* A rewind does not forget it. */
	s->cursor.frame.first_us = s->committed.frame.first_us = us;
	return us;
}

enum order { OLDER, YOUNGER, UNKNOWN };

/* What is `o` to `s`? */
static enum order order_of(struct source_table *t, struct source *s, struct source *o)
{
	int64_t own = 0, other = 0;
	if (is_container(s)) {
		own = first_us(t, s);
		other = first_us(t, o);
		if (own == INT64_MIN || other == INT64_MIN)
			return UNKNOWN;
	}
	if (own != other)
		return other < own ? OLDER : YOUNGER;
	return compare_files(o, s) < 0 ? OLDER : YOUNGER;
}

/* --- who waits --- */

/* A compressed file may, until it is whole. */
static bool may_get_more(const struct source *s)
{
	bool spent = s->spent_at == s->cursor.offset;
	return s->compressed && !s->closing &&
	       !(spent && s->zreader && zreader_complete(s->zreader));
}

/* Is it being found out what it is, or where its bytes are? */
static bool is_unsure(const struct source *s)
{
	switch (s->state) {
	case SOURCE_NEW:
	case SOURCE_STRAY:
	case SOURCE_COPY: return true;
	case SOURCE_MISSING: return !s->searched || s->searching;
	case SOURCE_FOLLOWING:
	case SOURCE_ROTATED:
	case SOURCE_UNLINKED: break;
	case SOURCE_DRAINED:
	case SOURCE_ENDING:
	case SOURCE_ENDED: return false;
	}
	return s->held || s->searching || s->last_error || may_get_more(s) ||
	       (s->cut && !s->copied && !(s->closing && s->searched));
}

static bool is_readable(const struct source *s)
{
	return s->state == SOURCE_FOLLOWING || s->state == SOURCE_ROTATED ||
	       s->state == SOURCE_UNLINKED;
}

/* So much of it goes before the files behind it. */
static uint64_t bound_of(struct source *s)
{
	struct identity id;
	if (s->bound)
		return s->bound;
	s->bound = s->size;
	if (s->compressed)
		s->bound = UINT64_MAX;
	else if (s->fd >= 0 && !s->cut && identity_of_fd(s->fd, &id) == 0 && id.size > s->size)
		s->bound = id.size;
	return s->bound;
}

/* Has it bytes that are to be read before the younger ones begin? */
static bool has_more(struct source *s)
{
	uint64_t bound = bound_of(s);
	if (s->cursor.offset >= bound)
		return false;
	return s->spent_at != s->cursor.offset || s->spent_size < bound;
}

static bool is_patient(struct source *s, int64_t now_ns)
{
	if (!s->waits_since_ns)
		s->waits_since_ns = now_ns;
	return now_ns - s->waits_since_ns <
	       (is_container(s) ? ELDER_CONTAINER_PATIENCE_NS : ELDER_PATIENCE_NS);
}

bool elder_goes_first(struct source_table *t, struct source *s, int64_t now_ns)
{
	bool gets_on = false, stays = false;
	if (is_container(s) && first_us(t, s) == INT64_MIN)
		return false; /* it has no line that could come too early */
	for (struct source *o = next_relative(t, s, NULL); o; o = next_relative(t, s, o)) {
		bool unsure = is_unsure(o);
		if (!unsure && !is_readable(o))
			continue;
		enum order order = order_of(t, s, o);
		if (order == YOUNGER || (order == UNKNOWN && !unsure))
			continue;
		o->waited_for = true;
		bool may_be_read = is_readable(o) && !o->held && !o->last_error;
		if (may_be_read && has_more(o) && !list_linked(&o->waiting)) {
			gets_on = true;
			source_set_ready(t, o);
		} else {
			stays = stays || unsure || has_more(o);
		}
	}
	if (gets_on || !stays)
		s->waits_since_ns = 0;
	return gets_on || (stays && is_patient(s, now_ns));
}

bool elder_is_worth_waiting_for(struct source *s, const struct source *elder, int64_t now_ns)
{
	return is_unsure(elder) && is_patient(s, now_ns);
}

void elder_wait(struct source_table *t, struct source *s, int64_t now_ns)
{
	if (list_empty(&t->waiting))
		t->ask_due_ns = now_ns + ASK_AGAIN_NS;
	list_remove(&s->waiting);
	list_add_last(&t->waiting, &s->waiting);
}

void elder_wait_over(struct source *s)
{
	list_remove(&s->waiting);
	s->waits_since_ns = 0;
}

int64_t elder_next_ns(const struct source_table *t)
{
	return list_empty(&t->waiting) ? INT64_MAX : t->ask_due_ns;
}

void elder_tick(struct source_table *t, int64_t now_ns)
{
	if (now_ns < elder_next_ns(t))
		return;
	for (struct list_node *n = list_first(&t->waiting); n; n = list_next(&t->waiting, n))
		source_set_ready(t, LIST_ENTRY(n, struct source, waiting));
	t->ask_due_ns = now_ns + ASK_AGAIN_NS;
}

void elder_had_turn(struct source_table *t, struct source *s, bool spent)
{
	if (list_linked(&s->waiting))
		return; /* it had none */
	if (spent) {
		s->spent_at = s->cursor.offset;
		s->spent_size = s->bound > s->size ? s->bound : s->size;
	}
	if (s->waited_for)
		elder_wake(t, s);
}

void elder_wake(struct source_table *t, struct source *s)
{
	s->waited_for = false;
	for (struct source *o = next_relative(t, s, NULL); o; o = next_relative(t, s, o))
		if (list_linked(&o->waiting))
			source_set_ready(t, o);
}

/* --- lines in several files --- */

static bool goes_on(const struct source *s, const struct source *before)
{
	const struct frame_state *f = &s->cursor.frame;
	return f->has_before && stream_id_equal(&f->before, &before->id);
}

struct source *elder_before(struct source_table *t, struct source *s)
{
	struct source *best = NULL;
	int64_t own_us = first_us(t, s);
	for (struct source *o = next_relative(t, s, NULL); o; o = next_relative(t, s, o))
		if (order_of(t, s, o) == OLDER && (!best || order_of(t, best, o) == YOUNGER))
			best = o;
	/* Those before that have another heir, even when it has ended by the time that a later file
	 * asks. */
	for (struct source *o = next_relative(t, s, NULL); o; o = next_relative(t, s, o))
		if (o != best && order_of(t, s, o) == OLDER && (!o->heir_us || own_us < o->heir_us))
			o->heir_us = own_us;
	if (best && best->heir_us && best->heir_us < own_us)
		return NULL;
	const struct source *heir = best ? elder_heir(t, best) : NULL;
	return heir && heir != s ? NULL : best;
}

struct source *elder_heir(const struct source_table *t, const struct source *s)
{
	for (struct source *o = next_relative(t, s, NULL); o; o = next_relative(t, s, o))
		if (goes_on(o, s))
			return o;
	return NULL;
}

bool elder_may_have_heir(struct source_table *t, struct source *s)
{
	/* One without a line so far may get the rest. */
	for (struct source *o = next_relative(t, s, NULL); o; o = next_relative(t, s, o))
		if (o->cursor.frame.outputs[0].heir == HEIR_UNDECIDED && order_of(t, s, o) != OLDER)
			return true;
	return false;
}

bool elder_is_needed(const struct source_table *t, const struct source *s)
{
	const struct frame_state *f = &s->cursor.frame;
	const struct source *before = f->has_before ? source_by_id(t, &f->before) : NULL;
	if (!before || before->state == SOURCE_DRAINED || before->state == SOURCE_ENDING ||
	    before->state == SOURCE_ENDED)
		return false;
	const struct output_state *o = before->committed.frame.outputs;
	return o[0].open_from != UINT64_MAX || o[0].heir == HEIR_OPEN ||
	       o[1].open_from != UINT64_MAX || o[1].heir == HEIR_OPEN;
}
