/* The store's keeper: see keeper.h. Started and asked by collector.c.
 *
 * After a failed write or sync nothing is tried again on the same descriptors: the page cache may
 * hold what the disk does not. Closing and opening goes the way of a start after a crash, which
 * reads what is really there.
 *
 * The wishes of the program (reopen, reconfigure, stop) are flags under the lock; the thread takes
 * them one at a time, and a stop ends every pause. */
#include "collector/keeper.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static const int64_t RETRY_FIRST_NS = NUM_SEC_NS, RETRY_MAX_NS = 60 * NUM_SEC_NS;
/* How long a reopening with other settings waits for requests that have begun. */
static const int64_t DRAIN_NS = 5 * NUM_SEC_NS;
/* So often it is looked whether blocked places can be written again. */
static const int64_t LOOK_NS = 2 * NUM_SEC_NS;

struct keeper {
	struct door *door;
	struct janitor_config janitor_config;
	/* the thread's own; NULL: there is none */
	struct store *store;
	struct janitor *janitor;
	int event;
	pthread_t thread;
	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t wish;
	enum keeper_state state;
	struct store_config config;
	bool reopen, drain, stop;
	char why[DOOR_REASON_MAX];
	char uuid[UUID_LEN + 1];
	struct conf_error error;
};

static void set_state(struct keeper *k, enum keeper_state state)
{
	pthread_mutex_lock(&k->lock);
	k->state = state;
	pthread_mutex_unlock(&k->lock);
	uint64_t one = 1;
	(void)!write(k->event, &one, sizeof(one)); /* full: it is readable anyway */
}

/* Waits for a stop, at most so long. True: stop. */
static bool pause_for(struct keeper *k, int64_t ns)
{
	int64_t until_ns = clock_mono_ns() + ns;
	struct timespec until = {.tv_sec = (time_t)(until_ns / NUM_SEC_NS),
				 .tv_nsec = (long)(until_ns % NUM_SEC_NS)};
	int r = 0;
	pthread_mutex_lock(&k->lock);
	while (!k->stop && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&k->wish, &k->lock, &until);
	bool stop = k->stop;
	pthread_mutex_unlock(&k->lock);
	return stop;
}

static int open_once(struct keeper *k, struct store **ret, struct conf_error *err)
{
	pthread_mutex_lock(&k->lock);
	struct store_config config = k->config;
	pthread_mutex_unlock(&k->lock);
	return store_open(&config, ret, err);
}

static void note_uuid(struct keeper *k, const char *uuid)
{
	pthread_mutex_lock(&k->lock);
	if (*k->uuid && strcmp(k->uuid, uuid) != 0)
		log_error("the data directory %s has another identity than before (%s, "
			  "was %s): agents will "
			  "hold until the collector is restarted",
			  k->config.data_dir, uuid, k->uuid);
	if (!*k->uuid)
		(void)snprintf(k->uuid, sizeof(k->uuid), "%s", uuid);
	pthread_mutex_unlock(&k->lock);
}

static void let_in(struct keeper *k, struct store *s)
{
	k->store = s;
	note_uuid(k, store_uuid(s));
	int r = janitor_start(&k->janitor_config, s, &k->janitor);
	if (r < 0)
		log_error("no thread for the janitor: %s; nothing is sealed or deleted until the "
			  "store is opened again",
			  strerror(-r));
	door_open(k->door, s);
	set_state(k, KEEPER_OPEN);
}

/* What is under way at the janitor's is broken off, and begun again with the next store. */
static void let_go(struct keeper *k, struct store *s)
{
	janitor_stop(k->janitor);
	k->janitor = NULL;
	k->store = NULL;
	store_close(s);
}

/* Tries until it is open. NULL: stop. */
static struct store *open_again(struct keeper *k)
{
	int64_t pause_ns = RETRY_FIRST_NS;
	for (;;) {
		struct store *s = NULL;
		struct conf_error err = {""};
		if (open_once(k, &s, &err) == 0)
			return s;
		log_error("the store cannot be opened: %s; next try in %d s", err.text,
			  (int)(pause_ns / NUM_SEC_NS));
		if (pause_for(k, pause_ns))
			return NULL;
		pause_ns = pause_ns * 2 < RETRY_MAX_NS ? pause_ns * 2 : RETRY_MAX_NS;
	}
}

static void drain(struct keeper *k)
{
	int64_t until_ns = clock_mono_ns() + DRAIN_NS;
	while (door_passes(k->door) && clock_mono_ns() < until_ns)
		if (pause_for(k, 10 * NUM_MS_NS))
			return;
}

static bool reopen(struct keeper *k, const char *why, bool drain_first)
{
	set_state(k, KEEPER_REOPENING);
	log_notice("the store is closed and opened again: %s", why);
	door_close(k->door, why);
	if (drain_first)
		drain(k);
	let_go(k, door_shut(k->door, why));
	struct store *s = open_again(k);
	if (!s)
		return false;
	let_in(k, s);
	log_notice("the store is open again");
	return true;
}

