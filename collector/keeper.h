/* The store's keeper: a thread that opens the store, closes it, and after a failure closes and
 * opens it again until that works. The program goes on meanwhile: it answers 503, hears signals,
 * keeps its watchdog.
 *
 *     OPENING -> OPEN -> REOPENING -> OPEN ...      OPENING -> FAILED      any -> CLOSED
 *
 * FAILED is only the first opening: a program that cannot start says so and ends. */
#ifndef HAUL_COLLECTOR_KEEPER_H
#define HAUL_COLLECTOR_KEEPER_H

#include "collector/ingest/door.h"
#include "collector/janitor.h"
#include "collector/store/store.h"

enum keeper_state { KEEPER_OPENING, KEEPER_OPEN, KEEPER_REOPENING, KEEPER_FAILED, KEEPER_CLOSED };

struct keeper;

/* Starts the thread. The configurations are copied, their strings are not; `door` outlives the
 * keeper. With the store its janitor runs. Errors: -errno. */
int keeper_start(const struct store_config *config, const struct janitor_config *janitor,
		 struct door *door, struct keeper **ret) MUST_CHECK;

/* Becomes readable at each change of state; keeper_state reads it empty. */
int keeper_fd(const struct keeper *k);
enum keeper_state keeper_state(struct keeper *k);

/* Of FAILED: why. */
void keeper_error(struct keeper *k, struct conf_error *ret);

/* Of the store that was opened first; "" before. */
void keeper_uuid(struct keeper *k, char ret[UUID_LEN + 1]);

/* Closes the store and opens it again, when it is open; `why` is told meanwhile. */
void keeper_reopen(struct keeper *k, const char *why);

/* The same with other settings, after what is in flight has ended. */
void keeper_reconfigure(struct keeper *k, const struct store_config *config);

/* Shuts the door, closes the store, ends the thread, frees. Waits for all that; not while OPENING
 * (it would wait for the recovery). */
void keeper_stop(struct keeper *k);

#endif
