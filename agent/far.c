/* The far side: see far.h. One thread, one loop, as the near one (agent.c):
 *
 *     wait for the ferry, or a second; discover -> ship -> registry -> tell what there is for status
 *
 * Everything between two waits is a turn, and may hang. What the near thread asks lies under a lock
 * that is held for moments only, never while files are touched.
 *
 * Failure modes: a turn hangs: that is said after ten seconds, and shown; nothing here goes on
 * until it is over. At a stop the near thread does not wait for it: the registry here is then as by
 * kill -9, and the collector's word makes up for it. The parts cannot be made: that is said, and
 * these files are not followed until a restart. */
#include "agent/far.h"

#include "agent/files/identity.h"
#include "agent/files/registry.h"
#include "agent/files/source.h"
#include "agent/journal/journal.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define HANGS_NS      (5 * NUM_SEC_NS)
#define SAY_HANGS_NS  (10 * NUM_SEC_NS)
#define PUBLISH_NS    NUM_SEC_NS
#define LONGEST_WAIT  60000 /* ms */
#define PUBLISH_FILES 1000  /* with more of them it is told less often */

struct far {
	pthread_t thread;
	struct ferry *ferry;
	struct far_config config;
	char *state_dir;           /* owned */
	struct log_gate hang_gate; /* the near thread's */

	atomic_bool quit, finish, finished;
	_Atomic int64_t turn_began_ns; /* 0: it waits */

	pthread_mutex_t lock; /* guards what follows; a leaf */
	struct discover_config next;
	bool has_next; /* ... which is to be taken */
	struct buf rows, losses;
	struct status_side side;

