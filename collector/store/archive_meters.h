/* Figures of the archive, set by the janitor, read by who shows them. */
#ifndef HAUL_COLLECTOR_STORE_ARCHIVE_METERS_H
#define HAUL_COLLECTOR_STORE_ARCHIVE_METERS_H

#include <stdatomic.h>
#include <stdint.h>

/* What the janitor has done and is doing, for metrics and status; sums since the start of the
 * program. */
struct archive_meters {
	_Atomic uint64_t sealed_segments, sealed_plain_bytes, sealed_bytes, seal_ns;
	_Atomic uint64_t deleted_segments, deleted_bytes;
	_Atomic uint64_t errors;
	/* sealed files found damaged, of those that were read: not all are */
	_Atomic uint64_t damaged_segments;
	_Atomic uint64_t waiting_segments, waiting_bytes; /* closed, not yet sealed */
	_Atomic uint64_t archive_segments, archive_bytes; /* sealed; bytes of their files */
	_Atomic uint64_t live_indexed_bytes;              /* of large live files */
	_Atomic int level;                                /* of the last one sealed */
	_Atomic bool clock_suspect; /* nothing is deleted: the clock is not plausible */
};

#endif
