/* The janitor: see janitor.h. Started and stopped by the store's keeper.
 *
 *     read the ledger's segments -> seal what is closed -> finish what a crash left -> decide what goes
 *     -> delete it -> index what is not -> and what large live files have gained
 *
 * All it knows it reads again in each pass, from the ledger and from the files; so a pass may be
 * broken off anywhere. Passes come seldom when the ledger is large: reading it takes at most a
 * hundredth of the time. What fails is told, counted, and tried again in the next pass; nothing
 * here fails the store. */
#include "collector/janitor.h"

#include "collector/janitor_inside.h"
#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS     NUM_SEC_NS
#define PAUSE_FACTOR 100
#define ERROR_NS     (60 * NUM_SEC_NS)

enum {
	NICEST = 19,
	IOPRIO_THREAD = 1, /* linux/ioprio.h */
	IOPRIO_IDLE = 3 << 13,
};

void janitor_class(const struct policy_rule *rule, char ret[JANITOR_CLASS_MAX])
{
	if (rule->max_age_ns == 0 || rule->hold)
		(void)snprintf(ret, JANITOR_CLASS_MAX, "ever");
	else
		(void)snprintf(ret, JANITOR_CLASS_MAX, "%lldd",
			       (long long)(rule->max_age_ns / NUM_SEC_NS / NUM_DAY_SEC));
}

bool janitor_is_stopping(void *user)
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

void janitor_count(_Atomic uint64_t *meter, uint64_t n)
{
	atomic_fetch_add_explicit(meter, n, memory_order_relaxed);
}

void janitor_show(_Atomic uint64_t *meter, uint64_t n)
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
	janitor_count(&j->config.meters->errors, 1);
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
	return janitor_is_stopping(j) ? -ECANCELED : 0;
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

/* --- a pass --- */

static bool pass(struct janitor *j)
{
	j->config.settings(j->config.user, &j->settings);
	if (failed(j, &j->read_gate, read_rows(j), "the ledger's segments"))
		return false;
	bool bad = failed(j, &j->seal_gate, janitor_seal(j), "sealing");
	int r = janitor_look(j);
	bad |= failed(j, &j->read_gate, r, "looking at sealed segments");
	/* Of one that cannot be looked at the size is not known: others are not kept for that. */
	if (r != -ECANCELED)
		bad |= failed(j, &j->delete_gate, janitor_retain(j), "retention");
	if (!janitor_is_stopping(j))
		bad |= failed(j, &j->index_gate, janitor_index(j), "the index");
	if (!janitor_is_stopping(j))
		bad |= failed(j, &j->live_gate, janitor_index_live(j), "the index of live files");
	j->checked |= !bad;
	return !bad;
}

static int open_archive(struct janitor *j)
{
	struct archive_config config = {
		.store = j->store, .stop = janitor_is_stopping, .step = on_step, .user = j};
	struct live_indexer_config live = {.tree = store_tree(j->store),
					   .stop = janitor_is_stopping,
					   .step = on_step,
					   .user = j};
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
	while (!janitor_is_stopping(j) && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&j->wake, &j->lock, &until);
	(void)pthread_mutex_unlock(&j->lock);
}

static void *run(void *user)
{
	struct janitor *j = user;
	be_humble();
	(void)pthread_setname_np(pthread_self(), "janitor");
	while (!janitor_is_stopping(j)) {
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