	/* the thread's own */
	struct source_table *table;
	struct registry *registry;
	struct discover *discover;
	struct journals *journals; /* there are none */
	struct shipper *shipper;
	int64_t publish_due_ns;
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* --- the thread --- */

static int make_parts(struct far *f)
{
	f->table = source_table_new();
	if (!f->table)
		return -ENOMEM;
	int r = registry_open(f->state_dir, f->table, &f->registry);
	if (r == 0)
		r = discover_new(&f->config.discover, f->table, f->registry, &f->discover);
	if (r == 0)
		r = journals_new(NULL, 0, f->table, f->registry, &f->journals);
	if (r == 0)
		r = shipper_new(&f->config.shipper, f->table, f->registry, f->discover, f->journals,
				&f->shipper);
	return r;
}

static void free_parts(struct far *f)
{
	shipper_free(f->shipper);
	journals_free(f->journals);
	discover_free(f->discover);
	registry_close(f->registry);
	source_table_free(f->table);
}

static void take_inputs(struct far *f)
{
	struct discover_config next;
	pthread_mutex_lock(&f->lock);
	bool has_next = f->has_next;
	next = f->next;
	pthread_mutex_unlock(&f->lock);
	/* When memory is short the old ones go on, and it is tried again at the next turn. */
	if (!has_next || discover_reload(f->discover, &next) < 0)
		return;
	pthread_mutex_lock(&f->lock);
	if (f->next.inputs == next.inputs)
		f->has_next = false;
	pthread_mutex_unlock(&f->lock);
	ferry_wake_near(f->ferry);
}

/* Returns when it wants to be called again. */
static int64_t publish(struct far *f, int64_t now_ns)
{
	struct buf rows = BUF_EMPTY, losses = BUF_EMPTY;
	struct status_side side;
	if (now_ns < f->publish_due_ns)
		return f->publish_due_ns;
	size_t files = source_count(f->table);
	f->publish_due_ns = now_ns + PUBLISH_NS * (int64_t)(1 + files / PUBLISH_FILES);
	status_side(f->table, f->discover, f->shipper, f->registry, &side);
	if (status_rows(f->table, &rows) < 0 || status_losses(f->shipper, &losses) < 0) {
		buf_free(&rows);
		buf_free(&losses);
		return f->publish_due_ns;
	}
	pthread_mutex_lock(&f->lock);
	struct buf old_rows = f->rows, old_losses = f->losses;
	f->rows = rows;
	f->losses = losses;
	f->side = side;
	pthread_mutex_unlock(&f->lock);
	buf_free(&old_rows);
	buf_free(&old_losses);
	return INT64_MAX;
}

/* Returns when the next turn is due. */
static int64_t turn(struct far *f)
{
	int64_t now_ns = clock_mono_ns();
	atomic_store(&f->turn_began_ns, now_ns);
	take_inputs(f);
	if (f->finish)
		shipper_finish(f->shipper);
	discover_take(f->discover, now_ns);
	shipper_tick(f->shipper, now_ns);
	int64_t next = registry_tick(f->registry, now_ns);
	if (f->finish && !f->finished && shipper_finished(f->shipper)) {
		f->finished = true;
		ferry_wake_near(f->ferry);
	}
	next = earlier(next, publish(f, clock_mono_ns()));
	atomic_store(&f->turn_began_ns, 0);
	next = earlier(next, shipper_next_ns(f->shipper));
	return earlier(next, discover_next_ns(f->discover));
}

static void wait_until(const struct far *f, int64_t until_ns)
{
	struct pollfd p = {.fd = ferry_far_fd(f->ferry), .events = POLLIN};
	int64_t left_ms = (until_ns - clock_mono_ns() + NUM_MS_NS - 1) / NUM_MS_NS;
	int ms = left_ms < 0 ? 0 : left_ms > LONGEST_WAIT ? LONGEST_WAIT : (int)left_ms;
	(void)poll(&p, 1, ms);
}

static void *run(void *user)
{
	struct far *f = user;
	identity_ask_server();
	(void)pthread_setname_np(pthread_self(), "far");
	atomic_store(&f->turn_began_ns, clock_mono_ns());
	int r = make_parts(f);
	if (r < 0) {
		log_error("files of inputs with remote = yes cannot be followed: %s: %s",
			  f->state_dir, strerror(-r));
		f->finished = true;
	}
	while (r == 0 && !f->quit)
		wait_until(f, turn(f));
	atomic_store(&f->turn_began_ns, 0);
	free_parts(f);
	return NULL;
}

/* --- the near thread's view --- */

static void far_free(struct far *f)
{
	ferry_free(f->ferry);
	buf_free(&f->rows);
	buf_free(&f->losses);
	pthread_mutex_destroy(&f->lock);
	free(f->state_dir);
	free(f);
}

int far_start(const struct far_config *config, struct far **ret)
{
	struct far *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	pthread_mutex_init(&f->lock, NULL);
	f->config = *config;
	f->side = (struct status_side){0};
	int r = asprintf(&f->state_dir, "%s/remote", config->state_dir) < 0 ? -ENOMEM : 0;
	if (r < 0)
		f->state_dir = NULL;
	if (r == 0)
		r = ferry_new(&f->ferry);
	f->config.shipper.ferry = f->ferry;
	f->config.shipper.far = true;
	if (r == 0)
		r = -pthread_create(&f->thread, NULL, run, f);
	if (r < 0) {
		far_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

bool far_stop(struct far *f, int64_t wait_ns)
{
	if (!f)
		return true;
	f->quit = true;
	ferry_wake_far(f->ferry);
	int64_t until_ns = clock_real_ns() + wait_ns;
	struct timespec until = {until_ns / NUM_SEC_NS, until_ns % NUM_SEC_NS};
	if (pthread_timedjoin_np(f->thread, NULL, &until) != 0) {
		log_warning("a network file system does not answer: stopping without waiting for "
			    "it; the "
			    "collector knows how far its files are");
		return false;
	}
	far_free(f);
	return true;
}

void far_reload(struct far *f, const struct discover_config *config)
{
	pthread_mutex_lock(&f->lock);
	f->next = *config;
	f->has_next = true;
	pthread_mutex_unlock(&f->lock);
	ferry_wake_far(f->ferry);
}

bool far_holds_old(const struct far *f)
{
	struct far *unlocked = (struct far *)f;
	pthread_mutex_lock(&unlocked->lock);
	bool holds = f->has_next;
	pthread_mutex_unlock(&unlocked->lock);
	return holds;
}

void far_finish(struct far *f)
{
	f->finish = true;
	ferry_wake_far(f->ferry);
}

bool far_finished(const struct far *f)
{
	return f->finished;
}

struct ferry *far_ferry(const struct far *f)
{
	return f->ferry;
}

int64_t far_hangs_ns(const struct far *f, int64_t now_ns)
{
	int64_t began_ns = atomic_load(&f->turn_began_ns);
	return began_ns && now_ns - began_ns >= HANGS_NS ? now_ns - began_ns : 0;
}

void far_watch(struct far *f, int64_t now_ns)
{
	int64_t hangs_ns = far_hangs_ns(f, now_ns);
	if (hangs_ns >= SAY_HANGS_NS)
		log_gated(
			&f->hang_gate, LOG_LEVEL_WARNING,
			"a network file system has not answered for %d s; the files of inputs with "
			"remote = yes wait, all others go on",
			(int)(hangs_ns / NUM_SEC_NS));
	else if (!hangs_ns)
		log_gate_clear(&f->hang_gate, "the network file system answers again");
}

int far_status(struct far *f, struct status_side *ret, struct buf *rows, struct buf *losses)
{
	pthread_mutex_lock(&f->lock);
	int r = buf_add_span(rows, buf_span(&f->rows));
	if (r == 0)
		r = buf_add_span(losses, buf_span(&f->losses));
	*ret = f->side;
	pthread_mutex_unlock(&f->lock);
	return r;
}
