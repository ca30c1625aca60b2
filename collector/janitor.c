/* The janitor: see janitor.h. Started and stopped by the store's keeper.
 *
 *     read the ledger's segments -> seal what is closed -> finish what a crash left -> decide what goes
 *     -> delete it -> index what is not -> and what large live files have gained
 *
 * All it knows it reads again in each pass, from the ledger and from the files; so a pass may be broken
 * off anywhere. Passes come seldom when the ledger is large: reading it takes at most a hundredth of the
 * time. What fails is told, counted, and tried again in the next pass; nothing here fails the store. */
#include "collector/janitor.h"

#include "collector/retention.h"
#include "collector/store/archive.h"
#include "collector/store/index.h"
#include "collector/store/index_format.h"
#include "collector/store/live_indexer.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS      NUM_SEC_NS
#define PAUSE_FACTOR  100
#define ERROR_NS      (60 * NUM_SEC_NS)
#define BACKLOG_BYTES (UINT64_C(1) << 30) /* with more waiting, speed counts before size */

/* As `haul-collector reindex` leaves it for a collector that runs. */
#define REINDEX_PATH TREE_HAUL "/reindex"

enum {
	ZSTD_IDLE = 9,
	ZSTD_BUSY = 1,
	GZIP_IDLE = 6,
	GZIP_BUSY = 1,
	GZIP_MAX = 9,
	NICEST = 19,
	IOPRIO_THREAD = 1, /* linux/ioprio.h */
	IOPRIO_IDLE = 3 << 13,
	DELETE_BATCH = 512,
	LIKELY_RATIO = 4, /* of sealing; what is less well compressed fails without harm */
	SPARE_BYTES = 1 << 16,
};

struct janitor {
	struct janitor_config config;
	struct store *store;
	pthread_t thread;
	struct archive *archive;
	struct live_indexer *live;
	struct log_gate seal_gate, index_gate, delete_gate, read_gate, live_gate;
	bool checked; /* everything was looked at once since the start */

	/* of the pass */
	struct segment_row *rows; /* texts are in `arena` */
	uint64_t *bytes;          /* of their files, of sealed ones */
	size_t n_rows, capacity;
	struct buf arena;
	struct janitor_settings settings;

	atomic_bool stop;
	pthread_mutex_t lock; /* for `wake` */
	pthread_cond_t wake;
};

void janitor_class(const struct policy_rule *rule, char ret[JANITOR_CLASS_MAX])
{
	if (rule->max_age_ns == 0 || rule->hold)
		(void)snprintf(ret, JANITOR_CLASS_MAX, "ever");
	else
		(void)snprintf(ret, JANITOR_CLASS_MAX, "%lldd",
			       (long long)(rule->max_age_ns / NUM_SEC_NS / NUM_DAY_SEC));
}

static bool is_stopping(void *user)
{
	struct janitor *j = user;
	return atomic_load_explicit(&j->stop, memory_order_relaxed);
}

static void on_step(void *user, const char *what)
{
	struct janitor *j = user;
	if (j->config.step)
		j->config.step(j->config.user, what);
}

static void count(_Atomic uint64_t *meter, uint64_t n)
{
	atomic_fetch_add_explicit(meter, n, memory_order_relaxed);
}

static void show(_Atomic uint64_t *meter, uint64_t n)
{
	atomic_store_explicit(meter, n, memory_order_relaxed);
}

/* An error that is tried again: true when it was one. */
static bool failed(struct janitor *j, struct log_gate *gate, int r, const char *what)
{
	if (r >= 0 || r == -ECANCELED) {
		if (r == 0)
			log_gate_clear(gate, "%s: works again", what);
		return r < 0;
	}
	count(&j->config.meters->errors, 1);
	log_gated(gate, LOG_LEVEL_ERROR, "%s: %s; it is tried again", what, strerror(-r));
	return true;
}

/* --- reading the ledger --- */