/* With the lock held, which is let go of while the files are looked at. */
static void look_at_blocked(struct keeper *k)
{
	pthread_mutex_unlock(&k->lock);
	bool unblocked = store_unblocked(k->store);
	pthread_mutex_lock(&k->lock);
	if (!unblocked || k->reopen)
		return;
	k->reopen = true;
	(void)snprintf(k->why, sizeof(k->why), "what was blocked can be written again");
}

/* With the lock held. */
static void await_wish(struct keeper *k)
{
	char what[DOOR_REASON_MAX];
	bool looks = store_blocked(k->store, what, sizeof(what)) > 0;
	while (!k->stop && !k->reopen) {
		int64_t until_ns = clock_mono_ns() + LOOK_NS;
		struct timespec until = {.tv_sec = (time_t)(until_ns / NUM_SEC_NS),
					 .tv_nsec = (long)(until_ns % NUM_SEC_NS)};
		int r = looks ? pthread_cond_timedwait(&k->wish, &k->lock, &until)
			      : pthread_cond_wait(&k->wish, &k->lock);
		if (r == ETIMEDOUT)
			look_at_blocked(k);
	}
}

static void serve(struct keeper *k)
{
	bool going = true;
	while (going) {
		char why[DOOR_REASON_MAX];
		pthread_mutex_lock(&k->lock);
		await_wish(k);
		bool drain_first = k->drain;
		going = !k->stop;
		k->reopen = k->drain = false;
		if (going)
			k->state = KEEPER_REOPENING; /* no second wish for the same reason */
		memcpy(why, k->why, sizeof(why));
		pthread_mutex_unlock(&k->lock);
		if (going)
			going = reopen(k, why, drain_first);
	}
}

static void *run(void *user)
{
	struct keeper *k = user;
	struct store *s = NULL;
	struct conf_error err = {""};
	(void)pthread_setname_np(pthread_self(), "keeper");
	int r = open_once(k, &s, &err);
	if (r < 0) {
		if (!*err.text)
			(void)snprintf(err.text, sizeof(err.text), "%s", strerror(-r));
		pthread_mutex_lock(&k->lock);
		k->error = err;
		pthread_mutex_unlock(&k->lock);
		set_state(k, KEEPER_FAILED);
		return NULL;
	}
	let_in(k, s);
	serve(k);
	s = door_shut(k->door, "the collector is stopping");
	if (s)
		let_go(k, s);
	set_state(k, KEEPER_CLOSED);
	return NULL;
}

int keeper_start(const struct store_config *config, const struct janitor_config *janitor,
		 struct door *door, struct keeper **ret)
{
	struct keeper *k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->door = door;
	k->config = *config;
	k->janitor_config = *janitor;
	k->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->event < 0) {
		free(k);
		return -errno;
	}
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->wish, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int r = pthread_create(&k->thread, NULL, run, k);
	if (r) {
		(void)close(k->event);
		free(k);
		return -r;
	}
	*ret = k;
	return 0;
}

int keeper_fd(const struct keeper *k)
{
	return k->event;
}

enum keeper_state keeper_state(struct keeper *k)
{
	uint64_t count;
	(void)!read(k->event, &count, sizeof(count)); /* empty: nothing new */
	pthread_mutex_lock(&k->lock);
	enum keeper_state state = k->state;
	pthread_mutex_unlock(&k->lock);
	return state;
}

void keeper_error(struct keeper *k, struct conf_error *ret)
{
	pthread_mutex_lock(&k->lock);
	*ret = k->error;
	pthread_mutex_unlock(&k->lock);
}

void keeper_uuid(struct keeper *k, char ret[UUID_LEN + 1])
{
	pthread_mutex_lock(&k->lock);
	memcpy(ret, k->uuid, sizeof(k->uuid));
	pthread_mutex_unlock(&k->lock);
}

void keeper_reopen(struct keeper *k, const char *why)
{
	pthread_mutex_lock(&k->lock);
	if (k->state == KEEPER_OPEN) {
		k->reopen = true;
		(void)snprintf(k->why, sizeof(k->why), "%s", why);
	}
	pthread_cond_signal(&k->wish);
	pthread_mutex_unlock(&k->lock);
}

void keeper_reconfigure(struct keeper *k, const struct store_config *config)
{
	pthread_mutex_lock(&k->lock);
	k->config = *config; /* who is reopening already takes the new one or, at the next
				wish, again */
	k->reopen = k->drain = true;
	(void)snprintf(k->why, sizeof(k->why), "the configuration has changed");
	pthread_cond_signal(&k->wish);
	pthread_mutex_unlock(&k->lock);
}

void keeper_stop(struct keeper *k)
{
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_cond_signal(&k->wish);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	(void)close(k->event);
	pthread_cond_destroy(&k->wish);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
