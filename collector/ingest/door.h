/* The door to the store: the store may be closed and opened again (after a failure, or at the end)
 * while requests come in, so nobody holds a pointer to it. Who needs it enters, uses it and leaves.
 *
 *     SHUT -> OPEN -> CLOSING -> SHUT -> ...
 *
 * OPEN lets everyone in. CLOSING lets in only those that were given a pass while it was open: a
 * request that has begun is finished. SHUT lets nobody in, and nobody is inside.
 *
 * Threads: any; one (the keeper of the store) opens and shuts. */
#ifndef HAUL_COLLECTOR_INGEST_DOOR_H
#define HAUL_COLLECTOR_INGEST_DOOR_H

#include "collector/store/store.h"

#define DOOR_REASON_MAX 256

struct door;

struct door *door_new(const char *reason); /* shut; NULL: no memory */
void door_free(struct door *d);

void door_open(struct door *d, struct store *store);

/* No more passes; `reason` is what is told from now on. */
void door_close(struct door *d, const char *reason);

/* Nobody gets in any more, with or without a pass; waits until the last has left. Gives the store
 * back. */
struct store *door_shut(struct door *d, const char *reason);

/* Passes that are out. */
unsigned door_passes(struct door *d);

/* True and a pass, to be given back by door_return; else why not. */
bool door_pass(struct door *d, char ret_reason[DOOR_REASON_MAX]) MUST_CHECK;
void door_return(struct door *d);

/* The store, until door_leave; NULL and why when it cannot be had. Inside only what does not
 * wait. */
struct store *door_enter(struct door *d, bool with_pass,
			 char ret_reason[DOOR_REASON_MAX]) MUST_CHECK;
void door_leave(struct door *d);

#endif
