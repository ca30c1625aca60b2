/* The janitor's inside: what its parts share. Included by them only; all of it belongs to the
 * janitor's thread.
 *
 *     janitor.c          the thread, a pass, the ledger's rows
 *     janitor_seal.c     what is closed becomes sealed
 *     janitor_retain.c   what goes, and that it goes
 *     janitor_index.c    what is there, and whether the index knows it
 *
 * The parts of a pass give 0 or -errno: of several errors the worst, for one segment's trouble
 * keeps no other; -ECANCELED when the janitor is to stop. */
#ifndef HAUL_COLLECTOR_JANITOR_INSIDE_H
#define HAUL_COLLECTOR_JANITOR_INSIDE_H

#include "collector/janitor.h"
#include "collector/store/archive.h"
#include "collector/store/live_indexer.h"
#include "common/log.h"

#include <pthread.h>
#include <stdatomic.h>

/* With more waiting, speed counts before size. */
#define JANITOR_BACKLOG_BYTES (UINT64_C(1) << 30)

struct janitor {
	struct janitor_config config;
	struct store *store;
	pthread_t thread;
	struct archive *archive;
	struct live_indexer *live;
	struct log_gate seal_gate, index_gate, delete_gate, read_gate, live_gate;
	bool checked;       /* everything was looked at once since the start */
	uint64_t n_damaged; /* sealed files, when what lacks an index was read last */

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

/* Of a janitor; as the archive's call-back, too. */
bool janitor_is_stopping(void *user);

/* Meters: adds, sets. */
void janitor_count(_Atomic uint64_t *meter, uint64_t n);
void janitor_show(_Atomic uint64_t *meter, uint64_t n);

/* The class of the index of a row's service. */
void janitor_class_of(struct janitor *j, const struct segment_row *row,
		      char ret[JANITOR_CLASS_MAX]);

/* Bytes and number of the segments that wait for being sealed. */
uint64_t janitor_waiting(const struct janitor *j, uint64_t *ret_segments);

/* Bytes that are to be made free for min_free. */
uint64_t janitor_wanted_room(const struct janitor *j);

/* Seals what is closed; the rows say so then. */
int janitor_seal(struct janitor *j) MUST_CHECK;

/* Sizes of what is sealed, and once after a start what a crash left. */
int janitor_look(struct janitor *j) MUST_CHECK;

/* Decides what goes, and deletes it. */
int janitor_retain(struct janitor *j) MUST_CHECK;

/* Indexes what is sealed and not indexed, once after a start and when it is asked for. */
int janitor_index(struct janitor *j) MUST_CHECK;

/* Indexes what large live files have gained. */
int janitor_index_live(struct janitor *j) MUST_CHECK;

#endif
