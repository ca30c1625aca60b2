/* The archive's inside: what its parts share. Included by them only.
 *
 *     archive.c          opening, looking, looking after
 *     archive_seal.c     a closed segment becomes a sealed one
 *     archive_index.c    the index of one segment
 *     archive_remove.c   segments that go
 *
 * Errors are -errno. */
#ifndef HAUL_COLLECTOR_STORE_ARCHIVE_INSIDE_H
#define HAUL_COLLECTOR_STORE_ARCHIVE_INSIDE_H

#include "collector/store/archive.h"
#include "collector/store/digest.h"
#include "collector/store/indexer.h"
#include "collector/store/tree.h"

#define ARCHIVE_TEMPORARY TREE_HAUL "/sealing.tmp"

struct archive {
	struct archive_config config;
	const struct tree *tree;
	struct sealer *sealer;
	struct indexer *indexer;
	struct digest digest;
	struct part *parts; /* of the segment at hand */
	size_t n_parts, parts_capacity;
};

void archive_step(const struct archive *a, const char *what);

/* A call-back: -ECANCELED when the archive is to break off. */
int archive_stopped(void *user);

void archive_row_path(const struct segment_row *row, enum segment_form form,
		      char ret[SEGMENT_PATH_MAX]);

/* The size of the segment's file in this form, in one of the compressed ones; -ENOENT also when it
 * is none of ours. */
int archive_look_form(const struct tree *t, const struct segment_row *row, enum segment_form form,
		      uint64_t *ret_bytes) MUST_CHECK;
int archive_look_compressed(const struct tree *t, const struct segment_row *row,
			    enum segment_form *ret_form, uint64_t *ret_bytes) MUST_CHECK;

/* The parts of the segment at hand: one block more; all of them to the index; none again. */
int archive_add_block(struct archive *a, uint64_t offset, uint32_t length, uint32_t plain_length,
		      const struct digest *digest) MUST_CHECK;
int archive_put_parts(struct archive *a, const struct part_segment *segment,
		      const char *class) MUST_CHECK;
void archive_free_parts(struct archive *a);
struct part_segment archive_part_segment(const struct archive *a, const struct segment_row *row);

/* The plain file of a segment that is sealed, durably. */
int archive_remove_plain(const struct archive *a, const char *plain, const char *dir) MUST_CHECK;

/* No form of it is there: said aloud, and in the ledger. */
int archive_say_gone(struct archive *a, const struct segment_row *row) MUST_CHECK;

/* Of a segment whose deletion was broken off. */
int archive_finish_removal(struct archive *a, const struct segment_row *row) MUST_CHECK;

#endif
