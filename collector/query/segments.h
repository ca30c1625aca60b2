/* What the archive has for one day: the segments that a question chooses, in path order, each to be
 * opened when it is its turn.
 *
 * The collector works on while we read: a live file (HOST.log) may be closed (HOST.NNNN.log), a
 * closed one sealed (HOST.NNNN.log.zst), any of them deleted by retention. A list is consistent: it
 * was taken while nothing moved, live files were opened with it, and what is opened later is looked
 * for under its next name. So every line that stood in the archive when the list was taken is seen
 * once.
 *
 * A list is shared by the threads of a search: acquire and release may be called by any of them. */
#ifndef HAUL_COLLECTOR_QUERY_SEGMENTS_H
#define HAUL_COLLECTOR_QUERY_SEGMENTS_H

#include "collector/query/listing.h"
#include "common/buf.h"

#include <stdint.h>

struct segments;

/* Opens DATA_DIR. Errors: -errno. */
int segments_open_archive(const char *data_dir, int *ret_fd) MUST_CHECK;

/* The days that the archive has within [first, last], ascending; free with free(). */
int segments_days(int archive_fd, int32_t first, int32_t last, int32_t **ret_days,
		  size_t *ret_n) MUST_CHECK;

/* With up to `threads` threads. Directories that cannot be read are told to `trouble` and left out;
 * a missing day is an empty list. Errors: -ENOMEM; -errno of the archive itself. */
int segments_list(int archive_fd, int32_t day, const struct segment_choice *choice,
		  struct trouble *trouble, unsigned threads, struct segments **ret) MUST_CHECK;
void segments_free(struct segments *s);

size_t segments_count(const struct segments *s);
const struct segment *segments_get(const struct segments *s, uint32_t ordinal);
int32_t segments_day(const struct segments *s);
uint64_t segments_bytes(const struct segments *s); /* of all files, as listed */

/* Appends DAY/SERVICE/FILE. */
int segments_path(const struct segments *s, uint32_t ordinal, struct buf *out) MUST_CHECK;

/* A descriptor that stays valid until the release. The segment's form, name and size are settled
 * from then on. Errors: -ENOENT deleted by retention: not an error to report; -errno. */
int segments_acquire(struct segments *s, uint32_t ordinal, int *ret_fd) MUST_CHECK;
void segments_release(struct segments *s, uint32_t ordinal);

#endif
