/* What becomes of a closed segment: sealed, indexed, one day deleted. Each in steps of which every
 * one may be the last before a crash; the next start goes on from what it finds.
 *
 *     write a temporary file, sync, read it back and compare -> rename -> index -> ledger: sealed ->
 *     remove the plain file
 *     ledger: deleted, and so its copy -> remove the file -> ledger: forget
 *
 * By one thread. */
#ifndef HAUL_COLLECTOR_STORE_ARCHIVE_H
#define HAUL_COLLECTOR_STORE_ARCHIVE_H

#include "collector/store/segment.h"
#include "collector/store/store.h"

struct archive;

struct archive_config {
	struct store *store;
	/* Asked between blocks; true: break off. */
	bool (*stop)(void *user);
	/* Called before each step, with its name: tests break off here. May be NULL. */
	void (*step)(void *user, const char *what);
	void *user;
};

/* -errno, -ENOMEM. */
int archive_open(const struct archive_config *config, struct archive **ret) MUST_CHECK;
void archive_free(struct archive *a);

struct archive_terms {
	enum segment_form form; /* SEGMENT_CLOSED: it stays plain */
	int level;
	const char *class; /* of the index */
};

struct archive_result {
	uint64_t plain_bytes, bytes;
};

/* Takes a closed segment (store_settle was called since it was read) to its sealed form. What an
 * earlier start has left half done is finished. Errors: -ECANCELED; -ENOSPC; -errno: it is as it
 * was, and may be tried again. */
int archive_seal(struct archive *a, const struct segment_row *row,
		 const struct archive_terms *terms, struct archive_result *ret) MUST_CHECK;

/* Looks after a segment that is not closed, once after a start: finishes what was broken off. Its
 * file's size; 0 when there is none (said aloud). -errno. */
int archive_check(struct archive *a, const struct segment_row *row, uint64_t *ret_bytes) MUST_CHECK;

/* The form and size of a sealed segment's file. -ENOENT. */
int archive_look(const struct tree *t, const struct segment_row *row, enum segment_form *ret_form,
		 uint64_t *ret_bytes) MUST_CHECK;

/* Adds a sealed segment to the index from its file. -errno. */
int archive_index(struct archive *a, const struct segment_row *row, const char *class) MUST_CHECK;

/* Deletes sealed segments; their directories, too, when they are empty. Those whose rows then say
 * "deleted" are gone; -errno: others are left, and archive_check tries again. */
int archive_remove(struct archive *a, struct segment_row *rows, size_t n) MUST_CHECK;

/* Takes what is gone out of the index; of days up to `last_day`. -errno. */
int archive_sweep(struct archive *a, int32_t last_day) MUST_CHECK;

/* Forgets the whole index. -errno. */
int archive_reset_index(struct archive *a) MUST_CHECK;

#endif
