/* The door to the store: see door.h. request.c asks for passes and enters, the program's keeper
 * opens and shuts. */
#include "collector/ingest/door.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum door_state { DOOR_SHUT, DOOR_OPEN, DOOR_CLOSING };

struct door {
	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t left;  /* someone has left */
	enum door_state state;
	struct store *store;
	unsigned inside, passes;
	char reason[DOOR_REASON_MAX];
};

struct door *door_new(const char *reason)
{
	struct door *d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->left, NULL);
	(void)snprintf(d->reason, sizeof(d->reason), "%s", reason);
	return d;
}

void door_free(struct door *d)
{
	if (!d)
		return;
	assert(d->state == DOOR_SHUT && d->passes == 0);
	pthread_cond_destroy(&d->left);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static void set_state(struct door *d, enum door_state state, const char *reason)
{
	d->state = state;
	(void)snprintf(d->reason, sizeof(d->reason), "%s", reason);
}

void door_open(struct door *d, struct store *store)
{
	pthread_mutex_lock(&d->lock);
	assert(d->state == DOOR_SHUT && store);
	d->store = store;
	set_state(d, DOOR_OPEN, "");
	pthread_mutex_unlock(&d->lock);
}

void door_close(struct door *d, const char *reason)
{
	pthread_mutex_lock(&d->lock);
	if (d->state == DOOR_OPEN)
		set_state(d, DOOR_CLOSING, reason);
	else
		set_state(d, d->state, reason);
	pthread_mutex_unlock(&d->lock);
}

struct store *door_shut(struct door *d, const char *reason)
{
	pthread_mutex_lock(&d->lock);
	set_state(d, DOOR_SHUT, reason);
	while (d->inside)
		pthread_cond_wait(&d->left, &d->lock);
	struct store *store = d->store;
	d->store = NULL;
	pthread_mutex_unlock(&d->lock);
	return store;
}

unsigned door_passes(struct door *d)
{
	pthread_mutex_lock(&d->lock);
	unsigned passes = d->passes;
	pthread_mutex_unlock(&d->lock);
	return passes;
}

bool door_pass(struct door *d, char ret_reason[DOOR_REASON_MAX])
{
	pthread_mutex_lock(&d->lock);
	bool given = d->state == DOOR_OPEN;
	if (given)
		d->passes++;
	else
		memcpy(ret_reason, d->reason, DOOR_REASON_MAX);
	pthread_mutex_unlock(&d->lock);
	return given;
}

void door_return(struct door *d)
{
	pthread_mutex_lock(&d->lock);
	assert(d->passes);
	d->passes--;
	pthread_mutex_unlock(&d->lock);
}

struct store *door_enter(struct door *d, bool with_pass, char ret_reason[DOOR_REASON_MAX])
{
	struct store *store = NULL;
	pthread_mutex_lock(&d->lock);
	if (d->state == DOOR_OPEN || (d->state == DOOR_CLOSING && with_pass)) {
		store = d->store;
		d->inside++;
	} else {
		memcpy(ret_reason, d->reason, DOOR_REASON_MAX);
	}
	pthread_mutex_unlock(&d->lock);
	return store;
}

void door_leave(struct door *d)
{
	pthread_mutex_lock(&d->lock);
	assert(d->inside);
	if (--d->inside == 0)
		pthread_cond_broadcast(&d->left);
	pthread_mutex_unlock(&d->lock);
}
