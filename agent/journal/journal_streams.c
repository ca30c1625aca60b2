/* A journal's streams: see journal_inside.h. One for each service and instance that has written,
 * found by these names; what comes beyond STREAMS_MAX, and losses, go to the journal's own.
 *
 * One that was quiet for long is ended, and what comes for it then begins a new one. Not ended are
 * those without which a restart would not know from where to read. */
#include "agent/journal/journal_inside.h"

#include "common/clock.h"
#include "common/num.h"

#include <errno.h>

#define TIDY_NS        (60 * NUM_SEC_NS)
#define QUIET_NS       (3600 * NUM_SEC_NS) /* a stream without entries for so long is ended */
#define QUIET_SHORT_NS (60 * NUM_SEC_NS)   /* ... when there are many */

struct stream_name {
	struct span service, instance;
};

static struct stream_name own_name(void)
{
	return (struct stream_name){SPAN_LITERAL(JOURNAL_OWN_SERVICE), SPAN_LITERAL("")};
}

/* --- by name --- */

static bool has_name(const void *entry, const void *key)
{
	const struct source *s = entry;
	const struct stream_name *n = key;
	return span_is(n->service, s->service) && span_is(n->instance, s->instance);
}

static uint64_t hash_name(const struct journal *j, struct stream_name n)
{
	return map_hash(&j->by_name, n.service) + 31 * map_hash(&j->by_name, n.instance);
}

void journal_streams_init(struct journal *j)
{
	map_init(&j->by_name, has_name);
	j->tidy_due_ns = INT64_MAX;
}

/* It says that it ends, if the collector knows it. */
static void begin_end(struct journal *j, struct source *s)
{
	source_move(j->table, s, SOURCE_DRAINED);
	if (s->born)
		source_set_ready(j->table, s);
	else
		source_move(j->table, s, SOURCE_ENDED);
}

static struct stream_name name_of(const struct source *s)
{
	return (struct stream_name){span_of(s->service), span_of(s->instance)};
}

int journal_adopt(struct journal *j, struct source *s)
{
	struct stream_name n = name_of(s);
	struct source *other = map_find(&j->by_name, hash_name(j, n), &n);
	int r = map_reserve(&j->by_name, 1);
	if (r < 0)
		return r;
	s->journal->window = &j->window;
	s->journal->added_ns = clock_mono_ns();
	s->input = j->input;
	source_move(j->table, s, SOURCE_FOLLOWING);
	if (other && other->journal->committed.last.number > s->journal->committed.last.number) {
		begin_end(j, s);
		return 0;
	}
	if (other) {
		(void)map_remove(&j->by_name, hash_name(j, n), &n);
		begin_end(j, other);
	}
	return map_add(&j->by_name, hash_name(j, n), s);
}

void journal_disown(struct journal *j, struct source *s)
{
	struct stream_name n = name_of(s);
	if (map_find(&j->by_name, hash_name(j, n), &n) == s)
		(void)map_remove(&j->by_name, hash_name(j, n), &n);
	stream_reset(s->journal, s->cursor.offset);
	s->journal->window = NULL;
}

static int make_source(struct journal *j, struct stream_name n, struct source **ret)
{
	struct source_config c = {
		.path = j->path,
		.service = n.service.ptr,
		.instance = n.instance.ptr,
		.input = j->input,
		.journal = true,
	};
	struct source *s = NULL;
	int r = stream_id_random(&c.id);
	if (r < 0)
		return r;
	r = source_add(j->table, &c, &s);
	if (r < 0 || !s)
		return r;
	r = journal_adopt(j, s);
	if (r < 0) {
		source_drop(j->table, s);
		return r;
	}
	*ret = s;
	return 0;
}

static int find_source(struct journal *j, struct stream_name n, struct source **ret)
{
	*ret = map_find(&j->by_name, hash_name(j, n), &n);
	if (*ret)
		return 0;
	if (j->by_name.count >= STREAMS_MAX && !span_equal(n.service, own_name().service)) {
		log_gated(&j->many_gate, LOG_LEVEL_WARNING,
			  "%s: more than %d services write to it: what further ones write goes to "
			  "service " JOURNAL_OWN_SERVICE,
			  j->path, STREAMS_MAX);
		j->tidy_due_ns = 0;
		return find_source(j, own_name(), ret);
	}
	return make_source(j, n, ret);
}

int journal_own_stream(struct journal *j, struct source **ret)
{
	return find_source(j, own_name(), ret);
}

/* The stream of the record at hand. */
int journal_find_stream(struct journal *j, struct source **ret)
{
	int r = record_service(&j->record, j->input, &j->service);
	if (r == 0)
		r = record_instance(&j->record, &j->instance);
	if (r < 0 || !buf_cstr(&j->service) || !buf_cstr(&j->instance))
		return -ENOMEM;
	return find_source(j, (struct stream_name){buf_span(&j->service), buf_span(&j->instance)},
			   ret);
}

/* --- quiet ones --- */

/* A restart that has nothing but the collector's word begins at the newest place that a stream has
 * told: at the number of this, everything up to there is acknowledged. */
static uint64_t newest_told(const struct journal *j, const struct source **ret_keeper)
{
	const struct source *s;
	uint64_t newest = 0;
	*ret_keeper = NULL;
	for (size_t at = 0; (s = map_next(&j->by_name, &at)) != NULL;)
		if (!s->journal->first && s->journal->told > newest) {
			newest = s->journal->told;
			*ret_keeper = s;
		}
	return newest;
}

/* May something be read again after a restart that had no stream of its own, for there were too
 * many? It must find as many then, or it would come a second time as the first entry of a
 * stream. */
static bool are_all_needed(struct journal *j)
{
	struct stream_name own = own_name();
	const struct source *s = map_find(&j->by_name, hash_name(j, own), &own);
	return s && j->by_name.count >= STREAMS_MAX &&
	       (s->journal->first || s->journal->committed.last.number > j->window.upto.number);
}

static void drop_ended(struct journal *j)
{
	for (struct source *s = source_first_stream(j->table), *next; s; s = next) {
		next = source_after_stream(j->table, s);
		if (s->state != SOURCE_ENDED || s->journal->window != &j->window)
			continue;
		registry_forget(j->registry, s, NULL);
		source_drop(j->table, s);
	}
}

/* Ends streams that nobody writes to. What comes for one of them then begins a new one. */
void journal_tidy(struct journal *j, int64_t now_ns)
{
	const struct source *keeper;
	uint64_t told = newest_told(j, &keeper);
	int64_t quiet_ns = j->by_name.count >= STREAMS_MAX / 2 ? QUIET_SHORT_NS : QUIET_NS;
	struct source *s;
	j->tidy_due_ns = now_ns + TIDY_NS;
	if (are_all_needed(j))
		return;
	for (size_t at = 0; (s = map_next(&j->by_name, &at)) != NULL;) {
		bool needed = s == keeper || s->journal->first ||
			      s->journal->committed.last.number > told;
		if (needed || now_ns - s->journal->added_ns < quiet_ns)
			continue;
		map_remove_at(&j->by_name, &at);
		begin_end(j, s);
	}
	drop_ended(j);
}
