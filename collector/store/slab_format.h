/* Where things stand in a slab; for slab.c and slab_write.c. All fields little-endian.
 *
 *     header     128 bytes
 *     blocks     48 bytes a column
 *     traits     TOKEN_TRAITS rows over all columns
 *     matrices   of each group, one after another: `bits` rows over its columns
 *     counts     of each segment, one after another (counts.h)
 *     meta       groups, 24 bytes each; lengths and checksums of the counts; then the segments
 *
 * A row is a bit a column, the first the lowest of the first byte, and two bytes of checksum. Each
 * group begins at a column that is a multiple of eight. */
#ifndef HAUL_COLLECTOR_STORE_SLAB_FORMAT_H
#define HAUL_COLLECTOR_STORE_SLAB_FORMAT_H

#include "common/crc64.h"

#include <stdint.h>

#define SLAB_MAGIC "HAULSLAB"

enum {
	SLAB_VERSION = 2,
	SLAB_HEADER_LEN = 128,
	SLAB_COLUMN_LEN = 48,
	SLAB_GROUP_LEN = 24,
	SLAB_ROW_SUM = 2,

	/* the header's fields */
	SLAB_AT_VERSION = 8,
	SLAB_AT_SEGMENTS = 12,
	SLAB_AT_BLOCKS = 16,
	SLAB_AT_COLUMNS = 20,
	SLAB_AT_GROUPS = 24,
	SLAB_AT_FIRST_DAY = 28,
	SLAB_AT_LAST_DAY = 32,
	SLAB_AT_META = 40,
	SLAB_AT_META_LEN = 48,
	SLAB_AT_META_CRC = 56,
	SLAB_AT_COUNTS = 64,
	SLAB_AT_CRC = 120,

	SLAB_META_MAX = 64 << 20,
	/* With groups of at most eight blocks more than there are. */
	SLAB_COLUMNS_MAX = 2 * 4096,
};

#define SLAB_NO_SEGMENT UINT32_MAX /* a column that pads its group */

static inline uint16_t slab_row_sum(const void *row, size_t len)
{
	return (uint16_t)crc64_add(CRC64_EMPTY, row, len);
}

#endif