static int add_row(void *user, const struct segment_row *row)
{
	struct janitor *j = user;
	if (row->state == SEGMENT_STATE_LIVE && row->length < LIVE_INDEX_MIN)
		return 0;
	if (j->n_rows == j->capacity) {
		size_t capacity = j->capacity ? j->capacity * 2 : 256;
		struct segment_row *rows = realloc(j->rows, capacity * sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		j->rows = rows;
		j->capacity = capacity;
	}
	int r = buf_add_span(&j->arena, row->service);
	if (r == 0)
		r = buf_add_span(&j->arena, row->host);
	if (r < 0)
		return r;
	j->rows[j->n_rows++] = *row;
	return is_stopping(j) ? -ECANCELED : 0;
}

/* The arena moves no more: texts get their places. */
static void place_texts(struct janitor *j)
{
	const char *at = j->arena.ptr;
	for (size_t i = 0; i < j->n_rows; i++) {
		struct segment_row *row = &j->rows[i];
		row->service.ptr = at;
		at += row->service.len;
		row->host.ptr = at;
		at += row->host.len;
	}
}

static int read_rows(struct janitor *j)
{
	j->n_rows = 0;
	buf_clear(&j->arena);
	int r = store_segments(j->store, add_row, j);
	if (r < 0)
		return r;
	place_texts(j);
	free(j->bytes);
	j->bytes = calloc(j->n_rows + 1, sizeof(*j->bytes));
	return j->bytes ? 0 : -ENOMEM;
}

/* --- sealing --- */

static uint64_t waiting_bytes(const struct janitor *j, uint64_t *ret_segments)
{
	uint64_t bytes = 0;
	*ret_segments = 0;
	for (size_t i = 0; i < j->n_rows; i++) {
		if (j->rows[i].state != SEGMENT_STATE_CLOSED)
			continue;
		bytes += j->rows[i].length;
		++*ret_segments;
	}
	return bytes;
}

static int choose_level(const struct janitor *j, uint64_t backlog)
{
	bool gzip = j->settings.form == SEGMENT_GZIP;
	if (j->settings.level)
		return gzip && j->settings.level > GZIP_MAX ? GZIP_MAX : j->settings.level;
	if (!gzip)
		return backlog > BACKLOG_BYTES ? ZSTD_BUSY : ZSTD_IDLE;
	return backlog > BACKLOG_BYTES ? GZIP_BUSY : GZIP_IDLE;
}

static void class_of(struct janitor *j, const struct segment_row *row, char ret[JANITOR_CLASS_MAX])
{
	const struct policy *p = j->config.policy_get(j->config.user);
	janitor_class(policy_find(p, row->service), ret);
	j->config.policy_put(j->config.user);
}

static int seal_one(struct janitor *j, struct segment_row *row, uint64_t backlog)
{
	struct archive_meters *m = j->config.meters;
	struct archive_result result;
	char class[JANITOR_CLASS_MAX];
	class_of(j, row, class);
	struct archive_terms terms = {
		.form = j->settings.form, .level = choose_level(j, backlog), .class = class};
	int64_t start_ns = clock_mono_ns();
	int r = archive_seal(j->archive, row, &terms, &result);
	if (r < 0)
		return r;
	row->state = SEGMENT_STATE_SEALED;
	atomic_store_explicit(&m->level, terms.level, memory_order_relaxed);
	count(&m->sealed_segments, 1);
	count(&m->sealed_plain_bytes, result.plain_bytes);
	count(&m->sealed_bytes, result.bytes);
	count(&m->seal_ns, (uint64_t)(clock_mono_ns() - start_ns));
	return 0;
}

/* The sealed file stands beside the plain one for a while. A try that cannot succeed would only take the last
 * room from others; a smaller segment may fit, and what it frees is room for the next. */
static bool has_room(const struct janitor *j, const struct segment_row *row)
{
	struct store_counters c;
	store_counters(j->store, &c);
	return j->settings.form == SEGMENT_CLOSED ||
	       c.free_bytes >= row->length / LIKELY_RATIO + SPARE_BYTES;
}

/* Several may fail and the others go on; when there was room and then none all stop. */
static int seal(struct janitor *j)
{
	uint64_t segments, backlog = waiting_bytes(j, &segments);
	int r = segments ? store_settle(j->store) : 0, worst = r;
	for (size_t i = 0; i < j->n_rows && r != -ENOSPC && r != -ECANCELED && worst != -EIO; i++) {
		struct segment_row *row = &j->rows[i];
		show(&j->config.meters->waiting_segments, segments);
		show(&j->config.meters->waiting_bytes, backlog);
		if (row->state != SEGMENT_STATE_CLOSED)
			continue;
		if (is_stopping(j))
			return -ECANCELED;
		if (!has_room(j, row)) {
			worst = worst ? worst : -ENOSPC;
			continue;
		}
		r = seal_one(j, row, backlog);
		worst = r < 0 ? r : worst;
		backlog -= r == 0 ? row->length : 0;
		segments -= r == 0;
	}
	show(&j->config.meters->waiting_segments, segments);
	show(&j->config.meters->waiting_bytes, backlog);
	return worst;
}

/* --- what was broken off, what is there --- */

/* Sizes, and once after a start what a crash left. */
static int look_at_files(struct janitor *j)
{
	uint64_t segments = 0, bytes = 0;
	int worst = 0;
	for (size_t i = 0; i < j->n_rows; i++) {
		struct segment_row *row = &j->rows[i];
		enum segment_form form;
		if (row->state == SEGMENT_STATE_CLOSED || row->state == SEGMENT_STATE_LIVE)
			continue;
		if (is_stopping(j))
			return -ECANCELED;
		int r = 0;
		if (!j->checked || row->state == SEGMENT_STATE_DELETED)
			r = archive_check(j->archive, row, &j->bytes[i]);
		else if (row->state == SEGMENT_STATE_SEALED)
			r = archive_look(store_tree(j->store), row, &form, &j->bytes[i]);
		worst = r < 0 && r != -ENOENT ? r : worst;
		segments += row->state == SEGMENT_STATE_SEALED;
		bytes += j->bytes[i];
	}
	show(&j->config.meters->archive_segments, segments);
	show(&j->config.meters->archive_bytes, bytes);
	return worst;
}

static bool is_indexed(const struct janitor *j, const struct index_search *s,
		       const struct segment_row *row)
{
	struct segment_name name = {
		.service = row->service, .host = row->host, .number = row->number};
	struct index_blocks blocks;
	uint64_t bytes;
	if (archive_look(store_tree(j->store), row, &name.form, &bytes) < 0)
		return true; /* nothing to index */
	return index_search_find(s, &name, bytes, &blocks);
}

static int index_day(struct janitor *j, const struct index_search *s, size_t from, size_t to)
{
	int worst = 0;
	for (size_t i = from; i < to; i++) {
		char class[JANITOR_CLASS_MAX];
		const struct segment_row *row = &j->rows[i];
		if (row->state != SEGMENT_STATE_SEALED || is_indexed(j, s, row))
			continue;
		if (is_stopping(j))
			return -ECANCELED;
		class_of(j, row, class);
		int r = archive_index(j->archive, row, class);
		/* A damaged file has no index: haul verify tells of it. */
		worst = r < 0 && r != -EBADMSG && r != -ENOENT && r != -EFBIG ? r : worst;
	}
	return worst;
}

/* Everything sealed that the index lacks. Rows are in the order of days. */
static int index_missing(struct janitor *j)
{
	static const struct slab_query all = {.since_us = INT64_MIN, .until_us = INT64_MAX};
	struct index *index;
	int r = index_open(store_tree(j->store)->root, &index), worst = 0;
	if (r < 0)
		return r;
	struct index_search *s = index_search_new(index, &all);
	r = s ? 0 : -ENOMEM;
	for (size_t from = 0; from < j->n_rows && r == 0;) {
		size_t to = from;
		while (to < j->n_rows && j->rows[to].day == j->rows[from].day)
			to++;
		r = index_search_day(s, j->rows[from].day);
		if (r == 0) {
			int w = index_day(j, s, from, to);
			worst = w < 0 ? w : worst;
			r = w == -ECANCELED ? w : 0;
		}
		from = to;
	}
	index_search_free(s);
	index_free(index);
	return r < 0 ? r : worst;
}

static int keep_index(struct janitor *j)
{
	struct stat st;
	bool reindex = tree_stat(store_tree(j->store), REINDEX_PATH, &st) == 0;
	if (!reindex && j->checked)
		return 0;
	if (reindex) {
		log_notice("the index is made anew");
		int r = archive_reset_index(j->archive);
		if (r == 0)
			r = live_indexer_reset(j->live);
		if (r < 0)
			return r;
	}
	int r = index_missing(j);
	if (r == 0 && reindex)
		r = tree_remove(store_tree(j->store), REINDEX_PATH);
	return r;
}

/* --- retention --- */

static uint64_t wanted_room(const struct janitor *j)
{
	struct store_counters c;
	store_counters(j->store, &c);
	return retention_room(&j->settings.min_free, c.total_bytes, c.free_bytes);
}

/* Of the segments [from, to) those of one service's day that went for one reason are told in one line, by the first
 * of them; nothing is left out and nothing gathered, for this is what is left to say of them. */
static void tell_deleted(struct retention_segment *s, size_t from, size_t to)
{
	const struct retention_segment first = s[from];
	uint64_t bytes = 0, segments = 0;
	for (size_t i = from;
	     i < to && s[i].day == first.day && span_equal(s[i].service, first.service); i++) {
		if (s[i].reason != first.reason)
			continue;
		bytes += s[i].bytes;
		segments++;
		s[i].reason = RETENTION_KEPT; /* told */
	}
	char day[CIVIL_DAY_LEN + 1] = "";
	civil_format_day(day, first.day);
	log_deed("retention: %s of %.*s is deleted: %llu bytes in %llu segments, %s", day,
		 (int)first.service.len, first.service.ptr, (unsigned long long)bytes,
		 (unsigned long long)segments, retention_reason_text(first.reason));
}

/* Rows whose segments go, into a copy of their own; the decided ones carry the row's index. */
struct decision {
	struct retention_segment *segments;
	size_t n;
};

static int decide(struct janitor *j, const struct policy *p, struct decision *ret)
{
	struct store_counters c;
	store_counters(j->store, &c);
	struct retention_request q = {.now_us = clock_real_ns() / NUM_US_NS,
				      .last_checkpoint_us = c.sure_clock_us,
				      .room_bytes = j->settings.expire ? wanted_room(j) : 0};
	struct retention_segment *s = calloc(j->n_rows + 1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	size_t n = 0;
	for (size_t i = 0; i < j->n_rows; i++) {
		const struct segment_row *row = &j->rows[i];
		if (row->state != SEGMENT_STATE_SEALED)
			continue;
		s[n++] = (struct retention_segment){.day = row->day,
						    .service = row->service,
						    .bytes = j->bytes[i],
						    .sealed = true,
						    .row = i,
						    .rule = policy_find(p, row->service)};
	}
	bool suspect = !retention_clock_plausible(q.now_us, q.last_checkpoint_us);
	if (suspect && !atomic_exchange(&j->config.meters->clock_suspect, true))
		log_error("retention: the clock is more than 48 hours from the last checkpoint; "
			  "nothing "
			  "is deleted until it is plausible");
	else if (!suspect)
		atomic_store(&j->config.meters->clock_suspect, false);
	(void)retention_decide(s, n, &q);
	*ret = (struct decision){s, n};
	return 0;
}

/* Rows of the decided segments [from, to). What is gone is said and counted, also when others are not. */
static int delete_rows(struct janitor *j, const struct decision *d, size_t from, size_t to,
		       struct segment_row *rows)
{
	size_t n = 0;
	for (size_t i = from; i < to; i++)
		if (d->segments[i].reason != RETENTION_KEPT)
			rows[n++] = j->rows[d->segments[i].row];
	int r = n ? archive_remove(j->archive, rows, n) : 0;
	for (size_t i = from, k = 0; i < to; i++) {
		struct retention_segment *s = &d->segments[i];
		if (s->reason == RETENTION_KEPT)
			continue;
		if (rows[k++].state != SEGMENT_STATE_DELETED) {
			s->reason = RETENTION_KEPT;
			continue;
		}
		count(&j->config.meters->deleted_segments, 1);
		count(&j->config.meters->deleted_bytes, s->bytes);
	}
	for (size_t i = from; i < to; i++)
		if (d->segments[i].reason != RETENTION_KEPT)
			tell_deleted(d->segments, i, to);
	return r;
}

static int delete_decided(struct janitor *j, const struct decision *d)
{
	struct segment_row *rows = calloc(DELETE_BATCH, sizeof(*rows));
	int r = rows ? 0 : -ENOMEM, worst = r;
	int32_t last_day = INT32_MIN;
	for (size_t from = 0, to; from < d->n && worst != -ENOSPC && r != -ECANCELED && rows;
	     from = to) {
		to = d->n - from < DELETE_BATCH ? d->n : from + DELETE_BATCH;
		for (size_t i = from; i < to; i++)
			if (d->segments[i].reason != RETENTION_KEPT)
				last_day = d->segments[i].day;
		r = delete_rows(j, d, from, to, rows);
		worst = r < 0 ? r : worst;
		if (is_stopping(j))
			r = -ECANCELED;
	}
	free(rows);
	if (r == -ECANCELED)
		return r;
	r = last_day != INT32_MIN ? archive_sweep(j->archive, last_day) : 0;
	return r < 0 ? r : worst;
}

/* What the ledger says of segments that somebody took away is kept as long as they would have been. */
static int forget_gone(struct janitor *j, const struct policy *p)
{
	int64_t now_us = clock_real_ns() / NUM_US_NS;
	int r = 0;
	for (size_t i = 0; i < j->n_rows && r == 0; i++) {
		const struct segment_row *row = &j->rows[i];
		if (row->state == SEGMENT_STATE_GONE &&
		    row->day < policy_oldest_day(p, row->service, now_us))
			r = store_remove_segments(j->store, row, 1);
	}
	return r;
}

static int retain(struct janitor *j)
{
	struct decision d = {0};
	const struct policy *p = j->config.policy_get(j->config.user);
	int r = decide(j, p, &d);
	if (r == 0 && !atomic_load(&j->config.meters->clock_suspect))
		r = forget_gone(j, p);
	j->config.policy_put(j->config.user);
	if (r == 0)
		r = delete_decided(j, &d);
	free(d.segments);
	return r;
}

/* --- live files --- */

/* Sealing goes before: with much waiting, and where room is short, nothing is added. */
static int index_live(struct janitor *j)
{
	uint64_t segments;
	if (wanted_room(j))
		return live_indexer_reset(j->live);
	bool keep = waiting_bytes(j, &segments) > BACKLOG_BYTES;
	int r = live_indexer_pass(j->live, j->rows, j->n_rows, keep);
	show(&j->config.meters->live_indexed_bytes, live_indexer_covered(j->live));
	return r;
}

/* --- a pass --- */

static bool pass(struct janitor *j)
{
	j->config.settings(j->config.user, &j->settings);
	if (failed(j, &j->read_gate, read_rows(j), "the ledger's segments"))
		return false;
	bool bad = failed(j, &j->seal_gate, seal(j), "sealing");
	int r = look_at_files(j);
	bad |= failed(j, &j->read_gate, r, "looking at sealed segments");
	/* Of one that cannot be looked at the size is not known: others are not kept for that. */
	if (r != -ECANCELED)
		bad |= failed(j, &j->delete_gate, retain(j), "retention");
	if (!is_stopping(j))
		bad |= failed(j, &j->index_gate, keep_index(j), "the index");
	if (!is_stopping(j))
		bad |= failed(j, &j->live_gate, index_live(j), "the index of live files");
	j->checked |= !bad;
	return !bad;
}

static int open_archive(struct janitor *j)
{
	struct archive_config config = {
		.store = j->store, .stop = is_stopping, .step = on_step, .user = j};
	struct live_indexer_config live = {
		.tree = store_tree(j->store), .stop = is_stopping, .step = on_step, .user = j};
	if (!j->live && !(j->live = live_indexer_new(&live)))
		return -ENOMEM;
	return archive_open(&config, &j->archive);
}

static void be_humble(void)
{
	long thread = syscall(SYS_gettid);
	if (setpriority(PRIO_PROCESS, (id_t)thread, NICEST) < 0 ||
	    syscall(SYS_ioprio_set, IOPRIO_THREAD, (int)thread, IOPRIO_IDLE) < 0)
		log_debug("the janitor's priority: %s", strerror(errno));
}

static void pause_for(struct janitor *j, int64_t ns)
{
	int64_t until_ns = clock_mono_ns() + ns;
	struct timespec until = {.tv_sec = (time_t)(until_ns / NUM_SEC_NS),
				 .tv_nsec = (long)(until_ns % NUM_SEC_NS)};
	int r = 0;
	(void)pthread_mutex_lock(&j->lock);
	while (!is_stopping(j) && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&j->wake, &j->lock, &until);
	(void)pthread_mutex_unlock(&j->lock);
}

static void *run(void *user)
{
	struct janitor *j = user;
	be_humble();
	while (!is_stopping(j)) {
		bool fine = false;
		int64_t start_ns = clock_mono_ns();
		if (j->archive || !failed(j, &j->index_gate, open_archive(j), "the archive"))
			fine = pass(j);
		int64_t took_ns = clock_mono_ns() - start_ns;
		int64_t pause_ns =
			took_ns * PAUSE_FACTOR < ERROR_NS ? took_ns * PAUSE_FACTOR : ERROR_NS;
		pause_ns = fine ? pause_ns : ERROR_NS / 6;
		pause_for(j, pause_ns > PAUSE_NS ? pause_ns : PAUSE_NS);
	}
	return NULL;
}

/* --- its life --- */

static struct janitor *janitor_new(const struct janitor_config *config, struct store *store)
{
	struct janitor *j = calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	j->config = *config;
	j->store = store;
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&j->lock, NULL);
	(void)pthread_cond_init(&j->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	return j;
}

static void janitor_free(struct janitor *j)
{
	archive_free(j->archive);
	live_indexer_free(j->live);
	free(j->rows);
	free(j->bytes);
	buf_free(&j->arena);
	(void)pthread_cond_destroy(&j->wake);
	(void)pthread_mutex_destroy(&j->lock);
	free(j);
}

int janitor_start(const struct janitor_config *config, struct store *store, struct janitor **ret)
{
	struct janitor *j = janitor_new(config, store);
	if (!j)
		return -ENOMEM;
	int r = pthread_create(&j->thread, NULL, run, j);
	if (r) {
		janitor_free(j);
		return -r;
	}
	*ret = j;
	return 0;
}

void janitor_stop(struct janitor *j)
{
	if (!j)
		return;
	(void)pthread_mutex_lock(&j->lock);
	atomic_store(&j->stop, true);
	(void)pthread_cond_signal(&j->wake);
	(void)pthread_mutex_unlock(&j->lock);
	(void)pthread_join(j->thread, NULL);
	janitor_free(j);
}

int janitor_pass_once(const struct janitor_config *config, struct store *store)
{
	struct janitor *j = janitor_new(config, store);
	if (!j)
		return -ENOMEM;
	int r = open_archive(j);
	if (r == 0 && !pass(j))
		r = -EIO;
	janitor_free(j);
	return r;
}
